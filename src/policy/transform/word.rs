//! The words of `set-body`.

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// The language of a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Liquid;

/// What an element of XML is that says it is nil.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nil {
    /// An empty text.
    Blank,
    /// Nothing.
    Null,
}

impl Term for Liquid {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let known = text.trim().eq_ignore_ascii_case("liquid");
        known.then_some(Self).ok_or("`liquid`, the one language of templates")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for Nil {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "blank" => Ok(Self::Blank),
            "null" => Ok(Self::Null),
            _ => Err("`blank` or `null`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
