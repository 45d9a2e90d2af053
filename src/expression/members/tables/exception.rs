//! Exceptions: how they are made, and what they say.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{Outcome, at, constructor, ok, property};
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

fn thrown(v: &[Value]) -> Result<&Thrown, Thrown> {
    match at(v, 0) {
        Value::Exception(thrown) => Ok(thrown),
        other => Err(other.refused("System.Exception")),
    }
}

pub(super) const EXCEPTION: &[Member] = &[
    property("Message", "string", |v| ok(thrown(v)?.message.clone())),
    property("InnerException", "Exception", |v| {
        let inner = thrown(v)?.inner.as_deref().cloned();
        Ok(inner.map_or(Value::Null, Value::from))
    }),
    property("StackTrace", "string", |_| ok("")),
    property("Source", "string", |_| ok("")),
];

/// `new Exception(message)` for each kind: a kind is not an argument, so each has its own.
macro_rules! exceptions {
    ($($kind:ident = $made:ident),* $(,)?) => {
        $(const $made: &[Member] =
            &[constructor("string message = null, Exception innerException = null", |v| {
                made(v, ExceptionKind::$kind)
            })];)*

        pub(super) const fn exception(kind: ExceptionKind) -> &'static [&'static [Member]] {
            match kind {
                ExceptionKind::Argument => &[EXCEPTION, ARGUMENTS],
                ExceptionKind::ArgumentNull => &[EXCEPTION, ARGUMENT_NULLS],
                ExceptionKind::ArgumentOutOfRange => &[EXCEPTION, ARGUMENT_OUT_OF_RANGES],
                $(ExceptionKind::$kind => &[EXCEPTION, $made],)*
                _ => &[EXCEPTION],
            }
        }
    };
}

fn made(v: &[Value], kind: ExceptionKind) -> Outcome {
    let message = match at(v, 0).string_or_null()? {
        Some(message) => message.to_string(),
        None => kind.default_message(),
    };
    let inner = match at(v, 1) {
        Value::Exception(inner) => Some(Arc::clone(inner)),
        _ => None,
    };
    ok(Thrown { inner, ..Thrown::new(kind, message) })
}

/// An exception about the argument called `name`; without a message, with the kind's own.
fn about(kind: ExceptionKind, message: Option<&str>, name: Option<&str>) -> Outcome {
    let message = message.map_or_else(|| kind.default_message(), str::to_owned);
    let whole = match name {
        Some(name) if !name.is_empty() => format!("{message} (Parameter '{name}')"),
        _ => message,
    };
    ok(Thrown::new(kind, whole))
}

fn string(v: &[Value], index: usize) -> Result<Option<&str>, Thrown> {
    Ok(at(v, index).string_or_null()?.map(|text| &**text))
}

const ARGUMENTS: &[Member] = &[
    constructor("string message = null, Exception innerException = null", |v| {
        made(v, ExceptionKind::Argument)
    }),
    constructor("string message, string paramName", |v| {
        about(ExceptionKind::Argument, string(v, 0)?, string(v, 1)?)
    }),
];

const ARGUMENT_NULLS: &[Member] = &[
    constructor("string paramName = null", |v| {
        about(ExceptionKind::ArgumentNull, None, string(v, 0)?)
    }),
    constructor("string paramName, string message", |v| {
        about(ExceptionKind::ArgumentNull, string(v, 1)?, string(v, 0)?)
    }),
    constructor("string message, Exception innerException", |v| {
        made(v, ExceptionKind::ArgumentNull)
    }),
];

const ARGUMENT_OUT_OF_RANGES: &[Member] = &[
    constructor("string paramName = null", |v| {
        about(ExceptionKind::ArgumentOutOfRange, None, string(v, 0)?)
    }),
    constructor("string paramName, string message", |v| {
        about(ExceptionKind::ArgumentOutOfRange, string(v, 1)?, string(v, 0)?)
    }),
    constructor("string paramName, object actualValue, string message", |v| {
        about(ExceptionKind::ArgumentOutOfRange, string(v, 2)?, string(v, 0)?)
    }),
    constructor("string message, Exception innerException", |v| {
        made(v, ExceptionKind::ArgumentOutOfRange)
    }),
];

exceptions! {
    Exception = EXCEPTIONS,
    System = SYSTEMS,
    Application = APPLICATIONS,
    Arithmetic = ARITHMETICS,
    DivideByZero = DIVIDE_BY_ZEROS,
    Overflow = OVERFLOWS,
    Format = FORMATS,
    IndexOutOfRange = INDEX_OUT_OF_RANGES,
    InvalidCast = INVALID_CASTS,
    InvalidOperation = INVALID_OPERATIONS,
    KeyNotFound = KEY_NOT_FOUNDS,
    NotImplemented = NOT_IMPLEMENTEDS,
    NotSupported = NOT_SUPPORTEDS,
    NullReference = NULL_REFERENCES,
    Timeout = TIMEOUTS,
    UnauthorizedAccess = UNAUTHORIZED_ACCESSS,
    UriFormat = URI_FORMATS,
    Json = JSONS,
    JsonReader = JSON_READERS,
    JsonSerialization = JSON_SERIALIZATIONS,
    Xml = XMLS,
    Cryptographic = CRYPTOGRAPHICS,
}
