//! Sliding windows: what was sold in each of the newest sub-windows.

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::limit::order::{Change, MARKS_MAX, Ring, RingSold};
use crate::limit::seller::{PARTS_MAX, amount};

/// What a ring has sold. One that nothing was ever sold from is empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sold {
    /// The newest sub-window that anything is known of.
    pub newest: u64,
    /// How much was sold in it, in the one before it, and so on.
    pub back_from_newest: VecDeque<u64>,
}

/// How far ahead of the newest sub-window a mark may be, and how far behind it one may still buy.
pub const SLACK: u64 = 2;

/// The last sub-window there is; later ones count as this.
pub const SUB_WINDOW_MAX: u64 = 1 << 52;

/// The number of a sub-window, as far as scripts can count.
pub fn sub_window(at: u64) -> u64 {
    at.min(SUB_WINDOW_MAX)
}

/// `ring.lua`.
pub fn sell(ring: &mut Sold, order: &Ring) -> RingSold {
    let parts = u64::from(order.parts.min(PARTS_MAX));
    let at = sub_window(order.at);
    let before = ring.clone();
    ring.move_to(at.max(ring.newest), parts);
    let mut changed = false;
    for mark in order.marks.iter().take(MARKS_MAX) {
        changed |= ring.note(sub_window(mark.at), mark.change, parts);
    }
    let runs: Vec<u64> = ring.runs(at, parts).collect();
    let used = runs.iter().copied().max().unwrap_or(0);
    let bound = amount(order.bound);
    let too_old = ring.newest.saturating_sub(SLACK).saturating_sub(at);
    let room = if too_old == 0 { bound.saturating_sub(used) } else { 0 };
    let granted = amount(order.want).min(room);
    ring.set(at, |sold| sold.saturating_add(granted));
    // Each of the runs holds `at`. The last that is full is what a buyer waits for.
    let full = (1..).zip(runs).filter(|(_, run)| bound <= run.saturating_add(granted));
    let wait = full.map(|(after, _)| after).last().unwrap_or(0).max(too_old);
    let sold = RingSold {
        granted,
        used: used.saturating_add(granted),
        here: ring.at(at),
        wait: wait.min(parts.saturating_add(1)),
    };
    if !changed && granted == 0 {
        // A refusal is not written down, not even which sub-window it was asked for.
        *ring = before;
    }
    sold
}

impl Sold {
    /// How much was sold in sub-window `at`.
    pub fn at(&self, at: u64) -> u64 {
        self.place(at).and_then(|place| self.back_from_newest.get(place)).copied().unwrap_or(0)
    }

    /// The sums of the runs of `parts + 1` sub-windows that hold `at`, the one that ends with it
    /// first. Those that end after the newest are never the largest.
    fn runs(&self, at: u64, parts: u64) -> impl Iterator<Item = u64> {
        let first = (at.saturating_sub(parts)..=at).map(|at| self.at(at)).sum::<u64>();
        let later = (1..=parts).scan(first, move |run, after| {
            let last = at.saturating_add(after);
            let gone = last.checked_sub(parts.saturating_add(1)).map_or(0, |at| self.at(at));
            *run = run.saturating_add(self.at(last)).saturating_sub(gone);
            Some(*run)
        });
        std::iter::once(first).chain(later)
    }

    fn note(&mut self, at: u64, change: Change, parts: u64) -> bool {
        let oldest = self.newest.saturating_sub(parts.saturating_add(SLACK));
        if at < oldest || self.newest.saturating_add(SLACK) < at {
            return false;
        }
        self.move_to(at.max(self.newest), parts);
        let before = self.at(at);
        self.set(at, |sold| match change {
            Change::Back(tokens) => sold.saturating_sub(amount(tokens)),
            Change::Charge(tokens) => amount(sold.saturating_add(amount(tokens))),
            Change::Floor(tokens) => sold.max(amount(tokens)),
        });
        self.at(at) != before
    }

    fn set(&mut self, at: u64, change: impl FnOnce(u64) -> u64) {
        if let Some(place) = self.place(at).and_then(|place| self.back_from_newest.get_mut(place)) {
            *place = change(*place);
        }
    }

    /// Makes `newest` the newest sub-window, and forgets those that are in no window any more.
    fn move_to(&mut self, newest: u64, parts: u64) {
        let kept = usize::try_from(parts.saturating_add(SLACK + 1)).unwrap_or(usize::MAX);
        let ahead = usize::try_from(newest.saturating_sub(self.newest)).unwrap_or(usize::MAX);
        match ahead.cmp(&kept) {
            Ordering::Less => (0..ahead).for_each(|_| self.back_from_newest.push_front(0)),
            Ordering::Equal | Ordering::Greater => self.back_from_newest.clear(),
        }
        self.newest = newest;
        self.back_from_newest.resize(kept, 0);
    }

    fn place(&self, at: u64) -> Option<usize> {
        usize::try_from(self.newest.checked_sub(at)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::{Mark, Meter};

    const PARTS: u32 = 4;

    fn order(at: u64, want: u64, marks: &[(u64, Change)]) -> Ring {
        let key = KeySpace::new(Kind::Rate, &[]).key("a");
        let marks = marks.iter().map(|&(at, change)| Mark { at, change }).collect();
        let meter = Meter { key, period: 4_000 };
        Ring { meter, parts: PARTS, at, want, bound: 10, marks }
    }

    fn sold(granted: u64, used: u64, here: u64, wait: u64) -> RingSold {
        RingSold { granted, used, here, wait }
    }

    #[test]
    fn every_run_of_neighbours_stays_within_the_bound() {
        let mut ring = Sold::default();
        assert_eq!(sell(&mut ring, &order(100, 6, &[])), sold(6, 6, 6, 0));
        assert_eq!(sell(&mut ring, &order(104, 6, &[])), sold(4, 10, 4, 1));
        assert_eq!(sell(&mut ring, &order(105, 9, &[])), sold(6, 10, 6, 4));
    }

    #[test]
    fn one_that_buys_late_sees_what_was_sold_after_it() {
        let mut ring = Sold::default();
        sell(&mut ring, &order(102, 7, &[]));
        assert_eq!(sell(&mut ring, &order(100, 6, &[])), sold(3, 10, 3, 5));
        assert_eq!(sell(&mut ring, &order(99, 6, &[])), sold(0, 10, 0, 5));
    }

    #[test]
    fn the_wait_is_as_long_as_a_run_is_full_and_no_longer_than_one_run() {
        let mut ring = Sold::default();
        sell(&mut ring, &order(100, 4, &[]));
        sell(&mut ring, &order(102, 6, &[]));
        for (at, wait) in [(102, 3), (103, 2), (104, 1)] {
            assert_eq!(
                sell(&mut ring, &order(at, 1, &[])),
                sold(0, 10, if at == 102 { 6 } else { 0 }, wait)
            );
        }
        assert_eq!(sell(&mut ring, &order(105, 0, &[])).wait, 0);
        let none = Ring { bound: 0, ..order(105, 1, &[]) };
        assert_eq!(sell(&mut ring, &none).wait, u64::from(PARTS) + 1);
    }

    #[test]
    fn marks_come_before_the_sale() {
        let mut ring = Sold::default();
        sell(&mut ring, &order(100, 10, &[]));
        let marks = [(100, Change::Back(4)), (99, Change::Charge(1)), (100, Change::Floor(7))];
        assert_eq!(sell(&mut ring, &order(100, 5, &marks)), sold(2, 10, 9, 4));
        assert_eq!(ring.at(99), 1);
    }

    #[test]
    fn more_than_was_sold_cannot_come_back() {
        let mut ring = Sold::default();
        sell(&mut ring, &order(100, 3, &[]));
        assert_eq!(sell(&mut ring, &order(100, 0, &[(100, Change::Back(9))])), sold(0, 0, 0, 0));
    }

    #[test]
    fn a_mark_too_far_from_the_newest_is_ignored() {
        let mut ring = Sold::default();
        let newest = 100;
        for (at, seen) in [(93, 0), (94, 5), (102, 5), (105, 0)] {
            sell(&mut ring, &order(newest, 0, &[(at, Change::Charge(5))]));
            assert_eq!(ring.at(at), seen, "{at}");
        }
    }

    #[test]
    fn a_refusal_leaves_no_trace() {
        let mut ring = Sold::default();
        sell(&mut ring, &order(100, 10, &[]));
        let before = ring.clone();
        assert_eq!(sell(&mut ring, &order(103, 5, &[])), sold(0, 10, 0, 2));
        assert_eq!(ring, before);
    }

    #[test]
    fn sub_windows_at_the_end_of_all_numbers_are_none_to_worry_about() {
        let mut ring = Sold::default();
        let mut last = order(u64::MAX, u64::MAX, &[(u64::MAX, Change::Charge(u64::MAX))]);
        last.parts = u32::MAX;
        last.bound = u64::MAX;
        sell(&mut ring, &last);
        sell(&mut ring, &order(0, 1, &[]));
    }
}
