//! What policies keep in the caches: responses, and values.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::HOP_BY_HOP;
use crate::cache::memory::Item;
use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::flight::{Begun, Landed};
use crate::expression::library::display;
use crate::expression::value::Value;
use crate::policy::caching::made::{Found, Made, WAIT_MAX, Wanted};
use crate::proxy::{Gateway, Run};
use crate::time::Timestamp;

/// Keeps the response of the exchange in the cache.
pub fn store(gateway: &Gateway, run: &Run, key: CacheKey, ttl: Duration) {
    let Some(response) = &run.exchange.response else {
        return;
    };
    let body = response.body.bytes().cloned().unwrap_or_default();
    let now = run.exchange.now;
    let headers = storable(response.headers.map());
    let kept = CachedResponse { status: response.status, headers, body, stored: now, ttl };
    let bytes = kept.bytes();
    // What is too large is not kept; the next request will miss, as it would have after a restart.
    let _ = gateway.responses.put(key, Item { value: Arc::new(kept), bytes }, ttl, now);
}

/// Keeps a value in the cache.
pub fn store_value(gateway: &Gateway, key: CacheKey, value: Value, ttl: Duration, now: Timestamp) {
    let bytes = weight(&value);
    let _ = gateway.values.put(key, Item { value, bytes }, ttl, now);
}

/// Finds a value that is wanted, or whose turn it is to make it.
pub async fn want(gateway: &Gateway, wanted: Wanted, now: Timestamp) -> Found {
    let waiting = async {
        loop {
            if let Some(found) = at_once(gateway, wanted, now) {
                return found;
            }
            let ticket = match gateway.flights.begin(wanted.key) {
                Begun::Follow(ticket) if wanted.waits => ticket,
                Begun::Follow(_ticket) => {
                    let flight = gateway.flights.aside(wanted.key);
                    return Found::Yours { wanted, flight, old: None };
                }
                Begun::Lead(flight) => {
                    // Perhaps somebody has made it since it was looked for.
                    let found = at_once(gateway, wanted, now);
                    return found.unwrap_or(Found::Yours { wanted, flight, old: None });
                }
            };
            match ticket.await {
                Landed::Made(value) => return Found::There(value),
                Landed::Failed => return Found::Failed,
                Landed::Abandoned => (),
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, waiting).await.unwrap_or(Found::Failed)
}

/// A value that is there; if it is old, and nobody makes another, it is for whoever asks to do so.
fn at_once(gateway: &Gateway, wanted: Wanted, now: Timestamp) -> Option<Found> {
    let value = gateway.values.get(&wanted.key, now)?;
    let is_fresh = || wanted.fresh.is_none_or(|mark| gateway.values.get(&mark, now).is_some());
    if is_fresh() {
        return Some(Found::There(value));
    }
    Some(match gateway.flights.begin(wanted.key) {
        Begun::Lead(_flight) if is_fresh() => Found::There(value),
        Begun::Lead(flight) => Found::Yours { wanted, flight, old: Some(value) },
        Begun::Follow(_ticket) => Found::There(value),
    })
}

/// Keeps a value that was made, and gives it to those who wait for it.
pub fn made(gateway: &Gateway, made: Made, now: Timestamp) {
    let Made { wanted, value, expires, refresh, flight } = made;
    if let Some((mark, span)) = wanted.fresh.zip(refresh) {
        store_value(gateway, mark, Value::Bool(true), span, now);
    }
    store_value(gateway, wanted.key, value.clone(), expires, now);
    flight.land(Some(value));
}

/// How many bytes a value takes up, about.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other values are weighed by their text")]
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        // A tree takes a small multiple of its text.
        other => display::text(other).map_or(usize::MAX, |text| text.len().saturating_mul(4)),
    }
}

fn storable(headers: &HeaderMap) -> HeaderMap {
    let mut kept = crate::policy::caching::storable(headers);
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}
