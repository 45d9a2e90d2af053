//! How a backend stands: whether its circuit is open, and what the checks of its health found.
//!
//! Where a backend has neither there is none of this. It is asked without a lock, by every request;
//! only what a rule counts is behind one, for as long as it takes to count. It outlives
//! configurations for as long as the backend stays what it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use super::check::{Check, Series};
use super::circuit::{Circuit, Condition, Outcome, Rule, Try};
use crate::time::Timestamp;

/// How a backend stands.
#[derive(Debug)]
pub struct Standing {
    breaker: Option<Breaker>,
    health: Option<Health>,
    /// Until when its circuit is open, in microseconds since the epoch; 0 if it never was.
    open_until: AtomicU64,
    /// The same, by what was counted here.
    own_until: AtomicU64,
    /// How often it opened.
    trips: AtomicU64,
    /// Whether checks found that it cannot serve.
    is_ailing: AtomicBool,
    /// When it could serve again after a time in which it could not, in microseconds since the epoch.
    recovered: AtomicU64,
}

#[derive(Debug)]
struct Breaker {
    rule: Rule,
    circuit: Mutex<Circuit>,
}

#[derive(Debug)]
struct Health {
    check: Check,
    series: Mutex<Series>,
    /// How many checks were well, and how many were not.
    counts: [AtomicU64; 2],
    /// Until when the word of another replica counts that it cannot serve, in microseconds since the
    /// epoch: before the first check of this one is over.
    hearsay: AtomicU64,
}

/// Why a backend is not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unavailable {
    /// After how long it is worth asking again.
    pub retry_after: Duration,
    /// The status that its rule wants clients to see; 503 if none.
    pub status: Option<StatusCode>,
}

/// A circuit that has just opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened {
    /// For how long.
    pub span: Duration,
    /// Until when.
    pub until: Timestamp,
    /// What opened it.
    pub outcome: Outcome,
}

impl Unavailable {
    /// For a while of which nothing is known.
    pub const SOON: Self = Self { retry_after: Duration::from_secs(1), status: None };
}

impl Standing {
    /// One that is fit to serve.
    pub fn new(rule: Option<Rule>, check: Option<Check>) -> Self {
        let breaker = rule.map(|rule| Breaker { circuit: Mutex::new(Circuit::of(&rule)), rule });
        let health = check.map(|check| Health {
            check,
            series: Mutex::default(),
            counts: Default::default(),
            hearsay: AtomicU64::new(0),
        });
        Self {
            breaker,
            health,
            open_until: AtomicU64::new(0),
            own_until: AtomicU64::new(0),
            trips: AtomicU64::new(0),
            is_ailing: AtomicBool::new(false),
            recovered: AtomicU64::new(0),
        }
    }

    /// The rule of its circuit breaker.
    pub fn rule(&self) -> Option<&Rule> {
        self.breaker.as_ref().map(|breaker| &breaker.rule)
    }

    /// Until when its circuit is open, if it is.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = Timestamp::from_micros(self.open_until.load(Ordering::Relaxed));
        (now < until).then_some(until)
    }

    /// Why nothing is sent to it, if nothing is.
    pub fn refusal(&self, now: Timestamp) -> Option<Unavailable> {
        let until = self.open_until(now)?;
        let status = self.rule().and_then(|rule| rule.failure_response);
        Some(Unavailable { retry_after: until.since(now), status })
    }

    /// Counts a try. What it opened, if this opened its circuit.
    pub fn count(&self, ended: &Try) -> Option<Opened> {
        let Breaker { rule, circuit } = self.breaker.as_ref()?;
        // Where failures are counted, nothing else changes anything.
        if matches!(rule.condition, Condition::Count(_)) && !rule.is_failure(ended.outcome) {
            return None;
        }
        if self.open_until(ended.ended).is_some() {
            return None;
        }
        let until = {
            let mut circuit = circuit.lock().unwrap_or_else(PoisonError::into_inner);
            circuit.count(rule, ended)?
        };
        self.own_until.store(until.micros(), Ordering::Relaxed);
        self.open_until.fetch_max(until.micros(), Ordering::Relaxed);
        self.trips.fetch_add(1, Ordering::Relaxed);
        Some(Opened { span: until.since(ended.ended), until, outcome: ended.outcome })
    }

    /// Until when its circuit is open by what was counted here, if it is.
    pub fn own_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = Timestamp::from_micros(self.own_until.load(Ordering::Relaxed));
        (now < until).then_some(until)
    }

    /// Opens its circuit until then because somebody else's has opened. Whether it was closed.
    pub fn open(&self, until: Timestamp, now: Timestamp) -> bool {
        let before = self.open_until.fetch_max(until.micros(), Ordering::Relaxed);
        now < until && before <= now.micros()
    }

    /// How often its circuit opened.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// How its health is checked, if it is.
    pub fn check(&self) -> Option<&Check> {
        self.health.as_ref().map(|health| &health.check)
    }

    /// Whether checks of this replica found that it cannot serve.
    pub fn is_ailing(&self) -> bool {
        self.is_ailing.load(Ordering::Relaxed)
    }

    /// Whether checks found that it can serve, or nothing yet.
    pub fn is_healthy(&self, now: Timestamp) -> bool {
        let Some(health) = &self.health else { return true };
        let heard = Timestamp::from_micros(health.hearsay.load(Ordering::Relaxed));
        !self.is_ailing() && heard <= now
    }

    /// What a check found. Whether that changes anything.
    pub fn checked(&self, is_well: bool, now: Timestamp) -> bool {
        let Some(health) = &self.health else { return false };
        let [well, unwell] = &health.counts;
        (if is_well { well } else { unwell }).fetch_add(1, Ordering::Relaxed);
        let mut series = health.series.lock().unwrap_or_else(PoisonError::into_inner);
        health.hearsay.store(0, Ordering::Relaxed);
        let is_news = series.found(is_well, &health.check);
        if is_news {
            self.is_ailing.store(series.is_ailing(), Ordering::Relaxed);
            if is_well {
                self.recovered.fetch_max(now.micros(), Ordering::Relaxed);
            }
        }
        is_news
    }

    /// Another replica found that it cannot serve. That counts until then, unless a check of this one
    /// has been made: two replicas may reach different things.
    pub fn rumoured(&self, until: Timestamp) {
        let Some(health) = &self.health else { return };
        let series = health.series.lock().unwrap_or_else(PoisonError::into_inner);
        if !series.is_begun() {
            health.hearsay.fetch_max(until.micros(), Ordering::Relaxed);
        }
    }

    /// How many checks were well, and how many were not.
    pub fn checks(&self) -> [u64; 2] {
        let counts = self.health.as_ref().map(|health| &health.counts);
        counts.map_or([0; 2], |[well, unwell]| {
            [well.load(Ordering::Relaxed), unwell.load(Ordering::Relaxed)]
        })
    }

    /// When it was last fit to serve again after a time in which it was not; `None` if it never was
    /// unfit.
    pub fn back_since(&self) -> Option<Timestamp> {
        let closed = self.open_until.load(Ordering::Relaxed);
        let since = closed.max(self.recovered.load(Ordering::Relaxed));
        (0 < since).then(|| Timestamp::from_micros(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::check::Ask;
    use crate::backend::circuit::Reasons;

    const SECOND: u64 = 1_000_000;

    fn standing() -> Standing {
        let rule = Rule {
            name: "rule".to_owned(),
            condition: Condition::Count(2),
            interval: Duration::from_mins(1),
            statuses: Vec::new(),
            reasons: Reasons { unreached: true, ..Reasons::default() },
            trip: Duration::from_secs(10),
            accepts_retry_after: false,
            failure_response: Some(StatusCode::TOO_MANY_REQUESTS),
            is_shared: true,
        };
        let ask = Ask::Tcp;
        let (interval, timeout) = (Duration::from_secs(10), Duration::from_secs(2));
        let check = Check { ask, interval, timeout, unhealthy_after: 2, healthy_after: 1 };
        Standing::new(Some(rule), Some(check))
    }

    fn unreached(now: u64) -> Try {
        let at = Timestamp::from_micros(now);
        Try { outcome: Outcome::Unreached, retry_after: None, begun: at, ended: at }
    }

    #[test]
    fn a_circuit_opens_once_and_closes_to_the_tick() {
        let standing = standing();
        assert_eq!(standing.count(&unreached(SECOND)), None);
        let opened = standing.count(&unreached(2 * SECOND)).unwrap();
        assert_eq!(opened.until.micros(), 12 * SECOND);
        assert_eq!(standing.count(&unreached(3 * SECOND)), None);
        assert_eq!(standing.trips(), 1);
        let last = Timestamp::from_micros(12 * SECOND - 1);
        let refusal = standing.refusal(last).unwrap();
        assert_eq!(refusal.retry_after, Duration::from_micros(1));
        assert_eq!(refusal.status, Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(standing.refusal(Timestamp::from_micros(12 * SECOND)), None);
        assert_eq!(standing.back_since(), Some(opened.until));
    }

    #[test]
    fn what_checks_find_is_news_once() {
        let (standing, now) = (standing(), Timestamp::from_micros(7));
        assert!(!standing.checked(true, now) && standing.back_since().is_none());
        assert!(!standing.checked(false, now) && standing.checked(false, now));
        assert!(!standing.is_healthy(now));
        assert!(standing.checked(true, now) && standing.is_healthy(now));
        assert_eq!((standing.back_since(), standing.checks()), (Some(now), [2, 2]));
    }

    #[test]
    fn the_word_of_others_counts_until_the_first_check() {
        let (standing, now) = (standing(), Timestamp::from_micros(7));
        standing.rumoured(Timestamp::from_micros(9));
        assert!(!standing.is_healthy(now) && standing.is_healthy(Timestamp::from_micros(9)));
        assert!(!standing.checked(true, now) && standing.is_healthy(now));
        standing.rumoured(Timestamp::from_micros(9));
        assert!(standing.is_healthy(now));
    }
}
