//! To the backend: where, with what head, how long; and what a failure on the way means.

pub mod head;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use crate::backend::{BaseUrl, Tls};
use crate::caller::peer::{PeerError, peer as peer_at};
use crate::caller::{Call, CallError};
use crate::exchange::message::{Body, Headers, Response};
use crate::policy::Failure;
use crate::policy::routing::Forward;
use crate::problem::Problem;
use crate::proxy::reply::{self, is_hop_by_hop, may_have_body};
use crate::proxy::{Gateway, Run, UPGRADED_SILENCE_MAX, drive};
use crate::time::Clock;

/// The most redirects that are followed for one request.
const REDIRECTS_MAX: usize = 10;

/// Whether Pingora can forward the request: its body is as it came, and the response may stream.
pub fn streams(run: &Run, session: &mut Session) -> bool {
    if session.is_upgrade_req() {
        return true;
    }
    let untouched = matches!(run.exchange.request.body, Body::Waiting)
        || (matches!(run.exchange.request.body, Body::None) && !has_body(session));
    untouched && run.machine.program().collected().is_none()
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
pub async fn peer(gateway: &Gateway, run: &Run, upgrade: bool) -> pingora::Result<HttpPeer> {
    let wait = run.forward.as_ref().map_or(UPGRADED_SILENCE_MAX, |forward| forward.wait);
    let silence = if upgrade { wait.max(UPGRADED_SILENCE_MAX) } else { wait };
    let peer = connect_to(gateway, run, &run.exchange.request.base, silence).await;
    peer.map_err(|refused| Error::explain(ErrorType::ConnectError, refused.to_string()))
}

/// Why there is nothing to connect to.
#[derive(Debug, thiserror::Error)]
enum Unreachable {
    #[error("`{0}` cannot be resolved: {1}")]
    Name(String, std::io::Error),
    #[error(transparent)]
    Peer(#[from] PeerError),
}

async fn connect_to(
    gateway: &Gateway,
    run: &Run,
    base: &BaseUrl,
    silence: std::time::Duration,
) -> Result<HttpPeer, Unreachable> {
    let now = gateway.clock.now();
    let address = gateway.resolver.resolve(&base.host, base.port, now).await;
    let address = address.map_err(|error| Unreachable::Name(base.host.clone(), error))?;
    let tls = tls_of(run);
    let sends_body = !matches!(run.exchange.request.body, Body::None);
    Ok(peer_at(base, address, tls, &gateway.roots, silence, sends_body)?)
}

fn tls_of(run: &Run) -> &Tls {
    run.exchange.backend.as_ref().map_or(&run.tls, |backend| &backend.tls)
}

/// Makes the call to the backend for policies that want to look into the response.
pub async fn call(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    terms: &Forward,
) -> Result<(Call, Response), Failure> {
    let mut redirects = if terms.follow_redirects.is_some() { REDIRECTS_MAX } else { 0 };
    if terms.buffer_request_body || 0 < redirects {
        keep_request_body(gateway, session, run).await?;
    }
    loop {
        let call = attempt(gateway, session, run, terms).await?;
        if redirects == 0 || !follow_redirect(run, &call) {
            let silent = run.exchange.request.method == Method::HEAD;
            let response = response_of(&call, silent);
            return Ok((call, response));
        }
        redirects = redirects.saturating_sub(1);
        call.release().await;
    }
}

/// Reads the request's body, so that it can be sent more than once.
async fn keep_request_body(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
) -> Result<(), Failure> {
    if !run.exchange.request.body.is_waiting() {
        return Ok(());
    }
    let read = drive::fetch_request(session, gateway.bounds.buffered_bytes).await;
    let bytes = read.map_err(|problem| Failure {
        source: Some("forward-request"),
        reason: "BodyUnreadable",
        message: problem.message.to_string(),
        problem,
    })?;
    run.exchange.request.body = if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) };
    Ok(())
}

async fn attempt(
    gateway: &Gateway,
    session: &mut Session,
    run: &Run,
    terms: &Forward,
) -> Result<Call, Failure> {
    let base = &run.exchange.request.base;
    let peer = connect_to(gateway, run, base, terms.wait)
        .await
        .map_err(|refused| connection_failure(&refused.to_string()))?;
    let head = own_head(gateway, session, run).map_err(|error| failure(&error))?;
    let body = match &run.exchange.request.body {
        Body::Waiting => return stream_body(gateway, session, peer, head, terms).await,
        Body::Bytes(bytes) => bytes.clone(),
        Body::None | Body::Consumed => Bytes::new(),
    };
    gateway.caller.call(peer, &head, body, terms.wait).await.map_err(|error| call_failure(&error))
}

/// Passes the request's body on while it arrives.
async fn stream_body(
    gateway: &Gateway,
    session: &mut Session,
    peer: HttpPeer,
    head: RequestHeader,
    terms: &Forward,
) -> Result<Call, Failure> {
    let sent = async {
        let mut sending = gateway.caller.open(peer, head).await?;
        drive::invite_body(session).await.map_err(Error::into_down)?;
        while let Some(piece) = session.read_request_body().await.map_err(Error::into_down)? {
            gateway.bounds.body(session)?;
            sending.send(piece).await?;
        }
        sending.finish(terms.wait).await
    };
    sent.await.map_err(|error| call_failure(&error))
}

/// The head of a request that the gateway sends itself.
fn own_head(gateway: &Gateway, session: &Session, run: &Run) -> pingora::Result<RequestHeader> {
    let request = &run.exchange.request;
    let fields = request.headers.map();
    let mut head = RequestHeader::build(request.method.clone(), b"/", Some(fields.len() + 8))?;
    for (name, value) in fields {
        let framing = name == CONTENT_LENGTH || name == EXPECT;
        if !framing && !is_hop_by_hop(name) {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    head::join_cookies(&mut head)?;
    head::finish(gateway, session, run, &mut head)?;
    match &request.body {
        Body::Waiting => match fields.get(CONTENT_LENGTH) {
            Some(length) => head.insert_header(CONTENT_LENGTH, length.clone())?,
            None => head.insert_header(TRANSFER_ENCODING, "chunked")?,
        },
        Body::Bytes(bytes) => head.insert_header(CONTENT_LENGTH, bytes.len())?,
        Body::None | Body::Consumed => {
            if matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
                head.insert_header(CONTENT_LENGTH, 0)?;
            }
        }
    }
    Ok(head)
}

/// Turns the request to where the response sends it; false if it sends nowhere.
fn follow_redirect(run: &mut Run, call: &Call) -> bool {
    let redirect = matches!(
        call.status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = call.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let (true, Some(location)) = (redirect, location) else {
        return false;
    };
    let request = &mut run.exchange.request;
    let (place, query) = location.split_once('?').unwrap_or((location, ""));
    let query = query.split('#').next().unwrap_or_default();
    if place.starts_with('/') && !place.starts_with("//") {
        let mut base = BaseUrl::clone(&request.base);
        base.path = String::new();
        request.base = std::sync::Arc::new(base);
        place.clone_into(&mut request.tail);
    } else if let Ok(base) = BaseUrl::parse(place) {
        // Credentials meant for one host do not go to another one.
        if base.host != request.base.host || base.port != request.base.port {
            request.headers.remove(&http::header::AUTHORIZATION);
            request.headers.remove(&COOKIE);
            run.exchange.backend = None;
        }
        request.base = std::sync::Arc::new(base);
        request.tail.clear();
    } else {
        return false;
    }
    query.clone_into(&mut request.query);
    if call.status == StatusCode::SEE_OTHER && request.method != Method::HEAD {
        request.method = Method::GET;
        request.body = Body::None;
    }
    true
}

fn response_of(call: &Call, silent: bool) -> Response {
    let mut headers = call.headers.clone();
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    let bodiless = silent || !may_have_body(call.status) || length == Some(b"0");
    let nominated: Vec<HeaderName> = nominated(&headers).collect();
    for name in nominated {
        headers.remove(name);
    }
    for name in reply::HOP_BY_HOP {
        headers.remove(name);
    }
    Response {
        status: call.status,
        phrase: None,
        headers: Headers::received(headers),
        body: if bodiless { Body::None } else { Body::Waiting },
    }
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

/// The fields that a `Connection` field names (RFC 9110 §7.6.1).
fn nominated(headers: &http::HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    // These say how long the connection lives, and name no field.
    let lifetime =
        |name: &&str| name.eq_ignore_ascii_case("keep-alive") || name.eq_ignore_ascii_case("close");
    names.filter(move |name| !lifetime(name)).filter_map(|name| name.parse().ok())
}

/// Whether the response has no body, by its head.
pub fn is_bodiless(head: &ResponseHeader, asked_for_head: bool) -> bool {
    let length = head.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    asked_for_head || !may_have_body(head.status) || length == Some(b"0")
}

fn call_failure(error: &CallError) -> Failure {
    match error {
        CallError::Late(_) => late(&error.to_string()),
        CallError::Broken(broken) => failure(broken),
        CallError::Invalid(_) => connection_failure(&error.to_string()),
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
        return late("the backend did not answer in time");
    }
    connection_failure(sentence(error.etype()))
}

/// What policies and clients may know of a broken connection; the log has the rest.
const fn sentence(kind: &ErrorType) -> &'static str {
    if matches!(kind, ErrorType::ConnectRefused) {
        "the backend refused the connection"
    } else if matches!(kind, ErrorType::ConnectTimedout) {
        "the backend did not accept the connection in time"
    } else if matches!(kind, ErrorType::ConnectNoRoute | ErrorType::ConnectError) {
        "the backend cannot be reached"
    } else if matches!(
        kind,
        ErrorType::TLSHandshakeFailure | ErrorType::TLSHandshakeTimedout | ErrorType::InvalidCert
    ) {
        "the TLS handshake with the backend failed"
    } else if matches!(kind, ErrorType::InvalidHTTPHeader | ErrorType::H1Error) {
        "the backend answered with an invalid response"
    } else {
        "the connection to the backend broke"
    }
}

fn late(message: &str) -> Failure {
    Failure {
        source: Some("forward-request"),
        reason: "Timeout",
        message: message.to_owned(),
        problem: Problem::failed("backend_timeout"),
    }
}

fn connection_failure(message: &str) -> Failure {
    Failure {
        source: Some("forward-request"),
        reason: "BackendConnectionFailure",
        message: message.to_owned(),
        problem: Problem::failed("backend_connection_failed"),
    }
}
