//! A call whose head has come back, and its body, however it came.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, Method, Response};
use pingora::http::ResponseHeader;
use tokio::time::Sleep;

use crate::caller::body::Body;
use crate::caller::connection::Connection;
use crate::caller::destination::Destination;
use crate::caller::http2::{Awaited, Stream, Upload};
use crate::caller::switched::Switched;
use crate::caller::{CallError, Caller, is_switch};
use crate::exchange::diagnostics::Excerpt;
use crate::llm::meter::Meter;
use crate::time::Timestamp;

/// A call whose head has come back.
pub struct Call {
    source: Source,
    /// The longest silence within the body.
    silence: Duration,
    /// What was read ahead of the body, and is to be read again.
    ahead: Bytes,
    /// Hears the body.
    meter: Option<Arc<Mutex<Meter>>>,
    /// What is shown of the body.
    tap: Option<Arc<Mutex<Excerpt>>>,
    /// The head.
    pub head: ResponseHeader,
}

/// Where the body comes from.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every call has a connection of its own, and a box for each would cost more"
)]
enum Source {
    /// A connection of its own.
    Single(Single),
    /// A stream of HTTP/2.
    Stream(Box<Stream>),
}

/// A connection of HTTP/1.1, and what is to be known at the end of the response.
pub(super) struct Single {
    pub(super) caller: Arc<Caller>,
    pub(super) destination: Destination,
    pub(super) connection: Connection,
    pub(super) body: Body,
    pub(super) begun: Timestamp,
    /// Whether the connection may be used again.
    pub(super) keeps: bool,
}

impl Call {
    /// Over a connection of its own.
    pub(super) const fn single(single: Single, head: ResponseHeader, silence: Duration) -> Self {
        Self::new(Source::Single(single), head, silence)
    }

    /// Over HTTP/2: what was `awaited`, to a request with `method`, and the rest of that request.
    /// Neither side may be silent for longer than `silence`.
    pub fn shared(
        (awaited, upload): (Awaited, Option<Upload>),
        response: Response<RecvStream>,
        method: &Method,
        silence: Duration,
    ) -> Self {
        let (head, mut stream) = awaited.begin(response, method);
        stream.upload = upload.filter(|upload| !upload.is_over());
        Self::new(Source::Stream(Box::new(stream)), head, silence)
    }

    const fn new(source: Source, head: ResponseHeader, silence: Duration) -> Self {
        Self { source, silence, ahead: Bytes::new(), meter: None, tap: None, head }
    }

    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        if !self.ahead.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ahead)));
        }
        let piece = match &mut self.source {
            Source::Single(Single { connection, body, .. }) => {
                let outcome = tokio::time::timeout(self.silence, connection.piece(body)).await;
                outcome.map_err(|_elapsed| CallError::Late(self.silence))??
            }
            Source::Stream(stream) => stream.next(self.silence).await?,
        };
        if let (Some(meter), Some(piece)) = (&self.meter, &piece) {
            meter.lock().unwrap_or_else(PoisonError::into_inner).feed(piece);
        }
        if let (Some(tap), Some(piece)) = (&self.tap, &piece) {
            tap.lock().unwrap_or_else(PoisonError::into_inner).feed(piece);
        }
        Ok(piece)
    }

    /// Lets `meter` hear the body from here on.
    pub fn listen(&mut self, meter: Arc<Mutex<Meter>>) {
        self.meter = Some(meter);
    }

    /// Lets `excerpt` hear the body from here on.
    pub fn tap(&mut self, excerpt: Arc<Mutex<Excerpt>>) {
        self.tap = Some(excerpt);
    }

    /// What was read ahead of the body.
    pub const fn ahead(&self) -> &Bytes {
        &self.ahead
    }

    /// Reads some of the body ahead of whoever reads it next: up to its end, or until that are more
    /// than `bytes_max` bytes. Whether it is all.
    pub async fn read_ahead(&mut self, bytes_max: usize) -> Result<bool, CallError> {
        let Some(first) = self.next().await? else {
            return Ok(true);
        };
        if self.is_read() {
            self.ahead = first;
            return Ok(true);
        }
        let mut ahead = BytesMut::from(&first[..]);
        let mut is_all = false;
        while !is_all && ahead.len() <= bytes_max {
            match self.next().await? {
                Some(piece) => ahead.extend_from_slice(&piece),
                None => is_all = true,
            }
        }
        self.ahead = ahead.freeze();
        Ok(is_all)
    }

    /// The head, to be sent on; what is left has none.
    pub fn take_head(&mut self) -> ResponseHeader {
        std::mem::replace(&mut self.head, ResponseHeader::from(Response::new(()).into_parts().0))
    }

    /// Whether the connection speaks another protocol from here on.
    pub fn is_switched(&self) -> bool {
        is_switch(self.head.status) && !self.is_http2()
    }

    /// The connection, as what it is once it has switched protocols.
    pub fn switched(self) -> Option<Switched> {
        match self.source {
            Source::Single(single) => Some(single.connection.switched()),
            Source::Stream(_) => None,
        }
    }

    /// Whether it came over HTTP/2.
    pub const fn is_http2(&self) -> bool {
        matches!(self.source, Source::Stream(_))
    }

    /// All of it must be over when `deadline` is, over HTTP/2.
    pub fn ends_with(&mut self, deadline: Option<Pin<Box<Sleep>>>) {
        if let Source::Stream(stream) = &mut self.source {
            stream.deadline = deadline;
        }
    }

    /// Whether the body of the request is still on its way.
    pub fn uploads(&self) -> bool {
        matches!(&self.source, Source::Stream(stream) if stream.upload.is_some())
    }

    /// The rest of the request's body, to be sent while the response is read.
    pub fn take_upload(&mut self) -> Option<Upload> {
        match &mut self.source {
            Source::Stream(stream) => stream.upload.take(),
            Source::Single(_) => None,
        }
    }

    /// What stood behind the body, once that is read.
    pub const fn take_trailers(&mut self) -> Option<HeaderMap> {
        match &mut self.source {
            Source::Stream(stream) => stream.take_trailers(),
            Source::Single(_) => None,
        }
    }

    /// Whether the body is at its end.
    pub const fn is_done(&self) -> bool {
        self.is_read() && self.ahead.is_empty()
    }

    const fn is_read(&self) -> bool {
        match &self.source {
            Source::Single(single) => single.body.is_done(),
            Source::Stream(stream) => stream.is_over(),
        }
    }

    /// Whether some of the body is here already, so that nobody waits for the next piece.
    pub fn has_piece(&self) -> bool {
        let is_read = match &self.source {
            Source::Single(single) => !single.connection.is_used_up(),
            Source::Stream(_) => false,
        };
        is_read || !self.ahead.is_empty()
    }

    /// How long the body is; `None` if that shows at its end only.
    pub fn length(&self) -> Option<u64> {
        let ahead = u64::try_from(self.ahead.len()).unwrap_or(u64::MAX);
        let left = match &self.source {
            Source::Single(single) => match single.body {
                Body::Done => Some(0),
                Body::Length(length) => Some(length),
                Body::Chunks(_) | Body::UntilClose => None,
            },
            Source::Stream(stream) => stream.left(),
        };
        left.map(|left| left.saturating_add(ahead))
    }

    /// Keeps the connection for the next call if the response was read to its end.
    pub fn release(self) {
        let Source::Single(single) = self.source else { return };
        let Single { caller, destination, mut connection, body, begun, keeps } = single;
        if keeps && body.is_done() && connection.is_used_up() {
            connection.rest();
            caller.keep(&destination, connection, begun);
        }
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Call").field("status", &self.head.status).finish_non_exhaustive()
    }
}
