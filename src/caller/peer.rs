//! From a URL's base to the peer that Pingora connects to: address, TLS, time-outs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openssl::pkey::PKey;
use openssl::x509::X509;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::CertKey;

use crate::backend::{BaseUrl, CONNECT_TIMEOUT, IDLE_TIMEOUT, Identity, Scheme, Tls};
use crate::caller::roots::Roots;

/// The most a backend may be silent while it takes the body of a request.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why there is no peer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The certificate or key that the backend is to be shown cannot be read.
    #[error("the client certificate of the backend cannot be used: {0}")]
    Identity(#[from] openssl::error::ErrorStack),
    /// There are no roots to judge the backend's certificate by.
    #[error("no certificate authority is trusted on this machine")]
    Roots,
}

/// The peer at `address`, which is where `base` resolved to. `read_timeout` is the longest
/// silence while a response is awaited or read; `sends_body`: whether a body follows the head.
#[expect(clippy::too_many_arguments, reason = "each is a fact of its own about a connection")]
pub fn peer(
    base: &BaseUrl,
    address: SocketAddr,
    tls: &Tls,
    roots: &Roots,
    read_timeout: Duration,
    sends_body: bool,
) -> Result<HttpPeer, PeerError> {
    let secure = base.scheme == Scheme::Https;
    let name = if secure { base.host.clone() } else { String::new() };
    let mut peer = HttpPeer::new(address, secure, name);
    let options = &mut peer.options;
    options.connection_timeout = Some(CONNECT_TIMEOUT);
    options.total_connection_timeout = Some(CONNECT_TIMEOUT);
    options.read_timeout = Some(read_timeout);
    // A head alone fits into the buffers of the system: nobody has to be waited for.
    options.write_timeout = sends_body.then_some(WRITE_TIMEOUT);
    options.idle_timeout = Some(IDLE_TIMEOUT);
    if secure {
        options.verify_cert = tls.verify_chain;
        options.verify_hostname = tls.verify_name;
        if tls.verify_chain {
            options.ca = Some(roots.get().ok_or(PeerError::Roots)?);
        }
        if let Some(identity) = &tls.identity {
            peer.client_cert_key = Some(Arc::new(cert_key(identity)?));
        }
    }
    Ok(peer)
}

fn cert_key(identity: &Identity) -> Result<CertKey, openssl::error::ErrorStack> {
    let chain = X509::stack_from_pem(&identity.certificate)?;
    let key = PKey::private_key_from_pem(&identity.key)?;
    Ok(CertKey::new(chain, key))
}
