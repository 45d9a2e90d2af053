//! What a replica holds of one counter: tokens of the current window, tokens of the next one, what
//! it has seen of the counter, how much is asked for, and what was refused.

mod whole;

use std::sync::Arc;

use crate::limit::engine::estimate::Estimate;
use crate::limit::engine::places::Placed;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::engine::slot::whole::Whole;
use crate::limit::engine::tally::Tally;
use crate::limit::key::CounterKey;

/// Fractions are counted in so many parts.
pub(super) const WHOLE: u32 = 1 << 16;

/// The highest demand that is told apart, in thousandths of a token a second.
const DEMAND_MAX: u64 = 1_000_000_000_000;

/// What a slot is found by: the counter, and how its windows are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SlotKey {
    pub key: CounterKey,
    pub period: u64,
    pub form: u64,
}

/// What a replica holds of one counter. A million of them are in memory: what a counter that is
/// seen once has no need of is allocated beside it when it is needed.
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
    /// Of a ring: what the current sub-window was seen to have sold. Of others: when it was last
    /// seen, by the primary's clock; of a bucket `own` is what it held then.
    pub here: u64,
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
    pub flags: Flags,
    /// For people: what it was held against last.
    pub rule: Option<Arc<Rule>>,
    /// What only those need of which more was asked for than there was.
    denied: Option<Box<Denied>>,
    /// What only those need that are asked for in more than one window.
    more: Option<Box<More>>,
}

/// That there was not enough.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Denied {
    /// Until when (by the primary's clock), and under what bound, more was refused, and when there
    /// may be more.
    pub until: u64,
    pub bound: u64,
    pub retry_at: u64,
    /// For people: how many claims were refused, and in which period.
    pub refused: u32,
    pub refused_in: u32,
}

/// What is known of other windows than the current one.
#[derive(Debug, Default)]
struct More {
    /// What sub-windows before the current one were seen to have sold.
    seen: Tally,
    /// Tokens of sub-windows that are over, to be handed back.
    dead: Option<Box<Tally>>,
    extra: Option<Box<Extra>>,
    /// When the whole of a ring was last seen before the current sub-window.
    whole: Whole,
}

/// Tokens of the next window, and what it was seen to have sold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    pub tokens: u64,
    pub sold: u64,
    pub returns: u16,
    /// There are such tokens, or it is known that there are none.
    pub is_known: bool,
}

/// What is under way for a slot.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Flags {
    /// An order for the current window, and for the next, is on its way.
    pub asking: bool,
    pub asking_ahead: bool,
    /// Somebody waits.
    pub awaited: bool,
    /// Some of its tokens are lent.
    pub lent: bool,
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
    /// Of the next window.
    pub ahead: Ahead,
    /// What was admitted without having been bought, and not yet reported.
    pub used: Tally,
    /// Of a ring: what of it was reported. It still fills the share, should the way back fail.
    pub told: Tally,
    /// What was estimated when touch was lost, or seemed to be.
    pub estimate: Option<Estimate>,
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
    /// How much was drawn from it and is not reported.
    pub drawn: u64,
}

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
            refill_below: i64::MIN,
            look_at: u64::MAX,
            demand: 0,
            began: now,
            counted: 0,
            fraction,
            excess: 0,
            returns: 0,
            flags: Flags::default(),
            rule: None,
            denied: None,
            more: None,
        }
    }

    /// Turns to window `number`. Says how many tokens died, and how much debt was forgotten.
    pub(super) fn roll(&mut self, grid: &Grid, number: u64) -> (u64, u64) {
        let mut died = u64::try_from(self.balance).unwrap_or(0);
        let ahead = self.extra_if().map(|extra| std::mem::take(&mut extra.ahead));
        let ahead = ahead.filter(|ahead| ahead.is_known);
        let next = ahead.filter(|_| number == self.window.saturating_add(1));
        let wasted = if next.is_none() { ahead.map_or(0, |ahead| ahead.tokens) } else { 0 };
        died = died.saturating_add(wasted);
        if grid.is_ring() {
            self.remember(grid, wasted);
        }
        // Debt is paid in the next window, if it comes soon.
        let near = number.saturating_sub(self.window) <= grid.reach().saturating_add(1);
        let owed = self.balance.min(0);
        let forgiven = if near && self.window <= number { 0 } else { owed.unsigned_abs() };
        let next = next.unwrap_or_default();
        self.balance = if forgiven == 0 { owed } else { 0 };
        if let Some(extra) = self.extra_if() {
            // It was of the period that is over.
            extra.floor = None;
        }
        self.balance = self.balance.saturating_add_unsigned(next.tokens);
        self.own = next.tokens;
        self.sold = next.sold;
        self.top = if next.tokens > 0 { next.sold } else { 0 };
        self.returns = next.returns;
        self.here = if grid.is_ring() { self.seen_in(number) } else { 0 };
        if let Some(denied) = self.denied.as_mut() {
            denied.until = 0;
        }
        self.excess = 0;
        self.refill_below = i64::MAX;
        self.look_at = 0;
        self.window = number;
        (died, forgiven)
    }

    /// Notes what is over before a ring turns: tokens to hand back, `wasted` of them of the window
    /// after this one, and what was seen.
    fn remember(&mut self, grid: &Grid, wasted: u64) {
        let (window, here) = (self.window, self.here);
        let dead = u64::try_from(self.balance).unwrap_or(0);
        let oldest = window.saturating_sub(grid.reach());
        self.note_whole();
        if here > 0 {
            self.seen_mut().raise(window, here);
        }
        if dead > 0 || wasted > 0 {
            self.strand(window, dead);
            self.strand(window.saturating_add(1), wasted);
        }
        if let Some(more) = self.more.as_mut() {
            more.seen.forget_before(oldest);
            if let Some(dead) = more.dead.as_mut() {
                dead.forget_before(oldest);
            }
        }
    }

    /// What other sub-windows than the current one were seen to have sold.
    pub(super) fn seen(&self) -> impl Iterator<Item = (u64, u64)> {
        self.more.iter().flat_map(|more| more.seen.iter())
    }

    /// What sub-window `number` was seen to have sold while it was not the current one.
    pub(super) fn seen_in(&self, number: u64) -> u64 {
        self.more.as_ref().map_or(0, |more| more.seen.of(number))
    }

    pub(super) fn seen_mut(&mut self) -> &mut Tally {
        &mut self.more.get_or_insert_default().seen
    }

    /// Notes that `amount` tokens of sub-window `number`, which is over, are to be handed back.
    pub(super) fn strand(&mut self, number: u64, amount: u64) {
        if amount > 0 {
            let more = self.more.get_or_insert_default();
            more.dead.get_or_insert_default().add(number, amount);
        }
    }

    /// The tokens of sub-windows that are over: whoever takes them hands them back.
    pub(super) fn take_stranded(&mut self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let dead = self.more.as_mut().and_then(|more| more.dead.take());
        dead.map(|dead| *dead).into_iter().flatten()
    }

    /// The rarely used part, if there is one.
    pub(super) fn extra(&self) -> Option<&Extra> {
        self.more.as_ref()?.extra.as_deref()
    }

    pub(super) fn extra_if(&mut self) -> Option<&mut Extra> {
        self.more.as_mut()?.extra.as_deref_mut()
    }

    /// The rarely used part, made if there is none.
    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        self.more.get_or_insert_default().extra.get_or_insert_default()
    }

    /// What it has of the next window.
    pub(super) fn ahead(&self) -> Ahead {
        self.extra().map_or_else(Ahead::default, |extra| extra.ahead)
    }

    /// What was said when there was not enough; all zero if there always was.
    pub(super) fn denied(&self) -> Denied {
        self.denied.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn denied_mut(&mut self) -> &mut Denied {
        self.denied.get_or_insert_default()
    }

    /// Forgets that there was not enough.
    pub(super) fn forget_denial(&mut self) {
        if let Some(denied) = self.denied.as_mut() {
            (denied.until, denied.bound, denied.refused) = (0, 0, 0);
        }
    }

    /// Forgets what sub-windows before the current one were seen to have sold.
    pub(super) fn forget_seen(&mut self) {
        if let Some(more) = self.more.as_mut() {
            more.seen.clear();
            more.whole = Whole::default();
        }
    }

    /// Forgets what was estimated: Redis was heard again.
    pub(super) fn forget_estimate(&mut self) {
        if let Some(extra) = self.extra_if() {
            extra.estimate = None;
        }
    }

    /// Whether at `early`, by the primary's clock, more is not worth asking for as long as no more
    /// than this is for sale.
    pub(super) fn is_denied(&self, early: u64, for_sale: u64) -> bool {
        let denied = self.denied.as_ref();
        denied.is_some_and(|denied| early < denied.until && for_sale <= denied.bound)
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
        self.extra().map_or(0, |extra| extra.used.since(oldest))
    }

    /// How much of the share is gone in the windows that count for `number`.
    pub(super) fn used_of_share(&self, grid: &Grid, number: u64) -> u64 {
        let oldest = number.saturating_sub(grid.reach());
        let told = self.extra().map_or(0, |extra| extra.told.since(oldest));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_small() {
        // Sizes that an allocator hands out without rounding them up.
        assert!(size_of::<Option<Slot>>() <= 160, "{}", size_of::<Option<Slot>>());
        assert!(size_of::<Denied>() <= 32 && size_of::<More>() <= 48);
    }
}
