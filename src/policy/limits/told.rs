//! The fields `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers has them:
//! every limit that applied, in two lists of the final response.
//!
//! What is left is what the counters said. While this replica is out of touch with Redis that is
//! what is left of its own share, never a share taken for the whole.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::exchange::Exchange;
use crate::exchange::pending::Told;
use crate::limit::key::Kind;
use crate::limit::manner::Course;
use crate::limit::{Charge, Tallies, Tally};
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::time::Timestamp;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The largest number of a structured field (RFC 9651).
const NUMBER_MAX: u64 = 999_999_999_999_999;

/// What the limit at `element` is called: its `id`, or the path that leads to it. `part` says more.
pub(super) fn name(builder: &Builder<'_>, element: &Element, part: &[&str]) -> Arc<str> {
    let id = element.attribute("id").map(|id| id.value.as_str().to_owned());
    let place = id.unwrap_or_else(|| {
        let owner = builder.owner.replace(' ', "/");
        // The first of its kind needs no number.
        format!("{owner}/{}", builder.path()).replace("[1]", "")
    });
    let mut name = place;
    for word in part {
        name.push('/');
        name.push_str(word);
    }
    // What a string of a structured field cannot hold as it is.
    let plain = |character: char| match character {
        '"' | '\\' => '_',
        ' '..='~' => character,
        _ => '_',
    };
    name.chars().map(plain).collect::<String>().into()
}

/// Tells how `charges` stand, which are claims of limits with these names.
pub(super) fn tell(
    names: &[&Arc<str>],
    charges: &[Charge],
    tallies: &Tallies,
    exchange: &mut Exchange,
) {
    for ((name, charge), tally) in names.iter().zip(charges).zip(tallies.iter()) {
        let told = Told {
            name: unique(name, &exchange.pending.told),
            terms: (charge.terms.limit, seconds(charge.terms.period)),
            left: (tally.remaining().min(charge.terms.limit), more_in(charge, tally, exchange.now)),
            is_bytes: matches!(charge.key.kind(), Kind::QuotaBandwidth | Kind::QuotaByKeyBandwidth),
        };
        exchange.pending.told.push(told);
    }
    let (mut policies, mut left) = (String::new(), String::new());
    for told in &exchange.pending.told {
        write_one(told, &mut policies, &mut left);
    }
    for (field, value) in [(POLICY, policies), (LEFT, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            exchange.final_fields.set(&field, value);
        }
    }
}

fn write_one(told: &Told, policies: &mut String, left: &mut String) {
    let Told { name, terms: (limit, window), left: (rest, more), is_bytes } = told;
    let comma = if policies.is_empty() { "" } else { ", " };
    let number = |number: u64| number.min(NUMBER_MAX);
    let parameter = |key: &str, value: &Option<u64>| {
        value.map_or_else(String::new, |value| format!(";{key}={}", number(value)))
    };
    // Writing to a string cannot fail.
    let _ = write!(policies, "{comma}\"{name}\";q={}", number(*limit));
    if *is_bytes {
        policies.push_str(";qu=\"content-bytes\"");
    }
    policies.push_str(&parameter("w", window));
    let _ = write!(left, "{comma}\"{name}\";r={}{}", number(*rest), parameter("t", more));
}

/// `name`, or what tells it from those that are told already.
fn unique(name: &Arc<str>, told: &[Told]) -> Arc<str> {
    let is_taken = |name: &str| told.iter().any(|known| *known.name == *name);
    if !is_taken(name) {
        return Arc::clone(name);
    }
    let numbered = |number: usize| format!("{name}#{number}");
    let free = (2..=told.len().saturating_add(2)).map(numbered).find(|name| !is_taken(name));
    free.map_or_else(|| Arc::clone(name), Arc::from)
}

/// In how many seconds there is more of what `charge` takes from; none if never.
fn more_in(charge: &Charge, tally: &Tally, now: Timestamp) -> Option<u64> {
    if !tally.admitted {
        return tally.retry_after_seconds();
    }
    let period = charge.terms.period;
    let limit = charge.terms.limit.max(1);
    let wait = match charge.terms.course() {
        Course::Sliding => period,
        Course::Bucket { .. } => {
            let part = u32::try_from(tally.used.min(limit)).unwrap_or(u32::MAX);
            period.saturating_mul(part) / u32::try_from(limit).unwrap_or(u32::MAX).max(1)
        }
        Course::Fixed { origin } => {
            let into = i128::from(now.micros()).checked_sub(i128::from(origin.micros()));
            let length = i128::try_from(period.as_micros()).ok();
            let into = into.zip(length).and_then(|(into, length)| into.checked_rem_euclid(length));
            let into = into.and_then(|into| u64::try_from(into).ok()).unwrap_or(0);
            period.saturating_sub(Duration::from_micros(into))
        }
    };
    seconds(period).and(Some(ceiled(wait)))
}

/// A period in seconds; none if it never ends.
fn seconds(period: Duration) -> Option<u64> {
    (!period.is_zero()).then(|| ceiled(period))
}

fn ceiled(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(0 < span.subsec_nanos()))
}
