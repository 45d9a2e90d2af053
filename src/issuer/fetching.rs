//! Fetches the keys of issuers: a task each, for as long as somebody wants them.

use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};

use crate::caller::fetch::Fetcher;
use crate::issuer::Issuer;
use crate::time::SystemClock;

/// Fetches the keys of issuers.
#[derive(Debug)]
pub struct Fetching {
    fetcher: Arc<Fetcher>,
    clock: Arc<SystemClock>,
    tasks: JoinSet<()>,
    /// Those that are kept.
    kept: Vec<(Arc<Issuer>, AbortHandle)>,
}

impl Fetching {
    /// Fetches nothing yet.
    pub fn new(fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) -> Self {
        Self { fetcher, clock, tasks: JoinSet::new(), kept: Vec::new() }
    }

    /// Fetches for all that are `wanted` now, and for no others.
    pub fn follow(&mut self, wanted: &[Arc<Issuer>]) {
        while self.tasks.try_join_next().is_some() {}
        self.kept.retain(|(issuer, task)| {
            let is_wanted = wanted.iter().any(|wanted| Arc::ptr_eq(wanted, issuer));
            if !is_wanted {
                task.abort();
            }
            // One that has panicked is begun again.
            is_wanted && !task.is_finished()
        });
        for issuer in wanted {
            if self.kept.iter().any(|(kept, _task)| Arc::ptr_eq(kept, issuer)) {
                continue;
            }
            let (own, fetcher) = (Arc::clone(issuer), Arc::clone(&self.fetcher));
            let clock = Arc::clone(&self.clock);
            let task = self.tasks.spawn(async move { own.keep(&fetcher, &clock).await });
            self.kept.push((Arc::clone(issuer), task));
        }
    }
}
