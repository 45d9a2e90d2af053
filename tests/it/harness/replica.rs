//! Replicas without their gateways: homes of shared counters, and load on them.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use weir::counters::redis::settings::{PREFIX, Place, Settings, Topology};
use weir::counters::shared::{NoHome, Plan, Shared, Touch};
use weir::limit::key::{CounterKey, KeySpace, Kind};
use weir::limit::{Charge, Counters, Tallies, Terms};
use weir::time::{Clock, SystemClock, Timestamp};

use super::redis::Redis;
use super::soon;

/// One replica.
pub(crate) struct Replica {
    /// Its home.
    pub(crate) home: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

/// One request that was judged: before when and after when, and whether it was admitted; none:
/// nobody could say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) before: Timestamp,
    pub(crate) after: Timestamp,
    pub(crate) admitted: Option<bool>,
}

/// Load: so many workers in each replica, each with so long a pause after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) workers: u32,
    pub(crate) pause: Duration,
    pub(crate) lasts: Duration,
}

/// A clock that replicas on this machine share.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// The settings for `redis`.
pub(crate) fn settings(redis: &Redis) -> Settings {
    let place = Place::of_server(&redis.at()).expect("a place");
    let prefix = PREFIX.to_owned();
    Settings { topology: Topology::Single(place), login: None, tls: None, prefix }
}

/// A counter.
pub(crate) fn key(name: &str) -> CounterKey {
    KeySpace::new(Kind::RateByKey, &[]).key(name)
}

/// A runtime for one thread.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Replica {
    /// A replica by this name.
    pub(crate) fn start(settings: &Settings, name: &str, clock: &Arc<dyn Clock>) -> Self {
        Self::try_start(settings, name, None, clock).expect("settings")
    }

    /// A replica with a journal in `folder`; none while another one uses that.
    pub(crate) fn with_journal(
        settings: &Settings,
        name: &str,
        folder: &Path,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        Self::try_start(settings, name, Some(folder), clock).ok()
    }

    fn try_start(
        settings: &Settings,
        name: &str,
        folder: Option<&Path>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, NoHome> {
        let plan = Plan {
            shelf: None,
            redis: settings.clone(),
            replica: name.to_owned(),
            replicas_expected: NonZeroU32::new(4).expect("not zero"),
            journal: folder.map(Path::to_owned),
        };
        let clock = Arc::clone(clock);
        let (home, upkeep) = Shared::new(&plan, Arc::clone(&clock))?;
        // It ends with the home.
        std::thread::spawn(move || runtime().block_on(upkeep.run()));
        Ok(Self { home: Arc::new(home), clock })
    }

    /// So many replicas, once all of them are in touch and know of each other.
    pub(crate) fn many(redis: &Redis, count: u32, clock: &Arc<dyn Clock>) -> Vec<Self> {
        let settings = settings(redis);
        let names = (0..count).map(|number| format!("replica-{number}"));
        let replicas: Vec<_> = names.map(|name| Self::start(&settings, &name, clock)).collect();
        await_touch(&replicas);
        replicas
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether it is in touch, and how many it knows of.
    pub(crate) fn stands(&self) -> (Touch, u32) {
        let report = self.home.report();
        (report.lanes[0].touch, report.lanes[0].replicas)
    }

    /// Asks for `charges`; none: nobody can say.
    pub(crate) async fn ask(&self, charges: &[Charge]) -> Option<Tallies> {
        self.home.charge(charges, self.clock.now()).await.ok()
    }

    /// Asks once, from outside of any runtime.
    pub(crate) fn ask_one(&self, charge: Charge) -> Option<bool> {
        let asked = async { self.ask(&[charge]).await.map(|tallies| tallies.admitted()) };
        runtime().block_on(asked)
    }

    async fn work(&self, charge: Charge, load: Load) -> Vec<Judged> {
        let (begun, mut judged) = (self.clock.now(), Vec::new());
        while self.clock.now().since(begun) < load.lasts {
            let before = self.clock.now();
            let admitted = self.ask(&[charge]).await.map(|tallies| tallies.admitted());
            judged.push(Judged { before, after: self.clock.now(), admitted });
            tokio::time::sleep(load.pause).await;
        }
        judged
    }
}

/// How often something is done at most: again only where this machine was too slow for it.
const TRIES: u32 = 20;

/// Whether every answer came in time since `begun`, when so many had not.
fn are_calm(replicas: &[Replica], begun: Timestamp, unanswered: u64) -> bool {
    let stayed_in = |replica: &Replica| {
        let report = replica.home.report();
        let lane = &report.lanes[0];
        lane.touch == Touch::In && replica.now().since(begun) < lane.since
    };
    replicas.iter().all(stayed_in) && unanswered == unanswered_of(replicas)
}

fn unanswered_of(replicas: &[Replica]) -> u64 {
    replicas.iter().map(|replica| replica.home.report().facts.unanswered).sum()
}

/// Does `what`, under names that it is told. If it goes wrong while Redis did not answer in time,
/// because this machine is busy, that says nothing, for then limits are held otherwise, and what
/// was sold may be lost: it is done again under other names.
pub(crate) fn calmly<T>(replicas: &[Replica], what: impl Fn(&str) -> T) -> T {
    for _ in 0..TRIES {
        let (begun, unanswered) = (replicas[0].now(), unanswered_of(replicas));
        let names = begun.micros().to_string();
        match catch_unwind(AssertUnwindSafe(|| what(&names))) {
            Ok(done) => return done,
            Err(panic) if are_calm(replicas, begun, unanswered) => resume_unwind(panic),
            Err(_) => await_touch(replicas),
        }
    }
    panic!("{TRIES} times Redis did not answer in time");
}

/// Waits until all of `replicas` are in touch and know of each other.
pub(crate) fn await_touch(replicas: &[Replica]) {
    let count = u32::try_from(replicas.len()).expect("few");
    let is_in = |replica: &Replica| {
        let seat = replica.home.report().lanes[0].seat;
        replica.stands() == (Touch::In, count) && seat.is_some_and(|seat| seat.of == count)
    };
    let all_in = soon(|| replicas.iter().all(is_in).then_some(()));
    let stands: Vec<_> = replicas.iter().map(Replica::stands).collect();
    assert!(all_in.is_some(), "not all in touch: {stands:?}");
}

/// Loads `replicas` with requests under each of `counters` while `weather` happens; returns what
/// came of them, for each counter in the order of when they were made.
pub(crate) fn under_load(
    replicas: &[Replica],
    counters: &[(CounterKey, Terms)],
    load: Load,
    weather: impl FnOnce(),
) -> Vec<Vec<Judged>> {
    let charges: Vec<_> =
        counters.iter().map(|(key, terms)| Charge::take(*key, *terms, 1)).collect();
    let charges = &charges;
    let of_replicas = std::thread::scope(|scope| {
        let work = |replica: &Replica| {
            let of = |charge: &Charge| {
                let workers = (0..load.workers).map(|_| replica.work(*charge, load));
                all_of(workers.collect())
            };
            runtime().block_on(all_of(charges.iter().map(of).collect()))
        };
        let threads: Vec<_> =
            replicas.iter().map(|replica| scope.spawn(move || work(replica))).collect();
        weather();
        let ended = threads.into_iter().map(|thread| thread.join().expect("it ends well"));
        ended.collect::<Vec<_>>()
    });
    let of = |at: usize| {
        let parts = of_replicas.iter().flat_map(|replica| &replica[at]);
        let mut judged: Vec<Judged> = parts.flatten().copied().collect();
        judged.sort_by_key(|judged| judged.before);
        judged
    };
    (0..charges.len()).map(of).collect()
}

/// Runs all of `futures` at once.
async fn all_of<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in &mut futures {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if futures.iter().all(|(_, done)| done.is_some()) {
            let done = futures.iter_mut().filter_map(|(_, done)| done.take());
            return std::task::Poll::Ready(done.collect());
        }
        std::task::Poll::Pending
    })
    .await
}

/// The most that were surely admitted in one interval shorter than `period`.
pub(crate) fn most_in_any(judged: &[Judged], period: Duration) -> usize {
    let admitted: Vec<_> = judged.iter().filter(|judged| judged.admitted == Some(true)).collect();
    let mut most = 0;
    for (from, first) in admitted.iter().enumerate() {
        let near =
            admitted[from..].iter().take_while(|later| later.before.since(first.before) < period);
        most = most.max(near.filter(|later| later.after.since(first.before) < period).count());
    }
    most
}

/// The most that were surely admitted in one window of the grid. Windows are by the clock of
/// Redis, which is this machine's too but for the steadiness of ours.
pub(crate) fn most_in_one(judged: &[Judged], period: Duration) -> usize {
    const MARGIN: Duration = Duration::from_millis(2);
    let period = u64::try_from(period.as_micros()).expect("short");
    let admitted = judged.iter().filter(|judged| judged.admitted == Some(true));
    let windows = admitted.filter_map(|judged| {
        let before = judged.before.micros() - u64::try_from(MARGIN.as_micros()).expect("short");
        let window = before / period;
        ((judged.after + MARGIN).micros() / period == window).then_some(window)
    });
    let mut counts = std::collections::HashMap::new();
    for window in windows {
        *counts.entry(window).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}
