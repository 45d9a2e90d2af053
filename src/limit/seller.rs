//! What one primary sells: the arithmetic of the scripts that Redis runs, in Rust.
//!
//! There is one function for each script of `counters/redis/*.lua`, over state that is plain data,
//! with the time as an argument. A test runs both side by side over random orders; so what is
//! proven with this one holds for the other. Lua knows no number but the double, which holds whole
//! numbers up to 2^53: every bound below is there so that nothing on the way is ever larger.

pub mod fixed;
pub mod ring;
pub mod bucket;
pub mod ledger;
pub mod members;
pub mod permits;

use std::collections::{BTreeMap, HashMap};

use crate::limit::key::CounterKey;
use crate::limit::order::members::Epoch;
use crate::limit::order::{Fixed, FixedSold, Meter, Order, ReplicaId, Reply, Session, Span};

/// The largest amount of one order and of one number in a ring; larger ones count as this. The sum
/// of a whole ring then stays below 2^53.
pub const AMOUNT_MAX: u64 = 1 << 46;

/// The largest total of a ledger, and the largest bound, floor and change of it; larger ones count
/// as this.
pub const TOTAL_MAX: u64 = 1 << 51;

/// The largest number of a report or a beat; larger ones count as this.
pub const SEQ_MAX: u64 = 1 << 52;

/// The most sub-windows in the period of a ring; more count as this.
pub const PARTS_MAX: u32 = 96;

/// `amount`, as far as scripts can count.
pub fn amount(amount: u64) -> u64 {
    amount.min(AMOUNT_MAX)
}

/// `total`, as far as scripts can count.
pub fn total(total: u64) -> u64 {
    total.min(TOTAL_MAX)
}

/// All that one primary holds of one lane.
#[derive(Clone, Debug, Default)]
pub struct Primary {
    /// Which life of which server this is: a primary that takes over has another one.
    pub run: u64,
    /// The members, and how many seats there are.
    pub members: members::Members,
    /// The counters of fixed windows.
    pub fixed: HashMap<(Meter, Span), fixed::Counter>,
    /// The rings, by their meters and the number of their parts.
    pub rings: HashMap<(Meter, u32), ring::Sold>,
    /// The buckets.
    pub buckets: HashMap<Meter, bucket::Level>,
    /// The ledgers.
    pub ledgers: HashMap<(Meter, Span), ledger::Account>,
    /// The last report of each session.
    pub sessions: HashMap<Session, ledger::LastReport>,
    /// Who holds permits.
    pub permits: HashMap<CounterKey, permits::Holders>,
}

/// Which holder of permits: a life of a replica.
pub type Holder = (ReplicaId, u64);

impl Primary {
    /// Carries out `order` at `now`, in microseconds of this primary's clock.
    pub fn carry_out(&mut self, now: u64, order: &Order) -> Reply {
        match order {
            Order::Probe(probe) => Reply::Probe(members::probe(&mut self.members, now, *probe)),
            Order::Beat(beat) => Reply::Beat(members::beat(&mut self.members, self.run, now, beat)),
            Order::Fixed(order) => Reply::Fixed(self.sell_fixed(order), self.epoch()),
            Order::Ring(order) => {
                let ring = self.rings.entry((order.meter, order.parts)).or_default();
                Reply::Ring(ring::sell(ring, order), self.epoch())
            }
            Order::Bucket(order) => {
                let level = self.buckets.entry(order.meter).or_default();
                Reply::Bucket(bucket::sell(level, now, order), self.epoch())
            }
            Order::Ledger(order) => {
                let era = (self.run, self.epoch());
                let last = self.sessions.entry(order.session).or_default();
                let sold = ledger::report(last, &mut self.ledgers, era, order);
                Reply::Ledger(sold, era.1)
            }
            Order::Raise(raise) => {
                for floor in &raise.floors {
                    let counter = self.fixed.entry((floor.meter, floor.span)).or_default();
                    fixed::raise(counter, floor.sold);
                }
                Reply::Raise
            }
            Order::Permits(order) => Reply::Permits(permits::take(
                self.permits.entry(order.key).or_default(),
                now,
                order,
            )),
        }
    }

    /// Whose data these are.
    const fn epoch(&self) -> Epoch {
        self.members.epoch
    }

    fn sell_fixed(&mut self, order: &Fixed) -> FixedSold {
        let counter = self.fixed.entry((order.meter, order.span)).or_default();
        fixed::sell(counter, order.want, order.back)
    }
}

/// State by replica, in the order of the replicas: the same for everybody who looks at it.
type ByReplica<T> = BTreeMap<ReplicaId, T>;
