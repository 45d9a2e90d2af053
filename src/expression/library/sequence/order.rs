//! Sorting: `OrderBy`, `ThenBy`, `Sort`. Sorting is stable; `null` comes first.

use std::cmp::Ordering;

use super::Lambda;
use crate::expression::library::operators;
use crate::expression::library::text::compare::{self, Comparison};
use crate::expression::value::Value;
use crate::expression::value::collection::List;
use crate::expression::value::thrown::Thrown;

/// `OrderBy(selector)` and `OrderByDescending(selector)`.
pub fn order_by(
    items: Vec<Value>,
    selector: &mut Lambda<'_>,
    descending: bool,
) -> Result<List, Thrown> {
    let ranks = vec![0; items.len()];
    sorted(items, &ranks, selector, By { descending, comparison: None })
}

/// `ThenBy(selector)` and `ThenByDescending(selector)` on what [`order_by`] gave.
pub fn then_by(
    ordered: &List,
    selector: &mut Lambda<'_>,
    descending: bool,
) -> Result<List, Thrown> {
    let items = ordered.snapshot();
    let ranks = ordered.ranks();
    if ranks.len() == items.len() {
        return sorted(items, ranks, selector, By { descending, comparison: None });
    }
    order_by(items, selector, descending)
}

/// How keys are put in order.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// From the largest down.
    pub descending: bool,
    /// How strings are compared; none is as the invariant culture does.
    pub comparison: Option<Comparison>,
}

/// `OrderBy(selector, comparer)`.
pub fn first_by(source: &Value, selector: &mut Lambda<'_>, by: By) -> Result<List, Thrown> {
    let items = super::items(source)?;
    let ranks = vec![0; items.len()];
    sorted(items, &ranks, selector, by)
}

/// `ThenBy(selector, comparer)` on what is ordered already.
pub fn further_by(source: &Value, selector: &mut Lambda<'_>, by: By) -> Result<List, Thrown> {
    match source {
        Value::List(ordered) if ordered.ranks().len() == ordered.len() => {
            sorted(ordered.snapshot(), ordered.ranks(), selector, by)
        }
        other => first_by(other, selector, by),
    }
}

/// `list.Sort()`; with a comparison it is that which says the order.
pub fn sort(items: Vec<Value>, comparison: Option<&mut Lambda<'_>>) -> Result<Vec<Value>, Thrown> {
    match comparison {
        None => merge_sort(items, &mut operators::order),
        Some(comparison) => merge_sort(items, &mut |one: &Value, other: &Value| {
            Ok(comparison(&[one.clone(), other.clone()])?.int()?.cmp(&0))
        }),
    }
}

/// The order of two keys as the string comparer with the number `COMPARER` has it.
pub fn order_as<const COMPARER: i32>(one: &Value, other: &Value) -> Result<Ordering, Thrown> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            Ok(compare::compare(one, other, Comparison::from_number(COMPARER)?))
        }
        _ => operators::order(one, other),
    }
}

/// One item with the keys that it is sorted by.
struct Keyed {
    item: Value,
    rank: u32,
    key: Value,
}

fn sorted(
    items: Vec<Value>,
    ranks: &[u32],
    selector: &mut Lambda<'_>,
    by: By,
) -> Result<List, Thrown> {
    let mut keyed = Vec::with_capacity(items.len());
    for (item, rank) in items.into_iter().zip(ranks) {
        let key = selector(std::slice::from_ref(&item))?;
        keyed.push(Keyed { item, rank: *rank, key });
    }
    let compare = |one: &Keyed, other: &Keyed| {
        let ordering = match (by.comparison, &one.key, &other.key) {
            (Some(rule), Value::String(one), Value::String(other)) => {
                compare::compare(one, other, rule)
            }
            _ => operators::order(&one.key, &other.key)?,
        };
        let ordering = if by.descending { ordering.reverse() } else { ordering };
        Ok(one.rank.cmp(&other.rank).then(ordering))
    };
    let keyed = merge_sort(keyed, &mut { compare })?;
    let mut new_ranks = Vec::with_capacity(keyed.len());
    let mut rank: u32 = 0;
    let mut before: Option<&Keyed> = None;
    for one in &keyed {
        if let Some(before) = before
            && compare(before, one)?.is_ne()
        {
            rank = rank.saturating_add(1);
        }
        new_ranks.push(rank);
        before = Some(one);
    }
    Ok(List::ordered(keyed.into_iter().map(|one| one.item).collect(), new_ranks))
}

/// How two items are ordered, or why they cannot be.
type Compare<'f, T> = dyn FnMut(&T, &T) -> Result<Ordering, Thrown> + 'f;

/// A stable sort by an order that may fail or contradict itself, which the language's own sort may
/// punish with a panic.
fn merge_sort<T>(items: Vec<T>, compare: &mut Compare<'_, T>) -> Result<Vec<T>, Thrown> {
    let mut runs: Vec<Vec<T>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut rest = runs.into_iter();
        while let Some(left) = rest.next() {
            merged.push(match rest.next() {
                Some(right) => merge(left, right, compare)?,
                None => left,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merge<T>(left: Vec<T>, right: Vec<T>, compare: &mut Compare<'_, T>) -> Result<Vec<T>, Thrown> {
    let mut merged = Vec::with_capacity(left.len().saturating_add(right.len()));
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let is_left = compare(one, other)?.is_le();
        merged.extend(if is_left { left.next() } else { right.next() });
    }
    merged.extend(left.chain(right));
    Ok(merged)
}
