//! What of a control plane's status is told in words: what is wrong with it and with its gateways,
//! what is offered, how each replica is doing. `weir status` and the status page say the same.

use std::fmt::Write as _;

use super::shape::{Cluster, Seen, Shown};
use crate::admin::findings::{Row, of_cluster};

/// How many sentences are said of what is wrong with gateways; how many more there are, in one.
const SENTENCES_MAX: usize = 50;

/// Everything that is wrong, a sentence each; what concerns all comes first.
pub fn wrong(seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    if !seen.ready {
        found.push("nothing is offered to gateways: nothing good was published yet".to_owned());
    }
    if let Some(cluster) = &seen.cluster {
        of_cluster(cluster, &mut found);
    } else if let Some(like) = seen.like {
        found.push(format!(
            "somebody went back to generation {like}: the folder is passed over until it changes"
        ));
    }
    if let Some(withheld) = &seen.withheld {
        found.push(format!(
            "the folder is not published: {}. If it is meant: `weir control publish --force \
             --reason …`",
            withheld.why
        ));
    }
    if let Some(fault) = seen.faults.first() {
        let more = match seen.faults.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        found.push(format!("the folder is refused: {fault}{more}"));
    }
    let mut of_replicas = Vec::new();
    for replica in seen.replicas.iter().filter(|replica| replica.connected) {
        of_replica(seen, replica, &mut of_replicas);
    }
    let more = of_replicas.len().saturating_sub(SENTENCES_MAX);
    of_replicas.truncate(SENTENCES_MAX);
    found.append(&mut of_replicas);
    if 0 < more {
        found.push(format!("and {more} more is wrong with gateways"));
    }
    found
}

fn of_replica(seen: &Seen, replica: &Shown, found: &mut Vec<String>) {
    let name = name(replica);
    match last_error(replica) {
        Some(error) => found.push(format!("{name} {error}")),
        None if is_behind(seen, replica) => {
            let (serving, newest) = (replica.serving, seen.generation);
            found.push(format!("{name} is behind: it serves generation {serving}, not {newest}"));
        }
        None if !replica.ready => found.push(format!("{name} is not ready")),
        None => (),
    }
    if let (Some(state), Some(at)) = (&replica.credential, &replica.credential_expires) {
        let verb = if state == "expired" { "expired" } else { "expires" };
        found.push(format!("the credential of {name} {verb} at {at}"));
    }
}

/// A replica, as one of its gateway.
pub fn name(replica: &Shown) -> String {
    format!("{}/{}", replica.gateway, replica.replica)
}

/// Whether a replica serves something older than what is offered, and does not try it first on a
/// few of those that it tells of.
pub fn is_behind(seen: &Seen, replica: &Shown) -> bool {
    let is_older = replica.history < seen.history
        || replica.history == seen.history && replica.serving < seen.generation;
    is_older && !replica.cluster.as_ref().is_some_and(|cluster| cluster.staged)
}

/// Why a replica does not serve the newest.
pub fn last_error(replica: &Shown) -> Option<String> {
    match (replica.refuses, replica.faults.first()) {
        (0, _) => None,
        (number, None) => Some(format!("refuses generation {number}")),
        (number, Some(fault)) => Some(format!("refuses generation {number}: {fault}")),
    }
}

/// What is offered to gateways, since when, and why.
pub fn offers(seen: &Seen) -> String {
    if !seen.ready {
        return "nothing yet".to_owned();
    }
    let mut text = format!("generation {}", seen.generation);
    // A string takes everything.
    if let Some(since) = &seen.since {
        let _ = write!(text, " since {since}");
    }
    match seen.like {
        Some(like) => {
            let _ = write!(text, ": somebody went back to generation {like}");
        }
        None => text.push_str(": the folder has it"),
    }
    text
}

/// Where generations come from, and what came of the last load.
pub fn source(seen: &Seen) -> String {
    let folder = &seen.source.folder;
    let leads = seen.cluster.as_ref().is_none_or(|it| it.leader.as_ref() == Some(&it.replica));
    if !leads {
        return format!("{folder}, once this one leads");
    }
    let was = if seen.faults.is_empty() { "good" } else { "refused" };
    match &seen.source.loaded {
        Some(loaded) => format!("{folder}, loaded at {loaded} and {was}"),
        None => format!("{folder}, not loaded yet"),
    }
}

/// How many replicas of how many gateways there are.
pub fn connected(seen: &Seen) -> String {
    let here: Vec<&Shown> = seen.replicas.iter().filter(|replica| replica.connected).collect();
    let newest = here.iter().filter(|replica| !is_behind(seen, replica)).count();
    format!("{} connected, {newest} of them serve the newest generation", here.len())
}

/// All replicas, what is wrong first, then by name.
pub fn rows(seen: &Seen) -> Vec<Row> {
    let mut rows: Vec<Row> = seen.replicas.iter().map(|replica| row(seen, replica)).collect();
    rows.sort_by(|a, b| {
        let order = |row: &Row| (!(row.is_behind || row.error.is_some()), row.name.clone());
        order(a).cmp(&order(b))
    });
    rows
}

fn row(seen: &Seen, replica: &Shown) -> Row {
    let since = &replica.since;
    let mut role = if replica.connected {
        format!("connected since {since}")
    } else {
        format!("away since {since}")
    };
    let is_behind = replica.connected && is_behind(seen, replica);
    if is_behind {
        role.push_str(", behind");
    }
    if let Some(cluster) = &replica.cluster {
        let Cluster { generation, replicas, serving, staged } = cluster;
        let stage = if *staged { ", for some of them first" } else { "" };
        // A string takes everything.
        let _ = write!(
            role,
            ", for {replicas} replicas: {serving} serve {generation} as they count{stage}"
        );
    }
    if let Some(at) = &replica.credential_expires {
        // A string takes everything.
        let _ = write!(role, ", credential until {at}");
    }
    Row {
        name: name(replica),
        version: replica.version.clone(),
        generations: [replica.observed, replica.prepared, replica.serving],
        role,
        error: last_error(replica).filter(|_| replica.connected),
        is_behind,
        // It stands with what it is.
        token: None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A control plane whose generation 3 is served by one of two replicas; a third is away.
    pub(crate) fn told() -> Value {
        let replica = |name: &str, serving: u64, connected: bool| {
            json!({
                "gateway": "north", "replica": name, "version": "0.1.0", "connected": connected,
                "since": "2026-11-22T11:00:00.000Z", "ready": true, "history": 1,
                "observed": serving, "prepared": serving, "serving": serving, "refuses": 0,
                "credentialExpires": "2026-12-20T10:00:00.000Z", "faults": [],
            })
        };
        json!({
            "version": "0.1.0", "started": "2026-11-22T10:00:00.000Z", "ready": true, "history": 1,
            "generation": 3, "digest": "d3", "since": "2026-11-22T10:30:00.000Z",
            "source": {"folder": "/etc/weir", "loaded": "2026-11-22T10:30:00.000Z"},
            "generations": [
                {"number": 2, "digest": "d2", "published": 1_795_000_000_000_u64},
                {"number": 3, "digest": "d3", "published": 1_795_000_060_000_u64, "by": "a"},
            ],
            "replicas": [replica("a", 3, true), replica("b", 3, true), replica("c", 1, false)],
        })
    }

    fn wrong_with(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut told = told();
        change(&mut told);
        wrong(&Seen::of(told).unwrap())
    }

    #[test]
    fn a_replica_that_is_away_is_nothing_wrong() {
        assert_eq!(wrong_with(|_| ()), [""; 0]);
    }

    #[test]
    fn what_concerns_all_comes_first_then_each_replica() {
        let found = wrong_with(|told| {
            told["faults"] = json!(["x.yaml:1:1: one", "x.yaml:2:1: two"]);
            told["like"] = 1.into();
            told["replicas"][0]["serving"] = 2.into();
            told["replicas"][0]["credential"] = "expired".into();
            told["replicas"][1]["serving"] = 2.into();
            told["replicas"][1]["refuses"] = 3.into();
            told["replicas"][1]["faults"] = json!(["it is bad"]);
        });
        assert_eq!(
            found,
            [
                "somebody went back to generation 1: the folder is passed over until it changes",
                "the folder is refused: x.yaml:1:1: one (and 1 more)",
                "north/a is behind: it serves generation 2, not 3",
                "the credential of north/a expired at 2026-12-20T10:00:00.000Z",
                "north/b refuses generation 3: it is bad",
            ]
        );
    }

    #[test]
    fn who_has_the_stream_for_others_tells_of_them() {
        let mut told = told();
        told["replicas"][0]["cluster"] =
            json!({"generation": 7, "replicas": 3, "serving": 1, "staged": true});
        let role = rows(&Seen::of(told.clone()).unwrap())[0].role.clone();
        let expected = ", for 3 replicas: 1 serve 7 as they count, for some of them first,";
        assert!(role.contains(expected), "{role}");
        // A staged rollout is nothing wrong.
        told["replicas"][0]["serving"] = 2.into();
        assert_eq!(wrong(&Seen::of(told).unwrap()), [""; 0]);
    }

    #[test]
    fn who_serves_a_former_history_is_behind() {
        let found = wrong_with(|told| {
            told["replicas"][0]["history"] = 0.into();
            told["replicas"][0]["serving"] = 9.into();
        });
        assert_eq!(found, ["north/a is behind: it serves generation 9, not 3"]);
    }

    #[test]
    fn a_thousand_gateways_that_are_behind_are_not_a_thousand_sentences() {
        let found = wrong_with(|told| {
            let mut behind = told["replicas"][0].clone();
            behind["serving"] = 2.into();
            told["replicas"] = vec![behind; 1000].into();
        });
        assert_eq!(found.len(), SENTENCES_MAX + 1);
        assert_eq!(found[SENTENCES_MAX], "and 950 more is wrong with gateways");
    }
}
