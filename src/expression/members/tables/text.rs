//! `string`, `char`, `StringBuilder`, encodings and regular expressions.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, character, characters, comparison, constructor, int, items, index, method,
    method_with, ok, property, set_property, static_method, static_property, static_with, text,
};
use crate::expression::library::text::compare::{self, Comparison};
use crate::expression::library::text::split::{self, Options};
use crate::expression::library::text::{self as strings, character as chars, trim};
use crate::expression::library::{crypto, display, encoding, pattern, token};
use crate::expression::value::Value;
use crate::expression::value::crypto::Encoding;
use crate::expression::value::matched::Pattern;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::writer::StringBuilder;

pub(super) const STRING: &[Member] = &[
    property("Length", "int", |v| ok(strings::length_int(text(v, 0)?))),
    index("int index", "char", |v| ok(strings::char_at(text(v, 0)?, int(v, 1)?)?)),
    method("Contains", "string value", "bool", |v| {
        ok(strings::contains(text(v, 0)?, text(v, 1)?, Comparison::Ordinal))
    }),
    method("Contains", "string value, StringComparison comparisonType", "bool", |v| {
        ok(strings::contains(text(v, 0)?, text(v, 1)?, comparison(v, 2)?))
    }),
    method("Contains", "char value", "bool", |v| {
        ok(text(v, 0)?.contains(character(v, 1)?))
    }),
    method("StartsWith", "string value", "bool", |v| {
        ok(strings::starts_with(text(v, 0)?, text(v, 1)?, Comparison::Culture))
    }),
    method("StartsWith", "string value, StringComparison comparisonType", "bool", |v| {
        ok(strings::starts_with(text(v, 0)?, text(v, 1)?, comparison(v, 2)?))
    }),
    method("StartsWith", "char value", "bool", |v| ok(text(v, 0)?.starts_with(character(v, 1)?))),
    method("EndsWith", "string value", "bool", |v| {
        ok(strings::ends_with(text(v, 0)?, text(v, 1)?, Comparison::Culture))
    }),
    method("EndsWith", "string value, StringComparison comparisonType", "bool", |v| {
        ok(strings::ends_with(text(v, 0)?, text(v, 1)?, comparison(v, 2)?))
    }),
    method("EndsWith", "char value", "bool", |v| ok(text(v, 0)?.ends_with(character(v, 1)?))),
    method("Equals", "string value, StringComparison comparisonType", "bool", |v| {
        let comparison = comparison(v, 2)?;
        ok(at(v, 1).string().is_ok_and(|other| {
            text(v, 0).is_ok_and(|text| compare::equal(text, other, comparison))
        }))
    }),
    method("IndexOf", "string value", "int", |v| {
        ok(strings::index_of(text(v, 0)?, text(v, 1)?, 0, Comparison::Ordinal)?)
    }),
    method("IndexOf", "string value, int startIndex", "int", |v| {
        ok(strings::index_of(text(v, 0)?, text(v, 1)?, int(v, 2)?, Comparison::Ordinal)?)
    }),
    method("IndexOf", "string value, StringComparison comparisonType", "int", |v| {
        ok(strings::index_of(text(v, 0)?, text(v, 1)?, 0, comparison(v, 2)?)?)
    }),
    method("IndexOf", "char value, int startIndex = 0", "int", |v| {
        let part = character(v, 1)?.to_string();
        ok(strings::index_of(text(v, 0)?, &part, int(v, 2)?, Comparison::Ordinal)?)
    }),
    method("LastIndexOf", "string value", "int", |v| {
        ok(strings::last_index_of(text(v, 0)?, text(v, 1)?, Comparison::Ordinal))
    }),
    method("LastIndexOf", "string value, StringComparison comparisonType", "int", |v| {
        ok(strings::last_index_of(text(v, 0)?, text(v, 1)?, comparison(v, 2)?))
    }),
    method("LastIndexOf", "char value", "int", |v| {
        let part = character(v, 1)?.to_string();
        ok(strings::last_index_of(text(v, 0)?, &part, Comparison::Ordinal))
    }),
    method("IndexOfAny", "char[] anyOf", "int", |v| {
        ok(strings::index_of_any(text(v, 0)?, &characters(v, 1)?))
    }),
    method("Substring", "int startIndex", "string", |v| {
        ok(strings::substring_from(text(v, 0)?, int(v, 1)?)?)
    }),
    method("Substring", "int startIndex, int length", "string", |v| {
        ok(strings::substring(text(v, 0)?, int(v, 1)?, int(v, 2)?)?)
    }),
    method("Remove", "int startIndex", "string", |v| {
        ok(strings::remove(text(v, 0)?, int(v, 1)?, None)?)
    }),
    method("Remove", "int startIndex, int count", "string", |v| {
        ok(strings::remove(text(v, 0)?, int(v, 1)?, Some(int(v, 2)?))?)
    }),
    method("Insert", "int startIndex, string value", "string", |v| {
        ok(strings::insert(text(v, 0)?, int(v, 1)?, text(v, 2)?)?)
    }),
    method("Replace", "string oldValue, string newValue", "string", |v| {
        let new = at(v, 2).string_or_null()?.map_or("", |new| &**new);
        ok(strings::replace(text(v, 0)?, text(v, 1)?, new, Comparison::Ordinal)?)
    }),
    method(
        "Replace",
        "string oldValue, string newValue, StringComparison comparisonType",
        "string",
        |v| {
            let new = at(v, 2).string_or_null()?.map_or("", |new| &**new);
            ok(strings::replace(text(v, 0)?, text(v, 1)?, new, comparison(v, 3)?)?)
        },
    ),
    method("Replace", "char oldChar, char newChar", "string", |v| {
        let (old, new) = (character(v, 1)?.to_string(), character(v, 2)?.to_string());
        ok(strings::replace(text(v, 0)?, &old, &new, Comparison::Ordinal)?)
    }),
    method("ToUpper", "CultureInfo culture = null", "string", |v| {
        ok(strings::to_upper(text(v, 0)?))
    }),
    method("ToLower", "CultureInfo culture = null", "string", |v| {
        ok(strings::to_lower(text(v, 0)?))
    }),
    method("ToUpperInvariant", "", "string", |v| ok(strings::to_upper(text(v, 0)?))),
    method("ToLowerInvariant", "", "string", |v| ok(strings::to_lower(text(v, 0)?))),
    method("Trim", "params char[] trimChars", "string", |v| {
        ok(trim::trim(text(v, 0)?, &characters(v, 1)?))
    }),
    method("TrimStart", "params char[] trimChars", "string", |v| {
        ok(trim::trim_start(text(v, 0)?, &characters(v, 1)?))
    }),
    method("TrimEnd", "params char[] trimChars", "string", |v| {
        ok(trim::trim_end(text(v, 0)?, &characters(v, 1)?))
    }),
    method("PadLeft", "int totalWidth, char paddingChar = ' '", "string", |v| {
        ok(strings::pad_left(text(v, 0)?, int(v, 1)?, character(v, 2)?)?)
    }),
    method("PadRight", "int totalWidth, char paddingChar = ' '", "string", |v| {
        ok(strings::pad_right(text(v, 0)?, int(v, 1)?, character(v, 2)?)?)
    }),
    method("Split", "params char[] separator", "string[]", |v| {
        split::split_chars(text(v, 0)?, &characters(v, 1)?, None, Options::from_bits(0))
    }),
    method("Split", "char separator, StringSplitOptions options", "string[]", |v| {
        split_at_chars(v, &[character(v, 1)?], None, int(v, 2)?)
    }),
    method("Split", "char separator, int count, StringSplitOptions options = 0", "string[]", |v| {
        split_at_chars(v, &[character(v, 1)?], Some(int(v, 2)?), int(v, 3)?)
    }),
    method("Split", "char[] separator, int count", "string[]", |v| {
        split_at_chars(v, &characters(v, 1)?, Some(int(v, 2)?), 0)
    }),
    method("Split", "char[] separator, StringSplitOptions options", "string[]", |v| {
        split_at_chars(v, &characters(v, 1)?, None, int(v, 2)?)
    }),
    method("Split", "char[] separator, int count, StringSplitOptions options", "string[]", |v| {
        split_at_chars(v, &characters(v, 1)?, Some(int(v, 2)?), int(v, 3)?)
    }),
    method("Split", "string separator, StringSplitOptions options = 0", "string[]", |v| {
        split_at_texts(v, std::slice::from_ref(at(v, 1)), None, int(v, 2)?)
    }),
    method(
        "Split",
        "string separator, int count, StringSplitOptions options = 0",
        "string[]",
        |v| split_at_texts(v, std::slice::from_ref(at(v, 1)), Some(int(v, 2)?), int(v, 3)?),
    ),
    method("Split", "string[] separator, StringSplitOptions options", "string[]", |v| {
        split_at_texts(v, &items(v, 1)?, None, int(v, 2)?)
    }),
    method(
        "Split",
        "string[] separator, int count, StringSplitOptions options",
        "string[]",
        |v| split_at_texts(v, &items(v, 1)?, Some(int(v, 2)?), int(v, 3)?),
    ),
    method("ToCharArray", "", "char[]", |v| {
        ok(Value::array(strings::characters(text(v, 0)?)?))
    }),
    method("CompareTo", "string strB", "int", |v| compared(at(v, 0), at(v, 1), Comparison::Culture)),
    method("ToString", "CultureInfo provider = null", "string", |v| ok(Arc::clone(text(v, 0)?))),
    method("Clone", "", "object", |v| ok(Arc::clone(text(v, 0)?))),
    method("Normalize", "", "string", |v| ok(Arc::clone(text(v, 0)?))),
    // What APIM adds.
    method("AsJwt", "", "Jwt", |v| Ok(jwt(at(v, 0)))).nullable(),
    method_with("TryParseJwt", "out Jwt result", "bool", |call| {
        let found = jwt(call.argument(0));
        call.outs.push(found.clone());
        ok(!found.is_null())
    })
    .nullable(),
    method("AsBasic", "", "BasicAuthCredentials", |v| Ok(basic(at(v, 0)))).nullable(),
    method_with("TryParseBasic", "out BasicAuthCredentials result", "bool", |call| {
        let found = basic(call.argument(0));
        call.outs.push(found.clone());
        ok(!found.is_null())
    })
    .nullable(),
    // Static members.
    static_property("Empty", "string", |_| ok("")),
    static_method("IsNullOrEmpty", "string value", "bool", |v| {
        ok(strings::is_null_or_empty(at(v, 0).string_or_null()?.map(|text| &**text)))
    }),
    static_method("IsNullOrWhiteSpace", "string value", "bool", |v| {
        ok(strings::is_null_or_white_space(at(v, 0).string_or_null()?.map(|text| &**text)))
    }),
    static_method("Concat", "params object[] args", "string", |v| {
        ok(strings::concat(&items(v, 0)?)?)
    }),
    static_method("Concat", "IEnumerable<string> values", "string", |v| {
        ok(strings::concat(&items(v, 0)?)?)
    }),
    static_method("Join", "string separator, params object[] values", "string", |v| {
        ok(strings::join(separator(v)?, &items(v, 1)?)?)
    }),
    static_method("Join<X>", "string separator, IEnumerable<X> values", "string", |v| {
        ok(strings::join(separator(v)?, &items(v, 1)?)?)
    }),
    static_method("Join<X>", "char separator, IEnumerable<X> values", "string", |v| {
        ok(strings::join(&character(v, 0)?.to_string(), &items(v, 1)?)?)
    }),
    static_method("Format", "string format, params object[] args", "string", |v| {
        ok(display::composite(text(v, 0)?, &items(v, 1)?)?)
    }),
    static_method("Format", "CultureInfo provider, string format, params object[] args", "string", |v| {
        ok(display::composite(text(v, 1)?, &items(v, 2)?)?)
    }),
    static_method("Equals", "string a, string b", "bool", |v| {
        ok(crate::expression::library::operators::equal(at(v, 0), at(v, 1)))
    }),
    static_method("Equals", "string a, string b, StringComparison comparisonType", "bool", |v| {
        ok(compared(at(v, 0), at(v, 1), comparison(v, 2)?)?.int()? == 0)
    }),
    static_method("Compare", "string strA, string strB", "int", |v| {
        compared(at(v, 0), at(v, 1), Comparison::Culture)
    }),
    static_method("Compare", "string strA, string strB, bool ignoreCase", "int", |v| {
        let ignores = at(v, 2).bool()?;
        let comparison =
            if ignores { Comparison::CultureIgnoreCase } else { Comparison::Culture };
        compared(at(v, 0), at(v, 1), comparison)
    }),
    static_method("Compare", "string strA, string strB, StringComparison comparisonType", "int", |v| {
        compared(at(v, 0), at(v, 1), comparison(v, 2)?)
    }),
    static_method("CompareOrdinal", "string strA, string strB", "int", |v| {
        compared(at(v, 0), at(v, 1), Comparison::Ordinal)
    }),
    constructor("char c, int count", |v| {
        ok(strings::repeated(character(v, 0)?, int(v, 1)?)?)
    }),
    constructor("char[] value", |v| ok(characters(v, 0)?.into_iter().collect::<String>())),
];

fn separator(v: &[Value]) -> Result<&str, Thrown> {
    Ok(at(v, 0).string_or_null()?.map_or("", |text| &**text))
}

fn split_at_chars(v: &[Value], at: &[char], count: Option<i32>, options: i32) -> Outcome {
    split::split_chars(text(v, 0)?, at, count, Options::from_bits(options))
}

fn split_at_texts(v: &[Value], at: &[Value], count: Option<i32>, options: i32) -> Outcome {
    let mut separators: Vec<&str> = Vec::new();
    for separator in at {
        if let Some(text) = separator.string_or_null()? {
            separators.push(text);
        }
    }
    let options = Options::from_bits(options);
    if separators.is_empty() {
        return split::split_at_space(text(v, 0)?, count, options);
    }
    split::split(text(v, 0)?, &separators, count, options)
}

fn compared(left: &Value, right: &Value, comparison: Comparison) -> Outcome {
    let order = match (left.string_or_null()?, right.string_or_null()?) {
        (Some(left), Some(right)) => compare::compare(left, right, comparison),
        (left, right) => left.is_some().cmp(&right.is_some()),
    };
    ok(match order {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    })
}

fn jwt(value: &Value) -> Value {
    value.string().ok().and_then(|text| token::jwt(text)).into()
}

fn basic(value: &Value) -> Value {
    value.string().ok().and_then(|text| token::basic(text)).into()
}

macro_rules! char_tests {
    ($($name:literal = $function:path),* $(,)?) => {
        &[
            $(static_method($name, "char c", "bool", |v| ok($function(character(v, 0)?))),)*
            static_method("ToUpper", "char c", "char", |v| ok(chars::to_upper(character(v, 0)?))),
            static_method("ToLower", "char c", "char", |v| ok(chars::to_lower(character(v, 0)?))),
            static_method("ToUpperInvariant", "char c", "char", |v| {
                ok(chars::to_upper(character(v, 0)?))
            }),
            static_method("ToLowerInvariant", "char c", "char", |v| {
                ok(chars::to_lower(character(v, 0)?))
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
};

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
    method("Append", "object value", "StringBuilder", |v| appended(v, &display::text(at(v, 1))?, ""))
        .effect(),
    method("Append", "char value, int repeatCount", "StringBuilder", |v| {
        appended(v, &strings::repeated(character(v, 1)?, int(v, 2)?)?, "")
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
    method("Replace", "string oldValue, string newValue", "StringBuilder", |v| {
        let (old, new) = (text(v, 1)?, display::text(at(v, 2))?);
        rewritten(v, |text| strings::replace(text, old, &new, Comparison::Ordinal))
    })
    .effect(),
    method("Clear", "", "StringBuilder", |v| rewritten(v, |_| Ok(String::new()))).effect(),
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

/// The pattern: an object, or a string that is compiled now.
fn regex(v: &[Value], index: usize, options: i32) -> Result<Arc<Pattern>, Thrown> {
    match at(v, index) {
        Value::Regex(pattern) => Ok(Arc::clone(pattern)),
        other => pattern::new(other.string()?, options).map(Arc::new),
    }
}

pub(super) const REGEX: &[Member] = &[
    // Patterns never change, so that a constant one is compiled once.
    Member {
        pure: true,
        ..constructor("string pattern, RegexOptions options = 0", |v| {
            Ok(Value::Regex(regex(v, 0, int(v, 1)?)?))
        })
    },
    method("IsMatch", "string input", "bool", |v| {
        ok(pattern::is_match(&*regex(v, 0, 0)?, text(v, 1)?))
    }),
    method("Match", "string input", "Match", |v| ok(pattern::first(&*regex(v, 0, 0)?, text(v, 1)?))),
    method("Matches", "string input", "MatchCollection", |v| {
        ok(Value::sequence(pattern::all(&*regex(v, 0, 0)?, text(v, 1)?)?))
    }),
    method("Replace", "string input, string replacement", "string", |v| {
        ok(pattern::replace(&*regex(v, 0, 0)?, text(v, 1)?, text(v, 2)?, None)?)
    }),
    method("Replace", "string input, string replacement, int count", "string", |v| {
        ok(pattern::replace(&*regex(v, 0, 0)?, text(v, 1)?, text(v, 2)?, Some(int(v, 3)?))?)
    }),
    method_with("Replace", "string input, Func<Match, string> evaluator", "string", |call| {
        let pattern = regex(call.arguments(), 0, 0)?;
        let input = Arc::clone(call.text(1)?);
        ok(pattern::replace_with(&pattern, &input, &mut |with| call.invoke(2, with))?)
    }),
    method("Split", "string input", "string[]", |v| {
        ok(Value::array(pattern::split(&*regex(v, 0, 0)?, text(v, 1)?)?))
    }),
    static_method("IsMatch", "string input, string pattern, RegexOptions options = 0", "bool", |v| {
        ok(pattern::is_match(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?))
    }),
    static_method("Match", "string input, string pattern, RegexOptions options = 0", "Match", |v| {
        ok(pattern::first(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?))
    }),
    static_method(
        "Matches",
        "string input, string pattern, RegexOptions options = 0",
        "MatchCollection",
        |v| ok(Value::sequence(pattern::all(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?)),
    ),
    static_method(
        "Replace",
        "string input, string pattern, string replacement, RegexOptions options = 0",
        "string",
        |v| ok(pattern::replace(&*regex(v, 1, int(v, 3)?)?, text(v, 0)?, text(v, 2)?, None)?),
    ),
    static_with(
        "Replace",
        "string input, string pattern, Func<Match, string> evaluator, RegexOptions options = 0",
        "string",
        |call| {
            let pattern = regex(call.arguments(), 1, int(call.arguments(), 3)?)?;
            let input = Arc::clone(call.text(0)?);
            ok(pattern::replace_with(&pattern, &input, &mut |with| call.invoke(2, with))?)
        },
    ),
    static_method(
        "Split",
        "string input, string pattern, RegexOptions options = 0",
        "string[]",
        |v| ok(Value::array(pattern::split(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?)),
    ),
    static_method("Escape", "string str", "string", |v| ok(pattern::escape(text(v, 0)?)?)),
    static_method("Unescape", "string str", "string", |v| ok(pattern::unescape(text(v, 0)?)?)),
];

/// What a match or one of its groups is.
fn group(v: &[Value]) -> Result<Arc<crate::expression::value::matched::Group>, Thrown> {
    match at(v, 0) {
        Value::Match(found) => Ok(found.whole()),
        Value::Group(group) => Ok(Arc::clone(group)),
        other => Err(other.refused("System.Text.RegularExpressions.Group")),
    }
}

pub(super) const GROUP: &[Member] = &[
    property("Success", "bool", |v| ok(group(v)?.success)),
    property("Value", "string", |v| ok(Arc::clone(&group(v)?.value))),
    property("Index", "int", |v| ok(group(v)?.index)),
    property("Length", "int", |v| ok(group(v)?.length)),
    property("Name", "string", |v| ok(Arc::clone(&group(v)?.name))),
    method("ToString", "", "string", |v| ok(Arc::clone(&group(v)?.value))),
];

/// The groups of a match are the match itself.
pub(super) const MATCH: &[Member] =
    &[property("Groups", "GroupCollection", |v| Ok(at(v, 0).clone()))];

pub(super) const GROUPS: &[Member] = &[
    property("Count", "int", |v| match at(v, 0) {
        Value::Match(found) => ok(i32::try_from(found.groups.len()).unwrap_or(i32::MAX)),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
    }),
    index("int groupnum", "Group", |v| match at(v, 0) {
        Value::Match(found) => Ok(Value::Group(found.group(int(v, 1)?))),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
    }),
    index("string groupname", "Group", |v| match at(v, 0) {
        Value::Match(found) => Ok(Value::Group(found.group_named(text(v, 1)?))),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
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
