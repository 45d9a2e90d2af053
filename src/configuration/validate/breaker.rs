//! Circuit breakers of backends.

use super::Validator;
use super::pool::is_word;
use crate::backend::circuit::{Condition, FAILURES_MAX, Reasons, Rule};
use crate::configuration::document;
use crate::configuration::yaml::{Mark, Placed};

/// How few requests decide nothing where nothing is written.
const REQUESTS_MIN: u32 = 5;
/// The most that may be written instead.
const REQUESTS_MIN_MAX: u64 = 1_000_000;
/// What counts as a failure where nothing is written.
const USUAL: Reasons = Reasons { timeout: true, unreached: true, server_errors: true };

impl Validator<'_> {
    /// The rule of a circuit breaker.
    pub(super) fn breaker(
        &mut self,
        written: &document::CircuitBreaker,
        backend: Mark,
    ) -> Option<Rule> {
        let mut rules = written.rules.iter();
        let Some(rule) = rules.next() else {
            let message = "this circuit breaker has no rule";
            self.fault(backend, message, "add one to `rules`, or remove `circuitBreaker`");
            return None;
        };
        if let Some(second) = rules.next() {
            let remedy = "keep one; it may name several ranges and reasons";
            self.fault(second.name.mark, "a circuit breaker has one rule", remedy);
        }
        let condition = self.condition(rule);
        let failure = &rule.failure_condition;
        let interval = self.span(&failure.interval, "interval");
        let trip = self.span(&rule.trip_duration, "tripDuration");
        let says_nothing =
            failure.status_code_ranges.is_empty() && failure.error_reasons.is_empty();
        let statuses = failure.status_code_ranges.iter().filter_map(|it| self.range(it)).collect();
        let reasons = if says_nothing { USUAL } else { self.reasons(&failure.error_reasons) };
        Some(Rule {
            name: rule.name.value.clone(),
            condition: condition?,
            interval: interval?,
            statuses,
            reasons,
            trip: trip?,
            accepts_retry_after: rule.accept_retry_after.unwrap_or(false),
            failure_response: self.status(rule.failure_response.as_ref()),
            is_shared: written.shared.unwrap_or(true),
        })
    }

    fn condition(&mut self, rule: &document::CircuitBreakerRule) -> Option<Condition> {
        let failure = &rule.failure_condition;
        if let (Some(least), Some(_)) = (&failure.minimum_requests, &failure.count) {
            let message = "`minimumRequests` has no meaning with `count`";
            self.fault(least.mark, message, "remove it");
        }
        match (&failure.count, &failure.percentage) {
            (Some(count), None) => {
                let most = u64::from(FAILURES_MAX);
                Some(Condition::Count(self.number(Some(count), (1, most), 1)))
            }
            (None, Some(percentage)) => {
                let least = failure.minimum_requests.as_ref();
                let percent = self.number(Some(percentage), (1, 100), 100);
                let requests_min = self.number(least, (1, REQUESTS_MIN_MAX), REQUESTS_MIN);
                Some(Condition::Percentage { percent, requests_min })
            }
            (count, _) => {
                let has = if count.is_some() { "both" } else { "neither" };
                let mark = count.as_ref().map_or(failure.interval.mark, |count| count.mark);
                let message = format!("this condition has {has} of `count` and `percentage`");
                self.fault(mark, message, "write one of the two");
                None
            }
        }
    }

    fn reasons(&mut self, written: &[Placed<String>]) -> Reasons {
        let mut reasons = Reasons::default();
        for reason in written.iter().filter(|reason| !reason.mark.is_made_up()) {
            if is_word(reason, "timeout") {
                reasons.timeout = true;
            } else if is_word(reason, "backendconnectionfailure") {
                reasons.unreached = true;
            } else if is_word(reason, "server errors") {
                reasons.server_errors = true;
            } else {
                let message = format!("no try fails for the reason `{}`", reason.value);
                let remedy = "write `Timeout`, `BackendConnectionFailure` or `Server errors`";
                self.fault(reason.mark, message, remedy);
            }
        }
        reasons
    }
}
