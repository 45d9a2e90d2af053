//! How this replica stands with a lane at one time: whether it is in touch, what time it is over
//! there, and who owns which share. It never changes; a change is another one.

use crate::limit::engine::members::AHEAD_MAX_MICROS;
use crate::limit::engine::reference::Reference;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::order::members::{Epoch, HeldBack, Seat};
use crate::time::Timestamp;

/// How this replica stands with a lane.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whether it may buy, or what it does instead.
    pub touch: Touch,
    /// Counts the times that the replica came back in touch, and the tries.
    pub round: u32,
    /// Which primary it is or was connected to, and which life of its data that was; zero: none
    /// yet.
    pub run: u64,
    /// Which life of the data it bought from and reported to; what is sold from another one is not
    /// spent.
    pub epoch: Epoch,
    /// Members that it knew before the data were lost and has not heard of since.
    pub unheard: Option<Unheard>,
    /// What time it is at the primary.
    pub clock: Reference,
    /// Its place in the division of limits.
    pub seat: Option<Seat>,
    /// How many members the lane has, as last heard; zero if never.
    pub members: u32,
    /// Shares of others (and of an earlier life of its own) that are not for sale.
    pub holds: Vec<Hold>,
    /// Until when (by our clock) what is known of the members may be relied on.
    pub buys_until: Timestamp,
    /// Windows that start before this (by the primary's clock, as all below) have no debts: the
    /// seat may have had another holder in them.
    pub seat_from: u64,
    /// Windows that start at this time or later have a local share while out of touch ...
    pub share_from: u64,
    /// ... but, of exact limits, not those that start at this time or later: by then others count
    /// on us no more.
    pub share_to: u64,
    /// When the loss was noticed.
    pub noticed: u64,
    /// Windows that start before this have no local share: it was handed in.
    pub surrendered: u64,
}

/// Whether a replica is in touch with a lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Touch {
    /// It buys.
    In,
    /// It gets no answers: it spends what it has, then its own share.
    #[default]
    Out,
    /// It reports what it admitted on its own; it spends what it has, and its share no more.
    Healing,
}

/// A share that is not for sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hold {
    /// Whose, and of which windows.
    pub held: HeldBack,
    /// When its owner was last seen, if it is a member that is missing now.
    pub missing_since: Option<u64>,
}

/// Members that nobody has heard of since the data of a lane were lost: what they bought and have
/// seen may be known to them only, and each of them may be using its share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unheard {
    /// How many.
    pub count: u32,
    /// How many seats there were for them: none of them has a larger share than one of so many.
    pub of: u32,
    /// When the loss was noticed.
    pub since: u64,
}

/// For limits in the fast mode a member that is missing for longer than this, in microseconds,
/// holds nothing back.
pub const MISSED_IN_FAST_MICROS: u64 = 10_000_000;

impl Standing {
    /// What of `rule`'s limit is for sale in window `number`. `at` is the time, for buckets, which
    /// have no windows, and for quotas, whose windows are long; `sold` is what is known to be sold,
    /// for quotas, of which a member that is missing may use its share of the rest.
    pub(super) fn for_sale(&self, rule: &Rule, number: u64, at: u64, sold: u64) -> u64 {
        if !rule.grid().is_quota() {
            return self.for_sale_of(rule.limit(), rule, number, at);
        }
        let rest = rule.limit().saturating_sub(sold);
        let unheard = self.unheard.map_or(0, |unheard| unheard.shares(rest));
        let missing = self.holds.iter().filter(|hold| hold.missing_since.is_some());
        let held = missing.filter(|hold| hold.held.from <= at);
        let held = held.map(|hold| share(hold.held.seat, rule.grid(), number, rest));
        rule.limit().saturating_sub(held.fold(unheard, u64::saturating_add))
    }

    /// The same of another amount than the limit: of the burst of a bucket.
    pub(super) fn for_sale_of(&self, amount: u64, rule: &Rule, number: u64, at: u64) -> u64 {
        if self.holds.is_empty() && self.unheard.is_none() {
            return amount;
        }
        let grid = rule.grid();
        let starts = if grid.is_bucket() { at } else { grid.starts(number) };
        // What was admitted in a sliding window counts for a period more, in a bucket about so.
        let lasts = if grid.is_ring() {
            grid.period.saturating_add(grid.length)
        } else if grid.is_bucket() {
            grid.period
        } else {
            0
        };
        let held = self.holds.iter().filter(|hold| {
            let gone = hold
                .missing_since
                .is_some_and(|since| since.saturating_add(MISSED_IN_FAST_MICROS) < starts);
            hold.held.from <= starts
                && starts < hold.held.to.saturating_add(lasts)
                && (rule.is_exact() || !gone)
        });
        let held = held.map(|hold| share(hold.held.seat, grid, number, amount));
        let unheard = self.unheard_in(rule, starts).map_or(0, |unheard| {
            // What was sold before the loss, and ahead of it, is known to nobody for sure.
            let blind = unheard.since.saturating_add(AHEAD_MAX_MICROS).saturating_add(lasts);
            if rule.is_exact() && starts <= blind { amount } else { unheard.shares(amount) }
        });
        amount.saturating_sub(held.fold(unheard, u64::saturating_add))
    }

    /// How much debt this replica may have in window `number`.
    pub(super) fn debt(&self, rule: &Rule, number: u64) -> u64 {
        let over = rule.over();
        if over == 0 {
            return 0;
        }
        match self.seat {
            Some(seat) if self.may_owe(rule, number) => {
                over.checked_div(u64::from(seat.of)).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Whether nobody else can owe anything in window `number` who had the same seat, or was this
    /// replica in an earlier life. In a sliding window that counts for a period more.
    pub(super) fn may_owe(&self, rule: &Rule, number: u64) -> bool {
        let grid = rule.grid();
        let lasts = if grid.is_ring() { grid.period.saturating_add(grid.length) } else { 0 };
        self.seat_from.saturating_add(lasts) <= grid.starts(number)
    }

    /// How much of `amount` this replica may admit on its own in window `number` of `rule`, for
    /// buckets `at` this time. Where data were lost its seat is one among those who came back since:
    /// what the others may be using of seats that they had before is nobody's.
    pub(super) fn own_share(&self, rule: &Rule, (number, at): (u64, u64), amount: u64) -> u64 {
        let grid = rule.grid();
        let starts = if grid.is_bucket() || grid.is_quota() { at } else { grid.starts(number) };
        let unheard = self.unheard_in(rule, starts).map_or(0, |unheard| unheard.shares(amount));
        let left = amount.saturating_sub(unheard);
        self.seat.map_or(0, |seat| share(seat, grid, number, left))
    }

    /// Who may still be using a share in windows that start at `starts`, unheard.
    fn unheard_in(&self, rule: &Rule, starts: u64) -> Option<Unheard> {
        self.unheard.filter(|unheard| {
            rule.is_exact() || starts <= unheard.since.saturating_add(MISSED_IN_FAST_MICROS)
        })
    }
}

impl Unheard {
    /// The most that their shares in `amount` can be, whichever seats they have.
    pub(in crate::limit) fn shares(&self, amount: u64) -> u64 {
        let (count, of) = (u64::from(self.count), u64::from(self.of.max(1)));
        count.saturating_mul(amount.div_ceil(of)).min(amount)
    }
}

/// The share of `seat` in `amount` tokens of window `number`: whole numbers that add up to `amount`
/// over all seats. In fixed windows they go round, so that of 5 tokens for 20 replicas each gets
/// one in time; in sliding ones they stay, because windows overlap.
pub(super) fn share(seat: Seat, grid: &Grid, number: u64, amount: u64) -> u64 {
    let of = u64::from(seat.of);
    let turn = if grid.is_ring() || grid.is_bucket() { 0 } else { number };
    let Some(turn) = turn.checked_rem(of) else { return 0 };
    let place = u64::from(seat.index).saturating_add(turn).checked_rem(of).unwrap_or(0);
    let (place, of, amount) = (u128::from(place), u128::from(of), u128::from(amount));
    let below = |place: u128| amount.saturating_mul(place).checked_div(of).unwrap_or(0);
    u64::try_from(below(place.saturating_add(1)).saturating_sub(below(place))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::engine::rule::{Certainty, Shape};
    use std::time::Duration;

    fn rule(limit: u64, sliding: bool) -> Rule {
        let period = Duration::from_secs(1);
        let fixed = Shape::Fixed { period, origin: Duration::ZERO };
        Rule::new(limit, if sliding { Shape::Sliding { period } } else { fixed }).unwrap()
    }

    #[test]
    fn shares_add_up_and_go_round() {
        for sliding in [false, true] {
            let rule = rule(5, sliding);
            let mut got = [0; 20];
            for number in 100..120 {
                let mut sum = 0;
                for index in 0..20 {
                    let own = share(Seat { index, of: 20 }, rule.grid(), number, 5);
                    got[usize::try_from(index).unwrap()] += own;
                    sum += own;
                }
                assert_eq!(sum, 5);
            }
            assert_eq!(got.iter().all(|sum| *sum == 5), !sliding, "{got:?}");
        }
    }

    #[test]
    fn the_share_of_a_missing_member_is_not_for_sale_in_the_windows_it_may_use_it_in() {
        let seat = Seat { index: 1, of: 4 };
        let held = HeldBack { seat, from: 10_500_000, to: u64::MAX };
        let holds = vec![Hold { held, missing_since: Some(9_000_000) }];
        let standing = Standing { holds, ..Standing::default() };
        let exact = rule(100, false);
        let fast = rule(100, false).certainty(Certainty::Fast { over: 8 });
        assert_eq!(standing.for_sale(&exact, 10, 0, 0), 100, "it started before");
        assert_eq!(standing.for_sale(&exact, 11, 0, 0), 75);
        assert_eq!(standing.for_sale(&fast, 11, 0, 0), 75);
        assert_eq!(standing.for_sale(&exact, 20, 0, 0), 75);
        assert_eq!(standing.for_sale(&fast, 20, 0, 0), 100, "the fast mode gives up on it");
    }

    #[test]
    fn what_a_dead_life_may_have_admitted_in_a_sliding_window_is_held_for_a_period_more() {
        let seat = Seat { index: 0, of: 2 };
        let held = HeldBack { seat, from: 10_000_000, to: 12_000_000 };
        let holds = vec![Hold { held, missing_since: None }];
        let standing = Standing { holds, ..Standing::default() };
        let fixed = |second| standing.for_sale(&rule(10, false), second, 0, 0);
        assert_eq!([fixed(9), fixed(10), fixed(11), fixed(12)], [10, 5, 5, 10]);
        let sliding = |part| standing.for_sale(&rule(10, true), part, 0, 0);
        assert_eq!([sliding(199), sliding(200), sliding(260), sliding(261)], [10, 5, 5, 10]);
    }

    #[test]
    fn a_seat_gives_debts_only_in_windows_that_start_after_it_was_taken() {
        let seat = Some(Seat { index: 0, of: 4 });
        let standing = Standing { seat, seat_from: 10_000_001, ..Standing::default() };
        let fast = rule(100, false).certainty(Certainty::Fast { over: 8 });
        assert_eq!([standing.debt(&fast, 10), standing.debt(&fast, 11)], [0, 2]);
        assert_eq!(standing.debt(&rule(100, false), 11), 0);
    }
}
