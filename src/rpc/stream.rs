//! A connection, in the clear or over TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tonic::transport::server::Connected;

use super::door::Seat;

/// A connection, in the clear or over TLS.
#[derive(Debug)]
pub struct Stream {
    way: Way,
    peer: Option<SocketAddr>,
    /// Its place among the connections, where they are counted.
    _seat: Option<Seat>,
}

#[derive(Debug)]
enum Way {
    Clear(TcpStream),
    Secure(Box<SslStream<TcpStream>>),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<SocketAddr>);

impl Stream {
    pub(super) fn clear(tcp: TcpStream) -> Self {
        let peer = tcp.peer_addr().ok();
        Self { way: Way::Clear(tcp), peer, _seat: None }
    }

    pub(super) fn secure(tls: SslStream<TcpStream>) -> Self {
        let peer = tls.get_ref().peer_addr().ok();
        Self { way: Way::Secure(Box::new(tls)), peer, _seat: None }
    }

    /// The same with a place among the connections, given back when it ends.
    pub(super) fn seated(self, seat: Seat) -> Self {
        Self { _seat: Some(seat), ..self }
    }
}

impl Connected for Stream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(self.peer)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Clear(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Way::Secure(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.way {
            Way::Clear(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Way::Secure(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Clear(tcp) => Pin::new(tcp).poll_flush(context),
            Way::Secure(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Clear(tcp) => Pin::new(tcp).poll_shutdown(context),
            Way::Secure(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
