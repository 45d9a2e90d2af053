//! `System.Text.RegularExpressions`: patterns of .NET, matched in linear time.
//!
//! What cannot be matched in linear time (look-around, backreferences, atomic groups) is refused
//! with a message that says so. `$` and `\Z` are the very end of the text, also where a line feed
//! stands there.

use std::sync::Arc;

use regex::{Captures, RegexBuilder};

use super::text;
use crate::expression::value::matched::{Group, Match, Pattern};
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Value, bounded_items, bounded_string};

mod translate;

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// The largest that a compiled pattern may be, in bytes.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The largest that the cache of a matching may be, in bytes.
pub const PATTERN_CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep groups may be nested.
pub const PATTERN_NESTING_MAX: u32 = 64;

/// `RegexOptions.IgnoreCase`.
pub const IGNORE_CASE: i32 = 1;
/// `RegexOptions.Multiline`.
pub const MULTILINE: i32 = 2;
/// `RegexOptions.ExplicitCapture`.
pub const EXPLICIT_CAPTURE: i32 = 4;
/// `RegexOptions.Singleline`.
pub const SINGLELINE: i32 = 16;
/// `RegexOptions.IgnorePatternWhitespace`.
pub const IGNORE_PATTERN_WHITESPACE: i32 = 32;
/// `RegexOptions.RightToLeft`, which is refused.
const RIGHT_TO_LEFT: i32 = 64;

/// `new Regex(source, options)`.
pub fn new(source: &str, options: i32) -> Result<Pattern, Thrown> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(Thrown::limit(format!(
            "a pattern may be at most {PATTERN_BYTES_MAX} bytes long"
        )));
    }
    if options & RIGHT_TO_LEFT != 0 {
        return Err(refused(source, "RegexOptions.RightToLeft is not supported here"));
    }
    let translated = translate::translate(source, options & EXPLICIT_CAPTURE != 0)?;
    let regex = RegexBuilder::new(&translated)
        .case_insensitive(options & IGNORE_CASE != 0)
        .multi_line(options & MULTILINE != 0)
        .dot_matches_new_line(options & SINGLELINE != 0)
        .ignore_whitespace(options & IGNORE_PATTERN_WHITESPACE != 0)
        .size_limit(PATTERN_COMPILED_BYTES_MAX)
        .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
        .nest_limit(PATTERN_NESTING_MAX)
        .build()
        .map_err(|error| refused(source, &reason(&error)))?;
    Ok(Pattern { source: Arc::from(source), regex })
}

/// The last line of what the crate says, which is its reason.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Why `source` is not a pattern.
fn refused(source: &str, why: &str) -> Thrown {
    Thrown::new(ExceptionKind::RegexParse, format!("Invalid pattern '{source}': {why}."))
}

/// `regex.IsMatch(text)`.
pub fn is_match(pattern: &Pattern, text: &str) -> bool {
    pattern.regex.is_match(text)
}

/// `regex.Match(text)`: without success if nothing matches.
pub fn first(pattern: &Pattern, text: &str) -> Match {
    let mut places = Places::new(text);
    let captures = pattern.regex.captures(text);
    captures.map_or_else(Match::empty, |captures| matched(pattern, &captures, &mut places))
}

/// All matches in order. As in .NET, an empty one may follow where another ended.
struct Found<'t> {
    pattern: &'t Pattern,
    text: &'t str,
    /// From where on the next one is looked for; none at the end.
    from: Option<usize>,
}

impl<'t> Found<'t> {
    const fn new(pattern: &'t Pattern, text: &'t str) -> Self {
        Self { pattern, text, from: Some(0) }
    }
}

impl<'t> Iterator for Found<'t> {
    type Item = Captures<'t>;

    fn next(&mut self) -> Option<Captures<'t>> {
        let captures = self.pattern.regex.captures_at(self.text, self.from?)?;
        let whole = captures.get(0)?;
        self.from = if whole.is_empty() {
            let next = self.text.get(whole.end()..).and_then(|rest| rest.chars().next());
            next.map(|next| whole.end().saturating_add(next.len_utf8()))
        } else {
            Some(whole.end())
        };
        Some(captures)
    }
}

/// The first match in `text` from the UTF-16 place `after` on: `match.NextMatch()`.
pub fn next_after(pattern: &Pattern, text: &str, after: i32) -> Match {
    captured_from(pattern, text, after)
        .map_or_else(Match::empty, |captures| matched(pattern, &captures, &mut Places::new(text)))
}

fn captured_from<'t>(pattern: &Pattern, text: &'t str, start: i32) -> Option<Captures<'t>> {
    let start = usize::try_from(start).ok()?;
    pattern.regex.captures_at(text, text::byte_at(text, start)?)
}

/// `match.Result(replacement)` of the match at the UTF-16 place `start`.
pub fn result(
    pattern: &Pattern,
    text: &str,
    start: i32,
    replacement: &str,
) -> Result<String, Thrown> {
    let mut out = String::new();
    if let Some(captures) = captured_from(pattern, text, start) {
        expand(pattern, &captures, (text, replacement), &mut out);
    }
    bounded_string(out.len())?;
    Ok(out)
}

/// `regex.Matches(text)`.
pub fn all(pattern: &Pattern, text: &str) -> Result<Vec<Value>, Thrown> {
    let mut places = Places::new(text);
    let mut matches = Vec::new();
    for captures in Found::new(pattern, text) {
        bounded_items(matches.len().saturating_add(1))?;
        matches.push(matched(pattern, &captures, &mut places).into());
    }
    Ok(matches)
}

/// `regex.Replace(text, replacement, count)`, where `$1`, `${name}` and their like stand for
/// groups.
pub fn replace(
    pattern: &Pattern,
    text: &str,
    replacement: &str,
    count: Option<i32>,
) -> Result<String, Thrown> {
    let mut put = |captures: &Captures<'_>, out: &mut String| {
        expand(pattern, captures, (text, replacement), out);
        Ok(())
    };
    substitute(pattern, text, count, &mut put)
}

/// `regex.Replace(text, evaluator)`: `evaluator` gets each match and gives the string for it.
pub fn replace_with(
    pattern: &Pattern,
    text: &str,
    evaluator: &mut dyn FnMut(&[Value]) -> Result<Value, Thrown>,
) -> Result<String, Thrown> {
    let mut places = Places::new(text);
    let mut put = |captures: &Captures<'_>, out: &mut String| {
        let found = matched(pattern, captures, &mut places);
        let replacement = evaluator(&[found.into()])?;
        out.push_str(&super::display::text(&replacement)?);
        Ok(())
    };
    substitute(pattern, text, None, &mut put)
}

fn substitute(
    pattern: &Pattern,
    text: &str,
    count: Option<i32>,
    put: &mut dyn FnMut(&Captures<'_>, &mut String) -> Result<(), Thrown>,
) -> Result<String, Thrown> {
    // A negative count means all.
    let most = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let mut out = String::new();
    let mut end = 0;
    for captures in Found::new(pattern, text).take(most) {
        let Some(whole) = captures.get(0) else { break };
        out.push_str(text.get(end..whole.start()).unwrap_or_default());
        put(&captures, &mut out)?;
        bounded_string(out.len())?;
        end = whole.end();
    }
    out.push_str(text.get(end..).unwrap_or_default());
    bounded_string(out.len())?;
    Ok(out)
}

/// `regex.Split(text)`: the parts between matches, and the groups of these.
pub fn split(pattern: &Pattern, text: &str) -> Result<Vec<Value>, Thrown> {
    let mut parts = Vec::new();
    let mut end = 0;
    for captures in Found::new(pattern, text) {
        let Some(whole) = captures.get(0) else { break };
        parts.push(Value::text(text.get(end..whole.start()).unwrap_or_default()));
        parts.extend(captures.iter().skip(1).flatten().map(|group| Value::text(group.as_str())));
        bounded_items(parts.len())?;
        end = whole.end();
    }
    parts.push(Value::text(text.get(end..).unwrap_or_default()));
    Ok(parts)
}

/// `Regex.Escape(text)`.
pub fn escape(text: &str) -> Result<String, Thrown> {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '*' | '+' | '?' | '|' | '{' | '[' | '(' | ')' | '^' | '$' | '.' | '#' | ' ' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    bounded_string(out.len())?;
    Ok(out)
}

/// `Regex.Unescape(text)`.
pub fn unescape(text: &str) -> Result<String, Thrown> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        let letter = rest.next().ok_or_else(|| refused(text, "it ends with a backslash"))?;
        let digits = match letter {
            'x' => 2,
            'u' => 4,
            _ => 0,
        };
        if digits > 0 {
            let code =
                rest.as_str().get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
            let code = code.ok_or_else(|| refused(text, "hexadecimal digits are missing"))?;
            out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = rest.as_str().get(digits..).unwrap_or_default().chars();
            continue;
        }
        out.push(translate::control(letter).unwrap_or(letter));
    }
    Ok(out)
}

/// Writes `replacement` with what its `$` stand for.
fn expand(
    pattern: &Pattern,
    captures: &Captures<'_>,
    (text, replacement): (&str, &str),
    out: &mut String,
) {
    let Some(whole) = captures.get(0) else { return };
    let numbers = numbers(pattern);
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let after = from.strip_prefix('$').unwrap_or(from);
        let (value, after) = match after.chars().next() {
            Some('$') => (Some("$"), after.get(1..)),
            Some('&') => (Some(whole.as_str()), after.get(1..)),
            Some('`') => (text.get(..whole.start()), after.get(1..)),
            Some('\'') => (text.get(whole.end()..), after.get(1..)),
            Some('_') => (Some(text), after.get(1..)),
            Some('{') => {
                let name = after.get(1..).and_then(|inner| inner.split_once('}'));
                match name {
                    Some((name, after)) => (group_text(captures, &numbers, name), Some(after)),
                    None => (None, None),
                }
            }
            Some(digit) if digit.is_ascii_digit() => {
                let count = after.bytes().take_while(u8::is_ascii_digit).count();
                let (number, after) = after.split_at(count);
                (group_text(captures, &numbers, number), Some(after))
            }
            _ => (None, None),
        };
        // What names no group stays as it is.
        if let (Some(value), Some(after)) = (value, after) {
            out.push_str(value);
            rest = after;
        } else {
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
}

/// The text of the group with that name or number, empty without success; none if there is none.
fn group_text<'t>(captures: &Captures<'t>, numbers: &[usize], name: &str) -> Option<&'t str> {
    let place = match name.parse::<usize>() {
        Ok(number) => *numbers.get(number)?,
        Err(_) => {
            return Some(captures.name(name).map_or("", |group| group.as_str()));
        }
    };
    Some(captures.get(place).map_or("", |group| group.as_str()))
}

/// The crate's number of each .NET group: .NET counts groups with a name after the others.
fn numbers(pattern: &Pattern) -> Vec<usize> {
    let names: Vec<Option<&str>> = pattern.regex.capture_names().collect();
    let mut numbers: Vec<usize> = (0..names.len()).collect();
    numbers.sort_by_key(|place| names.get(*place).is_some_and(Option::is_some));
    numbers
}

fn matched(pattern: &Pattern, captures: &Captures<'_>, places: &mut Places<'_>) -> Match {
    let names: Vec<Option<&str>> = pattern.regex.capture_names().collect();
    let groups = numbers(pattern).into_iter().enumerate().map(|(number, place)| {
        let name = names.get(place).copied().flatten();
        let name = name.map_or_else(|| number.to_string(), str::to_owned);
        let Some(found) = captures.get(place) else {
            return Arc::new(Group { name: Arc::from(name), ..Group::default() });
        };
        Arc::new(Group {
            name: Arc::from(name),
            success: true,
            value: Arc::from(found.as_str()),
            index: places.at(found.start()),
            length: text::length_int(found.as_str()),
        })
    });
    Match { groups: groups.collect(), origin: None }
}

/// UTF-16 places in a text, counted on from the last one that was asked for.
struct Places<'t> {
    text: &'t str,
    is_ascii: bool,
    byte: usize,
    units: i32,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, is_ascii: text.is_ascii(), byte: 0, units: 0 }
    }

    fn at(&mut self, byte: usize) -> i32 {
        if self.is_ascii {
            return i32::try_from(byte).unwrap_or(i32::MAX);
        }
        if byte < self.byte {
            (self.byte, self.units) = (0, 0);
        }
        let between = self.text.get(self.byte..byte).unwrap_or_default();
        self.units = self.units.saturating_add(text::length_int(between));
        self.byte = byte;
        self.units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(source: &str) -> Pattern {
        new(source, 0).expect(source)
    }

    #[test]
    fn patterns_match_as_in_dotnet() {
        let rows = [
            ("^a+$", 0, "aaa", true),
            ("A", IGNORE_CASE, "a", true),
            ("^b", MULTILINE, "a\nb", true),
            ("a.b", 0, "a\nb", false),
            ("a.b", SINGLELINE, "a\nb", true),
            ("(?i)abc", 0, "ABC", true),
            ("(?i:a)b", 0, "AB", false),
            ("a b # c", IGNORE_PATTERN_WHITESPACE, "ab", true),
            (r"\d{3}-\d{4}", 0, "555-1234", true),
            (r"^\w+@\w+\.com$", 0, "a@b.com", true),
            (r"[\w.-]+", 0, "-", true),
            (r"[a-z-[aeiou]]", 0, "e", false),
            (r"[a-z-[aeiou]]", 0, "f", true),
            (r"[[]", 0, "[", true),
            (r"[]a]", 0, "]", true),
            (r"[^]]", 0, "]", false),
            (r"[a&&b]", 0, "&", true),
            (r"[a~~b]", 0, "~", true),
            (r"[\b]", 0, "\u{8}", true),
            ("{", 0, "{", true),
            ("a{,3}", 0, "a{,3}", true),
            ("a{2}", 0, "aa", true),
            ("{\"a\"}", 0, "{\"a\"}", true),
            (r"\/\-\_\<\>", 0, "/-_<>", true),
            (r"\u0041\x42\t", 0, "AB\t", true),
            (r"\e\cA\0", 0, "\u{1b}\u{1}\0", true),
            (r"a\Z", 0, "a", true),
            (r"\p{Lu}", 0, "É", true),
            ("(?#note)a", 0, "a", true),
            ("(?'q'a)", 0, "a", true),
            ("a]", 0, "a]", true),
            (r"\ ", IGNORE_PATTERN_WHITESPACE, " ", true),
            (r"[ ]", IGNORE_PATTERN_WHITESPACE, " ", true),
            (r"^/api/(v\d+)/", 0, "/api/v1/x", true),
        ];
        for (source, options, text, expected) in rows {
            let pattern = new(source, options).expect(source);
            assert_eq!(is_match(&pattern, text), expected, "{source}");
        }
    }

    #[test]
    fn what_is_not_linear_is_refused_with_a_reason() {
        let rows = [
            ("(?=a)", "look-around"),
            ("(?<!a)b", "look-around"),
            (r"(a)\1", "backreference"),
            (r"(?<x>a)\k<x>", "backreference"),
            ("(?>a)", "atomic"),
            ("(", "unclosed group"),
            ("[", "a class has no end"),
            (r"a\", "backslash"),
            (r"\q", "not known"),
            ("(?<a-b>c)", "name"),
            (r"\p{Nowhere}", "Unicode property not found"),
            (r"(\w{1000}){1000}", "exceeds size limit"),
            ("*", "repetition operator missing expression"),
        ];
        for (source, reason) in rows {
            let thrown = new(source, 0).unwrap_err();
            assert_eq!(thrown.kind, ExceptionKind::RegexParse);
            assert!(thrown.message.contains(reason), "{}", thrown.message);
        }
        assert!(new(&"a".repeat(PATTERN_BYTES_MAX + 1), 0).is_err());
        assert!(new(&"[a-[".repeat(100), 0).is_err() && new(&"(".repeat(1000), 0).is_err());
        assert!(new("a", RIGHT_TO_LEFT).is_err());
    }

    #[test]
    fn groups_are_counted_as_in_dotnet() {
        let found = first(&made("(?<year>[0-9]+)-([0-9]+)(x)?"), "é 2024-03");
        assert_eq!(&*found.whole().value, "2024-03");
        assert_eq!((found.whole().index, found.whole().length), (2, 7));
        assert_eq!(&*found.group(1).value, "03");
        assert!(!found.group(2).success);
        assert_eq!(&*found.group(3).value, "2024");
        assert_eq!(&*found.group_named("year").value, "2024");
        assert!(
            !found.group(9).success && !found.group_named("no").success && !found.group(-1).success
        );
        assert!(!first(&made("z"), "a").whole().success);
        let all = all(&made("[a-z]"), "é a1b").unwrap();
        assert_eq!(all.len(), 2);
        let Value::Match(last) = &all[1] else { panic!() };
        assert_eq!(last.whole().index, 4);
    }

    #[test]
    fn matches_are_replaced_as_in_dotnet() {
        let rows = [
            ("b", "abcb", "x", "axcx"),
            (r"(\w)(\d)", "a1 b2", "$2$1", "1a 2b"),
            (r"(?<l>\w)\d", "a1", "${l}!", "a!"),
            ("b", "abc", "[$&$`$'$_$$]", "a[bacabc$]c"),
            ("b", "abc", "$1 $x ${no} ${", "a$1 $x  ${c"),
            ("(b)", "abc", "$10", "a$10c"),
            ("", "ab", "-", "-a-b-"),
        ];
        for (source, text, replacement, expected) in rows {
            assert_eq!(
                replace(&made(source), text, replacement, None).unwrap(),
                expected,
                "{replacement}"
            );
        }
        assert_eq!(replace(&made("a"), "aaa", "b", Some(2)).unwrap(), "bba");
        let mut upper = |arguments: &[Value]| {
            Ok(Value::from(super::super::display::text(&arguments[0])?.to_uppercase()))
        };
        assert_eq!(replace_with(&made("[bc]"), "abc", &mut upper).unwrap(), "aBC");
        let parts =
            |source: &str, text: &str| text::join("|", &split(&made(source), text).unwrap());
        assert_eq!(parts(r"\s*,\s*", "a , b,c").unwrap(), "a|b|c");
        assert_eq!(parts("(-)", "a-b").unwrap(), "a|-|b");
        assert_eq!(parts(",", "").unwrap(), "");
        assert_eq!(escape("a.b[c] d").unwrap(), r"a\.b\[c]\ d");
        assert_eq!(unescape(r"a\.b\n\x41\u0042").unwrap(), "a.b\nAB");
        assert!(unescape(r"a\").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(source in "[a-z\\[\\](){}?*+^$.|\\\\<>=!:#,0-9é -]{0,25}", text in ".{0,20}", replacement in "[$a-z{}0-9&]{0,8}") {
            if let Ok(pattern) = new(&source, 0) {
                let _ = (all(&pattern, &text), replace(&pattern, &text, &replacement, None), split(&pattern, &text));
            }
            let _ = (escape(&text).and_then(|escaped| new(&escaped, 0)), unescape(&source));
        }

        #[test]
        fn an_escaped_text_matches_itself(text in "\\PC{1,20}") {
            assert!(is_match(&made(&escape(&text).unwrap()), &text));
        }
    }
}
