//! Loads the configuration, and again whenever it changes: whole, or not at all.
//!
//! It runs on a thread of its own, because disks block. A folder is looked at by what its files
//! look like (names, lengths, times, links), which works the same on a local disk, a network disk
//! and the symlinks of a Kubernetes `ConfigMap`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::configuration::compile::{Making, make};
use crate::configuration::source::{Environment, Folder};
use crate::configuration::validate::{Loaded, load};
use crate::fault::{Fault, Place, Sources, render};
use crate::snapshot::{Live, Snapshot};
use crate::time::{Clock, SystemClock, Timestamp};

/// Where the configuration comes from, and what a snapshot is made with.
#[derive(Debug)]
pub struct Refresh {
    /// The folder.
    pub folder: Folder,
    /// What named values and keys may be taken from.
    pub environment: Environment,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// What snapshots are made with.
    pub making: Making,
    /// Who wants to know how it goes.
    pub status: Arc<Status>,
}

/// How the configuration is doing; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Status {
    state: Mutex<State>,
    changed: Condvar,
}

/// How the configuration is doing.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The generation that runs; 0 before the first.
    pub generation: u64,
    /// When it began to run.
    pub since: Timestamp,
    /// How many configurations were refused since the process started.
    pub refused: u64,
    /// Why the newest configuration is not the one that runs; empty if it is.
    pub refusal: Vec<Fault>,
    /// How often somebody asked for a reload at once.
    asked: u64,
    /// How many of these were heeded: who asks while a configuration is loaded, is not forgotten.
    heeded: u64,
    /// Whether the thread is to end.
    stopped: bool,
}

/// A configuration that cannot run.
#[derive(Debug)]
pub struct Refusal {
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
    /// The texts that the faults point into.
    pub sources: Sources,
}

impl Status {
    /// How it is doing now.
    pub fn now(&self) -> State {
        self.lock().clone()
    }

    /// Asks for a look at the folder at once.
    pub fn ask(&self) {
        let mut state = self.lock();
        state.asked = state.asked.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Ends [`Refresh::watch`].
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `interval`, or until somebody asks; false if the thread is to end. The second is
    /// whether somebody asked.
    fn wait(&self, interval: Duration) -> (bool, bool) {
        let idle = |state: &mut State| !state.stopped && state.asked == state.heeded;
        let waited = self.changed.wait_timeout_while(self.lock(), interval, idle);
        let (mut state, _timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        let asked = state.asked != state.heeded;
        state.heeded = state.asked;
        (!state.stopped, asked)
    }
}

impl Refresh {
    /// Loads the configuration for the first time. The fingerprint is what [`watch`](Self::watch)
    /// compares with.
    pub fn first(&self) -> (Result<Snapshot, Refusal>, Loaded) {
        let loaded = load(&self.folder, &self.environment);
        let snapshot = self.make(&loaded, 1);
        if snapshot.is_ok() {
            let mut state = self.status.lock();
            state.generation = 1;
            state.since = self.clock.now();
        }
        (snapshot, loaded)
    }

    /// Looks at the folder every `interval`, and publishes what it has become, until
    /// [`Status::stop`]. `seen` is what [`first`](Self::first) loaded.
    pub fn watch(&self, live: &Live, interval: Duration, mut seen: Loaded) {
        loop {
            let (goes_on, asked) = self.status.wait(interval);
            if !goes_on {
                return;
            }
            self.clock.anchor();
            let unchanged = seen
                .fingerprint
                .as_ref()
                .is_some_and(|fingerprint| !self.folder.has_changed(fingerprint));
            if unchanged && !asked {
                continue;
            }
            seen = load(&self.folder, &self.environment);
            let generation = self.status.now().generation.saturating_add(1);
            match self.make(&seen, generation) {
                Ok(snapshot) => self.publish(live, snapshot),
                Err(refusal) => self.refuse(&refusal),
            }
        }
    }

    fn publish(&self, live: &Live, snapshot: Snapshot) {
        let (generation, apis) = (snapshot.generation, snapshot.apis.len());
        live.publish(snapshot);
        let mut state = self.status.lock();
        state.generation = generation;
        state.since = self.clock.now();
        state.refusal.clear();
        drop(state);
        tracing::info!(generation, apis, "configuration loaded");
    }

    fn refuse(&self, refusal: &Refusal) {
        let mut state = self.status.lock();
        let runs = state.generation;
        let known = state.refusal == refusal.faults;
        state.refused = state.refused.saturating_add(1);
        state.refusal.clone_from(&refusal.faults);
        drop(state);
        if known {
            // The same faults again say nothing new, and a poll would repeat them for ever.
            return;
        }
        let count = refusal.faults.len();
        tracing::error!(
            generation_running = runs,
            faults = count,
            "configuration refused: generation {runs} goes on unchanged\n{}",
            report(refusal)
        );
    }

    /// Makes a snapshot; a panic there is a bug of ours, and a refusal to whoever runs the gateway.
    fn make(&self, loaded: &Loaded, generation: u64) -> Result<Snapshot, Refusal> {
        let refused = |faults| Refusal { faults, sources: loaded.sources.clone() };
        self.compile(loaded, generation).map_err(refused)
    }

    fn compile(&self, loaded: &Loaded, generation: u64) -> Result<Snapshot, Vec<Fault>> {
        let making = Making { generation, now: self.clock.now(), ..self.making.clone() };
        let compiled = panic::catch_unwind(AssertUnwindSafe(|| make(loaded, &making)));
        compiled.unwrap_or_else(|_panic| {
            let file = Arc::from(self.folder.path().display().to_string());
            let message =
                "the gateway failed to compile this configuration, which is its own fault";
            let fault = Fault::new(Place::start_of(&file), message);
            Err(vec![fault.mend("report it with the configuration, and go back to the last one")])
        })
    }
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
