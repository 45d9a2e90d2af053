//! How the home is doing, for metrics and for people.

use std::time::Duration;

use crate::counters::memory::Usage;
use crate::counters::redis::Copies;
use crate::counters::shared::Office;
use crate::counters::shared::desk;
use crate::counters::shared::journal::snapshot::Snapshot;
use crate::counters::shared::lane::Lane;
use crate::counters::shared::spread::Spread;
use crate::counters::shared::tolls::Tolls;
use crate::limit::engine::Facts;
use crate::limit::order::members::Seat;
use crate::time::Timestamp;

pub use crate::limit::engine::standing::Touch;

/// How the home is doing.
#[derive(Clone, Debug)]
pub struct Report {
    /// What all desks have done so far, in tokens.
    pub facts: Facts,
    /// How many counters are held.
    pub counters: usize,
    /// How many requests wait for an answer.
    pub waiting: usize,
    /// What is counted by this replica alone.
    pub alone: Usage,
    /// The journal of quotas, if there is one.
    pub journal: Option<JournalReport>,
    /// The copy of the totals of quotas in etcd, if there is one.
    pub copies: Option<CopiesReport>,
    /// What all desks have counted for metrics.
    pub tolls: Tolls,
    /// The largest part of a limit in use that all replicas together may admit beyond it, in
    /// millionths.
    pub over_max: u64,
    /// Commands sent to Redis.
    pub commands: u64,
    /// The lanes, in their order.
    pub lanes: Vec<LaneReport>,
}

/// How the journal of quotas is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalReport {
    /// Why it, or the copy of totals beside it, cannot be written, if one cannot.
    pub fault: Option<String>,
    /// How large its file is.
    pub bytes: u64,
}

/// How the copy of the totals of quotas in etcd is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CopiesReport {
    /// Why it cannot be read or written, if it cannot.
    pub fault: Option<String>,
    /// How long ago it was last brought up to date; none: not yet.
    pub age: Option<Duration>,
}

/// How one lane is doing.
#[derive(Clone, Debug)]
pub struct LaneReport {
    /// Its number.
    pub lane: u16,
    /// Whether it is in touch.
    pub touch: Touch,
    /// Whether it ever was, in this life.
    pub has_met: bool,
    /// For how long it is in touch, or out of it.
    pub since: Duration,
    /// Where the primary is, or was.
    pub place: Option<String>,
    /// What is wrong, in one sentence.
    pub trouble: Option<String>,
    /// Who has what is sold of quotas besides the primary; none: nobody asked yet.
    pub copies: Option<Copies>,
    /// How many replicas there are, as last heard.
    pub replicas: u32,
    /// How many shares are held back for replicas that are missing or died.
    pub held_back: usize,
    /// The place of this replica in the division of limits.
    pub seat: Option<Seat>,
    /// How far apart the bounds of the primary's clock are.
    pub clock_width: Option<Duration>,
    /// How long answers took, in microseconds.
    pub latency: Spread,
}

impl Report {
    pub(super) fn of(office: &Office, now: Timestamp) -> Self {
        let Office { lanes, .. } = office;
        let (mut facts, mut counters, mut waiting) = (Facts::default(), 0_usize, 0_usize);
        let (mut tolls, mut over_max) = (Tolls::default(), 0);
        for desk in lanes.iter().flat_map(Lane::desks) {
            let mut desk = desk::lock(desk);
            desk.recall_all(now);
            let (done, holds, waits) = desk.facts();
            add(&mut facts, done);
            let (counted, over) = desk.tolls();
            tolls.add(counted);
            over_max = over_max.max(over);
            counters = counters.saturating_add(holds);
            waiting = waiting.saturating_add(waits);
        }
        let lanes = lanes.iter().map(|lane| LaneReport::of(lane, now)).collect();
        let journal = office.journal.as_ref().map(|journal| {
            let (fault, bytes) = journal.condition();
            let of_copy = || office.snapshot.as_ref().and_then(Snapshot::fault);
            JournalReport { fault: fault.or_else(of_copy), bytes }
        });
        let copies = office.copies.as_ref().map(|copies| {
            let (fault, done) = copies.condition();
            CopiesReport { fault, age: done.map(|done| now.since(done)) }
        });
        let (alone, commands) = (office.alone.usage(), office.link.commands());
        Self { facts, counters, waiting, alone, journal, copies, tolls, over_max, commands, lanes }
    }
}

impl LaneReport {
    fn of(lane: &Lane, now: Timestamp) -> Self {
        let member = lane.member();
        let standing = member.membership.standing();
        Self {
            lane: lane.number(),
            touch: standing.touch,
            has_met: lane.has_met(),
            since: now.since(member.since),
            place: member.place.clone(),
            trouble: member.trouble.as_ref().map(ToString::to_string),
            copies: member.copies.clone(),
            replicas: standing.members,
            held_back: standing.holds.len(),
            seat: standing.seat,
            clock_width: standing.clock.width(now).map(Duration::from_micros),
            latency: member.latency.clone(),
        }
    }
}

fn add(sum: &mut Facts, facts: &Facts) {
    let pairs = [
        (&mut sum.bought, facts.bought),
        (&mut sum.spent, facts.spent),
        (&mut sum.returned, facts.returned),
        (&mut sum.expired, facts.expired),
        (&mut sum.forgiven, facts.forgiven),
        (&mut sum.refunded, facts.refunded),
        (&mut sum.shared, facts.shared),
        (&mut sum.open, facts.open),
        (&mut sum.refused, facts.refused),
        (&mut sum.unavailable, facts.unavailable),
        (&mut sum.waited, facts.waited),
        (&mut sum.timed_out, facts.timed_out),
        (&mut sum.orders, facts.orders),
        (&mut sum.unanswered, facts.unanswered),
        (&mut sum.rollbacks, facts.rollbacks),
        (&mut sum.evicted, facts.evicted),
        (&mut sum.unsold, facts.unsold),
    ];
    for (sum, part) in pairs {
        *sum = sum.saturating_add(part);
    }
    sum.debt_max = sum.debt_max.max(facts.debt_max);
    sum.unsold_max = sum.unsold_max.max(facts.unsold_max);
}
