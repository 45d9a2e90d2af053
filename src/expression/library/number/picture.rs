//! Picture formats for numbers: `0.00`, `#,##0`, `0.0%`, sections for negative numbers and zero.

use std::fmt::Write as _;

use super::digits::{Digits, length};
use super::standard::grouped;

/// A section of a picture, read.
#[derive(Debug, Default)]
struct Picture {
    /// Places for digits before the point.
    before: usize,
    /// The place, counted from the point to the left, of the first `0` before it.
    zeros_before: usize,
    /// Places for digits after the point.
    after: usize,
    /// The place after the point of the last `0` there.
    zeros_after: usize,
    /// Whether digits come in groups.
    in_groups: bool,
    /// How far the point is moved to the right: percent, per mille and thousands.
    shift: i32,
    /// Exponent: letter, whether a plus is written, and how many digits.
    exponent: Option<(char, bool, usize)>,
}

/// A piece of a picture.
enum Piece {
    Digit { is_zero: bool },
    Point,
    Comma,
    Percent(char, i32),
    Exponent { letter: char, has_plus: bool, width: usize },
    Literal(char),
}

/// `digits` in the picture `format`.
pub(super) fn format(digits: &Digits, format: &str) -> String {
    let sections = sections(format);
    let plain = sections.first().copied().unwrap_or_default();
    let (section, has_own_sign) = match (digits.is_zero(), digits.negative, sections.get(1)) {
        (false, true, Some(section)) if !section.is_empty() => (*section, true),
        (true, ..) => match sections.get(2) {
            Some(section) if !section.is_empty() => (*section, true),
            _ => (plain, false),
        },
        _ => (plain, false),
    };
    let pieces = pieces(section);
    let picture = Picture::of(&pieces);
    let mut rounded = digits.clone();
    if picture.exponent.is_some() {
        rounded.round_to(picture.before.saturating_add(picture.after));
    } else {
        rounded.shift(picture.shift);
        rounded.round_after_point(picture.after);
    }
    if rounded.is_zero()
        && !digits.is_zero()
        && let Some(zero) = sections.get(2).filter(|section| !section.is_empty())
    {
        let pieces = self::pieces(zero);
        return Picture::of(&pieces).write(&pieces, &rounded);
    }
    let text = picture.write(&pieces, &rounded);
    if rounded.negative && !has_own_sign && !rounded.is_zero() { format!("-{text}") } else { text }
}

impl Picture {
    fn of(pieces: &[Piece]) -> Self {
        let mut picture = Self::default();
        let mut is_after = false;
        let mut zero_seen = 0;
        let mut commas: i32 = 0;
        for piece in pieces {
            match piece {
                Piece::Digit { is_zero } if is_after => {
                    picture.after = picture.after.saturating_add(1);
                    if *is_zero {
                        picture.zeros_after = picture.after;
                    }
                }
                Piece::Digit { is_zero } => {
                    // A comma between digits groups them; one at the end divides by a thousand.
                    picture.in_groups |= commas > 0 && picture.before > 0;
                    commas = 0;
                    picture.before = picture.before.saturating_add(1);
                    if *is_zero && zero_seen == 0 {
                        zero_seen = picture.before;
                    }
                }
                Piece::Point => is_after = true,
                Piece::Comma if !is_after && picture.before > 0 => {
                    commas = commas.saturating_add(1);
                }
                Piece::Percent(_, shift) => picture.shift = picture.shift.saturating_add(*shift),
                Piece::Exponent { letter, has_plus, width } => {
                    picture.exponent = Some((*letter, *has_plus, *width));
                }
                Piece::Comma | Piece::Literal(_) => {}
            }
        }
        picture.shift = picture.shift.saturating_sub(commas.saturating_mul(3));
        if zero_seen > 0 {
            picture.zeros_before = picture.before.saturating_sub(zero_seen).saturating_add(1);
        }
        picture
    }

    fn write(&self, pieces: &[Piece], digits: &Digits) -> String {
        let mut digits = digits.clone();
        let mut exponent = 0;
        if self.exponent.is_some() && !digits.is_zero() {
            exponent = digits.point.saturating_sub(length(self.before));
            digits.point = length(self.before);
        }
        let whole = self.whole(&digits);
        let mut fraction = digits.fraction_text(self.after);
        while fraction.len() > self.zeros_after && fraction.ends_with('0') {
            fraction.pop();
        }
        let mut out = String::new();
        let mut places_before: usize = 0;
        let mut places_after: usize = 0;
        let mut is_after = false;
        for piece in pieces {
            match piece {
                Piece::Digit { .. } if is_after => {
                    out.push_str(fraction.get(places_after..=places_after).unwrap_or_default());
                    places_after = places_after.saturating_add(1);
                }
                Piece::Digit { .. } => {
                    out.push_str(whole.get(places_before).map_or("", String::as_str));
                    places_before = places_before.saturating_add(1);
                }
                Piece::Point if !is_after => {
                    is_after = true;
                    if !fraction.is_empty() {
                        out.push('.');
                    }
                }
                Piece::Percent(sign, _) => out.push(*sign),
                Piece::Exponent { letter, has_plus, width } => {
                    out.push(*letter);
                    match (exponent < 0, has_plus) {
                        (true, _) => out.push('-'),
                        (false, true) => out.push('+'),
                        (false, false) => {}
                    }
                    _ = write!(out, "{:0>width$}", exponent.unsigned_abs());
                }
                Piece::Literal(character) => out.push(*character),
                Piece::Comma | Piece::Point => {}
            }
        }
        out
    }

    /// What each place before the point shows; the first one shows all digits to its left.
    fn whole(&self, digits: &Digits) -> Vec<String> {
        let text = if digits.point > 0 { digits.whole_text() } else { String::new() };
        let text = format!("{text:0>width$}", width = self.zeros_before);
        let text = if self.in_groups { grouped(&text) } else { text };
        // From right to left one digit to a place, with the comma that stands before it.
        let mut places: Vec<String> = Vec::new();
        let mut rest = text.as_str();
        for place in 1..=self.before {
            if rest.is_empty() {
                break;
            }
            let cut = rest.len().saturating_sub(1);
            let cut = if place == self.before { 0 } else { cut };
            let (left, right) = rest.split_at_checked(cut).unwrap_or(("", rest));
            let (left, right) = match left.strip_suffix(',') {
                Some(left) => (left, format!(",{right}")),
                None => (left, right.to_owned()),
            };
            places.push(right);
            rest = left;
        }
        places.resize(self.before, String::new());
        places.reverse();
        places
    }
}

/// The sections of `format`, at most three.
fn sections(format: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, character) in format.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && matches!(character, '\'' | '"') {
            quote = Some(character);
        } else if quote.is_none() && character == ';' && sections.len() < 2 {
            sections.push(format.get(start..at).unwrap_or_default());
            start = at.saturating_add(1);
        }
    }
    sections.push(format.get(start..).unwrap_or_default());
    sections
}

fn pieces(section: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = section.chars();
    while let Some(character) = rest.next() {
        match character {
            '0' => pieces.push(Piece::Digit { is_zero: true }),
            '#' => pieces.push(Piece::Digit { is_zero: false }),
            '.' => pieces.push(Piece::Point),
            ',' => pieces.push(Piece::Comma),
            '%' => pieces.push(Piece::Percent('%', 2)),
            '‰' => pieces.push(Piece::Percent('‰', 3)),
            '\\' => pieces.extend(rest.next().map(Piece::Literal)),
            '\'' | '"' => {
                pieces.extend(
                    rest.by_ref().take_while(|next| *next != character).map(Piece::Literal),
                );
            }
            'E' | 'e' => {
                let ahead = rest.as_str();
                let digits = ahead.trim_start_matches(['+', '-']);
                let width = digits.chars().take_while(|next| *next == '0').count();
                let signs = ahead.len().saturating_sub(digits.len());
                if width == 0 || signs > 1 {
                    pieces.push(Piece::Literal(character));
                    continue;
                }
                let has_plus = ahead.starts_with('+');
                pieces.push(Piece::Exponent { letter: character, has_plus, width: width.min(10) });
                rest = ahead.get(signs.saturating_add(width)..).unwrap_or_default().chars();
            }
            other => pieces.push(Piece::Literal(other)),
        }
    }
    pieces
}
