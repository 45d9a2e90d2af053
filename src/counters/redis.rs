//! Redis as the home of the counters: what carries orders to the primaries that sell.
//!
//! A [`Link`] has one connection for each lane. It finds the primary (a name that leads there,
//! sentinels, a cluster), makes sure that it sells, says so ([`News::Connected`]), and then carries
//! [`Errand`]s: each goes at once or, while a few batches are on their way, with others in the next
//! one. Each has exactly one outcome, [`DEADLINE`] after it was sent at the latest, and 25 ms later
//! if a replica is to confirm it ([`Durability`]); none is sent twice. What this process itself was
//! too late for, because it has too much to do, is no silence of the primary.
//!
//! [`Durability`]: crate::limit::order::durability::Durability
//!
//! # What holds a new primary and an old order apart
//! Connections are numbered, and every parcel says for which one it is. An order that was made
//! before its maker heard of a new connection is therefore not carried out on it: nothing is bought
//! from a primary before it was told what the one before had sold.
//!
//! # Which connection is a good one
//! One on which a write has just worked. Whatever is wrong with a primary (it is a replica, it
//! loads, it has no memory, ...: [`Trouble`]) ends the connection, and there is none until that
//! write works again. So whoever is connected can sell, and everything else is one case: out of
//! touch.
//!
//! The scripts `redis/*.lua` and `limit::seller` are one arithmetic; a test runs both.

pub mod settings;
pub mod trouble;
pub mod name;
pub mod script;
pub mod command;
pub mod answer;
pub mod drawer;
mod dial;
mod find;
mod confirm;
mod batch;
mod lane;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::counters::redis::batch::Desk;
use crate::counters::redis::find::Finder;
use crate::counters::redis::lane::Lane;
use crate::counters::redis::settings::{Settings, Unusable};
use crate::counters::redis::trouble::Trouble;
use crate::limit::order::{Errand, Outcome, Ticket};
use crate::time::{Clock, Timestamp};

/// After how long an order that was sent and has no answer counts as unanswered; and one that found
/// no room to be sent.
pub const DEADLINE: Duration = Duration::from_millis(25);

/// After how long without an answer a connection is given up.
pub const SILENCE_MAX: Duration = Duration::from_secs(1);

/// The most orders in one batch.
pub const BATCH_MAX: usize = 64;

/// The most batches on their way at once. While so many are, orders gather; before that each
/// goes at once. So an idle lane adds no wait, and a busy one sends about this many batches in a
/// round trip, however many orders there are.
pub const ON_THE_WAY_MAX: usize = 4;

/// The most orders that wait for a batch; more have no outcome but unanswered.
pub const WAITING_MAX: usize = 4_096;

/// How many parcels of one lane may wait to be taken.
pub const PARCELS_MAX: usize = 1_024;

/// Who has what is sold, besides the primary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Copies {
    /// A replica, which says so in time.
    Confirmed,
    /// Nobody: no replica is connected to the primary.
    NoReplica,
    /// Replicas are connected, and none says in time that it has it.
    Late,
    /// It cannot be found out.
    Unknown(Trouble),
}

/// Who is told what comes of it.
pub trait Customer: Send + Sync + 'static {
    /// Something happened. It is called by the tasks of the link, in the order of what happens to
    /// one lane but for outcomes, which may come in any order; it must not wait for anything.
    fn told(&self, news: News);
}

/// What happens to a lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// There is a connection to a primary that sells.
    Connected {
        /// Which lane.
        lane: u16,
        /// The number of the connection: each is larger than those before.
        connection: u64,
        /// Which life of which server it is.
        run: u64,
        /// Where it is, for people.
        place: String,
    },
    /// A connection is over. All orders that were on their way have their outcomes by now.
    Lost {
        /// Which lane.
        lane: u16,
        /// The number of the connection.
        connection: u64,
        /// Why.
        trouble: Trouble,
    },
    /// Something is wrong that was not wrong before: one sentence for the log. While there is no
    /// connection, it is why there is none.
    Trouble {
        /// Which lane.
        lane: u16,
        /// What.
        trouble: Trouble,
    },
    /// Whether replicas have what is sold is known, or is otherwise than before. It is found out
    /// when an order first asks for it.
    Copies {
        /// Which lane.
        lane: u16,
        /// Who has it.
        copies: Copies,
        /// Whether something is not spent unless a replica has it.
        is_required: bool,
    },
    /// What became of orders.
    Outcomes {
        /// Which lane.
        lane: u16,
        /// The number of the connection.
        connection: u64,
        /// The latest time before they were sent; none: they say nothing of the primary, because
        /// they were not sent, or the connection was over before there was an answer.
        sent: Option<Timestamp>,
        /// When the answers were here.
        received: Timestamp,
        /// One for each order.
        outcomes: Vec<(Ticket, Outcome)>,
    },
}

/// Orders for one connection.
#[derive(Debug)]
struct Parcel {
    connection: u64,
    errands: Vec<Errand>,
    since: Timestamp,
}

/// The way to the primaries. When the last of its clones is dropped, the connections end.
#[derive(Clone)]
pub struct Link {
    lanes: Arc<[mpsc::Sender<Parcel>]>,
    clock: Arc<dyn Clock>,
    commands: Arc<AtomicU64>,
}

/// What moves a [`Link`]; whoever makes one runs it.
pub struct Courier {
    lanes: Vec<Lane>,
}

impl Link {
    /// A way to the Redis of `settings`, that tells `customer` what happens, with times of `clock`.
    pub fn new(
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        customer: &Arc<dyn Customer>,
    ) -> Result<(Self, Courier), Unusable> {
        settings.check()?;
        let commands = Arc::new(AtomicU64::new(0));
        let (senders, lanes): (Vec<_>, Vec<_>) = (0..settings.lanes())
            .map(|lane| {
                let (sender, parcels) = mpsc::channel(PARCELS_MAX);
                let (clock, customer) = (Arc::clone(clock), Arc::clone(customer));
                let commands = Arc::clone(&commands);
                let desk = Desk { lane, connection: 0, customer, clock, commands };
                (sender, Lane::new(desk, Finder::new(settings.clone(), lane), parcels))
            })
            .unzip();
        let clock = Arc::clone(clock);
        Ok((Self { lanes: senders.into(), clock, commands }, Courier { lanes }))
    }

    /// How many commands were sent since the start.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// How many lanes there are: numbers from 0.
    pub fn lanes(&self) -> u16 {
        u16::try_from(self.lanes.len()).unwrap_or(u16::MAX)
    }

    /// Sends `errands` over connection number `connection` of `lane`. Their outcomes are told to
    /// the customer, as unanswered if it is over. Gives them back if too many wait already; then
    /// nothing is told, and none is ever carried out.
    pub fn send(
        &self,
        lane: u16,
        connection: u64,
        errands: Vec<Errand>,
    ) -> Result<(), Vec<Errand>> {
        let Some(sender) = self.lanes.get(usize::from(lane)) else { return Err(errands) };
        let parcel = Parcel { connection, errands, since: self.clock.now() };
        sender.try_send(parcel).map_err(|error| error.into_inner().errands)
    }
}

impl Courier {
    /// Carries until the link is dropped.
    pub async fn run(self) {
        let mut lanes = JoinSet::new();
        for lane in self.lanes {
            lanes.spawn(lane.run());
        }
        while lanes.join_next().await.is_some() {}
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Link over {} lanes", self.lanes.len())
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Courier of {} lanes", self.lanes.len())
    }
}
