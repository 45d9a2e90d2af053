//! What is measured, and who is told: the counts of requests, what sends them to `StatsD`, how late
//! timers are.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

use crate::backend::budget::Budgets;
use crate::proxy::state::State;
use crate::settings::metrics::{Local, Metrics};
use crate::snapshot::Live;
use crate::telemetry::statsd::{self, Counts, Plan, Reporter};
use crate::telemetry::traffic::histogram::Histogram;
use crate::telemetry::traffic::{Terms, Traffic};
use crate::time::{Clock, SystemClock};

/// How long what is left may take to be sent when the gateway stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);
/// How often it is measured how late a timer is.
const LAG_INTERVAL: Duration = Duration::from_millis(250);
/// Bounds of how late timers are, in microseconds. They fire to the millisecond.
const LAG_MICROS: [u64; 9] =
    [1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000];

/// What runs beside requests to measure and to tell.
pub(super) struct Measuring {
    reporter: Option<Reporter>,
    /// Counts requests.
    pub(super) state: Arc<State>,
    /// How late timers are.
    pub(super) lag: Arc<Histogram>,
}

/// A thread that tells `StatsD`, until this is dropped.
pub(super) struct Telling {
    stop: Sender<()>,
    /// Has no sender any more once the thread has ended.
    end: Receiver<()>,
}

impl Measuring {
    /// What counts requests, and what runs beside it; `random` is fresh for each process, `budgets`
    /// bound how often requests are forwarded once more.
    pub(super) fn of(settings: &Metrics, random: [u64; 2], budgets: Budgets) -> Self {
        let plan = Plan {
            endpoint: settings.statsd.endpoint.clone(),
            sampling: settings.statsd.sampling,
            tags: settings.statsd.tags,
        };
        let is_told = !plan.endpoint.is_empty() && settings.local != Local::None;
        let (feed, reporter) = is_told.then(|| statsd::joined(plan)).unzip();
        let times = Arc::clone(&settings.duration_buckets);
        let traffic = Traffic::new(Terms { names: settings.names, times, feed });
        let state = Arc::new(State::new(random, traffic, budgets));
        Self { reporter, state, lag: Arc::new(Histogram::new(&Arc::from(LAG_MICROS))) }
    }

    /// What becomes of lines for `StatsD`, if there are any.
    pub(super) fn counts(&self) -> Option<Arc<Counts>> {
        self.reporter.as_ref().map(|reporter| Arc::clone(reporter.counts()))
    }

    /// Tells `StatsD` what is counted while `live` is what runs, if that is wanted.
    pub(super) fn tell(self, live: Arc<Live>) -> io::Result<Option<Telling>> {
        let Self { reporter: Some(reporter), state, .. } = self else { return Ok(None) };
        let (stop, stopped) = channel();
        let (running, end) = channel();
        thread::Builder::new().name("statsd".to_owned()).spawn(move || {
            let _running: Sender<()> = running;
            let whence = || {
                let snapshot = live.snapshot();
                let (id, region) = (&snapshot.deployment.gateway_id, &snapshot.deployment.region);
                [("GatewayId", id.to_string()), ("Location", region.to_string())]
            };
            reporter.run(&state.traffic, whence, &stopped);
        })?;
        Ok(Some(Telling { stop, end }))
    }
}

impl Telling {
    /// Lets what is left be sent, and waits for that, but not for names that lead nowhere.
    pub(super) fn stop(self) {
        drop(self.stop);
        // Whether it ended or takes too long: the process ends.
        let _ = self.end.recv_timeout(STOP_TIME_MAX);
    }
}

/// Measures on the threads of clients how late a timer is, for as long as they run.
pub(super) async fn watch(lag: Arc<Histogram>, clock: Arc<SystemClock>) {
    loop {
        let asked = clock.now();
        sleep(LAG_INTERVAL).await;
        let late = clock.now().since(asked).saturating_sub(LAG_INTERVAL);
        lag.note(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }
}
