//! What `/status` of a control plane looks like, to whoever writes it, and to `weir status` and the
//! status page, which read it. What is missing is not there: one of another version may tell less,
//! or more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fleet::{Name, Replica};
use super::operators::switched::Off;
use super::publisher::{Standing, Withheld};
use crate::admin::shape::{Together, still};
use crate::configuration::generation::Generation;
use crate::configuration::history::{Row, Wanted};
use crate::time::{Timestamp, date};
use crate::token::credential::{Expiry, NEAR, State};

/// How a control plane is doing.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The version of Weir that it runs.
    pub version: String,
    /// When it started.
    #[serde(default)]
    pub started: String,
    /// Whether it offers anything.
    #[serde(default)]
    pub ready: bool,
    /// The history that generations are counted in.
    #[serde(default)]
    pub history: u64,
    /// The newest generation that is offered to gateways; 0 before there is one.
    #[serde(default)]
    pub generation: u64,
    /// Its digest.
    #[serde(default)]
    pub digest: String,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Whose content it has, if somebody went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<u64>,
    /// The gateways that it names.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// Where generations come from.
    #[serde(default)]
    pub source: Source,
    /// How often the folder was refused.
    #[serde(default)]
    pub refused: u64,
    /// Why the folder is not what is offered.
    #[serde(default)]
    pub faults: Vec<String>,
    /// What the folder has and is not published, because it takes too much away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
    /// What is switched off at gateways.
    #[serde(default)]
    pub switched_off: Vec<Off>,
    /// Those that can be gone back to, the newest last. No gateway has such a list.
    pub generations: Vec<Former>,
    /// The replicas of all gateways.
    #[serde(default)]
    pub replicas: Vec<Shown>,
    /// How the control planes are doing that share an etcd with this one.
    #[serde(default, skip_serializing)]
    pub cluster: Option<Together>,
}

/// Where generations come from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// The folder.
    pub folder: String,
    /// When it was last loaded by this process, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<String>,
}

/// A generation that can be gone back to: a [`Row`] as a control plane of another version may tell
/// of it, with more than is known here, or less.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Former {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: String,
    /// When it was published, in milliseconds since the Unix epoch.
    pub published: u64,
    /// Whose content it has, if somebody went back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<u64>,
    /// Which of several control planes published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether all replicas of a cluster are to serve it at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
    /// Who wanted it, if somebody had to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
}

/// A replica of a gateway.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Shown {
    /// Its gateway.
    pub gateway: String,
    /// Its own name.
    pub replica: String,
    /// The version of Weir that it runs.
    pub version: String,
    /// Whether it has a stream to this control plane.
    pub connected: bool,
    /// Since when it has, or has none.
    pub since: String,
    /// When it was last heard of.
    pub heard: String,
    /// Whether it takes requests.
    pub ready: bool,
    /// The history that it serves a generation of.
    pub history: u64,
    /// The newest generation that it heard of.
    pub observed: u64,
    /// The newest that it has ready.
    pub prepared: u64,
    /// The one that it serves.
    pub serving: u64,
    /// Whether what it serves is the newest.
    pub newest: bool,
    /// How many it refused.
    pub refused: u64,
    /// The newest that it refused, as long as it has accepted none since; else 0.
    pub refuses: u64,
    /// When its credential expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_expires: Option<String>,
    /// What is to be said of it, if anything: that it is soon, or over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Why it refused the newest.
    pub faults: Vec<String>,
    /// The replicas that it tells of, if it leads a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
}

/// Replicas that share one stream; what is told is about all of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cluster {
    /// The generation that is in force, as they count.
    pub generation: u64,
    /// How many there are.
    pub replicas: u32,
    /// How many of them serve that one.
    pub serving: u32,
    /// Whether it is for some of them only, until it has held there.
    pub staged: bool,
}

impl Seen {
    /// What a control plane told; nothing if no control plane tells such a thing. Its texts have no
    /// character that would move what stands around them, in a terminal or on a page.
    pub fn of(mut told: Value) -> Option<Self> {
        still(&mut told);
        serde_json::from_value(told).ok()
    }

    /// How it is doing `now`, but for the other control planes.
    pub(super) fn now(
        standing: &Standing,
        replicas: &[(Name, Replica)],
        started: Timestamp,
        now: Timestamp,
    ) -> Self {
        let newest = standing.generation;
        let in_force = standing.rows.iter().find(|row| row.number == newest.number);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: date(started),
            ready: !newest.is_none(),
            history: newest.history,
            generation: newest.number,
            digest: standing.digest.clone(),
            since: in_force.map(|row| date_of_millis(row.published)),
            like: standing.like,
            gateways: standing.gateways.clone(),
            source: Source { folder: standing.folder.clone(), loaded: standing.loaded.map(date) },
            refused: standing.refused,
            faults: standing.faults.iter().map(ToString::to_string).collect(),
            withheld: standing.withheld.clone(),
            switched_off: Vec::new(),
            generations: standing.rows.iter().map(Former::of).collect(),
            replicas: replicas.iter().map(|it| Shown::of(it, newest, now)).collect(),
            cluster: None,
        }
    }
}

impl Former {
    fn of(row: &Row) -> Self {
        Self {
            number: row.number,
            digest: row.digest.clone(),
            published: row.published,
            like: row.like,
            by: row.by.clone(),
            now: row.now,
            wanted: row.wanted.clone(),
        }
    }

    /// When it was published.
    pub fn date(&self) -> String {
        date_of_millis(self.published)
    }
}

impl Shown {
    fn of((name, replica): &(Name, Replica), newest: Generation, now: Timestamp) -> Self {
        let until = Some(replica.credential_until).filter(|at| *at != Timestamp::default());
        Self {
            gateway: name.0.to_string(),
            replica: name.1.to_string(),
            version: replica.version.to_string(),
            connected: replica.is_connected,
            since: date(replica.since),
            heard: date(replica.heard),
            ready: replica.is_ready,
            history: replica.serving.history,
            observed: replica.observed.number,
            prepared: replica.prepared.number,
            serving: replica.serving.number,
            newest: replica.serving == newest,
            refused: replica.refused,
            refuses: replica.refuses.number,
            credential_expires: until.map(date),
            credential: until.and_then(|until| state(until, replica.credential_near, now)),
            faults: replica.faults.iter().map(ToString::to_string).collect(),
            cluster: replica.cluster.map(|cluster| Cluster {
                generation: cluster.in_force.number,
                replicas: cluster.replicas,
                serving: cluster.serving,
                staged: cluster.is_staged,
            }),
        }
    }
}

/// What is to be said of a credential that is good `until` then, and should be replaced `near` that.
fn state(until: Timestamp, near: Option<Duration>, now: Timestamp) -> Option<String> {
    let state = Expiry::within(until, near.unwrap_or(NEAR), now).state;
    (state != State::Fine).then(|| state.word().to_owned())
}

fn date_of_millis(millis: u64) -> String {
    date(Timestamp::from_micros(millis.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gateway_is_no_control_plane_and_what_is_missing_is_not_there() {
        let gateway = json!({"version": "1", "configuration": {"generation": 3}});
        assert!(Seen::of(gateway).is_none());
        let least = json!({"version": "9", "generations": [{"number": 3, "colour": "blue"}]});
        let seen = Seen::of(least).unwrap();
        assert_eq!((seen.generations[0].number, seen.ready), (3, false));
        let restless = json!({"version": "1", "generations": [], "faults": ["a\u{1b}[2J"]});
        assert_eq!(Seen::of(restless).unwrap().faults, ["a\u{fffd}[2J"]);
    }
}
