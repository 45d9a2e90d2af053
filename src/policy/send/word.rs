//! What the attributes of these policies can hold.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::BaseUrl;
use crate::expression::Expected;
use crate::expression::library::moment::span;
use crate::expression::library::number::parse::guid;
use crate::expression::value::Value;
use crate::expression::value::moment::TimeSpan;
use crate::policy::operand::{Term, text_of};

/// `mode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// A request of its own.
    New,
    /// The client's request, changed.
    Copy,
}

impl Term for Mode {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "new" => Ok(Self::New),
            "copy" => Ok(Self::Copy),
            _ => Err("`new` or `copy`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// A namespace of Service Bus: always over TLS.
#[derive(Clone, Debug)]
pub(super) struct Namespace(pub(super) Arc<BaseUrl>);

impl Term for Namespace {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let base = BaseUrl::parse(&format!("https://{text}")).ok();
        let base = base.filter(|_base| !text.contains('/')).map(|base| Self(Arc::new(base)));
        base.ok_or("the host of a namespace, such as NAME.servicebus.windows.net")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// The name of a queue or a topic, as a path has it.
#[derive(Clone, Debug)]
pub(super) struct Entity(pub(super) Arc<str>);

/// The longest name of a queue or a topic, in bytes.
const ENTITY_BYTES_MAX: usize = 260;

impl Term for Entity {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_step = |step: &str| {
            step.bytes().all(plain) && step.bytes().any(|byte| byte.is_ascii_alphanumeric())
        };
        let is_name = text.len() <= ENTITY_BYTES_MAX && text.split('/').all(is_step);
        let refused = "the name of a queue or a topic: letters, digits, `.`, `-`, `_` and `/`";
        if is_name { Ok(Self(Arc::from(text))) } else { Err(refused) }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// The id of a message or of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub(super) u128);

impl Term for Id {
    const EXPECTED: Expected = Expected::Any;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        guid(text).map(Self).map_err(|_refused| "a GUID")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// How long a message lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life(pub(super) Duration);

impl Term for Life {
    const EXPECTED: Expected = Expected::Any;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let expected = "a span of time, such as 00:10:00";
        let TimeSpan(ticks) = span::parse(text).map_err(|_refused| expected)?;
        let ticks = u64::try_from(ticks).map_err(|_negative| expected)?;
        let span = Duration::from_micros(ticks / TICKS_OF_MICROSECOND);
        if span.is_zero() { Err(expected) } else { Ok(Self(span)) }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// A tick of .NET is a tenth of a microsecond.
const TICKS_OF_MICROSECOND: u64 = 10;
