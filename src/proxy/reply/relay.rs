//! Bodies that go on as the backend sends them.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::time::timeout;

use crate::caller::{Call, CallError};
use crate::proxy::holds::Holds;
use crate::proxy::{forward, holds};

/// How long a client may take what is left for it once its response has broken off.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

/// Why a body has no first piece.
pub(super) enum Unopened {
    /// The client does not want it any more.
    Gone(Box<Error>),
    /// The backend did not send it.
    Broken(Box<Error>),
}

/// The first piece of a body whose length is known. Until it is here nothing goes out, so that a
/// client can still be told that it never came. A body without a length is a stream of events
/// more often than not: its head does not wait.
pub(super) async fn opening(
    session: &mut Session,
    call: &mut Call,
) -> Result<Option<Bytes>, Unopened> {
    let watched = session.as_mut().is_body_done();
    tokio::select! {
        biased;
        piece = call.next() => piece.or_else(|error| broken(&error)).map_err(Unopened::Broken),
        gone = forward::call::gone(session, watched) => Err(Unopened::Gone(gone)),
    }
}

/// Breaks off what was begun: the client must not take what it has for the whole.
pub(super) fn broken<T>(error: &CallError) -> pingora::Result<T> {
    Err(Error::explain(ErrorType::ConnectionClosed, error.to_string()).into_up())
}

/// The same, behind a head that was sent; `counted`: the client knows how much was to come.
pub(super) async fn broken_off(
    session: &mut Session,
    counted: bool,
    error: &CallError,
) -> pingora::Result<()> {
    session.set_keepalive(None);
    if counted || session.req_header().version == Version::HTTP_11 {
        // What did come is on its way before the connection ends: this client sees that it is not
        // all.
        let _ = timeout(LAST_WORDS_MAX, session.as_mut().shutdown()).await;
    }
    broken(error)
}

/// Passes the body of a call on, piece by piece, after the piece that is here already.
pub(super) async fn relay(
    session: &mut Session,
    mut call: Call,
    mut first: Option<Bytes>,
    mut holds: Option<&mut Holds>,
) -> pingora::Result<()> {
    let watched = session.as_mut().is_body_done();
    let counted = call.length().is_some();
    loop {
        let piece = if let Some(first) = first.take() {
            Ok(Some(first))
        } else {
            tokio::select! {
                biased;
                piece = call.next() => piece,
                gone = forward::call::gone(session, watched) => return Err(gone),
            }
        };
        if let (Some(holds), Ok(Some(piece))) = (holds.as_deref_mut(), &piece) {
            holds.moved(holds::bytes(session).saturating_add(holds::length(piece)));
        }
        match piece {
            Ok(Some(piece)) if call.is_done() => {
                // The connection is free before the client has taken everything.
                call.release();
                session.write_response_body(Some(piece), true).await?;
                return Ok(());
            }
            Ok(Some(piece)) => session.write_response_body(Some(piece), false).await?,
            Ok(None) => {
                call.release();
                session.write_response_body(None, true).await?;
                return Ok(());
            }
            Err(error) => return broken_off(session, counted, &error).await,
        }
    }
}
