//! What operators are told: liveness, readiness, status, reload. On a port of its own, so that
//! nothing of it can be reached through an API.

mod cluster;
pub mod limits;
mod metrics;
pub mod refusal;
mod refusing;
mod sharing;
mod standing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, ORIGIN, USER_AGENT};
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use serde::Serialize;

use crate::admin::cluster::Together;
use crate::admin::refusal::Refusal;
use crate::admin::refusing::Refusing;
use crate::admin::sharing::Sharing;
use crate::configuration::cluster::Cluster;
use crate::configuration::offer::Status;
use crate::counters::Home;
use crate::proxy::guard;
use crate::proxy::state::State;
use crate::snapshot::Live;
use crate::telemetry;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::audit::Who;
use crate::time::{Clock, SystemClock, Timestamp, date};

/// What the admin listener shows.
#[derive(Debug)]
pub struct Admin {
    /// Whether the gateway takes requests.
    pub state: Arc<State>,
    /// How the configuration is doing.
    pub configuration: Arc<Status>,
    /// Who shares it with other replicas.
    pub cluster: Option<Arc<Cluster>>,
    /// How the counters are doing.
    pub counters: Arc<Home>,
    /// How many lines were lost.
    pub log: Arc<AccessLog>,
    /// When the process started.
    pub started: Timestamp,
    /// What runs.
    pub live: Arc<Live>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
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
    /// How the replicas are doing that share one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Together>,
    counters: Counters,
    /// Limits that refused, or would have.
    limits: Vec<Refusing>,
    log_lines_dropped: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    generation: u64,
    since: String,
    /// Where it came from: `folder`, `offer`, `last-good`, or `none`.
    source: &'static str,
    refused: u64,
    /// Why the newest configuration is not the one that runs.
    faults: Vec<String>,
    /// The copies that are kept, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_good: Option<standing::LastGood>,
    /// What must not run, whatever it says.
    kill_switch: standing::KillSwitch,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counters {
    keys: usize,
    keys_max: usize,
    crowded: u64,
    /// Where limits are shared: how that is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Sharing>,
}

/// The field in which a program says for whom it asks.
pub const OPERATOR: &str = "Weir-Operator";

const THERE_ARE: &str = "there are /livez, /readyz, /status, /metrics, /reload and /limits\n";

/// The most connections of operators at a time.
pub const CONNECTIONS_MAX: usize = 256;
/// How long such a connection may be silent, in seconds.
const IDLE_SECONDS_MAX: u64 = 60;
/// How long it may be silent within a body.
const BODY_SILENCE_MAX: Duration = Duration::from_secs(5);
/// The longest body that is read to keep a connection; nothing here wants any.
const BODY_BYTES_MAX: usize = 4 << 10;

#[async_trait]
impl HttpServerApp for Admin {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        guard::expect_head(&session);
        if !matches!(session.read_request().await, Ok(true)) {
            return None;
        }
        session.set_read_timeout(Some(BODY_SILENCE_MAX));
        let stays = !*shutdown.borrow() && is_read(&mut session).await;
        session.set_keepalive(stays.then_some(IDLE_SECONDS_MAX));
        let peer = session.client_addr().and_then(|peer| peer.as_inet().copied());
        let (parts, body) = self.answer(session.req_header(), peer).await.into_parts();
        let mut head = ResponseHeader::from(parts);
        // Without it the answer would end with the connection.
        head.insert_header(CONTENT_LENGTH, body.len()).ok()?;
        let bodiless = session.req_header().method == Method::HEAD;
        session.write_response_header(Box::new(head)).await.ok()?;
        if !bodiless {
            session.write_response_body(body.into(), true).await.ok()?;
        }
        let kept = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(stream, kept))
    }
}

/// Whether the body of the request was read to its end, so that the next request can follow.
async fn is_read(session: &mut ServerSession) -> bool {
    // Who waits to be invited to send one is not.
    if session.req_header().headers.contains_key(EXPECT) {
        return false;
    }
    let mut left = BODY_BYTES_MAX;
    loop {
        match session.read_request_body().await {
            Ok(None) => return true,
            Ok(Some(piece)) if piece.len() <= left => left = left.saturating_sub(piece.len()),
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}

impl Admin {
    async fn answer(&self, head: &RequestHeader, peer: Option<SocketAddr>) -> Response<Vec<u8>> {
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        if let Some(host) = host
            && !is_own(host)
        {
            // A page in somebody's browser may ask for a name that leads here (DNS rebinding).
            return plain(StatusCode::MISDIRECTED_REQUEST, "this is no host of the gateway\n");
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/status") => self.status(),
            (&Method::GET | &Method::HEAD, "/metrics") => {
                let mut response = Response::new(self.metrics().into_bytes());
                let kind = HeaderValue::from_static(telemetry::metrics::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            (&Method::POST, "/reload") => {
                if head.headers.contains_key(ORIGIN) {
                    return plain(StatusCode::FORBIDDEN, "no browser may reload\n");
                }
                self.configuration.ask();
                plain(StatusCode::ACCEPTED, "the folder is looked at now; see /status\n")
            }
            (_, "/livez" | "/readyz" | "/status" | "/metrics") => wrong_method("GET, HEAD"),
            (_, "/reload") => wrong_method("POST"),
            (_, path) => match path.strip_prefix("/limits") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    self.limits(head, rest.trim_start_matches('/'), peer).await
                }
                _ => plain(StatusCode::NOT_FOUND, THERE_ARE),
            },
        }
    }

    fn metrics(&self) -> String {
        metrics::page(&self.counters, &self.configuration.now(), self.clock.now())
    }

    /// `/limits` and what is below it; `rest` comes after the slash.
    async fn limits(
        &self,
        head: &RequestHeader,
        rest: &str,
        peer: Option<SocketAddr>,
    ) -> Response<Vec<u8>> {
        let (home, now) = (&self.counters, self.clock.now());
        let names = &self.state.refusals;
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        match (rest, rest.strip_suffix("/reset")) {
            (_, Some(key)) if head.method == Method::POST => {
                if head.headers.contains_key(ORIGIN) {
                    return Refusal::new(
                        StatusCode::FORBIDDEN,
                        "no browser may reset a limit",
                        "the request has an `Origin`: a page in somebody's browser sent it",
                        "use `weir limits reset`",
                    )
                    .answer();
                }
                limits::reset(home, key, &who(head, peer), now).await
            }
            (_, Some(_)) => wrong_method("POST"),
            _ if !is_read => wrong_method("GET, HEAD"),
            ("", _) => limits::top(home, names, head.uri.query(), now),
            ("bound", _) => limits::bounds(home, &self.live.snapshot()),
            (key, _) => limits::show(home, names, key, now),
        }
    }

    fn ready(&self) -> Response<Vec<u8>> {
        let state = self.configuration.now();
        let (status, mut text) = if self.state.is_ready(&self.live.snapshot()) {
            (StatusCode::OK, format!("ready, generation {}\n", state.serving))
        } else if self.state.is_draining() {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "there is no configuration\n".to_owned())
        };
        text.push_str(&standing::details(&state, self.clock.now()));
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
            ready: self.state.is_ready(&self.live.snapshot()),
            draining: self.state.is_draining(),
            requests: self.state.requests.load(Ordering::Relaxed),
            requests_in_flight: self.state.in_flight.load(Ordering::Relaxed),
            configuration: Configuration {
                generation: state.serving.number,
                since: date(state.since),
                source: state.source.as_str(),
                refused: state.refused,
                faults: state.refusal.iter().map(ToString::to_string).collect(),
                last_good: standing::LastGood::of(&state, self.clock.now()),
                kill_switch: standing::KillSwitch::of(&state),
            },
            cluster: self
                .cluster
                .as_ref()
                .map(|cluster| Together::of(&cluster.replica, &cluster.standing.borrow())),
            counters: Counters {
                keys: usage.keys,
                keys_max: usage.keys_max,
                crowded: usage.crowded,
                shared: self.counters.shared().as_ref().map(Sharing::of),
            },
            limits: self
                .state
                .refusals
                .decisions()
                .into_iter()
                .map(|(site, decisions)| Refusing::of(&site, decisions))
                .collect(),
            log_lines_dropped: self.log.dropped(),
        };
        let body = serde_json::to_vec_pretty(&report).unwrap_or_default();
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Who asks, as far as that can be told.
fn who(head: &RequestHeader, peer: Option<SocketAddr>) -> Who {
    let field = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let agent = field(USER_AGENT.as_str()).unwrap_or_default();
    Who::new(peer, agent, field(OPERATOR).unwrap_or_default())
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
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn wrong_method(right: &'static str) -> Response<Vec<u8>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "wrong method\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(right));
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
