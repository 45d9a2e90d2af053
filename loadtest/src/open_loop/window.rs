//! What a window of a run says: latencies, what went wrong, and whether it may be believed.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failure::Failure;

/// Latencies are told with so many digits ...
const DIGITS: u8 = 3;
/// ... up to so many microseconds; what takes longer counts as that.
const MICROS_MAX: u64 = 60_000_000;

/// A generator that noticed one of 100 requests later than this was itself the queue that it
/// measures.
pub(crate) const LAG_MAX: Duration = Duration::from_millis(1);

/// What waited so long for something free to be sent on was sent late.
pub(crate) const LATE_AFTER: Duration = Duration::from_millis(1);

/// Why a request was not answered as it has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// The connection broke, or could not be made.
    Broken,
    /// A status other than 200, or one of gRPC other than 0.
    Status(u16),
    /// The status was right, the body was not.
    Body,
}

/// A window: everything counts in the one in which it was due.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Microseconds from when requests were due to the ends of their answers, right ones only.
    pub(crate) latency: Histogram<u64>,
    /// Microseconds from when requests were due to when the generator noticed.
    pub(crate) lag: Histogram<u64>,
    /// How many were due.
    pub(crate) due: u64,
    /// Not sent at once, because everything was in flight.
    pub(crate) late: u64,
    /// Never sent, because as many as may wait were waiting already.
    pub(crate) not_sent: u64,
    /// Sent, and not answered when the run ended.
    pub(crate) unanswered: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
    /// Answers with a wrong status.
    pub(crate) refused: u64,
    /// Answers with a wrong body.
    pub(crate) garbled: u64,
    /// Sent once more, because a kept connection turned out to be closed.
    pub(crate) again: u64,
}

impl Window {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            latency: histogram()?,
            lag: histogram()?,
            due: 0,
            late: 0,
            not_sent: 0,
            unanswered: 0,
            broken: 0,
            refused: 0,
            garbled: 0,
            again: 0,
        })
    }

    /// Takes up what became of a request that was due `after` before its answer ended.
    pub(crate) fn take(&mut self, outcome: Result<(), Wrong>, after: Duration) {
        let count = match outcome {
            Ok(()) => return self.latency.saturating_record(micros(after)),
            Err(Wrong::Broken) => &mut self.broken,
            Err(Wrong::Status(_)) => &mut self.refused,
            Err(Wrong::Body) => &mut self.garbled,
        };
        *count = count.saturating_add(1);
    }

    /// How many answers were right.
    pub(crate) fn right(&self) -> u64 {
        self.latency.len()
    }

    /// How many were due and did not get a right answer.
    pub(crate) fn errors(&self) -> u64 {
        [self.not_sent, self.unanswered, self.broken, self.refused, self.garbled].iter().sum()
    }

    /// Whether the generator kept its own schedule.
    pub(crate) fn is_on_time(&self) -> bool {
        self.lag.value_at_quantile(0.99) <= micros(LAG_MAX)
    }

    /// Adds what another window counted.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds: there is always room.
        let _ = self.latency.add(&other.latency);
        let _ = self.lag.add(&other.lag);
        for (sum, part) in [
            (&mut self.due, other.due),
            (&mut self.late, other.late),
            (&mut self.not_sent, other.not_sent),
            (&mut self.unanswered, other.unanswered),
            (&mut self.broken, other.broken),
            (&mut self.refused, other.refused),
            (&mut self.garbled, other.garbled),
            (&mut self.again, other.again),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

/// A span as histograms hold it.
pub(crate) fn micros(span: Duration) -> u64 {
    crate::clock::micros(span).clamp(1, MICROS_MAX)
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, MICROS_MAX, DIGITS)
        .map_err(|wrong| Failure::NotValid(format!("no histogram: {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::{LAG_MAX, Window, Wrong, micros};
    use std::time::Duration;

    #[test]
    fn merged_histograms_are_the_histogram_of_everything() {
        let (mut first, mut second) = (Window::new().unwrap(), Window::new().unwrap());
        for millis in 1..=90 {
            first.take(Ok(()), Duration::from_millis(millis));
        }
        for millis in 91..=100 {
            second.take(Ok(()), Duration::from_millis(millis));
        }
        second.take(Err(Wrong::Status(503)), Duration::from_millis(1));
        first.add(&second);
        assert_eq!((first.right(), first.errors()), (100, 1));
        let p99 = first.latency.value_at_quantile(0.99);
        assert!((99_000..99_100).contains(&p99), "{p99}");
    }

    #[test]
    fn a_generator_that_noticed_too_late_makes_a_window_invalid() {
        let mut window = Window::new().unwrap();
        for _ in 0..1000 {
            window.lag.saturating_record(micros(Duration::from_micros(60)));
        }
        for _ in 0..9 {
            window.lag.saturating_record(micros(LAG_MAX * 20));
        }
        assert!(window.is_on_time(), "fewer than one of 100");
        for _ in 0..9 {
            window.lag.saturating_record(micros(LAG_MAX * 2));
        }
        assert!(!window.is_on_time());
    }

    #[test]
    fn what_is_not_sent_or_not_answered_is_an_error() {
        let mut window = Window::new().unwrap();
        window.not_sent = 2;
        window.unanswered = 3;
        window.take(Ok(()), Duration::from_hours(1));
        assert_eq!((window.errors(), window.right()), (5, 1));
        assert!(60_000_000 <= window.latency.max(), "clamped, not lost");
    }
}
