//! The gRPC interface of the stand-in, as far as Dapr's SDKs ask for it by themselves: publications,
//! bindings, metadata. What it does is what the HTTP interface does; this translates.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use super::Known;
use super::proxy::{Proxy, Said};
use crate::harness::backend::Seen;
use crate::harness::message::End;

/// The interface, over a runtime of its own. It ends when the value does.
pub(super) struct Interface {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What calls said that were for apps.
    pub(super) said: Said,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Served(Arc<Known>);

/// Something that is asked of the sidecar, and how it is asked over HTTP.
struct Asked<A>(
    Arc<Known>,
    fn(&Known, A, Option<String>) -> Result<Told, Status>,
    std::marker::PhantomData<A>,
);

/// What any of them answers: nothing, what a binding said, or what there is. The numbers of fields
/// are the same where the messages have something in common.
#[derive(Clone, PartialEq, prost::Message)]
struct Told {
    #[prost(bytes = "vec", tag = "1")]
    first: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    components: Vec<Component>,
    #[prost(string, tag = "8")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Component {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(string, tag = "3")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Publication {
    #[prost(string, tag = "1")]
    component: String,
    #[prost(string, tag = "2")]
    topic: String,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
    #[prost(string, tag = "4")]
    kind: String,
    #[prost(map = "string, string", tag = "5")]
    metadata: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Binding {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
    #[prost(string, tag = "4")]
    operation: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

impl Interface {
    pub(super) fn of(known: &Arc<Known>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let said = Said::default();
        let serving = Server::builder()
            .add_service(Served(Arc::clone(known)))
            .add_service(Proxy { known: Arc::clone(known), said: Arc::clone(&said) })
            .serve_with_incoming(TcpIncoming::from(listener));
        runtime.spawn(serving);
        Self { address, said, _runtime: runtime }
    }
}

impl NamedService for Served {
    const NAME: &'static str = "dapr.proto.runtime.v1.Dapr";
}

impl Service<http::Request<Body>> for Served {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let known = Arc::clone(&self.0);
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            Ok(match method.as_str() {
                "PublishEvent" => answer(known, publish, request).await,
                "InvokeBinding" => answer(known, bind, request).await,
                "GetMetadata" => answer(known, tell, request).await,
                _ => Status::unimplemented("the stand-in does not know it").into_http(),
            })
        })
    }
}

async fn answer<A: prost::Message + Default + 'static>(
    known: Arc<Known>,
    ask: fn(&Known, A, Option<String>) -> Result<Told, Status>,
    request: http::Request<Body>,
) -> http::Response<Body> {
    let mut grpc = Grpc::new(ProstCodec::<Told, A>::default());
    grpc.unary(Asked(known, ask, std::marker::PhantomData), request).await
}

impl<A: prost::Message + Default + 'static> UnaryService<A> for Asked<A> {
    type Response = Told;
    type Future = std::future::Ready<Result<Response<Told>, Status>>;

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let shown = request.metadata().get("dapr-api-token");
        let shown = shown.and_then(|token| token.to_str().ok()).map(str::to_owned);
        let Self(known, ask, _) = self;
        ready(ask(known, request.into_inner(), shown).map(Response::new))
    }
}

/// Asks over HTTP, as it were; the status of a refusal becomes one of gRPC.
fn ask(
    known: &Known,
    (method, target): (&str, String),
    (kind, body): (&str, Vec<u8>),
    token: Option<String>,
) -> Result<Vec<u8>, Status> {
    let mut fields = vec![("content-type".to_owned(), kind.to_owned())];
    fields.extend(token.map(|token| ("dapr-api-token".to_owned(), token)));
    let (method, length) = (method.to_owned(), body.len());
    let seen = Seen { connection: 0, method, target, fields, body, length, end: End::Whole };
    let answered = known.answer(&seen);
    let text = String::from_utf8_lossy(&answered).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let code = match head.split(' ').nth(1).unwrap_or_default() {
        "200" | "204" => return Ok(body.as_bytes().to_vec()),
        "401" => Code::Unauthenticated,
        "403" => Code::PermissionDenied,
        "404" => Code::NotFound,
        "400" => Code::InvalidArgument,
        _ => Code::Internal,
    };
    Err(Status::new(code, body))
}

fn publish(known: &Known, asked: Publication, token: Option<String>) -> Result<Told, Status> {
    let Publication { component, topic, data, kind, metadata } = asked;
    let query: Vec<String> =
        metadata.iter().map(|(name, value)| format!("metadata.{name}={value}")).collect();
    let target = format!("/v1.0/publish/{component}/{topic}?{}", query.join("&"));
    let kind = if kind.is_empty() { "text/plain" } else { &kind };
    ask(known, ("POST", target), (kind, data), token).map(|_nothing| Told::default())
}

fn bind(known: &Known, asked: Binding, token: Option<String>) -> Result<Told, Status> {
    let Binding { name, data, metadata, operation } = asked;
    let text = String::from_utf8_lossy(&data).into_owned();
    let data = serde_json::from_str::<Value>(&text).unwrap_or_else(|_text| text.into());
    let body = json!({"operation": operation, "metadata": metadata, "data": data}).to_string();
    let target = format!("/v1.0/bindings/{name}");
    let said = ask(known, ("POST", target), ("application/json", body.into()), token)?;
    Ok(Told { first: said, ..Told::default() })
}

fn tell(known: &Known, _asked: Nothing, token: Option<String>) -> Result<Told, Status> {
    let said = ask(known, ("GET", "/v1.0/metadata".to_owned()), ("", Vec::new()), token)?;
    let said: Value = serde_json::from_slice(&said).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let components = said["components"].as_array().into_iter().flatten().map(|it| Component {
        name: text(&it["name"]),
        kind: text(&it["type"]),
        version: text(&it["version"]),
    });
    Ok(Told {
        first: text(&said["id"]).into_bytes(),
        components: components.collect(),
        version: text(&said["runtimeVersion"]),
    })
}
