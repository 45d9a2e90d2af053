//! The words of `apply` and `kind`.

use std::sync::Arc;

use super::{is_json, is_xml};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// What `apply` says, and for which way it says it.
pub(super) trait Words: Term {
    /// Whether only a body is converted whose type says that it is of the form.
    fn only_typed(&self) -> bool;
    /// Whether a `Content-Type` is one of what is converted.
    fn is_source(content_type: &str) -> bool;
    /// Whether a media range is one of what it becomes.
    fn is_wanted(range: &str) -> bool;
}

/// `apply` of `json-to-xml`: whether it is `content-type-json`.
#[derive(Clone, Copy, Debug)]
pub(super) struct IfJson(bool);

/// `apply` of `xml-to-json`: whether it is `content-type-xml`.
#[derive(Clone, Copy, Debug)]
pub(super) struct IfXml(bool);

/// `kind` of `xml-to-json`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `direct`.
    Direct,
    /// `javascript-friendly`.
    Friendly,
}

impl Words for IfJson {
    fn only_typed(&self) -> bool {
        self.0
    }

    fn is_source(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn is_wanted(range: &str) -> bool {
        is_xml(range)
    }
}

impl Words for IfXml {
    fn only_typed(&self) -> bool {
        self.0
    }

    fn is_source(content_type: &str) -> bool {
        is_xml(content_type)
    }

    fn is_wanted(range: &str) -> bool {
        is_json(range)
    }
}

/// Which of two words stands there: the first is false.
fn which(text: &str, words: [&str; 2], expected: &'static str) -> Result<bool, &'static str> {
    let found = words.iter().position(|word| *word == text.trim());
    found.map(|place| place == 1).ok_or(expected)
}

impl Term for IfJson {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let words = ["always", "content-type-json"];
        which(text, words, "`always` or `content-type-json`").map(Self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        let text: Arc<str> = text_of(&value)?;
        Self::from_literal(&text)
    }
}

impl Term for IfXml {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let words = ["always", "content-type-xml"];
        which(text, words, "`always` or `content-type-xml`").map(Self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        let text: Arc<str> = text_of(&value)?;
        Self::from_literal(&text)
    }
}

impl Term for Kind {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let words = ["direct", "javascript-friendly"];
        let friendly = which(text, words, "`javascript-friendly` or `direct`")?;
        Ok(if friendly { Self::Friendly } else { Self::Direct })
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        let text: Arc<str> = text_of(&value)?;
        Self::from_literal(&text)
    }
}
