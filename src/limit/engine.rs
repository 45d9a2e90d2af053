//! Limits that hold over all replicas: Redis sells tokens, and each replica admits from what it
//! bought. No clock, no runtime and no chance in here: events in, effects out.
//!
//! # Why it holds
//! A replica buys small *allotments* ahead of need and may spend a token only inside the window it
//! was bought for, and only while both ends of its [reference](mod@reference) clock agree that this window is
//! now. So what is admitted in a window is at most what was sold for it, whatever happens to
//! replicas, messages and clocks; and no more is sold than the limit, less the shares of those
//! members who may be admitting on their own ([`members`], [`standing`]).
//!
//! # How it is driven
//! For each lane there is one [`Membership`](members::Membership), driven by one task, and a
//! number of *desks*, each an [`Engine`] behind its own mutex, that share the keys by their hash.
//!
//! * A request calls [`Engine::admit`] on its key's desk. A warm key is answered in one look-up,
//!   without allocation. Who is told to wait is answered by an [`Effect::Answer`] later, at the
//!   latest when [`Engine::tick`] is called at [`Engine::wake`].
//! * After every call on a desk its effects are taken ([`Engine::next_effect`]) and done: orders
//!   are sent, waiters woken, reports of healing passed to the membership.
//! * Each order has exactly one outcome, given to [`Engine::outcome`] of the desk that made it
//!   (and to [`Membership::heard`](members::Membership::heard) or `missed`), at the latest after
//!   [`members::ORDER_LIFE`]. When a connection breaks or is replaced, the membership is told
//!   first and its steps are done; then all that was on its way is unanswered, and nothing of it
//!   goes over another connection.
//! * A desk's [`quota::Record`]s are for a journal; what a journal holds from an earlier life is
//!   given to [`Engine::restore`] before the first claim.
//! * The membership's steps are done in order; a [`Step::Stand`](members::Step::Stand) is given to
//!   every desk ([`Engine::stand`]) before the next step is done.

pub mod reference;
pub mod rule;
pub mod standing;
pub mod members;
mod places;
mod slot;
mod tally;
mod sizing;
mod waiting;
mod decide;
mod silence;
mod estimate;
mod errands;
mod buy;
mod bucket;
mod heal;
mod hold;
pub mod lend;
pub mod quota;
mod account;
mod keep;
pub mod census;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::errands::Errands;
use crate::limit::engine::heal::Heal;
use crate::limit::engine::places::Places;
use crate::limit::engine::quota::{Books, Record};
use crate::limit::engine::rule::Rule;
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::engine::waiting::Waiting;
use crate::limit::key::CounterKey;
use crate::limit::order::{Errand, Session};
use crate::time::Timestamp;

/// One desk: the counters of a part of a lane's keys, as this replica holds them.
#[derive(Debug)]
pub struct Engine {
    standing: Arc<Standing>,
    slots: Places<Slot>,
    slots_max: usize,
    errands: Errands,
    waiting: Waiting,
    heal: Option<Heal>,
    /// Something was sold of other data than those that were reported to: nothing more is bought
    /// until the membership has heard of it.
    strange: bool,
    books: Books,
    /// Where the search for idle slots goes on.
    hand: u32,
    swept: Timestamp,
    round_began: Timestamp,
    effects: VecDeque<Effect>,
    facts: Facts,
    /// Tokens that are lent: out of all slots, and not spent.
    lent: u64,
    /// Tokens of these that were taken and given back here before the loan was: they are in a slot
    /// again, and not known to be spent yet.
    lent_and_back: u64,
}

/// A request's claim on one counter.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The counter.
    pub key: CounterKey,
    /// What holds for it.
    pub rule: &'a Arc<Rule>,
    /// How much must be left; zero: it is only asked whether the limit is not passed.
    pub need: u64,
    /// How much is taken.
    pub cost: u64,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It was taken.
    Admitted(Receipt),
    /// There is no room.
    Refused(Refusal),
    /// Redis is out of touch, and nothing is known that would let this be admitted.
    Unavailable,
    /// The answer will be an [`Effect::Answer`].
    Waiting(WaiterId),
}

/// What was taken, by which it can be given back or settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The number of the window; of a bucket, when what it was taken from would have expired.
    pub window: u64,
    /// How much was taken.
    pub cost: u64,
    /// From where.
    pub source: Source,
    /// How much is left of the limit, as far as this replica knows; while out of touch, of its
    /// share.
    pub remaining: u64,
}

/// Where an admitted request's tokens came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// Bought, or owed.
    Allotment,
    /// The replica's own share, while out of touch.
    Share,
    /// Nowhere: while out of touch everything is admitted.
    Open,
}

/// Why not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// After how long there may be room.
    pub retry_after: Duration,
    /// Whether the limit is met; if not, only the answer took too long.
    pub is_full: bool,
}

/// One who waits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WaiterId(pub u64);

/// What is to be done for an [`Engine`].
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// This is to be carried to the lane's primary.
    Send(Errand),
    /// Who waits is answered; never with [`Decision::Waiting`]. If nobody is there any more, an
    /// admission is to be given back ([`Engine::settle`]).
    Answer {
        /// Who.
        waiter: WaiterId,
        /// What.
        decision: Decision,
    },
    /// This is to be written into the journal of the desk, if there is one, before any effect that
    /// comes after is done.
    Journal(Record),
    /// Everything is reported in this round.
    Healed {
        /// Which round.
        round: u32,
    },
    /// Something was not reported in this round, or what was reported is lost: the data over there
    /// are others by now.
    Unhealed {
        /// Which round.
        round: u32,
    },
}

/// What a desk has done so far, in tokens unless said otherwise.
///
/// `bought + forgiven == spent + returned + expired + held`, where held is what [`Engine::held`]
/// says; a debt counts as spent when it is made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Granted by Redis.
    pub bought: u64,
    /// Spent from allotments, or owed.
    pub spent: u64,
    /// Handed back to Redis.
    pub returned: u64,
    /// Died unspent with their window.
    pub expired: u64,
    /// Owed in a window that is over for long, and forgotten.
    pub forgiven: u64,
    /// Given back by requests, or held for them and not used.
    pub refunded: u64,
    /// Admitted from the local share.
    pub shared: u64,
    /// Admitted without limit.
    pub open: u64,
    /// Claims that were refused because the limit was met.
    pub refused: u64,
    /// Claims that could not be judged.
    pub unavailable: u64,
    /// Claims that had to wait, and those that waited in vain.
    pub waited: u64,
    /// Claims that waited as long as they may.
    pub timed_out: u64,
    /// Orders sent.
    pub orders: u64,
    /// Orders without an answer in time.
    pub unanswered: u64,
    /// Times that a counter was seen to have lost data.
    pub rollbacks: u64,
    /// The largest debt.
    pub debt_max: u64,
    /// Slots that were given up for others.
    pub evicted: u64,
    /// Owed when their window ended: admitted in it, and not sold in it to this desk.
    pub unsold: u64,
    /// The largest part of a limit that was owed when its window ended, in millionths.
    pub unsold_max: u64,
}

impl Engine {
    /// A desk that holds at most `slots_max` counters and reports to ledgers as `session`. Keys are
    /// spread by `seed`, which nobody outside should know.
    pub fn new(session: Session, slots_max: usize, seed: u64) -> Self {
        Self {
            standing: Arc::default(),
            slots: Places::new(seed),
            slots_max,
            errands: Errands::default(),
            waiting: Waiting::default(),
            heal: None,
            strange: false,
            books: Books::new(session),
            hand: 0,
            swept: Timestamp::default(),
            round_began: Timestamp::default(),
            effects: VecDeque::new(),
            facts: Facts::default(),
            lent: 0,
            lent_and_back: 0,
        }
    }

    /// The next thing to do for it.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What it has done so far.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How many counters it holds.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// Takes what `claim` asks for, if there is room.
    pub fn admit(&mut self, now: Timestamp, claim: &Claim<'_>) -> Decision {
        let Some(place) = self.place(now, claim) else {
            return self.cannot_judge();
        };
        match self.spend_at_once(place, now, claim) {
            Some(receipt) => Decision::Admitted(receipt),
            None => self.decide_or_wait(place, now, claim),
        }
    }

    /// The fast path: from tokens in hand, if it is certain that their window is now.
    fn spend_at_once(&mut self, place: u32, now: Timestamp, claim: &Claim<'_>) -> Option<Receipt> {
        let moment = self.standing.clock.at(now)?;
        if self.standing.touch != Touch::In {
            return None;
        }
        let grid = claim.rule.grid();
        let slot = self.slots.get_mut(place)?;
        let (starts, ends) = (grid.starts(slot.window), grid.ends(slot.window));
        let is_now = starts <= moment.early && moment.late < ends && !grid.is_bucket();
        let need = i64::try_from(claim.need.max(claim.cost)).ok()?;
        if !is_now || slot.balance < need || claim.rule.limit() < slot.top || slot.flags.awaited {
            return None;
        }
        slot.balance = slot.balance.saturating_sub_unsigned(claim.cost);
        slot.count(claim.cost);
        self.facts.spent = self.facts.spent.saturating_add(claim.cost);
        let left = claim.rule.limit().saturating_sub(slot.sold);
        let receipt = Receipt {
            window: slot.window,
            cost: claim.cost,
            source: Source::Allotment,
            // Where data were lost more may be in hand than was sold.
            remaining: left.saturating_add_signed(slot.balance).min(claim.rule.limit()),
        };
        if slot.balance < slot.refill_below || slot.look_at <= moment.early {
            self.look_after(place, moment, claim.rule);
        }
        Some(receipt)
    }

    /// The slot of a claim, made if there is none; none if there is no room for it.
    fn place(&mut self, now: Timestamp, claim: &Claim<'_>) -> Option<u32> {
        let grid = claim.rule.grid();
        let key = SlotKey { key: claim.key, period: grid.period, form: grid.form };
        let hash = self.slots.hash();
        let hash_of = |key: &SlotKey| hash.of(key.key.to_bytes(), key.period ^ key.form);
        if let Some(place) = self.slots.find(&key, hash_of(&key)) {
            return Some(place);
        }
        if self.slots.len() >= self.slots_max && !self.make_room(now) {
            return None;
        }
        let fraction = sizing::fraction_of_many(grid, self.standing.members);
        let mut slot = Slot::new(key, fraction, now.micros());
        slot.under(claim.rule);
        self.slots.insert(slot, hash_of)
    }

    fn cannot_judge(&mut self) -> Decision {
        self.facts.unavailable = self.facts.unavailable.saturating_add(1);
        Decision::Unavailable
    }
}
