//! What a replica holds of one counter: tokens of the current window, tokens of the next one, what
//! it has seen of the counter, how much is asked for, and what was refused.

use std::sync::Arc;

use crate::limit::engine::places::Placed;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::key::CounterKey;

/// Fractions are counted in so many parts.
pub(super) const WHOLE: u32 = 1 << 16;

/// The highest demand that is told apart, in thousandths of a token a second.
const DEMAND_MAX: u64 = 1_000_000_000_000;

/// How many sub-windows of a ring are remembered: those that still count, and the next one.
const SUBWINDOWS_MAX: usize = 34;

/// What a slot is found by: the counter, and how its windows are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SlotKey {
    pub key: CounterKey,
    pub period: u64,
    pub form: u64,
}

/// What a replica holds of one counter.
#[derive(Debug)]
pub(super) struct Slot {
    pub key: SlotKey,
    /// The number of the current window; of a bucket when its tokens expire, by our clock.
    pub window: u64,
    /// Tokens of the current window; below zero: owed.
    pub balance: i64,
    /// What the window was seen to have sold; of a ring, in the fullest interval.
    pub sold: u64,
    /// The highest position that a token of this replica has among those sold.
    pub top: u64,
    /// How much of it this replica bought.
    pub own: u64,
    /// Of a ring: what the current sub-window was seen to have sold.
    pub here: u64,
    /// Tokens of the next window, and what it was seen to have sold; of a bucket the latter is
    /// when it was last seen, by the primary's clock, and `own` what it held then.
    pub ahead: u64,
    pub ahead_sold: u64,
    /// Until when (by the primary's clock), and under what bound, more was refused, and when there
    /// may be more.
    pub deny_until: u64,
    pub deny_bound: u64,
    pub retry_at: u64,
    /// Below this balance, and from this time on, the hot path looks after supplies.
    pub refill_below: i64,
    pub look_at: u64,
    /// What was asked for since `began`, and thousandths of a token a second before that.
    pub demand: u64,
    pub began: u64,
    pub counted: u32,
    /// What part of all that is sold goes to this replica, in parts of [`WHOLE`].
    pub fraction: u32,
    /// What was bought above the bound and is to be handed back.
    pub excess: u32,
    pub returns: u16,
    pub ahead_returns: u16,
    pub flags: Flags,
    /// For people: how many claims were refused, and in which period.
    pub refused: u32,
    pub refused_in: u32,
    /// For people: what it was held against last.
    pub rule: Option<Arc<Rule>>,
    /// What most slots have no need of.
    pub extra: Option<Box<Extra>>,
}

/// What is under way for a slot.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Flags {
    /// An order for the current window, and for the next, is on its way.
    pub asking: bool,
    pub asking_ahead: bool,
    /// There are tokens of the next window, or it is known that there are none.
    pub has_ahead: bool,
    /// Somebody waits.
    pub awaited: bool,
    /// It stands in the queue of the ledger.
    pub queued: bool,
    /// What was used of it is not in the journal yet.
    pub unwritten: bool,
    /// It was asked for since it was last looked through.
    pub used: bool,
}

/// What only some slots need.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// What sub-windows before the current one were seen to have sold.
    pub seen: Tally,
    /// Tokens of sub-windows that are over, to be handed back.
    pub dead: Tally,
    /// What was admitted without having been bought, and not yet reported.
    pub used: Tally,
    /// Of a ring: what of it was reported. It still fills the share, should the way back fail.
    pub told: Tally,
    /// For what the local share was worked out, and it.
    pub share: Option<(u64, u64)>,
    /// Of a ledger: the total that was seen under an earlier primary, and which one that was.
    pub floor: Option<(u64, u64)>,
    /// Of a bucket: the replica's own one, while out of touch.
    pub bucket: Option<OwnBucket>,
}

/// A replica's own share of a token bucket.
#[derive(Clone, Debug)]
pub(super) struct OwnBucket {
    /// When it will be full, in nanoseconds of the primary's clock.
    pub full_at: u128,
    /// What it is a share of.
    pub rule: Arc<Rule>,
}

/// Amounts by window, oldest first; few.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<(u64, u64)>);

impl Placed for Slot {
    type Key = SlotKey;

    fn key(&self) -> SlotKey {
        self.key
    }
}

impl Slot {
    /// A slot of which nothing is known.
    pub(super) fn new(key: SlotKey, fraction: u32, now: u64) -> Self {
        Self {
            key,
            window: 0,
            balance: 0,
            sold: 0,
            top: 0,
            own: 0,
            here: 0,
            ahead: 0,
            ahead_sold: 0,
            deny_until: 0,
            deny_bound: 0,
            retry_at: 0,
            refill_below: i64::MIN,
            look_at: u64::MAX,
            demand: 0,
            began: now,
            counted: 0,
            fraction,
            excess: 0,
            returns: 0,
            ahead_returns: 0,
            flags: Flags::default(),
            refused: 0,
            refused_in: 0,
            rule: None,
            extra: None,
        }
    }

    /// Turns to window `number`. Says how many tokens died, and how much debt was forgotten.
    pub(super) fn roll(&mut self, grid: &Grid, number: u64) -> (u64, u64) {
        let mut died = u64::try_from(self.balance).unwrap_or(0);
        let next = self.flags.has_ahead && number == self.window.saturating_add(1);
        if self.flags.has_ahead && !next {
            died = died.saturating_add(self.ahead);
        }
        if grid.is_ring() {
            self.remember(grid, next);
        }
        // Debt is paid in the next window, if it comes soon.
        let near = number.saturating_sub(self.window) <= grid.reach().saturating_add(1);
        let owed = self.balance.min(0);
        let forgiven = if near && self.window <= number { 0 } else { owed.unsigned_abs() };
        self.balance = if forgiven == 0 { owed } else { 0 };
        if let Some(extra) = self.extra.as_mut() {
            // It was of the period that is over.
            extra.floor = None;
        }
        let (tokens, sold) = if next { (self.ahead, self.ahead_sold) } else { (0, 0) };
        self.balance = self.balance.saturating_add_unsigned(tokens);
        self.own = tokens;
        self.sold = sold;
        self.top = if tokens > 0 { sold } else { 0 };
        self.returns = if next { self.ahead_returns } else { 0 };
        self.here = if grid.is_ring() { self.seen_in(number) } else { 0 };
        self.ahead = 0;
        self.ahead_sold = 0;
        self.ahead_returns = 0;
        self.flags.has_ahead = false;
        self.deny_until = 0;
        self.excess = 0;
        self.refill_below = i64::MAX;
        self.look_at = 0;
        self.window = number;
        (died, forgiven)
    }

    /// Notes what is over before a ring turns: tokens to hand back, and what was seen.
    fn remember(&mut self, grid: &Grid, next: bool) {
        let (window, here, ahead) = (self.window, self.here, self.ahead);
        let dead = u64::try_from(self.balance).unwrap_or(0);
        let wasted = if self.flags.has_ahead && !next { ahead } else { 0 };
        let reach = grid.reach();
        if here == 0 && dead == 0 && wasted == 0 && self.extra.is_none() {
            return;
        }
        let extra = self.extra_mut();
        extra.seen.raise(window, here);
        extra.dead.add(window, dead);
        extra.dead.add(window.saturating_add(1), wasted);
        let oldest = window.saturating_sub(reach);
        extra.seen.forget_before(oldest);
        extra.dead.forget_before(oldest);
    }

    fn seen_in(&self, number: u64) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.seen.of(number))
    }

    /// The rarely used part, made if there is none.
    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Counts what is asked for.
    pub(super) fn count(&mut self, cost: u64) {
        self.flags.used = true;
        self.counted = self.counted.saturating_add(u32::try_from(cost).unwrap_or(u32::MAX));
    }

    /// What is asked for, in thousandths of a token a second, averaged over about `span`
    /// microseconds; `now` by our clock.
    pub(super) fn demand(&mut self, now: u64, span: u64) -> u64 {
        let span = span.max(1);
        let elapsed = now.saturating_sub(self.began);
        let fresh = u64::from(self.counted).saturating_mul(1_000_000_000);
        if elapsed >= span {
            self.demand = fresh.checked_div(elapsed).unwrap_or(0).min(DEMAND_MAX);
            self.counted = 0;
            self.began = now;
            return self.demand;
        }
        let before = self.demand.saturating_mul(span.saturating_sub(elapsed));
        before.saturating_add(fresh).checked_div(span).unwrap_or(0).min(DEMAND_MAX)
    }

    /// What was admitted without having been bought in the windows that count for `number`, and is
    /// not reported.
    pub(super) fn used(&self, grid: &Grid, number: u64) -> u64 {
        let oldest = number.saturating_sub(grid.reach());
        self.extra.as_ref().map_or(0, |extra| extra.used.since(oldest))
    }

    /// How much of the share is gone in the windows that count for `number`.
    pub(super) fn used_of_share(&self, grid: &Grid, number: u64) -> u64 {
        let oldest = number.saturating_sub(grid.reach());
        let told = self.extra.as_ref().map_or(0, |extra| extra.told.since(oldest));
        self.used(grid, number).saturating_add(told)
    }

    /// Notes that `cost` was admitted in window `number` without having been bought.
    pub(super) fn use_share(&mut self, grid: &Grid, number: u64, cost: u64) {
        let oldest = number.saturating_sub(grid.reach().saturating_add(1));
        let extra = self.extra_mut();
        if !grid.is_quota() {
            extra.used.forget_before(oldest);
            extra.told.forget_before(oldest);
        }
        extra.used.add(number, cost);
    }
}

impl IntoIterator for Tally {
    type Item = (u64, u64);
    type IntoIter = std::vec::IntoIter<(u64, u64)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Tally {
    pub(super) fn add(&mut self, window: u64, amount: u64) {
        if amount > 0 {
            self.change(window, |value| value.saturating_add(amount));
        }
    }

    pub(super) fn raise(&mut self, window: u64, amount: u64) {
        if amount > 0 {
            self.change(window, |value| value.max(amount));
        }
    }

    pub(super) fn take(&mut self, window: u64, amount: u64) {
        if self.of(window) > 0 {
            self.change(window, |value| value.saturating_sub(amount));
        }
        self.0.retain(|(_, value)| *value > 0);
    }

    pub(super) fn of(&self, window: u64) -> u64 {
        self.0.iter().find(|(at, _)| *at == window).map_or(0, |(_, value)| *value)
    }

    /// The sum from window `oldest` on.
    pub(super) fn since(&self, oldest: u64) -> u64 {
        let counts = self.0.iter().filter(|(at, _)| *at >= oldest);
        counts.map(|(_, value)| *value).fold(0, u64::saturating_add)
    }

    pub(super) fn forget_before(&mut self, oldest: u64) {
        self.0.retain(|(at, _)| *at >= oldest);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn change(&mut self, window: u64, change: impl FnOnce(u64) -> u64) {
        if let Some((_, value)) = self.0.iter_mut().find(|(at, _)| *at == window) {
            *value = change(*value);
            return;
        }
        if self.0.len() >= SUBWINDOWS_MAX {
            self.0.remove(0);
        }
        let place = self.0.partition_point(|(at, _)| *at < window);
        self.0.insert(place, (window, change(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_small() {
        assert!(size_of::<Option<Slot>>() <= 200, "{}", size_of::<Option<Slot>>());
    }
}
