//! What policies keep in the caches: responses, and values.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::HOP_BY_HOP;
use crate::cache::memory::Item;
use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::expression::library::display;
use crate::expression::value::Value;
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
