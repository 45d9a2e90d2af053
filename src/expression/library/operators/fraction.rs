//! Arithmetic on numbers with a fraction: `double`, `float`, `decimal`.

use std::ops::{Add, Div, Mul, Rem, Sub};

use rust_decimal::Decimal;

use super::{Operator, no_operator, time, to_decimal, to_double};
use crate::expression::library::math;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

/// In `double`.
pub(super) fn double(operator: Operator, left: &Value, right: &Value) -> Result<Value, Thrown> {
    let (Some(one), Some(other)) = (to_double(left), to_double(right)) else {
        return time(operator, left, right);
    };
    let result = computed(operator, one, other).map(Value::Double);
    result.ok_or_else(|| no_operator(operator, left, right))
}

/// In `float`: the result is rounded to it, and so is each operand before.
pub(super) fn float(operator: Operator, left: &Value, right: &Value) -> Result<Value, Thrown> {
    let (Some(one), Some(other)) = (to_double(left), to_double(right)) else {
        return time(operator, left, right);
    };
    let result = computed(operator, math::to_float(one), math::to_float(other)).map(Value::Float);
    result.ok_or_else(|| no_operator(operator, left, right))
}

/// What a binary number gives; `None` if it has no such operator.
fn computed<T>(operator: Operator, one: T, other: T) -> Option<T>
where
    T: Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T> + Rem<Output = T>,
{
    Some(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide => one / other,
        Operator::Remainder => one % other,
        _ => return None,
    })
}

/// In `decimal`.
pub(super) fn decimal(operator: Operator, left: &Value, right: &Value) -> Result<Value, Thrown> {
    let (Some(one), Some(other)) = (to_decimal(left), to_decimal(right)) else {
        return Err(no_operator(operator, left, right));
    };
    let result = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        Operator::Divide | Operator::Remainder if other.is_zero() => {
            return Err(Thrown::divide_by_zero());
        }
        Operator::Divide => quotient(one, other),
        Operator::Remainder => one.checked_rem(other),
        _ => return Err(no_operator(operator, left, right)),
    };
    result.map(Value::Decimal).ok_or_else(|| Thrown::overflow("a Decimal"))
}

/// The quotient with the digits after the point that .NET gives it: those it needs, and at least
/// as many as the dividend has more than the divisor.
fn quotient(one: Decimal, other: Decimal) -> Option<Decimal> {
    let mut quotient = one.checked_div(other)?.normalize();
    let wanted = one.scale().saturating_sub(other.scale());
    if quotient.scale() < wanted {
        quotient.rescale(wanted);
    }
    Some(quotient)
}
