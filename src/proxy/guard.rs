//! What stands between a client's bytes and Pingora's parser: every head is read here first.
//!
//! Pingora times single reads, not heads, takes heads of up to 1 MiB, and mends ambiguous framing
//! before a filter sees it. So [`Guarded`] holds an HTTP/1 head back until it is whole and
//! well-formed ([`scan`]), within a time of its own; then it steps aside until the next head. A
//! head that comes in one piece, as nearly all do, is judged where it lies and costs no copy and
//! no timer. What is refused is answered here, and Pingora sees a client that went away.
//!
//! HTTP/2 frames are the business of its own library: there, only the connection preface is timed.

mod scan;
mod answer;
mod linger;
mod outbox;
mod stream;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use crate::problem::Problem;
use crate::proxy::strict::{HeadBounds, Refusal};
use answer::Answer;
use linger::Linger;
use outbox::Outbox;
use scan::{Progress, Scan};

/// How long the head of a request may take, from its first byte; on a new connection also to it.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much is read at once of a head that comes in pieces, in bytes.
const PIECE_BYTES: usize = 4096;

/// Is told of each refusal, and from where it came.
pub type Witness = Arc<dyn Fn(&Problem, Option<IpAddr>) + Send + Sync>;

/// What holds for all connections.
pub struct Rules {
    /// How large a head may be.
    pub bounds: HeadBounds,
    /// How long it may take.
    pub time_max: Duration,
    /// Is told of what is refused, since no filter will be.
    pub witness: Witness,
}

/// The stream of a client, on its way to Pingora.
pub struct Guarded {
    inner: Stream,
    rules: Arc<Rules>,
    /// Set when Pingora begins to read a request.
    next: AtomicBool,
    state: State,
    scan: Scan,
    /// What has come of a head that is not whole, or was not yet passed on.
    held: Vec<u8>,
    /// When a head is late; made when one is waited for.
    late: Option<Pin<Box<Sleep>>>,
    outbox: Outbox,
    /// Once all is said.
    linger: Option<Linger>,
}

/// What the next bytes are.
#[derive(Debug)]
enum State {
    /// A head.
    Head,
    /// The rest of the preface of HTTP/2, so many bytes.
    Preface(usize),
    /// A whole head that is held, passed on up to here.
    Pass(usize),
    /// None of the guard's business.
    Open,
    /// Of no interest: the connection ends with this answer.
    Refused(Answer),
}

/// Whether a request may be read now.
enum Step {
    /// Look again.
    Again,
    /// What was read is for Pingora.
    Done,
}

impl Guarded {
    /// Guards `inner`, whose next bytes are a head, or the preface of HTTP/2 if `is_http2`.
    pub fn new(inner: Stream, rules: Arc<Rules>, is_http2: bool) -> Self {
        let state = if is_http2 { State::Preface(PREFACE.len()) } else { State::Head };
        let late = Some(Box::pin(tokio::time::sleep(rules.time_max)));
        Self {
            inner,
            rules,
            next: AtomicBool::new(false),
            state,
            scan: Scan::default(),
            held: Vec::new(),
            late,
            outbox: Outbox::default(),
            linger: None,
        }
    }

    fn poll_guarded(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(self.next.get_mut()) && matches!(self.state, State::Open) {
            self.state = State::Head;
            self.scan = Scan::default();
        }
        loop {
            let step = match &mut self.state {
                State::Open => return Pin::new(&mut self.inner).poll_read(cx, out),
                State::Refused(answer) => {
                    ready!(answer.poll_end(&mut self.inner, cx));
                    return Poll::Ready(Ok(()));
                }
                State::Pass(from) => {
                    let rest = self.held.get(*from..).unwrap_or_default();
                    let count = rest.len().min(out.remaining());
                    out.put_slice(rest.get(..count).unwrap_or_default());
                    *from = from.saturating_add(count);
                    if *from == self.held.len() {
                        self.open();
                    }
                    return Poll::Ready(Ok(()));
                }
                State::Preface(left) => {
                    let left = *left;
                    ready!(self.poll_preface(cx, out, left))?
                }
                State::Head if self.held.is_empty() => ready!(self.poll_first(cx, out))?,
                State::Head => ready!(self.poll_piece(cx))?,
            };
            match step {
                Step::Again => (),
                Step::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// The first piece of a head; nearly always the whole of it.
    fn poll_first(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        let before = out.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, out) {
            Poll::Ready(read) => read?,
            Poll::Pending => return self.poll_late(cx),
        }
        let piece = out.filled().get(before..).unwrap_or_default();
        if piece.is_empty() {
            return Poll::Ready(Ok(Step::Done));
        }
        match self.scan.read(piece, &self.rules.bounds) {
            Ok(Progress::Whole) => {
                self.open();
                return Poll::Ready(Ok(Step::Done));
            }
            Ok(Progress::Partial) => {
                self.held.extend_from_slice(piece);
                let time_max = self.rules.time_max;
                self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(time_max)));
            }
            Err(refusal) => self.refuse(refusal),
        }
        out.set_filled(before);
        Poll::Ready(Ok(Step::Again))
    }

    /// One more piece of a head that came in several.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        match self.scan.read(&self.held, &self.rules.bounds) {
            Ok(Progress::Whole) => self.state = State::Pass(0),
            Ok(Progress::Partial) => {
                let mut piece = [0; PIECE_BYTES];
                let mut piece = ReadBuf::new(&mut piece);
                match Pin::new(&mut self.inner).poll_read(cx, &mut piece) {
                    Poll::Ready(read) => read?,
                    Poll::Pending => return self.poll_late(cx),
                }
                if piece.filled().is_empty() {
                    return Poll::Ready(Ok(Step::Done));
                }
                // Who sends a byte at a time is always ready: the time is up all the same.
                if self.late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
                    self.refuse(Refusal::Slow);
                } else {
                    self.held.extend_from_slice(piece.filled());
                }
            }
            Err(refusal) => self.refuse(refusal),
        }
        Poll::Ready(Ok(Step::Again))
    }

    fn poll_preface(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        left: usize,
    ) -> Poll<io::Result<Step>> {
        let before = out.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, out) {
            Poll::Ready(read) => read?,
            Poll::Pending => return self.poll_late(cx),
        }
        match left.saturating_sub(out.filled().len().saturating_sub(before)) {
            0 => self.open(),
            left => self.state = State::Preface(left),
        }
        Poll::Ready(Ok(Step::Done))
    }

    /// There are no bytes now: is the head late?
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        match &mut self.late {
            // Between two requests the time is Pingora's idle time-out.
            None => return Poll::Pending,
            Some(late) => ready!(late.as_mut().poll(cx)),
        }
        if matches!(self.state, State::Head) && !self.held.is_empty() {
            self.refuse(Refusal::Slow);
            return Poll::Ready(Ok(Step::Again));
        }
        // Who said nothing is told nothing.
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads as much as is needed to tell HTTP/2 from HTTP/1; a refusal cannot come of it.
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let beginning = PREFACE.get(..self.held.len()).unwrap_or_default();
            if self.held != beginning {
                return Poll::Ready(Ok(false));
            }
            if self.held == PREFACE {
                self.state = State::Pass(0);
                return Poll::Ready(Ok(true));
            }
            let mut piece = [0; PREFACE.len()];
            let wanted = PREFACE.len().saturating_sub(self.held.len());
            let mut piece = ReadBuf::new(piece.get_mut(..wanted).unwrap_or_default());
            match Pin::new(&mut self.inner).poll_read(cx, &mut piece) {
                Poll::Ready(read) => read?,
                Poll::Pending => match ready!(self.poll_late(cx))? {
                    // It was refused: the answer is on its way as soon as a head is read.
                    Step::Again | Step::Done => return Poll::Ready(Ok(false)),
                },
            }
            if piece.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.held.extend_from_slice(piece.filled());
        }
    }

    fn open(&mut self) {
        self.state = State::Open;
        self.held = Vec::new();
        self.late = None;
    }

    fn refuse(&mut self, refusal: Refusal) {
        let problem = refusal.problem(&self.rules.bounds);
        let digest = self.inner.get_socket_digest();
        let peer = digest.as_ref().and_then(|digest| digest.peer_addr()?.as_inet());
        (self.rules.witness)(&problem, peer.map(std::net::SocketAddr::ip));
        self.state = State::Refused(Answer::new(&problem));
        self.held = Vec::new();
        self.late = None;
    }
}

/// Says that the next bytes of an HTTP/1 connection are a head. To be called before each is read.
pub fn expect_head(session: &ServerSession) {
    // `Stream` is itself an `IO`: without the second `*` it would be asked about the box.
    let guarded = session.stream().and_then(|stream| (**stream).as_any().downcast_ref::<Guarded>());
    if let Some(guarded) = guarded {
        guarded.next.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Guarded");
        shown.field("inner", &self.inner).field("state", &self.state).finish_non_exhaustive()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Rules");
        shown.field("bounds", &self.bounds).field("time_max", &self.time_max);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
