//! Sizes as they are counted on the way of a request: by a few atomic additions, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::metrics::{Exemplar, Part, float};
use crate::time::Timestamp;

/// The most bounds of a histogram.
pub const BOUNDS_MAX: usize = 30;

/// Between which sizes is counted, upwards: microseconds, or bytes.
pub type Bounds = Arc<[u64]>;

/// How many there were of which size.
#[derive(Debug)]
pub struct Histogram {
    bounds: Bounds,
    /// One for each bound, and one for what is above all.
    parts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// The newest request of each part that was traced; empty before there is one.
    traced: Mutex<Vec<Option<Traced>>>,
}

/// By what a request is found among the traces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trace {
    /// The trace.
    pub trace_id: u128,
    /// The span of the request in it.
    pub span_id: u64,
}

/// A size that belongs to a trace.
#[derive(Clone, Copy, Debug)]
struct Traced {
    trace: Trace,
    size: u64,
    at: Timestamp,
}

impl Histogram {
    /// Nothing yet.
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            parts: (0..=bounds.len()).map(|_part| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            traced: Mutex::default(),
        }
    }

    /// One of this size.
    pub fn note(&self, size: u64) {
        if let Some(part) = self.parts.get(self.place(size)) {
            part.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    /// Says by which trace one of this size is found. Where somebody else does so just then, theirs
    /// is as good.
    pub fn trace(&self, size: u64, trace: Trace, at: Timestamp) {
        if let Ok(mut traced) = self.traced.try_lock() {
            traced.resize(self.parts.len(), None);
            if let Some(newest) = traced.get_mut(self.place(size)) {
                *newest = Some(Traced { trace, size, at });
            }
        }
    }

    /// The sum, and each count with its upper bound; `unit` of them are one of what is shown.
    pub fn seen(&self, unit: f64) -> (f64, Vec<Part>) {
        let traced = self.traced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bounds = self.bounds.iter().map(|bound| float(*bound) / unit).chain([f64::INFINITY]);
        let parts = bounds.zip(&self.parts).enumerate().map(|(place, (most, count))| Part {
            most,
            count: count.load(Ordering::Relaxed),
            exemplar: traced.get(place).copied().flatten().map(|traced| Exemplar {
                trace_id: traced.trace.trace_id,
                span_id: traced.trace.span_id,
                value: float(traced.size) / unit,
                at: traced.at,
            }),
        });
        (float(self.sum.load(Ordering::Relaxed)) / unit, parts.collect())
    }

    fn place(&self, size: u64) -> usize {
        self.bounds.partition_point(|bound| *bound < size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "they are whole")]
    fn each_size_counts_once_and_the_newest_trace_of_each_part_is_kept() {
        let histogram = Histogram::new(&Arc::from([10, 20]));
        for size in [0, 10, 11, 21, 1_000] {
            histogram.note(size);
        }
        let trace = |id| Trace { trace_id: id, span_id: 7 };
        histogram.trace(15, trace(1), Timestamp::from_micros(1));
        histogram.trace(16, trace(2), Timestamp::from_micros(2));
        let (sum, parts) = histogram.seen(10.0);
        assert_eq!(sum, 104.2);
        let counts: Vec<_> = parts.iter().map(|part| (part.most, part.count)).collect();
        assert_eq!(counts, [(1.0, 2), (2.0, 1), (f64::INFINITY, 2)]);
        let exemplars: Vec<_> = parts.iter().map(|part| part.exemplar).collect();
        let newest =
            Exemplar { trace_id: 2, span_id: 7, value: 1.6, at: Timestamp::from_micros(2) };
        assert_eq!(exemplars, [None, Some(newest), None]);
    }
}
