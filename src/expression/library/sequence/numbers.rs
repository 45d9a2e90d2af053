//! Numbers of a sequence: `Sum`, `Average`, `Min`, `Max`. Where there is a selector, the items are
//! what it gave. `null` is passed over.

use super::Lambda;
use super::elements::none;
use crate::expression::library::operators::{self, Operator};
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `Sum()`: of whole numbers, what does not fit is an `OverflowException`.
pub fn sum(items: &[Value]) -> Result<Value, Thrown> {
    let mut total: Option<Value> = None;
    for item in items.iter().filter(|item| !item.is_null()) {
        total = Some(match total {
            None => item.clone(),
            Some(total) => added(&total, item)?,
        });
    }
    Ok(total.unwrap_or(Value::Int(0)))
}

/// A sum that does not wrap around.
fn added(total: &Value, item: &Value) -> Result<Value, Thrown> {
    let sum = operators::binary(Operator::Add, total, item)?;
    if let (Some(one), Some(other)) = (operators::to_integer(total), operators::to_integer(item))
        && operators::to_integer(&sum) != one.checked_add(other)
    {
        return Err(Thrown::new(
            ExceptionKind::Overflow,
            "Arithmetic operation resulted in an overflow.",
        ));
    }
    Ok(sum)
}

/// `MaxBy(selector)`, or from the other end `MinBy(selector)`: the first item with that key.
pub fn most_by(items: &[Value], selector: &mut Lambda<'_>, largest: bool) -> Result<Value, Thrown> {
    let mut best: Option<(&Value, Value)> = None;
    for item in items {
        let key = selector(std::slice::from_ref(item))?;
        let better = match &best {
            None => true,
            Some((_, known)) => {
                let order = operators::order(&key, known)?;
                !key.is_null() && if largest { order.is_gt() } else { order.is_lt() }
            }
        };
        if better {
            best = Some((item, key));
        }
    }
    best.map(|(item, _)| item.clone()).ok_or_else(none)
}

/// `Average()`: a `double`, or a `decimal` of these.
pub fn average(items: &[Value]) -> Result<Value, Thrown> {
    let numbers: Vec<&Value> = items.iter().filter(|item| !item.is_null()).collect();
    let count = i32::try_from(numbers.len()).map_err(|_| Thrown::overflow("an Int32"))?;
    if count == 0 {
        return Err(none());
    }
    let mut total = Value::Long(0);
    for number in numbers {
        total = match (&total, number) {
            (Value::Long(_), Value::Double(_) | Value::Float(_) | Value::Decimal(_)) => {
                operators::binary(Operator::Add, &total, number)?
            }
            (Value::Long(_), _) => added(&total, number)?,
            _ => operators::binary(Operator::Add, &total, number)?,
        };
    }
    if let Value::Long(whole) = total {
        total = Value::Double(crate::expression::library::math::long_as_double(whole));
    }
    operators::binary(Operator::Divide, &total, &Value::Int(count))
}

/// `Max()`.
pub fn max(items: &[Value]) -> Result<Value, Thrown> {
    pick(items, true)
}

/// `Min()`.
pub fn min(items: &[Value]) -> Result<Value, Thrown> {
    pick(items, false)
}

fn pick(items: &[Value], largest: bool) -> Result<Value, Thrown> {
    let mut best: Option<&Value> = None;
    for item in items.iter().filter(|item| !item.is_null()) {
        let is_better = match best {
            None => true,
            Some(best) => {
                let ordering = operators::order(item, best)?;
                if largest { ordering.is_gt() } else { ordering.is_lt() }
            }
        };
        if is_better {
            best = Some(item);
        }
    }
    match best {
        Some(best) => Ok(best.clone()),
        None if items.is_empty() => Err(none()),
        None => Ok(Value::Null),
    }
}
