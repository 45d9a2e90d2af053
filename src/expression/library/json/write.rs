//! JSON to text, as Newtonsoft writes it.

use std::fmt::Write as _;

use crate::expression::library::convert::base64;
use crate::expression::library::display::guid_text;
use crate::expression::library::moment::format;
use crate::expression::library::{moment, number};
use crate::expression::value::bounded_string;
use crate::expression::value::json::{Json, bounded_depth};
use crate::expression::value::moment::{DateTime, DateTimeKind, DateTimeOffset};
use crate::expression::value::thrown::Thrown;

/// `Newtonsoft.Json.Formatting`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Formatting {
    /// `None`: no white space.
    #[default]
    Compact,
    /// `Indented`: two spaces a level, `\n` between lines as on Linux.
    Indented,
}

/// `token` as JSON; a property as its member alone.
pub fn json(token: &Json, formatting: Formatting) -> Result<String, Thrown> {
    let mut writer = Writer { out: String::new(), is_indented: formatting == Formatting::Indented };
    writer.token(token, 0)?;
    bounded_string(writer.out.len())?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    is_indented: bool,
}

impl Writer {
    fn token(&mut self, token: &Json, depth: usize) -> Result<(), Thrown> {
        bounded_depth(depth)?;
        bounded_string(self.out.len())?;
        match token {
            Json::Object(object) => {
                self.out.push('{');
                let members = object.members();
                for (place, (name, member)) in members.iter().enumerate() {
                    self.next(place, depth);
                    self.member(name, member, depth.saturating_add(1))?;
                }
                self.end('}', members.is_empty(), depth);
                Ok(())
            }
            Json::Array(array) => {
                self.out.push('[');
                let items = array.items();
                for (place, item) in items.iter().enumerate() {
                    self.next(place, depth);
                    self.token(item, depth.saturating_add(1))?;
                }
                self.end(']', items.is_empty(), depth);
                Ok(())
            }
            Json::Property(property) => self.member(property.name(), &property.value(), depth),
            simple => self.simple(simple),
        }
    }

    fn member(&mut self, name: &str, value: &Json, depth: usize) -> Result<(), Thrown> {
        quoted(&mut self.out, name);
        self.out.push_str(if self.is_indented { ": " } else { ":" });
        self.token(value, depth)
    }

    /// Begins the part `place` of a container.
    fn next(&mut self, place: usize, depth: usize) {
        if place > 0 {
            self.out.push(',');
        }
        self.line(depth.saturating_add(1));
    }

    /// Ends a container.
    fn end(&mut self, close: char, is_empty: bool, depth: usize) {
        if !is_empty {
            self.line(depth);
        }
        self.out.push(close);
    }

    /// Goes to a new line, if lines are written.
    fn line(&mut self, depth: usize) {
        if self.is_indented {
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(depth));
        }
    }

    fn simple(&mut self, token: &Json) -> Result<(), Thrown> {
        let out = &mut self.out;
        match token {
            Json::Null => out.push_str("null"),
            Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Json::Int(number) => _ = write!(out, "{number}"),
            Json::Big(digits) => out.push_str(digits),
            Json::Double(number) if !number.is_finite() => {
                quoted(out, &number::double_text(*number));
            }
            Json::Double(number) => out.push_str(&with_point(number::double_text(*number))),
            Json::Decimal(number) => out.push_str(&with_point(number::decimal_text(*number))),
            Json::String(text) | Json::Uri(text) => quoted(out, text),
            Json::Date(date) => quoted(out, &date_text(*date)),
            Json::DateOffset(date) => quoted(out, &date_offset_text(*date)),
            Json::Span(span) => quoted(out, &moment::span::text(*span)),
            Json::Guid(guid) => quoted(out, &guid_text(*guid)),
            Json::Bytes(bytes) => quoted(out, &base64::encode(bytes)?),
            Json::Raw(text) => out.push_str(text),
            Json::Object(_) | Json::Array(_) | Json::Property(_) => {}
        }
        Ok(())
    }
}

/// A number that reads back as a `double`: with a point or an exponent.
fn with_point(digits: String) -> String {
    if digits.contains(['.', 'E', 'e']) { digits } else { digits + ".0" }
}

/// The ISO form: as many digits after the second as there are, `Z` for UTC.
pub fn date_text(date: DateTime) -> String {
    let zone = match date.kind {
        DateTimeKind::Utc => "Z",
        DateTimeKind::Local => "+00:00",
        DateTimeKind::Unspecified => "",
    };
    let unspecified = DateTime { kind: DateTimeKind::Unspecified, ..date };
    let clock = format::date_time(unspecified, "yyyy-MM-ddTHH:mm:ss.FFFFFFF");
    format!("{}{zone}", clock.unwrap_or_default())
}

/// The ISO form with its offset.
pub fn date_offset_text(date: DateTimeOffset) -> String {
    format::date_time_offset(date, "yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz").unwrap_or_default()
}

/// `text` in quotes; only what must be escaped is.
pub fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// `text` in quotes, and nothing but ASCII: it stands in a field of a request.
pub fn quoted_ascii(out: &mut String, text: &str) {
    let mut all = String::new();
    quoted(&mut all, text);
    for unit in all.encode_utf16() {
        match u8::try_from(unit).ok().filter(|byte| (0x20..0x7f).contains(byte)) {
            Some(byte) => out.push(char::from(byte)),
            None => {
                // A string takes all.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}
