//! How operators are answered, by whoever has something to tell them: one request with a small body,
//! one whole answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, ORIGIN, USER_AGENT};
use http::{HeaderValue, Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;

use crate::proxy::guard;
use crate::telemetry::audit::Who;

/// The field in which a program says for whom it asks.
pub const OPERATOR: &str = "Weir-Operator";

/// The longest reason that an operator may give, in characters.
pub const REASON_CHARACTERS_MAX: usize = 300;

/// How long a connection of an operator may be silent, in seconds.
const IDLE_SECONDS_MAX: u64 = 60;
/// How long it may be silent within a body.
const BODY_SILENCE_MAX: Duration = Duration::from_secs(5);
/// The longest body that is read.
const BODY_BYTES_MAX: usize = 4 << 10;

/// Whoever has something to tell operators.
#[async_trait]
pub trait Console: Debug + Send + Sync + 'static {
    /// The answer to a request.
    async fn answer(&self, asked: &Asked<'_>) -> Response<Vec<u8>>;
}

/// What an operator asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The head of the request.
    pub head: &'a RequestHeader,
    /// Its body; none if that was not read to its end.
    pub body: Option<&'a [u8]>,
    /// Where it came from.
    pub peer: Option<SocketAddr>,
}

/// Where a console is reached. No page in somebody's browser gets to it.
#[derive(Debug)]
pub struct Desk<C>(pub C);

#[async_trait]
impl<C: Console> HttpServerApp for Desk<C> {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let (peer, body) = hear(&mut session, shutdown).await?;
        let head = session.req_header();
        let response = match turned_away(head) {
            Some(response) => response,
            None => self.0.answer(&Asked { head, body: body.as_deref(), peer }).await,
        };
        tell(session, response).await
    }
}

/// The answer to what only a browser asks for, that a page of somebody else's told to.
fn turned_away(head: &RequestHeader) -> Option<Response<Vec<u8>>> {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(|host| !is_own(host)) {
        // Its name leads here, and belongs to somebody else (DNS rebinding).
        return Some(plain(StatusCode::MISDIRECTED_REQUEST, "this is no host of Weir's\n"));
    }
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    (!is_read && head.headers.contains_key(ORIGIN)).then(|| {
        let remedy = "the request has an `Origin`: ask with the command `weir`, or without it\n";
        plain(StatusCode::FORBIDDEN, &format!("no browser may change anything: {remedy}"))
    })
}

/// Who asks, as far as that is known, and the body, if it was read to its end.
type Heard = (Option<SocketAddr>, Option<Vec<u8>>);

/// Reads a request. None: there is none to answer.
async fn hear(session: &mut ServerSession, shutdown: &ShutdownWatch) -> Option<Heard> {
    guard::expect_head(session);
    if !matches!(session.read_request().await, Ok(true)) {
        return None;
    }
    session.set_read_timeout(Some(BODY_SILENCE_MAX));
    let body = read(session).await;
    let stays = !*shutdown.borrow() && body.is_some();
    session.set_keepalive(stays.then_some(IDLE_SECONDS_MAX));
    Some((session.client_addr().and_then(|peer| peer.as_inet().copied()), body))
}

/// Answers the request that was heard.
async fn tell(mut session: ServerSession, response: Response<Vec<u8>>) -> Option<ReusedHttpStream> {
    let (parts, body) = response.into_parts();
    let mut head = ResponseHeader::from(parts);
    // Without it the answer would end with the connection.
    head.insert_header(CONTENT_LENGTH, body.len()).ok()?;
    let bodiless = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head)).await.ok()?;
    if !bodiless {
        session.write_response_body(body.into(), true).await.ok()?;
    }
    let kept = HttpPersistentSettings::for_session(&session);
    let stream = session.finish().await.ok()??;
    Some(ReusedHttpStream::from_reusable_stream(stream, kept))
}

/// The body of the request; none if it was not read to its end: then no other request can follow.
async fn read(session: &mut ServerSession) -> Option<Vec<u8>> {
    // Who waits to be invited to send one is not.
    if session.req_header().headers.contains_key(EXPECT) {
        return None;
    }
    let mut body = Vec::new();
    loop {
        match session.read_request_body().await {
            Ok(None) => return Some(body),
            Ok(Some(piece)) if body.len().saturating_add(piece.len()) <= BODY_BYTES_MAX => {
                body.extend_from_slice(&piece);
            }
            Ok(Some(_)) | Err(_) => return None,
        }
    }
}

/// Who asks, as far as that can be told.
pub fn who(head: &RequestHeader, peer: Option<SocketAddr>) -> Who {
    let field = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let agent = field(USER_AGENT.as_str()).unwrap_or_default();
    Who::new(peer, agent, field(OPERATOR).unwrap_or_default())
}

/// Whether a `Host` field names an address or this machine, and no name of somebody's domain: a page
/// in somebody's browser may ask for a name that leads here (DNS rebinding).
fn is_own(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || host.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || !name.contains('.')
        || [".svc", ".local"].iter().any(|suffix| name.ends_with(suffix))
}

/// The names and values of a query; nothing if it is none.
pub fn parts(query: &str) -> Option<BTreeMap<String, String>> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(Cow::into_owned).ok()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// Whether a reason can be shown wherever one is; if not, what is wrong with it and what to do.
pub fn one_line(reason: &str) -> Result<(), (&'static str, String)> {
    if reason.chars().any(char::is_control) {
        return Err(("the reason has other characters than text", "write one line".to_owned()));
    }
    if REASON_CHARACTERS_MAX < reason.chars().count() {
        let remedy = format!("write at most {REASON_CHARACTERS_MAX} characters");
        return Err(("the reason is too long", remedy));
    }
    Ok(())
}

/// An answer for people.
pub fn plain(status: StatusCode, text: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(text.as_bytes().to_vec());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Nothing can be asked for in this way; `right` are the methods for it.
pub fn wrong_method(right: &'static str) -> Response<Vec<u8>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "wrong method\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(right));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_is_meant() {
        let said = parts("reason=old+APIs%20go%3A%20%26&digest=01").unwrap();
        assert_eq!((said["reason"].as_str(), said["digest"].as_str()), ("old APIs go: &", "01"));
        assert_eq!(parts("").unwrap().len(), 0);
        assert!(parts("reason").is_none() && parts("reason=%ff").is_none());
    }

    #[test]
    fn a_reason_is_one_line_of_text() {
        assert!(one_line("").is_ok() && one_line("it was a mistake: ü").is_ok());
        for wrong in ["a\nb", "a\u{1b}[2J", &"x".repeat(REASON_CHARACTERS_MAX + 1)] {
            assert!(one_line(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for own in ["127.0.0.1:8082", "[::1]:8082", "localhost:8082", "weir", "weir.a.svc"] {
            assert!(is_own(own), "{own}");
        }
        for other in ["evil.example", "evil.example:8082", "127.0.0.1.evil.example"] {
            assert!(!is_own(other), "{other}");
        }
    }
}
