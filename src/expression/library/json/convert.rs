//! Tokens to values and values to tokens: explicit casts, `Value<T>`, `ToObject<T>`, `FromObject`.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;

use super::write;
use crate::expression::library::convert::{self, Numeric, base64};
use crate::expression::library::{display, moment, number};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::collection::{List, ListKind, RecordKind};
use crate::expression::value::json::{Json, JsonArray, JsonObject, bounded_depth, bounded_tokens};
use crate::expression::value::moment::{DateTime, DateTimeOffset, TimeSpan};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The `T` of `Value<T>`, `ToObject<T>` and `DeserializeObject<T>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// `object`, `dynamic`, `JToken`: the token itself.
    Token,
    /// `JObject`.
    Object,
    /// `JArray`.
    Array,
    /// `string`.
    Text,
    /// `bool`.
    Bool,
    /// A numeric type.
    Number(Numeric),
    /// `DateTime`.
    DateTime,
    /// `DateTimeOffset`.
    DateTimeOffset,
    /// `TimeSpan`.
    TimeSpan,
    /// `Guid`.
    Guid,
    /// `byte[]`.
    Bytes,
    /// `T?`: `null` for JSON null and for no token.
    Nullable(Box<Self>),
    /// `T[]`.
    ArrayOf(Box<Self>),
    /// `List<T>`, `IList<T>`, `IEnumerable<T>`.
    ListOf(Box<Self>),
    /// `Dictionary<string, T>`.
    MapOf(Box<Self>),
}

/// The plain value of a simple token: `null` for JSON null; none for an object or an array.
pub fn simple(token: &Json) -> Option<Value> {
    Some(match token {
        Json::Null => Value::Null,
        Json::Bool(flag) => (*flag).into(),
        Json::Int(number) => (*number).into(),
        Json::Double(number) => (*number).into(),
        Json::Decimal(number) => (*number).into(),
        Json::String(text) | Json::Big(text) | Json::Uri(text) | Json::Raw(text) => {
            Value::String(Arc::clone(text))
        }
        Json::Date(moment) => (*moment).into(),
        Json::DateOffset(moment) => (*moment).into(),
        Json::Span(span) => (*span).into(),
        Json::Guid(guid) => Value::Guid(*guid),
        Json::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Json::Property(property) => return simple(&property.value()),
        Json::Object(_) | Json::Array(_) => return None,
    })
}

/// `(string)token`: `null` for JSON null.
pub fn to_text(token: &Json) -> Result<Value, Thrown> {
    match simple(token) {
        Some(Value::Bytes(bytes)) => base64::encode(&bytes).map(Value::from),
        Some(Value::Null) => Ok(Value::Null),
        Some(value) => display::text(&value).map(Value::String),
        None => Err(refused(token, "String")),
    }
}

/// `(int)token` and its like; also of a string that is a number.
pub fn to_number(token: &Json, target: Numeric) -> Result<Value, Thrown> {
    let name = target.type_name().trim_start_matches("System.");
    match simple(token) {
        Some(
            value @ (Value::Bool(_)
            | Value::Long(_)
            | Value::Double(_)
            | Value::Float(_)
            | Value::Decimal(_)
            | Value::String(_)),
        ) => convert::to_number(&value, target),
        _ => Err(refused(token, name)),
    }
}

/// `(bool)token`; also of a number, and of a string that is a boolean.
pub fn to_bool(token: &Json) -> Result<bool, Thrown> {
    match simple(token) {
        Some(
            value @ (Value::Bool(_)
            | Value::Long(_)
            | Value::Double(_)
            | Value::Float(_)
            | Value::Decimal(_)
            | Value::String(_)),
        ) => convert::to_bool(&value),
        _ => Err(refused(token, "Boolean")),
    }
}

/// `(DateTime)token`; also of a string that is a date.
pub fn to_date_time(token: &Json) -> Result<DateTime, Thrown> {
    match simple(token) {
        Some(Value::DateTime(moment)) => Ok(moment),
        Some(Value::DateTimeOffset(moment)) => Ok(moment::local_date_time(moment)),
        Some(Value::String(text)) => {
            moment::parse::date_time(&text, moment::parse::Styles::default())
        }
        _ => Err(refused(token, "DateTime")),
    }
}

/// `(DateTimeOffset)token`; also of a string that is a date.
pub fn to_date_time_offset(token: &Json) -> Result<DateTimeOffset, Thrown> {
    match simple(token) {
        Some(Value::DateTime(moment)) => Ok(moment::offset_from(moment)),
        Some(Value::DateTimeOffset(moment)) => Ok(moment),
        Some(Value::String(text)) => {
            moment::parse::date_time_offset(&text, moment::parse::Styles::default())
        }
        _ => Err(refused(token, "DateTimeOffset")),
    }
}

/// `(TimeSpan)token`; also of a string that is a span.
pub fn to_time_span(token: &Json) -> Result<TimeSpan, Thrown> {
    match simple(token) {
        Some(Value::TimeSpan(span)) => Ok(span),
        Some(Value::String(text)) => moment::span::parse(&text),
        _ => Err(refused(token, "TimeSpan")),
    }
}

/// `(Guid)token`; also of a string that is a GUID.
pub fn to_guid(token: &Json) -> Result<u128, Thrown> {
    match simple(token) {
        Some(Value::Guid(guid)) => Ok(guid),
        Some(Value::String(text)) => number::parse::guid(&text),
        _ => Err(refused(token, "Guid")),
    }
}

/// `(byte[])token`: bytes, or a string of base64.
pub fn to_bytes(token: &Json) -> Result<Bytes, Thrown> {
    match simple(token) {
        Some(Value::Bytes(bytes)) => Ok(bytes),
        Some(Value::String(text)) => base64::decode(&text).map(Bytes::from),
        _ => Err(refused(token, "byte array")),
    }
}

/// `token.Value<T>()` and `token.ToObject<T>()`.
pub fn to_target(token: &Json, target: &Target) -> Result<Value, Thrown> {
    let unwrapped = match token {
        Json::Property(property) => property.value(),
        other => other.clone(),
    };
    let each = |target: &Target| -> Result<Vec<Value>, Thrown> {
        match &unwrapped {
            Json::Array(array) => {
                array.items().iter().map(|item| to_target(item, target)).collect()
            }
            other => Err(not_deserialized(other, "an array")),
        }
    };
    Ok(match target {
        Target::Token => Value::Json(unwrapped),
        Target::Nullable(_) if matches!(unwrapped, Json::Null) => Value::Null,
        Target::Nullable(inner) => return to_target(&unwrapped, inner),
        Target::Text => return to_text(&unwrapped),
        Target::Bool => to_bool(&unwrapped)?.into(),
        Target::Number(number) => {
            let is_whole = !matches!(number, Numeric::Double | Numeric::Float | Numeric::Decimal);
            if let (Json::Double(fraction), true) = (&unwrapped, is_whole)
                && fraction.fract() != 0.0
            {
                let message = format!("Input string '{fraction}' is not a valid integer.");
                return Err(Thrown::new(ExceptionKind::JsonReader, message));
            }
            return to_number(&unwrapped, *number);
        }
        Target::DateTime => to_date_time(&unwrapped)?.into(),
        Target::DateTimeOffset => to_date_time_offset(&unwrapped)?.into(),
        Target::TimeSpan => to_time_span(&unwrapped)?.into(),
        Target::Guid => Value::Guid(to_guid(&unwrapped)?),
        Target::Bytes => Value::Bytes(to_bytes(&unwrapped)?),
        Target::Object
        | Target::Array
        | Target::ArrayOf(_)
        | Target::ListOf(_)
        | Target::MapOf(_)
            if matches!(unwrapped, Json::Null) =>
        {
            Value::Null
        }
        Target::Object => match unwrapped {
            Json::Object(_) => Value::Json(unwrapped),
            other => return Err(not_deserialized(&other, "an object")),
        },
        Target::Array => match unwrapped {
            Json::Array(_) => Value::Json(unwrapped),
            other => return Err(not_deserialized(&other, "an array")),
        },
        Target::ArrayOf(item) => Value::array(each(item)?),
        Target::ListOf(item) => Value::list(each(item)?),
        Target::MapOf(item) => match &unwrapped {
            Json::Object(object) => {
                let map = Map::new(false);
                for (name, member) in object.members() {
                    map.set(Value::String(name), to_target(&member, item)?)?;
                }
                map.into()
            }
            other => return Err(not_deserialized(other, "an object")),
        },
    })
}

/// `JToken.FromObject(value)`, and what a value becomes where a token is wanted. A token stays the
/// one it is; tokens inside of a collection are copied.
pub fn from_value(value: &Value) -> Result<Json, Thrown> {
    if let Value::Json(token) = value {
        return Ok(token.clone());
    }
    if let Value::Token(token) = value {
        return Ok(token.json.clone());
    }
    let mut tokens = 0;
    built(value, 0, &mut tokens)
}

fn listed(list: &List, depth: usize, tokens: &mut usize) -> Result<Json, Thrown> {
    let items = list.snapshot();
    match byte_array(list.kind(), &items) {
        Some(bytes) => Ok(Json::Bytes(bytes)),
        None => array(&items, depth, tokens),
    }
}

/// The bytes of a `byte[]` that is kept as a list; none if it is not one, or empty.
fn byte_array(kind: ListKind, items: &[Value]) -> Option<Bytes> {
    if kind != ListKind::Array || items.is_empty() {
        return None;
    }
    let byte = |item: &Value| if let Value::Byte(byte) = item { Some(*byte) } else { None };
    items.iter().map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

fn built(value: &Value, depth: usize, tokens: &mut usize) -> Result<Json, Thrown> {
    bounded_depth(depth)?;
    *tokens = tokens.saturating_add(1);
    bounded_tokens(*tokens)?;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Char(character) => Json::text(character.to_string()),
        Value::Byte(number) => Json::Int(i64::from(*number)),
        Value::Int(number) => Json::Int(i64::from(*number)),
        Value::UInt(number) => Json::Int(i64::from(*number)),
        Value::Long(number) => Json::Int(*number),
        Value::ULong(number) => i64::try_from(*number)
            .map_or_else(|_| Json::Big(Arc::from(number.to_string())), Json::Int),
        Value::Double(number) => Json::Double(*number),
        // The digits that it shows, not those that its bits stand for.
        Value::Float(number) => Json::Double(number.to_string().parse().unwrap_or_default()),
        Value::Decimal(number) => Json::Decimal(*number),
        Value::String(text) => Json::String(Arc::clone(text)),
        Value::Bytes(bytes) => Json::Bytes(bytes.clone()),
        Value::DateTime(moment) => Json::Date(*moment),
        Value::DateTimeOffset(moment) => Json::DateOffset(*moment),
        Value::TimeSpan(span) => Json::Span(*span),
        Value::Guid(guid) => Json::Guid(*guid),
        Value::Uri(uri) => Json::Uri(Arc::clone(&uri.original)),
        Value::Json(Json::Property(property)) => {
            let member = property.value().deep_clone()?;
            object([(Arc::clone(property.name()), member)])
        }
        Value::Json(token) => token.deep_clone()?,
        Value::Token(token) => built(&Value::Json(token.json.clone()), depth, tokens)?,
        Value::List(list) => listed(list, depth, tokens)?,
        Value::Set(set) => array(&set.snapshot(), depth, tokens)?,
        Value::Grouping(grouping) => array(&grouping.items, depth, tokens)?,
        Value::Map(map) => {
            let members = map.snapshot().into_iter().map(|(key, value)| {
                Ok((key_text(&key)?, built(&value, depth.saturating_add(1), tokens)?))
            });
            object(members.collect::<Result<Vec<_>, Thrown>>()?)
        }
        Value::Pair(pair) => object([
            (Arc::from("Key"), built(&pair.key, depth.saturating_add(1), tokens)?),
            (Arc::from("Value"), built(&pair.value, depth.saturating_add(1), tokens)?),
        ]),
        Value::Record(record) => {
            let is_tuple = record.kind() == RecordKind::Tuple;
            let members = record.fields().enumerate().map(|(place, (name, value))| {
                // Names of a tuple's items are the compiler's; only `Item1` and so on are written.
                let name = if is_tuple {
                    Arc::from(format!("Item{}", place.saturating_add(1)))
                } else {
                    Arc::clone(name)
                };
                Ok((name, built(value, depth.saturating_add(1), tokens)?))
            });
            object(members.collect::<Result<Vec<_>, Thrown>>()?)
        }
        Value::Exception(thrown) => object([
            (Arc::from("ClassName"), Json::text(thrown.kind.full_name())),
            (Arc::from("Message"), Json::text(&thrown.message)),
        ]),
        Value::IpAddress(IpAddr::V4(_) | IpAddr::V6(_))
        | Value::StringBuilder(_)
        | Value::Xml(_)
        | Value::Match(_)
        | Value::Group(_) => Json::String(display::text(value)?),
        other => {
            return Err(Thrown::new(
                ExceptionKind::JsonSerialization,
                format!("A '{}' cannot be written as JSON.", other.type_name()),
            ));
        }
    })
}

fn array(items: &[Value], depth: usize, tokens: &mut usize) -> Result<Json, Thrown> {
    let items = items.iter().map(|item| built(item, depth.saturating_add(1), tokens));
    Ok(Json::Array(JsonArray::from_items(items.collect::<Result<_, _>>()?)))
}

fn object(members: impl IntoIterator<Item = (Arc<str>, Json)>) -> Json {
    Json::Object(JsonObject::from_members(members.into_iter().collect::<IndexMap<_, _>>()))
}

/// A dictionary's key as a member's name.
fn key_text(key: &Value) -> Result<Arc<str>, Thrown> {
    match key {
        Value::DateTime(moment) => Ok(Arc::from(write::date_text(*moment))),
        Value::DateTimeOffset(moment) => Ok(Arc::from(write::date_offset_text(*moment))),
        other => display::text(other),
    }
}

/// Newtonsoft's refusal to cast a token.
fn refused(token: &Json, target: &str) -> Thrown {
    Thrown::new(
        ExceptionKind::Argument,
        format!("Can not convert {} to {target}.", token.kind_name()),
    )
}

fn not_deserialized(token: &Json, wanted: &str) -> Thrown {
    Thrown::new(
        ExceptionKind::JsonSerialization,
        format!(
            "Cannot deserialize the current JSON: {wanted} is wanted, but it is {}.",
            token.kind_name()
        ),
    )
}
