//! The text of JSON, character by character.

use std::sync::Arc;

use super::Json;

/// The most digits of a number that are kept; a longer one is a mistake or an attack.
const NUMBER_DIGITS_MAX: usize = 1024;

/// What is wrong with the text at the place to which it was read.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) String);

fn wrong<T>(message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(message.into()))
}

/// A text that is read from left to right.
pub(super) struct Scan<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Scan<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, rest: text }
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Goes past `character`; says whether it was next.
    pub(super) fn skip(&mut self, character: char) -> bool {
        let after = self.rest.strip_prefix(character);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Goes past white space and comments.
    pub(super) fn space(&mut self) -> Result<(), Wrong> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("/*") {
                let Some((_, after)) = comment.split_once("*/") else {
                    self.rest = "";
                    return wrong("Unexpected end while parsing comment.");
                };
                self.rest = after;
            } else if let Some(comment) = self.rest.strip_prefix("//") {
                self.rest = comment.find(['\n', '\r']).map_or("", |at| comment.split_at(at).1);
            } else {
                return Ok(());
            }
        }
    }

    /// The name of a member: in quotes or, as Newtonsoft allows, bare.
    pub(super) fn name(&mut self) -> Result<String, Wrong> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some(first) if first.is_alphanumeric() || matches!(first, '_' | '$') => {
                let end = self
                    .rest
                    .find(|next: char| !next.is_alphanumeric() && !matches!(next, '_' | '$'));
                let (name, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = after;
                Ok(name.to_owned())
            }
            Some(other) => wrong(format!("Invalid property identifier character: {other}.")),
            None => wrong("Unexpected end while parsing unquoted property name."),
        }
    }

    /// A string in `quote`s, which are next.
    pub(super) fn string(&mut self, quote: char) -> Result<String, Wrong> {
        self.skip(quote);
        let mut out = String::new();
        loop {
            let Some(end) = self.rest.find([quote, '\\']) else { return self.open_string(quote) };
            let (plain, from) = self.rest.split_at(end);
            out.push_str(plain);
            self.rest = from;
            if self.skip(quote) {
                return Ok(out);
            }
            self.skip('\\');
            self.escape(&mut out, quote)?;
        }
    }

    fn escape(&mut self, out: &mut String, quote: char) -> Result<(), Wrong> {
        let mut rest = self.rest.chars();
        let Some(letter) = rest.next() else { return self.open_string(quote) };
        self.rest = rest.as_str();
        out.push(match letter {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '\\' | '"' | '\'' | '/' => letter,
            'u' => {
                let unit = self.unit()?;
                return self.unicode(out, unit);
            }
            other => return wrong(format!("Bad JSON escape sequence: \\{other}.")),
        });
        Ok(())
    }

    /// A character of one or two UTF-16 units, the first of which is read; half of a pair becomes
    /// U+FFFD.
    fn unicode(&mut self, out: &mut String, first: u16) -> Result<(), Wrong> {
        let mut unit = first;
        loop {
            let is_high = (0xd800..0xdc00).contains(&unit);
            if is_high && let Some(after) = self.rest.strip_prefix("\\u") {
                self.rest = after;
                let low = self.unit()?;
                if let Some(Ok(pair)) = char::decode_utf16([unit, low]).next() {
                    out.push(pair);
                    return Ok(());
                }
                out.push(char::REPLACEMENT_CHARACTER);
                unit = low;
                continue;
            }
            let one = char::from_u32(u32::from(unit));
            out.push(one.unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(());
        }
    }

    fn unit(&mut self) -> Result<u16, Wrong> {
        let digits =
            self.rest.get(..4).filter(|digits| digits.bytes().all(|one| one.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let Some(unit) = unit else {
            let found: String = self.rest.chars().take(4).collect();
            return wrong(format!("Invalid Unicode escape sequence: \\u{found}."));
        };
        self.rest = self.rest.get(4..).unwrap_or_default();
        Ok(unit)
    }

    /// A number: whole ones are `long` if they fit, the rest `double`.
    pub(super) fn number(&mut self) -> Result<Json, Wrong> {
        if let Some(after) = self.rest.strip_prefix("-Infinity") {
            self.rest = after;
            return Ok(Json::Double(f64::NEG_INFINITY));
        }
        let is_part =
            |next: char| next.is_ascii_hexdigit() || matches!(next, '-' | '+' | '.' | 'x' | 'X');
        let end = self.rest.find(|next| !is_part(next)).unwrap_or(self.rest.len());
        let (text, after) = self.rest.split_at(end);
        self.rest = after;
        if let Some(next) = after.chars().next()
            && !(next.is_whitespace() || matches!(next, ',' | '}' | ']' | ')' | '/'))
        {
            return wrong(format!(
                "Unexpected character encountered while parsing number: {next}."
            ));
        }
        let bad = || Wrong(format!("Input string '{}' is not a valid number.", shown(text)));
        if text.len() > NUMBER_DIGITS_MAX {
            return Err(bad());
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_whole = !digits.is_empty() && digits.bytes().all(|one| one.is_ascii_digit());
        let token = if is_whole {
            text.parse().map_or_else(|_| Json::Big(Arc::from(text)), Json::Int)
        } else if let Some(hexadecimal) =
            digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))
        {
            Json::Int(i64::from_str_radix(hexadecimal, 16).map_err(|_| bad())?)
        } else {
            // Rust reads words such as `inf`, which are no numbers here.
            let is_number = digits
                .bytes()
                .all(|one| matches!(one, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
            let number: Option<f64> = text.parse().ok().filter(|_| is_number);
            Json::Double(number.ok_or_else(bad)?)
        };
        Ok(token)
    }

    /// `true`, `false`, `null` and their like.
    pub(super) fn literal(&mut self) -> Result<Json, Wrong> {
        let literals = [
            ("true", "t", Json::Bool(true), "boolean"),
            ("false", "f", Json::Bool(false), "boolean"),
            ("null", "nu", Json::Null, "null"),
            ("undefined", "u", Json::Null, "undefined"),
            ("NaN", "N", Json::Double(f64::NAN), "NaN"),
            ("Infinity", "I", Json::Double(f64::INFINITY), "Infinity"),
        ];
        let found = literals.into_iter().find(|(_, start, ..)| self.rest.starts_with(start));
        let Some((word, _, token, kind)) = found else {
            let next = self.peek().unwrap_or(' ');
            return wrong(format!("Unexpected character encountered while parsing value: {next}."));
        };
        let pairs = self.rest.chars().zip(word.chars());
        let same = pairs.take_while(|(found, wanted)| found == wanted).count();
        self.rest = self.rest.get(same..).unwrap_or_default();
        if same < word.len() || self.rest.starts_with(|next: char| next.is_alphanumeric()) {
            return wrong(format!("Error parsing {kind} value."));
        }
        Ok(token)
    }

    fn open_string<T>(&mut self, quote: char) -> Result<T, Wrong> {
        self.rest = "";
        wrong(format!("Unterminated string. Expected delimiter: {quote}."))
    }

    /// The line to which the text was read, from 1, and how many of its characters.
    pub(super) fn place(&self) -> (usize, usize) {
        let done = self.text.len().saturating_sub(self.rest.len());
        let before = self.text.get(..done).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let position = before.get(start..).unwrap_or_default().chars().count();
        (line, position)
    }
}

/// As much of a wrong text as a message shows.
fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}
