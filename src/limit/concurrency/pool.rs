//! Concurrency limits that hold over all replicas: Redis lends permits, and each replica lets in
//! as many as it was lent. No clock, no runtime and no chance in here: events in, effects out.
//!
//! # Why it holds
//! What a replica was lent expires in Redis [`LIFE`] after it was last renewed. The replica counts
//! from when it *sent* the renewal that was acknowledged, by its own clock, and stops [`MARGIN`]
//! earlier: whatever it has not seen renewed by then is lost to it, before anybody else can be lent
//! it. Redis lends no more than the limit. So, in touch, no more are inside than the limit says:
//! also after crashes, lost and late messages. It is assumed that a clock gains or loses less
//! than [`MARGIN`] in [`LIFE`], and that time at the primary does not jump.
//!
//! # What is not promised
//! Who is inside is never thrown out. While a request stays inside that was there when its
//! replica lost touch (or was stopped, or the primary lost its data), others may be let in
//! beside it: there may be too many inside, by no more than there are such requests. A replica
//! that is back in touch first tells who is inside, and nobody is lent anything until there
//! is room.
//!
//! # Out of touch
//! A replica lets in as long as it has fewer inside than it was lent and than its share; from
//! [`NOTICE_MICROS`](crate::limit::engine::members::NOTICE_MICROS) after its last beat on, as long
//! as it has fewer inside than its share. Those who are in touch lend that share to nobody as long
//! as it is missing, for ten seconds at most. Before it has ever heard of the others it takes
//! one part of as many as are expected.
//!
//! # How much is borrowed
//! What is asked for now, and ahead of need a little, at most half of this replica's part of what is left.
//! A permit that gets free is used again without asking. What was not in use for [`RENEW`] is given
//! back; where little is left, for [`RETURN`]; and where others lack permits, at once what is
//! more than this replica's part of the limit.

mod slot;
mod talk;
#[cfg(test)]
mod simulation;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::concurrency::Inside;
use crate::limit::concurrency::pool::slot::parts::in_touch;
use crate::limit::concurrency::pool::slot::{Slot, Start, Verdict, Waiter};
use crate::limit::concurrency::pool::talk::Heal;
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::key::CounterKey;
use crate::limit::order::Errand;
use crate::limit::seller::Holder;
use crate::time::Timestamp;

/// How long permits live in Redis without being renewed: so long those of a replica that died are
/// missing to the others.
pub const LIFE: Duration = Duration::from_secs(3);

/// How much earlier a replica counts them as lost.
pub const MARGIN: Duration = Duration::from_millis(100);

/// How often they are renewed.
pub const RENEW: Duration = Duration::from_secs(1);

/// After how long what is not in use is given back where little is left.
pub const RETURN: Duration = Duration::from_millis(20);

/// For how long nobody asks again after an answer that there is not enough.
const DENY: Duration = Duration::from_millis(20);

/// How soon an order without an answer is repeated.
const REPEAT: Duration = Duration::from_millis(10);

/// The longest that a request waits for an answer; then there is no room for it.
pub const WAIT_MAX: Duration = Duration::from_millis(25);

/// For how long after its start a replica lets a request wait for the first word of the others;
/// then it takes it that Redis is gone.
const STARTING: Duration = Duration::from_secs(1);

/// How many requests wait at most; one more finds no room.
const WAITERS_MAX: usize = 16_384;

/// The permits of one lane, as this replica holds them.
#[derive(Debug)]
pub struct Pool {
    holder: Holder,
    start: Start,
    keys_max: usize,
    standing: Arc<Standing>,
    slots: HashMap<CounterKey, Slot>,
    /// Whose order each serial number is.
    flights: HashMap<u32, CounterKey>,
    serial: u32,
    seq: u64,
    /// When to look after which key; those that a slot does not know of are out of date.
    alarms: BinaryHeap<Reverse<(Timestamp, CounterKey)>>,
    heal: Option<Heal>,
    waiting: usize,
    last_waiter: u64,
    effects: VecDeque<Effect>,
    facts: Facts,
}

/// What came of asking for a permit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It is inside.
    In,
    /// There is no room.
    Full,
    /// The answer will be an [`Effect::Answer`].
    Waiting(WaiterId),
}

/// One who waits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WaiterId(pub u64);

/// What is to be done for a [`Pool`].
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// This is to be carried to the lane's primary; its outcome goes to [`Pool::outcome`].
    Send(Errand),
    /// Who waits is answered. Who is let in and is not there any more has [left](Pool::leave).
    Answer {
        /// Who.
        waiter: WaiterId,
        /// Under which key.
        key: CounterKey,
        /// Whether it is inside.
        is_in: bool,
    },
    /// In this round of healing, everything is told.
    Healed {
        /// Which round.
        round: u32,
    },
    /// In this round of healing, something could not be told.
    Unhealed {
        /// Which round.
        round: u32,
    },
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Let in.
    pub admitted: u64,
    /// Of these, while out of touch.
    pub alone: u64,
    /// Not let in.
    pub refused: u64,
    /// Those who had to wait for an answer.
    pub waited: u64,
    /// Those who waited in vain.
    pub timed_out: u64,
    /// Orders sent.
    pub orders: u64,
    /// Orders without an answer.
    pub unanswered: u64,
}

impl Pool {
    /// The pool of `holder`, for at most `keys_max` keys, that begins `now`. As long as nothing was
    /// heard of the other replicas, it is taken that there are `expected`.
    pub fn new(holder: Holder, expected: NonZeroU32, keys_max: usize, now: Timestamp) -> Self {
        Self {
            holder,
            start: Start { expected, waits_until: now + STARTING },
            keys_max,
            standing: Arc::default(),
            slots: HashMap::new(),
            flights: HashMap::new(),
            serial: 0,
            seq: 0,
            alarms: BinaryHeap::new(),
            heal: None,
            waiting: 0,
            last_waiter: 0,
            effects: VecDeque::new(),
            facts: Facts::default(),
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

    /// How many keys it knows, and how many requests are inside here under all of them.
    pub fn inside(&self) -> (usize, u64) {
        let inside = self.slots.values().map(|slot| slot.inside).fold(0, u64::saturating_add);
        (self.slots.len(), inside)
    }

    /// Shows every key that it knows.
    pub fn look(&self, now: Timestamp, mut show: impl FnMut(CounterKey, Inside)) {
        for (key, slot) in &self.slots {
            show(*key, slot.shown(now));
        }
    }

    /// Whether permits are lent to it.
    pub fn is_in_touch(&self) -> bool {
        self.standing.touch == Touch::In
    }

    /// Lets one in under `key` if fewer than `max` are inside over all replicas.
    pub fn enter(&mut self, now: Timestamp, key: CounterKey, max: u32) -> Decision {
        let max = u64::from(max);
        if !self.slots.contains_key(&key) && (self.keys_max <= self.slots.len() || max == 0) {
            return self.refuse();
        }
        let slot = self.slots.entry(key).or_insert_with(|| Slot::new(max, now));
        slot.max = max;
        match slot.judge(&self.standing, now, max, self.start) {
            Verdict::In { ahead } => {
                slot.enter();
                self.facts.count(in_touch(&self.standing, now));
                if ahead {
                    self.ask(now, key);
                }
                self.schedule(now, key);
                Decision::In
            }
            Verdict::Full => {
                if slot.is_done(now) {
                    self.slots.remove(&key);
                }
                self.refuse()
            }
            Verdict::Wait if self.waiting < WAITERS_MAX => {
                self.waiting = self.waiting.saturating_add(1);
                self.last_waiter = self.last_waiter.wrapping_add(1);
                self.facts.waited = self.facts.waited.saturating_add(1);
                let id = WaiterId(self.last_waiter);
                slot.waiters.push_back(Waiter { id, max, until: now + WAIT_MAX });
                self.ask(now, key);
                self.schedule(now, key);
                Decision::Waiting(id)
            }
            Verdict::Wait => self.refuse(),
        }
    }

    /// One who was let in under `key` has left.
    pub fn leave(&mut self, now: Timestamp, key: &CounterKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.leave(&self.standing, now);
        if slot.is_awaited(now) {
            self.attend(now, *key);
        } else {
            self.schedule(now, *key);
        }
    }

    /// When [`Self::tick`] is due; none while there is nothing to wait for.
    pub fn wake(&self) -> Option<Timestamp> {
        self.alarms.peek().map(|Reverse((at, _))| *at)
    }

    /// Does what is due: answers those who waited long enough, renews, gives back.
    pub fn tick(&mut self, now: Timestamp) {
        while let Some(Reverse((at, key))) = self.alarms.peek().copied()
            && at <= now
        {
            self.alarms.pop();
            // Others were set before it was known that something is due earlier.
            let alarm = self.slots.get_mut(&key).map(|slot| &mut slot.alarm);
            if let Some(alarm) = alarm.filter(|alarm| **alarm == Some(at)) {
                *alarm = None;
                self.attend(now, key);
            }
        }
    }

    /// Looks after one key.
    fn attend(&mut self, now: Timestamp, key: CounterKey) {
        self.serve(now, key);
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.is_done(now) {
            self.slots.remove(&key);
            return;
        }
        if slot.settle(&self.standing, now) {
            self.ask(now, key);
        }
        self.schedule(now, key);
    }

    /// Judges again those who wait under `key`, in their order.
    fn serve(&mut self, now: Timestamp, key: CounterKey) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.waiters.is_empty() {
            return;
        }
        let mut left = VecDeque::new();
        for waiter in std::mem::take(&mut slot.waiters) {
            let waits_until = self.start.waits_until.min(waiter.until);
            let start = Start { waits_until, ..self.start };
            let verdict = slot.judge(&self.standing, now, waiter.max, start);
            let is_in = match verdict {
                Verdict::In { .. } => true,
                Verdict::Wait if now < waiter.until => {
                    left.push_back(waiter);
                    continue;
                }
                Verdict::Wait => {
                    self.facts.timed_out = self.facts.timed_out.saturating_add(1);
                    false
                }
                Verdict::Full => false,
            };
            if is_in {
                slot.enter();
                self.facts.count(in_touch(&self.standing, now));
            } else {
                self.facts.refused = self.facts.refused.saturating_add(1);
            }
            self.waiting = self.waiting.saturating_sub(1);
            self.effects.push_back(Effect::Answer { waiter: waiter.id, key, is_in });
        }
        let asks = !left.is_empty();
        slot.waiters = left;
        if asks {
            self.ask(now, key);
        }
    }

    fn refuse(&mut self) -> Decision {
        self.facts.refused = self.facts.refused.saturating_add(1);
        Decision::Full
    }

    /// Sees to it that somebody looks after `key` when something is due.
    fn schedule(&mut self, now: Timestamp, key: CounterKey) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Some(due) = slot.due(&self.standing, now) else { return };
        if slot.alarm.is_none_or(|alarm| due < alarm) {
            slot.alarm = Some(due);
            self.alarms.push(Reverse((due, key)));
        }
    }
}

impl Facts {
    fn count(&mut self, in_touch: bool) {
        self.admitted = self.admitted.saturating_add(1);
        self.alone = self.alone.saturating_add(u64::from(!in_touch));
    }
}
