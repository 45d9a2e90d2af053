//! Limits and quotas: `rate-limit`, `rate-limit-by-key`, `quota`, `quota-by-key`, `llm-token-limit`.
//!
//! | policy | counts | over which time | per |
//! |---|---|---|---|
//! | `rate-limit` | calls | every interval of the period | subscription and place in the configuration |
//! | `rate-limit-by-key` | what the policy says | every interval of the period | key, for the whole gateway |
//! | `quota` | calls, kilobytes | windows from the start of the subscription | subscription and place |
//! | `quota-by-key` | what the policy says, kilobytes | windows from `first-period-start` | key, for the whole gateway |
//! | `llm-token-limit` | [tokens] | every minute; periods of the calendar | key, for the whole gateway |
//!
//! Each step asks for its charges in one go ([`Effect::Charge`](crate::policy::machine::Effect::Charge)) and judges the tallies. What holds
//! for all:
//!
//! * A request pays once in one counter, however many steps meet it; the later ones only check.
//!   One process alone has one counter for a key; shared counters have a period and a kind of window.
//! * A refusal takes nothing.
//! * An increment that reads the response is checked before and counted after it, and so many
//!   requests as are on their way may go over the limit; or, with `counting: reserve`, it is held
//!   before and settled after it: see [`holding`].
//! * A policy in shadow asks and decides, and lets everybody pass.
//! * Bytes are only checked here, for bodies both ways; they are counted by whoever moves them,
//!   from when the request is forwarded until the exchange is over.

pub mod holding;
mod subject;
mod increment;
mod frame;
mod label;
mod start;
mod told;
pub(in crate::policy) mod who;
pub(in crate::policy) mod rate;
pub(in crate::policy) mod quota;
mod calendar;
pub mod tokens;

use std::ops::RangeInclusive;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use crate::exchange::Exchange;
use crate::exchange::pending::{Paid, Pending};
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, Tallies, Tally, Terms};
use crate::policy::build::Builder;
use crate::policy::markup::Element;

pub(super) use frame::Asked;
pub(super) use label::Label;
pub use quota::{Quota, QuotaByKey};
pub use rate::{RateLimit, RateLimitByKey};
pub use who::shown;

/// What a limit tells about itself: in fields of the final response and in variables.
#[derive(Clone, Debug)]
struct Signals {
    retry_after_field: HeaderName,
    retry_after_variable: Option<Arc<str>>,
    remaining_field: Option<HeaderName>,
    remaining_variable: Option<Arc<str>>,
    total_field: Option<HeaderName>,
}

/// Fields that say how long a message is: a number of calls must not.
const FRAMING_FIELDS: [HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

impl Signals {
    fn read(builder: &mut Builder<'_>, element: &Element) -> Self {
        let mut field = |name: &str| {
            let field = builder.literal::<HeaderName>(element, name)?;
            if FRAMING_FIELDS.contains(&field) {
                let message = format!("`{field}` cannot carry a number of calls");
                wrong(builder, element, name, message, "choose another name");
            }
            Some(field)
        };
        let retry_after_field = field("retry-after-header-name").unwrap_or(RETRY_AFTER);
        let remaining_field = field("remaining-calls-header-name");
        let total_field = field("total-calls-header-name");
        Self {
            retry_after_field,
            retry_after_variable: builder.literal(element, "retry-after-variable-name"),
            remaining_field,
            remaining_variable: builder.literal(element, "remaining-calls-variable-name"),
            total_field,
        }
    }

    /// Says what remains of the limit of which least remains; a policy in shadow says it to other
    /// policies only.
    fn tell(&self, tallies: &Tallies, shadow: bool, exchange: &mut Exchange) {
        let Some(tightest) = tallies.iter().min_by_key(|tally| tally.remaining()) else {
            return;
        };
        if let Some(variable) = &self.remaining_variable {
            exchange.variables.set(variable, Value::whole(tightest.remaining()));
        }
        if shadow {
            return;
        }
        if let Some(field) = &self.remaining_field {
            exchange.final_fields.set(field, HeaderValue::from(tightest.remaining()));
        }
        if let Some(field) = &self.total_field {
            exchange.final_fields.set(field, HeaderValue::from(tightest.limit));
        }
    }
}

/// A claim of `cost` on `key`, or less: who has paid in its counter does not pay again, and who
/// pays nothing only sees whether something is left.
fn claim(key: CounterKey, terms: Terms, cost: u64, pending: &mut Pending) -> Charge {
    let mut is_again = false;
    for paid in pending.paid.iter_mut().filter(|paid| paid.charge.key == key) {
        if paid.charge.terms.counts_with(&terms) {
            paid.due = paid.due.max(cost);
            return Charge::recheck(key, terms);
        }
        is_again |= paid.charge.terms.is_local() == terms.is_local();
    }
    match (cost, is_again) {
        (0, _) => Charge::look(key, terms),
        (_, false) => Charge::take(key, terms, cost),
        (_, true) => Charge::again(key, terms, cost),
    }
}

/// Settles what was held until the response was there: returns what is still to be taken, and
/// leaves what is to be given back.
pub(super) fn settle(pending: &mut Pending) -> Vec<Charge> {
    let mut owed = Vec::new();
    for paid in &pending.paid {
        let Some(at) = paid.held else { continue };
        let Paid { charge, due, .. } = *paid;
        let needed = pending.needed(paid);
        if charge.cost < due {
            owed.push(Charge { cost: due.saturating_sub(charge.cost), ..charge });
        } else if needed < charge.cost {
            let cost = charge.cost.saturating_sub(needed);
            pending.refunds.push((Charge { cost, ..charge }, at));
        }
    }
    pending.paid.retain(|paid| paid.held.is_none());
    owed
}

/// Reads the attribute `name`, a whole number in `range`; `remedy` says what to write instead.
fn within(
    builder: &mut Builder<'_>,
    element: &Element,
    name: &str,
    range: &RangeInclusive<u64>,
    remedy: &str,
) -> Option<u64> {
    let value = builder.literal::<u64>(element, name)?;
    if !range.contains(&value) {
        wrong(builder, element, name, format!("`{name}` is {value}"), remedy);
    }
    Some(value)
}

/// Reports a fault at the value of the attribute `name`.
fn wrong(builder: &mut Builder<'_>, element: &Element, name: &str, message: String, remedy: &str) {
    if let Some(value) = element.value(name) {
        let fault = Fault::new(value.place(), message).wide(value.width());
        builder.faults.push(fault.mend(remedy));
    }
}

/// How long a refused request should wait, in seconds: as the tally says, or `otherwise`.
fn wait_seconds(tally: &Tally, otherwise: u64) -> u64 {
    tally.retry_after_seconds().unwrap_or(otherwise.max(1))
}

#[cfg(test)]
mod tests;
