//! What passes from a client to its backend while both directions flow.

use std::time::Duration;

use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::time::timeout;

use super::call::gone;
use crate::caller::http2::Upload;
use crate::grpc::Code;
use crate::proxy::admit::Bounds;
use crate::proxy::holds::{self, Holds};
use crate::proxy::watch::Watch;
use crate::proxy::{Gateway, UPGRADED_SILENCE_MAX, grpc};

/// Who looks at what passes, and how much may.
pub struct Passing<'a> {
    /// How large it may be.
    bounds: &'a Bounds,
    /// How long the client may be silent within it.
    silence: Duration,
    /// Counts it.
    pub holds: Option<&'a mut Holds>,
    /// Shows it.
    pub watch: Option<&'a mut Watch>,
    /// What became of it, where it is a call of gRPC.
    pub code: Option<Code>,
    /// How it broke, where that could still be told to the client.
    pub broken: Option<String>,
}

impl<'a> Passing<'a> {
    /// What `holds` and `watch` are to hear. A stream of gRPC may be silent as a WebSocket may.
    pub fn of(
        gateway: &'a Gateway,
        session: &Session,
        (holds, watch): (Option<&'a mut Holds>, Option<&'a mut Watch>),
    ) -> Self {
        let bounds = &gateway.bounds;
        let is_call = grpc::is_call(session);
        let silence = if is_call { UPGRADED_SILENCE_MAX } else { bounds.body_read };
        Self { bounds, silence, holds, watch, code: None, broken: None }
    }
}

/// One step of what the client does while its backend is listened to: a piece of its body comes, or
/// goes on to the backend. Where nothing is left of the body, this ends only with the client.
pub async fn client(
    session: &mut Session,
    upload: Option<&mut Upload>,
    passing: &mut Passing<'_>,
) -> pingora::Result<()> {
    match upload.filter(|upload| !upload.is_over()) {
        None => {
            let watched = session.as_mut().is_body_done();
            Err(gone(session, watched).await)
        }
        Some(upload) if upload.is_hungry() => {
            let silence = passing.silence;
            let piece = match timeout(silence, session.read_request_body()).await {
                Ok(piece) => piece.map_err(Error::into_down)?,
                Err(_elapsed) => return late(silence),
            };
            if let Some(piece) = &piece {
                passing.bounds.body(session)?;
                if let Some(holds) = &mut passing.holds {
                    holds.moved(holds::bytes(session));
                }
                if let Some(watch) = &mut passing.watch {
                    watch.request_piece(piece);
                }
            }
            upload.give(piece);
            Ok(())
        }
        Some(upload) => {
            upload.flush().await;
            Ok(())
        }
    }
}

fn late<T>(silence: Duration) -> pingora::Result<T> {
    let told = format!("nothing of the request's body came for {silence:?}");
    Err(Error::explain(ErrorType::ReadTimedout, told).into_down())
}
