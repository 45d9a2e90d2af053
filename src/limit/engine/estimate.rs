//! What a replica may admit on its own: its share of a limit, and in windows that began before it
//! lost touch its share of what can be left of it.
//!
//! What can be left is an estimate, for the fast mode only: the limit, less what all replicas were
//! seen to have sold in the window before Redis fell silent, less what they may have sold between
//! that look and the silence. Of a sliding window each interval that ends in the current sub-window
//! is looked at for itself: what was sold before the silence slides out of it, sub-window by
//! sub-window, and room comes back as it does.

use crate::limit::engine::Engine;
use crate::limit::engine::members::NOTICE_MICROS;
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::engine::silence::SILENT_MAX;
use crate::limit::engine::sizing::{span_of_demand, tokens};
use crate::limit::engine::slot::{Slot, WHOLE};
use crate::limit::engine::standing::{Standing, Touch};

/// What is asked for here is taken for what all ask for only where it is so many times as much as
/// what was seen: the demand of a moment says little.
const SURGE: u64 = 2;

/// What was estimated in the moment in which Redis fell silent, for as long as nothing is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// In which round, ...
    round: u32,
    /// ... and in which window that was.
    window: u64,
    /// Of a ring: how much was sold after it was last seen. Of others: this replica's share of what
    /// is left of the window.
    amount: u64,
    /// Of a ring: in which sub-window it was last seen, ...
    seen_at: u64,
    /// ... and how much more than was seen in each sub-window it had sold by then.
    unseen: u64,
}

impl Engine {
    /// How much this replica may admit on its own in the window of `moment`; of a sliding window,
    /// in any interval that ends in its sub-window.
    pub(super) fn own_share(
        &mut self,
        place: u32,
        moment: Moment,
        rule: &Rule,
        standing: &Standing,
    ) -> u64 {
        let grid = rule.grid();
        let number = grid.number(moment.early);
        let starts = grid.starts(number);
        if grid.is_quota() {
            // Its window may be a month, in which touch is lost any number of times: what must be
            // exact is not estimated.
            if rule.is_exact() {
                return 0;
            }
        } else {
            // In the fast mode nobody counts on it for so long, and it may be used for longer.
            let is_over = rule.is_exact() && standing.share_to <= starts;
            if starts < standing.surrendered || is_over {
                return 0;
            }
            let is_out = standing.touch == Touch::Out;
            // In a sliding window everything that counts must be younger than the notice.
            let lasts = if grid.is_ring() { grid.period.saturating_add(grid.length) } else { 0 };
            let is_certain = standing.share_from.saturating_add(lasts) <= starts;
            let is_new = !rule.is_exact() && !grid.is_ring() && standing.noticed < starts;
            if is_out && (is_certain || is_new) {
                return standing.own_share(rule, (number, moment.early), rule.limit());
            }
            if rule.is_exact() {
                return 0;
            }
        }
        let lost = self.lost_at(moment, standing);
        let Some(slot) = self.slots.get_mut(place) else { return 0 };
        // What was admitted in an earlier silence, and is owed since, is of this share.
        let owed = slot.balance.min(0).unsigned_abs();
        if grid.is_ring() {
            let estimate = estimate_of_ring(slot, moment, rule, (lost, standing));
            let left = rule.limit().saturating_sub(estimate.sold(slot, grid, number));
            let share = standing.own_share(rule, (number, moment.early), left);
            return share.saturating_sub(owed);
        }
        let known = slot.extra().and_then(|extra| extra.estimate);
        let known = known.filter(|known| (known.round, known.window) == (standing.round, number));
        if let Some(known) = known {
            return known.amount.saturating_sub(owed);
        }
        // The window in which the loss fell: what can be left of it, were all others like us. A
        // quota that was never seen is taken to have been when this replica last spoke to Redis.
        let touched = standing.share_from.saturating_sub(NOTICE_MICROS);
        let seen_at = if slot.here == 0 && grid.is_quota() { touched } else { slot.here };
        let age = lost.saturating_sub(seen_at.max(starts));
        let mine = tokens(slot.demand(moment.local.micros(), span_of_demand(rule)), age);
        let all = mine.saturating_mul(u64::from(WHOLE)).checked_div(u64::from(slot.fraction));
        let left = rule.limit().saturating_sub(slot.sold).saturating_sub(all.unwrap_or(0));
        let amount = standing.own_share(rule, (number, moment.early), left);
        let (round, window) = (standing.round, number);
        slot.extra_mut().estimate = Some(Estimate { round, window, amount, seen_at: 0, unseen: 0 });
        amount.saturating_sub(owed)
    }

    /// Until when Redis may have sold anything to anybody, by its clock: until the first order that
    /// is unanswered since could have been carried out, or where there is none until its silence
    /// was noticed.
    pub(super) fn lost_at(&self, moment: Moment, standing: &Standing) -> u64 {
        let silent = self.errands.silence().began().map(|began| {
            let ago = moment.local.since(began).as_micros();
            let there = moment.late.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX));
            there.saturating_add(self.errands.trip())
        });
        if standing.touch != Touch::Out {
            return silent.unwrap_or(moment.late);
        }
        // An order that was unanswered long before was lost alone.
        let longest = u64::try_from(SILENT_MAX.as_micros()).unwrap_or(u64::MAX);
        let earliest = standing.noticed.saturating_sub(longest);
        silent.filter(|at| earliest <= *at).map_or(standing.noticed, |at| at.min(standing.noticed))
    }
}

/// What is to be assumed of a ring in the silence that began when it was `lost`.
fn estimate_of_ring(
    slot: &mut Slot,
    moment: Moment,
    rule: &Rule,
    (lost, standing): (u64, &Standing),
) -> Estimate {
    let grid = rule.grid();
    let known = slot.extra().and_then(|extra| extra.estimate);
    if let Some(known) = known.filter(|known| known.round == standing.round) {
        return known;
    }
    let window = grid.number(lost).min(slot.window);
    let round = standing.round;
    // Of what was last seen longer than a period ago nothing counts any more.
    let whole = slot.whole().filter(|(at, _)| window <= at.saturating_add(grid.reach()));
    let estimate = if let Some((seen_at, sold)) = whole {
        let age = lost.saturating_sub(grid.starts(seen_at));
        let steady = u128::from(sold).saturating_mul(u128::from(age));
        let steady = steady.checked_div(u128::from(grid.period)).unwrap_or(0);
        let steady = u64::try_from(steady).unwrap_or(u64::MAX);
        let mine = tokens(slot.demand(moment.local.micros(), span_of_demand(rule)), age);
        let all = mine.saturating_mul(u64::from(standing.members.max(1)));
        let amount = if all > steady.saturating_mul(SURGE) { all } else { steady };
        let seen = slot.seen_within(seen_at.saturating_sub(grid.reach()), seen_at);
        let (amount, unseen) = (amount.min(rule.limit()), sold.saturating_sub(seen));
        Estimate { round, window: window.max(seen_at), amount, seen_at, unseen }
    } else {
        Estimate { round, window, amount: 0, seen_at: window, unseen: 0 }
    };
    slot.extra_mut().estimate = Some(estimate);
    estimate
}

impl Estimate {
    /// How much of a ring is to be taken for sold in the interval that ends in `number`. What was
    /// not seen in any one sub-window is taken to lie evenly in all that it can lie in.
    fn sold(&self, slot: &Slot, grid: &Grid, number: u64) -> u64 {
        let oldest = number.saturating_sub(grid.reach());
        let seen = slot.seen_within(oldest, number);
        let first = self.seen_at.saturating_sub(grid.reach());
        let before = kept(self.unseen, (first, self.seen_at), oldest);
        let after = kept(self.amount, (self.seen_at, self.window), oldest);
        seen.saturating_add(before).saturating_add(after)
    }
}

/// What of `amount`, which lies evenly in the windows from `first` to `last`, lies in those from
/// `oldest` on; rounded up.
fn kept(amount: u64, (first, last): (u64, u64), oldest: u64) -> u64 {
    let all = u128::from(last.saturating_sub(first).saturating_add(1));
    let left = last.saturating_add(1).saturating_sub(oldest.max(first));
    let part = u128::from(amount).saturating_mul(u128::from(left)).div_ceil(all);
    u64::try_from(part).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slides_out_of_an_interval_counts_no_more() {
        let of = |oldest| kept(40, (10, 13), oldest);
        assert_eq!([of(5), of(10), of(11), of(13), of(14), of(20)], [40, 40, 30, 10, 0, 0]);
        assert_eq!(kept(3, (7, 7), 7), 3);
        assert_eq!(kept(3, (0, 1), 1), 2, "half a token is one");
    }
}
