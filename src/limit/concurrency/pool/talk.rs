//! What a pool says to the primary, what it makes of the answers, and the way back in touch.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::limit::concurrency::pool::slot::parts::in_touch;
use crate::limit::concurrency::pool::slot::{Flight, Slot, Wish};
use crate::limit::concurrency::pool::{Effect, LIFE, Pool};
use crate::limit::engine::standing::{Standing, Touch, Unheard};
use crate::limit::key::CounterKey;
use crate::limit::order::{Errand, Order, Outcome, Permits, Reply, Ticket};
use crate::time::Timestamp;

/// How many reports are on their way at once: few enough that all are answered within their
/// deadline, for one that is late starts the round over.
const REPORTS_MAX: usize = 8;

/// What was known of the members when this replica was last in touch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    run: u64,
    members: u32,
    /// Since when, by the primary's clock, some of them are absent from its table.
    lost: Option<u64>,
}

/// A round of healing.
#[derive(Debug)]
pub(super) struct Heal {
    round: u32,
    /// Of which keys it is still to be told who is inside.
    keys: VecDeque<CounterKey>,
    on_the_way: usize,
}

impl Pool {
    /// Stands differently from now on.
    pub fn stand(&mut self, now: Timestamp, standing: Arc<Standing>) {
        let standing = self.with_absent(now, standing);
        let before = std::mem::replace(&mut self.standing, standing);
        let touch = self.standing.touch;
        if touch != Touch::Healing {
            self.heal = None;
        } else if before.round != self.standing.round {
            self.begin_heal(now, &before);
        }
        if before.touch == touch {
            return;
        }
        // In order, so that the same events have the same effects.
        for key in self.keys() {
            if let Some(slot) = self.slots.get_mut(&key)
                && touch == Touch::In
            {
                slot.arrive(now);
            }
            self.attend(now, key);
        }
    }

    /// A primary that has lost its data does not know who is not back yet: all but as many as have
    /// come back may be using their shares, and nobody knows which those are.
    fn with_absent(&mut self, now: Timestamp, standing: Arc<Standing>) -> Arc<Standing> {
        if standing.touch != Touch::In {
            return standing;
        }
        let known = self.known.filter(|known| standing.members < known.members);
        let since = match known {
            Some(known) if known.run == standing.run => known.lost,
            Some(_) => standing.clock.at(now).map(|moment| moment.early),
            None => None,
        };
        let Some((known, since)) = known.zip(since) else {
            let (run, members) = (standing.run, standing.members);
            self.known = Some(Known { run, members, lost: None });
            return standing;
        };
        self.known = Some(Known { run: standing.run, lost: Some(since), ..known });
        let count = known.members.saturating_sub(standing.members);
        let unheard = Some(Unheard { count, of: known.members, since });
        Arc::new(Standing { unheard, ..Standing::clone(&standing) })
    }

    /// What became of an order.
    pub fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: &Outcome) {
        let Some(key) = self.flights.remove(&ticket.serial) else { return };
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Some(flight) = slot.flight.take_if(|flight| flight.serial == ticket.serial) else {
            return;
        };
        let is_answered = if let Outcome::Answered(Reply::Permits(reply)) = outcome {
            slot.answered(&self.standing, now, &flight, *reply);
            true
        } else {
            slot.unanswered(now);
            self.facts.unanswered = self.facts.unanswered.saturating_add(1);
            false
        };
        if let Some(round) = flight.round {
            self.reported(now, round, is_answered);
        }
        self.attend(now, key);
    }

    /// Gives everything back, for a replica that leaves.
    pub fn hand_in(&mut self, now: Timestamp) {
        self.flights.clear();
        for key in self.keys() {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let wish = slot.hand_in();
            if in_touch(&self.standing, now) {
                self.send(now, key, wish, None);
            }
        }
    }

    /// Asks for what is wanted under `key`, unless an answer is on its way.
    pub(super) fn ask(&mut self, now: Timestamp, key: CounterKey) {
        let Some(slot) = self.slots.get(&key) else { return };
        if in_touch(&self.standing, now) && slot.flight.is_none() {
            let wish = slot.wish(&self.standing, now);
            self.send(now, key, wish, None);
        }
    }

    fn send(&mut self, now: Timestamp, key: CounterKey, wish: Wish, round: Option<u32>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        self.serial = self.serial.wrapping_add(1);
        self.seq = self.seq.saturating_add(1);
        let serial = self.serial;
        slot.send(Flight { serial, sent: now, wish, round });
        self.flights.insert(serial, key);
        self.facts.orders = self.facts.orders.saturating_add(1);
        let Wish { inside, need, want, bound } = wish;
        let (replica, incarnation) = self.holder;
        let (seq, life) = (self.seq, u64::try_from(LIFE.as_micros()).unwrap_or(u64::MAX));
        let order =
            Permits { key, replica, incarnation, seq, inside, need, want, max: bound, life };
        let ticket = Ticket { place: 0, serial };
        self.effects.push_back(Effect::Send(Errand { ticket, order: Order::Permits(order) }));
    }

    /// What is inside is to be told to the primary, whichever it is, before anybody is lent
    /// anything there.
    fn begin_heal(&mut self, now: Timestamp, before: &Standing) {
        // Whatever was on its way has a lower number than what is told now.
        self.flights.clear();
        for slot in self.slots.values_mut() {
            slot.carry(before, now, self.start.expected);
        }
        let is_in_use = |slot: &Slot| 0 < slot.report().inside;
        self.slots.retain(|_, slot| is_in_use(slot) || !slot.waiters.is_empty());
        let mut keys = self.keys();
        keys.retain(|key| self.slots.get(key).is_some_and(is_in_use));
        let round = self.standing.round;
        self.heal = Some(Heal { round, keys: keys.into(), on_the_way: 0 });
        self.report(now);
    }

    /// Sends as many reports as may be on their way.
    fn report(&mut self, now: Timestamp) {
        while let Some(heal) = &mut self.heal
            && heal.on_the_way < REPORTS_MAX
            && let Some(key) = heal.keys.pop_front()
        {
            let round = heal.round;
            let Some(wish) = self.slots.get(&key).map(Slot::report) else { continue };
            heal.on_the_way = heal.on_the_way.saturating_add(1);
            self.send(now, key, wish, Some(round));
        }
        if let Some(heal) = self.heal.take_if(|heal| heal.on_the_way == 0) {
            self.effects.push_back(Effect::Healed { round: heal.round });
        }
    }

    /// An outcome of a report.
    fn reported(&mut self, now: Timestamp, round: u32, is_answered: bool) {
        let Some(heal) = self.heal.as_mut().filter(|heal| heal.round == round) else { return };
        heal.on_the_way = heal.on_the_way.saturating_sub(1);
        if is_answered {
            self.report(now);
        } else {
            self.heal = None;
            self.effects.push_back(Effect::Unhealed { round });
        }
    }

    fn keys(&self) -> Vec<CounterKey> {
        let mut keys: Vec<_> = self.slots.keys().copied().collect();
        keys.sort_unstable();
        keys
    }
}
