//! Collections that find a value by what it equals: dictionaries and sets.
//!
//! The sorted ones are kept in order when a key is added, so that reading them compares nothing.
//! What adding costs is said by `placing`, so that the evaluation can count it before.

use std::cmp::Ordering;
use std::mem::take;
use std::ptr::from_ref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use super::nesting::{bury, refuse_cycle};
use crate::expression::value::json::Json;
use crate::expression::value::key::Key;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_items};

/// In which order two keys are: why they cannot be ordered, if they cannot.
pub type Order = fn(&Value, &Value) -> Result<Ordering, Thrown>;

/// Values by key, in the order of insertion or of their keys.
#[derive(Debug, Default)]
pub struct Map {
    ignores_case: bool,
    order: Option<Order>,
    entries: Mutex<Entries<(Value, Value)>>,
}

/// Values without duplicates, in the order of insertion or of the values.
#[derive(Debug, Default)]
pub struct Set {
    ignores_case: bool,
    order: Option<Order>,
    items: Mutex<Entries<Value>>,
}

/// What a dictionary or a set holds.
#[derive(Debug)]
struct Entries<T> {
    by_form: IndexMap<Key, T>,
    /// The places of all entries in the order of their keys; empty where nothing is sorted.
    sorted: Vec<usize>,
}

/// What is found by a key.
trait Entry: Clone {
    fn key(&self) -> &Value;
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
        self.lock().by_form.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: &Value) -> Option<Value> {
        self.lock().by_form.get(&Key::new(key, self.ignores_case)).map(|entry| entry.1.clone())
    }

    /// The value of the key that is the string `name`.
    pub fn get_text(&self, name: &str) -> Option<Value> {
        self.lock().by_form.get(&Key::text(name, self.ignores_case)).map(|entry| entry.1.clone())
    }

    /// Sets `key` to `value` and gives back what it was. An existing entry keeps its place.
    pub fn set(&self, key: Value, value: Value) -> Result<Option<Value>, Thrown> {
        if key.is_null() {
            return Err(Thrown::argument_null("key"));
        }
        refuse_cycle(from_ref(self).addr(), &value)?;
        refuse_cycle(from_ref(self).addr(), &key)?;
        let form = Key::new(&key, self.ignores_case);
        let mut entries = self.lock();
        if let Some(entry) = entries.by_form.get_mut(&form) {
            return Ok(Some(std::mem::replace(&mut entry.1, value)));
        }
        entries.insert(form, (key, value), self.order)?;
        Ok(None)
    }

    /// Removes `key` and gives back its value.
    pub fn remove(&self, key: &Value) -> Option<Value> {
        let entry = self.lock().remove(&Key::new(key, self.ignores_case));
        entry.map(|entry| entry.1)
    }

    /// Removes everything.
    pub fn clear(&self) {
        let entries = take(&mut *self.lock());
        bury(entries.by_form.into_values().flat_map(<[Value; 2]>::from).collect());
    }

    /// The entries as they are now: key and value.
    pub fn snapshot(&self) -> Vec<(Value, Value)> {
        self.lock().in_order()
    }

    /// How many bytes it takes at most to put `key` in its place; none if nothing is sorted.
    pub fn placing(&self, key: &Value) -> usize {
        self.order.map_or(0, |_| placing(key, self.len()))
    }

    fn lock(&self) -> MutexGuard<'_, Entries<(Value, Value)>> {
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
        let set = Self::new(ignores_case);
        for item in items {
            set.add(item)?;
        }
        Ok(set)
    }

    /// Whether strings that differ only in case are the same.
    pub const fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.lock().by_form.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds `item`.
    pub fn contains(&self, item: &Value) -> bool {
        self.lock().by_form.contains_key(&Key::new(item, self.ignores_case))
    }

    /// Adds `item`; says whether it is new.
    pub fn add(&self, item: Value) -> Result<bool, Thrown> {
        refuse_cycle(from_ref(self).addr(), &item)?;
        let form = Key::new(&item, self.ignores_case);
        let mut items = self.lock();
        if items.by_form.contains_key(&form) {
            return Ok(false);
        }
        items.insert(form, item, self.order)?;
        Ok(true)
    }

    /// Removes `item`; says whether it was there.
    pub fn remove(&self, item: &Value) -> bool {
        let removed = self.lock().remove(&Key::new(item, self.ignores_case));
        removed.is_some()
    }

    /// Removes everything.
    pub fn clear(&self) {
        let items = take(&mut *self.lock());
        bury(items.by_form.into_values().collect());
    }

    /// The items as they are now.
    pub fn snapshot(&self) -> Vec<Value> {
        self.lock().in_order()
    }

    /// How many bytes it takes at most to put `item` in its place; none if nothing is sorted.
    pub fn placing(&self, item: &Value) -> usize {
        self.order.map_or(0, |_| placing(item, self.len()))
    }

    fn lock(&self) -> MutexGuard<'_, Entries<Value>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Entry> Entries<T> {
    /// Adds what is not there yet. A key that cannot be ordered with the others is refused.
    fn insert(&mut self, form: Key, entry: T, order: Option<Order>) -> Result<(), Thrown> {
        let place = self.by_form.len();
        bounded_items(place.saturating_add(1))?;
        if let Some(order) = order {
            let rank = self.rank(order, entry.key())?;
            self.sorted.insert(rank, place);
        }
        self.by_form.insert(form, entry);
        Ok(())
    }

    /// Where `key` belongs among the sorted ones.
    fn rank(&self, order: Order, key: &Value) -> Result<usize, Thrown> {
        if self.sorted.is_empty() {
            // The first key, too, must be one that can be ordered.
            order(key, key)?;
        }
        let (mut low, mut high) = (0, self.sorted.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some(known) = self.ranked(middle) else { break };
            if order(known.key(), key)?.is_gt() {
                high = middle;
            } else {
                low = middle.saturating_add(1);
            }
        }
        Ok(low)
    }

    /// The entry with that rank among the sorted ones.
    fn ranked(&self, rank: usize) -> Option<&T> {
        let place = self.sorted.get(rank)?;
        self.by_form.get_index(*place).map(|(_, entry)| entry)
    }

    fn remove(&mut self, form: &Key) -> Option<T> {
        let (removed, _, entry) = self.by_form.shift_remove_full(form)?;
        self.sorted.retain(|place| *place != removed);
        for place in &mut self.sorted {
            // Those that were added later have moved up.
            *place = place.saturating_sub(usize::from(*place > removed));
        }
        Some(entry)
    }

    /// All entries as they are enumerated.
    fn in_order(&self) -> Vec<T> {
        if self.sorted.is_empty() {
            return self.by_form.values().cloned().collect();
        }
        (0..self.sorted.len()).filter_map(|rank| self.ranked(rank).cloned()).collect()
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { by_form: IndexMap::new(), sorted: Vec::new() }
    }
}

impl Entry for Value {
    fn key(&self) -> &Value {
        self
    }
}

impl Entry for (Value, Value) {
    fn key(&self) -> &Value {
        &self.0
    }
}

/// How many bytes are looked at to put `key` among `count` sorted ones: its text is compared about
/// as often as `count` can be halved, and a place that moves is counted as a byte.
fn placing(key: &Value, count: usize) -> usize {
    compared(key, count).saturating_add(count)
}

/// How many bytes of the text of `key` are compared to sort it among `count`.
pub fn compared(key: &Value, count: usize) -> usize {
    let halvings = usize::BITS.saturating_sub(count.leading_zeros()).saturating_add(1);
    text_bytes(key).saturating_mul(usize::try_from(halvings).unwrap_or(usize::MAX))
}

/// How long the texts are that decide the order of a key.
fn text_bytes(key: &Value) -> usize {
    let of_json = |json: &Json| match json {
        Json::String(text) | Json::Uri(text) | Json::Raw(text) | Json::Big(text) => text.len(),
        _ => 0,
    };
    let simple = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Json(json) => of_json(json),
        Value::Token(placed) => of_json(&placed.json),
        _ => 0,
    };
    match key {
        Value::Record(record) => record.values().iter().map(simple).fold(0, usize::saturating_add),
        other => simple(other),
    }
}

impl Map {
    /// Takes the keys and values out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Value> {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        take(entries).by_form.into_values().flat_map(<[Value; 2]>::from)
    }
}

impl Set {
    /// Takes the items out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Value> {
        let items = self.items.get_mut().unwrap_or_else(PoisonError::into_inner);
        take(items).by_form.into_values()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::library::{operators, text};

    #[test]
    fn what_is_sorted_stays_in_order_when_it_changes() {
        let set = Set::sorted(false, operators::order);
        for number in [5, 1, 4, 2, 3, 4] {
            set.add(number.into()).unwrap();
        }
        assert!(set.remove(&4.into()) && set.remove(&5.into()) && !set.remove(&9.into()));
        set.add(0.into()).unwrap();
        set.add(4.into()).unwrap();
        assert_eq!(text::join(" ", &set.snapshot()).unwrap(), "0 1 2 3 4");
        set.clear();
        assert!(set.is_empty() && set.snapshot().is_empty());
        set.add(7.into()).unwrap();
        assert_eq!(text::join(" ", &set.snapshot()).unwrap(), "7");
    }

    #[test]
    fn a_key_that_cannot_be_ordered_is_refused() {
        let map = Map::sorted(false, operators::order);
        assert!(map.set(Value::list(Vec::new()), 1.into()).is_err());
        map.set("a".into(), 1.into()).unwrap();
        assert!(map.set(1.into(), 2.into()).is_err());
        assert_eq!(map.snapshot().len(), 1);
    }

    #[test]
    fn only_what_is_sorted_costs_more_than_it_is() {
        let key: Value = "x".repeat(1000).into();
        assert_eq!(Set::new(false).placing(&key), 0);
        let sorted = Set::sorted(false, operators::order);
        let alone = sorted.placing(&key);
        sorted.add(1.into()).unwrap();
        assert!(1000 <= alone && alone < sorted.placing(&key));
    }
}
