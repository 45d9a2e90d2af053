//! Small writes are gathered until the flush, so that a head and its body leave together.
//!
//! It stands above TLS: what is gathered becomes one record and one packet. The bytes are allocated
//! with the first write and let go with the flush, so an idle connection holds none; a piece too
//! large to be gathered goes out with them in one call where the transport can do that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pingora::protocols::Stream;
use tokio::io::AsyncWrite;

/// The most bytes that are gathered: a response's head and a small body.
const GATHERED_BYTES_MAX: usize = 8 * 1024;

/// The room that is made at first: most heads with their bodies need no more.
const FIRST_BYTES: usize = 1024;

/// The bytes that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Takes `bytes`, or as many of them as could be sent.
    pub(super) fn poll_write(
        &mut self,
        io: &mut Stream,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let together = self.waiting.len().saturating_add(bytes.len());
        if together <= GATHERED_BYTES_MAX {
            if self.waiting.is_empty() {
                self.waiting.reserve(FIRST_BYTES);
            }
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(self.poll_send(io, cx, bytes))? {
            0 => Pin::new(io).poll_write(cx, bytes),
            count => Poll::Ready(Ok(count)),
        }
    }

    /// Sends what waits.
    pub(super) fn poll_empty(
        &mut self,
        io: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_send(io, cx, &[]).map_ok(|_none| ())
    }

    /// Sends what waits, and `more` where it fits into the same call; says how much of `more` went.
    fn poll_send(
        &mut self,
        io: &mut Stream,
        cx: &mut Context<'_>,
        more: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let waiting = self.waiting.get(self.sent..).unwrap_or_default();
            if waiting.is_empty() {
                *self = Self::default();
                return Poll::Ready(Ok(0));
            }
            let io = Pin::new(&mut *io);
            let sent = if more.is_empty() {
                io.poll_write(cx, waiting)
            } else {
                io.poll_write_vectored(cx, &[IoSlice::new(waiting), IoSlice::new(more)])
            };
            let count = ready!(sent)?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            match count.checked_sub(waiting.len()) {
                None => self.sent = self.sent.saturating_add(count),
                Some(beyond) => {
                    *self = Self::default();
                    return Poll::Ready(Ok(beyond));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    async fn write(outbox: &mut Outbox, io: &mut Stream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| outbox.poll_write(io, cx, bytes)).await.unwrap();
            bytes = &bytes[count..];
        }
    }

    #[tokio::test]
    async fn small_writes_leave_together_and_nothing_is_held_afterwards() {
        let (mut client, server) = tokio::io::duplex(64);
        let (mut io, mut outbox): (Stream, _) = (Box::new(server), Outbox::default());
        write(&mut outbox, &mut io, b"head ").await;
        write(&mut outbox, &mut io, b"body").await;
        assert_eq!(outbox.waiting, b"head body");
        poll_fn(|cx| outbox.poll_empty(&mut io, cx)).await.unwrap();
        assert_eq!(outbox.waiting.capacity(), 0);
        let mut got = [0; 9];
        client.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"head body");
    }

    #[tokio::test]
    async fn bytes_arrive_whole_and_in_order_whatever_their_pieces() {
        let (mut client, server) = tokio::io::duplex(5000);
        let (mut io, mut outbox): (Stream, _) = (Box::new(server), Outbox::default());
        let pieces: Vec<Vec<u8>> =
            (0_u8..60).map(|number| vec![number; 1_usize << (usize::from(number) % 16)]).collect();
        let wanted = pieces.concat();
        let writer = async move {
            for piece in pieces {
                write(&mut outbox, &mut io, &piece).await;
            }
            poll_fn(|cx| outbox.poll_empty(&mut io, cx)).await.unwrap();
        };
        let mut got = Vec::new();
        let ((), read) = tokio::join!(writer, client.read_to_end(&mut got));
        read.unwrap();
        assert!(got == wanted);
    }
}
