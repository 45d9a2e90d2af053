//! What operators want of a cluster: that a generation goes to all at once, that one is published
//! although it takes much away or was taken back, or that all go back.
//!
//! Any replica takes a wish. It puts it into the store, where the leader finds it, does it in the
//! transaction that takes it away (so it is done once, and by a leader only), and says beside what
//! is in force what became of it. A wish that nobody sees to is gone after [`WISH_LASTS`]: nothing
//! is done long after somebody wanted it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::Cluster;
use super::pace::within;
use super::publication::in_force;
use super::record::{WISH, read, told, written};
use super::store::{Condition, Store, Unreachable, Write};

/// How long a wish waits for a leader.
pub const WISH_LASTS: Duration = Duration::from_secs(8);
/// How long at most whoever asks waits for an answer: for the wish, and for a store that is slow to
/// take it and to say what became of it. Whoever asks from outside waits for longer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// How often whoever put it there looks what became of it.
const LOOK: Duration = Duration::from_millis(100);
/// How many operators may wait at one replica.
const WAITING_MAX: usize = 4;

/// What an operator wants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Tells wishes apart.
    pub id: u64,
    /// What is wanted.
    pub what: What,
    /// By whom, as far as that is known.
    pub who: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Why; empty if that was not said.
    pub reason: String,
}

/// What can be wanted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// All are to serve this generation, which is in force for some, at once.
    Now(u64),
    /// The configuration with this digest is to be published, although it takes much away or was
    /// taken back.
    Force(String),
    /// All are to go back to this generation, or to the one before.
    Back(Option<u64>),
    /// What the source of the leader has now is to be published for all at once, also if it is in
    /// force already; with a digest, although that is held back.
    Urgent(Option<String>),
}

/// A wish, and what became of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// What was wanted.
    pub wish: Wish,
    /// Whether it was done.
    pub is_done: bool,
    /// What was done, or why nothing was.
    pub outcome: String,
}

/// Why it is not known what became of a wish.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unheard {
    /// The store.
    #[error("the store that replicas share cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// Somebody else wants something at this moment.
    #[error("somebody else wants something at this moment: try again")]
    Busy,
    /// No leader saw to it, and none will.
    #[error("no leader saw to it within {} s; nothing was done", WISH_LASTS.as_secs())]
    NoLeader,
    /// The store is slow, or others wait too.
    #[error(
        "there was no answer within {} s; it may be done all the same",
        ANSWER_TIME_MAX.as_secs()
    )]
    Late,
    /// This replica is about to end.
    #[error("this replica is about to end")]
    Ending,
}

/// What waits for an answer.
type Asked = (Wish, oneshot::Sender<Result<Done, Unheard>>);

/// Where operators say what they want of the cluster.
#[derive(Debug)]
pub struct Desk {
    give: mpsc::Sender<Asked>,
    take: Mutex<mpsc::Receiver<Asked>>,
}

impl Default for Desk {
    fn default() -> Self {
        let (give, take) = mpsc::channel(WAITING_MAX);
        Self { give, take: Mutex::new(take) }
    }
}

impl What {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Now(_) | Self::Urgent(_) => "now",
            Self::Force(_) => "force",
            Self::Back(_) => "back",
        }
    }
}

impl Cluster {
    /// Has the leader do `what` for `who`; says what became of it.
    pub async fn want(&self, what: What, who: &str, reason: &str) -> Result<Done, Unheard> {
        let at = self.clock.now().micros().checked_div(1_000).unwrap_or(0);
        let id = self.dice.number();
        let wish = Wish { id, what, who: told(who), at, reason: told(reason) };
        let (answer, answered) = oneshot::channel();
        self.desk.give.try_send((wish, answer)).map_err(|_full| Unheard::Busy)?;
        let answered = within(&*self.clock, ANSWER_TIME_MAX, answered).await;
        answered.map_or(Err(Unheard::Late), |answer| answer.unwrap_or(Err(Unheard::Ending)))
    }

    /// Brings to the leader what operators say here, one after the other. Never returns.
    pub(super) async fn hear_operators(&self) {
        let mut take = self.desk.take.lock().await;
        while let Some((wish, answer)) = take.recv().await {
            if answer.is_closed() {
                // Nothing is done long after somebody wanted it.
                continue;
            }
            // Who does not wait any more finds it in the log.
            let _ = answer.send(self.put_before_leader(&wish).await);
        }
    }

    async fn put_before_leader(&self, wish: &Wish) -> Result<Done, Unheard> {
        let begun = self.clock.now();
        let lease = self.store.grant(WISH_LASTS).await?;
        let put = Write::Put(WISH.to_owned(), written(wish), lease);
        let is_first = self.store.commit(&[Condition::Absent(WISH.to_owned())], &[put]).await?;
        if !is_first && !self.is_ours(wish).await? {
            // It ends by itself, if this does not get through.
            let _ = self.store.revoke(lease).await;
            return Err(Unheard::Busy);
        }
        while self.clock.now().since(begun) < WISH_LASTS {
            if let Ok(Some(done)) = self.done(wish).await {
                let _ = self.store.revoke(lease).await;
                return Ok(done);
            }
            self.clock.sleep(LOOK).await;
        }
        // From then on nobody sees to it; who did it a moment before has said so.
        self.store.revoke(lease).await?;
        self.done(wish).await?.ok_or(Unheard::NoLeader)
    }

    /// What became of `wish`, if anything did.
    async fn done(&self, wish: &Wish) -> Result<Option<Done>, Unreachable> {
        let seen = in_force(&*self.store).await;
        let seen = seen.map_err(|failed| Unreachable(failed.to_string()))?;
        let done = seen.current.and_then(|current| current.wish);
        Ok(done.filter(|done| done.wish.id == wish.id))
    }

    /// Whether the wish that lies in the store is `wish`, or may have been: the first try may have
    /// had no answer.
    async fn is_ours(&self, wish: &Wish) -> Result<bool, Unreachable> {
        let lies = wished(&*self.store).await?;
        Ok(lies.is_none_or(|(lies, _changed)| lies.id == wish.id))
    }
}

/// What an operator wants now, and the store revision at which it was put there.
pub(super) async fn wished(store: &dyn Store) -> Result<Option<(Wish, i64)>, Unreachable> {
    let (value, _revision) = store.get(WISH).await?;
    // What cannot be read, of a later version, say, ends by itself.
    Ok(value.and_then(|value| Some((read(&value.bytes)?, value.changed))))
}
