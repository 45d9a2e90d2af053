//! To the backend: where, by whom, how long; and what a failure on the way means.
//!
//! Requests without a body, or with a short one, are sent by the gateway itself ([`call`]), and so
//! are those that switch protocols, and all that go over HTTP/2 ([`http2`]); others need both
//! directions at once: Pingora forwards them.

pub mod head;
pub mod call;
pub mod balance;
pub mod http2;
pub mod passing;
pub mod sidecar;

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use crate::backend::Tls;
use crate::caller::TlsRefused;
use crate::caller::destination::{Sought, Unresolved};
use crate::caller::handed::Lease;
use crate::caller::peer::{peer as peer_at, sentence};
use crate::caller::tunnel::ProxyError;
use crate::exchange::message::{Body, nominated};
use crate::policy::Failure;
use crate::proxy::reply::{self, is_hop_by_hop, may_have_body};
use crate::proxy::{Context, Gateway, Run, strict};
use crate::time::Clock;

/// The longest body, in bytes, that is read before the request goes on. It fits into the buffers
/// of a connection, so that nobody has to listen while it is sent.
const SHORT_BODY_BYTES: u64 = 64 << 10;

/// The longest silence within the body of a response, unless its head may take longer: streams of
/// events are silent between them.
pub const BODY_SILENCE_MAX: Duration = Duration::from_mins(5);

/// Whether the head says of the body that it is at most [`SHORT_BODY_BYTES`] long, and on its way:
/// a client that waits to be invited is to hear what the backend says to that.
pub fn is_short(fields: &HeaderMap) -> bool {
    let length = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    !fields.contains_key(TRANSFER_ENCODING)
        && !fields.contains_key(EXPECT)
        && length.is_some_and(|length| length <= SHORT_BODY_BYTES)
}

/// Whether Pingora forwards the request: it wants to be read and written at the same time.
pub fn needs_both_ways(run: &Run, session: &Session) -> bool {
    let collected = run.machine.program().collected().is_some();
    !collected
        // What the sidecar says by itself has to be read before anybody is answered.
        && !sidecar::is_asked(run)
        && matches!(run.exchange.request.body, Body::Waiting)
        && !is_short(&session.req_header().headers)
}

/// Whether the request asks for a WebSocket, and nothing else is to be sent with it.
pub fn switches(run: &Run, session: &Session) -> bool {
    matches!(run.exchange.request.body, Body::None) && strict::is_websocket(session.req_header())
}

/// Whether the request has a body, by its head.
pub fn has_body(session: &mut Session) -> bool {
    if session.req_header().version == Version::HTTP_2 {
        // An HTTP/2 stream says itself whether it goes on after its head.
        return !session.as_mut().is_body_empty();
    }
    let head = session.req_header();
    let length = head.headers.get(CONTENT_LENGTH);
    head.headers.contains_key(TRANSFER_ENCODING)
        || length.is_some_and(|length| length.as_bytes() != b"0")
}

/// The peer that Pingora connects to.
pub async fn peer(gateway: &Gateway, run: &mut Run) -> pingora::Result<HttpPeer> {
    let wait = run.forward.as_ref().map_or(BODY_SILENCE_MAX, |forward| forward.wait);
    let sends_body = !matches!(run.exchange.request.body, Body::None);
    let found = sought(run, false).find(&gateway.resolver, run.exchange.now).await;
    let nowhere = |why: Unresolved| Error::explain(ErrorType::ConnectError, why.to_string());
    let there = found.map_err(nowhere)?;
    // What failed over a connection that was kept is tried over a new one.
    let (fresh, now) = (run.lease.is_some(), run.exchange.now);
    let (peer, lease) = peer_at(&gateway.caller, there, (wait, sends_body), (fresh, now));
    run.lease = lease;
    Ok(peer)
}

/// Where the request goes; `switches`: whether it asks to switch protocols.
fn sought(run: &Run, switches: bool) -> Sought<'_> {
    let exchange = &run.exchange;
    let (base, proxy) = (&exchange.request.base, exchange.way());
    let identity = exchange.identity.as_ref();
    Sought { base, tls: tls_of(run), identity, proxy, switches }
}

fn tls_of(run: &Run) -> &Tls {
    run.exchange.backend.as_ref().map_or(&run.tls, |backend| &backend.tls)
}

/// What it is where the proxy that was to send the request on asks who the gateway is, which is
/// not for the client to answer.
pub fn refused_by_proxy(run: &Run, status: StatusCode) -> Option<Box<Error>> {
    let proxy = sought(run, false).relay()?;
    let refused = ProxyError::of_relay(proxy, status)?;
    let told = refused.to_string();
    Some(Error::because(ErrorType::ConnectProxyFailure, told, refused))
}

/// The head of the backend's response was read. If that is all of it, no piece of a body will come that
/// says that it is the last one.
pub fn begun(session: &mut Session, run: &Run, (head, asked_for_head): (&ResponseHeader, bool)) {
    if run.lease.is_some() && is_bodiless(head, asked_for_head) {
        ended(session, run);
    }
}

/// The backend's response was read to its end: the connection that Pingora was lent may be used again
/// if the request was, too.
pub fn ended(session: &mut Session, run: &Run) {
    if let Some(lease) = &run.lease
        && session.as_mut().is_body_done()
    {
        lease.end();
    }
}

/// Whether the connection that Pingora was lent had been used before.
pub fn is_reused(context: &Context) -> bool {
    let lease = context.run.as_ref().and_then(|run| run.lease.as_ref());
    lease.is_some_and(Lease::is_reused)
}

/// Takes off what belongs to the connection to the backend. The framing stays: Pingora translates
/// it.
pub fn end_hop(head: &mut ResponseHeader) {
    let own = |name: &HeaderName| is_hop_by_hop(name) && name != TRANSFER_ENCODING;
    let fixed: Vec<HeaderName> = head.headers.keys().filter(|name| own(name)).cloned().collect();
    if fixed.contains(&CONNECTION) {
        let nominated: Vec<HeaderName> = nominated(&head.headers).collect();
        for name in nominated {
            if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
                head.remove_header(&name);
            }
        }
    }
    for name in fixed {
        head.remove_header(&name);
    }
}

/// Whether the response has no body, by its head.
pub fn is_bodiless(head: &ResponseHeader, asked_for_head: bool) -> bool {
    let length = head.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    asked_for_head || !may_have_body(head.status) || length == Some(b"0")
}

/// Notes that the request is about to be sent to its backend.
pub fn depart(gateway: &Gateway, run: &mut Run) {
    let exchange = &mut run.exchange;
    if exchange.trail.correlation.is_some() {
        let (method, base) = (&exchange.request.method, &exchange.request.base);
        exchange.trail.depart(method, (base, exchange.is_target_secret), gateway.clock.now());
    }
}

/// What an error of Pingora's is, in a word.
pub fn kind(error: &Error) -> &'static str {
    if let Some(refused) = TlsRefused::within(error) {
        return refused.kind();
    }
    match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, _) => "client_gone",
        (_, ErrorType::ReadTimedout | ErrorType::ConnectTimedout) => "timeout",
        (_, ErrorType::ConnectRefused) => "connection_refused",
        (_, ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert) => "tls",
        _ => "connection_failed",
    }
}

/// What an error of Pingora's means for the policies.
pub fn failure(error: &Error) -> Failure {
    if error.esource() == &ErrorSource::Downstream
        && let Some(problem) = reply::unreadable_body(error)
    {
        let message = problem.message.to_string();
        return Failure { source: None, reason: "BodyUnreadable", message, problem };
    }
    if matches!(error.etype(), ErrorType::ReadTimedout) {
        return Failure::late("the backend did not answer in time");
    }
    match (TlsRefused::within(error), ProxyError::within(error)) {
        (Some(refused), _) => Failure::unreached(refused.to_string()),
        (None, Some(refused)) => Failure::unreached(refused.to_string()),
        (None, None) => Failure::unreached(sentence(error.etype())),
    }
}
