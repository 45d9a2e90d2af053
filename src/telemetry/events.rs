//! The events of the gateway itself (start, reload, refusal of a configuration, stop) as lines on
//! standard error, through `tracing`.

use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::correlation::OWN_SPANS;
use crate::telemetry::otlp::log::Logs;
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::own;
use crate::time::SystemClock;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines, one JSON object a line.
    Json,
    /// Nothing is written.
    None,
}

/// How events are told on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// How lines look.
    pub format: Format,
    /// From which level on: `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// Whether in colours.
    pub color: bool,
}

/// What a collector gets, too.
#[derive(Debug)]
pub struct Collected {
    /// Where spans of the gateway itself go.
    pub spans: Arc<Outbox>,
    /// Takes events, if it gets those.
    pub logs: Option<Logs>,
}

/// Begins to tell events. Only the first call in a process has an effect: later gateways in it share
/// the writer.
pub fn start(look: Look, collected: Option<Collected>) {
    let writer = fmt::layer().with_writer(std::io::stderr).with_ansi(look.color).with_target(false);
    let written = match look.format {
        Format::Text => Some(writer.boxed()),
        Format::Json => Some(writer.json().flatten_event(true).boxed()),
        Format::None => None,
    };
    let written = written.map(|layer| layer.with_filter(filter(look.level)));
    let (spans, logs) = match collected {
        Some(Collected { spans, logs }) => (Some(spans), logs),
        None => (None, None),
    };
    let spans = spans.map(|outbox| own::spans(outbox).with_filter(own_spans()));
    let logs = logs.map(|logs| {
        own::events(logs, Arc::new(SystemClock::start())).with_filter(filter(look.level))
    });
    // Somebody else may have begun already, which is as good.
    let _ = registry().with(written).with(spans).with(logs).try_init();
}

/// Events from `level` on; spans of the gateway itself are for a collector alone.
fn filter(level: &str) -> EnvFilter {
    // What Pingora logs about single connections stands in the record of the exchange.
    let quiet = "pingora_core=error,pingora_proxy=error";
    let directives = format!("{level},{quiet},{OWN_SPANS}=off");
    EnvFilter::try_new(directives).unwrap_or_else(|_unparsable| EnvFilter::new("info"))
}

/// Spans of the gateway itself.
fn own_spans() -> Targets {
    Targets::new().with_target(OWN_SPANS, LevelFilter::INFO)
}
