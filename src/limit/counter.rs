//! One counter: what was used under one key, and whether more fits.

use std::time::Duration;

use crate::limit::bucket::{Bucket, Flow};
use crate::limit::fixed::{Grid, Windows};
use crate::limit::manner::Course;
use crate::limit::sliding::Log;
use crate::limit::{Charge, NEVER, Tally, Terms, micros};
use crate::time::Timestamp;

/// What was used under one key. It keeps nothing of any limit, so that terms may change.
#[derive(Clone, Debug)]
pub struct Counter(State);

#[derive(Clone, Debug)]
enum State {
    Sliding(Log),
    Fixed(Windows),
    Bucket(Bucket),
}

/// How terms count.
#[derive(Clone, Copy)]
struct Shape {
    limit: u64,
    /// Microseconds.
    period: u64,
    course: Course,
}

/// A counter that is ready to be asked at a time, in microseconds.
enum Turned<'a> {
    Sliding(&'a mut Log, u64),
    Fixed(&'a mut Windows, u64),
    Bucket(&'a mut Bucket, u64),
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
        let (limit, most) = (shape.limit, shape.most());
        let (used, now) = match self.turn(shape, now.micros()) {
            Turned::Sliding(log, now) => (log.used(shape.period, now), now),
            Turned::Fixed(windows, now) => (windows.current().0, now),
            Turned::Bucket(bucket, now) => (bucket.used(), now),
        };
        let excess = used.saturating_add(*need).saturating_sub(most);
        let retry_after = if excess == 0 {
            Duration::ZERO
        } else if *need > most {
            NEVER
        } else {
            self.wait(terms, (excess, *need), now).map_or(NEVER, Duration::from_micros)
        };
        // What is left of a bucket is told as what is left of the limit: never more than that.
        let left = most.saturating_sub(used);
        let used = if most == limit { used } else { limit.saturating_sub(left) };
        Tally { admitted: excess == 0, limit, used, retry_after }
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
        match self.turn(Shape::of(terms), now.micros()) {
            Turned::Sliding(log, now) => log.take(cost, now),
            Turned::Fixed(windows, now) => windows.take(cost, now),
            Turned::Bucket(bucket, _) => bucket.take(cost),
        }
    }

    /// Gives back `cost` of what was taken at `taken`, as far as it still counts.
    pub fn refund(&mut self, cost: u64, taken: Timestamp) {
        match &mut self.0 {
            State::Sliding(log) => log.refund(cost, taken.micros()),
            State::Fixed(windows) => windows.refund(cost, taken.micros()),
            State::Bucket(bucket) => bucket.refund(cost, taken.micros()),
        }
    }

    /// How long after `now` the current fixed window ends; none for a sliding one, and where it
    /// never does.
    pub fn ends_in(&self, now: Timestamp) -> Option<Duration> {
        let State::Fixed(windows) = &self.0 else { return None };
        let (_, ends) = windows.current();
        (ends != u64::MAX).then(|| Timestamp::from_micros(ends).since(now))
    }

    /// Whether it may be forgotten at `now`: nothing in it counts any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let ends = match &self.0 {
            State::Sliding(log) => log.ends(),
            State::Fixed(windows) => windows.ends(),
            State::Bucket(bucket) => bucket.ends(),
        };
        ends <= now.micros()
    }

    /// A counter for `terms` that has used all that counts for them here, as late as it was here.
    #[must_use]
    pub fn heir(&mut self, terms: &Terms, now: Timestamp) -> Self {
        let shape = Shape::of(terms);
        let (used, at) = match self.turn(shape, now.micros()) {
            Turned::Sliding(log, now) => (log.used(shape.period, now), log.newest_at()),
            Turned::Fixed(windows, now) => (windows.current().0, now),
            Turned::Bucket(bucket, now) => (bucket.used(), now),
        };
        Self(State::new(shape, used, at))
    }

    /// Counts the way `shape` wants from here on, at `now`; what was used stays used.
    fn turn(&mut self, shape: Shape, now: u64) -> Turned<'_> {
        let used = match (&self.0, shape.course) {
            (State::Sliding(_), Course::Sliding)
            | (State::Fixed(_), Course::Fixed { .. })
            | (State::Bucket(_), Course::Bucket { .. }) => None,
            (State::Sliding(log), _) => Some((log.total(), log.newest_at())),
            (State::Fixed(windows), _) => Some((windows.most(now), now)),
            (State::Bucket(bucket), _) => Some((bucket.used(), bucket.at())),
        };
        if let Some((used, at)) = used {
            self.0 = State::new(shape, used, at);
        }
        match &mut self.0 {
            State::Sliding(log) => {
                let now = log.turn(shape.period, now);
                Turned::Sliding(log, now)
            }
            State::Fixed(windows) => {
                windows.turn(shape.grid(), now);
                Turned::Fixed(windows, now)
            }
            State::Bucket(bucket) => {
                let now = bucket.turn(shape.flow(), now);
                Turned::Bucket(bucket, now)
            }
        }
    }

    /// How long after `now` there is room, `excess` being too much where `need` is asked for; none
    /// if never. To be asked after a turn for `terms`.
    fn wait(&self, terms: &Terms, (excess, need): (u64, u64), now: u64) -> Option<u64> {
        match &self.0 {
            State::Sliding(log) => log.wait(micros(terms.period), excess, now),
            State::Fixed(windows) => {
                let ends = windows.current().1;
                (ends != u64::MAX).then_some(ends.saturating_sub(now))
            }
            State::Bucket(bucket) => Some(bucket.wait(need)),
        }
    }
}

impl State {
    fn new(shape: Shape, used: u64, at: u64) -> Self {
        match shape.course {
            Course::Sliding => Self::Sliding(Log::new(shape.period, used, at)),
            Course::Fixed { .. } => Self::Fixed(Windows::new(shape.grid(), used, at)),
            Course::Bucket { .. } => Self::Bucket(Bucket::new(shape.flow(), used, at)),
        }
    }
}

impl Shape {
    fn of(terms: &Terms) -> Self {
        Self { limit: terms.limit, period: micros(terms.period), course: terms.course() }
    }

    fn grid(self) -> Grid {
        let origin = match self.course {
            Course::Fixed { origin } => origin.micros(),
            Course::Sliding | Course::Bucket { .. } => 0,
        };
        Grid::new(self.period, origin)
    }

    fn flow(self) -> Flow {
        Flow::new(self.limit, self.period, self.most())
    }

    /// The most that may be used at any time.
    fn most(self) -> u64 {
        match self.course {
            Course::Bucket { burst } if 0 < self.limit => burst,
            Course::Bucket { .. } | Course::Sliding | Course::Fixed { .. } => self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Window;
    use crate::limit::key::{CounterKey, KeySpace, Kind};
    use crate::limit::manner::{Manner, Windows};

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
    fn a_bucket_holds_its_burst_and_fills_at_the_rate_of_the_limit() {
        let manner = Manner { windows: Windows::Bucket { burst: 3 }, ..Manner::USUAL };
        let terms = Terms::sliding(60, MINUTE).held(manner);
        let take = |cost| Charge::take(key(), terms, cost);
        let mut counter = Counter::new(&terms, 0, at(0));
        assert_eq!(counter.check(&take(3), at(0)).remaining(), 3, "never more than it holds");
        assert_eq!(counter.check(&take(4), at(0)).retry_after, NEVER);
        assert!(counter.charge(&take(3), at(0)).admitted);
        let refused = counter.charge(&take(2), at(0));
        assert_eq!((refused.admitted, refused.remaining()), (false, 0));
        assert_eq!(refused.retry_after, Duration::from_secs(2));
        assert!(counter.charge(&take(2), at(2)).admitted && !counter.is_over(at(4)));
        counter.refund(1, at(2));
        assert_eq!(counter.check(&take(1), at(2)).remaining(), 1);
        assert!(counter.is_over(at(4)));
        let wide = Manner { windows: Windows::Bucket { burst: 100 }, ..Manner::USUAL };
        let wide = Terms::sliding(60, MINUTE).held(wide);
        let tally = counter.check(&Charge::take(key(), wide, 99), at(4));
        assert_eq!((tally.admitted, tally.limit, tally.remaining()), (true, 60, 60));
        let nothing = Terms { limit: 0, ..terms };
        assert!(!counter.check(&Charge::take(key(), nothing, 1), at(9)).admitted);
    }

    #[test]
    fn what_was_used_stays_used_in_a_bucket_and_after_it() {
        let sliding = Terms::sliding(9, MINUTE);
        let bucket = Manner { windows: Windows::Bucket { burst: 9 }, ..Manner::USUAL };
        let mut counter = Counter::new(&sliding, 0, at(0));
        counter.take(&sliding, 5, at(10));
        for terms in [sliding.held(bucket), sliding, sliding.held(bucket)] {
            assert_eq!(counter.check(&Charge::look(key(), terms), at(10)).used, 5);
        }
        assert_eq!(
            counter.heir(&sliding, at(10)).check(&Charge::look(key(), sliding), at(10)).used,
            5
        );
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
