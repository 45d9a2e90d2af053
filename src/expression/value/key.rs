//! What a value is equal by: dictionary keys, sets, `Distinct`, `GroupBy`.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::Value;
use super::json::Json;
use super::moment::{DateTime, DateTimeOffset, TimeSpan};

/// How deep tuples are compared by value; deeper ones are the same only if they are one object.
const DEPTH_MAX: usize = 4;

/// The form under which two values are the same where `Equals` says so in .NET: by value for
/// simple types, strings, tuples and simple JSON, by identity for the rest.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Key(Form);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Form {
    Null,
    Bool(bool),
    Char(char),
    Byte(u8),
    Int(i32),
    UInt(u32),
    Long(i64),
    ULong(u64),
    Double(u64),
    Decimal(Decimal),
    Text(Arc<str>),
    DateTime(i64),
    Instant(i64),
    Span(TimeSpan),
    Guid(u128),
    Token(Box<Self>),
    Parts(Vec<Self>),
    Object(usize),
}

impl Key {
    /// The key of `value`; `ignores_case` holds for strings.
    pub fn new(value: &Value, ignores_case: bool) -> Self {
        Self(form(value, ignores_case, DEPTH_MAX))
    }

    /// The key of the string `text`.
    pub fn text(text: &str, ignores_case: bool) -> Self {
        Self(Form::Text(if ignores_case { fold(text).into() } else { text.into() }))
    }
}

/// `text` in the upper case that ordinal comparison without case uses: one character for one.
pub fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

/// One character of [`fold`].
pub fn fold_char(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_uppercase();
    }
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn form(value: &Value, ignores_case: bool, depth: usize) -> Form {
    match value {
        Value::Null => Form::Null,
        Value::Bool(flag) => Form::Bool(*flag),
        Value::Char(character) => Form::Char(*character),
        Value::Byte(number) => Form::Byte(*number),
        Value::Int(number) => Form::Int(*number),
        Value::UInt(number) => Form::UInt(*number),
        Value::Long(number) => Form::Long(*number),
        Value::ULong(number) => Form::ULong(*number),
        Value::Double(number) => Form::Double(double_bits(*number)),
        Value::Float(number) => Form::Double(double_bits(f64::from(*number))),
        Value::Decimal(number) => Form::Decimal(number.normalize()),
        Value::String(text) => Key::text(text, ignores_case).0,
        Value::DateTime(moment) => Form::DateTime(moment.ticks),
        Value::DateTimeOffset(moment) => Form::Instant(moment.utc_ticks()),
        Value::TimeSpan(span) => Form::Span(*span),
        Value::Guid(guid) => Form::Guid(*guid),
        Value::Json(json) => token(json),
        Value::Token(placed) => token(&placed.json),
        Value::Uri(uri) => Form::Text(Arc::from(uri.text())),
        Value::IpAddress(address) => Form::Text(address.to_string().into()),
        Value::Pair(pair) if depth > 0 => Form::Parts(vec![
            form(&pair.key, ignores_case, depth.saturating_sub(1)),
            form(&pair.value, ignores_case, depth.saturating_sub(1)),
        ]),
        Value::Record(record) if depth > 0 => Form::Parts(
            record
                .values()
                .iter()
                .map(|part| form(part, ignores_case, depth.saturating_sub(1)))
                .collect(),
        ),
        other => Form::Object(other.address().unwrap_or_default()),
    }
}

fn token(json: &Json) -> Form {
    let inner = match json {
        Json::Null => Form::Null,
        Json::Bool(flag) => Form::Bool(*flag),
        Json::Int(number) => Form::Long(*number),
        Json::Double(number) => Form::Double(double_bits(*number)),
        Json::Decimal(number) => Form::Decimal(number.normalize()),
        Json::String(text) | Json::Uri(text) | Json::Raw(text) | Json::Big(text) => {
            Form::Text(Arc::clone(text))
        }
        Json::Date(DateTime { ticks, .. }) => Form::DateTime(*ticks),
        Json::DateOffset(moment) => Form::Instant(DateTimeOffset::utc_ticks(*moment)),
        Json::Span(span) => Form::Span(*span),
        Json::Guid(guid) => Form::Guid(*guid),
        Json::Bytes(bytes) => Form::Object(bytes.as_ptr().addr()),
        Json::Object(object) => Form::Object(object.address()),
        Json::Array(array) => Form::Object(array.address()),
        Json::Property(property) => Form::Object(property.address()),
    };
    Form::Token(Box::new(inner))
}

/// The bits of `number`, where the two zeros are one and all that is not a number is one.
fn double_bits(number: f64) -> u64 {
    if number.is_nan() {
        f64::NAN.to_bits()
    } else if number == 0.0 {
        0
    } else {
        number.to_bits()
    }
}
