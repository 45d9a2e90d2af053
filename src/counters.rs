//! Where the counters are, behind the contract of [`limit::Counters`](crate::limit::Counters): in
//! this process, or over a Redis that replicas share.
//!
//! `counters/scenarios.rs` is that contract as a suite; a home is one when it passes.

pub mod view;
pub mod memory;
pub mod redis;
pub mod shared;
pub mod reset;
#[cfg(test)]
mod scenarios;

use std::sync::Arc;
use std::time::Duration;

use crate::counters::memory::{Memory, Usage};
use crate::counters::reset::{CannotReset, CounterReset, Reach};
use crate::counters::shared::{Report, Shared};
use crate::counters::view::{AsOf, Found, Prefix, Room, Row, Search, Top};
use crate::limit::concurrency::{Concurrency, Entrance};
use crate::limit::engine::rule::{Rule, Unfit};
use crate::limit::key::CounterKey;
use crate::limit::manner::Mode;
use crate::limit::{Answer, Charge, Counters, Terms};
use crate::time::Timestamp;

/// Where the counters are.
#[derive(Debug)]
pub enum Home {
    /// In this process, for it alone.
    Here(Box<Memory>, Arc<Concurrency>),
    /// Over Redis, for all replicas.
    Shared(Shared),
}

impl Home {
    /// Counters in this process.
    pub fn here() -> Self {
        Self::Here(Box::default(), Arc::default())
    }

    /// Lets one in under `key` if fewer than `max` are inside.
    pub fn enter(&self, key: CounterKey, max: u32) -> Entrance {
        match self {
            Self::Here(_, concurrency) => Entrance::Now(concurrency.enter(key, max)),
            Self::Shared(shared) => shared.enter(key, max),
        }
    }

    /// How full it is, as far as this replica counts alone.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Here(memory, _) => memory.usage(),
            Self::Shared(shared) => shared.report().alone,
        }
    }

    /// How sharing is doing; `None` if nothing is shared.
    pub fn shared(&self) -> Option<Report> {
        match self {
            Self::Here(..) => None,
            Self::Shared(shared) => Some(shared.report()),
        }
    }

    /// The `count` counters that are nearest to their limits on this replica, the nearest first.
    pub fn top(&self, count: usize, now: Timestamp) -> Vec<Row> {
        self.top_of(count, now, |_row| true)
    }

    /// The same of those that are `wanted`.
    pub fn top_of(&self, count: usize, now: Timestamp, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut top = Top::new(count);
        self.look(now, |row| {
            if wanted(&row) {
                top.show(row);
            }
        });
        top.rows()
    }

    /// The `count` keys of `limit-concurrency` that are nearest to their limits on this replica, the
    /// nearest first.
    pub fn rooms(&self, count: usize) -> Vec<Room> {
        let mut top = Top::new(count);
        self.look_inside(|room| top.show(room));
        top.rows()
    }

    /// The counters of the key whose digest begins with `prefix`.
    pub fn find(&self, prefix: &Prefix, now: Timestamp) -> Found {
        let mut search = Search::of(prefix);
        self.look(now, |row| search.show(row));
        self.look_inside(|room| search.show_room(room));
        search.found()
    }

    /// Sets back the counter that `row` shows.
    pub async fn reset(&self, row: Row, now: Timestamp) -> Result<CounterReset, CannotReset> {
        match self {
            Self::Here(memory, _) => {
                let used = memory.forget(&row.key, now).unwrap_or(0);
                Ok(CounterReset { before: row, used, left: 0, reach: Reach::ThisReplica })
            }
            Self::Shared(shared) => shared.reset(row).await,
        }
    }

    /// Its name: `memory` or `redis`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Here(..) => "memory",
            Self::Shared(_) => "redis",
        }
    }

    /// How many counters it holds here.
    pub fn counters(&self) -> usize {
        match self {
            Self::Here(memory, _) => memory.usage().keys,
            Self::Shared(shared) => {
                let report = shared.report();
                report.counters.saturating_add(report.alone.keys)
            }
        }
    }

    /// How many replicas share, as last heard; none: nothing is shared, or nothing was heard.
    pub fn replicas(&self) -> Option<u32> {
        let lanes = self.shared()?.lanes;
        lanes.iter().map(|lane| lane.replicas).max().filter(|replicas| 0 < *replicas)
    }

    /// The rule that `terms` become where they are shared, or why they cannot be; none if each
    /// gateway counts them alone.
    pub fn rule(&self, terms: &Terms) -> Option<Result<Rule, Unfit>> {
        match self {
            Self::Here(..) => None,
            Self::Shared(_) if terms.manner.mode == Mode::Local => None,
            Self::Shared(_) => Some(terms.rule()),
        }
    }

    fn look(&self, now: Timestamp, show: impl FnMut(Row)) {
        match self {
            Self::Here(memory, _) => memory.look((AsOf::Memory, now), show),
            Self::Shared(shared) => shared.look(show),
        }
    }

    fn look_inside(&self, mut show: impl FnMut(Room)) {
        match self {
            Self::Here(_, concurrency) => concurrency.look(|key, known| {
                show(Room { key, known, as_of: AsOf::Memory, lane: None });
            }),
            Self::Shared(shared) => shared.look_inside(show),
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
            Self::Here(memory, _) => memory.charge(charges, now),
            Self::Shared(shared) => shared.charge(charges, now),
        }
    }

    fn add(&self, charges: &[Charge], now: Timestamp) {
        match self {
            Self::Here(memory, _) => memory.add(charges, now),
            Self::Shared(shared) => shared.add(charges, now),
        }
    }

    fn refund(&self, charges: &[Charge], at: Timestamp) {
        match self {
            Self::Here(memory, _) => memory.refund(charges, at),
            Self::Shared(shared) => shared.refund(charges, at),
        }
    }
}
