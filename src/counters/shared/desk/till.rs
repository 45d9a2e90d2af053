//! What a desk lends, so that requests for keys that are asked for often need not come to it.

use std::sync::Arc;
use std::time::Duration;

use crate::counters::shared::desk::{Decided, Desk};
use crate::limit::Tally;
use crate::limit::engine::{Receipt, Source};
use crate::limit::key::CounterKey;
use crate::limit::till::{Taken, Tills};
use crate::time::Timestamp;

impl Desk {
    /// From where requests take tokens that it has lent, without its lock.
    pub(in crate::counters::shared) const fn tills(&self) -> &Arc<Tills> {
        self.lent.tills()
    }

    /// Takes back what is lent of `key`: all that is known of it is here then.
    pub(super) fn recall(&mut self, now: Timestamp, key: &CounterKey) {
        let claims = self.lent.recall(&mut self.engine, now, key);
        self.tolls.lent(claims);
    }

    /// Takes back everything.
    pub(in crate::counters::shared) fn recall_all(&mut self, now: Timestamp) {
        let claims = self.lent.recall_all(&mut self.engine, now);
        self.tolls.lent(claims);
        if claims > 0 {
            self.asked_at = now;
        }
    }
}

impl Decided {
    /// What it means that a claim of `cost` under `limit` has taken this from a till: the same as
    /// if the desk had taken it.
    pub(in crate::counters::shared) fn from_till(limit: u64, cost: u64, taken: Taken) -> Self {
        let Taken { window, remaining } = taken;
        let receipt = Receipt { window, cost, source: Source::Allotment, remaining };
        let (used, retry_after) = (limit.saturating_sub(remaining), Duration::ZERO);
        Self::Taken(receipt, Tally { admitted: true, limit, used, retry_after })
    }
}
