//! What a log of the backend says about a limit.

use crate::statistics::fraction;

/// A request that came through: its client sent it, and the backend got it, at these dates in
/// microseconds. It was admitted in between.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Passed {
    /// When it was sent.
    pub(crate) sent: u64,
    /// When it came.
    pub(crate) came: u64,
}

/// The most that were surely admitted in any interval shorter than `period`.
pub(crate) fn most_in_any(log: &[Passed], period: u64) -> usize {
    let mut sorted = log.to_vec();
    sorted.sort_unstable();
    let mut most = 0;
    for (at, first) in sorted.iter().enumerate() {
        let end = first.sent.saturating_add(period);
        let near = sorted.iter().skip(at).take_while(|later| later.sent < end);
        most = most.max(near.filter(|later| later.came < end).count());
    }
    most
}

/// The most that were surely admitted in one window of a grid that begins with the Unix epoch.
/// `margin` is how far the clock of Redis may be from ours.
pub(crate) fn most_in_one(log: &[Passed], period: u64, margin: u64) -> usize {
    let window = |date: u64| date.checked_div(period).unwrap_or(0);
    let mut windows: Vec<u64> = log
        .iter()
        .filter_map(|passed| {
            let first = window(passed.sent.saturating_sub(margin));
            (window(passed.came.saturating_add(margin)) == first).then_some(first)
        })
        .collect();
    windows.sort_unstable();
    windows.chunk_by(PartialEq::eq).map(<[u64]>::len).max().unwrap_or(0)
}

/// The most that the backend got in any interval shorter than `period`, whenever they were
/// admitted.
pub(crate) fn most_seen(log: &[Passed], period: u64) -> usize {
    let seen: Vec<_> = log.iter().map(|one| Passed { sent: one.came, came: one.came }).collect();
    most_in_any(&seen, period)
}

/// How much more than `limit` that is, as a part of it.
pub(crate) fn over(most: usize, limit: u64) -> f64 {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    fraction(most.saturating_sub(limit), limit)
}

#[cfg(test)]
mod tests {
    use super::{Passed, most_in_any, most_in_one, most_seen, over};

    fn log(dates: &[(u64, u64)]) -> Vec<Passed> {
        dates.iter().map(|&(sent, came)| Passed { sent, came }).collect()
    }

    #[test]
    fn what_may_have_been_admitted_outside_is_not_counted() {
        let log = log(&[(0, 5), (8, 12), (3, 9), (10, 11)]);
        // From 0 on: the first and the third; from 3 on: three.
        assert_eq!(most_in_any(&log, 10), 3);
        assert_eq!(most_seen(&log, 7), 3);
    }

    #[test]
    fn windows_lie_on_a_grid_and_edges_belong_to_nobody() {
        let log = log(&[(8, 9), (9, 11), (10, 12), (13, 18), (20, 20)]);
        assert_eq!(most_in_one(&log, 10, 0), 2);
        assert_eq!(most_in_one(&log, 10, 1), 1);
    }

    #[test]
    fn nothing_is_over_when_the_limit_is_met() {
        assert!(over(10, 10).abs() < f64::EPSILON);
        assert!((over(12, 10) - 0.2).abs() < 1e-9);
    }
}
