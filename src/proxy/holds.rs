//! What an exchange holds of counters while it runs: bytes for quotas of bandwidth, and what limits
//! took that only a response decides.
//!
//! # Bandwidth
//! When a request leaves for its backend, what exchanges of its operation usually move is counted
//! ahead. While bodies flow more is counted, always before it is delivered, so that a long download
//! is seen by everybody while it runs; at the end what was not moved is given back. Nobody is cut
//! off. So a quota is passed by no more than what the exchanges that were on their way when it was
//! met move beyond what they held by then.
//!
//! An exchange that no quota of bandwidth applies to has no [`Holds`]: it pays for one look at an
//! empty list where it is forwarded and where it ends.
//!
//! # Tokens
//! What a call of a language model costs is known when its response is at its end; then it is
//! counted, and what was counted ahead and not spent is given back. Also where a client left.
//!
//! # When it ends without a response
//! What was held for a count that depends on the response (`counting: reserve`) is given back.
//! However an exchange ends, also by a panic, it is settled once: see [`end`] and [`Run`]'s `drop`.

pub mod sizes;

use std::sync::Arc;

use pingora::proxy::Session;

use crate::caller::Call;
use crate::counters::Home;
use crate::exchange::Exchange;
use crate::exchange::metering::Settled;
use crate::limit::{Charge, Counters};
use crate::proxy::{Gateway, Run};
use crate::time::{Clock, SystemClock, Timestamp};

/// How much an exchange counts ahead at most, in bytes.
const AHEAD_MAX: u64 = 1 << 20;

/// What part of a quota an exchange counts ahead at most, one in so many: what is held is missing
/// to others, and a small quota must not be all held.
const AHEAD_ONE_IN: u64 = 100;

/// What an exchange holds.
#[derive(Debug)]
pub struct Holds {
    counters: Arc<Home>,
    clock: Arc<SystemClock>,
    /// One for each quota of bandwidth that applies, in the order of the exchange.
    weights: Vec<Weight>,
    /// How many bytes went through so far.
    moved: u64,
}

/// What is counted of one exchange in one quota of bandwidth.
#[derive(Debug)]
struct Weight {
    charge: Charge,
    /// How many bytes are counted.
    counted: u64,
    /// When the last of them were.
    at: Timestamp,
}

impl Holds {
    fn new(gateway: &Gateway) -> Self {
        let (counters, clock) = (Arc::clone(&gateway.counters), Arc::clone(&gateway.clock));
        Self { counters, clock, weights: Vec::new(), moved: 0 }
    }

    /// So many bytes went through by now, or are about to.
    pub fn moved(&mut self, bytes: u64) {
        self.moved = bytes;
        if self.weights.iter().all(|weight| bytes < weight.counted) {
            return;
        }
        let now = self.clock.now();
        for weight in self.weights.iter_mut().filter(|weight| weight.counted <= bytes) {
            let ahead = weight.ahead(AHEAD_MAX);
            weight.count(bytes.saturating_add(ahead), &self.counters, now);
        }
    }

    /// Counts `expected` bytes ahead in quotas that do not know the exchange yet.
    fn meet(&mut self, exchange: &Exchange, expected: impl FnOnce() -> u64) {
        let new = exchange.bandwidth.get(self.weights.len()..).unwrap_or_default();
        if new.is_empty() {
            return;
        }
        let (now, expected) = (self.clock.now(), expected());
        for charge in new {
            let mut weight = Weight { charge: *charge, counted: 0, at: now };
            weight.count(weight.ahead(expected), &self.counters, now);
            self.weights.push(weight);
        }
    }

    /// Counts what was moved and no more, and gives back what no response asked for.
    fn settle(&mut self, exchange: &mut Exchange) {
        self.meet(exchange, || 0);
        let (moved, now) = (self.moved, self.clock.now());
        for weight in self.weights.drain(..) {
            weight.settle(moved, &self.counters, now);
        }
        exchange.bandwidth.clear();
        for (charge, at) in exchange.pending.abandon() {
            self.counters.refund(&[charge], at);
        }
        if let Some(Settled { owed, refunds, samples }) = exchange.settle_tokens() {
            if !owed.is_empty() {
                self.counters.add(&owed, now);
            }
            for (charge, at) in refunds {
                self.counters.refund(&[charge], at);
            }
            exchange.samples.extend(samples);
        }
    }
}

impl Weight {
    /// How much of `bytes` may be counted ahead.
    fn ahead(&self, bytes: u64) -> u64 {
        bytes.min(AHEAD_MAX).min((self.charge.terms.limit / AHEAD_ONE_IN).max(1))
    }

    /// Counts up to `bytes` in all.
    fn count(&mut self, bytes: u64, counters: &Home, now: Timestamp) {
        let cost = bytes.saturating_sub(self.counted);
        if cost > 0 {
            counters.add(&[Charge { cost, ..self.charge }], now);
            (self.counted, self.at) = (bytes, now);
        }
    }

    fn settle(mut self, moved: u64, counters: &Home, now: Timestamp) {
        self.count(moved, counters, now);
        // More was counted only once all of what was counted before had been moved: what is left
        // over is of the last time.
        let cost = self.counted.saturating_sub(moved);
        if cost > 0 {
            counters.refund(&[Charge { cost, ..self.charge }], self.at);
        }
    }
}

/// A response comes: if it is metered, its meter hears it from here on.
pub fn listen(exchange: &mut Exchange, call: &mut Call) {
    if let Some(metering) = &mut exchange.metering {
        call.listen(metering.listen(call.head.status, &call.head.headers));
    }
}

/// The exchange goes on to where bytes flow, or the response may never come: what it holds from
/// here on is settled whatever becomes of it.
pub fn begin(gateway: &Gateway, run: &mut Run) {
    if is_free(&run.exchange) {
        return;
    }
    let holds = run.holds.get_or_insert_with(|| Box::new(Holds::new(gateway)));
    holds.meet(&run.exchange, || gateway.state.sizes.expected(&run.exchange));
}

/// The exchange is over, after so many bytes; `is_whole`: nothing broke off.
pub fn end(gateway: &Gateway, run: &mut Run, bytes: u64, is_whole: bool) {
    if is_free(&run.exchange) {
        run.holds = None;
        return;
    }
    if is_whole && run.exchange.is_forwarded && !run.exchange.bandwidth.is_empty() {
        gateway.state.sizes.learn(&run.exchange, bytes);
    }
    let mut holds = run.holds.take().unwrap_or_else(|| Box::new(Holds::new(gateway)));
    holds.moved = bytes;
    holds.settle(&mut run.exchange);
}

/// Whether nothing is held.
fn is_free(exchange: &Exchange) -> bool {
    exchange.bandwidth.is_empty() && !exchange.pending.is_holding() && exchange.metering.is_none()
}

/// Bytes of the bodies of request and response that went through so far.
pub fn bytes(session: &Session) -> u64 {
    let (read, sent) = (session.as_ref().body_bytes_read(), session.as_ref().body_bytes_sent());
    u64::try_from(read.saturating_add(sent)).unwrap_or(u64::MAX)
}

/// How long a piece is.
pub fn length(piece: &[u8]) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

impl Drop for Run {
    fn drop(&mut self) {
        // Only of an exchange that did not come to its end.
        if let Some(mut holds) = self.holds.take() {
            holds.settle(&mut self.exchange);
        }
    }
}
