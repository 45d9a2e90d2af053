//! Lets gateways in: accepts connections and shakes hands, with the certificate as it is now.

mod seats;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use openssl::x509::X509;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;
use tokio_stream::wrappers::ReceiverStream;

use super::{HTTP2, Stream};
pub(super) use seats::Seat;
use seats::Seats;

/// How long a handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How many handshakes may go on at a time; more wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// How many connections may wait to be served.
const WAITING_MAX: usize = 16;
/// How long nothing is accepted once the process ran out of file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// The largest certificate or key, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The files of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// PEM: the certificate, then its issuers.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be spoken with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file cannot be read.
    #[error("the file {path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// What was read is no certificate with its key.
    #[error("{path} holds no certificate that fits its key: {source}")]
    Wrong {
        /// The certificate's file.
        path: String,
        /// Why not.
        source: ErrorStack,
    },
    /// No certificate in it.
    #[error("there is no certificate in {0}")]
    Empty(String),
}

/// Shakes hands with the certificate in files, which it reads again when they change.
pub struct Terms {
    files: Files,
    acceptor: Arc<SslAcceptor>,
    seen: Seen,
}

/// What the files looked like: when they were changed, and how long they were.
type Seen = [Option<(SystemTime, u64)>; 2];

impl Terms {
    /// Terms with the certificate in `files`.
    pub fn new(files: Files) -> Result<Self, Unusable> {
        let seen = look(&files);
        let acceptor = Arc::new(acceptor(&files)?);
        Ok(Self { files, acceptor, seen })
    }

    /// The certificate as it is now; the one before if the new one cannot be used, which is logged.
    fn now(&mut self) -> Arc<SslAcceptor> {
        let seen = look(&self.files);
        if seen != self.seen {
            match acceptor(&self.files) {
                Ok(acceptor) => {
                    self.acceptor = Arc::new(acceptor);
                    self.seen = seen;
                    tracing::info!(file = ?self.files.certificate, "the certificate has changed");
                }
                Err(error) => tracing::warn!(%error, "the certificate before stays in use"),
            }
        }
        Arc::clone(&self.acceptor)
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Terms").field("files", &self.files).finish_non_exhaustive()
    }
}

fn look(files: &Files) -> Seen {
    [&files.certificate, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn acceptor(files: &Files) -> Result<SslAcceptor, Unusable> {
    let chain = read(&files.certificate)?;
    let key = read(&files.key)?;
    let path = || files.certificate.display().to_string();
    let wrong = |source| Unusable::Wrong { path: path(), source };
    let mut chain = X509::stack_from_pem(&chain).map_err(wrong)?.into_iter();
    let own = chain.next().ok_or_else(|| Unusable::Empty(path()))?;
    let build = || {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        builder.set_certificate(&own)?;
        for issuer in chain {
            builder.add_extra_chain_cert(issuer)?;
        }
        builder.set_private_key(&*PKey::private_key_from_pem(&key)?)?;
        builder.check_private_key()?;
        builder.set_alpn_select_callback(|_ssl, client| {
            select_next_proto(HTTP2, client).ok_or(AlpnError::ALERT_FATAL)
        });
        Ok(builder.build())
    };
    build().map_err(wrong)
}

/// A file, unless it is too large to be what it should.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let bytes = || {
        if FILE_BYTES_MAX < fs::metadata(path)?.len() {
            return Err(io::Error::other("it is too large"));
        }
        fs::read(path)
    };
    bytes().map_err(|source| Unusable::Unreadable { path: path.display().to_string(), source })
}

/// The connections that come in at `listener`, once they have shaken hands, if there are `terms`;
/// the future has to be run for any to come.
pub fn incoming(
    listener: TcpListener,
    terms: Option<Terms>,
) -> (ReceiverStream<io::Result<Stream>>, impl Future<Output = ()> + Send) {
    let (give, take) = mpsc::channel(WAITING_MAX);
    (ReceiverStream::new(take), accept(listener, terms, give))
}

async fn accept(
    listener: TcpListener,
    mut terms: Option<Terms>,
    give: mpsc::Sender<io::Result<Stream>>,
) {
    let mut handshakes = JoinSet::new();
    let seats = Seats::default();
    loop {
        while handshakes.try_join_next().is_some() {}
        if handshakes.len() == HANDSHAKES_MAX {
            handshakes.join_next().await;
        }
        let (tcp, peer) = tokio::select! {
            () = give.closed() => return,
            arrived = listener.accept() => match arrived {
                Ok(arrived) => arrived,
                Err(error) => {
                    tracing::debug!(%error, "no connection can be accepted for now");
                    sleep(EXHAUSTED_PAUSE).await;
                    continue;
                }
            },
        };
        let Some(seat) = seats.take(peer.ip()) else { continue };
        // A connection that went away meanwhile is noticed with its first read.
        let _ = tcp.set_nodelay(true);
        let acceptor = terms.as_mut().map(Terms::now);
        let give = give.clone();
        handshakes.spawn(async move {
            if let Some(stream) = shake(tcp, peer, acceptor).await {
                // Without a receiver nobody is served any more.
                let _ = give.send(Ok(stream.seated(seat))).await;
            }
        });
    }
}

async fn shake(
    tcp: TcpStream,
    peer: SocketAddr,
    acceptor: Option<Arc<SslAcceptor>>,
) -> Option<Stream> {
    let Some(acceptor) = acceptor else { return Some(Stream::clear(tcp)) };
    let ssl = Ssl::new(acceptor.context()).ok()?;
    let mut tls = SslStream::new(ssl, tcp).ok()?;
    let shaken = timeout(HANDSHAKE_TIME_MAX, std::pin::Pin::new(&mut tls).accept()).await;
    match shaken {
        Ok(Ok(())) => Some(Stream::secure(tls)),
        Ok(Err(error)) => {
            tracing::debug!(%error, %peer, "a TLS handshake failed");
            None
        }
        Err(_late) => {
            tracing::debug!(%peer, "a TLS handshake took too long");
            None
        }
    }
}
