//! `redirect-content-urls`: links to the backend in a body become links to the gateway, and the
//! other way round in requests.
//!
//! What is replaced is the URL of the backend up to the API's root, `https://backend/v1`, by that
//! under which the client knows it, `https://gateway/orders`, also where JSON writes its slashes as
//! `\/`. Where a longer name only begins like it (`https://backend/v10`), nothing is replaced. Header
//! fields stay.

use std::borrow::Cow;

use bytes::Bytes;

use crate::backend::Scheme;
use crate::exchange::Exchange;
use crate::exchange::message::Body;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, Side, coding};

/// `redirect-content-urls`.
#[derive(Clone, Copy, Debug)]
pub struct RedirectContentUrls {
    side: Side,
}

/// The largest body that is made, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

pub(in crate::policy) fn redirect_content_urls(builder: &mut Builder<'_>, element: &Element) {
    let side = builder.section.side();
    let needs = match side {
        Side::Request => Needs { request_body: true, ..Needs::default() },
        Side::Response => Needs { response_body: true, ..Needs::default() },
    };
    builder.push_with(element, Action::RedirectContentUrls(RedirectContentUrls { side }), needs);
}

impl RedirectContentUrls {
    pub(in crate::policy) fn run(self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        if exchange.request.base.is_nowhere() {
            return Ok(Flow::Next);
        }
        let (backend, gateway) = (exchange.request.base.to_string(), gateway(exchange));
        let (from, to, body) = match self.side {
            Side::Request => (gateway, backend, Some(&mut exchange.request.body)),
            Side::Response => {
                let response = exchange.response.as_mut();
                (backend, gateway, response.map(|response| &mut response.body))
            }
        };
        let Some(body) = body else {
            return Ok(Flow::Next);
        };
        let Some(text) = body.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
            return Ok(Flow::Next);
        };
        let plain = replaced(text, &from, &to)?;
        let escaped = |url: &str| url.replace('/', "\\/");
        let both = replaced(&plain, &escaped(&from), &escaped(&to))?;
        if both == text {
            return Ok(Flow::Next);
        }
        *body = Body::Bytes(Bytes::from(both.into_owned()));
        if let (Side::Response, Some(response)) = (self.side, &mut exchange.response) {
            coding::forget_body(&mut response.headers);
        }
        Ok(Flow::Next)
    }
}

/// The URL of the API's root as the client called it, without a slash at its end.
fn gateway(exchange: &Exchange) -> String {
    let original = &exchange.original;
    let usual = match original.scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    let host = &original.host;
    let is_bare = host.contains(':') && !host.starts_with('[');
    let host = if is_bare { format!("[{host}]") } else { host.clone() };
    let port = if original.port == usual { String::new() } else { format!(":{}", original.port) };
    format!("{}://{host}{port}{}", original.scheme.as_str(), root(exchange))
}

/// The path of the API's root as the client called it: the API's path, with the revision and the
/// version that it names.
fn root(exchange: &Exchange) -> &str {
    let (Some(api), path) = (&exchange.api, exchange.original.path.as_str()) else {
        return "";
    };
    let mut length = if api.path.is_empty() { 0 } else { api.path.len().saturating_add(1) };
    let begins = path.get(1..length).unwrap_or_default();
    if !begins.eq_ignore_ascii_case(&api.path) {
        return "";
    }
    let segment = |from: usize| {
        let rest = path.get(from..).unwrap_or_default();
        rest.get(..rest.find('/').unwrap_or(rest.len())).unwrap_or_default()
    };
    if segment(length).starts_with(';') {
        length = length.saturating_add(segment(length).len());
    }
    let after = length.saturating_add(1);
    if api.version.as_deref().is_some_and(|version| version == segment(after)) {
        length = after.saturating_add(segment(after).len());
    }
    path.get(..length).unwrap_or_default()
}

/// `text` with `to` wherever the URL `from` stands.
fn replaced<'t>(text: &'t str, from: &str, to: &str) -> Result<Cow<'t, str>, Failure> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = found.get(from.len()..).unwrap_or_default();
        out.push_str(before);
        out.push_str(if ends(after) { to } else { from });
        if BODY_BYTES_MAX < out.len() {
            let message =
                format!("the body with its links replaced has more than {BODY_BYTES_MAX} bytes");
            return Err(Failure::value(message));
        }
        rest = after;
    }
    if rest.len() == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// Whether a host or a segment of a path is over before `rest`.
fn ends(rest: &str) -> bool {
    !rest.starts_with(|next: char| next.is_alphanumeric() || "-._~:@%;".contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_replaced_where_it_ends_and_nowhere_else() {
        let (from, to) = ("http://b/v1", "https://g/api");
        for (text, expected) in [
            ("http://b/v1", "https://g/api"),
            ("\"http://b/v1/x\", 'http://b/v1?q'", "\"https://g/api/x\", 'https://g/api?q'"),
            (
                "http://b/v10 http://b/v1-x http://b/v1.2",
                "http://b/v10 http://b/v1-x http://b/v1.2",
            ),
            ("nothing", "nothing"),
        ] {
            assert_eq!(replaced(text, from, to).unwrap(), expected);
        }
        let many = "http://b/v1 ".repeat(BODY_BYTES_MAX / 1_000);
        assert!(replaced(&many, from, &"x".repeat(2_000)).is_err());
    }
}
