//! `quota` and `quota-by-key`.

use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use time::{Date, Month, PrimitiveDateTime, Time};

use crate::exchange::Exchange;
use crate::exchange::pending::Pending;
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::{Charge, Tallies, Tally, Terms, window_origin};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::{Attribute, optional, required};
use crate::policy::limits::increment::Increment;
use crate::policy::limits::subject::{self, Subject};
use crate::policy::limits::{ask, claim, wrong};
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;
use crate::problem::Problem;
use crate::time::Timestamp;

/// `quota`.
#[derive(Clone, Debug)]
pub struct Quota {
    parts: Vec<Part>,
}

/// One amount for one subject.
#[derive(Clone, Debug)]
struct Part {
    subject: Subject,
    space: KeySpace,
    amount: Amount,
    period: Duration,
}

/// `quota-by-key`.
#[derive(Clone, Debug)]
pub struct QuotaByKey {
    amounts: Vec<(Amount, KeySpace)>,
    period: Duration,
    origin: Timestamp,
    key: Operand<Arc<str>>,
    increment: Increment,
}

/// How much of what.
#[derive(Clone, Copy, Debug)]
enum Amount {
    Calls(u64),
    Bytes(u64),
}

/// How many bytes a kilobyte has here.
const KILOBYTE: u64 = 1024;

/// The shortest period of a quota by key that ends at all, in seconds.
const PERIOD_BY_KEY_SECONDS_MIN: u64 = 300;

/// What `api` and `operation` are given beside their id.
const NESTED: &[Attribute] =
    &[optional("name"), optional("calls"), optional("bandwidth"), required("renewal-period")];

/// `first-period-start` unless the policy says otherwise: 0001-01-01T00:00:00Z.
const FIRST_PERIOD_START: i64 = -62_135_596_800;

pub(super) fn build(builder: &mut Builder<'_>, element: &Element) {
    let mut parts = Vec::new();
    subject::each(builder, element, NESTED, &mut |builder, element, subject| {
        let amounts = amounts(builder, element);
        let Some(seconds) = builder.literal::<u64>(element, "renewal-period") else {
            return;
        };
        let period = Duration::from_secs(seconds);
        for amount in amounts {
            let kind = amount.kind(Kind::QuotaCalls, Kind::QuotaBandwidth);
            let space = KeySpace::new(kind, &subject.location(builder.owner));
            parts.push(Part { subject: subject.clone(), space, amount, period });
        }
    });
    builder.push(element, Action::Quota(Box::new(Quota { parts })));
}

pub(super) fn build_by_key(builder: &mut Builder<'_>, element: &Element) {
    let amounts = amounts(builder, element);
    let seconds = builder.literal::<u64>(element, "renewal-period");
    let key = builder.attribute(element, "counter-key");
    let increment = Increment::read(builder, element);
    let start = first_period_start(builder, element);
    let (Some(seconds), Some(key)) = (seconds, key) else {
        return;
    };
    if seconds != 0 && seconds < PERIOD_BY_KEY_SECONDS_MIN {
        let remedy = format!(
            "give at least {PERIOD_BY_KEY_SECONDS_MIN} seconds, or 0 for a quota that never renews; \
             for shorter periods use `rate-limit-by-key`"
        );
        let message = format!("`renewal-period` is {seconds}");
        wrong(builder, element, "renewal-period", message, &remedy);
    }
    let period = Duration::from_secs(seconds);
    let with_space = |amount: Amount| {
        let kind = amount.kind(Kind::QuotaByKeyCalls, Kind::QuotaByKeyBandwidth);
        (amount, KeySpace::new(kind, &[]))
    };
    let quota = QuotaByKey {
        amounts: amounts.into_iter().map(with_space).collect(),
        period,
        origin: window_origin(start, period),
        key,
        increment,
    };
    builder.push(element, Action::QuotaByKey(Box::new(quota)));
}

/// Reads `calls` and `bandwidth`, at least one of which is given.
fn amounts(builder: &mut Builder<'_>, element: &Element) -> Vec<Amount> {
    let calls = builder.literal::<u64>(element, "calls").map(Amount::Calls);
    let kilobytes = builder.literal::<u64>(element, "bandwidth");
    let bytes = kilobytes.map(|kilobytes| Amount::Bytes(kilobytes.saturating_mul(KILOBYTE)));
    if element.attribute("calls").is_none() && element.attribute("bandwidth").is_none() {
        let message = format!("`{}` has neither `calls` nor `bandwidth`", element.name);
        builder.fault(element, message, "add calls=\"…\", bandwidth=\"…\" (kilobytes) or both");
    }
    calls.into_iter().chain(bytes).collect()
}

/// Reads `first-period-start`: seconds since the Unix epoch.
fn first_period_start(builder: &mut Builder<'_>, element: &Element) -> i64 {
    let Some(text) = builder.literal::<Arc<str>>(element, "first-period-start") else {
        return FIRST_PERIOD_START;
    };
    parse_start(&text).unwrap_or_else(|| {
        let message = format!("`{text}` is no time of the form yyyy-MM-ddTHH:mm:ssZ");
        let remedy = "write a UTC time such as 2026-01-01T00:00:00Z";
        wrong(builder, element, "first-period-start", message, remedy);
        FIRST_PERIOD_START
    })
}

/// The seconds since the Unix epoch of a time written `yyyy-MM-ddTHH:mm:ssZ`.
fn parse_start(text: &str) -> Option<i64> {
    let (date, clock) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = digits(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = digits(clock, ':', [2, 2, 2])?;
    let small = |number: u16| u8::try_from(number).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, small(day)?).ok()?;
    let clock = Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    // The year 0 is not one of .NET's, nor of the calendar.
    (year != 0).then(|| PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp())
}

/// Three numbers with `separator` between them, each of so many digits.
fn digits(text: &str, separator: char, widths: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let plain = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = if plain { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

impl Amount {
    const fn kind(self, calls: Kind, bytes: Kind) -> Kind {
        match self {
            Self::Calls(_) => calls,
            Self::Bytes(_) => bytes,
        }
    }

    const fn stated(self, period: Duration, origin: Timestamp) -> (Terms, bool) {
        (self.terms(period, origin), matches!(self, Self::Bytes(_)))
    }

    const fn terms(self, period: Duration, origin: Timestamp) -> Terms {
        let (Self::Calls(limit) | Self::Bytes(limit)) = self;
        Terms::fixed(limit, period, origin)
    }
}

impl Quota {
    /// What each of its quotas admits, for a subscription that began with the epoch; and whether
    /// it counts bytes.
    pub fn terms(&self) -> impl Iterator<Item = (Terms, bool)> {
        let terms = |part: &Part| part.amount.stated(part.period, Timestamp::default());
        self.parts.iter().map(terms)
    }

    /// Asks for what the request takes of each quota that it is a subject of; goes on where no
    /// subscription was used, for then there is nobody to count for.
    #[expect(clippy::unnecessary_wraps, reason = "the machine runs every policy alike")]
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(subscription) = exchange.subscription.clone() else {
            return Ok(Flow::Next);
        };
        let origin = subscription.start.or(subscription.created).unwrap_or_default();
        let mut pending = std::mem::take(&mut exchange.pending);
        pending.bandwidth.clear();
        let mut charges = Vec::new();
        for part in self.parts.iter().filter(|part| part.subject.covers(exchange)) {
            let key = part.space.key(&subscription.id);
            let terms = part.amount.terms(part.period, origin);
            charges.push(claim_amount(part.amount, key, terms, 1, &mut pending));
        }
        exchange.pending = pending;
        Ok(ask(charges, exchange))
    }

    /// Lets the request pass if all of the quotas had room.
    pub(in crate::policy) fn judge(
        &self,
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let parts = self.parts.iter().filter(|part| part.subject.covers(exchange));
        let amounts: Vec<_> = parts.map(|part| part.amount).collect();
        judge(&amounts, tallies, exchange)
    }
}

impl QuotaByKey {
    /// What each of its quotas admits, and whether it counts bytes.
    pub fn terms(&self) -> impl Iterator<Item = (Terms, bool)> {
        self.amounts.iter().map(|(amount, _)| amount.stated(self.period, self.origin))
    }

    /// Who is counted.
    pub fn identity(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        self.key.get(exchange).ok()
    }

    /// Asks for what the request takes under its key.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let identity = self.key.get(exchange)?;
        let late = self.increment.is_late;
        let cost = if late { 0 } else { self.increment.cost(exchange)? };
        exchange.pending.bandwidth.clear();
        let mut charges = Vec::with_capacity(self.amounts.len());
        for (amount, space) in &self.amounts {
            let key = space.key(&identity);
            let terms = amount.terms(self.period, self.origin);
            charges.push(claim_amount(*amount, key, terms, cost, &mut exchange.pending));
            if late {
                exchange.pending.late.push_back(Charge::look(key, terms));
            }
        }
        Ok(ask(charges, exchange))
    }

    /// Lets the request pass if the quota had room.
    pub(in crate::policy) fn judge(
        &self,
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        if self.increment.is_late && !tallies.admitted() {
            let late = exchange.pending.late.len();
            exchange.pending.late.truncate(late.saturating_sub(self.amounts.len()));
        }
        let amounts: Vec<_> = self.amounts.iter().map(|(amount, _)| *amount).collect();
        judge(&amounts, tallies, exchange)
    }

    /// Whether it counts when the response is there.
    pub(in crate::policy) const fn is_deferred(&self) -> bool {
        self.increment.is_late
    }

    /// Whether what it counts depends on the body of the response.
    pub(in crate::policy) const fn reads_response_body(&self) -> bool {
        self.increment.reads_response_body
    }

    /// The calls that the request takes, now that the response is there. A quota of bytes joins
    /// those that get the bytes of the exchange.
    pub(in crate::policy) fn count_late(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Option<Charge>, Failure> {
        let count = self.amounts.len().min(exchange.pending.late.len());
        let waiting: Vec<_> = exchange.pending.late.drain(..count).collect();
        let cost = self.increment.cost(exchange)?;
        let mut calls = None;
        for ((amount, _), waiting) in self.amounts.iter().zip(waiting) {
            match amount {
                Amount::Calls(_) => {
                    let charge = claim(waiting.key, waiting.terms, cost, &exchange.pending);
                    calls = (0 < charge.cost).then_some(charge);
                }
                Amount::Bytes(_) if 0 < cost => weigh(exchange, waiting),
                Amount::Bytes(_) => (),
            }
        }
        Ok(calls)
    }
}

/// What a request claims of `amount`: calls are taken, bytes are only looked at, and get the bytes
/// of the exchange later unless `cost` is nothing.
fn claim_amount(
    amount: Amount,
    key: CounterKey,
    terms: Terms,
    cost: u64,
    pending: &mut Pending,
) -> Charge {
    match amount {
        Amount::Calls(_) => claim(key, terms, cost, pending),
        Amount::Bytes(_) => {
            let look = Charge::look(key, terms);
            if 0 < cost {
                pending.bandwidth.push(look);
            }
            look
        }
    }
}

fn judge(amounts: &[Amount], tallies: &Tallies, exchange: &mut Exchange) -> Result<Flow, Failure> {
    let asked = std::mem::take(&mut exchange.pending.bandwidth);
    let Some((index, tally)) = tallies.refusal() else {
        for charge in asked {
            weigh(exchange, charge);
        }
        return Ok(Flow::Next);
    };
    Err(refused(amounts.get(index), &tally))
}

/// Counts the bytes of this exchange under the key of `charge`, once.
fn weigh(exchange: &mut Exchange, charge: Charge) {
    if !exchange.bandwidth.iter().any(|known| known.key == charge.key) {
        exchange.bandwidth.push(charge);
    }
}

fn refused(amount: Option<&Amount>, tally: &Tally) -> Failure {
    let replenished = tally.replenished_in();
    let seconds = tally.retry_after_seconds();
    let problem = match amount {
        Some(Amount::Bytes(_)) => Problem::bandwidth_quota_exceeded,
        Some(Amount::Calls(_)) | None => Problem::call_quota_exceeded,
    };
    let mut problem = problem(&replenished, seconds.unwrap_or_default());
    if seconds.is_none() {
        // No time to come back at is better than a wrong one.
        problem.headers.remove(RETRY_AFTER);
    }
    let message = problem.message.to_string();
    Failure { source: None, reason: "QuotaExceeded", message, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_as_it_is_documented_and_in_no_other_way() {
        assert_eq!(parse_start("0001-01-01T00:00:00Z"), Some(FIRST_PERIOD_START));
        assert_eq!(parse_start("1970-01-02T00:00:01Z"), Some(86_401));
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-1-1T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00+02:00Z",
            "+026-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(parse_start(text), None, "{text}");
        }
    }
}
