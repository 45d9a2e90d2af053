//! The settings of what the gateway tells a collector of telemetry.

use std::time::Duration;

use super::{HOUR, Row, SECOND, TENTH, row};
use crate::settings::value::{
    Expected, OTLP_PROTOCOL, SAMPLER, collector, count, flag, forms, pairs, path_or_none,
    per_million, span, span_or_off, word,
};

/// The longest a collector may take for a request.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// The settings of what a collector is told.
pub(super) const ROWS: &[Row] = &[
    row!(
        "telemetry.otlp.endpoint",
        "",
        "Collector that gets traces, metrics and logs (OTLP): http://host:4317, or https:// with TLS.",
        telemetry.otlp.endpoint = |text| collector(text)
    ),
    row!(
        "telemetry.otlp.enabled",
        "true",
        "Whether it gets anything.",
        telemetry.otlp.is_enabled = |text| flag(text)
    ),
    row!(
        "telemetry.otlp.protocol",
        "grpc",
        "How it is spoken to: grpc, or http (Protocol Buffers, mostly port 4318).",
        telemetry.otlp.protocol = |text| word(text, &OTLP_PROTOCOL)
    ),
    row!(
        "telemetry.otlp.headersFile",
        "",
        "File with fields that it wants with each request, one Name: value a line; read at start.",
        telemetry.otlp.headers_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "telemetry.otlp.caFile",
        "",
        "PEM file of the authorities that it is judged by; those of the machine if not set.",
        telemetry.otlp.ca_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "telemetry.otlp.timeout",
        "10s",
        "How long a request to it may take.",
        telemetry.otlp.timeout = |text| span(text, TENTH, TIMEOUT_MAX)
    ),
    row!(
        "telemetry.otlp.interval",
        "1s",
        "How often spans and log records are sent.",
        telemetry.otlp.interval = |text| span(text, TENTH, HOUR)
    ),
    row!(
        "telemetry.traces.sampler",
        "ratio",
        "Which traces are recorded: ratio (what trusted clients decided, else a share of all), always, never (only what went wrong), or off (trace fields of clients go on untouched).",
        telemetry.traces.sampler = |text| word(text, &SAMPLER)
    ),
    row!(
        "telemetry.traces.ratio",
        "0.01",
        "That share, from 0 to 1.",
        telemetry.traces.per_million = |text| per_million(text)
    ),
    row!(
        "telemetry.traces.failuresPerSecond",
        "10",
        "How many exchanges a second are recorded in any case that ended with 5xx, and how many that were refused.",
        telemetry.traces.failures_per_second = |text| count(text, 0, 10_000)
    ),
    row!(
        "telemetry.traces.accepts",
        "",
        "What is understood besides traceparent, and told to backends: b3, request-id, with commas between.",
        telemetry.traces.accepts = |text| forms(text)
    ),
    row!(
        "telemetry.logs",
        "true",
        "Whether the collector gets the lines of the log, too.",
        telemetry.logs = |text| flag(text)
    ),
    row!(
        "telemetry.metrics.interval",
        "60s",
        "How often it gets metrics, or off.",
        telemetry.metrics_interval = |text| span_or_off(text, SECOND, HOUR)
    ),
    row!(
        "telemetry.serviceName",
        "weir",
        "What this gateway is called there (service.name).",
        telemetry.service_name = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "telemetry.resource",
        "",
        "What else is said of it there (resource attributes): name=value, with commas between.",
        telemetry.resource = |text| pairs(text)
    ),
];
