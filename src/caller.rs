//! Calls other services on behalf of a request, over connections that are kept.
//!
//! A call is a head and a body as bytes ([`Sending`]), and what comes back: a head, and a body that
//! is read piece by piece ([`Call`]), so that nothing is buffered here. This is the way of nearly
//! every request to its backend, so it is written out down to the socket: Pingora's own forwarding
//! joins two connections with two channels and a task for each idle connection, which costs more
//! than all that a gateway does besides.

pub mod resolve;
pub mod roots;
mod refusal;
pub mod revocation;
pub mod secure;
mod secured;
pub mod peer;
mod wire;
mod body;
mod head;
mod connection;
mod call;
mod error;
pub mod http2;
pub mod destination;
mod pool;
pub mod tunnel;
pub mod handed;
pub mod switched;
pub mod fetch;
pub mod sidecar;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use pingora::http::ResponseHeader;
use tokio::net::{TcpStream, UnixStream};

use crate::backend::CONNECT_TIMEOUT;
use crate::backend::version::HttpVersion;
use crate::caller::body::Body;
pub use crate::caller::call::Call;
use crate::caller::call::Single;
use crate::caller::connection::{Connection, ReadError};
use crate::caller::destination::Destination;
pub use crate::caller::error::{CallError, with_causes};
use crate::caller::http2::Channels;
use crate::caller::pool::Pool;
pub use crate::caller::refusal::TlsRefused;
use crate::caller::secure::{Offer, Securing};
use crate::caller::tunnel::{Dial, ProxyError};
use crate::caller::wire::Wire;
use crate::time::Timestamp;

/// The most informational heads (1xx) before that of a response.
pub const INFORMATIONAL_MAX: usize = 8;

/// Makes calls; keeps their connections for the next ones.
pub struct Caller {
    /// Makes TLS connections.
    securing: Securing,
    pool: Pool,
    channels: Channels,
}

/// A request that is on its way.
pub struct Sending {
    caller: Arc<Caller>,
    destination: Destination,
    connection: Connection,
    /// When it was begun.
    begun: Timestamp,
    /// Whether the connection was used before.
    reused: bool,
    /// Whether the backend stopped listening.
    unheard: bool,
    /// Whether the backend was asked to switch protocols.
    switches: bool,
}

/// The head of a response.
pub struct Answered {
    head: head::Head,
}

impl Caller {
    /// A caller that keeps at most `connections_max` connections for reuse.
    pub fn new(securing: Securing, connections_max: usize) -> Self {
        Self { securing, pool: Pool::new(connections_max), channels: Channels::default() }
    }

    /// What makes its TLS connections.
    pub const fn securing(&self) -> &Securing {
        &self.securing
    }

    /// Lets go of all connections over TLS, so that nobody uses one whose certificate was revoked
    /// meanwhile. What is on its way goes on.
    pub fn forget_secure(&self) {
        self.pool.forget_secure();
        self.channels.forget_secure();
    }

    /// Keeps `connection` for the next request, unless it was judged by lists that count no more.
    fn keep(&self, destination: &Destination, connection: Connection, now: Timestamp) {
        if self.is_current(connection.turn()) {
            self.pool.put(destination, connection, now);
        }
    }

    /// Whether what was judged by the lists of `turn` still counts.
    fn is_current(&self, turn: Option<u64>) -> bool {
        turn.is_none_or(|turn| turn == self.securing.revocation().turn())
    }

    /// A connection to `destination`: one that is idle unless `fresh` is asked for.
    pub async fn open(
        self: &Arc<Self>,
        destination: Destination,
        fresh: bool,
        now: Timestamp,
    ) -> Result<Sending, CallError> {
        let idle = if fresh { None } else { self.pool.take(&destination, now) };
        let reused = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => Connection::new(Box::pin(self.connect(&destination, Offer::One)).await?),
        };
        let caller = Arc::clone(self);
        let (unheard, switches) = (false, false);
        Ok(Sending { caller, destination, connection, begun: now, reused, unheard, switches })
    }

    /// Whether a connection to `destination` can be made, where `version` is to be spoken.
    pub async fn try_connecting(
        &self,
        destination: &Destination,
        version: HttpVersion,
    ) -> Result<(), CallError> {
        let offer = match version {
            HttpVersion::One => Offer::One,
            HttpVersion::Two => Offer::Two,
            HttpVersion::TwoOrOne => Offer::TwoOrOne,
        };
        Box::pin(self.connect(destination, offer)).await.map(drop)
    }

    /// Closes idle connections that were not used for long, or that the other side has closed. To
    /// be called every few seconds.
    pub fn sweep(&self, now: Timestamp) {
        self.pool.sweep(now);
        self.channels.sweep(now);
    }

    /// A new connection; over TLS the backend is made the `offer`.
    async fn connect(&self, destination: &Destination, offer: Offer) -> Result<Wire, CallError> {
        if let Some(socket) = &destination.socket {
            let connecting = UnixStream::connect(&**socket);
            return Ok(Wire::Local(Self::connected(connecting).await?));
        }
        let tcp = Self::dial(destination).await?;
        match &destination.secure {
            None => Ok(Wire::Plain(tcp)),
            Some(secure) => Ok(Wire::Secure(self.securing.secured(tcp, secure, offer).await?)),
        }
    }

    /// A new connection in the clear, through a proxy where one is on the way.
    async fn dial(destination: &Destination) -> Result<TcpStream, CallError> {
        if let Some(through) = &destination.through {
            let dial = Dial::new(Arc::clone(through));
            return Ok(dial.dial(destination.address, CONNECT_TIMEOUT).await?);
        }
        let tcp = Self::connected(TcpStream::connect(destination.address)).await?;
        // Only slower without it.
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    /// What comes of `connecting`, in time.
    async fn connected<T>(connecting: impl Future<Output = io::Result<T>>) -> Result<T, CallError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let late = |_elapsed| io::Error::from(io::ErrorKind::TimedOut);
        connected.map_err(late).flatten().map_err(CallError::Unconnected)
    }
}

impl Sending {
    /// That the request asks to switch protocols: a 101 is a response to it.
    pub const fn switches(&mut self) {
        self.switches = true;
    }

    /// Whether the request asks to switch protocols.
    pub const fn is_to_switch(&self) -> bool {
        self.switches
    }

    /// Sends bytes: the head, or some of a body as its framing wants it.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        let sent = self.connection.write(bytes).await;
        sent.map_err(|error| if self.reused { CallError::Stale } else { CallError::broken(error) })
    }

    /// Sends a piece of a chunked body; the last one is empty. A backend that stopped listening may
    /// have answered, so that is no error.
    pub async fn send_chunk(&mut self, piece: &[u8]) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.send_piece(&chunk).await;
    }

    /// Sends a piece of a body whose length was said. A backend that stopped listening may have
    /// answered, so that is no error.
    pub async fn send_piece(&mut self, piece: &[u8]) {
        // A piece was sent: whatever comes of it, the request does not go out a second time.
        self.reused = false;
        if !self.unheard {
            self.unheard = self.connection.write(piece).await.is_err();
        }
    }

    /// The next head, which may be an informational one. May be dropped and called again.
    pub async fn head(&mut self) -> Result<Answered, CallError> {
        match self.connection.head().await {
            Ok(head) if !self.switches && is_switch(head.message.status) => {
                Err(CallError::Invalid("it switches protocols unasked"))
            }
            Ok(head) => Ok(Answered { head }),
            Err(ReadError::Closed) if self.reused => Err(CallError::Stale),
            Err(ReadError::Broken(error))
                if self.reused && error.kind() == io::ErrorKind::ConnectionReset =>
            {
                Err(CallError::Stale)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The response, behind at most [`INFORMATIONAL_MAX`] heads that are only informational, to a request
    /// with `method`. Its body may be silent for as long as `silence`.
    pub async fn response(mut self, method: &Method, silence: Duration) -> Result<Call, CallError> {
        for _ in 0..=INFORMATIONAL_MAX {
            let Err(answered) = self.head().await?.informational() else { continue };
            return self.answered(answered, method, silence);
        }
        Err(CallError::CROWDED)
    }

    /// The response that begins with `answered`, to a request with `method`. Its body may be silent
    /// for as long as `silence`.
    pub fn answered(
        self,
        answered: Answered,
        method: &Method,
        silence: Duration,
    ) -> Result<Call, CallError> {
        let head = answered.head;
        let status = head.message.status;
        let relay = self.destination.relay();
        if let Some(refused) = relay.and_then(|proxy| ProxyError::of_relay(proxy, status)) {
            // It is not for the client to say who the gateway is.
            return Err(refused.into());
        }
        let body = if is_switch(status) {
            Body::Done
        } else {
            head::framing(&head, method).map_err(CallError::Invalid)?
        };
        let keeps = !self.unheard && !is_switch(status) && head::keeps(&head);
        let Self { caller, destination, connection, begun, .. } = self;
        let single = Single { caller, destination, connection, body, begun, keeps };
        Ok(Call::single(single, head.message, silence))
    }
}

impl Answered {
    /// The head, if it is only an informational one: the response is still to come.
    pub fn informational(self) -> Result<ResponseHeader, Self> {
        let status = self.head.message.status;
        if status.is_informational() && !is_switch(status) {
            Ok(self.head.message)
        } else {
            Err(self)
        }
    }
}

fn is_switch(status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS
}

/// Whether sending it twice is as good as once (RFC 9110 §9.2.2).
pub const fn may_repeat(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Caller")
    }
}
