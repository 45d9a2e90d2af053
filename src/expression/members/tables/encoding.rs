//! `System.Text.Encoding`.

use super::super::Member;
use super::super::arguments::{
    at, bytes, characters, constructor, int, method, ok, property, static_method, static_property,
    text,
};
use crate::expression::library::encoding;
use crate::expression::library::text as strings;
use crate::expression::value::Value;
use crate::expression::value::collection::List;
use crate::expression::value::crypto::Encoding;
use crate::expression::value::thrown::Thrown;

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
    static_property("UTF32", "Encoding", |_| ok(Encoding::Utf32)),
    static_property("Default", "Encoding", |_| ok(Encoding::Utf8)),
    static_method("GetEncoding", "int codepage", "Encoding", |v| {
        ok(encoding::from_code_page(int(v, 0)?)?)
    }),
    static_method(
        "Convert",
        "Encoding srcEncoding, Encoding dstEncoding, byte[] bytes",
        "byte[]",
        |v| {
            let text = encoding::text(encoding_of(v)?, &bytes(v, 2)?)?;
            let to = [at(v, 1).clone()];
            ok(encoding::bytes(encoding_of(&to)?, &text)?)
        },
    ),
    property("WebName", "string", |v| ok(encoding_of(v)?.web_name())),
    property("CodePage", "int", |v| ok(encoding_of(v)?.code_page())),
    method("GetPreamble", "", "byte[]", |v| ok(encoding_of(v)?.preamble().to_vec())),
    method("GetChars", "byte[] bytes", "char[]", |v| {
        ok(List::array(strings::characters(&encoding::text(encoding_of(v)?, &bytes(v, 1)?)?)?))
    }),
    method("GetCharCount", "byte[] bytes", "int", |v| {
        ok(strings::length_int(&encoding::text(encoding_of(v)?, &bytes(v, 1)?)?))
    }),
    method("GetBytes", "char[] chars", "byte[]", |v| {
        let text: String = characters(v, 1)?.into_iter().collect();
        ok(encoding::bytes(encoding_of(v)?, &text)?)
    }),
    method("GetBytes", "char[] chars, int index, int count", "byte[]", |v| {
        let whole = characters(v, 1)?;
        let start = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
        let count = usize::try_from(int(v, 3)?).unwrap_or(usize::MAX);
        let part = whole.get(start..start.saturating_add(count));
        let outside = || Thrown::out_of_range("index", "Index and count are outside.");
        let text: String = part.ok_or_else(outside)?.iter().collect();
        ok(encoding::bytes(encoding_of(v)?, &text)?)
    }),
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

pub(super) const ASCII_ENCODING: &[Member] = &[constructor("", |_| ok(Encoding::Ascii))];

pub(super) const UTF32_ENCODING: &[Member] = &[constructor("", |_| ok(Encoding::Utf32))];

pub(super) const UNICODE_ENCODING: &[Member] = &[
    constructor("", |_| ok(Encoding::Unicode)),
    constructor("bool bigEndian, bool byteOrderMark", |v| {
        ok(if at(v, 0).bool()? { Encoding::BigEndianUnicode } else { Encoding::Unicode })
    }),
];
