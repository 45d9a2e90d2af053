//! One connection to a backend: bytes out, heads and bodies in.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::caller::body::{Body, Step};
use crate::caller::head::{self, Head};
use crate::caller::switched::Switched;
use crate::caller::wire::Wire;

/// A connection to a backend.
pub(super) struct Connection {
    wire: Wire,
    /// What was read and not yet used.
    rest: Bytes,
    /// Where the next bytes are read to. Once nobody holds a part of the last response, its memory
    /// is used again: what was touched last is still near the processor.
    room: BytesMut,
    /// Whether more room was made than an idle connection should hold.
    is_large: bool,
}

/// Why there is no more to be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The connection was closed before the first byte of a head.
    Closed,
    /// It broke.
    Broken(io::Error),
    /// What came cannot be understood.
    Invalid(&'static str),
}

/// How much room is made for a head and a small body.
const ROOM_BYTES: usize = 4 * 1024;
/// How much room is made where more is expected than that.
const ROOM_BYTES_MAX: usize = 64 * 1024;

impl Connection {
    /// The connection over `wire`.
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, rest: Bytes::new(), room: BytesMut::new(), is_large: false }
    }

    /// Sends `bytes` now.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    /// The next head. May be dropped and called again: nothing is lost.
    pub(super) async fn head(&mut self) -> Result<Head, ReadError> {
        loop {
            if !self.rest.is_empty() {
                if let Some(head) = head::take(&mut self.rest).map_err(ReadError::Invalid)? {
                    return Ok(head);
                }
                self.room = head::reopen(&mut self.rest);
            }
            let begun = !self.room.is_empty();
            if self.fill(ROOM_BYTES).await.map_err(ReadError::Broken)? == 0 {
                return Err(if begun {
                    ReadError::Broken(io::ErrorKind::UnexpectedEof.into())
                } else {
                    ReadError::Closed
                });
            }
        }
    }

    /// The next piece of `body`; `None` at its end. May be dropped and called again.
    pub(super) async fn piece(&mut self, body: &mut Body) -> Result<Option<Bytes>, ReadError> {
        loop {
            match body.next(&mut self.rest).map_err(ReadError::Invalid)? {
                Step::Piece(piece) => return Ok(Some(piece)),
                Step::End => return Ok(None),
                Step::More => (),
            }
            let room = match body {
                Body::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
                Body::Done | Body::Chunks(_) | Body::UntilClose => ROOM_BYTES_MAX / 4,
            };
            let room = room.clamp(ROOM_BYTES, ROOM_BYTES_MAX);
            if self.fill(room).await.map_err(ReadError::Broken)? == 0 {
                body.close().map_err(ReadError::Invalid)?;
            }
        }
    }

    /// Reads what has come; 0 if the connection was closed.
    async fn fill(&mut self, room: usize) -> io::Result<usize> {
        self.is_large |= ROOM_BYTES < room;
        self.room.reserve(room);
        let count = self.wire.read_buf(&mut self.room).await?;
        self.rest = self.room.split().freeze();
        Ok(count)
    }

    /// Whether the connection stands and nothing has come that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut byte = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        matches!(Pin::new(&mut self.wire).poll_read(&mut cx, &mut byte), Poll::Pending)
    }

    /// Whether everything that was read was used.
    pub(super) const fn is_used_up(&self) -> bool {
        self.rest.is_empty()
    }

    /// The socket, if nothing was read that is not used.
    pub(super) fn untouched(self) -> Option<TcpStream> {
        match self.wire {
            Wire::Plain(tcp) if self.rest.is_empty() => Some(tcp),
            Wire::Plain(_) | Wire::Local(_) | Wire::Secure(_) => None,
        }
    }

    /// By which lists of revoked certificates the backend was judged; `None` in the clear.
    pub(super) const fn turn(&self) -> Option<u64> {
        self.wire.turn()
    }

    /// The bytes themselves, if nothing was read that is not used.
    pub(super) fn into_wire(self) -> Option<Wire> {
        self.is_used_up().then_some(self.wire)
    }

    /// What is behind the head that switches protocols is of another one.
    pub(super) fn switched(self) -> Switched {
        Switched::new(self.wire, self.rest)
    }

    /// Lets go of the memory that only a large response needs.
    pub(super) fn rest(&mut self) {
        self.rest = Bytes::new();
        if std::mem::take(&mut self.is_large) {
            self.room = BytesMut::new();
        }
    }
}
