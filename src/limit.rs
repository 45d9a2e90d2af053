//! Limits as arithmetic: what is allowed, what was used, and what a client is told.
//!
//! A policy says *what* to charge ([`Charge`]), the arithmetic of one counter says *whether* it
//! fits ([`counter`]), and a home of the counters ([`Counters`]) keeps the state and makes several
//! charges one. Nothing here awaits, and time is an argument.
//!
//! # What holds
//! * **Sliding windows**: in every interval as long as the period, wherever it begins, at most
//!   `limit` is admitted. [`sliding`] says how little is refused too early for that.
//! * **Fixed windows**: in every window of the grid at most `limit` is admitted, exactly.
//! * **All or none**: the charges of one call are taken together; a refusal takes nothing.
//! * **A counter belongs to its key, not to the terms.** Other terms on the same key (another
//!   policy, or the same one after a change of configuration) find what was used and hold it
//!   against their own limit and period; no change of terms gives back or resets anything.
//! * **One request counts once**: a key that is in one call several times is charged once, with
//!   the largest of the costs. A request that meets the same key again later does not pay again,
//!   see [`Charge::recheck`].
//!
//! A home that several replicas share cannot keep a counter for all terms of a key. There a counter
//! belongs to a key, a period and a kind of window ([`same_counter`]), and a request counts once
//! in each that it meets, see [`Charge::again`].
//!
//! # Counting that depends on the response
//! Either hold first and settle later: [`Counters::charge`] before, then [`Counters::refund`] if
//! it is not to count, or [`Counters::add`] for what it cost beyond that; never more than `limit`
//! is counted then. Or check first and count later: [`Charge::look`] before, `add` after; as many
//! as were on their way may then go over.

pub mod key;
pub mod manner;
pub mod order;
pub mod engine;
pub mod till;
pub mod seller;
pub mod counter;
mod sliding;
mod fixed;
mod bucket;
pub mod concurrency;
pub mod names;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::limit::key::CounterKey;
use crate::limit::manner::Manner;
use crate::time::Timestamp;

/// How long until something that no amount of waiting brings.
pub const NEVER: Duration = Duration::MAX;

/// How much is allowed in what time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// How much one window admits, in what the limit counts: calls, bytes.
    pub limit: u64,
    /// How long a window is; zero: what was used never comes back.
    pub period: Duration,
    /// Where windows begin.
    pub window: Window,
    /// How it is held where several replicas share it.
    pub manner: Manner,
}

/// Where windows begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Window {
    /// Everywhere: each moment ends one.
    Sliding,
    /// One after the other, both ways from `origin`.
    Fixed {
        /// The beginning of any one window, see [`window_origin`].
        origin: Timestamp,
    },
}

/// A claim on one counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Charge {
    /// The counter.
    pub key: CounterKey,
    /// What holds for it here and now.
    pub terms: Terms,
    /// How much must be left for it to be admitted.
    pub need: u64,
    /// How much is taken once all charges of the call are admitted.
    pub cost: u64,
    /// Whether this request has charged the key before, under terms with another period or kind
    /// of window: see [`again`](Self::again).
    pub is_again: bool,
}

/// What came of one [`Charge`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tally {
    /// Whether this limit had room; it was charged only if all limits of the call had.
    pub admitted: bool,
    /// The limit it was held against.
    pub limit: u64,
    /// How much of it is used now, this charge included if it was taken.
    pub used: u64,
    /// How long until there will be room if nobody else takes it: zero when admitted, [`NEVER`]
    /// when there will be none.
    pub retry_after: Duration,
}

/// What came of the charges of one call, in their order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tallies {
    // Most calls have one charge: it needs no allocation.
    first: Option<Tally>,
    rest: Vec<Tally>,
}

/// The home of the counters could not be asked, and its rules for that case admit nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the counters cannot be reached")]
pub struct CountersUnavailable;

/// What a home answers: at once where it can, or a future where somebody else must be asked.
///
/// It is a future itself; who cannot await may match on it.
pub enum Answer<'a> {
    /// It is known.
    Now(Result<Tallies, CountersUnavailable>),
    /// It is on its way.
    Later(Pin<Box<dyn Future<Output = Result<Tallies, CountersUnavailable>> + Send + 'a>>),
}

/// Where counters live.
pub trait Counters: Send + Sync + 'static {
    /// Takes all of `charges`, or none, and says how each of them stands. Atomic: nobody sees, or
    /// takes, anything between the check and the charge.
    fn charge<'a>(&'a self, charges: &'a [Charge], now: Timestamp) -> Answer<'a>;

    /// Takes `cost` of each of `charges` after the fact: never refused, may pass the limit, and
    /// later charges see it.
    fn add(&self, charges: &[Charge], now: Timestamp);

    /// Gives back `cost` of each of `charges`, which were taken at `at`, as far as they still count.
    /// What is used never falls below zero.
    fn refund(&self, charges: &[Charge], at: Timestamp);
}

impl Terms {
    /// At most `limit` in every interval of length `period`.
    pub const fn sliding(limit: u64, period: Duration) -> Self {
        Self { limit, period, window: Window::Sliding, manner: Manner::USUAL }
    }

    /// At most `limit` in each window of length `period`, counted from `origin`.
    pub const fn fixed(limit: u64, period: Duration, origin: Timestamp) -> Self {
        Self { limit, period, window: Window::Fixed { origin }, manner: Manner::USUAL }
    }

    /// The same terms, held in this manner.
    #[must_use]
    pub const fn held(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

/// The origin of windows of length `period` one of which begins `seconds` after the Unix epoch,
/// before it if negative (the default of `first-period-start` is the year 1).
pub fn window_origin(seconds: i64, period: Duration) -> Timestamp {
    let start = i128::from(seconds).saturating_mul(1_000_000);
    // Windows repeat, so the first that begins at or after the epoch stands for all.
    let phase =
        i128::try_from(period.as_micros()).ok().and_then(|span| start.checked_rem_euclid(span));
    Timestamp::from_micros(phase.and_then(|phase| u64::try_from(phase).ok()).unwrap_or(0))
}

impl Charge {
    /// Takes `cost` if as much is left.
    pub const fn take(key: CounterKey, terms: Terms, cost: u64) -> Self {
        Self { key, terms, need: cost, cost, is_again: false }
    }

    /// Takes nothing, and is admitted if anything is left: for what is counted later.
    pub const fn look(key: CounterKey, terms: Terms) -> Self {
        Self { key, terms, need: 1, cost: 0, is_again: false }
    }

    /// Takes nothing, and is admitted if the limit is not passed: for a counter that this request
    /// has charged before, under other terms.
    pub const fn recheck(key: CounterKey, terms: Terms) -> Self {
        Self { key, terms, need: 0, cost: 0, is_again: false }
    }

    /// Takes `cost` if as much is left, of a key that this request has charged before under terms
    /// with another period or kind of window: where that is the same counter it is a
    /// [`recheck`](Self::recheck).
    pub const fn again(key: CounterKey, terms: Terms, cost: u64) -> Self {
        Self { key, terms, need: cost, cost, is_again: true }
    }

    /// The same charge where a counter belongs to its key alone.
    #[must_use]
    pub const fn by_key(self) -> Self {
        if self.is_again { Self::recheck(self.key, self.terms) } else { self }
    }
}

/// Whether two charges are claims on one counter where a counter belongs to a key, a period and a
/// kind of window.
pub fn same_counter(one: &Charge, other: &Charge) -> bool {
    one.key == other.key && one.terms.counts_with(&other.terms)
}

/// What is taken for `charges`: each key once, at its first charge, with the largest of its costs.
pub fn taken(charges: &[Charge]) -> impl Iterator<Item = (&Charge, u64)> {
    let is_first =
        move |index: usize, key| !charges.iter().take(index).any(|other| other.key == key);
    let firsts =
        charges.iter().enumerate().filter(move |(index, charge)| is_first(*index, charge.key));
    firsts.map(|(_, charge)| (charge, cost_of(charges, &charge.key)))
}

/// What is taken for `charges` under `key`.
pub fn cost_of(charges: &[Charge], key: &CounterKey) -> u64 {
    let costs = charges.iter().filter(|charge| charge.key == *key).map(|charge| charge.cost);
    costs.max().unwrap_or(0)
}

impl Tally {
    /// How much is left.
    pub const fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// The value of `Retry-After`: whole seconds, rounded up, at least 1; none if waiting does not
    /// help.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        (self.retry_after != NEVER).then(|| whole_seconds(self.retry_after).max(1))
    }

    /// When the limit is replenished, as `hh:mm:ss` or `d.hh:mm:ss`, rounded up to whole seconds.
    pub fn replenished_in(&self) -> String {
        replenished_in(self.retry_after)
    }
}

impl Tallies {
    /// Appends `tally`.
    pub fn push(&mut self, tally: Tally) {
        if self.first.is_none() {
            self.first = Some(tally);
        } else {
            self.rest.push(tally);
        }
    }

    /// The tallies, in the order of the charges.
    pub fn iter(&self) -> impl Iterator<Item = &Tally> {
        self.first.iter().chain(&self.rest)
    }

    /// The tallies, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tally> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    /// Whether everything was admitted, and therefore taken.
    pub fn admitted(&self) -> bool {
        self.iter().all(|tally| tally.admitted)
    }

    /// Which charge was refused for longest, and its tally: who waits that long is not refused
    /// again by another of these limits.
    pub fn refusal(&self) -> Option<(usize, Tally)> {
        let refused = self.iter().copied().enumerate().filter(|(_, tally)| !tally.admitted);
        // Of equals the first, so that the outermost limit is named.
        refused.reduce(
            |worst, next| if worst.1.retry_after < next.1.retry_after { next } else { worst },
        )
    }
}

impl Future for Answer<'_> {
    type Output = Result<Tallies, CountersUnavailable>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Who polls again after the end is told what admits nothing.
            Self::Now(outcome) => Poll::Ready(std::mem::replace(outcome, Err(CountersUnavailable))),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

/// The longest that [`replenished_in`] writes: the longest that clients of such messages can read,
/// a signed 64-bit number of 100 ns steps.
const REPLENISHED_IN_SECONDS_MAX: u64 = 922_337_203_685;

/// A time as `hh:mm:ss` or, from a day on, `d.hh:mm:ss`, rounded up to whole seconds.
pub fn replenished_in(span: Duration) -> String {
    let seconds = whole_seconds(span).min(REPLENISHED_IN_SECONDS_MAX);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days}.{clock}") }
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}

fn micros(span: Duration) -> u64 {
    // Half a million years and longer is as good as for ever.
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(retry_after: Duration) -> Tally {
        Tally { admitted: false, limit: 1, used: 1, retry_after }
    }

    #[test]
    fn a_time_is_written_as_clients_expect_it() {
        let cases = [
            (Duration::ZERO, "00:00:00"),
            (Duration::from_micros(1), "00:00:01"),
            (Duration::from_secs(59), "00:00:59"),
            (Duration::from_hours(1), "01:00:00"),
            (Duration::from_secs(86_399), "23:59:59"),
            (Duration::from_millis(86_399_001), "1.00:00:00"),
            (Duration::from_secs(30 * 86_400 + 3_661), "30.01:01:01"),
            (NEVER, "10675199.02:48:05"),
        ];
        for (span, text) in cases {
            assert_eq!(replenished_in(span), text);
        }
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        let seconds = |span| refused(span).retry_after_seconds();
        assert_eq!(seconds(Duration::from_micros(1)), Some(1));
        assert_eq!(seconds(Duration::from_mins(1)), Some(60));
        assert_eq!(seconds(Duration::from_micros(60_000_001)), Some(61));
        assert_eq!(seconds(Duration::ZERO), Some(1));
        assert_eq!(seconds(NEVER), None);
    }

    #[test]
    fn an_origin_before_the_epoch_stands_for_the_same_windows() {
        let day = Duration::from_hours(24);
        // The year 1 began on a midnight, as the epoch did.
        assert_eq!(window_origin(-62_135_596_800, day), Timestamp::from_micros(0));
        assert_eq!(window_origin(-1, day), Timestamp::from_micros(86_399_000_000));
        assert_eq!(window_origin(86_401, day), Timestamp::from_micros(1_000_000));
        assert_eq!(window_origin(i64::MIN, Duration::ZERO), Timestamp::from_micros(0));
    }

    #[test]
    fn the_refusal_is_the_one_that_lasts_longest() {
        let mut tallies = Tallies::default();
        assert!(tallies.admitted() && tallies.refusal().is_none());
        for seconds in [1, 7, 7, 3] {
            tallies.push(refused(Duration::from_secs(seconds)));
        }
        assert_eq!(tallies.refusal(), Some((1, refused(Duration::from_secs(7)))));
        assert!(!tallies.admitted());
    }

    #[test]
    fn an_answer_that_is_known_is_ready() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let tallies = Tallies { first: Some(refused(NEVER)), rest: Vec::new() };
        let mut known = Answer::Now(Ok(tallies.clone()));
        assert_eq!(Pin::new(&mut known).poll(&mut context), Poll::Ready(Ok(tallies.clone())));
        let later = tallies.clone();
        let mut later = Answer::Later(Box::pin(async move { Ok(later) }));
        assert_eq!(Pin::new(&mut later).poll(&mut context), Poll::Ready(Ok(tallies)));
    }
}
