//! The operators of the syntax, as the library knows them.

use std::cmp::Ordering;

use crate::expression::ast::{BinaryOperator, UnaryOperator};
use crate::expression::library::json::convert as json;
use crate::expression::library::operators::{self, Operator};
use crate::expression::library::xml;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::Xml;

/// `left operator right`
pub(in crate::expression) fn binary(
    operator: BinaryOperator,
    left: &Value,
    right: &Value,
) -> Result<Value, Thrown> {
    use BinaryOperator as Op;
    if let Some(result) = usual(operator, left, right) {
        return Ok(result);
    }
    if matches!(left, Value::Token(_)) || matches!(right, Value::Token(_)) {
        let (left, right) = (left.clone().without_place(), right.clone().without_place());
        return binary(operator, &left, &right);
    }
    // Tokens come here only where nothing is known of them before: they stand for what they hold.
    let is_equality = matches!(operator, Op::Equal | Op::NotEqual);
    match (left, right) {
        (Value::Json(_), Value::Json(_)) if is_equality => {}
        (Value::Json(token), other) => {
            if let Some(held) = json::simple(token) {
                return binary(operator, &held, other);
            }
        }
        (other, Value::Json(token)) => {
            if let Some(held) = json::simple(token) {
                return binary(operator, other, &held);
            }
        }
        _ => {}
    }
    let operator = match operator {
        Op::Equal => return Ok(Value::Bool(operators::equal(left, right))),
        Op::NotEqual => return Ok(Value::Bool(!operators::equal(left, right))),
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
            let order = operators::compare(left, right)?;
            return Ok(Value::Bool(order.is_some_and(|order| holds(operator, order))));
        }
        Op::And | Op::BitAnd => Operator::And,
        Op::Or | Op::BitOr => Operator::Or,
        Op::BitXor => Operator::Xor,
        Op::ShiftLeft => Operator::ShiftLeft,
        Op::ShiftRight => Operator::ShiftRight,
        Op::Add => Operator::Add,
        Op::Subtract => Operator::Subtract,
        Op::Multiply => Operator::Multiply,
        Op::Divide => Operator::Divide,
        Op::Remainder => Operator::Remainder,
    };
    if let (Operator::Add, Value::Xml(Xml::Namespace(space)), Value::String(name)) =
        (operator, left, right)
    {
        return Ok(Value::from(xml::name_in(space, name)));
    }
    operators::binary(operator, left, right)
}

/// `left operator right` in `checked`: whole numbers whose result does not fit are an exception.
pub(in crate::expression) fn checked(
    operator: BinaryOperator,
    left: &Value,
    right: &Value,
) -> Result<Value, Thrown> {
    let result = binary(operator, left, right)?;
    let (Some(one), Some(other), Some(found)) = (whole(left), whole(right), whole(&result)) else {
        return Ok(result);
    };
    let wanted = match operator {
        BinaryOperator::Add => one.checked_add(other),
        BinaryOperator::Subtract => one.checked_sub(other),
        BinaryOperator::Multiply => one.checked_mul(other),
        _ => Some(found),
    };
    if wanted == Some(found) { Ok(result) } else { Err(overflow()) }
}

/// `(to)value` in `checked`.
pub(in crate::expression) fn exact(value: Value, to: &Type) -> Result<Value, Thrown> {
    let before = match &value {
        Value::Double(number) => Some(number.trunc()),
        Value::Float(number) => Some(f64::from(number.trunc())),
        _ => None,
    };
    let whole_before = whole(&value);
    let result = super::convert::convert(value, to)?;
    let Some(after) = whole(&result) else { return Ok(result) };
    let kept = match (whole_before, before) {
        (Some(before), _) => before == after,
        // What a double cannot tell from the bound of a `long` is past it.
        (None, Some(before)) => {
            let inside = before.abs() < 18_446_744_073_709_551_616.0;
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "it was found to be inside"
            )]
            let as_whole = before as i128;
            inside && as_whole == after
        }
        (None, None) => true,
    };
    if kept { Ok(result) } else { Err(overflow()) }
}

fn overflow() -> Thrown {
    Thrown::new(ExceptionKind::Overflow, ExceptionKind::Overflow.default_message())
}

/// The whole number that a value is.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::ULong(number) => Some(i128::from(*number)),
        other => other.long().ok().map(i128::from),
    }
}

/// The operators that nearly all expressions consist of, on the types that they have there.
fn usual(operator: BinaryOperator, left: &Value, right: &Value) -> Option<Value> {
    use BinaryOperator as Op;
    let is_equality = matches!(operator, Op::Equal | Op::NotEqual);
    let equal = match (left, right) {
        (Value::String(left), Value::String(right)) if is_equality => left == right,
        (Value::Null, right) if is_equality => right.is_null(),
        (left, Value::Null) if is_equality => left.is_null(),
        (Value::Bool(left), Value::Bool(right)) if is_equality => left == right,
        (Value::Int(left), Value::Int(right)) => match operator {
            Op::Equal | Op::NotEqual => left == right,
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                return Some(Value::Bool(holds(operator, left.cmp(right))));
            }
            Op::Add => return Some(Value::Int(left.wrapping_add(*right))),
            Op::Subtract => return Some(Value::Int(left.wrapping_sub(*right))),
            Op::Multiply => return Some(Value::Int(left.wrapping_mul(*right))),
            _ => return None,
        },
        _ => return None,
    };
    Some(Value::Bool(equal == (operator == Op::Equal)))
}

/// Whether values in that order fulfil the comparison.
fn holds(operator: BinaryOperator, order: Ordering) -> bool {
    match operator {
        BinaryOperator::Less => order.is_lt(),
        BinaryOperator::LessOrEqual => order.is_le(),
        BinaryOperator::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// `operator operand`
pub(in crate::expression) fn unary(
    operator: UnaryOperator,
    operand: &Value,
) -> Result<Value, Thrown> {
    match operator {
        UnaryOperator::Minus => operators::negate(operand),
        UnaryOperator::Complement => operators::complement(operand),
        UnaryOperator::Not if operand.is_null() => Ok(Value::Null),
        UnaryOperator::Not => operators::not(operand),
        // A `char` or a `byte` becomes an `int`, anything else stays.
        UnaryOperator::Plus => match operand {
            Value::Char(_) | Value::Byte(_) => operand.int().map(Value::Int),
            other => Ok(other.clone()),
        },
    }
}
