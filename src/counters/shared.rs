//! Counters that several replicas share: limits that hold over all of them.
//!
//! Redis sells tokens, and each replica admits from what it bought ahead: see
//! [`limit::engine`](crate::limit::engine) for the rules and why they hold, and
//! [`redis`](crate::counters::redis) for the way there. This is the home that joins them.
//!
//! # How it is put together
//! The counters of one Redis are one *lane*; those of a cluster are spread over several by their
//! keys. A lane has one membership and some *desks*, each an engine behind its own lock, that
//! share the lane's keys. A request whose key is warm takes one lock and is answered; nothing is
//! allocated and nobody is asked. Of keys that are asked for often a desk lends what it has in hand
//! to [tills](crate::limit::till): such a request takes no lock, but one compare-and-swap. Else its answer comes later, at the latest after the longest
//! time that its limit lets a request wait.
//!
//! Whoever has news for a membership or a desk (a request, the tasks of the link, the clock) does
//! at once what follows from it. Locks are taken in one order: a membership, then a desk.
//!
//! # What is one counter
//! A key, a period and a kind of window: the same key under another period, or with fixed instead
//! of sliding windows, is another counter here, and a request that meets both counts in both. A limit that changes finds what was used; a period
//! that changes begins again.
//!
//! # What is not shared
//! Each replica counts alone, in memory, what is to be counted so ([`Mode::Local`]), what cannot
//! be counted over there ([`Unfit`]: windows below 100 ms,
//! limits of 2^42 and more), and, while Redis is out of touch and this replica was not told its
//! share, limits in the fast mode that are held by local shares: of those it admits one part of as
//! many as there are replicas, as last heard or else as expected ([`Plan::replicas_expected`]).
//! Limits in the exact mode wait, and then refuse: who was not told does not guess.

mod claim;
mod desk;
mod inquiry;
pub mod journal;
mod lane;
mod member;
mod permits;
mod report;
mod reset;
pub(in crate::counters) mod rules;
pub mod spread;
pub mod tolls;
mod upkeep;

use std::hash::RandomState;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

pub use report::{CopiesReport, JournalReport, LaneReport, Report, Touch};
pub use upkeep::Upkeep;

use crate::counters::memory::Memory;
use crate::counters::redis::settings::{Settings, Unusable};
use crate::counters::redis::{Customer, Link, News};
use crate::counters::shared::claim::{charge_all, charge_one};
use crate::counters::shared::desk::{Desk, Round};
use crate::counters::shared::journal::shelf::{Copies, Shelf};
use crate::counters::shared::journal::snapshot::{Snapshot, origin_of};
use crate::counters::shared::journal::{Journal, NoJournal};
use crate::counters::shared::lane::Lane;
use crate::counters::shared::permits::Lending;
use crate::counters::shared::upkeep::Alarm;
use crate::digest::digest;
use crate::limit::engine::members::Identity;
use crate::limit::engine::rule::{Loss, Unfit};
use crate::limit::key::CounterKey;
use crate::limit::manner::{Mode, Windows};
use crate::limit::order::ReplicaId;
use crate::limit::{Answer, Charge, Counters, Terms, same_counter};
use crate::time::{Clock, Timestamp};

/// How many desks there are, over all lanes: so many requests can be judged at once.
const DESKS: u16 = 16;

/// How many desks a lane has at least.
const DESKS_OF_LANE_MIN: u16 = 2;

/// How many counters a replica holds at most; beyond, the idle make room.
pub const KEYS_MAX: usize = 1 << 20;

/// How long beyond the longest wait of any limit an answer is waited for, before it is taken that
/// nobody gives one.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What a home needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where Redis is.
    pub redis: Settings,
    /// The name of this replica: unique, and the same after a restart.
    pub replica: String,
    /// How many replicas there are, about; asked only until Redis is heard of.
    pub replicas_expected: NonZeroU32,
    /// The folder for the journal of quotas and the copy of their totals; none: what was used of
    /// them out of touch is lost with the process, and all of it with the data of Redis if no
    /// replica lives then.
    pub journal: Option<PathBuf>,
    /// Where all replicas keep a copy of the totals of quotas that is not in Redis.
    pub shelf: Option<Arc<dyn Shelf>>,
}

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
pub enum NoHome {
    /// The settings of Redis cannot be used.
    #[error(transparent)]
    Redis(#[from] Unusable),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}

/// The home.
pub struct Shared {
    office: Arc<Office>,
}

/// What all of its parts share.
struct Office {
    link: Link,
    clock: Arc<dyn Clock>,
    journal: Option<Arc<Journal>>,
    snapshot: Option<Snapshot>,
    copies: Option<Arc<Copies>>,
    lanes: Vec<Lane>,
    alone: Memory,
    replicas_expected: NonZeroU32,
    /// Whether it was said that some limits are not shared.
    confessed: AtomicBool,
    alarm: Arc<Alarm>,
    /// Rung when a lane was left.
    left: Notify,
    /// When this life began.
    started: Timestamp,
    replica: ReplicaId,
}

/// Hears of the link what is for the office, as long as there is one.
struct Ear(Mutex<Weak<Office>>);

impl Customer for Ear {
    fn told(&self, news: News) {
        // Nothing panics while it is held.
        let office = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(office) = office {
            office.told(news);
        }
    }
}

impl Shared {
    /// A home as `plan` says, and what keeps it going: to be run until the home is dropped.
    ///
    /// `clock` must be steady: it may not be set while the home is in use.
    pub fn new(plan: &Plan, clock: Arc<dyn Clock>) -> Result<(Self, Upkeep), NoHome> {
        let ear = Arc::new(Ear(Mutex::new(Weak::new())));
        let customer: Arc<dyn Customer> = Arc::<Ear>::clone(&ear);
        let (link, courier) = Link::new(&plan.redis, &clock, &customer)?;
        let journal = plan.journal.as_deref().map(Journal::open).transpose()?;
        let (journal, records) = journal.unzip();
        let now = clock.now();
        // The journal keeps other processes away from it.
        let folder = plan.journal.as_deref();
        let snapshot = folder.map(|folder| Snapshot::open(folder, &plan.redis.prefix, now));
        let (snapshot, totals) = snapshot.unzip();
        let shelf = plan.shelf.clone();
        let copies = shelf.map(|shelf| Arc::new(Copies::new(shelf, origin_of(&plan.redis.prefix))));
        let lanes = link.lanes();
        let desks = DESKS.checked_div(lanes).unwrap_or(DESKS).max(DESKS_OF_LANE_MIN);
        let identity = Identity {
            replica: ReplicaId(u128::from_be_bytes(digest(["replica", &plan.replica]))),
            // A start is later than the one before.
            incarnation: now.micros(),
            // The permits are one more.
            desks: u32::from(desks).saturating_add(1),
        };
        let hasher = RandomState::new();
        let keys_max = KEYS_MAX / usize::from(desks.saturating_mul(lanes).max(1));
        let number = u8::try_from(desks).unwrap_or(u8::MAX);
        let lanes = (0..lanes).map(|lane| {
            let at = (lane, lanes);
            let lending = Lending::new(at, number, identity, plan.replicas_expected, now);
            Lane::new(identity, lending, keys_max, &hasher, now)
        });
        let alarm = Arc::new(Alarm { at: AtomicU64::new(0), bell: Notify::new() });
        let office = Arc::new(Office {
            link,
            clock,
            journal: journal.map(Arc::new),
            snapshot,
            copies: copies.clone(),
            lanes: lanes.collect(),
            alone: Memory::new(),
            replicas_expected: plan.replicas_expected,
            confessed: AtomicBool::new(false),
            alarm: Arc::clone(&alarm),
            left: Notify::new(),
            started: now,
            replica: identity.replica,
        });
        for (lane, record) in records.into_iter().flatten() {
            if let Some(lane) = office.lanes.get(usize::from(lane)) {
                lane.restore(record);
            }
        }
        office.restore_totals(totals.unwrap_or_default(), now);
        let weak = Arc::downgrade(&office);
        *ear.0.lock().unwrap_or_else(PoisonError::into_inner) = Weak::clone(&weak);
        let journal = office.journal.clone();
        Ok((Self { office }, Upkeep { office: weak, alarm, courier, journal, copies }))
    }

    /// How it is doing.
    pub fn report(&self) -> Report {
        Report::of(&self.office, self.office.clock.now())
    }
}

impl Counters for Shared {
    // The time that counts is the one at which a token is spent, which the home reads itself.
    fn charge<'a>(&'a self, charges: &'a [Charge], _now: Timestamp) -> Answer<'a> {
        match charges {
            [charge] => charge_one(&self.office, *charge),
            charges => charge_all(&self.office, charges),
        }
    }

    fn add(&self, charges: &[Charge], _now: Timestamp) {
        for charge in merged(charges) {
            self.office.add(&charge);
        }
    }

    fn refund(&self, charges: &[Charge], at: Timestamp) {
        for charge in merged(charges) {
            self.office.refund(&charge, at);
        }
    }
}

/// Whether this replica counts `charge` alone where it does not know its share.
fn may_be_alone(charge: &Charge) -> bool {
    let manner = charge.terms.manner;
    matches!(manner.mode, Mode::Fast { .. }) && manner.loss == Loss::LocalShare
}

/// Each counter of `charges` once, with the largest of the costs.
fn merged(charges: &[Charge]) -> impl Iterator<Item = Charge> {
    let firsts = charges.iter().enumerate().filter(move |(index, charge)| {
        !charges.iter().take(*index).any(|other| same_counter(other, charge))
    });
    firsts.map(move |(_, charge)| {
        let same = charges.iter().filter(|other| same_counter(other, charge));
        Charge { cost: same.map(|other| other.cost).max().unwrap_or(0), ..*charge }
    })
}

impl Office {
    /// The lane and the desk of a key. All replicas must agree on the lane.
    fn place_of(&self, key: &CounterKey) -> Option<(&Lane, &Mutex<Desk>)> {
        let key = key.to_bytes();
        let lane = self.lane_of(key)?;
        Some((lane, lane.desk_of(key)?))
    }

    fn lane_of(&self, key: [u8; 16]) -> Option<&Lane> {
        let [.., high, low] = key;
        let part = usize::from(u16::from_be_bytes([high, low]));
        self.lanes.get(part.checked_rem(self.lanes.len())?)
    }

    /// Lets `act` at the desk of `key`, does what the desk then wants done, and sees to it that
    /// somebody looks in when it is due.
    fn at_desk<T>(
        &self,
        key: &CounterKey,
        act: impl FnOnce(&mut Desk, Timestamp) -> T,
    ) -> Option<T> {
        let (lane, desk) = self.place_of(key)?;
        let (outcome, rounds, wake) = {
            let mut desk = desk::lock(desk);
            let now = self.clock.now();
            let outcome = act(&mut desk, now);
            let rounds = desk.see_to(self, now);
            (outcome, rounds, desk.wake())
        };
        self.go_on(lane, &rounds, wake);
        Some(outcome)
    }

    /// Tells the membership what became of its rounds, and sees to it that somebody looks in.
    fn go_on(&self, lane: &Lane, rounds: &[Round], wake: Option<Timestamp>) {
        if !rounds.is_empty() {
            lane.rounds(self, rounds);
        }
        if let Some(wake) = wake {
            self.alarm.set(wake);
        }
    }

    /// Counts `charge.cost` after the fact.
    fn add(&self, charge: &Charge) {
        if charge.cost == 0 {
            return;
        }
        if self.is_alone(charge) || !self.with_rule(charge, |desk, now| desk.add(now, charge)) {
            let (charge, now) = (self.own_part(charge), self.clock.now());
            self.alone.add(&[charge], now);
        }
    }

    /// Gives back `charge.cost`, taken at `at`.
    fn refund(&self, charge: &Charge, at: Timestamp) {
        if charge.cost == 0 {
            return;
        }
        if self.is_alone(charge)
            || !self.with_rule(charge, |desk, now| desk.refund(now, charge, at))
        {
            self.alone.refund(&[self.own_part(charge)], at);
        }
    }

    /// Lets `act` at the desk of `charge`; it says whether the limit can be held there.
    fn with_rule(
        &self,
        charge: &Charge,
        act: impl FnOnce(&mut Desk, Timestamp) -> Result<(), Unfit>,
    ) -> bool {
        match self.at_desk(&charge.key, act) {
            Some(Err(unfit)) => {
                self.confess(&charge.terms, unfit);
                false
            }
            Some(Ok(())) => true,
            None => false,
        }
    }

    /// Whether this replica counts `charge` alone for now.
    fn is_alone(&self, charge: &Charge) -> bool {
        charge.terms.manner.mode == Mode::Local
            || may_be_alone(charge)
                && self.place_of(&charge.key).is_none_or(|(lane, _)| !lane.has_met())
    }

    /// What `charge` is where this replica counts alone: of a limit that is to be shared its part.
    fn own_part(&self, charge: &Charge) -> Charge {
        let mut own = *charge;
        if own.terms.manner.mode != Mode::Local {
            let known = self.place_of(&charge.key).and_then(|(lane, _)| lane.replicas());
            let replicas = known.unwrap_or(self.replicas_expected);
            let part = |whole: u64| whole.div_ceil(u64::from(replicas.get()));
            own.terms.limit = part(own.terms.limit);
            if let Windows::Bucket { burst } = &mut own.terms.manner.windows {
                *burst = part(*burst);
            }
        }
        own
    }

    /// Says once that some limits are not shared, and why.
    fn confess(&self, terms: &Terms, unfit: Unfit) {
        if !self.confessed.swap(true, Ordering::Relaxed) {
            let (limit, period) = (terms.limit, terms.period);
            tracing::warn!(
                "a limit of {limit} per {period:?} cannot be shared ({unfit}): \
                 each replica counts it, and others like it, alone"
            );
        }
    }

    /// The link has news.
    fn told(&self, news: News) {
        let (News::Connected { lane, .. }
        | News::Lost { lane, .. }
        | News::Trouble { lane, .. }
        | News::Copies { lane, .. }
        | News::Outcomes { lane, .. }) = &news;
        if let Some(lane) = self.lanes.get(usize::from(*lane)) {
            lane.told(self, news);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Shared counters over {} lanes", self.office.lanes.len())
    }
}
