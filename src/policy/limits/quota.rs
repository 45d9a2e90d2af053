//! `quota` and `quota-by-key`.

use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;

use crate::exchange::Exchange;
use crate::exchange::pending::Pending;
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::{Charge, Tally, Terms, same_counter, window_origin};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::limits::{QUOTA, QUOTA_BY_KEY};
use crate::policy::limits::frame::{Asked, Frame, Verdict};
use crate::policy::limits::holding::{Holding, Nature};
use crate::policy::limits::increment::Increment;
use crate::policy::limits::start::first_period_start;
use crate::policy::limits::subject::{self, Subject};
use crate::policy::limits::{claim, told, wrong};
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
    frame: Frame,
}

/// One amount for one subject.
#[derive(Clone, Debug)]
struct Part {
    subject: Subject,
    space: KeySpace,
    amount: Amount,
    period: Duration,
    holding: Holding,
    name: Arc<str>,
}

/// `quota-by-key`.
#[derive(Clone, Debug)]
pub struct QuotaByKey {
    amounts: Vec<KeyedAmount>,
    period: Duration,
    origin: Timestamp,
    key: Operand<Arc<str>>,
    increment: Increment,
    frame: Frame,
}

/// One amount for each key.
#[derive(Clone, Debug)]
struct KeyedAmount {
    amount: Amount,
    space: KeySpace,
    name: Arc<str>,
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

pub(in crate::policy) fn build(builder: &mut Builder<'_>, element: &Element) {
    let (mut parts, whole) = (Vec::new(), element);
    let holding = subject::each(builder, element, true, &mut |builder, part| {
        let subject::Part { element, subject, holding } = part;
        let amounts = amounts(builder, element);
        let Some(seconds) = builder.literal::<u64>(element, "renewal-period") else {
            return;
        };
        let period = Duration::from_secs(seconds);
        for amount in amounts {
            let kind = amount.kind(Kind::QuotaCalls, Kind::QuotaBandwidth);
            let space = KeySpace::new(kind, &subject.location(builder.owner));
            let mut words = subject.words();
            words.push(amount.word());
            let name = told::name(builder, whole, &words);
            parts.push(Part { subject: subject.clone(), space, amount, period, holding, name });
        }
    });
    let frame = Frame::new(QUOTA.name, element, holding);
    builder.push(element, Action::Quota(Box::new(Quota { parts, frame })));
}

pub(in crate::policy) fn build_by_key(builder: &mut Builder<'_>, element: &Element) {
    let amounts = amounts(builder, element);
    let seconds = builder.literal::<u64>(element, "renewal-period");
    let key = builder.attribute::<Arc<str>>(element, "counter-key");
    let increment = Increment::read(builder, element);
    let nature =
        Nature { is_rate: false, is_quota: true, is_late: increment.is_late, is_nested: false };
    let holding = builder.references.holding.read(builder, element, nature);
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
    let keyed = |amount: Amount| KeyedAmount {
        amount,
        space: KeySpace::new(amount.kind(Kind::QuotaByKeyCalls, Kind::QuotaByKeyBandwidth), &[]),
        name: told::name(builder, element, &[amount.word()]),
    };
    let quota = QuotaByKey {
        amounts: amounts.into_iter().map(keyed).collect(),
        period,
        origin: window_origin(start, period),
        frame: Frame::new(QUOTA_BY_KEY.name, element, holding).keyed(element, increment.is_late),
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

impl Amount {
    const fn kind(self, calls: Kind, bytes: Kind) -> Kind {
        match self {
            Self::Calls(_) => calls,
            Self::Bytes(_) => bytes,
        }
    }

    const fn stated(self, holding: &Holding, period: Duration, origin: Timestamp) -> (Terms, bool) {
        (self.terms(holding, period, origin), matches!(self, Self::Bytes(_)))
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Calls(_) => "calls",
            Self::Bytes(_) => "bandwidth",
        }
    }

    const fn terms(self, holding: &Holding, period: Duration, origin: Timestamp) -> Terms {
        let (Self::Calls(limit) | Self::Bytes(limit)) = self;
        holding.quota(limit, period, origin)
    }
}

impl Quota {
    /// What each of its quotas admits, for a subscription that began with the epoch; and whether
    /// it counts bytes.
    pub fn terms(&self) -> impl Iterator<Item = (Terms, bool)> {
        let terms =
            |part: &Part| part.amount.stated(&part.holding, part.period, Timestamp::default());
        self.parts.iter().map(terms)
    }

    /// How it is held.
    pub const fn holding(&self) -> &Holding {
        &self.frame.holding
    }

    /// Asks for what the request takes of each quota that it is a subject of; goes on where no
    /// subscription was used, for then there is nobody to count for.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(subscription) = exchange.subscription.clone() else {
            return Ok(Flow::Next);
        };
        let origin = subscription.start.or(subscription.created).unwrap_or_default();
        self.frame.ask(exchange, |exchange| {
            exchange.pending.bandwidth.clear();
            let mut charges = Vec::new();
            for part in &self.parts {
                if part.subject.covers(exchange) {
                    let terms = part.amount.terms(&part.holding, part.period, origin);
                    let counter = (part.space.key(&subscription.id), terms);
                    let pending = &mut exchange.pending;
                    charges.push(claim_amount(part.amount, counter, (1, true), pending));
                }
            }
            Ok(charges)
        })
    }

    /// Lets the request pass if all of the quotas had room.
    pub(in crate::policy) fn judge(
        &self,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let names = |exchange: &Exchange| self.parts_for(exchange).map(|part| &part.name).collect();
        let verdict = self.frame.judge(asked, names, exchange)?;
        let amount = |index, exchange: &Exchange| {
            self.parts_for(exchange).nth(index).map(|part| part.amount)
        };
        conclude(&verdict, amount, exchange)
    }

    fn parts_for(&self, exchange: &Exchange) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.subject.covers(exchange))
    }
}

impl QuotaByKey {
    /// What each of its quotas admits, and whether it counts bytes.
    pub fn terms(&self) -> impl Iterator<Item = (Terms, bool)> {
        let (holding, period, origin) = (&self.frame.holding, self.period, self.origin);
        self.amounts.iter().map(move |keyed| keyed.amount.stated(holding, period, origin))
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
            exchange.pending.who = Some(Arc::clone(&who));
            let (calls, weighs) = if self.frame.reserves() {
                (self.increment.hold(exchange), false)
            } else if self.frame.is_late {
                (0, false)
            } else {
                let cost = self.increment.cost(exchange)?;
                (cost, 0 < cost)
            };
            exchange.pending.bandwidth.clear();
            let mut charges = Vec::with_capacity(self.amounts.len());
            for KeyedAmount { amount, space, .. } in &self.amounts {
                let terms = amount.terms(&self.frame.holding, self.period, self.origin);
                let counter = (space.key(&who), terms);
                let charge = claim_amount(*amount, counter, (calls, weighs), &mut exchange.pending);
                charges.push(charge);
            }
            Ok(charges)
        })
    }

    /// Lets the request pass if the quota had room.
    pub(in crate::policy) fn judge(
        &self,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let names = |_: &Exchange| self.amounts.iter().map(|keyed| &keyed.name).collect();
        let verdict = self.frame.judge(asked, names, exchange)?;
        if self.frame.is_late && matches!(verdict, Verdict::Admitted) {
            let late = asked.charges.iter().map(|charge| Charge::look(charge.key, charge.terms));
            exchange.pending.late.extend(late);
        }
        let amount =
            |index, _: &Exchange| self.amounts.get(index).map(|keyed: &KeyedAmount| keyed.amount);
        conclude(&verdict, amount, exchange)
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
        for (KeyedAmount { amount, .. }, waiting) in self.amounts.iter().zip(waiting) {
            match amount {
                Amount::Calls(_) => {
                    let charge = claim(waiting.key, waiting.terms, cost, &mut exchange.pending);
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
/// of the exchange later if it `weighs`.
fn claim_amount(
    amount: Amount,
    (key, terms): (CounterKey, Terms),
    (calls, weighs): (u64, bool),
    pending: &mut Pending,
) -> Charge {
    match amount {
        Amount::Calls(_) => claim(key, terms, calls, pending),
        Amount::Bytes(_) => {
            let look = Charge::look(key, terms);
            if weighs {
                pending.bandwidth.push(look);
            }
            look
        }
    }
}

fn conclude(
    verdict: &Verdict,
    amount: impl FnOnce(usize, &Exchange) -> Option<Amount>,
    exchange: &mut Exchange,
) -> Result<Flow, Failure> {
    let asked = std::mem::take(&mut exchange.pending.bandwidth);
    match verdict {
        Verdict::Admitted => {
            for charge in asked {
                weigh(exchange, charge);
            }
            Ok(Flow::Next)
        }
        Verdict::Spared => Ok(Flow::Next),
        Verdict::Refused(index, tally) => Err(refused(amount(*index, exchange), tally)),
    }
}

/// Counts the bytes of this exchange under the key of `charge`, once.
fn weigh(exchange: &mut Exchange, charge: Charge) {
    if !exchange.bandwidth.iter().any(|known| same_counter(known, &charge)) {
        exchange.bandwidth.push(charge);
    }
}

fn refused(amount: Option<Amount>, tally: &Tally) -> Failure {
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
