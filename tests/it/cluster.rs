//! Replicas that share an etcd and one configuration, as real processes over a real etcd.

use serde_json::Value;

use crate::harness::etcd::Etcd;
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Policies, Site, soon};

/// A policy that answers with a word.
pub(crate) fn saying(word: &str) -> String {
    let inbound = format!("<return-response><set-body>{word}</set-body></return-response>");
    Policies { inbound: &inbound, ..Policies::default() }.text()
}

/// What a gateway is started with whose API says `word`.
pub(crate) fn site(name: &str, etcd: &str, word: &str, hold: &str) -> Site {
    let mut site = Site::new();
    site.file("policy.xml", saying(word));
    site.yaml(open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    for (flag, value) in [
        ("replica-name", name),
        ("etcd-endpoints", etcd),
        ("cluster-lease", "2s"),
        ("cluster-rollout-hold", hold),
        ("configuration-poll-interval", "100ms"),
        ("drain-delay", "0s"),
    ] {
        site.set(flag, value);
    }
    site
}

/// Replicas of one cluster.
struct Cluster {
    etcd: Etcd,
    replicas: Vec<Gateway>,
}

impl Cluster {
    /// Three replicas whose API says `one`.
    fn start(hold: &str) -> Self {
        let etcd = Etcd::start();
        let start = |name: &&str| Gateway::over(site(name, &etcd.endpoint(), "one", hold));
        let replicas = ["a", "b", "c"].iter().map(start).collect();
        let cluster = Self { etcd, replicas };
        cluster.all_say("one");
        cluster
    }

    /// All their folders change. A folder is the same for all, as one `ConfigMap` is.
    fn write(&self, policy: &str) {
        for replica in &self.replicas {
            write(replica.folder(), "policy.xml", policy);
        }
    }

    fn all_say(&self, word: &str) {
        for replica in &self.replicas {
            says(replica, word);
        }
    }

    /// Where in the list the leader is.
    fn leader(&self) -> usize {
        let leads = |replica: &Gateway| status(replica)["isLeading"] == true;
        let found = soon(|| self.replicas.iter().position(leads));
        found.unwrap_or_else(|| panic!("nobody leads: {}", self.told()))
    }

    /// Everything that the replicas told.
    fn told(&self) -> String {
        let events = |replica: &Gateway| replica.events().join("\n");
        self.replicas.iter().map(events).collect::<Vec<_>>().join("\n--\n")
    }
}

pub(crate) fn status(replica: &Gateway) -> Value {
    replica.status()["cluster"].clone()
}

pub(crate) fn answer(replica: &Gateway) -> String {
    replica.get("/echo/x").text().to_owned()
}

pub(crate) fn says(replica: &Gateway, word: &str) {
    let said = soon(|| Some(answer(replica)).filter(|said| said == word));
    assert!(said.is_some(), "{} and not {word}: {}", answer(replica), replica.events().join("\n"));
}

#[test]
fn one_replica_refreshes_for_all() {
    let cluster = Cluster::start("0s");
    let leader = cluster.leader();
    // The folders of the others may say what they like.
    for (at, replica) in cluster.replicas.iter().enumerate() {
        let word = if at == leader { "two" } else { "nothing" };
        write(replica.folder(), "policy.xml", saying(word));
    }
    cluster.all_say("two");
    for replica in &cluster.replicas {
        assert_eq!(replica.generation(), 2);
        let status = status(replica);
        assert_eq!(status["inForce"]["stage"], "all");
        assert_eq!(status["leader"], ["a", "b", "c"][leader]);
    }
    for (at, replica) in cluster.replicas.iter().enumerate() {
        let page = replica.admin("/metrics").text().to_owned();
        let (leading, published) = if at == leader { (1, 2) } else { (0, 0) };
        for line in [
            format!("weir_cluster_leading {leading}.0"),
            format!("weir_cluster_publications_total {published}"),
            "weir_cluster_generation{state=\"serving\"} 2.0".to_owned(),
            "weir_cluster_out_of_reach 0.0".to_owned(),
        ] {
            assert!(page.lines().any(|other| other == line), "no `{line}` in:\n{page}");
        }
    }
    let all = || {
        let replicas = status(&cluster.replicas[leader])["replicas"].clone();
        let serving = replicas.as_array()?.iter().filter(|replica| replica["serving"] == 2).count();
        (serving == 3).then_some(())
    };
    assert!(soon(all).is_some(), "{}", status(&cluster.replicas[leader]));
}

#[test]
fn a_leader_that_is_killed_is_replaced() {
    let mut cluster = Cluster::start("0s");
    let leader = cluster.leader();
    let killed = cluster.replicas.remove(leader);
    killed.signal("KILL");
    cluster.write(&saying("two"));
    cluster.all_say("two");
    drop(killed);
}

#[test]
fn a_leader_that_leaves_makes_room_at_once() {
    let mut cluster = Cluster::start("0s");
    let leader = cluster.leader();
    let mut leaving = cluster.replicas.remove(leader);
    leaving.signal("TERM");
    assert!(leaving.end().success());
    cluster.write(&saying("two"));
    cluster.all_say("two");
}

#[test]
fn a_leader_that_was_stopped_past_its_lease_changes_nothing_and_follows() {
    let cluster = Cluster::start("0s");
    let leader = cluster.leader();
    let stopped = &cluster.replicas[leader];
    stopped.signal("STOP");
    let others = || cluster.replicas.iter().enumerate().filter(|(at, _)| *at != leader);
    let replaced = soon(|| others().find(|(_, other)| status(other)["isLeading"] == true));
    assert!(replaced.is_some(), "{}", cluster.told());
    // What the stopped one is about to publish is another thing.
    write(stopped.folder(), "policy.xml", saying("stale"));
    others().for_each(|(_, other)| drop(write(other.folder(), "policy.xml", saying("two"))));
    others().for_each(|(_, other)| says(other, "two"));
    stopped.signal("CONT");
    says(stopped, "two");
    let follows = soon(|| (status(stopped)["isLeading"] == false).then_some(()));
    assert!(follows.is_some(), "{}", status(stopped));
    others().for_each(|(_, other)| assert_eq!(answer(other), "two"));
    for replica in &cluster.replicas {
        assert_eq!(replica.generation(), 2);
    }
}

#[test]
fn a_bad_configuration_stays_with_the_leader_who_says_what_is_wrong() {
    let cluster = Cluster::start("0s");
    let leader = &cluster.replicas[cluster.leader()];
    cluster.write("<policies><inbound><set-bodi /></inbound></policies>");
    let refused = || {
        let faults = leader.status()["configuration"]["faults"].clone();
        faults[0].as_str().filter(|fault| fault.contains("set-bodi")).map(|_fault| ())
    };
    assert!(soon(refused).is_some(), "{}", leader.status());
    cluster.all_say("one");
    cluster.write(&saying("two"));
    cluster.all_say("two");
}

#[test]
fn a_tenth_serves_a_new_configuration_before_all_do() {
    let cluster = Cluster::start("3s");
    cluster.write(&saying("two"));
    let staged = || {
        let status = status(&cluster.replicas[0]);
        let canaries = status["inForce"]["canaries"].as_array()?.clone();
        (status["inForce"]["generation"] == 2 && canaries.len() == 1).then(|| canaries[0].clone())
    };
    let canary = soon(staged).unwrap_or_else(|| panic!("{}", cluster.told()));
    let names = ["a", "b", "c"];
    let canary = names.iter().position(|name| canary == *name).expect("one of ours");
    says(&cluster.replicas[canary], "two");
    cluster.all_say("two");
    let told = cluster.told();
    assert!(told.contains("it waits to be served"), "{told}");
}

#[test]
fn without_etcd_replicas_go_on_and_catch_up() {
    let mut cluster = Cluster::start("0s");
    cluster.etcd.kill();
    cluster.write(&saying("two"));
    let troubled = |replica: &Gateway| soon(|| status(replica)["trouble"].as_str().map(|_| ()));
    assert!(cluster.replicas.iter().all(|replica| troubled(replica).is_some()));
    cluster.replicas.iter().for_each(|replica| {
        assert_eq!(answer(replica), "one");
        assert_eq!(replica.admin("/readyz").status, 200);
    });
    cluster.etcd.restart();
    // Pauses between tries grow while it is away.
    assert!(soon(|| (answer(&cluster.replicas[0]) == "two").then_some(())).is_some());
    cluster.all_say("two");
}

#[test]
fn a_replica_that_starts_without_etcd_serves_its_folder_until_there_is_one() {
    let mut etcd = Etcd::start();
    let endpoint = etcd.endpoint();
    etcd.kill();
    let replica = Gateway::over(site("a", &endpoint, "one", "0s"));
    says(&replica, "one");
    assert_eq!(replica.admin("/readyz").status, 200);
    etcd.restart();
    let leads = soon(|| (status(&replica)["isLeading"] == true).then_some(()));
    assert!(leads.is_some(), "{}", replica.events().join("\n"));
    write(replica.folder(), "policy.xml", saying("two"));
    says(&replica, "two");
}

#[test]
fn a_replica_that_comes_later_serves_what_is_in_force() {
    let cluster = Cluster::start("0s");
    cluster.write(&saying("two"));
    cluster.all_say("two");
    let late = Gateway::over(site("d", &cluster.etcd.endpoint(), "its own", "0s"));
    says(&late, "two");
    assert_eq!(late.generation(), 2);
}

#[test]
fn what_is_switched_off_at_the_leader_does_not_stop_it_from_publishing() {
    let etcd = Etcd::start();
    let mut site = site("a", &etcd.endpoint(), "one", "0s");
    let switch = site.path().join("off.yaml.switch");
    site.set("kill-switch-file", &switch.display().to_string());
    let replica = Gateway::over(site);
    says(&replica, "one");
    let wrong = "<policies><inbound><rate-limit calls=\"many\" renewal-period=\"1\" />\
                 <return-response><set-body>two</set-body></return-response></inbound></policies>";
    write(replica.folder(), "policy.xml", wrong);
    let refused = || {
        let faults = replica.status()["configuration"]["faults"].to_string();
        faults.contains("policy.xml:1:").then_some(())
    };
    assert!(soon(refused).is_some(), "{}", replica.status());
    // The folder is as it was, and is looked at again.
    std::fs::write(&switch, "policies: {rate-limit: skip}\n").unwrap();
    says(&replica, "two");
    assert_eq!(
        (replica.generation(), replica.status()["configuration"]["faults"][0].as_str()),
        (2, None)
    );
}
