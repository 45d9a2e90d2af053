//! One check of a backend's health: asked as requests are, by the same names, certificates and
//! versions of HTTP, so that what it finds is what they would find.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode};
use prost::Message;

use crate::backend::check::{Ask, Check};
use crate::backend::proxy::ForwardProxy;
use crate::backend::version::HttpVersion;
use crate::backend::{Backend, BaseUrl};
use crate::caller::destination::{Destination, Sought, Unresolved};
use crate::caller::http2::{Heard, Http2Error, request as request_to};
use crate::caller::resolve::Resolver;
use crate::caller::{Call, CallError, Caller, INFORMATIONAL_MAX, with_causes};
use crate::grpc;
use crate::time::Timestamp;

/// The largest answer of gRPC's health service, in bytes: it holds one number.
const MESSAGE_BYTES_MAX: usize = 256;
/// What is called to ask for the health of a service.
const GRPC_METHOD: &str = "/grpc.health.v1.Health/Check";
/// What a service says that can serve.
const SERVING: i32 = 1;

/// Checks backends.
#[derive(Debug)]
pub struct Prober {
    /// Makes the connections.
    pub caller: Arc<Caller>,
    /// Finds the addresses.
    pub resolver: Arc<Resolver>,
}

/// What is wrong with a backend.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// The name leads nowhere.
    #[error("{}", with_causes(.0))]
    Name(#[from] Unresolved),
    /// No connection, or no answer.
    #[error("{}", with_causes(.0))]
    Call(#[from] CallError),
    /// It took too long.
    #[error("the check was not over within {0:?}")]
    Late(Duration),
    /// The status is none of those that are well.
    #[error("it answered with status {0}")]
    Status(StatusCode),
    /// The call of gRPC failed.
    #[error("its health service ended the call with status {0} of gRPC")]
    Grpc(u32),
    /// The service says that it cannot serve.
    #[error("its health service says {0} for the service (1 is SERVING)")]
    NotServing(i32),
    /// The answer is none of gRPC's health service.
    #[error("what it answered is no message of gRPC's health service")]
    Garbled,
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Response {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl Prober {
    /// Makes one check of `backend`.
    pub async fn check(
        &self,
        backend: &Backend,
        check: &Check,
        now: Timestamp,
    ) -> Result<(), Unwell> {
        let checking = Box::pin(self.ask(backend, check, now));
        let checked = tokio::time::timeout(check.timeout, checking).await;
        checked.unwrap_or(Err(Unwell::Late(check.timeout)))
    }

    async fn ask(&self, backend: &Backend, check: &Check, now: Timestamp) -> Result<(), Unwell> {
        let there = sought(backend, check).find(&self.resolver, now).await?;
        match &check.ask {
            Ask::Tcp => {
                // It is closed at once: nobody has a use for it.
                let version = backend.http.unwrap_or(HttpVersion::One);
                Ok(self.caller.try_connecting(&there, version).await?)
            }
            Ask::Http { target, statuses } => {
                let version = backend.http.unwrap_or(HttpVersion::One);
                let call = if self.caller.speaks_http2(&there, version, now).await? {
                    self.over_http2(backend, (&there, target, check.timeout), now).await?
                } else {
                    self.over_http1(backend, (there, target, check.timeout), now).await?
                };
                let status = call.head.status;
                let is_well = statuses.iter().any(|range| range.contains(&status.as_u16()));
                if is_well { Ok(()) } else { Err(Unwell::Status(status)) }
            }
            Ask::Grpc { service } => {
                self.over_grpc(backend, (&there, service, check.timeout), now).await
            }
        }
    }

    /// GET over a connection of its own: whether the backend still takes connections is a part of the
    /// question.
    async fn over_http1(
        &self,
        backend: &Backend,
        (there, target, timeout): (Destination, &str, Duration),
        now: Timestamp,
    ) -> Result<Call, CallError> {
        let relay = there.relay().cloned();
        let mut sending = self.caller.open(there, true, now).await?;
        sending.send(&written(backend, target, relay.as_ref())).await?;
        sending.response(&Method::GET, timeout).await
    }

    async fn over_http2(
        &self,
        backend: &Backend,
        (there, target, timeout): (&Destination, &str, Duration),
        now: Timestamp,
    ) -> Result<Call, CallError> {
        let request = head(backend, &Method::GET, target)?;
        self.exchanged((there, &request, timeout), None, now).await
    }

    async fn over_grpc(
        &self,
        backend: &Backend,
        (there, service, timeout): (&Destination, &str, Duration),
        now: Timestamp,
    ) -> Result<(), Unwell> {
        let mut request = head(backend, &Method::POST, GRPC_METHOD)?;
        let fields = request.headers_mut();
        fields.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT));
        fields.insert(http::header::TE, HeaderValue::from_static("trailers"));
        fields.insert(grpc::TIMEOUT, grpc::timeout_value(timeout));
        let message = framed(&Request { service: service.to_owned() });
        let mut call = self.exchanged((there, &request, timeout), Some(message), now).await?;
        if call.head.status != StatusCode::OK {
            return Err(Unwell::Status(call.head.status));
        }
        let mut body = BytesMut::new();
        while let Some(piece) = call.next().await? {
            if MESSAGE_BYTES_MAX < body.len().saturating_add(piece.len()) {
                return Err(Unwell::Garbled);
            }
            body.extend_from_slice(&piece);
        }
        let trailers = call.take_trailers();
        let code = trailers.as_ref().and_then(grpc::Code::of);
        match code.or_else(|| grpc::Code::of(&call.head.headers)) {
            Some(grpc::Code::OK) => says(&body),
            Some(code) => Err(Unwell::Grpc(code.0)),
            None => Err(Unwell::Garbled),
        }
    }

    /// Sends a request over HTTP/2, and waits for the head of its response.
    async fn exchanged(
        &self,
        (there, request, timeout): (&Destination, &http::Request<()>, Duration),
        body: Option<Bytes>,
        now: Timestamp,
    ) -> Result<Call, CallError> {
        let asked = self.caller.ask(there, request, body.is_some(), now).await?;
        let (mut awaited, mut upload) = asked;
        if let (Some(upload), Some(body)) = (&mut upload, body) {
            upload.give(Some(body));
            upload.give(None);
            upload.flush().await;
        }
        for _ in 0..=INFORMATIONAL_MAX {
            match awaited.head().await {
                Ok(Heard::Response(response)) => {
                    return Ok(Call::shared(
                        (awaited, upload),
                        response,
                        request.method(),
                        timeout,
                    ));
                }
                Ok(Heard::Informational(_)) => (),
                Err(error) => return Err(Http2Error::into(error)),
            }
        }
        Err(CallError::CROWDED)
    }
}

/// Where a check goes: by way of the backend's proxy, if it has one, and through a tunnel where that is no
/// request that a proxy could send on.
fn sought<'a>(backend: &'a Backend, check: &Check) -> Sought<'a> {
    let is_one = backend.http.unwrap_or(HttpVersion::One) == HttpVersion::One;
    let switches = !is_one || !matches!(check.ask, Ask::Http { .. });
    let proxy = backend.proxy.as_ref();
    Sought { proxy, switches, ..Sought::straight(&backend.base, &backend.tls) }
}

/// The head of a request over HTTP/2, with what each request to `backend` carries.
fn head(backend: &Backend, method: &Method, target: &str) -> Result<http::Request<()>, CallError> {
    let base: &BaseUrl = &backend.base;
    let place = (base.scheme, base.authority.as_bytes());
    let mut request = request_to(method, place, target.as_bytes())?;
    let fields = request.headers_mut();
    fields.insert(http::header::USER_AGENT, HeaderValue::from_static(NAME));
    for (name, value) in &backend.headers {
        fields.append(name.clone(), value.clone());
    }
    Ok(request)
}

/// The same over HTTP/1.1, whole.
fn written(backend: &Backend, target: &str, relay: Option<&ForwardProxy>) -> Vec<u8> {
    let mut wire = b"GET ".to_vec();
    if relay.is_some() {
        // A proxy that sends requests on wants the whole URL.
        let (scheme, authority) = (backend.base.scheme.as_str(), &backend.base.authority);
        wire.extend_from_slice(format!("{scheme}://").as_bytes());
        wire.extend_from_slice(authority.as_bytes());
    }
    wire.extend_from_slice(format!("{target} HTTP/1.1\r\nHost: ").as_bytes());
    wire.extend_from_slice(backend.base.authority.as_bytes());
    wire.extend_from_slice(format!("\r\nUser-Agent: {NAME}\r\nConnection: close\r\n").as_bytes());
    for (name, value) in &backend.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            wire.extend_from_slice(part);
        }
    }
    if let Some(shown) = relay.and_then(|proxy| proxy.authorization.as_ref()) {
        wire.extend_from_slice(format!("Proxy-Authorization: {}\r\n", shown.expose()).as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
    wire
}

/// Who asks.
const NAME: &str = concat!("weir/", env!("CARGO_PKG_VERSION"), " (health check)");

/// A message behind the five bytes that gRPC puts before each.
fn framed(message: &Request) -> Bytes {
    let encoded = message.encode_to_vec();
    let length = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&encoded);
    framed.into()
}

/// What the health service says.
fn says(body: &[u8]) -> Result<(), Unwell> {
    let message = match body {
        [0, a, b, c, d, message @ ..]
            if usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])) == Ok(message.len()) =>
        {
            message
        }
        _ => return Err(Unwell::Garbled),
    };
    match Response::decode(message) {
        Ok(Response { status: SERVING }) => Ok(()),
        Ok(Response { status }) => Err(Unwell::NotServing(status)),
        Err(_) => Err(Unwell::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_health_service_are_as_its_protocol_writes_them() {
        let framed = framed(&Request { service: "a.B".to_owned() });
        assert_eq!(framed.as_ref(), b"\0\0\0\0\x05\x0a\x03a.B");
        assert!(says(b"\0\0\0\0\x02\x08\x01").is_ok());
        assert!(matches!(says(b"\0\0\0\0\x02\x08\x02"), Err(Unwell::NotServing(2))));
        // Nothing is said for 0, which is not known.
        assert!(matches!(says(b"\0\0\0\0\0"), Err(Unwell::NotServing(0))));
        for garbled in
            [&b""[..], b"\0\0\0\0\x02\x08", b"\x01\0\0\0\x02\x08\x01", b"\0\0\0\0\x01\xff"]
        {
            assert!(matches!(says(garbled), Err(Unwell::Garbled)), "{garbled:?}");
        }
    }
}
