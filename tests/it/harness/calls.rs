//! A service of gRPC with one method of each kind, and a client of it. Messages are texts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{
    ClientStreamingService, NamedService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::PATIENCE;

/// What all messages are written with.
type Codec = ProstCodec<String, String>;
/// What comes of a method.
type Outcome<T> = BoxFuture<Response<T>, Status>;
/// Texts, one after the other.
type Texts = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// The service, listening. It ends when the value does.
pub(crate) struct Calls {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

/// A client.
pub(crate) struct Caller {
    runtime: Runtime,
    grpc: Grpc<Channel>,
}

impl Calls {
    pub(crate) fn start() -> Self {
        Self::on(0)
    }

    /// One that listens on `port`; on any, if that is none.
    pub(crate) fn on(port: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("a port");
        let address = listener.local_addr().expect("its address");
        let incoming = TcpIncoming::from(listener);
        runtime.spawn(Server::builder().add_service(Echo).serve_with_incoming(incoming));
        Self { runtime: Some(runtime), address }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// `tests.Echo`.
#[derive(Clone, Copy)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "tests.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default());
            Ok(match request.uri().path() {
                "/tests.Echo/Unary" => grpc.unary(Echo, request).await,
                "/tests.Echo/Gather" => grpc.client_streaming(Echo, request).await,
                "/tests.Echo/Spell" => grpc.server_streaming(Echo, request).await,
                "/tests.Echo/Chat" => grpc.streaming(Echo, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

impl UnaryService<String> for Echo {
    type Response = String;
    type Future = Outcome<String>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async move {
            let timeout = request.metadata().get("grpc-timeout");
            let timeout = timeout.map_or("none", |it| it.to_str().unwrap_or("?")).to_owned();
            match request.get_ref().as_str() {
                "fail" => {
                    let mut metadata = MetadataMap::new();
                    metadata.insert("x-why", MetadataValue::from_static("because"));
                    Err(Status::with_metadata(tonic::Code::DataLoss, "50% l\u{f6}st", metadata))
                }
                "sleep" => {
                    tokio::time::sleep(Duration::from_mins(1)).await;
                    Err(Status::internal("slept"))
                }
                "timeout" => Ok(Response::new(timeout)),
                text => Ok(Response::new(format!("echo {text}"))),
            }
        })
    }
}

impl ClientStreamingService<String> for Echo {
    type Response = String;
    type Future = Outcome<String>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let mut texts = request.into_inner();
            let mut all = String::new();
            while let Some(text) = texts.message().await? {
                all.push_str(&text);
            }
            Ok(Response::new(all))
        })
    }
}

impl ServerStreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Texts;
    type Future = Outcome<Texts>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let letters: Vec<_> = request.into_inner().chars().map(String::from).collect();
        let is_endless = letters.concat() == "forever";
        let texts = tokio_stream::iter(letters.into_iter().map(Ok));
        let texts: Texts = if is_endless {
            Box::pin(texts.chain(tokio_stream::pending()))
        } else {
            Box::pin(texts)
        };
        Box::pin(async move { Ok(Response::new(texts)) })
    }
}

impl StreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Texts;
    type Future = Outcome<Texts>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        let texts = request.into_inner().map(|text| Ok(format!("re {}", text?)));
        let texts: Texts = Box::pin(texts);
        Box::pin(async move { Ok(Response::new(texts)) })
    }
}

/// The path of a method.
fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/tests.Echo/{method}").parse().expect("a path")
}

impl Caller {
    /// A client of whoever listens there.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = runtime.block_on(endpoint.connect()).expect("it listens");
        Self { runtime, grpc: Grpc::new(channel) }
    }

    /// Waits for what comes of `future`.
    fn wait<T>(
        runtime: &Runtime,
        future: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let timed = async { tokio::time::timeout(PATIENCE, future).await };
        runtime.block_on(timed).expect("in time")
    }

    /// One text for one.
    pub(crate) fn unary(&mut self, request: Request<String>) -> Result<String, Status> {
        let Self { runtime, grpc } = self;
        Self::wait(runtime, async {
            grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let answer = grpc.unary(request, path("Unary"), Codec::default()).await;
            Ok(answer?.into_inner())
        })
    }

    /// Another method, with one text for one.
    pub(crate) fn named(&mut self, method: &str) -> Result<String, Status> {
        let Self { runtime, grpc } = self;
        Self::wait(runtime, async {
            grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let request = Request::new("x".to_owned());
            let answer = grpc.unary(request, path(method), Codec::default()).await;
            Ok(answer?.into_inner())
        })
    }

    /// Many texts for one.
    pub(crate) fn gather(&mut self, texts: &[&str]) -> Result<String, Status> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        let Self { runtime, grpc } = self;
        Self::wait(runtime, async {
            grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let request = Request::new(tokio_stream::iter(texts));
            let answer = grpc.client_streaming(request, path("Gather"), Codec::default()).await;
            Ok(answer?.into_inner())
        })
    }

    /// One text for many, and what became of the call after those.
    pub(crate) fn spell(&mut self, request: Request<String>) -> (Vec<String>, Result<(), Status>) {
        let Self { runtime, grpc } = self;
        let mut heard = Vec::new();
        let outcome = Self::wait(runtime, async {
            grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let answer = grpc.server_streaming(request, path("Spell"), Codec::default()).await;
            let mut texts = answer?.into_inner();
            while let Some(text) = texts.message().await? {
                heard.push(text);
            }
            Ok(())
        });
        (heard, outcome)
    }

    /// Each text is sent once the answer to the one before is here.
    pub(crate) fn chat(&mut self, texts: &[&str]) -> Result<Vec<String>, Status> {
        let Self { runtime, grpc } = self;
        Self::wait(runtime, async {
            grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let (say, said) = tokio::sync::mpsc::channel(1);
            say.send(texts[0].to_owned()).await.expect("room");
            let request = Request::new(ReceiverStream::new(said));
            let answer = grpc.streaming(request, path("Chat"), Codec::default()).await;
            let mut answers = answer?.into_inner();
            let mut heard = Vec::new();
            for text in texts.iter().skip(1) {
                heard.extend(answers.message().await?);
                say.send((*text).to_owned()).await.expect("room");
            }
            drop(say);
            while let Some(text) = answers.message().await? {
                heard.push(text);
            }
            Ok(heard)
        })
    }
}
