//! Conversions: implicit ones that change the form of a value, and casts.

use std::sync::Arc;

use crate::expression::library::convert::{self, Numeric};
use crate::expression::library::json::convert as json;
use crate::expression::library::number::parse;
use crate::expression::library::{sequence, xml};
use crate::expression::types::{Class, Type, is_instance};
use crate::expression::value::collection::{List, Pair};
use crate::expression::value::json::Json;
use crate::expression::value::moment::{DateTime, DateTimeOffset, TimeSpan};
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::Xml;
use crate::expression::value::xml::tree::Kind;
use crate::expression::value::{Value, bounded_items};

/// Whether `value` is a `to` as it is, for the conversions that policies consist of.
pub(super) fn is_already(value: &Value, to: &Type) -> bool {
    matches!(
        (to, value),
        (Type::Object, _)
            | (Type::String, Value::String(_))
            | (Type::Int, Value::Int(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Class(Class::JToken), Value::Json(_))
            | (Type::Class(Class::JObject), Value::Json(Json::Object(_)))
            | (Type::Class(Class::JArray), Value::Json(Json::Array(_)))
    )
}

/// `value` as a `to`.
pub(super) fn convert(value: Value, to: &Type) -> Result<Value, Thrown> {
    if let Value::Token(token) = &value {
        // As another kind of token it stays where it is.
        let converted = convert(Value::Json(token.json.clone()), to)?;
        return Ok(if matches!(converted, Value::Json(_)) { value } else { converted });
    }
    if let Value::Xml(Xml::Node(node)) = &value
        && matches!(node.kind(), Kind::Element | Kind::Attribute)
        && is_read_from_xml(to)
    {
        return from_xml(&xml::bounded_value(node)?, to);
    }
    match to {
        Type::Nullable(inner) => {
            if value.is_null() || matches!(value, Value::Json(Json::Null)) {
                return Ok(Value::Null);
            }
            convert(value, inner)
        }
        Type::Object | Type::Unknown | Type::Void | Type::Never | Type::Null => Ok(value),
        Type::String => match value {
            Value::String(_) | Value::Null => Ok(value),
            other => convert::cast_string(&other),
        },
        Type::Bool => match value {
            Value::Bool(_) => Ok(value),
            other => convert::cast_bool(&other).map(Value::Bool),
        },
        Type::Class(class) => to_class(value, *class),
        Type::Array(item) if **item == Type::Byte => match value {
            Value::Bytes(_) | Value::Null => Ok(value),
            other => convert::cast_bytes(&other).map(Value::Bytes),
        },
        Type::Enumeration(_) => match value {
            Value::Int(_) => Ok(value),
            other => convert::cast_number(&other, Numeric::Int),
        },
        other => match numeric(other) {
            Some(_) if is_instance(&value, other) => Ok(value),
            Some(target) => convert::cast_number(&value, target),
            None => checked(value, to),
        },
    }
}

/// Whether a cast reads it from the text of an element or attribute.
fn is_read_from_xml(to: &Type) -> bool {
    match to {
        Type::Nullable(inner) => is_read_from_xml(inner),
        Type::Class(class) => is_struct(*class),
        Type::Bool => true,
        other => numeric(other).is_some(),
    }
}

fn from_xml(text: &str, to: &Type) -> Result<Value, Thrown> {
    let text = text.trim();
    match to {
        Type::Nullable(inner) => from_xml(text, inner),
        // XML also writes 1 and 0.
        Type::Bool if text == "1" || text == "0" => Ok(Value::Bool(text == "1")),
        Type::Bool => parse::bool(text).map(Value::Bool),
        Type::Class(_) => convert(Value::Json(Json::text(text)), to),
        other => match numeric(other) {
            Some(target) => convert::parse(text, target),
            None => Err(Thrown::format()),
        },
    }
}

fn to_class(value: Value, class: Class) -> Result<Value, Thrown> {
    if value.is_null() && !matches!(class, Class::JToken) && !is_struct(class) {
        return Ok(value);
    }
    match class {
        // `null` that is put into JSON is JSON's null only when it is there; C# keeps it null.
        Class::JToken => match value {
            Value::Json(_) | Value::Null => Ok(value),
            other => json::from_value(&other).map(Value::Json),
        },
        Class::DateTime => convert::cast_date_time(&value).map(Value::DateTime),
        Class::DateTimeOffset => convert::cast_date_time_offset(&value).map(Value::DateTimeOffset),
        Class::TimeSpan => convert::cast_time_span(&value).map(Value::TimeSpan),
        Class::Guid => convert::cast_guid(&value).map(Value::Guid),
        Class::XName => xml::to_name(&value).map(|name| Value::Xml(Xml::Name(name))),
        Class::XNamespace => match &value {
            Value::String(uri) => Ok(Value::Xml(Xml::Namespace(Arc::clone(uri)))),
            _ => checked(value, &Type::Class(class)),
        },
        Class::Uri => match &value {
            Value::Json(token) => match json::simple(token) {
                Some(simple) => Ok(simple),
                None => checked(value, &Type::Class(class)),
            },
            _ => checked(value, &Type::Class(class)),
        },
        _ => checked(value, &Type::Class(class)),
    }
}

const fn is_struct(class: Class) -> bool {
    matches!(class, Class::DateTime | Class::DateTimeOffset | Class::TimeSpan | Class::Guid)
}

/// A cast that only asks.
fn checked(value: Value, to: &Type) -> Result<Value, Thrown> {
    if value.is_null() || is_instance(&value, to) {
        return Ok(value);
    }
    let from = value.type_name();
    let message = format!("Unable to cast object of type '{from}' to type '{to}'.");
    Err(Thrown::new(ExceptionKind::InvalidCast, message))
}

/// `(to)value` where nothing is known of the value: an `int` in an `object` is no `long`.
pub(in crate::expression) fn unboxed(value: Value, to: &Type) -> Result<Value, Thrown> {
    match numeric(to) {
        Some(target) => convert::unbox(&value.without_place(), target),
        None if *to == Type::Bool && value.is_null() => Err(Thrown::null_reference()),
        None => convert(value, to),
    }
}

/// `value` as a `to`, for constants.
pub(in crate::expression) fn cast(value: Value, to: &Type) -> Result<Value, Thrown> {
    convert(value, to)
}

/// The numeric type that `ty` is.
pub(in crate::expression) fn numeric(ty: &Type) -> Option<Numeric> {
    Some(match ty {
        Type::Byte => Numeric::Byte,
        Type::Int => Numeric::Int,
        Type::UInt => Numeric::UInt,
        Type::Long => Numeric::Long,
        Type::ULong => Numeric::ULong,
        Type::Double => Numeric::Double,
        Type::Float => Numeric::Float,
        Type::Decimal => Numeric::Decimal,
        Type::Char => Numeric::Char,
        _ => return None,
    })
}

/// `default(ty)`
pub(in crate::expression) fn default_of(ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Char => Value::Char('\0'),
        Type::Byte => Value::Byte(0),
        Type::Int | Type::Enumeration(_) => Value::Int(0),
        Type::UInt => Value::UInt(0),
        Type::Long => Value::Long(0),
        Type::ULong => Value::ULong(0),
        Type::Double => Value::Double(0.0),
        Type::Float => Value::Float(0.0),
        Type::Decimal => Value::Decimal(rust_decimal::Decimal::ZERO),
        Type::Class(Class::DateTime) => Value::DateTime(DateTime::MIN),
        Type::Class(Class::DateTimeOffset) => Value::DateTimeOffset(DateTimeOffset::MIN),
        Type::Class(Class::TimeSpan) => Value::TimeSpan(TimeSpan::ZERO),
        Type::Class(Class::Guid) => Value::Guid(0),
        Type::Pair(key, value) => {
            Value::Pair(Arc::new(Pair::new(default_of(key), default_of(value))))
        }
        _ => Value::Null,
    }
}

/// `new T[length]`, each item the default.
pub(super) fn array_of(length: &Value, item: &Value) -> Result<Value, Thrown> {
    let length = usize::try_from(length.int()?).map_err(|_| {
        Thrown::new(ExceptionKind::Overflow, "Arithmetic operation resulted in an overflow.")
    })?;
    bounded_items(length)?;
    Ok(Value::List(Arc::new(List::array(vec![item.clone(); length]))))
}

/// What `foreach` gives.
pub(super) fn items(value: &Value) -> Result<Vec<Value>, Thrown> {
    if value.is_null() {
        return Err(Thrown::null_reference());
    }
    sequence::items(value)
}
