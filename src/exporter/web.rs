//! OTLP over HTTP, as Protocol Buffers.

use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Method, StatusCode};
use tokio::time::timeout;

use crate::backend::Tls;
use crate::caller::destination::Sought;
use crate::caller::resolve::Resolver;
use crate::caller::{Call, CallError, Caller};
use crate::exporter::way::{Collector, Outcome, Signal};
use crate::time::Timestamp;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Speaks HTTP with a collector.
pub struct Web {
    pub(super) collector: Arc<Collector>,
    pub(super) caller: Arc<Caller>,
    pub(super) resolver: Resolver,
}

impl Web {
    pub(super) async fn send(&self, signal: Signal, body: &[u8], now: Timestamp) -> Outcome {
        let most = self.collector.time_max;
        let sent = timeout(most, self.within(signal, body, now)).await;
        sent.unwrap_or_else(|_late| {
            Outcome::Later(None, format!("there is no answer within {most:?}"))
        })
    }

    async fn within(&self, signal: Signal, body: &[u8], now: Timestamp) -> Outcome {
        let mut wire = self.head(signal, body.len());
        wire.extend_from_slice(body);
        let answered = match self.call(&wire, false, now).await {
            // A kept connection was closed meanwhile: nothing of the request was answered.
            Err(CallError::Stale) => self.call(&wire, true, now).await,
            answered => answered,
        };
        match answered {
            Ok(call) => judged(call).await,
            Err(error) => Outcome::Later(None, error.to_string().replacen("the backend", "it", 1)),
        }
    }

    async fn call(&self, wire: &[u8], is_fresh: bool, now: Timestamp) -> Result<Call, CallError> {
        let (url, tls) = (&self.collector.url, Tls::default());
        let there = Sought::straight(url, &tls).find(&self.resolver, now).await;
        let there = there.map_err(|_nowhere| CallError::Unsendable("its name leads nowhere"))?;
        let mut sending = self.caller.open(there, is_fresh, now).await?;
        sending.send(wire).await?;
        sending.response(&Method::POST, self.collector.time_max).await
    }

    fn head(&self, signal: Signal, length: usize) -> Vec<u8> {
        let url = &self.collector.url;
        let mut wire =
            format!("POST {}/v1/{} HTTP/1.1\r\nHost: ", url.path, signal.word()).into_bytes();
        wire.extend_from_slice(url.authority.as_bytes());
        let fixed = format!(
            "\r\nUser-Agent: weir/{}\r\nContent-Type: application/x-protobuf\r\n\
             Content-Length: {length}\r\n",
            env!("CARGO_PKG_VERSION"),
        );
        wire.extend_from_slice(fixed.as_bytes());
        for (name, value) in &self.collector.headers {
            wire.extend([name.as_bytes(), b": ", value.expose().as_bytes(), b"\r\n"].concat());
        }
        wire.extend_from_slice(b"\r\n");
        wire
    }
}

/// Which statuses mean later, and which never (OTLP specification, "Failures").
async fn judged(mut call: Call) -> Outcome {
    let status = call.head.status;
    let wait = call.head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let mut body = Vec::new();
    while let Ok(Some(piece)) = call.next().await {
        if ANSWER_BYTES_MAX < body.len().saturating_add(piece.len()) {
            break;
        }
        body.extend_from_slice(&piece);
    }
    if call.is_done() {
        call.release();
    }
    let why = format!("the status is {status}");
    match status {
        _ if status.is_success() => Outcome::of(&body),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Later(wait, why),
        _ => Outcome::Refused(why),
    }
}
