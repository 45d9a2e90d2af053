//! Takes addresses before anything starts: what cannot be had is said at once, and ports that the
//! system chose are known.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use tokio::net::TcpSocket;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error(
        "{0} is in use: another process listens there (`ss -ltnp` shows which); stop it or choose \
         another port"
    )]
    InUse(SocketAddr),
    /// The system does not allow it.
    #[error(
        "{0} needs a permission that the process lacks: choose a port from 1024 up, or grant \
         CAP_NET_BIND_SERVICE"
    )]
    Denied(SocketAddr),
    /// The address is not one of this machine's.
    #[error("{0} is not an address of this machine; `0.0.0.0` and `[::]` stand for all it has")]
    Elsewhere(SocketAddr),
    /// Anything else.
    #[error("{0} cannot be listened on")]
    Other(SocketAddr, #[source] io::Error),
}

impl BindError {
    fn of(address: SocketAddr, error: io::Error) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::AddrInUse {
            Self::InUse(address)
        } else if kind == ErrorKind::PermissionDenied {
            Self::Denied(address)
        } else if kind == ErrorKind::AddrNotAvailable {
            Self::Elsewhere(address)
        } else {
            Self::Other(address, error)
        }
    }
}

/// An address that is taken. Connections may come; they wait until the listener is served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes `address`; with port 0, a free port.
    pub fn take(address: SocketAddr) -> Result<Self, BindError> {
        let refused = |error: io::Error| BindError::of(address, error);
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that it really has.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener on the runtime that this is called on.
    pub fn serve(self) -> io::Result<tokio::net::TcpListener> {
        // Listening once more is how Linux is told of a longer queue than the standard library's.
        let socket = TcpSocket::from_std_stream(TcpStream::from(OwnedFd::from(self.listener)));
        socket.listen(BACKLOG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_known_once_it_is_taken() {
        let bound = Bound::take(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        assert_ne!(bound.address().port(), 0);
    }

    #[test]
    fn an_address_that_cannot_be_had_is_named() {
        let first = Bound::take(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let error = Bound::take(first.address()).unwrap_err();
        assert!(matches!(error, BindError::InUse(taken) if taken == first.address()));
        let error = Bound::take(SocketAddr::from(([192, 0, 2, 1], 80))).unwrap_err();
        assert!(matches!(error, BindError::Elsewhere(_) | BindError::Denied(_)), "{error}");
    }
}
