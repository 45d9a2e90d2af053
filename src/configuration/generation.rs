//! Which of two configurations is newer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a configuration. Whoever keeps a history of configurations counts them from 1 on;
/// a history that begins anew, because the old one is lost, begins later. None is zero of both.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Generation {
    /// When its history began, in milliseconds since the Unix epoch; 0 for a gateway that counts
    /// for itself what it reads of a folder.
    pub history: u64,
    /// Its number in its history.
    pub number: u64,
}

impl Generation {
    /// Before the first.
    pub const NONE: Self = Self { history: 0, number: 0 };

    /// The next one of the same history.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { history: self.history, number: self.number.saturating_add(1) }
    }

    /// Whether there is none yet.
    pub const fn is_none(self) -> bool {
        self.number == 0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_history_is_newer_than_every_number_of_an_earlier_one() {
        let old = Generation { history: 1, number: 900 };
        let new = Generation { history: 2, number: 1 };
        assert!(old < new && Generation::NONE < old && old < old.next() && old.next() < new);
    }
}
