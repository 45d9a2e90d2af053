//! Format strings for dates and times, read into their pieces; also the shapes that a letter names.

use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The longest format string, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 256;

/// A piece of a format string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece {
    /// A specifier letter and how often it stands there.
    Field(char, usize),
    /// Text that stands for itself.
    Literal(char),
}

/// The pieces of a custom format: letters repeat, quotes and `\` keep what they hold, `%` says
/// that a single letter is one of these and not a standard format.
pub(super) fn pieces(pattern: &str, letters: &str) -> Result<Vec<Piece>, Thrown> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Thrown::limit(format!(
            "a format for dates may be at most {PATTERN_BYTES_MAX} bytes long"
        )));
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = pattern.chars();
    let mut last = None;
    while let Some(character) = rest.next() {
        let mut is_field = false;
        match character {
            '\\' => pieces.push(Piece::Literal(rest.next().ok_or_else(bad)?)),
            '%' => {
                if rest.as_str().is_empty() || rest.as_str().starts_with('%') {
                    return Err(bad());
                }
            }
            '\'' | '"' => {
                let (quoted, after) = rest.as_str().split_once(character).ok_or_else(bad)?;
                pieces.extend(quoted.chars().map(Piece::Literal));
                rest = after.chars();
            }
            letter if letters.contains(letter) => {
                is_field = true;
                match pieces.last_mut() {
                    Some(Piece::Field(known, count))
                        if last == Some(*known) && *known == letter =>
                    {
                        *count = count.saturating_add(1);
                    }
                    _ => pieces.push(Piece::Field(letter, 1)),
                }
            }
            other => pieces.push(Piece::Literal(other)),
        }
        last = is_field.then_some(character);
    }
    Ok(pieces)
}

/// The custom format that the standard one called `letter` stands for; `has_offset` for a
/// `DateTimeOffset`.
pub(super) fn standard(letter: char, has_offset: bool) -> Result<&'static str, Thrown> {
    Ok(match letter {
        'd' => "MM/dd/yyyy",
        'D' => "dddd, dd MMMM yyyy",
        'f' => "dddd, dd MMMM yyyy HH:mm",
        'F' | 'U' if letter == 'F' || !has_offset => "dddd, dd MMMM yyyy HH:mm:ss",
        'g' => "MM/dd/yyyy HH:mm",
        'G' => "MM/dd/yyyy HH:mm:ss",
        'M' | 'm' => "MMMM dd",
        'O' | 'o' if has_offset => "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffzzz",
        'O' | 'o' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
        'R' | 'r' => "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
        's' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
        't' => "HH:mm",
        'T' => "HH:mm:ss",
        'u' => "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
        'Y' | 'y' => "yyyy MMMM",
        _ => return Err(bad()),
    })
}

/// A format string that is none.
pub(super) fn bad() -> Thrown {
    Thrown::new(ExceptionKind::Format, "Input string was not in a correct format.")
}
