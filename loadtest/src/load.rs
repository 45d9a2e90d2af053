//! Clients that keep asking, each thread over one connection, and what became of each request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::{Connection, Request};
use crate::clock::{Dates, micros};
use crate::statistics::percentile;
use crate::witness::SENT;

/// What is asked of each gateway, until told to stop.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The path; `{n}` in it is the number of the request.
    pub(crate) path: String,
    /// When requests are due.
    pub(crate) pace: Pace,
    /// Connections to each gateway.
    pub(crate) connections: u32,
}

/// When requests are due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// On each connection, so long after the last answer.
    Closed(Duration),
    /// On each gateway so often, whatever becomes of the others, as long as there is a connection free.
    Open(Duration),
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Which gateway, by its place among all.
    pub(crate) gateway: usize,
    /// When it was due.
    pub(crate) due: u64,
    /// When its answer came.
    pub(crate) answered: u64,
    /// The status; none if the connection broke, or there was nobody to connect to.
    pub(crate) status: Option<u16>,
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Asked>>>,
}

/// What is due in an open loop and cannot be sent for so long, because the requests before it are not
/// answered, is not sent: all of it together would be more than any limit admits.
const PATIENCE: Duration = Duration::from_millis(500);

/// After a broken connection, the time before the next one.
const AGAIN: Duration = Duration::from_millis(20);

impl Clients {
    /// Sets them to work on all of `gateways`.
    pub(crate) fn start(dates: Dates, gateways: &[SocketAddr], load: &Load) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = dates.now();
        let count = u64::try_from(gateways.len()).unwrap_or(u64::MAX);
        // Open loops are even over all gateways together: none begins when another one does.
        let spread = |gateway: usize| match load.pace {
            Pace::Closed(_) => 0,
            Pace::Open(every) => {
                let place = u64::try_from(gateway).unwrap_or(u64::MAX);
                micros(every).saturating_mul(place).checked_div(count).unwrap_or(0)
            }
        };
        let threads = gateways.iter().enumerate().flat_map(|(gateway, address)| {
            let turns = Arc::new(AtomicU64::new(0));
            let client = Client {
                gateway,
                address: *address,
                load: load.clone(),
                dates,
                begun: begun.saturating_add(spread(gateway)),
                turns,
                stop: Arc::clone(&stop),
            };
            (0..load.connections).map(move |_| {
                let client = client.clone();
                thread::spawn(move || client.work())
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// Ends their work; what became of it, in the order in which it was due.
    pub(crate) fn stop(self) -> Vec<Asked> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all: Vec<Asked> =
            self.threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect();
        all.sort_by_key(|asked| asked.due);
        all
    }
}

/// One connection's worth.
#[derive(Clone)]
struct Client {
    gateway: usize,
    address: SocketAddr,
    load: Load,
    dates: Dates,
    begun: u64,
    /// How many requests of this gateway are taken.
    turns: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Client {
    fn work(&self) -> Vec<Asked> {
        let (mut connection, mut asked) = (None, Vec::new());
        loop {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            let due = match self.load.pace {
                Pace::Closed(_) => self.dates.now(),
                Pace::Open(every) => self.begun.saturating_add(micros(every).saturating_mul(turn)),
            };
            self.dates.sleep_until(due);
            if self.stop.load(Ordering::Relaxed) {
                return asked;
            }
            let is_too_late = micros(PATIENCE) < self.dates.now().saturating_sub(due);
            if is_too_late && matches!(self.load.pace, Pace::Open(_)) {
                let (gateway, answered) = (self.gateway, self.dates.now());
                asked.push(Asked { gateway, due, answered, status: None });
                continue;
            }
            let status = self.ask(&mut connection, turn);
            let (gateway, answered) = (self.gateway, self.dates.now());
            asked.push(Asked { gateway, due, answered, status });
            if status.is_none() {
                connection = None;
                thread::sleep(AGAIN);
            } else if let Pace::Closed(pause) = self.load.pace {
                thread::sleep(pause);
            }
        }
    }

    fn ask(&self, connection: &mut Option<Connection>, turn: u64) -> Option<u16> {
        let path = self.load.path.replace("{n}", &turn.to_string());
        if connection.is_none() {
            *connection = Connection::open(self.address).ok();
        }
        let header = format!("{SENT}: {}", self.dates.now());
        let request = Request { path: &path, header: Some(&header) };
        connection.as_mut()?.ask(request).ok().map(|answer| answer.status)
    }
}

/// What became of requests, in short.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Told {
    /// Answered 200.
    pub(crate) admitted: u64,
    /// Answered 429 or 403.
    pub(crate) refused: u64,
    /// Answered 5xx.
    pub(crate) server_errors: u64,
    /// Answered otherwise.
    pub(crate) others: u64,
    /// Not answered.
    pub(crate) broken: u64,
    /// Half of the answers came so long after they were due, in milliseconds.
    pub(crate) p50_millis: f64,
    /// 99 of 100 answers came so long after they were due, in milliseconds.
    pub(crate) p99_millis: f64,
}

impl Told {
    /// Of all that was due from `from` on and before `to`.
    pub(crate) fn between(asked: &[Asked], from: u64, to: u64) -> Self {
        let mut told = Self::default();
        let mut millis = Vec::new();
        for one in asked.iter().filter(|one| (from..to).contains(&one.due)) {
            let count = match one.status {
                Some(200) => &mut told.admitted,
                Some(403 | 429) => &mut told.refused,
                Some(500..=599) => &mut told.server_errors,
                Some(_) => &mut told.others,
                None => &mut told.broken,
            };
            *count = count.saturating_add(1);
            if one.status.is_some() {
                millis.push(one.millis());
            }
        }
        told.p50_millis = percentile(&mut millis, 0.5);
        told.p99_millis = percentile(&mut millis, 0.99);
        told
    }

    /// How much was not answered 200.
    pub(crate) fn not_admitted(&self) -> u64 {
        [self.refused, self.server_errors, self.others, self.broken].iter().sum()
    }

    /// How much was answered.
    pub(crate) fn answered(&self) -> u64 {
        [self.admitted, self.refused, self.server_errors, self.others].iter().sum()
    }
}

impl Asked {
    /// How long after it was due its answer came.
    pub(crate) fn millis(&self) -> f64 {
        Duration::from_micros(self.answered.saturating_sub(self.due)).as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Told};

    #[test]
    fn what_is_due_in_a_phase_counts_in_it_whenever_it_is_answered() {
        let asked = |due, answered, status| Asked { gateway: 0, due, answered, status };
        let all = [
            asked(0, 1_000, Some(200)),
            asked(5, 9_005, Some(429)),
            asked(6, 7, None),
            asked(7, 1_007, Some(503)),
            asked(10, 11, Some(200)),
        ];
        let told = Told::between(&all, 0, 10);
        assert_eq!((told.admitted, told.refused, told.server_errors, told.broken), (1, 1, 1, 1));
        assert_eq!(told.answered(), 3);
        assert!((told.p99_millis - 9.0).abs() < 1e-9, "{told:?}");
        assert!((told.p50_millis - 1.0).abs() < 1e-9, "{told:?}");
    }
}
