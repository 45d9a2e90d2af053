//! Where clients arrive: sockets, TLS, host names and HTTP versions.
//!
//! Pingora's own listening service binds when the server already runs, and retries for half a
//! minute before it panics; it gives a handshake a minute, and counts nothing. So [`Listener`]
//! accepts itself: addresses are taken beforehand ([`Bound`]), each connection takes a seat before
//! it costs anything, and is [guarded](super::guard) before Pingora reads from it. What answers is
//! the gateway ([`Proxied`]), or another app of Pingora's kind.

mod app;
mod bind;
mod socket;
mod tls;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pingora::apps::ServerApp;
use pingora::protocols::{ALPN, Ssl, Stream};
use pingora::proxy::ProxyHttp;
use pingora::server::ShutdownWatch;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use app::{Make, Proxied};
pub use bind::{BindError, Bound};
pub use tls::{Certificate, Clients, Oldest, Shown, Terms, TlsError};

use crate::proxy::guard::{Guarded, Rules};
use crate::snapshot::Live;
use socket::Socket;

/// The most connections of clients at a time.
pub const CONNECTIONS_MAX: usize = 10_000;
/// How long nothing is accepted once the process ran out of file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Where and how clients are served.
pub struct Plan {
    /// Plain HTTP.
    pub http: Option<Bound>,
    /// HTTP over TLS, and on which terms.
    pub https: Option<(Bound, Terms)>,
    /// Whether the plain listener speaks HTTP/2 too, to who begins with it (RFC 9113 §3.3).
    pub h2c: bool,
    /// The most connections at a time.
    pub connections_max: usize,
    /// How heads are judged.
    pub rules: Rules,
}

/// What became of connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicUsize,
    let_in: AtomicU64,
    turned_away: AtomicU64,
    handshakes_failed: AtomicU64,
}

/// Serves clients with the app `A`.
pub struct Listener<A> {
    app: Arc<A>,
    plain: Option<Bound>,
    secure: Option<Bound>,
    tls: Option<Arc<tls::Door>>,
    rules: Arc<Rules>,
    connections: Arc<Connections>,
    connections_max: usize,
}

/// A place among the connections, given back when it is dropped.
struct Seat(Arc<Connections>);

impl Connections {
    /// How many are open, handshakes included.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many were let in.
    pub fn let_in(&self) -> u64 {
        self.let_in.load(Ordering::Relaxed)
    }

    /// How many were closed at once, because there were too many.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// How many TLS handshakes failed.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    fn take(self: &Arc<Self>, max: usize) -> Option<Seat> {
        let seat = Seat(Arc::clone(self));
        if self.open.fetch_add(1, Ordering::Relaxed) < max {
            self.let_in.fetch_add(1, Ordering::Relaxed);
            return Some(seat);
        }
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<P> Listener<Proxied<P>>
where
    P: ProxyHttp + Clone + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    /// Serves `plan` with `gateway`, around which `make` puts Pingora's proxy where that is needed;
    /// certificates are those of `live` at the time of each handshake.
    pub fn new(plan: Plan, gateway: P, make: Make<P>, live: Arc<Live>) -> Result<Self, TlsError> {
        Self::build(plan, gateway, make, tls::find_in(live))
    }

    fn build(plan: Plan, gateway: P, make: Make<P>, find: tls::Find) -> Result<Self, TlsError> {
        let (secure, tls) = match plan.https {
            Some((bound, terms)) => (Some(bound), Some(Arc::new(tls::Door::new(&terms, find)?))),
            None => (None, None),
        };
        Ok(Self {
            app: Arc::new(Proxied::new(gateway, make, plan.h2c, plan.rules.bounds.bytes_max)),
            plain: plan.http,
            secure,
            tls,
            rules: Arc::new(plan.rules),
            connections: Arc::default(),
            connections_max: plan.connections_max,
        })
    }
}

impl<A: ServerApp + Send + Sync + 'static> Listener<A> {
    /// Serves plain HTTP on `bound` with `app`, to at most `connections_max` connections.
    pub fn plain(bound: Bound, app: A, rules: Rules, connections_max: usize) -> Self {
        Self {
            app: Arc::new(app),
            plain: Some(bound),
            secure: None,
            tls: None,
            rules: Arc::new(rules),
            connections: Arc::default(),
            connections_max,
        }
    }

    /// What answers.
    pub const fn app(&self) -> &Arc<A> {
        &self.app
    }

    /// What becomes of connections.
    pub const fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Takes a connection in, unless there are too many.
    fn admit(
        &self,
        clients: &mut JoinSet<()>,
        (tcp, peer): (TcpStream, SocketAddr),
        is_secure: bool,
        shutdown: &ShutdownWatch,
    ) {
        let Some(seat) = self.connections.take(self.connections_max) else {
            return;
        };
        let client = Client {
            app: Arc::clone(&self.app),
            tls: if is_secure { self.tls.clone() } else { None },
            rules: Arc::clone(&self.rules),
            shutdown: shutdown.clone(),
            seat,
        };
        clients.spawn(client.serve(tcp, peer));
    }

    /// Serves until `shutdown` is true, or has nobody any more who could say so; then nobody new is
    /// let in, idle connections are closed, and it ends when the last one has gone.
    pub async fn serve(mut self, mut shutdown: ShutdownWatch) {
        let served = self.plain.take().map(Bound::serve).transpose();
        let (plain, secure) = match (served, self.secure.take().map(Bound::serve).transpose()) {
            (Ok(plain), Ok(secure)) => (plain, secure),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "an address that was taken cannot be served");
                return;
            }
        };
        let mut clients = JoinSet::new();
        while !*shutdown.borrow() {
            tokio::select! {
                arrived = accept(plain.as_ref()) => {
                    if let Some(arrived) = arrived {
                        self.admit(&mut clients, arrived, false, &shutdown);
                    }
                }
                arrived = accept(secure.as_ref()) => {
                    if let Some(arrived) = arrived {
                        self.admit(&mut clients, arrived, true, &shutdown);
                    }
                }
                Some(left) = clients.join_next() => report(left),
                told = shutdown.changed() => {
                    if told.is_err() {
                        break;
                    }
                }
            }
        }
        drop((plain, secure));
        self.app.cleanup().await;
        while let Some(left) = clients.join_next().await {
            report(left);
        }
    }
}

/// One connection and what it needs.
struct Client<A> {
    app: Arc<A>,
    tls: Option<Arc<tls::Door>>,
    rules: Arc<Rules>,
    shutdown: ShutdownWatch,
    seat: Seat,
}

impl<A: ServerApp + Send + Sync + 'static> Client<A> {
    async fn serve(self, tcp: TcpStream, peer: SocketAddr) {
        // A connection that went away meanwhile is noticed with its first read.
        let _ = tcp.set_nodelay(true);
        let Some(stream) = self.open(Socket::new(tcp, peer), peer.ip()).await else {
            return;
        };
        let mut next = self.app.process_new(Box::new(stream), &self.shutdown).await;
        while let Some(stream) = next {
            next = self.app.process_new(stream, &self.shutdown).await;
        }
    }

    async fn open(&self, socket: Socket, peer: IpAddr) -> Option<Guarded> {
        let rules = Arc::clone(&self.rules);
        let Some(door) = &self.tls else {
            return Some(Guarded::new(Box::new(socket), rules, false));
        };
        match door.enter(socket).await {
            Ok(stream) => {
                let is_http2 = stream.selected_alpn_proto() == Some(ALPN::H2);
                let stream: Stream = Box::new(stream);
                Some(Guarded::new(stream, rules, is_http2))
            }
            Err(error) => {
                self.seat.0.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, %peer, "a TLS handshake failed");
                None
            }
        }
    }
}

/// The next connection of `listener`; never, where there is none.
async fn accept(listener: Option<&TcpListener>) -> Option<(TcpStream, SocketAddr)> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    match listener.accept().await {
        Ok(arrived) => Some(arrived),
        Err(error) if is_passing(&error) => None,
        Err(error) => {
            // Out of descriptors or memory: others must leave first, and asking again at once
            // would only burn the time that they need.
            tracing::error!(%error, "no connection can be accepted for now");
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            None
        }
    }
}

/// Whether the error is that one connection's own (accept(2): it went away while it waited).
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}

/// A connection has ended. A panic ends only the connection it happens on, but it is a bug.
fn report(left: Result<(), tokio::task::JoinError>) {
    if let Err(error) = left
        && error.is_panic()
    {
        tracing::error!("a connection ended in a panic");
    }
}

impl<A> fmt::Debug for Listener<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Listener");
        shown.field("plain", &self.plain).field("secure", &self.secure).finish_non_exhaustive()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Plan");
        shown.field("http", &self.http).field("https", &self.https).field("h2c", &self.h2c);
        shown.field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
