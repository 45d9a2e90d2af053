//! LINQ. It computes at once what .NET computes when it is enumerated.

use super::super::arguments::{
    Outcome, at, ignores_case, int, items, list, method, method_with, ok, static_method,
};
use super::super::{Call, Member};
use super::collection::{sequenced, source};
use super::joins::sort_key;
use crate::expression::eval::default_of;
use crate::expression::library::sequence::{self, elements, group, numbers, order};
use crate::expression::types::is_instance;
use crate::expression::value::collection::List;
use crate::expression::value::collection::keyed::Map;

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
        sequenced(sequence::select_many(&source(call)?, &mut |with| call.invoke(1, with), None)?)
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
    method("Reverse", "", "IEnumerable<T>", |v| sequenced(sequence::reverse(items(v, 0)?)))
        .effect(),
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
    method(
        "Union",
        "IEnumerable<T> second, StringComparer comparer = null",
        "IEnumerable<T>",
        |v| sequenced(group::union(items(v, 0)?, items(v, 1)?, ignores_case(v, 2)?)?),
    )
    .effect(),
    method(
        "Intersect",
        "IEnumerable<T> second, StringComparer comparer = null",
        "IEnumerable<T>",
        |v| sequenced(group::intersect(items(v, 0)?, &items(v, 1)?, ignores_case(v, 2)?)),
    )
    .effect(),
    method(
        "Except",
        "IEnumerable<T> second, StringComparer comparer = null",
        "IEnumerable<T>",
        |v| sequenced(group::except(items(v, 0)?, &items(v, 1)?, ignores_case(v, 2)?)),
    )
    .effect(),
    method_with("GroupBy<R>", "Func<T, R> keySelector", "IEnumerable<IGrouping<R, T>>", |call| {
        sequenced(group::group_by(&source(call)?, &mut |with| call.invoke(1, with), None)?)
    }),
    method_with(
        "GroupBy<R,U>",
        "Func<T, R> keySelector, Func<T, U> elementSelector",
        "IEnumerable<IGrouping<R, U>>",
        |call| sequenced(super::joins::grouped(call)?),
    ),
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
        let items = source(call)?;
        let count = items.len();
        ok(order::order_by(items, &mut sort_key(call, count), false)?)
    }),
    method_with("OrderByDescending<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        let items = source(call)?;
        let count = items.len();
        ok(order::order_by(items, &mut sort_key(call, count), true)?)
    }),
    method_with("ThenBy<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        let list = list(call.arguments(), 0)?;
        ok(order::then_by(list, &mut sort_key(call, list.len()), false)?)
    }),
    method_with("ThenByDescending<R>", "Func<T, R> keySelector", "IEnumerable<T>", |call| {
        let list = list(call.arguments(), 0)?;
        ok(order::then_by(list, &mut sort_key(call, list.len()), true)?)
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
