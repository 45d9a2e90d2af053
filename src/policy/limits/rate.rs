//! `rate-limit` and `rate-limit-by-key`.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Exchange;
use crate::expression::value::Value;
use crate::limit::key::{KeySpace, Kind};
use crate::limit::{Charge, Terms};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::limits::{RATE_LIMIT, RATE_LIMIT_BY_KEY};
use crate::policy::limits::frame::{Asked, Frame, Verdict};
use crate::policy::limits::holding::{Holding, Nature};
use crate::policy::limits::increment::Increment;
use crate::policy::limits::subject::{self, Subject};
use crate::policy::limits::{Signals, claim, told, wait_seconds, within, wrong};
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
    frame: Frame,
}

/// The limit for one subject.
#[derive(Clone, Debug)]
struct Part {
    subject: Subject,
    space: KeySpace,
    terms: Terms,
    name: Arc<str>,
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
    frame: Frame,
    name: Arc<str>,
}

/// The periods that a rate limit may have, in seconds.
const PERIOD_SECONDS: RangeInclusive<u64> = 1..=300;
const PERIOD_REMEDY: &str = "give a number of seconds from 1 to 300; for longer ones use a quota";

pub(in crate::policy) fn build(builder: &mut Builder<'_>, element: &Element) {
    let signals = Signals::read(builder, element);
    let (mut parts, whole) = (Vec::new(), element);
    let holding = subject::each(builder, element, false, &mut |builder, part| {
        let subject::Part { element, subject, holding } = part;
        let calls = builder.literal::<u64>(element, "calls");
        let period = within(builder, element, "renewal-period", &PERIOD_SECONDS, PERIOD_REMEDY);
        if let (Some(calls), Some(period)) = (calls, period) {
            let space = KeySpace::new(Kind::Rate, &subject.location(builder.owner));
            let terms = holding.rate(calls, Duration::from_secs(period));
            let name = told::name(builder, whole, &subject.words());
            parts.push(Part { subject, space, terms, name });
        }
    });
    let frame = Frame::new(RATE_LIMIT.name, element, holding);
    builder.push(element, Action::RateLimit(Box::new(RateLimit { parts, signals, frame })));
}

pub(in crate::policy) fn build_by_key(builder: &mut Builder<'_>, element: &Element) {
    let calls = builder.attribute(element, "calls");
    let period = builder.attribute::<u64>(element, "renewal-period");
    let key = builder.attribute(element, "counter-key");
    let increment = Increment::read(builder, element);
    let signals = Signals::read(builder, element);
    let nature =
        Nature { is_rate: true, is_quota: false, is_late: increment.is_late, is_nested: false };
    let holding = builder.references.holding.read(builder, element, nature);
    if let Some(seconds) = period.as_ref().and_then(Operand::constant)
        && !PERIOD_SECONDS.contains(seconds)
    {
        let message = format!("`renewal-period` is {seconds}");
        wrong(builder, element, "renewal-period", message, PERIOD_REMEDY);
    }
    if let (Some(calls), Some(period), Some(key)) = (calls, period, key) {
        let space = KeySpace::new(Kind::RateByKey, &[]);
        let name = told::name(builder, element, &[]);
        let frame = Frame::new(RATE_LIMIT_BY_KEY.name, element, holding);
        let frame = frame.keyed(element, increment.is_late);
        let limit = RateLimitByKey { calls, period, key, increment, space, signals, frame, name };
        builder.push(element, Action::RateLimitByKey(Box::new(limit)));
    }
}

impl RateLimit {
    /// What each of its limits admits.
    pub fn terms(&self) -> impl Iterator<Item = Terms> {
        self.parts.iter().map(|part| part.terms)
    }

    /// How it is held.
    pub const fn holding(&self) -> &Holding {
        &self.frame.holding
    }

    /// Asks for what the request takes of each limit that it is a subject of; goes on where no
    /// subscription was used, for then there is nobody to count for.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(subscription) = exchange.subscription.clone() else {
            return Ok(Flow::Next);
        };
        self.frame.ask(exchange, |exchange| {
            let mut charges = Vec::new();
            for part in &self.parts {
                if part.subject.covers(exchange) {
                    let key = part.space.key(&subscription.id);
                    charges.push(claim(key, part.terms, 1, &mut exchange.pending));
                }
            }
            Ok(charges)
        })
    }

    /// Lets the request pass if all of the limits had room.
    pub(in crate::policy) fn judge(
        &self,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let names = |exchange: &Exchange| {
            let parts = self.parts.iter().filter(|part| part.subject.covers(exchange));
            parts.map(|part| &part.name).collect()
        };
        let verdict = self.frame.judge(asked, names, exchange)?;
        self.signals.conclude(&self.frame, asked, &verdict, exchange)
    }
}

impl RateLimitByKey {
    /// What it admits; none if that is computed for each request.
    pub fn terms(&self) -> Option<Terms> {
        let (calls, seconds) = (self.calls.constant()?, self.period.constant()?);
        Some(self.frame.holding.rate(*calls, Duration::from_secs(*seconds)))
    }

    /// How it is held.
    pub const fn holding(&self) -> &Holding {
        &self.frame.holding
    }

    /// Who is counted.
    pub fn identity(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        self.key.get(exchange).ok()
    }

    /// Asks for what the request takes under its key.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        self.frame.ask(exchange, |exchange| {
            let who = self.key.get(exchange)?;
            let key = self.space.key(&who);
            exchange.pending.who = Some(who);
            let calls = self.calls.get(exchange)?;
            let seconds = self.period.get(exchange)?;
            if !PERIOD_SECONDS.contains(&seconds) {
                let message = format!("`renewal-period` is {seconds}: {PERIOD_REMEDY}");
                return Err(Failure::value(message));
            }
            let terms = self.frame.holding.rate(calls, Duration::from_secs(seconds));
            let cost = if self.frame.reserves() {
                self.increment.hold(exchange)
            } else if self.frame.is_late {
                0
            } else {
                self.increment.cost(exchange)?
            };
            Ok(vec![claim(key, terms, cost, &mut exchange.pending)])
        })
    }

    /// Lets the request pass if the limit had room.
    pub(in crate::policy) fn judge(
        &self,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let verdict = self.frame.judge(asked, |_| vec![&self.name], exchange)?;
        if self.frame.is_late && matches!(verdict, Verdict::Admitted) {
            let late = asked.charges.iter().map(|charge| Charge::look(charge.key, charge.terms));
            exchange.pending.late.extend(late);
        }
        self.signals.conclude(&self.frame, asked, &verdict, exchange)
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
        let charge = claim(waiting.key, waiting.terms, cost, &mut exchange.pending);
        Ok((0 < charge.cost).then_some(charge))
    }
}

impl Signals {
    /// What becomes of the request, and what is told of the limits.
    fn conclude(
        &self,
        frame: &Frame,
        asked: Asked<'_>,
        verdict: &Verdict,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        if let Ok(tallies) = asked.answer {
            self.tell(tallies, frame.holding.shadow, exchange);
        }
        let Verdict::Refused(_, tally) = verdict else {
            return Ok(Flow::Next);
        };
        // A limit of nothing never has room: who asks again is to do so rarely.
        let seconds = wait_seconds(tally, *PERIOD_SECONDS.end());
        if let Some(variable) = &self.retry_after_variable {
            exchange.variables.set(variable, Value::whole(seconds));
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
