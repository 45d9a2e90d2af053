//! A control plane as the source of a cluster: the leader has the stream, for all.
//!
//! What comes is a generation of the control plane's history. It is compiled here, published as the
//! next generation of the cluster's own history, and lies in the store together with its number in
//! the control plane's. So whoever leads next says what the cluster has, is sent only what changed
//! since, and never publishes what is older. The control plane is told what became of it in its
//! own numbers ([`Fate`]).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Standing;
use super::fate::{Fate, company};
use super::source::{Errand, Found, Source};
use super::trial::{own_fault, tried};
use crate::configuration::bundle::{Bundle, Digest};
use crate::configuration::compile::Making;
use crate::configuration::generation::Generation;
use crate::configuration::loader::Loader;
use crate::configuration::offer::{State, Status};
use crate::configuration::refresh::{Refusal, refuse};
use crate::configuration::remote::Remote;
use crate::configuration::switch::Switch;
use crate::fault::{Fault, Sources};
use crate::rpc::jitter;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::token::credential::Expiry;

/// The longest pause before the store is asked again what is in force.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What a configuration of a control plane is called where a whole one is at fault.
const NAME: &str = "the configuration of the control plane";

/// A control plane.
pub struct Streamed {
    /// How it is reached, and as whom. What it takes and has is seen to here.
    pub remote: Remote,
    /// What a configuration is compiled with to see whether it can be.
    pub making: Making,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// Who is told of faults.
    pub status: Arc<Status>,
    /// What is kept between loads: the same as that of whoever makes it run, who loads the same.
    pub loader: Arc<Mutex<Loader>>,
}

/// What came, and which generation it is.
type Come = Option<(Generation, Arc<Bundle>)>;

#[async_trait]
impl Source for Streamed {
    async fn bring(&self, errand: &Errand<'_>) {
        let come = watch::Sender::new(None);
        let remote = Remote { held: self.held(errand).await, ..self.taking(&come) };
        // The control plane is told of the cluster, not of this replica.
        let mut fate = Fate::default();
        let seen = watch::Sender::new(fate.state(&errand.standing.borrow()));
        let standing = errand.standing.clone();
        let remote = Remote {
            state: seen.subscribe(),
            company: Some(Arc::new(move || company(&standing.borrow()))),
            ..remote
        };
        let _here = Here::begin(self);
        tokio::select! {
            biased;
            () = self.note_link() => (),
            () = self.judge(errand, come.subscribe(), fate, &seen) => (),
            () = remote.run() => (),
        }
    }

    async fn meanwhile(&self, mut standing: watch::Receiver<Standing>) -> Option<Bundle> {
        loop {
            // As long as the store is there, its leader is who asks.
            standing.wait_for(|standing| standing.trouble.is_some()).await.ok()?;
            let come = watch::Sender::new(None);
            let (remote, mut comes) = (self.taking(&come), come.subscribe());
            let _here = Here::begin(self);
            let come: Come = tokio::select! {
                biased;
                come = comes.wait_for(Option::is_some) => come.ok()?.clone(),
                _ = standing.wait_for(|standing| standing.trouble.is_none()) => None,
                () = remote.run() => None,
            };
            let Some((_generation, bundle)) = come else { continue };
            return match self.tried(&bundle, Arc::clone(&self.status.now().switch)).await {
                Ok(()) => Some(Arc::unwrap_or_clone(bundle)),
                Err(refusal) => {
                    refuse(&self.status, &refusal, None);
                    None
                }
            };
        }
    }

    fn is_urgent(&self, digest: &Digest) -> bool {
        *self.remote.urgent.lock().unwrap_or_else(PoisonError::into_inner) == Some(*digest)
    }

    async fn tend(&self) {
        self.remote.look_at_token().await;
    }

    fn cut_off(&self) -> Option<Timestamp> {
        self.remote.link.borrow().lost
    }

    async fn is_in_reach(&self) -> bool {
        match self.remote.reach().await {
            Ok(()) => true,
            Err(reason) => {
                tracing::debug!(reason, "the control plane is not reached from here either");
                false
            }
        }
    }

    fn token(&self, now: Timestamp) -> Option<Expiry> {
        self.remote.link.borrow().token(now)
    }
}

impl Streamed {
    /// A way to the control plane over which nothing came yet; `come` gets what does.
    fn taking(&self, come: &watch::Sender<Come>) -> Remote {
        let come = come.clone();
        let take = Arc::new(move |generation, bundle| {
            come.send_replace(Some((generation, bundle)));
        });
        Remote { take, held: None, ..self.remote.clone() }
    }

    /// What the cluster has, once the store says it.
    async fn held(&self, errand: &Errand<'_>) -> Come {
        loop {
            match errand.held().await {
                Ok(held) => return held,
                // Whoever leads asks it all the time, and tells that it does not answer.
                Err(_failed) => sleep(jitter(PAUSE_MAX)).await,
            }
        }
    }

    /// Puts what comes and is good where the leader finds it, and notes what becomes of it.
    async fn judge(
        &self,
        errand: &Errand<'_>,
        mut comes: watch::Receiver<Come>,
        mut fate: Fate,
        seen: &watch::Sender<State>,
    ) {
        let (mut standing, mut own) = (errand.standing.clone(), self.status.follow());
        let mut judged: Option<(Generation, Arc<Switch>)> = None;
        loop {
            let come = comes.borrow_and_update().clone();
            let switch = Arc::clone(&own.borrow_and_update().switch);
            // What is switched off makes a difference.
            let is_judged = |(generation, _bundle): &(Generation, Arc<Bundle>)| {
                judged.as_ref().is_some_and(|last| last.0 == *generation && last.1 == switch)
            };
            if let Some((generation, bundle)) = come.filter(|come| !is_judged(come)) {
                let faults = self.publish(errand, generation, &bundle, &switch).await;
                fate.took(generation, *bundle.digest(), faults);
                judged = Some((generation, switch));
            }
            let state = fate.state(&standing.borrow_and_update());
            seen.send_if_modified(|seen| {
                let is_new = *seen != state;
                *seen = state;
                is_new
            });
            let changed = tokio::select! {
                changed = comes.changed() => changed,
                changed = standing.changed() => changed,
                changed = own.changed() => changed,
            };
            if changed.is_err() {
                // Whoever told of it has gone, and takes this along.
                return std::future::pending::<()>().await;
            }
        }
    }

    /// Puts `bundle` where the leader finds it, if it could run here; returns why not.
    async fn publish(
        &self,
        errand: &Errand<'_>,
        generation: Generation,
        bundle: &Arc<Bundle>,
        switch: &Arc<Switch>,
    ) -> Vec<Fault> {
        match self.tried(bundle, Arc::clone(switch)).await {
            Ok(()) => {
                self.status.change(|state| state.refusal.clear());
                let (bundle, origin) = (Arc::clone(bundle), Some(generation));
                errand.found.send_replace(Some(Found { bundle, origin }));
                Vec::new()
            }
            Err(refusal) => {
                refuse(&self.status, &refusal, None);
                refusal.faults
            }
        }
    }

    /// Notes, for all replicas, whether there is a control plane.
    async fn note_link(&self) {
        let mut link = self.remote.link.subscribe();
        loop {
            let reason = {
                let link = link.borrow_and_update();
                let is_cut_off = !link.is_connected && !link.reason.is_empty();
                is_cut_off.then(|| link.reason.clone())
            };
            self.note(reason);
            if link.changed().await.is_err() {
                return std::future::pending::<()>().await;
            }
        }
    }

    fn note(&self, cut_off: Option<String>) {
        if self.status.now().cut_off != cut_off {
            self.status.change(|state| state.cut_off = cut_off);
        }
    }

    /// Whether `bundle` could run here, where `switch` is switched off.
    async fn tried(&self, bundle: &Arc<Bundle>, switch: Arc<Switch>) -> Result<(), Refusal> {
        let (bundle, kept) = (Arc::clone(bundle), Arc::clone(&self.loader));
        let making = Making { switch, now: self.clock.now(), ..self.making.clone() };
        let name: Arc<str> = Arc::from(NAME);
        let own = Arc::clone(&name);
        // Compiling takes its time.
        let outcome = spawn_blocking(move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let loaded = kept.load_bundle(&bundle);
            tried(&mut kept, &loaded, &making, &name)
        });
        outcome.await.unwrap_or_else(|_panicked| {
            Err(Refusal { faults: vec![own_fault(&own)], sources: Sources::default() })
        })
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Streamed").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// The time in which the stream is this replica's.
struct Here<'a>(&'a Streamed);

impl<'a> Here<'a> {
    fn begin(of: &'a Streamed) -> Self {
        let now = of.clock.now();
        of.remote.link.send_modify(|link| {
            (link.is_elsewhere, link.lost) = (false, Some(now));
        });
        Self(of)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.remote.link.send_modify(|link| {
            (link.is_elsewhere, link.is_connected, link.lost) = (true, false, None);
            link.reason.clear();
        });
        self.0.note(None);
    }
}
