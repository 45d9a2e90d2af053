//! Limits and quotas: `rate-limit`, `rate-limit-by-key`, `quota`, `quota-by-key`.
//!
//! | policy | counts | over which time | per |
//! |---|---|---|---|
//! | `rate-limit` | calls | every interval of the period | subscription and place in the configuration |
//! | `rate-limit-by-key` | what the policy says | every interval of the period | key, for the whole gateway |
//! | `quota` | calls, kilobytes | windows from the start of the subscription | subscription and place |
//! | `quota-by-key` | what the policy says, kilobytes | windows from `first-period-start` | key, for the whole gateway |
//!
//! Each step asks for its charges in one go ([`Effect::Charge`]) and judges the tallies. What holds
//! for all four:
//!
//! * A request pays once in one counter, however many steps meet it; the later ones only check.
//!   One process alone has one counter for a key; shared counters have a period and a kind of window.
//! * A refusal takes nothing.
//! * An increment that reads the response is checked before and counted after it; so many requests
//!   as are on their way then may go over the limit.
//! * Bytes are checked before and counted after the exchange, bodies both ways.

mod subject;
mod increment;
mod rate;
mod quota;

use std::ops::RangeInclusive;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use crate::exchange::Exchange;
use crate::exchange::pending::Pending;
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, Tallies, Tally, Terms};
use crate::policy::build::Builder;
use crate::policy::catalog::{
    BELOW_GLOBAL, Build, Content, EVERY_SCOPE, INBOUND, PRODUCT, Policy, optional, required,
};
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;

pub use quota::{Quota, QuotaByKey};
pub use rate::{RateLimit, RateLimitByKey};

/// `rate-limit`: so many calls of a subscription in any interval of the period.
pub const RATE_LIMIT: Policy = Policy {
    name: "rate-limit",
    sections: INBOUND,
    scopes: BELOW_GLOBAL,
    attributes: &[
        required("calls"),
        required("renewal-period"),
        optional("retry-after-header-name"),
        optional("retry-after-variable-name"),
        optional("remaining-calls-header-name"),
        optional("remaining-calls-variable-name"),
        optional("total-calls-header-name"),
    ],
    content: Content::Elements(&["api"]),
    build: Build::Steps(rate::build),
};

/// `rate-limit-by-key`: so many calls under one key in any interval of the period.
pub const RATE_LIMIT_BY_KEY: Policy = Policy {
    name: "rate-limit-by-key",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("calls").computed(),
        required("renewal-period").computed(),
        required("counter-key").computed(),
        optional("increment-condition").computed(),
        optional("increment-count").computed(),
        optional("increment-after-response"),
        optional("retry-after-header-name"),
        optional("retry-after-variable-name"),
        optional("remaining-calls-header-name"),
        optional("remaining-calls-variable-name"),
        optional("total-calls-header-name"),
    ],
    content: Content::Nothing,
    build: Build::Steps(rate::build_by_key),
};

/// `quota`: so many calls or kilobytes of a subscription in each period.
pub const QUOTA: Policy = Policy {
    name: "quota",
    sections: INBOUND,
    scopes: PRODUCT,
    attributes: &[optional("calls"), optional("bandwidth"), required("renewal-period")],
    content: Content::Elements(&["api"]),
    build: Build::Steps(quota::build),
};

/// `quota-by-key`: so many calls or kilobytes under one key in each period.
pub const QUOTA_BY_KEY: Policy = Policy {
    name: "quota-by-key",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("calls"),
        optional("bandwidth"),
        required("renewal-period"),
        required("counter-key").computed(),
        optional("increment-condition").computed(),
        optional("increment-count").computed(),
        optional("first-period-start"),
    ],
    content: Content::Nothing,
    build: Build::Steps(quota::build_by_key),
};

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

    /// Says what remains of the limit of which least remains.
    fn tell(&self, tallies: &Tallies, exchange: &mut Exchange) {
        let Some(tightest) = tallies.iter().min_by_key(|tally| tally.remaining()) else {
            return;
        };
        if let Some(field) = &self.remaining_field {
            exchange.final_fields.set(field, HeaderValue::from(tightest.remaining()));
        }
        if let Some(field) = &self.total_field {
            exchange.final_fields.set(field, HeaderValue::from(tightest.limit));
        }
        if let Some(variable) = &self.remaining_variable {
            exchange.variables.set(variable, number(tightest.remaining()));
        }
    }
}

/// A number as C# would have it.
fn number(count: u64) -> Value {
    match i32::try_from(count) {
        Ok(small) => Value::Int(small),
        Err(_too_large) => Value::Long(i64::try_from(count).unwrap_or(i64::MAX)),
    }
}

/// A claim of `cost` on `key`, or less: who has paid in its counter does not pay again, and who
/// pays nothing only sees whether something is left.
fn claim(key: CounterKey, terms: Terms, cost: u64, pending: &Pending) -> Charge {
    let mut paid = pending.charged.iter().filter(|charge| charge.key == key);
    if cost == 0 {
        let is_paid = paid.any(|charge| charge.terms.counts_with(&terms));
        return if is_paid { Charge::recheck(key, terms) } else { Charge::look(key, terms) };
    }
    let mut is_again = false;
    for charge in paid {
        if charge.terms.counts_with(&terms) {
            return Charge::recheck(key, terms);
        }
        is_again |= charge.terms.is_local() == terms.is_local();
    }
    if is_again { Charge::again(key, terms, cost) } else { Charge::take(key, terms, cost) }
}

/// Asks for `charges`, and remembers what this request pays for. Who is refused comes to no other
/// limit, so it need not be forgotten.
fn ask(charges: Vec<Charge>, exchange: &mut Exchange) -> Flow {
    if charges.is_empty() {
        return Flow::Next;
    }
    let paid = charges.iter().filter(|charge| 0 < charge.cost).copied();
    exchange.pending.charged.extend(paid);
    Flow::Ask(Effect::Charge(charges))
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
