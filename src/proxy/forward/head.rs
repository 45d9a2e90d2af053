//! The head of a request as its backend gets it: where to, what for whom, and who called.
//!
//! [`write()`] makes the bytes that the gateway sends itself; [`edit`] turns the head that Pingora
//! sends into the same; [`http2`] makes the one of a request over HTTP/2.

mod caller;
pub mod http2;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::backend::BaseUrl;
use crate::caller::CallError;
use crate::dapr;
use crate::exchange::Exchange;
use crate::exchange::message::{SPOOFABLE, capitalized, nominated};
use crate::proxy::reply::is_hop_by_hop;
use crate::proxy::{Gateway, Run, bearer};

/// How much room is made for a head: most need no more.
const HEAD_BYTES: usize = 768;

/// Turns the head that the client sent into the one that the backend gets; `is_tunnelled`: a proxy on
/// the way never sees it.
pub fn edit(
    gateway: &Gateway,
    (session, is_tunnelled): (&Session, bool),
    run: &Run,
    head: &mut RequestHeader,
) -> pingora::Result<()> {
    let request = &run.exchange.request;
    if head.method != request.method {
        head.set_method(request.method.clone());
    }
    for name in request.headers.touched() {
        let mut values = request.headers.map().get_all(name).iter();
        match values.next() {
            Some(first) => head.insert_header(name.clone(), first.clone())?,
            None => drop(head.remove_header(name)),
        }
        for value in values {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    if session.req_header().version == Version::HTTP_2 {
        join_cookies(head)?;
    }
    finish(gateway, (session, is_tunnelled), run, head)
}

fn finish(
    gateway: &Gateway,
    (session, is_tunnelled): (&Session, bool),
    run: &Run,
    head: &mut RequestHeader,
) -> pingora::Result<()> {
    let exchange = &run.exchange;
    let request = &exchange.request;
    let relay = super::sought(run, is_tunnelled).relay();
    let mut target = target(exchange).into_bytes();
    if relay.is_some() {
        make_absolute(&mut target, 0, &request.base);
    }
    head.set_raw_path(&target)?;
    // What asks to switch protocols never has a body that streams.
    head.remove_header(&UPGRADE);
    if !request.headers.touched().contains(&PROXY_AUTHORIZATION) {
        head.remove_header(&PROXY_AUTHORIZATION);
    }
    if !request.headers.touched().contains(&HOST) {
        head.insert_header(HOST, request.base.authority.clone())?;
    }
    if let Some(key) = &run.key_header {
        head.remove_header(key);
    }
    caller::set(gateway, session, exchange, head)?;
    if let Some((correlation, span)) = exchange.trail.here() {
        for name in correlation.replaced() {
            if !touched_by_policies(exchange, &name) {
                head.remove_header(&name);
            }
        }
        for (name, value) in correlation.told(span) {
            head.insert_header(name, value)?;
        }
    }
    if let Some(backend) = &exchange.backend {
        for (name, _value) in &backend.headers {
            head.remove_header(name);
        }
        for (name, value) in &backend.headers {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    if let Some(token) = bearer::shown(run) {
        head.insert_header(AUTHORIZATION, token.clone())?;
    }
    if exchange.way().is_some() {
        head.remove_header(&PROXY_AUTHORIZATION);
    }
    if let Some(shown) = relay.and_then(|proxy| proxy.authorization.as_ref()) {
        head.insert_header(PROXY_AUTHORIZATION, shown.expose())?;
    }
    Ok(())
}

/// Turns the target that begins at `from` into one with scheme and host, as a proxy wants it that
/// sends requests on (RFC 9112 §3.2.2). Without a slash at its beginning it would become a part of
/// the host.
pub fn make_absolute(head: &mut Vec<u8>, from: usize, base: &BaseUrl) {
    let slash = if head.get(from) == Some(&b'/') { "" } else { "/" };
    let authority = base.authority.to_str().unwrap_or_default();
    let origin = format!("{}://{authority}{slash}", base.scheme.as_str());
    head.splice(from..from, origin.into_bytes());
}

/// Path and query, with the query parameters that the backend's credentials add.
fn target(exchange: &Exchange) -> String {
    let mut target = exchange.request.target();
    if let Some(backend) = &exchange.backend
        && !backend.query.is_empty()
    {
        let mut query = crate::route::url::Query::parse(&exchange.request.query);
        for (name, _value) in &backend.query {
            query.remove(name);
        }
        for (name, value) in &backend.query {
            query.append(name, value);
        }
        target = format!("{}?{query}", exchange.request.path());
    }
    target
}

/// Whether a name could be one of [`SPOOFABLE`]; most requests have none.
pub(super) fn looks_spoofed(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-") || name == "forwarded"
}

fn touched_by_policies(exchange: &Exchange, name: &HeaderName) -> bool {
    exchange.request.headers.touched().contains(name)
}

/// How the body that follows a head is framed.
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(usize),
    /// As many as the client said.
    Said(HeaderValue),
    /// In chunks.
    Chunked,
    /// There is none, and the connection is to become a WebSocket.
    Switch,
}

/// The head as bytes, for requests that the gateway sends itself.
pub(super) fn write(
    gateway: &Gateway,
    session: &Session,
    run: &Run,
    framing: &Framing,
) -> Result<Vec<u8>, CallError> {
    let exchange = &run.exchange;
    let request = &exchange.request;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(request.method.as_str().as_bytes());
    head.push(b' ');
    let from = head.len();
    put_target(&mut head, exchange);
    if !head.get(from..).is_some_and(|target| target.iter().all(u8::is_ascii_graphic)) {
        return Err(CallError::Unsendable("its target holds characters that no URL has"));
    }
    let relay = super::sought(run, matches!(framing, Framing::Switch)).relay();
    if relay.is_some() {
        make_absolute(&mut head, from, &request.base);
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    if !request.headers.touched().contains(&HOST) {
        put(&mut head, b"Host", request.base.authority.as_bytes());
    }
    put_received(&mut head, session, run);
    let is_withheld = |name: &HeaderName| {
        (exchange.way().is_some() && name == PROXY_AUTHORIZATION)
            || is_of_backend(run, name)
            || exchange.trail.correlation.is_some_and(|known| known.tells(name))
    };
    for name in request.headers.touched() {
        if !is_framing(name) && !is_hop_by_hop(name) && !is_withheld(name) {
            for value in request.headers.map().get_all(name) {
                if !speaks_to_sidecar(run, name, value) {
                    put_titled(&mut head, name, value.as_bytes());
                }
            }
        }
    }
    caller::put(&mut head, gateway, session, exchange);
    if let Some((correlation, span)) = exchange.trail.here() {
        for (name, value) in correlation.told(span) {
            put_titled(&mut head, &name, value.as_bytes());
        }
    }
    if let Some(backend) = &exchange.backend {
        let is_told = |name| exchange.trail.correlation.is_some_and(|known| known.tells(name));
        for (name, value) in backend.headers.iter().filter(|(name, _value)| !is_told(name)) {
            put_titled(&mut head, name, value.as_bytes());
        }
    }
    if let Some(token) = bearer::shown(run) {
        put(&mut head, b"Authorization", token.as_bytes());
    }
    if let Some(shown) = relay.and_then(|proxy| proxy.authorization.as_ref()) {
        put(&mut head, b"Proxy-Authorization", shown.expose().as_bytes());
    }
    match framing {
        Framing::None => (),
        Framing::Length(length) => put(&mut head, b"Content-Length", length.to_string().as_bytes()),
        Framing::Said(length) => put(&mut head, b"Content-Length", length.as_bytes()),
        Framing::Chunked => put(&mut head, b"Transfer-Encoding", b"chunked"),
        Framing::Switch => {
            put(&mut head, b"Connection", b"Upgrade");
            put(&mut head, b"Upgrade", b"websocket");
        }
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}

/// The fields that the client sent and nobody touched, names as it writes them.
fn put_received(head: &mut Vec<u8>, session: &Session, run: &Run) {
    let received = session.req_header();
    let joins = received.version == Version::HTTP_2
        && 1 < received.headers.get_all(COOKIE).iter().take(2).count();
    let nominated: Vec<HeaderName> = if received.headers.contains_key(CONNECTION) {
        nominated(&received.headers).collect()
    } else {
        Vec::new()
    };
    let goes_on = |name: &HeaderName, value: &HeaderValue| {
        let stays = name == HOST
            // It is for proxies on the client's side.
            || name == PROXY_AUTHORIZATION
            || is_framing(name)
            || is_hop_by_hop(name)
            || (joins && name == COOKIE)
            || (looks_spoofed(name) && SPOOFABLE.contains(name))
            || nominated.contains(name)
            || is_replaced(run, name)
            || speaks_to_sidecar(run, name, value);
        !stays
    };
    if received.has_case() {
        let written = received.case_header_iter();
        for ((name, value), (written, _value)) in received.headers.iter().zip(written) {
            if goes_on(name, value) {
                put(head, written.as_slice(), value.as_bytes());
            }
        }
    } else {
        for (name, value) in &received.headers {
            if goes_on(name, value) {
                put_titled(head, name, value.as_bytes());
            }
        }
    }
    if joins && !is_replaced(run, &COOKIE) {
        // HTTP/1 has one field for all cookies (RFC 9113 §8.2.3).
        let parts = received.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        put(head, b"Cookie", &parts.collect::<Vec<_>>().join(&b"; "[..]));
    }
}

/// Whether what the client sent under this name does not go on, or is written by someone else.
fn is_replaced(run: &Run, name: &HeaderName) -> bool {
    run.exchange.request.headers.touched().contains(name)
        || run.key_header.as_ref() == Some(name)
        || run.exchange.trail.correlation.is_some_and(|known| known.replaces(name))
        || is_of_backend(run, name)
}

/// Whether the credentials of the backend write the field.
fn is_of_backend(run: &Run, name: &HeaderName) -> bool {
    let backend = run.exchange.backend.as_ref();
    backend.is_some_and(|backend| backend.headers.iter().any(|(own, _value)| own == name))
        || (name == AUTHORIZATION && bearer::shown(run).is_some())
}

/// Whether the request goes to Dapr's sidecar, and the field would say something to it.
fn speaks_to_sidecar(run: &Run, name: &HeaderName, value: &HeaderValue) -> bool {
    super::sidecar::is_asked(run) && dapr::is_kept(name, value)
}

/// Whether the field says how the body is framed, which is said anew for each connection.
fn is_framing(name: &HeaderName) -> bool {
    name == CONTENT_LENGTH || name == EXPECT || name == TRANSFER_ENCODING
}

pub(super) fn put(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    head.extend_from_slice(name);
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

fn put_titled(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    head.extend(capitalized(name));
    put(head, b"", value);
}

fn put_target(head: &mut Vec<u8>, exchange: &Exchange) {
    let request = &exchange.request;
    if exchange.backend.as_ref().is_some_and(|backend| !backend.query.is_empty()) {
        head.extend_from_slice(target(exchange).as_bytes());
        return;
    }
    let from = head.len();
    head.extend_from_slice(request.base.path.as_bytes());
    head.extend_from_slice(request.tail.as_bytes());
    if head.len() == from {
        head.push(b'/');
    }
    if !request.query.is_empty() {
        head.push(b'?');
        head.extend_from_slice(request.query.as_bytes());
    }
}

/// HTTP/2 clients may send several cookie fields; HTTP/1 has one (RFC 9113 §8.2.3).
fn join_cookies(head: &mut RequestHeader) -> pingora::Result<()> {
    let parts: Vec<&[u8]> =
        head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if 1 < parts.len()
        && let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..]))
    {
        head.insert_header(COOKIE, joined)?;
    }
    Ok(())
}
