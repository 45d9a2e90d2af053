//! The moments between the last answer of Redis and the notice that it is gone.
//!
//! The membership takes 200 ms to be sure. Long before, when the oldest order that is unanswered is
//! much older than an order usually gets, who waits in the fast mode is not likely to be served. So
//! it is decided as if touch was lost already: from the replica's share of what can be left. What is
//! admitted so is noted as used of that share. If touch is lost it stays that, and is reported on
//! the way back; if Redis answers after all it becomes debt, which the next purchase pays.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::decide::{Verdict, until_end};
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Late, Loss, Rule};
use crate::limit::engine::standing::Standing;
use crate::limit::engine::{Claim, Engine};
use crate::time::Timestamp;

/// Redis is doubted when an order is unanswered for so many times as long as one usually takes, and
/// for this long at least.
const DOUBT_TRIPS: u64 = 8;
const DOUBT_MIN_MICROS: u64 = 5_000;

/// Who finds no room while Redis is doubted is refused when that lasts for so many times as long as
/// it took to doubt: a short hiccup of Redis refuses nobody.
const REFUSED_AFTER: u64 = 2;

/// For how long one waits in the fast mode for the way back in touch to be over.
const HEAL_PATIENCE_MICROS: u64 = 10_000;

/// By then the membership has noticed that Redis is gone. An order that is unanswered for longer was
/// lost alone.
pub(super) const SILENT_MAX: Duration = Duration::from_millis(500);

/// How many times at which something was sent are remembered, and how far apart they are at least.
const SENT_MAX: usize = 32;
const SENT_APART: Duration = Duration::from_millis(1);

/// How long a lane has been silent, as one desk knows it.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When orders were sent, after the last that was answered.
    sent: VecDeque<Timestamp>,
}

impl Silence {
    /// An order is sent.
    pub(super) fn sent(&mut self, now: Timestamp) {
        if self.sent.front().is_some_and(|first| SILENT_MAX < now.since(*first)) {
            self.sent.clear();
        }
        let is_apart = self.sent.back().is_none_or(|last| SENT_APART <= now.since(*last));
        if is_apart && self.sent.len() < SENT_MAX {
            self.sent.push_back(now);
        }
    }

    /// An order that was sent at `sent` is answered: what was sent before it and is not was lost
    /// alone.
    pub(super) fn answered(&mut self, sent: Timestamp) {
        while self.sent.front().is_some_and(|first| *first <= sent) {
            self.sent.pop_front();
        }
    }

    /// When the first order was sent of those that are unanswered since.
    pub(super) fn began(&self) -> Option<Timestamp> {
        self.sent.front().copied()
    }
}

impl Engine {
    /// In touch, where nothing is in hand and nothing may be owed: in the fast mode not for longer
    /// than Redis can be trusted to answer.
    pub(super) fn decide_in_silence(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Verdict {
        let (rule, now) = (claim.rule, moment.local);
        if rule.is_exact() || rule.loss() == Loss::Closed {
            return Verdict::Wait(None);
        }
        let began = self.errands.silence().began();
        let began = began.filter(|began| now.since(*began) <= SILENT_MAX).unwrap_or(now);
        let micros = self.errands.trip().saturating_mul(DOUBT_TRIPS).max(DOUBT_MIN_MICROS);
        let doubted = began + Duration::from_micros(micros);
        if now < doubted {
            if let Some(slot) = self.slots.get_mut(place) {
                slot.forget_estimate();
            }
            return Verdict::Wait(Some(doubted));
        }
        let hopeless = began + Duration::from_micros(micros.saturating_mul(REFUSED_AFTER));
        let found = self.take_in_silence(place, moment, claim, standing);
        if found.is_ok() {
            self.ask_for_used(place, moment, rule);
        }
        match found {
            Ok(verdict) => verdict,
            Err(_) if now < hopeless => Verdict::Wait(Some(hopeless)),
            Err(_) if rule.loss() == Loss::Open || rule.late() == Late::Admit => {
                Verdict::Is(self.owe(rule, place, now, claim.cost))
            }
            Err(wait) => Verdict::Is(self.refuse(wait)),
        }
    }

    /// Takes from this replica's share of what can be left, or says after how long there may be
    /// more.
    fn take_in_silence(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Result<Verdict, Duration> {
        let grid = claim.rule.grid();
        if grid.is_bucket() {
            return self.draw_alone(place, moment, claim, standing).map(Verdict::admitted);
        }
        // What is admitted now is owed when Redis answers, unless a ledger is told of it.
        let number = grid.number(moment.early);
        let may_owe = grid.is_quota() || standing.may_owe(claim.rule, number);
        let share = if may_owe { self.own_share(place, moment, claim.rule, standing) } else { 0 };
        let taken = self.take_share(place, moment, claim, share);
        taken.ok_or_else(|| until_end(grid, moment))
    }

    /// On the way back in touch, where nothing is in hand: in the fast mode nobody waits until all
    /// replicas have reported.
    pub(super) fn decide_in_healing(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Verdict {
        if claim.rule.is_exact() {
            return Verdict::Wait(None);
        }
        // It began when the share was handed in.
        let until = standing.surrendered.saturating_add(HEAL_PATIENCE_MICROS);
        if moment.early < until {
            let left = Duration::from_micros(until.saturating_sub(moment.early));
            return Verdict::Wait(Some(moment.local + left));
        }
        Verdict::Is(self.in_vain(claim.rule, place, moment.local, claim.cost))
    }

    /// Orders what was admitted in this window without having been bought.
    fn ask_for_used(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>) {
        let grid = rule.grid();
        let Some(slot) = self.slots.get(place) else { return };
        // A ledger is told of it beside what is bought.
        let number = grid.number(moment.early);
        let used = if grid.is_quota() { 0 } else { slot.used(grid, number) };
        let owed = slot.balance.min(0).unsigned_abs();
        self.ask(place, moment, rule, used.saturating_add(owed));
    }

    /// Orders what was admitted without having been bought, or is owed, if nobody else does: an
    /// order of it came back.
    pub(super) fn pay(&mut self, place: u32, now: Timestamp, rule: &Arc<Rule>) {
        let grid = rule.grid();
        let Some(moment) = self.standing.clock.at(now) else { return };
        let number = grid.number(moment.early);
        let Some(slot) = self.slots.get(place).filter(|_| self.may_buy(now)) else { return };
        if grid.is_bucket() {
            if slot.extra().is_some_and(|extra| extra.bucket.is_some()) {
                self.ask(place, moment, rule, 0);
            }
            return;
        }
        if grid.ends(number) <= moment.late || slot.window != number {
            return;
        }
        if slot.used(grid, number) > 0 {
            self.ask_for_used(place, moment, rule);
        } else if slot.balance < 0 || rule.supplies_for().is_some() {
            // What is to be in hand is there soon, and not only when as many requests have come.
            self.look_after(place, moment, rule);
        }
    }

    /// Redis answers after all: what was admitted without having been bought is owed.
    pub(super) fn own_up(&mut self, place: u32, now: Timestamp) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.forget_estimate();
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        // A ledger is told of what was used in each report.
        if grid.is_bucket() || grid.is_quota() {
            return;
        }
        let used = slot.used(&grid, grid.number(moment.early));
        if used == 0 {
            return;
        }
        if let Some(extra) = slot.extra_if() {
            extra.used.clear();
        }
        slot.balance = slot.balance.saturating_sub_unsigned(used);
        self.facts.spent = self.facts.spent.saturating_add(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[test]
    fn it_is_silent_since_the_first_order_after_the_last_that_was_answered() {
        let mut silence = Silence::default();
        assert_eq!(silence.began(), None);
        for sent in [10, 12, 14] {
            silence.sent(at(sent));
        }
        assert_eq!(silence.began(), Some(at(10)));
        silence.answered(at(12));
        assert_eq!(silence.began(), Some(at(14)), "whatever became of the first");
        silence.answered(at(14));
        assert_eq!(silence.began(), None);
    }

    #[test]
    fn one_order_that_was_lost_long_ago_is_no_silence() {
        let mut silence = Silence::default();
        silence.sent(at(10));
        silence.sent(at(600));
        assert_eq!(silence.began(), Some(at(600)));
    }

    #[test]
    fn many_orders_take_no_more_room() {
        let mut silence = Silence::default();
        for micros in 0..300_000 {
            silence.sent(Timestamp::from_micros(micros));
        }
        assert_eq!(silence.sent.len(), SENT_MAX);
        assert_eq!(silence.began(), Some(at(0)));
    }
}
