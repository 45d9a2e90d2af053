//! The end of an exchange: what is left to count is counted, and its line is written.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use pingora::proxy::Session;
use pingora::{Error, ErrorSource};

use crate::backend::Scheme;
use crate::correlation::Correlation;
use crate::exchange::Exchange;
use crate::grpc::Code;
use crate::problem::{Problem, SWITCHED_OFF};
use crate::proxy::guard::Witness;
use crate::proxy::state::{InFlight, State};
use crate::proxy::{Context, Gateway, counted, holds, watch};
use crate::short::Short;
use crate::telemetry::access_log::{AccessLog, Line};
use crate::telemetry::policy_trace;
use crate::telemetry::record::{Head, Record};
use crate::telemetry::traffic::Active;
use crate::time::{Clock, SystemClock, Timestamp, stamp};

/// What happened on the way, for the record.
#[derive(Debug)]
pub struct Journey {
    /// The request's id.
    pub id: u128,
    /// When the head of the request was here.
    pub started: Timestamp,
    /// Where it stands in its trace, once its head is read.
    pub correlation: Option<Correlation>,
    reason: Option<&'static str>,
    /// How a connection broke.
    pub(super) transport: Option<String>,
    /// What became of a call of gRPC.
    pub(super) grpc: Option<Code>,
    /// Counts the request by its method.
    pub(super) active: Option<Active>,
    /// Counts the request until its context is gone: after a panic nothing else happens.
    _in_flight: InFlight,
}

impl Journey {
    /// A request arrived.
    pub fn begin(now: Timestamp, state: &State) -> Self {
        let (id, in_flight) = (state.next_id(), state.begin());
        Self {
            id,
            started: now,
            correlation: None,
            reason: None,
            transport: None,
            grpc: None,
            active: None,
            _in_flight: in_flight,
        }
    }

    /// The gateway answered without policies.
    pub fn refused(&mut self, problem: &Problem) {
        let failed = problem.status.is_client_error() || problem.status.is_server_error();
        self.reason = if failed { Some(problem.reason) } else { None };
    }

    /// The response of the exchange is final.
    pub const fn answered(&mut self, exchange: &Exchange) {
        self.reason = exchange.refusal;
    }

    /// A connection broke.
    pub fn broken(&mut self, error: &Error) {
        self.transport = Some(error.to_string());
    }
}

/// Settles what was held, and makes the record.
pub fn finish(
    gateway: &Gateway,
    session: &mut Session,
    error: Option<&Error>,
    context: &mut Context,
) {
    let now = gateway.clock.now();
    let (request_bytes, response_bytes) = sizes(session);
    let mut outings = Vec::new();
    if let Some(run) = &mut context.run {
        let moved = request_bytes.saturating_add(response_bytes);
        holds::end(gateway, run, moved, error.is_none());
        for refusal in &run.exchange.pending.refusals {
            gateway.state.refusals.note(refusal, now);
        }
        let samples = std::mem::take(&mut run.exchange.samples);
        if !samples.is_empty() {
            gateway.state.samples.add(samples);
        }
        outings = run.exchange.trail.outings();
        policy_trace::tell(&gateway.log, &run.exchange);
    }
    let (journey, run) = (&context.journey, context.run.as_deref());
    let record = Record {
        id: journey.id,
        started: journey.started,
        ended: now,
        correlation: journey.correlation,
        request: head(session),
        peer: session.client_addr().and_then(|peer| peer.as_inet()).map(SocketAddr::ip),
        status: session.response_written().map_or(0, |head| head.status.as_u16()),
        backend: run.and_then(|run| run.backend_head),
        is_cut_by_backend: error.is_some_and(|error| error.esource() == &ErrorSource::Upstream),
        grpc: journey.grpc,
        reason: journey.reason,
        transport: journey.transport.as_deref().or(run.and_then(|run| run.transport.as_deref())),
        request_bytes,
        response_bytes,
        generation: context.snapshot.generation,
        exchange: run.map(|run| &run.exchange),
        outings: &outings,
    };
    tally(context, &record, error.is_some());
    counted::ended(gateway, context, &record, error);
    if let Some(spans) = &gateway.spans {
        spans.ended(&record);
    }
    let has_spared = run.is_some_and(|run| run.exchange.pending.has_spared());
    if watch::wants(gateway, context, record.has_failed() || has_spared, record.status) {
        let mut line = record.line();
        watch::show(&mut line, session, context);
        gateway.log.write(&line);
    }
}

/// Counts what the configuration that is served is judged by.
fn tally(context: &Context, record: &Record<'_>, is_broken: bool) {
    let is_ours = record.reason.is_some() || is_broken;
    let is_ordered = record.reason.is_some_and(|reason| SWITCHED_OFF.contains(&reason));
    let tally = &context.snapshot.tally;
    tally.ended(is_ours && 500 <= record.status && !is_ordered);
    if !is_ordered && (500 <= record.status || record.is_cut_by_backend) {
        tally.erred();
    }
}

/// Where the request stands in its trace, if there are traces.
pub fn correlate(gateway: &Gateway, session: &Session, journey: &Journey) -> Option<Correlation> {
    let spans = gateway.spans.as_ref()?;
    let peer = session.client_addr().and_then(|peer| peer.as_inet()).map(SocketAddr::ip);
    let is_trusted = peer.is_some_and(|peer| gateway.trust.contains(peer));
    let numbers = (journey.id, gateway.state.random(journey.id));
    Some(spans.begin(&session.req_header().headers, is_trusted, numbers))
}

/// Writes a line for each request that the guard refuses: no filter sees those.
pub fn witness(log: Arc<AccessLog>, clock: Arc<SystemClock>) -> Witness {
    Arc::new(move |problem, peer| {
        if !log.wants(true) {
            return;
        }
        log.write(&Line {
            time_generated: stamp(clock.now()),
            category: "GatewayLogs",
            caller_ip_address: peer.map(Short::of),
            client_protocol: "HTTP/1.1",
            response_code: problem.status.as_u16(),
            cache: "none",
            reason: Some(problem.reason),
            ..Line::default()
        });
    })
}

/// Bytes of the bodies of request and response.
fn sizes(session: &Session) -> (u64, u64) {
    let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    (size(session.as_ref().body_bytes_read()), size(session.as_ref().body_bytes_sent()))
}

fn head(session: &Session) -> Head<'_> {
    let head = session.req_header();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    Head {
        method: &head.method,
        host: text(HOST).or_else(|| head.uri.host()).unwrap_or_default(),
        path: head.uri.path(),
        version: head.version,
        scheme: if counted::is_tls(session) { Scheme::Https } else { Scheme::Http },
        agent: text(USER_AGENT),
    }
}
