//! The one place that asks the clock.

use std::thread;
use std::time::{Duration, Instant};

/// Now, on a clock that only goes forward.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
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
