//! Events for event hubs: queued in memory while requests run, sent in the background.
//!
//! Nobody who emits an event ever waits: it is queued, or it is dropped and counted. Of each logger
//! there is a queue ([`outbox`]), which says what to send next; what is sent goes in batches
//! ([`batch`]) over the connections of [`caller`](crate::caller) ([`sender`]). Queues outlive
//! configurations: what is queued for a logger goes where the newest configuration says that it
//! leads. Whatever happens, `emitted = sent + dropped + queued`.

mod batch;
mod outbox;
mod sender;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::policy::logging::event_hub::HubEvent;
use crate::rpc::jitter;
use crate::snapshot::Live;
use crate::time::{Clock, SystemClock, Timestamp};

pub use outbox::{Counts, DROPPED};
pub use sender::{Obtains, Sender};

use batch::Batch;
use outbox::{Next, Outbox};
use sender::Unsent;

/// How many bytes the events of all loggers may take up together.
const BYTES_MAX: usize = 64 << 20;
/// How often it is looked, at least, whether another configuration is served.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The events that are not sent yet, and what became of the others.
#[derive(Debug, Default)]
pub struct Events {
    queues: Mutex<Queues>,
    /// That there may be something to do.
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    by_logger: BTreeMap<Arc<str>, Outbox>,
    /// How many bytes all of them hold.
    bytes: usize,
    /// Whether the gateway is on its way down: nothing waits for company any more.
    is_hurried: bool,
}

/// How it goes with the events of a logger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The logger.
    pub logger: Arc<str>,
    /// What became of its events.
    pub counts: Counts,
    /// How many are queued.
    pub queued: u64,
    /// How many bytes those take up.
    pub bytes: u64,
}

/// A batch on its way. If nobody says what became of it, it has failed.
struct Flight {
    events: Arc<Events>,
    logger: Arc<str>,
    batch: Option<Batch>,
    clock: Arc<SystemClock>,
}

impl Events {
    /// Queues `event`, or drops it where there is no room.
    pub fn emit(&self, event: HubEvent, now: Timestamp) {
        let mut queues = self.lock();
        let Queues { by_logger, bytes, .. } = &mut *queues;
        let HubEvent { logger, hub, partition, text } = event;
        let outbox = by_logger.entry(logger).or_insert_with(|| Outbox::new(hub));
        let before = outbox.bytes();
        let room = BYTES_MAX.saturating_sub(*bytes);
        let is_news = outbox.take(partition, text, room, now);
        *bytes = bytes.saturating_add(outbox.bytes().saturating_sub(before));
        drop(queues);
        if is_news {
            self.wake.notify_one();
        }
    }

    /// How many events are queued, or on their way.
    pub fn queued(&self) -> u64 {
        self.lock().by_logger.values().map(Outbox::queued).sum()
    }

    /// How it goes with each logger.
    pub fn standings(&self) -> Vec<Standing> {
        let queues = self.lock();
        let of = |(logger, outbox): (&Arc<str>, &Outbox)| Standing {
            logger: Arc::clone(logger),
            counts: outbox.counts(),
            queued: outbox.queued(),
            bytes: u64::try_from(outbox.bytes()).unwrap_or(u64::MAX),
        };
        queues.by_logger.iter().map(of).collect()
    }

    /// From now on nothing waits for more to be sent with it, and what failed not for long: the
    /// gateway is on its way down.
    pub fn hurry(&self) {
        self.lock().is_hurried = true;
        self.wake.notify_one();
    }

    /// Sends what is queued, for as long as it is polled.
    pub async fn keep(self: Arc<Self>, live: Arc<Live>, sender: Sender, clock: Arc<SystemClock>) {
        let sender = Arc::new(sender);
        let mut sends = JoinSet::new();
        loop {
            let (due, wait) = self.due(&live, clock.now());
            for (logger, batch) in due {
                let (events, clock) = (Arc::clone(&self), Arc::clone(&clock));
                let flight = Flight { events, logger, batch: Some(batch), clock };
                let sender = Arc::clone(&sender);
                sends.spawn(async move { flight.fly(&sender).await });
            }
            tokio::select! {
                () = self.wake.notified() => (),
                () = sleep(wait) => (),
                // What became of it, it has said itself.
                Some(_over) = sends.join_next() => (),
            }
        }
    }

    /// What is to be sent now, and how long it is until there may be more.
    fn due(&self, live: &Live, now: Timestamp) -> (Vec<(Arc<str>, Batch)>, Duration) {
        let snapshot = live.snapshot();
        let mut queues = self.lock();
        let is_hurried = queues.is_hurried;
        let mut due = Vec::new();
        let mut wait = LOOK_INTERVAL;
        queues.by_logger.retain(|logger, outbox| {
            match snapshot.loggers.get(logger) {
                Some(hub) => outbox.leads_to(hub),
                // Nobody asks any more what became of its events.
                None if outbox.queued() == 0 => return false,
                None => (),
            }
            loop {
                match outbox.next(now, is_hurried) {
                    Next::Send(batch) => due.push((Arc::clone(logger), batch)),
                    Next::Wait(span) => {
                        wait = wait.min(span);
                        return true;
                    }
                    Next::Nothing => return true,
                }
            }
        });
        (due, wait)
    }

    fn over(&self, logger: &Arc<str>, batch: Batch, outcome: &Result<(), Unsent>, now: Timestamp) {
        let mut queues = self.lock();
        let Queues { by_logger, bytes, .. } = &mut *queues;
        let Some(outbox) = by_logger.get_mut(logger) else { return };
        let before = outbox.bytes();
        let change = match outcome {
            Ok(()) => outbox.sent(&batch),
            Err(Unsent::Refused(_)) => outbox.refused(batch),
            Err(_unsent) => outbox.failed(batch, now, jitter),
        };
        *bytes = bytes.saturating_sub(before.saturating_sub(outbox.bytes()));
        drop(queues);
        match (change, outcome) {
            (Some(true), _) => tracing::info!(%logger, "events are sent again"),
            (Some(false), Err(unsent)) => {
                tracing::warn!(%logger, reason = %unsent, "events cannot be sent: they are queued");
            }
            _ => (),
        }
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    async fn fly(mut self, sender: &Sender) {
        let now = self.clock.now();
        let outcome = match &self.batch {
            Some(batch) => sender.send(batch, now).await,
            None => Ok(()),
        };
        self.land(&outcome);
    }

    fn land(&mut self, outcome: &Result<(), Unsent>) {
        if let Some(batch) = self.batch.take() {
            self.events.over(&self.logger, batch, outcome, self.clock.now());
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.land(&Err(Unsent::Abandoned));
    }
}
