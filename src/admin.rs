//! What operators are told: liveness, readiness, status, reload. On a port of its own, so that
//! nothing of it can be reached through an API.

pub mod cluster;
pub mod findings;
pub mod inspector;
pub mod limits;
pub mod metrics;
pub mod page;
pub mod refusal;
mod refusing;
mod rollout;
pub mod shape;
mod sharing;
mod standing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::http::RequestHeader;
use serde::Serialize;
use tokio::sync::watch;

use crate::admin::cluster::Together;
use crate::admin::metrics::Sources;
use crate::admin::refusing::Refusing;
use crate::admin::shape::{Dapr, Seen};
use crate::admin::sharing::Sharing;
use crate::configuration::cluster::Cluster;
use crate::configuration::offer::Status;
use crate::configuration::remote::Link;
use crate::counters::Home;
use crate::inspector::Inspector;
use crate::proxy::operators::{Asked, Console, plain, who, wrong_method};
use crate::proxy::state::State;
use crate::snapshot::Live;
use crate::telemetry;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Source as _;
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
    /// How everything is doing.
    pub metrics: Arc<Sources>,
    /// Who may see what a request goes through.
    pub inspector: Arc<Inspector>,
    /// What runs.
    pub live: Arc<Live>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// How it goes with the control plane, if there is one.
    pub control: Option<watch::Receiver<Link>>,
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
    /// How it goes with the control plane, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
    counters: Counters,
    /// What is known of Dapr's sidecar, if what runs asks it for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    dapr: Option<Dapr>,
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
struct Control {
    connected: bool,
    /// Why it is not.
    reason: String,
    /// Whether another replica has the stream, for all of the cluster.
    through_leader: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expires: Option<String>,
    /// `fine`; `near` if it should be replaced; `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_state: Option<&'static str>,
    /// Whether it has expired.
    token_expired: bool,
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

const THERE_ARE: &str = "there are / (a page), /livez, /readyz, /status, /metrics, /reload, /limits, /inspector and \
     /rollout\n";

/// The most connections of operators at a time.
pub const CONNECTIONS_MAX: usize = 256;

#[async_trait]
impl Console for Admin {
    async fn answer(&self, asked: &Asked<'_>) -> Response<Vec<u8>> {
        let Asked { head, peer, .. } = *asked;
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/") => self.page(),
            (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/status") => self.status(),
            (&Method::GET | &Method::HEAD, "/metrics") => {
                let mut response = Response::new(self.metrics.page().text().into_bytes());
                let kind = HeaderValue::from_static(telemetry::metrics::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            (&Method::POST, "/reload") => {
                self.configuration.ask();
                plain(StatusCode::ACCEPTED, "the folder is looked at now; see /status\n")
            }
            (_, "/" | "/livez" | "/readyz" | "/status" | "/metrics") => wrong_method("GET, HEAD"),
            (_, "/reload") => wrong_method("POST"),
            (_, path) if path.starts_with("/inspector/") => self.inspect(asked).await,
            (method, path) if path.starts_with("/rollout/") => {
                if method != Method::POST {
                    return wrong_method("POST");
                }
                let (what, query) = (path.trim_start_matches("/rollout/"), head.uri.query());
                let who = who(head, peer);
                rollout::want(self.cluster.as_deref(), what, query.unwrap_or_default(), &who).await
            }
            (_, path) => match path.strip_prefix("/limits") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    self.limits(head, rest.trim_start_matches('/'), peer).await
                }
                _ => plain(StatusCode::NOT_FOUND, THERE_ARE),
            },
        }
    }
}

/// What somebody on another machine is told who asks the inspector.
const ONLY_HERE: &str =
    "the inspector answers this machine only: use a forwarded port, or set inspector.remote\n";

impl Admin {
    /// What is below `/inspector`.
    async fn inspect(&self, asked: &Asked<'_>) -> Response<Vec<u8>> {
        let Asked { head, body, peer } = *asked;
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let is_here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        if !is_here && !self.inspector.is_remote {
            // Whoever may look, from a probe or a dashboard, may not see what clients send.
            return plain(StatusCode::FORBIDDEN, ONLY_HERE);
        }
        let (who, now) = (who(head, peer), self.clock.now());
        match head.uri.path().trim_start_matches("/inspector/") {
            "credentials" if head.method == Method::POST => {
                let of = (&*self.inspector, &*self.live.snapshot());
                inspector::credential(of, body, &who, now)
            }
            "credentials" => wrong_method("POST"),
            _ if !is_read => wrong_method("GET, HEAD"),
            "traces" => inspector::latest(&self.inspector, now).await,
            rest => match rest.strip_prefix("traces/") {
                Some(id) => inspector::trace(&self.inspector, id, &who, now).await,
                None => plain(StatusCode::NOT_FOUND, THERE_ARE),
            },
        }
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
        } else if self.state.awaits_sidecar() {
            (StatusCode::SERVICE_UNAVAILABLE, "the Dapr sidecar is not ready\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "there is no configuration\n".to_owned())
        };
        text.push_str(&standing::details(&state, self.clock.now()));
        if let Some(link) = self.control.as_ref().map(|link| link.borrow()) {
            text.push_str(&standing::control(&link, self.clock.now()));
        }
        for fault in &state.refusal {
            text.push_str("newest configuration refused: ");
            text.push_str(&fault.to_string());
            text.push('\n');
        }
        plain(status, &text)
    }

    fn report(&self) -> Report {
        let state = self.configuration.now();
        let usage = self.counters.usage();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            started: date(self.started),
            ready: self.state.is_ready(&self.live.snapshot()),
            draining: self.state.is_draining(),
            requests: self.state.requests.load(Ordering::Relaxed),
            requests_in_flight: self.state.in_flight(),
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
            control: self
                .control
                .as_ref()
                .map(|link| Control::of(&link.borrow(), self.clock.now())),
            counters: Counters {
                keys: usage.keys,
                keys_max: usage.keys_max,
                crowded: usage.crowded,
                shared: self.counters.shared().as_ref().map(Sharing::of),
            },
            dapr: self.state.sidecar().map(|look| Dapr::of(&look)),
            limits: self
                .state
                .refusals
                .decisions()
                .into_iter()
                .map(|(site, decisions)| Refusing::of(&site, decisions))
                .collect(),
            log_lines_dropped: self.log.dropped(),
        }
    }

    /// The same as a page. It is written from what is told, as anybody could.
    fn page(&self) -> Response<Vec<u8>> {
        let told = serde_json::to_value(self.report()).unwrap_or_default();
        match Seen::of(told) {
            Some(seen) => page::answer(&seen, &date(self.clock.now())),
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, "see /status\n"),
        }
    }

    fn status(&self) -> Response<Vec<u8>> {
        let body = serde_json::to_vec_pretty(&self.report()).unwrap_or_default();
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

impl Control {
    fn of(link: &Link, now: Timestamp) -> Self {
        Self {
            connected: link.is_connected,
            reason: link.reason.clone(),
            through_leader: link.is_elsewhere,
            token_expires: link.token_expires.map(date),
            token_state: link.token(now).map(|token| token.state.word()),
            token_expired: link.has_expired(now),
        }
    }
}
