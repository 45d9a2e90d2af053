//! The events of the gateway itself (start, reload, refusal of a configuration, stop) as lines on
//! standard error and where the settings say, through `tracing`.
//!
//! Their values come from outside, too: each is written on one line and without tokens, whoever
//! logs it.

use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

use crate::correlation::OWN_SPANS;
use crate::telemetry::access_log::confession;
use crate::telemetry::lines::Lines;
use crate::telemetry::lines::stream::Stream;
use crate::telemetry::local::{Entry, Local, Urgency};
use crate::telemetry::otlp::log::Logs;
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::own;
use crate::telemetry::text::{escaped, without_tokens};
use crate::time::{Clock, SystemClock, date};

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

/// Writes events until it is dropped: then what is left is written.
#[derive(Debug)]
pub struct Events {
    out: Arc<Lines>,
    local: Option<Arc<Local>>,
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

/// The target of what is said about sending.
const EXPORTER: &str = "weir::exporter";

/// What a collector gets.
#[derive(Debug)]
pub struct Collected {
    /// Where spans of the gateway itself go, if there are traces.
    pub spans: Option<Arc<Outbox>>,
    /// Takes events, if it gets those.
    pub logs: Option<Logs>,
}

impl Events {
    /// Begins to write events, to `local` and to a collector too. Only the first call in a process has
    /// an effect: later gateways in it share the writer.
    pub fn start(
        Look { format, level, color }: Look,
        collected: Option<Collected>,
        local: Option<Arc<Local>>,
    ) -> io::Result<Self> {
        let out = Arc::new(Lines::default());
        let clock = SystemClock::start();
        let confess = Box::new(move |count| confession(format, count, &date(clock.now())));
        if format != Format::None {
            out.run("event-log", Box::new(Stream::stderr()?), confess)?;
        }
        let pens = Pens(Arc::clone(&out));
        let lines = tracing_subscriber::fmt::layer().with_writer(pens).with_target(false);
        let lines = match format {
            Format::Text => {
                let fields = debug_fn(field).delimited(" ");
                Some(lines.with_ansi(color).fmt_fields(fields).boxed())
            }
            Format::Json => Some(lines.json().flatten_event(true).boxed()),
            Format::None => None,
        };
        let (spans, logs) =
            collected.map_or((None, None), |Collected { spans, logs }| (spans, logs));
        let is_read = local.is_some() || logs.is_some();
        let elsewhere = Elsewhere { local: local.clone(), logs, clock: SystemClock::start() };
        let elsewhere = is_read.then(|| elsewhere.with_filter(filter(level)));
        let lines = lines.map(|lines| lines.with_filter(filter(level)));
        let spans = spans.map(|outbox| own::spans(outbox).with_filter(own_spans()));
        // Somebody else may have begun already, which is as good.
        let _ = registry().with(lines).with(elsewhere).with(spans).try_init();
        Ok(Self { out, local })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.out.stop();
        if let Some(local) = &self.local {
            local.stop();
            local.wait();
        }
        self.out.wait();
    }
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

/// Writes a value for people: the message as it is, others as `name=value`.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    let text = escaped(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        // What comes by way of `log` and not of `tracing` has names for where it is from.
        name if name.starts_with("log.") => Ok(()),
        name if writer.has_ansi_escapes() => {
            write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{text}")
        }
        name => write!(writer, "{name}={text}"),
    }
}

/// Makes what an event is written with.
struct Pens(Arc<Lines>);

impl<'p> MakeWriter<'p> for Pens {
    type Writer = Pen<'p>;

    fn make_writer(&'p self) -> Pen<'p> {
        Pen(&self.0)
    }
}

/// Appends whole lines, as they come.
struct Pen<'p>(&'p Lines);

impl io::Write for Pen<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.put_soon(without_tokens(text).as_bytes()),
            Err(_never) => self.0.put_soon(line),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes events to another output, and for a collector.
struct Elsewhere {
    local: Option<Arc<Local>>,
    logs: Option<Logs>,
    clock: SystemClock,
}

impl<S: Subscriber> Layer<S> for Elsewhere {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, mut all, text } = fields;
        let now = self.clock.now();
        all.insert("timeGenerated".to_owned(), Value::from(date(now)));
        all.insert("category".to_owned(), Value::from("GatewayEvents"));
        all.insert("level".to_owned(), Value::from(level.as_str()));
        let urgency = match level {
            Level::ERROR => Urgency::Error,
            Level::WARN => Urgency::Warning,
            Level::INFO => Urgency::Information,
            _ => Urgency::Debug,
        };
        let text = format!("{level} {message}{text}");
        let entry = Entry { urgency, category: "GatewayEvents", text, fields: all };
        // A collector that does not take its lines would be told so in the next one.
        let is_of_sending = event.metadata().target().starts_with(EXPORTER);
        if let Some(logs) = self.logs.as_ref().filter(|_logs| !is_of_sending) {
            logs.event(&entry, now, own::here());
        }
        if let Some(local) = &self.local {
            local.put(&entry);
        }
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    all: Map<String, Value>,
    /// All but the message, for people.
    text: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value, shown: &str) {
        let name = field.name();
        if name == "message" {
            self.message = escaped(shown).into_owned();
        } else if !name.starts_with("log.") {
            // A string takes all.
            let _ = write!(self.text, " {name}={}", escaped(shown));
        }
        self.all.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value), if value { "true" } else { "false" });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value), &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value), &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value), &value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let value = without_tokens(value);
        self.add(field, Value::from(&*value), &format!("{value:?}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        let text = without_tokens(&text);
        self.add(field, Value::from(&*text), &text);
    }
}
