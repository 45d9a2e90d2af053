//! Samples of metrics that policies give: `emit-metric`, and what a language model was asked and
//! answered.

use std::sync::Arc;

/// The samples of one exchange that are kept; what comes after is dropped.
pub const SAMPLES_MAX: usize = 256;

/// A sample of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: Arc<str>,
    /// How much.
    pub value: f64,
    /// Of what, and for whom.
    pub series: Series,
}

/// Of what, and for whom.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Series {
    /// The group of metrics it belongs to.
    pub namespace: Arc<str>,
    /// Names and values that tell samples apart.
    pub dimensions: Arc<[(Arc<str>, Arc<str>)]>,
}

impl Sample {
    /// So many of something.
    pub fn count(name: &str, count: u64, series: Series) -> Self {
        Self { name: Arc::from(name), value: float(count), series }
    }
}

/// A whole number, exact up to 2^53.
fn float(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}
