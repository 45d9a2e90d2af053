//! The words of `mode`.

use crate::expression::Expected;
use crate::expression::value::Value;
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
