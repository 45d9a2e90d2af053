//! Samples that policies gave, summed up until somebody scrapes them.
//!
//! What tells samples apart comes from clients more often than not, so there are bounds: a metric has
//! at most [`SERIES_MAX`] series, all together [`ALL_SERIES_MAX`], and there are at most
//! [`METRICS_MAX`] of them. A sample that would make one more series is added to the one of its
//! metric in which every dimension says [`OTHER`]; where those are too many as well, since clients may
//! say what dimensions are called, to one with the only dimension [`ANY`]. One of a metric too many
//! is dropped. Both are counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::exchange::sample::{Sample, Series};

/// The most series of one metric.
pub const SERIES_MAX: usize = 500;
/// The most series of all of them.
pub const ALL_SERIES_MAX: usize = 2_000;
/// The most metrics, over all namespaces.
pub const METRICS_MAX: usize = 100;
/// What dimensions say of samples that have no series of their own.
pub const OTHER: &str = "(other)";
/// What the dimension is called of samples whose dimensions are not kept.
pub const ANY: &str = "dimension";
/// The most series of all metrics, with those in which every dimension says [`OTHER`]. Each metric
/// may have one more, of [`ANY`].
const FOLDED_SERIES_MAX: usize = ALL_SERIES_MAX.saturating_add(METRICS_MAX);

/// Samples, summed up.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    metrics: BTreeMap<(Arc<str>, Arc<str>), BTreeMap<Dimensions, Sum>>,
    /// How many series there are.
    series: usize,
    folded: u64,
    dropped: u64,
}

/// Names and values that tell samples of a metric apart.
pub type Dimensions = Arc<[(Arc<str>, Arc<str>)]>;

/// Samples of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// How many there were.
    pub count: u64,
    /// What they came to.
    pub sum: f64,
}

/// One series, as it is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The metric.
    pub name: Arc<str>,
    /// Its namespace and dimensions.
    pub series: Series,
    /// What there was of it.
    pub sum: Sum,
}

/// All that is scraped.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By namespace, name and dimensions.
    pub rows: Vec<Row>,
    /// Samples that were added to those of others.
    pub folded: u64,
    /// Samples that were dropped.
    pub dropped: u64,
}

impl Samples {
    /// Adds `samples`.
    pub fn add(&self, samples: Vec<Sample>) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in samples {
            table.add(sample);
        }
    }

    /// What there was since the start.
    pub fn seen(&self) -> Seen {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = Seen { rows: Vec::new(), folded: table.folded, dropped: table.dropped };
        for ((namespace, name), series) in &table.metrics {
            seen.rows.extend(series.iter().map(|(dimensions, sum)| {
                let (namespace, dimensions) = (Arc::clone(namespace), Arc::clone(dimensions));
                let series = Series { namespace, dimensions };
                Row { name: Arc::clone(name), series, sum: *sum }
            }));
        }
        seen
    }
}

impl Table {
    fn add(&mut self, sample: Sample) {
        let Sample { name, value, series: Series { namespace, dimensions } } = sample;
        let metric = (namespace, name);
        if METRICS_MAX <= self.metrics.len() && !self.metrics.contains_key(&metric) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let known = self.metrics.entry(metric).or_default();
        let has_room = known.len() < SERIES_MAX && self.series < ALL_SERIES_MAX;
        let place = if has_room || known.contains_key(&dimensions) {
            dimensions
        } else {
            self.folded = self.folded.saturating_add(1);
            let folded: Dimensions =
                dimensions.iter().map(|(name, _)| (Arc::clone(name), Arc::from(OTHER))).collect();
            // There is room for one of each metric.
            let has_room = known.len() <= SERIES_MAX && self.series < FOLDED_SERIES_MAX;
            if has_room || known.contains_key(&folded) {
                folded
            } else {
                std::iter::once((Arc::<str>::from(ANY), Arc::<str>::from(OTHER))).collect()
            }
        };
        let sum = known.entry(place).or_insert_with(|| {
            self.series = self.series.saturating_add(1);
            Sum::default()
        });
        sum.count = sum.count.saturating_add(1);
        sum.sum += value;
    }
}

/// What dimensions are called as labels: letters, digits and underscores, each once, and none of the
/// names in `taken`.
pub fn labels(dimensions: &Dimensions, taken: &[&str]) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::with_capacity(dimensions.len());
    for (name, value) in dimensions.iter() {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let mut label: String = name.chars().map(plain).collect();
        if label.starts_with(|first: char| first.is_ascii_digit()) || label.starts_with("__") {
            label.insert_str(0, "d_");
        }
        let is_taken = |label: &str| {
            label.is_empty()
                || taken.contains(&label)
                || labels.iter().any(|(known, _)| known == label)
        };
        let numbers = 2..=dimensions.len().saturating_add(2);
        let free = std::iter::once(label.clone())
            .chain(numbers.map(|number| format!("{label}_{number}")))
            .find(|label| !is_taken(label));
        labels.extend(free.map(|label| (label, value.to_string())));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimensions(pairs: &[(&str, &str)]) -> Dimensions {
        pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
    }

    fn sample(name: &str, value: f64, who: &str) -> Sample {
        let series = Series { namespace: "n".into(), dimensions: dimensions(&[("who", who)]) };
        Sample { name: name.into(), value, series }
    }

    #[test]
    fn samples_of_one_series_are_summed_up() {
        let samples = Samples::default();
        samples.add(vec![sample("a", 1.0, "x"), sample("a", 2.5, "x"), sample("a", -1.0, "y")]);
        let seen = samples.seen();
        let sums: Vec<_> = seen.rows.iter().map(|row| (row.sum.count, row.sum.sum)).collect();
        assert_eq!(sums, [(2, 3.5), (1, -1.0)]);
        assert_eq!((seen.folded, seen.dropped), (0, 0));
    }

    #[test]
    fn a_metric_that_a_client_splits_at_will_keeps_within_its_bound() {
        let samples = Samples::default();
        let flood = |name: &str| {
            let all = 0..SERIES_MAX + 10;
            samples.add(all.map(|who| sample(name, 1.0, &who.to_string())).collect());
        };
        flood("a");
        let seen = samples.seen();
        assert_eq!((seen.rows.len(), seen.folded), (SERIES_MAX + 1, 10));
        let other = |row: &&Row| row.series.dimensions[0].1.as_ref() == OTHER;
        assert_eq!(seen.rows.iter().find(other).unwrap().sum.count, 10);
        for name in ["b", "c", "d", "e", "f"] {
            flood(name);
        }
        let seen = samples.seen();
        assert!(seen.rows.len() <= ALL_SERIES_MAX + 6, "{}", seen.rows.len());
        let count: u64 = seen.rows.iter().map(|row| row.sum.count).sum();
        assert_eq!(count, 6 * (u64::try_from(SERIES_MAX).unwrap() + 10), "no sample is lost");
    }

    #[test]
    fn names_of_dimensions_are_bounded_too() {
        let samples = Samples::default();
        let named = |metric: &str, name: usize| Sample {
            name: metric.into(),
            value: 1.0,
            series: Series {
                namespace: "n".into(),
                dimensions: dimensions(&[(name.to_string().as_str(), "x")]),
            },
        };
        samples.add((0..SERIES_MAX + 10).map(|name| named("a", name)).collect());
        let seen = samples.seen();
        assert_eq!((seen.rows.len(), seen.folded), (SERIES_MAX + 2, 10));
        let fixed = dimensions(&[(ANY, OTHER)]);
        let row = seen.rows.iter().find(|row| row.series.dimensions == fixed).unwrap();
        assert_eq!(row.sum.count, 9);
        for metric in 0..METRICS_MAX {
            let metric = metric.to_string();
            samples.add((0..100).map(|name| named(&metric, name)).collect());
        }
        let rows = samples.seen().rows.len();
        assert!(rows <= FOLDED_SERIES_MAX + METRICS_MAX, "{rows}");
    }

    #[test]
    fn metrics_beyond_the_bound_are_dropped_and_counted() {
        let samples = Samples::default();
        let all = 0..METRICS_MAX + 3;
        samples.add(all.map(|name| sample(&name.to_string(), 1.0, "x")).collect());
        let seen = samples.seen();
        assert_eq!((seen.rows.len(), seen.dropped), (METRICS_MAX, 3));
    }

    #[test]
    fn labels_are_names_that_can_be_scraped() {
        let given = dimensions(&[
            ("API ID", "a"),
            ("api id", "b"),
            ("API-ID", "c"),
            ("metric", "d"),
            ("1st", "e"),
            ("Größe", "f"),
            ("", "g"),
        ]);
        let labels = labels(&given, &["metric", "le"]);
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["API_ID", "api_id", "API_ID_2", "metric_2", "d_1st", "Gr__e", "_2"]);
    }
}
