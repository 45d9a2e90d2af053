//! Connections that switch protocols: bytes go both ways until one side has said its last.
//!
//! Neither direction waits for the other one, but where the client does not take what it is sent:
//! then it is not listened to either.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, UPGRADE};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use crate::caller::Call;
use crate::caller::switched::Switched;
use crate::exchange::Exchange;
use crate::proxy::UPGRADED_SILENCE_MAX;
use crate::proxy::holds::{self, Holds};
use crate::proxy::reply::edit;

/// How many pieces wait in each direction at most.
const PIECES_MAX: usize = 2;
/// How large a piece is at most, in bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// How long a backend may take for what is left when the client has ended.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

/// Passes on that the backend speaks another protocol now, and then what is said in it.
pub(super) async fn switch(
    session: &mut Session,
    exchange: &Exchange,
    (mut call, holds): (Call, Option<&mut Holds>),
) -> pingora::Result<()> {
    let mut head = call.take_head();
    edit(&mut head, exchange)?;
    head.insert_header(UPGRADE, "websocket")?;
    head.insert_header(CONNECTION, "Upgrade")?;
    session.write_response_header(Box::new(head), false).await?;
    match call.switched() {
        Some(backend) => both_ways(session, backend, holds).await,
        None => Error::e_explain(ErrorType::InternalError, "this connection cannot switch"),
    }
}

/// Passes on what each side says, until one of them ends.
async fn both_ways(
    session: &mut Session,
    backend: Switched,
    holds: Option<&mut Holds>,
) -> pingora::Result<()> {
    let (reads, writes) = backend.split();
    let (to_backend, for_backend) = channel(PIECES_MAX);
    let (to_client, for_client) = channel(PIECES_MAX);
    let mut backend = pin!(async {
        tokio::join!(send(for_backend, writes), receive(reads, to_client));
    });
    let mut is_over = false;
    let ended = {
        let mut client = pin!(serve(session, (to_backend, for_client), holds));
        loop {
            tokio::select! {
                ended = client.as_mut() => break ended,
                () = backend.as_mut(), if !is_over => is_over = true,
            }
        }
    };
    if !is_over {
        // What it sent before it ended is still passed on.
        let _ = timeout(LAST_WORDS_MAX, backend).await;
    }
    ended
}

/// The client's side, until it ends or the backend has ended.
async fn serve(
    session: &mut Session,
    (to_backend, mut for_client): (Sender<Bytes>, Receiver<Bytes>),
    mut holds: Option<&mut Holds>,
) -> pingora::Result<()> {
    loop {
        tokio::select! {
            piece = for_client.recv() => match piece {
                Some(piece) => {
                    let moved = holds::bytes(session).saturating_add(holds::length(&piece));
                    if let Some(holds) = &mut holds {
                        holds.moved(moved);
                    }
                    session.write_response_body(Some(piece), false).await?;
                }
                None => return session.write_response_body(None, true).await,
            },
            // Read only when there is room for it.
            piece = async {
                let room = to_backend.reserve().await.ok()?;
                Some((room, session.read_request_body().await))
            }, if !to_backend.is_closed() => match piece {
                Some((room, Ok(Some(piece)))) => {
                    let moved = holds::bytes(session);
                    if let Some(holds) = &mut holds {
                        holds.moved(moved);
                    }
                    room.send(piece);
                }
                Some((_, Ok(None))) => return Ok(()),
                Some((_, Err(error))) => return Err(error.into_down()),
                // The backend listens no more, but may have something to say.
                None => (),
            },
        }
    }
}

/// Passes on to the backend what the client says.
async fn send(mut pieces: Receiver<Bytes>, mut writes: impl AsyncWrite + Unpin) {
    while let Some(piece) = pieces.recv().await {
        let sent = async {
            writes.write_all(&piece).await?;
            writes.flush().await
        };
        if !matches!(timeout(UPGRADED_SILENCE_MAX, sent).await, Ok(Ok(()))) {
            return;
        }
    }
    // It may be gone already.
    let _ = writes.shutdown().await;
}

/// Takes what the backend says, until nobody wants to hear it.
async fn receive(mut reads: impl AsyncRead + Unpin, to_client: Sender<Bytes>) {
    let listened = async {
        loop {
            let mut room = BytesMut::with_capacity(PIECE_BYTES);
            let read = async { reads.read_buf(&mut room).await };
            match timeout(UPGRADED_SILENCE_MAX, read).await {
                Ok(Ok(count)) if 0 < count => (),
                // It ended, it broke, or it is silent for too long: there is no more.
                Ok(Ok(_) | Err::<_, io::Error>(_)) | Err(_) => return,
            }
            if to_client.send(room.freeze()).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = listened => (),
        () = to_client.closed() => (),
    }
}
