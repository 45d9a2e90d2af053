//! What `/status` looks like to whoever reads it: `weir status`, and the status page. What is
//! missing is not there: a gateway of another version may tell less, or more.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::sidecar::Look;
use crate::configuration::cluster::record::Member;

/// How a gateway is doing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The version of Weir that it runs.
    pub version: String,
    /// What it serves.
    pub configuration: Configuration,
    /// When it started.
    #[serde(default)]
    pub started: Option<String>,
    /// Whether it takes requests.
    #[serde(default)]
    pub ready: bool,
    /// Whether it is about to end.
    #[serde(default)]
    pub draining: bool,
    /// How many requests there were.
    #[serde(default)]
    pub requests: u64,
    /// How many there are now.
    #[serde(default)]
    pub requests_in_flight: u64,
    /// How the replicas are doing that share a configuration.
    #[serde(default)]
    pub cluster: Option<Together>,
    /// How it goes with the control plane.
    #[serde(default)]
    pub control: Option<Control>,
    /// How its counters are doing.
    #[serde(default)]
    pub counters: Counters,
    /// What is known of Dapr's sidecar, if what it serves needs that.
    #[serde(default)]
    pub dapr: Option<Dapr>,
    /// Limits that refused, or would have.
    #[serde(default)]
    pub limits: Vec<Refusing>,
}

/// What a gateway serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// Its number.
    pub generation: u64,
    /// Since when.
    #[serde(default)]
    pub since: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub source: Option<String>,
    /// How many configurations were refused since the start.
    #[serde(default)]
    pub refused: u64,
    /// Why the newest is not the one that runs.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The copies that are kept.
    #[serde(default)]
    pub last_good: Option<LastGood>,
    /// What must not run.
    #[serde(default)]
    pub kill_switch: Option<KillSwitch>,
}

/// What is known of Dapr's sidecar.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dapr {
    /// Its version.
    pub version: String,
    /// Why it is not known what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What policies name and it does not have.
    pub missing: Vec<Missing>,
}

/// A component that the sidecar does not have.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Missing {
    /// The component.
    pub component: String,
    /// Where a policy names it.
    pub place: String,
}

impl Dapr {
    /// As it is told.
    pub fn of(look: &Look) -> Self {
        let missing = |(component, place): &(String, String)| Missing {
            component: component.clone(),
            place: place.clone(),
        };
        let Look { version, trouble, missing: all } = look;
        let (version, trouble) = (version.clone(), trouble.clone());
        Self { version, trouble, missing: all.iter().map(missing).collect() }
    }
}

/// Copies of good configurations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LastGood {
    /// How old the copy is that is served, in seconds, if one is.
    pub served_age: Option<u64>,
    /// Why none are kept.
    pub fault: Option<String>,
}

/// What must not run, whatever the configuration says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KillSwitch {
    /// Each as it is written.
    pub off: Vec<String>,
    /// What is wrong with the file.
    pub faults: Vec<String>,
}

/// Replicas that share a configuration, as one of them sees them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Together {
    /// The one that sees them.
    pub replica: String,
    /// Who leads.
    pub leader: Option<String>,
    /// Since when, as far as this one knows.
    pub leader_since: Option<String>,
    /// What is wrong with the store that they share.
    pub trouble: Option<String>,
    /// What is in force.
    pub in_force: Option<InForce>,
    /// All of them.
    pub replicas: Vec<Member>,
}

/// The generation that is in force.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InForce {
    /// Its number.
    pub generation: u64,
    /// Which generation of the control plane it is, if it came from one.
    pub control_generation: Option<u64>,
    /// The digest of its bundle.
    pub digest: String,
    /// `all`, or `canaries`.
    pub stage: String,
    /// For whom it is meanwhile.
    pub canaries: Vec<String>,
    /// What the others serve meanwhile; after a generation was taken back, what all do.
    pub previous: u64,
    /// Why it is in force, where that is not simply that the source has it.
    pub reason: Option<String>,
    /// Who published it.
    pub published_by: String,
    /// What the source has and is not published, and why.
    pub withheld: Option<HeldBack>,
    /// What an operator wanted last.
    pub wish: Option<Wish>,
}

/// What is not published, because it takes too much away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeldBack {
    /// The digest of its bundle.
    pub digest: String,
    /// What it takes away.
    pub why: String,
}

/// What an operator wanted, and what became of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Wish {
    /// `now`, `force` or `back`.
    pub what: String,
    /// Who.
    pub who: String,
    /// When.
    pub when: String,
    /// Why; empty if that was not said.
    pub reason: String,
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why nothing was.
    pub outcome: String,
}

/// The answer to what an operator wanted of a rollout.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RolloutDone {
    /// What was done.
    pub outcome: String,
}

/// How it goes with the control plane.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Control {
    /// Whether there is a stream.
    pub connected: bool,
    /// Why there is none.
    pub reason: String,
    /// Whether another replica has it, for all of the cluster.
    pub through_leader: bool,
    /// Until when the credential is good.
    pub token_expires: Option<String>,
    /// `fine`; `near` if it should be replaced; `expired`.
    pub token_state: Option<String>,
    /// Whether it is not good any more.
    pub token_expired: bool,
}

/// How counters are doing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Counters {
    /// How many this replica holds.
    pub keys: usize,
    /// Where limits are shared: how that is doing.
    pub shared: Option<Sharing>,
}

/// How the sharing of limits is doing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Sharing {
    /// The copy of the totals of quotas in etcd.
    pub copy_in_etcd: Option<Copy>,
    /// One a Redis, or a part of a cluster.
    pub lanes: Vec<Lane>,
}

/// The copy of the totals of quotas in etcd.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Copy {
    /// Why it is broken.
    pub trouble: Option<String>,
}

/// One Redis, or a part of a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lane {
    /// `in-touch`, `out-of-touch` or `healing`.
    pub state: String,
    /// For how long.
    pub for_seconds: u64,
    /// Where it is.
    pub redis: Option<String>,
    /// Why it is out of touch.
    pub trouble: Option<String>,
    /// How many replicas share there.
    pub replicas: u32,
}

/// A limit, and how often it did not just admit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Refusing {
    /// Its policy.
    pub policy: String,
    /// Where it stands.
    pub place: String,
    /// How often it refused.
    pub refused: u64,
    /// How often nobody could be asked.
    pub unavailable: u64,
}

impl Seen {
    /// What a gateway told; nothing if no gateway tells such a thing. Its texts have no character
    /// that would move what stands around them, in a terminal or on a page.
    pub fn of(mut told: Value) -> Option<Self> {
        still(&mut told);
        serde_json::from_value(told).ok()
    }

    /// What this replica is called, if it was told.
    pub fn replica(&self) -> Option<&str> {
        self.cluster.as_ref().map(|cluster| cluster.replica.as_str())
    }
}

impl InForce {
    /// Which generation a replica is to serve.
    pub fn meant_for(&self, replica: &str) -> u64 {
        let is_canary = self.canaries.iter().any(|name| name == replica);
        if self.stage == "canaries" && !is_canary { self.previous } else { self.generation }
    }
}

/// Takes out whatever moves a cursor, ends a line or turns the direction of a text.
pub fn still(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(is_restless) => {
            *text = text.replace(is_restless, "\u{fffd}");
        }
        Value::Array(values) => values.iter_mut().for_each(still),
        Value::Object(fields) => fields.values_mut().for_each(still),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

fn is_restless(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_not_there_and_what_is_new_is_passed_over() {
        let least = json!({"version": "9.0.0", "configuration": {"generation": 3}});
        let seen = Seen::of(least).unwrap();
        assert_eq!((seen.configuration.generation, seen.ready), (3, false));
        assert!(seen.cluster.is_none() && seen.replica().is_none());
        let more = json!({
            "version": "9.0.0",
            "configuration": {"generation": 3, "colour": "blue"},
            "cluster": {"replica": "a", "mood": {"good": true}},
        });
        assert_eq!(Seen::of(more).unwrap().replica(), Some("a"));
        for other in [json!({}), json!([]), json!({"version": "1"}), json!("up")] {
            assert!(Seen::of(other.clone()).is_none(), "{other}");
        }
    }

    #[test]
    fn no_text_moves_what_stands_around_it() {
        let told = json!({
            "version": "1",
            "configuration": {"generation": 1, "faults": ["a\u{1b}[2Jb\nc\u{202e}d"]},
        });
        let faults = Seen::of(told).unwrap().configuration.faults;
        assert_eq!(faults, ["a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"]);
    }
}
