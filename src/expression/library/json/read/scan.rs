//! The text of JSON, character by character.

use std::sync::Arc;

use super::{Json, Thrown, reader_fault};

/// The most digits of a number that are kept; a longer one is a mistake or an attack.
const NUMBER_DIGITS_MAX: usize = 1024;

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
    pub(super) fn space(&mut self) -> Result<(), Thrown> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("/*") {
                let (_, after) = comment
                    .split_once("*/")
                    .ok_or_else(|| self.fault("Unexpected end while parsing comment."))?;
                self.rest = after;
            } else if let Some(comment) = self.rest.strip_prefix("//") {
                self.rest = comment.find(['\n', '\r']).map_or("", |at| comment.split_at(at).1);
            } else {
                return Ok(());
            }
        }
    }

    /// The name of a member: in quotes or, as Newtonsoft allows, bare.
    pub(super) fn name(&mut self) -> Result<String, Thrown> {
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
            Some(other) => {
                Err(self.fault(&format!("Invalid property identifier character: {other}.")))
            }
            None => Err(self.fault("Unexpected end when reading JSON.")),
        }
    }

    /// A string in `quote`s, which are next.
    pub(super) fn string(&mut self, quote: char) -> Result<String, Thrown> {
        self.skip(quote);
        let mut out = String::new();
        loop {
            let end = self.rest.find([quote, '\\']).ok_or_else(|| self.open_string(quote))?;
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

    fn escape(&mut self, out: &mut String, quote: char) -> Result<(), Thrown> {
        let mut rest = self.rest.chars();
        let letter = rest.next().ok_or_else(|| self.open_string(quote))?;
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
            other => return Err(self.fault(&format!("Bad JSON escape sequence: \\{other}."))),
        });
        Ok(())
    }

    /// A character of one or two UTF-16 units, the first of which is read; half of a pair becomes
    /// U+FFFD.
    fn unicode(&mut self, out: &mut String, first: u16) -> Result<(), Thrown> {
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

    fn unit(&mut self) -> Result<u16, Thrown> {
        let digits =
            self.rest.get(..4).filter(|digits| digits.bytes().all(|one| one.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.fault("Invalid Unicode escape sequence."))?;
        self.rest = self.rest.get(4..).unwrap_or_default();
        Ok(unit)
    }

    /// A number: whole ones are `long` if they fit, the rest `double`.
    pub(super) fn number(&mut self) -> Result<Json, Thrown> {
        if let Some(after) = self.rest.strip_prefix("-Infinity") {
            self.rest = after;
            return Ok(Json::Double(f64::NEG_INFINITY));
        }
        let end = self
            .rest
            .find(|next: char| !next.is_ascii_alphanumeric() && !matches!(next, '-' | '+' | '.'))
            .unwrap_or(self.rest.len());
        let (text, after) = self.rest.split_at(end);
        let bad = || self.fault(&format!("Input string '{}' is not a valid number.", shown(text)));
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
        self.rest = after;
        Ok(token)
    }

    /// `true`, `false`, `null` and their like.
    pub(super) fn literal(&mut self) -> Result<Json, Thrown> {
        let literals = [
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("null", Json::Null),
            ("undefined", Json::Null),
            ("NaN", Json::Double(f64::NAN)),
            ("Infinity", Json::Double(f64::INFINITY)),
        ];
        for (word, token) in literals {
            if let Some(after) = self.rest.strip_prefix(word)
                && !after.starts_with(|next: char| next.is_alphanumeric())
            {
                self.rest = after;
                return Ok(token);
            }
        }
        let next = self.peek().unwrap_or(' ');
        Err(self.fault(&format!("Unexpected character encountered while parsing value: {next}.")))
    }

    /// What kind of token is next, as Newtonsoft names it.
    pub(super) fn kind(&self) -> &'static str {
        match self.peek() {
            Some('{') => "StartObject",
            Some('[') => "StartArray",
            Some('"' | '\'') => "String",
            Some('t' | 'f') => "Boolean",
            Some('-' | '0'..='9') => "Integer",
            Some('n') => "Null",
            _ => "None",
        }
    }

    /// A character that does not fit; `place` says after what and what would.
    pub(super) fn expected(&self, place: &str) -> Thrown {
        match self.peek() {
            Some(next) => self.fault(&format!("Invalid character {place}, but found: {next}.")),
            None => self.fault("Unexpected end of content while loading JSON."),
        }
    }

    fn open_string(&self, quote: char) -> Thrown {
        self.fault(&format!("Unterminated string. Expected delimiter: {quote}."))
    }

    /// An exception at the present place.
    pub(super) fn fault(&self, message: &str) -> Thrown {
        let done = self.text.len().saturating_sub(self.rest.len());
        let before = self.text.get(..done).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let position = before.get(start..).unwrap_or_default().chars().count();
        reader_fault(message, line, position)
    }
}

/// As much of a wrong text as a message shows.
fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}
