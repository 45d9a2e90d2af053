//! Requests under the names that API Management's self-hosted gateway counts them by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::telemetry::statsd::{Feed, Timing};
use crate::telemetry::traffic::family::{Family, OTHER, Series};
use crate::telemetry::traffic::histogram::{Bounds, Histogram};
use crate::telemetry::traffic::{SERIES_MAX, Served, code, micros};

/// The names of its metrics.
pub const NAMES: [&str; 5] = [
    "Requests",
    "DurationInMS",
    "BackendDurationInMS",
    "ClientDurationInMS",
    "GatewayDurationInMs",
];
/// What it says where there is nothing to say.
const NONE: &str = "None";

/// A series of requests: host, status, the backend's status, cache, reason of the last error.
pub type Requests = Series<5, AtomicU64>;
/// A series of times: host.
pub type Times = Series<1, Durations>;

/// What is counted.
#[derive(Debug)]
pub struct Apim {
    pub(super) requests: Family<5, AtomicU64>,
    pub(super) hosts: Family<1, Durations>,
    feed: Option<Feed>,
}

/// Where the time of requests went.
#[derive(Debug)]
pub struct Durations {
    pub(super) total: Histogram,
    pub(super) backend: Histogram,
    pub(super) client: Histogram,
    pub(super) own: Histogram,
}

impl Apim {
    pub(super) fn new(times: &Bounds, feed: Option<Feed>) -> Self {
        let times = Arc::clone(times);
        let durations = move || Durations {
            total: Histogram::new(&times),
            backend: Histogram::new(&times),
            client: Histogram::new(&times),
            own: Histogram::new(&times),
        };
        Self {
            requests: Family::new(SERIES_MAX, AtomicU64::default),
            hosts: Family::new(SERIES_MAX, durations),
            feed,
        }
    }

    pub(super) fn count(&self, served: &Served<'_>) {
        let host = served.host.unwrap_or(OTHER);
        let cache = match served.cache {
            None => NONE,
            Some(true) => "Hit",
            Some(false) => "Miss",
        };
        let labels = [
            host,
            code(served.status.as_ref()),
            code(served.backend_status.as_ref()),
            cache,
            served.last_error.unwrap_or(NONE),
        ];
        self.requests.with(labels, |series| series.cells.fetch_add(1, Ordering::Relaxed));
        let client = served.total.saturating_sub(served.backend_time);
        let client = micros(client.saturating_sub(served.own_time));
        let (total, backend) = (micros(served.total), micros(served.backend_time));
        self.hosts.with([host], |series| {
            let Durations { total: totals, backend: backends, client: clients, own } =
                &series.cells;
            totals.note(total);
            own.note(micros(served.own_time));
            clients.note(client);
            if 0 < served.forwards {
                backends.note(backend);
            }
            if let Some(trace) = served.trace {
                totals.trace(total, trace, served.at);
            }
            if let Some(feed) = &self.feed {
                let backend = (0 < served.forwards).then_some(backend);
                feed.offer(|| Timing { times: Arc::clone(series), total, backend, client });
            }
        });
    }

    /// All counts of requests.
    pub fn requests(&self) -> Vec<Arc<Requests>> {
        self.requests.all()
    }

    /// What is said of a series: but for where it was counted.
    pub fn labels_of<'s>(&self, series: &'s Requests) -> [(&'static str, &'s str); 8] {
        let [host, status, backend, cache, reason] = series.labels.each_ref().map(|label| &**label);
        [
            ("Hostname", host),
            ("Status", outcome(status)),
            ("Cache", cache),
            ("ResponseCode", or_none(status)),
            ("ResponseCodeCategory", category(status)),
            ("BackendResponseCode", or_none(backend)),
            ("BackendResponseCodeCategory", category(backend)),
            ("LastErrorReason", reason),
        ]
    }
}

const fn or_none(code: &str) -> &str {
    if code.is_empty() { NONE } else { code }
}

/// What API Management calls such an outcome.
fn outcome(code: &str) -> &'static str {
    match number(code) {
        Some(..=301 | 304 | 307) => "Successful",
        Some(401 | 403 | 429) => "Unauthorized",
        Some(400 | 500..600) => "Erroneous",
        _ => "Other",
    }
}

fn category(code: &str) -> &'static str {
    match number(code) {
        Some(100..200) => "1xx",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        _ => NONE,
    }
}

fn number(code: &str) -> Option<u16> {
    StatusCode::from_bytes(code.as_bytes()).ok().map(|status| status.as_u16())
}
