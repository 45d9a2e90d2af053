//! How a limit is held where several replicas share it: how sure it must be, and what holds while
//! the counters cannot be reached. One process alone needs none of it.

use std::time::Duration;

use crate::limit::engine::rule::{Late, Loss};
use crate::time::Timestamp;

/// How long a request may wait for the counters unless somebody wants it otherwise.
pub const WAIT_MAX: Duration = Duration::from_millis(25);

/// How much more than the limit the fast mode may admit unless somebody wants it otherwise.
pub const OVER: Over = Over::Part { of_ten_thousand: 100 };

/// How a shared limit is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Manner {
    /// How sure the bound must be.
    pub mode: Mode,
    /// In which windows is counted.
    pub windows: Windows,
    /// What holds while the counters cannot be reached.
    pub loss: Loss,
    /// How long a request may wait for an answer ...
    pub max_wait: Duration,
    /// ... and what holds when there is none by then.
    pub late: Late,
}

/// How sure the bound of a limit must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Never more than the limit over all replicas; the first request of a key waits for an
    /// answer.
    Exact,
    /// At most so much more over all replicas. Nobody waits where that leaves each replica at
    /// least one; below that it is as exact.
    Fast {
        /// How much more.
        over: Over,
    },
    /// Each replica counts for itself.
    Local,
}

/// How much more than a limit may be admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// A part of the limit, rounded down.
    Part {
        /// In parts of ten thousand: 100 is one per cent.
        of_ten_thousand: u16,
    },
    /// So many.
    Tokens(u64),
}

/// In which windows is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Windows {
    /// As the terms say.
    OfTerms,
    /// One after the other, both ways from `origin`, whatever the terms say.
    Fixed {
        /// The beginning of any one window.
        origin: Timestamp,
    },
    /// Each moment ends one, whatever the terms say.
    Sliding,
    /// None: tokens are gained all the time, the limit of them in each period.
    Bucket {
        /// How many are kept at most.
        burst: u64,
    },
}

impl Manner {
    /// Fast, one per cent, in the windows of the terms; while the counters cannot be reached each
    /// replica admits its share of the limit.
    pub const USUAL: Self = Self {
        mode: Mode::Fast { over: OVER },
        windows: Windows::OfTerms,
        loss: Loss::LocalShare,
        max_wait: WAIT_MAX,
        late: Late::Refuse,
    };
}

impl Default for Manner {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Over {
    /// How much more than `limit` it is.
    pub fn of(self, limit: u64) -> u64 {
        match self {
            Self::Part { of_ten_thousand } => {
                let part = u128::from(limit).saturating_mul(u128::from(of_ten_thousand)) / 10_000;
                u64::try_from(part).unwrap_or(u64::MAX)
            }
            Self::Tokens(tokens) => tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_per_cent_is_rounded_down() {
        let over = [0, 99, 100, 199, 12_345, u64::MAX].map(|limit| OVER.of(limit));
        assert_eq!(over, [0, 0, 1, 1, 123, u64::MAX / 100]);
        assert_eq!(Over::Tokens(7).of(1), 7);
    }
}
