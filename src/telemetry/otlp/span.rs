//! Spans of exchanges: that of the exchange itself, and one for each request that was sent for it.
//!
//! The numbers of spans are known from the beginning, because backends are told; everything else is
//! written at the end, once it is known whether the exchange is recorded at all. Names of attributes
//! are those of the stable HTTP conventions, and `weir.*` for what only gateways have.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::correlation::sampling::Quota;
use crate::correlation::{Correlation, SpanId, Terms};
use crate::exchange::secrets::HIDDEN;
use crate::exchange::trail::{Kind, Outing};
use crate::exchange::{Exchange, LastError};
use crate::limit::names::Refusal;
use crate::telemetry::conventions::{self, method, version};
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::wire::{Message, Value};
use crate::telemetry::record::{Record, cache};
use crate::telemetry::text::without_tokens;
use crate::time::Timestamp;

/// Makes spans of exchanges.
#[derive(Debug)]
pub struct Spans {
    /// How traces are begun and gone on with.
    pub terms: Terms,
    /// How many exchanges are recorded that went wrong, though nobody had decided so.
    failures: Quota,
    /// The same for those that were merely refused: who provokes refusals hides no failures.
    refusals: Quota,
    outbox: Arc<Outbox>,
}

/// The attributes of a message that is being written.
struct Attributes<'m> {
    message: &'m mut Message,
    /// Their field in it.
    field: u32,
}

/// The field of a group of spans that holds them.
const SPANS: u32 = 2;
const SPAN_NAME: u32 = 5;
const SPAN_ATTRIBUTE: u32 = 9;
const SPAN_EVENT: u32 = 11;
const SPAN_STATUS: u32 = 15;
const EVENT_ATTRIBUTE: u32 = 3;
const STATUS_ERROR: u64 = 2;
const KIND_SERVER: u64 = 2;
const KIND_CLIENT: u64 = 3;
/// The flag of a span whose trace is recorded.
const SAMPLED: u32 = 1;
/// That it is known whether the parent is elsewhere, and that it is.
const REMOTE_PARENT: u32 = 0x300;
const LOCAL_PARENT: u32 = 0x100;
/// How much room is made for a span: most need no more.
const SPAN_BYTES: usize = 1024;
/// The most characters that are told of a `User-Agent`.
const AGENT_MAX: usize = 256;
impl Spans {
    /// Spans of traces that go on by `terms`; of failures and of refusals, `per_second` each are
    /// recorded in any case.
    pub const fn new(terms: Terms, per_second: u32, outbox: Arc<Outbox>) -> Self {
        let (failures, refusals) = (Quota::new(per_second), Quota::new(per_second));
        Self { terms, failures, refusals, outbox }
    }

    /// Where the request with these fields stands in its trace.
    pub fn begin(
        &self,
        headers: &HeaderMap,
        is_trusted: bool,
        numbers: (u128, u64),
    ) -> Correlation {
        Correlation::read(headers, &self.terms, is_trusted, numbers)
    }

    /// An exchange is over: its spans are kept if it is recorded.
    pub fn ended(&self, record: &Record<'_>) {
        let Some(correlation) = record.correlation else { return };
        let is_failure = record.is_to_blame();
        let quota = if is_failure { &self.failures } else { &self.refusals };
        let is_wanted = || record.has_failed() && quota.takes(record.ended);
        if !correlation.is_sampled && !is_wanted() {
            return;
        }
        self.outbox.put(&server(record, &correlation));
        let mut tries = 0_i64;
        for outing in record.outings {
            let resent = if outing.kind == Kind::Backend { tries } else { 0 };
            tries = tries.saturating_add(i64::from(outing.kind == Kind::Backend));
            self.outbox.put(&client(outing, &correlation, (resent, record.ended)));
        }
    }

    /// A call is over that the exchange did not wait for.
    pub fn told(&self, correlation: &Correlation, outing: &Outing, now: Timestamp) {
        if correlation.is_sampled {
            self.outbox.put(&client(outing, correlation, (0, now)));
        }
    }
}

/// The span of an exchange.
fn server(record: &Record<'_>, correlation: &Correlation) -> Vec<u8> {
    let mut spans = Message::with_room(SPAN_BYTES);
    spans.nested(SPANS, |span| {
        let parent = correlation.parent.map(|parent| (parent, REMOTE_PARENT));
        let times = (record.started, record.ended);
        identity(span, correlation, (correlation.span, parent), (KIND_SERVER, times));
        let route = record.exchange.and_then(route);
        match &route {
            Some(route) => {
                span.text(SPAN_NAME, &format!("{} {route}", method(record.request.method)));
            }
            None => span.text(SPAN_NAME, method(record.request.method)),
        }
        let mut told = Attributes { message: span, field: SPAN_ATTRIBUTE };
        request(record, &mut told);
        if let Some(route) = &route {
            told.text("http.route", route);
        }
        response(record, &mut told);
        if let Some(exchange) = record.exchange {
            facts(exchange, &mut told);
        }
        events(span, record);
        if record.is_to_blame() {
            span.nested(SPAN_STATUS, |status| {
                let transport = record.transport_told();
                let why = transport.as_deref().or(record.reason).unwrap_or_default();
                status.text(2, &covered(record, why));
                status.number(3, STATUS_ERROR);
            });
        }
    });
    spans.into_bytes()
}

/// Which span it is, and when it was.
fn identity(
    span: &mut Message,
    correlation: &Correlation,
    (own, parent): (SpanId, Option<(SpanId, u32)>),
    (kind, (started, ended)): (u64, (Timestamp, Timestamp)),
) {
    span.raw(1, &correlation.trace.bytes());
    span.raw(2, &own.bytes());
    let sampled = if correlation.is_sampled { SAMPLED } else { 0 };
    if let Some((parent, place)) = parent {
        span.raw(4, &parent.bytes());
        span.fixed_32(16, place | sampled);
    } else {
        span.fixed_32(16, LOCAL_PARENT | sampled);
    }
    span.number(6, kind);
    span.fixed_64(7, nanos(started));
    span.fixed_64(8, nanos(ended));
}

/// What the client asked for.
fn request(record: &Record<'_>, told: &mut Attributes<'_>) {
    let head = &record.request;
    told.text("http.request.method", method(head.method));
    if method(head.method) != head.method.as_str() {
        told.text("http.request.method_original", head.method.as_str());
    }
    told.text(
        "url.scheme",
        record.exchange.map_or(head.scheme, |known| known.original.scheme).as_str(),
    );
    told.text("url.path", &covered(record, head.path));
    match record.exchange {
        Some(exchange) if !exchange.original.host.is_empty() => {
            told.text("server.address", &exchange.original.host);
            told.number("server.port", i64::from(exchange.original.port));
        }
        Some(_) => (),
        None => told.text("server.address", head.host),
    }
    told.text("network.protocol.version", version(head.version));
    if let Some(peer) = record.peer {
        told.text("network.peer.address", &peer.to_string());
    }
    let client = record.exchange.map_or(record.peer, |exchange| exchange.client);
    if let Some(client) = client {
        told.text("client.address", &client.to_string());
    }
    if let Some(agent) = head.agent {
        let end = agent.char_indices().nth(AGENT_MAX).map_or(agent.len(), |(end, _)| end);
        let agent = agent.get(..end).unwrap_or_default();
        told.text("user_agent.original", &covered(record, agent));
    }
    told.count("http.request.body.size", record.request_bytes);
}

/// What became of it.
fn response(record: &Record<'_>, told: &mut Attributes<'_>) {
    if record.status != 0 {
        told.number("http.response.status_code", i64::from(record.status));
    }
    if let Some(code) = record.grpc {
        told.text("rpc.system", "grpc");
        told.number("rpc.grpc.status_code", i64::from(code.0));
    }
    told.count("http.response.body.size", record.response_bytes);
    if let Some(error) = record.error_type() {
        told.text("error.type", &error);
    }
    if let Some(reason) = record.reason {
        told.text("weir.reason", reason);
    }
    let tries = record.outings.iter().filter(|outing| outing.kind == Kind::Backend).count();
    if 1 < tries {
        told.count("weir.tries", u64::try_from(tries).unwrap_or(u64::MAX));
    }
    told.count("weir.generation", record.generation);
    told.text("weir.request.id", &crate::exchange::format_id(record.id));
}

/// What the configuration says of it.
fn facts(exchange: &Exchange, told: &mut Attributes<'_>) {
    let named = [
        ("weir.api.id", exchange.api.as_ref().map(|api| &api.id)),
        ("weir.api.revision", exchange.api.as_ref().map(|api| &api.revision)),
        ("weir.operation.id", exchange.operation.as_ref().map(|operation| &operation.id)),
        ("weir.product.id", exchange.product.as_ref().map(|product| &product.id)),
        ("weir.subscription.id", exchange.subscription.as_ref().map(|known| &known.id)),
        ("weir.user.id", exchange.user.as_ref().map(|user| &user.id)),
        ("weir.backend.id", exchange.backend.as_ref().map(|backend| &backend.id)),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            told.text(name, value);
        }
    }
    if exchange.cache != crate::exchange::CacheOutcome::None {
        told.text("weir.cache", cache(exchange.cache));
    }
}

/// What policies decided.
fn events(span: &mut Message, record: &Record<'_>) {
    let Some(exchange) = record.exchange else { return };
    for refusal in &exchange.pending.refusals {
        let refused = |event: &mut Message| limit(event, exchange, refusal);
        event(span, ("limit.refused", exchange.now), refused);
    }
    let tries = record.outings.iter().filter(|outing| outing.kind == Kind::Backend);
    for (number, outing) in tries.enumerate().skip(1) {
        event(span, ("retry", outing.started), |event| {
            let mut told = Attributes { message: event, field: EVENT_ATTRIBUTE };
            told.count("weir.try", u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1));
        });
    }
    for tripped in &exchange.trail.tripped {
        event(span, ("circuit", tripped.at), |event| {
            let mut told = Attributes { message: event, field: EVENT_ATTRIBUTE };
            told.text("weir.backend.id", &tripped.backend);
            told.text("weir.circuit.state", "open");
            told.text("weir.circuit.reason", &tripped.why);
        });
    }
    if let Some(error) = &exchange.last_error {
        event(span, ("policy.failed", exchange.now), |event| failure(event, exchange, error));
    }
}

fn event(span: &mut Message, (name, at): (&str, Timestamp), write: impl FnOnce(&mut Message)) {
    span.nested(SPAN_EVENT, |event| {
        event.fixed_64(1, nanos(at));
        event.text(2, name);
        write(event);
    });
}

/// A limit that did not admit.
fn limit(event: &mut Message, exchange: &Exchange, refusal: &Refusal) {
    let mut told = Attributes { message: event, field: EVENT_ATTRIBUTE };
    told.text("weir.policy", refusal.site.policy);
    told.text("weir.place", &refusal.site.place.to_string());
    told.text("weir.limit.outcome", refusal.outcome.word());
    told.text("weir.limit.key", &exchange.covered(refusal.who.to_string()));
    if let Some(standing) = &refusal.standing {
        told.count("weir.limit.limit", standing.limit);
        told.count("weir.limit.remaining", standing.remaining);
        told.text("weir.limit.mode", standing.mode.word());
    }
}

/// A policy that failed, or refused.
fn failure(event: &mut Message, exchange: &Exchange, error: &LastError) {
    let mut told = Attributes { message: event, field: EVENT_ATTRIBUTE };
    told.text("weir.policy", error.source);
    told.text("weir.error.reason", error.reason);
    told.text("weir.error.message", &without_tokens(&exchange.cover(&error.message)));
    told.text("weir.section", error.section);
    told.text("weir.scope", error.scope);
    if let Some(place) = &error.place {
        told.text("weir.place", &place.to_string());
    }
}

/// The span of a request to somebody else.
fn client(outing: &Outing, correlation: &Correlation, (resent, now): (i64, Timestamp)) -> Vec<u8> {
    let mut spans = Message::with_room(SPAN_BYTES / 2);
    let (ended, outcome) = outing.ended.unwrap_or((now, Err("given_up")));
    spans.nested(SPANS, |span| {
        let parent = Some((correlation.span, LOCAL_PARENT));
        let times = (outing.started, ended);
        identity(span, correlation, (outing.span, parent), (KIND_CLIENT, times));
        span.text(SPAN_NAME, method(&outing.method));
        let mut told = Attributes { message: span, field: SPAN_ATTRIBUTE };
        told.text("http.request.method", method(&outing.method));
        let host = if outing.is_secret { HIDDEN } else { &outing.base.host };
        told.text("server.address", host);
        told.number("server.port", i64::from(outing.base.port));
        told.text("url.scheme", outing.base.scheme.as_str());
        told.text("weir.call", outing.kind.word());
        if 0 < resent {
            told.number("http.request.resend_count", resent);
        }
        let error = match outcome {
            Ok(status) => {
                told.number("http.response.status_code", i64::from(status.as_u16()));
                is_wrong(status).then(|| status.as_str().to_owned())
            }
            Err(reason) => Some(reason.to_owned()),
        };
        if let Some(error) = error {
            told.text("error.type", &error);
            span.nested(SPAN_STATUS, |status| status.number(3, STATUS_ERROR));
        }
    });
    spans.into_bytes()
}

/// Whether a response is an error to whoever asked (as the conventions have it for clients).
fn is_wrong(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The template of the URL that was called: the API's path and the operation's.
fn route(exchange: &Exchange) -> Option<String> {
    let (api, operation) = (exchange.api.as_ref()?, exchange.operation.as_ref()?);
    Some(conventions::route(&api.path, &operation.url_template))
}

/// `text` without what must not be told.
fn covered(record: &Record<'_>, text: &str) -> String {
    let covered = match record.exchange {
        Some(exchange) => exchange.covered(text.to_owned()),
        None => text.to_owned(),
    };
    without_tokens(&covered).into_owned()
}

impl Attributes<'_> {
    fn text(&mut self, name: &str, text: &str) {
        self.message.attribute(self.field, name, Value::Text(text));
    }

    fn number(&mut self, name: &str, number: i64) {
        self.message.attribute(self.field, name, Value::Number(number));
    }

    fn count(&mut self, name: &str, count: u64) {
        self.number(name, i64::try_from(count).unwrap_or(i64::MAX));
    }
}

const fn nanos(at: Timestamp) -> u64 {
    at.micros().saturating_mul(1_000)
}
