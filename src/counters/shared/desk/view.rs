//! What people are shown of a desk, what is copied of it, and a counter that was set back.

use crate::counters::shared::desk::Desk;
use crate::counters::shared::tolls::Tolls;
use crate::limit::engine::Facts;
use crate::limit::engine::census::{AfterReset, Sight};
use crate::limit::engine::quota::Total;
use crate::limit::engine::rule::Rule;
use crate::limit::engine::standing::Touch;
use crate::limit::key::CounterKey;
use crate::time::Timestamp;

impl Desk {
    /// Shows the counters at `places`; says where to go on.
    pub(in crate::counters::shared) fn look(
        &mut self,
        now: Timestamp,
        places: (u32, u32),
        show: impl FnMut(Sight),
    ) -> Option<u32> {
        self.recall_all(now);
        self.engine.look(now, places, show)
    }

    /// Tells the totals of quotas at `places`; says where to go on.
    pub(in crate::counters::shared) fn totals(
        &self,
        now: Timestamp,
        places: (u32, u32),
        tell: impl FnMut(Total),
    ) -> Option<u32> {
        self.engine.totals(now, places, tell)
    }

    /// Takes over a total from a copy outside of Redis.
    pub(in crate::counters::shared) fn restore_total(&mut self, total: Total) {
        self.engine.restore_total(total);
    }

    /// Whether what it shows is as of Redis.
    pub(in crate::counters::shared) fn is_in_touch(&self) -> bool {
        self.touch == Touch::In
    }

    /// The counter of `key` under `rule` was set back.
    pub(in crate::counters::shared) fn was_reset(
        &mut self,
        now: Timestamp,
        key: CounterKey,
        rule: &Rule,
        after: AfterReset,
    ) {
        self.recall_all(now);
        self.engine.was_reset(now, key, rule, after);
    }

    /// What it has done, how many counters it holds, and how many wait. What was taken from tills
    /// is in it as far as it was taken back.
    pub(in crate::counters::shared) fn facts(&self) -> (&Facts, usize, usize) {
        (self.engine.facts(), self.engine.len(), self.waiters.len())
    }

    /// What it has counted for metrics, and the largest part of a limit that may be passed, in
    /// millionths.
    pub(in crate::counters::shared) const fn tolls(&self) -> (&Tolls, u64) {
        (&self.tolls, self.rules.over_max())
    }
}
