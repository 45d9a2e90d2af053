//! What a desk has counted for metrics, behind the lock that is held anyway.

use crate::counters::shared::spread::{MICROS, Spread, TOKENS};
use crate::limit::engine::Facts;
use crate::limit::order::Order;
use crate::time::Timestamp;

/// The kinds of orders that are told apart.
pub const KINDS: [&str; 5] = ["fixed", "ring", "bucket", "ledger", "raise"];

/// What a desk has counted.
#[derive(Clone, Debug)]
pub struct Tolls {
    /// Claims on counters.
    pub claims: u64,
    /// Those of them that took from what was lent, without the lock of a desk.
    pub from_tills: u64,
    /// Claims that were refused because no answer came in time.
    pub late: u64,
    /// How long claims waited that had to, in microseconds.
    pub waits: Spread,
    /// How many tokens a purchase brought.
    pub allotments: Spread,
    /// Tokens in hand, summed up over time: tokens and microseconds.
    pub held: u64,
    /// Orders, by [`KINDS`].
    pub orders: [u64; 5],
}

impl Default for Tolls {
    fn default() -> Self {
        let (waits, allotments) = (Spread::new(MICROS), Spread::new(TOKENS));
        Self { claims: 0, from_tills: 0, late: 0, waits, allotments, held: 0, orders: [0; 5] }
    }
}

impl Tolls {
    /// So many claims took from what was lent.
    pub(super) const fn lent(&mut self, claims: u64) {
        self.claims = self.claims.saturating_add(claims);
        self.from_tills = self.from_tills.saturating_add(claims);
    }

    /// An order is sent.
    pub(super) const fn order(&mut self, order: &Order) {
        let [fixed, ring, bucket, ledger, raise] = &mut self.orders;
        let count = match order {
            Order::Fixed(_) => fixed,
            Order::Ring(_) => ring,
            Order::Bucket(_) => bucket,
            Order::Ledger(_) => ledger,
            Order::Raise(_) => raise,
            Order::Probe(_) | Order::Beat(_) | Order::Permits(_) => return,
        };
        *count = count.saturating_add(1);
    }

    /// As much was in hand from `since` to `now` as `facts` say.
    pub(super) fn hold(&mut self, facts: &Facts, since: Timestamp, now: Timestamp) {
        let held = u64::try_from(in_hand(facts)).unwrap_or(0);
        let micros = u64::try_from(now.since(since).as_micros()).unwrap_or(0);
        self.held = self.held.saturating_add(held.saturating_mul(micros));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.claims = self.claims.saturating_add(other.claims);
        self.from_tills = self.from_tills.saturating_add(other.from_tills);
        self.late = self.late.saturating_add(other.late);
        self.held = self.held.saturating_add(other.held);
        self.waits.add(&other.waits);
        self.allotments.add(&other.allotments);
        for (sum, more) in self.orders.iter_mut().zip(other.orders) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Tokens in hand, debts taken off: what was bought and has gone nowhere.
pub fn in_hand(facts: &Facts) -> i128 {
    let gone = [facts.spent, facts.returned, facts.expired].map(i128::from);
    let came = [facts.bought, facts.forgiven].map(i128::from);
    came.into_iter().sum::<i128>().saturating_sub(gone.into_iter().sum())
}
