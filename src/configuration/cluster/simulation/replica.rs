//! One replica: the real [`Cluster`], and what stands in for the thread that makes configurations
//! run.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::world::{Reached, Shared, context};
use crate::configuration::bundle::Bundle;
use crate::configuration::cluster::pace::Pace;
use crate::configuration::cluster::publication::KEPT_MIN;
use crate::configuration::cluster::source::{Errand, Found, Source};
use crate::configuration::cluster::wish::Desk;
use crate::configuration::cluster::{Cluster, Dice, Standing, Terms};
use crate::configuration::gauge::{Gauge, Reading};
use crate::configuration::generation::Generation;
use crate::configuration::guard::Inventory;
use crate::configuration::offer::{Offer, Order, Status, Wake};
use crate::configuration::switch::orders::Orders;
use crate::fault::{Fault, Place};
use crate::time::{Clock, Timestamp};

/// A replica.
pub(super) struct Replica {
    number: usize,
    status: Arc<Status>,
    running: Pin<Box<dyn Future<Output = ()>>>,
    is_over: bool,
    leave: watch::Sender<bool>,
    stopped_until: u64,
    /// What it was handed over and makes ready, until when.
    making: Option<(u64, Offer)>,
    served: Generation,
    traffic: Arc<Traffic>,
}

/// Requests that come at a rate of their own.
struct Traffic {
    world: Shared,
    /// What is served, since when, and of how many requests one fails.
    serving: Mutex<(u64, u64, u64)>,
}

impl Gauge for Traffic {
    fn read(&self) -> Reading {
        let (generation, since, one_of) = *self.serving.lock().unwrap();
        let world = self.world.lock();
        let requests = world.now.saturating_sub(since) * world.requests_a_second / 1_000;
        Reading { generation, requests, errors: requests / one_of.max(1) }
    }
}

impl Replica {
    /// A replica that begins at `from`.
    pub(super) fn start(world: &Shared, number: usize, from: u64) -> Self {
        let status = Arc::new(Status::default());
        let traffic = Arc::new(Traffic { world: world.clone(), serving: Mutex::default() });
        status.measure(Arc::<Traffic>::clone(&traffic));
        let (leave, left) = watch::channel(false);
        let reached = || Arc::new(Reached { world: world.clone(), replica: number });
        let behind = { world.lock().below(20_000) };
        let seed = world.lock().below(u64::MAX);
        let cluster = Cluster {
            store: reached(),
            source: Arc::new(Behind { reached: reached(), by: behind, lost: Mutex::default() }),
            status: Arc::clone(&status),
            clock: reached(),
            replica: format!("replica-{number}"),
            terms: Terms {
                lease: Duration::from_secs(10),
                look_again: Duration::from_secs(20),
                look: Duration::from_secs(1),
                hold: Duration::from_secs(15),
                patience: Duration::from_secs(20),
                cut_off: Duration::from_secs(30),
                pause: (Duration::from_millis(250), Duration::from_secs(5)),
                kept: KEPT_MIN,
                only_sound: true,
            },
            standing: watch::Sender::new(Standing::default()),
            dice: Dice::new(seed),
            calls: Arc::default(),
            desk: Desk::default(),
        };
        world.lock().awake.insert(number);
        let running = Box::pin(async move { cluster.run(left).await });
        Self {
            number,
            status,
            running,
            is_over: false,
            leave,
            stopped_until: from,
            making: None,
            served: Generation::NONE,
            traffic,
        }
    }

    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// What it serves.
    pub(super) const fn serves(&self) -> u64 {
        self.served.number
    }

    /// A control plane tells it what is off.
    pub(super) fn hears(&self, orders: Orders) {
        self.status.order(Arc::new(orders));
    }

    /// What it knows to be off.
    pub(super) fn obeys(&self) -> Arc<Orders> {
        self.status.ordered()
    }

    /// Stops it, as SIGSTOP does.
    pub(super) fn stop_until(&mut self, until: u64) {
        self.stopped_until = self.stopped_until.max(until);
    }

    /// Tells it to leave, as SIGTERM does; it is started again at once.
    pub(super) fn leave(&mut self) {
        self.leave.send_replace(true);
    }

    /// One step of it, if it is not stopped.
    pub(super) fn step(&mut self, world: &Shared) {
        let now = world.lock().now;
        if now < self.stopped_until {
            world.lock().timers.insert((self.stopped_until, self.number));
            return;
        }
        if self.is_over {
            let again = Self::start(world, self.number, 0);
            *self = again;
        }
        self.is_over = self.running.as_mut().poll(&mut context()).is_ready();
        let wake = match self.status.wait(Duration::ZERO) {
            Wake::Ordered => self.status.wait(Duration::ZERO),
            other @ (Wake::Stop | Wake::Offered(_) | Wake::Asked | Wake::Tick) => other,
        };
        if let Wake::Offered(offer) = wake {
            let takes = world.lock().below(300);
            self.making = Some((now + takes, offer));
            world.lock().timers.insert((now + takes, self.number));
        }
        if self.making.as_ref().is_some_and(|(until, _)| *until <= now) {
            let made = self.making.take();
            if let Some((_, offer)) = made {
                self.take(world, &offer);
                // It tells of that.
                world.lock().awake.insert(self.number);
            }
        }
    }

    /// As `Refresh` does.
    fn take(&mut self, world: &Shared, offer: &Offer) {
        if offer.generation <= self.served {
            return;
        }
        let text = Arc::clone(offer.bundle.entries()[0].text());
        let is_bad =
            text.starts_with("poison") || (text.starts_with("bad for 0") && self.number == 0);
        if is_bad {
            let fault = Fault::new(Place::start_of(&Arc::from("a.yaml")), "poison");
            self.status.change(|state| {
                state.refusal = vec![fault];
                state.refused_offer = offer.generation;
            });
            return;
        }
        if offer.order == Order::Serve {
            self.serve(world, offer.generation);
            let one_of = if text.starts_with("errs") { 2 } else { 100 };
            let now = world.lock().now;
            *self.traffic.serving.lock().unwrap() = (self.served.number, now, one_of);
        }
        self.status.change(|state| {
            state.prepared = state.prepared.max(offer.generation);
            state.serving = self.served;
            state.refusal.clear();
        });
    }

    fn serve(&mut self, world: &Shared, generation: Generation) {
        let mut world = world.lock();
        if generation <= self.served {
            let told = format!("C4: {} serves {generation} after {}", self.number, self.served);
            world.broken.get_or_insert(told);
        }
        let name = format!("replica-{}", self.number);
        let is_for_it = world.currents.iter().any(|current| {
            (current.number == generation.number && current.is_for(&name))
                || current.previous == generation.number
        });
        if !is_for_it {
            let told = format!("C12: {name} serves {generation}, which is not for it");
            world.broken.get_or_insert(told);
        }
        self.served = generation;
    }
}

/// A source that is behind the others.
struct Behind {
    reached: Arc<Reached>,
    /// By how many milliseconds.
    by: u64,
    /// Since when it is not reached.
    lost: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Behind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Behind").field("by", &self.by).finish_non_exhaustive()
    }
}

impl Behind {
    fn is_apart(&self) -> bool {
        self.reached.world.lock().is_apart(self.reached.replica)
    }
}

#[async_trait]
impl Source for Behind {
    async fn bring(&self, errand: &Errand<'_>) {
        *self.lost.lock().unwrap() = None;
        loop {
            if self.is_apart() {
                self.lost.lock().unwrap().get_or_insert(self.reached.now());
                self.reached.sleep(Duration::from_secs(1)).await;
                continue;
            }
            *self.lost.lock().unwrap() = None;
            let (bundle, origin) = {
                let world = self.reached.world.lock();
                let seen = world.now.saturating_sub(self.by);
                let at = world.sources.iter().rposition(|(since, _)| *since <= seen);
                let number = at.map(|at| u64::try_from(at).unwrap() + 1);
                let origin = number.filter(|_| world.is_streamed);
                let bundle = at.map(|at| Arc::clone(&world.sources[at].1));
                (bundle, origin.map(|number| Generation { history: 1, number }))
            };
            let is_new = errand.found.borrow().as_ref().is_none_or(|last| {
                Some(last.bundle.digest()) != bundle.as_ref().map(|b| b.digest())
            });
            if let Some(bundle) = bundle.filter(|_| is_new) {
                errand.found.send_replace(Some(Found { bundle, origin }));
            }
            self.reached.sleep(Duration::from_secs(1)).await;
        }
    }

    fn cut_off(&self) -> Option<Timestamp> {
        *self.lost.lock().unwrap()
    }

    async fn is_in_reach(&self) -> bool {
        self.reached.sleep(Duration::from_millis(100)).await;
        !self.is_apart()
    }

    async fn meanwhile(&self, _standing: watch::Receiver<Standing>) -> Option<Bundle> {
        None
    }

    async fn inventory(&self, bundle: &Arc<Bundle>) -> Option<Arc<Inventory>> {
        let is_empty = bundle.entries()[0].text().starts_with("empty");
        Some(Arc::new(Inventory::counted([if is_empty { 1 } else { 10 }; 5])))
    }
}
