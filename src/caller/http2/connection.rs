//! One connection that many requests share: who uses it, and whether it is still there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use http::Request;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::stream::Awaited;
use super::upload::Upload;
use super::{Http2Error, STREAMS_MAX};
use crate::caller::head::HEAD_BYTES_MAX;
use crate::caller::wire::Wire;
use crate::time::Timestamp;

/// How much of a response is held here until its client takes more, in bytes.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;
/// The same for all streams of a connection: enough for each, so that a client that takes nothing
/// stands in nobody's way.
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * 100;
const _: () = assert!(STREAMS_MAX == 100, "each stream has its window");
/// How much of a request is held here until its backend takes more, in bytes.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// How long a backend may take to say that it is still there.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, as it is kept.
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    load: Arc<Load>,
    /// Since when nobody uses it.
    idle_since: Option<Timestamp>,
    /// Whether it has been chosen before.
    is_used: bool,
}

/// What is driven as a task.
pub(super) struct Driven {
    connection: h2::client::Connection<Wire, Bytes>,
    load: Arc<Load>,
    greet: oneshot::Sender<Result<(), h2::Error>>,
}

/// Resolves once the backend has greeted, or has not.
pub(super) type Greeted = oneshot::Receiver<Result<(), h2::Error>>;

/// How many streams there may be before the backend says how many: a number that no backend says, as
/// settings have 32 bits.
const UNGREETED: usize = usize::MAX - 1;

/// What users and driver of a connection know of each other.
#[derive(Debug, Default)]
pub(super) struct Load {
    requests: AtomicUsize,
    is_over: AtomicBool,
    is_doubted: AtomicBool,
    doubt: Notify,
}

/// One request's part of a connection.
#[derive(Debug)]
pub(super) struct Lease(Arc<Load>);

/// A connection that was chosen for a request.
pub(super) struct Channel {
    sender: SendRequest<Bytes>,
    lease: Lease,
    is_reused: bool,
}

impl Connection {
    /// Begins to speak HTTP/2. What is returned with it is to be driven as a task, and resolves once the
    /// backend has said how many requests it takes: before, nobody may be given a part of it.
    pub(super) async fn begin(wire: Wire) -> Result<(Self, Driven, Greeted), h2::Error> {
        let (sender, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(UNGREETED)
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .enable_push(false)
            .handshake(wire)
            .await?;
        let load = Arc::new(Load::default());
        let kept = Self { sender, load: Arc::clone(&load), idle_since: None, is_used: false };
        let (greet, greeted) = oneshot::channel();
        Ok((kept, Driven { connection, load, greet }, greeted))
    }

    /// Whether new requests may be sent. The backend may have said that it goes.
    pub(super) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let is_over = self.load.is_over.load(Ordering::Relaxed);
        !is_over && !matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Whether one more request may be sent at once.
    pub(super) fn has_room(&self, streams_max: usize) -> bool {
        let max = self.sender.current_max_send_streams().min(streams_max);
        !self.load.is_doubted.load(Ordering::Relaxed) && self.load() < max
    }

    /// How many requests there are on it.
    pub(super) fn load(&self) -> usize {
        self.load.requests.load(Ordering::Relaxed)
    }

    /// Whether nobody has used it for as long as `longest`, as far as is known.
    pub(super) fn is_idle(&mut self, now: Timestamp, longest: Duration) -> bool {
        if self.load() != 0 {
            self.idle_since = None;
            return false;
        }
        longest <= now.since(*self.idle_since.get_or_insert(now))
    }

    /// A part of it for one more request.
    pub(super) fn channel(&mut self) -> Channel {
        self.load.requests.fetch_add(1, Ordering::Relaxed);
        self.idle_since = None;
        let is_reused = std::mem::replace(&mut self.is_used, true);
        let lease = Lease(Arc::clone(&self.load));
        Channel { sender: self.sender.clone(), lease, is_reused }
    }
}

impl Channel {
    /// Sends a head; `None` if the connection takes no more, and nothing was sent.
    pub(super) fn send(
        mut self,
        request: &Request<()>,
        has_body: bool,
    ) -> Option<(Awaited, Option<Upload>)> {
        match self.sender.send_request(request.clone(), !has_body) {
            Ok((response, body)) => {
                let upload = has_body.then(|| Upload::new(body));
                Some((Awaited::new(response, self.lease, self.is_reused), upload))
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to a backend takes no more requests");
                self.lease.0.is_over.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Lease {
    /// The backend let a request wait for too long: unless it says soon that it is there, the
    /// connection is given up. Until then nobody else is given a part of it.
    pub(super) fn doubt(&self) {
        if !self.0.is_doubted.swap(true, Ordering::Relaxed) {
            self.0.doubt.notify_one();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Moves the bytes of a connection until it is over.
pub(super) async fn drive(driven: Driven) {
    let Driven { mut connection, load, greet } = driven;
    let pings = connection.ping_pong();
    let mut greet = Some(greet);
    let connection = poll_fn(move |cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        let is_greeted = || connection.max_concurrent_send_streams() != UNGREETED;
        // What is said to nobody is lost: who waited is gone.
        match polled {
            Poll::Pending if greet.is_some() && is_greeted() => {
                let _ = greet.take().map(|greet| greet.send(Ok(())));
            }
            Poll::Ready(Err(error)) if greet.is_some() => {
                let _ = greet.take().map(|greet| greet.send(Err(error)));
                return Poll::Ready(Ok(()));
            }
            Poll::Pending | Poll::Ready(_) => (),
        }
        polled
    });
    tokio::select! {
        biased;
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to a backend broke");
            }
        }
        () = lost(pings, &load) => tracing::debug!("a backend does not answer pings"),
    }
    load.is_over.store(true, Ordering::Relaxed);
}

/// Resolves once the backend does not say, when asked, that it is still there.
///
/// It is asked only where there is doubt: servers of gRPC take pings in number for an attack.
async fn lost(pings: Option<PingPong>, load: &Load) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        load.doubt.notified().await;
        if !matches!(timeout(PONG_TIMEOUT, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
        load.is_doubted.store(false, Ordering::Relaxed);
    }
}

impl From<h2::Error> for crate::caller::CallError {
    fn from(error: h2::Error) -> Self {
        Self::Http2(Http2Error::from(error))
    }
}
