//! The batcher among those who send and those who answer, in the orders that [`shuttle`] makes of
//! what they do: every order has one outcome, and is carried over the connection it was made for.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use redis::Value;
use shuttle::future::{JoinHandle, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::RandomScheduler;

use super::*;
use crate::counters::redis::{Customer, Link};
use crate::limit::key::{KeySpace, Kind};
use crate::limit::order::{Fixed, Meter, Order, Outcome, Raise, Span, Ticket};
use crate::time::Clock;

/// How many orders of events are tried.
const RUNS: usize = 400;

/// How many senders there are, how many parcels each sends, and how many orders are in one at most.
const SENDERS: u32 = 3;
const PARCELS: u32 = 6;
const ORDERS_MAX: u32 = 40;

/// How many parcels find room before somebody takes them.
const ROOM: usize = 2;

/// How many connections there are, one after the other.
const CONNECTIONS: u64 = 3;

/// A clock that goes on by some milliseconds whenever somebody looks.
#[derive(Default)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(3_000, Ordering::SeqCst))
    }
}

/// What is known of one order.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    made_for: u64,
    /// How often it was refused by the link, sent to the primary, and told of.
    unsent: u32,
    carried: u32,
    told: u32,
}

/// Hears and sees everything.
#[derive(Default)]
struct Witness {
    known: Mutex<HashMap<u32, Known>>,
    /// The connection that there is; zero: none.
    connection: AtomicU64,
}

impl Witness {
    fn note(&self, serial: u32, note: impl FnOnce(&mut Known)) {
        // Where one has panicked already, batches are dropped, which comes here too.
        if !std::thread::panicking() {
            note(self.known.lock().unwrap().entry(serial).or_default());
        }
    }
}

impl Customer for Witness {
    fn told(&self, news: News) {
        match news {
            News::Connected { connection, .. } => {
                self.connection.store(connection, Ordering::SeqCst);
            }
            News::Lost { connection, .. } => {
                self.connection.store(0, Ordering::SeqCst);
                for (serial, known) in &*self.known.lock().unwrap() {
                    let is_over = known.carried == 0 || known.told == 1;
                    assert!(is_over, "{serial} is on its way over {connection}, which is lost");
                }
            }
            News::Trouble { .. } | News::Copies { .. } => {}
            News::Outcomes { outcomes, .. } => {
                for (ticket, outcome) in outcomes {
                    self.note(ticket.serial, |known| {
                        known.told += 1;
                        assert_eq!(known.told, 1, "{} has two outcomes", ticket.serial);
                        let is_answered = matches!(outcome, Outcome::Answered(_));
                        assert!(!is_answered || known.carried == 1, "{known:?}");
                    });
                }
            }
        }
    }
}

/// A connection on which anything happens that can.
struct Chaos {
    connection: u64,
    witness: Arc<Witness>,
    on_the_way: Vec<JoinHandle<End>>,
}

impl Chaos {
    /// What becomes of one batch.
    async fn carry(batch: Batch) -> End {
        pause().await;
        match thread_rng().gen_range(0..8) {
            // Nobody waits for it any more, but it is on its way.
            0 => drop(batch),
            1 => return End::Broken(Trouble::Moved),
            // It panics, as far as the lane can see.
            2 => return End::Broken(Trouble::Garbled),
            // Fewer answers than orders.
            3 => batch.answered(|orders| answer(orders - 1)),
            _ => batch.answered(answer),
        }
        pause().await;
        End::Answered(None)
    }
}

/// The answer to a call of so many orders, some of which fail.
fn answer(orders: usize) -> Value {
    let error = |text| redis::parse_redis_value(text).unwrap();
    let sold = |_| match thread_rng().gen_range(0..10) {
        0 => Value::Okay,
        1 => error(b"-WRONGTYPE of another kind\r\n"),
        _ => Value::Int(1),
    };
    match thread_rng().gen_range(0..10) {
        0 => Value::Okay,
        1 => error(b"-NOSCRIPT unknown\r\n"),
        _ => Value::Array((0..orders).map(sold).chain([Value::Nil]).collect()),
    }
}

/// Lets others go on, for some time.
async fn pause() {
    for _ in 0..thread_rng().gen_range(0..6) {
        yield_now().await;
    }
}

impl Road for Chaos {
    fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    fn send(&mut self, batch: Batch) {
        assert!(self.on_the_way.len() < ON_THE_WAY_MAX && batch.errands().len() <= BATCH_MAX);
        for errand in batch.errands() {
            self.witness.note(errand.ticket.serial, |known| {
                known.carried += 1;
                assert_eq!((known.carried, known.told), (1, 0), "carried twice, or too late");
                assert_eq!(known.made_for, self.connection, "carried over another connection");
            });
        }
        self.on_the_way.push(spawn(Self::carry(batch)));
    }

    async fn back(&mut self) -> End {
        poll_fn(|context| {
            if thread_rng().gen_range(0..60) == 0 {
                return Poll::Ready(End::Broken(Trouble::NotPrimary));
            }
            for place in 0..self.on_the_way.len() {
                let task = Pin::new(&mut self.on_the_way[place]);
                if let Poll::Ready(end) = task.poll(context) {
                    self.on_the_way.swap_remove(place);
                    return Poll::Ready(end.unwrap());
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn pass(_: Duration) {
        pause().await;
    }

    async fn close(&mut self) {
        for task in &self.on_the_way {
            task.abort();
        }
        for task in self.on_the_way.drain(..) {
            let _ = task.await;
        }
    }
}

/// Sends parcels for the connection that there seems to be.
async fn send_some(link: Link, witness: Arc<Witness>, sender: u32) {
    let mut serial = sender * PARCELS * ORDERS_MAX;
    for _ in 0..PARCELS {
        pause().await;
        let connection = witness.connection.load(Ordering::SeqCst);
        pause().await;
        let errands = (0..thread_rng().gen_range(1..=ORDERS_MAX)).map(|_| {
            serial += 1;
            witness.note(serial, |known| known.made_for = connection);
            let meter = Meter { key: KeySpace::new(Kind::Rate, &[]).key("a"), period: 1 };
            let span = Span { starts: 0, ends: 1 };
            let order = match serial % 3 {
                0 => Order::Raise(Raise { floors: Vec::new() }),
                _ => Order::Fixed(Fixed { meter, span, want: 1, back: 0 }),
            };
            Errand { ticket: Ticket { place: 0, serial }, order }
        });
        let errands: Vec<_> = errands.collect();
        for errand in link.send(0, connection, errands).err().into_iter().flatten() {
            witness.note(errand.ticket.serial, |known| known.unsent += 1);
        }
    }
}

/// A lane with one connection after the other, until nobody sends any more.
async fn lane(mut desk: Desk, mut parcels: mpsc::Receiver<Parcel>, witness: Arc<Witness>) {
    let mut told = None;
    while meanwhile(&desk, &mut parcels, pause()).await.is_some() {
        if desk.connection == CONNECTIONS {
            while meanwhile(&desk, &mut parcels, std::future::pending::<()>()).await.is_some() {}
            return;
        }
        desk.connection += 1;
        let (lane, connection) = (0, desk.connection);
        desk.customer.told(News::Connected { lane, connection, run: 1, place: String::new() });
        let on_the_way = Vec::new();
        let road = Chaos { connection, witness: Arc::clone(&witness), on_the_way };
        match carry_all(&desk, &mut told, &mut parcels, road).await {
            Over::Unwanted => return,
            Over::Broken(trouble) => {
                desk.customer.told(News::Lost { lane, connection, trouble });
            }
        }
    }
}

#[test]
fn every_order_has_one_outcome_and_travels_over_its_own_connection() {
    // What happened in all runs: without all of it the test would say little.
    let (answered, unsent, carried) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let counts = Arc::new([answered, unsent, carried]);
    let seen = Arc::clone(&counts);
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let runner = shuttle::Runner::new(RandomScheduler::new_from_seed(7, RUNS), config);
    runner.run(move || {
        let witness = Arc::new(Witness::default());
        let clock: Arc<dyn Clock> = Arc::new(Hasty::default());
        let (sender, parcels) = mpsc::channel(ROOM);
        let commands = Arc::new(AtomicU64::new(0));
        let customer: Arc<dyn Customer> = Arc::<Witness>::clone(&witness);
        let desk = Desk {
            lane: 0,
            connection: 0,
            customer,
            clock: Arc::clone(&clock),
            commands: Arc::clone(&commands),
        };
        let link = Link { lanes: vec![sender].into(), clock, commands };
        let lane = spawn(lane(desk, parcels, Arc::clone(&witness)));
        let senders =
            (0..SENDERS).map(|sender| spawn(send_some(link.clone(), Arc::clone(&witness), sender)));
        let senders: Vec<_> = senders.collect();
        drop(link);
        shuttle::future::block_on(async {
            for sender in senders {
                sender.await.unwrap();
            }
            lane.await.unwrap();
        });
        for (serial, known) in &*witness.known.lock().unwrap() {
            assert_eq!(known.told + known.unsent, 1, "{serial}: {known:?}");
            assert!(known.unsent == 0 || known.carried == 0, "{serial}: {known:?}");
            let [answered, unsent, carried] = &*counts;
            answered.fetch_add(known.told.into(), Ordering::SeqCst);
            unsent.fetch_add(known.unsent.into(), Ordering::SeqCst);
            carried.fetch_add(known.carried.into(), Ordering::SeqCst);
        }
    });
    let [told, unsent, carried] = [0, 1, 2].map(|place: usize| seen[place].load(Ordering::SeqCst));
    assert!(unsent > 100 && carried > 1_000 && told > carried, "{told} {unsent} {carried}");
}

#[test]
fn pauses_are_short_while_another_primary_may_appear_and_long_where_none_does() {
    let mut pause = PAUSE_MIN;
    for _ in 0..5 {
        pause = longer(pause, Duration::from_secs(1));
    }
    assert_eq!(pause, PAUSE_MAX_AT_FIRST);
    for _ in 0..5 {
        pause = longer(pause, AT_FIRST);
    }
    assert_eq!(pause, PAUSE_MAX);
}
