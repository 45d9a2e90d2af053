//! What happened to the requests that one snapshot served: by this a configuration is judged.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::Snapshot;

/// Counts of requests that have ended. They only say how a configuration does, so nobody waits for
/// anybody over them. It is written at each request, and so it has cache lines of its own: what
/// stands beside it in a snapshot is read at each request.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    requests: AtomicU64,
    failures: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
}

/// A snapshot in the hands of one request, whose panic would be told to the tally.
#[derive(Debug)]
pub struct Taken(Arc<Snapshot>);

impl Tally {
    /// A request has ended; `failed` if that was with a status of 500 or more by the gateway's own
    /// making.
    pub fn ended(&self, failed: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request that has ended was an error, see [`errors`](Self::errors).
    pub fn erred(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended in a panic.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests have ended.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many of them failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many were errors: answered with a status of 500 or more, whoever made it (a backend, a
    /// policy, the gateway), or left without a whole answer by a backend; but for what the kill
    /// switch refused. A refusal with a status of 400 to 499 is none.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How many requests ended in a panic.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

impl Taken {
    /// `snapshot`, in the hands of one request.
    pub const fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }
}

impl Deref for Taken {
    type Target = Arc<Snapshot>;

    fn deref(&self) -> &Arc<Snapshot> {
        &self.0
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.tally.panicked();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::configuration::compile::{Making, nothing};
    use crate::time::Timestamp;

    fn snapshot() -> Arc<Snapshot> {
        Arc::new(nothing(&Making {
            generation: 1,
            now: Timestamp::default(),
            instance: Arc::from("test"),
            secret: [0; 32],
            switch: Arc::default(),
            authorities: Arc::new(crate::certificate::trust::Nobody),
            sidecar: Arc::default(),
        }))
    }

    #[test]
    fn a_request_that_panics_is_told_to_the_snapshot_that_served_it() {
        let (old, new) = (snapshot(), snapshot());
        let taken = Taken::new(Arc::clone(&old));
        let request = async move {
            let served = taken;
            std::future::ready(()).await;
            assert!(served.generation == 7, "a bug");
        };
        let polled = thread::spawn(move || {
            let mut request = pin!(request);
            let _never: Poll<()> = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        assert!(polled.join().is_err());
        drop(Taken::new(Arc::clone(&new)));
        assert_eq!((old.tally.panics(), new.tally.panics()), (1, 0));
    }

    #[test]
    fn only_failures_are_failures() {
        let tally = Tally::default();
        tally.ended(false);
        tally.ended(true);
        tally.erred();
        assert_eq!((tally.requests(), tally.failures(), tally.panics()), (2, 1, 0));
        assert_eq!(tally.errors(), 1);
    }
}
