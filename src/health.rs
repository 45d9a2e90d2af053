//! The health of backends: asked for in the background, in no request's time.
//!
//! Each backend that is to be checked has a task here, which asks it ([`probe`]) and tells its
//! [`Standing`]. Which ones those are is looked up in the configuration that runs; a task goes on
//! over configurations for as long as the standing does, and asks with the newest credentials. Every
//! replica asks by itself; what replicas tell each other is in [`sharing`].

pub mod probe;
pub mod sharing;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::backend::standing::Standing;
use crate::health::probe::Prober;
use crate::rpc::jitter;
use crate::snapshot::Live;
use crate::time::{Clock, SystemClock};

/// How often it is looked whether another configuration runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The most checks at once; others wait for their turn.
const CHECKS_MAX: usize = 64;
/// How much earlier or later than its time a check is, in parts of the interval: replicas that began
/// together do not ask together for long.
const SPREAD: u32 = 20;

/// Has backends checked.
#[derive(Debug)]
pub struct Health {
    /// What runs.
    pub live: Arc<Live>,
    /// How they are asked.
    pub prober: Prober,
    /// What time it is.
    pub clock: Arc<SystemClock>,
}

/// A backend that is checked, by its standing.
struct Watched {
    standing: Arc<Standing>,
    task: AbortHandle,
}

/// What the checks of one backend need.
struct Rounds {
    health: Arc<Health>,
    turns: Arc<Semaphore>,
    id: Arc<str>,
    standing: Arc<Standing>,
}

impl Health {
    /// Has them checked, for as long as it is polled.
    pub async fn keep(self) {
        let (health, turns) = (Arc::new(self), Arc::new(Semaphore::new(CHECKS_MAX)));
        let mut tasks = JoinSet::new();
        let mut watched: Vec<Watched> = Vec::new();
        let mut generation = None;
        loop {
            let snapshot = health.live.snapshot();
            // None ends by itself, but by a fault of ours: it is begun again.
            let before = watched.len();
            watched.retain(|it| !it.task.is_finished());
            if watched.len() < before {
                generation = None;
            }
            if generation.replace(snapshot.generation) != Some(snapshot.generation) {
                let wanted = snapshot.backends.values().filter_map(|it| Some((it, checked(it)?)));
                let wanted: Vec<_> = wanted.collect();
                let places: HashSet<_> = wanted.iter().map(|(_it, it)| Arc::as_ptr(it)).collect();
                watched.retain(|it| {
                    let stays = places.contains(&Arc::as_ptr(&it.standing));
                    if !stays {
                        it.task.abort();
                    }
                    stays
                });
                let known: HashSet<_> =
                    watched.iter().map(|it| Arc::as_ptr(&it.standing)).collect();
                for (backend, standing) in wanted {
                    if known.contains(&Arc::as_ptr(standing)) {
                        continue;
                    }
                    let rounds = Rounds {
                        health: Arc::clone(&health),
                        turns: Arc::clone(&turns),
                        id: Arc::clone(&backend.id),
                        standing: Arc::clone(standing),
                    };
                    let task = tasks.spawn(rounds.run());
                    watched.push(Watched { standing: Arc::clone(standing), task });
                }
            }
            drop(snapshot);
            while tasks.try_join_next().is_some() {}
            sleep(LOOK_INTERVAL).await;
        }
    }
}

/// The standing of a backend that is to be checked.
fn checked(backend: &Arc<Backend>) -> Option<&Arc<Standing>> {
    backend.standing.as_ref().filter(|standing| standing.check().is_some())
}

impl Rounds {
    /// Asks again and again, until it is ended.
    async fn run(self) {
        let Some(interval) = self.standing.check().map(|check| check.interval) else { return };
        loop {
            self.round().await;
            let part = interval.checked_div(SPREAD).unwrap_or_default();
            sleep(interval.saturating_sub(part) + jitter(part.saturating_mul(2))).await;
        }
    }

    async fn round(&self) {
        let backend = self.health.live.snapshot().backends.get(&self.id).map(Arc::clone);
        let (Some(backend), Some(check)) = (backend, self.standing.check()) else { return };
        // It is never closed.
        let Ok(_turn) = self.turns.acquire().await else { return };
        let now = self.health.clock.now();
        let found = self.health.prober.check(&backend, check, now).await;
        if !self.standing.checked(found.is_ok(), self.health.clock.now()) {
            return;
        }
        match found {
            Ok(()) => tracing::info!(backend = %self.id, "the backend can serve again"),
            Err(why) => tracing::warn!(
                backend = %self.id,
                check = check.ask.kind(),
                %why,
                "checks of its health found that the backend cannot serve: nothing is sent to it"
            ),
        }
    }
}
