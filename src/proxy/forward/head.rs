//! The head of a request as its backend gets it: where to, what for whom, and who called.

use http::header::{COOKIE, HOST, HeaderName};
use http::{HeaderValue, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::exchange::Exchange;
use crate::proxy::{Gateway, Run};

/// Fields with which a client could speak for a proxy in front: never passed on as they came.
const SPOOFABLE: [HeaderName; 8] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-real-ip"),
];
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Turns the head that the client sent into the one that the backend gets.
pub fn edit(
    gateway: &Gateway,
    session: &Session,
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
    finish(gateway, session, run, head)
}

/// What every head gets, whoever sends it.
pub(super) fn finish(
    gateway: &Gateway,
    session: &Session,
    run: &Run,
    head: &mut RequestHeader,
) -> pingora::Result<()> {
    let exchange = &run.exchange;
    let request = &exchange.request;
    head.set_raw_path(target(exchange).as_bytes())?;
    if !request.headers.touched().contains(&HOST) {
        head.insert_header(HOST, request.base.authority.clone())?;
    }
    if let Some(key) = &run.key_header {
        head.remove_header(key);
    }
    forwarding_fields(gateway, session, exchange, head)?;
    if let Some(backend) = &exchange.backend {
        for (name, _value) in &backend.headers {
            head.remove_header(name);
        }
        for (name, value) in &backend.headers {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    Ok(())
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
fn looks_spoofed(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-") || name == "forwarded"
}

/// Says who called, from what the gateway saw itself; what policies set stays.
fn forwarding_fields(
    gateway: &Gateway,
    session: &Session,
    exchange: &Exchange,
    head: &mut RequestHeader,
) -> pingora::Result<()> {
    let touched = exchange.request.headers.touched();
    let peer =
        session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
    let trusted = peer.is_some_and(|peer| gateway.trust.contains(peer));
    let chain = head.headers.get(&X_FORWARDED_FOR).filter(|_chain| trusted).cloned();
    if head.headers.keys().any(looks_spoofed) {
        for name in &SPOOFABLE {
            if !touched.contains(name) {
                head.remove_header(name);
            }
        }
    }
    if let Some(peer) = peer
        && !touched.contains(&X_FORWARDED_FOR)
    {
        let value = match chain.as_ref().and_then(|chain| chain.to_str().ok()) {
            Some(chain) => format!("{chain}, {peer}"),
            None => peer.to_string(),
        };
        head.insert_header(X_FORWARDED_FOR, value)?;
    }
    if !touched.contains(&X_FORWARDED_PROTO) {
        head.insert_header(X_FORWARDED_PROTO, exchange.original.scheme.as_str())?;
    }
    if !touched.contains(&X_FORWARDED_HOST) {
        if let Some(host) = session.req_header().headers.get(HOST) {
            head.insert_header(X_FORWARDED_HOST, host.clone())?;
        } else if let Some(authority) = session.req_header().uri.authority() {
            // HTTP/2 says it with a pseudo-field.
            head.insert_header(X_FORWARDED_HOST, authority.as_str())?;
        }
    }
    Ok(())
}

/// HTTP/2 clients may send several cookie fields; HTTP/1 has one (RFC 9113 §8.2.3).
pub(super) fn join_cookies(head: &mut RequestHeader) -> pingora::Result<()> {
    let parts: Vec<&[u8]> =
        head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if 1 < parts.len()
        && let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..]))
    {
        head.insert_header(COOKIE, joined)?;
    }
    Ok(())
}
