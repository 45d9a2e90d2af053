//! Who called: the fields that say it to backends, from what the gateway saw itself.

use std::io::Write;

use http::HeaderName;
use http::header::HOST;
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::looks_spoofed;
use crate::exchange::Exchange;
use crate::exchange::message::SPOOFABLE;
use crate::proxy::Gateway;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Says who called in a head that Pingora sends; what policies set stays.
pub(super) fn set(
    gateway: &Gateway,
    session: &Session,
    exchange: &Exchange,
    head: &mut RequestHeader,
) -> pingora::Result<()> {
    let touched = exchange.request.headers.touched();
    let peer = peer_of(session);
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

/// Says it in a head that is written as bytes; what policies set stays.
pub(super) fn put(head: &mut Vec<u8>, gateway: &Gateway, session: &Session, exchange: &Exchange) {
    let received = session.req_header();
    let touched = exchange.request.headers.touched();
    let set_by_policies = |name: &HeaderName| touched.contains(name);
    if let Some(peer) = peer_of(session)
        && !set_by_policies(&X_FORWARDED_FOR)
    {
        head.extend_from_slice(b"X-Forwarded-For: ");
        if gateway.trust.contains(peer)
            && let Some(chain) = received.headers.get(&X_FORWARDED_FOR)
        {
            head.extend_from_slice(chain.as_bytes());
            head.extend_from_slice(b", ");
        }
        // A vector takes all.
        let _ = write!(head, "{peer}\r\n");
    }
    if !set_by_policies(&X_FORWARDED_PROTO) {
        super::put(head, b"X-Forwarded-Proto", exchange.original.scheme.as_str().as_bytes());
    }
    if !set_by_policies(&X_FORWARDED_HOST) {
        if let Some(host) = received.headers.get(HOST) {
            super::put(head, b"X-Forwarded-Host", host.as_bytes());
        } else if let Some(authority) = received.uri.authority() {
            // HTTP/2 says it with a pseudo-field.
            super::put(head, b"X-Forwarded-Host", authority.as_str().as_bytes());
        }
    }
}

/// Who is at the other end of the connection.
fn peer_of(session: &Session) -> Option<std::net::IpAddr> {
    session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip)
}
