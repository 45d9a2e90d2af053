//! `llm-token-limit`, and `azure-openai-token-limit`, which is the same by its older name.
//!
//! What a call of a language model costs is known when it is answered, so a limit of tokens is
//! always passed by those that were on their way when it was met. How far, depends on what is
//! counted before the request is forwarded:
//!
//! | | counted before | held against the limit |
//! |---|---|---|
//! | `estimate-prompt-tokens="false"` | nothing | whether a token is left |
//! | `true`, and wherever the request asks for a stream | the prompt, as estimated | the prompt |
//! | `weir-counting="reserve"` | the prompt, and as much as the answer may have (`max_tokens`, `max_completion_tokens`, `max_output_tokens`) | both |
//!
//! When the response is at its end, or breaks off, what it cost is counted: what its `usage` says, or
//! what was [estimated](crate::llm), also of the part of a stream that a client heard before it
//! left. What was counted before and not spent is given back. A response that is no success costs
//! nothing unless it says so; one of a policy or a cache costs nothing.
//!
//! Where `tokens-consumed-…` or `remaining-…` are named, a response in one JSON document of at most
//! [`MEASURED_BYTES_MAX`] is read before its head goes out, so that they say what it cost. Streams
//! never wait: their field `tokens-consumed-…` is left out, and the variable keeps the estimate.
//!
//! A quota lasts for an hour, day, week, month or year of the calendar in UTC; weeks begin on Monday.
//! Limits with one key share a counter, wherever they stand: one for the rate, and one for each kind
//! of period. As with all limits here a request is refused when nothing is left; API Management's
//! quota is exceeded only by the token after that.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::RETRY_AFTER;

use crate::exchange::Exchange;
use crate::exchange::metering::{Count, Left, Names, Tell};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::limit::key::{KeySpace, Kind};
use crate::limit::{Charge, Tallies, Tally, Terms, same_counter};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog;
use crate::policy::limits::calendar::Period;
use crate::policy::limits::frame::{Asked, Frame, Verdict};
use crate::policy::limits::holding::{Counting, Holding, Nature};
use crate::policy::limits::{FRAMING_FIELDS, claim, told, wait_seconds, wrong};
use crate::policy::llm::metering;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::{Action, Needs};
use crate::problem::Problem;

/// The largest answer that is read before its head goes out, so that fields can say what it cost.
pub const MEASURED_BYTES_MAX: usize = 4 << 20;

/// How long a window of a rate is.
const MINUTE: Duration = Duration::from_mins(1);

/// `llm-token-limit`.
#[derive(Clone, Debug)]
pub struct TokenLimit {
    key: Operand<Arc<str>>,
    estimates: Operand<bool>,
    rate: Option<Rate>,
    quota: Option<Quota>,
    retry_after: Names,
    consumed: Names,
    frame: Frame,
}

/// So many tokens a minute.
#[derive(Clone, Debug)]
struct Rate {
    tokens: Operand<Amount>,
    space: KeySpace,
    remaining: Names,
    name: Arc<str>,
}

/// A number of tokens: an expression may give it as `int` or as `long`.
#[derive(Clone, Copy, Debug)]
struct Amount(u64);

impl Term for Amount {
    // The one type that takes both.
    const EXPECTED: Expected = Expected::Double;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        u64::from_literal(text).map(Self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

/// So many tokens a period.
#[derive(Clone, Debug)]
struct Quota {
    tokens: Operand<Amount>,
    period: Operand<Period>,
    remaining: Names,
    name: Arc<str>,
}

pub(in crate::policy) fn build(builder: &mut Builder<'_>, element: &Element) {
    let has = |name| element.attribute(name).is_some();
    let (is_rate, is_quota) = (has("tokens-per-minute"), has("token-quota"));
    if !is_rate && !is_quota {
        let message =
            format!("`{}` has neither `tokens-per-minute` nor `token-quota`", element.name);
        let remedy = "add tokens-per-minute=\"…\", or token-quota=\"…\" with \
                      token-quota-period=\"Daily\", or both";
        builder.fault(element, message, remedy);
    }
    if is_quota != has("token-quota-period") {
        let message = "`token-quota` and `token-quota-period` need each other";
        builder.fault(element, message, "give both of them, or neither");
    }
    let policy = catalog::find(&element.name).map_or("llm-token-limit", |policy| policy.name);
    let tokens = builder.attribute(element, "tokens-per-minute");
    let rate = tokens.map(|tokens| Rate {
        tokens,
        space: KeySpace::new(Kind::Tokens, &[]),
        remaining: names(builder, element, "remaining-tokens"),
        name: told::name(builder, element, &["rate"]),
    });
    let tokens = builder.attribute(element, "token-quota");
    let period = builder.attribute(element, "token-quota-period");
    let quota = tokens.zip(period).map(|(tokens, period)| Quota {
        tokens,
        period,
        remaining: names(builder, element, "remaining-quota-tokens"),
        name: told::name(builder, element, &["quota"]),
    });
    let key = builder.attribute(element, "counter-key");
    let estimates = builder.attribute(element, "estimate-prompt-tokens");
    let mut retry_after = names(builder, element, "retry-after");
    retry_after.field = retry_after.field.or(Some(RETRY_AFTER));
    let consumed = names(builder, element, "tokens-consumed");
    let nature = Nature { is_rate, is_quota, is_late: true, is_nested: false };
    let holding = builder.references.holding.read(builder, element, nature);
    let needs = builder.needs().and(Needs { request_body: true, ..Needs::default() });
    if let (Some(key), Some(estimates)) = (key, estimates) {
        // What waits for the response is settled as what the exchange costs, not as an increment.
        let frame = Frame::new(policy, element, holding).keyed(element, false);
        let limit = TokenLimit { key, estimates, rate, quota, retry_after, consumed, frame };
        builder.push_with(element, Action::TokenLimit(Box::new(limit)), needs);
    }
}

/// The field and the variable that `stem` names.
fn names(builder: &mut Builder<'_>, element: &Element, stem: &str) -> Names {
    let name = format!("{stem}-header-name");
    let field = builder.literal::<HeaderName>(element, &name);
    if let Some(field) = field.as_ref().filter(|field| FRAMING_FIELDS.contains(field)) {
        let message = format!("`{field}` cannot carry a number of tokens");
        wrong(builder, element, &name, message, "choose another name");
    }
    Names { field, variable: builder.literal(element, &format!("{stem}-variable-name")) }
}

impl TokenLimit {
    /// What it admits; none where that is computed for each request, or depends on the calendar.
    pub fn terms(&self) -> impl Iterator<Item = Option<Terms>> {
        let holding = &self.frame.holding;
        let rate = self
            .rate
            .iter()
            .map(|rate| rate.tokens.constant().map(|tokens| holding.rate(tokens.0, MINUTE)));
        let quota = self.quota.iter().map(|quota| {
            let span = quota.period.constant()?.fixed()?;
            Some(holding.quota(quota.tokens.constant()?.0, span.length, span.origin))
        });
        rate.chain(quota)
    }

    /// How it is held.
    pub const fn holding(&self) -> &Holding {
        &self.frame.holding
    }

    /// Who is counted.
    pub fn identity(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        self.key.get(exchange).ok()
    }

    /// Asks for what the request takes under its key before it is answered.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        self.frame.ask(exchange, |exchange| {
            let who = self.key.get(exchange)?;
            exchange.pending.who = Some(Arc::clone(&who));
            let ahead = self.ahead(exchange)?;
            let mut charges = Vec::with_capacity(2);
            if let Some(rate) = &self.rate {
                let terms = self.frame.holding.rate(rate.tokens.get(exchange)?.0, MINUTE);
                charges.push(claim(rate.space.key(&who), terms, ahead, &mut exchange.pending));
            }
            if let Some(quota) = &self.quota {
                let tokens = quota.tokens.get(exchange)?.0;
                let period = quota.period.get(exchange)?;
                let span = period.at(exchange.now);
                let space = KeySpace::new(Kind::QuotaTokens, &[period.name(), &span.name]);
                let terms = self.frame.holding.quota(tokens, span.length, span.origin);
                charges.push(claim(space.key(&who), terms, ahead, &mut exchange.pending));
            }
            Ok(charges)
        })
    }

    /// Whether the prompt counts before there is an answer.
    fn counts_prompt(&self, exchange: &mut Exchange) -> Result<bool, Failure> {
        Ok(self.estimates.get(exchange)? || metering(exchange).prompt.is_streamed)
    }

    /// What counts before there is an answer.
    fn ahead(&self, exchange: &mut Exchange) -> Result<u64, Failure> {
        let counts_prompt = self.counts_prompt(exchange)?;
        let prompt = metering(exchange).prompt;
        Ok(match self.frame.holding.counting {
            Counting::Reserve => prompt.tokens.saturating_add(prompt.answer_max.unwrap_or(0)),
            Counting::Apim if counts_prompt => prompt.tokens,
            Counting::Apim => 0,
        })
    }

    /// Lets the request pass if the limits had room.
    pub(in crate::policy) fn judge(
        &self,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let names = |_: &Exchange| {
            let rate = self.rate.iter().map(|rate| &rate.name);
            rate.chain(self.quota.iter().map(|quota| &quota.name)).collect()
        };
        let verdict = self.frame.judge(asked, names, exchange)?;
        if let Ok(tallies) = asked.answer {
            let tell = self.tell(asked.charges, tallies, exchange)?;
            if matches!(verdict, Verdict::Admitted) {
                metering(exchange).tells.push(tell);
            }
        }
        match verdict {
            Verdict::Admitted => count(asked.charges, exchange),
            Verdict::Spared => (),
            Verdict::Refused(index, tally) => {
                let kind = asked.charges.get(index).map(|charge| charge.key.kind());
                return Err(self.refused(kind == Some(Kind::QuotaTokens), &tally, exchange));
            }
        }
        Ok(Flow::Next)
    }

    /// Tells how the limits stand before there is an answer; who is to be told then.
    fn tell(
        &self,
        charges: &[Charge],
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Tell, Failure> {
        let is_quiet = self.frame.holding.shadow;
        let consumed =
            if self.counts_prompt(exchange)? { metering(exchange).prompt.tokens } else { 0 };
        // In the response only what is known: nothing before it is there.
        self.consumed.tell(consumed, true, exchange);
        let mut tell = Tell { consumed: self.consumed.clone(), is_quiet, ..Tell::default() };
        for (charge, tally) in charges.iter().zip(tallies.iter()) {
            let (names, slot) = match (charge.key.kind(), &self.rate, &self.quota) {
                (Kind::QuotaTokens, _, Some(quota)) => (&quota.remaining, &mut tell.quota),
                (Kind::Tokens, Some(rate), _) => (&rate.remaining, &mut tell.rate),
                _ => continue,
            };
            let (tokens, names) = (tally.remaining(), names.clone());
            names.tell(tokens, is_quiet, exchange);
            *slot = Some(Left { names, tokens, counted: charge.cost });
        }
        Ok(tell)
    }

    fn refused(&self, is_quota: bool, tally: &Tally, exchange: &mut Exchange) -> Failure {
        // A limit that is smaller than the prompt never has room: who asks again is to do so rarely.
        let otherwise = match &self.quota {
            Some(quota) if is_quota => quota.ends_in(exchange).unwrap_or(MINUTE),
            _ => MINUTE,
        };
        let seconds = wait_seconds(tally, otherwise.as_secs());
        self.retry_after.tell(seconds, true, exchange);
        let (reason, what) = if is_quota {
            ("OpenAITokenQuotaExceeded", "Token quota")
        } else {
            ("OpenAITokenLimitExceeded", "Token limit")
        };
        let mut problem = Problem::tokens_exceeded(is_quota, seconds);
        if let Some(field) = &self.retry_after.field {
            problem.set(field.clone(), &seconds.to_string());
        }
        Failure { source: None, reason, message: format!("{what} is exceeded"), problem }
    }
}

impl Quota {
    /// How long the period still lasts.
    fn ends_in(&self, exchange: &mut Exchange) -> Option<Duration> {
        let span = self.period.get(exchange).ok()?.at(exchange.now);
        let length = span.length.as_secs();
        let into = exchange.now.since(span.origin).as_secs().checked_rem(length)?;
        Some(Duration::from_secs(length.saturating_sub(into)))
    }
}

/// What the exchange costs is counted in the counters of `charges`, in each once.
fn count(charges: &[Charge], exchange: &mut Exchange) {
    let at = exchange.pending.asked;
    let counts = &mut metering(exchange).counts;
    for charge in charges {
        let is_again = counts.iter().any(|known| known.charge.key == charge.key);
        let known = counts.iter_mut().find(|known| same_counter(&known.charge, charge));
        match known {
            Some(known) if known.counted < charge.cost => known.counted = charge.cost,
            Some(_) => (),
            None => {
                let counted = charge.cost;
                counts.push(Count { charge: Charge { is_again, ..*charge }, counted, at });
            }
        }
    }
}
