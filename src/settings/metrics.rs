//! The settings of metrics.

use crate::telemetry::statsd::line::Tags;
use crate::telemetry::traffic::Names;
use crate::telemetry::traffic::histogram::Bounds;

/// What is measured, and who is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metrics {
    /// Under whose names requests are shown.
    pub names: Names,
    /// Bounds of the parts of histograms of times, in microseconds, upwards.
    pub duration_buckets: Bounds,
    /// To whom metrics are sent on this machine or beside it.
    pub local: Local,
    /// The `StatsD` server.
    pub statsd: Statsd,
}

/// To whom metrics are sent beside those who fetch them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Local {
    /// To the `StatsD` server, if there is one.
    #[default]
    Auto,
    /// To the `StatsD` server, which must be named.
    Statsd,
    /// To nobody.
    None,
}

/// A `StatsD` server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statsd {
    /// `host:port`; empty for none.
    pub endpoint: String,
    /// Which part of the requests is timed, in millionths.
    pub sampling: u32,
    /// How tags are written.
    pub tags: Tags,
}
