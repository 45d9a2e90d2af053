//! `System.String`: searching, cutting, joining.

use std::sync::Arc;

use super::display;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Value, bounded_items, bounded_string};

pub mod builder;
pub mod character;
pub mod compare;
pub mod split;
pub mod trim;

use self::compare::Comparison;

/// `text.Length`: UTF-16 units.
pub fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// `text.Length` as an `int`.
pub fn length_int(text: &str) -> i32 {
    i32::try_from(length(text)).unwrap_or(i32::MAX)
}

/// The UTF-16 position of byte `at` of `text`.
pub fn position(text: &str, at: usize) -> i32 {
    length_int(text.get(..at).unwrap_or(text))
}

/// The byte at which UTF-16 position `position` of `text` is; inside of a surrogate pair it is the
/// byte after that.
pub fn byte_at(text: &str, position: usize) -> Option<usize> {
    if text.is_ascii() {
        return (position <= text.len()).then_some(position);
    }
    let mut units: usize = 0;
    for (at, character) in text.char_indices() {
        if units >= position {
            return Some(at);
        }
        units = units.saturating_add(character.len_utf16());
    }
    (units >= position).then_some(text.len())
}

/// `text[index]`.
pub fn char_at(text: &str, index: i32) -> Result<char, Thrown> {
    let position = usize::try_from(index).map_err(|_| Thrown::array_index())?;
    let found = byte_at(text, position).and_then(|at| text.get(at..)?.chars().next());
    found.ok_or_else(Thrown::array_index)
}

/// `text.Contains(part)`.
pub fn contains(text: &str, part: &str, comparison: Comparison) -> bool {
    compare::find(text, part, comparison).is_some()
}

/// `text.StartsWith(part)`.
pub fn starts_with(text: &str, part: &str, comparison: Comparison) -> bool {
    if comparison.ignores_case() {
        compare::prefix(text, part).is_some()
    } else {
        text.starts_with(part)
    }
}

/// `text.EndsWith(part)`.
pub fn ends_with(text: &str, part: &str, comparison: Comparison) -> bool {
    if comparison.ignores_case() {
        compare::fold(text).ends_with(&compare::fold(part))
    } else {
        text.ends_with(part)
    }
}

/// `text.IndexOf(part, start)`; -1 if it is not there.
pub fn index_of(text: &str, part: &str, start: i32, comparison: Comparison) -> Result<i32, Thrown> {
    let from = start_byte(text, start)?;
    let rest = text.get(from..).unwrap_or_default();
    let found = compare::find(rest, part, comparison);
    Ok(found.map_or(-1, |at| position(text, from.saturating_add(at))))
}

/// `text.LastIndexOf(part)`; -1 if it is not there.
pub fn last_index_of(text: &str, part: &str, comparison: Comparison) -> i32 {
    let found = compare::find_last(text, part, comparison);
    found.map_or(-1, |at| position(text, at))
}

/// `text.IndexOfAny(characters)`; -1 if none is there.
pub fn index_of_any(text: &str, characters: &[char]) -> i32 {
    text.find(characters).map_or(-1, |at| position(text, at))
}

fn start_byte(text: &str, start: i32) -> Result<usize, Thrown> {
    usize::try_from(start).ok().and_then(|start| byte_at(text, start)).ok_or_else(|| {
        let why = "Index was out of range. Must be non-negative and less than or equal to the size \
                   of the collection.";
        Thrown::out_of_range("startIndex", why)
    })
}

/// `text.IndexOfAny(characters, start)`; -1 if none is there.
pub fn index_of_any_from(text: &str, characters: &[char], start: i32) -> Result<i32, Thrown> {
    let skipped = length_int(text).saturating_sub(length_int(&substring_from(text, start)?));
    let found = index_of_any(&substring_from(text, start)?, characters);
    Ok(if found < 0 { found } else { found.saturating_add(skipped) })
}

/// `text.Substring(start)`.
pub fn substring_from(text: &str, start: i32) -> Result<String, Thrown> {
    if start < 0 {
        return Err(Thrown::out_of_range("startIndex", "StartIndex cannot be less than zero."));
    }
    let missing = length_int(text).saturating_sub(start);
    if missing < 0 {
        let why = "startIndex cannot be larger than length of string.";
        return Err(Thrown::out_of_range("startIndex", why));
    }
    substring(text, start, missing)
}

/// `text.Substring(start, count)`.
pub fn substring(text: &str, start: i32, count: i32) -> Result<String, Thrown> {
    let whole = length_int(text);
    if start < 0 {
        return Err(Thrown::out_of_range("startIndex", "StartIndex cannot be less than zero."));
    }
    if start > whole {
        let why = "startIndex cannot be larger than length of string.";
        return Err(Thrown::out_of_range("startIndex", why));
    }
    if count < 0 {
        return Err(Thrown::out_of_range("length", "Length cannot be less than zero."));
    }
    if count > whole.saturating_sub(start) {
        let why = "Index and length must refer to a location within the string.";
        return Err(Thrown::out_of_range("length", why));
    }
    let start = usize::try_from(start).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(0);
    if text.is_ascii() {
        return Ok(text.get(start..start.saturating_add(count)).unwrap_or_default().to_owned());
    }
    // Half of a surrogate pair becomes U+FFFD.
    let units: Vec<u16> = text.encode_utf16().skip(start).take(count).collect();
    Ok(String::from_utf16_lossy(&units))
}

/// `text.Remove(start)` and, with a count, `text.Remove(start, count)`.
pub fn remove(text: &str, start: i32, count: Option<i32>) -> Result<String, Thrown> {
    let head = substring(text, 0, start)?;
    let Some(count) = count else { return Ok(head) };
    let end = start.checked_add(count).filter(|_| count >= 0).ok_or_else(|| {
        Thrown::out_of_range("count", "Index and count must refer to a location within the string.")
    })?;
    Ok(format!("{head}{}", substring_from(text, end)?))
}

/// `text.Insert(start, part)`.
pub fn insert(text: &str, start: i32, part: &str) -> Result<String, Thrown> {
    let head = substring(text, 0, start)?;
    bounded_string(text.len().saturating_add(part.len()))?;
    Ok(format!("{head}{part}{}", substring_from(text, start)?))
}

/// `text.Replace(old, new)`; no `new` takes `old` out.
pub fn replace(
    text: &str,
    old: &str,
    new: Option<&str>,
    comparison: Comparison,
) -> Result<String, Thrown> {
    if old.is_empty() {
        return Err(Thrown::new(
            ExceptionKind::Argument,
            "String cannot be of zero length. (Parameter 'oldValue')",
        ));
    }
    let new = new.unwrap_or_default();
    let mut out = String::new();
    let mut rest = text;
    loop {
        let found = if comparison.ignores_case() {
            compare::find_with_length(rest, old)
        } else {
            rest.find(old).map(|at| (at, old.len()))
        };
        let Some((at, length)) = found else { break };
        out.push_str(rest.get(..at).unwrap_or_default());
        out.push_str(new);
        bounded_string(out.len())?;
        rest = rest.get(at.saturating_add(length)..).unwrap_or_default();
    }
    out.push_str(rest);
    bounded_string(out.len())?;
    Ok(out)
}

/// `text.ToUpperInvariant()`: one character for one, as .NET does it.
pub fn to_upper(text: &str) -> String {
    compare::fold(text)
}

/// `text.ToLowerInvariant()`: one character for one, as .NET does it.
pub fn to_lower(text: &str) -> String {
    text.chars().map(character::to_lower).collect()
}

/// `text.PadLeft(width, padding)`.
pub fn pad_left(text: &str, width: i32, padding: char) -> Result<String, Thrown> {
    Ok(format!("{}{text}", missing(text, width, padding)?))
}

/// `text.PadRight(width, padding)`.
pub fn pad_right(text: &str, width: i32, padding: char) -> Result<String, Thrown> {
    Ok(format!("{text}{}", missing(text, width, padding)?))
}

fn missing(text: &str, width: i32, padding: char) -> Result<String, Thrown> {
    let width = usize::try_from(width)
        .map_err(|_| Thrown::out_of_range("totalWidth", "Non-negative number required."))?;
    let missing = width.saturating_sub(length(text));
    let bytes = missing.saturating_mul(padding.len_utf8()).saturating_add(text.len());
    bounded_string(bytes)?;
    Ok(padding.to_string().repeat(missing))
}

/// `new string(character, count)`.
pub fn repeated(character: char, count: i32) -> Result<String, Thrown> {
    let count = usize::try_from(count)
        .map_err(|_| Thrown::out_of_range("count", "'count' must be non-negative."))?;
    bounded_string(count.saturating_mul(character.len_utf8()))?;
    Ok(character.to_string().repeat(count))
}

/// `string.Join(separator, values)`.
pub fn join(separator: &str, values: &[Value]) -> Result<String, Thrown> {
    let mut out = String::new();
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push_str(separator);
        }
        out.push_str(&display::text(value)?);
        bounded_string(out.len())?;
    }
    Ok(out)
}

/// `string.Concat(values)`, and `+` where one side is a string.
pub fn concat(values: &[Value]) -> Result<Arc<str>, Thrown> {
    if let [Value::String(one)]
    | [Value::String(one), Value::Null]
    | [Value::Null, Value::String(one)] = values
    {
        return Ok(Arc::clone(one));
    }
    join("", values).map(Arc::from)
}

/// `string.IsNullOrEmpty(text)`.
pub fn is_null_or_empty(text: Option<&str>) -> bool {
    text.is_none_or(str::is_empty)
}

/// `string.IsNullOrWhiteSpace(text)`.
pub fn is_null_or_white_space(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.chars().all(char::is_whitespace))
}

/// `text.ToCharArray()`, and what enumerating a string gives.
pub fn characters(text: &str) -> Result<Vec<Value>, Thrown> {
    bounded_items(text.len().div_ceil(4))?;
    let characters: Vec<Value> = text.chars().map(Value::Char).collect();
    bounded_items(characters.len())?;
    Ok(characters)
}

/// `text.GetHashCode()`: the same for the same text in every process, which .NET does not promise.
pub fn hash_code(text: &str) -> i32 {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in text.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::compare::Comparison::{Culture, Ordinal, OrdinalIgnoreCase};
    use super::split::Options;
    use super::*;

    /// Text, separators, count, options, the parts joined by bars.
    type Row<'r> = (&'r str, &'r [&'r str], Option<i32>, Options, &'r str);

    #[test]
    fn strings_are_searched_as_in_dotnet() {
        assert!(contains("Hello", "ell", Ordinal));
        assert!(!contains("Hello", "ELL", Ordinal));
        assert!(contains("Hello", "ELL", OrdinalIgnoreCase));
        assert!(contains("", "", Ordinal));
        assert!(starts_with("/api/x", "/api", Ordinal));
        assert!(starts_with("Bearer x", "bearer ", OrdinalIgnoreCase));
        assert!(!starts_with("a", "ab", OrdinalIgnoreCase));
        assert!(ends_with("a.JSON", ".json", OrdinalIgnoreCase));
        let rows = [
            ("abcabc", "c", 0, 2),
            ("abcabc", "c", 3, 5),
            ("abc", "x", 0, -1),
            ("abc", "", 3, 3),
            ("日本語", "語", 0, 2),
            ("😀x", "x", 0, 2),
        ];
        for (text, part, start, place) in rows {
            assert_eq!(index_of(text, part, start, Ordinal).unwrap(), place, "{text} {part}");
        }
        assert!(index_of("abc", "a", 4, Ordinal).is_err());
        assert!(index_of("abc", "a", -1, Ordinal).is_err());
        assert_eq!(index_of("aßc", "C", 0, OrdinalIgnoreCase).unwrap(), 2);
        assert_eq!(last_index_of("a/b/c", "/", Ordinal), 3);
        assert_eq!(last_index_of("a/B/b", "B", OrdinalIgnoreCase), 4);
        assert_eq!(index_of_any("abc", &['c', 'b']), 1);
        assert_eq!(length_int("日本😀"), 4);
        assert_eq!(char_at("abc", 1).unwrap(), 'b');
        assert_eq!(char_at("abc", 3).unwrap_err(), Thrown::array_index());
        assert!(char_at("abc", -1).is_err());
    }

    #[test]
    fn strings_are_cut_as_in_dotnet() {
        assert_eq!(substring_from("Bearer abc", 7).unwrap(), "abc");
        assert_eq!(substring_from("abc", 3).unwrap(), "");
        assert_eq!(substring("abcdef", 1, 3).unwrap(), "bcd");
        assert_eq!(substring("日本語", 1, 1).unwrap(), "本");
        assert_eq!(substring("😀", 0, 1).unwrap(), "\u{fffd}");
        assert_eq!(
            substring_from("abc", 4).unwrap_err().message,
            "startIndex cannot be larger than length of string. (Parameter 'startIndex')"
        );
        assert_eq!(
            substring("abc", 1, 3).unwrap_err().message,
            "Index and length must refer to a location within the string. (Parameter 'length')"
        );
        assert!(substring_from("abc", -1).is_err());
        assert!(substring("abc", 0, -1).is_err());
        assert_eq!(remove("abcdef", 2, None).unwrap(), "ab");
        assert_eq!(remove("abcdef", 2, Some(2)).unwrap(), "abef");
        assert!(remove("abc", 2, Some(2)).is_err());
        assert!(remove("abc", 2, Some(i32::MAX)).is_err());
        assert_eq!(insert("abc", 1, "--").unwrap(), "a--bc");
        assert_eq!(replace("aXbX", "X", Some("-"), Ordinal).unwrap(), "a-b-");
        assert_eq!(replace("aXbx", "X", None, OrdinalIgnoreCase).unwrap(), "ab");
        assert!(replace("a", "", Some("b"), Ordinal).is_err());
        assert_eq!(pad_left("7", 3, '0').unwrap(), "007");
        assert_eq!(pad_right("7", 3, ' ').unwrap(), "7  ");
        assert_eq!(pad_left("1234", 3, '0').unwrap(), "1234");
        assert!(pad_left("7", i32::MAX, '0').is_err());
        assert!(pad_left("7", -1, '0').is_err());
        assert_eq!(trim::trim("  a ", &[]), "a");
        assert_eq!(trim::trim_start("//a/", &['/']), "a/");
        assert_eq!(trim::trim_end("//a/", &['/']), "//a");
        assert_eq!(to_upper("straße"), "STRAßE");
        assert_eq!(to_lower("ÄB"), "äb");
        assert_eq!(repeated('-', 3).unwrap(), "---");
        assert!(repeated('-', i32::MAX).is_err());
    }

    #[test]
    fn strings_are_split_as_in_dotnet() {
        let none = Options::default();
        let no_empty = Options::from_bits(1);
        let trimmed = Options::from_bits(2);
        let both = Options::from_bits(3);
        let rows: &[Row<'_>] = &[
            ("a,b,c", &[","], None, none, "a|b|c"),
            ("", &[","], None, none, ""),
            (",a,,b,", &[","], None, none, "|a||b|"),
            (",a,,b,", &[","], None, no_empty, "a|b"),
            ("a, b", &[","], None, trimmed, "a|b"),
            ("a, ,b", &[","], None, both, "a|b"),
            ("a,b,c", &[","], Some(2), none, "a|b,c"),
            ("a,b,c", &[","], Some(1), none, "a,b,c"),
            (",,a,b", &[","], Some(2), no_empty, "a|b"),
            ("a-->b;c", &["-->", ";"], None, none, "a|b|c"),
            ("abc", &[""], None, none, "abc"),
            ("aab", &["a", "aa"], None, none, "||b"),
        ];
        for (text, separators, count, options, expected) in rows {
            let parts = split::split(text, separators, *count, *options).unwrap();
            let Value::List(parts) = parts else { panic!() };
            assert_eq!(join("|", &parts.snapshot()).unwrap(), *expected, "{text} {options:?}");
        }
        let Value::List(parts) = split::split("a", &[","], Some(0), none).unwrap() else {
            panic!()
        };
        assert!(parts.is_empty());
        let Value::List(parts) = split::split_at_space(" a\tb ", None, no_empty).unwrap() else {
            panic!()
        };
        assert_eq!(parts.len(), 2);
        assert!(split::split("a", &[","], Some(-1), none).is_err());
    }

    #[test]
    fn strings_are_compared_as_in_dotnet() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let rows = [
            ("a", "b", Ordinal, Less),
            ("a", "B", Ordinal, Greater),
            ("a", "B", Culture, Less),
            ("a", "A", Culture, Less),
            ("a", "A", OrdinalIgnoreCase, Equal),
            ("abc", "ab", Culture, Greater),
            ("1", "a", Culture, Less),
            ("_", "1", Culture, Less),
        ];
        for (left, right, comparison, expected) in rows {
            assert_eq!(compare::compare(left, right, comparison), expected, "{left} {right}");
        }
        assert!(compare::equal("ÄB", "äb", OrdinalIgnoreCase));
        assert!(!compare::equal("a", "A", Ordinal));
        assert!(Comparison::from_number(9).is_err());
    }

    #[test]
    fn strings_are_joined_as_in_dotnet() {
        let values: Vec<Value> = vec!["a".into(), Value::Null, 1.into(), true.into()];
        assert_eq!(join(", ", &values).unwrap(), "a, , 1, True");
        assert_eq!(&*concat(&values).unwrap(), "a1True");
        assert!(
            is_null_or_empty(None) && is_null_or_empty(Some("")) && !is_null_or_empty(Some(" "))
        );
        assert!(is_null_or_white_space(Some(" \t")) && !is_null_or_white_space(Some("a")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,20}", part in ".{0,3}", start in -2..25, count in -2..25) {
            let _ = (substring(&text, start, count), remove(&text, start, Some(count)), insert(&text, start, &part));
            let _ = (index_of(&text, &part, start, OrdinalIgnoreCase), char_at(&text, start));
            let _ = split::split(&text, &[&part, "a"], Some(count), Options::from_bits(count));
        }

        #[test]
        fn case_makes_no_difference_where_it_is_ignored(before in ".{0,8}", part in ".{1,4}", after in ".{0,8}") {
            let text = format!("{before}{part}{after}");
            let folded = compare::fold(&part);
            let at = index_of(&text, &folded, 0, OrdinalIgnoreCase).unwrap();
            assert!((0..=length_int(&before)).contains(&at));
            assert!(replace(&text, &folded, Some(""), OrdinalIgnoreCase).is_ok());
        }
    }
}
