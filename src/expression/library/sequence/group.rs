//! What is equal: `Distinct`, `Union`, `GroupBy`, `Join`, `ToDictionary` and their like.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::Lambda;
use crate::expression::library::display;
use crate::expression::value::Value;
use crate::expression::value::collection::Grouping;
use crate::expression::value::collection::keyed::{Map, Set};
use crate::expression::value::key::Key;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `Distinct()`.
pub fn distinct(items: Vec<Value>, ignores_case: bool) -> Vec<Value> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| seen.insert(Key::new(item, ignores_case))).collect()
}

/// `DistinctBy(selector)`.
pub fn distinct_by(items: Vec<Value>, selector: &mut Lambda<'_>) -> Result<Vec<Value>, Thrown> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in items {
        if seen.insert(Key::new(&selector(std::slice::from_ref(&item))?, false)) {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// `Union(others)`.
pub fn union(
    items: Vec<Value>,
    others: Vec<Value>,
    ignores_case: bool,
) -> Result<Vec<Value>, Thrown> {
    Ok(distinct(super::concat(items, others)?, ignores_case))
}

/// `Intersect(others)`.
pub fn intersect(items: Vec<Value>, others: &[Value], ignores_case: bool) -> Vec<Value> {
    let wanted: HashSet<Key> = others.iter().map(|one| Key::new(one, ignores_case)).collect();
    let kept = items.into_iter().filter(|item| wanted.contains(&Key::new(item, ignores_case)));
    distinct(kept.collect(), ignores_case)
}

/// `Except(others)`.
pub fn except(items: Vec<Value>, others: &[Value], ignores_case: bool) -> Vec<Value> {
    let unwanted: HashSet<Key> = others.iter().map(|one| Key::new(one, ignores_case)).collect();
    let kept = items.into_iter().filter(|item| !unwanted.contains(&Key::new(item, ignores_case)));
    distinct(kept.collect(), ignores_case)
}

/// `GroupBy(key)`, or with `element` also `GroupBy(key, element)`: groups in the order of their
/// first items.
pub fn group_by(
    items: &[Value],
    key: &mut Lambda<'_>,
    element: Option<&mut Lambda<'_>>,
) -> Result<Vec<Value>, Thrown> {
    group_by_as(items, key, element, false)
}

/// The same; `ignores_case` is that of keys which are strings.
pub fn group_by_as(
    items: &[Value],
    key: &mut Lambda<'_>,
    mut element: Option<&mut Lambda<'_>>,
    ignores_case: bool,
) -> Result<Vec<Value>, Thrown> {
    let mut groups: IndexMap<Key, Grouping> = IndexMap::new();
    for item in items {
        let key = key(std::slice::from_ref(item))?;
        let element = match &mut element {
            Some(element) => element(std::slice::from_ref(item))?,
            None => item.clone(),
        };
        let group = groups
            .entry(Key::new(&key, ignores_case))
            .or_insert_with(|| Grouping { key, items: Vec::new() });
        group.items.push(element);
    }
    Ok(groups.into_values().map(|group| Value::Grouping(Arc::new(group))).collect())
}

/// `ToDictionary(key)`, or with `element` also `ToDictionary(key, element)`: the same key twice is
/// an `ArgumentException`.
pub fn to_dictionary(
    items: &[Value],
    key: &mut Lambda<'_>,
    mut element: Option<&mut Lambda<'_>>,
    ignores_case: bool,
) -> Result<Map, Thrown> {
    let map = Map::new(ignores_case);
    for item in items {
        let key = key(std::slice::from_ref(item))?;
        let element = match &mut element {
            Some(element) => element(std::slice::from_ref(item))?,
            None => item.clone(),
        };
        add(&map, key, element)?;
    }
    Ok(map)
}

/// `dictionary.Add(key, value)`: the same key twice is an `ArgumentException`.
pub fn add(map: &Map, key: Value, value: Value) -> Result<(), Thrown> {
    if map.get(&key).is_some() {
        let shown = display::text(&key)?;
        return Err(Thrown::new(
            ExceptionKind::Argument,
            format!("An item with the same key has already been added. Key: {shown}"),
        ));
    }
    map.set(key, value).map(drop)
}

/// `ToHashSet()`.
pub fn to_set(items: Vec<Value>, ignores_case: bool) -> Result<Set, Thrown> {
    Set::of(items, ignores_case)
}

/// Items by their keys, in order.
pub type Keyed = IndexMap<Key, Vec<Value>>;

/// The items by the keys beside them; an item whose key is `null` joins nothing.
pub fn keyed(items: Vec<Value>, keys: &[Value]) -> Keyed {
    let mut by_key = Keyed::new();
    for (item, key) in items.into_iter().zip(keys) {
        if !key.is_null() {
            by_key.entry(Key::new(key, false)).or_default().push(item);
        }
    }
    by_key
}

/// The items of one key.
pub fn of_key(by_key: &Keyed, key: &Value) -> Vec<Value> {
    by_key.get(&Key::new(key, false)).cloned().unwrap_or_default()
}

/// `Chunk(size)`: arrays of `size` items, the last one of what is left.
pub fn chunks(items: &[Value], size: i32) -> Result<Vec<Value>, Thrown> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let why = "Specified argument was out of the range of valid values.";
    let size = size.ok_or_else(|| Thrown::out_of_range("size", why))?;
    Ok(items.chunks(size).map(|chunk| Value::array(chunk.to_vec())).collect())
}
