//! Calls other services on behalf of a request: the collected forwards.
//!
//! A call is made of plain parts: where ([`peer`]), a head, a body. What comes back is a head and
//! a body that is read piece by piece, so that nothing is buffered here.

pub mod peer;
pub mod resolve;
pub mod roots;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::{HttpPeer, Peer};

use crate::backend::IDLE_TIMEOUT;

/// Makes calls; keeps their connections for the next ones.
pub struct Caller {
    connector: Connector,
}

/// A call whose head has come back.
pub struct Call {
    caller: Arc<Caller>,
    session: HttpSession,
    peer: HttpPeer,
    done: bool,
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
}

/// A request that is on its way.
pub struct Sending {
    caller: Arc<Caller>,
    session: HttpSession,
    peer: HttpPeer,
    /// Whether the connection was used before.
    reused: bool,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The head did not come in time.
    #[error("the backend did not answer within {0:?}")]
    Late(Duration),
    /// No connection, or it broke.
    #[error("{0}")]
    Broken(#[from] Box<pingora::Error>),
    /// The head that came back cannot be passed on.
    #[error("the backend answered with an invalid response: {0}")]
    Invalid(&'static str),
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Caller")
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Call").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The most informational responses (1xx) that are skipped before the real one.
const INFORMATIONAL_MAX: usize = 8;

impl Caller {
    /// A caller that keeps at most `connections_max` connections for reuse.
    pub fn new(mut options: ConnectorOptions, connections_max: usize) -> Self {
        options.keepalive_pool_size = connections_max;
        Self { connector: Connector::new(Some(options)) }
    }

    /// Connects to `peer` and sends `head`.
    pub async fn open(
        self: &Arc<Self>,
        peer: HttpPeer,
        head: RequestHeader,
    ) -> Result<Sending, CallError> {
        let (mut session, reused) = self.connector.get_http_session(&peer).await?;
        session.set_write_timeout(peer.get_peer_options().and_then(|set| set.write_timeout));
        let sent = session.write_request_header(Box::new(head)).await;
        sent.map_err(|error| decided(error, reused))?;
        Ok(Sending { caller: Arc::clone(self), session, peer, reused })
    }

    /// Sends a request without a body, or with one that is here, and waits for the head of the
    /// response. A connection that turns out to have been closed while it was idle is replaced,
    /// once, if the request may be sent twice.
    pub async fn call(
        self: &Arc<Self>,
        peer: HttpPeer,
        head: &RequestHeader,
        body: Bytes,
        wait: Duration,
    ) -> Result<Call, CallError> {
        let first = self.attempt(peer.clone(), head, body.clone(), wait).await;
        match first {
            Err(CallError::Broken(error)) if may_repeat(&head.method) && was_idle(&error) => {
                self.attempt(peer, head, body, wait).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        peer: HttpPeer,
        head: &RequestHeader,
        body: Bytes,
        wait: Duration,
    ) -> Result<Call, CallError> {
        let mut sending = self.open(peer, head.clone()).await?;
        if !body.is_empty() {
            sending.send(body).await?;
        }
        sending.finish(wait).await
    }
}

impl Sending {
    /// Sends a piece of the body.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), CallError> {
        let sent = self.session.write_request_body(piece, false).await;
        Ok(sent.map_err(|error| decided(error, self.reused))?)
    }

    /// Ends the body and waits for the head of the response, at most `wait`.
    pub async fn finish(mut self, wait: Duration) -> Result<Call, CallError> {
        let reused = self.reused;
        let ended = self.session.finish_request_body().await;
        ended.map_err(|error| decided(error, reused))?;
        let read = async {
            for _ in 0..INFORMATIONAL_MAX {
                let read = self.session.read_response_header().await;
                read.map_err(|error| decided(error, reused))?;
                let head = self.session.response_header();
                let head = head.ok_or(CallError::Invalid("there is no head"))?;
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(CallError::Invalid("it switches protocols unasked"));
                }
                if !head.status.is_informational() {
                    return Ok((head.status, head.headers.clone()));
                }
            }
            Err(CallError::Invalid("it has too many informational responses"))
        };
        let outcome = tokio::time::timeout(wait, read).await;
        let (status, headers) = outcome.map_err(|_elapsed| CallError::Late(wait))??;
        let Self { caller, session, peer, reused: _ } = self;
        Ok(Call { caller, session, peer, done: false, status, headers })
    }
}

impl Call {
    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        if self.done {
            return Ok(None);
        }
        let piece = self.session.read_response_body().await?;
        self.done = piece.is_none() || self.session.response_done();
        Ok(piece)
    }

    /// Whether the body is at its end.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Keeps the connection for the next call if the response was read to its end.
    pub async fn release(mut self) {
        if self.done || self.session.response_done() {
            let idle = Some(IDLE_TIMEOUT);
            self.caller.connector.release_http_session(self.session, &self.peer, idle).await;
        } else {
            self.session.shutdown().await;
        }
    }
}

/// Whether sending it twice is as good as once (RFC 9110 §9.2.2).
pub const fn may_repeat(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// The error, with its word on whether to try again: some are worth it only where the connection
/// was used before, and Pingora panics if it is asked before that is decided.
#[expect(clippy::unnecessary_box_returns, reason = "Pingora's errors come in boxes and stay there")]
fn decided(mut error: Box<pingora::Error>, reused: bool) -> Box<pingora::Error> {
    error.retry.decide_reuse(reused);
    error
}

/// Whether the error says that a kept connection was closed before the request reached it.
fn was_idle(error: &pingora::Error) -> bool {
    error.retry.retry()
}
