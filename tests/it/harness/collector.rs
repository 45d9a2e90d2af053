//! A collector of telemetry (OTLP over gRPC and over HTTP) that remembers what it got, and misbehaves
//! as it is told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::soon;

/// A collector that listens. It ends when the value does.
pub(crate) struct Collector {
    got: Got,
    address: SocketAddr,
    _runtime: Runtime,
}

/// What it got.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
    metrics: Vec<ExportMetricsServiceRequest>,
    resource: HashMap<String, String>,
    manner: Manner,
    asked: usize,
}

/// How it treats what it gets.
#[derive(Clone, Debug, Default)]
pub(crate) enum Manner {
    /// It takes it.
    #[default]
    Takes,
    /// It takes all but so many of each request.
    Rejects(i64),
    /// It says with this status that it does not.
    Answers(tonic::Code),
    /// It never answers.
    Silent,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"))
    }

    /// One that listens there.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a free port");
        let (address, got) = (listener.local_addr().expect("its address"), Got::default());
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(got.clone()))
            .add_service(LogsServiceServer::new(got.clone()))
            .add_service(MetricsServiceServer::new(got.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        runtime.spawn(serving);
        Self { got, address, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it behaves like this.
    pub(crate) fn behave(&self, manner: Manner) {
        self.got.with(|inner| inner.manner = manner);
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.got.with(|inner| inner.spans.clone())
    }

    pub(crate) fn logs(&self) -> Vec<LogRecord> {
        self.got.with(|inner| inner.logs.clone())
    }

    /// How often it was sent something.
    pub(crate) fn asked(&self) -> usize {
        self.got.with(|inner| inner.asked)
    }

    /// The pushes of metrics, each whole.
    pub(crate) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.got.with(|inner| inner.metrics.clone())
    }

    /// What the last request said of its sender.
    pub(crate) fn resource(&self) -> HashMap<String, String> {
        self.got.with(|inner| inner.resource.clone())
    }

    /// Waits for so many spans of exchanges and of what is asked for them.
    pub(crate) fn await_spans(&self, count: usize) -> Vec<Span> {
        let of_exchanges = || {
            let is_own = |span: &Span| span.kind == i32::from(span::SpanKind::Internal);
            self.spans().into_iter().filter(|span| !is_own(span)).collect::<Vec<_>>()
        };
        soon(|| Some(of_exchanges()).filter(|spans| count <= spans.len()))
            .unwrap_or_else(|| panic!("{count} spans were expected: {:#?}", self.spans()))
    }
}

/// Everything that it got, as text: for what must not be in it.
impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.got.with(|inner| {
            write!(formatter, "{:?} {:?} {:?}", inner.spans, inner.logs, inner.metrics)
        })
    }
}

impl Got {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().expect("what it got"))
    }

    /// What is answered, once it is known how it behaves; how many it rejects.
    async fn judge(&self) -> Result<i64, Status> {
        let manner = self.with(|inner| {
            inner.asked += 1;
            inner.manner.clone()
        });
        match manner {
            Manner::Takes => Ok(0),
            Manner::Rejects(count) => Ok(count),
            Manner::Answers(code) => Err(Status::new(code, "as it was told")),
            Manner::Silent => std::future::pending().await,
        }
    }
}

/// A number of a trace or of a span, as fields have it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// The text of an attribute.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let pair = attributes.iter().find(|pair| pair.key == name)?;
    let value = pair.value.as_ref()?.value.as_ref()?;
    if let any_value::Value::StringValue(text) = value {
        return Some(text.clone());
    }
    if let any_value::Value::IntValue(number) = value {
        return Some(number.to_string());
    }
    Some(format!("{value:?}"))
}

#[tonic::async_trait]
impl TraceService for Got {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let rejected = self.judge().await?;
        let groups = request.into_inner().resource_spans;
        self.with(|inner| {
            for group in groups {
                let attributes = group.resource.unwrap_or_default().attributes;
                inner.resource = attributes
                    .iter()
                    .filter_map(|pair| Some((pair.key.clone(), attribute(&attributes, &pair.key)?)))
                    .collect();
                inner.spans.extend(group.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        });
        let partial =
            ExportTracePartialSuccess { rejected_spans: rejected, error_message: String::new() };
        let partial_success = (rejected > 0).then_some(partial);
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Got {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.judge().await?;
        let groups = request.into_inner().resource_logs;
        let scopes = groups.into_iter().flat_map(|group| group.scope_logs);
        self.with(|inner| inner.logs.extend(scopes.flat_map(|scope| scope.log_records)));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Got {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.judge().await?;
        self.with(|inner| inner.metrics.push(request.into_inner()));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// A port on which nobody listens, and nobody is likely to begin.
pub(crate) fn unused() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    thread::yield_now();
    address
}
