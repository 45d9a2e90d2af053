//! Where the counters are, behind the contract of [`limit::Counters`](crate::limit::Counters): in
//! this process, or over a Redis that replicas share.
//!
//! `counters/scenarios.rs` is that contract as a suite; a home is one when it passes.

pub mod memory;
pub mod redis;
pub mod shared;
#[cfg(test)]
mod scenarios;

use std::time::Duration;

use crate::counters::memory::{Memory, Usage};
use crate::counters::shared::{Report, Shared};
use crate::limit::{Answer, Charge, Counters};
use crate::time::Timestamp;

/// Where the counters are.
#[derive(Debug)]
pub enum Home {
    /// In this process, for it alone.
    Here(Box<Memory>),
    /// Over Redis, for all replicas.
    Shared(Shared),
}

impl Home {
    /// How full it is, as far as this replica counts alone.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Here(memory) => memory.usage(),
            Self::Shared(shared) => shared.report().alone,
        }
    }

    /// How sharing is doing; `None` if nothing is shared.
    pub fn shared(&self) -> Option<Report> {
        match self {
            Self::Here(_) => None,
            Self::Shared(shared) => Some(shared.report()),
        }
    }

    /// Hands back what this replica holds for itself; to be called when no request comes any more.
    pub async fn leave(&self, max: Duration) {
        if let Self::Shared(shared) = self
            && !shared.leave(max).await
        {
            tracing::warn!(
                "Redis did not hear that this replica leaves: its part of each limit is held back \
                 from the others until it comes back or is taken for dead"
            );
        }
    }
}

impl Counters for Home {
    fn charge<'a>(&'a self, charges: &'a [Charge], now: Timestamp) -> Answer<'a> {
        match self {
            Self::Here(memory) => memory.charge(charges, now),
            Self::Shared(shared) => shared.charge(charges, now),
        }
    }

    fn add(&self, charges: &[Charge], now: Timestamp) {
        match self {
            Self::Here(memory) => memory.add(charges, now),
            Self::Shared(shared) => shared.add(charges, now),
        }
    }

    fn refund(&self, charges: &[Charge], at: Timestamp) {
        match self {
            Self::Here(memory) => memory.refund(charges, at),
            Self::Shared(shared) => shared.refund(charges, at),
        }
    }
}
