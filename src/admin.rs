//! The admin listener: liveness, readiness, status, reload. A port of its own, so that nothing of
//! it can be reached through an API.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde::Serialize;

use crate::configuration::refresh::Status;
use crate::counters::memory::Memory;
use crate::proxy::State;
use crate::telemetry::access_log::AccessLog;
use crate::time::{Timestamp, date};

/// What the admin listener shows.
#[derive(Debug)]
pub struct Admin {
    /// Whether the gateway takes requests.
    pub state: Arc<State>,
    /// How the configuration is doing.
    pub configuration: Arc<Status>,
    /// How full the counters are.
    pub counters: Arc<Memory>,
    /// How many lines were lost.
    pub log: Arc<AccessLog>,
    /// When the process started.
    pub started: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: &'static str,
    started: String,
    ready: bool,
    draining: bool,
    requests: u64,
    requests_in_flight: u64,
    configuration: Configuration,
    counters: Counters,
    log_lines_dropped: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    generation: u64,
    since: String,
    refused: u64,
    /// Why the newest configuration is not the one that runs.
    faults: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counters {
    keys: usize,
    keys_max: usize,
    crowded: u64,
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        if let Some(host) = host
            && !is_own(host)
        {
            // A page in somebody's browser may ask for a name that leads here (DNS rebinding).
            return plain(StatusCode::MISDIRECTED_REQUEST, "this is no host of the gateway\n");
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET, "/readyz") => self.ready(),
            (&Method::GET, "/status") => self.status(),
            (&Method::POST, "/reload") => {
                if head.headers.contains_key(http::header::ORIGIN) {
                    return plain(StatusCode::FORBIDDEN, "no browser may reload\n");
                }
                self.configuration.ask();
                plain(StatusCode::ACCEPTED, "the folder is looked at now; see /status\n")
            }
            (_, "/livez" | "/readyz" | "/status" | "/reload") => {
                plain(StatusCode::METHOD_NOT_ALLOWED, "wrong method\n")
            }
            _ => plain(StatusCode::NOT_FOUND, "there are /livez, /readyz, /status and /reload\n"),
        }
    }
}

impl Admin {
    fn ready(&self) -> Response<Vec<u8>> {
        let state = self.configuration.now();
        let (status, mut text) = if self.state.is_ready() {
            (StatusCode::OK, format!("ready, generation {}\n", state.generation))
        } else if self.state.is_draining() {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "there is no configuration\n".to_owned())
        };
        for fault in &state.refusal {
            text.push_str("newest configuration refused: ");
            text.push_str(&fault.to_string());
            text.push('\n');
        }
        plain(status, &text)
    }

    fn status(&self) -> Response<Vec<u8>> {
        let state = self.configuration.now();
        let usage = self.counters.usage();
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            started: date(self.started),
            ready: self.state.is_ready(),
            draining: self.state.is_draining(),
            requests: self.state.requests.load(Ordering::Relaxed),
            requests_in_flight: self.state.in_flight.load(Ordering::Relaxed),
            configuration: Configuration {
                generation: state.generation,
                since: date(state.since),
                refused: state.refused,
                faults: state.refusal.iter().map(ToString::to_string).collect(),
            },
            counters: Counters {
                keys: usage.keys,
                keys_max: usage.keys_max,
                crowded: usage.crowded,
            },
            log_lines_dropped: self.log.dropped(),
        };
        let body = serde_json::to_vec_pretty(&report).unwrap_or_default();
        let mut response = Response::new(body);
        let kind = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Whether a `Host` field names an address or this machine, and no name of somebody's domain.
fn is_own(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>().is_ok()
        || host.parse::<std::net::IpAddr>().is_ok()
        || name == "localhost"
        || !name.contains('.')
        || [".svc", ".local"].iter().any(|suffix| name.ends_with(suffix))
}

fn plain(status: StatusCode, text: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(text.as_bytes().to_vec());
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_the_gateways() {
        for own in ["127.0.0.1:8082", "[::1]:8082", "localhost:8082", "weir", "weir.a.svc"] {
            assert!(is_own(own), "{own}");
        }
        for other in ["evil.example", "evil.example:8082", "127.0.0.1.evil.example"] {
            assert!(!is_own(other), "{other}");
        }
    }
}
