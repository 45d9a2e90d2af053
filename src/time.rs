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
    fn a_span_before_its_start_is_empty() {
        let early = Timestamp::from_micros(5);
        assert_eq!(early.since(early + Duration::from_micros(1)), Duration::ZERO);
    }
}
