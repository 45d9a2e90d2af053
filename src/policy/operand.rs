//! What a policy is given: a constant, or an expression that is evaluated for each request.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what no term takes as it is, it takes by its text"
)]

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::secrets::HIDDEN;
use crate::expression::library::display;
use crate::expression::value::Value;
use crate::expression::{Expected, Expression};
use crate::fault::Place;
use crate::policy::Failure;

/// A value that is known at load, or an expression that makes it.
#[derive(Clone, Debug)]
pub enum Operand<T> {
    /// Known at load.
    Constant(T),
    /// Evaluated for each request.
    Computed(Arc<Computed>),
}

/// An expression and where it stands.
#[derive(Debug)]
pub struct Computed {
    /// The expression.
    pub expression: Expression,
    /// Its first character.
    pub place: Place,
    /// Whether a secret named value is part of it: then nothing may show it.
    pub is_secret: bool,
}

/// What an attribute can hold.
pub trait Term: Clone + Sized {
    /// What the compiler of expressions is told.
    const EXPECTED: Expected;

    /// Reads a literal; the error says what is expected, as the end of "… is not".
    fn from_literal(text: &str) -> Result<Self, &'static str>;

    /// Takes what an expression gave; the error says what is expected.
    fn from_value(value: Value) -> Result<Self, &'static str>;
}

impl<T: Term> Operand<T> {
    /// The value for this exchange.
    pub fn get(&self, exchange: &mut Exchange) -> Result<T, Failure> {
        self.look(exchange).map(Cow::into_owned)
    }

    /// The same, lent where it is known: for who only looks at it.
    pub fn look(&self, exchange: &mut Exchange) -> Result<Cow<'_, T>, Failure> {
        match self {
            Self::Constant(value) => Ok(Cow::Borrowed(value)),
            Self::Computed(computed) => {
                let value = T::from_value(computed.evaluate(exchange)?).map_err(|expected| {
                    Failure::value(format!("the value of {} is not {expected}", computed.named()))
                })?;
                Ok(Cow::Owned(value))
            }
        }
    }

    /// The value, where it does not depend on the exchange.
    pub const fn constant(&self) -> Option<&T> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Computed(_) => None,
        }
    }

    /// Whether a secret named value is part of its expression.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Computed(computed) if computed.is_secret)
    }

    /// How a message shows `value`, which this operand gave: not where a secret is part of it.
    pub fn shown(&self, value: impl fmt::Display) -> String {
        match self {
            Self::Computed(computed) if computed.is_secret => HIDDEN.to_owned(),
            Self::Constant(_) | Self::Computed(_) => format!("`{value}`"),
        }
    }

    /// The expression, where there is one.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Constant(_) => None,
            Self::Computed(computed) => Some(&computed.expression),
        }
    }
}

impl Computed {
    /// What messages call it.
    fn named(&self) -> String {
        if self.is_secret {
            return "an expression with a secret in it".to_owned();
        }
        format!("`{}`", brief(self.expression.source()))
    }

    /// What the expression gives for this exchange. What it traces, or why it fails, is not shown
    /// where a secret is part of it.
    pub fn evaluate(&self, exchange: &mut Exchange) -> Result<Value, Failure> {
        if !self.is_secret {
            let outcome = self.expression.evaluate(exchange);
            return outcome.map_err(|error| Failure::expression(error.message));
        }
        let traces_before = exchange.traces.len();
        let outcome = self.expression.evaluate(exchange);
        for trace in exchange.traces.iter_mut().skip(traces_before) {
            trace.message = Arc::from(HIDDEN);
        }
        outcome.map_err(|_error| Failure::expression(format!("{} failed", self.named())))
    }
}

/// The most characters of an expression that a message repeats.
const BRIEF_CHARACTERS_MAX: usize = 80;

/// `source` on one line, cut where it is long.
pub fn brief(source: &str) -> String {
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= BRIEF_CHARACTERS_MAX {
        return line;
    }
    let cut: String = line.chars().take(BRIEF_CHARACTERS_MAX).collect();
    format!("{cut}…")
}

/// The value as `ToString()` gives it.
pub fn text_of(value: &Value) -> Result<Arc<str>, &'static str> {
    display::text(value).map_err(|_too_long| "a text that fits the bounds of expressions")
}

/// The bytes of a body: byte arrays as they are, everything else as text in UTF-8.
pub fn body_of(value: &Value) -> Result<Bytes, Failure> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.clone()),
        Value::Body(body) => Ok(body.0.clone()),
        // Of an empty array nothing but its length is known: as a body it is empty.
        Value::List(list) if list.is_array_of_bytes() || list.is_empty_array() => {
            value.bytes().map_err(|thrown| Failure::value(thrown.message))
        }
        other => {
            let text = text_of(other)
                .map_err(|expected| Failure::value(format!("the body is not {expected}")))?;
            Ok(Bytes::copy_from_slice(text.as_bytes()))
        }
    }
}

impl Term for bool {
    const EXPECTED: Expected = Expected::Bool;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("`true` or `false`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Bool(flag) => Ok(flag),
            other => Self::from_literal(&text_of(&other)?),
        }
    }
}

impl Term for Arc<str> {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        Ok(Self::from(text))
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) => Ok(text),
            other => text_of(&other),
        }
    }
}

impl Term for u64 {
    const EXPECTED: Expected = Expected::Int;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map_err(|_refused| "a whole number from 0")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Int(number) => {
                Self::try_from(number).map_err(|_refused| "a whole number from 0")
            }
            other => Self::from_literal(&text_of(&other)?),
        }
    }
}

/// A span of time given in seconds, fractions allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seconds(pub Duration);

impl Term for Seconds {
    const EXPECTED: Expected = Expected::Double;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let seconds: f64 = text.trim().parse().map_err(|_refused| "a number of seconds")?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_refused| "a number of seconds")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for Value {
    const EXPECTED: Expected = Expected::Any;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        Ok(Self::text(text))
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Ok(value)
    }
}

impl Term for HeaderName {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map_err(|_refused| "the name of a header field")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for HeaderValue {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        Self::try_from(text.trim()).map_err(|_refused| "the value of a header field")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for Method {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let method = text.trim().to_ascii_uppercase();
        method.parse().map_err(|_refused| "an HTTP method")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for StatusCode {
    const EXPECTED: Expected = Expected::Int;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let expected = "a status from 200 to 599";
        let status = text.trim().parse::<Self>().map_err(|_refused| expected)?;
        if (200..600).contains(&status.as_u16()) { Ok(status) } else { Err(expected) }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
