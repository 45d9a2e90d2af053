//! What a cache keeps of an exchange, and under which keys.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::digest::digest;
use crate::time::Timestamp;

/// The identity of a cached item: a digest, so nothing of a client's is in it literally.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CacheKey([u8; 16]);

/// A response as it came from a backend, to be answered again.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was stored.
    pub stored: Timestamp,
    /// How long it is good for, from then on.
    pub ttl: Duration,
}

impl CacheKey {
    /// The key of what `parts` name together: what kind of item it is, then what tells it from
    /// others of its kind. Different lists have different keys, however the parts are cut.
    pub fn new(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        Self(digest(parts))
    }
}

impl CachedResponse {
    /// How many bytes it takes up, about.
    pub fn bytes(&self) -> usize {
        let fields = self.headers.iter().map(|(name, value)| {
            // Name and value are written with about as much again around them in memory.
            let written = name.as_str().len().saturating_add(value.len());
            written.saturating_add(FIELD_OVERHEAD_BYTES)
        });
        size_of::<Self>().saturating_add(fields.fold(self.body.len(), usize::saturating_add))
    }

    /// How old it is at `now`: the value of `Age`.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.stored)
    }

    /// How much longer it is good for at `now`: what remains for `max-age`.
    pub fn remaining(&self, now: Timestamp) -> Duration {
        self.ttl.saturating_sub(self.age(now))
    }
}

/// What a header field takes up in a map beside its text.
const FIELD_OVERHEAD_BYTES: usize = 112;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(CacheKey::new(["a", "bc"]), CacheKey::new(["ab", "c"]));
        assert_eq!(CacheKey::new(["a", "bc"]), CacheKey::new(["a", "bc"]));
    }

    #[test]
    fn a_response_weighs_its_text_and_more_and_ages() {
        let mut headers = HeaderMap::new();
        headers.insert("etag", HeaderValue::from_static("\"1\""));
        let response = CachedResponse {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_static(b"hello"),
            stored: Timestamp::from_micros(5_000_000),
            ttl: Duration::from_secs(10),
        };
        assert!((12..1_000).contains(&response.bytes()));
        let later = Timestamp::from_micros(8_000_000);
        assert_eq!(response.age(later), Duration::from_secs(3));
        assert_eq!(response.remaining(later), Duration::from_secs(7));
        assert_eq!(response.remaining(Timestamp::from_micros(99_000_000)), Duration::ZERO);
    }
}
