//! The body of a request on its way to a backend, at the pace that the backend sets.

use std::collections::VecDeque;
use std::future::poll_fn;

use bytes::Bytes;
use h2::SendStream;

/// How much of a body is kept until there is a response, in bytes: what a backend refused unprocessed
/// is sent again.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// The body of a request on its way.
#[derive(Debug)]
pub struct Upload {
    stream: SendStream<Bytes>,
    waiting: VecDeque<Bytes>,
    /// Whether there is nothing behind what waits.
    is_last: bool,
    /// Whether its end was sent, or the backend does not want it.
    is_over: bool,
    /// All that was given so far, while it may be needed again.
    kept: Option<(Vec<Bytes>, usize)>,
}

/// What was given of a body so far.
#[derive(Debug)]
pub struct Kept {
    pieces: Vec<Bytes>,
    is_last: bool,
}

impl Upload {
    pub(super) fn new(stream: SendStream<Bytes>) -> Self {
        let (waiting, kept) = (VecDeque::new(), Some((Vec::new(), 0)));
        Self { stream, waiting, is_last: false, is_over: false, kept }
    }

    /// Whether the next piece may be given: what was given before is sent.
    pub fn is_hungry(&self) -> bool {
        self.waiting.is_empty() && !self.is_last && !self.is_over
    }

    /// Whether nothing is left to do.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next piece; `None` is the end.
    pub fn give(&mut self, piece: Option<Bytes>) {
        let Some(piece) = piece else {
            self.is_last = true;
            return;
        };
        if let Some((pieces, bytes)) = &mut self.kept {
            *bytes = bytes.saturating_add(piece.len());
            pieces.push(piece.clone());
            if KEPT_BYTES_MAX < *bytes {
                self.kept = None;
            }
        }
        if !piece.is_empty() {
            self.waiting.push_back(piece);
        }
    }

    /// Sends what was given, as the backend takes it. May be dropped and called again. A backend that
    /// wants no more has said why where its response is.
    pub async fn flush(&mut self) {
        while let (Some(piece), false) = (self.waiting.front_mut(), self.is_over) {
            self.stream.reserve_capacity(piece.len());
            let mut room = self.stream.capacity();
            if room == 0 {
                match poll_fn(|cx| self.stream.poll_capacity(cx)).await {
                    Some(Ok(more)) => room = more,
                    Some(Err(_)) | None => self.is_over = true,
                }
            }
            let now = piece.split_to(room.min(piece.len()));
            let ends = piece.is_empty();
            if ends {
                self.waiting.pop_front();
            }
            let is_end = ends && self.is_last && self.waiting.is_empty();
            if !now.is_empty() || is_end {
                self.is_over |= self.stream.send_data(now, is_end).is_err() || is_end;
            }
        }
        if self.is_last && !self.is_over {
            // An error means that the backend wants it no more.
            let _ = self.stream.send_data(Bytes::new(), true);
            self.is_over = true;
        }
    }

    /// There is a response: nothing is sent again.
    pub fn forget(&mut self) {
        self.kept = None;
    }

    /// What was given so far; `None` if that was too much to be kept.
    pub fn into_kept(self) -> Option<Kept> {
        let (pieces, _bytes) = self.kept?;
        Some(Kept { pieces, is_last: self.is_last })
    }

    /// Gives all that was given to another one.
    pub fn repeat(&mut self, kept: Kept) {
        for piece in kept.pieces {
            self.give(Some(piece));
        }
        self.is_last = kept.is_last;
    }
}
