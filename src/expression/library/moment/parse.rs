//! Dates from text: the forms that the invariant culture knows, a given format, and the one form
//! that makes a JSON string a date.

use super::civil::{DAYS, MONTHS, days};
use super::format::LETTERS;
use super::pattern::{self, Piece};
use crate::expression::value::moment::{
    DateTime, DateTimeKind, DateTimeOffset, TICKS_MAX, TICKS_PER_DAY, TICKS_PER_HOUR,
    TICKS_PER_MINUTE, TICKS_PER_SECOND,
};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

mod exact;
mod free;

pub use self::exact::{date_time_exact, date_time_offset_exact};

/// The longest text that is read as a date, in bytes.
pub const DATE_BYTES_MAX: usize = 256;

/// `DateTimeStyles`, as far as they change what is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Styles {
    /// A time without a zone is UTC or local, which here is the same.
    pub assumes_zone: bool,
    /// The result is in UTC.
    pub adjusts_to_utc: bool,
    /// `Z` gives a UTC time rather than a local one.
    pub keeps_kind: bool,
}

impl Styles {
    /// The styles in the bits of a `DateTimeStyles`.
    pub const fn from_bits(bits: i32) -> Self {
        Self {
            assumes_zone: bits & (0x20 | 0x40) != 0,
            adjusts_to_utc: bits & 0x10 != 0,
            keeps_kind: bits & 0x80 != 0,
        }
    }
}

/// What was read of a date.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    year: Option<i32>,
    month: Option<i32>,
    day: Option<i32>,
    /// The day of the week that was written, from Sunday.
    weekday: Option<i32>,
    hour: i64,
    minute: i64,
    second: i64,
    ticks: i64,
    is_afternoon: Option<bool>,
    zone: Option<Zone>,
}

#[derive(Clone, Copy, Debug)]
enum Zone {
    Utc,
    /// Ticks ahead of UTC.
    Offset(i64),
}

/// `DateTime.Parse(text)`.
pub fn date_time(text: &str, styles: Styles) -> Result<DateTime, Thrown> {
    free::read(text).and_then(|read| read.date_time(styles)).ok_or_else(|| not_a_date(text))
}

/// `DateTimeOffset.Parse(text)`.
pub fn date_time_offset(text: &str, styles: Styles) -> Result<DateTimeOffset, Thrown> {
    free::read(text).and_then(|read| read.offset(styles)).ok_or_else(|| not_a_date(text))
}

/// The date that Newtonsoft makes of the JSON string `text`: only one with a full date, a `T` and
/// a full time is one.
pub fn json_date(text: &str) -> Option<DateTime> {
    let bytes = text.as_bytes();
    let is_candidate = (19..=40).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_digit)
        && bytes.get(10) == Some(&b'T')
        && text.is_ascii();
    if !is_candidate {
        return None;
    }
    let mut scan = Scan { rest: text };
    let year = scan.fixed(4)?;
    scan.skip('-')?;
    let month = scan.fixed(2)?;
    scan.skip('-')?;
    let day = scan.fixed(2)?;
    scan.skip('T')?;
    let hour = scan.fixed(2)?;
    scan.skip(':')?;
    let minute = scan.fixed(2)?;
    scan.skip(':')?;
    let second = scan.fixed(2)?;
    let ticks = if scan.skip('.').is_some() { scan.fraction(7)? } else { 0 };
    let mut zone = None;
    scan.zone(&mut zone)?;
    if !scan.rest.is_empty() {
        return None;
    }
    let read = Read {
        year: small(year),
        month: small(month),
        day: small(day),
        weekday: None,
        hour,
        minute,
        second,
        ticks,
        is_afternoon: None,
        zone,
    };
    read.date_time(Styles { keeps_kind: true, ..Styles::default() })
}

impl Read {
    /// The ticks that calendar and clock show.
    fn ticks(&self) -> Option<i64> {
        let days = days(self.year?, self.month.unwrap_or(1), self.day.unwrap_or(1))?;
        // 0001-01-01 was a Monday.
        let weekday = i32::try_from(days.wrapping_add(1).rem_euclid(7)).ok();
        if self.weekday.is_some() && self.weekday != weekday {
            return None;
        }
        let hour = match self.is_afternoon {
            Some(_) if !(1..=12).contains(&self.hour) && self.hour != 0 => return None,
            Some(is_afternoon) => {
                self.hour.rem_euclid(12).wrapping_add(if is_afternoon { 12 } else { 0 })
            }
            None => self.hour,
        };
        let is_time = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        if !is_time {
            return None;
        }
        let ticks = days
            .wrapping_mul(TICKS_PER_DAY)
            .wrapping_add(hour.wrapping_mul(TICKS_PER_HOUR))
            .wrapping_add(self.minute.wrapping_mul(TICKS_PER_MINUTE))
            .wrapping_add(self.second.wrapping_mul(TICKS_PER_SECOND))
            .wrapping_add(self.ticks);
        (0..=TICKS_MAX).contains(&ticks).then_some(ticks)
    }

    fn date_time(&self, styles: Styles) -> Option<DateTime> {
        let ticks = self.ticks()?;
        let zone = self.zone.or(styles.assumes_zone.then_some(Zone::Utc));
        let Some(zone) = zone else {
            return Some(DateTime { ticks, kind: DateTimeKind::Unspecified });
        };
        let is_utc = matches!(zone, Zone::Utc);
        let ticks = match zone {
            Zone::Utc => ticks,
            Zone::Offset(offset) => ticks.wrapping_sub(offset),
        };
        let keeps = styles.keeps_kind && is_utc && self.zone.is_some();
        let kind =
            if styles.adjusts_to_utc || keeps { DateTimeKind::Utc } else { DateTimeKind::Local };
        (0..=TICKS_MAX).contains(&ticks).then_some(DateTime { ticks, kind })
    }

    fn offset(&self, styles: Styles) -> Option<DateTimeOffset> {
        let ticks = self.ticks()?;
        let offset = match self.zone {
            Some(Zone::Offset(offset)) => offset,
            Some(Zone::Utc) | None => 0,
        };
        let utc = ticks.wrapping_sub(offset);
        if !(0..=TICKS_MAX).contains(&utc) || offset.abs() > TICKS_PER_HOUR.wrapping_mul(14) {
            return None;
        }
        if styles.adjusts_to_utc {
            return Some(DateTimeOffset { ticks: utc, offset_minutes: 0 });
        }
        Some(DateTimeOffset { ticks, offset_minutes: super::format::minutes(offset) })
    }
}

/// A text that is read from left to right.
#[derive(Clone, Copy, Debug)]
struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    /// A number of exactly `width` digits.
    fn fixed(&mut self, width: usize) -> Option<i64> {
        let digits = self.digits(width);
        (digits.len() == width).then(|| digits.parse().ok()).flatten()
    }

    /// A number of one to `most` digits.
    fn number(&mut self, most: usize) -> Option<i64> {
        self.digits(most).parse().ok()
    }

    /// The digits that come next, at most `most`.
    fn digits(&mut self, most: usize) -> &'t str {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        self.take(count)
    }

    /// The letters that come next.
    fn word(&mut self) -> &'t str {
        self.take(self.rest.bytes().take_while(u8::is_ascii_alphabetic).count())
    }

    fn take(&mut self, count: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Goes past `character`, if it comes next.
    fn skip(&mut self, character: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(character)?;
        Some(())
    }

    /// Goes past `text`, whatever its case, if it comes next.
    fn skip_word(&mut self, text: &str) -> Option<()> {
        let (start, rest) = self.rest.split_at_checked(text.len())?;
        start.eq_ignore_ascii_case(text).then(|| self.rest = rest)
    }

    /// Ticks from at most `most` digits of the fraction of a second, at least one.
    fn fraction(&mut self, most: usize) -> Option<i64> {
        let digits = self.digits(most);
        if digits.is_empty() {
            return None;
        }
        // The eighth digit rounds.
        let padded = format!("{digits:0<8}");
        let ticks: i64 = padded.get(..8)?.parse().ok()?;
        Some(ticks.wrapping_add(5).div_euclid(10))
    }

    /// Puts `Z` or an offset into `zone`, if one comes next; none if it is written wrong.
    fn zone(&mut self, zone: &mut Option<Zone>) -> Option<()> {
        if self.skip_word("Z").is_some() {
            *zone = Some(Zone::Utc);
        } else if self.rest.starts_with(['+', '-']) {
            *zone = Some(self.offset()?);
        }
        Some(())
    }

    /// `+hh:mm`, `+hhmm`, `+hh` or `+h`.
    fn offset(&mut self) -> Option<Zone> {
        let is_behind = self.rest.starts_with('-');
        self.take(1);
        let hours = self.number(2)?;
        let has_colon = self.skip(':').is_some();
        let minutes = if has_colon || self.rest.starts_with(|next: char| next.is_ascii_digit()) {
            self.fixed(2)?
        } else {
            0
        };
        if hours > 14 || minutes > 59 {
            return None;
        }
        let ticks =
            hours.wrapping_mul(TICKS_PER_HOUR).wrapping_add(minutes.wrapping_mul(TICKS_PER_MINUTE));
        Some(Zone::Offset(if is_behind { ticks.wrapping_neg() } else { ticks }))
    }
}

/// The place of the name in `names` that `word` is, in full or by its first three letters.
fn named(word: &str, names: &[&str]) -> Option<i32> {
    let place = names.iter().position(|name| {
        word.eq_ignore_ascii_case(name)
            || name.get(..3).is_some_and(|short| word.eq_ignore_ascii_case(short))
    })?;
    i32::try_from(place).ok()
}

/// A year of two digits, as .NET takes it: up to 49 it is in this century.
fn full_year(year: i64, digits: usize) -> Option<i32> {
    let year = i32::try_from(year).ok()?;
    Some(match digits {
        1 | 2 if year < 50 => year.wrapping_add(2000),
        1 | 2 => year.wrapping_add(1900),
        _ => year,
    })
}

/// A number that is a part of a date.
fn small(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

fn not_a_date(text: &str) -> Thrown {
    let shown: String = text.chars().take(DATE_BYTES_MAX).collect();
    Thrown::new(
        ExceptionKind::Format,
        format!("String '{shown}' was not recognized as a valid DateTime."),
    )
}
