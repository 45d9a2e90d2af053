//! The guarded stream as Pingora takes it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::linger::{CLIENTS, Linger};
use super::{Guarded, PREFACE};

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guarded = self.get_mut();
        let read = guarded.poll_guarded(cx, out);
        if read.is_pending() {
            // Who waits for the client holds nothing back from it: a head whose body is slow to
            // come leaves alone. If that fails, so will the next write.
            let _ = guarded.outbox.poll_empty(&mut guarded.inner, cx);
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, outbox, .. } = self.get_mut();
        outbox.poll_write(inner, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, outbox, .. } = self.get_mut();
        ready!(outbox.poll_empty(inner, cx))?;
        Pin::new(inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, outbox, linger, .. } = self.get_mut();
        if linger.is_none() {
            ready!(outbox.poll_empty(inner, cx))?;
            ready!(Pin::new(&mut *inner).poll_shutdown(cx))?;
        }
        let linger = linger.get_or_insert_with(|| Linger::with(CLIENTS));
        linger.poll_end(inner, cx).map(Ok)
    }
}

#[async_trait]
impl Shutdown for Guarded {
    async fn shutdown(&mut self) {
        // Who is gone already needs no goodbye.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Guarded {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Guarded {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Guarded {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Guarded {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Guarded {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for Guarded {
    /// Pingora asks for as many bytes as the preface of HTTP/2 has, to compare them. An HTTP/1
    /// request may be shorter than that, so nothing is waited for once they differ: `out` stays
    /// as it is, and is not the preface.
    async fn try_peek(&mut self, out: &mut [u8]) -> io::Result<bool> {
        if poll_fn(|cx| self.poll_peek(cx)).await? && out.len() == PREFACE.len() {
            out.copy_from_slice(PREFACE);
        }
        Ok(true)
    }
}
