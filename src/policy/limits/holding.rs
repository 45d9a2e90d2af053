//! How a limit is held, as whoever runs the gateway says it: for all limits under `limits` in the
//! configuration, for one of them in its attributes that begin with `weir-`.
//!
//! | `limits` | attribute | says |
//! |---|---|---|
//! | `mode` | `weir-mode` | how sure the bound is over all replicas: `exact`, `fast`, `local` |
//! | `overshoot` | `weir-overshoot` | how much more `fast` may admit: `1%`, or a number |
//! | `window` | `weir-window` | in which windows: `as-policy`, `sliding`, `fixed`, `bucket` |
//! | `burst` | `weir-burst` | how many tokens a `bucket` holds; as many as `calls` |
//! | `onLoss` | `weir-on-loss` | what holds without Redis: `local-share`, `open`, `closed` |
//! | `maxWait` | `weir-max-wait` | how long a request may wait for Redis |
//! | `horizon` | `weir-horizon` | for how long ahead a replica has tokens of a `fixed` window |
//! | `onTimeout` | `weir-on-timeout` | what holds when Redis takes longer: `refuse`, `admit` |
//! | `durability` | `weir-durability` | who has what is sold of a quota: `replicated`, `memory` |
//! | `counting` | `weir-counting` | when what depends on the response counts: `apim`, `reserve` |
//! | `shadow` | `weir-shadow` | whether it counts and decides, but never refuses |
//! | `headers` | `weir-headers` | whether answers have `RateLimit` and `RateLimit-Policy` |

mod written;

use std::sync::Arc;
use std::time::Duration;

use crate::limit::Terms;
use crate::limit::engine::rule::{Late, Loss};
use crate::limit::manner::{Manner, Mode, OVER, Over, WAIT_MAX, Windows};
use crate::limit::order::durability::Durability;
use crate::policy::build::Builder;
use crate::policy::limits::holding::written::{burst, one_of, over, within};
use crate::policy::limits::wrong;
use crate::policy::markup::{Element, Text};
use crate::time::Timestamp;

/// How a limit is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// How sure its bound is over all replicas.
    pub sureness: Sureness,
    /// How much more the fast mode may admit.
    pub over: Over,
    /// In which windows rates are counted.
    pub window: Window,
    /// How many tokens a bucket holds; none: as many as the limit.
    pub burst: Option<u64>,
    /// What holds while Redis cannot be reached.
    pub loss: Loss,
    /// How long a request may wait for Redis ...
    pub max_wait: Duration,
    /// ... and what holds when there is no answer by then.
    pub late: Late,
    /// Who must have what is sold of a quota before it is spent.
    pub durability: Durability,
    /// For how long ahead a replica has tokens of a fixed window; none: as long as usual.
    pub horizon: Option<Duration>,
    /// When what depends on the response counts.
    pub counting: Counting,
    /// Whether it counts and decides, but never refuses.
    pub shadow: bool,
    /// Whether answers have `RateLimit` and `RateLimit-Policy`.
    pub headers: bool,
}

/// How sure the bound of a limit is over all replicas.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sureness {
    /// Never more than the limit.
    Exact,
    /// A little more, see [`Holding::over`], so that nobody waits.
    Fast,
    /// Each replica counts for itself.
    Local,
}

/// In which windows a rate is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Window {
    /// As API Management says: in every interval of the period.
    AsPolicy,
    /// In every interval of the period.
    Sliding,
    /// In one period after the other, from the Unix epoch on.
    Fixed,
    /// As tokens that come in all the time.
    Bucket,
}

/// When an increment that depends on the response counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counting {
    /// Once the response is there; before, it is only seen whether anything is left. As many as
    /// are on their way may go over the limit.
    Apim,
    /// At once, and what the response does not cost is given back: never more than the limit is
    /// counted, and as many as are on their way are missing to others meanwhile.
    Reserve,
}

/// What can be said about how a limit is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Word {
    /// [`Holding::sureness`].
    Mode,
    /// [`Holding::over`].
    Overshoot,
    /// [`Holding::window`].
    Window,
    /// [`Holding::burst`].
    Burst,
    /// [`Holding::loss`].
    OnLoss,
    /// [`Holding::late`].
    OnTimeout,
    /// [`Holding::max_wait`].
    MaxWait,
    /// [`Holding::durability`].
    Durability,
    /// [`Holding::horizon`].
    Horizon,
    /// [`Holding::counting`].
    Counting,
    /// [`Holding::shadow`].
    Shadow,
    /// [`Holding::headers`].
    Headers,
}

/// What a limit is, as far as it says which words have a meaning there.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Nature {
    /// Whether it counts in windows that can be chosen.
    pub(super) is_rate: bool,
    /// Whether it counts in periods of its own.
    pub(super) is_quota: bool,
    /// Whether what it counts may depend on the response.
    pub(super) is_late: bool,
    /// Whether it stands in another policy.
    pub(super) is_nested: bool,
}

/// The fewest tokens that a bucket may hold: one is on its way while another is sold.
const BURST_MIN: u64 = 2;

/// How long a request may wait for Redis, at least and at most.
const MAX_WAIT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// For how long ahead a replica may have tokens, at least and at most; where a window is shorter, to
/// its end.
const HORIZON: (Duration, Duration) = (Duration::from_millis(20), Duration::from_mins(5));

const SURENESS: &[(&str, Sureness)] =
    &[("exact", Sureness::Exact), ("fast", Sureness::Fast), ("local", Sureness::Local)];
const WINDOWS: &[(&str, Window)] = &[
    ("as-policy", Window::AsPolicy),
    ("sliding", Window::Sliding),
    ("fixed", Window::Fixed),
    ("bucket", Window::Bucket),
];
const LOSSES: &[(&str, Loss)] =
    &[("local-share", Loss::LocalShare), ("open", Loss::Open), ("closed", Loss::Closed)];
const LATES: &[(&str, Late)] = &[("refuse", Late::Refuse), ("admit", Late::Admit)];
const DURABILITIES: &[(&str, Durability)] = &[
    ("when-possible", Durability::WhenPossible),
    ("replicated", Durability::Replicated),
    ("memory", Durability::Memory),
];
const COUNTINGS: &[(&str, Counting)] = &[("apim", Counting::Apim), ("reserve", Counting::Reserve)];
const FLAGS: &[(&str, bool)] = &[("true", true), ("false", false)];

impl Word {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Mode,
        Self::Overshoot,
        Self::Window,
        Self::Burst,
        Self::OnLoss,
        Self::OnTimeout,
        Self::MaxWait,
        Self::Durability,
        Self::Horizon,
        Self::Counting,
        Self::Shadow,
        Self::Headers,
    ];

    /// What it is called in the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Overshoot => "overshoot",
            Self::Window => "window",
            Self::Burst => "burst",
            Self::OnLoss => "onLoss",
            Self::OnTimeout => "onTimeout",
            Self::MaxWait => "maxWait",
            Self::Durability => "durability",
            Self::Horizon => "horizon",
            Self::Counting => "counting",
            Self::Shadow => "shadow",
            Self::Headers => "headers",
        }
    }

    /// What it is called in policies.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Mode => "weir-mode",
            Self::Overshoot => "weir-overshoot",
            Self::Window => "weir-window",
            Self::Burst => "weir-burst",
            Self::OnLoss => "weir-on-loss",
            Self::OnTimeout => "weir-on-timeout",
            Self::MaxWait => "weir-max-wait",
            Self::Durability => "weir-durability",
            Self::Horizon => "weir-horizon",
            Self::Counting => "weir-counting",
            Self::Shadow => "weir-shadow",
            Self::Headers => "weir-headers",
        }
    }
}

impl Default for Holding {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Holding {
    /// What holds where nothing is said: API Management's windows and counting, and one per cent.
    pub const USUAL: Self = Self {
        sureness: Sureness::Fast,
        over: OVER,
        window: Window::AsPolicy,
        burst: None,
        loss: Loss::LocalShare,
        max_wait: WAIT_MAX,
        late: Late::Refuse,
        durability: Durability::WhenPossible,
        horizon: None,
        counting: Counting::Apim,
        shadow: false,
        headers: false,
    };

    /// Takes what `text` says for `word`; else what may be written there, as the end of "write".
    pub fn set(&mut self, word: Word, text: &str) -> Result<(), String> {
        let text = text.trim();
        match word {
            Word::Mode => self.sureness = one_of(text, SURENESS)?,
            Word::Overshoot => self.over = over(text)?,
            Word::Window => self.window = one_of(text, WINDOWS)?,
            Word::Burst => self.burst = Some(burst(text)?),
            Word::OnLoss => self.loss = one_of(text, LOSSES)?,
            Word::OnTimeout => self.late = one_of(text, LATES)?,
            Word::MaxWait => self.max_wait = within(text, MAX_WAIT, "25ms")?,
            Word::Durability => self.durability = one_of(text, DURABILITIES)?,
            Word::Horizon => self.horizon = Some(within(text, HORIZON, "10s")?),
            Word::Counting => self.counting = one_of(text, COUNTINGS)?,
            Word::Shadow => self.shadow = one_of(text, FLAGS)?,
            Word::Headers => self.headers = one_of(text, FLAGS)?,
        }
        Ok(())
    }

    /// Why `word` says nothing beside the others, if it does not.
    pub const fn idle(&self, word: Word) -> Option<&'static str> {
        match (word, self.sureness, self.window) {
            (Word::Overshoot, Sureness::Exact | Sureness::Local, _) => {
                Some("only the mode `fast` admits more than the limit")
            }
            (
                Word::OnLoss | Word::OnTimeout | Word::MaxWait | Word::Durability | Word::Horizon,
                Sureness::Local,
                _,
            ) => Some("in the mode `local` nobody asks Redis"),
            (Word::Horizon, _, Window::AsPolicy | Window::Sliding | Window::Bucket) => {
                Some("only the window `fixed` can be bought from for long ahead")
            }
            (Word::Burst, _, Window::AsPolicy | Window::Sliding | Window::Fixed) => {
                Some("only the window `bucket` has a burst")
            }
            _ => None,
        }
    }

    /// The terms of a rate of `limit` each `period`.
    pub fn rate(&self, limit: u64, period: Duration) -> Terms {
        let sliding = Terms::sliding(limit, period);
        match self.window {
            Window::Bucket if 0 < limit => {
                let burst = self.burst.unwrap_or(limit).max(BURST_MIN);
                sliding.held(Manner { windows: Windows::Bucket { burst }, ..self.manner() })
            }
            Window::Fixed => {
                let manner = Manner { horizon: self.horizon, ..self.manner() };
                Terms::fixed(limit, period, Timestamp::default()).held(manner)
            }
            Window::AsPolicy | Window::Sliding | Window::Bucket => sliding.held(self.manner()),
        }
    }

    /// The terms of a quota of `limit` in each `period`, one of which begins at `origin`.
    pub const fn quota(&self, limit: u64, period: Duration, origin: Timestamp) -> Terms {
        Terms::fixed(limit, period, origin).held(self.manner())
    }

    const fn manner(&self) -> Manner {
        let mode = match self.sureness {
            Sureness::Exact => Mode::Exact,
            Sureness::Fast => Mode::Fast { over: self.over },
            Sureness::Local => Mode::Local,
        };
        let Self { loss, max_wait, late, durability, .. } = *self;
        Manner { mode, windows: Windows::OfTerms, loss, max_wait, late, durability, horizon: None }
    }

    /// What the attributes of `element` say, and else what these are; wrong ones are reported.
    #[must_use]
    pub(super) fn read(
        mut self,
        builder: &mut Builder<'_>,
        element: &Element,
        nature: Nature,
    ) -> Self {
        let mut written = Vec::new();
        for word in Word::ALL {
            let name = word.attribute();
            if element.value(name).is_none_or(Text::is_expression) {
                continue;
            }
            let Some(text) = builder.literal::<Arc<str>>(element, name) else { continue };
            if let Err(right) = self.set(word, &text) {
                let message = format!("`{name}` is `{text}`");
                wrong(builder, element, name, message, &format!("write {right}"));
            }
            written.push(word);
        }
        for word in written {
            let name = word.attribute();
            if let Some((why, remedy)) = nature.refuses(word) {
                let message = format!("`{name}` has no meaning on this `{}`: {why}", element.name);
                wrong(builder, element, name, message, remedy);
            } else if let Some(why) = self.idle(word) {
                let message = format!("`{name}` has no meaning here: {why}");
                wrong(builder, element, name, message, "take it out");
            }
        }
        self
    }
}

impl Nature {
    /// Why `word` has no meaning, and what to do about it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others have a meaning everywhere")]
    const fn refuses(self, word: Word) -> Option<(&'static str, &'static str)> {
        match word {
            Word::Window | Word::Burst | Word::Horizon if !self.is_rate => Some((
                "a quota counts in periods of its own",
                "take it out, or use a rate limit, whose windows can be chosen",
            )),
            Word::Durability if !self.is_quota => Some((
                "the windows of a rate limit are over too soon for a replica to matter",
                "take it out; it is for quotas",
            )),
            Word::Counting if !self.is_late => Some((
                "what it counts is known before the response",
                "take it out; it is for increments that read `context.Response`",
            )),
            Word::Shadow | Word::Headers if self.is_nested => {
                Some(("it holds for the whole policy", "write it on the policy around this one"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(word: Word, text: &str) -> Result<Holding, String> {
        let mut holding = Holding::USUAL;
        holding.set(word, text).map(|()| holding)
    }

    #[test]
    fn parts_and_numbers_are_told_apart() {
        let over = |text| set(Word::Overshoot, text).ok().map(|holding| holding.over);
        let part = |of_ten_thousand| Some(Over::Part { of_ten_thousand });
        assert_eq!(over("1%"), part(100));
        assert_eq!(
            [over("0.5 %"), over("0.25%"), over("100%")],
            [part(50), part(25), part(10_000)]
        );
        assert_eq!(over("12"), Some(Over::Tokens(12)));
        for text in ["", "%", "100.01%", "1.001%", "-1", "+1", "1.5", "one", "99999999999999999999"]
        {
            assert_eq!(over(text), None, "{text}");
        }
    }

    #[test]
    fn only_rates_in_fixed_windows_have_a_horizon() {
        assert_eq!(
            set(Word::Horizon, "10ms").unwrap_err(),
            "a time from 20ms to 300s, such as 10s"
        );
        let stocked = Holding { window: Window::Fixed, ..set(Word::Horizon, "10s").unwrap() };
        let minute = Duration::from_mins(1);
        let horizon = |terms: Terms| terms.manner.horizon;
        assert_eq!(horizon(stocked.rate(5, minute)), Some(Duration::from_secs(10)));
        assert_eq!(horizon(stocked.quota(5, minute, Timestamp::default())), None);
        let sliding = Holding { window: Window::Sliding, ..stocked };
        assert_eq!(horizon(sliding.rate(5, minute)), None);
    }

    #[test]
    fn what_may_be_written_is_said() {
        let right = set(Word::Mode, "exakt").unwrap_err();
        assert_eq!(right, "`exact` or `fast` or `local`; did you mean `exact`?");
        assert_eq!(set(Word::MaxWait, "2s").unwrap_err(), "a time from 1ms to 1s, such as 25ms");
        assert_eq!(set(Word::MaxWait, "40ms").unwrap().max_wait, Duration::from_millis(40));
        assert_eq!(set(Word::Burst, "1").unwrap_err(), "a number of tokens from 2 on");
        assert!(set(Word::Shadow, "yes").is_err());
    }

    #[test]
    fn a_bucket_holds_as_much_as_the_limit_unless_it_says_otherwise() {
        let minute = Duration::from_mins(1);
        let burst = |holding: Holding, limit| holding.rate(limit, minute).manner.windows;
        let bucket = Holding { window: Window::Bucket, ..Holding::USUAL };
        assert_eq!(burst(bucket, 10), Windows::Bucket { burst: 10 });
        assert_eq!(burst(bucket, 1), Windows::Bucket { burst: 2 });
        assert_eq!(burst(bucket, 0), Windows::OfTerms, "what admits nothing holds nothing");
        let five = Holding { burst: Some(5), ..bucket };
        assert_eq!(burst(five, 10), Windows::Bucket { burst: 5 });
    }

    #[test]
    fn nothing_said_means_what_api_management_does() {
        let usual = Holding::USUAL.rate(10, Duration::from_mins(1));
        assert_eq!(usual, Terms::sliding(10, Duration::from_mins(1)));
        let origin = Timestamp::from_micros(7);
        let quota = Holding::USUAL.quota(10, Duration::from_hours(1), origin);
        assert_eq!(quota, Terms::fixed(10, Duration::from_hours(1), origin));
    }
}
