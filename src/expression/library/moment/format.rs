//! Dates as text, for the invariant culture.

use std::fmt::Write as _;

use super::civil::Civil;
use super::pattern::{self, Piece};
use crate::expression::value::moment::{DateTime, DateTimeKind, DateTimeOffset, TICKS_PER_MINUTE};
use crate::expression::value::thrown::Thrown;

/// The letters that mean something in a date's format.
pub(super) const LETTERS: &str = "dfFghHKmMstyz:/";

/// `moment.ToString()`.
pub fn text(moment: DateTime) -> String {
    date_time(moment, "G").unwrap_or_default()
}

/// `moment.ToString()`.
pub fn offset_text(moment: DateTimeOffset) -> String {
    date_time_offset(moment, "").unwrap_or_default()
}

/// `moment.ToString(format)`.
pub fn date_time(moment: DateTime, format: &str) -> Result<String, Thrown> {
    let format = if format.is_empty() { "G" } else { format };
    let zone = match moment.kind {
        DateTimeKind::Unspecified => Zone { offset: 0, suffix: String::new() },
        DateTimeKind::Utc => Zone { offset: 0, suffix: "Z".to_owned() },
        DateTimeKind::Local => Zone { offset: 0, suffix: "+00:00".to_owned() },
    };
    let mut characters = format.chars();
    match (characters.next(), characters.next()) {
        (Some(letter), None) => custom(moment.ticks, &zone, pattern::standard(letter, false)?),
        _ => custom(moment.ticks, &zone, format),
    }
}

/// `moment.ToString(format)`.
pub fn date_time_offset(moment: DateTimeOffset, format: &str) -> Result<String, Thrown> {
    let format = if format.is_empty() { "MM/dd/yyyy HH:mm:ss zzz" } else { format };
    let zone = Zone { offset: moment.offset_minutes, suffix: offset(moment.offset_minutes, 3) };
    let utc = Zone { offset: 0, suffix: "Z".to_owned() };
    let mut characters = format.chars();
    match (characters.next(), characters.next()) {
        // These two are written in UTC.
        (Some(letter @ ('R' | 'r' | 'u')), None) => {
            custom(moment.utc_ticks(), &utc, pattern::standard(letter, true)?)
        }
        (Some(letter), None) => custom(moment.ticks, &zone, pattern::standard(letter, true)?),
        _ => custom(moment.ticks, &zone, format),
    }
}

/// What a format shows of the time zone.
struct Zone {
    /// Minutes ahead of UTC, for `z`.
    offset: i16,
    /// What `K` writes.
    suffix: String,
}

fn custom(ticks: i64, zone: &Zone, format: &str) -> Result<String, Thrown> {
    let moment = Civil::of(ticks);
    let mut out = String::new();
    for piece in pattern::pieces(format, LETTERS)? {
        match piece {
            Piece::Literal(character) => out.push(character),
            Piece::Field(letter, count) => field(&mut out, &moment, zone, (letter, count))?,
        }
    }
    Ok(out)
}

fn field(
    out: &mut String,
    moment: &Civil,
    zone: &Zone,
    (letter, count): (char, usize),
) -> Result<(), Thrown> {
    let half_day = |hour: i32| if hour.rem_euclid(12) == 0 { 12 } else { hour.rem_euclid(12) };
    match (letter, count) {
        ('d', 1 | 2) => number(out, moment.day, count),
        ('d', 3) => out.extend(moment.day_name().chars().take(3)),
        ('d', _) => out.push_str(moment.day_name()),
        ('M', 1 | 2) => number(out, moment.month, count),
        ('M', 3) => out.extend(moment.month_name().chars().take(3)),
        ('M', _) => out.push_str(moment.month_name()),
        ('y', 1 | 2) => number(out, moment.year.rem_euclid(100), count),
        ('y', _) => number(out, moment.year, count),
        ('H', _) => number(out, moment.hour, count.min(2)),
        ('h', _) => number(out, half_day(moment.hour), count.min(2)),
        ('m', _) => number(out, moment.minute, count.min(2)),
        ('s', _) => number(out, moment.second, count.min(2)),
        ('f' | 'F', 1..=7) => fraction(out, moment.ticks, letter, count),
        ('t', 1) => out.push(if moment.hour < 12 { 'A' } else { 'P' }),
        ('t', _) => out.push_str(if moment.hour < 12 { "AM" } else { "PM" }),
        ('K', _) => (0..count).for_each(|_| out.push_str(&zone.suffix)),
        ('z', _) => out.push_str(&offset(zone.offset, count)),
        ('g', _) => out.push_str("A.D."),
        (':' | '/', _) => (0..count).for_each(|_| out.push(letter)),
        _ => return Err(pattern::bad()),
    }
    Ok(())
}

/// A number with at least `width` digits.
fn number(out: &mut String, number: i32, width: usize) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number:0>width$}");
}

/// `count` digits of the fraction of a second; `F` leaves out zeros at the end, and the point
/// before it if nothing is left.
pub(super) fn fraction(out: &mut String, ticks: i32, letter: char, count: usize) {
    let digits = format!("{ticks:0>7}");
    let digits = digits.get(..count).unwrap_or(&digits);
    if letter == 'f' {
        out.push_str(digits);
        return;
    }
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() && out.ends_with('.') {
        out.pop();
    }
    out.push_str(digits);
}

/// `+02:00`, `+02` or `+2`.
fn offset(minutes: i16, count: usize) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    let (hours, minutes) = (minutes.div_euclid(60), minutes.rem_euclid(60));
    match count {
        1 => format!("{sign}{hours}"),
        2 => format!("{sign}{hours:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

/// The offset of `ticks` in whole minutes, for a date that is read.
pub(super) fn minutes(ticks: i64) -> i16 {
    i16::try_from(ticks.div_euclid(TICKS_PER_MINUTE)).unwrap_or(0)
}
