//! The end of a connection on which a client may still be sending.
//!
//! A connection that is closed while bytes lie unread is reset, and the response may be lost with it
//! (RFC 9112 §9.6). So once all is said, what the client still sends is read and thrown away, for a
//! while and up to a bound.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// How much is read and thrown away at once, in bytes.
const PIECE_BYTES: usize = 4096;

/// How long a client is waited for that was told all, and how much of it is thrown away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) time: Duration,
    pub(super) bytes: usize,
}

/// Waits for the end of what a client sends.
#[derive(Debug)]
pub(super) struct Linger {
    left: usize,
    over: Pin<Box<Sleep>>,
}

/// For those whose head was refused.
pub(super) const STRANGERS: Patience =
    Patience { time: Duration::from_millis(500), bytes: 1024 * 1024 };
/// For clients whose request was read: they may be in the middle of a large body.
pub(super) const CLIENTS: Patience = Patience { time: Duration::from_secs(2), bytes: 8 << 20 };

impl Linger {
    /// From now on, with that much patience.
    pub(super) fn with(patience: Patience) -> Self {
        Self { left: patience.bytes, over: Box::pin(tokio::time::sleep(patience.time)) }
    }

    /// Whether its time is over.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.over.as_mut().poll(cx).is_ready()
    }

    /// Ready once the client has stopped, or the patience is at its end.
    pub(super) fn poll_end(&mut self, io: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_over(cx) {
            let mut bytes = [0; PIECE_BYTES];
            let mut bytes = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut bytes));
            let count = bytes.filled().len();
            if read.is_err() || count == 0 || self.left < count {
                break;
            }
            self.left = self.left.saturating_sub(count);
        }
        Poll::Ready(())
    }
}
