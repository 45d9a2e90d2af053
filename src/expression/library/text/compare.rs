//! Comparing strings: by code unit, or without regard to case.

use std::cmp::Ordering;

use super::character::to_lower;
pub use crate::expression::value::key::fold;
use crate::expression::value::key::fold_char;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `StringComparison`. The culture is always the invariant one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Comparison {
    /// `Ordinal`, and what `==` does.
    #[default]
    Ordinal,
    /// `OrdinalIgnoreCase`.
    OrdinalIgnoreCase,
    /// `CurrentCulture` and `InvariantCulture`.
    Culture,
    /// `CurrentCultureIgnoreCase` and `InvariantCultureIgnoreCase`.
    CultureIgnoreCase,
}

/// How many bytes of two texts are compared at once.
const COMPARED_BYTES: usize = 1024;

impl Comparison {
    /// The member of `StringComparison` called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Ordinal" => Self::Ordinal,
            "OrdinalIgnoreCase" => Self::OrdinalIgnoreCase,
            "CurrentCulture" | "InvariantCulture" => Self::Culture,
            "CurrentCultureIgnoreCase" | "InvariantCultureIgnoreCase" => Self::CultureIgnoreCase,
            _ => return None,
        })
    }

    /// The member of `StringComparison` with that number.
    pub fn from_number(number: i32) -> Result<Self, Thrown> {
        Ok(match number {
            0 | 2 => Self::Culture,
            1 | 3 => Self::CultureIgnoreCase,
            4 => Self::Ordinal,
            5 => Self::OrdinalIgnoreCase,
            _ => {
                return Err(Thrown::new(
                    ExceptionKind::Argument,
                    "The string comparison type passed in is currently not supported. (Parameter \
                     'comparisonType')",
                ));
            }
        })
    }

    /// Whether upper and lower case are the same.
    pub const fn ignores_case(self) -> bool {
        matches!(self, Self::OrdinalIgnoreCase | Self::CultureIgnoreCase)
    }
}

/// `string.Equals(left, right, comparison)`.
pub fn equal(left: &str, right: &str, comparison: Comparison) -> bool {
    if comparison.ignores_case() {
        left.chars().map(fold_char).eq(right.chars().map(fold_char))
    } else {
        left == right
    }
}

/// `string.Compare(left, right, comparison)`: -1, 0 or 1.
pub fn compare(left: &str, right: &str, comparison: Comparison) -> Ordering {
    let (left, right) = unlike(left, right);
    match comparison {
        Comparison::Ordinal => left.encode_utf16().cmp(right.encode_utf16()),
        Comparison::OrdinalIgnoreCase => fold(left).encode_utf16().cmp(fold(right).encode_utf16()),
        Comparison::Culture => {
            by_weight(left, right).then_with(|| by_case(left, right)).then_with(|| left.cmp(right))
        }
        Comparison::CultureIgnoreCase => by_weight(left, right),
    }
}

/// Two texts without what they both begin with, which decides nothing and is found by far faster
/// than characters are weighed.
fn unlike<'t>(left: &'t str, right: &'t str) -> (&'t str, &'t str) {
    let (ours, theirs) = (left.as_bytes(), right.as_bytes());
    let pieces = ours.chunks(COMPARED_BYTES).zip(theirs.chunks(COMPARED_BYTES));
    let like = pieces.take_while(|(one, other)| one == other).map(|(one, _)| one.len());
    let mut length: usize = like.sum();
    while !left.is_char_boundary(length) {
        length = length.saturating_sub(1);
    }
    (left.get(length..).unwrap_or(left), right.get(length..).unwrap_or(right))
}

/// The order of the invariant culture without case: signs, then digits, then letters.
fn by_weight(left: &str, right: &str) -> Ordering {
    left.chars().map(weight).cmp(right.chars().map(weight))
}

fn weight(character: char) -> (u8, char) {
    let class = match character {
        letter if letter.is_alphabetic() => 3,
        digit if digit.is_numeric() => 2,
        '_' | '-' => 0,
        space if space.is_whitespace() => 0,
        _ => 1,
    };
    (class, to_lower(character))
}

/// Lower case comes before upper case where nothing else differs.
fn by_case(left: &str, right: &str) -> Ordering {
    left.chars().map(char::is_uppercase).cmp(right.chars().map(char::is_uppercase))
}

/// The byte at which `part` first is in `text`.
pub(super) fn find(text: &str, part: &str, comparison: Comparison) -> Option<usize> {
    if !comparison.ignores_case() {
        return text.find(part);
    }
    if part.is_empty() {
        return Some(0);
    }
    let folded = Folded::new(text);
    folded.text.find(&fold(part)).map(|at| folded.origin(at))
}

/// The byte at which `part` last is in `text`.
pub(super) fn find_last(text: &str, part: &str, comparison: Comparison) -> Option<usize> {
    if !comparison.ignores_case() {
        return text.rfind(part);
    }
    let folded = Folded::new(text);
    folded.text.rfind(&fold(part)).map(|at| folded.origin(at))
}

/// The byte at which `part` first is in `text` when case is ignored, and how many bytes it has
/// there. It looks no further than the place where it finds it.
pub(super) fn find_with_length(text: &str, part: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, _)| Some((at, prefix(text.get(at..)?, part)?)))
}

/// How many bytes of `text` are `part`, if it starts with it when case is ignored.
pub(super) fn prefix(text: &str, part: &str) -> Option<usize> {
    let mut rest = text.chars();
    for wanted in part.chars() {
        if fold_char(rest.next()?) != fold_char(wanted) {
            return None;
        }
    }
    Some(text.len().saturating_sub(rest.as_str().len()))
}

/// A folded text, and where its characters come from: a folded character may have another length.
struct Folded<'t> {
    text: String,
    source: &'t str,
    is_aligned: bool,
}

impl<'t> Folded<'t> {
    fn new(source: &'t str) -> Self {
        let text = fold(source);
        let is_aligned = source.is_ascii();
        Self { text, source, is_aligned }
    }

    /// The byte of the source whose folded form is at byte `at`.
    fn origin(&self, at: usize) -> usize {
        if self.is_aligned {
            return at;
        }
        let count = self.text.get(..at).map_or(0, |before| before.chars().count());
        self.source.char_indices().nth(count).map_or(self.source.len(), |(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_texts_begin_with_does_not_change_their_order() {
        let endings = ["", "a", "A", "é", "É", "è", "b", "_", "1", "\u{1f600}"];
        let all = [
            Comparison::Ordinal,
            Comparison::OrdinalIgnoreCase,
            Comparison::Culture,
            Comparison::CultureIgnoreCase,
        ];
        // An odd byte before, so that a piece ends within a character.
        let before = format!("x{}", "é".repeat(COMPARED_BYTES));
        for (one, other) in endings.iter().flat_map(|one| endings.map(|other| (*one, other))) {
            for comparison in all {
                let expected = compare(one, other, comparison);
                let (left, right) = (format!("{before}{one}"), format!("{before}{other}"));
                assert_eq!(compare(&left, &right, comparison), expected, "{one} {other}");
            }
        }
    }
}
