//! Tokens that know how they were reached, for `Parent`, `Path`, `Replace` and their like.
//!
//! Tokens of [`super::json`] do not know where they are: a number in an object is only a number.
//! An expression that asks for a place computes with these instead: the token, and the token and
//! key it was reached through. The chain holds its root, as references of C# do.

use std::sync::Arc;

use super::json::Json;

/// A token and where it is.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The token.
    pub json: Json,
    /// What it was reached through; nothing for a root.
    pub home: Option<(Arc<Self>, Key)>,
}

/// How a token is reached from the one above it.
#[derive(Clone, Debug)]
pub enum Key {
    /// The value of that member.
    Name(Arc<str>),
    /// The member itself, as a property.
    Property(Arc<str>),
    /// The item at that place.
    Item(usize),
}

impl Placed {
    /// A token that nothing is above of.
    pub const fn root(json: Json) -> Self {
        Self { json, home: None }
    }

    /// `json`, reached from `above` by `key`.
    pub fn at(above: &Arc<Self>, key: Key, json: Json) -> Arc<Self> {
        Arc::new(Self { json, home: Some((Arc::clone(above), key)) })
    }

    /// The value of the member `name`.
    pub fn member(self: &Arc<Self>, name: &str) -> Option<Arc<Self>> {
        let Json::Object(object) = &self.json else { return None };
        let value = object.get(name)?;
        Some(Self::at(self, Key::Name(Arc::from(name)), value))
    }

    /// The member `name` as a property.
    pub fn property(self: &Arc<Self>, name: &str) -> Option<Arc<Self>> {
        let Json::Object(object) = &self.json else { return None };
        let property = object.property(name)?;
        let key = Key::Property(Arc::clone(property.name()));
        Some(Self::at(self, key, Json::Property(property)))
    }

    /// The item at `place`.
    pub fn item(self: &Arc<Self>, place: usize) -> Option<Arc<Self>> {
        let Json::Array(array) = &self.json else { return None };
        Some(Self::at(self, Key::Item(place), array.get(place)?))
    }

    /// The value of a property, as what the object above it holds.
    pub fn value(self: &Arc<Self>) -> Option<Arc<Self>> {
        let Json::Property(property) = &self.json else { return None };
        match &self.home {
            Some((object, Key::Property(name))) => object.member(name),
            _ => Some(Arc::new(Self::root(property.value()))),
        }
    }

    /// What it holds: an object's properties, an array's items, a property's value.
    pub fn children(self: &Arc<Self>) -> Vec<Arc<Self>> {
        match &self.json {
            Json::Object(object) => {
                let properties = object.properties().into_iter();
                properties.filter_map(|property| self.property(property.name())).collect()
            }
            Json::Array(_) => self.values(),
            Json::Property(_) => self.value().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// An object's values or an array's items.
    pub fn values(self: &Arc<Self>) -> Vec<Arc<Self>> {
        match &self.json {
            Json::Object(object) => {
                let members = object.members().into_iter();
                members.map(|(name, value)| Self::at(self, Key::Name(name), value)).collect()
            }
            Json::Array(array) => {
                let items = array.items().into_iter().enumerate();
                items.map(|(place, item)| Self::at(self, Key::Item(place), item)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The token above it: of a member's value that is the property.
    pub fn parent(&self) -> Option<Arc<Self>> {
        match &self.home {
            None => None,
            Some((above, Key::Name(name))) => above.property(name),
            Some((above, Key::Property(_) | Key::Item(_))) => Some(Arc::clone(above)),
        }
    }

    /// Its place among the items above it: where it was, or before that, since items before it
    /// may be gone.
    pub fn place(&self) -> Option<usize> {
        let Some((above, Key::Item(place))) = &self.home else { return None };
        let Json::Array(array) = &above.json else { return None };
        let is_at = |at: usize| array.get(at).is_some_and(|item| self.json.is_same(&item));
        if is_at(*place) {
            return Some(*place);
        }
        let length = array.len();
        (0..length.min(*place)).rev().chain(place.saturating_add(1)..length).find(|at| is_at(*at))
    }

    /// How many items must be looked at to find its place.
    pub fn search_width(&self) -> usize {
        let Some((above, Key::Item(place))) = &self.home else { return 0 };
        let Json::Array(array) = &above.json else { return 0 };
        let is_there = array.get(*place).is_some_and(|item| self.json.is_same(&item));
        if is_there { 0 } else { array.len() }
    }
}

impl Drop for Placed {
    /// Chains may be long, so they are not dropped link by link inside of each other.
    fn drop(&mut self) {
        let mut next = self.home.take();
        while let Some((above, _)) = next {
            next = Arc::into_inner(above).and_then(|mut above| above.home.take());
        }
    }
}
