//! TLS towards clients: which versions and ciphers, and whose certificate is shown.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    AlpnError, NameType, SslAcceptor, SslMethod, SslMode, SslOptions, SslRef, SslSessionCacheMode,
    SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::x509::X509;
use pingora::listeners::TlsAccept;
use pingora::protocols::tls::SslStream;
use pingora::protocols::tls::server::handshake_with_callback;
use pingora::tls::ext;

use super::socket::Socket;
use crate::certificate as client;
use crate::snapshot::HostCertificate;

/// How long a TLS handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// What the server speaks, as ALPN writes it (RFC 7301 §3.1), in the order it prefers.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// Names the sessions of this service where clients resume them.
const SESSION_CONTEXT: &[u8] = b"weir";

/// A certificate and its key.
#[derive(Clone)]
pub struct Certificate {
    /// The chain, leaf first.
    pub chain: Vec<X509>,
    /// Its key.
    pub key: PKey<Private>,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Oldest {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Default)]
pub enum Clients {
    /// They are not.
    #[default]
    Unasked,
    /// They may show one, whichever it is: policies judge it. They are told that certificates of
    /// these authorities are wanted, if there are any.
    Asked(Vec<X509>),
}

/// How TLS is spoken.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What is shown to who asks for no host or an unknown one; without it such clients are
    /// turned away.
    pub certificate: Option<Certificate>,
    /// Whether clients are asked for a certificate, and whose are wanted.
    pub clients: Clients,
    /// The oldest version.
    pub oldest: Oldest,
    /// The ciphers of TLS 1.2, as OpenSSL writes them; `None`: the intermediate list of Mozilla.
    pub ciphers: Option<String>,
    /// The cipher suites of TLS 1.3, as OpenSSL writes them; `None`: all.
    pub suites: Option<String>,
}

/// Why TLS cannot be spoken as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// None of the ciphers is known.
    #[error("none of the TLS 1.2 ciphers `{0}` is known: name them as `openssl ciphers` does")]
    Ciphers(String, #[source] ErrorStack),
    /// One of the suites is unknown.
    #[error("the TLS 1.3 cipher suites `{0}` are not all known: name them as RFC 8446 does")]
    Suites(String, #[source] ErrorStack),
    /// The chain is empty.
    #[error("the default certificate is empty: give its chain, leaf first")]
    Empty,
    /// The key is another certificate's.
    #[error("the key of the default certificate does not belong to its first certificate")]
    Key,
    /// The library refuses for another reason.
    #[error("TLS cannot be set up")]
    Library(#[from] ErrorStack),
}

/// Why a client's handshake failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("it took longer than {} s", HANDSHAKE_TIME_MAX.as_secs())]
    Slow,
    #[error("{0}")]
    Failed(Box<pingora::Error>),
}

/// Finds the certificate of a host name.
pub(super) type Find = Box<dyn Fn(&str) -> Option<HostCertificate> + Send + Sync>;

/// Makes TLS connections out of TCP connections.
pub(super) struct Door {
    acceptor: SslAcceptor,
    chooser: Chooser,
}

struct Chooser {
    find: Find,
    default: Option<Certificate>,
    /// Whether clients are asked for certificates.
    asks: bool,
}

impl Door {
    /// A door on these terms; `find` is asked anew with each handshake.
    pub(super) fn new(terms: &Terms, find: Find) -> Result<Self, TlsError> {
        if let Some(certificate) = &terms.certificate {
            let leaf = certificate.chain.first().ok_or(TlsError::Empty)?;
            if !leaf.public_key()?.public_eq(&certificate.key) {
                return Err(TlsError::Key);
            }
        }
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        let oldest = match terms.oldest {
            Oldest::Tls12 => SslVersion::TLS1_2,
            Oldest::Tls13 => SslVersion::TLS1_3,
        };
        builder.set_min_proto_version(Some(oldest))?;
        if let Some(ciphers) = &terms.ciphers {
            let refused = |source| TlsError::Ciphers(ciphers.clone(), source);
            builder.set_cipher_list(ciphers).map_err(refused)?;
        }
        if let Some(suites) = &terms.suites {
            let refused = |source| TlsError::Suites(suites.clone(), source);
            builder.set_ciphersuites(suites).map_err(refused)?;
        }
        // Who offers nothing that the server speaks is told so (RFC 7301 §3.2).
        builder.set_alpn_select_callback(|_ssl, offered| {
            select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::ALERT_FATAL)
        });
        // Clients resume with tickets, which the server does not have to remember.
        builder.set_session_id_context(SESSION_CONTEXT)?;
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        // One read a record instead of two; and an idle connection holds no buffers.
        builder.set_read_ahead(true);
        builder.set_mode(SslMode::RELEASE_BUFFERS);
        if let Clients::Asked(authorities) = &terms.clients {
            // The library proves that the client has the key, and nothing else: a handshake that
            // fails could tell nobody why.
            builder.set_verify_callback(SslVerifyMode::PEER, |_is_trusted, _context| true);
            for authority in authorities {
                builder.add_client_ca(authority)?;
            }
            // A session that is resumed would bring the certificate without its issuers, and for
            // longer than it may be valid.
            builder.set_options(SslOptions::NO_TICKET);
            builder.set_num_tickets(0)?;
        }
        let chooser = Chooser {
            find,
            default: terms.certificate.clone(),
            asks: matches!(terms.clients, Clients::Asked(_)),
        };
        Ok(Self { acceptor: builder.build(), chooser })
    }

    /// Shakes hands.
    pub(super) async fn enter(&self, socket: Socket) -> Result<SslStream<Socket>, HandshakeError> {
        let handshake = handshake_with_callback(&self.acceptor, socket, &self.chooser);
        match tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(HandshakeError::Failed(error)),
            Err(_elapsed) => Err(HandshakeError::Slow),
        }
    }
}

#[async_trait]
impl TlsAccept for Chooser {
    async fn handshake_complete_callback(
        &self,
        ssl: &SslRef,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let shown: Shown = shown_by_client(ssl).filter(|_shown| self.asks)?;
        Some(Arc::new(shown))
    }

    async fn certificate_callback(&self, ssl: &mut SslRef) {
        let named = ssl.servername(NameType::HOST_NAME).and_then(|host| (self.find)(host));
        let shown = match (&named, &self.default) {
            (Some(own), _) => show(ssl, &own.chain, &own.key),
            (None, Some(default)) => show(ssl, &default.chain, &default.key),
            // Without a certificate OpenSSL ends the handshake with an alert.
            (None, None) => Ok(()),
        };
        if let Err(error) = shown {
            tracing::error!(%error, "a certificate cannot be shown");
        }
    }
}

/// The certificate that a client showed, as a connection keeps it.
pub type Shown = Arc<client::Certificate>;

fn shown_by_client(ssl: &SslRef) -> Option<Shown> {
    let leaf = ssl.peer_certificate()?;
    let issuers = ssl.peer_cert_chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect());
    match client::Certificate::of(leaf, issuers.unwrap_or_default()) {
        Ok(certificate) => Some(Arc::new(certificate)),
        Err(wrong) => {
            tracing::debug!(%wrong, "a certificate of a client is taken for none");
            None
        }
    }
}

fn show(ssl: &mut SslRef, chain: &[X509], key: &PKey<Private>) -> Result<(), ErrorStack> {
    let mut chain = chain.iter();
    if let Some(leaf) = chain.next() {
        ext::ssl_use_certificate(ssl, leaf)?;
        ext::ssl_use_private_key(ssl, key)?;
    }
    chain.try_for_each(|issuer| ext::ssl_add_chain_cert(ssl, issuer))
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked => formatter.write_str("Unasked"),
            Self::Asked(authorities) => write!(formatter, "Asked({})", authorities.len()),
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Door").finish_non_exhaustive()
    }
}

/// The door of `live`: the names of the configuration that runs at the time of each handshake.
pub(super) fn find_in(live: Arc<crate::snapshot::Live>) -> Find {
    Box::new(move |host| live.snapshot().certificate(host).cloned())
}
