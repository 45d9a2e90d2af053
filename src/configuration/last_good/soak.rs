//! When a configuration has proved itself: it has served for a while and for many requests,
//! nothing of the gateway panicked over it, and it does not make more requests fail than the one
//! before. Counters in, verdict out.

use std::time::Duration;

use crate::time::Timestamp;

/// For how long a configuration is served at least before it is kept.
pub const TIME: Duration = Duration::from_mins(1);
/// For how many requests at least.
pub const REQUESTS: u64 = 1_000;
/// After how long fewer requests will do.
pub const IDLE: Duration = Duration::from_mins(10);
/// How many more of ten thousand requests may fail than before.
pub const FAILURES_RISE_MAX: u16 = 50;
/// All requests.
const ALL: u16 = 10_000;

/// What has to be borne.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// For how long at least.
    pub time: Duration,
    /// For how many requests at least.
    pub requests: u64,
    /// After how long fewer requests will do.
    pub idle: Duration,
}

/// What happened to requests since a configuration is served.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// How many have ended.
    pub requests: u64,
    /// How many of them failed by the gateway's own making, with a status of 500 or more.
    pub failures: u64,
    /// How many ended in a panic.
    pub panics: u64,
}

/// A configuration that is to prove itself.
#[derive(Clone, Debug)]
pub struct Soak {
    terms: Terms,
    since: Timestamp,
    from: Count,
    /// How many of ten thousand failed before, if that is known.
    before: Option<u16>,
}

/// What can be said of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Not yet anything.
    Wait,
    /// It has proved itself; so many of ten thousand requests failed.
    Earned(u16),
    /// More fail than before. It is looked at anew from here on.
    Rose {
        /// How many of ten thousand failed before.
        before: u16,
        /// How many do now.
        now: u16,
    },
    /// Something panicked over it: it is never kept.
    Panicked,
}

impl Default for Terms {
    fn default() -> Self {
        Self { time: TIME, requests: REQUESTS, idle: IDLE }
    }
}

impl Count {
    /// How many of ten thousand failed; none of none.
    pub fn failures_of_ten_thousand(&self) -> u16 {
        let parts = u128::from(self.failures).saturating_mul(u128::from(ALL));
        let share = parts.checked_div(u128::from(self.requests)).unwrap_or(0);
        u16::try_from(share).unwrap_or(ALL).min(ALL)
    }

    const fn after(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failures: self.failures.saturating_sub(earlier.failures),
            panics: self.panics.saturating_sub(earlier.panics),
        }
    }
}

impl Soak {
    /// A configuration that is served since `now`, from a count of nothing on. `before` is how many
    /// of ten thousand requests failed under the one before; where nobody knows, none are too many.
    pub fn begin(terms: Terms, now: Timestamp, before: Option<u16>) -> Self {
        Self { terms, since: now, from: Count::default(), before }
    }

    /// Compares with `before` from here on, which was not known at first.
    pub const fn compare(&mut self, before: Option<u16>) {
        self.before = before;
    }

    /// What can be said of it at `now`, after `count` since it is served.
    pub fn judge(&mut self, now: Timestamp, count: Count) -> Verdict {
        if 0 < count.panics {
            return Verdict::Panicked;
        }
        let (span, seen) = (now.since(self.since), count.after(self.from));
        let is_long = self.terms.time <= span && self.terms.requests <= seen.requests;
        if !is_long && span < self.terms.idle {
            return Verdict::Wait;
        }
        let share = seen.failures_of_ten_thousand();
        match self.before {
            Some(before) if before.saturating_add(FAILURES_RISE_MAX) < share => {
                // What a backend did for a while is forgiven once it is over.
                (self.since, self.from) = (now, count);
                Verdict::Rose { before, now: share }
            }
            _ => Verdict::Earned(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    const fn count(requests: u64, failures: u64) -> Count {
        Count { requests, failures, panics: 0 }
    }

    fn soak(before: Option<u16>) -> Soak {
        Soak::begin(Terms::default(), START, before)
    }

    #[test]
    fn it_takes_a_minute_and_a_thousand_requests() {
        let mut soak = soak(Some(0));
        assert_eq!(soak.judge(at(59), count(5_000, 0)), Verdict::Wait);
        assert_eq!(soak.judge(at(60), count(999, 0)), Verdict::Wait);
        assert_eq!(soak.judge(at(60), count(1_000, 0)), Verdict::Earned(0));
    }

    #[test]
    fn who_has_few_requests_waits_ten_minutes() {
        let mut soak = soak(Some(0));
        assert_eq!(soak.judge(at(599), count(3, 0)), Verdict::Wait);
        assert_eq!(soak.judge(at(600), count(3, 0)), Verdict::Earned(0));
        assert_eq!(soak.judge(at(600), count(0, 0)), Verdict::Earned(0));
    }

    #[test]
    fn half_a_point_more_failures_is_no_rise_and_more_is_one() {
        let mut soak = soak(Some(100));
        assert_eq!(soak.judge(at(60), count(10_000, 151)), Verdict::Rose { before: 100, now: 151 });
        // A new window has begun: neither the time nor the requests before it count.
        assert_eq!(soak.judge(at(61), count(20_000, 151)), Verdict::Wait);
        assert_eq!(soak.judge(at(120), count(20_000, 301)), Verdict::Earned(150));
    }

    #[test]
    fn where_nobody_knows_what_failed_before_nothing_has_risen() {
        assert_eq!(soak(None).judge(at(60), count(1_000, 1_000)), Verdict::Earned(10_000));
    }

    #[test]
    fn a_panic_is_never_forgiven() {
        let mut soak = soak(None);
        let panicked = Count { requests: 1_000_000, failures: 0, panics: 1 };
        for seconds in [0, 60, 6_000] {
            assert_eq!(soak.judge(at(seconds), panicked), Verdict::Panicked);
        }
    }

    #[test]
    fn a_share_is_one_whatever_is_counted() {
        assert_eq!(count(0, 0).failures_of_ten_thousand(), 0);
        assert_eq!(count(u64::MAX, u64::MAX).failures_of_ten_thousand(), 10_000);
        assert_eq!(count(1, 2).failures_of_ten_thousand(), 10_000);
        assert_eq!(count(3, 1).failures_of_ten_thousand(), 3_333);
    }
}
