//! From a destination to the peer that Pingora connects to: address, TLS, time-outs.

use std::sync::Arc;
use std::time::Duration;

use openssl::pkey::PKey;
use openssl::x509::X509;
use pingora::ErrorType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::CertKey;

use crate::backend::{CONNECT_TIMEOUT, IDLE_TIMEOUT, Identity};
use crate::caller::destination::Destination;
use crate::caller::roots::Roots;
use crate::caller::tunnel::Dial;

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

/// The peer at `destination`. `read_timeout` is the longest silence while a response is awaited or
/// read; `sends_body`: whether a body follows the head.
pub fn peer(
    destination: &Destination,
    roots: &Roots,
    read_timeout: Duration,
    sends_body: bool,
) -> Result<HttpPeer, PeerError> {
    let secure = destination.secure.as_ref();
    let name = secure.map_or_else(String::new, |secure| secure.host.clone());
    let mut peer = HttpPeer::new(destination.address, secure.is_some(), name);
    let options = &mut peer.options;
    options.connection_timeout = Some(CONNECT_TIMEOUT);
    options.total_connection_timeout = Some(CONNECT_TIMEOUT);
    options.read_timeout = Some(read_timeout);
    // A head alone fits into the buffers of the system: nobody has to be waited for.
    options.write_timeout = sends_body.then_some(WRITE_TIMEOUT);
    options.idle_timeout = Some(IDLE_TIMEOUT);
    if let Some(through) = &destination.through {
        let dial = Dial::new(Arc::clone(through));
        peer.group_key = dial.group();
        options.custom_l4 = Some(Arc::new(dial));
        // The proxy has as long as a backend, and the backend behind it has that time too.
        options.total_connection_timeout = Some(CONNECT_TIMEOUT.saturating_mul(2));
    }
    if let Some(secure) = secure {
        options.verify_cert = secure.verify_chain;
        options.verify_hostname = secure.verify_name;
        if secure.verify_chain {
            options.ca = Some(roots.get().ok_or(PeerError::Roots)?);
        }
        if let Some(identity) = &secure.identity {
            peer.client_cert_key = Some(Arc::new(cert_key(identity)?));
        }
    }
    Ok(peer)
}

/// What policies and clients may know of a connection that was not made or broke; the log has the
/// rest.
pub const fn sentence(kind: &ErrorType) -> &'static str {
    if matches!(kind, ErrorType::ConnectRefused) {
        "the backend refused the connection"
    } else if matches!(kind, ErrorType::ConnectTimedout) {
        "the backend did not accept the connection in time"
    } else if matches!(kind, ErrorType::ConnectNoRoute | ErrorType::ConnectError) {
        "the backend cannot be reached"
    } else if matches!(
        kind,
        ErrorType::TLSHandshakeFailure | ErrorType::TLSHandshakeTimedout | ErrorType::InvalidCert
    ) {
        "the TLS handshake with the backend failed"
    } else if matches!(kind, ErrorType::InvalidHTTPHeader | ErrorType::H1Error) {
        "the backend answered with an invalid response"
    } else {
        "the connection to the backend broke"
    }
}

fn cert_key(identity: &Identity) -> Result<CertKey, openssl::error::ErrorStack> {
    let chain = X509::stack_from_pem(&identity.certificate)?;
    let key = PKey::private_key_from_pem(&identity.key)?;
    Ok(CertKey::new(chain, key))
}
