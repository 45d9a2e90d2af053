//! Metrics as they are scraped: a table of all there are, and a page of their values in the text
//! format of `OpenMetrics`, which is that of Prometheus made a standard.
//!
//! Nothing is counted here: whoever is scraped says what it has counted anyway. The same page goes
//! to collectors of `OpenTelemetry` ([`otlp`]).

pub mod otlp;
pub mod table;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::telemetry::metrics::table::TABLE;
use crate::time::Timestamp;

/// What a page is, for whoever reads it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Its name where it is scraped; that of a counter without `_total`.
    pub name: &'static str,
    /// Its name in `OpenTelemetry` where that does not follow from [`name`](Self::name).
    pub semantic: Option<&'static str>,
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
    /// The same of something that may be added up over gateways.
    Balance,
    /// How many there were of which size.
    Histogram,
}

/// How many there were of some sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The largest of these sizes; infinite in the last part.
    pub most: f64,
    /// How many there were, without those of smaller parts.
    pub count: u64,
    /// The newest of them that can be found among the traces.
    pub exemplar: Option<Exemplar>,
}

/// One measurement that can be found among the traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// In which trace.
    pub trace_id: u128,
    /// In which of its spans.
    pub span_id: u64,
    /// What was measured.
    pub value: f64,
    /// When.
    pub at: Timestamp,
}

/// A value.
#[derive(Clone, Debug)]
enum Value {
    Count(u64),
    Sum(f64),
    Level(f64),
    Spread { sum: f64, count: u64, parts: Vec<Part> },
}

/// A value of one metric under some labels.
#[derive(Clone, Debug)]
struct Sample {
    metric: &'static str,
    labels: Vec<(String, String)>,
    value: Value,
}

/// Who can say how everything is doing.
pub trait Source: Send + Sync {
    /// All that is known now.
    fn page(&self) -> Page;
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
            Kind::Gauge | Kind::Balance | Kind::Histogram => self.name.to_owned(),
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

    /// So many of each size, which come to `sum`.
    pub fn spread(&mut self, metric: &Metric, labels: Labels<'_>, sum: f64, parts: Vec<Part>) {
        let count = parts.iter().map(|part| part.count).fold(0, u64::saturating_add);
        self.put(metric, labels, Value::Spread { sum, count, parts });
    }

    /// The page as text.
    pub fn text(self) -> String {
        let parts = self.families().flat_map(|(_metric, samples)| samples).flat_map(Sample::parts);
        let exemplars: Vec<_> = parts.map(|part| part.exemplar).collect();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes everything.
        let _ = text::encode(&mut text, &registry);
        if exemplars.iter().any(Option::is_some) { with_exemplars(&text, &exemplars) } else { text }
    }

    fn put(&mut self, metric: &Metric, labels: Labels<'_>, value: Value) {
        let labels = labels.iter();
        let labels =
            labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.push(Sample { metric: metric.name, labels, value });
    }

    /// Each metric of the table that has samples, with them.
    fn families(&self) -> impl Iterator<Item = (&'static Metric, Vec<&Sample>)> {
        let mut families: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.0 {
            families.entry(sample.metric).or_default().push(sample);
        }
        TABLE.iter().filter_map(move |metric| Some((metric, families.remove(metric.name)?)))
    }
}

impl Sample {
    fn parts(&self) -> &[Part] {
        if let Value::Spread { parts, .. } = &self.value { parts } else { &[] }
    }
}

impl Part {
    /// So many of sizes up to `most`.
    pub const fn new(most: f64, count: u64) -> Self {
        Self { most, count, exemplar: None }
    }
}

/// A whole number as metrics have them: exact up to 2^53, which is enough to look at.
pub fn float(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// A count as metrics have them.
pub fn number(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (metric, samples) in self.families() {
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge | Kind::Balance => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let meaning = metric.meaning.trim_end_matches('.');
            let mut family = encoder.encode_descriptor(metric.name, meaning, None, kind)?;
            for Sample { labels, value, .. } in samples {
                if labels.is_empty() {
                    write(value, &mut family)?;
                } else {
                    let labels: Vec<(String, &str)> = labels.iter().map(scraped).collect();
                    write(value, &mut family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

/// A label as it is scraped: its name has no dots there.
fn scraped((name, value): &(String, String)) -> (String, &str) {
    (name.replace('.', "_"), value)
}

fn write(value: &Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match value {
        Value::Count(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Sum(sum) => encoder.encode_counter::<NoLabelSet, _, u64>(sum, None),
        Value::Level(level) => encoder.encode_gauge(level),
        Value::Spread { sum, count, parts } => {
            let parts: Vec<(f64, u64)> = parts.iter().map(|part| (part.most, part.count)).collect();
            encoder.encode_histogram::<NoLabelSet>(*sum, *count, &parts, None)
        }
    }
}

/// `text` with the exemplars of its histograms, which come in the order of the lines that they
/// belong to. The library makes exemplars only of what it has counted itself.
fn with_exemplars(text: &str, exemplars: &[Option<Exemplar>]) -> String {
    let mut exemplars = exemplars.iter();
    let mut whole = String::with_capacity(text.len());
    for line in text.lines() {
        whole.push_str(line);
        let is_part = line.split_once('{').is_some_and(|(name, _)| name.ends_with("_bucket"));
        if is_part && let Some(Some(exemplar)) = exemplars.next() {
            let Exemplar { trace_id, span_id, value, at } = exemplar;
            let (seconds, micros) = (at.micros() / 1_000_000, at.micros() % 1_000_000);
            // A string takes everything.
            let _ = write!(
                whole,
                " # {{trace_id=\"{trace_id:032x}\",span_id=\"{span_id:016x}\"}} {value} {seconds}.{micros:06}"
            );
        }
        whole.push('\n');
    }
    whole
}

#[cfg(test)]
mod manual;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::traffic::apim;

    #[test]
    fn a_page_is_written_as_it_is_scraped() {
        let mut page = Page::default();
        let row = |name| TABLE.iter().find(|metric| metric.name == name).unwrap();
        page.level(row("weir_limit_lane_state"), &[("lane", "0"), ("state", "in-touch")], 1.0);
        page.count(row("weir_limit_claims"), &[], 7);
        let exemplar = Exemplar {
            trace_id: 10,
            span_id: 11,
            value: 0.05,
            at: Timestamp::from_micros(1_500_000),
        };
        let parts = vec![
            Part { exemplar: Some(exemplar), ..Part::new(0.1, 2) },
            Part::new(f64::INFINITY, 1),
        ];
        page.spread(row("weir_limit_wait_seconds"), &[("a.b", "c")], 0.5, parts);
        let text = page.text();
        for line in [
            "# TYPE weir_limit_claims counter",
            "weir_limit_claims_total 7",
            "weir_limit_lane_state{lane=\"0\",state=\"in-touch\"} 1.0",
            "weir_limit_wait_seconds_bucket{le=\"0.1\",a_b=\"c\"} 2 \
             # {trace_id=\"0000000000000000000000000000000a\",span_id=\"000000000000000b\"} 0.05 1.500000",
            "weir_limit_wait_seconds_bucket{le=\"+Inf\",a_b=\"c\"} 3",
            "weir_limit_wait_seconds_count{a_b=\"c\"} 3",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    /// Which metrics stand in a document of their subject too, by how their names begin; all are in
    /// `docs/metrics.md`.
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
        for Metric { name, kind, unit, meaning, .. } in TABLE {
            let own = ["weir_", "http_server_", "http_client_"];
            let is_apims = apim::NAMES.contains(name);
            assert!(is_apims || own.iter().any(|prefix| name.starts_with(prefix)), "{name}");
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
