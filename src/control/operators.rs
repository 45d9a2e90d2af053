//! What operators of a control plane are told, and may ask for: on a port of its own.

pub mod switched;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::http::RequestHeader;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::authority::Credentials;
use super::fleet::Fleet;
use super::publisher::{Ask, Handle, Standing};
use super::shape::Seen;
use super::switches::Switches;
use super::tally::Tally;
use super::{metrics, page};
use crate::admin::cluster::Together;
use crate::configuration::cluster::Cluster;
use crate::issuer;
use crate::proxy::operators::{self, Asked, Console, plain, who, wrong_method};
use crate::telemetry;
use crate::time::{Clock, SystemClock, Timestamp, date};

/// The most connections of operators at a time.
pub const CONNECTIONS_MAX: usize = 256;

const THERE_ARE: &str = "there are / (a page), /livez, /readyz, /status, /metrics, /reload, \
                         /publish, /rollback, /disable and /enable\n";

/// What operators are told.
#[derive(Debug)]
pub struct Operators {
    /// How publishing is doing.
    pub publisher: Handle,
    /// How the replicas are doing.
    pub fleet: Arc<Fleet>,
    /// Who may ask.
    pub credentials: Arc<Credentials>,
    /// What was counted.
    pub tally: Arc<Tally>,
    /// The control planes that publish together, if there are several.
    pub cluster: Option<Arc<Cluster>>,
    /// What is switched off.
    pub switches: Arc<Switches>,
    /// When the process started.
    pub started: Timestamp,
    /// What time it is.
    pub clock: Arc<SystemClock>,
}

/// The answer to who has the folder published.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// The number of the new generation.
    pub generation: u64,
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

#[async_trait]
impl Console for Operators {
    async fn answer(&self, asked: &Asked<'_>) -> Response<Vec<u8>> {
        let Asked { head, peer, .. } = *asked;
        let is_changing = head.method == Method::POST;
        if is_changing && !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
            // Whoever may look, from a probe or a dashboard, may not publish.
            return plain(StatusCode::FORBIDDEN, "changes are only taken from this machine\n");
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/") => self.page(),
            (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/status") => json(&self.report()),
            (&Method::GET | &Method::HEAD, "/metrics") => self.metrics(),
            (&Method::POST, "/reload") => {
                self.publisher.look();
                plain(StatusCode::ACCEPTED, "the folder is looked at now; see /status\n")
            }
            (&Method::POST, "/publish") => self.publish(head, peer).await,
            (&Method::POST, "/rollback") => self.go_back(head, peer).await,
            (&Method::POST, "/disable") => self.switch(head, peer, true).await,
            (&Method::POST, "/enable") => self.switch(head, peer, false).await,
            (_, "/" | "/livez" | "/readyz" | "/status" | "/metrics") => wrong_method("GET, HEAD"),
            (_, "/reload" | "/publish" | "/rollback" | "/disable" | "/enable") => {
                wrong_method("POST")
            }
            _ => plain(StatusCode::NOT_FOUND, THERE_ARE),
        }
    }
}

impl Operators {
    async fn publish(&self, head: &RequestHeader, peer: Option<SocketAddr>) -> Response<Vec<u8>> {
        let ask = match asked(head.uri.query().unwrap_or_default()) {
            Ok(ask) => ask,
            Err(wrong) => return plain(StatusCode::BAD_REQUEST, &format!("{wrong}\n")),
        };
        match self.publisher.publish(ask, who(head, peer)).await {
            Ok(generation) => json(&Publication { generation }),
            Err(reason) => plain(StatusCode::CONFLICT, &format!("{reason}\n")),
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

    fn report(&self) -> Value {
        let (standing, replicas) = (self.publisher.standing(), self.fleet.replicas());
        let seen = Seen::now(&standing, &replicas, self.started, self.clock.now());
        let list = self.switches.list();
        let switched_off = list.entries().iter().map(switched::Off::of).collect();
        let seen = Seen { switched_off, ..seen };
        let mut told = serde_json::to_value(seen).unwrap_or_default();
        if let (Some(cluster), Value::Object(told)) = (&self.cluster, &mut told) {
            let cluster = Together::of(&cluster.replica, &cluster.standing.borrow());
            told.insert("cluster".to_owned(), serde_json::to_value(cluster).unwrap_or_default());
        }
        let issuers = self.credentials.issuers();
        if let (false, Value::Object(told)) = (issuers.is_empty(), &mut told) {
            told.insert("issuers".to_owned(), issuers.into_iter().map(vouching).collect());
        }
        told
    }

    /// The same as a page. It is written from what is told, as anybody could.
    fn page(&self) -> Response<Vec<u8>> {
        match Seen::of(self.report()) {
            Some(seen) => page::answer(&seen, &date(self.clock.now())),
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, "see /status\n"),
        }
    }

    fn metrics(&self) -> Response<Vec<u8>> {
        let (standing, replicas) = (self.publisher.standing(), self.fleet.replicas());
        let (counts, now) = (self.tally.now(), self.clock.now());
        let cluster = self.cluster.as_deref();
        let issuers = self.credentials.issuers();
        let seen = (&standing, &*replicas, &*issuers);
        let page = metrics::page(seen, &counts, cluster, now);
        let mut response = Response::new(page.into_bytes());
        let kind = HeaderValue::from_static(telemetry::metrics::CONTENT_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    fn ready(&self) -> Response<Vec<u8>> {
        let (status, mut text) = ready(&self.publisher.standing());
        for issuer in self.credentials.issuers() {
            if let Some(trouble) = issuer.trouble {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "no keys of the issuer {}: {trouble}", issuer.name);
            }
        }
        if let Some(cluster) = &self.cluster {
            let seen = cluster.standing.borrow();
            // Writing to a string cannot fail.
            if let Some(trouble) = &seen.trouble {
                let _ = writeln!(text, "no etcd: {trouble}");
            }
            let others = seen.members.iter().filter(|member| member.replica != cluster.replica);
            for member in others {
                for fault in &member.faults {
                    let _ = writeln!(text, "the folder of {} is refused: {fault}", member.replica);
                }
            }
        }
        plain(status, &text)
    }
}

/// How it goes with an issuer of tokens.
fn vouching(issuer: issuer::Standing) -> Value {
    let issuer::Standing { name, keys, fetched, trouble, .. } = issuer;
    json!({"issuer": name, "keys": keys, "fetched": fetched.map(date), "fault": trouble})
}

fn ready(standing: &Standing) -> (StatusCode, String) {
    let (status, mut text) = if standing.generation.is_none() {
        (StatusCode::SERVICE_UNAVAILABLE, "nothing is published yet\n".to_owned())
    } else {
        (StatusCode::OK, format!("ready, generation {}\n", standing.generation))
    };
    if let Some(like) = standing.like {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "somebody went back: it has the content of {like}");
    }
    if let Some(withheld) = &standing.withheld {
        let why = &withheld.why;
        let _ = writeln!(text, "the folder is not published: {why}");
    }
    for fault in &standing.faults {
        let _ = writeln!(text, "the folder is refused: {fault}");
    }
    (status, text)
}

/// How the folder is to be published, as a query says it; or what is wrong with that.
fn asked(query: &str) -> Result<Ask, String> {
    let said = operators::parts(query).ok_or("write ?name=value&…")?;
    let mut ask = Ask::default();
    for (name, value) in said {
        match (name.as_str(), value.as_str()) {
            ("now", "true") => ask.now = true,
            ("force", "true") => ask.force = true,
            ("reason", reason) => reason.trim().clone_into(&mut ask.reason),
            ("digest", digits) => ask.digest = Some(digits.to_owned()),
            _ => return Err("there are now=true, force=true, reason and digest".to_owned()),
        }
    }
    operators::one_line(&ask.reason).map_err(|(wrong, remedy)| format!("{wrong}: {remedy}"))?;
    if ask.force && ask.reason.is_empty() {
        return Err("say why it is meant, with `reason`".to_owned());
    }
    Ok(ask)
}

fn json(report: &impl Serialize) -> Response<Vec<u8>> {
    let mut response = Response::new(serde_json::to_vec_pretty(report).unwrap_or_default());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
