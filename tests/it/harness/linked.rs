//! A link to Redis, with somebody who notes what it tells.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use weir::counters::redis::settings::{PREFIX, Place, Settings, Topology};
use weir::counters::redis::trouble::Trouble;
use weir::counters::redis::{Copies, Customer, Link, News};
use weir::limit::key::{KeySpace, Kind};
use weir::limit::order::durability::Durability;
use weir::limit::order::members::{Beat, Epoch, Probe};
use weir::limit::order::{
    Bucket, Errand, Fixed, Floor, Ledger, LedgerEntry, Meter, Order, Outcome, Permits, Raise,
    ReplicaId, Reply, Ring, Session, Span, Ticket,
};
use weir::time::{Clock, SystemClock};

use super::redis::Redis;
use super::{PATIENCE, soon};

/// A link with somebody who notes what it tells.
pub(crate) struct Linked {
    /// The link.
    pub(crate) link: Link,
    heard: Arc<Heard>,
    serial: u32,
}

#[derive(Default)]
struct Heard(Mutex<Vec<News>>);

impl Customer for Heard {
    fn told(&self, news: News) {
        self.0.lock().expect("the news").push(news);
    }
}

impl Linked {
    /// A link to one Redis, without users and TLS.
    pub(crate) fn to(redis: &Redis) -> Self {
        Self::with(&settings(redis))
    }

    /// A link to the Redis of `settings`.
    pub(crate) fn with(settings: &Settings) -> Self {
        Self::beside(settings, std::future::pending())
    }

    /// A link to the Redis of `settings`, moved in turn with `other`.
    pub(crate) fn beside(
        settings: &Settings,
        other: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let heard = Arc::new(Heard::default());
        let customer: Arc<dyn Customer> = Arc::<Heard>::clone(&heard);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (link, courier) = Link::new(settings, &clock, &customer).expect("settings");
        // It ends with the link.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = courier.run() => {}
                    () = other => {}
                }
            });
        });
        Self { link, heard, serial: 0 }
    }

    /// The news so far that `wanted` wants.
    pub(crate) fn news<T>(&self, wanted: impl Fn(&News) -> Option<T>) -> Vec<T> {
        self.heard.0.lock().expect("the news").iter().filter_map(wanted).collect()
    }

    /// The number of the newest connection of `lane` and the run id it leads to, once there are
    /// `count`.
    pub(crate) fn connected(&self, lane: u16, count: usize) -> (u64, u64) {
        let found = soon(|| {
            let all = self.connections(lane);
            (count <= all.len()).then(|| all.last().copied().expect("some"))
        });
        found.unwrap_or_else(|| panic!("no connection: {:?}", self.troubles()))
    }

    /// The connections of `lane` so far: their numbers, and the run ids they lead to.
    pub(crate) fn connections(&self, lane: u16) -> Vec<(u64, u64)> {
        self.news(|news| {
            let News::Connected { lane: of, connection, run, .. } = news else { return None };
            (*of == lane).then_some((*connection, *run))
        })
    }

    /// What was wrong, with and without a connection.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.news(|news| {
            let (News::Trouble { trouble, .. } | News::Lost { trouble, .. }) = news else {
                return None;
            };
            Some(trouble.clone())
        })
    }

    /// Waits until it was found that `wanted` have what is sold, and whether that is required.
    pub(crate) fn finds(&self, wanted: &Copies) -> bool {
        let found = soon(|| {
            let of = |news: &News| {
                let News::Copies { copies, is_required, .. } = news else { return None };
                (copies == wanted).then_some(*is_required)
            };
            self.news(of).pop()
        });
        found.unwrap_or_else(|| panic!("{:?}", self.news(|news| Some(news.clone()))))
    }

    /// Waits for a trouble that is wanted.
    pub(crate) fn suffers(&self, wanted: impl Fn(&Trouble) -> bool) {
        let found = soon(|| self.troubles().iter().any(&wanted).then_some(()));
        assert!(found.is_some(), "{:?}", self.troubles());
    }

    /// Buys until the trouble is one that is wanted.
    pub(crate) fn suffers_while_buying(&mut self, wanted: impl Fn(&Trouble) -> bool) {
        let found = soon(|| {
            if !self.connections(0).is_empty() {
                self.buy(0);
            }
            self.troubles().iter().any(&wanted).then_some(())
        });
        assert!(found.is_some(), "{:?}", self.troubles());
    }

    /// Sends one order over the newest connection; waits for its outcome.
    pub(crate) fn ask(&mut self, lane: u16, order: Order) -> Outcome {
        let connection = self.connections(lane).last().expect("a connection").0;
        self.ask_over(lane, connection, order)
    }

    /// Sends one order over that connection; waits for its outcome.
    pub(crate) fn ask_over(&mut self, lane: u16, connection: u64, order: Order) -> Outcome {
        self.serial += 1;
        let ticket = Ticket { place: 0, serial: self.serial };
        self.link.send(lane, connection, vec![Errand { ticket, order }]).expect("room");
        let outcome = soon(|| self.outcomes_of(ticket).pop());
        outcome.expect("an outcome")
    }

    /// What became of one order so far.
    pub(crate) fn outcomes_of(&self, ticket: Ticket) -> Vec<Outcome> {
        let mine = self.batches().into_iter().flatten().filter(|(of, _)| *of == ticket);
        mine.map(|(_, outcome)| outcome).collect()
    }

    /// The outcomes, as they came.
    pub(crate) fn batches(&self) -> Vec<Vec<(Ticket, Outcome)>> {
        self.news(|news| {
            let News::Outcomes { outcomes, .. } = news else { return None };
            Some(outcomes.clone())
        })
    }

    /// Buys one token; what the counter then shows, or `None` if it is unanswered.
    pub(crate) fn buy(&mut self, lane: u16) -> Option<i64> {
        match self.ask(lane, fixed(1)) {
            Outcome::Answered(Reply::Fixed(sold, _)) => Some(sold.sold),
            Outcome::Unanswered => None,
            other @ (Outcome::Answered(_) | Outcome::Unconfirmed) => panic!("{other:?}"),
        }
    }

    /// Sends one order until it is answered: on a busy machine some take longer than they may.
    pub(crate) fn answered(&mut self, lane: u16, order: &Order) -> Reply {
        let begun = Instant::now();
        loop {
            if let Outcome::Answered(reply) = self.ask(lane, order.clone()) {
                return reply;
            }
            assert!(begun.elapsed() < PATIENCE, "no answer to {order:?}: {:?}", self.troubles());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Buys one token, once that works; what the counter then shows.
    pub(crate) fn bought(&mut self, lane: u16) -> i64 {
        let Reply::Fixed(sold, _) = self.answered(lane, &fixed(1)) else {
            panic!("another answer")
        };
        sold.sold
    }
}

/// Where a server listens.
pub(crate) fn place(redis: &Redis) -> Place {
    Place::of_server(&redis.at()).expect("a place")
}

/// How to reach a server that has no users.
pub(crate) fn settings(redis: &Redis) -> Settings {
    let prefix = PREFIX.to_owned();
    Settings { topology: Topology::Single(place(redis)), login: None, tls: None, prefix }
}

/// What is counted.
pub(crate) fn meter() -> Meter {
    Meter { key: KeySpace::new(Kind::Rate, &[]).key("a"), period: 60_000_000 }
}

/// A window far in the future, so that no test outlives it.
pub(crate) const SPAN: Span = Span { starts: 9_000_000_000_000_000, ends: 9_000_000_060_000_000 };

/// Buys in the fixed window.
pub(crate) fn fixed(want: u64) -> Order {
    Order::Fixed(Fixed { meter: meter(), span: SPAN, want, back: 0 })
}

/// Whose data they are that [`every_kind`] writes.
const EPOCH: Epoch = Epoch(7);

/// A beat of a replica that stands.
pub(crate) fn beat(replica: u128, seq: u64) -> Order {
    Order::Beat(Beat {
        replica: ReplicaId(replica),
        incarnation: 1,
        seq,
        not_after: u64::MAX,
        miss: 600_000,
        unsure_after: 1_600_000,
        member_ttl: 300_000_000,
        stands: true,
        leave: false,
        epoch: EPOCH,
        heals: false,
    })
}

/// Report number `seq` to ledgers.
pub(crate) fn ledger(seq: u64, entries: Vec<LedgerEntry>, durability: Durability) -> Order {
    let session = Session { replica: ReplicaId(1), incarnation: 1, desk: 0 };
    Order::Ledger(Ledger { session, seq, entries, durability })
}

/// Buys `want` of a ledger that sells no more than 100.
pub(crate) fn entry(want: u64) -> LedgerEntry {
    LedgerEntry { meter: meter(), span: SPAN, bound: 100, want, delta: 0, floor: 0 }
}

/// An order of each kind.
pub(crate) fn every_kind() -> Vec<Order> {
    let bucket = Bucket {
        meter: meter(),
        token_nanos: 1_000_000_000,
        burst: 5,
        want: 2,
        back: 0,
        charge: 0,
    };
    let permits = Permits {
        key: meter().key,
        replica: ReplicaId(1),
        incarnation: 1,
        seq: 1,
        inside: 0,
        need: 1,
        want: 2,
        max: 3,
        life: 5_000_000,
    };
    vec![
        Order::Probe(Probe { begins: EPOCH }),
        beat(1, 1),
        fixed(4),
        Order::Ring(Ring { meter: meter(), parts: 10, at: 7, want: 3, bound: 5, marks: vec![] }),
        Order::Bucket(bucket),
        ledger(1, vec![entry(3)], Durability::Memory),
        Order::Raise(Raise { floors: vec![Floor { meter: meter(), span: SPAN, sold: 40 }] }),
        Order::Permits(permits),
    ]
}

/// The name of the counter that [`fixed`] makes.
pub(crate) fn counter_of(redis: &Redis) -> redis::Value {
    let redis::Value::Array(keys) = redis.ask(&["KEYS", "*f:*"]) else { panic!("no keys") };
    keys.into_iter().next().expect("a key")
}
