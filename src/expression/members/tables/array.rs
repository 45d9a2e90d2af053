//! The static members of `Array`.

use super::super::Member;
use super::super::arguments::{Outcome, at, int, items, list, ok, static_method, static_with};
use super::collection::{nothing, sortable, source};
use crate::expression::eval::default_of;
use crate::expression::library::sequence::{self, elements};
use crate::expression::library::{collections as library, operators};
use crate::expression::value::Value;
use crate::expression::value::collection::List;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub(super) const STATIC_ARRAY: &[Member] = &[
    static_method("Empty<X>", "", "X[]", |_| ok(List::array(Vec::new()))).effect(),
    static_method("IndexOf<X>", "X[] array, X value", "int", |v| {
        let found = items(v, 0)?.iter().position(|item| operators::equals(item, at(v, 1)));
        ok(found.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1))
    })
    .effect(),
    static_method("Copy<X>", "X[] sourceArray, X[] destinationArray, int length", "void", |v| {
        copied(v, 0, 0, int(v, 2)?)
    })
    .effect(),
    static_method(
        "Copy<X>",
        "X[] sourceArray, int sourceIndex, X[] destinationArray, int destinationIndex, int length",
        "void",
        |v| {
            let arrays = [at(v, 0).clone(), at(v, 2).clone()];
            copied(&arrays, int(v, 1)?, int(v, 3)?, int(v, 4)?)
        },
    )
    .effect(),
    static_method("Reverse<X>", "X[] array", "void", |v| nothing(library::reverse(list(v, 0)?)?))
        .effect(),
    static_with("Sort<X>", "X[] array", "void", |call| {
        nothing(library::sort(sortable(call)?, None)?)
    }),
    static_with("Sort<X>", "X[] array, Func<X, X, int> comparison", "void", |call| {
        let list = std::sync::Arc::clone(list(call.arguments(), 0)?);
        nothing(library::sort(&list, Some(&mut |with| call.invoke(1, with)))?)
    }),
    static_with("Sort<X>", "X[] array, StringComparer comparer", "void", |call| {
        nothing(library::sort_as(sortable(call)?, call.argument(1))?)
    }),
    static_method("BinarySearch<X>", "X[] array, X value", "int", |v| {
        ok(library::binary_search(list(v, 0)?, at(v, 1))?)
    })
    .effect(),
    static_with("FindLast<X>", "X[] array, Predicate<X> match", "X", |call| {
        let default = default_of(call.wanted());
        elements::last_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    static_with("FindLastIndex<X>", "X[] array, Predicate<X> match", "int", |call| {
        ok(library::last_place_of(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    static_with("Fill<X>", "X[] array, X value", "void", |call| {
        let list = list(call.arguments(), 0)?;
        for place in (0..).take(list.len()) {
            list.set_at(place, call.argument(1).clone())?;
        }
        Ok(Value::Null)
    }),
    static_with("Exists<X>", "X[] array, Predicate<X> match", "bool", |call| {
        ok(sequence::any(&source(call)?, Some(&mut |with| call.invoke(1, with)))?)
    }),
    static_with("Find<X>", "X[] array, Predicate<X> match", "X", |call| {
        let default = default_of(call.wanted());
        elements::first_or(&source(call)?, Some(&mut |with| call.invoke(1, with)), default)
    }),
    static_with("FindAll<X>", "X[] array, Predicate<X> match", "X[]", |call| {
        let found = sequence::filter(source(call)?, &mut |with| call.invoke(1, with))?;
        ok(List::array(found))
    }),
    static_with("FindIndex<X>", "X[] array, Predicate<X> match", "int", |call| {
        ok(library::place_of(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    static_with("TrueForAll<X>", "X[] array, Predicate<X> match", "bool", |call| {
        ok(sequence::all(&source(call)?, &mut |with| call.invoke(1, with))?)
    }),
    static_with("ForEach<X>", "X[] array, Action<X> action", "void", |call| {
        for item in source(call)? {
            call.invoke(1, &[item])?;
        }
        Ok(Value::Null)
    }),
    static_with("ConvertAll<X,R>", "X[] array, Func<X, R> converter", "R[]", |call| {
        let made = sequence::select(&source(call)?, &mut |with| call.invoke(1, with))?;
        ok(List::array(made))
    }),
    static_method("LastIndexOf<X>", "X[] array, X value", "int", |v| {
        let found = items(v, 0)?.iter().rposition(|item| operators::equals(item, at(v, 1)));
        ok(found.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1))
    })
    .effect(),
    static_with("Clear<X>", "X[] array, int index, int length", "void", |call| {
        let default = default_of(call.wanted());
        let (start, count) = (int(call.arguments(), 1)?, int(call.arguments(), 2)?);
        let list = list(call.arguments(), 0)?;
        library::get_range(list, start, count).map_err(|_| Thrown::array_index())?;
        for place in (start..).take(usize::try_from(count).unwrap_or(0)) {
            list.set_at(place, default.clone())?;
        }
        Ok(Value::Null)
    }),
];

/// `Buffer`, for bytes alone: positions count bytes.
pub(super) const BUFFER: &[Member] = &[
    static_method(
        "BlockCopy",
        "byte[] src, int srcOffset, byte[] dst, int dstOffset, int count",
        "void",
        |v| {
            let arrays = [at(v, 0).clone(), at(v, 2).clone()];
            copied(&arrays, int(v, 1)?, int(v, 3)?, int(v, 4)?)
        },
    )
    .effect(),
    static_method("ByteLength", "byte[] array", "int", |v| {
        ok(i32::try_from(items(v, 0)?.len()).unwrap_or(i32::MAX))
    })
    .effect(),
];

/// Copies items from the first array into the second.
fn copied(v: &[Value], from: i32, to: i32, length: i32) -> Outcome {
    let source = items(v, 0)?;
    let target = list(v, 1)?;
    let start = usize::try_from(from).unwrap_or(usize::MAX);
    let count = usize::try_from(length).unwrap_or(usize::MAX);
    let wrong = || Thrown::new(ExceptionKind::Argument, "Source array was not long enough.");
    let part = source.get(start..start.saturating_add(count)).ok_or_else(wrong)?;
    let end = usize::try_from(to).ok().and_then(|to| to.checked_add(part.len()));
    if end.is_none_or(|end| end > target.len()) {
        let message = "Destination array was not long enough.";
        return Err(Thrown::new(ExceptionKind::Argument, message));
    }
    for (place, item) in (to..).zip(part) {
        target.set_at(place, item.clone())?;
    }
    Ok(Value::Null)
}
