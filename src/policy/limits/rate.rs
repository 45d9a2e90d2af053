//! `rate-limit` and `rate-limit-by-key`.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Exchange;
use crate::limit::key::{KeySpace, Kind};
use crate::limit::{Charge, Tallies, Terms};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::{Attribute, optional, required};
use crate::policy::limits::increment::Increment;
use crate::policy::limits::subject::{self, Subject};
use crate::policy::limits::{Signals, ask, claim, number, wait_seconds, within, wrong};
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;
use crate::problem::Problem;

/// `rate-limit`.
#[derive(Clone, Debug)]
pub struct RateLimit {
    parts: Vec<Part>,
    signals: Signals,
}

/// The limit for one subject.
#[derive(Clone, Debug)]
struct Part {
    subject: Subject,
    space: KeySpace,
    terms: Terms,
}

/// `rate-limit-by-key`.
#[derive(Clone, Debug)]
pub struct RateLimitByKey {
    calls: Operand<u64>,
    /// Seconds.
    period: Operand<u64>,
    key: Operand<Arc<str>>,
    increment: Increment,
    space: KeySpace,
    signals: Signals,
}

/// The periods that a rate limit may have, in seconds.
const PERIOD_SECONDS: RangeInclusive<u64> = 1..=300;
const PERIOD_REMEDY: &str = "give a number of seconds from 1 to 300; for longer ones use a quota";

/// What `api` and `operation` are given beside their id.
const NESTED: &[Attribute] = &[optional("name"), required("calls"), required("renewal-period")];

pub(super) fn build(builder: &mut Builder<'_>, element: &Element) {
    let signals = Signals::read(builder, element);
    let mut parts = Vec::new();
    subject::each(builder, element, NESTED, &mut |builder, element, subject| {
        let calls = builder.literal::<u64>(element, "calls");
        let period = within(builder, element, "renewal-period", &PERIOD_SECONDS, PERIOD_REMEDY);
        if let (Some(calls), Some(period)) = (calls, period) {
            let space = KeySpace::new(Kind::Rate, &subject.location(builder.owner));
            let terms = Terms::sliding(calls, Duration::from_secs(period));
            parts.push(Part { subject, space, terms });
        }
    });
    builder.push(element, Action::RateLimit(Box::new(RateLimit { parts, signals })));
}

pub(super) fn build_by_key(builder: &mut Builder<'_>, element: &Element) {
    let calls = builder.attribute(element, "calls");
    let period = builder.attribute::<u64>(element, "renewal-period");
    let key = builder.attribute(element, "counter-key");
    let increment = Increment::read(builder, element);
    let signals = Signals::read(builder, element);
    if let Some(seconds) = period.as_ref().and_then(Operand::constant)
        && !PERIOD_SECONDS.contains(seconds)
    {
        let message = format!("`renewal-period` is {seconds}");
        wrong(builder, element, "renewal-period", message, PERIOD_REMEDY);
    }
    if let (Some(calls), Some(period), Some(key)) = (calls, period, key) {
        let space = KeySpace::new(Kind::RateByKey, &[]);
        let limit = RateLimitByKey { calls, period, key, increment, space, signals };
        builder.push(element, Action::RateLimitByKey(Box::new(limit)));
    }
}

impl RateLimit {
    /// What each of its limits admits.
    pub fn terms(&self) -> impl Iterator<Item = Terms> {
        self.parts.iter().map(|part| part.terms)
    }

    /// Asks for what the request takes of each limit that it is a subject of; goes on where no
    /// subscription was used, for then there is nobody to count for.
    #[expect(clippy::unnecessary_wraps, reason = "the machine runs every policy alike")]
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(subscription) = &exchange.subscription else {
            return Ok(Flow::Next);
        };
        let parts = self.parts.iter().filter(|part| part.subject.covers(exchange));
        let charge =
            |part: &Part| claim(part.space.key(&subscription.id), part.terms, 1, &exchange.pending);
        let charges = parts.map(charge).collect();
        Ok(ask(charges, exchange))
    }

    /// Lets the request pass if all of the limits had room.
    pub(in crate::policy) fn judge(
        &self,
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        self.signals.judge(tallies, exchange)
    }
}

impl RateLimitByKey {
    /// What it admits; none if that is computed for each request.
    pub fn terms(&self) -> Option<Terms> {
        let (calls, seconds) = (self.calls.constant()?, self.period.constant()?);
        Some(Terms::sliding(*calls, Duration::from_secs(*seconds)))
    }

    /// Who is counted.
    pub fn identity(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        self.key.get(exchange).ok()
    }

    /// Asks for what the request takes under its key.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let calls = self.calls.get(exchange)?;
        let seconds = self.period.get(exchange)?;
        if !PERIOD_SECONDS.contains(&seconds) {
            return Err(Failure::value(format!("`renewal-period` is {seconds}: {PERIOD_REMEDY}")));
        }
        let terms = Terms::sliding(calls, Duration::from_secs(seconds));
        let key = self.space.key(&self.key.get(exchange)?);
        let cost = if self.increment.is_late {
            exchange.pending.late.push_back(Charge::look(key, terms));
            0
        } else {
            self.increment.cost(exchange)?
        };
        let charge = claim(key, terms, cost, &exchange.pending);
        Ok(ask(vec![charge], exchange))
    }

    /// Lets the request pass if the limit had room.
    pub(in crate::policy) fn judge(
        &self,
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        if self.increment.is_late && !tallies.admitted() {
            exchange.pending.late.pop_back();
        }
        self.signals.judge(tallies, exchange)
    }

    /// Whether it counts when the response is there.
    pub(in crate::policy) const fn is_deferred(&self) -> bool {
        self.increment.is_late
    }

    /// Whether what it counts depends on the body of the response.
    pub(in crate::policy) const fn reads_response_body(&self) -> bool {
        self.increment.reads_response_body
    }

    /// What the request takes, now that the response is there.
    pub(in crate::policy) fn count_late(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Option<Charge>, Failure> {
        let Some(waiting) = exchange.pending.late.pop_front() else {
            return Ok(None);
        };
        let cost = self.increment.cost(exchange)?;
        let charge = claim(waiting.key, waiting.terms, cost, &exchange.pending);
        Ok((0 < charge.cost).then_some(charge))
    }
}

impl Signals {
    fn judge(&self, tallies: &Tallies, exchange: &mut Exchange) -> Result<Flow, Failure> {
        self.tell(tallies, exchange);
        let Some((_, tally)) = tallies.refusal() else {
            return Ok(Flow::Next);
        };
        // A limit of nothing never has room: who asks again is to do so rarely.
        let seconds = wait_seconds(&tally, *PERIOD_SECONDS.end());
        if let Some(variable) = &self.retry_after_variable {
            exchange.variables.set(variable, number(seconds));
        }
        let mut problem = Problem::rate_limit_exceeded(seconds);
        problem.set(self.retry_after_field.clone(), &seconds.to_string());
        Err(Failure {
            source: None,
            reason: "RateLimitExceeded",
            message: "Rate limit is exceeded".to_owned(),
            problem,
        })
    }
}
