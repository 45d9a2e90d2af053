//! Dapr's sidecar, as the gateway waits for it, and as an operator wants to see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval};

use super::fetching::{fetcher, roots};
use crate::backend::sidecar::Sidecar;
use crate::caller::fetch::Fetcher;
use crate::caller::sidecar::{Found, Look, found, ready};
use crate::configuration::source::Environment;
use crate::policy::program::Program;
use crate::proxy::state::State;
use crate::settings::Settings;
use crate::snapshot::{Live, Snapshot};
use crate::time::{Clock, SystemClock, Timestamp};

/// How often the sidecar is asked until it is ready.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is asked afterwards what it has.
const GLANCE_INTERVAL: Duration = Duration::from_mins(1);
/// The same while something is missing.
const STARE_INTERVAL: Duration = Duration::from_secs(5);

/// Has requests wait for the sidecar.
pub(super) struct Waiting {
    /// Which.
    sidecar: Sidecar,
    /// What is told.
    state: Arc<State>,
    /// What runs.
    live: Arc<Live>,
}

impl Waiting {
    /// Waits as `settings` say.
    pub(super) fn of(settings: &Settings, state: &Arc<State>, live: &Arc<Live>) -> Option<Self> {
        if !settings.dapr.readiness {
            return None;
        }
        state.await_sidecar(live.snapshot().asks_sidecar());
        let sidecar = settings.dapr.sidecar();
        Some(Self { sidecar, state: Arc::clone(state), live: Arc::clone(live) })
    }

    /// Waits until the sidecar is ready, if what runs asks it for anything. Once it was, its being
    /// away fails the requests that need it, and no others.
    pub(super) async fn run(self, fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_first = true;
        loop {
            looks.tick().await;
            let is_asked = self.live.snapshot().asks_sidecar();
            let answer =
                if is_asked { ready(&fetcher, &self.sidecar, clock.now()).await } else { Ok(()) };
            let was_awaited = self.state.await_sidecar(answer.is_err());
            match answer {
                // A configuration that comes later may ask it.
                Ok(()) if !is_asked => (),
                Ok(()) => {
                    tracing::info!("the Dapr sidecar is ready");
                    return;
                }
                Err(why) if is_first || !was_awaited => {
                    tracing::warn!(%why, "not ready: the Dapr sidecar is awaited");
                }
                Err(_again) => (),
            }
            is_first = false;
        }
    }
}

/// Looks at the sidecar now and then, where what runs asks it for anything, so that operators see what
/// it does not have.
pub(super) struct Looking {
    /// Which.
    sidecar: Sidecar,
    /// What is told.
    state: Arc<State>,
    /// What runs.
    live: Arc<Live>,
}

/// What the policies of one generation need.
struct Needs {
    generation: u64,
    is_asked: bool,
    /// Components, and a place where each is named.
    components: BTreeMap<Arc<str>, String>,
    /// When it was looked whether they are there; and whether all was well.
    looked: Option<(Timestamp, bool)>,
}

impl Needs {
    fn of(snapshot: &Snapshot) -> Self {
        let named = snapshot.programs().flat_map(Program::components);
        let mut components = BTreeMap::new();
        for (name, place) in named {
            components.entry(name).or_insert_with(|| place.to_string());
        }
        let (generation, is_asked) = (snapshot.generation, snapshot.asks_sidecar());
        Self { generation, is_asked, components, looked: None }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let span = |is_well| if is_well { GLANCE_INTERVAL } else { STARE_INTERVAL };
        self.is_asked && self.looked.is_none_or(|(at, is_well)| span(is_well) <= now.since(at))
    }
}

impl Looking {
    /// Looks as `settings` say.
    pub(super) fn of(settings: &Settings, state: &Arc<State>, live: &Arc<Live>) -> Self {
        let sidecar = settings.dapr.sidecar();
        Self { sidecar, state: Arc::clone(state), live: Arc::clone(live) }
    }

    /// Looks until the process ends.
    pub(super) async fn run(self, fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut needs: Option<Needs> = None;
        loop {
            looks.tick().await;
            let snapshot = self.live.snapshot();
            let same = needs.take().filter(|needs| needs.generation == snapshot.generation);
            let mut now_needs = same.unwrap_or_else(|| Needs::of(&snapshot));
            drop(snapshot);
            if !now_needs.is_asked {
                self.state.looked_at_sidecar(None);
            } else if now_needs.is_due(clock.now()) {
                let look = self.look(&fetcher, &now_needs, clock.now()).await;
                let is_well = look.trouble.is_none() && look.missing.is_empty();
                now_needs.looked = Some((clock.now(), is_well));
                self.state.looked_at_sidecar(Some(look));
            }
            needs = Some(now_needs);
        }
    }

    async fn look(&self, fetcher: &Fetcher, needs: &Needs, now: Timestamp) -> Look {
        match found(fetcher, &self.sidecar, now).await {
            Err(why) => {
                let base = &self.sidecar.backend().base;
                let trouble = Some(format!("the Dapr sidecar at {base}: {why}"));
                Look { trouble, ..Look::default() }
            }
            Ok(Found { version, components }) => {
                let absent = needs.components.iter();
                let absent = absent.filter(|(name, _place)| !components.contains_key(&***name));
                let missing = absent.map(|(name, place)| (name.to_string(), place.clone()));
                Look { version, trouble: None, missing: missing.collect() }
            }
        }
    }
}

/// Asks the sidecar of `settings` what it has. Waits for it.
pub fn look(settings: &Settings, environment: &Environment) -> Result<Found, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let fetcher = fetcher(Arc::new(roots(environment)));
    let (sidecar, now) = (settings.dapr.sidecar(), SystemClock::start().now());
    let found = runtime.block_on(found(&fetcher, &sidecar, now));
    found.map_err(|why| format!("the Dapr sidecar at {}: {why}", sidecar.backend().base))
}
