//! The stand-in as it passes calls of gRPC on to an app that metadata names, whatever the service:
//! as daprd does it, byte for byte, and with its refusals.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::metadata::MetadataValue;
use tonic::server::NamedService;
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use super::{CALLED, Known};

/// What the calls said that were to be passed on.
pub(crate) type Said = Arc<Mutex<Vec<http::HeaderMap>>>;

/// The service of the tests' app, as the sidecar has it.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) known: Arc<Known>,
    pub(super) said: Said,
}

impl NamedService for Proxy {
    const NAME: &'static str = "tests.Echo";
}

impl Service<http::Request<Body>> for Proxy {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.said.lock().expect("what was said").push(request.headers().clone());
        let known = Arc::clone(&self.known);
        Box::pin(async move {
            Ok(match passed_on(&known, request).await {
                Ok(response) => response,
                Err(status) => status.into_http(),
            })
        })
    }
}

async fn passed_on(
    known: &Known,
    mut request: http::Request<Body>,
) -> Result<http::Response<Body>, Status> {
    let address = address(known, request.headers())?;
    request.headers_mut().remove("dapr-api-token");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let unconnected = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    let mut channel = endpoint.connect().await.map_err(unconnected)?;
    std::future::poll_fn(|context| channel.poll_ready(context)).await.map_err(unconnected)?;
    channel.call(request).await.map_err(unconnected)
}

/// Where the app is that `fields` name.
fn address(known: &Known, fields: &http::HeaderMap) -> Result<SocketAddr, Status> {
    let field = |name: &str| fields.get(name)?.to_str().ok();
    if !known.token.is_empty() && field("dapr-api-token") != Some(&known.token) {
        return Err(unauthorized());
    }
    let app = field("dapr-callee-app-id").or_else(|| field("dapr-app-id"));
    let Some(app) = app else {
        let told = "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id \
                    not found";
        return Err(Status::unknown(told));
    };
    if app.matches('.').count() > 1 || app.contains('/') {
        return Err(Status::unknown(format!("invalid app id {app}")));
    }
    if app == "forbidden" {
        let told = "access control policy has denied access to appid: weir operation: tests.Echo";
        return Err(Status::permission_denied(told));
    }
    let address = known.called.filter(|_address| app.split('.').next() == Some(CALLED));
    address.ok_or_else(|| Status::unknown(format!("couldn't find service: {app}")))
}

/// What a wrong token is answered with: only the details say that it is the token.
fn unauthorized() -> Status {
    let details = b"\x08\x10\x12\x0cUnauthorized dapr.io http.error_message api token mismatch";
    let mut status = Status::new(Code::Unauthenticated, "Unauthorized");
    let value = MetadataValue::from_bytes(details);
    status.metadata_mut().insert_bin("grpc-status-details-bin", value);
    status
}
