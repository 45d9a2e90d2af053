//! Collections that find a value by what it equals: dictionaries and sets.

use std::mem::take;
use std::ptr::from_ref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use super::nesting::{bury, refuse_cycle};
use crate::expression::value::key::Key;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_items};

/// In which order keys are, as their places: why they cannot be ordered, if they cannot.
pub type Order = fn(&[Value]) -> Result<Vec<usize>, Thrown>;

/// Values by key, in the order of insertion or of their keys.
#[derive(Debug, Default)]
pub struct Map {
    ignores_case: bool,
    order: Option<Order>,
    entries: Mutex<IndexMap<Key, (Value, Value)>>,
}

/// Values without duplicates, in the order of insertion or of the values.
#[derive(Debug, Default)]
pub struct Set {
    ignores_case: bool,
    order: Option<Order>,
    items: Mutex<IndexMap<Key, Value>>,
}

impl Map {
    /// An empty dictionary; `ignores_case` is `StringComparer.OrdinalIgnoreCase`.
    pub fn new(ignores_case: bool) -> Self {
        Self { ignores_case, order: None, entries: Mutex::default() }
    }

    /// An empty dictionary whose entries are in that order of their keys.
    pub fn sorted(ignores_case: bool, order: Order) -> Self {
        Self { ignores_case, order: Some(order), entries: Mutex::default() }
    }

    /// Whether keys that differ only in case are the same.
    pub const fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: &Value) -> Option<Value> {
        self.lock().get(&Key::new(key, self.ignores_case)).map(|entry| entry.1.clone())
    }

    /// The value of the key that is the string `name`.
    pub fn get_text(&self, name: &str) -> Option<Value> {
        self.lock().get(&Key::text(name, self.ignores_case)).map(|entry| entry.1.clone())
    }

    /// Sets `key` to `value` and gives back what it was. An existing entry keeps its place.
    pub fn set(&self, key: Value, value: Value) -> Result<Option<Value>, Thrown> {
        if key.is_null() {
            return Err(Thrown::argument_null("key"));
        }
        refuse_cycle(from_ref(self).addr(), &value)?;
        refuse_cycle(from_ref(self).addr(), &key)?;
        comparable(self.order, &key)?;
        let form = Key::new(&key, self.ignores_case);
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&form) {
            return Ok(Some(std::mem::replace(&mut entry.1, value)));
        }
        bounded_items(entries.len().saturating_add(1))?;
        entries.insert(form, (key, value));
        Ok(None)
    }

    /// Removes `key` and gives back its value.
    pub fn remove(&self, key: &Value) -> Option<Value> {
        let entry = self.lock().shift_remove(&Key::new(key, self.ignores_case));
        entry.map(|entry| entry.1)
    }

    /// Removes everything.
    pub fn clear(&self) {
        let entries = take(&mut *self.lock());
        bury(entries.into_values().flat_map(<[Value; 2]>::from).collect());
    }

    /// The entries as they are now: key and value.
    pub fn snapshot(&self) -> Vec<(Value, Value)> {
        let entries: Vec<(Value, Value)> = self.lock().values().cloned().collect();
        match self.order {
            None => entries,
            Some(order) => in_order(order, entries, |(key, _)| key),
        }
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<Key, (Value, Value)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    /// An empty set; `ignores_case` is `StringComparer.OrdinalIgnoreCase`.
    pub fn new(ignores_case: bool) -> Self {
        Self { ignores_case, order: None, items: Mutex::default() }
    }

    /// An empty set whose items are in that order.
    pub fn sorted(ignores_case: bool, order: Order) -> Self {
        Self { ignores_case, order: Some(order), items: Mutex::default() }
    }

    /// The set of `items`.
    pub fn of(items: Vec<Value>, ignores_case: bool) -> Result<Self, Thrown> {
        Self::new(ignores_case).with(items)
    }

    /// The set with `items` added.
    pub fn with(self, items: Vec<Value>) -> Result<Self, Thrown> {
        for item in items {
            self.add(item)?;
        }
        Ok(self)
    }

    /// Whether strings that differ only in case are the same.
    pub const fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds `item`.
    pub fn contains(&self, item: &Value) -> bool {
        self.lock().contains_key(&Key::new(item, self.ignores_case))
    }

    /// Adds `item`; says whether it is new.
    pub fn add(&self, item: Value) -> Result<bool, Thrown> {
        refuse_cycle(from_ref(self).addr(), &item)?;
        comparable(self.order, &item)?;
        let form = Key::new(&item, self.ignores_case);
        let mut items = self.lock();
        if items.contains_key(&form) {
            return Ok(false);
        }
        bounded_items(items.len().saturating_add(1))?;
        items.insert(form, item);
        Ok(true)
    }

    /// Removes `item`; says whether it was there.
    pub fn remove(&self, item: &Value) -> bool {
        let removed = self.lock().shift_remove(&Key::new(item, self.ignores_case));
        removed.is_some()
    }

    /// Removes everything.
    pub fn clear(&self) {
        let items = take(&mut *self.lock());
        bury(items.into_values().collect());
    }

    /// The items as they are now.
    pub fn snapshot(&self) -> Vec<Value> {
        let items: Vec<Value> = self.lock().values().cloned().collect();
        match self.order {
            None => items,
            Some(order) => in_order(order, items, |item| item),
        }
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<Key, Value>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a key that cannot be ordered.
fn comparable(order: Option<Order>, key: &Value) -> Result<(), Thrown> {
    order.map_or(Ok(()), |order| order(&[key.clone(), key.clone()]).map(drop))
}

/// `items` in the order of their keys; as they were added, if these do not go together.
fn in_order<T: Clone>(order: Order, items: Vec<T>, key: impl Fn(&T) -> &Value) -> Vec<T> {
    let keys: Vec<Value> = items.iter().map(|item| key(item).clone()).collect();
    match order(&keys) {
        Ok(places) => places.iter().filter_map(|place| items.get(*place).cloned()).collect(),
        Err(_mixed) => items,
    }
}

impl Map {
    /// Takes the keys and values out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Value> {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        take(entries).into_values().flat_map(<[Value; 2]>::from)
    }
}

impl Set {
    /// Takes the items out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Value> {
        let items = self.items.get_mut().unwrap_or_else(PoisonError::into_inner);
        take(items).into_values()
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        bury(self.drain().collect());
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        bury(self.drain().collect());
    }
}
