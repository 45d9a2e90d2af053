//! Policies that decide which others run: `choose`, `retry`, `limit-concurrency`,
//! `include-fragment`, `wait`.

pub mod wait;

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Exchange;
use crate::limit::key::{KeySpace, Kind};
use crate::limit::names::Outcome;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::flow::LIMIT_CONCURRENCY;
use crate::policy::limits::Label;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds};
use crate::policy::program::{Action, Needs};
use crate::problem::Problem;

/// The end of a `retry`.
#[derive(Clone, Debug)]
pub struct Retry {
    condition: Operand<bool>,
    count: Operand<u64>,
    interval: Operand<Seconds>,
    max_interval: Option<Operand<Seconds>>,
    delta: Option<Operand<Seconds>>,
    first_is_fast: Option<Operand<bool>>,
}

/// The beginning of a `limit-concurrency`.
#[derive(Clone, Debug)]
pub struct Concurrency {
    key: Operand<Arc<str>>,
    max: u32,
    space: KeySpace,
    label: Label,
}

/// The most retries, as API Management has it.
const RETRIES_MAX: u64 = 50;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(5);

pub(super) fn choose(builder: &mut Builder<'_>, element: &Element) {
    let mut ends = Vec::new();
    // What may run once only, may stand in each branch: one of them is taken.
    let before = builder.met();
    let mut met = before.clone();
    let mut whens = 0_usize;
    let mut otherwise_seen = false;
    for branch in element.elements() {
        let is_when = branch.name.as_ref() == "when";
        if otherwise_seen {
            builder.fault(branch, "nothing may follow `otherwise`", "make it the last branch");
        }
        builder.set_met(before.clone());
        if is_when {
            whens = whens.saturating_add(1);
            when(builder, branch, whens, &mut ends);
        } else if branch.name.as_ref() == "otherwise" {
            otherwise_seen = true;
            builder.branch(branch, 1);
        }
        met.extend(builder.met().into_iter().skip(before.len()));
    }
    builder.set_met(met);
    if whens == 0 {
        builder.fault(element, "`choose` has no `when`", "add <when condition=\"@(…)\">");
    }
    let end = builder.here();
    for jump in ends {
        builder.patch(jump, Action::Jump(end));
    }
}

fn when(builder: &mut Builder<'_>, branch: &Element, number: usize, ends: &mut Vec<usize>) {
    let condition = builder.attribute::<bool>(branch, "condition");
    builder.within(branch, number, |builder| {
        let unless = condition
            .map(|condition| builder.push(branch, Action::Unless { condition, otherwise: 0 }));
        builder.policies(branch);
        ends.push(builder.push_with(branch, Action::Jump(0), Needs::default()));
        if let Some(unless) = unless {
            builder.patch_otherwise(unless, builder.here());
        }
    });
}

pub(super) fn retry(builder: &mut Builder<'_>, element: &Element) {
    builder.push_with(element, Action::RetryEnter, Needs::default());
    builder.policies(element);
    let end = Retry {
        condition: match builder.attribute(element, "condition") {
            Some(condition) => condition,
            None => return,
        },
        count: match builder.attribute(element, "count") {
            Some(count) => count,
            None => return,
        },
        interval: match builder.attribute(element, "interval") {
            Some(interval) => interval,
            None => return,
        },
        max_interval: builder.attribute(element, "max-interval"),
        delta: builder.attribute(element, "delta"),
        first_is_fast: builder.attribute(element, "first-fast-retry"),
    };
    if let Some(count) = end.count.constant()
        && !(1..=RETRIES_MAX).contains(count)
    {
        let remedy = format!("give a count from 1 to {RETRIES_MAX}");
        builder.fault(element, format!("`count` is {count}"), &remedy);
    }
    if end.max_interval.is_some() && end.delta.is_none() {
        builder.fault(element, "`max-interval` stands without `delta`", "add delta=\"…\"");
    }
    builder.push(element, Action::RetryAgain(Box::new(end)));
}

pub(super) fn limit_concurrency(builder: &mut Builder<'_>, element: &Element) {
    let key = builder.attribute(element, "key");
    let max = builder.literal::<u64>(element, "max-count");
    if let (Some(key), Some(max)) = (key, max) {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        if max == 0 {
            builder.fault(element, "`max-count` is 0", "give a count from 1");
        }
        let space = KeySpace::new(Kind::Concurrency, &[]);
        let label = Label::new(LIMIT_CONCURRENCY.name, element).keyed(element, "key");
        let limit = Concurrency { key, max, space, label };
        builder.push(element, Action::ConcurrencyEnter(Box::new(limit)));
    }
    builder.policies(element);
    builder.push_with(element, Action::ConcurrencyLeave, Needs::default());
}

pub(super) fn include_fragment(builder: &mut Builder<'_>, element: &Element) {
    if let Some(id) = builder.literal::<Arc<str>>(element, "fragment-id") {
        let place = element.attribute("fragment-id").map(|attribute| attribute.value.place());
        builder.fragment(&id, &place.unwrap_or_else(|| element.place.clone()));
    }
}

impl Retry {
    /// How long to wait before the children run again; `None` if they do not. `done` is how often
    /// they ran again already.
    pub(super) fn pause(
        &self,
        done: u32,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>, Failure> {
        let count = self.count.get(exchange)?.min(RETRIES_MAX);
        if count <= u64::from(done) || !self.condition.get(exchange)? {
            return Ok(None);
        }
        let fast = match &self.first_is_fast {
            Some(fast) => fast.get(exchange)?,
            None => false,
        };
        if fast && done == 0 {
            return Ok(Some(Duration::ZERO));
        }
        let interval = self.interval.get(exchange)?.0;
        let Some(delta) = &self.delta else {
            return Ok(Some(interval.min(PAUSE_MAX)));
        };
        let delta = delta.get(exchange)?.0;
        let Some(max_interval) = &self.max_interval else {
            return Ok(Some(interval.saturating_add(delta.saturating_mul(done)).min(PAUSE_MAX)));
        };
        let max_interval = max_interval.get(exchange)?.0;
        // Exponential: 0, 1, 3, 7, … times delta, each spread over 0.8 to 1.2.
        let factor = 1_u32.checked_shl(done).unwrap_or(u32::MAX).saturating_sub(1);
        let percent = u32::try_from(exchange.next_random() % 41).unwrap_or(0).saturating_add(80);
        let spread = (delta / 100).saturating_mul(percent);
        let pause = interval.saturating_add(spread.saturating_mul(factor));
        Ok(Some(pause.min(max_interval).min(PAUSE_MAX)))
    }
}

impl Concurrency {
    /// Who is counted.
    pub fn identity(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        self.key.get(exchange).ok()
    }

    pub(super) fn enter(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let who = self.key.get(exchange)?;
        let key = self.space.key(&who);
        exchange.pending.who = Some(who);
        Ok(Flow::Ask(Effect::Enter { key, max: self.max }))
    }

    /// There was no room for who asked last.
    pub(super) fn refused(&self, exchange: &mut Exchange) -> Failure {
        let key = exchange.pending.who.as_ref().map(|who| self.space.key(who));
        self.label.note(Outcome::Refused, key, exchange);
        Failure {
            source: None,
            reason: "RateLimitExceeded",
            message: "Too many requests are being processed".to_owned(),
            problem: Problem::concurrency_exceeded(),
        }
    }
}
