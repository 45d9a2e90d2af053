//! References of a document, followed as far as they lead inside of it.

use serde_json::Value;

use super::Reader;

/// How many references may follow one another.
const STEPS_MAX: usize = 8;
/// How many bytes all references of a document may lead to, each time they do.
pub(super) const BYTES_MAX: usize = 32 << 20;
/// What a value costs besides its text, in bytes.
const VALUE_BYTES: usize = 8;

impl<'a> Reader<'a> {
    /// What `value` is, or what it refers to; else why nobody knows.
    pub(super) fn resolved(&mut self, value: &'a Value) -> Result<&'a Value, String> {
        let mut found = value;
        for _ in 0..STEPS_MAX {
            let Some(reference) = found.get("$ref").and_then(Value::as_str) else {
                return Ok(found);
            };
            let Some(pointer) = reference.strip_prefix('#') else {
                return Err(format!("`{reference}` leads out of the document: put it in here"));
            };
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
            found = self
                .document
                .pointer(&pointer)
                .ok_or_else(|| format!("`{reference}` leads to nothing"))?;
            self.left = room(found, self.left).ok_or_else(|| {
                format!("what is referred to has more than {BYTES_MAX} bytes in all")
            })?;
        }
        Err(format!("more than {STEPS_MAX} references follow one another"))
    }
}

/// What is left of so many bytes beside `value`; none if it has more.
fn room(value: &Value, left: usize) -> Option<usize> {
    let left = left.checked_sub(VALUE_BYTES)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(left),
        Value::String(text) => left.checked_sub(text.len()),
        Value::Array(items) => items.iter().try_fold(left, |left, item| room(item, left)),
        Value::Object(members) => members
            .iter()
            .try_fold(left, |left, (name, member)| room(member, left.checked_sub(name.len())?)),
    }
}
