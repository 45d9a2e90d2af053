//! Bodies that come over HTTP/2: passed on piece by piece, with what stands behind them, while what is
//! left of the request's body flows the other way.

use bytes::Bytes;
use http::{HeaderMap, Version};
use pingora::proxy::Session;

use super::is_hop_by_hop;
use super::relay::broken_off;
use crate::caller::Call;
use crate::proxy::forward::passing::{Passing, client};
use crate::proxy::{grpc, holds};

/// Passes the body of a call on, after the piece that is here already.
pub(super) async fn relay(
    session: &mut Session,
    mut call: Call,
    mut first: Option<Bytes>,
    passing: &mut Passing<'_>,
) -> pingora::Result<()> {
    let mut upload = call.take_upload();
    let counted = call.length().is_some();
    let is_grpc = grpc::is_call(session);
    loop {
        let piece = if let Some(first) = first.take() {
            Ok(Some(first))
        } else {
            tokio::select! {
                biased;
                piece = call.next() => piece,
                step = client(session, upload.as_mut(), passing) => {
                    step?;
                    continue;
                }
            }
        };
        if let (Some(holds), Ok(Some(piece))) = (passing.holds.as_deref_mut(), &piece) {
            holds.moved(holds::bytes(session).saturating_add(holds::length(piece)));
        }
        match piece {
            Ok(Some(piece)) if call.is_done() && !is_grpc => {
                session.write_response_body(Some(piece), true).await?;
                break;
            }
            Ok(Some(piece)) => session.write_response_body(Some(piece), false).await?,
            Ok(None) if is_grpc => {
                let (trailers, code) = grpc::ended(call.take_trailers());
                passing.code = Some(code);
                end(session, Some(trailers)).await?;
                call.release();
                break;
            }
            Err(error) if is_grpc => {
                let (trailers, code) = grpc::broken(&error);
                passing.code = Some(code);
                passing.broken = Some(error.to_string());
                end(session, Some(trailers)).await?;
                break;
            }
            Ok(None) => {
                end(session, call.take_trailers()).await?;
                break;
            }
            Err(error) => return broken_off(session, counted, &error).await,
        }
    }
    if !session.as_mut().is_body_done() {
        // The backend did not want the rest of it.
        session.set_keepalive(None);
    }
    Ok(())
}

/// Ends the response, with what stood behind its body where the client can be told.
async fn end(session: &mut Session, trailers: Option<HeaderMap>) -> pingora::Result<()> {
    match trailers.filter(|_trailers| session.req_header().version == Version::HTTP_2) {
        Some(trailers) => {
            let kept = trailers.iter().filter(|(name, _value)| !is_hop_by_hop(name));
            let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
            session.as_mut().write_response_trailers(kept).await
        }
        None => session.write_response_body(None, true).await,
    }
}
