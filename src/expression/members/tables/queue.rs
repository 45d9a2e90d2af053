//! Queues, stacks, and what all collections have.

use std::sync::Arc;

use super::super::arguments::{
    Outcome, at, constructor, int, items, list, method, method_with, ok, property,
};
use super::super::{Call, Member};
use super::collection::{count, length, nothing};
use super::set::add;
use crate::expression::eval::default_of;
use crate::expression::library::{collections as library, operators};
use crate::expression::value::Value;
use crate::expression::value::collection::{List, ListKind};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub(super) const QUEUE: &[Member] = &[
    constructor("", |_| Ok(library::filled(ListKind::Queue, Vec::new()))),
    constructor("IEnumerable<T> collection", |v| {
        Ok(library::filled(ListKind::Queue, items(v, 0)?))
    }),
    property("Count", "int", length).brief(),
    method("Enqueue", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .brief(),
    method("Dequeue", "", "T", |v| library::take(list(v, 0)?)).effect(),
    method_with("TryDequeue<T>", "out T result", "bool", |call| tried(call, library::take)),
    method_with("TryPeek<T>", "out T result", "bool", |call| tried(call, library::peek)),
    method("Peek", "", "T", |v| library::peek(list(v, 0)?)).brief(),
    method("Clear", "", "void", |v| nothing(library::clear(list(v, 0)?)?)).effect(),
];

pub(super) const STACK: &[Member] = &[
    constructor("", |_| Ok(library::filled(ListKind::Stack, Vec::new()))),
    constructor("IEnumerable<T> collection", |v| {
        Ok(library::filled(ListKind::Stack, items(v, 0)?))
    }),
    property("Count", "int", length).brief(),
    method("Push", "T item", "void", |v| nothing(library::add(list(v, 0)?, at(v, 1).clone())?))
        .effect(),
    method("Pop", "", "T", |v| library::take(list(v, 0)?)).effect(),
    method_with("TryPop<T>", "out T result", "bool", |call| tried(call, library::take)),
    method_with("TryPeek<T>", "out T result", "bool", |call| tried(call, library::peek)),
    method("Peek", "", "T", |v| library::peek(list(v, 0)?)).brief(),
    method("Clear", "", "void", |v| nothing(library::clear(list(v, 0)?)?)).effect(),
];

/// `TryDequeue`, `TryPop`, `TryPeek`: whether there is one.
fn tried(call: &mut Call<'_, '_>, take: fn(&List) -> Outcome) -> Outcome {
    let list = Arc::clone(list(call.arguments(), 0)?);
    let is_there = !list.is_empty();
    let found = if is_there { take(&list)? } else { default_of(call.wanted()) };
    call.outs.push(found);
    ok(is_there)
}

/// `ICollection<T>`: a list or a set, or the keys and values of a dictionary, which cannot be
/// changed.
pub(super) const COLLECTION: &[Member] = &[
    property("Count", "int", |v| match at(v, 0) {
        Value::Set(set) => ok(count(set.len())),
        Value::Map(map) => ok(count(map.len())),
        _ => length(v),
    })
    .effect(),
    method("Contains", "T item", "bool", |v| {
        if let Value::Set(set) = at(v, 0) {
            return ok(set.contains(at(v, 1)));
        }
        ok(items(v, 0)?.iter().any(|item| operators::equals(item, at(v, 1))))
    })
    .effect(),
    method_with("Add", "T item", "void", |call| match call.argument(0) {
        Value::Set(set) => add(call, set, call.argument(1).clone()).map(|_| Value::Null),
        _ => nothing(library::add(list(call.arguments(), 0)?, call.argument(1).clone())?),
    }),
    method("Remove", "T item", "bool", |v| match at(v, 0) {
        Value::Set(set) => ok(set.remove(at(v, 1))),
        _ => ok(library::remove(list(v, 0)?, at(v, 1))?),
    })
    .effect(),
    method("CopyTo", "T[] array, int arrayIndex", "void", copied_to).effect(),
];

/// `CopyTo(array, index)`.
pub(super) fn copied_to(v: &[Value]) -> Outcome {
    let (own, target) = (items(v, 0)?, list(v, 1)?);
    let place = match at(v, 2) {
        Value::Null => 0,
        _ => int(v, 2)?,
    };
    let start = usize::try_from(place).map_err(|_| Thrown::array_index())?;
    if start.saturating_add(own.len()) > target.len() {
        let why = "Destination array was not long enough. Check the destination index, length, \
                   and the array's lower bounds. (Parameter 'destinationArray')";
        return Err(Thrown::new(ExceptionKind::Argument, why));
    }
    for (place, item) in (place..).zip(own) {
        target.set_at(place, item)?;
    }
    Ok(Value::Null)
}
