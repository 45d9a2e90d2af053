//! What was recorded, on its way to a collector (OTLP): spans, log records, metrics.
//!
//! Each kind goes its own way, on a thread that serves nobody: what a collector does to one kind holds
//! up neither the others nor a request. A piece that is not taken is tried again, later each time,
//! while the next ones wait in their bounded outbox; whatever becomes of it is counted.

pub mod way;
pub mod grpc;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::exporter::way::{Outcome, Signal, Way};
use crate::rpc::jitter;
use crate::telemetry::otlp::outbox::{Dropped, Outbox, Piece};
use crate::telemetry::otlp::resource::Resource;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long a piece is tried before it is given up.
const TRIED_MAX: Duration = Duration::from_mins(5);
/// How long is waited after the first failure; twice as long after each more.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long a collector has for what is left when the gateway stops.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// Makes a request with all metrics.
pub type Measure = Box<dyn FnMut(Timestamp) -> Vec<u8> + Send>;

/// Sends records of one kind.
pub struct Lane {
    /// What kind.
    pub signal: Signal,
    /// Where they wait.
    pub outbox: Arc<Outbox>,
    /// What is sent around them.
    pub around: Around,
    /// How they are sent.
    pub way: Way,
    /// How often.
    pub interval: Duration,
    /// Knows what time it is.
    pub clock: Arc<SystemClock>,
}

/// What is sent around records.
pub enum Around {
    /// Whose they are.
    Resource(Arc<Resource>),
    /// Nothing: they are requests already, made at each interval.
    Measured(Measure),
}

/// A piece that is being sent.
struct Sending {
    piece: Piece,
    body: Vec<u8>,
    /// When it was tried first.
    since: Timestamp,
}

impl Lane {
    /// Sends until it is told to stop, and then what is left, within a bound.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut sending = None;
        tokio::select! {
            () = self.keep(&mut sending) => (),
            // Without its sender there is nobody to wait for either.
            _ = stopped.wait_for(|stop| *stop) => (),
        }
        self.measure();
        let _ = timeout(LAST_WORDS_MAX, self.round(&mut sending, true)).await;
        let left = sending.map(|sending: Sending| sending.piece);
        for piece in left.into_iter().chain(std::iter::from_fn(|| self.outbox.take())) {
            self.outbox.give_up(&piece, Dropped::Stopped);
        }
    }

    async fn keep(&mut self, sending: &mut Option<Sending>) {
        let mut failures = 0_u32;
        loop {
            let pause = if failures == 0 { self.interval } else { pause(failures) };
            sleep(pause).await;
            if failures == 0 {
                self.measure();
            }
            match self.round(sending, false).await {
                Ok(()) => failures = 0,
                Err(wait) => {
                    failures = failures.saturating_add(1);
                    sleep(wait.unwrap_or_default().min(PAUSE_MAX)).await;
                }
            }
        }
    }

    /// Takes stock of all metrics, if those are what is sent. What waits since an outage goes first.
    fn measure(&mut self) {
        if let Around::Measured(measure) = &mut self.around {
            self.outbox.put(&measure(self.clock.now()));
        }
    }

    /// Sends all that waits; how long the collector wants to be left alone, if it did not take it.
    async fn round(
        &mut self,
        sending: &mut Option<Sending>,
        is_last: bool,
    ) -> Result<(), Option<Duration>> {
        loop {
            if sending.is_none() {
                let Some(piece) = self.outbox.take() else { return Ok(()) };
                let body = match &self.around {
                    Around::Resource(resource) => resource.around(&piece.bytes),
                    Around::Measured(_) => piece.bytes.clone(),
                };
                *sending = Some(Sending { piece, body, since: self.clock.now() });
            }
            let Some(under_way) = sending.as_ref() else { return Ok(()) };
            let outcome = self.way.send(self.signal, &under_way.body, self.clock.now()).await;
            let is_old = TRIED_MAX <= self.clock.now().since(under_way.since);
            match outcome {
                Outcome::Taken { refused } => self.outbox.done(&under_way.piece, refused),
                Outcome::Refused(why) => {
                    self.tell("refuses", &why);
                    self.outbox.give_up(&under_way.piece, Dropped::Refused);
                }
                Outcome::Later(wait, why) if !is_old || is_last => {
                    self.tell("does not take", &why);
                    return Err(wait);
                }
                Outcome::Later(_, why) => {
                    self.tell("has not taken for too long", &why);
                    self.outbox.give_up(&under_way.piece, Dropped::Failed);
                }
            }
            *sending = None;
        }
    }

    /// Says on the log how it goes; not to the collector, which would hear of it once for each time.
    fn tell(&self, what: &str, why: &str) {
        let signal = self.signal.word();
        tracing::warn!(signal, reason = why, "the collector of telemetry {what} what is sent");
    }
}

/// How long is waited after so many failures.
fn pause(failures: u32) -> Duration {
    let doubled =
        PAUSE_MIN.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let most = doubled.min(PAUSE_MAX);
    most / 2 + jitter(most / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_take_it_is_asked_less_often() {
        assert!(pause(1) <= PAUSE_MIN && PAUSE_MIN / 2 <= pause(1));
        assert!(PAUSE_MAX / 2 <= pause(9) && pause(u32::MAX) <= PAUSE_MAX);
    }
}
