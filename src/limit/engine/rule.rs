//! A limit as the engine holds it: what is allowed in what time, how sure it must be, and what
//! holds while Redis is out of touch.

mod words;

use std::time::Duration;

use crate::limit::key::CounterKey;
use crate::limit::order::durability::Durability;
use crate::limit::order::{FIXED_SOLD_MAX, Meter, Span};

/// The longest sliding window: held-back shares are remembered for twice as long.
pub const SLIDING_MAX: Duration = Duration::from_mins(5);

/// The longest fixed window that is no quota.
pub const FIXED_MAX: Duration = Duration::from_mins(10);

/// The shortest window: below, the way to Redis and back is no longer short against it.
pub const PERIOD_MIN: Duration = Duration::from_millis(100);

/// About how long a sub-window is.
const PART: Duration = Duration::from_millis(50);

/// The fewest and the most sub-windows of a sliding window.
const PARTS: (u64, u64) = (8, 30);

/// How long a token that was bought from a bucket may be spent.
pub(super) const BUCKET_LIFE: Duration = Duration::from_millis(100);

/// A limit. Immutable: another limit is another rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    limit: u64,
    shape: Shape,
    certainty: Certainty,
    loss: Loss,
    late: Late,
    max_wait: Duration,
    durability: Durability,
    horizon: Option<Duration>,
    grid: Grid,
}

/// How a limit counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Windows one after the other; one of them begins `origin` after the epoch.
    Fixed {
        /// How long one is.
        period: Duration,
        /// Where they begin.
        origin: Duration,
    },
    /// Every interval as long as `period`.
    Sliding {
        /// How long.
        period: Duration,
    },
    /// Gains `limit` tokens each `period` and holds at most `burst`.
    Bucket {
        /// In what time it gains as much as the limit.
        period: Duration,
        /// How much it holds.
        burst: u64,
    },
    /// Windows one after the other that are accounted for exactly once; one that never ends if
    /// `period` is zero.
    Quota {
        /// How long one is.
        period: Duration,
        /// Where they begin.
        origin: Duration,
    },
}

/// How sure the bound must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Certainty {
    /// Never more than the limit; a key that is not warm waits for Redis.
    Exact,
    /// Nobody waits, and at most `over` more than the limit, all replicas together.
    Fast {
        /// How much more.
        over: u64,
    },
}

/// What holds while Redis is out of touch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// Each replica admits its share of the limit.
    LocalShare,
    /// Everything is admitted, and reported later.
    Open,
    /// Nothing is admitted.
    Closed,
}

/// What holds when the answer takes longer than one may wait for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Late {
    /// Refused.
    Refuse,
    /// Admitted, and owed.
    Admit,
}

/// Why a rule cannot be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// The window is too short.
    #[error("the window of a shared limit is at least {} ms long", PERIOD_MIN.as_millis())]
    TooShort,
    /// The window is too long.
    #[error("a {kind} window is at most {} s long; a longer one is a quota", max.as_secs())]
    TooLong {
        /// Which kind.
        kind: &'static str,
        /// The longest.
        max: Duration,
    },
    /// The limit is too large to be counted.
    #[error("a limit is at most {FIXED_SOLD_MAX} for each window")]
    TooLarge,
    /// More tokens are gained than time can be told apart.
    #[error("a token bucket gains at most one token each nanosecond and holds at least one")]
    TooFast,
}

/// The windows of a rule in the primary's time, in microseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grid {
    /// Which of the counters of a key: rules that count differently never share one.
    pub form: u64,
    /// How long a period is; zero: for ever.
    pub period: u64,
    /// How long a window (a sub-window) is.
    pub length: u64,
    /// Where the first one begins.
    pub phase: u64,
    /// Into how many sub-windows a period is divided; zero: it is not.
    pub parts: u32,
}

/// Marks of [`Grid::form`]; fixed windows have their phase above these.
const FORM_RING: u64 = 0;
const FORM_BUCKET: u64 = 1;
const FORM_FIXED: u64 = 2;
/// Set in the form of quotas.
const FORM_QUOTA: u64 = 1 << 63;

impl Rule {
    /// A rule that admits `limit` as `shape` says, is exact, holds the local share while Redis is
    /// out of touch, and lets nobody wait for longer than 25 ms.
    pub fn new(limit: u64, shape: Shape) -> Result<Self, Unfit> {
        let grid = Grid::of(limit, shape)?;
        Ok(Self {
            limit,
            shape,
            certainty: Certainty::Exact,
            loss: Loss::LocalShare,
            late: Late::Refuse,
            max_wait: Duration::from_millis(25),
            durability: Durability::Memory,
            horizon: None,
            grid,
        })
    }

    /// The same rule, this sure.
    #[must_use]
    pub const fn certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// The same rule, which does this while Redis is out of touch.
    #[must_use]
    pub const fn on_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// The same rule, under which nobody waits for longer than `max_wait`, and then this holds.
    #[must_use]
    pub const fn on_timeout(mut self, max_wait: Duration, late: Late) -> Self {
        self.max_wait = max_wait;
        self.late = late;
        self
    }

    /// The same rule, of which this is who must have what is sold before it is spent. Only quotas
    /// ask: their periods outlive a primary.
    #[must_use]
    pub const fn durable(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The same rule, of whose fixed windows a replica has tokens in hand for so long ahead.
    #[must_use]
    pub const fn horizon(mut self, horizon: Option<Duration>) -> Self {
        self.horizon = horizon;
        self
    }

    /// How much one window admits.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How it counts.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The most that one window ever admits while no window is met by a loss of Redis, over all
    /// replicas: the limit, or in the fast mode a little more. A bucket admits this much at once
    /// and gains `limit` each period.
    pub const fn bound(&self) -> u64 {
        let most = match self.shape {
            Shape::Bucket { burst, .. } => burst,
            Shape::Fixed { .. } | Shape::Sliding { .. } | Shape::Quota { .. } => self.limit,
        };
        most.saturating_add(self.over())
    }

    pub(super) const fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether never more than the limit is admitted.
    pub const fn is_exact(&self) -> bool {
        matches!(self.certainty, Certainty::Exact)
    }

    /// How much all replicas together may be in debt.
    pub const fn over(&self) -> u64 {
        match self.certainty {
            Certainty::Exact => 0,
            Certainty::Fast { over } => over,
        }
    }

    pub(super) const fn loss(&self) -> Loss {
        self.loss
    }

    pub(super) const fn late(&self) -> Late {
        self.late
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    pub(super) const fn max_wait(&self) -> Duration {
        self.max_wait
    }

    /// For how long ahead is bought and kept in hand, in microseconds, where that is said.
    pub(super) fn supplies_for(&self) -> Option<u64> {
        let is_fixed = matches!(self.shape, Shape::Fixed { .. });
        self.horizon.filter(|_| is_fixed).map(|horizon| micros(horizon).min(self.grid.length))
    }
}

impl Grid {
    fn of(limit: u64, shape: Shape) -> Result<Self, Unfit> {
        if limit > FIXED_SOLD_MAX {
            return Err(Unfit::TooLarge);
        }
        match shape {
            Shape::Fixed { period, origin } => {
                let period = within(period, "fixed", FIXED_MAX)?;
                Ok(Self::fixed(period, origin, FORM_FIXED))
            }
            Shape::Quota { period: Duration::ZERO, .. } => {
                Ok(Self::endless(FORM_QUOTA | FORM_FIXED, 0))
            }
            Shape::Quota { period, origin } => {
                let period = within(period, "quota", Duration::MAX)?;
                Ok(Self::fixed(period, origin, FORM_QUOTA | FORM_FIXED))
            }
            Shape::Sliding { period } => Ok(Self::ring(within(period, "sliding", SLIDING_MAX)?)),
            Shape::Bucket { period, burst } => {
                let period = within(period, "token bucket's", FIXED_MAX)?;
                if limit == 0 || burst == 0 || period.saturating_mul(1_000) < limit {
                    return Err(Unfit::TooFast);
                }
                Ok(Self::endless(FORM_BUCKET, period))
            }
        }
    }

    /// The grid whose [`form`](Self::form) and period these are.
    pub(super) fn of_form(form: u64, period: u64) -> Self {
        match form {
            FORM_RING => Self::ring(period),
            FORM_BUCKET => Self::endless(form, period),
            _ if period == 0 => Self::endless(form, period),
            _ => {
                let phase = (form & !FORM_QUOTA).saturating_sub(FORM_FIXED);
                Self { form, period, length: period, phase, parts: 0 }
            }
        }
    }

    /// The grid of a quota's ledger, one period of which begins at `starts`.
    pub(super) fn of_quota(period: u64, starts: u64) -> Self {
        if period == 0 {
            return Self::endless(FORM_QUOTA | FORM_FIXED, 0);
        }
        Self::fixed(period, Duration::from_micros(starts), FORM_QUOTA | FORM_FIXED)
    }

    fn ring(period: u64) -> Self {
        let parts = (period / micros(PART)).clamp(PARTS.0, PARTS.1);
        let length = period.div_ceil(parts);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        Self { form: FORM_RING, period, length, phase: 0, parts }
    }

    const fn endless(form: u64, period: u64) -> Self {
        Self { form, period, length: u64::MAX, phase: 0, parts: 0 }
    }

    fn fixed(period: u64, origin: Duration, form: u64) -> Self {
        let phase = micros(origin).checked_rem(period).unwrap_or(0);
        Self { form: form.saturating_add(phase), period, length: period, phase, parts: 0 }
    }

    pub(super) const fn is_ring(&self) -> bool {
        self.form == FORM_RING
    }

    pub(super) const fn is_bucket(&self) -> bool {
        self.form == FORM_BUCKET
    }

    pub(super) const fn is_quota(&self) -> bool {
        self.form & FORM_QUOTA != 0
    }

    pub(super) const fn meter(&self, key: CounterKey) -> Meter {
        Meter { key, period: self.period }
    }

    /// The number of the window in which `time` is.
    pub(super) fn number(&self, time: u64) -> u64 {
        time.saturating_sub(self.phase).checked_div(self.length).unwrap_or(0)
    }

    pub(super) const fn starts(&self, number: u64) -> u64 {
        self.phase.saturating_add(number.saturating_mul(self.length))
    }

    pub(super) const fn ends(&self, number: u64) -> u64 {
        self.starts(number).saturating_add(self.length)
    }

    pub(super) const fn span(&self, number: u64) -> Span {
        Span { starts: self.starts(number), ends: self.ends(number) }
    }

    /// How many windows before its own still count against one.
    pub(super) fn reach(&self) -> u64 {
        u64::from(self.parts)
    }
}

fn within(period: Duration, kind: &'static str, max: Duration) -> Result<u64, Unfit> {
    if period < PERIOD_MIN {
        return Err(Unfit::TooShort);
    }
    if period > max {
        return Err(Unfit::TooLong { kind, max });
    }
    Ok(micros(period))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_rule_says_its_bound() {
        let fixed = Shape::Fixed { period: MINUTE, origin: Duration::ZERO };
        let rule = Rule::new(1_000, fixed).unwrap();
        assert_eq!(rule.bound_in_words(), "at most 1000 per 60 s, also when Redis is down");
        let wait = Duration::from_millis(25);
        let fast = rule.clone().certainty(Certainty::Fast { over: 10 });
        assert_eq!(
            fast.on_timeout(wait, Late::Admit).bound_in_words(),
            "at most 1010 per 60 s, up to twice that in a window in which Redis does not answer a \
             replica, and whoever has waited 25 ms in vain"
        );
        let rule = rule.certainty(Certainty::Fast { over: 10 }).on_loss(Loss::Closed);
        assert_eq!(rule.bound(), 1_010);
        assert_eq!(rule.bound_in_words(), "at most 1010 per 60 s, nothing while Redis is down");
        let sliding = Rule::new(5, Shape::Sliding { period: Duration::from_millis(1_500) });
        assert_eq!(
            sliding.unwrap().bound_in_words(),
            "at most 5 in any 1500 ms, also when Redis is down"
        );
        let bucket = Rule::new(5, Shape::Bucket { period: MINUTE, burst: 20 }).unwrap();
        assert_eq!(bucket.bound(), 20);
        let quota = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
        let quota = Rule::new(7, quota).unwrap().on_loss(Loss::Open);
        assert_eq!(quota.bound_in_words(), "at most 7 in all, without limit while Redis is down");
    }

    #[test]
    fn a_window_that_cannot_be_held_is_refused() {
        let sliding =
            |millis| Rule::new(1, Shape::Sliding { period: Duration::from_millis(millis) });
        assert_eq!(sliding(99), Err(Unfit::TooShort));
        assert!(sliding(300_000).is_ok());
        assert!(sliding(300_001).unwrap_err().to_string().contains("at most 300 s"));
        let bucket = Shape::Bucket { period: MINUTE, burst: 0 };
        assert_eq!(Rule::new(1, bucket), Err(Unfit::TooFast));
        assert_eq!(Rule::new(1 << 42, bucket), Err(Unfit::TooLarge));
    }

    #[test]
    fn sub_windows_are_about_a_twentieth_of_a_second_and_cover_the_period() {
        for (millis, parts) in [(100, 8), (1_000, 20), (1_001, 20), (1_500, 30), (60_000, 30)] {
            let rule = Rule::new(1, Shape::Sliding { period: Duration::from_millis(millis) });
            let grid = *rule.unwrap().grid();
            assert_eq!(grid.parts, parts);
            assert!(grid.length * u64::from(parts) >= millis * 1_000);
        }
    }

    #[test]
    fn windows_of_a_grid_follow_each_other() {
        let shape = Shape::Fixed { period: MINUTE, origin: Duration::from_secs(90) };
        let grid = *Rule::new(1, shape).unwrap().grid();
        assert_eq!(grid.phase, 30_000_000);
        let number = grid.number(89_999_999);
        assert_eq!((number, grid.starts(number), grid.ends(number)), (0, 30_000_000, 90_000_000));
        assert_eq!(grid.number(90_000_000), 1);
    }
}
