//! Traces that are kept: the last ones of this replica, and those on their way to Redis.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::inspector::TRACE_LIFE;
use crate::time::Timestamp;

/// How many traces a replica keeps, and all replicas together in their list; the oldest gives way.
pub const TRACES_MAX: usize = 100;

/// How many traces wait for Redis; the oldest gives way.
pub const WAITING_MAX: usize = 32;

/// A trace.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it is about.
    pub summary: Summary,
    /// When its request ended.
    pub ended: Timestamp,
    /// The document, as JSON.
    pub document: String,
}

/// What a trace is about.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its id.
    pub trace_id: String,
    /// When its request began.
    pub timestamp: String,
    /// The method.
    pub method: String,
    /// The path of the URL, without its query.
    pub path: String,
    /// The status of the response; 0: the client was gone.
    pub status: u16,
    /// The API, if there is one.
    pub api_id: Option<String>,
    /// The gateway that served it.
    pub gateway: String,
}

/// The last traces of this replica.
#[derive(Debug, Default)]
pub(super) struct Ring(Mutex<VecDeque<Arc<Kept>>>);

/// Traces on their way to Redis.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<Arc<Kept>>>,
    filled: Notify,
}

impl Ring {
    pub(super) fn put(&self, trace: Arc<Kept>) {
        bounded(&mut lock(&self.0), trace, TRACES_MAX);
    }

    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<Arc<Kept>> {
        self.latest(now).into_iter().find(|trace| trace.summary.trace_id == id)
    }

    /// All that are there, the newest first.
    pub(super) fn latest(&self, now: Timestamp) -> Vec<Arc<Kept>> {
        let mut ring = lock(&self.0);
        ring.retain(|trace| now.since(trace.ended) < TRACE_LIFE);
        ring.iter().rev().cloned().collect()
    }
}

impl Outbox {
    pub(super) fn put(&self, trace: Arc<Kept>) {
        bounded(&mut lock(&self.waiting), trace, WAITING_MAX);
        // Only a request that is inspected wakes anybody, and after its response.
        self.filled.notify_one();
    }

    /// Waits until there are some.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Takes all that wait, the oldest first.
    pub(super) fn take(&self) -> VecDeque<Arc<Kept>> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

fn bounded(all: &mut VecDeque<Arc<Kept>>, trace: Arc<Kept>, most: usize) {
    while most <= all.len() {
        all.pop_front();
    }
    all.push_back(trace);
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(number: usize) -> Arc<Kept> {
        let summary = Summary {
            trace_id: number.to_string(),
            timestamp: String::new(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status: 200,
            api_id: None,
            gateway: String::new(),
        };
        let ended = Timestamp::from_micros(1_000_000);
        Arc::new(Kept { summary, ended, document: String::new() })
    }

    #[test]
    fn the_last_ones_are_kept_for_a_while() {
        let (ring, now) = (Ring::default(), Timestamp::from_micros(2_000_000));
        for number in 0..=TRACES_MAX {
            ring.put(trace(number));
        }
        assert_eq!(ring.latest(now).len(), TRACES_MAX);
        assert_eq!(ring.latest(now)[0].summary.trace_id, TRACES_MAX.to_string());
        assert!(ring.find("0", now).is_none() && ring.find("1", now).is_some());
        assert!(ring.latest(now + TRACE_LIFE).is_empty());
    }

    #[test]
    fn redis_that_is_away_costs_no_memory() {
        let outbox = Outbox::default();
        for number in 0..=WAITING_MAX {
            outbox.put(trace(number));
        }
        let waiting = outbox.take();
        assert_eq!((waiting.len(), waiting[0].summary.trace_id.as_str()), (WAITING_MAX, "1"));
        assert!(outbox.take().is_empty());
    }
}
