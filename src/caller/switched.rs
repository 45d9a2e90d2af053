//! A connection to a backend that speaks another protocol now: bytes, both ways.

use std::io::Cursor;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::caller::wire::Wire;

/// A connection that has switched protocols.
pub struct Switched {
    wire: Wire,
    /// What came right behind the head.
    rest: Bytes,
}

impl Switched {
    pub(super) const fn new(wire: Wire, rest: Bytes) -> Self {
        Self { wire, rest }
    }

    /// What the backend sends, and where it listens: to be used at the same time.
    pub fn split(self) -> (impl AsyncRead + Unpin, impl AsyncWrite + Unpin) {
        let (reads, writes) = tokio::io::split(self.wire);
        (Cursor::new(self.rest).chain(reads), writes)
    }
}
