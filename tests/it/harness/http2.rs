//! An HTTP/2 client, in the clear or over TLS.

use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use openssl::ssl::Ssl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::PATIENCE;
use super::tls::Authority;

/// A connection that speaks HTTP/2.
pub(crate) struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The fields.
    pub(crate) fields: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// What stood behind it.
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(|value| value.to_str().ok())
    }

    /// What became of a call of gRPC.
    pub(crate) fn status_of_call(&self) -> Option<&str> {
        let status = self.trailers.get("grpc-status");
        status.or_else(|| self.fields.get("grpc-status"))?.to_str().ok()
    }
}

impl Http2 {
    /// In the clear, by prior knowledge.
    pub(crate) fn clear(address: SocketAddr) -> Self {
        let runtime = runtime();
        let tcp = runtime.block_on(TcpStream::connect(address)).expect("the gateway listens");
        Self::over(runtime, tcp)
    }

    /// Over TLS, by ALPN.
    pub(crate) fn tls(address: SocketAddr, host: &str, authority: &Authority) -> Self {
        let runtime = runtime();
        let configured = authority.connector(&["h2"]).configure().expect("TLS");
        let ssl: Ssl = configured.into_ssl(host).expect("TLS");
        let stream = runtime.block_on(async {
            let tcp = TcpStream::connect(address).await.expect("the gateway listens");
            let mut stream = SslStream::new(ssl, tcp).expect("TLS");
            Pin::new(&mut stream).connect().await.expect("a handshake");
            stream
        });
        assert_eq!(stream.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
        Self::over(runtime, stream)
    }

    fn over(
        runtime: Runtime,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let connected = runtime.block_on(h2::client::handshake(stream));
        let (sender, connection) = connected.expect("a handshake");
        // It ends with the connection; what is wrong shows where a request is answered.
        runtime.spawn(async move { drop(connection.await) });
        Self { runtime, sender }
    }

    /// Sends a request and waits for its answer; an error is that of the stream.
    pub(crate) fn ask(
        &mut self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> Result<Answer, h2::Error> {
        let sender = self.sender.clone();
        let asked = async {
            let mut sender = sender.ready().await?;
            let (answer, mut stream) = sender.send_request(request, body.is_none())?;
            if let Some(body) = body {
                stream.send_data(body, true)?;
            }
            let answer = answer.await?;
            let (head, mut stream) = answer.into_parts();
            let mut body = Vec::new();
            while let Some(piece) = stream.data().await {
                let piece = piece?;
                stream.flow_control().release_capacity(piece.len())?;
                body.extend_from_slice(&piece);
            }
            let trailers = stream.trailers().await?.unwrap_or_default();
            Ok(Answer { status: head.status, fields: head.headers, body, trailers })
        };
        self.runtime.block_on(async { timeout(PATIENCE, asked).await.expect("in time") })
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}
