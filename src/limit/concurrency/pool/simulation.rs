//! The pools and memberships that serve, several of them over one primary, in a world where
//! messages are late and lost, replicas crash and stop, and Redis goes away and comes back empty.
//!
//! After every step: no more are inside than the limit says, but for what `World::judge` pardons.

mod world;
mod network;
mod cases;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use crate::limit::concurrency::pool::{Pool, WaiterId};
use crate::limit::engine::members::Membership;
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::order::{Errand, Outcome, Ticket};
use crate::limit::seller::Primary;
use crate::time::Timestamp;

const MILLI: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// When the world begins, so that clocks may be behind.
const DAWN: u64 = 1_000 * SECOND;
/// After how long an order has no answer.
const DEADLINE: u64 = 25 * MILLI;
/// By how much a replica may notice a loss later than it happened.
const NOTICED: u64 = 200 * MILLI;

/// Numbers that look random (xorshift).
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn within(&mut self, from: u64, to: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + (self.0 >> 11) % (to - from + 1)
    }

    /// Below `end`.
    fn index(&mut self, end: usize) -> usize {
        let last = u64::try_from(end).unwrap() - 1;
        usize::try_from(self.within(0, last)).unwrap()
    }

    fn once_in(&mut self, many: u64) -> bool {
        self.within(1, many) == 1
    }

    /// On the way in one direction, in microseconds.
    fn way(&mut self) -> u64 {
        let usual = self.within(50, 300);
        if self.once_in(100) { usual * 40 } else { usual }
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It dies, and starts again after a while.
    Crash(usize),
    /// It is cut off from Redis.
    Cut(usize),
    /// It is stopped, and goes on.
    Pause(usize),
    /// Redis is gone for everybody; whether it comes back empty.
    Down { wiped: bool },
}

#[derive(Debug)]
enum Event {
    Arrive,
    Leave {
        who: usize,
        life: u64,
        request: u64,
    },
    Look {
        who: usize,
        life: u64,
    },
    Carry {
        who: usize,
        life: u64,
        connection: u64,
        errand: Errand,
        deadline: u64,
    },
    Outcome {
        who: usize,
        life: u64,
        connection: u64,
        ticket: Ticket,
        is_pool: bool,
        outcome: Outcome,
    },
    Connect {
        who: usize,
        life: u64,
    },
    Break {
        who: usize,
        life: u64,
        connection: u64,
    },
    Begin(Fault),
    End(Fault),
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Replica {
    life: u64,
    membership: Membership,
    pool: Pool,
    is_alive: bool,
    is_paused: bool,
    is_cut: bool,
    connection: u64,
    is_connected: bool,
    /// By how much its clock is ahead, and how much faster it is, in millionths.
    offset: u64,
    drift: u64,
    look_at: u64,
    inside: BTreeMap<u64, Inside>,
    waiting: HashMap<WaiterId, CounterKey>,
    /// What happened while it was stopped.
    missed: Vec<Event>,
    /// Outcomes that are still to come.
    open: HashMap<(u32, bool), u64>,
}

/// A request that is inside.
#[derive(Clone, Copy, Debug)]
struct Inside {
    key: CounterKey,
    entered: u64,
    /// Whether its replica had not heard of any other.
    is_unmet: bool,
}

struct Plan {
    replicas: usize,
    max: u32,
    keys: usize,
    seconds: u64,
    /// About how many microseconds lie between two requests, and how long one stays, at most.
    every: u64,
    stay: (u64, u64),
    /// One in so many may come to any replica; the others come to the first.
    spread: u64,
    faults: Vec<(u64, u64, Fault)>,
    lossy: bool,
}

struct World {
    plan: Plan,
    chance: Chance,
    now: u64,
    number: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    what: HashMap<u64, Event>,
    primary: Primary,
    is_down: bool,
    replicas: Vec<Replica>,
    /// What is going on or was, since when, and whose requests of before are excused from then on.
    faults: Vec<(u64, Fault)>,
    /// When data were lost under whose living connection.
    unnoticed: Vec<(u64, usize)>,
    admitted: u64,
    refused: u64,
    most: usize,
    excused: u64,
}

fn key(index: usize) -> CounterKey {
    KeySpace::new(Kind::Concurrency, &[]).key(&index.to_string())
}

impl Replica {
    fn local(&self, now: u64) -> Timestamp {
        Timestamp::from_micros(now + self.offset + now / 1_000_000 * self.drift)
    }

    fn told(&self) -> String {
        let entered = self.inside.values().map(|one| one.entered.saturating_sub(DAWN) / MILLI);
        let standing = self.membership.standing();
        format!(
            "{:?} seat {:?} of {} members, {} missing, inside since {:?}",
            standing.touch,
            standing.seat.map(|seat| (seat.index, seat.of)),
            standing.members,
            standing.holds.len(),
            entered.collect::<Vec<_>>()
        )
    }

    /// The time of the world at which its clock shows `local`, or just after.
    fn global(&self, now: u64, local: Timestamp) -> u64 {
        now + local.micros().saturating_sub(self.local(now).micros()) + 1
    }
}
