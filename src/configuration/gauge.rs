//! What happens to the requests of the configuration that is served, as far as it is counted.

use crate::snapshot::Live;

/// What was counted since a configuration is served.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// The generation that is served.
    pub generation: u64,
    /// Requests that ended since it is.
    pub requests: u64,
    /// Those of them that failed, see [`Tally::errors`](crate::snapshot::tally::Tally::errors).
    pub errors: u64,
}

/// Counts requests.
pub trait Gauge: Send + Sync {
    /// What is counted now.
    fn read(&self) -> Reading;
}

impl Gauge for Live {
    fn read(&self) -> Reading {
        let snapshot = self.snapshot();
        let tally = &snapshot.tally;
        // Errors first: no more may have failed than have ended.
        let errors = tally.errors();
        Reading { generation: snapshot.generation, requests: tally.requests(), errors }
    }
}
