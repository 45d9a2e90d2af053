//! Objects, arrays and properties: reading and changing them.

use std::mem::{replace, take};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use super::{Json, JsonArray, JsonObject, JsonProperty, Node, Place, Property, bury, cannot_add};
use crate::expression::value::bounded_items;
use crate::expression::value::key::fold;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// Up to how many members it is quicker to compare names than to hash one.
const SCANNED_MAX: usize = 8;

impl JsonObject {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// The object of `members`, all of which have no other parent.
    pub(in crate::expression) fn from_members(members: IndexMap<Arc<str>, Json>) -> Self {
        for member in members.values() {
            member.mark(true);
        }
        Self(Arc::new(Node { has_parent: AtomicBool::new(false), content: Mutex::new(members) }))
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member `name`.
    pub fn get(&self, name: &str) -> Option<Json> {
        let members = self.0.lock();
        if members.len() > SCANNED_MAX {
            return members.get(name).cloned();
        }
        members.iter().find(|(known, _)| ***known == *name).map(|(_, value)| value.clone())
    }

    /// Whether there is a member `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.0.lock().contains_key(name)
    }

    /// The name of the member that is `name`, or else of the first that is when case is ignored.
    pub fn find_ignoring_case(&self, name: &str) -> Option<Arc<str>> {
        let members = self.0.lock();
        if let Some((exact, _)) = members.get_key_value(name) {
            return Some(Arc::clone(exact));
        }
        let folded = fold(name);
        members.keys().find(|known| fold(known) == folded).cloned()
    }

    /// `object[name] = value`: an existing member keeps its place.
    pub fn set(&self, name: &str, value: Json) -> Result<(), Thrown> {
        let value = value.adopt(self.seat(), "Newtonsoft.Json.Linq.JProperty")?;
        let mut members = self.0.lock();
        let old = if let Some(slot) = members.get_mut(name) {
            Some(replace(slot, value))
        } else {
            bounded_items(members.len().saturating_add(1))?;
            members.insert(Arc::from(name), value)
        };
        drop(members);
        if let Some(old) = old {
            old.mark(false);
        }
        Ok(())
    }

    /// Adds the member `name` at `place`, counted from 0; an existing one is an
    /// `ArgumentException`.
    pub fn insert_at(&self, place: usize, name: &str, value: Json) -> Result<(), Thrown> {
        let count = self.len();
        self.add(name, value)?;
        self.0.lock().move_index(count, place.min(count));
        Ok(())
    }

    /// `object.Add(name, value)`: an existing member is an `ArgumentException`.
    pub fn add(&self, name: &str, value: Json) -> Result<(), Thrown> {
        if self.contains(name) {
            return Err(Thrown::new(
                ExceptionKind::Argument,
                format!(
                    "Can not add property {name} to Newtonsoft.Json.Linq.JObject. Property with \
                     the same name already exists on object."
                ),
            ));
        }
        self.set(name, value)
    }

    /// `object.Add(property)`: the property is then the object's.
    pub fn add_property(&self, property: &JsonProperty) -> Result<(), Thrown> {
        let place = property.0.lock().clone();
        match place {
            Place::Alone(value) => {
                self.add(property.name(), value)?;
                *property.0.lock() = Place::In(self.clone());
                Ok(())
            }
            Place::In(_) => self.add(property.name(), property.value()),
        }
    }

    /// Removes the member `name`; says whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let removed = self.0.lock().shift_remove(name);
        if let Some(removed) = &removed {
            removed.mark(false);
        }
        removed.is_some()
    }

    /// Removes every member.
    pub fn clear(&self) {
        let members = take(&mut *self.0.lock());
        for member in members.values() {
            member.mark(false);
        }
        bury(members.into_values().collect());
    }

    /// Where the member `name` is, counted from 0.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.0.lock().get_index_of(name)
    }

    /// The name of the member at `place`, counted from 0.
    pub fn name_at(&self, place: usize) -> Option<Arc<str>> {
        self.0.lock().get_index(place).map(|(name, _)| Arc::clone(name))
    }

    /// The members as they are now.
    pub fn members(&self) -> Vec<(Arc<str>, Json)> {
        let members = self.0.lock();
        members.iter().map(|(name, member)| (Arc::clone(name), member.clone())).collect()
    }

    /// The property `name`.
    pub fn property(&self, name: &str) -> Option<JsonProperty> {
        let name = self.0.lock().get_key_value(name).map(|(name, _)| Arc::clone(name))?;
        Some(JsonProperty::of(name, self.clone()))
    }

    /// The properties, in order.
    pub fn properties(&self) -> Vec<JsonProperty> {
        let names: Vec<Arc<str>> = self.0.lock().keys().cloned().collect();
        names.into_iter().map(|name| JsonProperty::of(name, self.clone())).collect()
    }

    /// What tells this object from others, and whether it is in a container.
    fn seat(&self) -> (usize, bool) {
        (self.address(), self.0.has_parent.load(Ordering::Relaxed))
    }

    /// What tells this object from others.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl JsonArray {
    /// An empty array.
    pub fn new() -> Self {
        Self::default()
    }

    /// The array of `items`, each as [`Self::push`] takes it.
    pub fn of(items: Vec<Json>) -> Result<Self, Thrown> {
        let array = Self::new();
        for item in items {
            array.push(item)?;
        }
        Ok(array)
    }

    /// The array of `items`, all of which have no other parent.
    pub(in crate::expression) fn from_items(items: Vec<Json>) -> Self {
        for item in &items {
            item.mark(true);
        }
        Self(Arc::new(Node { has_parent: AtomicBool::new(false), content: Mutex::new(items) }))
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Json> {
        self.0.lock().get(index).cloned()
    }

    /// `array[index]`.
    pub fn at(&self, index: i32) -> Result<Json, Thrown> {
        usize::try_from(index).ok().and_then(|index| self.get(index)).ok_or_else(Thrown::list_index)
    }

    /// `array[index] = value`.
    pub fn set_at(&self, index: i32, value: Json) -> Result<(), Thrown> {
        let value = value.adopt(self.seat(), "Newtonsoft.Json.Linq.JArray")?;
        let index = usize::try_from(index).map_err(|_| Thrown::list_index())?;
        let old = self.0.lock().get_mut(index).map(|slot| replace(slot, value));
        old.map(|old| _ = old.mark(false)).ok_or_else(Thrown::list_index)
    }

    /// Adds `item` at the end.
    pub fn push(&self, item: Json) -> Result<(), Thrown> {
        let place = self.len();
        self.insert_before(place, item)
    }

    /// `array.Insert(index, item)`.
    pub fn insert(&self, index: i32, item: Json) -> Result<(), Thrown> {
        let place = usize::try_from(index).map_err(|_| Thrown::list_index())?;
        self.insert_before(place, item)
    }

    fn insert_before(&self, place: usize, item: Json) -> Result<(), Thrown> {
        let item = item.adopt(self.seat(), "Newtonsoft.Json.Linq.JArray")?;
        let mut items = self.0.lock();
        bounded_items(items.len().saturating_add(1))?;
        if place > items.len() {
            return Err(Thrown::list_index());
        }
        items.insert(place, item);
        Ok(())
    }

    /// `array.RemoveAt(index)`.
    pub fn remove_at(&self, index: i32) -> Result<(), Thrown> {
        let index = usize::try_from(index).map_err(|_| Thrown::list_index())?;
        let mut items = self.0.lock();
        if index >= items.len() {
            return Err(Thrown::list_index());
        }
        let removed = items.remove(index);
        drop(items);
        removed.mark(false);
        Ok(())
    }

    /// Removes every item.
    pub fn clear(&self) {
        let items = take(&mut *self.0.lock());
        for item in &items {
            item.mark(false);
        }
        bury(items);
    }

    /// The items as they are now.
    pub fn items(&self) -> Vec<Json> {
        self.0.lock().clone()
    }

    /// What tells this array from others, and whether it is in a container.
    fn seat(&self) -> (usize, bool) {
        (self.address(), self.0.has_parent.load(Ordering::Relaxed))
    }

    /// What tells this array from others.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl JsonProperty {
    /// A property that is in no object.
    pub fn new(name: &str, value: Json) -> Self {
        let place = Mutex::new(Place::Alone(value));
        Self(Arc::new(Property { name: Arc::from(name), place }))
    }

    fn of(name: Arc<str>, object: JsonObject) -> Self {
        Self(Arc::new(Property { name, place: Mutex::new(Place::In(object)) }))
    }

    /// `Name`.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// `Value`; null once it was removed from its object.
    pub fn value(&self) -> Json {
        let place = self.0.lock().clone();
        match place {
            Place::Alone(value) => value,
            Place::In(object) => object.get(self.name()).unwrap_or(Json::Null),
        }
    }

    /// `Value = value`, also in the object that it is in.
    pub fn set_value(&self, value: Json) -> Result<(), Thrown> {
        if matches!(value, Json::Property(_)) {
            let name = "Newtonsoft.Json.Linq.JProperty";
            return Err(cannot_add(name, name));
        }
        let place = self.0.lock().clone();
        match place {
            Place::Alone(_) => {
                *self.0.lock() = Place::Alone(value);
                Ok(())
            }
            Place::In(object) => object.set(self.name(), value),
        }
    }

    /// `Remove()`: takes it out of the object that it is in.
    pub fn remove(&self) -> Result<(), Thrown> {
        let place = self.0.lock().clone();
        match place {
            Place::In(object) => {
                let value = self.value();
                object.remove(self.name());
                *self.0.lock() = Place::Alone(value);
                Ok(())
            }
            Place::Alone(_) => Err(Thrown::invalid_operation("The parent is missing.")),
        }
    }

    /// What tells this property from others.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}
