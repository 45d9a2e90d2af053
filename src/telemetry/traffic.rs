//! Requests, as they are counted: once each, at their end, from what is known of them then.
//!
//! What tells series apart stands in the configuration or in a list of words: routes are templates,
//! methods that nobody knows are `_OTHER`, and no host, path, key or client of a request is ever
//! part of it. There are bounds all the same ([`SERIES_MAX`], [`BACKENDS_MAX`]), because policies may
//! choose backends; beyond them there is one series `(other)`, and how often it was needed is counted.
//!
//! Counting takes no lock and wakes nobody. It allocates only for a series that is new.

pub mod apim;
pub mod family;
pub mod hash;
pub mod histogram;
mod show;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};

use crate::telemetry::conventions::{self, METHODS};
use crate::telemetry::statsd::Feed;
use crate::telemetry::traffic::apim::Apim;
use crate::telemetry::traffic::family::Family;
use crate::telemetry::traffic::histogram::{Bounds, Histogram, Trace};
use crate::time::Timestamp;

/// The most series of one kind.
pub const SERIES_MAX: usize = 10_000;
/// The most series of calls to backends, whose addresses policies may make.
pub const BACKENDS_MAX: usize = 1_000;
/// How requests come.
const SCHEMES: [&str; 2] = ["http", "https"];
/// Bounds of sizes of bodies, in bytes.
const BODY_BYTES: [u64; 9] =
    [0, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 16 << 20];

/// The first number that is no status of HTTP any more.
const STATUSES_END: u16 = 600;
/// The most digits of a port.
const PORT_DIGITS: usize = 5;

/// What is known of a request at its end, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Its method, as the client wrote it.
    pub method: &'a Method,
    /// Whether it came over TLS, or a trusted proxy says so.
    pub is_secure: bool,
    /// The version of HTTP: `1.0`, `1.1`, `2`.
    pub version: &'static str,
    /// The path of its API without slashes at its ends, and the URL template of its operation.
    pub route: Option<(&'a str, &'a str)>,
    /// Its API; empty if none was found.
    pub api: &'a str,
    /// The operation; empty if none was found.
    pub operation: &'a str,
    /// The name of the backend that a policy chose; empty if none did.
    pub backend: &'a str,
    /// The host name that it was for, if an API names it.
    pub host: Option<&'a str>,
    /// The status that the client got, if it got one.
    pub status: Option<StatusCode>,
    /// The status that the backend gave last, if it gave one.
    pub backend_status: Option<StatusCode>,
    /// What failed, in one of few words; a status from 500 on is a failure anyway.
    pub error: Option<&'static str>,
    /// Why the gateway answered by itself, if it refused or failed: one of few words.
    pub refusal: Option<&'static str>,
    /// The reason of the last error, as policies see it.
    pub last_error: Option<&'static str>,
    /// Whether the response was looked for in the cache, and found.
    pub cache: Option<bool>,
    /// How often it was forwarded.
    pub forwards: u32,
    /// From its head to the end of its response.
    pub total: Duration,
    /// What of that backends took.
    pub backend_time: Duration,
    /// What of that the gateway took itself. The rest went into sending the response.
    pub own_time: Duration,
    /// Bytes of its body, as far as it was read.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// When it ended.
    pub at: Timestamp,
    /// Where it is found among the traces, if it is.
    pub trace: Option<Trace>,
}

/// One try to reach a backend.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// The method that the backend got.
    pub method: &'a Method,
    /// The backend's host.
    pub host: &'a str,
    /// The backend's port.
    pub port: u16,
    /// The status that it gave.
    pub status: Option<StatusCode>,
    /// What failed, in one of few words.
    pub error: Option<&'static str>,
    /// Until its head was there, or it failed.
    pub took: Duration,
    /// When that was.
    pub at: Timestamp,
    /// Where it is found among the traces, if it is.
    pub trace: Option<Trace>,
}

/// How requests are counted.
#[derive(Debug)]
pub struct Terms {
    /// Under whose names they are shown.
    pub names: Names,
    /// Bounds of times, in microseconds, upwards; at most [`BOUNDS_MAX`](histogram::BOUNDS_MAX).
    pub times: Bounds,
    /// Where samples for `StatsD` go, if they are wanted.
    pub feed: Option<Feed>,
}

/// Under whose names requests are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Names {
    /// Those of the conventions of `OpenTelemetry`, and our own.
    #[default]
    Semantic,
    /// Those of API Management.
    Apim,
    /// Both.
    Both,
}

/// All that was counted of requests.
#[derive(Debug)]
pub struct Traffic {
    names: Names,
    active: Arc<[AtomicU64]>,
    exchanges: Family<9, Exchange>,
    operations: Family<3, Operation>,
    tries: Family<5, Histogram>,
    refusals: Family<2, AtomicU64>,
    retries: Family<2, AtomicU64>,
    lookups: Family<3, AtomicU64>,
    apim: Option<Apim>,
}

/// What is counted of requests that are alike.
#[derive(Debug)]
struct Exchange {
    duration: Histogram,
    request_body: Histogram,
    response_body: Histogram,
}

/// What is counted of an operation and one of its backends.
#[derive(Debug)]
struct Operation {
    own: Histogram,
    backend: Histogram,
}

/// A request that has begun; it has ended when this is gone.
#[derive(Debug)]
pub struct Active {
    counts: Arc<[AtomicU64]>,
    place: usize,
}

impl Default for Terms {
    /// The bounds are those that the conventions of `OpenTelemetry` advise.
    fn default() -> Self {
        let millis = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];
        Self {
            names: Names::default(),
            times: millis.map(|millis| millis * 1_000).into(),
            feed: None,
        }
    }
}

impl Traffic {
    /// Nothing yet.
    pub fn new(terms: Terms) -> Self {
        let Terms { names, times, feed } = terms;
        let bytes: Bounds = BODY_BYTES.into();
        let time = |times: &Bounds| {
            let times = Arc::clone(times);
            move || Histogram::new(&times)
        };
        let (duration, own, backend) = (time(&times), time(&times), time(&times));
        let exchange = move || Exchange {
            duration: duration(),
            request_body: Histogram::new(&bytes),
            response_body: Histogram::new(&bytes),
        };
        let operation = move || Operation { own: own(), backend: backend() };
        let is_wanted = names != Names::Semantic || feed.is_some();
        Self {
            names,
            active: (0..METHODS.len() * SCHEMES.len()).map(|_place| AtomicU64::new(0)).collect(),
            exchanges: Family::new(SERIES_MAX, exchange),
            operations: Family::new(SERIES_MAX, operation),
            tries: Family::new(BACKENDS_MAX, time(&times)),
            refusals: Family::new(SERIES_MAX, AtomicU64::default),
            retries: Family::new(SERIES_MAX, AtomicU64::default),
            lookups: Family::new(SERIES_MAX, AtomicU64::default),
            apim: is_wanted.then(|| Apim::new(&times, feed)),
        }
    }

    /// A request has begun, and lasts for as long as what is returned lives.
    pub fn begin(&self, method: &Method, is_secure: bool) -> Active {
        let name = conventions::method(method);
        let place = METHODS.iter().position(|known| *known == name).unwrap_or_default();
        let active = Active {
            counts: Arc::clone(&self.active),
            place: place * SCHEMES.len() + usize::from(is_secure),
        };
        active.add(1);
        active
    }

    /// A request has ended.
    pub fn ended(&self, served: &Served<'_>) {
        if self.names != Names::Apim {
            self.count(served);
        }
        if let Some(apim) = &self.apim {
            apim.count(served);
        }
    }

    /// A request was refused before anything could be known of it.
    pub fn turned_away(&self, reason: &str) {
        if self.names != Names::Apim {
            self.refusals.with([reason, ""], |series| add(&series.cells, 1));
        }
    }

    /// A backend was tried.
    pub fn tried(&self, tried: &Tried<'_>) {
        if self.names == Names::Apim {
            return;
        }
        let mut digits = [0; PORT_DIGITS];
        // To a client each status from 400 on is a failure.
        let refused = tried.status.as_ref().filter(|status| 400 <= status.as_u16());
        let labels = [
            conventions::method(tried.method),
            tried.host,
            decimal(tried.port, &mut digits),
            code(tried.status.as_ref()),
            tried.error.unwrap_or_else(|| code(refused)),
        ];
        let took = micros(tried.took);
        self.tries.with(labels, |series| {
            series.cells.note(took);
            if let Some(trace) = tried.trace {
                series.cells.trace(took, trace, tried.at);
            }
        });
    }

    /// The counts under API Management's names, if they are kept.
    pub const fn apim(&self) -> Option<&Apim> {
        self.apim.as_ref()
    }

    fn count(&self, served: &Served<'_>) {
        let Served { api, operation, .. } = *served;
        let (path, template) = served.route.unwrap_or_default();
        let labels = [
            conventions::method(served.method),
            scheme(served.is_secure),
            served.version,
            path,
            template,
            api,
            operation,
            code(served.status.as_ref()),
            error(served.error, served.status.as_ref()),
        ];
        let total = micros(served.total);
        self.exchanges.with(labels, |series| {
            series.cells.duration.note(total);
            series.cells.request_body.note(served.request_bytes);
            series.cells.response_body.note(served.response_bytes);
            if let Some(trace) = served.trace {
                series.cells.duration.trace(total, trace, served.at);
            }
        });
        self.operations.with([api, operation, served.backend], |series| {
            series.cells.own.note(micros(served.own_time));
            if 0 < served.forwards {
                series.cells.backend.note(micros(served.backend_time));
            }
        });
        if let Some(reason) = served.refusal {
            self.refusals.with([reason, api], |series| add(&series.cells, 1));
        }
        if 1 < served.forwards {
            let more = u64::from(served.forwards.saturating_sub(1));
            self.retries.with([api, operation], |series| add(&series.cells, more));
        }
        if let Some(is_hit) = served.cache {
            let outcome = if is_hit { "hit" } else { "miss" };
            self.lookups.with([outcome, api, operation], |series| add(&series.cells, 1));
        }
    }
}

impl Active {
    fn add(&self, one: u64) {
        if let Some(count) = self.counts.get(self.place) {
            // Wraps on its way down.
            count.fetch_add(one, Ordering::Relaxed);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.add(u64::MAX);
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

const fn scheme(is_secure: bool) -> &'static str {
    let [plain, secure] = SCHEMES;
    if is_secure { secure } else { plain }
}

/// A status as a label; none, if there was none, and one word for those that HTTP does not have.
fn code(status: Option<&StatusCode>) -> &str {
    match status {
        Some(status) if status.as_u16() < STATUSES_END => status.as_str(),
        Some(_) => "_OTHER",
        None => "",
    }
}

/// What failed, as a label.
fn error<'a>(error: Option<&'static str>, status: Option<&'a StatusCode>) -> &'a str {
    let failed = status.filter(|status| 500 <= status.as_u16());
    error.unwrap_or_else(|| code(failed))
}

/// A port as a label.
fn decimal(port: u16, digits: &mut [u8; PORT_DIGITS]) -> &str {
    let mut rest = &mut digits[..];
    // There is room for each.
    let _ = write!(rest, "{port}");
    let free = rest.len();
    let digits = digits.get(..PORT_DIGITS.saturating_sub(free)).unwrap_or_default();
    str::from_utf8(digits).unwrap_or_default()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
