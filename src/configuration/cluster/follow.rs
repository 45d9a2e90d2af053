//! What every replica does: serves what is in force for it.

use std::sync::Arc;
use std::time::Duration;

use super::Cluster;
use super::pace::within;
use super::pile::fetch;
use super::publication::{Failed, in_force};
use super::record::{CURRENT, Current};
use crate::configuration::bundle::Bundle;
use crate::configuration::generation::Generation;
use crate::configuration::offer::{Offer, Order};

/// How often the leader looks at the others, while who follows does once.
const LOOKS: u32 = 4;
/// How long a replica that serves nothing waits for the store.
const WAITED_MAX: Duration = Duration::from_secs(2);

/// What was handed over last, and a bundle that may be needed again.
#[derive(Debug, Default)]
struct Handed {
    last: Option<(Generation, Order)>,
    bundle: Option<(u64, Arc<Bundle>)>,
    /// The last one, of which the next has most parts.
    newest: Option<Arc<Bundle>>,
}

impl Cluster {
    /// Hands over what is in force, whenever that changes. A hint says when to look; what is there
    /// is looked at anyway, again and again, and counts.
    pub(super) async fn follow(&self) {
        let mut handed = Handed::default();
        let mut failures = 0_u32;
        loop {
            let looked = match in_force(&*self.store).await {
                Ok(seen) => {
                    self.note(|standing| standing.current.clone_from(&seen.current));
                    let obeyed = match &seen.current {
                        Some(current) => self.obey(current, &mut handed).await,
                        None => Ok(()),
                    };
                    obeyed.map(|()| seen.revision)
                }
                Err(failed) => Err(failed),
            };
            match looked {
                Ok(revision) => {
                    failures = 0;
                    self.trouble(None);
                    let changed = self.store.changed(CURRENT, revision);
                    let hint = within(&*self.clock, self.terms.look_again, changed).await;
                    if !matches!(hint, Some(Ok(()))) {
                        tracing::debug!(?hint, "nobody tells of changes: looking again");
                        self.clock.sleep(self.pause(0)).await;
                    }
                }
                Err(failed) => {
                    self.trouble(Some(&failed));
                    failures = failures.saturating_add(1);
                    self.clock.sleep(self.pause(failures)).await;
                }
            }
        }
    }

    /// Notes how the others are doing, again and again, for whoever asks this replica. Without an
    /// answer it shows what it saw last; who leads looks anyway.
    pub(super) async fn look_around(&self) {
        loop {
            if !self.standing.borrow().is_leading
                && let Ok(members) = self.members().await
            {
                self.note(|standing| standing.members = members);
            }
            // What a control plane has switched off is off here within a few looks.
            let _ = self.adopt_orders().await;
            self.clock.sleep(self.terms.look.saturating_mul(LOOKS)).await;
        }
    }

    /// Serves what the source has here, if nothing else is to be had in time. Whatever is in force
    /// comes after it. Never returns.
    pub(super) async fn go_on_alone(&self) {
        self.clock.sleep(WAITED_MAX).await;
        if self.status.now().observed.is_none() {
            self.take_own().await;
        }
        std::future::pending::<()>().await;
    }

    async fn take_own(&self) {
        let mut states = self.status.follow();
        let is_served = states.wait_for(|state| !state.observed.is_none());
        let bundle = tokio::select! {
            biased;
            _ = is_served => None,
            bundle = self.source.meanwhile(self.standing.subscribe()) => bundle,
        };
        if let Some(bundle) = bundle {
            tracing::warn!("serving what is here until the cluster's store is reached");
            let (generation, bundle) = (Generation::NONE.next(), Arc::new(bundle));
            self.status.offer(Offer { generation, bundle, order: Order::Serve });
        }
    }

    async fn obey(&self, current: &Current, handed: &mut Handed) -> Result<(), Failed> {
        let order = if current.is_for(&self.replica) { Order::Serve } else { Order::Prepare };
        if order == Order::Prepare && 0 < current.previous && handed.last.is_none() {
            // Who comes new serves what all others do, and makes the next one ready.
            let generation = Generation { number: current.previous, ..current.generation() };
            self.hand(generation, Order::Serve, handed).await?;
        }
        self.hand(current.generation(), order, handed).await
    }

    async fn hand(
        &self,
        generation: Generation,
        order: Order,
        handed: &mut Handed,
    ) -> Result<(), Failed> {
        if handed.last.is_some_and(|last| (generation, order) <= last) {
            return Ok(());
        }
        let number = generation.number;
        let kept = handed.bundle.take().filter(|(kept, _bundle)| *kept == number);
        let bundle = match kept {
            Some((_number, bundle)) => bundle,
            None => Arc::new(fetch(&*self.store, number, handed.newest.as_deref()).await?),
        };
        if order == Order::Prepare {
            handed.bundle = Some((number, Arc::clone(&bundle)));
        }
        handed.newest = Some(Arc::clone(&bundle));
        tracing::debug!(generation = number, ?order, "found in the cluster's store");
        self.status.offer(Offer { generation, bundle, order });
        handed.last = Some((generation, order));
        Ok(())
    }
}
