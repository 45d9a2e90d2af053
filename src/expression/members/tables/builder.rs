//! `StringBuilder`, encodings and bytes.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, character, constructor, index, int, items, method, ok, property, set_index,
    set_property, static_method, static_property, text,
};
use crate::expression::library::text as strings;
use crate::expression::library::text::compare::Comparison;
use crate::expression::library::{crypto, display, encoding};
use crate::expression::value::Value;
use crate::expression::value::crypto::Encoding;
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
    .effect(),
    method("Append", "char value, int repeatCount", "StringBuilder", |v| {
        appended(v, &strings::repeated(character(v, 1)?, int(v, 2)?)?, "")
    })
    .effect(),
    method("Append", "string value, int startIndex, int count", "StringBuilder", |v| {
        appended(v, &strings::substring(text(v, 1)?, int(v, 2)?, int(v, 3)?)?, "")
    })
    .effect(),
    method("AppendLine", "string value = null", "StringBuilder", |v| {
        appended(v, &display::text(at(v, 1))?, "\n")
    })
    .effect(),
    method("AppendFormat", "string format, params object[] args", "StringBuilder", |v| {
        appended(v, &display::composite(text(v, 1)?, &items(v, 2)?)?, "")
    })
    .effect(),
    method("AppendJoin<X>", "string separator, IEnumerable<X> values", "StringBuilder", |v| {
        appended(v, &strings::join(text(v, 1)?, &items(v, 2)?)?, "")
    })
    .effect(),
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
    method("ToString", "", "string", |v| ok(builder(v)?.text())).effect(),
    method("ToString", "int startIndex, int length", "string", |v| {
        ok(strings::substring(&builder(v)?.text(), int(v, 1)?, int(v, 2)?)?)
    })
    .effect(),
];

/// `StringWriter`: a builder that is written to.
pub(super) const STRING_WRITER: &[Member] = &[
    constructor("", |_| ok(StringBuilder::new(""))),
    method("Write", "object value", "void", |v| {
        appended(v, &display::text(at(v, 1))?, "")?;
        Ok(Value::Null)
    })
    .effect(),
    method("Write", "string format, params object[] arg", "void", |v| {
        appended(v, &display::composite(text(v, 1)?, &items(v, 2)?)?, "")?;
        Ok(Value::Null)
    })
    .effect(),
    method("WriteLine", "object value = null", "void", |v| {
        appended(v, &display::text(at(v, 1))?, "\n")?;
        Ok(Value::Null)
    })
    .effect(),
    method("GetStringBuilder", "", "StringBuilder", |v| Ok(at(v, 0).clone())).effect(),
    method("Flush", "", "void", |_| Ok(Value::Null)).effect(),
    method("Close", "", "void", |_| Ok(Value::Null)).effect(),
    method("Dispose", "", "void", |_| Ok(Value::Null)).effect(),
    method("ToString", "", "string", |v| ok(builder(v)?.text())).effect(),
];

fn encoding_of(v: &[Value]) -> Result<Encoding, Thrown> {
    match at(v, 0) {
        Value::Encoding(encoding) => Ok(*encoding),
        other => Err(other.refused("System.Text.Encoding")),
    }
}

pub(super) const ENCODING: &[Member] = &[
    static_property("UTF8", "Encoding", |_| ok(Encoding::Utf8)),
    static_property("ASCII", "Encoding", |_| ok(Encoding::Ascii)),
    static_property("Unicode", "Encoding", |_| ok(Encoding::Unicode)),
    static_property("BigEndianUnicode", "Encoding", |_| ok(Encoding::BigEndianUnicode)),
    static_property("Latin1", "Encoding", |_| ok(Encoding::Latin1)),
    static_property("Default", "Encoding", |_| ok(Encoding::Utf8)),
    static_method("GetEncoding", "string name", "Encoding", |v| {
        ok(encoding::from_name(text(v, 0)?)?)
    }),
    constructor("bool encoderShouldEmitUTF8Identifier = false", |_| ok(Encoding::Utf8)),
    method("GetBytes", "string s", "byte[]", |v| {
        ok(encoding::bytes(encoding_of(v)?, text(v, 1)?)?)
    }),
    method("GetString", "byte[] bytes", "string", |v| {
        ok(encoding::text(encoding_of(v)?, &bytes(v, 1)?)?)
    }),
    method("GetString", "byte[] bytes, int index, int count", "string", |v| {
        let bytes = bytes(v, 1)?;
        let start = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
        let count = usize::try_from(int(v, 3)?).unwrap_or(usize::MAX);
        let part = bytes.get(start..start.saturating_add(count));
        let part = part.ok_or_else(|| Thrown::out_of_range("index", "Index is out of range."))?;
        ok(encoding::text(encoding_of(v)?, part)?)
    }),
    method("GetByteCount", "string s", "int", |v| {
        let count = encoding::bytes(encoding_of(v)?, text(v, 1)?)?.len();
        ok(i32::try_from(count).unwrap_or(i32::MAX))
    }),
];

pub(super) const BYTES: &[Member] = &[
    method("Encrypt", "string alg, byte[] key, byte[] iv", "byte[]", |v| {
        ok(crypto::encrypt(text(v, 1)?, &bytes(v, 2)?, &bytes(v, 3)?, &bytes(v, 0)?)?)
    }),
    method("Decrypt", "string alg, byte[] key, byte[] iv", "byte[]", |v| {
        ok(crypto::decrypt(text(v, 1)?, &bytes(v, 2)?, &bytes(v, 3)?, &bytes(v, 0)?)?)
    }),
];
