//! The last words on a connection: a problem as bytes, written before the connection ends.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pingora::protocols::Stream;
use tokio::io::AsyncWrite;

use super::linger::{Linger, STRANGERS};
use crate::problem::Problem;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    written: usize,
    stage: Stage,
    linger: Linger,
}

#[derive(Debug)]
enum Stage {
    Write,
    Flush,
    Shut,
    Discard,
    End,
}

impl Answer {
    /// The answer that says `problem`.
    pub(super) fn new(problem: &Problem) -> Self {
        Self {
            bytes: render(problem),
            written: 0,
            stage: Stage::Write,
            linger: Linger::with(STRANGERS),
        }
    }

    /// Ready once the connection can be closed.
    pub(super) fn poll_end(&mut self, io: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        if self.linger.is_over(cx) {
            self.stage = Stage::End;
        }
        loop {
            let failed = match self.stage {
                Stage::Write => {
                    let rest = self.bytes.get(self.written..).unwrap_or_default();
                    let written = ready!(Pin::new(&mut *io).poll_write(cx, rest));
                    let count = written.unwrap_or(0);
                    self.written = self.written.saturating_add(count);
                    if self.written == self.bytes.len() {
                        self.stage = Stage::Flush;
                    }
                    count == 0
                }
                Stage::Flush => {
                    self.stage = Stage::Shut;
                    ready!(Pin::new(&mut *io).poll_flush(cx)).is_err()
                }
                Stage::Shut => {
                    let shut = ready!(Pin::new(&mut *io).poll_shutdown(cx));
                    self.stage = Stage::Discard;
                    shut.is_err()
                }
                Stage::Discard => {
                    ready!(self.linger.poll_end(io, cx));
                    true
                }
                Stage::End => return Poll::Ready(()),
            };
            if failed {
                self.stage = Stage::End;
            }
        }
    }
}

fn render(problem: &Problem) -> Vec<u8> {
    let body = problem.body("");
    let status = problem.status;
    let phrase = problem.phrase.or(status.canonical_reason()).unwrap_or_default();
    // Writing to a string cannot fail.
    let mut head = String::new();
    let _ = write!(head, "HTTP/1.1 {} {phrase}\r\n", status.as_u16());
    for (name, value) in &problem.headers {
        if let Ok(value) = value.to_str() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    if let Some(kind) = problem.content_type() {
        let _ = write!(head, "Content-Type: {kind}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    head.into_bytes()
}
