//! A page as OpenTelemetry's protocol has it: cumulative, since the process started.
//!
//! Names are those of the conventions, where there are any. Ours follow from what is scraped: who
//! stores both finds `weir_limit_redis_latency_seconds` under that name, whichever way it came,
//! because what Prometheus makes of `weir.limit.redis_latency` in seconds is just that.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as Sent, Gauge, Histogram, HistogramDataPoint, Metric as Made,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point as point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::telemetry::metrics::table::TABLE;
use crate::telemetry::metrics::{Exemplar, Kind, Metric, Page, Part, Sample, Value};
use crate::time::Timestamp;

/// What our metrics are called where the first two words of the name are not the subject.
const SUBJECTS: [(&str, &str); 4] = [
    ("weir_kill_switch_", "weir.kill_switch."),
    ("weir_last_good_", "weir.last_good."),
    ("weir_control_plane_", "weir.control_plane."),
    ("weir_metrics_", "weir.metrics."),
];
/// Units, and what they are called.
const UNITS: [(&str, &str); 5] =
    [("", "1"), ("ratio", "1"), ("seconds", "s"), ("milliseconds", "ms"), ("bytes", "By")];
/// Units that are no part of a name, because whoever stores it puts them there.
const IN_NAMES: [&str; 3] = ["_seconds", "_bytes", "_ratio"];
/// Who says all this.
const SCOPE: &str = "weir";

impl Page {
    /// What is sent to a collector, from `resource`: all that was counted from `start` to `now`.
    pub fn otlp(
        &self,
        resource: Resource,
        start: Timestamp,
        now: Timestamp,
    ) -> ExportMetricsServiceRequest {
        let times = (nanos(start), nanos(now));
        let metrics = self.families();
        let metrics = metrics.filter_map(|(metric, samples)| made(metric, &samples, times));
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: SCOPE.to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: metrics.collect(),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
    }
}

impl Metric {
    /// Its name in `OpenTelemetry`.
    pub fn semantic_name(&self) -> String {
        if let Some(name) = self.semantic {
            return name.to_owned();
        }
        let bare = IN_NAMES.iter().find_map(|unit| self.name.strip_suffix(unit));
        // Where others are called so already, the unit tells them apart.
        let is_taken = |name: &&str| TABLE.iter().any(|other| other.name == *name);
        let name = bare.filter(|name| !is_taken(name)).unwrap_or(self.name);
        let subject =
            SUBJECTS.iter().find_map(|(ours, theirs)| Some((name.strip_prefix(ours)?, theirs)));
        match subject {
            Some((rest, subject)) => format!("{subject}{rest}"),
            None => name.replacen('_', ".", 2),
        }
    }

    /// Its unit in `OpenTelemetry`: a word of UCUM, or what is counted, in braces.
    pub fn semantic_unit(&self) -> String {
        let known = UNITS.iter().find(|(unit, _)| *unit == self.unit);
        known.map_or_else(|| format!("{{{}}}", singular(self.unit)), |(_, unit)| (*unit).to_owned())
    }
}

/// One of what `plural` says.
fn singular(plural: &str) -> String {
    match (plural.strip_suffix("ies"), plural.strip_suffix("ches")) {
        (Some(stem), _) => format!("{stem}y"),
        (_, Some(stem)) => format!("{stem}ch"),
        _ => plural.trim_end_matches('s').to_owned(),
    }
}

/// A metric with its samples; none, if there is nothing to be said.
fn made(metric: &Metric, samples: &[&Sample], times: (u64, u64)) -> Option<Made> {
    // What is as it is now has no beginning.
    let times = if metric.kind == Kind::Gauge { (0, times.1) } else { times };
    let numbers =
        || samples.iter().filter_map(|sample| numbered(sample, times)).collect::<Vec<_>>();
    let temporality = AggregationTemporality::Cumulative.into();
    let data = match metric.kind {
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Counter | Kind::Balance => Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: temporality,
            is_monotonic: metric.kind == Kind::Counter,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: samples.iter().filter_map(|sample| spread(sample, times)).collect(),
            aggregation_temporality: temporality,
        }),
    };
    let is_empty = match &data {
        Data::Gauge(Gauge { data_points }) | Data::Sum(Sum { data_points, .. }) => {
            data_points.is_empty()
        }
        Data::Histogram(Histogram { data_points, .. }) => data_points.is_empty(),
        Data::ExponentialHistogram(_) | Data::Summary(_) => true,
    };
    (!is_empty).then(|| Made {
        name: metric.semantic_name(),
        description: metric.meaning.to_owned(),
        unit: metric.semantic_unit(),
        data: Some(data),
        ..Made::default()
    })
}

/// A number under its labels; none, if it is not one.
fn numbered(sample: &Sample, (start, now): (u64, u64)) -> Option<NumberDataPoint> {
    let value = match sample.value {
        Value::Count(count) => point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
        Value::Sum(sum) | Value::Level(sum) if sum.is_nan() => return None,
        Value::Sum(sum) | Value::Level(sum) => point::Value::AsDouble(sum),
        Value::Spread { .. } => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: start,
        time_unix_nano: now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn spread(sample: &Sample, (start, now): (u64, u64)) -> Option<HistogramDataPoint> {
    let Value::Spread { sum, count, parts } = &sample.value else { return None };
    let bounds = parts.iter().map(|part| part.most).filter(|most| most.is_finite());
    let exemplars = parts.iter().filter_map(|part: &Part| part.exemplar.as_ref());
    Some(HistogramDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: *count,
        sum: Some(*sum),
        bucket_counts: parts.iter().map(|part| part.count).collect(),
        explicit_bounds: bounds.collect(),
        exemplars: exemplars.map(sent).collect(),
        ..HistogramDataPoint::default()
    })
}

fn sent(exemplar: &Exemplar) -> Sent {
    Sent {
        filtered_attributes: Vec::new(),
        time_unix_nano: nanos(exemplar.at),
        span_id: exemplar.span_id.to_be_bytes().to_vec(),
        trace_id: exemplar.trace_id.to_be_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    let labels = sample.labels.iter();
    labels.map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    let value = match value.parse() {
        // The conventions say that these are numbers.
        Ok(number) if matches!(name, "http.response.status_code" | "server.port") => {
            Any::IntValue(number)
        }
        _ => Any::StringValue(value.to_owned()),
    };
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

const fn nanos(at: Timestamp) -> u64 {
    at.micros().saturating_mul(1_000)
}

#[cfg(test)]
mod tests;
