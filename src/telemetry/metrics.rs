//! Metrics as they are scraped: a table of all there are, and a page of their values in the text
//! format of `OpenMetrics`, which is that of Prometheus made a standard.
//!
//! Nothing is counted here: whoever is scraped says what it has counted anyway.

pub mod table;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::telemetry::metrics::table::TABLE;

/// What a page is, for whoever reads it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Its name; that of a counter without `_total`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// In what it is measured.
    pub unit: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    /// How many there were of which size.
    Histogram,
}

/// A value.
#[derive(Clone, Debug)]
enum Value {
    Count(u64),
    Sum(f64),
    Level(f64),
    Spread { sum: f64, count: u64, parts: Vec<(f64, u64)> },
}

/// A value of one metric under some labels.
#[derive(Clone, Debug)]
struct Sample {
    metric: &'static str,
    labels: Vec<(String, String)>,
    value: Value,
}

/// What is scraped at once.
#[derive(Debug, Default)]
pub struct Page(Vec<Sample>);

/// Labels of a sample: names and values, of which there are few.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Metric {
    /// The name under which it is scraped.
    pub fn scraped(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

impl Page {
    /// So many were counted.
    pub fn count(&mut self, metric: &Metric, labels: Labels<'_>, count: u64) {
        self.put(metric, labels, Value::Count(count));
    }

    /// So much was summed up.
    pub fn sum(&mut self, metric: &Metric, labels: Labels<'_>, sum: f64) {
        self.put(metric, labels, Value::Sum(sum));
    }

    /// So much is there now.
    pub fn level(&mut self, metric: &Metric, labels: Labels<'_>, level: f64) {
        self.put(metric, labels, Value::Level(level));
    }

    /// So many of each size; `parts` have their upper bound, and count only their own.
    pub fn spread(
        &mut self,
        metric: &Metric,
        labels: Labels<'_>,
        sum: f64,
        parts: Vec<(f64, u64)>,
    ) {
        let count = parts.iter().map(|(_, count)| *count).fold(0, u64::saturating_add);
        self.put(metric, labels, Value::Spread { sum, count, parts });
    }

    /// The page as text.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes everything.
        let _ = text::encode(&mut text, &registry);
        text
    }

    fn put(&mut self, metric: &Metric, labels: Labels<'_>, value: Value) {
        let labels = labels.iter();
        let labels =
            labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.push(Sample { metric: metric.name, labels, value });
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in TABLE {
            let mut samples =
                self.0.iter().filter(|sample| sample.metric == metric.name).peekable();
            if samples.peek().is_none() {
                continue;
            }
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let meaning = metric.meaning.trim_end_matches('.');
            let mut family = encoder.encode_descriptor(metric.name, meaning, None, kind)?;
            for Sample { labels, value, .. } in samples {
                if labels.is_empty() {
                    write(value, &mut family)?;
                } else {
                    write(value, &mut family.encode_family(labels)?)?;
                }
            }
        }
        Ok(())
    }
}

fn write(value: &Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match value {
        Value::Count(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Sum(sum) => encoder.encode_counter::<NoLabelSet, _, u64>(sum, None),
        Value::Level(level) => encoder.encode_gauge(level),
        Value::Spread { sum, count, parts } => {
            encoder.encode_histogram::<NoLabelSet>(*sum, *count, parts, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_as_it_is_scraped() {
        let mut page = Page::default();
        let row = |name| TABLE.iter().find(|metric| metric.name == name).unwrap();
        page.level(row("weir_limit_lane_state"), &[("lane", "0"), ("state", "in-touch")], 1.0);
        page.count(row("weir_limit_claims"), &[], 7);
        page.spread(row("weir_limit_wait_seconds"), &[], 0.5, vec![(0.1, 2), (f64::INFINITY, 1)]);
        let text = page.text();
        for line in [
            "# TYPE weir_limit_claims counter",
            "weir_limit_claims_total 7",
            "weir_limit_lane_state{lane=\"0\",state=\"in-touch\"} 1.0",
            "weir_limit_wait_seconds_bucket{le=\"0.1\"} 2",
            "weir_limit_wait_seconds_bucket{le=\"+Inf\"} 3",
            "weir_limit_wait_seconds_count 3",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    /// Where metrics are documented, by how their names begin.
    const DOCUMENTS: [(&str, &str); 10] = [
        ("weir_limit_", "docs/limits.md"),
        ("weir_control_", "docs/control-plane.md"),
        ("weir_cluster_", "docs/cluster.md"),
        ("weir_configuration_", "docs/configuration.md"),
        ("weir_kill_switch_", "docs/configuration.md"),
        ("weir_last_good_", "docs/configuration.md"),
        ("weir_issuer_", "docs/tokens.md"),
        ("weir_identity_", "docs/workload-identity.md"),
        ("weir_policy_", "docs/configuration.md"),
        ("weir_events_", "docs/events.md"),
    ];

    #[test]
    fn names_follow_the_conventions_and_every_meaning_is_a_sentence() {
        let mut names: Vec<_> = TABLE.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        for Metric { name, kind, unit, meaning } in TABLE {
            assert!(DOCUMENTS.iter().any(|(prefix, _)| name.starts_with(prefix)), "{name}");
            assert!(!name.ends_with("_total"), "{name}");
            assert!(meaning.ends_with('.') && !meaning.contains('|'), "{name}");
            assert!(*unit != "seconds" || name.ends_with("_seconds"), "{name}");
            assert!(*unit != "bytes" || name.ends_with("_bytes"), "{name}");
            assert!(*unit != "ratio" || name.ends_with("_ratio"), "{name}");
            assert!(*kind != Kind::Histogram || !unit.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_documentation_has_every_metric_and_no_other() {
        for (prefix, file) in DOCUMENTS {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(path).unwrap();
            let documented: Vec<&str> =
                text.lines().filter(|line| line.starts_with(&format!("| `{prefix}"))).collect();
            let metrics = TABLE.iter().filter(|metric| metric.name.starts_with(prefix));
            let rows = metrics.map(|metric| {
                let kind = format!("{:?}", metric.kind).to_lowercase();
                let (name, unit, meaning) = (metric.scraped(), metric.unit, metric.meaning);
                format!("| `{name}` | {kind} | {unit} | {meaning} |")
            });
            let rows: Vec<String> = rows.collect();
            if documented != rows {
                let rows = rows.join("\n");
                panic!("the table in {file} is to be:\n{rows}");
            }
        }
    }
}
