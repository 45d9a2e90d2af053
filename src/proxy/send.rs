//! Calls that policies make to other services: `send-request`, and `send-one-way-request`, which
//! nobody waits for.
//!
//! Both are bounded in number, in time by the policy, and in the bytes of an answer as all bodies
//! are that are kept. What nobody waits for goes on when the client has its response, and a gateway
//! that stops waits for it as for a request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::caller::destination::{Destination, Sought};
use crate::caller::{Call, CallError, may_repeat};
use crate::exchange::message::{Body, Headers, Response};
use crate::exchange::trail::{Asker, Kind, Outing};
use crate::policy::Failure;
use crate::policy::send::failed;
use crate::policy::send::outgoing::Outgoing;
use crate::proxy::forward::balance;
use crate::proxy::forward::head::make_absolute;
use crate::proxy::reply::is_hop_by_hop;
use crate::proxy::{Gateway, bearer};
use crate::time::{Clock, Timestamp};

/// The most calls at once whose answers are waited for.
pub const CALLS_MAX: usize = 1024;
/// The most calls at once that nobody waits for; what comes then is dropped.
pub const ONE_WAY_MAX: usize = 256;

/// The calls of policies: how many there are, and what became of them.
#[derive(Debug)]
pub struct Calls {
    waited: Semaphore,
    unheard: Arc<Semaphore>,
    /// Those that nobody waits for.
    tasks: Mutex<JoinSet<()>>,
    /// Those that are waited for.
    pub requests: Fates,
    /// Those that nobody waits for.
    pub one_way: Fates,
}

/// What became of calls.
#[derive(Debug, Default)]
pub struct Fates {
    /// There was an answer.
    pub answered: AtomicU64,
    /// There was none, or it was too large or too late.
    pub failed: AtomicU64,
    /// They were not made: there were too many.
    pub refused: AtomicU64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            waited: Semaphore::new(CALLS_MAX),
            unheard: Arc::new(Semaphore::new(ONE_WAY_MAX)),
            tasks: Mutex::default(),
            requests: Fates::default(),
            one_way: Fates::default(),
        }
    }
}

impl Fates {
    fn count<T>(&self, outcome: &Result<T, Failure>) {
        let fate = if outcome.is_ok() { &self.answered } else { &self.failed };
        fate.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes a call, and waits for its answer.
pub async fn call(
    gateway: &Gateway,
    outgoing: &Outgoing,
    asker: Option<Asker>,
    now: Timestamp,
) -> Result<Response, Failure> {
    let calls = &gateway.state.calls;
    let Ok(_permit) = calls.waited.try_acquire() else {
        calls.requests.refused.fetch_add(1, Ordering::Relaxed);
        let message = format!("{CALLS_MAX} requests of policies wait for their answers already");
        return Err(failed("TooManyRequests", message, "too_many_calls"));
    };
    let outcome = within(gateway, outgoing, asker.as_ref(), now).await;
    calls.requests.count(&outcome);
    if let Some(asker) = asker {
        asker.arrived(told_of(&outcome), gateway.clock.now());
    }
    outcome
}

/// What is noted of a call that is over.
fn told_of(outcome: &Result<Response, Failure>) -> Result<StatusCode, &'static str> {
    match outcome {
        Ok(response) => Ok(response.status),
        Err(failure) => Err(failure.problem.reason),
    }
}

/// Makes a call that nobody waits for.
pub fn tell(gateway: &Gateway, outgoing: Box<Outgoing>, asker: Option<Asker>, now: Timestamp) {
    let calls = &gateway.state.calls;
    let Ok(permit) = Arc::clone(&calls.unheard).try_acquire_owned() else {
        calls.one_way.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let (gateway, held) = (gateway.clone(), gateway.state.hold());
    let task = async move {
        let outcome = within(&gateway, &outgoing, asker.as_ref(), now).await;
        gateway.state.calls.one_way.count(&outcome);
        if let (Some(asker), Some(spans)) = (&asker, &gateway.spans) {
            let outing = Outing {
                span: asker.span,
                kind: Kind::OneWay,
                method: outgoing.method.clone(),
                base: Arc::new(outgoing.url.base.clone()),
                is_secret: false,
                started: now,
                ended: Some((gateway.clock.now(), told_of(&outcome))),
            };
            spans.told(&asker.correlation, &outing, now);
        }
        if let Err(failure) = outcome {
            tracing::debug!(reason = failure.reason, "a one-way request failed");
        }
        drop((permit, held));
    };
    let mut tasks = calls.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that are over are forgotten: there are never more than may be on their way, and one.
    while tasks.try_join_next().is_some() {}
    tasks.spawn(task);
}

async fn within(
    gateway: &Gateway,
    outgoing: &Outgoing,
    asker: Option<&Asker>,
    now: Timestamp,
) -> Result<Response, Failure> {
    let answered = answer(gateway, outgoing, asker, now);
    let answered = tokio::time::timeout(outgoing.wait, answered).await;
    let answered = answered.unwrap_or_else(|_elapsed| Err(late(outgoing.wait)));
    if let Some(callee) = &outgoing.callee {
        balance::called(callee, &answered, (now, gateway.clock.now()));
    }
    answered
}

async fn answer(
    gateway: &Gateway,
    outgoing: &Outgoing,
    asker: Option<&Asker>,
    now: Timestamp,
) -> Result<Response, Failure> {
    let there = sought(outgoing).find(&gateway.resolver, now).await;
    let there = there.map_err(|unresolved| unconnected(&unresolved.to_string()))?;
    let token = match &outgoing.callee {
        Some(callee) => bearer::of(gateway, &callee.backend, now).await?,
        None => None,
    };
    let wire = written(outgoing, asker, token.as_ref().map(|(_token, field)| field));
    let mut fresh = false;
    let mut call = loop {
        match sent(gateway, &there, &wire, outgoing, (fresh, now)).await {
            // A kept connection that was closed meanwhile is replaced, if the request may be sent
            // twice.
            Err(CallError::Stale) if !fresh && may_repeat(&outgoing.method) => fresh = true,
            Ok(call) => break call,
            Err(error) => return Err(told(&error)),
        }
    };
    let mut body = BytesMut::new();
    let bytes_max = gateway.bounds.buffered_bytes;
    while let Some(piece) = call.next().await.map_err(|error| told(&error))? {
        if bytes_max < body.len().saturating_add(piece.len()) {
            let message = format!("the answer has more than {bytes_max} bytes");
            return Err(failed("ResponseTooLarge", message, "called_body_too_large"));
        }
        body.extend_from_slice(&piece);
    }
    let response = Response {
        status: call.head.status,
        phrase: None,
        headers: Headers::received(end_to_end(&call.head.headers)),
        body: if body.is_empty() { Body::None } else { Body::Bytes(body.freeze()) },
    };
    call.release();
    Ok(response)
}

async fn sent(
    gateway: &Gateway,
    there: &Destination,
    wire: &[u8],
    outgoing: &Outgoing,
    (fresh, now): (bool, Timestamp),
) -> Result<Call, CallError> {
    let mut sending = gateway.caller.open(there.clone(), fresh, now).await?;
    sending.send(wire).await?;
    sending.response(&outgoing.method, outgoing.wait).await
}

/// Where the request goes.
fn sought(outgoing: &Outgoing) -> Sought<'_> {
    let Outgoing { url, tls, proxy, .. } = outgoing;
    Sought { base: &url.base, tls, identity: None, proxy: proxy.as_ref(), switches: false }
}

/// The request as bytes.
fn written(outgoing: &Outgoing, asker: Option<&Asker>, token: Option<&HeaderValue>) -> Vec<u8> {
    let Outgoing { method, url, headers, body, .. } = outgoing;
    let mut wire = format!("{method} ").into_bytes();
    let (from, relay) = (wire.len(), sought(outgoing).relay());
    wire.extend_from_slice(url.target.as_bytes());
    if relay.is_some() {
        make_absolute(&mut wire, from, &url.base);
    }
    wire.extend_from_slice(b" HTTP/1.1\r\n");
    if !headers.contains_key(HOST) {
        put(&mut wire, HOST.as_str(), url.base.authority.as_bytes());
    }
    let is_withheld = |name: &HeaderName| {
        (outgoing.proxy.is_some() && name == PROXY_AUTHORIZATION)
            || (token.is_some() && name == AUTHORIZATION)
            || asker.is_some_and(|asker| asker.correlation.tells(name))
    };
    for (name, value) in headers {
        if name != CONTENT_LENGTH && name != EXPECT && !is_hop_by_hop(name) && !is_withheld(name) {
            put(&mut wire, name.as_str(), value.as_bytes());
        }
    }
    if let Some(asker) = asker {
        for (name, value) in asker.correlation.told(asker.span) {
            put(&mut wire, name.as_str(), value.as_bytes());
        }
    }
    if let Some(token) = token {
        put(&mut wire, AUTHORIZATION.as_str(), token.as_bytes());
    }
    for (name, value) in &outgoing.exact {
        put(&mut wire, name, value.as_bytes());
    }
    if let Some(shown) = relay.and_then(|proxy| proxy.authorization.as_ref()) {
        put(&mut wire, PROXY_AUTHORIZATION.as_str(), shown.expose().as_bytes());
    }
    let bare = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if bare || !body.is_empty() {
        put(&mut wire, CONTENT_LENGTH.as_str(), body.len().to_string().as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(body);
    wire
}

fn put(wire: &mut Vec<u8>, name: &str, value: &[u8]) {
    wire.extend_from_slice(name.as_bytes());
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value);
    wire.extend_from_slice(b"\r\n");
}

/// The fields that do not belong to the connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _value)| !is_hop_by_hop(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What policies are told of a call that failed.
fn told(error: &CallError) -> Failure {
    let message = error.to_string().replacen("the backend", "the service", 1);
    if matches!(error, CallError::Late(_)) {
        return failed(Failure::LATE, message, "called_timeout");
    }
    unconnected(&message)
}

fn late(wait: Duration) -> Failure {
    let message = format!("the service did not answer within {wait:?}");
    failed(Failure::LATE, message, "called_timeout")
}

fn unconnected(message: &str) -> Failure {
    failed(Failure::UNREACHED, message.to_owned(), "called_connection_failed")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;
    use crate::backend::Tls;
    use crate::policy::send::outgoing::Url;

    fn outgoing(method: Method, body: &'static str) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("1"));
        headers.insert("content-length", HeaderValue::from_static("99"));
        headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
        let url = Url::parse("https://h.example:8443/p?q=1").unwrap();
        let wait = Duration::from_secs(1);
        let (body, tls) = (Bytes::from_static(body.as_bytes()), Tls::default());
        let (exact, proxy, callee) = (Vec::new(), None, None);
        Outgoing { method, url, headers, exact, body, tls, proxy, callee, wait }
    }

    #[test]
    fn a_request_is_written_with_a_framing_of_its_own() {
        let text = |outgoing| String::from_utf8(written(&outgoing, None, None)).unwrap();
        assert_eq!(
            text(outgoing(Method::GET, "")),
            "GET /p?q=1 HTTP/1.1\r\nhost: h.example:8443\r\nx-a: 1\r\n\r\n"
        );
        assert_eq!(
            text(outgoing(Method::POST, "hi")),
            "POST /p?q=1 HTTP/1.1\r\nhost: h.example:8443\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nhi"
        );
        assert!(text(outgoing(Method::PUT, "")).ends_with("content-length: 0\r\n\r\n"));
    }
}
