//! Why a call failed, in words for policies and clients; the source has the rest.

use std::io;
use std::time::Duration;

use crate::caller::connection::ReadError;
use crate::caller::http2::Http2Error;
use crate::caller::peer::PeerError;
use crate::caller::refusal::TlsRefused;
use crate::caller::tunnel::ProxyError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The head did not come in time, or the body stopped.
    #[error("the backend did not answer within {0:?}")]
    Late(Duration),
    /// There is no connection.
    #[error("{}", refusal(.0))]
    Unconnected(#[source] io::Error),
    /// There is no TLS connection.
    #[error(transparent)]
    Tls(Box<TlsRefused>),
    /// The proxy on the way is no way.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// There is nothing to connect with.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A connection that was idle turned out to be closed: nothing of the request was answered.
    #[error("the connection to the backend broke")]
    Stale,
    /// The connection broke.
    #[error("the connection to the backend broke")]
    Broken(#[source] io::Error),
    /// The request cannot be written.
    #[error("the request cannot be sent: {0}")]
    Unsendable(&'static str),
    /// The client's deadline for the whole call has passed.
    #[error("the deadline of the call has passed")]
    Overdue,
    /// What HTTP/2 makes of it.
    #[error(transparent)]
    Http2(#[from] Http2Error),
    /// What came back cannot be passed on.
    #[error("the backend answered with an invalid response: {0}")]
    Invalid(&'static str),
}

/// An error with all its causes, in a line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(why) = cause {
        told = format!("{told}: {why}");
        cause = why.source();
    }
    told
}

impl CallError {
    /// More informational heads than anybody needs.
    pub(crate) const CROWDED: Self = Self::Invalid("it has too many informational responses");

    /// A connection that was not there in time.
    pub(super) fn late_to_connect() -> Self {
        Self::Unconnected(io::ErrorKind::TimedOut.into())
    }

    /// A connection that broke; over TLS the backend may have said why.
    pub(super) fn broken(error: io::Error) -> Self {
        match TlsRefused::within_io(&error) {
            Some(refused) => refused.clone().into(),
            None => Self::Broken(error),
        }
    }

    /// What it is, in a word: for `error.type` and for whoever counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Late(_) | Self::Overdue => "timeout",
            Self::Http2(error) => error.kind(),
            Self::Unconnected(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "connection_refused"
            }
            Self::Unconnected(_) => "connection_failed",
            Self::Tls(refused) => refused.kind(),
            Self::Proxy(_) => "proxy",
            Self::Peer(_) => "authorities",
            Self::Stale | Self::Broken(_) => "connection_reset",
            Self::Unsendable(_) => "unsendable",
            Self::Invalid(_) => "invalid_response",
        }
    }
}

impl From<TlsRefused> for CallError {
    fn from(refused: TlsRefused) -> Self {
        Self::Tls(Box::new(refused))
    }
}

fn refusal(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == io::ErrorKind::ConnectionRefused {
        "the backend refused the connection"
    } else if kind == io::ErrorKind::TimedOut {
        "the backend did not accept the connection in time"
    } else {
        "the backend cannot be reached"
    }
}

impl From<ReadError> for CallError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Closed => Self::Broken(io::ErrorKind::UnexpectedEof.into()),
            ReadError::Broken(error) => Self::broken(error),
            ReadError::Invalid(what) => Self::Invalid(what),
        }
    }
}
