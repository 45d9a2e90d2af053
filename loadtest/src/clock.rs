//! The one place that asks the clock.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, on a clock that only goes forward.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The date of the wall clock, with the steadiness of one that only goes forward: microseconds since
/// the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dates {
    begun: Instant,
    micros: u64,
}

impl Dates {
    /// Agrees with the wall clock, once.
    #[expect(clippy::disallowed_methods, reason = "windows of limits are by the wall clock")]
    pub(crate) fn begin() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begun: now(), micros: micros(since) }
    }

    /// The date now.
    pub(crate) fn now(self) -> u64 {
        self.micros.saturating_add(micros(self.begun.elapsed()))
    }

    /// Sleeps until that date, if it is not yet.
    pub(crate) fn sleep_until(self, date: u64) {
        let rest = date.saturating_sub(self.now());
        if rest > 0 {
            thread::sleep(Duration::from_micros(rest));
        }
    }
}

/// A span in microseconds.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// An end to waiting.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The deadline that is `time` from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(now() + time)
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(self) -> bool {
        now() >= self.0
    }

    /// Sleeps a little before the next attempt.
    pub(crate) fn pause(time: Duration) {
        thread::sleep(time);
    }
}
