//! What is counted of requests, and of the tries to reach their backends.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource};

use crate::backend::Scheme;
use crate::correlation::{Correlation, SpanId};
use crate::exchange::CacheOutcome;
use crate::exchange::secrets::HIDDEN;
use crate::policy::Failure;
use crate::proxy::forward::call::Stopped;
use crate::proxy::guard::Witness;
use crate::proxy::state::State;
use crate::proxy::{Context, Gateway, Run};
use crate::telemetry::conventions;
use crate::telemetry::record::Record;
use crate::telemetry::traffic::histogram::Trace;
use crate::telemetry::traffic::{Active, Served, Tried};
use crate::time::{Clock, Timestamp};

/// How often a request was forwarded, and what time that took.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// How often it was forwarded.
    forwards: u32,
    /// When a backend was tried last.
    pub(super) sent: Timestamp,
    /// For how long backends were waited for, but for a response that nobody looks at.
    pub(super) waited: Duration,
}

impl Tries {
    /// Not yet.
    pub(super) const NONE: Self =
        Self { forwards: 0, sent: Timestamp::from_micros(0), waited: Duration::ZERO };
}

impl Run {
    /// Whether the request was forwarded once, and not more.
    pub(super) const fn is_first_try(&self) -> bool {
        self.tries.forwards == 1
    }

    /// The request is forwarded now; what came of it before is let go.
    pub(super) fn forwards_at(&mut self, now: Timestamp) {
        self.tries.forwards = self.tries.forwards.saturating_add(1);
        self.tries.sent = now;
        if let Some(earlier) = self.call.take() {
            earlier.release();
        }
    }
}

/// Counts the request of `session` as one that goes on, for as long as what is returned lives.
pub fn begin(gateway: &Gateway, session: &Session) -> Active {
    gateway.state.traffic.begin(&session.req_header().method, is_tls(session))
}

/// Counts an exchange that has ended, as its `record` says.
pub fn ended(gateway: &Gateway, context: &Context, record: &Record<'_>, error: Option<&Error>) {
    let (run, exchange) = (context.run.as_deref(), record.exchange);
    let status = StatusCode::from_u16(record.status).ok();
    let total = record.duration();
    let (backend_time, own_time) =
        run.map_or((Duration::ZERO, total), |run| times(run, record.started));
    let api = exchange.and_then(|exchange| exchange.api.as_deref());
    let operation = exchange.and_then(|exchange| exchange.operation.as_deref());
    let backend = exchange.and_then(|exchange| exchange.backend.as_deref());
    let template = operation.map_or("", |operation| &*operation.url_template);
    let last_error = exchange.and_then(|exchange| exchange.last_error.as_ref());
    let scheme = exchange.map_or(record.request.scheme, |exchange| exchange.original.scheme);
    gateway.state.traffic.ended(&Served {
        method: record.request.method,
        is_secure: scheme == Scheme::Https,
        version: conventions::version(record.request.version),
        route: api.map(|api| (&*api.path, template)),
        api: api.map_or("", |api| &*api.id),
        operation: operation.map_or("", |operation| &*operation.id),
        backend: backend.map_or("", |backend| &*backend.id),
        host: exchange
            .and_then(|exchange| context.snapshot.routes.named_host(&exchange.original.host)),
        status,
        backend_status: record.backend.map(|(_at, status)| status),
        error: what_failed(error, status, record.reason),
        refusal: record.reason,
        last_error: last_error.map(|error| error.reason),
        cache: exchange.and_then(|exchange| match exchange.cache {
            CacheOutcome::None => None,
            CacheOutcome::Hit => Some(true),
            CacheOutcome::Miss => Some(false),
        }),
        forwards: run.map_or(0, |run| run.tries.forwards),
        total,
        backend_time,
        own_time: own_time.min(total.saturating_sub(backend_time)),
        request_bytes: record.request_bytes,
        response_bytes: record.response_bytes,
        at: record.ended,
        trace: record.correlation.and_then(|correlation| traced(&correlation, correlation.span)),
    });
}

/// Where a span is found, if it is recorded: what is recorded only because it failed is not known here.
fn traced(correlation: &Correlation, span: SpanId) -> Option<Trace> {
    let (trace_id, span_id) = (correlation.trace.number(), span.number());
    correlation.is_sampled.then_some(Trace { trace_id, span_id })
}

/// What backends took until the response was ready, and what the gateway took itself.
fn times(run: &Run, started: Timestamp) -> (Duration, Duration) {
    let decided = run.exchange.now;
    // Nobody looked at the response that came last, so that its head is what was ready last.
    let head = run.backend_head.map_or(decided, |(at, _status)| at).max(decided);
    let waited = run.tries.waited.saturating_add(head.since(decided));
    (waited, head.since(started).saturating_sub(waited))
}

/// What failed, in one of few words.
fn what_failed(
    error: Option<&Error>,
    status: Option<StatusCode>,
    reason: Option<&'static str>,
) -> Option<&'static str> {
    if status.is_some_and(|status| status.is_server_error()) {
        return reason;
    }
    let source = error?.esource();
    Some(if source == &ErrorSource::Upstream { "backend" } else { "client" })
}

/// Counts a try to reach a backend that came to `attempted`.
pub fn tried<C>(gateway: &Gateway, run: &Run, attempted: Result<&C, &Stopped>) {
    match attempted {
        Ok(_call) => answered(gateway, run),
        Err(Stopped::Failed(failure)) => failed(gateway, run, failure),
        Err(Stopped::Gone(_)) => try_ended(gateway, run, None, Some("client")),
    }
}

/// Counts a try that came to [`Run::backend_head`].
pub fn answered(gateway: &Gateway, run: &Run) {
    try_ended(gateway, run, run.backend_head, None);
}

/// Counts a try that failed.
pub fn failed(gateway: &Gateway, run: &Run, failure: &Failure) {
    let what = match failure.reason {
        Failure::LATE => "timeout",
        Failure::UNREACHED => "unreached",
        other => other,
    };
    try_ended(gateway, run, None, Some(what));
}

/// Counts a try that the client did not wait for, or could not go on with, if it is none that was
/// answered.
pub fn broken_off(gateway: &Gateway, context: &mut Context, error: &Error) {
    let Some(run) = &mut context.run else { return };
    let is_under_way = run.forward.is_some() && run.backend_head.is_none();
    if is_under_way && error.esource() == &ErrorSource::Downstream {
        run.exchange.trail.arrive(Err("client_gone"), gateway.clock.now());
        try_ended(gateway, run, None, Some("client"));
    }
}

fn try_ended(
    gateway: &Gateway,
    run: &Run,
    head: Option<(Timestamp, StatusCode)>,
    error: Option<&'static str>,
) {
    let request = &run.exchange.request;
    let at = head.map_or_else(|| gateway.clock.now(), |(at, _status)| at);
    gateway.state.traffic.tried(&Tried {
        method: &request.method,
        host: if run.exchange.is_target_secret { HIDDEN } else { &request.base.host },
        port: request.base.port,
        status: head.map(|(_at, status)| status),
        error,
        took: at.since(run.tries.sent),
        at,
        trace: run.exchange.trail.here().and_then(|(correlation, span)| traced(&correlation, span)),
    });
}

/// Counts each request that the guard refuses, and has it told by `witness`.
pub fn witness(state: &Arc<State>, witness: Witness) -> Witness {
    let state = Arc::clone(state);
    Arc::new(move |problem, peer| {
        state.traffic.turned_away(problem.reason);
        witness(problem, peer);
    })
}

pub(super) fn is_tls(session: &Session) -> bool {
    session.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}
