//! The sliding window: a log of what was taken when, which is exact while it is short.
//!
//! What was taken counts for one period, and then no more; so no interval as long as the period
//! ever holds more than the limit. The log remembers up to [`STEPS_MAX`] different instants. A
//! window with more of them (which takes a limit above [`STEPS_MAX`]) is thinned: of the instants
//! in one [`SUBWINDOWS`]th of the period only the last stays, and everything taken in that time
//! counts as taken then.
//!
//! Thinning moves a charge to a later time, never to an earlier one. So nothing is ever admitted
//! over the limit, and the error is on one side and bounded: a charge counts at most one 128th of
//! a period longer than it has to. A client that always takes what it can gets at least 99.2 % of
//! the limit in the long run. `Retry-After` is computed from the same log, and so tells the truth.
//!
//! Limits with different periods may share a log. It remembers, and thins, for the longest period
//! that was asked about in the last hour; so a limit with a short period beside one with a long
//! period, on a key with many calls, can be refused too early by a 128th of the *long* period.
//! A period longer than any before begins with what the log then remembers.

use std::collections::VecDeque;

/// How many different instants a log remembers: limits up to here are exact. 4 KiB when full.
const STEPS_MAX: usize = 256;

/// Into how many parts a period is cut when a full log is thinned.
const SUBWINDOWS: u64 = 128;

/// How many of the newest steps thinning leaves as they are: a limit with a short period is not
/// disturbed by one with a long period on the same key.
const STEPS_KEPT: usize = 64;

/// How long a log remembers for a period that nobody asks about any more: one hour, in
/// microseconds.
const ASKED_AGAIN_MICROS: u64 = 3_600_000_000;

/// The log of one counter. Times and periods are in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// How long a step is remembered: the longest period of late.
    retained: u64,
    /// When a limit with that period was last asked about.
    asked: u64,
    /// The cost of all steps.
    used: u64,
    /// The newest step; its cost is zero if there is none. Here, so that a key that is rarely used
    /// allocates nothing.
    newest: Step,
    /// The steps before it, oldest first.
    older: Option<Box<Older>>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    at: u64,
    cost: u64,
}

#[derive(Clone, Debug)]
struct Older(VecDeque<Step>);

impl Log {
    /// A log in which `used` was taken at `at`.
    pub(super) fn new(period: u64, used: u64, at: u64) -> Self {
        Self { retained: period, asked: at, used, newest: Step { at, cost: used }, older: None }
    }

    /// Forgets what no longer counts at `now`, for a limit of `period`.
    ///
    /// Returns the time that holds: never before what is in the log already.
    pub(super) fn turn(&mut self, period: u64, now: u64) -> u64 {
        // Threads overtake each other between reading the clock and getting here.
        let now = now.max(self.newest.at);
        let wanted = self.asked.saturating_add(self.retained.max(ASKED_AGAIN_MICROS));
        if period >= self.retained || wanted <= now {
            self.retained = period;
            self.asked = now;
        }
        while let Some(step) = self.older.as_ref().and_then(|older| older.0.front()) {
            if !step.over(self.retained, now) {
                return now;
            }
            self.used = self.used.saturating_sub(step.cost);
            if let Some(older) = &mut self.older {
                older.0.pop_front();
            }
        }
        if self.newest.over(self.retained, now) {
            self.newest.cost = 0;
            self.used = 0;
        }
        now
    }

    /// How much was taken in the `period` before `now`; both as given to and returned by
    /// [`Self::turn`].
    pub(super) fn used(&self, period: u64, now: u64) -> u64 {
        if period == self.retained {
            return self.used;
        }
        let over = self.steps().take_while(|step| step.over(period, now));
        self.used.saturating_sub(over.map(|step| step.cost).fold(0, u64::saturating_add))
    }

    /// How long after `now` at least `excess` of what counts for `period` no longer does; none if
    /// there is not so much.
    pub(super) fn wait(&self, period: u64, excess: u64, now: u64) -> Option<u64> {
        let mut freed: u64 = 0;
        for step in self.steps().skip_while(|step| step.over(period, now)) {
            freed = freed.saturating_add(step.cost);
            if freed >= excess {
                return Some(step.at.saturating_add(period).saturating_sub(now));
            }
        }
        None
    }

    /// Takes `cost` at `now`, as returned by [`Self::turn`].
    pub(super) fn take(&mut self, cost: u64, now: u64) {
        if cost == 0 {
            return;
        }
        self.used = self.used.saturating_add(cost);
        if self.newest.at == now {
            self.newest.cost = self.newest.cost.saturating_add(cost);
            return;
        }
        let before = std::mem::replace(&mut self.newest, Step { at: now, cost });
        if before.cost > 0 {
            let retained = self.retained;
            self.older
                .get_or_insert_with(|| Box::new(Older(VecDeque::new())))
                .push(before, retained);
        }
    }

    /// Gives back `cost` of what was taken at `taken`.
    pub(super) fn refund(&mut self, cost: u64, taken: u64) {
        // A thinned log holds it in the first step that is not before it.
        let older = self.older.iter_mut().flat_map(|older| older.0.iter_mut());
        let steps = older.chain(std::iter::once(&mut self.newest));
        let mut left = cost;
        for step in steps.skip_while(|step| step.at < taken) {
            let back = step.cost.min(left);
            step.cost = step.cost.saturating_sub(back);
            left = left.saturating_sub(back);
            if left == 0 {
                break;
            }
        }
        self.used = self.used.saturating_sub(cost.saturating_sub(left));
    }

    /// What is in the log, whatever the period.
    pub(super) const fn total(&self) -> u64 {
        self.used
    }

    /// When the newest step was taken.
    pub(super) const fn newest_at(&self) -> u64 {
        self.newest.at
    }

    /// From when on nothing in the log counts.
    pub(super) const fn ends(&self) -> u64 {
        self.newest.at.saturating_add(self.retained)
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        let older = self.older.iter().flat_map(|older| older.0.iter());
        older.chain(std::iter::once(&self.newest))
    }
}

impl Step {
    /// Whether it no longer counts at `now`: it does in the `period` that begins with it.
    const fn over(&self, period: u64, now: u64) -> bool {
        self.at.saturating_add(period) <= now
    }
}

impl Older {
    fn push(&mut self, step: Step, retained: u64) {
        // One more is outside, the newest.
        if self.0.len().saturating_add(1) >= STEPS_MAX {
            self.thin((retained / SUBWINDOWS).max(1));
        }
        self.0.push_back(step);
    }

    /// Leaves one step, the last, in each `grain` of time; the newest [`STEPS_KEPT`] stay.
    fn thin(&mut self, grain: u64) {
        let steps = self.0.len();
        let thinned = steps.saturating_sub(STEPS_KEPT);
        let mut open: Option<Step> = None;
        // Once round the ring: what leaves at the front comes back at the end, or is merged.
        for index in 0..steps {
            let Some(step) = self.0.pop_front() else { break };
            match &mut open {
                Some(last) if index < thinned && last.at / grain == step.at / grain => {
                    last.at = step.at;
                    last.cost = last.cost.saturating_add(step.cost);
                }
                _ => self.0.extend(open.replace(step)),
            }
        }
        self.0.extend(open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    /// Admits one at `now` if fewer than `limit` were taken.
    fn admit(log: &mut Log, limit: u64, period: u64, now: u64) -> bool {
        let now = log.turn(period, now);
        let fits = log.used(period, now) < limit;
        if fits {
            log.take(1, now);
        }
        fits
    }

    #[test]
    fn room_comes_back_exactly_one_period_later() {
        let mut log = Log::new(SECOND, 0, 0);
        assert!(admit(&mut log, 1, SECOND, 5));
        assert!(!admit(&mut log, 1, SECOND, SECOND + 4));
        assert_eq!(log.wait(SECOND, 1, SECOND + 4), Some(1));
        assert!(admit(&mut log, 1, SECOND, SECOND + 5));
    }

    #[test]
    fn a_long_log_stays_short_and_loses_nothing() {
        let period = 60 * SECOND;
        let mut log = Log::new(period, 0, 0);
        for now in 0..10_000 {
            let now = log.turn(period, now * 5_000);
            log.take(1, now);
            assert!(log.steps().count() <= STEPS_MAX);
        }
        assert_eq!(log.used(period, log.newest_at()), 10_000);
    }

    #[test]
    fn a_greedy_client_gets_at_least_99_hundredths_of_a_large_limit() {
        let (limit, period) = (1_000, 10 * SECOND);
        let mut log = Log::new(period, 0, 0);
        let tries = (0..1_000 * SECOND).step_by(3_001);
        let admitted = tries.filter(|&now| admit(&mut log, limit, period, now)).count();
        assert!(admitted > 99_200, "{admitted}");
    }

    #[test]
    fn a_small_limit_is_not_disturbed_by_one_with_a_long_period_on_the_same_key() {
        let (brief, lasting) = (SECOND, 300 * SECOND);
        let mut log = Log::new(lasting, 0, 0);
        let mut refused = 0;
        for round in 0..20_000_u64 {
            let now = log.turn(lasting, round * 110_000);
            refused += u64::from(log.used(brief, now) >= 10);
            log.take(1, now);
        }
        assert_eq!(refused, 0, "ten in 1.1 s are never ten in 1 s");
    }

    #[test]
    fn a_period_that_is_gone_is_forgotten() {
        let mut log = Log::new(300 * SECOND, 0, 0);
        for second in 0..4_000 {
            let now = log.turn(if second < 10 { 300 * SECOND } else { SECOND }, second * SECOND);
            log.take(1, now);
            assert_eq!(log.retained == SECOND, second >= 3_609);
        }
    }

    #[test]
    fn threads_that_overtake_each_other_free_nothing_early() {
        let mut log = Log::new(SECOND, 0, 0);
        assert!(admit(&mut log, 2, SECOND, 100));
        assert!(admit(&mut log, 2, SECOND, 99));
        assert!(!admit(&mut log, 2, SECOND, SECOND + 99));
        assert!(admit(&mut log, 2, SECOND, SECOND + 100));
    }

    #[test]
    fn a_refund_finds_its_step_in_a_thinned_log() {
        let period = 10 * SECOND;
        let mut log = Log::new(period, 0, 0);
        for now in 1..=1_000 {
            let now = log.turn(period, now * 1_000);
            log.take(1, now);
        }
        log.refund(1, 1_000);
        log.refund(5, 999_000);
        assert_eq!(log.total(), 997, "of five only what was taken since is there");
        assert_eq!(log.steps().map(|step| step.cost).sum::<u64>(), log.total());
    }

    proptest! {
        #[test]
        fn no_interval_of_a_period_holds_more_than_the_limit(
            limit in prop_oneof![1_u64..20, 200_u64..2_000],
            period in prop_oneof![1_u64..300, 10_000_u64..2_000_000],
            pauses in prop::collection::vec(prop_oneof![6 => 0_u64..1_500, 1 => 0_u64..400_000], 1..4_000),
        ) {
            let mut log = Log::new(period, 0, 0);
            let mut now = 0;
            let mut admitted: VecDeque<u64> = VecDeque::new();
            for pause in pauses {
                now += pause;
                while admitted.front().is_some_and(|at| at + period <= now) {
                    admitted.pop_front();
                }
                let exact = u64::try_from(admitted.len()).unwrap() < limit;
                let fits = admit(&mut log, limit, period, now);
                prop_assert!(exact || !fits, "over the limit at {}", now);
                if limit <= 256 {
                    prop_assert_eq!(exact, fits, "a small limit is exact");
                }
                if fits {
                    admitted.push_back(now);
                } else {
                    // Retry-After is the truth: not a microsecond earlier, and then it fits.
                    let wait = log.wait(period, 1, now).unwrap();
                    let mut later = log.clone();
                    prop_assert!(!admit(&mut later, limit, period, now + wait - 1));
                    prop_assert!(admit(&mut later, limit, period, now + wait));
                    prop_assert!(limit > 256 || admitted.front() == Some(&(now + wait - period)));
                }
            }
        }
    }
}
