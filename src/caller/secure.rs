//! TLS with backends: one place that offers versions and ciphers, asks for a name, judges what it is
//! shown, and says exactly why it refuses.
//!
//! Whoever sends requests, we ourselves or Pingora, and by whatever way, the handshake is this one, so
//! that a backend is judged alike everywhere. It judges within the handshake: a server that is not
//! trusted is never shown our certificate's signature, and gets no byte of a request.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509, X509StoreContextRef, X509VerifyResult};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::backend::CONNECT_TIMEOUT;
use crate::backend::tls::{Usual, Version};
use crate::caller::CallError;
use crate::caller::destination::Secure;
use crate::caller::peer::PeerError;
use crate::caller::refusal::{
    ADDRESS_MISMATCH, HOST_MISMATCH, Known, TlsRefused, Why, of_certificate,
};
use crate::caller::revocation::{Lists, Revocation};
use crate::caller::roots::Roots;
use crate::caller::secured::Secured;

/// The most kinds of connections that are kept ready to be made.
const CONTEXTS_MAX: usize = 256;

/// Which HTTP a backend is offered (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Offer {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
    /// HTTP/2, or else HTTP/1.1.
    TwoOrOne,
}

/// Makes TLS connections.
pub struct Securing {
    roots: Arc<Roots>,
    usual: Usual,
    revocation: Arc<Revocation>,
    /// Contexts by what they were made of: reading authorities costs more than a handshake.
    contexts: Mutex<HashMap<Made, Ready>>,
}

/// What a context is made of.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Made {
    verify_chain: bool,
    identity: Option<[u8; 32]>,
    terms: Option<[u8; 32]>,
}

/// A context, and what it offers in words.
#[derive(Clone)]
struct Ready {
    context: SslContext,
    versions: Arc<str>,
    ciphers: Arc<str>,
}

/// How one handshake is judged.
struct Judge {
    verify_chain: bool,
    wanted: String,
    lists: Arc<Lists>,
    /// What was found; the first counts.
    found: Arc<Mutex<Option<TlsRefused>>>,
}

impl Offer {
    const fn wire(self) -> &'static [u8] {
        match self {
            Self::One => b"\x08http/1.1",
            Self::Two => b"\x02h2",
            Self::TwoOrOne => b"\x02h2\x08http/1.1",
        }
    }
}

impl Securing {
    /// Connections with servers that `roots` vouch for.
    pub fn new(roots: Arc<Roots>) -> Self {
        Self::with(roots, Usual::default(), Arc::default())
    }

    /// The same where `usual` is asked of all servers, and none that was revoked counts.
    pub fn with(roots: Arc<Roots>, usual: Usual, revocation: Arc<Revocation>) -> Self {
        Self { roots, usual, revocation, contexts: Mutex::default() }
    }

    /// Which lists of revoked certificates count.
    pub fn revocation(&self) -> &Arc<Revocation> {
        &self.revocation
    }

    /// Shakes hands over `tcp`.
    pub(super) async fn secured(
        &self,
        tcp: TcpStream,
        secure: &Secure,
        offer: Offer,
    ) -> Result<Secured, CallError> {
        // Before the lists are taken: what changes in between is noticed.
        let turn = self.revocation.turn();
        let ready = self.ready(secure)?;
        let found = Arc::default();
        let unusable = |stack: ErrorStack| TlsRefused::from(Why::Other(stack.to_string()));
        let ssl = self.begin(&ready, secure, (offer, &found)).map_err(unusable)?;
        let mut stream = SslStream::new(ssl, tcp).map_err(unusable)?;
        let shaken = tokio::time::timeout(CONNECT_TIMEOUT, Pin::new(&mut stream).connect()).await;
        let has_identity = secure.identity.is_some();
        let error = match shaken {
            Ok(Ok(())) => return Ok(Secured::new(stream, has_identity, turn)),
            Ok(Err(error)) => error,
            Err(_elapsed) => return Err(TlsRefused::from(Why::Late).into()),
        };
        if let Some(refused) = found.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(refused.into());
        }
        let is_agreed = stream.ssl().peer_certificate().is_some();
        let offered = (&*ready.versions, &*ready.ciphers);
        let known = Known { name: &secure.host, offered, is_agreed, has_identity };
        Err(TlsRefused::of_handshake(&error, &known).into())
    }

    fn begin(
        &self,
        ready: &Ready,
        secure: &Secure,
        (offer, found): (Offer, &Arc<Mutex<Option<TlsRefused>>>),
    ) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&ready.context)?;
        ssl.set_alpn_protos(offer.wire())?;
        let address = secure.host.parse::<IpAddr>().ok();
        if address.is_none() {
            // Addresses are no names (RFC 6066 §3).
            ssl.set_hostname(&secure.host)?;
        }
        if !secure.verify_chain && !secure.verify_name {
            ssl.set_verify(SslVerifyMode::NONE);
            return Ok(ssl);
        }
        if secure.verify_name {
            let wanted = ssl.param_mut();
            wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            match address {
                Some(address) => wanted.set_ip(address)?,
                None => wanted.set_host(&secure.host)?,
            }
        }
        let judge = Judge {
            verify_chain: secure.verify_chain,
            wanted: secure.host.clone(),
            lists: self.revocation.lists(),
            found: Arc::clone(found),
        };
        let judged =
            move |is_good, context: &mut X509StoreContextRef| judge.heard(is_good, context);
        ssl.set_verify_callback(SslVerifyMode::PEER, judged);
        Ok(ssl)
    }

    /// The context for such connections: one that was made before, or a new one.
    fn ready(&self, secure: &Secure) -> Result<Ready, CallError> {
        let made = Made {
            verify_chain: secure.verify_chain,
            identity: secure.identity.as_ref().map(|identity| *identity.digest()),
            terms: secure.terms.as_ref().map(|terms| *terms.digest()),
        };
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = contexts.get(&made) {
            return Ok(ready.clone());
        }
        let ready = self.make(secure)?;
        if CONTEXTS_MAX <= contexts.len() {
            contexts.clear();
        }
        contexts.insert(made, ready.clone());
        Ok(ready)
    }

    fn make(&self, secure: &Secure) -> Result<Ready, CallError> {
        let own = secure.terms.as_ref().and_then(|terms| terms.authorities.as_ref());
        let authorities: Option<Vec<X509>> = match own {
            _ if !secure.verify_chain => None,
            Some(own) => Some(own.clone()),
            None => Some(self.roots.get().ok_or(PeerError::Roots)?.to_vec()),
        };
        let authorities = authorities.map(|list| (list, own.is_some()));
        if secure.identity.as_ref().is_some_and(|identity| identity.key().is_none()) {
            return Err(PeerError::Identity.into());
        }
        let unusable = |stack: ErrorStack| TlsRefused::from(Why::Other(stack.to_string()));
        Ok(self.build(secure, authorities).map_err(unusable)?)
    }

    fn build(
        &self,
        secure: &Secure,
        authorities: Option<(Vec<X509>, bool)>,
    ) -> Result<Ready, ErrorStack> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        builder.set_mode(
            SslMode::AUTO_RETRY
                | SslMode::ACCEPT_MOVING_WRITE_BUFFER
                | SslMode::ENABLE_PARTIAL_WRITE
                | SslMode::RELEASE_BUFFERS,
        );
        builder.set_options(SslOptions::NO_COMPRESSION);
        // A record is read at once, not its head before its body.
        builder.set_read_ahead(true);
        if let Some((authorities, are_own)) = authorities {
            let mut store = X509StoreBuilder::new()?;
            if are_own {
                // What is named as an authority is one, also where somebody else issued it.
                store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            }
            for authority in authorities {
                store.add_cert(authority)?;
            }
            builder.set_cert_store(store.build());
        }
        if let Some(identity) = &secure.identity
            && let Some(key) = identity.key()
        {
            builder.set_certificate(identity.x509())?;
            builder.set_private_key(key)?;
            for issuer in identity.issuers() {
                builder.add_extra_chain_cert(issuer.clone())?;
            }
        }
        let (versions, ciphers) = self.offer(&mut builder, secure)?;
        Ok(Ready { context: builder.build(), versions, ciphers })
    }

    /// Says which versions and ciphers are offered; returns both in words.
    fn offer(
        &self,
        builder: &mut SslContextBuilder,
        secure: &Secure,
    ) -> Result<(Arc<str>, Arc<str>), ErrorStack> {
        let terms = secure.terms.as_deref();
        let (mut min, mut max) = terms
            .map_or((self.usual.min, self.usual.max), |terms| terms.versions.among(&self.usual));
        let ciphers = terms.and_then(|terms| terms.ciphers.as_ref());
        if let Some(ciphers) = ciphers.or(self.usual.ciphers.as_ref()) {
            let (oldest, newest) = ciphers.versions();
            (min, max) = (min.max(oldest), max.min(newest));
            if !ciphers.older.is_empty() {
                builder.set_cipher_list(&ciphers.older)?;
            }
            builder.set_ciphersuites(&ciphers.suites)?;
        }
        if min < Version::Tls12 {
            // What they sign with is too weak for any other level.
            builder.set_security_level(0);
        }
        builder.set_min_proto_version(Some(number(min)))?;
        builder.set_max_proto_version(Some(number(max)))?;
        let versions = format!("TLS {} to {}", min.as_str(), max.as_str());
        let words = ciphers.or(self.usual.ciphers.as_ref()).map(|named| {
            [&*named.suites, &*named.older].into_iter().filter(|it| !it.is_empty()).collect()
        });
        let words = words.map_or_else(|| "those of OpenSSL".to_owned(), |it: Vec<_>| it.join(":"));
        Ok((Arc::from(versions), Arc::from(words)))
    }
}

const fn number(version: Version) -> SslVersion {
    match version {
        Version::Tls10 => SslVersion::TLS1,
        Version::Tls11 => SslVersion::TLS1_1,
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    }
}

impl Judge {
    /// What the library found, certificate by certificate; whether to go on.
    fn heard(&self, is_good: bool, context: &mut X509StoreContextRef) -> bool {
        let result = context.error();
        let code = result.as_raw();
        if is_good {
            let is_whole = context.error_depth() == 0 && self.verify_chain && self.lists.ask();
            return !is_whole || self.is_in_force(context);
        }
        let is_name = code == HOST_MISMATCH || code == ADDRESS_MISMATCH;
        if !self.verify_chain && !is_name {
            return true;
        }
        let told = (code, result.error_string());
        self.refuse(of_certificate(told, context.current_cert(), &self.wanted));
        false
    }

    /// Whether nothing of the chain was taken back.
    fn is_in_force(&self, context: &mut X509StoreContextRef) -> bool {
        let chain = context.chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect());
        let chain: Vec<X509> = chain.unwrap_or_default();
        match self.lists.judge(&chain) {
            Ok(()) => true,
            Err(refused) => {
                context.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                self.refuse(refused);
                false
            }
        }
    }

    fn refuse(&self, refused: TlsRefused) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get_or_insert(refused);
    }
}

impl fmt::Debug for Securing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Securing")
    }
}
