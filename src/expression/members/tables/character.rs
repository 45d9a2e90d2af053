//! `Char`.

use super::super::Member;
use super::super::arguments::{character, int, method, ok, static_method, static_property, text};
use crate::expression::library::convert::{self, Numeric};
use crate::expression::library::operators;
use crate::expression::library::text::{self as strings, character as chars};
use crate::expression::value::thrown::Thrown;

macro_rules! char_tests {
    ($($name:literal = $function:path),* $(,)?) => {
        &[
            $(static_method($name, "char c", "bool", |v| ok($function(character(v, 0)?))),)*
            $(static_method($name, "string s, int index", "bool", |v| {
                ok($function(strings::char_at(text(v, 0)?, int(v, 1)?)?))
            }),)*
            static_method("Parse", "string s", "char", |v| {
                convert::parse(text(v, 0)?, Numeric::Char)
            }),
            static_method("ToString", "char c", "string", |v| ok(character(v, 0)?.to_string())),
            static_property("MinValue", "char", |_| ok('\0')),
            method("CompareTo", "char value", "int", |v| {
                let (one, other) = (character(v, 0)?, character(v, 1)?);
                ok(operators::to_integer(&one.into())
                    .zip(operators::to_integer(&other.into()))
                    .and_then(|(one, other)| i32::try_from(one.wrapping_sub(other)).ok())
                    .unwrap_or(0))
            }),
            static_method("ToUpper", "char c", "char", |v| ok(chars::to_upper(character(v, 0)?))),
            static_method("ToLower", "char c", "char", |v| ok(chars::to_lower(character(v, 0)?))),
            static_method("ToUpperInvariant", "char c", "char", |v| {
                ok(chars::to_upper(character(v, 0)?))
            }),
            static_method("ToLowerInvariant", "char c", "char", |v| {
                ok(chars::to_lower(character(v, 0)?))
            }),
            static_method("ConvertFromUtf32", "int utf32", "string", |v| {
                let point = u32::try_from(int(v, 0)?).ok().and_then(char::from_u32);
                let outside = || {
                    let why = "A valid UTF32 value is between 0x000000 and 0x10ffff, inclusive, \
                               and should not include surrogate codepoint values.";
                    Thrown::out_of_range("utf32", why)
                };
                ok(point.ok_or_else(outside)?.to_string())
            }),
            static_method("GetNumericValue", "char c", "double", |v| {
                ok(chars::numeric_value(character(v, 0)?))
            }),
        ]
    };
}

pub(super) const CHAR: &[Member] = char_tests! {
    "IsDigit" = chars::is_digit,
    "IsLetter" = chars::is_letter,
    "IsLetterOrDigit" = chars::is_letter_or_digit,
    "IsNumber" = chars::is_number,
    "IsUpper" = chars::is_upper,
    "IsLower" = chars::is_lower,
    "IsWhiteSpace" = chars::is_white_space,
    "IsControl" = chars::is_control,
    "IsPunctuation" = chars::is_punctuation,
    "IsSymbol" = chars::is_symbol,
    "IsSeparator" = chars::is_separator,
};
