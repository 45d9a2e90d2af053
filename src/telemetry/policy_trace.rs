//! What `trace` policies and `context.Trace` say, a line each among the records of exchanges.
//!
//! Diagnostics decide which severities are written, or the level of the log where there are none. The lines go the buffered way of the
//! records and not that of events, so that a reader that stands still never holds up a request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tracing::Level;

use crate::exchange::{Exchange, Severity, Trace, short_id};
use crate::short::Short;
use crate::telemetry::access_log::{AccessLog, Told};
use crate::telemetry::facts::Facts;
use crate::telemetry::local::Urgency;
use crate::telemetry::otlp::log::{self, Within};
use crate::telemetry::text::{cut, pair};
use crate::time::{Timestamp, stamp};

/// The most characters that are written of a message.
const MESSAGE_CHARACTERS_MAX: usize = 8192;
/// The most characters that are written of a name or value beside it.
const METADATA_CHARACTERS_MAX: usize = 1024;
/// The most names and values that are written.
const METADATA_MAX: usize = 64;

/// What one policy said.
#[derive(Debug)]
struct Line<'a> {
    at: Timestamp,
    within: Option<Within>,
    time_generated: Short<24>,
    category: &'static str,
    correlation_id: Short<36>,
    level: &'static str,
    source: String,
    message: String,
    metadata: BTreeMap<String, String>,
    api_id: Option<&'a str>,
    operation_id: Option<&'a str>,
}

/// Writes what the policies of `exchange` said, as far as its diagnostics or else the level of the log
/// let it through.
pub fn tell(log: &AccessLog, exchange: &Exchange) {
    if exchange.traces.is_empty() || !log.is_read() {
        return;
    }
    for trace in exchange.traces.iter().filter(|trace| is_wanted(trace.severity, exchange)) {
        log.append(&line(trace, exchange));
    }
}

/// Whether what has this severity is let through.
fn is_wanted(severity: Severity, exchange: &Exchange) -> bool {
    if let Some(diagnostics) = exchange.diagnostics() {
        return diagnostics.verbosity <= severity;
    }
    match severity {
        Severity::Verbose => tracing::enabled!(Level::DEBUG),
        Severity::Information => tracing::enabled!(Level::INFO),
        Severity::Error => tracing::enabled!(Level::ERROR),
    }
}

fn line<'a>(trace: &Trace, exchange: &'a Exchange) -> Line<'a> {
    let pairs = trace.metadata.iter().take(METADATA_MAX);
    Line {
        at: trace.at,
        within: exchange.trail.correlation.as_ref().map(log::within),
        time_generated: stamp(trace.at),
        category: "GatewayTraces",
        correlation_id: short_id(exchange.id),
        level: match trace.severity {
            Severity::Verbose => "verbose",
            Severity::Information => "information",
            Severity::Error => "error",
        },
        source: cut(&trace.source, METADATA_CHARACTERS_MAX),
        message: cut(&trace.message, MESSAGE_CHARACTERS_MAX),
        metadata: pairs
            .map(|(name, value)| {
                (cut(name, METADATA_CHARACTERS_MAX), cut(value, METADATA_CHARACTERS_MAX))
            })
            .collect(),
        api_id: exchange.api.as_ref().map(|api| api.id.as_ref()),
        operation_id: exchange.operation.as_ref().map(|operation| operation.id.as_ref()),
    }
}

impl Told for Line<'_> {
    const CATEGORY: &'static str = "GatewayTraces";

    fn urgency(&self) -> Urgency {
        match self.level {
            "error" => Urgency::Error,
            "information" => Urgency::Information,
            _ => Urgency::Debug,
        }
    }

    fn time(&self) -> &str {
        &self.time_generated
    }

    fn moment(&self) -> (Timestamp, Option<Within>) {
        (self.at, self.within)
    }

    fn tell(&self, to: &mut impl Facts) {
        to.word("timeGenerated", &self.time_generated);
        to.word("category", self.category);
        to.word("correlationId", &self.correlation_id);
        to.word("level", self.level);
        to.text("source", &self.source);
        to.text("message", &self.message);
        if !self.metadata.is_empty() {
            to.pairs("metadata", &self.metadata);
        }
        to.optional("apiId", self.api_id);
        to.optional("operationId", self.operation_id);
    }

    fn message(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.message)
    }

    fn text(&self) -> String {
        text(self)
    }
}

/// A line for people: the message, then the facts as `name=value`.
fn text(line: &Line<'_>) -> String {
    let mut out = format!("trace {}", line.level);
    pair(&mut out, "source", &line.source);
    pair(&mut out, "message", &line.message);
    for (name, value) in &line.metadata {
        pair(&mut out, name, value);
    }
    let facts = [
        ("api", line.api_id),
        ("operation", line.operation_id),
        ("id", Some(&line.correlation_id)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            pair(&mut out, name, value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> Line<'static> {
        Line {
            at: Timestamp::default(),
            within: None,
            time_generated: Short::default(),
            category: "GatewayTraces",
            correlation_id: Short::of(1),
            level: "error",
            source: "app".to_owned(),
            message: message.to_owned(),
            metadata: BTreeMap::from([("a b".to_owned(), "c\nd".to_owned())]),
            api_id: Some("echo"),
            operation_id: None,
        }
    }

    #[test]
    fn a_line_for_people_cannot_be_forged() {
        let line = text(&told("x\u{1b}[2J\n2026 trace"));
        assert_eq!(line.lines().count(), 1);
        assert!(!line.chars().any(char::is_control), "{line}");
        assert!(line.ends_with(r#""a b"="c\nd" api=echo id=1"#), "{line}");
    }
}
