//! How long the store took to answer, and how often it did not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::counters::shared::spread::{MICROS, Spread};

/// Calls of the store since the start.
#[derive(Debug)]
pub struct Calls(Mutex<Tally>);

/// Calls at one moment.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How long those took that were answered, in microseconds.
    pub answered: Spread,
    /// How many were not.
    pub failed: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(Tally { answered: Spread::new(MICROS), failed: 0 }))
    }
}

impl Calls {
    /// A call took so long, and was answered, or not.
    pub fn note(&self, took: Duration, is_answered: bool) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_answered {
            tally.answered.note(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        } else {
            tally.failed = tally.failed.saturating_add(1);
        }
    }

    /// All of them.
    pub fn now(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_takes_no_time() {
        let calls = Calls::default();
        calls.note(Duration::from_millis(3), true);
        calls.note(Duration::from_secs(6), false);
        let tally = calls.now();
        assert_eq!((tally.answered.sum, tally.failed), (3_000, 1));
    }
}
