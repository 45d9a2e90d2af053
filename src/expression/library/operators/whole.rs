//! Arithmetic on whole numbers: the four types that C# computes in, wrapping around.

use super::Operator;
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// A whole number (or a `char`, as C# widens it) in a type that holds them all.
pub(super) fn integer(value: &Value) -> Option<i128> {
    Some(match value {
        Value::Byte(number) => i128::from(*number),
        Value::Char(character) => i128::from(u32::from(*character)),
        Value::Int(number) => i128::from(*number),
        Value::UInt(number) => i128::from(*number),
        Value::Long(number) => i128::from(*number),
        Value::ULong(number) => i128::from(*number),
        _ => return None,
    })
}

/// The type that C# computes in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Width {
    Int,
    UInt,
    Long,
    ULong,
}

fn width(value: &Value) -> Width {
    match value {
        Value::UInt(_) => Width::UInt,
        Value::Long(_) => Width::Long,
        Value::ULong(_) => Width::ULong,
        _ => Width::Int,
    }
}

/// The common type of both: `int` and `uint` meet in `long`.
fn common(left: &Value, right: &Value) -> Width {
    match (width(left), width(right)) {
        (Width::UInt, Width::Int) if is_negative(right) => Width::Long,
        (Width::Int, Width::UInt) if is_negative(left) => Width::Long,
        (one, other) => one.max(other),
    }
}

/// Whether a constant could not have been a `uint`: C# takes `1` in `x & 1` for one.
fn is_negative(value: &Value) -> bool {
    integer(value).is_some_and(i128::is_negative)
}

/// `left operator right`; none if one of them is not a whole number.
pub(super) fn binary(
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Option<Result<Value, Thrown>> {
    let (one, other) = (integer(left)?, integer(right)?);
    Some(match operator {
        Operator::ShiftLeft | Operator::ShiftRight => {
            Ok(shift(operator, (one, width(left)), other))
        }
        _ => compute(operator, one, other, common(left, right)),
    })
}

fn compute(operator: Operator, one: i128, other: i128, width: Width) -> Result<Value, Thrown> {
    let result = match operator {
        Operator::Add => one.wrapping_add(other),
        Operator::Subtract => one.wrapping_sub(other),
        Operator::Multiply => one.wrapping_mul(other),
        Operator::Divide | Operator::Remainder => {
            let smallest = match width {
                Width::Int => i128::from(i32::MIN),
                _ => i128::from(i64::MIN),
            };
            if one == smallest && other == -1 {
                return Err(Thrown::new(
                    ExceptionKind::Overflow,
                    "Arithmetic operation resulted in an overflow.",
                ));
            }
            let result = if operator == Operator::Divide {
                one.checked_div(other)
            } else {
                one.checked_rem(other)
            };
            result.ok_or_else(Thrown::divide_by_zero)?
        }
        Operator::And => one & other,
        Operator::Or => one | other,
        Operator::Xor => one ^ other,
        Operator::ShiftLeft | Operator::ShiftRight => {
            return Ok(shift(operator, (one, width), other));
        }
    };
    Ok(wrapped(result, width))
}

/// A shift by the low bits of `count`, in the type of the left side.
fn shift(operator: Operator, (one, width): (i128, Width), count: i128) -> Value {
    let bits = match width {
        Width::Int | Width::UInt => 32,
        Width::Long | Width::ULong => 64,
    };
    let count = u32::try_from(count.rem_euclid(bits)).unwrap_or(0);
    let result = match operator {
        Operator::ShiftLeft => one.wrapping_shl(count),
        _ => one.wrapping_shr(count),
    };
    wrapped(result, width)
}

/// `number` in the type of `width`, its upper bits cut off.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cutting the upper bits off is what C# does"
)]
fn wrapped(number: i128, width: Width) -> Value {
    match width {
        Width::Int => Value::Int(number as i32),
        Width::UInt => Value::UInt(number as u32),
        Width::Long => Value::Long(number as i64),
        Width::ULong => Value::ULong(number as u64),
    }
}
