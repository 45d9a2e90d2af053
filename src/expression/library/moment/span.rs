//! Spans of time: `TimeSpan`.

use std::fmt::Write as _;

use super::format::fraction;
use super::pattern::{self, Piece};
use super::{Unit, ticks_of};
use crate::expression::value::moment::{
    TICKS_PER_DAY, TICKS_PER_HOUR, TICKS_PER_MINUTE, TICKS_PER_SECOND, TimeSpan,
};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `TimeSpan.FromSeconds(amount)` and its like.
pub fn from(unit: Unit, amount: f64) -> Result<TimeSpan, Thrown> {
    ticks_of(amount, unit)
}

/// `new TimeSpan(days, hours, minutes, seconds, milliseconds)`.
pub fn new(
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: i32,
    millis: i32,
) -> Result<TimeSpan, Thrown> {
    let parts = [
        (days, Unit::Days),
        (hours, Unit::Hours),
        (minutes, Unit::Minutes),
        (seconds, Unit::Seconds),
        (millis, Unit::Milliseconds),
    ];
    let mut ticks: i128 = 0;
    for (amount, unit) in parts {
        let part = i128::from(amount).wrapping_mul(i128::from(unit.ticks()));
        ticks = ticks.wrapping_add(part);
    }
    i64::try_from(ticks).map(TimeSpan).map_err(|_| too_long())
}

/// `span.TotalSeconds` and its like.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = ".NET too gives the nearest double"
)]
pub fn total(span: TimeSpan, unit: Unit) -> f64 {
    span.0 as f64 / unit.ticks() as f64
}

/// `span.Seconds` and its like: the part of that unit, with the span's sign.
pub fn part(span: TimeSpan, unit: Unit) -> i32 {
    let whole = span.0.checked_div(unit.ticks()).unwrap_or(0);
    let part = match unit {
        Unit::Days => whole,
        Unit::Hours => whole.checked_rem(24).unwrap_or(0),
        Unit::Minutes | Unit::Seconds => whole.checked_rem(60).unwrap_or(0),
        Unit::Milliseconds => whole.checked_rem(1000).unwrap_or(0),
        Unit::Ticks => whole.checked_rem(10_000).unwrap_or(0),
    };
    i32::try_from(part).unwrap_or(0)
}

/// `span.Add(other)`.
pub fn add(span: TimeSpan, other: TimeSpan) -> Result<TimeSpan, Thrown> {
    span.0.checked_add(other.0).map(TimeSpan).ok_or_else(too_long)
}

/// `span.Subtract(other)`.
pub fn subtract(span: TimeSpan, other: TimeSpan) -> Result<TimeSpan, Thrown> {
    span.0.checked_sub(other.0).map(TimeSpan).ok_or_else(too_long)
}

/// `span.Negate()`.
pub fn negate(span: TimeSpan) -> Result<TimeSpan, Thrown> {
    span.0.checked_neg().map(TimeSpan).ok_or_else(too_long)
}

/// `span.Duration()`.
pub fn duration(span: TimeSpan) -> Result<TimeSpan, Thrown> {
    span.0.checked_abs().map(TimeSpan).ok_or_else(too_long)
}

/// `span.ToString()`: `[-][d.]hh:mm:ss[.fffffff]`.
pub fn text(span: TimeSpan) -> String {
    let parts = Parts::of(span);
    let sign = if span.0 < 0 { "-" } else { "" };
    let days = if parts.days == 0 { String::new() } else { format!("{}.", parts.days) };
    let fraction = if parts.ticks == 0 { String::new() } else { format!(".{:07}", parts.ticks) };
    format!("{sign}{days}{:02}:{:02}:{:02}{fraction}", parts.hours, parts.minutes, parts.seconds)
}

/// `span.ToString(format)`.
pub fn format(span: TimeSpan, format: &str) -> Result<String, Thrown> {
    let parts = Parts::of(span);
    let sign = if span.0 < 0 { "-" } else { "" };
    match format {
        "" | "c" | "t" | "T" => return Ok(text(span)),
        "g" => {
            let days = if parts.days == 0 { String::new() } else { format!("{}:", parts.days) };
            let mut out =
                format!("{sign}{days}{}:{:02}:{:02}.", parts.hours, parts.minutes, parts.seconds);
            fraction(&mut out, parts.ticks, 'F', 7);
            return Ok(out);
        }
        "G" => {
            return Ok(format!(
                "{sign}{}:{:02}:{:02}:{:02}.{:07}",
                parts.days, parts.hours, parts.minutes, parts.seconds, parts.ticks
            ));
        }
        _ => {}
    }
    if format.chars().count() == 1 {
        return Err(pattern::bad());
    }
    custom(&parts, format)
}

/// Whether `format` has a character that stands for itself and is not marked so: a span, unlike a
/// date, has no separators of its own.
fn has_bare_literal(format: &str) -> bool {
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => _ = rest.next(),
            '\'' | '"' => _ = rest.find(|next| *next == character),
            other if "dhmsfF%".contains(other) => {}
            _ => return true,
        }
    }
    false
}

fn custom(parts: &Parts, format: &str) -> Result<String, Thrown> {
    if has_bare_literal(format) {
        return Err(pattern::bad());
    }
    let mut out = String::new();
    for piece in pattern::pieces(format, "dhmsfF")? {
        match piece {
            Piece::Literal(character) => out.push(character),
            Piece::Field('d', count @ 1..=8) => {
                _ = write!(out, "{:0>count$}", parts.days);
            }
            Piece::Field('h', count @ 1..=2) => {
                _ = write!(out, "{:0>count$}", parts.hours);
            }
            Piece::Field('m', count @ 1..=2) => {
                _ = write!(out, "{:0>count$}", parts.minutes);
            }
            Piece::Field('s', count @ 1..=2) => {
                _ = write!(out, "{:0>count$}", parts.seconds);
            }
            Piece::Field(letter @ ('f' | 'F'), count @ 1..=7) => {
                fraction(&mut out, parts.ticks, letter, count);
            }
            Piece::Field(..) => return Err(pattern::bad()),
        }
    }
    Ok(out)
}

/// A span without its sign, taken apart.
struct Parts {
    days: u64,
    hours: u64,
    minutes: u64,
    seconds: u64,
    ticks: i32,
}

impl Parts {
    fn of(span: TimeSpan) -> Self {
        let ticks = span.0.unsigned_abs();
        let count = |unit: i64| ticks.checked_div(unit.unsigned_abs()).unwrap_or(0);
        Self {
            days: count(TICKS_PER_DAY),
            hours: count(TICKS_PER_HOUR).rem_euclid(24),
            minutes: count(TICKS_PER_MINUTE).rem_euclid(60),
            seconds: count(TICKS_PER_SECOND).rem_euclid(60),
            ticks: i32::try_from(ticks.rem_euclid(TICKS_PER_SECOND.unsigned_abs())).unwrap_or(0),
        }
    }
}

/// `TimeSpan.Parse(text)`: `[-][d.]hh:mm[:ss[.fffffff]]`, days alone, or days before a colon.
pub fn parse(text: &str) -> Result<TimeSpan, Thrown> {
    let trimmed = text.trim();
    let (is_negative, rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let bad = || not_a_span(text);
    let fields: Vec<&str> = rest.split(':').collect();
    let (days, hours, minutes, seconds) = match fields.as_slice() {
        [days] if !days.contains('.') => (*days, "0", "0", "0"),
        [hours, minutes] => {
            let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
            (days, hours, *minutes, "0")
        }
        [hours, minutes, seconds] => match hours.split_once('.') {
            Some((days, hours)) => (days, hours, *minutes, *seconds),
            // `24:00:00` has more hours than a day: .NET takes it for days, hours and minutes.
            None if hours.parse::<u32>().is_ok_and(|hours| hours > 23)
                && !seconds.contains('.') =>
            {
                (*hours, *minutes, *seconds, "0")
            }
            None => ("0", *hours, *minutes, *seconds),
        },
        [days, hours, minutes, seconds] => (*days, *hours, *minutes, *seconds),
        _ => return Err(bad()),
    };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let number = |digits: &str, most: i64| -> Result<i64, Thrown> {
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|one| one.is_ascii_digit())
        {
            return Err(bad());
        }
        let number: i64 = digits.parse().map_err(|_| bad())?;
        if number > most { Err(span_overflow(text)) } else { Ok(number) }
    };
    if fraction.len() > 7 {
        return Err(bad());
    }
    let ticks_digits = format!("{fraction:0<7}");
    let amounts = [
        (number(days, 10_675_199)?, TICKS_PER_DAY),
        (number(hours, 23)?, TICKS_PER_HOUR),
        (number(minutes, 59)?, TICKS_PER_MINUTE),
        (number(seconds, 59)?, TICKS_PER_SECOND),
        (number(&ticks_digits, i64::MAX)?, 1),
    ];
    let mut ticks: i64 = 0;
    for (amount, unit) in amounts {
        let part = amount.checked_mul(unit).map(|part| if is_negative { -part } else { part });
        ticks = part.and_then(|part| ticks.checked_add(part)).ok_or_else(|| span_overflow(text))?;
    }
    Ok(TimeSpan(ticks))
}

fn not_a_span(text: &str) -> Thrown {
    Thrown::new(
        ExceptionKind::Format,
        format!("String '{text}' was not recognized as a valid TimeSpan."),
    )
}

fn span_overflow(text: &str) -> Thrown {
    Thrown::new(
        ExceptionKind::Overflow,
        format!(
            "The TimeSpan string '{text}' could not be parsed because at least one of the numeric \
             components is out of range or contains too many digits."
        ),
    )
}

/// A span that is longer than a `TimeSpan` can be.
pub(super) fn too_long() -> Thrown {
    Thrown::new(ExceptionKind::Overflow, "TimeSpan overflowed because the duration is too long.")
}
