//! What operators of a control plane are told, and may ask for: on a port of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::apps::{HttpServerApp, ReusedHttpStream};
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, Name, Replica};
use super::ledger::Row;
use super::publisher::{Handle, Standing};
use crate::configuration::generation::Generation;
use crate::proxy::operators::{self, is_own, plain, who, wrong_method};
use crate::time::{Timestamp, date};

/// The most connections of operators at a time.
pub const CONNECTIONS_MAX: usize = 256;

const THERE_ARE: &str = "there are /livez, /readyz, /status, /reload and /rollback\n";

/// What operators are told.
#[derive(Debug)]
pub struct Operators {
    /// How publishing is doing.
    pub publisher: Handle,
    /// How the replicas are doing.
    pub fleet: Arc<Fleet>,
    /// When the process started.
    pub started: Timestamp,
}

/// The answer to a rollback.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WentBack {
    /// The number of the new generation.
    pub generation: u64,
    /// The one whose content it has.
    pub like: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: &'static str,
    started: String,
    ready: bool,
    history: u64,
    generation: u64,
    digest: String,
    /// Whose content it has, if somebody went back.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<u64>,
    gateways: Vec<String>,
    refused: u64,
    /// Why the folder is not what is offered.
    faults: Vec<String>,
    generations: Vec<Row>,
    replicas: Vec<Shown>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    gateway: String,
    replica: String,
    version: String,
    connected: bool,
    since: String,
    heard: String,
    ready: bool,
    observed: u64,
    prepared: u64,
    serving: u64,
    /// Whether what it serves is the newest.
    newest: bool,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_expires: Option<String>,
    faults: Vec<String>,
    /// The replicas that it tells of, if it leads a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster>,
}

/// Replicas that share one stream; what is told is about all of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    /// As they count.
    generation: u64,
    replicas: u32,
    /// How many of them serve that one.
    serving: u32,
    /// Whether it is for some of them only, until it has held there.
    staged: bool,
}

#[async_trait]
impl HttpServerApp for Operators {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let peer = operators::hear(&mut session, shutdown).await?;
        let response = self.answer(session.req_header(), peer).await;
        operators::tell(session, response).await
    }
}

impl Operators {
    async fn answer(&self, head: &RequestHeader, peer: Option<SocketAddr>) -> Response<Vec<u8>> {
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        if host.is_some_and(|host| !is_own(host)) {
            return plain(StatusCode::MISDIRECTED_REQUEST, "this is no host of ours\n");
        }
        let is_changing = head.method == Method::POST;
        if is_changing && head.headers.contains_key(ORIGIN) {
            return plain(StatusCode::FORBIDDEN, "no browser may change anything\n");
        }
        if is_changing && !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
            // Whoever may look, from a probe or a dashboard, may not publish.
            return plain(StatusCode::FORBIDDEN, "changes are only taken from this machine\n");
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => ready(&self.publisher.standing()),
            (&Method::GET | &Method::HEAD, "/status") => json(&self.report()),
            (&Method::POST, "/reload") => {
                self.publisher.look();
                plain(StatusCode::ACCEPTED, "the folder is looked at now; see /status\n")
            }
            (&Method::POST, "/rollback") => self.go_back(head, peer).await,
            (_, "/livez" | "/readyz" | "/status") => wrong_method("GET, HEAD"),
            (_, "/reload" | "/rollback") => wrong_method("POST"),
            _ => plain(StatusCode::NOT_FOUND, THERE_ARE),
        }
    }

    async fn go_back(&self, head: &RequestHeader, peer: Option<SocketAddr>) -> Response<Vec<u8>> {
        let to = match head.uri.query().unwrap_or_default() {
            "" => None,
            query => match query.strip_prefix("to=").and_then(|number| number.parse().ok()) {
                Some(number) => Some(number),
                None => return plain(StatusCode::BAD_REQUEST, "write ?to= and a number\n"),
            },
        };
        match self.publisher.go_back(to, who(head, peer)).await {
            Ok((generation, like)) => json(&WentBack { generation, like }),
            Err(reason) => plain(StatusCode::CONFLICT, &format!("{reason}\n")),
        }
    }

    fn report(&self) -> Report {
        let standing = self.publisher.standing();
        let replicas = self.fleet.replicas();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            started: date(self.started),
            ready: !standing.generation.is_none(),
            history: standing.generation.history,
            generation: standing.generation.number,
            digest: standing.digest,
            like: standing.like,
            gateways: standing.gateways,
            refused: standing.refused,
            faults: standing.faults.iter().map(ToString::to_string).collect(),
            generations: standing.rows,
            replicas: replicas.iter().map(|it| shown(it, standing.generation)).collect(),
        }
    }
}

fn shown((name, replica): &(Name, Replica), newest: Generation) -> Shown {
    let expires = replica.credential_until;
    Shown {
        gateway: name.0.to_string(),
        replica: name.1.to_string(),
        version: replica.version.to_string(),
        connected: replica.is_connected,
        since: date(replica.since),
        heard: date(replica.heard),
        ready: replica.is_ready,
        observed: replica.observed.number,
        prepared: replica.prepared.number,
        serving: replica.serving.number,
        newest: replica.serving == newest,
        refused: replica.refused,
        credential_expires: (expires != Timestamp::default()).then(|| date(expires)),
        faults: replica.faults.iter().map(ToString::to_string).collect(),
        cluster: replica.cluster.map(|cluster| Cluster {
            generation: cluster.in_force.number,
            replicas: cluster.replicas,
            serving: cluster.serving,
            staged: cluster.is_staged,
        }),
    }
}

fn ready(standing: &Standing) -> Response<Vec<u8>> {
    let (status, mut text) = if standing.generation.is_none() {
        (StatusCode::SERVICE_UNAVAILABLE, "nothing is published yet\n".to_owned())
    } else {
        (StatusCode::OK, format!("ready, generation {}\n", standing.generation))
    };
    if let Some(like) = standing.like {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "somebody went back: it has the content of {like}");
    }
    for fault in &standing.faults {
        let _ = writeln!(text, "the folder is refused: {fault}");
    }
    plain(status, &text)
}

fn json(report: &impl Serialize) -> Response<Vec<u8>> {
    let mut response = Response::new(serde_json::to_vec_pretty(report).unwrap_or_default());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
