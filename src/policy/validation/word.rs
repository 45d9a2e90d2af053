//! The words of `validate-content`.

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// What a body is taken for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ValidateAs {
    /// JSON.
    Json,
    /// XML or SOAP, which is refused with a word of its own.
    Xml,
}

impl Term for ValidateAs {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "json" => Ok(Self::Json),
            "xml" | "soap" => Ok(Self::Xml),
            _ => Err("`json`, `xml` or `soap`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
