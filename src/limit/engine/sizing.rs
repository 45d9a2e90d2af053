//! How much to buy, and when: enough that nobody waits, little enough that nothing strands.
//!
//! What is left is bought in parts that shrink with it (guided self-scheduling): half of what would
//! be this replica's part of it, at most as much as it will need soon. So a window is drained in
//! about 2R·ln(L/2R) + 2R purchases whatever the load, and what lies unused elsewhere when the
//! limit is met goes to nothing.

use crate::limit::engine::members::AHEAD_MAX_MICROS;
use crate::limit::engine::rule::{BUCKET_LIFE, Grid, Rule};
use crate::limit::engine::slot::{Slot, WHOLE};

/// The horizon is a quarter of a window, within these bounds, in microseconds.
const HORIZON: (u64, u64) = (20_000, 1_000_000);

/// The least time before the next window at which it is bought in, in microseconds.
const AHEAD_MIN_MICROS: u64 = 4_000;

/// Part of what would be this replica's that is bought at once without need: one in so many.
const COLD_ONE_IN: u64 = 16;

/// What is kept in hand for a horizon that was chosen is a part more than what will be asked for, if
/// it goes on as now, so that a moment in which more is asked for takes nothing from it: one in so
/// many.
const MARGIN_ONE_IN: u64 = 4;

/// Handed back is what is more than so many times as much as will be asked for, and no less than so
/// many tokens: what one return of the few that there are is worth.
const SURPLUS_TIMES: u64 = 2;
const SURPLUS_MIN: u64 = 8;

/// Nothing is handed back in the last part of a window, in which it is of no use to anybody: one in
/// so many.
const LAST_ONE_IN: u64 = 8;

/// How far ahead is bought for, in microseconds.
pub(super) fn horizon(rule: &Rule) -> u64 {
    rule.supplies_for().unwrap_or_else(|| usual(rule.grid()))
}

/// How far ahead is bought for where nothing is said.
fn usual(grid: &Grid) -> u64 {
    if grid.is_ring() {
        grid.length
    } else if grid.is_bucket() {
        // Half as long as tokens live.
        u64::try_from(BUCKET_LIFE.as_micros()).unwrap_or(u64::MAX) / 2
    } else {
        (grid.length / 4).clamp(HORIZON.0, HORIZON.1)
    }
}

/// Over what time demand is averaged, in microseconds.
pub(super) fn span_of_demand(rule: &Rule) -> u64 {
    usual(rule.grid()).saturating_mul(2)
}

/// How much is to be in hand of a rule with a horizon of its own; of others nothing in particular.
pub(super) fn supplies(rule: &Rule, demand: u64, left: u64) -> u64 {
    rule.supplies_for().map_or(0, |horizon| tokens(demand, horizon.min(left)))
}

/// What of `in_hand` is handed back, so that others have it who need it, and how much of it is kept.
pub(super) fn surplus(rule: &Rule, supplies: u64, left: u64, in_hand: u64) -> u64 {
    let is_last = left < rule.grid().length / LAST_ONE_IN;
    if rule.supplies_for().is_none() || is_last || in_hand <= supplies.saturating_mul(SURPLUS_TIMES)
    {
        return 0;
    }
    let surplus = in_hand.saturating_sub(with_margin(supplies));
    if surplus < SURPLUS_MIN { 0 } else { surplus }
}

const fn with_margin(supplies: u64) -> u64 {
    supplies.saturating_add(supplies.div_ceil(MARGIN_ONE_IN))
}

/// How many tokens are asked for in `micros` at `demand` thousandths a second, rounded up.
pub(super) fn tokens(demand: u64, micros: u64) -> u64 {
    let tokens = u128::from(demand).saturating_mul(u128::from(micros)).div_ceil(1_000_000_000);
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

/// A part of `amount`, in parts of [`WHOLE`].
pub(super) fn part(amount: u64, fraction: u32) -> u64 {
    let part = u128::from(amount).saturating_mul(u128::from(fraction)) / u128::from(WHOLE);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// What is known when something is bought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supply {
    /// What is for sale in the window in all.
    pub for_sale: u64,
    /// What is asked for, in thousandths of a token a second.
    pub demand: u64,
    /// Microseconds until the window ends.
    pub left: u64,
}

/// How much to buy for the current window; at least `need`.
pub(super) fn want(slot: &Slot, rule: &Rule, supply: Supply, need: u64) -> u64 {
    let grid = rule.grid();
    let rest = supply.for_sale.saturating_sub(slot.sold);
    let mine = part(rest, slot.fraction);
    let soon = tokens(supply.demand, horizon(rule).min(supply.left));
    // What is kept in hand is filled up; else there is next to nothing in hand when more is bought.
    let lacking = if rule.supplies_for().is_some() {
        with_margin(soon).saturating_sub(u64::try_from(slot.balance).unwrap_or(0))
    } else {
        soon
    };
    let soon = lacking.min(mine / 2);
    let cold = if grid.is_ring() || grid.is_bucket() { 0 } else { mine / COLD_ONE_IN };
    need.max(soon).max(cold).max(1)
}

/// How much to buy for the next window, of which nothing is known.
pub(super) fn want_ahead(slot: &Slot, rule: &Rule, supply: Supply) -> u64 {
    let half = part(supply.for_sale, slot.fraction) / 2;
    tokens(supply.demand, horizon(rule)).min(half).max(1)
}

/// Whether the last tokens are better left to who needs them: nothing is hoarded of less than two.
pub(super) fn is_scarce(slot: &Slot, for_sale: u64) -> bool {
    part(for_sale.saturating_sub(slot.sold), slot.fraction) < 2
}

/// How long before the next window starts it is bought in, in microseconds.
pub(super) fn ahead(rule: &Rule, demand: u64) -> u64 {
    let most = (rule.grid().length / 4).min(AHEAD_MAX_MICROS);
    let for_three = 3_000_000_000_u64.checked_div(demand).unwrap_or(u64::MAX);
    // Who wants to be sure of supplies has those of the next window as early as may be.
    let soon = if rule.supplies_for().is_some() { most } else { for_three.min(most) };
    soon.max(AHEAD_MIN_MICROS)
}

/// What part of all that is sold goes to this replica. One token more is assumed for each member,
/// so that the first few say little.
pub(super) fn fraction(own: u64, sold: u64, members: u32) -> u32 {
    let whole = u128::from(WHOLE);
    let own = u128::from(own).saturating_add(1).saturating_mul(whole);
    let sold = u128::from(sold).saturating_add(u128::from(members.max(1)));
    let part = own.checked_div(sold).and_then(|part| u32::try_from(part).ok()).unwrap_or(WHOLE);
    part.clamp(least(members), WHOLE)
}

/// The fraction to begin with: an even part, of a ring (which does not learn it) four times that.
pub(super) fn fraction_of_many(grid: &Grid, members: u32) -> u32 {
    let even = WHOLE.checked_div(members.max(1)).unwrap_or(1).max(1);
    if grid.is_ring() || grid.is_bucket() { even.saturating_mul(4).min(WHOLE) } else { even }
}

fn least(members: u32) -> u32 {
    WHOLE.checked_div(members.max(1).saturating_mul(4)).unwrap_or(1).max(1)
}
