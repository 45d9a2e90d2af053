//! Time as a value. The only module that may ask what time it is.

use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::short::Short;

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine: the wall clock's date with the monotonic clock's steadiness.
///
/// Limits are windows of time, so a wall clock that is set back must not keep them shut and one
/// that is set forward must not be missed after a suspend: between two calls of
/// [`anchor`](Self::anchor) only the monotonic clock counts, and anchoring only moves forward.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    /// Microseconds since the epoch at `started`.
    origin: AtomicU64,
}

/// How far ahead the wall clock must be before [`SystemClock::anchor`] follows it.
const ANCHOR_TOLERANCE: Duration = Duration::from_millis(500);

impl Timestamp {
    /// The time `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl SystemClock {
    /// A clock that shows the wall clock's time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn start() -> Self {
        Self { started: Instant::now(), origin: AtomicU64::new(wall().0) }
    }

    /// Follows the wall clock where that is ahead; never goes back.
    pub fn anchor(&self) {
        let ahead = wall().since(self.now());
        if ANCHOR_TOLERANCE < ahead {
            self.origin.fetch_add(micros(ahead), Ordering::Relaxed);
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.origin.load(Ordering::Relaxed)) + self.started.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
fn wall() -> Timestamp {
    Timestamp::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// `at` as RFC 3339 writes it, in UTC with milliseconds.
pub fn date(at: Timestamp) -> String {
    stamp(at).to_string()
}

/// The same, for those who write many; seconds as a number beyond the year 9999.
pub fn stamp(at: Timestamp) -> Short<24> {
    let seconds = i64::try_from(at.0 / 1_000_000).unwrap_or(i64::MAX);
    let Ok(moment) = time::UtcDateTime::from_unix_timestamp(seconds) else {
        return Short::of(seconds);
    };
    let (hour, minute, second) = moment.as_hms();
    let parts = [
        (u64::try_from(moment.year()).unwrap_or_default(), 4, "-"),
        (u64::from(u8::from(moment.month())), 2, "-"),
        (u64::from(moment.day()), 2, "T"),
        (u64::from(hour), 2, ":"),
        (u64::from(minute), 2, ":"),
        (u64::from(second), 2, "."),
        (at.0 / 1_000 % 1_000, 3, "Z"),
    ];
    let mut stamp = Short::default();
    for (number, digits, end) in parts {
        stamp.decimal(number, digits);
        // There is room for all of it.
        let _ = stamp.text(end);
    }
    stamp
}

/// `250ms`, `10s`, `2m`, `1h` or `30d`; none if it is none.
pub fn span(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(at)?;
    let millis: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// `PT1M`, `PT1H30M`, `P1D`, `PT0.5S`: a span as ISO 8601 writes it, in days and less; none if it is
/// none.
pub fn iso_span(text: &str) -> Option<Duration> {
    let (days, rest) = match text.strip_prefix('P')?.split_once('T') {
        Some((_days, "")) => return None,
        Some((days, rest)) => (days, rest),
        None => (text.strip_prefix('P')?, ""),
    };
    if days.is_empty() && rest.is_empty() {
        return None;
    }
    let mut millis = 0_u64;
    let mut parts = [(days, &[('D', 86_400_000)][..]), (rest, &[('H', 3_600_000), ('M', 60_000)])];
    for (rest, units) in &mut parts {
        for (unit, worth) in *units {
            if let Some((number, after)) = rest.split_once(*unit) {
                millis = whole(number)?.checked_mul(*worth)?.checked_add(millis)?;
                *rest = after;
            }
        }
    }
    let [(no_days, _), (seconds, _)] = parts;
    if !no_days.is_empty() {
        return None;
    }
    if let Some(seconds) = seconds.strip_suffix('S') {
        let (whole_ones, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let thousandths = part.len() <= 3 && whole(part).is_some();
        let part = if thousandths { whole(&format!("{part:0<3}"))? } else { return None };
        millis = whole(whole_ones)?.checked_mul(1_000)?.checked_add(part)?.checked_add(millis)?;
    } else if !seconds.is_empty() {
        return None;
    }
    Some(Duration::from_millis(millis))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: a date as HTTP writes it (RFC 9110 §5.6.7); none if it is none.
pub fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_weekday, rest) = text.split_once(", ")?;
    let mut parts = rest.strip_suffix(" GMT")?.split([' ', ':']);
    let mut next = || parts.next();
    let (day, month, year) = (next()?.parse().ok()?, next()?, next()?.parse().ok()?);
    let (hour, minute, second) =
        (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);
    let month = MONTHS.iter().zip(1_u8..).find(|(name, _number)| **name == month)?.1;
    let month = time::Month::try_from(month).ok()?;
    let date = time::Date::from_calendar_date(year, month, day).ok()?;
    let moment = date.with_hms(hour, minute, second).ok()?.assume_utc();
    let micros = u64::try_from(moment.unix_timestamp()).ok()?.checked_mul(1_000_000)?;
    next().is_none().then_some(Timestamp(micros))
}

/// Digits, and nothing else.
fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// About how long `span` is, in words: `29 days`, `1 hour`.
pub fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_runs_backwards() {
        let clock = SystemClock::start();
        let before = clock.now();
        clock.anchor();
        assert!(before <= clock.now());
    }

    #[test]
    fn a_date_is_written_in_utc() {
        assert_eq!(date(Timestamp::from_micros(1_700_000_000_123_456)), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn a_span_has_a_unit_and_is_told_in_words() {
        for (text, told) in [("59s", "59 seconds"), ("90m", "1 hour"), ("30d", "30 days")] {
            assert_eq!(words(span(text).unwrap()), told);
        }
        for text in ["", "1", "d", "1w", "-1d", "18446744073709551616s", "18446744073709551615d"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_is_read_as_iso_8601_writes_it() {
        for (text, millis) in [
            ("PT1S", 1_000),
            ("PT1M", 60_000),
            ("PT1H30M", 5_400_000),
            ("P1DT1S", 86_401_000),
            ("P1D", 86_400_000),
            ("PT0.5S", 500),
            ("PT0.025S", 25),
        ] {
            assert_eq!(iso_span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        let wrong = ["", "P", "PT", "1M", "P1M", "PT1", "PT1S1M", "PTS", "PT-1S", "PT1.5M", "P1DT"];
        for text in wrong.into_iter().chain(["PT0.0001S", "PT18446744073709551615H", "PT1S "]) {
            assert_eq!(iso_span(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_of_http_is_read() {
        let at = http_date("Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(at, Some(Timestamp::from_micros(1_700_000_000_000_000)));
        assert_eq!(http_date("tomorrow"), None);
        assert_eq!(http_date("Tue, 14 Nov 1923 22:13:20 GMT"), None);
    }

    #[test]
    fn a_span_before_its_start_is_empty() {
        let early = Timestamp::from_micros(5);
        assert_eq!(early.since(early + Duration::from_micros(1)), Duration::ZERO);
    }
}
