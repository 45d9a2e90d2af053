//! What a pool says to the primary, what it makes of the answers, and the way back in touch.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::limit::concurrency::pool::slot::parts::in_touch;
use crate::limit::concurrency::pool::slot::{Flight, Slot, Wish};
use crate::limit::concurrency::pool::{Effect, LIFE, Pool};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::key::CounterKey;
use crate::limit::order::{Errand, Order, Outcome, Permits, Reply, Ticket};
use crate::time::Timestamp;

/// How many reports are on their way at once: few enough that all are answered within their
/// deadline, for one that is late starts the round over.
const REPORTS_MAX: usize = 8;

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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::limit::concurrency::pool::Decision;
    use crate::limit::engine::reference::Reference;
    use crate::limit::engine::standing::Unheard;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::ReplicaId;

    #[test]
    fn what_the_unheard_may_use_of_seats_that_there_were_is_lent_to_nobody() {
        let at = |millis: u64| Timestamp::from_micros(1_000_000_000 + millis * 1_000);
        let mut pool = Pool::new((ReplicaId(1), 1), NonZeroU32::MIN, 10, at(0));
        let mut clock = Reference::default();
        clock.observe(at(0), at(0), at(0).micros());
        let three = Standing {
            touch: Touch::In,
            run: 1,
            members: 3,
            clock,
            buys_until: at(9_000),
            ..Standing::default()
        };
        pool.stand(at(1), Arc::new(three.clone()));
        // The table is lost. Of three members two had all the seats, and neither is back.
        let unheard = Some(Unheard { count: 2, of: 2, since: at(2).micros() });
        let alone = Standing { run: 2, members: 1, unheard, ..three };
        pool.stand(at(3), Arc::new(alone.clone()));
        let key = KeySpace::new(Kind::Concurrency, &[]).key("a");
        assert_eq!(pool.enter(at(4), key, 10), Decision::Full);
        // Nobody is unheard any more.
        pool.stand(at(5), Arc::new(Standing { unheard: None, ..alone }));
        assert!(matches!(pool.enter(at(30), key, 10), Decision::Waiting(_)));
        let Some(Effect::Send(Errand { order: Order::Permits(order), .. })) = pool.next_effect()
        else {
            panic!("an order");
        };
        assert_eq!(order.max, 10);
    }
}
