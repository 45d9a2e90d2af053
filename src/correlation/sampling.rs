//! Which traces are recorded: some of all, and those that went wrong, as many as there is room for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Timestamp;

use super::mixed;

/// Which traces are recorded that nobody who is trusted has decided about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// None, whatever others say.
    Never,
    /// All, whatever others say.
    Always,
    /// This share of them, from 0 to 1; where somebody who is trusted says it, what they say.
    Share(f64),
}

/// How many exchanges that went wrong are recorded in a second, though nobody had decided so.
#[derive(Debug)]
pub struct Quota {
    per_second: u32,
    /// The second that counts (upper half), and how many were taken in it.
    taken: AtomicU64,
}

impl Sampler {
    /// Whether it takes the trace of a request; `random` is any number, another for each request.
    pub(super) fn takes(self, random: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Share(share) => {
                let upper = u32::try_from(mixed(!random) >> 32).unwrap_or(u32::MAX);
                f64::from(upper) < share * (f64::from(u32::MAX) + 1.0)
            }
        }
    }
}

impl Quota {
    /// So many in a second.
    pub const fn new(per_second: u32) -> Self {
        Self { per_second, taken: AtomicU64::new(0) }
    }

    /// Whether there is room for another one.
    pub fn takes(&self, now: Timestamp) -> bool {
        let second = (now.micros() / 1_000_000) & u64::from(u32::MAX);
        let most = u64::from(self.per_second);
        let next = |taken: u64| {
            let count = if taken >> 32 == second { taken & u64::from(u32::MAX) } else { 0 };
            (count < most).then(|| (second << 32) | count.saturating_add(1))
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}
