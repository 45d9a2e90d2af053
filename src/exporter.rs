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
use tokio::time::sleep;

use crate::exporter::way::{Outcome, Signal, Way};
use crate::rpc::jitter;
use crate::telemetry::otlp::outbox::{Dropped, Outbox, PIECE_BYTES, Piece};
use crate::telemetry::otlp::resource::Resource;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long a piece is tried before it is given up.
const TRIED_MAX: Duration = Duration::from_mins(5);
/// How long is waited after the first failure; twice as long after each more.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether there is much to send.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The most characters that are told of why a collector does not take something.
const WHY_MAX: usize = 256;
/// How long a collector has for what is left when the gateway stops.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// Makes a request with all metrics.
pub type Measure = Box<dyn FnMut(Timestamp) -> Vec<u8> + Send + Sync>;

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
    /// What was told last of how it goes wrong, if it does.
    pub trouble: Option<String>,
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
    pub async fn run(mut self, stopped: watch::Receiver<bool>) {
        let (mut sending, mut told) = (None, stopped.clone());
        let too_late = async {
            // Without its sender there is nobody to wait for either.
            let _ = told.wait_for(|stop| *stop).await;
            sleep(LAST_WORDS_MAX).await;
        };
        tokio::select! {
            () = self.keep(&mut sending, stopped) => (),
            () = too_late => (),
        }
        let left = sending.map(|sending: Sending| sending.piece);
        for piece in left.into_iter().chain(std::iter::from_fn(|| self.outbox.take())) {
            self.outbox.give_up(&piece, Dropped::Stopped);
        }
    }

    async fn keep(&mut self, sending: &mut Option<Sending>, mut stopped: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        loop {
            let wait = self.wait(failures);
            let is_last = tokio::select! {
                () = wait => false,
                _ = stopped.wait_for(|stop| *stop) => true,
            };
            if failures == 0 || is_last {
                self.measure();
            }
            let outcome = self.round(sending, is_last).await;
            if is_last {
                return;
            }
            match outcome {
                Ok(()) => failures = 0,
                Err(wait) => {
                    failures = failures.saturating_add(1);
                    sleep(wait.unwrap_or_default().min(PAUSE_MAX)).await;
                }
            }
        }
    }

    /// Waits until it is time to send: at each interval, and before that once a whole piece is there.
    async fn wait(&self, failures: u32) {
        if 0 < failures {
            return sleep(pause(failures)).await;
        }
        let until = self.clock.now() + self.interval;
        loop {
            let left = until.since(self.clock.now());
            if left.is_zero() || PIECE_BYTES <= self.outbox.counts().held_bytes {
                return;
            }
            sleep(left.min(LOOK_INTERVAL)).await;
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
                Outcome::Taken { refused } => {
                    self.outbox.done(&under_way.piece, refused);
                    self.trouble = None;
                }
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

    /// Says on the log how it goes, once for as long as it goes so.
    fn tell(&mut self, what: &str, why: &str) {
        let why = self.way.told(why.chars().take(WHY_MAX).collect());
        if self.trouble.as_ref() != Some(&why) {
            let (signal, reason) = (self.signal.word(), &why);
            tracing::warn!(signal, reason, "the collector of telemetry {what} what is sent");
            self.trouble = Some(why);
        }
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
