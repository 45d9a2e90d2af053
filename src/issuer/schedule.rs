//! When the keys of an issuer are fetched, and how long they count.

use std::time::Duration;

use crate::time::Timestamp;

/// How often keys are fetched that nobody misses.
const REFRESH: Duration = Duration::from_hours(1);
/// By how much earlier, so that not all who began together ask together.
const REFRESH_SPREAD: Duration = Duration::from_mins(6);
/// How often at most they are fetched because somebody names one that is not there.
const MISS_INTERVAL: Duration = Duration::from_mins(5);
/// The longest pause after the first failure, and after many.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(5);
/// How long keys count that cannot be fetched again.
const KEPT_MAX: Duration = Duration::from_hours(24);

/// When to fetch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    /// When keys were fetched last.
    fetched: Option<Timestamp>,
    /// How many tries in a row have failed since.
    failures: u32,
    /// When somebody was heeded who missed a key.
    missed: Option<Timestamp>,
}

impl Schedule {
    /// How long to wait before the next try: so long, and any time up to so much longer.
    pub(super) fn pause(&self) -> (Duration, Duration) {
        let Some(retries) = self.failures.checked_sub(1) else {
            return match self.fetched {
                Some(_) => (REFRESH.saturating_sub(REFRESH_SPREAD), REFRESH_SPREAD),
                None => (Duration::ZERO, Duration::ZERO),
            };
        };
        let doubled = RETRY_MIN.saturating_mul(2_u32.saturating_pow(retries));
        (Duration::ZERO, doubled.min(RETRY_MAX))
    }

    /// Notes that keys were fetched.
    pub(super) const fn succeed(&mut self, now: Timestamp) {
        (self.fetched, self.failures) = (Some(now), 0);
    }

    /// Notes that none could be.
    pub(super) const fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether to fetch at once, because a key is missed; where there are none yet that is under way.
    pub(super) fn miss(&mut self, now: Timestamp) -> bool {
        let is_soon = self.missed.is_some_and(|missed| now.since(missed) < MISS_INTERVAL);
        if is_soon || self.fetched.is_none() {
            return false;
        }
        self.missed = Some(now);
        true
    }

    /// Whether the keys that were fetched last still count.
    pub(super) fn counts(&self, now: Timestamp) -> bool {
        self.fetched.is_some_and(|fetched| now.since(fetched) <= KEPT_MAX)
    }

    /// When that was.
    pub(super) const fn fetched(&self) -> Option<Timestamp> {
        self.fetched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn keys_are_fetched_at_once_then_every_hour_and_again_soon_after_a_failure() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.pause(), (Duration::ZERO, Duration::ZERO));
        schedule.fail();
        assert_eq!(schedule.pause(), (Duration::ZERO, RETRY_MIN));
        schedule.fail();
        assert_eq!(schedule.pause(), (Duration::ZERO, RETRY_MIN * 2));
        for _ in 0..100 {
            schedule.fail();
        }
        assert_eq!(schedule.pause(), (Duration::ZERO, RETRY_MAX));
        schedule.succeed(NOW);
        let (least, spread) = schedule.pause();
        assert!(least + spread == REFRESH && Duration::from_mins(50) < least);
    }

    #[test]
    fn a_missed_key_is_looked_for_once_in_five_minutes() {
        let mut schedule = Schedule::default();
        assert!(!schedule.miss(NOW));
        schedule.succeed(NOW);
        assert!(schedule.miss(NOW) && !schedule.miss(NOW));
        // Neither a success nor a failure makes it sooner.
        schedule.succeed(NOW);
        schedule.fail();
        let soon = MISS_INTERVAL.saturating_sub(Duration::from_micros(1));
        assert!(!schedule.miss(NOW + soon) && schedule.miss(NOW + MISS_INTERVAL));
    }

    #[test]
    fn keys_outlive_their_issuer_for_a_day() {
        let mut schedule = Schedule::default();
        assert!(!schedule.counts(NOW));
        schedule.succeed(NOW);
        schedule.fail();
        assert!(schedule.counts(NOW + KEPT_MAX));
        assert!(!schedule.counts(NOW + KEPT_MAX + Duration::from_secs(1)));
    }
}
