//! LINQ: what puts two sequences together, makes groups of one, or orders by a comparer.

use super::super::arguments::{Outcome, at, ignores_case, int, items, method, method_with, ok};
use super::super::{Call, Member};
use super::collection::{sequenced, source};
use crate::expression::library::sequence::{self, elements, group, numbers, order};
use crate::expression::library::text::compare::Comparison;
use crate::expression::value::collection::List;
use crate::expression::value::collection::keyed::compared;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_items};

/// The same LINQ member with and without a comparer's rules, upwards and downwards.
macro_rules! compared {
    ($name:literal, $from:ident, $descending:literal) => {
        method_with(
            $name,
            "Func<T, R> keySelector, StringComparer comparer",
            "IEnumerable<T>",
            |call| {
                let by = order::By { descending: $descending, comparison: comparer(call, 2)? };
                ordered(call, order::$from, by)
            },
        )
    };
}

type Ordering = fn(&Value, &mut sequence::Lambda<'_>, order::By) -> Result<List, Thrown>;

fn ordered(call: &mut Call<'_, '_>, from: Ordering, by: order::By) -> Outcome {
    let count = source(call)?.len();
    ok(from(call.argument(0), &mut sort_key(call, count), by)?)
}

/// What finds the key of an item that is sorted among `count`; it counts what is compared.
pub(super) fn sort_key<'c>(
    call: &'c mut Call<'_, '_>,
    count: usize,
) -> impl FnMut(&[Value]) -> Outcome + 'c {
    move |with| {
        let key = call.invoke(1, with)?;
        call.scanned(compared(&key, count))?;
        Ok(key)
    }
}

fn comparer(call: &Call<'_, '_>, index: usize) -> Result<Option<Comparison>, Thrown> {
    match call.argument(index) {
        Value::Null => Ok(None),
        other => Comparison::from_number(other.int()?).map(Some),
    }
}

pub(super) const JOINS: &[Member] = &[
    compared!("OrderBy<R>", first_by, false),
    compared!("OrderByDescending<R>", first_by, true),
    compared!("ThenBy<R>", further_by, false),
    compared!("ThenByDescending<R>", further_by, true),
    method_with("FirstOrDefault", "Func<T, bool> predicate, T defaultValue", "T", |call| {
        let default = call.argument(2).clone();
        elements::first_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    method("FirstOrDefault", "T defaultValue", "T", |v| {
        elements::first_or(&items(v, 0)?, None, at(v, 1).clone())
    })
    .effect(),
    method_with("LastOrDefault", "Func<T, bool> predicate, T defaultValue", "T", |call| {
        let default = call.argument(2).clone();
        elements::last_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    method_with("SingleOrDefault", "Func<T, bool> predicate, T defaultValue", "T", |call| {
        let default = call.argument(2).clone();
        elements::single_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    method_with("LongCount", "Func<T, bool> predicate", "long", |call| {
        let items = source(call)?;
        ok(i64::from(elements::count(&items, Some(&mut |with| call.invoke(1, with)))?))
    }),
    method_with("MaxBy<R>", "Func<T, R> keySelector", "T", |call| {
        numbers::most_by(&source(call)?, &mut |with| call.invoke(1, with), true)
    }),
    method_with("MinBy<R>", "Func<T, R> keySelector", "T", |call| {
        numbers::most_by(&source(call)?, &mut |with| call.invoke(1, with), false)
    }),
    method("Chunk", "int size", "IEnumerable<T[]>", |v| {
        sequenced(group::chunks(&items(v, 0)?, int(v, 1)?)?)
    })
    .effect(),
    method("Zip<U>", "IEnumerable<U> second", "IEnumerable<ValueTuple<T, U>>", |v| {
        sequenced(sequence::zip(&items(v, 0)?, &items(v, 1)?, None)?)
    })
    .effect(),
    method_with(
        "SelectMany<R,U>",
        "Func<T, IEnumerable<R>> collectionSelector, Func<T, R, U> resultSelector",
        "IEnumerable<U>",
        |call| {
            let items = source(call)?;
            let inner = sequence::select(&items, &mut |with| call.invoke(1, with))?;
            let mut made = Vec::new();
            for (item, inner) in items.iter().zip(inner) {
                for part in sequence::items(&inner)? {
                    made.push(call.invoke(2, &[item.clone(), part])?);
                    bounded_items(made.len())?;
                }
            }
            sequenced(made)
        },
    ),
    method_with(
        "Aggregate<R,U>",
        "R seed, Func<R, T, R> func, Func<R, U> resultSelector",
        "U",
        |call| {
            let seed = call.argument(1).clone();
            let items = source(call)?;
            let total = sequence::aggregate(&items, Some(seed), &mut |with| call.invoke(2, with))?;
            call.invoke(3, &[total])
        },
    ),
    method_with(
        "GroupBy<R,U>",
        "Func<T, R> keySelector, Func<R, IEnumerable<T>, U> resultSelector",
        "IEnumerable<U>",
        |call| {
            let groups = group::group_by(&source(call)?, &mut |with| call.invoke(1, with), None)?;
            let mut made = Vec::new();
            for value in groups {
                let Value::Grouping(group) = &value else { continue };
                let items = Value::sequence(group.items.clone());
                made.push(call.invoke(2, &[group.key.clone(), items])?);
            }
            sequenced(made)
        },
    ),
    method_with(
        "GroupBy<R,U,X>",
        "Func<T, R> keySelector, Func<T, U> elementSelector, \
         Func<R, IEnumerable<U>, X> resultSelector",
        "IEnumerable<X>",
        |call| {
            let mut made = Vec::new();
            for value in grouped(call)? {
                let Value::Grouping(group) = &value else { continue };
                let items = Value::sequence(group.items.clone());
                made.push(call.invoke(3, &[group.key.clone(), items])?);
            }
            sequenced(made)
        },
    ),
    method_with(
        "GroupBy<R>",
        "Func<T, R> keySelector, StringComparer comparer",
        "IEnumerable<IGrouping<R, T>>",
        |call| {
            let ignores = ignores_case(call.arguments(), 2)?;
            let items = source(call)?;
            sequenced(group::group_by_as(&items, &mut |with| call.invoke(1, with), None, ignores)?)
        },
    ),
    method_with(
        "ToLookup<R,U>",
        "Func<T, R> keySelector, Func<T, U> elementSelector",
        "ILookup<R, U>",
        |call| sequenced(grouped(call)?),
    ),
    method_with(
        "SelectMany<R>",
        "Func<T, int, IEnumerable<R>> selector",
        "IEnumerable<R>",
        |call| {
            let mut made = Vec::new();
            for (place, item) in (0_i32..).zip(source(call)?) {
                let more = sequence::items(&call.invoke(1, &[item, Value::Int(place)])?)?;
                made.extend(more);
                bounded_items(made.len())?;
            }
            sequenced(made)
        },
    ),
    method("AsQueryable", "", "IEnumerable<T>", |v| Ok(at(v, 0).clone())).effect(),
    method_with("ToLookup<R>", "Func<T, R> keySelector", "ILookup<R, T>", |call| {
        sequenced(group::group_by(&source(call)?, &mut |with| call.invoke(1, with), None)?)
    }),
    method_with(
        "Join<U,K,R>",
        "IEnumerable<U> inner, Func<T, K> outerKeySelector, Func<U, K> innerKeySelector, \
         Func<T, U, R> resultSelector",
        "IEnumerable<R>",
        |call| joined(call, false),
    ),
    method_with(
        "GroupJoin<U,K,R>",
        "IEnumerable<U> inner, Func<T, K> outerKeySelector, Func<U, K> innerKeySelector, \
         Func<T, IEnumerable<U>, R> resultSelector",
        "IEnumerable<R>",
        |call| joined(call, true),
    ),
    method("ToHashSet", "StringComparer comparer", "HashSet<T>", |v| {
        ok(group::to_set(items(v, 0)?, ignores_case(v, 1)?)?)
    })
    .effect(),
];

/// `Join` and `GroupJoin`: each outer item with each inner one of its key, or with all of them.
fn joined(call: &mut Call<'_, '_>, grouped: bool) -> Outcome {
    let outer = source(call)?;
    let inner = items(call.arguments(), 1)?;
    let outer_keys = sequence::select(&outer, &mut |with| call.invoke(2, with))?;
    let inner_keys = sequence::select(&inner, &mut |with| call.invoke(3, with))?;
    let by_key = group::keyed(inner, &inner_keys);
    let mut made = Vec::new();
    for (item, key) in outer.into_iter().zip(&outer_keys) {
        let found = group::of_key(&by_key, key);
        if grouped {
            made.push(call.invoke(4, &[item, Value::sequence(found)])?);
            continue;
        }
        for other in found {
            made.push(call.invoke(4, &[item.clone(), other])?);
            bounded_items(made.len())?;
        }
    }
    sequenced(made)
}

/// Groups by the first lambda of what the second makes. As in a dictionary: elements first, then
/// keys.
pub(super) fn grouped(call: &mut Call<'_, '_>) -> Result<Vec<Value>, Thrown> {
    let items = source(call)?;
    let elements = sequence::select(&items, &mut |with| call.invoke(2, with))?;
    let mut elements = elements.into_iter();
    let element: &mut sequence::Lambda<'_> =
        &mut |_item| Ok(elements.next().unwrap_or(Value::Null));
    let key: &mut sequence::Lambda<'_> = &mut |with| call.invoke(1, with);
    group::group_by(&items, key, Some(element))
}
