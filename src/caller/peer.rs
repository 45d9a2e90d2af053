//! From a destination to the peer that Pingora connects to: address, connection, time-outs.

use std::sync::Arc;
use std::time::Duration;

use pingora::ErrorType;
use pingora::upstreams::peer::HttpPeer;

use crate::backend::{CONNECT_TIMEOUT, IDLE_TIMEOUT};
use crate::caller::Caller;
use crate::caller::destination::Destination;
use crate::caller::handed::{Lease, Lender};
use crate::caller::tunnel::Dial;
use crate::time::Timestamp;

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

/// The peer at `destination`, over TLS with a lease that says whether its connection is lent.
/// `read_timeout` is the longest silence while a response is awaited or read; `sends_body`: whether a
/// body follows the head.
pub fn peer(
    caller: &Arc<Caller>,
    destination: Destination,
    (read_timeout, sends_body): (Duration, bool),
    (fresh, now): (bool, Timestamp),
) -> (HttpPeer, Option<Lease>) {
    // Whatever is to be done about TLS is done by whoever lends the connection.
    let mut peer = HttpPeer::new(destination.address, false, String::new());
    peer.group_key = destination.group();
    let options = &mut peer.options;
    options.connection_timeout = Some(CONNECT_TIMEOUT);
    options.total_connection_timeout = Some(CONNECT_TIMEOUT);
    options.read_timeout = Some(read_timeout);
    // A head alone fits into the buffers of the system: nobody has to be waited for.
    options.write_timeout = sends_body.then_some(WRITE_TIMEOUT);
    options.idle_timeout = Some(IDLE_TIMEOUT);
    // The proxy has as long as a backend, and the backend behind it has that time too.
    let ways = if destination.through.is_some() { 2 } else { 1 };
    let mut lease = None;
    if destination.secure.is_some() {
        options.total_connection_timeout = Some(CONNECT_TIMEOUT.saturating_mul(ways + 1));
        // Pingora keeps none of them.
        options.idle_timeout = Some(Duration::ZERO);
        let (caller, lent) = (Arc::clone(caller), Lease::default());
        lease = Some(lent.clone());
        let lender = Lender { caller, destination, now, fresh, lease: lent };
        options.custom_l4 = Some(Arc::new(lender));
    } else if let Some(through) = &destination.through {
        options.total_connection_timeout = Some(CONNECT_TIMEOUT.saturating_mul(ways));
        options.custom_l4 = Some(Arc::new(Dial::new(Arc::clone(through))));
    }
    (peer, lease)
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

#[cfg(test)]
mod tests {
    use pingora::upstreams::peer::Peer as _;

    use super::*;
    use crate::backend::tls::{Terms, Versions};
    use crate::caller::destination::Secure;
    use crate::caller::roots::Roots;
    use crate::caller::secure::Securing;
    use crate::certificate::Certificate;
    use crate::certificate::testing::Authority;

    fn destination(
        identity: Option<Certificate>,
        name: &str,
        authority: Option<&Authority>,
    ) -> Destination {
        let authorities = authority.map(|authority| vec![authority.0.x509.clone()]);
        let terms = Terms::new(None, authorities, Versions::default(), None);
        Destination {
            address: "127.0.0.1:443".parse().unwrap(),
            socket: None,
            secure: Some(Secure {
                host: name.to_owned(),
                verify_chain: true,
                verify_name: true,
                identity: identity.map(Arc::new),
                terms: authority.map(|_authority| Arc::new(terms)),
            }),
            through: None,
        }
    }

    fn hash(there: &Destination) -> u64 {
        let caller = Arc::new(Caller::new(Securing::new(Arc::new(Roots::default())), 0));
        let terms = (Duration::from_secs(1), false);
        let (peer, lease) = peer(&caller, there.clone(), terms, (false, Timestamp::default()));
        assert_eq!(lease.is_some(), there.secure.is_some());
        peer.reuse_hash()
    }

    #[test]
    fn connections_are_shared_under_the_very_same_terms_only() {
        let made = Authority::new("ca").issue("c");
        let same = [Some(made.certificate()), Some(made.certificate())];
        let same = same.map(|identity| destination(identity, "h.example", None));
        assert_eq!(same[0], same[1]);
        assert_eq!(hash(&same[0]), hash(&same[1]));
        // Two authorities may have given the same serial number.
        let other = Authority::new("ca").issue("c");
        assert_eq!(made.certificate().serial(), other.certificate().serial());
        let (one, two) = (Authority::new("ca"), Authority::new("ca"));
        let mut all = vec![
            same[0].clone(),
            destination(Some(other.certificate()), "h.example", None),
            destination(None, "h.example", None),
            destination(None, "other.example", None),
            destination(None, "h.example", Some(&one)),
            destination(None, "h.example", Some(&two)),
            Destination { secure: None, ..same[0].clone() },
        ];
        let lax = |verify_chain, verify_name| {
            let mut there = destination(None, "h.example", None);
            let secure = there.secure.as_mut().unwrap();
            (secure.verify_chain, secure.verify_name) = (verify_chain, verify_name);
            there
        };
        all.extend([lax(true, false), lax(false, true), lax(false, false)]);
        for (index, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(index));
            assert_eq!(all.iter().position(|other| hash(other) == hash(one)), Some(index));
        }
    }
}
