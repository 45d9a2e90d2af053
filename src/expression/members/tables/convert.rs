//! `System.Convert`.

use super::super::Member;
use super::super::arguments::{Outcome, at, bytes, int, ok, static_method, text};
use crate::expression::library::convert::{self, Numeric, base64};
use crate::expression::library::number::parse;
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

macro_rules! to_number {
    ($name:literal, $result:literal, $target:ident) => {
        static_method($name, "object value, CultureInfo provider = null", $result, |v| {
            convert::to_number(at(v, 0), Numeric::$target)
        })
    };
    ($name:literal, $result:literal, $target:ident, base) => {
        static_method($name, "string value, int fromBase", $result, |v| {
            let bits = parse::in_base(text(v, 0)?, int(v, 1)?)?;
            convert::cast_number(&Value::ULong(bits), Numeric::$target)
        })
    };
}

pub(super) const CONVERT: &[Member] = &[
    to_number!("ToByte", "byte", Byte),
    to_number!("ToByte", "byte", Byte, base),
    to_number!("ToInt16", "int", Int),
    to_number!("ToUInt16", "int", Int),
    to_number!("ToInt32", "int", Int),
    to_number!("ToInt32", "int", Int, base),
    to_number!("ToUInt32", "uint", UInt),
    to_number!("ToUInt32", "uint", UInt, base),
    to_number!("ToInt64", "long", Long),
    to_number!("ToInt64", "long", Long, base),
    to_number!("ToUInt64", "ulong", ULong),
    to_number!("ToUInt64", "ulong", ULong, base),
    to_number!("ToSingle", "float", Float),
    to_number!("ToDouble", "double", Double),
    to_number!("ToDecimal", "decimal", Decimal),
    to_number!("ToChar", "char", Char),
    static_method("ToBoolean", "object value, CultureInfo provider = null", "bool", |v| {
        ok(convert::to_bool(at(v, 0))?)
    }),
    static_method("ToDateTime", "object value, CultureInfo provider = null", "DateTime", |v| {
        ok(convert::to_date_time(at(v, 0))?)
    }),
    static_method("ToString", "object value, CultureInfo provider = null", "string", |v| {
        convert::to_text(at(v, 0))
    }),
    static_method("ToString", "string value", "string", |v| Ok(at(v, 0).clone())),
    static_method("ToString", "byte value, int toBase", "string", |v| {
        ok(convert::to_text_in_base(at(v, 0), int(v, 1)?)?)
    }),
    static_method("ToString", "int value, int toBase", "string", |v| {
        ok(convert::to_text_in_base(at(v, 0), int(v, 1)?)?)
    }),
    static_method("ToString", "long value, int toBase", "string", |v| {
        ok(convert::to_text_in_base(at(v, 0), int(v, 1)?)?)
    }),
    static_method(
        "ToBase64String",
        "byte[] inArray, Base64FormattingOptions options = 0",
        "string",
        |v| ok(base64::encode_lines(&bytes(v, 0)?, int(v, 1)? & 1 != 0)?),
    ),
    static_method("FromBase64String", "string s", "byte[]", |v| ok(base64::decode(text(v, 0)?)?)),
    static_method("ToHexString", "byte[] inArray", "string", |v| ok(base64::hex(&bytes(v, 0)?)?)),
    static_method("FromHexString", "string s", "byte[]", |v| ok(base64::decode_hex(text(v, 0)?)?)),
    static_method("IsDBNull", "object value", "bool", |_| ok(false)),
    static_method("ToSByte", "object value, CultureInfo provider = null", "int", |v| {
        let number = convert::to_number(at(v, 0), Numeric::Int)?.int()?;
        let fits = i8::try_from(number).is_ok();
        if fits { ok(number) } else { Err(Thrown::overflow("a signed byte")) }
    }),
    static_method(
        "ToBase64String",
        "byte[] inArray, int offset, int length, Base64FormattingOptions options = 0",
        "string",
        |v| {
            let whole = bytes(v, 0)?;
            let start = usize::try_from(int(v, 1)?).unwrap_or(usize::MAX);
            let length = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
            let part = whole.get(start..start.saturating_add(length));
            let outside = || Thrown::out_of_range("offset", "Offset and length are outside.");
            ok(base64::encode_lines(part.ok_or_else(outside)?, int(v, 3)? & 1 != 0)?)
        },
    ),
    static_method(
        "ChangeType",
        "object value, Type conversionType, CultureInfo provider = null",
        "object",
        |v| change_type(at(v, 0), text(v, 1)?),
    ),
];

/// `Convert.ChangeType(value, type)` to a type that `Convert` knows.
fn change_type(value: &Value, to: &str) -> Outcome {
    const NUMBERS: [Numeric; 9] = [
        Numeric::Byte,
        Numeric::Int,
        Numeric::UInt,
        Numeric::Long,
        Numeric::ULong,
        Numeric::Double,
        Numeric::Float,
        Numeric::Decimal,
        Numeric::Char,
    ];
    let number = NUMBERS.into_iter().find(|target| target.type_name() == to);
    if value.is_null() && (number.is_some() || to == "System.Boolean") {
        let message = "Null object cannot be converted to a value type.";
        return Err(Thrown::new(ExceptionKind::InvalidCast, message));
    }
    match (to, number) {
        (_, Some(target)) => convert::to_number(value, target),
        ("System.String", _) => {
            if value.is_null() {
                Ok(Value::Null)
            } else {
                convert::to_text(value)
            }
        }
        ("System.Boolean", _) => ok(convert::to_bool(value)?),
        ("System.DateTime", _) => ok(convert::to_date_time(value)?),
        _ if value.is_null() || to == "System.Object" || value.type_name() == to => {
            Ok(value.clone())
        }
        _ => {
            let from = value.type_name();
            let message = format!("Invalid cast from '{from}' to '{to}'.");
            Err(Thrown::new(ExceptionKind::InvalidCast, message))
        }
    }
}
