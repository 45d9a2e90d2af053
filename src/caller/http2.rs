//! HTTP/2 towards backends (RFC 9113): connections that many requests share.
//!
//! Whoever asks gets a stream of a connection to the very same [`Destination`]: what is shown to a
//! backend and the way to it are part of that, so nobody's requests travel as somebody else. A
//! connection is shared by as many streams as both sides allow; when it is full another one is made,
//! up to a bound, and behind that bound requests wait for their turn.
//!
//! Frames, windows and their order are the `h2` crate's; how many connections there are, when one is
//! given up, and what may be sent a second time are decided here. A connection is a task of the
//! runtime that serves clients: no other thread has to be woken for a request.

mod connection;
mod stream;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Version};
use tokio::task::JoinSet;

use self::connection::{Channel, Connection, drive};
pub(super) use self::stream::Stream;
pub use self::stream::{Awaited, Heard};
pub use self::upload::{Kept, Upload};
use crate::backend::version::HttpVersion;
use crate::backend::{CONNECT_TIMEOUT, IDLE_TIMEOUT, Scheme};
use crate::caller::connection::Connection as Single;
use crate::caller::destination::Destination;
use crate::caller::secure::Offer;
use crate::caller::{CallError, Caller};
use crate::time::Timestamp;

/// The most streams of one connection that are open at once; fewer where the backend allows fewer.
const STREAMS_MAX: usize = 100;
/// The most connections to one destination.
const CONNECTIONS_MAX: usize = 16;
/// The most requests on one connection, with those that wait until the backend allows one more.
const REQUESTS_MAX: usize = 1000;
/// The most destinations.
const DESTINATIONS_MAX: usize = 4096;
/// How long a backend that agreed to HTTP/1.1 only is not asked again.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The connections to all destinations.
#[derive(Default)]
pub(super) struct Channels {
    places: Mutex<HashMap<Destination, Place>>,
    /// A task for each connection.
    drivers: Mutex<JoinSet<()>>,
}

/// What is known of one destination.
#[derive(Default)]
struct Place {
    connections: Vec<Connection>,
    /// Held by who makes the next connection: whoever wants one as well waits and shares it.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// When it agreed to HTTP/1.1 only.
    single_since: Option<Timestamp>,
}

/// Why there is no answer over HTTP/2.
#[derive(Debug, thiserror::Error)]
pub enum Http2Error {
    /// The backend agreed to HTTP/1.1 only, or to nothing.
    #[error(
        "the backend does not agree to HTTP/2 (ALPN); http-version or httpVersion `2or1` would take \
         HTTP/1.1 as well"
    )]
    NotSpoken,
    /// It did not begin with HTTP/2.
    #[error("the backend does not speak HTTP/2")]
    Ungreeted(#[source] Option<h2::Error>),
    /// All that may be asked of it at once is asked.
    #[error("too many requests wait for the backend already")]
    Crowded,
    /// It never took the request up: it refused the stream, or went away before it.
    #[error("the backend refused the request, unprocessed")]
    Unprocessed(#[source] h2::Error),
    /// It ended the stream.
    #[error("the backend broke the request off ({0})")]
    Reset(h2::Reason),
    /// What it says is no HTTP/2.
    #[error("the backend answered with an invalid response: it is no valid HTTP/2 ({0})")]
    Invalid(h2::Reason),
    /// The connection broke.
    #[error("the connection to the backend broke")]
    Broken(#[source] h2::Error),
}

impl Http2Error {
    /// Whether the backend surely did nothing for the request, so that it may be sent once more
    /// whatever it is (RFC 9113 §8.7).
    pub const fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Unprocessed(_))
    }

    /// Whether the connection broke, with no word about the request.
    pub const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// What it is, in a word: for `error.type` and for whoever counts.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotSpoken | Self::Ungreeted(_) => "http2_not_spoken",
            Self::Crowded => "too_many_streams",
            Self::Unprocessed(_) => "stream_refused",
            Self::Reset(_) => "stream_reset",
            Self::Invalid(_) => "invalid_response",
            Self::Broken(_) => "connection_reset",
        }
    }
}

impl From<h2::Error> for Http2Error {
    fn from(error: h2::Error) -> Self {
        let Some(reason) = error.reason() else { return Self::Broken(error) };
        let is_refused = error.is_reset() && reason == h2::Reason::REFUSED_STREAM;
        // Streams that a GOAWAY does not name as possibly processed end with it; others go on.
        if error.is_remote() && (is_refused || error.is_go_away()) {
            Self::Unprocessed(error)
        } else if error.is_remote() {
            Self::Reset(reason)
        } else {
            Self::Invalid(reason)
        }
    }
}

impl Caller {
    /// Whether the backend at `destination` is spoken to in HTTP/2, if `version` is wanted. Where that
    /// is for the backend to say, it is asked, and the connection that comes of it is kept.
    pub async fn speaks_http2(
        self: &Arc<Self>,
        destination: &Destination,
        version: HttpVersion,
        now: Timestamp,
    ) -> Result<bool, CallError> {
        match version {
            HttpVersion::One => Ok(false),
            HttpVersion::Two => Ok(true),
            // In the clear nobody can be asked.
            HttpVersion::TwoOrOne if destination.secure.is_none() => Ok(false),
            HttpVersion::TwoOrOne => {
                if self.channels.is_single(destination, now) {
                    return Ok(false);
                }
                let reached = self.channels.reach(self, destination, Offer::TwoOrOne, now).await?;
                Ok(match reached {
                    Reached::Shared(_) => true,
                    Reached::Single(connection) => {
                        self.keep(destination, connection, now);
                        false
                    }
                    Reached::Known => false,
                })
            }
        }
    }

    /// Sends the head of a request over HTTP/2, with an upload for its body if it `has_body`.
    pub async fn ask(
        self: &Arc<Self>,
        destination: &Destination,
        request: &Request<()>,
        has_body: bool,
        now: Timestamp,
    ) -> Result<(Awaited, Option<Upload>), CallError> {
        for _ in 0..=CONNECTIONS_MAX {
            let reached = self.channels.reach(self, destination, Offer::Two, now).await?;
            let Reached::Shared(channel) = reached else {
                return Err(Http2Error::NotSpoken.into());
            };
            // One that ends right now has nothing of the request: the next one is taken.
            if let Some(sent) = channel.send(request, has_body) {
                return Ok(sent);
            }
        }
        Err(Http2Error::Crowded.into())
    }
}

/// What there is to a destination.
enum Reached {
    /// HTTP/2.
    Shared(Channel),
    /// HTTP/1.1, for one request at a time.
    Single(Single),
    /// The same, as somebody found out meanwhile.
    Known,
}

impl Channels {
    /// A way to `destination`: a connection that is there and has room, or a new one.
    async fn reach(
        &self,
        caller: &Arc<Caller>,
        destination: &Destination,
        offer: Offer,
        now: Timestamp,
    ) -> Result<Reached, CallError> {
        let gate = match self.choose(destination)? {
            Ok(channel) => return Ok(Reached::Shared(channel)),
            Err(gate) => gate,
        };
        let entered = tokio::time::timeout(CONNECT_TIMEOUT, gate.lock_owned()).await;
        let _entered = entered.map_err(|_elapsed| CallError::late_to_connect())?;
        if let Ok(channel) = self.choose(destination)? {
            return Ok(Reached::Shared(channel));
        }
        if offer == Offer::TwoOrOne && self.is_single(destination, now) {
            return Ok(Reached::Known);
        }
        // Boxed: it is rare, and what a future may hold is moved with every request.
        let wire = Box::pin(caller.connect(destination, offer)).await?;
        if destination.secure.is_some() && !wire.speaks_http2() {
            if offer == Offer::Two {
                return Err(Http2Error::NotSpoken.into());
            }
            self.lock().entry(destination.clone()).or_default().single_since = Some(now);
            return Ok(Reached::Single(Single::new(wire)));
        }
        let (turn, heard) = (wire.turn(), wire.heard());
        let begun = tokio::time::timeout(CONNECT_TIMEOUT, Connection::begin(wire)).await;
        let begun = begun.map_err(|_elapsed| CallError::late_to_connect())?;
        let (mut connection, driven, greeted) = begun.map_err(Http2Error::from)?;
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner).spawn(drive(driven));
        let greeted = tokio::time::timeout(CONNECT_TIMEOUT, greeted).await;
        // Why TLS ended is more than that HTTP/2 did not begin.
        let ungreeted = |error| {
            let heard = heard.as_ref().map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
            match heard.and_then(|mut it| it.take()) {
                Some(refused) => CallError::from(refused),
                None => CallError::from(Http2Error::Ungreeted(error)),
            }
        };
        match greeted.map_err(|_elapsed| CallError::late_to_connect())? {
            Ok(Ok(())) => (),
            Ok(Err(error)) => return Err(ungreeted(Some(error))),
            Err(_ended) => return Err(ungreeted(None)),
        }
        let channel = connection.channel();
        if !caller.is_current(turn) {
            return Ok(Reached::Shared(channel));
        }
        let mut places = self.lock();
        let place = places.entry(destination.clone()).or_default();
        place.single_since = None;
        place.connections.push(connection);
        Ok(Reached::Shared(channel))
    }

    /// Lets go of all connections over TLS; streams that are open go on.
    pub(super) fn forget_secure(&self) {
        self.lock().retain(|destination, _place| destination.secure.is_none());
    }

    /// A stream of a connection that has room for one; else, where another connection may be made, the
    /// gate to pass before.
    fn choose(
        &self,
        destination: &Destination,
    ) -> Result<Result<Channel, Arc<tokio::sync::Mutex<()>>>, Http2Error> {
        let mut places = self.lock();
        let Some(place) = places.get_mut(destination) else {
            if DESTINATIONS_MAX <= places.len() {
                places.retain(|_destination, place| place.is_wanted());
            }
            if DESTINATIONS_MAX <= places.len() {
                return Err(Http2Error::Crowded);
            }
            let place = places.entry(destination.clone()).or_default();
            return Ok(Err(Arc::clone(&place.gate)));
        };
        place.connections.retain_mut(Connection::is_open);
        let mut least: Option<&mut Connection> = None;
        let is_full = CONNECTIONS_MAX <= place.connections.len();
        for connection in &mut place.connections {
            // The first one with room: others become idle, and are closed.
            if connection.has_room(STREAMS_MAX) {
                return Ok(Ok(connection.channel()));
            }
            if least.as_ref().is_none_or(|least| connection.load() < least.load()) {
                least = Some(connection);
            }
        }
        match least {
            Some(least) if is_full && least.load() < REQUESTS_MAX => Ok(Ok(least.channel())),
            Some(_) if is_full => Err(Http2Error::Crowded),
            _ => Ok(Err(Arc::clone(&place.gate))),
        }
    }

    /// Whether the backend agreed to HTTP/1.1 only, lately.
    fn is_single(&self, destination: &Destination, now: Timestamp) -> bool {
        let places = self.lock();
        let since = places.get(destination).and_then(|place| place.single_since);
        since.is_some_and(|since| now.since(since) < REMEMBERED)
    }

    /// Lets go of connections that were idle for long or are over, and of what is known of places
    /// that nobody asks for.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        while drivers.try_join_next().is_some() {}
        drop(drivers);
        self.lock().retain(|_destination, place| {
            place.connections.retain_mut(|it| it.is_open() && !it.is_idle(now, IDLE_TIMEOUT));
            if place.single_since.is_some_and(|since| REMEMBERED <= now.since(since)) {
                place.single_since = None;
            }
            place.is_wanted()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Destination, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn is_wanted(&self) -> bool {
        let is_being_made = 1 < Arc::strong_count(&self.gate);
        !self.connections.is_empty() || self.single_since.is_some() || is_being_made
    }
}

/// The head of a request without fields: `target` is path and query, as they are sent.
pub fn request(
    method: &http::Method,
    (scheme, authority): (Scheme, &[u8]),
    target: &[u8],
) -> Result<Request<()>, CallError> {
    let uri = http::Uri::builder().scheme(scheme.as_str()).authority(authority);
    let uri = uri.path_and_query(target).build();
    let unsendable = "its target or host holds characters that no URL has";
    let uri = uri.map_err(|_refused| CallError::Unsendable(unsendable))?;
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}
