//! The bytes of a connection to a backend: plain or TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::caller::secured::{Heard, Secured};

/// A connection to a backend. A plain one is the socket itself: bytes are gathered above it, and a
/// buffer in between would only copy them once more.
pub(super) enum Wire {
    /// Plain text.
    Plain(TcpStream),
    /// The same, over a socket of this machine.
    Local(UnixStream),
    /// TLS.
    Secure(Secured),
}

impl Wire {
    /// Where it will stand why TLS ended, if the backend says so; `None` in the clear.
    pub(super) fn heard(&self) -> Option<Heard> {
        match self {
            Self::Plain(_) | Self::Local(_) => None,
            Self::Secure(stream) => Some(Arc::clone(&stream.heard)),
        }
    }

    /// By which lists of revoked certificates the backend was judged; `None` in the clear.
    pub(super) const fn turn(&self) -> Option<u64> {
        match self {
            Self::Plain(_) | Self::Local(_) => None,
            Self::Secure(stream) => Some(stream.turn),
        }
    }

    /// Whether the backend agreed to HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Local(_) => false,
            Self::Secure(stream) => stream.speaks_http2(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, out),
            Self::Local(unix) => Pin::new(unix).poll_read(cx, out),
            Self::Secure(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Local(unix) => Pin::new(unix).poll_write(cx, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Local(unix) => Pin::new(unix).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Local(unix) => Pin::new(unix).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
