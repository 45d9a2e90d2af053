//! From a destination to the peer that Pingora connects to: address, TLS, time-outs.

use std::sync::Arc;
use std::time::Duration;

use pingora::ErrorType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::CertKey;

use crate::backend::{CONNECT_TIMEOUT, IDLE_TIMEOUT};
use crate::caller::destination::Destination;
use crate::caller::roots::Roots;
use crate::caller::tunnel::Dial;
use crate::certificate::Certificate;

/// The most a backend may be silent while it takes the body of a request.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why there is no peer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The certificate that the backend is to be shown has no key here.
    #[error("the certificate to show to the backend has no private key here")]
    Identity,
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
    peer.group_key = destination.group();
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

fn cert_key(identity: &Certificate) -> Result<CertKey, PeerError> {
    let key = identity.key().ok_or(PeerError::Identity)?;
    Ok(CertKey::new(identity.chain(), key.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::destination::Secure;
    use crate::certificate::testing::Authority;

    #[test]
    fn identities_with_the_same_serial_number_share_no_connection() {
        use pingora::upstreams::peer::Peer as _;
        let destination = |identity: Option<Certificate>| Destination {
            address: "127.0.0.1:443".parse().unwrap(),
            socket: None,
            secure: Some(Secure {
                host: "h.example".to_owned(),
                verify_chain: false,
                verify_name: false,
                identity: identity.map(Arc::new),
            }),
            through: None,
        };
        let made = Authority::new("ca").issue("c");
        let same = [Some(made.certificate()), Some(made.certificate())].map(destination);
        assert_eq!(same[0], same[1]);
        let other = Authority::new("ca").issue("c");
        assert_eq!(made.certificate().serial(), other.certificate().serial());
        let others = [Some(other.certificate()), None].map(destination);
        let hash = |there: &Destination| {
            let peer = peer(there, &Roots::default(), Duration::from_secs(1), false).unwrap();
            peer.reuse_hash()
        };
        assert_eq!(hash(&same[0]), hash(&same[1]));
        for other in &others {
            assert_ne!(&same[0], other);
            assert_ne!(hash(&same[0]), hash(other));
        }
    }

    #[test]
    fn without_its_key_a_certificate_is_not_shown() {
        let made = Authority::new("ca").issue("c");
        let bare = Certificate::read(&made.pem()).unwrap();
        assert!(matches!(cert_key(&bare), Err(PeerError::Identity)));
    }
}
