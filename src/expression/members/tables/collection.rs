//! Lists, dictionaries, sets, arrays and LINQ. LINQ computes at once what .NET computes when it
//! is enumerated.

use std::sync::Arc;

use super::super::arguments::{
    Outcome, at, constructor, ignores_case, index, int, items, list, map, method, method_with, ok,
    property, set, set_index, static_method,
};
use super::super::{Call, Member};
use crate::expression::eval::default_of;
use crate::expression::library::sequence::{self, elements, group, numbers, order};
use crate::expression::library::{collections as library, message, operators};
use crate::expression::types::is_instance;
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::{Map, Set};
use crate::expression::value::collection::{List, ListKind, Pair};
use crate::expression::value::json::Json;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

fn source(call: &Call<'_, '_>) -> Result<Vec<Value>, Thrown> {
    items(call.arguments(), 0)
}

#[expect(clippy::unnecessary_wraps, reason = "members give results")]
fn sequenced(items: Vec<Value>) -> Outcome {
    Ok(Value::sequence(items))
}

fn nothing(_done: ()) -> Outcome {
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

fn length(v: &[Value]) -> Outcome {
    match at(v, 0) {
        Value::Bytes(bytes) => ok(i32::try_from(bytes.len()).unwrap_or(i32::MAX)),
        _ => ok(library::count(list(v, 0)?)),
    }
}

pub(super) const ARRAY: &[Member] = &[
    property("Length", "int", length).effect(),
    index("int index", "T", item).effect(),
    set_index("int index, T value", |v| {
        if let Value::Bytes(_) = at(v, 0) {
            let message = "This byte array cannot be written to; copy it with ToArray() first.";
            return Err(Thrown::new(ExceptionKind::NotSupported, message));
        }
        nothing(list(v, 0)?.set_at(int(v, 1)?, at(v, 2).clone())?)
    }),
    method("GetLength", "int dimension", "int", length).effect(),
];

pub(super) const LIST: &[Member] = &[
    constructor("", |_| ok(List::growing(Vec::new()))),
    constructor("int capacity", |_| ok(List::growing(Vec::new()))),
    constructor("IEnumerable<T> collection", |v| ok(List::growing(items(v, 0)?))),
    property("Count", "int", length).effect(),
    index("int index", "T", item).effect(),
    set_index("int index, T value", |v| {
        nothing(list(v, 0)?.set_at(int(v, 1)?, at(v, 2).clone())?)
    }),
    method("Add", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .effect(),
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
    method("Reverse", "", "void", |v| nothing(library::reverse(list(v, 0)?)?)).effect(),
    method("Sort", "", "void", |v| nothing(library::sort(list(v, 0)?, None)?)).effect(),
    method_with("Sort", "Func<T, T, int> comparison", "void", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        nothing(library::sort(&list, Some(&mut |with| call.invoke(1, with)))?)
    }),
];

pub(super) const QUEUE: &[Member] = &[
    constructor("", |_| Ok(library::filled(ListKind::Queue, Vec::new()))),
    constructor("IEnumerable<T> collection", |v| {
        Ok(library::filled(ListKind::Queue, items(v, 0)?))
    }),
    property("Count", "int", length).effect(),
    method("Enqueue", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .effect(),
    method("Dequeue", "", "T", |v| library::take(list(v, 0)?)).effect(),
    method("Peek", "", "T", |v| library::peek(list(v, 0)?)).effect(),
    method("Clear", "", "void", |v| nothing(library::clear(list(v, 0)?)?)).effect(),
];

pub(super) const STACK: &[Member] = &[
    constructor("", |_| Ok(library::filled(ListKind::Stack, Vec::new()))),
    constructor("IEnumerable<T> collection", |v| {
        Ok(library::filled(ListKind::Stack, items(v, 0)?))
    }),
    property("Count", "int", length).effect(),
    method("Push", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .effect(),
    method("Pop", "", "T", |v| library::take(list(v, 0)?)).effect(),
    method("Peek", "", "T", |v| library::peek(list(v, 0)?)).effect(),
    method("Clear", "", "void", |v| nothing(library::clear(list(v, 0)?)?)).effect(),
];

pub(super) const SET: &[Member] = &[
    constructor("", |_| ok(Set::new(false))),
    constructor("StringComparer comparer", |v| ok(Set::new(ignores_case(v, 0)?))),
    constructor("IEnumerable<T> collection, StringComparer comparer = null", |v| {
        ok(Set::of(items(v, 0)?, ignores_case(v, 1)?)?)
    }),
    property("Count", "int", |v| ok(count(set(v, 0)?.len()))).effect(),
    method("Add", "T item", "bool", |v| ok(set(v, 0)?.add(at(v, 1).clone())?)).effect(),
    method("Contains", "T item", "bool", |v| ok(set(v, 0)?.contains(at(v, 1)))).effect(),
    method("Remove", "T item", "bool", |v| ok(set(v, 0)?.remove(at(v, 1)))).effect(),
    method("Clear", "", "void", |v| {
        set(v, 0)?.clear();
        Ok(Value::Null)
    })
    .effect(),
    method("UnionWith", "IEnumerable<T> other", "void", |v| {
        nothing(library::set_union(set(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
    method("ExceptWith", "IEnumerable<T> other", "void", |v| {
        library::set_except(set(v, 0)?, &items(v, 1)?);
        Ok(Value::Null)
    })
    .effect(),
    method("IntersectWith", "IEnumerable<T> other", "void", |v| {
        nothing(library::set_intersect(set(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
    method("Overlaps", "IEnumerable<T> other", "bool", |v| {
        ok(library::set_overlaps(set(v, 0)?, &items(v, 1)?))
    })
    .effect(),
    method("IsSubsetOf", "IEnumerable<T> other", "bool", |v| {
        ok(library::set_is_subset(set(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
    method("IsSupersetOf", "IEnumerable<T> other", "bool", |v| {
        ok(library::set_is_superset(set(v, 0)?, &items(v, 1)?))
    })
    .effect(),
    method("SetEquals", "IEnumerable<T> other", "bool", |v| {
        ok(library::set_equals(set(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
];

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

pub(super) const MAP: &[Member] = &[
    constructor("", |_| ok(Map::new(false))),
    constructor("int capacity", |_| ok(Map::new(false))),
    constructor("StringComparer comparer", |v| ok(Map::new(ignores_case(v, 0)?))),
    constructor("Dictionary<K, V> dictionary, StringComparer comparer = null", |v| {
        ok(library::map_copy(map(v, 0)?, ignores_case(v, 1)?)?)
    }),
    property("Count", "int", |v| ok(count(map(v, 0)?.len()))).effect(),
    property("Keys", "IEnumerable<K>", |v| sequenced(library::map_keys(map(v, 0)?))).effect(),
    property("Values", "IEnumerable<V>", |v| sequenced(library::map_values(map(v, 0)?))).effect(),
    index("K key", "V", |v| message::entry(map(v, 0)?, at(v, 1))).effect(),
    set_index("K key, V value", |v| {
        map(v, 0)?.set(at(v, 1).clone(), at(v, 2).clone())?;
        Ok(Value::Null)
    }),
    method("Add", "K key, V value", "void", |v| {
        nothing(library::map_add(map(v, 0)?, at(v, 1).clone(), at(v, 2).clone())?)
    })
    .effect(),
    method("TryAdd", "K key, V value", "bool", |v| {
        ok(library::map_try_add(map(v, 0)?, at(v, 1).clone(), at(v, 2).clone())?)
    })
    .effect(),
    method("ContainsKey", "K key", "bool", |v| ok(library::map_contains(map(v, 0)?, at(v, 1))?))
        .effect(),
    method("ContainsValue", "V value", "bool", |v| {
        ok(library::map_contains_value(map(v, 0)?, at(v, 1)))
    })
    .effect(),
    method("Remove", "K key", "bool", |v| ok(map(v, 0)?.remove(at(v, 1)).is_some())).effect(),
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
    }),
    method_with("GetValueOrDefault<V>", "K key", "V", |call| {
        let found = map(call.arguments(), 0)?.get(call.argument(1));
        Ok(found.unwrap_or_else(|| default_of(call.wanted())))
    }),
    method("GetValueOrDefault", "K key, V defaultValue", "V", |v| {
        Ok(map(v, 0)?.get(at(v, 1)).unwrap_or_else(|| at(v, 2).clone()))
    })
    .effect(),
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

/// A LINQ member that takes an optional condition: `First()` and `First(x => …)`.
macro_rules! conditional {
    ($name:literal, $result:literal, |$items:ident, $condition:ident| $run:expr) => {
        [
            method_with($name, "", $result, |call| {
                let $items = source(call)?;
                let $condition: Option<&mut sequence::Lambda<'_>> = None;
                ok($run?)
            }),
            method_with($name, "Func<T, bool> predicate", $result, |call| {
                let $items = source(call)?;
                let lambda: &mut sequence::Lambda<'_> = &mut |with| call.invoke(1, with);
                let $condition = Some(lambda);
                ok($run?)
            }),
        ]
    };
}

/// The same with a default of the items' type.
macro_rules! or_default {
    ($name:literal, $run:path) => {
        [
            method_with($name, "", "T", |call| {
                let default = default_of(call.wanted());
                $run(&source(call)?, None, default)
            }),
            method_with($name, "Func<T, bool> predicate", "T", |call| {
                let default = default_of(call.wanted());
                let items = source(call)?;
                $run(&items, Some(&mut |with| call.invoke(1, with)), default)
            }),
        ]
    };
}

pub(super) const LINQ_ELEMENTS: &[&[Member]] = &[
    &conditional!("Any", "bool", |items, condition| sequence::any(&items, condition)),
    &conditional!("Count", "int", |items, condition| elements::count(&items, condition)),
    &conditional!("First", "T", |items, condition| elements::first(&items, condition)),
    &conditional!("Last", "T", |items, condition| elements::last(&items, condition)),
    &conditional!("Single", "T", |items, condition| elements::single(&items, condition)),
    &or_default!("FirstOrDefault<T>", elements::first_or),
    &or_default!("LastOrDefault<T>", elements::last_or),
    &or_default!("SingleOrDefault<T>", elements::single_or),
];

pub(super) const LINQ: &[Member] = &[
    method_with("LongCount", "", "long", |call| {
        ok(i64::try_from(source(call)?.len()).unwrap_or(i64::MAX))
    }),
    method_with("All", "Func<T, bool> predicate", "bool", |call| {
        ok(sequence::all(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("Where", "Func<T, bool> predicate", "IEnumerable<T>", |call| {
        sequenced(sequence::filter(source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("Where", "Func<T, int, bool> predicate", "IEnumerable<T>", |call| {
        sequenced(sequence::filter(source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("Select<R>", "Func<T, R> selector", "IEnumerable<R>", |call| {
        sequenced(sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("Select<R>", "Func<T, int, R> selector", "IEnumerable<R>", |call| {
        sequenced(sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("SelectMany<R>", "Func<T, IEnumerable<R>> selector", "IEnumerable<R>", |call| {
        sequenced(sequence::select_many(
            &source(call)?,
            &mut |with| call.invoke(1, with),
            None,
        )?)
    }),
    method("Skip", "int count", "IEnumerable<T>", |v| {
        sequenced(sequence::skip(items(v, 0)?, int(v, 1)?))
    })
    .effect(),
    method("Take", "int count", "IEnumerable<T>", |v| {
        sequenced(sequence::take(items(v, 0)?, int(v, 1)?))
    })
    .effect(),
    method("SkipLast", "int count", "IEnumerable<T>", |v| {
        sequenced(sequence::skip_last(items(v, 0)?, int(v, 1)?))
    })
    .effect(),
    method("TakeLast", "int count", "IEnumerable<T>", |v| {
        sequenced(sequence::take_last(items(v, 0)?, int(v, 1)?))
    })
    .effect(),
    method_with("SkipWhile", "Func<T, bool> predicate", "IEnumerable<T>", |call| {
        sequenced(sequence::skip_while(source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method_with("TakeWhile", "Func<T, bool> predicate", "IEnumerable<T>", |call| {
        sequenced(sequence::take_while(source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("Concat", "IEnumerable<T> second", "IEnumerable<T>", |v| {
        sequenced(sequence::concat(items(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
    method("Append", "T element", "IEnumerable<T>", |v| {
        sequenced(sequence::append(items(v, 0)?, at(v, 1).clone())?)
    })
    .effect(),
    method("Prepend", "T element", "IEnumerable<T>", |v| {
        sequenced(sequence::prepend(items(v, 0)?, at(v, 1).clone())?)
    })
    .effect(),
    method("Reverse", "", "IEnumerable<T>", |v| sequenced(sequence::reverse(items(v, 0)?))).effect(),
    method("Contains", "T value, StringComparer comparer = null", "bool", |v| {
        ok(sequence::contains(&items(v, 0)?, at(v, 1), ignores_case(v, 2)?))
    })
    .effect(),
    method("SequenceEqual", "IEnumerable<T> second", "bool", |v| {
        ok(sequence::sequence_equal(&items(v, 0)?, &items(v, 1)?))
    })
    .effect(),
    method_with(
        "Zip<U,R>",
        "IEnumerable<U> second, Func<T, U, R> resultSelector",
        "IEnumerable<R>",
        |call| {
            let (items, others) = (source(call)?, items(call.arguments(), 1)?);
            let selector: &mut sequence::Lambda<'_> = &mut |with| call.invoke(2, with);
            sequenced(sequence::zip(&items, &others, Some(selector))?)
        },
    ),
    method_with("DefaultIfEmpty<T>", "", "IEnumerable<T>", |call| {
        let default = default_of(call.wanted());
        sequenced(sequence::default_if_empty(source(call)?, default))
    }),
    method("DefaultIfEmpty", "T defaultValue", "IEnumerable<T>", |v| {
        sequenced(sequence::default_if_empty(items(v, 0)?, at(v, 1).clone()))
    })
    .effect(),
    method_with("Aggregate", "Func<T, T, T> func", "T", |call| {
        sequence::aggregate(&source(call)?, None, &mut |with| call.invoke(1, with))
    }),
    method_with("Aggregate<R>", "R seed, Func<R, T, R> func", "R", |call| {
        let seed = call.argument(1).clone();
        sequence::aggregate(&source(call)?, Some(seed), &mut |with| call.invoke(2, with))
    }),
    method("ElementAt", "int index", "T", |v| elements::at(&items(v, 0)?, int(v, 1)?)).effect(),
    method_with("ElementAtOrDefault<T>", "int index", "T", |call| {
        let default = default_of(call.wanted());
        Ok(elements::at_or(&source(call)?, int(call.arguments(), 1)?, default))
    }),
    method("Distinct", "StringComparer comparer = null", "IEnumerable<T>", |v| {
        sequenced(group::distinct(items(v, 0)?, ignores_case(v, 1)?))
    })
    .effect(),
    method_with("DistinctBy<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        sequenced(group::distinct_by(source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("Union", "IEnumerable<T> second, StringComparer comparer = null", "IEnumerable<T>", |v| {
        sequenced(group::union(items(v, 0)?, items(v, 1)?, ignores_case(v, 2)?)?)
    })
    .effect(),
    method("Intersect", "IEnumerable<T> second, StringComparer comparer = null", "IEnumerable<T>", |v| {
        sequenced(group::intersect(items(v, 0)?, &items(v, 1)?, ignores_case(v, 2)?))
    })
    .effect(),
    method("Except", "IEnumerable<T> second, StringComparer comparer = null", "IEnumerable<T>", |v| {
        sequenced(group::except(items(v, 0)?, &items(v, 1)?, ignores_case(v, 2)?))
    })
    .effect(),
    method_with("GroupBy<R>", "Func<T, R> keySelector", "IEnumerable<IGrouping<R, T>>", |call| {
        sequenced(group::group_by(&source(call)?, &mut |with| call.invoke(1, with), None)?)
    }),
    method_with("ToDictionary<R>", "Func<T, R> keySelector", "Dictionary<R, T>", |call| {
        let items = source(call)?;
        ok(group::to_dictionary(&items, &mut |with| call.invoke(1, with), None, false)?)
    }),
    method_with(
        "ToDictionary<R,U>",
        "Func<T, R> keySelector, Func<T, U> elementSelector",
        "Dictionary<R, U>",
        |call| dictionary(call, false),
    ),
    method_with(
        "ToDictionary<R,U>",
        "Func<T, R> keySelector, Func<T, U> elementSelector, StringComparer comparer",
        "Dictionary<R, U>",
        |call| dictionary(call, ignores_case(call.arguments(), 3)?),
    ),
    method("ToHashSet", "StringComparer comparer = null", "HashSet<T>", |v| {
        ok(group::to_set(items(v, 0)?, ignores_case(v, 1)?)?)
    })
    .effect(),
    method("ToList", "", "List<T>", |v| ok(List::growing(items(v, 0)?))).effect(),
    method("ToArray", "", "T[]", |v| ok(List::array(items(v, 0)?))).effect(),
    method("AsEnumerable", "", "IEnumerable<T>", |v| sequenced(items(v, 0)?)).effect(),
    method_with("Cast<X>", "", "IEnumerable<X>", |call| {
        let wanted = call.wanted();
        let cast = |item| crate::expression::eval::unboxed(item, wanted);
        sequenced(source(call)?.into_iter().map(cast).collect::<Result<_, _>>()?)
    }),
    method_with("OfType<X>", "", "IEnumerable<X>", |call| {
        let wanted = call.wanted();
        let mut kept = source(call)?;
        kept.retain(|item| is_instance(item, wanted));
        sequenced(kept)
    }),
    method_with("OrderBy<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        ok(order::order_by(source(call)?, &mut |with| call.invoke(1, with), false)?)
    }),
    method_with("OrderByDescending<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        ok(order::order_by(source(call)?, &mut |with| call.invoke(1, with), true)?)
    }),
    method_with("ThenBy<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        ok(order::then_by(&list, &mut |with| call.invoke(1, with), false)?)
    }),
    method_with("ThenByDescending<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        let list = Arc::clone(list(call.arguments(), 0)?);
        ok(order::then_by(&list, &mut |with| call.invoke(1, with), true)?)
    }),
    method("Sum", "", "T", |v| numbers::sum(&items(v, 0)?)).effect(),
    method_with("Sum<R>", "Func<T, R> selector", "R", |call| {
        numbers::sum(&sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("Average", "", "double", |v| numbers::average(&items(v, 0)?)).effect(),
    method_with("Average<R>", "Func<T, R> selector", "double", |call| {
        numbers::average(&sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("Max", "", "T", |v| numbers::max(&items(v, 0)?)).effect(),
    method_with("Max<R>", "Func<T, R> selector", "R", |call| {
        numbers::max(&sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    method("Min", "", "T", |v| numbers::min(&items(v, 0)?)).effect(),
    method_with("Min<R>", "Func<T, R> selector", "R", |call| {
        numbers::min(&sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
];

fn dictionary(call: &mut Call<'_, '_>, ignores_case: bool) -> Outcome {
    // Keys and elements are computed one after the other, since one evaluation runs them.
    let items = source(call)?;
    let values = sequence::select(&items, &mut |with| call.invoke(2, with))?;
    let map = Map::new(ignores_case);
    for (item, value) in items.into_iter().zip(values) {
        let key = call.invoke(1, &[item])?;
        group::add(&map, key, value)?;
    }
    ok(map)
}

pub(super) const ENUMERABLE: &[Member] = &[
    static_method("Range", "int start, int count", "IEnumerable<int>", |v| {
        sequenced(sequence::range(int(v, 0)?, int(v, 1)?)?)
    })
    .effect(),
    static_method("Repeat<X>", "X element, int count", "IEnumerable<X>", |v| {
        sequenced(sequence::repeat(at(v, 0), int(v, 1)?)?)
    })
    .effect(),
    static_method("Empty<X>", "", "IEnumerable<X>", |_| sequenced(Vec::new())).effect(),
];

pub(super) const STATIC_ARRAY: &[Member] = &[
    static_method("Empty<X>", "", "X[]", |_| ok(List::array(Vec::new()))).effect(),
    static_method("IndexOf<X>", "X[] array, X value", "int", |v| {
        let found = items(v, 0)?.iter().position(|item| operators::equals(item, at(v, 1)));
        ok(found.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1))
    })
    .effect(),
    static_method("Reverse<X>", "X[] array", "void", |v| nothing(library::reverse(list(v, 0)?)?))
        .effect(),
    static_method("Sort<X>", "X[] array", "void", |v| nothing(library::sort(list(v, 0)?, None)?))
        .effect(),
    super::super::arguments::static_with("Exists<X>", "X[] array, Predicate<X> match", "bool", |call| {
        ok(sequence::any(&source(call)?, Some(&mut |with| call.invoke(1, with)))?)
    }),
    super::super::arguments::static_with("Find<X>", "X[] array, Predicate<X> match", "X", |call| {
        let default = default_of(call.wanted());
        elements::first_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
];
