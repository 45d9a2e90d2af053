//! What a control plane has switched off: it joins what the local file says.

use serde::{Deserialize, Serialize};

use super::Switch;
use crate::policy::catalog;
use crate::policy::disabled::Instead;
use crate::time::{Timestamp, date};

/// The most that a control plane may have switched off at a time.
pub const ENTRIES_MAX: usize = 200;
/// The longest name, id or sentence of an entry, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_200;

/// What a control plane has switched off. Which of two is newer, the control plane's history says,
/// and then the revision.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// When the history of the control plane began, in milliseconds since the Unix epoch.
    pub history: u64,
    /// How often something was switched off or on in it.
    pub revision: u64,
    /// What is off.
    pub entries: Vec<Order>,
}

/// One thing that is switched off, and by whom.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What.
    pub what: Target,
    /// Who did it, as far as that is known.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Why; empty if that was not said.
    pub reason: String,
}

/// What can be switched off.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A policy, everywhere.
    Policy {
        /// Its name.
        name: String,
        /// Whether its requests are refused; else it is as if it were not written.
        refuse: bool,
    },
    /// All of an API, by its id.
    Api(String),
    /// An operation: the ids of its API and its own, with a slash between them.
    Operation(String),
}

impl Orders {
    /// Whether these come after `other`.
    pub fn is_after(&self, other: &Self) -> bool {
        (other.history, other.revision) < (self.history, self.revision)
    }

    /// Whether they are of a size that is kept and sent.
    pub fn is_sound(&self) -> bool {
        let is_sound = |order: &Order| {
            let texts = [order.what.name(), &order.by, &order.reason];
            texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX)
        };
        self.entries.len() <= ENTRIES_MAX && self.entries.iter().all(is_sound)
    }

    /// Each as operators are shown it.
    pub fn list(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(Order::shown)
    }
}

impl Order {
    /// As operators are shown it: what, who, when, why.
    fn shown(&self) -> String {
        let Self { what, by, at, reason } = self;
        let when = date(Timestamp::from_micros(at.saturating_mul(1_000)));
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        format!("{} (control plane, by {by}, {when}{why})", what.shown())
    }
}

impl Target {
    /// The policy, the API or the operation.
    pub fn name(&self) -> &str {
        match self {
            Self::Policy { name, .. } | Self::Api(name) | Self::Operation(name) => name,
        }
    }

    /// Whether `other` is the same thing, whatever is done instead of it.
    pub fn is_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Policy { name, .. }, Self::Policy { name: other, .. })
            | (Self::Api(name), Self::Api(other))
            | (Self::Operation(name), Self::Operation(other)) => name == other,
            (Self::Policy { .. } | Self::Api(_) | Self::Operation(_), _) => false,
        }
    }

    /// As the local file would have it in a line.
    pub fn shown(&self) -> String {
        match self {
            Self::Policy { name, refuse } => {
                format!("policy {name}: {}", instead(*refuse).as_str())
            }
            Self::Api(id) => format!("api {id}"),
            Self::Operation(name) => format!("operation {name}"),
        }
    }
}

const fn instead(refuse: bool) -> Instead {
    if refuse { Instead::Refuse } else { Instead::Skip }
}

impl Switch {
    /// What must not run if both hold, this and `orders`. Where they say different things of a
    /// policy, it is refused. Names of policies that this version does not have are told.
    #[must_use]
    pub fn joined(&self, orders: &Orders, unknown: &mut Vec<String>) -> Self {
        let mut joined = self.clone();
        for order in &orders.entries {
            match &order.what {
                Target::Policy { name, refuse } => {
                    let is_refused = joined.policies.instead(name) == Some(Instead::Refuse);
                    let instead = instead(*refuse || is_refused);
                    if catalog::find(name).is_none() || !joined.policies.insert(name, instead) {
                        unknown.push(name.clone());
                    }
                }
                Target::Api(id) => {
                    joined.apis.insert(id.as_str().into());
                }
                Target::Operation(name) => {
                    if let Some((api, operation)) = name.split_once('/') {
                        joined.operations.entry(api.into()).or_default().insert(operation.into());
                    }
                }
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;

    fn order(what: Target) -> Order {
        Order { what, by: "ops".to_owned(), at: 1_700_000_000_000, reason: String::new() }
    }

    fn policy(name: &str, refuse: bool) -> Target {
        Target::Policy { name: name.to_owned(), refuse }
    }

    fn orders(whats: impl IntoIterator<Item = Target>) -> Orders {
        let entries = whats.into_iter().map(order).collect();
        Orders { history: 1, revision: 1, entries }
    }

    #[test]
    fn every_policy_is_switched_off_by_a_control_plane_as_by_the_file() {
        for refuse in [false, true] {
            let all = orders(catalog::names().map(|name| policy(name, refuse)));
            let mut unknown = Vec::new();
            let joined = Switch::default().joined(&all, &mut unknown);
            let mut text = "policies:\n".to_owned();
            for name in catalog::names() {
                writeln!(text, "  {name}: {}", instead(refuse).as_str()).unwrap();
            }
            let file = Switch::read(&Arc::from("off.yaml"), &text, &mut Vec::new()).unwrap();
            assert_eq!((joined, unknown), (file, Vec::new()));
            assert!(all.is_sound());
        }
    }

    #[test]
    fn both_hold_and_refusing_wins() {
        let text = "policies: {cors: refuse, quota: skip}\napis: [a]\noperations: [b/get]\n";
        let file = Switch::read(&Arc::from("off.yaml"), text, &mut Vec::new()).unwrap();
        let both = orders([
            policy("cors", false),
            policy("quota", true),
            policy("of-a-later-version", true),
            Target::Api("c".to_owned()),
            Target::Operation("b/put".to_owned()),
        ]);
        let mut unknown = Vec::new();
        let joined = file.joined(&both, &mut unknown);
        let expected = [
            "policy cors: refuse",
            "policy quota: refuse",
            "api a",
            "api c",
            "operation b/get",
            "operation b/put",
        ];
        assert_eq!(joined.list(), expected);
        assert_eq!(unknown, ["of-a-later-version"]);
        assert_eq!(file.joined(&Orders::default(), &mut unknown), file);
    }

    #[test]
    fn what_is_shown_says_who_and_when_and_why() {
        let mut one = orders([Target::Api("a".to_owned())]);
        one.entries[0].reason = "leaks".to_owned();
        let shown: Vec<String> = one.list().collect();
        assert_eq!(shown, ["api a (control plane, by ops, 2023-11-14T22:13:20.000Z: leaks)"]);
    }

    #[test]
    fn a_later_history_is_after_any_revision_of_an_earlier_one() {
        let of = |history, revision| Orders { history, revision, entries: Vec::new() };
        assert!(of(1, 2).is_after(&of(1, 1)) && of(2, 1).is_after(&of(1, 9)));
        assert!(!of(1, 1).is_after(&of(1, 1)) && of(1, 1).is_after(&Orders::default()));
    }
}
