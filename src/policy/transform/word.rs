//! The words of `set-body`.

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// The language of a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Language {
    /// It is none: the text is what it is.
    None,
    /// Liquid.
    Liquid,
}

/// What an element of XML is that says it is nil.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nil {
    /// An empty text.
    Blank,
    /// Nothing.
    Null,
}

impl Term for Language {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim().to_ascii_lowercase().as_str() {
            "liquid" => Ok(Self::Liquid),
            "none" => Ok(Self::None),
            _ => Err("`liquid`, the one language of templates, or `none`"),
        }
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
