//! Backends that speak HTTP/2: many requests share a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use openssl::ssl::{AlpnError, Ssl, SslAcceptor};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_openssl::SslStream;

/// A backend that listens. It ends when the value does.
pub(crate) struct Shared {
    runtime: Option<Runtime>,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

/// What is done with a request.
pub(crate) type Done = Pin<Box<dyn Future<Output = Result<(), h2::Error>> + Send>>;

impl Shared {
    /// A backend whose connections are left to `serve`, which is told how many there were before.
    pub(crate) fn raw<F>(serve: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        runtime.spawn(async move {
            while let Ok((tcp, _from)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                tokio::runtime::Handle::current().spawn(serve(tcp, number));
            }
        });
        let requests = Arc::default();
        Self { runtime: Some(runtime), address, connections, requests }
    }

    /// A backend in the clear that does `answer` with each request, which is told how many there were
    /// before, on connections that `builder` makes.
    pub(crate) fn built(
        builder: h2::server::Builder,
        answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>, usize) -> Done + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&requests), Arc::new(answer));
        let mut shared = Self::raw(move |tcp, _number| {
            serve(tcp, builder.clone(), Arc::clone(&counted), Arc::clone(&answer))
        });
        shared.requests = requests;
        shared
    }

    /// One with the usual settings.
    pub(crate) fn answering(
        answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>, usize) -> Done + Send + Sync + 'static,
    ) -> Self {
        Self::built(h2::server::Builder::new(), answer)
    }

    /// One over TLS that agrees to the first of `protocols` that is offered; to nothing without any.
    /// It answers with what was agreed to.
    pub(crate) fn secure(acceptor: impl Fn() -> SslAcceptor + Send + Sync + 'static) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let answer = Arc::new(|request, respond, _number| whole(request, respond));
        let mut shared = Self::raw(move |tcp, _number| {
            let ssl = Ssl::new(acceptor().context()).expect("TLS");
            let (counted, answer) = (Arc::clone(&counted), Arc::clone(&answer));
            async move {
                let mut stream = SslStream::new(ssl, tcp).expect("TLS");
                if Pin::new(&mut stream).accept().await.is_err() {
                    return;
                }
                if stream.ssl().selected_alpn_protocol() == Some(b"h2") {
                    serve(stream, h2::server::Builder::new(), counted, answer).await;
                } else {
                    single(stream, &counted).await;
                }
            }
        });
        shared.requests = requests;
        shared
    }

    /// Its URL, in the clear.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Agrees to the first of `protocols` that is offered.
pub(crate) fn agreeing(
    authority: &super::tls::Authority,
    host: &str,
    protocol: &'static [u8],
) -> SslAcceptor {
    let mut builder = authority.server(host);
    builder.set_alpn_select_callback(move |_ssl, offered| {
        openssl::ssl::select_next_proto(protocol, offered).ok_or(AlpnError::NOACK)
    });
    builder.build()
}

async fn serve<A>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    builder: h2::server::Builder,
    counted: Arc<AtomicUsize>,
    answer: Arc<A>,
) where
    A: Fn(Request<RecvStream>, SendResponse<Bytes>, usize) -> Done + Send + Sync + 'static,
{
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        // It ends with the stream.
        drop(tokio::runtime::Handle::current().spawn(answer(request, respond, number)));
    }
}

/// Answers HTTP/1.1, whatever is asked.
async fn single(mut stream: SslStream<TcpStream>, counted: &AtomicUsize) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut heard = Vec::new();
    let mut room = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut room).await {
        heard.extend_from_slice(&room[..count]);
        while let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
            heard.drain(..end + 4);
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// The whole body of a message.
pub(crate) async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Answers `HTTP/2`, with what was sent behind it.
pub(crate) fn whole(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Done {
    Box::pin(async move {
        let body = read(request.into_body()).await?;
        let mut stream = respond.send_response(Response::new(()), false)?;
        stream.send_data(Bytes::from([&b"HTTP/2"[..], &body].concat()), true)
    })
}

/// Sends what comes back while it comes.
pub(crate) fn echo(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Done {
    Box::pin(async move {
        let mut stream = respond.send_response(Response::new(()), false)?;
        let mut body = request.into_body();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            send(&mut stream, piece).await?;
        }
        stream.send_data(Bytes::new(), true)
    })
}

/// Sends a piece at the pace of the other side.
async fn send(stream: &mut SendStream<Bytes>, mut piece: Bytes) -> Result<(), h2::Error> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.transpose()?.unwrap_or_default();
        if room == 0 {
            return Ok(());
        }
        stream.send_data(piece.split_to(room.min(piece.len())), false)?;
    }
    Ok(())
}
