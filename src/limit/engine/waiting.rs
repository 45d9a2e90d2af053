//! Who waits for an answer, for whom, and until when.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::decide::Verdict;
use crate::limit::engine::rule::{Late, Loss, Rule};
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Claim, Decision, Effect, Engine, Receipt, Refusal, Source, WaiterId};
use crate::limit::key::CounterKey;
use crate::time::Timestamp;

/// How many claims wait at one desk at most; one more is told that it waited in vain.
const WAITERS_MAX: usize = 16_384;

/// Those who wait, by slot in the order they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_place: HashMap<u32, VecDeque<Waiter>>,
    /// When somebody has waited long enough, or a window surely has begun.
    alarms: BinaryHeap<Reverse<(Timestamp, u32)>>,
    count: usize,
    last: u64,
}

#[derive(Debug)]
struct Waiter {
    id: WaiterId,
    key: CounterKey,
    rule: Arc<Rule>,
    need: u64,
    cost: u64,
    until: Timestamp,
}

impl Waiting {
    /// The next alarm.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.alarms.peek().map(|Reverse((at, _))| *at)
    }

    /// How much those who wait at `place` need.
    pub(super) fn need(&self, place: u32) -> u64 {
        let waiters = self.by_place.get(&place).into_iter().flatten();
        waiters.map(|waiter| waiter.need.max(waiter.cost)).fold(0, u64::saturating_add)
    }

    /// Has those at `place` decided again right after `now`.
    pub(super) fn alarm(&mut self, now: Timestamp, place: u32) {
        self.alarms.push(Reverse((now + Duration::from_micros(1), place)));
    }

    /// How many alarms are set.
    #[cfg(test)]
    pub(super) fn alarms(&self) -> usize {
        self.alarms.len()
    }

    fn due(&mut self, now: Timestamp) -> Option<u32> {
        let Reverse((at, place)) = *self.alarms.peek()?;
        if now < at {
            return None;
        }
        self.alarms.pop();
        Some(place)
    }
}

impl Engine {
    /// When [`Self::tick`] is due; none while there is nothing to wait for.
    pub fn wake(&self) -> Option<Timestamp> {
        let in_touch = self.standing.touch == Touch::In;
        self.waiting.wake().into_iter().chain(self.books.wake(in_touch)).min()
    }

    /// Does what is due: answers those who waited long enough, decides again where a window has
    /// begun, and looks after some of the slots that nobody asked for lately. To be called at
    /// [`Self::wake`], and now and then in any case.
    pub fn tick(&mut self, now: Timestamp) {
        // All who wait at one place have the same alarm: they are decided once.
        let due: BTreeSet<u32> = std::iter::from_fn(|| self.waiting.due(now)).collect();
        for place in due {
            self.serve(place, now);
        }
        self.keep_books(now);
        self.keep(now);
    }

    /// Decides, or lets the claim wait.
    pub(super) fn decide_or_wait(
        &mut self,
        place: u32,
        now: Timestamp,
        claim: &Claim<'_>,
    ) -> Decision {
        if let Some(slot) = self.slots.get_mut(place) {
            slot.count(claim.cost);
            slot.under(claim.rule);
        }
        // Who comes later does not overtake those who wait, as long as they are served in time.
        let alarm = match self.decide(place, now, claim) {
            Verdict::Is(decision) => return decision,
            Verdict::Wait(alarm) => alarm,
        };
        if self.waiting.count >= WAITERS_MAX {
            return self.in_vain(claim.rule, place, now, claim.cost);
        }
        self.facts.waited = self.facts.waited.saturating_add(1);
        self.waiting.last = self.waiting.last.wrapping_add(1);
        let id = WaiterId(self.waiting.last);
        let until = now + claim.rule.max_wait();
        let Claim { key, rule, need, cost } = *claim;
        let waiter = Waiter { id, key, rule: Arc::clone(rule), need, cost, until };
        self.waiting.by_place.entry(place).or_default().push_back(waiter);
        self.waiting.count = self.waiting.count.saturating_add(1);
        self.waiting.alarms.push(Reverse((until, place)));
        if let Some(alarm) = alarm.filter(|alarm| *alarm < until) {
            self.waiting.alarms.push(Reverse((alarm, place)));
        }
        if let Some(slot) = self.slots.get_mut(place) {
            slot.flags.awaited = true;
        }
        self.ask_for_waiters(place, now, claim.rule);
        Decision::Waiting(id)
    }

    /// Decides again for those who wait at `place`, in their order, as far as that is possible now.
    pub(super) fn serve(&mut self, place: u32, now: Timestamp) {
        let Some(mut waiters) = self.waiting.by_place.remove(&place) else { return };
        if let Some(slot) = self.slots.get_mut(place) {
            slot.flags.awaited = false;
        }
        let mut left = VecDeque::new();
        let (mut ask, mut next) = (None, None);
        while let Some(waiter) = waiters.pop_front() {
            let Waiter { key, rule, need, cost, .. } = &waiter;
            let claim = Claim { key: *key, rule, need: *need, cost: *cost };
            let verdict = self.decide(place, now, &claim);
            let decision = match verdict {
                Verdict::Is(decision) => decision,
                Verdict::Wait(_) if waiter.until <= now => self.in_vain(rule, place, now, *cost),
                Verdict::Wait(alarm) => {
                    let alarm = alarm.filter(|alarm| *alarm < waiter.until);
                    next = next.into_iter().chain(alarm).min();
                    ask = Some(Arc::clone(rule));
                    left.push_back(waiter);
                    continue;
                }
            };
            self.waiting.count = self.waiting.count.saturating_sub(1);
            self.effects.push_back(Effect::Answer { waiter: waiter.id, decision });
        }
        if left.is_empty() {
            return;
        }
        // One for all: each of them would have all decided again, and set as many more.
        self.waiting.alarms.extend(next.map(|alarm| Reverse((alarm, place))));
        self.waiting.by_place.insert(place, left);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.flags.awaited = true;
        }
        if let Some(rule) = ask {
            self.ask_for_waiters(place, now, &rule);
        }
    }

    /// Decides again for everybody who waits.
    pub(super) fn serve_all(&mut self, now: Timestamp) {
        // In order, so that the same events have the same effects.
        let places: BTreeSet<u32> = self.waiting.by_place.keys().copied().collect();
        for place in places {
            self.serve(place, now);
        }
    }

    /// What holds for who has waited as long as one may.
    pub(super) fn in_vain(
        &mut self,
        rule: &Rule,
        place: u32,
        now: Timestamp,
        cost: u64,
    ) -> Decision {
        self.facts.timed_out = self.facts.timed_out.saturating_add(1);
        let knows = self.standing.clock.at(now);
        let away = self.standing.touch != Touch::In || knows.is_none();
        match (rule.late(), rule.loss()) {
            (_, Loss::Closed) if away => self.cannot_judge(),
            (Late::Admit, _) | (_, Loss::Open) if away || rule.late() == Late::Admit => {
                self.owe(rule, place, now, cost)
            }
            _ if knows.is_none() || self.standing.seat.is_none() && away => self.cannot_judge(),
            _ => {
                let retry_after = rule.max_wait().max(Duration::from_secs(1));
                Decision::Refused(Refusal { retry_after, is_full: false })
            }
        }
    }

    /// Admits what nothing is there for. It is paid for later, if there is a window to note it in.
    pub(super) fn owe(&mut self, rule: &Rule, place: u32, now: Timestamp, cost: u64) -> Decision {
        let moment = self.standing.clock.at(now);
        let grid = rule.grid();
        let window = moment.map_or(0, |moment| grid.number(moment.early));
        let slot = self.slots.get_mut(place);
        let is_now = slot.as_ref().is_some_and(|slot| slot.window == window) && moment.is_some();
        let source = if is_now && !grid.is_bucket() { Source::Allotment } else { Source::Open };
        if let (Source::Allotment, Some(slot)) = (source, slot) {
            slot.balance = slot.balance.saturating_sub_unsigned(cost);
            self.facts.spent = self.facts.spent.saturating_add(cost);
        } else {
            self.facts.open = self.facts.open.saturating_add(cost);
        }
        Decision::Admitted(Receipt { window, cost, source, remaining: 0 })
    }
}
