//! One counter: what was used under one key, and whether more fits.

use std::time::Duration;

use crate::limit::fixed::{Grid, Windows};
use crate::limit::sliding::Log;
use crate::limit::{Charge, NEVER, Tally, Terms, Window, micros};
use crate::time::Timestamp;

/// What was used under one key. It keeps nothing of any limit, so that terms may change.
#[derive(Clone, Debug)]
pub struct Counter(State);

#[derive(Clone, Debug)]
enum State {
    Sliding(Log),
    Fixed(Windows),
}

/// How terms count, the limit itself apart.
#[derive(Clone, Copy)]
struct Shape {
    /// Microseconds.
    period: u64,
    /// None: sliding.
    origin: Option<u64>,
}

impl Counter {
    /// A counter for `terms`, with `used` taken at `now`.
    pub fn new(terms: &Terms, used: u64, now: Timestamp) -> Self {
        Self(State::new(Shape::of(terms), used, now.micros()))
    }

    /// Whether `charge.need` fits at `now`. Takes nothing.
    pub fn check(&mut self, charge: &Charge, now: Timestamp) -> Tally {
        let Charge { terms, need, .. } = charge;
        let shape = Shape::of(terms);
        self.fit(shape, now.micros());
        let (used, now) = match &mut self.0 {
            State::Sliding(log) => {
                let now = log.turn(shape.period, now.micros());
                (log.used(shape.period, now), now)
            }
            State::Fixed(windows) => {
                windows.turn(shape.grid(), now.micros());
                (windows.current().0, now.micros())
            }
        };
        let excess = used.saturating_add(*need).saturating_sub(terms.limit);
        let retry_after = if excess == 0 {
            Duration::ZERO
        } else if *need > terms.limit {
            NEVER
        } else {
            self.wait(shape, excess, now).map_or(NEVER, Duration::from_micros)
        };
        Tally { admitted: excess == 0, limit: terms.limit, used, retry_after }
    }

    /// Takes `charge.cost` at `now` if `charge.need` fits.
    pub fn charge(&mut self, charge: &Charge, now: Timestamp) -> Tally {
        let mut tally = self.check(charge, now);
        if tally.admitted && charge.cost > 0 {
            self.take(&charge.terms, charge.cost, now);
            tally.used = tally.used.saturating_add(charge.cost);
        }
        tally
    }

    /// Takes `cost` at `now`, whether it fits or not.
    pub fn take(&mut self, terms: &Terms, cost: u64, now: Timestamp) {
        let shape = Shape::of(terms);
        self.fit(shape, now.micros());
        match &mut self.0 {
            State::Sliding(log) => {
                let now = log.turn(shape.period, now.micros());
                log.take(cost, now);
            }
            State::Fixed(windows) => {
                windows.turn(shape.grid(), now.micros());
                windows.take(cost, now.micros());
            }
        }
    }

    /// Gives back `cost` of what was taken at `taken`, as far as it still counts.
    pub fn refund(&mut self, cost: u64, taken: Timestamp) {
        match &mut self.0 {
            State::Sliding(log) => log.refund(cost, taken.micros()),
            State::Fixed(windows) => windows.refund(cost, taken.micros()),
        }
    }

    /// Whether it may be forgotten at `now`: nothing in it counts any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let ends = match &self.0 {
            State::Sliding(log) => log.ends(),
            State::Fixed(windows) => windows.ends(),
        };
        ends <= now.micros()
    }

    /// A counter for `terms` that has used all that counts for them here, as late as it was here.
    #[must_use]
    pub fn heir(&mut self, terms: &Terms, now: Timestamp) -> Self {
        let shape = Shape::of(terms);
        self.fit(shape, now.micros());
        let (used, at) = match &mut self.0 {
            State::Sliding(log) => {
                let now = log.turn(shape.period, now.micros());
                (log.used(shape.period, now), log.newest_at())
            }
            State::Fixed(windows) => {
                windows.turn(shape.grid(), now.micros());
                (windows.current().0, now.micros())
            }
        };
        Self(State::new(shape, used, at))
    }

    /// Counts the way `shape` wants from here on; what was used stays used.
    fn fit(&mut self, shape: Shape, now: u64) {
        if matches!(self.0, State::Fixed(_)) != shape.origin.is_some() {
            let (used, at) = match &self.0 {
                State::Sliding(log) => (log.total(), log.newest_at()),
                State::Fixed(windows) => (windows.most(now), now),
            };
            self.0 = State::new(shape, used, at);
        }
    }

    fn wait(&self, shape: Shape, excess: u64, now: u64) -> Option<u64> {
        match &self.0 {
            State::Sliding(log) => log.wait(shape.period, excess, now),
            State::Fixed(windows) => {
                let ends = windows.current().1;
                (ends != u64::MAX).then_some(ends.saturating_sub(now))
            }
        }
    }
}

impl State {
    fn new(shape: Shape, used: u64, at: u64) -> Self {
        match shape.origin {
            None => Self::Sliding(Log::new(shape.period, used, at)),
            Some(_) => Self::Fixed(Windows::new(shape.grid(), used, at)),
        }
    }
}

impl Shape {
    fn of(terms: &Terms) -> Self {
        let origin = match terms.window {
            // What never comes back has no window that could slide.
            Window::Sliding => terms.period.is_zero().then_some(0),
            Window::Fixed { origin } => Some(origin.micros()),
        };
        Self { period: micros(terms.period), origin }
    }

    fn grid(self) -> Grid {
        Grid::new(self.period, self.origin.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::key::{CounterKey, KeySpace, Kind};

    fn key() -> CounterKey {
        KeySpace::new(Kind::Rate, &[]).key("")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_next_decision_obeys_the_new_limit_and_what_was_used_stays() {
        for window in [Window::Sliding, Window::Fixed { origin: at(0) }] {
            let terms = |limit| Terms { window, ..Terms::sliding(limit, MINUTE) };
            let mut counter = Counter::new(&terms(100), 0, at(0));
            counter.take(&terms(100), 80, at(1));
            let mut ask = |limit| counter.check(&Charge::take(key(), terms(limit), 1), at(2));
            assert_eq!((ask(100).admitted, ask(100).used), (true, 80));
            assert_eq!((ask(50).admitted, ask(50).used, ask(50).remaining()), (false, 80, 0));
            assert_eq!((ask(200).admitted, ask(200).remaining()), (true, 120));
        }
    }

    #[test]
    fn what_was_used_stays_used_when_the_kind_of_window_changes() {
        let (sliding, fixed) = (Terms::sliding(9, MINUTE), Terms::fixed(9, MINUTE, at(0)));
        let mut counter = Counter::new(&sliding, 0, at(0));
        counter.take(&sliding, 5, at(10));
        for terms in [fixed, sliding, fixed] {
            assert_eq!(counter.check(&Charge::look(key(), terms), at(20)).used, 5);
        }
    }

    #[test]
    fn waiting_does_not_help_what_can_never_fit() {
        let mut counter = Counter::new(&Terms::sliding(5, MINUTE), 0, at(0));
        let mut wait =
            |terms, need| counter.check(&Charge::take(key(), terms, need), at(0)).retry_after;
        assert_eq!(wait(Terms::sliding(5, MINUTE), 6), NEVER);
        assert_eq!(wait(Terms::sliding(0, MINUTE), 1), NEVER);
        let endless = Terms::fixed(5, Duration::ZERO, at(0));
        assert_eq!(wait(endless, 5), Duration::ZERO);
        counter.take(&endless, 5, at(0));
        assert_eq!(counter.check(&Charge::look(key(), endless), at(1_000_000)).retry_after, NEVER);
        assert!(!counter.is_over(Timestamp::from_micros(u64::MAX - 1)));
    }

    #[test]
    fn an_heir_has_used_what_was_used() {
        let terms = Terms::sliding(5, MINUTE);
        let mut counter = Counter::new(&terms, 0, at(0));
        counter.take(&terms, 2, at(1));
        counter.take(&terms, 1, at(30));
        let tally = counter.heir(&terms, at(31)).check(&Charge::take(key(), terms, 3), at(40));
        assert_eq!((tally.used, tally.retry_after), (3, Duration::from_secs(50)));
    }

    proptest! {
        #[test]
        fn limits_that_share_a_key_each_hold_it_to_their_own_terms(
            limits in (1_u64..12, 5_u64..40),
            micros in (1_u64..400, 200_u64..3_000),
            steps in prop::collection::vec((0_u64..150, any::<bool>()), 1..250),
        ) {
            let terms = [
                Terms::sliding(limits.0, Duration::from_micros(micros.0)),
                Terms::sliding(limits.1, Duration::from_micros(micros.1)),
            ];
            let mut now = at(1);
            let mut log: Vec<Timestamp> = Vec::new();
            let mut counter = Counter::new(&terms[0], 0, now);
            for terms in terms {
                counter.check(&Charge::look(key(), terms), now);
            }
            for (pause, second) in steps {
                now = now + Duration::from_micros(pause);
                let terms = terms[usize::from(second)];
                let counted = log.iter().filter(|then| now.since(**then) < terms.period).count();
                let fits = u64::try_from(counted).unwrap() < terms.limit;
                let tally = counter.charge(&Charge::take(key(), terms, 1), now);
                prop_assert_eq!(tally.admitted, fits);
                if fits {
                    log.push(now);
                }
            }
        }
    }
}
