//! Setting a counter back, for all who share it: what came of it, and why it may be impossible.

use std::time::Duration;

use crate::counters::view::Row;

/// What came of setting back one counter.
#[derive(Clone, Debug)]
pub struct CounterReset {
    /// How it stood before.
    pub before: Row,
    /// How much was used, over all who share it.
    pub used: u64,
    /// How much counts as used from now on.
    pub left: u64,
    /// For whom it was set back.
    pub reach: Reach,
}

/// For whom a counter was set back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// For this gateway, which counts it alone.
    ThisReplica,
    /// For all replicas that are in touch. Those that refuse know it after so long at the latest.
    AllReplicas {
        /// How long a replica may go on refusing before it asks again.
        known_within: Duration,
        /// How many replicas are out of touch now: in the windows that run now they go by their own
        /// share, and may lift the counter of one to what they saw when they come back.
        missing: usize,
    },
}

/// Why a counter cannot be set back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CannotReset {
    /// This replica cannot speak to Redis.
    #[error("this replica is out of touch with Redis, where the counter is")]
    OutOfTouch,
    /// There was no answer in time.
    #[error("Redis gave no answer in time: the counter may or may not be set back")]
    Unanswered,
    /// Too much was handed back in this window to tell a reset from a loss of data.
    #[error("too many tokens were handed back in this window to tell a reset from lost data")]
    HandedBackTooOften {
        /// When the window ends and the counter begins again by itself.
        ends_in: Duration,
    },
    /// What is known of it does not say how it counts.
    #[error("its limit is not known here yet: only its use, from the journal of an earlier life")]
    Unknown,
    /// The clock is between two windows.
    #[error("its window is just ending")]
    BetweenWindows,
}
