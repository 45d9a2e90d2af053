//! JSON tokens as Newtonsoft.Json has them: containers are shared and mutable, the rest never
//! changes.
//!
//! A container has at most one parent. One that has a parent already is copied when it is added
//! elsewhere, as Newtonsoft does, and so is one that would come to hold itself: there are no
//! cycles.

use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use indexmap::IndexMap;
use rust_decimal::Decimal;

use super::moment::{DateTime, DateTimeOffset, TimeSpan};
use super::thrown::{ExceptionKind, Thrown};

mod container;

/// The deepest nesting that is read, written, copied or searched.
pub const JSON_DEPTH_MAX: usize = 128;

/// The most tokens that are read from one text or copied at once.
pub const JSON_TOKENS_MAX: usize = 1_000_000;

/// A `JToken`. A missing member is not one of these: it is C#'s `null`, no token at all.
#[derive(Clone, Debug)]
pub enum Json {
    /// A `JValue` that holds null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits a `long`.
    Int(i64),
    /// An integer that does not: its digits, with a sign if it has one.
    Big(Arc<str>),
    /// A number with a fraction or an exponent.
    Double(f64),
    /// A `decimal` that an expression put in.
    Decimal(Decimal),
    /// A string.
    String(Arc<str>),
    /// A date, also one that was read from a string that looks like one.
    Date(DateTime),
    /// A date with an offset that an expression put in.
    DateOffset(DateTimeOffset),
    /// A span of time that an expression put in.
    Span(TimeSpan),
    /// A GUID that an expression put in.
    Guid(u128),
    /// A URI that an expression put in.
    Uri(Arc<str>),
    /// Bytes that an expression put in; written as base64.
    Bytes(Bytes),
    /// `JRaw`: JSON that is written as it is.
    Raw(Arc<str>),
    /// `JObject`.
    Object(JsonObject),
    /// `JArray`.
    Array(JsonArray),
    /// `JProperty`.
    Property(JsonProperty),
}

/// A `JObject`: members in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct JsonObject(Arc<Node<IndexMap<Arc<str>, Json>>>);

/// A `JArray`.
#[derive(Clone, Debug, Default)]
pub struct JsonArray(Arc<Node<Vec<Json>>>);

/// A `JProperty`: a name and a value, by itself or in an object.
#[derive(Clone, Debug)]
pub struct JsonProperty(Arc<Property>);

#[derive(Debug, Default)]
struct Node<T: Bury> {
    has_parent: AtomicBool,
    content: Mutex<T>,
}

#[derive(Debug)]
struct Property {
    name: Arc<str>,
    place: Mutex<Place>,
}

#[derive(Clone, Debug)]
enum Place {
    Alone(Json),
    In(JsonObject),
}

impl Json {
    /// The string token of `text`.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// The full .NET name of its class.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Object(_) => "Newtonsoft.Json.Linq.JObject",
            Self::Array(_) => "Newtonsoft.Json.Linq.JArray",
            Self::Property(_) => "Newtonsoft.Json.Linq.JProperty",
            Self::Raw(_) => "Newtonsoft.Json.Linq.JRaw",
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Big(_)
            | Self::Double(_)
            | Self::Decimal(_)
            | Self::String(_)
            | Self::Date(_)
            | Self::DateOffset(_)
            | Self::Span(_)
            | Self::Guid(_)
            | Self::Uri(_)
            | Self::Bytes(_) => "Newtonsoft.Json.Linq.JValue",
        }
    }

    /// The name of its member of `JTokenType`.
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Bool(_) => "Boolean",
            Self::Int(_) | Self::Big(_) => "Integer",
            Self::Double(_) | Self::Decimal(_) => "Float",
            Self::String(_) => "String",
            Self::Date(_) | Self::DateOffset(_) => "Date",
            Self::Span(_) => "TimeSpan",
            Self::Guid(_) => "Guid",
            Self::Uri(_) => "Uri",
            Self::Bytes(_) => "Bytes",
            Self::Raw(_) => "Raw",
            Self::Object(_) => "Object",
            Self::Array(_) => "Array",
            Self::Property(_) => "Property",
        }
    }

    /// The number of its member of `JTokenType`.
    pub const fn kind_number(&self) -> i32 {
        match self {
            Self::Object(_) => 1,
            Self::Array(_) => 2,
            Self::Property(_) => 4,
            Self::Int(_) | Self::Big(_) => 6,
            Self::Double(_) | Self::Decimal(_) => 7,
            Self::String(_) => 8,
            Self::Bool(_) => 9,
            Self::Null => 10,
            Self::Date(_) | Self::DateOffset(_) => 12,
            Self::Raw(_) => 13,
            Self::Bytes(_) => 14,
            Self::Guid(_) => 15,
            Self::Uri(_) => 16,
            Self::Span(_) => 17,
        }
    }

    /// What it holds: an object's properties, an array's items, a property's value.
    pub fn children(&self) -> Vec<Self> {
        match self {
            Self::Object(object) => object.properties().into_iter().map(Self::Property).collect(),
            Self::Array(array) => array.items(),
            Self::Property(property) => vec![property.value()],
            _ => Vec::new(),
        }
    }

    /// A copy that shares nothing with this one and has no parent.
    pub fn deep_clone(&self) -> Result<Self, Thrown> {
        let mut tokens = 0;
        self.copy(0, &mut tokens)
    }

    fn copy(&self, depth: usize, tokens: &mut usize) -> Result<Self, Thrown> {
        bounded_depth(depth)?;
        *tokens = tokens.saturating_add(1);
        bounded_tokens(*tokens)?;
        let deeper = depth.saturating_add(1);
        Ok(match self {
            Self::Object(object) => {
                let mut members = IndexMap::new();
                for (name, member) in object.members() {
                    members.insert(name, member.copy(deeper, tokens)?.adopted());
                }
                Self::Object(JsonObject::from_members(members))
            }
            Self::Array(array) => {
                let items = array.items();
                let copies = items.iter().map(|item| Ok(item.copy(deeper, tokens)?.adopted()));
                Self::Array(JsonArray::from_items(copies.collect::<Result<_, Thrown>>()?))
            }
            Self::Property(property) => {
                let value = property.value().copy(deeper, tokens)?;
                Self::Property(JsonProperty::new(property.name(), value))
            }
            simple => simple.clone(),
        })
    }

    /// This token, marked as one that has a parent.
    fn adopted(self) -> Self {
        self.mark(true);
        self
    }

    /// Sets whether a container has a parent; says whether it had one.
    fn mark(&self, has_parent: bool) -> bool {
        match self {
            Self::Object(object) => object.0.has_parent.swap(has_parent, Ordering::Relaxed),
            Self::Array(array) => array.0.has_parent.swap(has_parent, Ordering::Relaxed),
            _ => false,
        }
    }

    /// What a container at `parent` gets when this is added to it. Only a container that is in
    /// another (`is_inside`) can be somewhere in what is added to it.
    fn adopt(self, (parent, is_inside): (usize, bool), parent_name: &str) -> Result<Self, Thrown> {
        if matches!(self, Self::Property(_)) {
            return Err(cannot_add("Newtonsoft.Json.Linq.JProperty", parent_name));
        }
        if self.mark(true) {
            return self.deep_clone().map(Self::adopted);
        }
        let is_cycle =
            if is_inside { self.reaches(parent)? } else { self.address() == Some(parent) };
        if is_cycle {
            self.mark(false);
            return self.deep_clone().map(Self::adopted);
        }
        Ok(self)
    }

    /// What tells a container from others.
    fn address(&self) -> Option<usize> {
        match self {
            Self::Object(object) => Some(object.address()),
            Self::Array(array) => Some(array.address()),
            _ => None,
        }
    }

    /// Whether the container at `target` is this one or inside it.
    fn reaches(&self, target: usize) -> Result<bool, Thrown> {
        let mut pending = vec![self.clone()];
        let mut seen: usize = 0;
        while let Some(token) = pending.pop() {
            seen = seen.saturating_add(1);
            bounded_tokens(seen)?;
            match token {
                Self::Object(object) => {
                    if object.address() == target {
                        return Ok(true);
                    }
                    pending
                        .extend(object.0.lock().values().filter(|one| one.is_container()).cloned());
                }
                Self::Array(array) => {
                    if array.address() == target {
                        return Ok(true);
                    }
                    pending.extend(array.0.lock().iter().filter(|one| one.is_container()).cloned());
                }
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether both are the same container, or simple tokens that read the same.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(one), Self::Object(other)) => one.address() == other.address(),
            (Self::Array(one), Self::Array(other)) => one.address() == other.address(),
            (Self::Object(_) | Self::Array(_), _) | (_, Self::Object(_) | Self::Array(_)) => false,
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Double(one), Self::Double(other)) => one.to_bits() == other.to_bits(),
            (Self::String(one), Self::String(other)) => one == other,
            (one, other) => {
                std::mem::discriminant(one) == std::mem::discriminant(other)
                    && format!("{one:?}") == format!("{other:?}")
            }
        }
    }

    /// Whether this is an object or an array.
    pub const fn is_container(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Array(_))
    }
}

impl<T: Bury> Node<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Property {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a token `depth` levels down if that is deeper than [`JSON_DEPTH_MAX`].
pub fn bounded_depth(depth: usize) -> Result<(), Thrown> {
    if depth <= JSON_DEPTH_MAX {
        return Ok(());
    }
    Err(Thrown::limit(format!("JSON may be nested at most {JSON_DEPTH_MAX} levels deep")))
}

/// Refuses the token that is number `tokens` if that is more than [`JSON_TOKENS_MAX`].
pub fn bounded_tokens(tokens: usize) -> Result<(), Thrown> {
    if tokens <= JSON_TOKENS_MAX {
        return Ok(());
    }
    Err(Thrown::limit(format!("JSON may have at most {JSON_TOKENS_MAX} tokens")))
}

/// Newtonsoft's refusal to put a `child` into a `parent`.
pub fn cannot_add(child: &str, parent: &str) -> Thrown {
    Thrown::new(ExceptionKind::Argument, format!("Can not add {child} to {parent}."))
}

/// A content that gives up its tokens, so that they can be dropped without recursion.
trait Bury {
    /// Takes the tokens out.
    fn tokens(&mut self) -> Vec<Json>;
}

impl Bury for Vec<Json> {
    fn tokens(&mut self) -> Vec<Json> {
        take(self)
    }
}

impl Bury for IndexMap<Arc<str>, Json> {
    fn tokens(&mut self) -> Vec<Json> {
        take(self).into_values().collect()
    }
}

/// Drops `tokens` and all they hold without recursion, however deep they are nested.
fn bury(tokens: Vec<Json>) {
    let mut pending = tokens;
    while let Some(token) = pending.pop() {
        match token {
            Json::Object(JsonObject(node)) => pending.extend(last(node)),
            Json::Array(JsonArray(node)) => pending.extend(last(node)),
            other => drop(other),
        }
    }
}

/// The tokens of `node` if nobody else has it.
fn last<T: Bury>(node: Arc<Node<T>>) -> Vec<Json> {
    Arc::into_inner(node)
        .map(|mut node| node.content.get_mut().unwrap_or_else(PoisonError::into_inner).tokens())
        .unwrap_or_default()
}

impl<T: Bury> Drop for Node<T> {
    fn drop(&mut self) {
        let content = self.content.get_mut().unwrap_or_else(PoisonError::into_inner);
        bury(content.tokens());
    }
}
