//! What of a gateway's status is told in words: what is wrong with it, what is in force, how each
//! replica is doing. `weir status` and the status page say the same.

use std::fmt::Write as _;

use crate::admin::shape::{HeldBack, InForce, Lane, Missing, Seen, Sharing, Together, Wish};
use crate::configuration::cluster::record::{Member, Token};

/// A replica, as one row shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// The version of Weir that it runs.
    pub version: String,
    /// The generations that it heard of, has ready, and serves.
    pub generations: [u64; 3],
    /// What it is: whether it leads, is a canary, is behind.
    pub role: String,
    /// What it could not do last.
    pub error: Option<String>,
    /// Whether it does not serve what it is to serve.
    pub is_behind: bool,
    /// Until when the control plane knows it, if it shows a token.
    pub token: Option<String>,
}

/// Everything that is wrong, a sentence each; what concerns all comes first.
pub fn wrong(seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    if seen.draining {
        found.push("this replica is about to end: it drains".to_owned());
    } else if !seen.ready {
        found.push("this replica is not ready: it has no configuration to serve".to_owned());
    }
    if let Some(cluster) = &seen.cluster {
        of_cluster(cluster, &mut found);
    }
    if let Some(withheld) = withheld(seen) {
        let why = &withheld.why;
        found.push(format!(
            "what the source has is not published: {why}. If it is meant: `weir rollout force \
             --reason …`"
        ));
    }
    of_configuration(seen, &mut found);
    if let Some(control) = &seen.control {
        if !control.connected && !control.through_leader {
            found.push(format!("the control plane is not connected: {}", control.reason));
        }
        if control.token_expired {
            let told = "the gateway's token has expired: nothing new comes until there is another";
            found.push(told.to_owned());
        } else if control.token_state.as_deref() == Some("near") {
            let expires = control.token_expires.as_deref().unwrap_or_default();
            found.push(format!(
                "the gateway's token should be replaced: it is good until {expires}"
            ));
        }
    }
    if let Some(shared) = &seen.counters.shared {
        of_sharing(shared, &mut found);
    }
    if let Some(dapr) = &seen.dapr {
        found.extend(dapr.trouble.clone());
        found.extend(dapr.missing.iter().map(|Missing { component, place }| {
            format!("the Dapr sidecar has no component `{component}`, which {place} names")
        }));
    }
    found
}

/// What is wrong with replicas that share something.
pub fn of_cluster(cluster: &Together, found: &mut Vec<String>) {
    if let Some(trouble) = &cluster.trouble {
        found.push(format!(
            "the store that replicas share is out of reach, so this is how they were last seen: \
             {trouble}"
        ));
    }
    if cluster.leader.is_none() {
        found.push("nobody leads: nothing new is published".to_owned());
    }
    let in_force = cluster.in_force.as_ref();
    if let Some(reason) = in_force.and_then(|in_force| in_force.reason.as_ref()) {
        found.push(reason.clone());
    }
    for replica in &cluster.replicas {
        let name = &replica.replica;
        if let Some(in_force) = in_force
            && is_behind(replica, in_force)
        {
            let (serving, meant) = (replica.serving, in_force.meant_for(name));
            found.push(format!("{name} is behind: it serves generation {serving}, not {meant}"));
        }
        // What is wrong here is known first-hand.
        if *name == cluster.replica {
            continue;
        }
        if let Some(reason) = &replica.cut_off {
            found.push(format!("{name}, which leads, has no control plane: {reason}"));
        }
        if let Some(error) = last_error(replica) {
            found.push(format!("{name}: {error}"));
        }
        if let Some(Token { expires, state }) = &replica.token {
            match state.as_str() {
                "near" => found.push(format!(
                    "{name}: its token should be replaced: it is good until {expires}"
                )),
                "expired" => found.push(format!("{name}: its token has expired, {expires}")),
                _ => (),
            }
        }
    }
}

fn of_configuration(seen: &Seen, found: &mut Vec<String>) {
    let configuration = &seen.configuration;
    if let Some(fault) = configuration.faults.first() {
        let more = match configuration.faults.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        found.push(format!("the newest configuration is refused here: {fault}{more}"));
    }
    if let Some(last_good) = &configuration.last_good {
        if let Some(age) = last_good.served_age {
            found.push(format!("a good copy is served, {age} seconds old: there was nothing else"));
        }
        if let Some(fault) = &last_good.fault {
            found.push(format!("no copies of good configurations are kept: {fault}"));
        }
    }
    let switch = configuration.kill_switch.iter();
    let faults = switch.flat_map(|switch| &switch.faults);
    found.extend(faults.map(|fault| format!("the kill switch is wrong: {fault}")));
}

fn of_sharing(shared: &Sharing, found: &mut Vec<String>) {
    for lane in shared.lanes.iter().filter(|lane| lane.state == "out-of-touch") {
        let why = lane.trouble.as_deref().unwrap_or("it does not answer");
        let (place, seconds) = (place(lane), lane.for_seconds);
        found.push(format!("limits are not shared through {place} since {seconds} s: {why}"));
    }
    if let Some(trouble) = shared.copy_in_etcd.as_ref().and_then(|copy| copy.trouble.as_ref()) {
        found.push(format!("the copy of quotas in etcd is broken: {trouble}"));
    }
}

/// What the source of a cluster has and is not published.
fn withheld(seen: &Seen) -> Option<&HeldBack> {
    seen.cluster.as_ref()?.in_force.as_ref()?.withheld.as_ref()
}

/// All replicas, by name.
pub fn rows(cluster: &Together) -> Vec<Row> {
    let mut rows: Vec<Row> = cluster.replicas.iter().map(|replica| row(cluster, replica)).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn row(cluster: &Together, replica: &Member) -> Row {
    let name = &replica.replica;
    let in_force = cluster.in_force.as_ref();
    let is_behind = in_force.is_some_and(|in_force| is_behind(replica, in_force));
    let roles = [
        (cluster.leader.as_ref() == Some(name), "leads"),
        (in_force.is_some_and(|in_force| in_force.canaries.contains(name)), "canary"),
        (is_behind, "behind"),
    ];
    let roles: Vec<&str> =
        roles.into_iter().filter_map(|(holds, role)| holds.then_some(role)).collect();
    Row {
        name: name.clone(),
        version: replica.version.clone(),
        generations: [replica.observed, replica.prepared, replica.serving],
        role: if roles.is_empty() { "follows".to_owned() } else { roles.join(", ") },
        error: last_error(replica),
        is_behind,
        token: replica.token.as_ref().map(|Token { expires, state }| match state.as_str() {
            "expired" => format!("expired {expires}"),
            _ => format!("until {expires}"),
        }),
    }
}

fn is_behind(replica: &Member, in_force: &InForce) -> bool {
    replica.serving < in_force.meant_for(&replica.replica)
}

/// Why a replica does not serve the newest.
pub fn last_error(replica: &Member) -> Option<String> {
    let fault = replica.faults.first();
    match (replica.refused, fault) {
        (0, None) => None,
        (0, Some(fault)) => Some(format!("refuses what its source has: {fault}")),
        (number, None) => Some(format!("refuses generation {number}")),
        (number, Some(fault)) => Some(format!("refuses generation {number}: {fault}")),
    }
}

/// Who leads.
pub fn leader(cluster: &Together) -> String {
    match (&cluster.leader, &cluster.leader_since) {
        (Some(leader), Some(since)) => format!("{leader}, since {since}"),
        (Some(leader), None) => leader.clone(),
        (None, _) => "nobody".to_owned(),
    }
}

/// What is in force, and for whom.
pub fn in_force(in_force: &InForce) -> String {
    let InForce { generation, previous, published_by, .. } = in_force;
    let mut text = if in_force.stage == "canaries" {
        let canaries = in_force.canaries.join(", ");
        format!(
            "generation {generation} for {canaries}; generation {previous} for all others; \
             published by {published_by}"
        )
    } else {
        format!("generation {generation} for all; published by {published_by}")
    };
    if let Some(number) = in_force.control_generation {
        // A string takes everything.
        let _ = write!(text, "; {generation} is {number} of the control plane");
    }
    text
}

/// What an operator wanted last, and what became of it, if anybody ever did.
pub fn wish(in_force: &InForce) -> Option<String> {
    let Wish { what, who, when, reason, done, outcome } = in_force.wish.as_ref()?;
    let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let not = if *done { "" } else { "not done: " };
    Some(format!("{what}, by {who}, {when}{why}: {not}{outcome}"))
}

/// What this replica serves.
pub fn serves(seen: &Seen) -> String {
    let configuration = &seen.configuration;
    let mut text = format!("generation {}", configuration.generation);
    // A string takes everything.
    if let Some(since) = &configuration.since {
        let _ = write!(text, " since {since}");
    }
    if let Some(source) = &configuration.source {
        let _ = write!(text, ", from {source}");
    }
    text
}

/// Whether this replica takes requests.
pub const fn readiness(seen: &Seen) -> &'static str {
    match (seen.draining, seen.ready) {
        (true, _) => "drains",
        (false, true) => "ready",
        (false, false) => "not ready",
    }
}

/// How it goes with the control plane, if that was told.
pub fn control(seen: &Seen) -> Option<String> {
    let control = seen.control.as_ref()?;
    let mut text = match (control.connected, control.through_leader) {
        (true, _) => "connected",
        (false, true) => "through the leader",
        (false, false) => "not connected",
    }
    .to_owned();
    if let Some(expires) = &control.token_expires {
        let good = if control.token_expired { "expired" } else { "is good until" };
        let _ = write!(text, "; the credential {good} {expires}");
    }
    Some(text)
}

/// Where limits are counted.
pub fn sharing(seen: &Seen) -> String {
    let Some(shared) = &seen.counters.shared else {
        return format!("in memory, {} counters", seen.counters.keys);
    };
    let lanes: Vec<String> = shared
        .lanes
        .iter()
        .map(|lane| {
            let (place, state, seconds) = (place(lane), &lane.state, lane.for_seconds);
            format!("{place} ({state} for {seconds} s, {} replicas)", lane.replicas)
        })
        .collect();
    format!("shared through {}", lanes.join(", "))
}

fn place(lane: &Lane) -> &str {
    lane.redis.as_deref().unwrap_or("Redis")
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Three replicas of which `a` is asked, `b` leads, and `c` tries generation 7.
    pub(crate) fn told() -> Value {
        let replica = |name: &str, serving: u64| {
            json!({
                "replica": name, "version": "0.1.0", "observed": 7, "prepared": 7,
                "serving": serving, "history": 1, "refused": 0, "faults": [],
            })
        };
        json!({
            "version": "0.1.0", "started": "2026-11-22T10:00:00.000Z", "ready": true,
            "draining": false, "requests": 1200, "requestsInFlight": 3,
            "configuration": {
                "generation": 6, "since": "2026-11-22T11:00:00.000Z", "refused": 0, "faults": [],
            },
            "cluster": {
                "replica": "a", "leader": "b", "leaderSince": "2026-11-22T10:30:00.000Z",
                "isLeading": false, "trouble": null,
                "inForce": {
                    "generation": 7, "digest": "d7", "stage": "canaries", "canaries": ["c"],
                    "previous": 6, "reason": null, "publishedBy": "b",
                },
                "replicas": [replica("c", 7), replica("a", 6), replica("b", 6)],
            },
            "counters": {"keys": 12, "keysMax": 100, "crowded": 0},
            "limits": [],
        })
    }

    fn wrong_with(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut told = told();
        change(&mut told);
        wrong(&Seen::of(told).unwrap())
    }

    #[test]
    fn a_staged_rollout_is_nothing_wrong() {
        assert_eq!(wrong_with(|_| ()), [""; 0]);
    }

    #[test]
    fn who_does_not_serve_what_it_is_to_serve_is_behind() {
        let behind = wrong_with(|told| told["cluster"]["replicas"][0]["serving"] = 6.into());
        assert_eq!(behind, ["c is behind: it serves generation 6, not 7"]);
        let all = wrong_with(|told| told["cluster"]["inForce"]["stage"] = "all".into());
        let expected = ["a", "b"].map(|n| format!("{n} is behind: it serves generation 6, not 7"));
        assert_eq!(all, expected);
    }

    #[test]
    fn what_concerns_all_comes_first() {
        let found = wrong_with(|told| {
            told["ready"] = false.into();
            told["cluster"]["leader"] = Value::Null;
            told["cluster"]["trouble"] = "refused".into();
            told["configuration"]["faults"] = json!(["x.yaml:1:1: one", "x.yaml:2:1: two"]);
            let canary = &mut told["cluster"]["replicas"][0];
            (canary["refused"], canary["faults"]) = (7.into(), json!(["it is bad"]));
        });
        assert_eq!(
            found,
            [
                "this replica is not ready: it has no configuration to serve",
                "the store that replicas share is out of reach, so this is how they were last \
                 seen: refused",
                "nobody leads: nothing new is published",
                "c: refuses generation 7: it is bad",
                "the newest configuration is refused here: x.yaml:1:1: one (and 1 more)",
            ]
        );
    }

    #[test]
    fn a_copy_a_switch_the_control_plane_and_redis_are_told_of_where_they_are_wrong() {
        let found = wrong_with(|told| {
            told["control"] = json!({"connected": false, "reason": "refused"});
            told["configuration"]["lastGood"] = json!({"servedAge": 60, "fault": "disk full"});
            told["configuration"]["killSwitch"] = json!({"off": ["x"], "faults": ["bad word"]});
            told["counters"]["shared"] = json!({
                "copyInEtcd": {"state": "broken", "trouble": "no etcd"},
                "lanes": [{"state": "out-of-touch", "forSeconds": 5, "redis": "r:1"}],
            });
        });
        assert_eq!(
            found,
            [
                "a good copy is served, 60 seconds old: there was nothing else",
                "no copies of good configurations are kept: disk full",
                "the kill switch is wrong: bad word",
                "the control plane is not connected: refused",
                "limits are not shared through r:1 since 5 s: it does not answer",
                "the copy of quotas in etcd is broken: no etcd",
            ]
        );
    }

    #[test]
    fn who_has_the_stream_through_the_leader_misses_none_and_an_expired_token_is_told() {
        let through = json!({"connected": false, "reason": "", "throughLeader": true});
        assert_eq!(wrong_with(|told| told["control"] = through.clone()), [""; 0]);
        let expired = json!({
            "connected": true, "tokenExpired": true, "tokenExpires": "2026-11-22T10:00:00.000Z",
        });
        let found = wrong_with(|told| told["control"] = expired.clone());
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("the gateway's token has expired"), "{found:?}");
    }

    #[test]
    fn what_is_held_back_is_told_with_the_way_to_publish_it_and_wishes_with_what_became_of_them() {
        let mut told = told();
        let in_force = &mut told["cluster"]["inForce"];
        in_force["withheld"] = json!({"digest": "d8", "why": "it removes all 3 APIs"});
        in_force["wish"] = json!({
            "what": "back", "who": "ops at ::1", "when": "2026-11-22T10:00:00.000Z",
            "reason": "too slow", "done": false, "outcome": "there is no other",
        });
        let seen = Seen::of(told).unwrap();
        assert_eq!(
            wrong(&seen),
            ["what the source has is not published: it removes all 3 APIs. If it is meant: `weir \
              rollout force --reason …`"]
        );
        let in_force = seen.cluster.unwrap().in_force.unwrap();
        assert_eq!(
            wish(&in_force).unwrap(),
            "back, by ops at ::1, 2026-11-22T10:00:00.000Z (too slow): not done: there is no other"
        );
    }

    #[test]
    fn a_leader_without_its_control_plane_is_told_of_by_all() {
        for (name, prefix) in
            [("a", None), ("b", Some("b, which leads, has no control plane: gone"))]
        {
            let found = wrong_with(|told| {
                let replicas = told["cluster"]["replicas"].as_array_mut().unwrap();
                let it = replicas.iter_mut().find(|it| it["replica"] == name).unwrap();
                it["cutOff"] = "gone".into();
            });
            assert_eq!(found.first().map(String::as_str), prefix);
        }
    }

    #[test]
    fn a_token_is_told_of_from_when_it_should_be_replaced() {
        let token = |state: &str| json!({"expires": "2026-11-29T10:00:00.000Z", "state": state});
        for (state, expected) in [
            ("fine", None),
            (
                "near",
                Some("c: its token should be replaced: it is good until 2026-11-29T10:00:00.000Z"),
            ),
            ("expired", Some("c: its token has expired, 2026-11-29T10:00:00.000Z")),
        ] {
            let found = wrong_with(|told| {
                told["cluster"]["replicas"][0]["token"] = token(state);
                // Of this replica it is known first-hand.
                told["cluster"]["replicas"][1]["token"] = token("expired");
            });
            assert_eq!(found, Vec::from_iter(expected));
        }
        let found = wrong_with(|told| {
            told["control"] = json!({
                "connected": true, "tokenState": "near", "tokenExpires": "2026-11-29T10:00:00.000Z",
            });
        });
        let expected =
            "the gateway's token should be replaced: it is good until 2026-11-29T10:00:00.000Z";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_was_taken_back_is_told_until_something_else_is_published() {
        let found = wrong_with(|told| {
            let in_force = &mut told["cluster"]["inForce"];
            in_force["reason"] = "generation 6 was taken back: c refuses it: x".into();
        });
        assert_eq!(found, ["generation 6 was taken back: c refuses it: x"]);
    }
}
