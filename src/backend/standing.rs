//! How a backend stands: whether its circuit is open, and what the checks of its health found.
//!
//! Where a backend has neither there is none of this. It is asked without a lock, by every request;
//! only what a rule counts is behind one, for as long as it takes to count. It outlives
//! configurations for as long as the backend stays what it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use super::circuit::{Circuit, Condition, Outcome, Rule, Try};
use crate::time::Timestamp;

/// How a backend stands.
#[derive(Debug)]
pub struct Standing {
    breaker: Option<Breaker>,
    /// Until when its circuit is open, in microseconds since the epoch; 0 if it never was.
    open_until: AtomicU64,
    /// How often it opened.
    trips: AtomicU64,
    /// Whether checks found that it cannot serve.
    is_ailing: AtomicBool,
    /// When checks found that it can serve again, in microseconds since the epoch.
    recovered: AtomicU64,
}

#[derive(Debug)]
struct Breaker {
    rule: Rule,
    circuit: Mutex<Circuit>,
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
    pub fn new(rule: Option<Rule>) -> Self {
        let breaker = rule.map(|rule| Breaker { circuit: Mutex::new(Circuit::of(&rule)), rule });
        Self {
            breaker,
            open_until: AtomicU64::new(0),
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
        self.open_until.fetch_max(until.micros(), Ordering::Relaxed);
        self.trips.fetch_add(1, Ordering::Relaxed);
        Some(Opened { span: until.since(ended.ended), until, outcome: ended.outcome })
    }

    /// Opens its circuit until then because somebody else's has opened.
    pub fn open(&self, until: Timestamp) {
        self.open_until.fetch_max(until.micros(), Ordering::Relaxed);
    }

    /// How often its circuit opened.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// Whether checks found that it can serve, or nothing yet.
    pub fn is_healthy(&self) -> bool {
        !self.is_ailing.load(Ordering::Relaxed)
    }

    /// What checks found. Whether that is news.
    pub fn found(&self, is_healthy: bool, now: Timestamp) -> bool {
        let was_ailing = self.is_ailing.swap(!is_healthy, Ordering::Relaxed);
        if was_ailing && is_healthy {
            self.recovered.store(now.micros(), Ordering::Relaxed);
        }
        was_ailing == is_healthy
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
    use crate::backend::circuit::Reasons;

    const SECOND: u64 = 1_000_000;

    fn standing() -> Standing {
        Standing::new(Some(Rule {
            name: "rule".to_owned(),
            condition: Condition::Count(2),
            interval: Duration::from_mins(1),
            statuses: Vec::new(),
            reasons: Reasons { unreached: true, ..Reasons::default() },
            trip: Duration::from_secs(10),
            accepts_retry_after: false,
            failure_response: Some(StatusCode::TOO_MANY_REQUESTS),
        }))
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
        assert!(!standing.found(true, now) && standing.back_since().is_none());
        assert!(standing.found(false, now) && !standing.found(false, now));
        assert!(!standing.is_healthy());
        assert!(standing.found(true, now) && standing.is_healthy());
        assert_eq!(standing.back_since(), Some(now));
    }
}
