//! The backend for what the upstream of the other scenarios does not speak: large bodies over HTTP/1.1,
//! and unary calls of gRPC over HTTP/2. It lives on a thread of this program, on the core of the load.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::failure::{Failure, during};
use crate::open_loop::http1::{read_head, skip};
use crate::open_loop::http2::framed;

/// The one method it has.
pub(crate) const GRPC_PATH: &str = "/loadtest.Echo/Say";

/// What it answers to that, in its frame.
pub(crate) const GRPC_ANSWER_BYTES: usize = 10;

/// The length of a large body.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// How long an answer takes at `/slow`.
const SLOW: Duration = Duration::from_millis(150);

/// Where it listens. It ends with the value.
#[derive(Debug)]
pub(crate) struct Backend {
    /// For HTTP/1.1: `GET …/down` is answered with a large body, everything else with none.
    pub(crate) http1: SocketAddr,
    /// For HTTP/2 with prior knowledge: every request is a call of gRPC.
    pub(crate) http2: SocketAddr,
    over: Arc<Notify>,
}

impl Backend {
    /// Listens and serves.
    pub(crate) fn start() -> Result<Self, Failure> {
        let listen = || {
            let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let listening = |e: io::Error| during("listening as the backend")(e);
        let ((one, http1), (two, http2)) =
            (listen().map_err(listening)?, listen().map_err(listening)?);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(during("starting the backend"))?;
        let over = Arc::new(Notify::new());
        let ended = Arc::clone(&over);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = ended.notified() => {}
                    () = accept(one, |stream| async { drop(serve(stream).await) }) => {}
                    () = accept(two, |stream| async { drop(call(stream).await) }) => {}
                }
            });
        });
        Ok(Self { http1, http2, over })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.over.notify_one();
    }
}

/// Serves each connection by itself; a connection that breaks is the business of its client.
async fn accept<F>(listener: Listener, serve: fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            connections.spawn(serve(stream));
        }
        while connections.try_join_next().is_some() {}
    }
}

/// HTTP/1.1: takes bodies, gives bodies.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let large = vec![b'x'; LARGE_BYTES];
    let mut read = Vec::new();
    while let Some(head) = read_head(&mut stream, &mut read).await? {
        let there = read.len().saturating_sub(head.bytes);
        skip(&mut stream, head.length.unwrap_or(0).saturating_sub(there)).await?;
        read.clear();
        let path = head.first_line.split(' ').nth(1).unwrap_or_default();
        if path.ends_with("/slow") {
            tokio::time::sleep(SLOW).await;
        }
        let body = if path.ends_with("/down") { large.as_slice() } else { &[] };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(body).await?;
    }
    Ok(())
}

/// HTTP/2: answers each call with one message.
async fn call(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    let mut calls = JoinSet::new();
    while let Some(next) = connection.accept().await {
        let (request, mut respond) = next?;
        while calls.try_join_next().is_some() {}
        calls.spawn(async move {
            take(request).await?;
            let mut answer = Response::new(());
            let grpc = HeaderValue::from_static("application/grpc");
            answer.headers_mut().insert("content-type", grpc);
            let mut stream = respond.send_response(answer, false)?;
            stream.send_data(framed(b"world"), false)?;
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            stream.send_trailers(trailers)
        });
    }
    Ok(())
}

async fn take(request: Request<h2::RecvStream>) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(piece) = body.data().await {
        let piece: Bytes = piece?;
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok(())
}
