//! Control planes that share a store: one of them publishes what its folder holds, all of them show
//! the same generations to gateways, under the same numbers, and any of them can go back.
//!
//! They are a [`Cluster`] as gateways are one, on other terms: a generation is for all at once,
//! because what a control plane shows is tried by gateways, and more former ones are kept.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::board::{Board, FORMER_MAX};
use super::publisher::{Ask, Handle, Standing, Wish, Withheld};
use crate::configuration::bundle::Bundle;
use crate::configuration::cluster::publication::in_force;
use crate::configuration::cluster::source::{Errand, Source, Watched};
use crate::configuration::cluster::wish::What;
use crate::configuration::cluster::{self, Cluster};
use crate::configuration::generation::Generation;
use crate::configuration::guard::Inventory;
use crate::configuration::history::Row;
use crate::configuration::offer::{self, Offer, Order, State, Wake};
use crate::telemetry::audit::{Change, Who};
use crate::time::{Clock, SystemClock, Timestamp};

/// How long the thread that shows generations waits when nothing happens.
const IDLE: Duration = Duration::from_mins(1);
/// How long until the history is read again when it could not be.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The folder of a control plane: looked at while it leads, and whenever somebody asks.
#[derive(Debug)]
pub struct Led {
    /// The folder.
    pub watched: Watched,
    /// Asks for a look.
    pub ask: watch::Sender<u64>,
    /// Changes when somebody asks for a look.
    pub asked: watch::Receiver<u64>,
    /// Told whenever the folder was loaded.
    pub loaded: watch::Sender<Loads>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
}

/// A control plane among others, as one that publishes.
#[derive(Debug)]
pub struct Together {
    cluster: Arc<Cluster>,
    board: Arc<Board>,
    standing: watch::Sender<Standing>,
    wishes: mpsc::Receiver<Wish>,
    looking: Looking,
}

/// The other side of [`Led`].
#[derive(Debug)]
pub struct Looking {
    /// The folder.
    pub folder: String,
    /// Asks for a look.
    pub ask: watch::Sender<u64>,
    /// When it was loaded.
    pub loaded: watch::Receiver<Loads>,
}

/// When a folder was loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loads {
    count: u64,
    last: Option<Timestamp>,
}

#[async_trait]
impl Source for Led {
    async fn bring(&self, errand: &Errand<'_>) {
        let mut asked = self.asked.clone();
        let mut states = self.watched.status.follow();
        let (found, mut good) = watch::channel(None);
        let own = Errand { found, store: errand.store, standing: errand.standing.clone() };
        let mut refused = states.borrow().refused;
        loop {
            asked.mark_unchanged();
            // It begins with a look, whatever was seen before.
            let mut bring = self.watched.bring(&own);
            loop {
                tokio::select! {
                    () = &mut bring => (),
                    Ok(()) = asked.changed() => break,
                    Ok(()) = good.changed() => {
                        self.note_load();
                        errand.found.send_replace(good.borrow_and_update().clone());
                    }
                    Ok(()) = states.changed() => {
                        let now = states.borrow_and_update().refused;
                        if refused < now {
                            refused = now;
                            self.note_load();
                        }
                    }
                }
            }
        }
    }

    async fn inventory(&self, bundle: &Arc<Bundle>) -> Option<Arc<Inventory>> {
        self.watched.inventory(bundle).await
    }

    async fn look_now(&self) {
        let mut loaded = self.loaded.subscribe();
        self.ask.send_modify(|asked| *asked = asked.wrapping_add(1));
        // Its sender is ours.
        let _ = loaded.changed().await;
    }

    /// Nothing: what one control plane alone calls the first generation, another may call so too.
    async fn meanwhile(&self, _standing: watch::Receiver<cluster::Standing>) -> Option<Bundle> {
        None
    }
}

impl Led {
    fn note_load(&self) {
        let now = self.clock.now();
        self.loaded.send_modify(|loads| {
            *loads = Loads { count: loads.count.saturating_add(1), last: Some(now) };
        });
    }
}

impl Together {
    /// One that takes part in `cluster`, and shows on `board`.
    pub fn new(cluster: Arc<Cluster>, board: Arc<Board>, looking: Looking) -> (Self, Handle) {
        let folder = looking.folder.clone();
        let (standing, follow) = watch::channel(Standing { folder, ..Standing::default() });
        let (handle, wishes) = Handle::of_task(follow);
        (Self { cluster, board, standing, wishes, looking }, handle)
    }

    /// What is to be done beside, on a thread of its own: shows what is offered, until it is
    /// stopped. What takes long is done before anybody asks for it.
    pub fn shower(&self) -> impl FnOnce() + Send + use<> {
        let (cluster, board) = (Arc::clone(&self.cluster), Arc::clone(&self.board));
        move || {
            loop {
                match cluster.status.wait(IDLE) {
                    Wake::Stop => return,
                    Wake::Offered(offer) => show(&cluster, &board, &offer),
                    Wake::Asked | Wake::Ordered | Wake::Tick => (),
                }
            }
        }
    }

    /// Takes part until `stop` says so.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { cluster, board, standing, wishes, looking } = self;
        let Looking { ask, loaded, .. } = looking;
        tokio::select! {
            () = cluster.run(stop) => (),
            () = tell(&cluster, &board, &standing, loaded) => (),
            () = heed(&cluster, &standing, wishes, &ask) => (),
        }
    }
}

/// Shows what is offered, if that is the order; it was found good by whoever published it.
fn show(cluster: &Cluster, board: &Board, offer: &Offer) {
    let Offer { generation, bundle, order } = offer;
    if *order == Order::Serve {
        let current = cluster.standing.borrow().current.clone();
        let is_urgent =
            current.is_some_and(|current| current.number == generation.number && current.now);
        board.publish_as(*generation, Arc::clone(bundle), is_urgent);
        tracing::info!(%generation, digest = %bundle.digest(), "a configuration is offered to gateways");
    }
    let (now, is_leading) = (cluster.clock.now(), cluster.standing.borrow().is_leading);
    cluster.status.change(|state| {
        state.prepared = state.prepared.max(*generation);
        if *order == Order::Serve && state.serving < *generation {
            (state.serving, state.since) = (*generation, now);
            state.source = offer::Source::Offer;
        }
        if !is_leading {
            // What was wrong with the folder here is not what anybody goes by.
            state.refusal.clear();
        }
    });
}

/// Tells operators how it is doing, whenever that changes. Never returns.
async fn tell(
    cluster: &Cluster,
    board: &Board,
    standing: &watch::Sender<Standing>,
    mut loaded: watch::Receiver<Loads>,
) {
    let (mut states, mut seen) = (cluster.status.follow(), cluster.standing.subscribe());
    let mut rows: Vec<Row> = Vec::new();
    let mut has_recalled = false;
    loop {
        let state = states.borrow_and_update().clone();
        let current = seen.borrow_and_update().current.as_ref().map(|current| current.number);
        if current != rows.last().map(|row| row.number)
            && let Ok(history) = cluster.history().await
        {
            rows = history;
        }
        if !has_recalled && state.serving.number != 0 && !rows.is_empty() {
            has_recalled = true;
            recall(cluster, board, state.serving, &rows).await;
        }
        let is_leading = seen.borrow().is_leading;
        let withheld = seen.borrow().current.as_ref().and_then(|current| current.withheld.clone());
        let withheld = withheld.map(|it| Withheld { digest: it.digest, why: it.why });
        let newest = board.newest().filter(|_it| standing.borrow().generation != state.serving);
        standing.send_if_modified(|standing| {
            let before = standing.clone();
            if let Some(newest) = newest {
                standing.digest = newest.shared().whole().digest().to_string();
                standing.gateways = newest.shared().gateways().into_iter().collect();
            }
            note(standing, &state, is_leading, &rows);
            standing.withheld.clone_from(&withheld);
            let loads = *loaded.borrow_and_update();
            (standing.loads, standing.loaded) = (loads.count, loads.last);
            *standing != before
        });
        let is_behind = current != rows.last().map(|row| row.number);
        tokio::select! {
            _ = states.changed() => (),
            _ = seen.changed() => (),
            Ok(()) = loaded.changed() => (),
            // What could not be read is read again.
            () = cluster.clock.sleep(READ_AGAIN), if is_behind => (),
        }
    }
}

/// Remembers what was published before this process began to show anything.
async fn recall(cluster: &Cluster, board: &Board, newest: Generation, rows: &[Row]) {
    let former = rows.iter().rev().filter(|row| row.number < newest.number);
    for row in former.take(FORMER_MAX) {
        // Without it the whole is sent, that is all.
        if let Ok(bundle) = cluster.former(row.number).await {
            let generation = Generation { number: row.number, ..newest };
            board.recall(generation, Arc::new(bundle));
        }
    }
}

fn note(standing: &mut Standing, state: &State, is_leading: bool, rows: &[Row]) {
    let in_force = rows.last().filter(|row| row.number == state.serving.number);
    standing.generation = state.serving;
    standing.like = in_force.and_then(|row| row.like);
    standing.refused = state.refused;
    // What is wrong with the folder here is what all go by only while it is published from.
    standing.faults = if is_leading { state.refusal.clone() } else { Vec::new() };
    standing.rows = rows.to_vec();
}

/// Does what operators ask for. Never returns.
async fn heed(
    cluster: &Cluster,
    standing: &watch::Sender<Standing>,
    mut wishes: mpsc::Receiver<Wish>,
    ask: &watch::Sender<u64>,
) {
    while let Some(wish) = wishes.recv().await {
        if wish.is_given_up() {
            continue;
        }
        match wish {
            Wish::Look => ask.send_modify(|asked| *asked = asked.wrapping_add(1)),
            Wish::GoBack { to, who, answer } => {
                let before = standing.borrow().generation.to_string();
                let gone = go_back(cluster, to, &who, &before).await;
                // Who does not wait for the answer any more finds it in the log.
                let _ = answer.send(gone);
            }
            Wish::Publish { ask: wanted, who, answer } => {
                let _ = answer.send(publish(cluster, &wanted, &who, ask).await);
            }
            // It leaves when the process is signalled.
            Wish::Stop => (),
        }
    }
    std::future::pending::<()>().await;
}

/// Has the leader publish what it holds back; without force, it looks at its folder, as ever.
async fn publish(
    cluster: &Cluster,
    wanted: &Ask,
    who: &Who,
    ask: &watch::Sender<u64>,
) -> Result<u64, String> {
    let current = cluster.standing.borrow().current.clone();
    let before = current.as_ref().map_or(0, |current| current.number);
    let held = current
        .and_then(|current| current.withheld.map(|withheld| withheld.digest).or(current.held));
    let what = match held.filter(|held| wanted.means(held)) {
        forced if wanted.now && wanted.force == forced.is_some() => Ok(What::Urgent(forced)),
        Some(digest) => Ok(What::Force(digest)),
        None if wanted.force => Err("nothing that is meant is held back".to_owned()),
        None => {
            ask.send_modify(|asked| *asked = asked.wrapping_add(1));
            Err("the leader publishes what its folder has by itself: see /status".to_owned())
        }
    };
    let published = match what {
        Ok(what) => brought(cluster, what, &wanted.reason, who).await,
        Err(why) => Err(why),
    };
    let after = published.as_ref().map_or_else(Clone::clone, ToString::to_string);
    who.changes(Change {
        what: "publish the folder",
        subject: &format!("{wanted:?}"),
        before: &before.to_string(),
        after: &after,
        is_done: published.is_ok(),
    });
    published
}

/// Has the leader do `what`: the number of the generation that is in force then.
async fn brought(cluster: &Cluster, what: What, reason: &str, who: &Who) -> Result<u64, String> {
    let done = cluster.want(what, &named(cluster, who), reason).await;
    let done = done.map_err(|unheard| unheard.to_string())?;
    if !done.is_done {
        return Err(done.outcome);
    }
    let seen = in_force(&*cluster.store).await.map_err(|failed| failed.to_string())?;
    seen.current.map(|current| current.number).ok_or(done.outcome)
}

/// Who it is, as others are told.
fn named(cluster: &Cluster, who: &Who) -> String {
    let name = if who.operator.is_empty() { "somebody" } else { &who.operator };
    format!("{name} at {}", cluster.replica)
}

/// Has the leader publish a former configuration again: the number of the new generation, and that
/// of the one whose content it has.
async fn go_back(
    cluster: &Cluster,
    to: Option<u64>,
    who: &Who,
    before: &str,
) -> Result<(u64, u64), String> {
    let gone = match cluster.want(What::Back(to), &named(cluster, who), "").await {
        Ok(done) if done.is_done => {
            let rows = cluster.history().await.unwrap_or_default();
            let last = rows.iter().rev().find_map(|row| Some((row.number, row.like?)));
            last.ok_or(done.outcome)
        }
        Ok(done) => Err(done.outcome),
        Err(unheard) => Err(unheard.to_string()),
    };
    let subject = to.map_or_else(|| "the one before".to_owned(), |to| to.to_string());
    let after = match &gone {
        Ok((generation, like)) => format!("{generation}, with the content of {like}"),
        Err(reason) => reason.clone(),
    };
    who.changes(Change {
        what: "go back to a former configuration",
        subject: &subject,
        before,
        after: &after,
        is_done: gone.is_ok(),
    });
    gone
}
