//! The operators of C# on values: arithmetic, bits, comparison, equality.
//!
//! Numbers are widened as C# does it; whole ones wrap around, as they do unless `checked` is said.
//! With `null` on one side arithmetic gives `null` and a comparison is false.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::text::compare::{self, Comparison};
use super::{moment, text};
use crate::expression::value::Value;
use crate::expression::value::json::Json;
use crate::expression::value::key::Key;
use crate::expression::value::moment::TimeSpan;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::Xml;

mod fraction;
mod whole;

/// An operator with two operands and a result that is not a bool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
}

impl Operator {
    /// How it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
        }
    }
}

/// `left operator right`.
pub fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Thrown> {
    match (operator, left, right) {
        (Operator::Add, Value::String(_), _) | (Operator::Add, _, Value::String(_)) => {
            text::concat(&[left.clone(), right.clone()]).map(Value::String)
        }
        // What the other side says decides, whatever the unknown one is.
        (Operator::And, Value::Bool(false), Value::Null)
        | (Operator::And, Value::Null, Value::Bool(false)) => Ok(false.into()),
        (Operator::Or, Value::Bool(true), Value::Null)
        | (Operator::Or, Value::Null, Value::Bool(true)) => Ok(true.into()),
        (_, Value::Null, _) | (_, _, Value::Null) => Ok(Value::Null),
        (Operator::And, Value::Bool(left), Value::Bool(right)) => Ok((*left && *right).into()),
        (Operator::Or, Value::Bool(left), Value::Bool(right)) => Ok((*left || *right).into()),
        (Operator::Xor, Value::Bool(left), Value::Bool(right)) => Ok((left != right).into()),
        (_, Value::Decimal(_), _) | (_, _, Value::Decimal(_)) => {
            fraction::decimal(operator, left, right)
        }
        (_, Value::Double(_), _) | (_, _, Value::Double(_)) => {
            fraction::double(operator, left, right)
        }
        (_, Value::Float(_), _) | (_, _, Value::Float(_)) => fraction::float(operator, left, right),
        _ => match whole::binary(operator, left, right) {
            Some(result) => result,
            None => time(operator, left, right),
        },
    }
}

fn time(operator: Operator, left: &Value, right: &Value) -> Result<Value, Thrown> {
    use Value::{DateTime, DateTimeOffset, Double, Int, TimeSpan as Span};
    let scaled = |span: TimeSpan, factor: f64| {
        super::math::to_long(super::math::long_as_double(span.0) * factor).map(TimeSpan)
    };
    Ok(match (operator, left, right) {
        (Operator::Add, DateTime(one), Span(span)) => moment::add_span(*one, *span)?.into(),
        (Operator::Subtract, DateTime(one), Span(span)) => {
            moment::subtract_span(*one, *span)?.into()
        }
        (Operator::Subtract, DateTime(one), DateTime(other)) => {
            moment::between(*one, *other).into()
        }
        (Operator::Add, DateTimeOffset(one), Span(span)) => {
            moment::offset_add_span(*one, *span)?.into()
        }
        (Operator::Subtract, DateTimeOffset(one), Span(span)) => {
            moment::offset_subtract_span(*one, *span)?.into()
        }
        (Operator::Subtract, DateTimeOffset(one), DateTimeOffset(other)) => {
            moment::offset_between(*one, *other).into()
        }
        (Operator::Add, Span(one), Span(other)) => moment::span::add(*one, *other)?.into(),
        (Operator::Subtract, Span(one), Span(other)) => {
            moment::span::subtract(*one, *other)?.into()
        }
        (Operator::Multiply, Span(span), Double(factor))
        | (Operator::Multiply, Double(factor), Span(span)) => scaled(*span, *factor)?.into(),
        (Operator::Multiply, Span(span), Int(factor))
        | (Operator::Multiply, Int(factor), Span(span)) => {
            scaled(*span, f64::from(*factor))?.into()
        }
        (Operator::Divide, Span(one), Span(other)) => {
            Double(super::math::long_as_double(one.0) / super::math::long_as_double(other.0))
        }
        (Operator::Divide, Span(span), Double(factor)) => scaled(*span, factor.recip())?.into(),
        (Operator::Divide, Span(span), Int(factor)) => {
            scaled(*span, f64::from(*factor).recip())?.into()
        }
        (Operator::Add, Value::Xml(Xml::Namespace(namespace)), Value::String(local)) => {
            super::xml::name_in(namespace, local).into()
        }
        _ => return Err(no_operator(operator, left, right)),
    })
}

/// `-value`.
pub fn negate(value: &Value) -> Result<Value, Thrown> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Byte(number) => Value::Int(i32::from(*number).wrapping_neg()),
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::UInt(number) => Value::Long(i64::from(*number).wrapping_neg()),
        Value::Long(number) => Value::Long(number.wrapping_neg()),
        Value::Double(number) => Value::Double(-number),
        Value::Float(number) => Value::Float(-number),
        Value::Decimal(number) => Value::Decimal(-number),
        Value::TimeSpan(span) => moment::span::negate(*span)?.into(),
        other => return Err(no_unary("-", other)),
    })
}

/// `~value`.
pub fn complement(value: &Value) -> Result<Value, Thrown> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Byte(number) => Value::Int(!i32::from(*number)),
        Value::Int(number) => Value::Int(!number),
        Value::UInt(number) => Value::UInt(!number),
        Value::Long(number) => Value::Long(!number),
        Value::ULong(number) => Value::ULong(!number),
        other => return Err(no_unary("~", other)),
    })
}

/// `!value`.
pub fn not(value: &Value) -> Result<Value, Thrown> {
    match value {
        Value::Bool(flag) => Ok(Value::Bool(!flag)),
        other => Err(no_unary("!", other)),
    }
}

/// `left == right`: numbers by what they are, whatever their types; strings, dates, spans, GUIDs
/// and simple tokens by what they hold; the rest by identity.
pub fn equal(left: &Value, right: &Value) -> bool {
    if let Numbers::Ordered(ordering) = numeric(left, right) {
        return ordering == Some(Ordering::Equal);
    }
    match (left, right) {
        (Value::DateTime(one), Value::DateTime(other)) => one.ticks == other.ticks,
        (Value::Xml(Xml::Name(one)), Value::Xml(Xml::Name(other))) => one == other,
        (Value::Xml(Xml::Name(name)), Value::String(text))
        | (Value::String(text), Value::Xml(Xml::Name(name))) => {
            super::xml::name_text(name) == **text
        }
        _ => Key::new(left, false) == Key::new(right, false),
    }
}

/// `left.Equals(right)`: as [`equal`], but an `int` never equals a `long`.
pub fn equals(left: &Value, right: &Value) -> bool {
    if let (Value::Double(one), Value::Double(other)) = (left, right) {
        return one.partial_cmp(other) == Some(Ordering::Equal) || (one.is_nan() && other.is_nan());
    }
    Key::new(left, false) == Key::new(right, false)
}

/// `ReferenceEquals(left, right)`; strings are the same if they read the same.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left.address(), right.address()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => match (left, right) {
            (Value::Json(Json::Null), Value::Null) | (Value::Null, Value::Json(Json::Null)) => {
                false
            }
            _ => equals(left, right),
        },
        _ => false,
    }
}

/// How `left` and `right` are ordered by `<`; none if they are not (NaN, `null`).
pub fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, Thrown> {
    if left.is_null() || right.is_null() {
        return Ok(None);
    }
    if let Numbers::Ordered(ordering) = numeric(left, right) {
        return Ok(ordering);
    }
    match (left, right) {
        (Value::DateTime(one), Value::DateTime(other)) => Ok(Some(one.ticks.cmp(&other.ticks))),
        (Value::DateTimeOffset(one), Value::DateTimeOffset(other)) => {
            Ok(Some(one.utc_ticks().cmp(&other.utc_ticks())))
        }
        (Value::TimeSpan(one), Value::TimeSpan(other)) => Ok(Some(one.cmp(other))),
        _ => Err(Thrown::new(
            ExceptionKind::InvalidOperation,
            format!(
                "Operator '<' cannot be applied to operands of type '{}' and '{}'.",
                left.type_name(),
                right.type_name()
            ),
        )),
    }
}

/// How `OrderBy`, `Sort`, `Min` and `CompareTo` order values: `null` first, strings as the
/// invariant culture does, tokens by what they hold.
pub fn order(left: &Value, right: &Value) -> Result<Ordering, Thrown> {
    if let Value::Token(one) = left {
        return order(&Value::Json(one.json.clone()), right);
    }
    if let Value::Token(other) = right {
        return order(left, &Value::Json(other.json.clone()));
    }
    if let (Value::Json(one), _) = (left, right)
        && let Some(simple) = super::json::convert::simple(one)
    {
        return order(&simple, right);
    }
    if let (_, Value::Json(other)) = (left, right)
        && let Some(simple) = super::json::convert::simple(other)
    {
        return order(left, &simple);
    }
    match (left, right) {
        (Value::Null, Value::Null) => Ok(Ordering::Equal),
        (Value::Null, _) => Ok(Ordering::Less),
        (_, Value::Null) => Ok(Ordering::Greater),
        (Value::String(one), Value::String(other)) => {
            Ok(compare::compare(one, other, Comparison::Culture))
        }
        (Value::Bool(one), Value::Bool(other)) => Ok(one.cmp(other)),
        (Value::Guid(one), Value::Guid(other)) => Ok(one.cmp(other)),
        (Value::Double(one), Value::Double(other)) if one.is_nan() || other.is_nan() => {
            Ok(other.is_nan().cmp(&one.is_nan()))
        }
        (Value::Record(one), Value::Record(other)) => {
            for (one, other) in one.values().iter().zip(other.values()) {
                let ordering = order_simple(one, other)?;
                if ordering.is_ne() {
                    return Ok(ordering);
                }
            }
            Ok(Ordering::Equal)
        }
        _ => order_simple(left, right),
    }
}

/// The order of values that hold no others.
fn order_simple(left: &Value, right: &Value) -> Result<Ordering, Thrown> {
    if let (Value::String(one), Value::String(other)) = (left, right) {
        return Ok(compare::compare(one, other, Comparison::Culture));
    }
    let ordering = compare(left, right).ok().flatten();
    ordering
        .ok_or_else(|| Thrown::invalid_operation("Failed to compare two elements in the array."))
}

/// What two values are to each other as numbers.
enum Numbers {
    /// One of them is none.
    Neither,
    /// Their order; none with what is not a number.
    Ordered(Option<Ordering>),
}

fn numeric(left: &Value, right: &Value) -> Numbers {
    if let (Some(one), Some(other)) = (whole::integer(left), whole::integer(right)) {
        return Numbers::Ordered(Some(one.cmp(&other)));
    }
    if let (Some(one), Some(other)) = (to_decimal(left), to_decimal(right)) {
        return Numbers::Ordered(Some(one.cmp(&other)));
    }
    match (to_double(left), to_double(right)) {
        (Some(one), Some(other)) => Numbers::Ordered(one.partial_cmp(&other)),
        _ => Numbers::Neither,
    }
}

/// A number as a `double`; none if it is not a number.
pub fn to_double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Float(number) => Some(f64::from(*number)),
        Value::Decimal(number) => number.to_f64(),
        other => whole::integer(other).map(super::math::integer_as_double),
    }
}

/// A whole number or a `decimal` as a `decimal`; none if it is neither.
pub fn to_decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Decimal(number) => Some(*number),
        other => whole::integer(other)
            .and_then(|number| Decimal::try_from_i128_with_scale(number, 0).ok()),
    }
}

/// A whole number (or a `char`) as it is; none if it is not one.
pub fn to_integer(value: &Value) -> Option<i128> {
    whole::integer(value)
}

/// `value.GetHashCode()`: equal values have the same. It is the same in every process, which .NET
/// does not promise for strings.
pub fn hash_code(value: &Value) -> Result<i32, Thrown> {
    Ok(match value {
        Value::Null => 0,
        Value::Bool(flag) => i32::from(*flag),
        Value::Int(number) => *number,
        Value::Long(number) => {
            let halves = *number ^ number.wrapping_shr(32);
            i32::try_from(halves & 0x7fff_ffff).unwrap_or(0)
        }
        Value::Guid(guid) => super::guid::hash_code(*guid),
        other => match other.address() {
            Some(address) => text::hash_code(&address.to_string()),
            None => text::hash_code(&super::display::text(other)?),
        },
    })
}

fn no_operator(operator: Operator, left: &Value, right: &Value) -> Thrown {
    Thrown::invalid_operation(format!(
        "Operator '{}' cannot be applied to operands of type '{}' and '{}'.",
        operator.sign(),
        left.type_name(),
        right.type_name()
    ))
}

fn no_unary(sign: &str, value: &Value) -> Thrown {
    Thrown::invalid_operation(format!(
        "Operator '{sign}' cannot be applied to operand of type '{}'.",
        value.type_name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::value::moment::DateTime;

    fn text(value: &Value) -> String {
        format!("{} {}", value.short_type_name(), super::super::display::text(value).unwrap())
    }

    #[test]
    fn arithmetic_is_that_of_c_sharp() {
        use Operator::{
            Add, And, Divide, Multiply, Or, Remainder, ShiftLeft, ShiftRight, Subtract, Xor,
        };
        let rows: Vec<(Operator, Value, Value, &str)> = vec![
            (Add, 1.into(), 2.into(), "Int32 3"),
            (Add, i32::MAX.into(), 1.into(), "Int32 -2147483648"),
            (Add, i32::MAX.into(), 1_i64.into(), "Int64 2147483648"),
            (Add, 1.into(), 0.5.into(), "Double 1.5"),
            (Add, "a".into(), 1.into(), "String a1"),
            (Add, 1.into(), "a".into(), "String 1a"),
            (Add, "a".into(), Value::Null, "String a"),
            (Add, "a".into(), true.into(), "String aTrue"),
            (Add, 'a'.into(), 1.into(), "Int32 98"),
            (Add, Value::Byte(200), Value::Byte(100), "Int32 300"),
            (Subtract, 1.into(), 2.into(), "Int32 -1"),
            (Subtract, 1_u32.into(), 2_u32.into(), "UInt32 4294967295"),
            (Multiply, i64::MAX.into(), 2.into(), "Int64 -2"),
            (Divide, 7.into(), 2.into(), "Int32 3"),
            (Divide, (-7).into(), 2.into(), "Int32 -3"),
            (Divide, 7.0.into(), 2.into(), "Double 3.5"),
            (Divide, 1.0.into(), 0.into(), "Double Infinity"),
            (Remainder, (-7).into(), 3.into(), "Int32 -1"),
            (Remainder, 7.5.into(), 2.into(), "Double 1.5"),
            (And, 6.into(), 3.into(), "Int32 2"),
            (Or, 6_u32.into(), 1_u32.into(), "UInt32 7"),
            (Xor, true.into(), true.into(), "Boolean False"),
            (ShiftLeft, 1.into(), 33.into(), "Int32 2"),
            (ShiftLeft, (-1).into(), 31.into(), "Int32 -2147483648"),
            (ShiftRight, (-8).into(), 1.into(), "Int32 -4"),
            (ShiftRight, u32::MAX.into(), 28.into(), "UInt32 15"),
            (Add, Value::Null, 1.into(), "Object "),
            (Add, Decimal::new(15, 1).into(), 1.into(), "Decimal 2.5"),
            (
                Add,
                DateTime::MIN.into(),
                TimeSpan(36_000_000_000).into(),
                "DateTime 01/01/0001 01:00:00",
            ),
            (
                Subtract,
                DateTime { ticks: 10_000_000, ..DateTime::MIN }.into(),
                DateTime::MIN.into(),
                "TimeSpan 00:00:01",
            ),
        ];
        for (operator, left, right, expected) in rows {
            let result = binary(operator, &left, &right).unwrap();
            assert_eq!(text(&result), expected, "{left:?} {} {right:?}", operator.sign());
        }
        assert_eq!(binary(Divide, &1.into(), &0.into()).unwrap_err(), Thrown::divide_by_zero());
        assert!(binary(Remainder, &1.into(), &0.into()).is_err());
        assert!(binary(Divide, &i32::MIN.into(), &(-1).into()).is_err());
        assert!(binary(Divide, &i64::MIN.into(), &(-1).into()).is_err());
        assert!(binary(Add, &true.into(), &1.into()).is_err());
        assert_eq!(text(&negate(&i32::MIN.into()).unwrap()), "Int32 -2147483648");
        assert_eq!(text(&complement(&5.into()).unwrap()), "Int32 -6");
    }

    #[test]
    fn equality_is_that_of_c_sharp() {
        assert!(equal(&1.into(), &1_i64.into()) && !equals(&1.into(), &1_i64.into()));
        assert!(equal(&1.into(), &1.0.into()) && equal(&'a'.into(), &97.into()));
        assert!(equal(&"a".into(), &"a".into()) && !equal(&"a".into(), &"A".into()));
        assert!(equal(&Value::Null, &Value::Null) && !equal(&Value::Null, &"".into()));
        assert!(!equal(&Json::Null.into(), &Value::Null));
        assert!(equal(&Json::Int(1).into(), &Json::Int(1).into()));
        assert!(!equal(&Json::text("a").into(), &"a".into()));
        assert!(
            !equal(&f64::NAN.into(), &f64::NAN.into())
                && equals(&f64::NAN.into(), &f64::NAN.into())
        );
        let list = Value::list(Vec::new());
        assert!(equal(&list, &list.clone()) && !equal(&list, &Value::list(Vec::new())));
        assert!(same(&list, &list.clone()) && same(&Value::Null, &Value::Null));
    }

    #[test]
    fn order_is_that_of_c_sharp() {
        assert_eq!(compare(&1.into(), &2.5.into()).unwrap(), Some(Ordering::Less));
        assert_eq!(compare(&Value::Null, &2.into()).unwrap(), None);
        assert_eq!(compare(&f64::NAN.into(), &2.into()).unwrap(), None);
        assert!(compare(&"a".into(), &"b".into()).is_err());
        assert_eq!(order(&"a".into(), &"B".into()).unwrap(), Ordering::Less);
        assert_eq!(order(&Value::Null, &1.into()).unwrap(), Ordering::Less);
        assert_eq!(
            order(&Json::Int(2).into(), &Json::Double(1.5).into()).unwrap(),
            Ordering::Greater
        );
        assert!(order(&"a".into(), &1.into()).is_err());
    }
}
