//! One response over HTTP/2: its head is awaited, its body is read piece by piece, and what stands
//! behind the body is kept.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::header::{CONTENT_LENGTH, TE, TRAILER};
use http::response::Parts;
use http::{HeaderMap, Method, Response, Version};
use pingora::http::ResponseHeader;
use tokio::time::{Sleep, timeout};

use super::connection::Lease;
use super::{Http2Error, Upload};
use crate::caller::CallError;

/// A response that is awaited.
#[derive(Debug)]
pub struct Awaited {
    response: ResponseFuture,
    lease: Lease,
    is_reused: bool,
}

/// What came for a request.
#[derive(Debug)]
pub enum Heard {
    /// An informational head: the response is still to come.
    Informational(ResponseHeader),
    /// The head of the response.
    Response(Response<RecvStream>),
}

/// A response whose head is here.
#[derive(Debug)]
pub(in crate::caller) struct Stream {
    body: RecvStream,
    lease: Lease,
    /// What is left of a body whose length was said.
    left: Option<u64>,
    is_over: bool,
    trailers: Option<HeaderMap>,
    /// When all of the call must be over.
    pub(in crate::caller) deadline: Option<Pin<Box<Sleep>>>,
    /// The rest of the request.
    pub(in crate::caller) upload: Option<Upload>,
}

impl Awaited {
    pub(super) const fn new(response: ResponseFuture, lease: Lease, is_reused: bool) -> Self {
        Self { response, lease, is_reused }
    }

    /// Whether the connection was used before, so that it may be one that the backend has closed.
    pub const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// The next head, which may be an informational one. May be dropped and called again.
    pub async fn head(&mut self) -> Result<Heard, Http2Error> {
        poll_fn(|cx| {
            if let Poll::Ready(Some(Ok(head))) = self.response.poll_informational(cx) {
                let head = passed_on(head.into_parts().0);
                return Poll::Ready(Ok(Heard::Informational(head)));
            }
            let response = Pin::new(&mut self.response).poll(cx);
            response.map(|response| Ok(Heard::Response(response?)))
        })
        .await
    }

    /// The request waits for too long.
    pub fn doubt(&self) {
        self.lease.doubt();
    }

    /// The head and what follows it, of the response to a request with `method`.
    pub(in crate::caller) fn begin(
        self,
        response: Response<RecvStream>,
        method: &Method,
    ) -> (ResponseHeader, Stream) {
        let (mut head, body) = response.into_parts();
        head.headers.remove(TE);
        head.headers.remove(TRAILER);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let left = length.and_then(|length| length.parse().ok());
        let is_over = *method == Method::HEAD || body.is_end_stream();
        let lease = self.lease;
        let (trailers, deadline, upload) = (None, None, None);
        let stream = Stream { body, lease, left, is_over, trailers, deadline, upload };
        (passed_on(head), stream)
    }
}

impl Stream {
    /// The next piece of the body, for which there is `silence` at most; `None` at its end.
    pub(in crate::caller) async fn next(
        &mut self,
        silence: Duration,
    ) -> Result<Option<Bytes>, CallError> {
        if self.is_over {
            return Ok(None);
        }
        let Self { body, deadline, .. } = self;
        let read = read(body);
        let outcome = match deadline {
            Some(deadline) => tokio::select! {
                biased;
                read = timeout(silence, read) => read.ok(),
                () = deadline => return Err(CallError::Overdue),
            },
            None => timeout(silence, read).await.ok(),
        };
        let Some(outcome) = outcome else {
            self.lease.doubt();
            return Err(CallError::Late(silence));
        };
        match outcome.map_err(Http2Error::from)? {
            Read::Piece(piece) => {
                let taken = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(taken));
                self.is_over = self.body.is_end_stream();
                Ok(Some(piece))
            }
            Read::End(trailers) => {
                self.trailers = trailers;
                self.is_over = true;
                Ok(None)
            }
        }
    }

    /// Whether the body is at its end, and nothing stands behind it that is not here.
    pub(in crate::caller) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// How much of the body is left, if that was said.
    pub(in crate::caller) const fn left(&self) -> Option<u64> {
        if self.is_over { Some(0) } else { self.left }
    }

    /// What stood behind the body; to be asked for at its end.
    pub(in crate::caller) const fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

/// A head as it goes on, to whatever client.
fn passed_on(head: Parts) -> ResponseHeader {
    let mut head = ResponseHeader::from(head);
    head.set_version(Version::HTTP_11);
    head
}

/// What is read of a body.
enum Read {
    Piece(Bytes),
    End(Option<HeaderMap>),
}

async fn read(body: &mut RecvStream) -> Result<Read, h2::Error> {
    while let Some(piece) = body.data().await {
        let piece = piece?;
        // Whoever reads passes it on before reading more, so that this much is held at most.
        body.flow_control().release_capacity(piece.len())?;
        if !piece.is_empty() {
            return Ok(Read::Piece(piece));
        }
    }
    Ok(Read::End(body.trailers().await?))
}
