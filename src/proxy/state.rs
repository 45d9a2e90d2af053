//! Whether the gateway takes requests, and how many are in flight.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::limit::names::Names;
use crate::problem::Problem;
use crate::proxy::holds::sizes::Sizes;
use crate::snapshot::Snapshot;

/// Whether the gateway takes requests.
#[derive(Debug)]
pub struct State {
    /// Requests that have begun and not ended.
    pub in_flight: AtomicU64,
    /// Requests that have begun.
    pub requests: AtomicU64,
    /// Set once the gateway is on its way down.
    pub draining: AtomicBool,
    /// Which limits refused, and whom.
    pub refusals: Names,
    /// How many bytes the exchanges of each operation move.
    pub sizes: Sizes,
    /// Makes ids of requests: a sequence that begins at random.
    sequence: AtomicU64,
    /// Tells this process's ids from those of others.
    salt: u64,
}

impl State {
    /// The state of a gateway that starts. `random` is fresh for each process.
    pub fn new(random: [u64; 2]) -> Self {
        let [sequence, salt] = random;
        Self {
            in_flight: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            refusals: Names::default(),
            sizes: Sizes::default(),
            sequence: AtomicU64::new(sequence),
            salt,
        }
    }

    /// Whether the gateway is on its way down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the gateway takes requests, if `snapshot` is what runs.
    pub fn is_ready(&self, snapshot: &Snapshot) -> bool {
        snapshot.is_configured() && !self.is_draining()
    }

    /// What load balancers are told on the data port.
    pub fn status(&self, snapshot: &Snapshot) -> Problem {
        if self.is_ready(snapshot) { Problem::nothing() } else { Problem::unavailable("not_ready") }
    }

    /// The id of the next request.
    pub fn next_id(&self) -> u128 {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        // Multiplying by an odd number is one-to-one: ids differ, and do not show how many there
        // were.
        let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let high = self.salt ^ low.rotate_left(32);
        (u128::from(high) << 64) | u128::from(low)
    }
}
