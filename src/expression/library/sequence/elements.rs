//! One item of a sequence: `First`, `Last`, `Single`, `ElementAt`, `Count` and their like.

use super::{Lambda, holds};
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

/// `First()`, `First(condition)`.
pub fn first(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<Value, Thrown> {
    let has_condition = condition.is_some();
    find(false, items, condition)?.ok_or_else(|| missing(has_condition))
}

/// `FirstOrDefault()`, `FirstOrDefault(condition)`; `default` is that of the items' type.
pub fn first_or(
    items: &[Value],
    condition: Option<&mut Lambda<'_>>,
    default: Value,
) -> Result<Value, Thrown> {
    Ok(find(false, items, condition)?.unwrap_or(default))
}

/// `Last()`, `Last(condition)`.
pub fn last(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<Value, Thrown> {
    let has_condition = condition.is_some();
    find(true, items, condition)?.ok_or_else(|| missing(has_condition))
}

/// `LastOrDefault()`, `LastOrDefault(condition)`.
pub fn last_or(
    items: &[Value],
    condition: Option<&mut Lambda<'_>>,
    default: Value,
) -> Result<Value, Thrown> {
    Ok(find(true, items, condition)?.unwrap_or(default))
}

/// `Single()`, `Single(condition)`.
pub fn single(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<Value, Thrown> {
    let has_condition = condition.is_some();
    only(items, condition)?.ok_or_else(|| missing(has_condition))
}

/// `SingleOrDefault()`, `SingleOrDefault(condition)`.
pub fn single_or(
    items: &[Value],
    condition: Option<&mut Lambda<'_>>,
    default: Value,
) -> Result<Value, Thrown> {
    Ok(only(items, condition)?.unwrap_or(default))
}

/// `ElementAt(index)`.
pub fn at(items: &[Value], index: i32) -> Result<Value, Thrown> {
    let place = usize::try_from(index).ok();
    place.and_then(|place| items.get(place)).cloned().ok_or_else(Thrown::list_index)
}

/// `ElementAtOrDefault(index)`.
pub fn at_or(items: &[Value], index: i32, default: Value) -> Value {
    at(items, index).unwrap_or(default)
}

/// `Count()`, `Count(condition)`.
pub fn count(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<i32, Thrown> {
    let count = match condition {
        None => items.len(),
        Some(condition) => {
            let mut count: usize = 0;
            for (place, item) in items.iter().enumerate() {
                count = count.saturating_add(usize::from(holds(condition, item, place)?));
            }
            count
        }
    };
    i32::try_from(count).map_err(|_| Thrown::overflow("an Int32"))
}

/// The first item, or from the end the last one, that fits.
fn find(
    from_end: bool,
    items: &[Value],
    condition: Option<&mut Lambda<'_>>,
) -> Result<Option<Value>, Thrown> {
    let Some(condition) = condition else {
        return Ok(if from_end { items.last() } else { items.first() }.cloned());
    };
    for count in 0..items.len() {
        let place =
            if from_end { items.len().saturating_sub(count).saturating_sub(1) } else { count };
        if let Some(item) = items.get(place)
            && holds(condition, item, place)?
        {
            return Ok(Some(item.clone()));
        }
    }
    Ok(None)
}

/// The one item; more than one is an exception.
fn only(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<Option<Value>, Thrown> {
    let has_condition = condition.is_some();
    let mut found = Vec::new();
    match condition {
        None => found.extend(items.iter().take(2)),
        Some(condition) => {
            for (place, item) in items.iter().enumerate() {
                if holds(condition, item, place)? {
                    found.push(item);
                }
            }
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).clone())),
        _ => Err(Thrown::invalid_operation(if has_condition {
            "Sequence contains more than one matching element"
        } else {
            "Sequence contains more than one element"
        })),
    }
}

fn missing(has_condition: bool) -> Thrown {
    if has_condition {
        return Thrown::invalid_operation("Sequence contains no matching element");
    }
    none()
}

/// A sequence without items where one is wanted.
pub(super) fn none() -> Thrown {
    Thrown::invalid_operation("Sequence contains no elements")
}
