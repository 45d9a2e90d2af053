//! How a limit is held: in which windows, and where several replicas share it how sure it must be
//! and what holds while the counters cannot be reached.

use std::time::Duration;

use crate::limit::engine::rule::{Certainty, FIXED_MAX, Late, Loss, Rule, Shape, Unfit};
use crate::limit::order::durability::Durability;
use crate::limit::{Terms, Window};
use crate::time::Timestamp;

/// How long a request may wait for the counters unless somebody wants it otherwise.
pub const WAIT_MAX: Duration = Duration::from_millis(25);

/// How much more than the limit the fast mode may admit unless somebody wants it otherwise.
pub const OVER: Over = Over::Part { of_ten_thousand: 100 };

/// How a shared limit is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Manner {
    /// How sure the bound must be.
    pub mode: Mode,
    /// In which windows is counted.
    pub windows: Windows,
    /// What holds while the counters cannot be reached.
    pub loss: Loss,
    /// How long a request may wait for an answer ...
    pub max_wait: Duration,
    /// ... and what holds when there is none by then.
    pub late: Late,
    /// Of quotas: who must have what is sold before it is spent.
    pub durability: Durability,
    /// For how long ahead a replica buys, and how much it keeps in hand: of fixed windows, at most a
    /// window. None: for a quarter of a window, a second at most.
    pub horizon: Option<Duration>,
}

/// How sure the bound of a limit must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Never more than the limit over all replicas; the first request of a key waits for an
    /// answer.
    Exact,
    /// At most so much more over all replicas. Nobody waits where that leaves each replica at
    /// least one; below that it is as exact.
    Fast {
        /// How much more.
        over: Over,
    },
    /// Each replica counts for itself.
    Local,
}

impl Mode {
    /// In a word, as policies write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fast { .. } => "fast",
            Self::Local => "local",
        }
    }
}

/// How much more than a limit may be admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// A part of the limit, rounded down.
    Part {
        /// In parts of ten thousand: 100 is one per cent.
        of_ten_thousand: u16,
    },
    /// So many.
    Tokens(u64),
}

/// In which windows is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Windows {
    /// As the terms say.
    OfTerms,
    /// One after the other, both ways from `origin`, whatever the terms say.
    Fixed {
        /// The beginning of any one window.
        origin: Timestamp,
    },
    /// Each moment ends one, whatever the terms say.
    Sliding,
    /// None: tokens are gained all the time, the limit of them in each period.
    Bucket {
        /// How many are kept at most.
        burst: u64,
    },
}

/// How terms count, with the [`Windows`] of their manner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Course {
    /// In every interval of the period.
    Sliding,
    /// In windows one after the other, both ways from `origin`; in one that never ends where the
    /// period is nothing.
    Fixed {
        /// The beginning of any one window.
        origin: Timestamp,
    },
    /// Tokens that are gained all the time, the limit of them in each period.
    Bucket {
        /// How many are kept at most.
        burst: u64,
    },
}

/// Fixed windows from this length on, and those that never end, are quotas where they are shared.
const QUOTA_FROM: Duration = Duration::from_mins(5);

impl Terms {
    /// How they count.
    pub const fn course(&self) -> Course {
        let course = match (self.manner.windows, self.window) {
            (Windows::Bucket { burst }, _) => Course::Bucket { burst },
            (Windows::Fixed { origin }, _) | (Windows::OfTerms, Window::Fixed { origin }) => {
                Course::Fixed { origin }
            }
            (Windows::Sliding, _) | (Windows::OfTerms, Window::Sliding) => Course::Sliding,
        };
        match course {
            // What never comes back slides nowhere and drips nowhere.
            Course::Sliding | Course::Bucket { .. } if self.period.is_zero() => {
                Course::Fixed { origin: Timestamp::from_micros(0) }
            }
            Course::Sliding | Course::Fixed { .. } | Course::Bucket { .. } => course,
        }
    }

    /// Whether what is counted under one key is counted together with what is counted under these
    /// other terms, where a counter belongs to a period and a kind of window.
    pub fn counts_with(&self, other: &Self) -> bool {
        let begins = |origin: Timestamp| {
            let micros = u128::from(origin.micros());
            micros.checked_rem(self.period.as_micros()).unwrap_or(0)
        };
        self.period == other.period
            && self.is_local() == other.is_local()
            && match (self.course(), other.course()) {
                (Course::Sliding, Course::Sliding)
                | (Course::Bucket { .. }, Course::Bucket { .. }) => true,
                (Course::Fixed { origin }, Course::Fixed { origin: other }) => {
                    begins(origin) == begins(other)
                }
                _ => false,
            }
    }

    /// Whether each replica counts for itself.
    pub const fn is_local(&self) -> bool {
        matches!(self.manner.mode, Mode::Local)
    }

    /// The rule of the engine that holds them over all replicas, or why there is none.
    pub fn rule(&self) -> Result<Rule, Unfit> {
        let manner = self.manner;
        let certainty = match manner.mode {
            Mode::Fast { over } => Certainty::Fast { over: over.of(self.limit) },
            Mode::Exact | Mode::Local => Certainty::Exact,
        };
        let rule = Rule::new(self.limit, self.shape())?;
        let rule = rule.certainty(certainty).on_loss(manner.loss).durable(manner.durability);
        let rule = rule.horizon(manner.horizon);
        Ok(rule.on_timeout(manner.max_wait, manner.late))
    }

    /// The most that is ever admitted, in words; what holds on each replica where they share
    /// nothing.
    pub fn bound_in_words(&self) -> String {
        match self.rule() {
            Ok(rule) if self.is_local() => format!("on each replica {}", rule.bound_in_words()),
            Ok(rule) => rule.bound_in_words(),
            Err(unfit) => format!("at most {} on each replica alone: {unfit}", self.limit),
        }
    }

    fn shape(&self) -> Shape {
        let period = self.period;
        match self.course() {
            Course::Bucket { burst } => Shape::Bucket { period, burst },
            Course::Sliding => Shape::Sliding { period },
            Course::Fixed { origin } => {
                let origin = origin.since(Timestamp::default());
                // A ledger is not bought from for long ahead.
                let is_stocked = self.manner.horizon.is_some() && period <= FIXED_MAX;
                if period.is_zero() || QUOTA_FROM <= period && !is_stocked {
                    Shape::Quota { period, origin }
                } else {
                    Shape::Fixed { period, origin }
                }
            }
        }
    }
}

impl Manner {
    /// Fast, one per cent, in the windows of the terms; while the counters cannot be reached each
    /// replica admits its share of the limit. What is sold of quotas is on a replica where that is
    /// possible.
    pub const USUAL: Self = Self {
        mode: Mode::Fast { over: OVER },
        windows: Windows::OfTerms,
        loss: Loss::LocalShare,
        max_wait: WAIT_MAX,
        late: Late::Refuse,
        durability: Durability::WhenPossible,
        horizon: None,
    };
}

impl Default for Manner {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Over {
    /// How much more than `limit` it is.
    pub fn of(self, limit: u64) -> u64 {
        match self {
            Self::Part { of_ten_thousand } => {
                let part = u128::from(limit).saturating_mul(u128::from(of_ten_thousand)) / 10_000;
                u64::try_from(part).unwrap_or(u64::MAX)
            }
            Self::Tokens(tokens) => tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn in_words(terms: &Terms) -> String {
        terms.bound_in_words()
    }

    fn held(windows: Windows, mode: Mode) -> Manner {
        Manner { mode, windows, ..Manner::USUAL }
    }

    #[test]
    fn terms_become_the_rule_they_mean() {
        let sliding = Terms::sliding(1_000, MINUTE);
        let fixed = |period| Terms::fixed(1_000, period, Timestamp::from_micros(7));
        let exact = held(Windows::OfTerms, Mode::Exact);
        assert!(in_words(&sliding).starts_with("at most 1010 in any 60 s, "));
        assert!(in_words(&sliding.held(exact)).starts_with("at most 1000 in any 60 s, "));
        let five = Mode::Fast { over: Over::Tokens(5) };
        let grid = Windows::Fixed { origin: Timestamp::default() };
        assert!(in_words(&sliding.held(held(grid, five))).starts_with("at most 1005 per 60 s"));
        let bucket = held(Windows::Bucket { burst: 50 }, Mode::Exact);
        assert!(in_words(&sliding.held(bucket)).starts_with("at most 50 at once and 1000 per"));
        assert!(matches!(fixed(MINUTE).shape(), Shape::Fixed { .. }));
        assert!(matches!(fixed(QUOTA_FROM).shape(), Shape::Quota { .. }));
        assert!(in_words(&fixed(Duration::ZERO).held(exact)).starts_with("at most 1000 in all"));
        for windows in [Windows::OfTerms, Windows::Sliding, Windows::Bucket { burst: 2 }] {
            let ever = Terms::sliding(1, Duration::ZERO).held(held(windows, Mode::Exact));
            assert!(matches!(ever.shape(), Shape::Quota { .. }));
        }
        assert!(in_words(&Terms::sliding(1, Duration::from_mins(6))).contains("300 s"));
        let local = sliding.held(held(Windows::OfTerms, Mode::Local));
        assert!(in_words(&local).starts_with("on each replica at most 1000 in any 60 s"));
    }

    #[test]
    fn who_wants_supplies_has_a_window_that_can_be_bought_from_ahead() {
        let horizon = Some(Duration::from_secs(10));
        let fixed = |period, horizon| {
            let terms = Terms::fixed(10, period, Timestamp::default());
            terms.held(Manner { horizon, ..Manner::USUAL }).shape()
        };
        assert!(matches!(fixed(QUOTA_FROM, None), Shape::Quota { .. }));
        assert!(matches!(fixed(QUOTA_FROM, horizon), Shape::Fixed { .. }));
        assert!(matches!(fixed(FIXED_MAX * 2, horizon), Shape::Quota { .. }));
        assert!(matches!(fixed(Duration::ZERO, horizon), Shape::Quota { .. }));
    }

    #[test]
    fn a_period_and_a_kind_of_window_are_a_counter() {
        let sliding = Terms::sliding(5, MINUTE);
        let bucket = |burst| sliding.held(held(Windows::Bucket { burst }, Mode::Exact));
        let fixed = |origin| Terms::fixed(5, MINUTE, Timestamp::from_micros(origin));
        let other = Terms::sliding(9, MINUTE).held(held(Windows::Sliding, Mode::Exact));
        assert!(sliding.counts_with(&other));
        assert!(!sliding.counts_with(&Terms::sliding(5, MINUTE * 2)));
        assert!(bucket(2).counts_with(&bucket(3)) && !bucket(2).counts_with(&sliding));
        assert!(fixed(1).counts_with(&fixed(60_000_001)) && !fixed(1).counts_with(&fixed(2)));
        assert!(!fixed(0).counts_with(&sliding));
        let ever = |origin| Terms::fixed(5, Duration::ZERO, Timestamp::from_micros(origin));
        assert!(ever(1).counts_with(&ever(2)));
        let local = sliding.held(held(Windows::OfTerms, Mode::Local));
        assert!(!local.counts_with(&sliding));
    }

    #[test]
    fn one_per_cent_is_rounded_down() {
        let over = [0, 99, 100, 199, 12_345, u64::MAX].map(|limit| OVER.of(limit));
        assert_eq!(over, [0, 0, 1, 1, 123, u64::MAX / 100]);
        assert_eq!(Over::Tokens(7).of(1), 7);
    }
}
