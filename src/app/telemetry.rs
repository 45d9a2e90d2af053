//! What is recorded for a collector, and the lanes on which it goes there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use prost::Message as _;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::metrics::Sources;
use crate::app::StartError;
use crate::caller::roots::Roots;
use crate::correlation::sampling::Sampler;
use crate::correlation::{Forms, Terms};
use crate::exporter::way::{Collector, Signal, Way};
use crate::exporter::{Around, Lane, Measure};
use crate::secret::Secret;
use crate::settings::{self, Protocol, Settings};
use crate::telemetry::metrics::Source as _;
use crate::telemetry::otlp::log::Logs;
use crate::telemetry::otlp::outbox::{Outbox, Outboxes};
use crate::telemetry::otlp::resource::Resource;
use crate::telemetry::otlp::span::Spans;
use crate::time::{Clock, SystemClock, Timestamp};

/// The largest file with fields for the collector, in bytes.
const HEADERS_BYTES_MAX: u64 = 64 << 10;

/// What is recorded for a collector.
pub(super) struct Telemetry {
    /// Makes spans of exchanges, if there are traces.
    pub(super) spans: Option<Arc<Spans>>,
    /// Where it waits.
    pub(super) outboxes: Outboxes,
    /// Takes lines of exchanges, if the collector gets them.
    pub(super) logs: Option<Logs>,
    plan: Option<Plan>,
}

/// How it is sent.
struct Plan {
    collector: Arc<Collector>,
    resource: Arc<Resource>,
    wanted: settings::Telemetry,
    roots: Arc<Roots>,
    clock: Arc<SystemClock>,
    /// Since when metrics count.
    started: Timestamp,
}

/// What it takes to speak with a collector.
pub(super) struct Means<'a> {
    /// The authorities of the machine.
    pub(super) roots: &'a Arc<Roots>,
    /// Knows what time it is.
    pub(super) clock: &'a Arc<SystemClock>,
    /// This replica's id.
    pub(super) instance: &'a str,
}

/// What the settings want recorded, into `outboxes`.
pub(super) fn of(
    settings: &Settings,
    outboxes: &Outboxes,
    means: &Means<'_>,
) -> Result<Telemetry, StartError> {
    let wanted = &settings.telemetry;
    let Some(url) = wanted.collector() else {
        let outboxes = outboxes.clone();
        return Ok(Telemetry { spans: None, outboxes, logs: None, plan: None });
    };
    let headers = match &wanted.otlp.headers_file {
        Some(path) => headers(path)?,
        None => Vec::new(),
    };
    let collector = Arc::new(Collector {
        url: Arc::new(url.clone()),
        headers,
        ca: wanted.otlp.ca_file.clone(),
        time_max: wanted.otlp.timeout,
    });
    let mut said = wanted.resource.clone();
    said.push(("service.name".to_owned(), wanted.service_name.clone()));
    let resource = Arc::new(Resource::new(means.instance, &said));
    let plan = Plan {
        collector,
        resource,
        wanted: wanted.clone(),
        roots: Arc::clone(means.roots),
        clock: Arc::clone(means.clock),
        started: means.clock.now(),
    };
    Ok(Telemetry {
        spans: spans(&wanted.traces, outboxes),
        outboxes: outboxes.clone(),
        logs: wanted.logs.then(|| Logs::new(Arc::clone(&outboxes.logs))),
        plan: Some(plan),
    })
}

fn spans(traces: &settings::Traces, outboxes: &Outboxes) -> Option<Arc<Spans>> {
    let sampler = match traces.sampler {
        settings::Sampler::Off => return None,
        settings::Sampler::Never => Sampler::Never,
        settings::Sampler::Always => Sampler::Always,
        settings::Sampler::Ratio => Sampler::Share(f64::from(traces.per_million) * 1e-6),
    };
    let accepts = |form: &str| traces.accepts.iter().any(|known| known == form);
    let forms = Forms { b3: accepts("b3"), request_id: accepts("request-id") };
    let failures = u32::try_from(traces.failures_per_second).unwrap_or(u32::MAX);
    let outbox = Arc::clone(&outboxes.spans);
    Some(Arc::new(Spans::new(Terms { sampler, forms }, failures, outbox)))
}

/// The fields in the file at `path`, one `Name: value` a line.
fn headers(path: &Path) -> Result<Vec<(String, Secret)>, StartError> {
    let unusable = |why: String| {
        StartError::Telemetry(format!("the file of fields {}: {why}", path.display()))
    };
    let size = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
    if HEADERS_BYTES_MAX < size {
        return Err(unusable(format!("it has more than {HEADERS_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let mut fields = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let field = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let field = field.filter(|(name, value)| {
            HeaderName::try_from(*name).is_ok() && HeaderValue::from_str(value).is_ok()
        });
        // What stands there may be a key.
        let wrong = || unusable(format!("line {} is not `Name: value`", number.saturating_add(1)));
        let (name, value) = field.ok_or_else(wrong)?;
        fields.push((name.to_ascii_lowercase(), Secret::new(value)));
    }
    Ok(fields)
}

impl Telemetry {
    /// The lanes; metrics are what `sources` have.
    pub(super) fn into_lanes(self, sources: &Arc<Sources>) -> Lanes {
        let Self { plan: Some(plan), outboxes, .. } = self else { return Lanes(Vec::new()) };
        let around = || Around::Resource(Arc::clone(&plan.resource));
        let interval = plan.wanted.otlp.interval;
        let mut lanes = vec![plan.lane(Signal::Traces, &outboxes.spans, around(), interval)];
        if plan.wanted.logs {
            lanes.push(plan.lane(Signal::Logs, &outboxes.logs, around(), interval));
        }
        if let Some(interval) = plan.wanted.metrics_interval {
            let measured = Around::Measured(plan.measure(Arc::clone(sources)));
            lanes.push(plan.lane(Signal::Metrics, &outboxes.metrics, measured, interval));
        }
        Lanes(lanes)
    }
}

impl Plan {
    fn lane(
        &self,
        signal: Signal,
        outbox: &Arc<Outbox>,
        around: Around,
        interval: Duration,
    ) -> Lane {
        let collector = Arc::clone(&self.collector);
        let way = match self.wanted.otlp.protocol {
            Protocol::Grpc => Way::grpc(collector),
            Protocol::Http => Way::web(collector, Arc::clone(&self.roots)),
        };
        let (outbox, clock) = (Arc::clone(outbox), Arc::clone(&self.clock));
        Lane { signal, outbox, around, way, interval, clock, trouble: None }
    }

    /// Makes requests with all metrics.
    fn measure(&self, sources: Arc<Sources>) -> Measure {
        let (resource, started) = (Arc::clone(&self.resource), self.started);
        Box::new(move |now| sources.page().otlp(resource.message(), started, now).encode_to_vec())
    }
}

/// The lanes on which records go to a collector.
pub(super) struct Lanes(Vec<Lane>);

impl Lanes {
    /// Sends on a thread of its own, until `stopped`; nothing if there is nothing to send.
    pub(super) fn run(self, stopped: watch::Receiver<bool>) -> io::Result<Option<JoinHandle<()>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut lanes = JoinSet::new();
                for lane in self.0 {
                    lanes.spawn(lane.run(stopped.clone()));
                }
                // Nobody is left to hear of one that panicked.
                while lanes.join_next().await.is_some() {}
            });
            // A name that is still looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Some(thread))
    }
}
