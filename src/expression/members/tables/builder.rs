//! `StringBuilder`, readers and writers of text, and bytes.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, character, constructor, index, int, items, method, ok, property, set_index,
    set_property, text,
};
use crate::expression::library::text as strings;
use crate::expression::library::text::compare::Comparison;
use crate::expression::library::{crypto, display};
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::writer::StringBuilder;

fn builder(v: &[Value]) -> Result<&Arc<StringBuilder>, Thrown> {
    match at(v, 0) {
        Value::StringBuilder(builder) => Ok(builder),
        other => Err(other.refused("System.Text.StringBuilder")),
    }
}

/// Changes the whole text of a builder, and gives the builder back.
fn rewritten(v: &[Value], change: impl FnOnce(&str) -> Result<String, Thrown>) -> Outcome {
    let builder = builder(v)?;
    builder.replace_all(change(&builder.text())?)?;
    Ok(at(v, 0).clone())
}

fn appended(v: &[Value], more: &str, end: &str) -> Outcome {
    let builder = builder(v)?;
    builder.append(more)?;
    builder.append(end)?;
    Ok(at(v, 0).clone())
}

pub(super) const STRING_BUILDER: &[Member] = &[
    constructor("", |_| ok(StringBuilder::new(""))),
    constructor("int capacity", |_| ok(StringBuilder::new(""))),
    constructor("string value, int capacity = 0", |v| {
        ok(StringBuilder::new(at(v, 0).string_or_null()?.map_or("", |text| &**text)))
    }),
    property("Length", "int", |v| ok(strings::length_int(&builder(v)?.text()))).effect(),
    set_property("Length", "int value", |v| {
        let length = int(v, 1)?;
        rewritten(v, |text| strings::substring(text, 0, length))
    }),
    index("int index", "char", |v| ok(strings::char_at(&builder(v)?.text(), int(v, 1)?)?)).effect(),
    set_index("int index, char value", |v| {
        let (place, put) = (int(v, 1)?, character(v, 2)?);
        rewritten(v, |text| {
            let without = strings::remove(text, place, Some(1))?;
            strings::insert(&without, place, put.encode_utf8(&mut [0; 4]))
        })
    }),
    method("Append", "object value", "StringBuilder", |v| {
        appended(v, &display::text(at(v, 1))?, "")
    })
    .brief(),
    method("Append", "char value, int repeatCount", "StringBuilder", |v| {
        appended(v, &strings::repeated(character(v, 1)?, int(v, 2)?)?, "")
    })
    .brief(),
    method("Append", "string value, int startIndex, int count", "StringBuilder", |v| {
        appended(v, &strings::substring(text(v, 1)?, int(v, 2)?, int(v, 3)?)?, "")
    })
    .brief(),
    method("AppendLine", "string value = null", "StringBuilder", |v| {
        appended(v, &display::text(at(v, 1))?, "\n")
    })
    .brief(),
    method("AppendFormat", "string format, params object[] args", "StringBuilder", |v| {
        appended(v, &display::composite(text(v, 1)?, &items(v, 2)?)?, "")
    })
    .brief(),
    method("AppendJoin<X>", "string separator, IEnumerable<X> values", "StringBuilder", |v| {
        appended(v, &strings::join(text(v, 1)?, &items(v, 2)?)?, "")
    })
    .brief(),
    method("Insert", "int index, object value", "StringBuilder", |v| {
        let (place, part) = (int(v, 1)?, display::text(at(v, 2))?);
        rewritten(v, |text| strings::insert(text, place, &part))
    })
    .effect(),
    method("Remove", "int startIndex, int length", "StringBuilder", |v| {
        let (start, length) = (int(v, 1)?, int(v, 2)?);
        rewritten(v, |text| strings::remove(text, start, Some(length)))
    })
    .effect(),
    method("Replace", "char oldChar, char newChar", "StringBuilder", |v| {
        let (old, new) = (character(v, 1)?.to_string(), character(v, 2)?.to_string());
        rewritten(v, |text| strings::replace(text, &old, Some(&new), Comparison::Ordinal))
    })
    .effect(),
    method("Replace", "string oldValue, string newValue", "StringBuilder", |v| {
        let (old, new) = (text(v, 1)?, display::text(at(v, 2))?);
        rewritten(v, |text| strings::replace(text, old, Some(&new), Comparison::Ordinal))
    })
    .effect(),
    method("Clear", "", "StringBuilder", |v| rewritten(v, |_| Ok(String::new()))).effect(),
    property("Capacity", "int", |v| ok(strings::length_int(&builder(v)?.text()))).effect(),
    method("EnsureCapacity", "int capacity", "int", |v| ok(int(v, 1)?)).brief(),
    method("Equals", "StringBuilder sb", "bool", |v| {
        let other = [at(v, 1).clone()];
        ok(builder(v)?.text() == builder(&other)?.text())
    })
    .effect(),
    method("ToString", "", "string", |v| ok(builder(v)?.text())).effect(),
    method("ToString", "int startIndex, int length", "string", |v| {
        ok(strings::substring(&builder(v)?.text(), int(v, 1)?, int(v, 2)?)?)
    })
    .effect(),
];

/// `Write…` of a writer.
fn written(v: &[Value], more: &str, end: &str) -> Outcome {
    appended(v, more, end)?;
    Ok(Value::Null)
}

/// `StringWriter`: a builder that is written to.
pub(super) const STRING_WRITER: &[Member] = &[
    constructor("", |_| ok(StringBuilder::new(""))),
    constructor("StringBuilder sb", |v| {
        builder(v)?;
        Ok(at(v, 0).clone())
    }),
    constructor("CultureInfo formatProvider", |_| ok(StringBuilder::new(""))),
    method("Write", "object value", "void", |v| written(v, &display::text(at(v, 1))?, "")).brief(),
    method("Write", "string format, params object[] arg", "void", |v| {
        written(v, &display::composite(text(v, 1)?, &items(v, 2)?)?, "")
    })
    .brief(),
    method("WriteLine", "object value = null", "void", |v| {
        written(v, &display::text(at(v, 1))?, "\n")
    })
    .brief(),
    method("WriteLine", "string format, params object[] arg", "void", |v| {
        written(v, &display::composite(text(v, 1)?, &items(v, 2)?)?, "\n")
    })
    .brief(),
    method("GetStringBuilder", "", "StringBuilder", |v| Ok(at(v, 0).clone())).brief(),
    property("NewLine", "string", |_| ok("\n")),
    method("Flush", "", "void", |_| Ok(Value::Null)).brief(),
    method("Close", "", "void", |_| Ok(Value::Null)).brief(),
    method("Dispose", "", "void", |_| Ok(Value::Null)).brief(),
    method("ToString", "", "string", |v| ok(builder(v)?.text())).effect(),
];

/// The next character of a reader as a number, -1 at the end; how many bytes it is.
fn next_unit(text: &str) -> (i32, usize) {
    let next = text.chars().next();
    let number = next.and_then(|next| i32::try_from(u32::from(next)).ok()).unwrap_or(-1);
    (number, next.map_or(0, char::len_utf8))
}

/// `StringReader`: what is left of the text. Each read looks at all of it, and costs so.
pub(super) const STRING_READER: &[Member] = &[
    constructor("string s", |v| ok(StringBuilder::new(text(v, 0)?))),
    method("ReadLine", "", "string", |v| {
        let reader = builder(v)?;
        let text = reader.text();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let end = text.find(['\r', '\n']).unwrap_or(text.len());
        let rest = text.get(end..).unwrap_or_default();
        let ending = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
        let mut line = reader.take(end.saturating_add(ending));
        line.truncate(end);
        ok(line)
    })
    .effect(),
    method("ReadToEnd", "", "string", |v| ok(builder(v)?.take(usize::MAX))).effect(),
    method("Read", "", "int", |v| {
        let reader = builder(v)?;
        let (number, bytes) = next_unit(&reader.text());
        reader.take(bytes);
        ok(number)
    })
    .effect(),
    method("Peek", "", "int", |v| ok(next_unit(&builder(v)?.text()).0)).effect(),
    method("Close", "", "void", |_| Ok(Value::Null)).brief(),
    method("Dispose", "", "void", |_| Ok(Value::Null)).brief(),
];

pub(super) const BYTES: &[Member] = &[
    method("Encrypt", "string alg, byte[] key, byte[] iv", "byte[]", |v| {
        ok(crypto::encrypt(text(v, 1)?, &bytes(v, 2)?, &bytes(v, 3)?, &bytes(v, 0)?)?)
    }),
    method("Decrypt", "string alg, byte[] key, byte[] iv", "byte[]", |v| {
        ok(crypto::decrypt(text(v, 1)?, &bytes(v, 2)?, &bytes(v, 3)?, &bytes(v, 0)?)?)
    }),
];
