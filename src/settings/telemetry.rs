//! What the gateway tells about itself to a collector of telemetry, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::backend::BaseUrl;

/// What is told to a collector.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Telemetry {
    /// How it is reached.
    pub otlp: Otlp,
    /// Traces.
    pub traces: Traces,
    /// Whether it gets the lines of the log, too.
    pub logs: bool,
    /// How often it gets metrics; never if not set.
    pub metrics_interval: Option<Duration>,
    /// What is said of whoever sends, besides what is known: names and values.
    pub resource: Vec<(String, String)>,
    /// What the gateway is called there.
    pub service_name: String,
}

/// How a collector is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Otlp {
    /// Where it is; nothing is recorded for one if not set.
    pub endpoint: Option<BaseUrl>,
    /// Whether it is sent anything.
    pub is_enabled: bool,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// A file with fields that it wants, one `Name: value` a line.
    pub headers_file: Option<PathBuf>,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca_file: Option<PathBuf>,
    /// How long a request to it may take.
    pub timeout: Duration,
    /// How often spans and lines are sent.
    pub interval: Duration,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// gRPC.
    #[default]
    Grpc,
    /// HTTP, with Protocol Buffers.
    Http,
}

/// Which traces are recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Traces {
    /// Who decides.
    pub sampler: Sampler,
    /// How many of a million are recorded where nobody who is trusted has decided.
    pub per_million: u32,
    /// How many exchanges that went wrong are recorded in a second in any case.
    pub failures_per_second: usize,
    /// What else than `traceparent` is understood: `b3`, `request-id`.
    pub accepts: Vec<String>,
}

/// Who decides which traces are recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sampler {
    /// There are no traces: fields of clients go on as they are.
    #[default]
    Off,
    /// Those who are trusted; else a share of all.
    Ratio,
    /// All are recorded.
    Always,
    /// None is, but those that went wrong; the trace goes on to backends.
    Never,
}

impl Telemetry {
    /// Where the collector is, if it is sent anything.
    pub fn collector(&self) -> Option<&BaseUrl> {
        self.otlp.endpoint.as_ref().filter(|_endpoint| self.otlp.is_enabled)
    }
}
