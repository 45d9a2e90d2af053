//! Lists, dictionaries and arrays.

use std::sync::Arc;

use super::super::arguments::{
    Outcome, at, constructor, ignores_case, index, int, items, list, map, method, method_with, ok,
    property, set_index, set_index_with, sorted, sorted_with,
};
use super::super::{Call, Member};
use super::queue::copied_to;
use crate::expression::eval::default_of;
use crate::expression::library::sequence::{self, elements};
use crate::expression::library::{collections as library, message};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::{Map, compared};
use crate::expression::value::collection::{Grouping, List, Pair};
use crate::expression::value::json::Json;
use crate::expression::value::key::Key;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub(super) fn source(call: &Call<'_, '_>) -> Result<Vec<Value>, Thrown> {
    items(call.arguments(), 0)
}

#[expect(clippy::unnecessary_wraps, reason = "members give results")]
pub(super) fn sequenced(items: Vec<Value>) -> Outcome {
    Ok(Value::sequence(items))
}

#[expect(clippy::unnecessary_wraps, reason = "members give results")]
pub(super) fn nothing(_done: ()) -> Outcome {
    Ok(Value::Null)
}

/// `items[index]` of a list, which `byte[]` is too.
fn item(v: &[Value]) -> Outcome {
    match at(v, 0) {
        Value::Bytes(bytes) => {
            let index = usize::try_from(int(v, 1)?).ok();
            let byte = index.and_then(|index| bytes.get(index).copied());
            byte.map(Value::Byte).ok_or_else(Thrown::array_index)
        }
        _ => list(v, 0)?.at(int(v, 1)?),
    }
}

pub(super) fn length(v: &[Value]) -> Outcome {
    match at(v, 0) {
        Value::Bytes(bytes) => ok(i32::try_from(bytes.len()).unwrap_or(i32::MAX)),
        _ => ok(library::count(list(v, 0)?)),
    }
}

pub(super) const ARRAY: &[Member] = &[
    property("Length", "int", length).brief(),
    index("int index", "T", item).brief(),
    set_index("int index, T value", |v| {
        if let Value::Bytes(_) = at(v, 0) {
            let message = "This byte array cannot be written to; copy it with ToArray() first.";
            return Err(Thrown::new(ExceptionKind::NotSupported, message));
        }
        nothing(list(v, 0)?.set_at(int(v, 1)?, at(v, 2).clone())?)
    })
    .brief(),
    method("GetLength", "int dimension", "int", length).effect(),
    property("LongLength", "long", |v| length(v)?.long().map(Value::Long)).effect(),
    property("Rank", "int", |_| ok(1)),
    method("GetValue", "int index", "object", item).effect(),
    method("SetValue", "object value, int index", "void", |v| {
        nothing(list(v, 0)?.set_at(int(v, 2)?, at(v, 1).clone())?)
    })
    .effect(),
    method("Clone", "", "object", |v| match at(v, 0) {
        Value::Bytes(_) => Ok(at(v, 0).clone()),
        _ => ok(List::array(items(v, 0)?)),
    })
    .effect(),
    method("CopyTo", "T[] array, int index", "void", copied_to).effect(),
];

/// The list that is to be sorted; counts what is compared.
pub(super) fn sortable<'a>(call: &mut Call<'a, '_>) -> Result<&'a List, Thrown> {
    let list = list(call.arguments(), 0)?;
    let items = list.snapshot();
    for item in &items {
        call.scanned(compared(item, items.len()))?;
    }
    Ok(list)
}

pub(super) const LIST: &[Member] = &[
    constructor("", |_| ok(List::growing(Vec::new()))),
    constructor("int capacity", |_| ok(List::growing(Vec::new()))),
    constructor("IEnumerable<T> collection", |v| ok(List::growing(items(v, 0)?))),
    property("Count", "int", length).brief(),
    index("int index", "T", item).brief(),
    set_index("int index, T value", |v| nothing(list(v, 0)?.set_at(int(v, 1)?, at(v, 2).clone())?))
        .brief(),
    method("Add", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .brief(),
    method("AddRange", "IEnumerable<T> collection", "void", |v| {
        nothing(library::add_range(list(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
    method("Insert", "int index, T item", "void", |v| {
        nothing(library::insert(list(v, 0)?, int(v, 1)?, at(v, 2).clone())?)
    })
    .effect(),
    method("Remove", "T item", "bool", |v| ok(library::remove(list(v, 0)?, at(v, 1))?)).effect(),
    method("RemoveAt", "int index", "void", |v| {
        nothing(library::remove_at(list(v, 0)?, int(v, 1)?)?)
    })
    .effect(),
    method_with("RemoveAll", "Predicate<T> match", "int", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        ok(library::remove_all(&list, &mut |with| call.invoke(1, with))?)
    }),
    method("Clear", "", "void", |v| nothing(library::clear(list(v, 0)?)?)).effect(),
    method("IndexOf", "T item", "int", |v| ok(library::index_of(list(v, 0)?, at(v, 1)))).effect(),
    method_with("FindIndex", "Predicate<T> match", "int", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        ok(library::find_index(&list, &mut |with| call.invoke(1, with))?)
    }),
    method_with("Find<T>", "Predicate<T> match", "T", |call| {
        let default = default_of(call.wanted());
        elements::first_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    method_with("FindAll", "Predicate<T> match", "List<T>", |call| {
        let found = sequence::filter(source(call)?, &mut |with| call.invoke(1, with))?;
        ok(List::growing(found))
    }),
    method_with("Exists", "Predicate<T> match", "bool", |call| {
        ok(sequence::any(&source(call)?, Some(&mut |with| call.invoke(1, with)))?)
    }),
    method_with("ForEach", "Action<T> action", "void", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        nothing(library::for_each(&list, &mut |with| call.invoke(1, with))?)
    }),
    method_with("ConvertAll<R>", "Func<T, R> converter", "List<R>", |call| {
        let made = sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?;
        ok(List::growing(made))
    }),
    method("GetRange", "int index, int count", "List<T>", |v| {
        ok(List::growing(library::get_range(list(v, 0)?, int(v, 1)?, int(v, 2)?)?))
    })
    .effect(),
    method("InsertRange", "int index, IEnumerable<T> collection", "void", |v| {
        nothing(library::insert_range(list(v, 0)?, int(v, 1)?, items(v, 2)?)?)
    })
    .effect(),
    method("RemoveRange", "int index, int count", "void", |v| {
        nothing(library::remove_range(list(v, 0)?, int(v, 1)?, int(v, 2)?)?)
    })
    .effect(),
    method_with("FindLast<T>", "Predicate<T> match", "T", |call| {
        let default = default_of(call.wanted());
        elements::last_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    method_with("TrueForAll", "Predicate<T> match", "bool", |call| {
        ok(sequence::all(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("LastIndexOf", "T item", "int", |v| ok(library::last_index_of(list(v, 0)?, at(v, 1))))
        .effect(),
    method("BinarySearch", "T item", "int", |v| ok(library::binary_search(list(v, 0)?, at(v, 1))?))
        .effect(),
    method_with("FindLastIndex", "Predicate<T> match", "int", |call| {
        ok(library::last_place_of(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("CopyTo", "T[] array, int arrayIndex = 0", "void", copied_to).effect(),
    property("Capacity", "int", length).effect(),
    method("TrimExcess", "", "void", |_| Ok(Value::Null)).effect(),
    method("Reverse", "int index, int count", "void", |v| {
        let mut part = library::get_range(list(v, 0)?, int(v, 1)?, int(v, 2)?)?;
        part.reverse();
        library::remove_range(list(v, 0)?, int(v, 1)?, int(v, 2)?)?;
        nothing(library::insert_range(list(v, 0)?, int(v, 1)?, part)?)
    })
    .effect(),
    method_with("Sort", "StringComparer comparer", "void", |call| {
        nothing(library::sort_as(sortable(call)?, call.argument(1))?)
    }),
    method("AsReadOnly", "", "IReadOnlyList<T>", |v| Ok(at(v, 0).clone())).effect(),
    method("Reverse", "", "void", |v| nothing(library::reverse(list(v, 0)?)?)).effect(),
    method_with("Sort", "", "void", |call| nothing(library::sort(sortable(call)?, None)?)),
    method_with("Sort", "Func<T, T, int> comparison", "void", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        nothing(library::sort(&list, Some(&mut |with| call.invoke(1, with)))?)
    }),
];

/// What `ToLookup` gives: a key that it does not have has no items.
pub(super) const LOOKUP: &[Member] = &[
    property("Count", "int", length).effect(),
    method("Contains", "object key", "bool", |v| {
        let key = Key::new(at(v, 1), false);
        ok(items(v, 0)?.iter().any(|group| match group {
            Value::Grouping(group) => Key::new(&group.key, false) == key,
            _ => false,
        }))
    })
    .effect(),
    index("object key", "T", |v| {
        let key = Key::new(at(v, 1), false);
        let found = items(v, 0)?.into_iter().find(|group| match group {
            Value::Grouping(group) => Key::new(&group.key, false) == key,
            _ => false,
        });
        let empty = || Grouping { key: at(v, 1).clone(), items: Vec::new() };
        Ok(found.unwrap_or_else(|| Value::Grouping(Arc::new(empty()))))
    })
    .effect(),
];

pub(super) fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// The dictionary that gets the key of argument 1; counts what it costs if that is sorted.
fn written<'a>(call: &mut Call<'a, '_>) -> Result<&'a Map, Thrown> {
    let map = map(call.arguments(), 0)?;
    call.scanned(map.placing(call.argument(1)))?;
    Ok(map)
}

pub(super) const MAP: &[Member] = &[
    constructor("", |_| ok(Map::new(false))),
    constructor("int capacity", |_| ok(Map::new(false))),
    constructor("StringComparer comparer", |v| ok(Map::new(ignores_case(v, 0)?))),
    constructor("Dictionary<K, V> dictionary, StringComparer comparer = null", |v| {
        ok(library::map_copy(map(v, 0)?, ignores_case(v, 1)?)?)
    }),
    sorted("", |_| ok(Map::sorted(false, library::order_of(&Value::Null)?))),
    sorted("StringComparer comparer", |v| {
        ok(Map::sorted(ignores_case(v, 0)?, library::order_of(at(v, 0))?))
    }),
    sorted_with("Dictionary<K, V> dictionary, StringComparer comparer = null", |call| {
        let v = call.arguments();
        let sorted = Map::sorted(ignores_case(v, 1)?, library::order_of(at(v, 1))?);
        for (key, value) in map(v, 0)?.snapshot() {
            call.scanned(sorted.placing(&key))?;
            library::map_add(&sorted, key, value)?;
        }
        ok(sorted)
    }),
    property("Count", "int", |v| ok(count(map(v, 0)?.len()))).brief(),
    property("Keys", "ICollection<K>", |v| sequenced(library::map_keys(map(v, 0)?))).effect(),
    property("Values", "ICollection<V>", |v| sequenced(library::map_values(map(v, 0)?))).effect(),
    index("K key", "V", |v| message::entry(map(v, 0)?, at(v, 1))).brief(),
    set_index_with("K key, V value", |call| {
        written(call)?.set(call.argument(1).clone(), call.argument(2).clone())?;
        Ok(Value::Null)
    })
    .brief(),
    method_with("Add", "K key, V value", "void", |call| {
        let (key, value) = (call.argument(1).clone(), call.argument(2).clone());
        nothing(library::map_add(written(call)?, key, value)?)
    })
    .brief(),
    method_with("TryAdd", "K key, V value", "bool", |call| {
        let (key, value) = (call.argument(1).clone(), call.argument(2).clone());
        ok(library::map_try_add(written(call)?, key, value)?)
    })
    .brief(),
    method("ContainsKey", "K key", "bool", |v| ok(library::map_contains(map(v, 0)?, at(v, 1))?))
        .brief(),
    method("ContainsValue", "V value", "bool", |v| {
        ok(library::map_contains_value(map(v, 0)?, at(v, 1)))
    })
    .effect(),
    method("Remove", "K key", "bool", |v| ok(map(v, 0)?.remove(at(v, 1)).is_some())).effect(),
    method_with("Remove<V>", "K key, out V value", "bool", |call| {
        let removed = map(call.arguments(), 0)?.remove(call.argument(1));
        let was_there = removed.is_some();
        call.outs.push(removed.unwrap_or_else(|| default_of(call.wanted())));
        ok(was_there)
    }),
    method("Clear", "", "void", |v| {
        map(v, 0)?.clear();
        Ok(Value::Null)
    })
    .effect(),
    method_with("TryGetValue<V>", "K key, out V value", "bool", |call| {
        let found = map(call.arguments(), 0)?.get(call.argument(1));
        let is_there = found.is_some();
        call.outs.push(found.unwrap_or_else(|| default_of(call.wanted())));
        ok(is_there)
    })
    .brief(),
    method_with("GetValueOrDefault<V>", "K key", "V", |call| {
        let found = map(call.arguments(), 0)?.get(call.argument(1));
        Ok(found.unwrap_or_else(|| default_of(call.wanted())))
    })
    .brief(),
    method("GetValueOrDefault", "K key, V defaultValue", "V", |v| {
        Ok(map(v, 0)?.get(at(v, 1)).unwrap_or_else(|| at(v, 2).clone()))
    })
    .brief(),
];

/// A pair, which a property of an object is too when the object is enumerated.
fn pair(v: &[Value]) -> Result<(Value, Value), Thrown> {
    match at(v, 0) {
        Value::Pair(pair) => Ok((pair.key.clone(), pair.value.clone())),
        Value::Json(Json::Property(property)) => {
            Ok((Value::String(Arc::clone(property.name())), Value::Json(property.value())))
        }
        other => Err(other.refused("System.Collections.Generic.KeyValuePair`2")),
    }
}

pub(super) const PAIR: &[Member] = &[
    constructor("K key, V value", |v| ok(Pair::new(at(v, 0).clone(), at(v, 1).clone()))),
    property("Key", "K", |v| Ok(pair(v)?.0)).effect(),
    property("Value", "V", |v| Ok(pair(v)?.1)).effect(),
];

pub(super) const GROUPING: &[Member] = &[property("Key", "K", |v| match at(v, 0) {
    Value::Grouping(grouping) => Ok(grouping.key.clone()),
    other => Err(other.refused("System.Linq.IGrouping`2")),
})];

/// `MatchCollection`.
pub(super) const MATCHES: &[Member] =
    &[property("Count", "int", length), index("int i", "Match", item)];
