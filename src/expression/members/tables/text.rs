//! `string`, `char`, `StringBuilder`, encodings and regular expressions.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, character, characters, comparison, constructor, index, int, items, list, method,
    method_with, ok, property, static_method, static_property, text,
};
use crate::expression::library::text::compare::{self, Comparison};
use crate::expression::library::text::split::{self, Options};
use crate::expression::library::text::{self as strings, trim};
use crate::expression::library::{display, token};
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

pub(super) const STRING: &[Member] = &[
    property("Length", "int", |v| ok(strings::length_int(text(v, 0)?))),
    index("int index", "char", |v| ok(strings::char_at(text(v, 0)?, int(v, 1)?)?)),
    method("Contains", "string value", "bool", |v| {
        ok(strings::contains(text(v, 0)?, text(v, 1)?, Comparison::Ordinal))
    }),
    method("Contains", "string value, StringComparison comparisonType", "bool", |v| {
        ok(strings::contains(text(v, 0)?, text(v, 1)?, comparison(v, 2)?))
    }),
    method("Contains", "char value", "bool", |v| ok(text(v, 0)?.contains(character(v, 1)?))),
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
    method("StartsWith", "string value, bool ignoreCase, CultureInfo culture", "bool", |v| {
        ok(strings::starts_with(text(v, 0)?, text(v, 1)?, cased(v)?))
    }),
    method("EndsWith", "string value, bool ignoreCase, CultureInfo culture", "bool", |v| {
        ok(strings::ends_with(text(v, 0)?, text(v, 1)?, cased(v)?))
    }),
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
    method("IndexOf", "string value, int startIndex, int count", "int", |v| {
        index_within(v, text(v, 1)?)
    }),
    method("IndexOf", "char value, int startIndex, int count", "int", |v| {
        index_within(v, &character(v, 1)?.to_string())
    }),
    method("IndexOf", "char value, int startIndex = 0", "int", |v| {
        let part = character(v, 1)?.to_string();
        ok(strings::index_of(text(v, 0)?, &part, int(v, 2)?, Comparison::Ordinal)?)
    }),
    method(
        "IndexOf",
        "string value, int startIndex, StringComparison comparisonType",
        "int",
        |v| ok(strings::index_of(text(v, 0)?, text(v, 1)?, int(v, 2)?, comparison(v, 3)?)?),
    ),
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
    method("LastIndexOf", "string value, int startIndex", "int", |v| {
        last_index_within(v, text(v, 1)?)
    }),
    method("LastIndexOf", "char value, int startIndex", "int", |v| {
        last_index_within(v, &character(v, 1)?.to_string())
    }),
    method("LastIndexOfAny", "char[] anyOf", "int", |v| {
        let wanted = characters(v, 1)?;
        let all = strings::characters(text(v, 0)?)?;
        let place = all
            .iter()
            .rposition(|one| matches!(one, Value::Char(character) if wanted.contains(character)));
        ok(place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1))
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
        let new = at(v, 2).string_or_null()?.map(|new| &**new);
        ok(strings::replace(text(v, 0)?, text(v, 1)?, new, Comparison::Ordinal)?)
    }),
    method(
        "Replace",
        "string oldValue, string newValue, StringComparison comparisonType",
        "string",
        |v| {
            let new = at(v, 2).string_or_null()?.map(|new| &**new);
            ok(strings::replace(text(v, 0)?, text(v, 1)?, new, comparison(v, 3)?)?)
        },
    ),
    method("Replace", "char oldChar, char newChar", "string", |v| {
        let (old, new) = (character(v, 1)?.to_string(), character(v, 2)?.to_string());
        ok(strings::replace(text(v, 0)?, &old, Some(&new), Comparison::Ordinal)?)
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
        split_at_chars(v, &characters(v, 1)?, None, 0)
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
    method("Split", "string[] separator, int count, StringSplitOptions options", "string[]", |v| {
        split_at_texts(v, &items(v, 1)?, Some(int(v, 2)?), int(v, 3)?)
    }),
    method("ToCharArray", "", "char[]", |v| ok(Value::array(strings::characters(text(v, 0)?)?))),
    method("ToCharArray", "int startIndex, int length", "char[]", |v| {
        let part = strings::substring(text(v, 0)?, int(v, 1)?, int(v, 2)?)?;
        ok(Value::array(strings::characters(&part)?))
    }),
    method("CompareTo", "string strB", "int", |v| {
        compared(at(v, 0), at(v, 1), Comparison::Culture)
    }),
    method("ToString", "CultureInfo provider = null", "string", |v| ok(Arc::clone(text(v, 0)?))),
    method("Clone", "", "object", |v| ok(Arc::clone(text(v, 0)?))),
    method("IndexOfAny", "char[] anyOf, int startIndex", "int", |v| {
        ok(strings::index_of_any_from(text(v, 0)?, &characters(v, 1)?, int(v, 2)?)?)
    }),
    method(
        "CopyTo",
        "int sourceIndex, char[] destination, int destinationIndex, int count",
        "void",
        |v| {
            let part = strings::substring(text(v, 0)?, int(v, 1)?, int(v, 4)?)?;
            let target = list(v, 2)?;
            let end = int(v, 3)?.checked_add(strings::length_int(&part));
            if end.is_none_or(|end| usize::try_from(end).map_or(true, |end| end > target.len())) {
                let why = "Index and count must refer to a location within the array.";
                return Err(Thrown::out_of_range("destinationIndex", why));
            }
            for (place, character) in (int(v, 3)?..).zip(part.chars()) {
                target.set_at(place, Value::Char(character))?;
            }
            Ok(Value::Null)
        },
    )
    .effect(),
    static_method("Copy", "string str", "string", |v| ok(Arc::clone(text(v, 0)?))),
    static_method("Intern", "string str", "string", |v| ok(Arc::clone(text(v, 0)?))),
    // Accents that stand by themselves are left alone: see the corpus.
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
    static_method("Concat<X>", "IEnumerable<X> values", "string", |v| {
        ok(strings::concat(&items(v, 0)?)?)
    }),
    static_method("Join", "string separator, params object[] values", "string", |v| {
        ok(strings::join(separator(v)?, &items(v, 1)?)?)
    }),
    static_method("Join<X>", "string separator, IEnumerable<X> values", "string", |v| {
        ok(strings::join(separator(v)?, &items(v, 1)?)?)
    }),
    static_method("Join", "char separator, params object[] values", "string", |v| {
        ok(strings::join(&character(v, 0)?.to_string(), &items(v, 1)?)?)
    }),
    static_method(
        "Join",
        "string separator, string[] value, int startIndex, int count",
        "string",
        |v| {
            let all = items(v, 1)?;
            let start = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
            let count = usize::try_from(int(v, 3)?).unwrap_or(usize::MAX);
            let part = all.get(start..start.saturating_add(count));
            let why = "Index and count must refer to a location within the array.";
            let part = part.ok_or_else(|| Thrown::out_of_range("startIndex", why))?;
            ok(strings::join(separator(v)?, part)?)
        },
    ),
    static_method("Join<X>", "char separator, IEnumerable<X> values", "string", |v| {
        ok(strings::join(&character(v, 0)?.to_string(), &items(v, 1)?)?)
    }),
    static_method("Format", "string format, params object[] args", "string", |v| {
        ok(display::composite(text(v, 0)?, &items(v, 1)?)?)
    }),
    static_method(
        "Format",
        "CultureInfo provider, string format, params object[] args",
        "string",
        |v| ok(display::composite(text(v, 1)?, &items(v, 2)?)?),
    ),
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
        let comparison = if ignores { Comparison::CultureIgnoreCase } else { Comparison::Culture };
        compared(at(v, 0), at(v, 1), comparison)
    }),
    static_method(
        "Compare",
        "string strA, string strB, StringComparison comparisonType",
        "int",
        |v| compared(at(v, 0), at(v, 1), comparison(v, 2)?),
    ),
    static_method("CompareOrdinal", "string strA, string strB", "int", |v| {
        compared(at(v, 0), at(v, 1), Comparison::Ordinal)
    }),
    constructor("char c, int count", |v| ok(strings::repeated(character(v, 0)?, int(v, 1)?)?)),
    constructor("char[] value, int startIndex, int length", |v| {
        let whole = characters(v, 0)?;
        let start = usize::try_from(int(v, 1)?).unwrap_or(usize::MAX);
        let length = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
        let part = whole.get(start..start.saturating_add(length));
        let outside = || Thrown::out_of_range("startIndex", "Index and length are outside.");
        ok(part.ok_or_else(outside)?.iter().collect::<String>())
    }),
    constructor("char[] value", |v| ok(characters(v, 0)?.into_iter().collect::<String>())),
];

fn separator(v: &[Value]) -> Result<&str, Thrown> {
    Ok(at(v, 0).string_or_null()?.map_or("", |text| &**text))
}

fn split_at_chars(v: &[Value], at: &[char], count: Option<i32>, options: i32) -> Outcome {
    let options = Options::from_bits(options);
    if at.is_empty() {
        return split::split_at_space(text(v, 0)?, count, options);
    }
    split::split_chars(text(v, 0)?, at, count, options)
}

/// `IndexOf(part, start, count)`.
fn index_within(v: &[Value], part: &str) -> Outcome {
    let (start, count) = (int(v, 2)?, int(v, 3)?);
    let searched = strings::substring(text(v, 0)?, 0, start.saturating_add(count))?;
    ok(strings::index_of(&searched, part, start, Comparison::Ordinal)?)
}

/// `LastIndexOf(part, start)`: what lies before and at `start`.
fn last_index_within(v: &[Value], part: &str) -> Outcome {
    let whole = text(v, 0)?;
    let length = int(v, 2)?.saturating_add(1).min(strings::length_int(whole));
    let searched = strings::substring(whole, 0, length)?;
    ok(strings::last_index_of(&searched, part, Comparison::Ordinal))
}

/// The comparison of `(…, bool ignoreCase, CultureInfo culture)`.
fn cased(v: &[Value]) -> Result<Comparison, Thrown> {
    Ok(if at(v, 2).bool()? { Comparison::CultureIgnoreCase } else { Comparison::Culture })
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
