//! How somebody who has a configuration hands it to the one thread that makes configurations run,
//! and hears what became of it.
//!
//! Only the newest offers wait, one to be served and one to be made ready: who publishes a hundred
//! times a second gets the last one served, and nothing piles up.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::bundle::Bundle;
use super::gauge::{Gauge, Reading};
use super::generation::Generation;
use super::keeping::Keep;
use super::switch::Switch;
use super::switch::orders::Orders;
use crate::fault::Fault;
use crate::time::Timestamp;

/// A configuration that somebody found good.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Which one.
    pub generation: Generation,
    /// What it is.
    pub bundle: Arc<Bundle>,
    /// What to do with it.
    pub order: Order,
}

/// What to do with an offer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Order {
    /// Make it ready, and go on serving what is served.
    Prepare,
    /// Serve it.
    Serve,
}

/// How the configuration is doing; shared by whoever shows it, and whoever brings it.
pub struct Status {
    wishes: Mutex<Wishes>,
    wished: Condvar,
    state: watch::Sender<State>,
    gauge: Mutex<Option<Arc<dyn Gauge>>>,
}

/// How the configuration is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct State {
    /// The newest that was heard of.
    pub observed: Generation,
    /// The newest that is ready to be served, or is served.
    pub prepared: Generation,
    /// The one that is served.
    pub serving: Generation,
    /// Since when it is.
    pub since: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// How many configurations were refused since the process started.
    pub refused: u64,
    /// Why the newest configuration is not the one that is served; empty if it is.
    pub refusal: Vec<Fault>,
    /// Which one that is, if it was offered.
    pub refused_offer: Generation,
    /// Why nothing comes from the control plane, where it should for all of a cluster; none if it
    /// does, or should not.
    pub cut_off: Option<String>,
    /// Whether that has been so for long, and this replica makes room for one that reaches it.
    pub gives_way: bool,
    /// Whether this replica reaches the control plane, as it found out because the leader of its
    /// cluster does not.
    pub reaches: bool,
    /// What is known of the copies that are kept; none if none are.
    pub keep: Option<Keep>,
    /// What is switched off, whatever the configuration says.
    pub disabled: Vec<String>,
    /// The same, for whoever compiles configurations.
    pub switch: Arc<Switch>,
    /// What is wrong with the file that says so.
    pub switch_faults: Vec<Fault>,
}

/// Where a configuration came from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Source {
    /// There is none.
    #[default]
    None,
    /// The folder of this gateway.
    Folder,
    /// Somebody who offered it.
    Offer,
    /// The newest copy that was whole, because there was nothing else.
    LastGood {
        /// When that was kept.
        kept: Timestamp,
    },
}

impl State {
    /// Notes that `generation` is not refused, whatever was said of it before.
    pub(super) fn take_refusal_back(&mut self, generation: Generation) {
        self.refusal.clear();
        if self.refused_offer == generation {
            self.refused_offer = Generation::NONE;
        }
    }
}

impl Source {
    /// All words for it.
    pub const WORDS: [&str; 4] = ["none", "folder", "offer", "last-good"];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        let [none, folder, offer, last_good] = Self::WORDS;
        match self {
            Self::None => none,
            Self::Folder => folder,
            Self::Offer => offer,
            Self::LastGood { .. } => last_good,
        }
    }
}

/// What the thread is to do next.
#[derive(Debug, Default)]
struct Wishes {
    /// How often somebody asked for a look at the folder at once.
    asked: u64,
    /// How many of these were heeded: who asks while a configuration is loaded, is not forgotten.
    heeded: u64,
    /// To be served.
    serve: Option<Offer>,
    /// To be made ready; newer than what is to be served.
    prepare: Option<Offer>,
    /// What a control plane has switched off, and whether that is news.
    orders: (Arc<Orders>, bool),
    stopped: bool,
}

/// Why the thread that waits goes on.
#[derive(Debug)]
pub enum Wake {
    /// To end.
    Stop,
    /// Somebody has a configuration.
    Offered(Offer),
    /// Somebody asked for a look.
    Asked,
    /// A control plane has switched something off or on.
    Ordered,
    /// Time has passed.
    Tick,
}

impl Default for Status {
    fn default() -> Self {
        let state = watch::Sender::new(State::default());
        Self { wishes: Mutex::default(), wished: Condvar::new(), state, gauge: Mutex::default() }
    }
}

impl Status {
    /// How it is doing now.
    pub fn now(&self) -> State {
        self.state.borrow().clone()
    }

    /// Tells of every change from now on.
    pub fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Has `gauge` asked what happens to requests from now on.
    pub fn measure(&self, gauge: Arc<dyn Gauge>) {
        *self.gauge.lock().unwrap_or_else(PoisonError::into_inner) = Some(gauge);
    }

    /// What happens to the requests of what is served; nothing if nobody measures it.
    pub fn reading(&self) -> Reading {
        let gauge = self.gauge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        gauge.map(|gauge| gauge.read()).unwrap_or_default()
    }

    /// Asks for a look at the folder at once.
    pub fn ask(&self) {
        let mut wishes = self.lock();
        wishes.asked = wishes.asked.wrapping_add(1);
        self.wished.notify_all();
    }

    /// Hands over a configuration, in the place of an older one that waits.
    pub fn offer(&self, offer: Offer) {
        self.change(|state| state.observed = state.observed.max(offer.generation));
        let mut wishes = self.lock();
        let Wishes { serve, prepare, .. } = &mut *wishes;
        let is_after = |waits: &Option<Offer>| {
            waits.as_ref().is_none_or(|waits| waits.generation < offer.generation)
        };
        match offer.order {
            Order::Serve if is_after(serve) => {
                prepare.take_if(|ready| ready.generation <= offer.generation);
                *serve = Some(offer);
            }
            // What is to be served now still is: nobody may be without until this one is allowed.
            Order::Prepare if is_after(serve) && is_after(prepare) => *prepare = Some(offer),
            Order::Serve | Order::Prepare => return,
        }
        self.wished.notify_all();
    }

    /// Hands over what a control plane has switched off, unless something newer is known; whether it
    /// was.
    pub fn order(&self, orders: Arc<Orders>) -> bool {
        let mut wishes = self.lock();
        let is_newer = orders.is_after(&wishes.orders.0);
        if is_newer {
            wishes.orders = (orders, true);
            self.wished.notify_all();
        }
        is_newer
    }

    /// The newest of what a control plane has switched off.
    pub fn ordered(&self) -> Arc<Orders> {
        Arc::clone(&self.lock().orders.0)
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.wished.notify_all();
    }

    /// Notes how it is doing now.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// Waits for `interval`, or until somebody wants something.
    pub fn wait(&self, interval: Duration) -> Wake {
        let idle = |wishes: &mut Wishes| {
            let is_offered = wishes.serve.is_some() || wishes.prepare.is_some();
            let is_ordered = wishes.orders.1;
            !wishes.stopped && !is_offered && !is_ordered && wishes.asked == wishes.heeded
        };
        let waited = self.wished.wait_timeout_while(self.lock(), interval, idle);
        let (mut wishes, _timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        if wishes.stopped {
            return Wake::Stop;
        }
        if std::mem::take(&mut wishes.orders.1) {
            return Wake::Ordered;
        }
        let offered = wishes.serve.take().or_else(|| wishes.prepare.take());
        if let Some(offer) = offered {
            return Wake::Offered(offer);
        }
        let asked = wishes.asked != wishes.heeded;
        wishes.heeded = wishes.asked;
        if asked { Wake::Asked } else { Wake::Tick }
    }

    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Status")
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(number: u64, order: Order) -> Offer {
        let bundle = Arc::new(Bundle::of([]).unwrap());
        Offer { generation: Generation { history: 1, number }, bundle, order }
    }

    #[test]
    fn only_the_newest_offer_waits() {
        let status = Status::default();
        for (number, order) in [
            (1, Order::Serve),
            (3, Order::Prepare),
            (2, Order::Serve),
            (3, Order::Serve),
            (3, Order::Prepare),
        ] {
            status.offer(offer(number, order));
        }
        assert_eq!(status.now().observed.number, 3);
        let Wake::Offered(offer) = status.wait(Duration::ZERO) else { panic!("no offer") };
        assert_eq!((offer.generation.number, offer.order), (3, Order::Serve));
        assert!(matches!(status.wait(Duration::ZERO), Wake::Tick));
    }

    #[test]
    fn what_is_to_be_made_ready_does_not_push_out_what_is_to_be_served() {
        let status = Status::default();
        status.offer(offer(1, Order::Serve));
        status.offer(offer(2, Order::Prepare));
        for (number, order) in [(1, Order::Serve), (2, Order::Prepare)] {
            let Wake::Offered(offer) = status.wait(Duration::ZERO) else { panic!("no offer") };
            assert_eq!((offer.generation.number, offer.order), (number, order));
        }
    }

    #[test]
    fn who_asks_is_not_forgotten_for_an_offer() {
        let status = Status::default();
        status.ask();
        status.offer(offer(1, Order::Serve));
        assert!(matches!(status.wait(Duration::ZERO), Wake::Offered(_)));
        assert!(matches!(status.wait(Duration::ZERO), Wake::Asked));
        status.stop();
        assert!(matches!(status.wait(Duration::ZERO), Wake::Stop));
    }
}
