//! Fixed windows: one count for each grid of windows that a counter is held against.
//!
//! Nearly every counter has one grid. Others come when policies with different periods name the
//! same key, or when a configuration changes a period: then each grid keeps its own count, and what
//! is taken counts in all of them. A grid that is new begins with the largest count the counter
//! has in a running window, so a change of terms never gives anything back.

/// How many grids one counter keeps besides the one in use; the one put aside longest ago gives
/// way.
const OTHERS_MAX: usize = 7;

/// The counts of one counter. Times are in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// The one last asked about.
    current: Count,
    /// The others, the one put aside last at the end.
    others: Box<[Count]>,
}

/// Windows of one length, one after the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grid {
    /// How long a window is; zero: there is one, and it never ends.
    period: u64,
    /// The first beginning of a window at or after the epoch.
    phase: u64,
}

/// What was used in the running window of a grid.
#[derive(Clone, Copy, Debug)]
struct Count {
    grid: Grid,
    ends: u64,
    used: u64,
}

impl Grid {
    /// The grid of windows of length `period` one of which begins at `origin`.
    pub(super) fn new(period: u64, origin: u64) -> Self {
        Self { period, phase: origin.checked_rem(period).unwrap_or(0) }
    }

    /// The end of the window that `now` is in.
    fn end(self, now: u64) -> u64 {
        let Some(into) = now.checked_rem(self.period) else {
            return u64::MAX;
        };
        // How far the window's end is after `now`; between 1 and the period.
        let left = if into < self.phase {
            self.phase.saturating_sub(into)
        } else {
            self.period.saturating_sub(into).saturating_add(self.phase)
        };
        now.saturating_add(left)
    }
}

impl Windows {
    /// Windows of which the running one holds `used`.
    pub(super) fn new(grid: Grid, used: u64, now: u64) -> Self {
        Self { current: Count { grid, ends: grid.end(now), used }, others: Box::default() }
    }

    /// Makes `grid` the current one, at `now`.
    pub(super) fn turn(&mut self, grid: Grid, now: u64) {
        if self.current.grid != grid {
            self.switch(grid, now);
        }
        self.current.roll(now);
    }

    /// How much of the current window is used, and when that window ends.
    pub(super) const fn current(&self) -> (u64, u64) {
        (self.current.used, self.current.ends)
    }

    /// Takes `cost` at `now`, in every grid.
    pub(super) fn take(&mut self, cost: u64, now: u64) {
        for count in self.counts() {
            count.roll(now);
            count.used = count.used.saturating_add(cost);
        }
    }

    /// Gives back `cost` of what was taken at `taken`, where that window still runs.
    pub(super) fn refund(&mut self, cost: u64, taken: u64) {
        for count in self.counts() {
            // A window that ends when the one of `taken` did is that window.
            if count.grid.end(taken) >= count.ends {
                count.used = count.used.saturating_sub(cost);
            }
        }
    }

    /// The most that any window which runs at `now` holds.
    pub(super) fn most(&self, now: u64) -> u64 {
        let all = self.others.iter().chain(std::iter::once(&self.current));
        all.filter(|count| now < count.ends).map(|count| count.used).max().unwrap_or(0)
    }

    /// From when on nothing counts.
    pub(super) fn ends(&self) -> u64 {
        self.others.iter().map(|count| count.ends).fold(self.current.ends, u64::max)
    }

    fn counts(&mut self) -> impl Iterator<Item = &mut Count> {
        self.others.iter_mut().chain(std::iter::once(&mut self.current))
    }

    #[cold]
    fn switch(&mut self, grid: Grid, now: u64) {
        let known = self.others.iter().find(|count| count.grid == grid).copied();
        let next = known.unwrap_or(Count { grid, ends: grid.end(now), used: self.most(now) });
        let aside = std::mem::replace(&mut self.current, next);
        let kept = self.others.iter().filter(|count| count.grid != grid).copied();
        let mut others: Vec<Count> = kept.chain(std::iter::once(aside)).collect();
        others.drain(..others.len().saturating_sub(OTHERS_MAX));
        self.others = others.into();
    }
}

impl Count {
    fn roll(&mut self, now: u64) {
        // A thread that comes late, with a time before the window, counts in it all the same.
        if now >= self.ends {
            self.ends = self.grid.end(now);
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000_000;
    const DAY: u64 = 24 * HOUR;

    #[test]
    fn a_window_ends_where_the_next_begins() {
        let grid = Grid::new(100, 1_030);
        assert_eq!([0, 29, 30, 129, 130].map(|now| grid.end(now)), [30, 30, 130, 130, 230]);
        assert_eq!(Grid::new(0, 5).end(7), u64::MAX);
    }

    #[test]
    fn two_grids_on_one_key_count_each_for_itself() {
        let (daily, hourly) = (Grid::new(DAY, 0), Grid::new(HOUR, 0));
        let mut windows = Windows::new(daily, 0, 0);
        for hour in 0..24 {
            let now = hour * HOUR;
            windows.turn(hourly, now);
            assert_eq!(windows.current().0, 0);
            windows.take(3, now);
            windows.turn(daily, now);
            assert_eq!(windows.current(), ((hour + 1) * 3, DAY));
        }
        windows.turn(daily, DAY);
        assert_eq!(windows.current(), (0, 2 * DAY));
    }

    #[test]
    fn a_new_period_gives_nothing_back() {
        let mut windows = Windows::new(Grid::new(DAY, 0), 0, 0);
        windows.take(80, HOUR);
        windows.turn(Grid::new(HOUR, 0), HOUR);
        assert_eq!(windows.current(), (80, 2 * HOUR));
        windows.turn(Grid::new(DAY, HOUR), HOUR);
        assert_eq!(windows.current(), (80, HOUR + DAY));
    }

    #[test]
    fn grids_are_bounded() {
        let mut windows = Windows::new(Grid::new(1, 0), 0, 0);
        for period in 1..1_000 {
            windows.turn(Grid::new(period * HOUR, 0), 0);
            windows.take(1, 0);
        }
        assert_eq!(windows.others.len(), OTHERS_MAX);
        assert_eq!(windows.current().0, 999);
    }

    #[test]
    fn a_refund_only_reaches_the_window_it_was_taken_in() {
        let hourly = Grid::new(HOUR, 0);
        let mut windows = Windows::new(hourly, 0, 0);
        windows.take(2, 1);
        windows.refund(5, 1);
        assert_eq!(windows.current().0, 0, "never below zero");
        windows.turn(hourly, HOUR);
        windows.take(2, HOUR);
        windows.refund(1, HOUR - 1);
        assert_eq!(windows.current().0, 2);
    }

    #[test]
    fn a_thread_that_comes_late_does_not_open_the_last_window_again() {
        let hourly = Grid::new(HOUR, 0);
        let mut windows = Windows::new(hourly, 0, HOUR);
        windows.take(1, HOUR);
        windows.turn(hourly, HOUR - 1);
        assert_eq!(windows.current(), (1, 2 * HOUR));
    }

    proptest! {
        #[test]
        fn every_window_of_the_grid_counts_exactly_what_fell_into_it(
            period in 1_u64..500,
            origin in 0_u64..10_000,
            steps in prop::collection::vec((0_u64..300, 0_u64..5), 1..200),
        ) {
            // The oracle numbers windows upwards from far before the first step.
            let number = |now: u64| (now + 500 * period - origin % period) / period;
            let mut windows = Windows::new(Grid::new(period, origin), 0, 0);
            let (mut now, mut oracle) = (0, std::collections::HashMap::new());
            for (pause, cost) in steps {
                now += pause;
                windows.turn(Grid::new(period, origin), now);
                windows.take(cost, now);
                let used = oracle.entry(number(now)).or_insert(0);
                *used += cost;
                let (counted, ends) = windows.current();
                prop_assert_eq!(counted, *used);
                prop_assert_eq!(number(ends), number(now) + 1);
                prop_assert_eq!(number(ends - 1), number(now));
            }
        }
    }
}
