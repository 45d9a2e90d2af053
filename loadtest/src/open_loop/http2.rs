//! A lane of HTTP/2 with prior knowledge: one stream at a time on a connection that lanes share. Calls
//! of gRPC are requests whose status is in the trailers.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::asking::{Asking, GRPC_PREFIX_BYTES};
use super::window::Wrong;

/// A connection that some lanes share; it is made when it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    sender: Mutex<Option<SendRequest<Bytes>>>,
}

/// One stream at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    connection: Rc<Connection>,
    request: Request<()>,
    body: Bytes,
    answer_bytes: usize,
    is_grpc: bool,
}

impl Connection {
    /// A connection to `address`.
    pub(crate) fn to(address: SocketAddr) -> Rc<Self> {
        Rc::new(Self { address, sender: Mutex::new(None) })
    }

    /// A handle to send one request with.
    async fn sender(&self) -> Result<SendRequest<Bytes>, Wrong> {
        let mut kept = self.sender.lock().await;
        if let Some(sender) = kept.clone()
            && let Ok(ready) = sender.ready().await
        {
            return Ok(ready);
        }
        let stream = TcpStream::connect(self.address).await.map_err(|_| Wrong::Broken)?;
        stream.set_nodelay(true).map_err(|_| Wrong::Broken)?;
        let (sender, connection) = handshake(stream).await.map_err(|_| Wrong::Broken)?;
        // It ends with its connection; what breaks it, its streams tell.
        tokio::task::spawn_local(async move { drop(connection.await) });
        let ready = sender.ready().await.map_err(|_| Wrong::Broken)?;
        *kept = Some(ready.clone());
        Ok(ready)
    }
}

impl Lane {
    /// A lane on `connection`; an error if the request cannot be written.
    pub(crate) fn new(connection: Rc<Connection>, asking: &Asking) -> Result<Self, http::Error> {
        let uri = format!("http://{}{}", connection.address, asking.path);
        let mut request = Request::builder().method(asking.method).uri(uri);
        for (name, value) in &asking.fields {
            request = request.header(name, value);
        }
        Ok(Self {
            connection,
            request: request.body(())?,
            body: asking.body.clone(),
            answer_bytes: asking.answer_bytes,
            is_grpc: asking.is_grpc(),
        })
    }

    /// Asks once, and once more if the other side said that it did not take the request up. The number
    /// says how often it was asked again.
    pub(crate) async fn ask(&mut self) -> (Result<(), Wrong>, u64) {
        let untouched = RefCell::new(false);
        let first = self.attempt(&untouched).await;
        if first == Err(Wrong::Broken) && untouched.take() {
            return (self.attempt(&untouched).await, 1);
        }
        (first, 0)
    }

    async fn attempt(&self, untouched: &RefCell<bool>) -> Result<(), Wrong> {
        let mut sender = self.connection.sender().await?;
        let broken = |error: h2::Error| {
            let reason = error.reason();
            let refused = reason == Some(Reason::REFUSED_STREAM);
            *untouched.borrow_mut() =
                refused || error.is_go_away() && reason == Some(Reason::NO_ERROR);
            Wrong::Broken
        };
        let ends = self.body.is_empty();
        let sent = sender.send_request(self.request.clone(), ends);
        let (answer, mut stream) = sent.map_err(broken)?;
        if !ends {
            stream.send_data(self.body.clone(), true).map_err(broken)?;
        }
        let answer = answer.await.map_err(broken)?;
        let (head, mut body) = answer.into_parts();
        let length = read_all(&mut body).await?;
        let trailers = body.trailers().await.map_err(|_| Wrong::Broken)?;
        if head.status.as_u16() != 200 {
            return Err(Wrong::Status(head.status.as_u16()));
        }
        if self.is_grpc {
            let status =
                grpc_status(trailers.as_ref()).or_else(|| grpc_status(Some(&head.headers)));
            // A call without a status did not end well.
            match status {
                Some(0) => {}
                Some(other) => return Err(Wrong::Status(other)),
                None => return Err(Wrong::Body),
            }
        }
        if length == self.answer_bytes { Ok(()) } else { Err(Wrong::Body) }
    }
}

/// Reads a body to its end, and gives its length.
async fn read_all(body: &mut RecvStream) -> Result<usize, Wrong> {
    let mut length = 0_usize;
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(|_| Wrong::Broken)?;
        length = length.saturating_add(piece.len());
        body.flow_control().release_capacity(piece.len()).map_err(|_| Wrong::Broken)?;
    }
    Ok(length)
}

fn grpc_status(fields: Option<&HeaderMap>) -> Option<u16> {
    fields?.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// A message as gRPC frames it: not compressed, its length, itself.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(message.len().saturating_add(GRPC_PREFIX_BYTES));
    framed.push(0);
    framed.extend(length.to_be_bytes());
    framed.extend(message);
    framed.into()
}

#[cfg(test)]
mod tests {
    use super::{framed, grpc_status};
    use http::HeaderMap;

    #[test]
    fn a_message_is_framed_with_its_length() {
        assert_eq!(framed(b"abc"), &[0, 0, 0, 0, 3, b'a', b'b', b'c'][..]);
    }

    #[test]
    fn the_status_of_a_call_is_in_its_trailers() {
        let mut trailers = HeaderMap::new();
        assert_eq!(grpc_status(Some(&trailers)), None);
        trailers.insert("grpc-status", "14".parse().unwrap());
        assert_eq!(grpc_status(Some(&trailers)), Some(14));
    }
}
