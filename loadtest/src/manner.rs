//! How the limits of a run are held, as an operator asks for it: attributes of the policies.

use clap::{Args, ValueEnum};
use serde::Serialize;

/// How limits are held; what is not given is left to the gateway.
#[derive(Args, Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Manner {
    /// How sure limits are (the attribute `weir-mode`)
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// In which windows rate limits count (the attribute `weir-window`)
    #[arg(long)]
    pub(crate) window: Option<Window>,
    /// What holds while Redis is out of touch (the attribute `weir-on-loss`)
    #[arg(long)]
    pub(crate) on_loss: Option<OnLoss>,
    /// For how many seconds ahead fixed windows are bought from (the attribute `weir-horizon`)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) horizon: Option<u32>,
}

/// How sure a limit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Never over.
    Exact,
    /// Over by one per cent.
    Fast,
    /// For each gateway alone.
    Local,
}

/// In which windows a rate limit counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Window {
    /// In any interval.
    Sliding,
    /// One after the other.
    Fixed,
    /// None: tokens are gained all the time.
    Bucket,
}

/// What holds while Redis is out of touch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnLoss {
    /// Each gateway admits its share.
    LocalShare,
    /// Everything is admitted.
    Open,
    /// Nothing is: 503.
    Closed,
}

impl Manner {
    /// The attributes of a rate limit, to be put behind the others.
    pub(crate) fn of_rate(self) -> String {
        let window = self.window.map(|window| attribute("weir-window", &window));
        let horizon = self.horizon.map(|seconds| format!(" weir-horizon=\"{seconds}s\""));
        self.of_quota() + &window.unwrap_or_default() + &horizon.unwrap_or_default()
    }

    /// The attributes of a quota, which has windows of its own.
    pub(crate) fn of_quota(self) -> String {
        let mode = self.mode.map(|mode| attribute("weir-mode", &mode));
        let on_loss = self.on_loss.map(|on_loss| attribute("weir-on-loss", &on_loss));
        mode.unwrap_or_default() + &on_loss.unwrap_or_default()
    }

    /// The same for people.
    pub(crate) fn in_words(self) -> String {
        let text = self.of_rate();
        if text.is_empty() { "as policies are without attributes".to_owned() } else { text }
    }

    /// The most that a limit over `gateways` admits in one window, if anything is promised; `lost`:
    /// some gateway may have been out of touch.
    pub(crate) fn bound(self, limit: u64, gateways: u64, lost: bool) -> Option<u64> {
        let most = match self.mode {
            Some(Mode::Exact) => limit,
            // In the one window that a loss falls into, it may be twice that.
            None | Some(Mode::Fast) => {
                let most = limit.saturating_add(limit / 100);
                if lost { most.saturating_mul(2) } else { most }
            }
            Some(Mode::Local) => limit.saturating_mul(gateways),
        };
        (!lost || self.on_loss != Some(OnLoss::Open)).then_some(most)
    }
}

fn attribute(name: &str, value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map(|value| format!(" {name}=\"{}\"", value.get_name())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Manner, Mode, OnLoss, Window};

    #[test]
    fn attributes_are_written_only_where_something_was_asked_for() {
        let manner = Manner { window: Some(Window::Fixed), ..Manner::default() };
        assert_eq!(manner.of_rate(), " weir-window=\"fixed\"");
        let ahead = Manner { horizon: Some(5), ..manner };
        assert_eq!(ahead.of_rate(), " weir-window=\"fixed\" weir-horizon=\"5s\"");
        assert_eq!(manner.of_quota(), "");
        let on_loss = Some(OnLoss::LocalShare);
        let manner = Manner { mode: Some(Mode::Exact), on_loss, ..Manner::default() };
        assert_eq!(manner.of_rate(), " weir-mode=\"exact\" weir-on-loss=\"local-share\"");
    }

    #[test]
    fn the_bound_is_the_limit_only_where_that_is_promised() {
        let bound = |mode, lost| Manner { mode, ..Manner::default() }.bound(200, 4, lost);
        assert_eq!([bound(Some(Mode::Exact), true), bound(None, false)], [Some(200), Some(202)]);
        assert_eq!([bound(None, true), bound(Some(Mode::Local), true)], [Some(404), Some(800)]);
        let open = Manner { on_loss: Some(OnLoss::Open), ..Manner::default() };
        assert_eq!(open.bound(200, 4, true), None);
    }
}
