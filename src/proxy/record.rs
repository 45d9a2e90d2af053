//! The end of an exchange: what is left to count is counted, and its line is written.

use std::sync::Arc;

use http::Version;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource};

use crate::exchange::pending::Pending;
use crate::exchange::secrets::HIDDEN;
use crate::exchange::{CacheOutcome, Exchange, format_id};
use crate::problem::{Problem, SWITCHED_OFF};
use crate::proxy::guard::Witness;
use crate::proxy::state::{InFlight, State};
use crate::proxy::{Context, Gateway, holds};
use crate::telemetry::access_log::{AccessLog, Line};
use crate::telemetry::policy_trace;
use crate::time::{Clock, SystemClock, Timestamp, date};

/// What happened on the way, for the record.
#[derive(Debug)]
pub struct Journey {
    /// The request's id.
    pub id: u128,
    /// When the head of the request was here.
    pub started: Timestamp,
    reason: Option<&'static str>,
    transport: Option<String>,
    /// Counts the request until its context is gone: after a panic nothing else happens.
    _in_flight: InFlight,
}

impl Journey {
    /// A request arrived.
    pub fn begin(now: Timestamp, state: &State) -> Self {
        let (id, in_flight) = (state.next_id(), state.begin());
        Self { id, started: now, reason: None, transport: None, _in_flight: in_flight }
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

/// Settles what was held, writes the line.
pub fn finish(
    gateway: &Gateway,
    session: &mut Session,
    error: Option<&Error>,
    context: &mut Context,
) {
    let now = gateway.clock.now();
    let sizes = sizes(session);
    if let Some(run) = &mut context.run {
        holds::end(gateway, run, sizes.0.saturating_add(sizes.1), error.is_none());
        for refusal in &run.exchange.pending.refusals {
            gateway.state.refusals.note(refusal, now);
        }
        let samples = std::mem::take(&mut run.exchange.samples);
        if !samples.is_empty() {
            gateway.state.samples.add(samples);
        }
        policy_trace::tell(&gateway.log, &run.exchange);
    }
    let pending = context.run.as_ref().map(|run| &run.exchange.pending);
    let spared = pending.is_some_and(Pending::has_spared);
    let status = session.response_written().map_or(0, |head| head.status.as_u16());
    let by_backend = error.is_some_and(|error| error.esource() == &ErrorSource::Upstream);
    let refused = context.journey.reason.is_some();
    let is_ours = refused || by_backend || error.is_some();
    let is_ordered = context.journey.reason.is_some_and(|reason| SWITCHED_OFF.contains(&reason));
    let tally = &context.snapshot.tally;
    tally.ended(is_ours && 500 <= status && !is_ordered);
    if !is_ordered && (500 <= status || by_backend) {
        tally.erred();
    }
    if gateway.log.wants(refused || spared || by_backend || 500 <= status) {
        write(gateway, session, context, (status, by_backend, sizes, now));
    }
}

/// Writes a line for each request that the guard refuses: no filter sees those.
pub fn witness(log: Arc<AccessLog>, clock: Arc<SystemClock>) -> Witness {
    Arc::new(move |problem, peer| {
        if !log.wants(true) {
            return;
        }
        log.write(&Line {
            time_generated: date(clock.now()),
            category: "GatewayLogs",
            caller_ip_address: peer.map(|address| address.to_string()),
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

fn write(
    gateway: &Gateway,
    session: &Session,
    context: &Context,
    (status, by_backend, (request_size, response_size), now): (u16, bool, (u64, u64), Timestamp),
) {
    let journey = &context.journey;
    let backend = context.run.as_ref().and_then(|run| run.backend_head);
    let head = session.req_header();
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let peer = || {
        session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip)
    };
    let mut line = Line {
        time_generated: date(journey.started),
        category: "GatewayLogs",
        correlation_id: format_id(journey.id),
        is_request_success: (1..400).contains(&status) && !by_backend,
        total_time: millis(now.since(journey.started)),
        backend_time: backend.map(|(at, _status)| millis(at.since(journey.started))),
        caller_ip_address: peer().map(|address| address.to_string()),
        method: head.method.as_str(),
        url: url(head),
        client_protocol: protocol(head.version),
        response_code: status,
        backend_response_code: backend.map(|(_at, status)| status.as_u16()),
        request_size,
        response_size,
        cache: "none",
        reason: journey.reason,
        transport_error: journey.transport.as_deref(),
        generation: context.snapshot.generation,
        ..Line::default()
    };
    if let Some(run) = &context.run {
        describe(&mut line, &run.exchange);
        line.transport_error = line.transport_error.or(run.transport.as_deref());
    }
    gateway.log.write(&line);
}

fn describe<'a>(line: &mut Line<'a>, exchange: &'a Exchange) {
    line.region = &exchange.deployment.region;
    line.caller_ip_address = exchange.client.map(|address| address.to_string());
    line.cache = match exchange.cache {
        CacheOutcome::None => "none",
        CacheOutcome::Hit => "hit",
        CacheOutcome::Miss => "miss",
    };
    line.api_id = exchange.api.as_ref().map(|api| api.id.as_ref());
    line.api_revision = exchange.api.as_ref().map(|api| api.revision.as_ref());
    line.operation_id = exchange.operation.as_ref().map(|operation| operation.id.as_ref());
    line.product_id = exchange.product.as_ref().map(|product| product.id.as_ref());
    line.apim_subscription_id = exchange.subscription.as_ref().map(|known| known.id.as_ref());
    line.shadow_refusals = exchange.pending.spared();
    line.user_id = exchange.user.as_ref().map(|user| user.id.as_ref());
    if exchange.is_forwarded {
        line.backend_url = Some(if exchange.is_target_secret {
            HIDDEN.to_owned()
        } else {
            exchange.covered(format!("{}{}", exchange.request.base, exchange.request.tail))
        });
    }
    if let Some(error) = &exchange.last_error {
        line.last_error_source = Some(error.source);
        line.last_error_reason = Some(error.reason);
        line.last_error_message = Some(&error.message);
        line.last_error_section = Some(error.section);
        line.last_error_place = error.place.as_ref().map(ToString::to_string);
    }
}

fn url(head: &RequestHeader) -> String {
    let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.host()).unwrap_or_default();
    format!("{host}{}", head.uri.path())
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}
