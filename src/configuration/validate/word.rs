//! Small words: ids, names, header names, dates.

use std::sync::Arc;

use http::HeaderName;

use super::{Validator, date};
use crate::configuration::yaml::Placed;
use crate::time::Timestamp;

/// The longest id, in characters.
const ID_CHARACTERS_MAX: usize = 256;

/// Whether `character` may stand in an id.
const fn is_of_id(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

impl Validator<'_> {
    /// Checks the id of a `kind`.
    pub(super) fn id(&mut self, id: &Placed<String>, kind: &str) {
        if id.mark.is_made_up() {
            return;
        }
        let remedy = "use letters, digits, `-`, `_` and `.`";
        if id.value.is_empty() || id.value.len() > ID_CHARACTERS_MAX {
            let message = format!("the id of this {kind} has {} characters", id.value.len());
            self.fault(id.mark, message, format!("write 1 to {ID_CHARACTERS_MAX}"));
        } else if let Some(wrong) = id.value.chars().find(|character| !is_of_id(*character)) {
            let message = format!("the id of this {kind} has a {wrong:?} in it");
            self.fault(id.mark, message, remedy);
        }
    }

    /// A header's name.
    pub(super) fn header_name(&mut self, name: &Placed<String>) -> Option<HeaderName> {
        if name.mark.is_made_up() {
            return None;
        }
        let parsed = HeaderName::from_bytes(name.value.as_bytes()).ok();
        if parsed.is_none() {
            let message = format!("`{}` cannot be the name of a header", name.value);
            self.fault(name.mark, message, "use letters, digits and `-`");
        }
        parsed
    }

    /// A query parameter's name.
    pub(super) fn query_name(&mut self, name: &Placed<String>) -> Option<Arc<str>> {
        if name.mark.is_made_up() {
            return None;
        }
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '&' | '=' | '#' | '+' | '%');
        if name.value.is_empty() || !name.value.chars().all(plain) {
            let message = format!("`{}` cannot be the name of a query parameter", name.value);
            self.fault(name.mark, message, "use letters, digits, `-` and `_`");
            return None;
        }
        Some(Arc::from(name.value.as_str()))
    }

    /// A date.
    pub(super) fn date(&mut self, date: Option<&Placed<String>>) -> Option<Timestamp> {
        let date = date.filter(|date| !date.mark.is_made_up())?;
        let parsed = date::timestamp(&date.value);
        if parsed.is_none() {
            let message = format!("`{}` is not a date", date.value);
            let remedy = "write it as 2026-01-31 or 2026-01-31T12:00:00Z, from 1970 on";
            self.fault(date.mark, message, remedy);
        }
        parsed
    }
}

/// `text`, or the value of `id` where there is none.
pub(super) fn name_or_id(text: Option<&String>, id: &Placed<String>) -> Arc<str> {
    Arc::from(text.unwrap_or(&id.value).as_str())
}

/// `text`, or nothing.
pub(super) fn or_empty(text: Option<&String>) -> Arc<str> {
    Arc::from(text.map_or("", String::as_str))
}
