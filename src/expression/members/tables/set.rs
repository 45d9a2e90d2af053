//! Sets.

use std::sync::Arc;

use super::super::arguments::{
    at, constructor, ignores_case, items, method, method_with, ok, property, set, sorted,
    sorted_with,
};
use super::super::{Call, Member};
use super::collection::{count, nothing};
use crate::expression::library::collections as library;
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::Set;
use crate::expression::value::thrown::Thrown;

/// Adds `item` to a set, and counts what it costs if that is sorted.
pub(super) fn add(call: &mut Call<'_, '_>, set: &Set, item: Value) -> Result<bool, Thrown> {
    call.scanned(set.placing(&item))?;
    set.add(item)
}

pub(super) const SET: &[Member] = &[
    constructor("", |_| ok(Set::new(false))),
    constructor("StringComparer comparer", |v| ok(Set::new(ignores_case(v, 0)?))),
    constructor("IEnumerable<T> collection, StringComparer comparer = null", |v| {
        ok(Set::of(items(v, 0)?, ignores_case(v, 1)?)?)
    }),
    sorted("", |_| ok(Set::sorted(false, library::order_of(&Value::Null)?))),
    sorted("StringComparer comparer", |v| {
        ok(Set::sorted(ignores_case(v, 0)?, library::order_of(at(v, 0))?))
    }),
    sorted_with("IEnumerable<T> collection, StringComparer comparer = null", |call| {
        let v = call.arguments();
        let set = Set::sorted(ignores_case(v, 1)?, library::order_of(at(v, 1))?);
        items(v, 0)?.into_iter().try_for_each(|item| add(call, &set, item).map(drop))?;
        ok(set)
    }),
    property("Count", "int", |v| ok(count(set(v, 0)?.len()))).brief(),
    method_with("Add", "T item", "bool", |call| {
        ok(add(call, set(call.arguments(), 0)?, call.argument(1).clone())?)
    })
    .brief(),
    method("Contains", "T item", "bool", |v| ok(set(v, 0)?.contains(at(v, 1)))).brief(),
    method("Remove", "T item", "bool", |v| ok(set(v, 0)?.remove(at(v, 1)))).effect(),
    method("Clear", "", "void", |v| {
        set(v, 0)?.clear();
        Ok(Value::Null)
    })
    .effect(),
    method_with("UnionWith", "IEnumerable<T> other", "void", |call| {
        let (own, others) = (set(call.arguments(), 0)?, items(call.arguments(), 1)?);
        nothing(others.into_iter().try_for_each(|item| add(call, own, item).map(drop))?)
    }),
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
    method("IsProperSubsetOf", "IEnumerable<T> other", "bool", |v| {
        let (own, others) = (set(v, 0)?, items(v, 1)?);
        let equal = library::set_equals(own, others.clone())?;
        ok(!equal && library::set_is_subset(own, others)?)
    })
    .effect(),
    method("IsProperSupersetOf", "IEnumerable<T> other", "bool", |v| {
        let (own, others) = (set(v, 0)?, items(v, 1)?);
        ok(library::set_is_superset(own, &others) && !library::set_equals(own, others)?)
    })
    .effect(),
    method_with("SymmetricExceptWith", "IEnumerable<T> other", "void", |call| {
        let own = set(call.arguments(), 0)?;
        for item in Set::of(items(call.arguments(), 1)?, false)?.snapshot() {
            if !own.remove(&item) {
                add(call, own, item)?;
            }
        }
        Ok(Value::Null)
    }),
    method_with("RemoveWhere", "Predicate<T> match", "int", |call| {
        let own = Arc::clone(set(call.arguments(), 0)?);
        let mut removed = 0_i32;
        for item in own.snapshot() {
            if call.invoke(1, std::slice::from_ref(&item))?.bool()? && own.remove(&item) {
                removed = removed.saturating_add(1);
            }
        }
        ok(removed)
    }),
    method("SetEquals", "IEnumerable<T> other", "bool", |v| {
        ok(library::set_equals(set(v, 0)?, items(v, 1)?)?)
    })
    .effect(),
];
