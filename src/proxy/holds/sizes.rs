//! How many bytes the exchanges of each operation usually move.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exchange::Exchange;

/// How many operations are told apart; beyond, some share what is known of them.
const OPERATIONS_MAX: usize = 1024;

/// What is expected of an operation of which nothing is known, in bytes.
const FIRST: u64 = 16 * 1024;

/// What part of the difference one exchange makes: one in so many.
const LEARN_ONE_IN: u64 = 8;

/// How many bytes the exchanges of each operation usually move: moving averages, for all
/// configurations that run one after the other.
#[derive(Debug)]
pub struct Sizes {
    /// By the hash of the operation: the average and one, or nothing.
    averages: Box<[AtomicU64]>,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { averages: (0..OPERATIONS_MAX).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Sizes {
    /// How many bytes an exchange of this operation is likely to move.
    pub fn expected(&self, exchange: &Exchange) -> u64 {
        let known = self.average(exchange).map_or(0, |average| average.load(Ordering::Relaxed));
        known.checked_sub(1).unwrap_or(FIRST)
    }

    /// An exchange of this operation moved so many.
    pub fn learn(&self, exchange: &Exchange, bytes: u64) {
        let Some(average) = self.average(exchange) else { return };
        let next = match average.load(Ordering::Relaxed).checked_sub(1) {
            None => bytes,
            Some(known) if known < bytes => {
                known.saturating_add(bytes.abs_diff(known).div_ceil(LEARN_ONE_IN))
            }
            Some(known) => known.saturating_sub(bytes.abs_diff(known).div_ceil(LEARN_ONE_IN)),
        };
        // Of two at once one is not learned from: it is an average.
        average.store(next.saturating_add(1), Ordering::Relaxed);
    }

    fn average(&self, exchange: &Exchange) -> Option<&AtomicU64> {
        let mut hasher = DefaultHasher::new();
        // Ids stand in the configuration: nobody chooses them to meet here.
        exchange.api.as_ref().map(|api| &api.id).hash(&mut hasher);
        exchange.operation.as_ref().map(|operation| &operation.id).hash(&mut hasher);
        let count = u64::try_from(self.averages.len()).ok()?;
        let place = hasher.finish().checked_rem(count)?;
        self.averages.get(usize::try_from(place).ok()?)
    }
}
