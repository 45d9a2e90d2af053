//! How the gateway stops: it says that it is not ready, goes on as usual for a while so that
//! everybody hears of it, then waits for the requests in flight.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::configuration::offer::Status;
use crate::events::Events;
use crate::proxy::state::State;
use crate::settings;

/// Waits for the signal that ends the gateway, and drains.
pub(super) struct Drain {
    terms: settings::Drain,
    state: Arc<State>,
    configuration: Arc<Status>,
    events: Arc<Events>,
    /// Told at once that this replica leaves: others need not wait for it to be gone.
    leaving: watch::Sender<bool>,
}

/// The signals that end the gateway, or make it look.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// How often the requests in flight are counted.
const COUNT_INTERVAL: Duration = Duration::from_millis(20);

impl Signals {
    /// Hears of every signal from now on; before that, one may end the process or be lost.
    pub(super) fn listen() -> Option<Self> {
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        match signals.map(signal) {
            [Ok(terminate), Ok(interrupt), Ok(hangup)] => {
                Some(Self { terminate, interrupt, hangup })
            }
            _ => None,
        }
    }
}

impl Drain {
    /// Drains on `terms`. A SIGHUP makes `configuration` look at its folder.
    pub(super) fn new(
        terms: settings::Drain,
        state: Arc<State>,
        configuration: Arc<Status>,
        events: &Arc<Events>,
    ) -> Self {
        let events = Arc::clone(events);
        Self { terms, state, configuration, events, leaving: watch::Sender::new(false) }
    }

    /// Tells when this replica leaves.
    pub(super) fn leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }

    fn begin(&self) {
        self.state.draining.store(true, Ordering::Relaxed);
        self.leaving.send_replace(true);
        self.events.hurry();
    }

    /// Waits until no request is in flight and every event is sent, or the deadline.
    async fn idle(&self) {
        let counted = async {
            while 0 < self.state.in_flight() || 0 < self.events.queued() {
                sleep(COUNT_INTERVAL).await;
            }
        };
        if timeout(self.terms.deadline, counted).await.is_err() {
            let (cut, lost) = (self.state.in_flight(), self.events.queued());
            if 0 < cut {
                tracing::warn!(requests = cut, "the drain deadline passed: requests are cut");
            }
            if 0 < lost {
                tracing::warn!(events = lost, "the drain deadline passed: events are lost");
            }
        }
    }

    /// Waits for the signal that ends the gateway, and then until it may end.
    pub(super) async fn wait(&self, signals: Option<Signals>) {
        let Some(Signals { mut terminate, mut interrupt, mut hangup }) = signals else {
            tracing::error!("the system gives no signals: the gateway cannot be stopped gently");
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => {
                    // Somebody at a terminal waits: no time for others to hear of it.
                    self.begin();
                    tracing::info!("interrupted: requests in flight are finished");
                    either(self.idle(), &mut interrupt).await;
                    return;
                }
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: the configuration is looked at");
                    self.configuration.ask();
                }
            }
        }
        self.begin();
        tracing::info!(delay = ?self.terms.delay, "terminated: draining");
        let drained = async {
            sleep(self.terms.delay).await;
            self.idle().await;
        };
        either(drained, &mut interrupt).await;
    }
}

/// Waits for `work`, or for a signal that somebody has lost patience.
async fn either(work: impl Future<Output = ()>, impatience: &mut Signal) {
    tokio::select! {
        () = work => (),
        _ = impatience.recv() => (),
    }
}
