//! How a collector is spoken to: OTLP over gRPC or over HTTP, with the same messages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use crate::caller::Caller;
use crate::caller::resolve::Resolver;
use crate::caller::roots::Roots;
use crate::caller::secure::Securing;
use crate::exchange::secrets::HIDDEN;
use crate::exporter::grpc::Grpc;
use crate::exporter::web::Web;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

/// Where a collector is and what it wants.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it is; a path stands before those of the signals, over HTTP.
    pub url: Arc<crate::backend::BaseUrl>,
    /// Fields that it wants with every request: they may hold a key.
    pub headers: Vec<(String, Secret)>,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca: Option<PathBuf>,
    /// How long a request may take.
    pub time_max: Duration,
}

/// How it is spoken to.
pub enum Way {
    /// Over gRPC.
    Grpc(Box<Grpc>),
    /// Over HTTP, as Protocol Buffers.
    Web(Box<Web>),
}

/// What it said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It has taken them, but for so many.
    Taken {
        /// Those that it does not want.
        refused: u64,
    },
    /// It will take them later; when, perhaps, and why not now.
    Later(Option<Duration>, String),
    /// It will never take them, for this reason.
    Refused(String),
}

impl Signal {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

impl Way {
    /// Over gRPC.
    pub fn grpc(collector: Arc<Collector>) -> Self {
        Self::Grpc(Box::new(Grpc::new(collector)))
    }

    /// Over HTTP; `roots` are for collectors without authorities of their own.
    pub fn web(collector: Arc<Collector>, roots: Arc<Roots>) -> Self {
        let roots = match &collector.ca {
            Some(ca) => Arc::new(Roots::of(Some(ca.clone()))),
            None => roots,
        };
        let caller = Arc::new(Caller::new(Securing::new(roots), 1));
        Self::Web(Box::new(Web { collector, caller, resolver: Resolver::default() }))
    }

    /// What a collector said, without the fields that it wants: they may hold a key.
    pub fn told(&self, why: String) -> String {
        let collector = match self {
            Self::Grpc(grpc) => &grpc.collector,
            Self::Web(web) => &web.collector,
        };
        let values = collector.headers.iter().map(|(_name, value)| value.expose());
        let values = values.filter(|value| !value.is_empty());
        values.fold(why, |why, value| why.replace(value, HIDDEN))
    }

    /// Sends a request with records of that kind.
    pub async fn send(&mut self, signal: Signal, body: &[u8], now: Timestamp) -> Outcome {
        match self {
            Self::Grpc(grpc) => grpc.send(signal, body).await,
            Self::Web(web) => web.send(signal, body, now).await,
        }
    }
}

impl Outcome {
    /// What the response says: the three kinds have the same form.
    pub(super) fn of(response: &[u8]) -> Self {
        let partial = ExportTraceServiceResponse::decode(response).ok();
        let partial = partial.and_then(|response| response.partial_success);
        let refused = partial.map_or(0, |partial| partial.rejected_spans);
        Self::Taken { refused: u64::try_from(refused).unwrap_or_default() }
    }
}
