//! The circuit breaker of a backend: what counts as a failure, how many are too many, and for how
//! long nothing is sent then.
//!
//! A circuit is closed (requests go) or open (none goes). It opens with the failure that is one too
//! many, and is closed again once its time is over, as in API Management: there is no half-open
//! state, and what was counted before is forgotten. Time is an argument.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use crate::time::Timestamp;

/// When a circuit opens, and for how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What it is called, for people.
    pub name: String,
    /// How many failures are too many.
    pub condition: Condition,
    /// The time in which they are counted, which slides.
    pub interval: Duration,
    /// The statuses that are failures.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// What else is one.
    pub reasons: Reasons,
    /// How long the circuit stays open.
    pub trip: Duration,
    /// Whether a `Retry-After` of the failure that opens it says how long.
    pub accepts_retry_after: bool,
    /// The status of our answer while it is open; 503 if none.
    pub failure_response: Option<StatusCode>,
    /// Whether other replicas are told that it opened, and this one is told of theirs.
    pub is_shared: bool,
}

/// How many failures are too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// So many within the interval; from 1 to [`FAILURES_MAX`].
    Count(u32),
    /// Such a part of the requests within the interval.
    Percentage {
        /// From 1 to 100.
        percent: u32,
        /// With fewer requests nothing is decided.
        requests_min: u32,
    },
}

/// What is a failure beside statuses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reasons {
    /// The head of the response did not come in time.
    pub timeout: bool,
    /// There was no connection, or it broke, or what came was no response.
    pub unreached: bool,
    /// Any status from 500 to 599.
    pub server_errors: bool,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The head of a response.
    Status(StatusCode),
    /// None in time.
    Late,
    /// No connection, or none that lasted.
    Unreached,
}

/// A try that is over.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// What came of it.
    pub outcome: Outcome,
    /// What the response said in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// When it was begun.
    pub begun: Timestamp,
    /// When its outcome was known.
    pub ended: Timestamp,
}

/// What is counted for a rule. At most [`FAILURES_MAX`] times, or [`SLOTS`] sums.
#[derive(Debug)]
pub struct Circuit {
    window: Window,
    tripped: Option<Trip>,
}

/// The last time a circuit opened.
#[derive(Clone, Copy, Debug)]
struct Trip {
    at: Timestamp,
    until: Timestamp,
}

#[derive(Debug)]
enum Window {
    /// When the last failures were, oldest first.
    Failures(VecDeque<Timestamp>),
    /// Sums of the parts of the interval, by their numbers since the epoch; oldest first.
    Sums(VecDeque<Slot>),
}

/// What was counted in one part of the interval.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    requests: u64,
    failures: u64,
}

/// The most failures that a rule counts.
pub const FAILURES_MAX: u32 = 10_000;
/// In how many parts the interval is counted where a percentage decides.
pub const SLOTS: u32 = 60;
/// The longest time that a `Retry-After` can keep a circuit open.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

impl Rule {
    /// Whether `outcome` is a failure.
    pub fn is_failure(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Late => self.reasons.timeout,
            Outcome::Unreached => self.reasons.unreached,
            Outcome::Status(status) => {
                (self.reasons.server_errors && status.is_server_error())
                    || self.statuses.iter().any(|range| range.contains(&status.as_u16()))
            }
        }
    }

    /// How wide a part of the interval is, in microseconds.
    fn slot_micros(&self) -> u64 {
        let micros = u64::try_from(self.interval.as_micros()).unwrap_or(u64::MAX);
        (micros / u64::from(SLOTS)).max(1)
    }
}

impl Circuit {
    /// A closed one.
    pub const fn of(rule: &Rule) -> Self {
        let window = match rule.condition {
            Condition::Count(_) => Window::Failures(VecDeque::new()),
            Condition::Percentage { .. } => Window::Sums(VecDeque::new()),
        };
        Self { window, tripped: None }
    }

    /// Counts a try. Until when the circuit is open, if this opened it.
    pub fn count(&mut self, rule: &Rule, ended: &Try) -> Option<Timestamp> {
        let now = ended.ended;
        // What was sent before the circuit opened says nothing of the time after it.
        if self.tripped.is_some_and(|trip| now < trip.until || ended.begun <= trip.at) {
            return None;
        }
        let is_failure = rule.is_failure(ended.outcome);
        if !self.is_too_many(rule, is_failure, now) {
            return None;
        }
        let asked = ended.retry_after;
        let asked = asked.filter(|span| rule.accepts_retry_after && !span.is_zero());
        let span = asked.map_or(rule.trip, |span| span.min(RETRY_AFTER_MAX));
        let until = now + span;
        self.tripped = Some(Trip { at: now, until });
        self.window = Self::of(rule).window;
        Some(until)
    }

    fn is_too_many(&mut self, rule: &Rule, is_failure: bool, now: Timestamp) -> bool {
        match (&mut self.window, rule.condition) {
            (Window::Failures(times), Condition::Count(most)) if is_failure => {
                while times.front().is_some_and(|first| rule.interval <= now.since(*first)) {
                    times.pop_front();
                }
                times.push_back(now);
                usize::try_from(most.min(FAILURES_MAX)).is_ok_and(|most| most <= times.len())
            }
            (Window::Sums(slots), Condition::Percentage { percent, requests_min }) => {
                let number = now.micros() / rule.slot_micros();
                add(slots, number, is_failure);
                let (requests, failures) = slots.iter().fold((0_u64, 0_u64), |(all, bad), slot| {
                    (all.saturating_add(slot.requests), bad.saturating_add(slot.failures))
                });
                let share = u64::from(percent).saturating_mul(requests);
                is_failure
                    && u64::from(requests_min) <= requests
                    && share <= failures.saturating_mul(100)
            }
            _ => false,
        }
    }
}

/// Counts in the slot `number`, and lets go of those that are out of the interval.
fn add(slots: &mut VecDeque<Slot>, number: u64, is_failure: bool) {
    while slots.front().is_some_and(|slot| u64::from(SLOTS) <= number.saturating_sub(slot.number)) {
        slots.pop_front();
    }
    // Time may stand still, and threads may come in another order than their times.
    if slots.back().is_none_or(|slot| slot.number < number) {
        slots.push_back(Slot { number, requests: 0, failures: 0 });
    }
    if let Some(slot) = slots.back_mut() {
        slot.requests = slot.requests.saturating_add(1);
        slot.failures = slot.failures.saturating_add(u64::from(is_failure));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(condition: Condition) -> Rule {
        Rule {
            name: "rule".to_owned(),
            condition,
            interval: Duration::from_mins(1),
            statuses: vec![429..=429, 500..=599],
            reasons: Reasons { timeout: true, ..Reasons::default() },
            trip: Duration::from_secs(10),
            accepts_retry_after: false,
            failure_response: None,
            is_shared: true,
        }
    }

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn failed(now: u64) -> Try {
        let outcome = Outcome::Status(StatusCode::BAD_GATEWAY);
        Try { outcome, retry_after: None, begun: at(now), ended: at(now) }
    }

    fn answered(now: u64) -> Try {
        Try { outcome: Outcome::Status(StatusCode::OK), ..failed(now) }
    }

    const SECOND: u64 = 1_000_000;

    #[test]
    fn what_a_failure_is_the_rule_says() {
        let rule = rule(Condition::Count(1));
        let status = |code| Outcome::Status(StatusCode::from_u16(code).unwrap());
        assert!(rule.is_failure(status(429)) && rule.is_failure(status(503)));
        assert!(!rule.is_failure(status(200)) && !rule.is_failure(status(404)));
        assert!(rule.is_failure(Outcome::Late) && !rule.is_failure(Outcome::Unreached));
    }

    #[test]
    fn a_count_opens_with_the_last_failure_and_only_within_the_interval() {
        let rule = rule(Condition::Count(3));
        let mut circuit = Circuit::of(&rule);
        assert_eq!(circuit.count(&rule, &failed(SECOND)), None);
        assert_eq!(circuit.count(&rule, &failed(2 * SECOND)), None);
        // A full interval after the first one: that one is out.
        assert_eq!(circuit.count(&rule, &failed(61 * SECOND)), None);
        let last = 62 * SECOND - 1;
        assert_eq!(circuit.count(&rule, &failed(last)), Some(at(last + 10 * SECOND)));
    }

    #[test]
    fn what_was_sent_before_it_opened_is_not_counted_after() {
        let rule = rule(Condition::Count(1));
        let mut circuit = Circuit::of(&rule);
        let until = circuit.count(&rule, &failed(SECOND)).unwrap();
        let late = Try { ended: until, ..failed(SECOND) };
        assert_eq!(circuit.count(&rule, &late), None);
        assert!(circuit.count(&rule, &failed(until.micros())).is_some());
    }

    #[test]
    fn a_percentage_wants_enough_requests() {
        let rule = rule(Condition::Percentage { percent: 50, requests_min: 4 });
        let mut circuit = Circuit::of(&rule);
        let now = 100 * SECOND;
        assert_eq!(circuit.count(&rule, &failed(now)), None);
        assert_eq!(circuit.count(&rule, &failed(now)), None);
        assert_eq!(circuit.count(&rule, &answered(now)), None);
        assert_eq!(circuit.count(&rule, &answered(now)), None, "a success opens nothing");
        assert_eq!(circuit.count(&rule, &failed(now)), Some(at(now + 10 * SECOND)));
    }

    #[test]
    fn a_retry_after_says_how_long_where_the_rule_takes_it() {
        let said = |seconds| Try { retry_after: Some(Duration::from_secs(seconds)), ..failed(5) };
        let deaf = rule(Condition::Count(1));
        assert_eq!(Circuit::of(&deaf).count(&deaf, &said(2)), Some(at(5 + 10 * SECOND)));
        let rule = Rule { accepts_retry_after: true, ..deaf };
        assert_eq!(Circuit::of(&rule).count(&rule, &said(2)), Some(at(5 + 2 * SECOND)));
        let long = Circuit::of(&rule).count(&rule, &said(1_000_000));
        assert_eq!(long, Some(at(5) + RETRY_AFTER_MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The window of failures against all of them, kept.
        #[test]
        fn a_count_opens_exactly_when_it_should(
            most in 1_u32..6,
            steps in proptest::collection::vec((0_u64..20, any::<bool>()), 1..80),
        ) {
            let rule = rule(Condition::Count(most));
            let (mut circuit, mut now, mut open) = (Circuit::of(&rule), SECOND, 0);
            let mut failures: Vec<u64> = Vec::new();
            for (gap, is_failure) in steps {
                now += gap * SECOND;
                if now < open {
                    continue;
                }
                let one = if is_failure { failed(now) } else { answered(now) };
                let opened = circuit.count(&rule, &one);
                if is_failure && (open == 0 || open - 10 * SECOND < now) {
                    failures.push(now);
                }
                let recent = failures.iter().filter(|then| now - **then < 60 * SECOND).count();
                let due = is_failure && usize::try_from(most).unwrap() <= recent;
                prop_assert_eq!(opened, due.then(|| at(now + 10 * SECOND)));
                if due {
                    open = now + 10 * SECOND;
                    failures.clear();
                }
            }
        }

        /// Whatever comes, what is kept of it is bounded.
        #[test]
        fn what_is_kept_is_bounded(times in proptest::collection::vec(0_u64..u64::MAX, 1..300)) {
            for condition in [
                Condition::Count(20),
                Condition::Percentage { percent: 100, requests_min: 10_000 },
            ] {
                let rule = rule(condition);
                let mut circuit = Circuit::of(&rule);
                for now in &times {
                    circuit.count(&rule, &failed(*now));
                }
                let kept = match &circuit.window {
                    Window::Failures(times) => times.len(),
                    Window::Sums(slots) => slots.len(),
                };
                prop_assert!(kept <= 60);
            }
        }
    }
}
