//! The head of a request that goes to its backend over HTTP/2.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderValue, TE};
use http::request::Parts;
use http::{HeaderMap, Request};
use pingora::proxy::Session;

use super::{Framing, edit, target};
use crate::backend::BaseUrl;
use crate::caller::CallError;
use crate::caller::http2::request as request_to;
use crate::exchange::message::nominated;
use crate::proxy::forward::sidecar;
use crate::proxy::reply::HOP_BY_HOP;
use crate::proxy::{Gateway, Run};

/// The head as the backend gets it.
pub fn write(
    gateway: &Gateway,
    session: &Session,
    run: &Run,
    framing: &Framing,
) -> Result<Request<()>, CallError> {
    let received = session.req_header();
    let mut head = received.clone();
    let touched = run.exchange.request.headers.touched();
    // Of what the client sent: the gateway's own is put in after that.
    for name in nominated(&received.headers).filter(|name| !touched.contains(name)) {
        head.remove_header(&name);
    }
    edit(gateway, (session, true), run, &mut head)
        .map_err(|_refused| CallError::Unsendable("one of its fields cannot be written"))?;
    let mut fields = Parts::from(head).headers;
    let takes_trailers = takes_trailers(&received.headers);
    for name in HOP_BY_HOP {
        fields.remove(name);
    }
    if takes_trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
    }
    fields.remove(EXPECT);
    sidecar::address(run, &mut fields);
    frame(&mut fields, framing);
    let base: &BaseUrl = &run.exchange.request.base;
    let authority = fields.remove(HOST).unwrap_or_else(|| base.authority.clone());
    let (method, target) = (&run.exchange.request.method, target(&run.exchange));
    let whole = if target.starts_with('/') { target } else { format!("/{target}") };
    let mut request = request_to(method, (base.scheme, authority.as_bytes()), whole.as_bytes())?;
    *request.headers_mut() = fields;
    Ok(request)
}

/// Says how long the body is, where that is known.
fn frame(fields: &mut HeaderMap, framing: &Framing) {
    match framing {
        Framing::Length(length) => {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(*length));
        }
        // What the client said.
        Framing::Said(length) => {
            fields.insert(CONTENT_LENGTH, length.clone());
        }
        Framing::None | Framing::Chunked | Framing::Switch => {
            fields.remove(CONTENT_LENGTH);
        }
    }
}

/// Whether the client says that it reads what stands behind a body (RFC 9110 §10.1.4).
fn takes_trailers(fields: &HeaderMap) -> bool {
    let lines = fields.get_all(TE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|it| it.trim().eq_ignore_ascii_case("trailers"))
}
