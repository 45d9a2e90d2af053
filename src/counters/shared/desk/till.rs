//! What a desk lends, so that requests for keys that are asked for often need not come to it.

use std::sync::Arc;
use std::time::Duration;

use crate::counters::shared::desk::{Decided, Desk};
use crate::limit::engine::{Receipt, Source};
use crate::limit::key::CounterKey;
use crate::limit::till::{Label, Taken, Till, Tills};
use crate::limit::{Charge, Tally};
use crate::time::Timestamp;

impl Desk {
    /// From where requests take tokens that it has lent, without its lock.
    pub(in crate::counters::shared) const fn tills(&self) -> &Arc<Tills> {
        self.lent.tills()
    }

    /// Takes what `charge` asks for from what was lent, perhaps while its claim waited for the lock:
    /// to take that back for it would have all the others wait for the lock too.
    pub(super) fn at_till(&self, now: Timestamp, charge: &Charge) -> Option<Decided> {
        if self.lent.is_empty() {
            return None;
        }
        let till = self.lent.tills().get(Tills::number_of(charge.key.to_bytes()))?;
        Decided::at_till(till, charge, now)
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
    /// Takes what `charge` asks for from `till`; it is the same as if the desk had taken it. None:
    /// the desk is to be asked.
    pub(in crate::counters::shared) fn at_till(
        till: &Till,
        charge: &Charge,
        now: Timestamp,
    ) -> Option<Self> {
        let Charge { need, cost, .. } = *charge;
        if cost < need {
            return None;
        }
        let Taken { window, remaining } = till.take(&Label::of(charge)?, cost, now)?;
        let receipt = Receipt { window, cost, source: Source::Allotment, remaining };
        let limit = charge.terms.limit;
        let (used, retry_after) = (limit.saturating_sub(remaining), Duration::ZERO);
        Some(Self::Taken(receipt, Tally { admitted: true, limit, used, retry_after }))
    }
}
