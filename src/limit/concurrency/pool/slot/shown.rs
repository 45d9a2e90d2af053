//! What people are shown of one key.

use crate::limit::concurrency::pool::slot::Slot;
use crate::limit::concurrency::{Inside, Lent};
use crate::time::Timestamp;

impl Slot {
    /// How it stands.
    pub(in crate::limit::concurrency::pool) fn shown(&self, now: Timestamp) -> Inside {
        let here = self.hand(now);
        let waiting = u64::try_from(self.waiters.len()).unwrap_or(u64::MAX);
        let lent = Lent { here, all: self.top.max(here), waiting };
        Inside { inside: self.inside, max: self.max, lent: Some(lent) }
    }
}
