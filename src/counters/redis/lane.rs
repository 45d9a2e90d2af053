//! One lane: finds its primary, keeps a connection to it, and sends orders in batches.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use openssl::rand::rand_bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::counters::redis::batch::{Batch, Desk, End};
use crate::counters::redis::command::Writer;
use crate::counters::redis::confirm::{Confirmer, HELD_MAX, Held};
use crate::counters::redis::dial::{Line, Primary};
use crate::counters::redis::find::Finder;
use crate::counters::redis::settings::Place;
use crate::counters::redis::trouble::Trouble;
use crate::counters::redis::{
    BATCH_MAX, DEADLINE, News, ON_THE_WAY_MAX, PARCELS_MAX, Parcel, WAITING_MAX,
};
use crate::limit::order::Errand;
use crate::time::Timestamp;

/// The shortest and the longest pause before the next try to connect. It doubles, and half of it
/// is chance, so that many replicas do not come back in one moment.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The longest one while the loss is so fresh that another primary may be there any moment: as long
/// as one replica has not found it the others wait for what it has to report.
const PAUSE_MAX_AT_FIRST: Duration = Duration::from_millis(200);
const AT_FIRST: Duration = Duration::from_secs(10);

/// A connection that lived as long as this was a good one: the next pause is short again.
const GOOD_AFTER: Duration = Duration::from_secs(2);

/// How often sentinels are asked whether there is another primary.
const WATCH: Duration = Duration::from_secs(1);

/// One lane.
pub(super) struct Lane {
    desk: Desk,
    finder: Finder,
    parcels: mpsc::Receiver<Parcel>,
    pause: Duration,
    /// When there was a connection last, or when it was begun to look for one.
    there: Timestamp,
    /// The last thing that was wrong, so that it is told once.
    told: Option<Trouble>,
}

/// Why a connection is given up.
enum Over {
    /// Nobody sends orders any more.
    Unwanted,
    /// It is of no use.
    Broken(Trouble),
}

/// Orders that wait for a batch.
#[derive(Default)]
struct Waiting {
    errands: VecDeque<(Errand, Timestamp)>,
}

impl Lane {
    /// A lane that takes its orders from `parcels`.
    pub(super) fn new(desk: Desk, finder: Finder, parcels: mpsc::Receiver<Parcel>) -> Self {
        let there = desk.clock.now();
        Self { desk, finder, parcels, pause: PAUSE_MIN, there, told: None }
    }

    /// Keeps in touch until nobody sends orders any more.
    pub(super) async fn run(mut self) {
        loop {
            let Some(found) = meanwhile(&self.desk, &mut self.parcels, self.finder.find()).await
            else {
                return;
            };
            let trouble = match found {
                Ok((place, primary)) => {
                    self.desk.connection = self.desk.connection.wrapping_add(1);
                    let begun = self.desk.clock.now();
                    self.announce(&place, &primary);
                    let over = self.serve(place, primary).await;
                    self.there = self.desk.clock.now();
                    if GOOD_AFTER < self.there.since(begun) {
                        self.pause = PAUSE_MIN;
                    }
                    let Over::Broken(trouble) = over else { return };
                    let Desk { lane, connection, .. } = self.desk;
                    self.told = Some(trouble.clone());
                    self.desk.customer.told(News::Lost { lane, connection, trouble });
                    None
                }
                Err(trouble) => Some(trouble),
            };
            if let Some(trouble) = trouble {
                complain(&self.desk, &mut self.told, trouble);
            }
            let pause = jittered(self.pause);
            self.pause = longer(self.pause, self.desk.clock.now().since(self.there));
            if meanwhile(&self.desk, &mut self.parcels, sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    fn announce(&mut self, place: &Place, primary: &Primary) {
        let Desk { lane, connection, .. } = self.desk;
        let (run, place) = (primary.writer.run, place.to_string());
        self.told = None;
        self.desk.customer.told(News::Connected { lane, connection, run, place });
        if let Some(warning) = primary.warning.clone() {
            complain(&self.desk, &mut self.told, warning);
        }
    }

    /// Sends orders to `primary` until its connection is over. All that was on its way then has
    /// its outcome.
    async fn serve(&mut self, place: Place, primary: Primary) -> Over {
        let Self { desk, finder, parcels, told, .. } = self;
        let Primary { line, writer, .. } = primary;
        let (confirm, held) = mpsc::channel(HELD_MAX);
        let way = finder.way_to(&place);
        let confirmer = Confirmer::new(desk.clone(), way, writer.run, writer.names.trial());
        let mut confirming = JoinSet::new();
        confirming.spawn(confirmer.run(held));
        let writer = Arc::new(writer);
        let moved = std::pin::pin!(moved(finder, &place));
        let on_the_way = Vec::new();
        let road = Wire { line, writer, on_the_way, confirm, confirming, moved };
        carry_all(desk, told, parcels, road).await
    }
}

/// A connection, as far as batches are concerned.
trait Road {
    /// How many batches are on their way.
    fn on_the_way(&self) -> usize;

    /// Sends one.
    fn send(&mut self, batch: Batch);

    /// The next batch that is back, or why the connection is over.
    async fn back(&mut self) -> End;

    /// Returns after `span`.
    async fn pass(span: Duration);

    /// Ends what is on its way; all of it has its outcome then.
    async fn close(&mut self);
}

/// A connection to a primary.
struct Wire<M> {
    line: Line,
    writer: Arc<Writer>,
    /// At most [`ON_THE_WAY_MAX`].
    on_the_way: Vec<Pin<Box<dyn Future<Output = End> + Send>>>,
    /// Where answers go that wait for a replica of the primary, and who asks for them.
    confirm: mpsc::Sender<Held>,
    confirming: JoinSet<()>,
    /// Is done when the primary is another one.
    moved: M,
}

impl<M: Future<Output = ()> + Unpin> Road for Wire<M> {
    fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    fn send(&mut self, batch: Batch) {
        let (connection, writer) = (self.line.connection(), Arc::clone(&self.writer));
        self.on_the_way.push(Box::pin(batch.carry(connection, writer, self.confirm.clone())));
    }

    async fn back(&mut self) -> End {
        let Self { line, on_the_way, moved, .. } = self;
        tokio::select! {
            biased;
            end = poll_fn(|context| line.poll_with(context, |context| first(on_the_way, context))) => {
                end.unwrap_or_else(End::Broken)
            }
            () = moved => End::Broken(Trouble::NotPrimary),
        }
    }

    async fn pass(span: Duration) {
        sleep(span).await;
    }

    async fn close(&mut self) {
        self.on_the_way.clear();
        // What is held there then has its outcome too.
        self.confirming.shutdown().await;
    }
}

/// Lets all batches go on; the first that is back.
fn first(
    on_the_way: &mut Vec<Pin<Box<dyn Future<Output = End> + Send>>>,
    context: &mut Context<'_>,
) -> Poll<Result<End, Trouble>> {
    for (place, batch) in on_the_way.iter_mut().enumerate() {
        if let Poll::Ready(end) = batch.as_mut().poll(context) {
            drop(on_the_way.swap_remove(place));
            return Poll::Ready(Ok(end));
        }
    }
    Poll::Pending
}

/// Sends the orders of `parcels` over `road` until that is over.
async fn carry_all<R: Road>(
    desk: &Desk,
    told: &mut Option<Trouble>,
    parcels: &mut mpsc::Receiver<Parcel>,
    mut road: R,
) -> Over {
    let mut waiting = Waiting::default();
    let over = loop {
        while road.on_the_way() < ON_THE_WAY_MAX {
            let Some(errands) = waiting.take() else { break };
            road.send(Batch::new(desk.clone(), errands));
        }
        let oldest = waiting.oldest(desk.clock.now());
        tokio::select! {
            biased;
            end = road.back() => match end {
                End::Answered(None) => {}
                End::Answered(Some(trouble)) => complain(desk, told, trouble),
                End::Broken(trouble) => break Over::Broken(trouble),
            },
            () = R::pass(oldest.unwrap_or_default()), if oldest.is_some() => {
                waiting.give_up(desk);
            }
            parcel = parcels.recv() => match parcel {
                Some(parcel) => waiting.put_all(desk, parcel, parcels),
                None => break Over::Unwanted,
            },
        }
    };
    road.close().await;
    waiting.give_up_all(desk);
    over
}

/// Tells what is wrong, unless it is what was wrong before.
fn complain(desk: &Desk, told: &mut Option<Trouble>, trouble: Trouble) {
    if told.as_ref() != Some(&trouble) {
        *told = Some(trouble.clone());
        desk.customer.told(News::Trouble { lane: desk.lane, trouble });
    }
}

/// Returns when the sentinels, if there are any, name another primary than the one at `place`: a
/// primary that is cut off from them goes on selling and does not know.
async fn moved(finder: &mut Finder, place: &Place) {
    if !finder.is_watched() {
        std::future::pending::<()>().await;
    }
    loop {
        sleep(WATCH).await;
        if finder.has_moved(place).await {
            return;
        }
    }
}

/// Waits for `done`; orders that come meanwhile are unanswered. None: no more will come.
async fn meanwhile<T>(
    desk: &Desk,
    parcels: &mut mpsc::Receiver<Parcel>,
    done: impl Future<Output = T>,
) -> Option<T> {
    let mut done = std::pin::pin!(done);
    loop {
        tokio::select! {
            biased;
            done = &mut done => return Some(done),
            parcel = parcels.recv() => {
                let parcel = parcel?;
                drop(Batch::new(desk.clone(), parcel.errands));
            }
        }
    }
}

/// The pause after `pause`, where there was a connection so long ago.
fn longer(pause: Duration, away: Duration) -> Duration {
    let most = if away < AT_FIRST { PAUSE_MAX_AT_FIRST } else { PAUSE_MAX };
    pause.saturating_mul(2).min(most)
}

/// Between half of `pause` and all of it.
fn jittered(pause: Duration) -> Duration {
    // Without chance it is the whole pause, which is only less polite.
    let mut chance = [u8::MAX];
    let _ = rand_bytes(&mut chance);
    let [part] = chance;
    (pause / 2).saturating_add((pause / 2).saturating_mul(part.into()) / u32::from(u8::MAX))
}

impl Waiting {
    /// Takes in `parcel`, and those that came with it.
    fn put_all(&mut self, desk: &Desk, parcel: Parcel, parcels: &mut mpsc::Receiver<Parcel>) {
        self.put(desk, parcel);
        for _ in 1..PARCELS_MAX {
            let Ok(parcel) = parcels.try_recv() else { return };
            self.put(desk, parcel);
        }
    }

    /// Takes in `parcel`, if it is for this connection and there is room.
    fn put(&mut self, desk: &Desk, parcel: Parcel) {
        let Parcel { connection, errands, since } = parcel;
        let room = WAITING_MAX.saturating_sub(self.errands.len());
        if connection != desk.connection || room < errands.len() {
            // Dropped, they are unanswered: what was meant for another primary must not reach
            // this one before it knows what the other had sold.
            drop(Batch::new(desk.clone(), errands));
            return;
        }
        self.errands.extend(errands.into_iter().map(|errand| (errand, since)));
    }

    /// The orders of the next batch.
    fn take(&mut self) -> Option<Vec<Errand>> {
        let count = self.errands.len().min(BATCH_MAX);
        (0 < count).then(|| self.errands.drain(..count).map(|(errand, _)| errand).collect())
    }

    /// How long until the oldest has waited for too long; none: nobody waits.
    fn oldest(&self, now: Timestamp) -> Option<Duration> {
        self.errands.front().map(|(_, since)| DEADLINE.saturating_sub(now.since(*since)))
    }

    /// Gives up those that have waited for too long.
    fn give_up(&mut self, desk: &Desk) {
        let now = desk.clock.now();
        let late = self.errands.iter().take_while(|(_, since)| DEADLINE <= now.since(*since));
        let late = late.count();
        self.end(desk, late);
    }

    fn give_up_all(&mut self, desk: &Desk) {
        self.end(desk, self.errands.len());
    }

    fn end(&mut self, desk: &Desk, count: usize) {
        let errands = self.errands.drain(..count).map(|(errand, _)| errand).collect();
        drop(Batch::new(desk.clone(), errands));
    }
}

#[cfg(test)]
mod tests;
