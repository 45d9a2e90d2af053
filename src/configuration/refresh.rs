//! Makes a configuration run, and the next one whenever there is one: whole, or not at all.
//!
//! It runs on a thread of its own, because disks block and compiling takes its time. The next
//! configuration is what a folder has become, or what somebody [offers](super::offer). A folder is
//! looked at by what its files look like (names, lengths, times, links), which works the same on a
//! local disk, a network disk and the symlinks of a Kubernetes `ConfigMap`.

mod standing;

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::field::Empty;

use crate::configuration::bundle::Bundle;
use crate::configuration::compile::{Making, nothing};
use crate::configuration::generation::Generation;
use crate::configuration::keeping::Keeping;
use crate::configuration::last_good::Served;
use crate::configuration::loader::{Loaded, Loader};
use crate::configuration::offer::{Offer, Order, Source, Status, Wake};
use crate::configuration::source::{Environment, Folder};
use crate::configuration::switch::SwitchFile;
use crate::correlation::OWN_SPANS;
use crate::fault::{Fault, Place, Sources, render};
use crate::snapshot::{Live, Snapshot};
use crate::time::{Clock, SystemClock};

/// Where configurations come from, and what snapshots are made with.
#[derive(Debug)]
pub struct Refresh {
    /// Where configurations come from.
    pub origin: Origin,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// What snapshots are made with.
    pub making: Making,
    /// Who wants to know how it goes.
    pub status: Arc<Status>,
    /// What is ready and waits to be served.
    pub ready: Option<(Generation, Snapshot)>,
    /// What is kept between loads.
    pub loader: Arc<Mutex<Loader>>,
    /// Keeps copies of what has proved itself, if they are kept.
    pub keeping: Option<Keeping>,
    /// What must not run, whatever the configuration says.
    pub switch: SwitchFile,
    /// What was served last before this process: nothing older ever is again.
    pub floor: Option<Served>,
    /// What is served, where somebody may want it again.
    pub runs: Option<Arc<Bundle>>,
    /// What was offered last and refused: it may be right once something else is switched off.
    pub refused: Option<Offer>,
}

/// Where configurations come from.
#[derive(Debug)]
pub enum Origin {
    /// A folder that this process reads for itself.
    Folder {
        /// The folder.
        folder: Folder,
        /// What named values and keys may be taken from.
        environment: Environment,
        /// Which of the gateways that share the folder this is; none: all of it is its own.
        name: Option<String>,
    },
    /// Somebody offers them.
    Offers,
}

/// A configuration that cannot run.
#[derive(Debug)]
pub struct Refusal {
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
    /// The texts that the faults point into.
    pub sources: Sources,
}

impl Refresh {
    /// The first configuration, as far as there is one at once: the folder's; if that is none, or
    /// somebody is to offer one, the newest copy of a good one. The second is what
    /// [`watch`](Self::watch) compares with.
    pub fn first(&mut self) -> (Result<Snapshot, Refusal>, Option<Loaded>) {
        self.floor = self.keeping.as_mut().and_then(Keeping::open);
        if let Some(orders) = self.keeping.as_ref().and_then(Keeping::orders) {
            self.status.order(Arc::new(orders));
        }
        self.look_at_switch();
        let Origin::Folder { folder, environment, name } = &self.origin else {
            let kept = self.fall_back();
            return (Ok(kept.unwrap_or_else(|| nothing(&self.making))), None);
        };
        let loaded = self.loader().load_as(name.as_deref(), folder, environment);
        let bundle = self.bundle(&loaded);
        let generation = self.number(bundle.as_ref());
        let snapshot = match self.make(&loaded, generation) {
            Ok(snapshot) => {
                self.serves(generation, bundle, Source::Folder, None);
                Ok(snapshot)
            }
            Err(refusal) => match self.fall_back() {
                Some(snapshot) => {
                    refuse(&self.status, &refusal, None);
                    Ok(snapshot)
                }
                None => Err(refusal),
            },
        };
        (snapshot, Some(loaded))
    }

    /// Serves every configuration that is offered, and looks at the folder every `interval`, until
    /// [`Status::stop`]. `seen` is what [`first`](Self::first) loaded.
    pub fn watch(&mut self, live: &Live, interval: Duration, mut seen: Option<Loaded>) {
        // What is served is marked at once, in case that this process does not live long.
        self.tend(live);
        loop {
            let wake = self.status.wait(interval);
            self.clock.anchor();
            live.sweep();
            if !matches!(wake, Wake::Stop) && self.look_at_switch() {
                self.make_again(live);
                self.take_again(live);
            }
            match wake {
                Wake::Stop => return,
                Wake::Offered(offer) => self.take(live, &offer),
                Wake::Asked => seen = self.look(live, seen, true),
                // What is off was looked at.
                Wake::Ordered => (),
                Wake::Tick => seen = self.look(live, seen, false),
            }
            self.tend(live);
        }
    }

    /// Serves what the folder has become; returns what it is now.
    fn look(&mut self, live: &Live, seen: Option<Loaded>, is_asked: bool) -> Option<Loaded> {
        let Origin::Folder { folder, environment, name } = &self.origin else { return seen };
        let fingerprint = seen.as_ref().and_then(|seen| seen.fingerprint.as_ref());
        let unchanged = fingerprint.is_some_and(|fingerprint| !folder.has_changed(fingerprint));
        if unchanged && !is_asked {
            return seen;
        }
        let loaded = self.loader().load_as(name.as_deref(), folder, environment);
        let bundle = self.bundle(&loaded);
        let generation = self.number(bundle.as_ref());
        match self.make(&loaded, generation) {
            Ok(snapshot) => self.publish(live, (generation, bundle), Source::Folder, snapshot),
            Err(refusal) => refuse(&self.status, &refusal, None),
        }
        Some(loaded)
    }

    /// Makes what is offered ready, and serves it if that is the order. What is older than what is
    /// served never is again.
    fn take(&mut self, live: &Live, offer: &Offer) {
        let Offer { generation, bundle, order } = offer;
        let state = self.status.now();
        if self.is_served(*generation, bundle) {
            return self.status.change(|state| state.source = Source::Offer);
        }
        let floor = self.floor.map_or(Generation::NONE, |served| served.generation);
        if *generation <= state.serving || *generation < floor {
            tracing::debug!(generation = generation.number, serving = %state.serving, "an older offer is ignored");
            return;
        }
        let ready = self.ready.take().filter(|(ready, _snapshot)| ready == generation);
        let snapshot = if let Some((_generation, snapshot)) = ready {
            snapshot
        } else {
            let loaded = self.loader().load_bundle(bundle);
            match self.make(&loaded, *generation) {
                Ok(snapshot) => snapshot,
                Err(refusal) => {
                    self.refused = Some(offer.clone());
                    return refuse(&self.status, &refusal, Some(*generation));
                }
            }
        };
        match order {
            Order::Serve => {
                let named = (*generation, Some(Arc::clone(bundle)));
                self.publish(live, named, Source::Offer, snapshot);
            }
            Order::Prepare => {
                self.ready = Some((*generation, snapshot));
                self.status.change(|state| {
                    state.prepared = *generation;
                    state.take_refusal_back(*generation);
                });
                self.refused = None;
                tracing::info!(
                    generation = generation.number,
                    "configuration prepared; it waits to be served"
                );
            }
        }
    }

    fn loader(&self) -> MutexGuard<'_, Loader> {
        self.loader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(
        &mut self,
        live: &Live,
        (generation, bundle): (Generation, Option<Arc<Bundle>>),
        source: Source,
        snapshot: Snapshot,
    ) {
        let (apis, last) = (snapshot.apis.len(), live.snapshot());
        live.publish(snapshot);
        self.serves(generation, bundle, source, Some(&last.tally));
        tracing::info!(generation = generation.number, apis, "configuration loaded");
    }

    /// Makes a snapshot; a panic there is a bug of ours, and a refusal to whoever runs the gateway.
    fn make(&self, loaded: &Loaded, generation: Generation) -> Result<Snapshot, Refusal> {
        let span = tracing::info_span!(
            target: OWN_SPANS,
            "configuration.load",
            weir.generation = generation.number,
            weir.source = self.origin.name(),
            weir.faults = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let _within = span.enter();
        let snapshot = self.compile(loaded, generation).map_err(|faults| {
            let sources = loaded.sources(&faults);
            span.record("weir.faults", faults.len());
            span.record("otel.status_code", "ERROR");
            let first = faults.first().map(|fault| format!("{}: {}", fault.place, fault.message));
            span.record("otel.status_description", first.unwrap_or_default());
            Refusal { faults, sources }
        })?;
        self.look_for_missing(loaded);
        for warning in &snapshot.warnings {
            tracing::warn!("{warning}");
        }
        Ok(snapshot)
    }

    fn compile(&self, loaded: &Loaded, generation: Generation) -> Result<Snapshot, Vec<Fault>> {
        let making =
            Making { generation: generation.number, now: self.clock.now(), ..self.making.clone() };
        let mut kept = self.loader();
        let compiled = panic::catch_unwind(AssertUnwindSafe(|| kept.make(loaded, &making)));
        compiled.unwrap_or_else(|_panic| {
            // Nobody knows what state it left behind.
            *kept = Loader::default();
            let file = Arc::from(self.origin.name());
            let message =
                "the gateway failed to compile this configuration, which is its own fault";
            let fault = Fault::new(Place::start_of(&file), message);
            Err(vec![fault.mend("report it with the configuration, and go back to the last one")])
        })
    }
}

impl Origin {
    /// What a person calls it.
    fn name(&self) -> String {
        match self {
            Self::Folder { folder, .. } => folder.path().display().to_string(),
            Self::Offers => "the configuration".to_owned(),
        }
    }
}

/// Notes that the newest configuration is refused, which is the one `offered` if it was, and tells
/// it.
pub(super) fn refuse(status: &Status, refusal: &Refusal, offered: Option<Generation>) {
    let (mut runs, mut is_known) = (Generation::NONE, false);
    status.change(|state| {
        (runs, is_known) = (state.serving, state.refusal == refusal.faults);
        state.refused = state.refused.saturating_add(1);
        state.refusal.clone_from(&refusal.faults);
        state.refused_offer = offered.unwrap_or(state.refused_offer);
    });
    if is_known {
        // The same faults again say nothing new, and a poll would repeat them for ever.
        return;
    }
    tracing::error!(
        generation_running = runs.number,
        faults = refusal.faults.len(),
        "configuration refused: generation {runs} goes on unchanged\n{}",
        report(refusal)
    );
}

/// The most faults that a report shows in full.
const SHOWN_MAX: usize = 50;

/// All that is wrong, as a person reads it.
pub fn report(refusal: &Refusal) -> String {
    let shown = refusal.faults.iter().take(SHOWN_MAX);
    let mut text: Vec<String> = shown.map(|fault| render(fault, &refusal.sources)).collect();
    let more = refusal.faults.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        text.push(format!("and {more} more; `weir check` shows all\n"));
    }
    text.join("\n")
}
