//! The token bucket of one counter: what was taken drains away all the time, at one token each
//! part of the period.
//!
//! It is kept as what is owed: the time in which all that was taken comes back. So a charge is an
//! addition, and nothing has to be done while nobody asks.

/// What is owed under one key.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    flow: Flow,
    /// Nanoseconds until all that was taken is back, seen from `at`.
    owed: u64,
    /// Microseconds.
    at: u64,
}

/// How fast tokens come back, and how many there are at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flow {
    /// Nanoseconds in which one token comes back, at least one.
    token: u64,
    /// How many there are at most.
    burst: u64,
}

/// Nanoseconds of a microsecond.
const NANOS: u64 = 1_000;

impl Flow {
    /// `limit` tokens each `period`, which is in microseconds, and at most `burst` at once.
    pub(super) fn new(limit: u64, period: u64, burst: u64) -> Self {
        let token = period.saturating_mul(NANOS).div_ceil(limit.max(1)).max(1);
        Self { token, burst }
    }

    const fn nanos(self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.token)
    }
}

impl Bucket {
    /// A bucket out of which `used` was taken at `at`.
    pub(super) const fn new(flow: Flow, used: u64, at: u64) -> Self {
        Self { flow, owed: flow.nanos(used), at }
    }

    /// Lets flow back what came back until `now`, and goes on as `flow` says: what is used stays
    /// used. Returns the time that holds: never before the one it was turned to last.
    pub(super) fn turn(&mut self, flow: Flow, now: u64) -> u64 {
        let now = now.max(self.at);
        self.owed = self.owed.saturating_sub(now.saturating_sub(self.at).saturating_mul(NANOS));
        self.at = now;
        if self.flow.token != flow.token {
            self.owed = flow.nanos(self.used());
        }
        self.flow = flow;
        now
    }

    /// How many tokens are not back yet; one that is on its way counts as a whole one.
    pub(super) const fn used(&self) -> u64 {
        // A token takes at least a nanosecond.
        self.owed.div_ceil(self.flow.token)
    }

    /// Takes `cost`, at the time it was turned to.
    pub(super) const fn take(&mut self, cost: u64) {
        self.owed = self.owed.saturating_add(self.flow.nanos(cost));
    }

    /// Gives back `cost` of what was taken at `taken`, but for what came back by itself since.
    pub(super) fn refund(&mut self, cost: u64, taken: u64) {
        let back = self.at.saturating_sub(taken).saturating_mul(NANOS);
        self.owed = self.owed.saturating_sub(self.flow.nanos(cost).saturating_sub(back));
    }

    /// How long after the time it was turned to at least `free` tokens are there, in microseconds.
    pub(super) const fn wait(&self, free: u64) -> u64 {
        let may_owe = self.flow.nanos(self.flow.burst.saturating_sub(free));
        self.owed.saturating_sub(may_owe).div_ceil(NANOS)
    }

    /// The time it was turned to.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// From when on nothing is owed.
    pub(super) const fn ends(&self) -> u64 {
        self.at.saturating_add(self.owed.div_ceil(NANOS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ten tokens a second.
    const TEN: u64 = 100_000;

    #[test]
    fn tokens_come_back_one_by_one() {
        let flow = Flow::new(10, 1_000_000, 3);
        let mut bucket = Bucket::new(flow, 3, 0);
        assert_eq!((bucket.used(), bucket.wait(1)), (3, TEN));
        assert_eq!(bucket.turn(flow, TEN - 1), TEN - 1);
        assert_eq!((bucket.used(), bucket.wait(1)), (3, 1));
        bucket.turn(flow, TEN);
        assert_eq!((bucket.used(), bucket.wait(1), bucket.wait(3)), (2, 0, 2 * TEN));
        assert_eq!(bucket.ends(), 3 * TEN);
        assert_eq!(bucket.turn(flow, 5), TEN, "who comes late comes now");
    }

    #[test]
    fn what_is_used_stays_used_when_the_flow_changes() {
        let mut bucket = Bucket::new(Flow::new(10, 1_000_000, 5), 4, 0);
        bucket.turn(Flow::new(1, 1_000_000, 9), 0);
        assert_eq!((bucket.used(), bucket.ends()), (4, 4_000_000));
    }

    #[test]
    fn what_came_back_by_itself_is_not_given_back_again() {
        let flow = Flow::new(10, 1_000_000, 3);
        let mut bucket = Bucket::new(flow, 1, 0);
        bucket.turn(flow, 2 * TEN);
        bucket.take(3);
        bucket.refund(1, 0);
        assert_eq!(bucket.used(), 3);
        bucket.refund(1, 2 * TEN);
        assert_eq!(bucket.used(), 2);
    }

    proptest! {
        #[test]
        fn no_interval_admits_more_than_the_burst_and_what_came_back_in_it(
            (limit, burst) in (1_u64..20, 1_u64..8),
            steps in prop::collection::vec((0_u64..120_000, 1_u64..4, any::<bool>()), 1..200),
        ) {
            let flow = Flow::new(limit, 1_000_000, burst);
            let mut bucket = Bucket::new(flow, 0, 0);
            // What was taken and not given back, when.
            let mut taken: Vec<(u64, u64)> = Vec::new();
            let mut now = 0;
            for (pause, cost, is_refunded) in steps {
                now += pause;
                bucket.turn(flow, now);
                if is_refunded && let Some((then, cost)) = taken.pop() {
                    bucket.refund(cost, then);
                }
                if bucket.used() + cost <= burst {
                    bucket.take(cost);
                    taken.push((now, cost));
                }
            }
            for first in 0..taken.len() {
                let mut sum = 0;
                for (then, cost) in &taken[first..] {
                    sum += cost;
                    let came = (then - taken[first].0) * limit / 1_000_000;
                    prop_assert!(sum <= burst + came + 1, "{sum} from {first}");
                }
            }
        }
    }
}
