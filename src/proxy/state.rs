//! Whether the gateway takes requests, and how many are in flight.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::budget::Budgets;
use crate::caller::sidecar::Look;
use crate::limit::names::Names;
use crate::problem::Problem;
use crate::proxy::holds::sizes::Sizes;
use crate::proxy::send::Calls;
use crate::snapshot::Snapshot;
use crate::telemetry::samples::Samples;
use crate::telemetry::traffic::Traffic;

/// Whether the gateway takes requests.
#[derive(Debug)]
pub struct State {
    /// Requests that have begun and not ended.
    in_flight: Arc<()>,
    /// Requests that have begun.
    pub requests: AtomicU64,
    /// Set once the gateway is on its way down.
    pub draining: AtomicBool,
    /// Set while Dapr's sidecar is awaited.
    sidecar_awaited: AtomicBool,
    /// What is known of it, where what runs asks it for anything.
    sidecar: Mutex<Option<Arc<Look>>>,
    /// Which limits refused, and whom.
    pub refusals: Names,
    /// How many bytes the exchanges of each operation move.
    pub sizes: Sizes,
    /// The calls that policies make to other services.
    pub calls: Calls,
    /// Samples that policies gave.
    pub samples: Samples,
    /// What is counted of requests.
    pub traffic: Traffic,
    /// How often requests may be forwarded once more.
    pub budgets: Budgets,
    /// How often one was not, because it would have been too often.
    pub spared: AtomicU64,
    /// Makes ids of requests: a sequence that begins at random.
    sequence: AtomicU64,
    /// What numbers of requests are made with that nobody may guess.
    keys: RandomState,
    /// Tells this process's ids from those of others.
    salt: u64,
}

/// A request that has begun; it has ended when this is gone, also if that is because of a panic.
/// The number of those that share it is the count: that takes no more than a counter would.
#[derive(Debug)]
pub struct InFlight {
    _counted: Arc<()>,
}

impl State {
    /// The state of a gateway that starts. `random` is fresh for each process.
    pub fn new(random: [u64; 2], traffic: Traffic, budgets: Budgets) -> Self {
        let [sequence, salt] = random;
        Self {
            in_flight: Arc::default(),
            requests: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            sidecar_awaited: AtomicBool::new(false),
            sidecar: Mutex::default(),
            refusals: Names::default(),
            sizes: Sizes::default(),
            calls: Calls::default(),
            samples: Samples::default(),
            traffic,
            budgets,
            spared: AtomicU64::new(0),
            sequence: AtomicU64::new(sequence),
            keys: RandomState::new(),
            salt,
        }
    }

    /// Counts a request for as long as what is returned lives.
    pub fn begin(&self) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.hold()
    }

    /// Lets a gateway that stops wait as for a request, for as long as what is returned lives.
    pub fn hold(&self) -> InFlight {
        InFlight { _counted: Arc::clone(&self.in_flight) }
    }

    /// How many requests have begun and not ended.
    pub fn in_flight(&self) -> u64 {
        let begun = Arc::strong_count(&self.in_flight).saturating_sub(1);
        u64::try_from(begun).unwrap_or(u64::MAX)
    }

    /// Whether the gateway is on its way down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the gateway takes requests, if `snapshot` is what runs.
    pub fn is_ready(&self, snapshot: &Snapshot) -> bool {
        snapshot.is_configured() && !self.is_draining() && !self.awaits_sidecar()
    }

    /// Whether Dapr's sidecar is awaited.
    pub fn awaits_sidecar(&self) -> bool {
        self.sidecar_awaited.load(Ordering::Relaxed)
    }

    /// Says whether Dapr's sidecar is awaited; returns whether it was.
    pub fn await_sidecar(&self, is_awaited: bool) -> bool {
        self.sidecar_awaited.swap(is_awaited, Ordering::Relaxed)
    }

    /// What is known of Dapr's sidecar, where what runs asks it for anything.
    pub fn sidecar(&self) -> Option<Arc<Look>> {
        self.sidecar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what is known of it.
    pub fn looked_at_sidecar(&self, look: Option<Look>) {
        *self.sidecar.lock().unwrap_or_else(PoisonError::into_inner) = look.map(Arc::new);
    }

    /// What load balancers are told on the data port.
    pub fn status(&self, snapshot: &Snapshot) -> Problem {
        if self.is_ready(snapshot) { Problem::nothing() } else { Problem::unavailable("not_ready") }
    }

    /// A number that nobody can tell from the request's `id`.
    pub fn random(&self, id: u128) -> u64 {
        self.keys.hash_one(id)
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::telemetry::traffic::Terms;

    #[test]
    fn a_request_that_panics_is_in_flight_no_more() {
        let state = State::new([0, 0], Traffic::new(Terms::default()), Budgets::new(None));
        let first = state.begin();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _second = state.begin();
            assert_eq!(state.in_flight(), 2);
            panic!("a bug of ours");
        }));
        assert!(panicked.is_err());
        assert_eq!(state.in_flight(), 1);
        drop(first);
        assert_eq!((state.in_flight(), state.requests.load(Ordering::Relaxed)), (0, 2));
    }
}
