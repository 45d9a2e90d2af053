//! TLS connections that are lent to Pingora, for requests whose body flows while the response does.
//!
//! Pingora would shake hands in its own way. So it is told that the backend speaks plain text, and gets
//! a stream that is secured already: the handshake is that of everybody else, and so is the pool. Pingora
//! cannot pool such streams; when it is done with one it looks whether anything comes that nobody
//! asked for. That look is the sign that all of the response was read and no byte more, and the moment
//! when the connection is taken back.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::caller::connection::Connection;
use crate::caller::destination::Destination;
use crate::caller::secure::Offer;
use crate::caller::wire::Wire;
use crate::caller::{CallError, Caller, tunnel};
use crate::time::Timestamp;

/// A connection that was lent, as whoever forwards the request knows it.
#[derive(Clone, Debug, Default)]
pub struct Lease(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    /// All of the response was read, by its framing.
    is_over: AtomicBool,
    /// It was used before.
    is_reused: AtomicBool,
}

/// Lends a connection to one destination.
pub(super) struct Lender {
    pub(super) caller: Arc<Caller>,
    pub(super) destination: Destination,
    pub(super) now: Timestamp,
    /// Whether it must be a new one.
    pub(super) fresh: bool,
    pub(super) lease: Lease,
}

/// A connection that is lent.
struct Lent {
    /// `None` once it was taken back.
    wire: Option<Wire>,
    caller: Arc<Caller>,
    destination: Destination,
    now: Timestamp,
    lease: Lease,
}

impl Lease {
    /// That the whole response is there, and the whole request went out.
    pub fn end(&self) {
        self.0.is_over.store(true, Ordering::Release);
    }

    /// Whether the connection was used before, so that the backend may have closed it meanwhile.
    pub fn is_reused(&self) -> bool {
        self.0.is_reused.load(Ordering::Acquire)
    }

    fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }
}

impl Lender {
    async fn lend(&self) -> Result<Lent, CallError> {
        let Self { caller, destination, now, .. } = self;
        let idle = if self.fresh { None } else { caller.pool.take(destination, *now) };
        self.lease.0.is_reused.store(idle.is_some(), Ordering::Release);
        let wire = match idle.and_then(Connection::into_wire) {
            Some(wire) => wire,
            None => caller.connect(destination, Offer::One).await?,
        };
        Ok(Lent {
            wire: Some(wire),
            caller: Arc::clone(caller),
            destination: destination.clone(),
            now: *now,
            lease: self.lease.clone(),
        })
    }
}

#[async_trait]
impl L4Connect for Lender {
    async fn connect(&self, _address: &SocketAddr) -> pingora::Result<Stream> {
        match self.lend().await {
            Ok(lent) => Ok(Stream::from(VirtualSocketStream::new(Box::new(lent)))),
            Err(error) => told(error),
        }
    }
}

/// The same for Pingora, with its cause for whoever tells of it.
fn told<T>(error: CallError) -> pingora::Result<T> {
    let text = error.to_string();
    match error {
        CallError::Tls(refused) => Error::e_because(ErrorType::TLSHandshakeFailure, text, *refused),
        CallError::Proxy(refused) => tunnel::told(refused),
        CallError::Unconnected(error) => {
            let kind = error.kind();
            let kind = if kind == io::ErrorKind::ConnectionRefused {
                ErrorType::ConnectRefused
            } else if kind == io::ErrorKind::TimedOut {
                ErrorType::ConnectTimedout
            } else {
                ErrorType::ConnectError
            };
            Error::e_because(kind, text, error)
        }
        CallError::Late(_)
        | CallError::Peer(_)
        | CallError::Stale
        | CallError::Broken(_)
        | CallError::Unsendable(_)
        | CallError::Overdue
        | CallError::Http2(_)
        | CallError::Invalid(_) => Error::e_explain(ErrorType::ConnectError, text),
    }
}

impl Lent {
    fn wire(&mut self) -> io::Result<Pin<&mut Wire>> {
        self.wire.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lease.is_over() {
            if let Some(wire) = this.wire.take() {
                // The pool looks whether it is quiet before it gives it to anybody.
                this.caller.keep(&this.destination, Connection::new(wire), this.now);
            }
            // For Pingora it has ended.
            return Poll::Ready(Ok(()));
        }
        this.wire()?.poll_read(cx, out)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().wire()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Some(wire) => Pin::new(wire).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Some(wire) => Pin::new(wire).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl VirtualSocket for Lent {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        // Whoever dialled has set what there is to set.
        Ok(())
    }
}

impl fmt::Debug for Lender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lender")
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lent")
    }
}
