//! Requests for `StatsD`, under API Management's names: counted exactly, timed by samples.
//!
//! A request leaves its times in a queue of bounded length, and wakes nobody; what does not fit is
//! counted. Every [`INTERVAL`] a thread of its own sends what came together: one line for each
//! count that has grown, one for each time that was sampled, as many in a datagram as fit.

pub mod line;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::telemetry::statsd::line::{Kind, Lines, Tags};
use crate::telemetry::traffic::Traffic;
use crate::telemetry::traffic::apim::Times;

/// How often something is sent.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// The most requests whose times wait to be sent.
pub const TIMINGS_MAX: usize = 8_192;
/// After how many times something was sent it is asked again where the name of the host leads.
const LOOK_UPS: u32 = 60;
/// All requests, in millionths.
const ALL: u64 = 1_000_000;
/// An odd number whose multiples spread evenly over all numbers: 2^64 divided by the golden ratio.
const EVENLY: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where to, how much and in which form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// `host:port`.
    pub endpoint: String,
    /// Which part of the requests is timed, in millionths.
    pub sampling: u32,
    /// How tags are written.
    pub tags: Tags,
}

/// Where requests went in time, to be sent. Microseconds.
#[derive(Clone, Debug)]
pub struct Timing {
    /// What they are counted with.
    pub times: Arc<Times>,
    /// The whole.
    pub total: u64,
    /// What of it backends took, if there was one.
    pub backend: Option<u64>,
    /// What of it sending the response took.
    pub client: u64,
}

/// What became of lines.
#[derive(Debug, Default)]
pub struct Counts {
    /// Lines that were sent.
    pub sent: AtomicU64,
    /// Requests that were not timed because the queue was full.
    pub full: AtomicU64,
    /// Lines that the system refused to send.
    pub unsent: AtomicU64,
}

/// Takes the times of requests.
#[derive(Debug)]
pub struct Feed {
    queue: SyncSender<Timing>,
    /// Numbers below it are sampled.
    below: u64,
    turn: AtomicU64,
    counts: Arc<Counts>,
}

/// Sends what requests left.
#[derive(Debug)]
pub struct Reporter {
    plan: Plan,
    queue: Receiver<Timing>,
    counts: Arc<Counts>,
    /// What was sent of each count.
    told: HashMap<[Box<str>; 5], u64>,
    socket: Option<UdpSocket>,
    /// How often something was sent since it was asked where.
    sent: u32,
}

/// What takes the times of requests, and what sends them.
pub fn joined(plan: Plan) -> (Feed, Reporter) {
    let (sender, queue) = sync_channel(TIMINGS_MAX);
    let counts = Arc::new(Counts::default());
    let feed = Feed {
        queue: sender,
        below: (u64::MAX / ALL).saturating_mul(u64::from(plan.sampling)),
        turn: AtomicU64::new(0),
        counts: Arc::clone(&counts),
    };
    let reporter = Reporter { plan, queue, counts, told: HashMap::new(), socket: None, sent: 0 };
    (feed, reporter)
}

impl Feed {
    /// Leaves the times of a request, if it is one of those that are sampled.
    pub fn offer(&self, timing: impl FnOnce() -> Timing) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if turn.wrapping_mul(EVENLY) < self.below && self.queue.try_send(timing()).is_err() {
            self.counts.full.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Reporter {
    /// What becomes of lines.
    pub const fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Sends what `traffic` counted every [`INTERVAL`], until nobody can say `stop` any more, and then
    /// once more. `whence` says which gateway this is, and where.
    pub fn run(
        mut self,
        traffic: &Traffic,
        whence: impl Fn() -> [(&'static str, String); 2],
        stop: &Receiver<()>,
    ) {
        loop {
            let is_over = stop.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout);
            for (datagram, lines) in self.lines(traffic, &whence()) {
                let sent = self.send(&datagram);
                let count = if sent.is_ok() { &self.counts.sent } else { &self.counts.unsent };
                count.fetch_add(lines, Ordering::Relaxed);
                if let Err(error) = sent {
                    tracing::debug!(%error, endpoint = self.plan.endpoint, "StatsD is not reached");
                    self.socket = None;
                }
            }
            if is_over {
                return;
            }
        }
    }

    /// Datagrams of what came together, and how many lines each has.
    fn lines(
        &mut self,
        traffic: &Traffic,
        whence: &[(&'static str, String); 2],
    ) -> Vec<(String, u64)> {
        let mut lines = Lines::new(self.plan.tags);
        let Some(apim) = traffic.apim() else { return Vec::new() };
        let mut all = 0_u64;
        for series in apim.requests() {
            let count = series.cells.load(Ordering::Relaxed);
            let told = self.told.entry(series.labels.clone()).or_default();
            let more = count.saturating_sub(*told);
            *told = count;
            all = all.saturating_add(more);
            if 0 < more && self.plan.tags != Tags::None {
                let tags = tags(&apim.labels_of(&series), whence);
                lines.add("Requests", Kind::Count(more), &tags);
            }
        }
        if 0 < all && self.plan.tags == Tags::None {
            lines.add("Requests", Kind::Count(all), &[]);
        }
        for timing in self.queue.try_iter().take(TIMINGS_MAX) {
            let [host] = timing.times.labels.each_ref().map(|label| &**label);
            let tags = tags(&[("Hostname", host)], whence);
            let times = [
                ("DurationInMS", Some(timing.total)),
                ("BackendDurationInMS", timing.backend),
                ("ClientDurationInMS", Some(timing.client)),
            ];
            for (name, micros) in times {
                if let Some(micros) = micros {
                    lines.add(name, Kind::Time { micros, sampling: self.plan.sampling }, &tags);
                }
            }
        }
        lines.datagrams()
    }

    fn send(&mut self, datagram: &str) -> io::Result<()> {
        if self.socket.is_none() || LOOK_UPS <= self.sent {
            self.socket = Some(connect(&self.plan.endpoint)?);
            self.sent = 0;
        }
        self.sent = self.sent.saturating_add(1);
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.send(datagram.as_bytes()).map(drop)
    }
}

/// What is said of something, and of where it was counted.
fn tags<'a>(
    own: &[(&'a str, &'a str)],
    whence: &'a [(&'static str, String); 2],
) -> Vec<(&'a str, &'a str)> {
    let whence = whence.iter().map(|(name, value)| (*name, value.as_str()));
    own.iter().copied().chain(whence).collect()
}

/// A socket that sends there.
fn connect(endpoint: &str) -> io::Result<UdpSocket> {
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for address in endpoint.to_socket_addrs()? {
        let here = if address.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        let socket = UdpSocket::bind(here).and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            Ok(socket)
        });
        match socket {
            Ok(socket) => return Ok(socket),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests;
