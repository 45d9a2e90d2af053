//! When requests are due: at a constant rate from a common beginning, whatever becomes of them.

use std::time::Duration;

/// Nanoseconds in a second.
const SECOND: u128 = 1_000_000_000;

/// A constant rate over some windows of equal length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    rate: u32,
    window: Duration,
    windows: u32,
}

impl Schedule {
    /// `rate` requests a second (at least one), for `windows` windows.
    pub(crate) fn new(rate: u32, window: Duration, windows: u32) -> Self {
        Self { rate: rate.max(1), window, windows }
    }

    /// How many requests there are in all.
    pub(crate) fn total(self) -> u64 {
        self.count_before(self.lasts())
    }

    /// How long all of it takes.
    pub(crate) fn lasts(self) -> Duration {
        self.window * self.windows
    }

    /// When request `number`, from 0, is due after the beginning. Computed from the beginning each time,
    /// so that errors do not add up.
    pub(crate) fn due(self, number: u64) -> Duration {
        let nanos = u128::from(number) * SECOND / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many requests are due so long after the beginning, or were before: the number of the
    /// next one.
    pub(crate) fn due_by(self, elapsed: Duration) -> u64 {
        self.count_before(elapsed + Duration::from_nanos(1)).min(self.total())
    }

    /// The window in which something is due that is due so long after the beginning.
    pub(crate) fn window_at(self, elapsed: Duration) -> usize {
        let window = elapsed.as_nanos().checked_div(self.window.as_nanos()).unwrap_or(0);
        let last = self.windows.saturating_sub(1);
        usize::try_from(window).unwrap_or(usize::MAX).min(usize::try_from(last).unwrap_or(0))
    }

    /// When window `number` ends, after the beginning.
    pub(crate) fn end_of(self, number: u32) -> Duration {
        self.window * number.saturating_add(1)
    }

    /// How many windows there are.
    pub(crate) fn windows(self) -> u32 {
        self.windows
    }

    /// The time between two requests.
    pub(crate) fn interval(self) -> Duration {
        self.due(1)
    }

    /// How many requests are due before `time`.
    fn count_before(self, time: Duration) -> u64 {
        let count = (time.as_nanos() * u128::from(self.rate)).div_ceil(SECOND);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use std::time::Duration;

    #[test]
    fn requests_are_due_at_a_constant_rate_from_the_beginning() {
        let schedule = Schedule::new(1000, Duration::from_secs(1), 3);
        assert_eq!(schedule.total(), 3000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1500), Duration::from_millis(1500));
        assert_eq!(schedule.interval(), Duration::from_millis(1));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let schedule = Schedule::new(3, Duration::from_secs(1), 100);
        assert_eq!(schedule.total(), 300);
        assert_eq!(schedule.due(299), Duration::from_nanos(99_666_666_666));
    }

    #[test]
    fn who_wakes_late_finds_all_that_became_due_meanwhile() {
        let schedule = Schedule::new(1000, Duration::from_secs(1), 1);
        let by = |micros| schedule.due_by(Duration::from_micros(micros));
        assert_eq!([by(0), by(999), by(1000), by(7_500), by(9_000_000)], [1, 1, 2, 8, 1000]);
    }

    #[test]
    fn what_is_due_counts_in_the_window_in_which_it_is() {
        let schedule = Schedule::new(10, Duration::from_secs(1), 2);
        let window = |millis| schedule.window_at(Duration::from_millis(millis));
        assert_eq!([window(0), window(999), window(1000), window(5000)], [0, 0, 1, 1]);
        assert_eq!(schedule.end_of(1), schedule.lasts());
    }
}
