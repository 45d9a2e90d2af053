//! Permits at work: a pool, those who wait for its answers, and the way its orders take. Each lane
//! has one of these beside its desks.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::counters::shared::desk::{Round, marked, unmarked};
use crate::counters::shared::{ANSWER_MAX, Office, Shared};
use crate::limit::concurrency::pool::{Decision, Effect, Pool, WaiterId};
use crate::limit::concurrency::{Door, Entrance, Inside, Permit};
use crate::limit::engine::members::Identity;
use crate::limit::engine::standing::Standing;
use crate::limit::key::CounterKey;
use crate::limit::order::{Errand, Outcome, Ticket};
use crate::time::Timestamp;

/// How many keys can have a request inside at one time, over all lanes; one more is treated as full.
const KEYS_MAX: usize = 1 << 17;

/// After how long an order that found no room on the link counts as unanswered.
const UNSENT: Duration = Duration::from_millis(5);

/// A pool and those around it.
#[derive(Debug)]
pub(super) struct Lending {
    number: u8,
    lane: u16,
    pool: Pool,
    waiters: HashMap<WaiterId, oneshot::Sender<bool>>,
    /// The connection that orders are for: the one that the pool knows of.
    connection: u64,
    /// Orders that found no room on the link, and when that is told.
    unsent: Vec<Ticket>,
    unsent_at: Timestamp,
}

/// One who waits for an answer. Who goes away gives back what comes too late.
struct Waiting {
    office: Arc<Office>,
    key: CounterKey,
    answer: oneshot::Receiver<bool>,
}

/// The pool behind a lock.
pub(super) fn lock(lending: &Mutex<Lending>) -> MutexGuard<'_, Lending> {
    // Nothing panics while it is held.
    lending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lending {
    /// The permits of `lane`, one of `lanes`; `number` is that of the place after its desks.
    pub(super) fn new(
        (lane, lanes): (u16, u16),
        number: u8,
        identity: Identity,
        expected: NonZeroU32,
        now: Timestamp,
    ) -> Self {
        let keys_max = KEYS_MAX / usize::from(lanes.max(1));
        Self {
            number,
            lane,
            pool: Pool::new((identity.replica, identity.incarnation), expected, keys_max, now),
            waiters: HashMap::new(),
            connection: 0,
            unsent: Vec::new(),
            unsent_at: now,
        }
    }

    /// Its lane.
    pub(super) const fn lane(&self) -> u16 {
        self.lane
    }

    /// The owner of its tickets.
    pub(super) const fn number(&self) -> u8 {
        self.number
    }

    /// Stands differently from now on, and sends over `connection`.
    pub(super) fn stand(&mut self, now: Timestamp, standing: Arc<Standing>, connection: u64) {
        self.connection = connection;
        self.pool.stand(now, standing);
    }

    /// Gives everything back.
    pub(super) fn hand_in(&mut self, now: Timestamp) {
        self.pool.hand_in(now);
    }

    /// What became of an order.
    pub(super) fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: &Outcome) {
        self.pool.outcome(now, ticket, outcome);
    }

    /// When it is due that somebody looks in.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let unsent = (!self.unsent.is_empty()).then_some(self.unsent_at);
        [unsent, self.pool.wake()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn look_in(&mut self, now: Timestamp) {
        if self.unsent_at <= now {
            for ticket in std::mem::take(&mut self.unsent) {
                self.pool.outcome(now, ticket, &Outcome::Unanswered);
            }
        }
        self.pool.tick(now);
    }

    /// Does what the pool wants done; says what its membership is to hear.
    pub(super) fn see_to(&mut self, office: &Office, now: Timestamp) -> Vec<Round> {
        let (mut errands, mut rounds) = (Vec::new(), Vec::new());
        let desk = self.number;
        while let Some(effect) = self.pool.next_effect() {
            match effect {
                Effect::Send(Errand { ticket, order }) => match marked(ticket, desk) {
                    Some(ticket) => errands.push(Errand { ticket, order }),
                    None => self.unsent.push(ticket),
                },
                Effect::Answer { waiter, key, is_in } => {
                    let sender = self.waiters.remove(&waiter);
                    let is_there = sender.is_some_and(|sender| sender.send(is_in).is_ok());
                    if is_in && !is_there {
                        self.pool.leave(now, &key);
                    }
                }
                Effect::Healed { round } => {
                    rounds.push(Round { desk, number: round, is_whole: true });
                }
                Effect::Unhealed { round } => {
                    rounds.push(Round { desk, number: round, is_whole: false });
                }
            }
        }
        if !errands.is_empty()
            && let Err(errands) = office.link.send(self.lane, self.connection, errands)
        {
            self.unsent.extend(errands.into_iter().map(|errand| unmarked(errand.ticket).1));
            self.unsent_at = now + UNSENT;
        }
        rounds
    }

    fn enter(&mut self, now: Timestamp, key: CounterKey, max: u32) -> Said {
        match self.pool.enter(now, key, max) {
            Decision::In => Said::Now(true),
            Decision::Full => Said::Now(false),
            Decision::Waiting(id) => {
                let (sender, answer) = oneshot::channel();
                self.waiters.insert(id, sender);
                Said::Later(answer)
            }
        }
    }
}

/// What a pool says to one who wants in.
enum Said {
    Now(bool),
    Later(oneshot::Receiver<bool>),
}

impl Shared {
    /// Lets one in under `key` if fewer than `max` are inside over all replicas.
    pub fn enter(&self, key: CounterKey, max: u32) -> Entrance {
        let office = &self.office;
        let permit = move |office: &Arc<Office>| {
            let door: Arc<dyn Door> = Arc::<Office>::clone(office);
            Permit::new(door, key)
        };
        match office.at_permits(&key, |lending, now| lending.enter(now, key, max)) {
            Some(Said::Now(true)) => Entrance::Now(Some(permit(office))),
            Some(Said::Later(answer)) => {
                let mut waiting = Waiting { office: Arc::clone(office), key, answer };
                Entrance::Later(Box::pin(async move {
                    let answer = timeout(ANSWER_MAX, &mut waiting.answer).await;
                    let is_in = matches!(answer, Ok(Ok(true)));
                    is_in.then(|| permit(&waiting.office))
                }))
            }
            Some(Said::Now(false)) | None => Entrance::Now(None),
        }
    }
}

impl Office {
    /// Shows the keys of `limit-concurrency`: in which lane, whether that is in touch, and what is
    /// known of each.
    pub(super) fn look_inside(&self, mut show: impl FnMut(u16, bool, CounterKey, Inside)) {
        for lane in &self.lanes {
            let lending = lock(lane.lending());
            let is_in_touch = lending.pool.is_in_touch();
            lending.pool.look(self.clock.now(), |key, inside| {
                show(lane.number(), is_in_touch, key, inside);
            });
        }
    }
}

impl Door for Office {
    fn left(&self, key: &CounterKey) {
        self.at_permits(key, |lending, now| lending.pool.leave(now, key));
    }
}

impl Office {
    /// Lets `act` at the permits of the lane of `key`, and does what then follows.
    fn at_permits<T>(
        &self,
        key: &CounterKey,
        act: impl FnOnce(&mut Lending, Timestamp) -> T,
    ) -> Option<T> {
        let (lane, _) = self.place_of(key)?;
        let (outcome, rounds, wake) = {
            let mut lending = lock(lane.lending());
            let now = self.clock.now();
            let outcome = act(&mut lending, now);
            let rounds = lending.see_to(self, now);
            (outcome, rounds, lending.wake())
        };
        self.go_on(lane, &rounds, wake);
        Some(outcome)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // After this whoever answers finds nobody; before, the answer is here.
        self.answer.close();
        if matches!(self.answer.try_recv(), Ok(true)) {
            self.office.left(&self.key);
        }
    }
}
