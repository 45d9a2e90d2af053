//! Casts, as C# has them, and `System.Convert`.

use bytes::Bytes;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::{display, json, math, moment, number, operators};
use crate::expression::value::Value;
use crate::expression::value::moment::{DateTime, DateTimeOffset, TimeSpan};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub mod base64;

/// A numeric type that is cast or converted to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Numeric {
    /// `byte`
    Byte,
    /// `int`
    Int,
    /// `uint`
    UInt,
    /// `long`
    Long,
    /// `ulong`
    ULong,
    /// `double`
    Double,
    /// `float`
    Float,
    /// `decimal`
    Decimal,
    /// `char`
    Char,
}

impl Numeric {
    /// The full .NET name.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Byte => "System.Byte",
            Self::Int => "System.Int32",
            Self::UInt => "System.UInt32",
            Self::Long => "System.Int64",
            Self::ULong => "System.UInt64",
            Self::Double => "System.Double",
            Self::Float => "System.Single",
            Self::Decimal => "System.Decimal",
            Self::Char => "System.Char",
        }
    }

    /// The name with an article, as overflow errors say it.
    const fn with_article(self) -> &'static str {
        match self {
            Self::Byte => "an unsigned byte",
            Self::Int => "an Int32",
            Self::UInt => "a UInt32",
            Self::Long => "an Int64",
            Self::ULong => "a UInt64",
            Self::Double => "a Double",
            Self::Float => "a Single",
            Self::Decimal => "a Decimal",
            Self::Char => "a character",
        }
    }

    /// Whether `value` is of this very type.
    const fn is(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Byte, Value::Byte(_))
                | (Self::Int, Value::Int(_))
                | (Self::UInt, Value::UInt(_))
                | (Self::Long, Value::Long(_))
                | (Self::ULong, Value::ULong(_))
                | (Self::Double, Value::Double(_))
                | (Self::Float, Value::Float(_))
                | (Self::Decimal, Value::Decimal(_))
                | (Self::Char, Value::Char(_))
        )
    }
}

/// `(T)value` where the static type of `value` is `object`: it must be a `T` already, or a token,
/// or for a nullable `T` be `null`.
pub fn unbox(value: &Value, target: Numeric) -> Result<Value, Thrown> {
    match value {
        Value::Json(token) => json::convert::to_number(token, target),
        Value::Null => Err(Thrown::null_reference()),
        value if target.is(value) => Ok(value.clone()),
        other => Err(cast_refused(other, target.type_name())),
    }
}

/// `(T)value` where the static type of `value` is a number: fractions are cut off, bits too.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an unchecked cast in C# cuts in the same way; out of range it is unspecified there"
)]
pub fn cast_number(value: &Value, target: Numeric) -> Result<Value, Thrown> {
    if let Value::Json(token) = value {
        return json::convert::to_number(token, target);
    }
    if value.is_null() {
        return Err(Thrown::new(
            ExceptionKind::InvalidOperation,
            "Nullable object must have a value.",
        ));
    }
    let refused = || cast_refused(value, target.type_name());
    match target {
        Numeric::Double => {
            return operators::to_double(value).map(Value::Double).ok_or_else(refused);
        }
        Numeric::Float => {
            let number = operators::to_double(value).ok_or_else(refused)?;
            return Ok(Value::Float(math::to_float(number)));
        }
        Numeric::Decimal => return to_decimal(value)?.map(Value::Decimal).ok_or_else(refused),
        _ => {}
    }
    let whole: i128 = match value {
        Value::Double(number) => *number as i128,
        Value::Float(number) => *number as i128,
        Value::Decimal(number) => {
            // A decimal never loses bits: what does not fit is an exception even here.
            let whole = number.trunc().to_i128().ok_or_else(refused)?;
            let overflow = || Thrown::overflow(target.with_article());
            return whole_as(whole, target).ok_or_else(overflow);
        }
        other => operators::to_integer(other).ok_or_else(refused)?,
    };
    Ok(match target {
        Numeric::Byte => Value::Byte(whole as u8),
        Numeric::Int => Value::Int(whole as i32),
        Numeric::UInt => Value::UInt(whole as u32),
        Numeric::Long => Value::Long(whole as i64),
        Numeric::ULong => Value::ULong(whole as u64),
        Numeric::Char => Value::Char(
            char::from_u32(u32::from(whole as u16)).unwrap_or(char::REPLACEMENT_CHARACTER),
        ),
        Numeric::Double | Numeric::Float | Numeric::Decimal => return Err(refused()),
    })
}

/// `(string)value`: a string, a token or `null`; `XElement` and `XAttribute` give their value.
pub fn cast_string(value: &Value) -> Result<Value, Thrown> {
    match value {
        Value::Null | Value::String(_) => Ok(value.clone()),
        Value::Json(token) => json::convert::to_text(token),
        Value::Xml(node) => Value::bounded_text(super::xml::value(node)),
        other => Err(cast_refused(other, "System.String")),
    }
}

/// `(bool)value`: a bool or a token.
pub fn cast_bool(value: &Value) -> Result<bool, Thrown> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Json(token) => json::convert::to_bool(token),
        Value::Null => Err(Thrown::null_reference()),
        other => Err(cast_refused(other, "System.Boolean")),
    }
}

/// `(DateTime)value`: a date or a token.
pub fn cast_date_time(value: &Value) -> Result<DateTime, Thrown> {
    match value {
        Value::DateTime(moment) => Ok(*moment),
        Value::Json(token) => json::convert::to_date_time(token),
        Value::Null => Err(Thrown::null_reference()),
        other => Err(cast_refused(other, "System.DateTime")),
    }
}

/// `(DateTimeOffset)value`: a date with an offset, a date, or a token.
pub fn cast_date_time_offset(value: &Value) -> Result<DateTimeOffset, Thrown> {
    match value {
        Value::DateTimeOffset(moment) => Ok(*moment),
        Value::DateTime(moment) => Ok(moment::offset_from(*moment)),
        Value::Json(token) => json::convert::to_date_time_offset(token),
        Value::Null => Err(Thrown::null_reference()),
        other => Err(cast_refused(other, "System.DateTimeOffset")),
    }
}

/// `(TimeSpan)value`: a span or a token.
pub fn cast_time_span(value: &Value) -> Result<TimeSpan, Thrown> {
    match value {
        Value::TimeSpan(span) => Ok(*span),
        Value::Json(token) => json::convert::to_time_span(token),
        Value::Null => Err(Thrown::null_reference()),
        other => Err(cast_refused(other, "System.TimeSpan")),
    }
}

/// `(Guid)value`: a GUID or a token.
pub fn cast_guid(value: &Value) -> Result<u128, Thrown> {
    match value {
        Value::Guid(guid) => Ok(*guid),
        Value::Json(token) => json::convert::to_guid(token),
        Value::Null => Err(Thrown::null_reference()),
        other => Err(cast_refused(other, "System.Guid")),
    }
}

/// `(byte[])value`: bytes, or a token that holds bytes or their base64.
pub fn cast_bytes(value: &Value) -> Result<Bytes, Thrown> {
    match value {
        Value::Json(token) => json::convert::to_bytes(token),
        other => other.bytes(),
    }
}

/// `Convert.ToInt32(value)` and its like: halves go to the even neighbour, and what does not fit
/// is an `OverflowException`; `null` is 0.
pub fn to_number(value: &Value, target: Numeric) -> Result<Value, Thrown> {
    let overflow = || Thrown::overflow(target.with_article());
    match value {
        Value::Null => whole_as(0, target).ok_or_else(overflow),
        Value::Bool(flag) if target != Numeric::Char => {
            whole_as(i128::from(*flag), target).ok_or_else(overflow)
        }
        Value::String(text) => parse(text, target),
        Value::Json(token) => {
            let simple = json::convert::simple(token);
            let simple = simple.ok_or_else(|| not_convertible(value))?;
            to_number(&simple, target)
        }
        Value::Double(number) => match target {
            Numeric::Double => Ok(Value::Double(*number)),
            Numeric::Float => Ok(Value::Float(math::to_float(*number))),
            Numeric::Decimal => {
                number::decimal_of(*number, number::DOUBLE_DIGITS).map(Value::Decimal)
            }
            _ => {
                let rounded = math::to_long(number.round_ties_even()).map_err(|_| overflow())?;
                whole_as(i128::from(rounded), target).ok_or_else(overflow)
            }
        },
        Value::Float(number) => match target {
            Numeric::Float => Ok(Value::Float(*number)),
            Numeric::Decimal => {
                number::decimal_of(f64::from(*number), number::FLOAT_DIGITS).map(Value::Decimal)
            }
            _ => to_number(&Value::Double(f64::from(*number)), target),
        },
        Value::Decimal(number) => match target {
            Numeric::Float => {
                let number = number.to_f64().ok_or_else(overflow)?;
                Ok(Value::Float(math::to_float(number)))
            }
            Numeric::Decimal => Ok(Value::Decimal(*number)),
            Numeric::Double => number.to_f64().map(Value::Double).ok_or_else(overflow),
            _ => {
                let rounded = math::decimal_to_long(number.round()).map_err(|_| overflow())?;
                whole_as(i128::from(rounded), target).ok_or_else(overflow)
            }
        },
        other => {
            let whole = operators::to_integer(other).ok_or_else(|| not_convertible(other))?;
            whole_as(whole, target).ok_or_else(overflow)
        }
    }
}

/// `Convert.ToBoolean(value)`: `null` is false, a number is true unless it is 0.
pub fn to_bool(value: &Value) -> Result<bool, Thrown> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => number::parse::bool(text),
        Value::Json(token) => {
            let simple = json::convert::simple(token);
            to_bool(&simple.ok_or_else(|| not_convertible(value))?)
        }
        Value::Char(_) => Err(not_convertible(value)),
        other => {
            let number = operators::to_double(other).ok_or_else(|| not_convertible(other))?;
            Ok(number != 0.0)
        }
    }
}

/// `Convert.ToDateTime(value)`: `null` is `DateTime.MinValue`.
pub fn to_date_time(value: &Value) -> Result<DateTime, Thrown> {
    match value {
        Value::Null => Ok(DateTime::MIN),
        Value::DateTime(moment) => Ok(*moment),
        Value::String(text) => moment::parse::date_time(text, moment::parse::Styles::default()),
        Value::Json(token) => json::convert::to_date_time(token),
        other => Err(not_convertible(other)),
    }
}

/// `Convert.ToString(value)`: empty for `null`.
pub fn to_text(value: &Value) -> Result<Value, Thrown> {
    display::text(value).map(Value::String)
}

/// `Convert.ToString(value, radix)` for a whole number: its bits in base 2, 8 or 16.
pub fn to_text_in_base(value: &Value, radix: i32) -> Result<String, Thrown> {
    let whole = operators::to_integer(value).ok_or_else(|| not_convertible(value))?;
    let bits = match value {
        Value::Byte(_) => 8,
        Value::Long(_) | Value::ULong(_) => 64,
        _ => 32,
    };
    let unsigned = whole.rem_euclid(1_i128.wrapping_shl(bits));
    match radix {
        2 => Ok(format!("{unsigned:b}")),
        8 => Ok(format!("{unsigned:o}")),
        10 => Ok(whole.to_string()),
        16 => Ok(format!("{unsigned:x}")),
        _ => Err(Thrown::new(ExceptionKind::Argument, "Invalid Base.")),
    }
}

/// `int.Parse(text)` and its like.
pub fn parse(text: &str, target: Numeric) -> Result<Value, Thrown> {
    Ok(match target {
        Numeric::Byte => number::parse::byte(text)?.into(),
        Numeric::Int => number::parse::int(text)?.into(),
        Numeric::UInt => number::parse::uint(text)?.into(),
        Numeric::Long => number::parse::long(text)?.into(),
        Numeric::ULong => number::parse::ulong(text)?.into(),
        Numeric::Double => number::parse::double(text)?.into(),
        Numeric::Float => math::to_float(number::parse::double(text)?).into(),
        Numeric::Decimal => number::parse::decimal(text)?.into(),
        Numeric::Char => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Value::Char(one),
                _ => {
                    return Err(Thrown::new(
                        ExceptionKind::Format,
                        "String must be exactly one character long.",
                    ));
                }
            }
        }
    })
}

/// A whole number in a type, if it fits.
fn whole_as(number: i128, target: Numeric) -> Option<Value> {
    Some(match target {
        Numeric::Byte => Value::Byte(u8::try_from(number).ok()?),
        Numeric::Int => Value::Int(i32::try_from(number).ok()?),
        Numeric::UInt => Value::UInt(u32::try_from(number).ok()?),
        Numeric::Long => Value::Long(i64::try_from(number).ok()?),
        Numeric::ULong => Value::ULong(u64::try_from(number).ok()?),
        Numeric::Double => Value::Double(math::integer_as_double(number)),
        Numeric::Float => Value::Float(math::to_float(math::integer_as_double(number))),
        Numeric::Decimal => Value::Decimal(Decimal::try_from_i128_with_scale(number, 0).ok()?),
        Numeric::Char => Value::Char(char::from_u32(u32::from(u16::try_from(number).ok()?))?),
    })
}

/// A number as a `decimal`; none if it is not a number.
fn to_decimal(value: &Value) -> Result<Option<Decimal>, Thrown> {
    match value {
        Value::Float(number) => {
            number::decimal_of(f64::from(*number), number::FLOAT_DIGITS).map(Some)
        }
        Value::Double(number) => number::decimal_of(*number, number::DOUBLE_DIGITS).map(Some),
        other => Ok(operators::to_decimal(other)),
    }
}

/// A cast that C# refuses.
pub fn cast_refused(value: &Value, target: &str) -> Thrown {
    Thrown::new(
        ExceptionKind::InvalidCast,
        format!("Unable to cast object of type '{}' to type '{target}'.", value.type_name()),
    )
}

fn not_convertible(value: &Value) -> Thrown {
    Thrown::new(
        ExceptionKind::InvalidCast,
        format!(
            "Unable to cast object of type '{}' to type 'System.IConvertible'.",
            value.type_name()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::value::json::Json;

    #[test]
    fn casts_are_those_of_c_sharp() {
        assert_eq!(unbox(&7.into(), Numeric::Int).unwrap().int().unwrap(), 7);
        assert_eq!(
            unbox(&7_i64.into(), Numeric::Int).unwrap_err().message,
            "Unable to cast object of type 'System.Int64' to type 'System.Int32'."
        );
        assert_eq!(unbox(&Value::Null, Numeric::Int).unwrap_err(), Thrown::null_reference());
        assert_eq!(unbox(&Json::Int(7).into(), Numeric::Int).unwrap().int().unwrap(), 7);
        assert_eq!(cast_number(&3.9.into(), Numeric::Int).unwrap().int().unwrap(), 3);
        assert_eq!(cast_number(&(-3.9).into(), Numeric::Int).unwrap().int().unwrap(), -3);
        assert_eq!(cast_number(&300.into(), Numeric::Byte).unwrap().int().unwrap(), 44);
        assert_eq!(cast_number(&'a'.into(), Numeric::Int).unwrap().int().unwrap(), 97);
        assert!(matches!(cast_number(&97.into(), Numeric::Char), Ok(Value::Char('a'))));
        assert!(matches!(cast_number(&7.into(), Numeric::Double), Ok(Value::Double(_))));
        assert!(cast_number(&"7".into(), Numeric::Int).is_err());
        assert_eq!(&**cast_string(&Json::Int(5).into()).unwrap().string().unwrap(), "5");
        assert_eq!(&**cast_string(&Json::Bool(true).into()).unwrap().string().unwrap(), "True");
        assert!(cast_string(&Json::Null.into()).unwrap().is_null());
        assert!(cast_string(&Value::Null).unwrap().is_null());
        assert_eq!(
            cast_string(&5.into()).unwrap_err().message,
            "Unable to cast object of type 'System.Int32' to type 'System.String'."
        );
        assert!(cast_bool(&Json::text("true").into()).unwrap());
        assert!(cast_bool(&"true".into()).is_err());
        assert_eq!(
            cast_guid(&Json::text("0f8fad5bd9cb469fa16570867728950e").into()).unwrap() >> 120,
            0x0f
        );
    }

    #[test]
    fn conversions_are_those_of_convert() {
        let rows: Vec<(Value, Result<i32, &str>)> = vec![
            ("42".into(), Ok(42)),
            (" -1 ".into(), Ok(-1)),
            (Value::Null, Ok(0)),
            (true.into(), Ok(1)),
            (2.5.into(), Ok(2)),
            (3.5.into(), Ok(4)),
            ('a'.into(), Ok(97)),
            (Json::text("12").into(), Ok(12)),
            ("x".into(), Err("Input string was not in a correct format.")),
            (3e10.into(), Err("Value was either too large or too small for an Int32.")),
            (
                3_000_000_000_i64.into(),
                Err("Value was either too large or too small for an Int32."),
            ),
            (
                DateTime::MIN.into(),
                Err(
                    "Unable to cast object of type 'System.DateTime' to type 'System.IConvertible'.",
                ),
            ),
        ];
        for (value, expected) in rows {
            let result = to_number(&value, Numeric::Int);
            match (result, expected) {
                (Ok(Value::Int(number)), Ok(wanted)) => assert_eq!(number, wanted),
                (Err(thrown), Err(message)) => assert_eq!(thrown.message, message),
                (other, _) => panic!("{value:?} gave {other:?}"),
            }
        }
        assert!(to_bool(&"True".into()).unwrap() && to_bool(&1.into()).unwrap());
        assert!(!to_bool(&Value::Null).unwrap() && to_bool(&"1".into()).is_err());
        assert_eq!(to_text_in_base(&255.into(), 16).unwrap(), "ff");
        assert_eq!(to_text_in_base(&(-1).into(), 2).unwrap().len(), 32);
        assert!(matches!(parse("1.5", Numeric::Decimal), Ok(Value::Decimal(_))));
        assert!(parse("ab", Numeric::Char).is_err());
    }

    #[test]
    fn base64_and_hexadecimal_read_back() {
        assert_eq!(base64::encode(b"user:pass").unwrap(), "dXNlcjpwYXNz");
        assert_eq!(base64::decode("dXNl\r\n cjpwYXNz").unwrap(), b"user:pass");
        assert_eq!(base64::decode("YQ==").unwrap(), b"a");
        for text in ["YQ", "Y", "Y===", "****"] {
            assert!(base64::decode(text).is_err(), "{text}");
        }
        assert_eq!(base64::hex(&[0, 171, 255]).unwrap(), "00ABFF");
        assert_eq!(base64::hyphenated(&[0, 171, 255]).unwrap(), "00-AB-FF");
        assert_eq!(base64::decode_hex("00abFF").unwrap(), [0, 171, 255]);
        assert!(base64::decode_hex("0").is_err() && base64::decode_hex("zz").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_number_panics(number: f64, whole: i64, text in ".{0,20}") {
            let targets = [Numeric::Byte, Numeric::Int, Numeric::UInt, Numeric::Long, Numeric::ULong, Numeric::Double, Numeric::Decimal, Numeric::Char];
            for target in targets {
                for value in [Value::Double(number), Value::Long(whole), Value::text(&text)] {
                    let _ = (cast_number(&value, target), to_number(&value, target), unbox(&value, target));
                }
            }
        }
    }
}
