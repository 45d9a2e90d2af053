//! What a desk holds, for people: its counters one by one, and what they were refused.
//!
//! Nothing in here decides anything. A look goes over a few slots at a time, so that nobody who
//! holds the desk for it holds it for long.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule, Shape};
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::{Claim, Engine, Facts};
use crate::limit::key::CounterKey;
use crate::limit::order::{Meter, Span};
use crate::time::Timestamp;

/// A counter as its desk sees it. Amounts are tokens.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What is counted.
    pub key: CounterKey,
    /// The counter over there.
    pub meter: Meter,
    /// The rule that it was last held against; none: only its use is known, from a journal.
    pub rule: Option<Arc<Rule>>,
    /// The window (the sub-window) it is in, by the primary's clock; none: it has none, or what is
    /// known of it is of an earlier one.
    pub window: Option<Span>,
    /// How much is used, as far as this desk knows: of a sliding window, in the last period.
    pub used: u64,
    /// How much was seen sold, over all replicas.
    pub sold: u64,
    /// How much of it this replica bought.
    pub own: u64,
    /// How much of that it still has; below zero: owed.
    pub in_hand: i64,
    /// How much it has for the next window.
    pub ahead: u64,
    /// How much it admitted without having bought it, and has not reported.
    pub alone: u64,
    /// How much of the limit may be bought: the limit less the shares that are held back.
    pub for_sale: u64,
    /// How much of a whole window this replica admits on its own while out of touch.
    pub share: u64,
    /// How much it may owe.
    pub debt: u64,
    /// For how long no more is asked for, because there was nothing to buy.
    pub denied_for: Option<Duration>,
    /// How many claims were refused since the period began.
    pub refused: u32,
    /// Until the window ends; none: it never does.
    pub ends_in: Option<Duration>,
}

/// What a counter was reset to over there.
#[derive(Clone, Copy, Debug)]
pub struct AfterReset {
    /// What it has sold now.
    pub sold: u64,
    /// How often something was handed back to it: of fixed windows.
    pub returns: u16,
}

impl Engine {
    /// Shows the counters at `places` from `from` on, at most `count` places; says where to go on.
    pub fn look(
        &self,
        now: Timestamp,
        (from, count): (u32, u32),
        mut show: impl FnMut(Sight),
    ) -> Option<u32> {
        let end = u32::try_from(self.slots.end()).unwrap_or(u32::MAX);
        let to = from.saturating_add(count).min(end);
        for place in from..to {
            if let Some(slot) = self.slots.get(place) {
                show(self.sight(now, slot));
            }
        }
        (to < end).then_some(to)
    }

    /// Notes that `claim` was refused. Says nothing of it if the counter is not known.
    pub fn note_refusal(&mut self, now: Timestamp, claim: &Claim<'_>) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        let grid = claim.rule.grid();
        let Some(place) = self.place_of(claim.key, grid) else { return };
        let Some(slot) = self.slots.get_mut(place) else { return };
        let period = period_of(grid, moment);
        let before = if slot.refused_in == period { slot.refused } else { 0 };
        (slot.refused_in, slot.refused) = (period, before.saturating_add(1));
    }

    /// An operator has set the counter of `key` under `rule` back: more may be asked for at once,
    /// and nothing that was seen before counts any more.
    pub fn was_reset(&mut self, now: Timestamp, key: CounterKey, rule: &Rule, after: AfterReset) {
        let grid = rule.grid();
        let Some(place) = self.place_of(key, grid) else { return };
        let moment = self.standing.clock.at(now);
        let Some(slot) = self.slots.get_mut(place) else { return };
        (slot.deny_until, slot.deny_bound, slot.refused) = (0, 0, 0);
        if grid.is_bucket() {
            slot.ahead_sold = 0;
        } else if moment.is_some_and(|moment| grid.number(moment.early) == slot.window) {
            let held = u64::try_from(slot.balance).unwrap_or(0);
            (slot.own, slot.top) = (held, slot.top.min(after.sold));
            (slot.sold, slot.returns) = (after.sold, after.returns.max(slot.returns));
            slot.here = slot.here.min(after.sold);
        }
        if let Some(extra) = slot.extra.as_mut().filter(|_| grid.is_ring()) {
            extra.seen.clear();
        }
        self.waiting.alarm(now, place);
    }

    fn place_of(&self, key: CounterKey, grid: &Grid) -> Option<u32> {
        let key = SlotKey { key, period: grid.period, form: grid.form };
        let hash = self.slots.hash().of(key.key.to_bytes(), key.period ^ key.form);
        self.slots.find(&key, hash)
    }

    fn sight(&self, now: Timestamp, slot: &Slot) -> Sight {
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        let moment = self.standing.clock.at(now);
        let number = moment.map_or(slot.window, |moment| grid.number(moment.early));
        let is_now = slot.window == number && !grid.is_bucket();
        let rule = slot.rule.clone();
        let early = moment.map_or(0, |moment| moment.early);
        let alone = slot.used(&grid, number);
        let for_sale = rule.as_ref().map_or(0, |rule| {
            self.standing.for_sale(rule, number, early, if is_now { slot.sold } else { 0 })
        });
        let share =
            rule.as_ref().map_or(0, |rule| self.standing.own_share(&grid, number, rule.limit()));
        let debt = rule.as_ref().map_or(0, |rule| self.standing.debt(rule, number));
        let denied = slot.deny_until.saturating_sub(early);
        let is_denied = moment.is_some() && denied > 0 && for_sale <= slot.deny_bound;
        let period = moment.map(|moment| period_of(&grid, moment));
        let ends = moment.filter(|_| !grid.is_bucket() && grid.ends(number) != u64::MAX);
        let sold = sold(slot, &grid, number, early);
        let in_hand = if is_now || grid.is_bucket() { slot.balance } else { 0 };
        let bought_used = i128::from(sold).saturating_sub(in_hand.into()).max(0);
        Sight {
            key: slot.key.key,
            meter: grid.meter(slot.key.key),
            rule,
            window: is_now.then(|| grid.span(number)),
            used: u64::try_from(bought_used).unwrap_or(u64::MAX).saturating_add(alone),
            sold,
            own: if is_now { slot.own } else { 0 },
            in_hand,
            ahead: if is_now { slot.ahead } else { 0 },
            alone,
            for_sale,
            share,
            debt,
            denied_for: is_denied.then(|| Duration::from_micros(denied)),
            refused: if period == Some(slot.refused_in) { slot.refused } else { 0 },
            ends_in: ends.map(|moment| {
                Duration::from_micros(grid.ends(number).saturating_sub(moment.early))
            }),
        }
    }
}

impl Rule {
    /// In which window of the counter `early` lies, by the primary's clock, and how many windows
    /// before it count with it; none for a bucket, which has none.
    pub fn window_at(&self, early: u64) -> Option<(u64, Span, u32)> {
        let grid = self.grid();
        let number = grid.number(early);
        (!grid.is_bucket()).then(|| (number, grid.span(number), grid.parts))
    }

    /// Nanoseconds in which a bucket gains one token, and how many it holds.
    pub fn bucket(&self) -> Option<(u64, u64)> {
        let Shape::Bucket { burst, .. } = self.shape() else { return None };
        let nanos = self.grid().period.saturating_mul(1_000);
        Some((nanos.div_ceil(self.limit().max(1)), burst))
    }
}

/// What part `some` is of `all`, in millionths.
pub fn millionths(some: u64, all: u64) -> u64 {
    let part = u128::from(some).saturating_mul(1_000_000).checked_div(u128::from(all));
    part.and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
}

impl Facts {
    /// The window of `slot` ends as it is: what it owes was admitted and not sold in it.
    pub(super) fn ends(&mut self, slot: &Slot) {
        let owed = slot.balance.min(0).unsigned_abs();
        if owed > 0 {
            let limit = slot.rule.as_ref().map_or(0, |rule| rule.limit());
            self.unsold = self.unsold.saturating_add(owed);
            self.unsold_max = self.unsold_max.max(millionths(owed, limit));
        }
    }
}

impl Slot {
    /// Notes that it is held against `rule`.
    pub(super) fn under(&mut self, rule: &Arc<Rule>) {
        if !self.rule.as_ref().is_some_and(|known| Arc::ptr_eq(known, rule)) {
            self.rule = Some(Arc::clone(rule));
        }
    }
}

/// What is known to be sold of what counts now.
fn sold(slot: &Slot, grid: &Grid, number: u64, early: u64) -> u64 {
    let now = if slot.window == number { slot.sold } else { 0 };
    if grid.is_bucket() {
        let Some((nanos, burst)) = slot.rule.as_ref().and_then(|rule| rule.bucket()) else {
            return 0;
        };
        if slot.ahead_sold == 0 {
            return 0;
        }
        let since = early.saturating_sub(slot.ahead_sold).saturating_mul(1_000);
        let left = slot.own.saturating_add(since.checked_div(nanos).unwrap_or(0));
        return burst.saturating_sub(left);
    }
    if !grid.is_ring() {
        // What was asked for beyond the bound stands in the counter until it is handed back.
        return now.saturating_sub(u64::from(slot.excess));
    }
    // A ring that has just turned knows what was sold before, sub-window by sub-window.
    let oldest = number.saturating_sub(grid.reach());
    let seen = slot.extra.as_ref().map_or(0, |extra| {
        let counts = extra.seen.iter().filter(|(at, _)| oldest <= *at && *at != slot.window);
        counts.map(|(_, seen)| seen).fold(0, u64::saturating_add)
    });
    let here = if oldest <= slot.window { slot.here } else { 0 };
    now.max(seen.saturating_add(here))
}

/// The number of the period of `moment`, as far as it is told apart.
fn period_of(grid: &Grid, moment: Moment) -> u32 {
    let number = moment.early.saturating_sub(grid.phase).checked_div(grid.period).unwrap_or(0);
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}
