//! The bytes of a TLS connection with a backend, and what TLS has to say when they end.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::caller::refusal::TlsRefused;

/// Where it stands why a backend ended its connection, if it said so.
pub(super) type Heard = Arc<Mutex<Option<TlsRefused>>>;

/// A TLS connection with a backend.
pub(super) struct Secured {
    stream: SslStream<TcpStream>,
    /// Whether the backend was to be shown a certificate.
    has_identity: bool,
    /// Which lists of revoked certificates it was judged by.
    pub(super) turn: u64,
    /// Why the backend ended it, if it said so: what speaks HTTP/2 over it does not pass that on.
    pub(super) heard: Heard,
}

impl Secured {
    /// The connection over `stream`, whose handshake is over.
    pub(super) fn new(stream: SslStream<TcpStream>, has_identity: bool, turn: u64) -> Self {
        Self { stream, has_identity, turn, heard: Arc::default() }
    }

    /// Whether the backend agreed to HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        self.stream.ssl().selected_alpn_protocol() == Some(b"h2")
    }

    /// Whether the backend said why it ended the connection.
    fn has_heard(&self) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn told<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        done.map_err(|error| {
            let error = TlsRefused::of_connection(error, self.has_identity);
            if let Some(refused) = TlsRefused::within_io(&error) {
                let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                *heard = Some(refused.clone());
            }
            error
        })
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, out);
        self.told(done)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(done, Poll::Ready(Err(_))) {
            // Who went away may have said why before. What else it said is left to be read.
            let mut last = [0; 1];
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_peek(cx, &mut last) {
                let error = error.into_io_error().unwrap_or_else(io::Error::other);
                if let told @ Poll::Ready(Err(_)) = self.told::<usize>(Poll::Ready(Err(error)))
                    && self.has_heard()
                {
                    return told;
                }
            }
        }
        self.told(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secured")
    }
}
