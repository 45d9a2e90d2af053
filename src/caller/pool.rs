//! Idle connections, kept for the next request to the same place.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::IDLE_TIMEOUT;
use crate::caller::connection::Connection;
use crate::caller::destination::Destination;
use crate::time::Timestamp;

/// The idle connections of all places.
pub(super) struct Pool {
    shelves: Mutex<Shelves>,
    connections_max: usize,
}

#[derive(Default)]
struct Shelves {
    /// Those of one place, the one that was used last at the end.
    idle: HashMap<Destination, Vec<Idle>>,
    count: usize,
    swept: Timestamp,
}

struct Idle {
    connection: Connection,
    since: Timestamp,
}

/// How often connections are looked for that were closed or have been idle for too long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Pool {
    /// A pool of at most `connections_max` connections.
    pub(super) fn new(connections_max: usize) -> Self {
        Self { shelves: Mutex::default(), connections_max }
    }

    /// The connection to `destination` that was used last, if it still stands.
    pub(super) fn take(&self, destination: &Destination, now: Timestamp) -> Option<Connection> {
        let mut shelves = self.lock();
        let Shelves { idle, count, .. } = &mut *shelves;
        let stack = idle.get_mut(destination)?;
        while let Some(Idle { mut connection, since }) = stack.pop() {
            *count = count.saturating_sub(1);
            if now.since(since) < IDLE_TIMEOUT && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps `connection` for the next one; closes it if there are enough.
    pub(super) fn put(&self, destination: &Destination, connection: Connection, now: Timestamp) {
        let mut shelves = self.lock();
        if SWEEP_INTERVAL <= now.since(shelves.swept) {
            shelves.sweep(now);
        }
        if self.connections_max <= shelves.count {
            return;
        }
        shelves.count = shelves.count.saturating_add(1);
        let kept = Idle { connection, since: now };
        match shelves.idle.get_mut(destination) {
            Some(stack) => stack.push(kept),
            None => drop(shelves.idle.insert(destination.clone(), vec![kept])),
        }
    }

    /// Closes connections that were idle for too long, or that the backend has closed.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.lock().sweep(now);
    }

    /// Closes all connections over TLS.
    pub(super) fn forget_secure(&self) {
        let mut shelves = self.lock();
        shelves.idle.retain(|destination, _stack| destination.secure.is_none());
        shelves.count = shelves.idle.values().map(Vec::len).sum();
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn sweep(&mut self, now: Timestamp) {
        self.swept = now;
        self.idle.retain(|_destination, stack| {
            stack.retain_mut(|idle| {
                now.since(idle.since) < IDLE_TIMEOUT && idle.connection.is_quiet()
            });
            !stack.is_empty()
        });
        self.count = self.idle.values().map(Vec::len).sum();
    }
}
