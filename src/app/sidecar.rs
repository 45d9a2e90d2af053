//! Dapr's sidecar, as the gateway waits for it, and as an operator wants to see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval};

use super::fetching::{fetcher, roots};
use crate::backend::sidecar::Sidecar;
use crate::caller::fetch::Fetcher;
use crate::caller::sidecar::{Found, found, ready};
use crate::configuration::source::Environment;
use crate::proxy::state::State;
use crate::settings::Settings;
use crate::snapshot::Live;
use crate::time::{Clock, SystemClock};

/// How often the sidecar is asked until it is ready.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

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

/// Asks the sidecar of `settings` what it has. Waits for it.
pub fn look(settings: &Settings, environment: &Environment) -> Result<Found, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let fetcher = fetcher(Arc::new(roots(environment)));
    let (sidecar, now) = (settings.dapr.sidecar(), SystemClock::start().now());
    let found = runtime.block_on(found(&fetcher, &sidecar, now));
    found.map_err(|why| format!("the Dapr sidecar at {}: {why}", sidecar.backend().base))
}
