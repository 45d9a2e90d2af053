//! Replicas that share an etcd behind a control plane: their leader has the stream, for all of them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::cluster::{answer, saying, status};
use crate::cluster_weather::Caller;
use crate::harness::careless::{Careless, EXPIRED, generation};
use crate::harness::control::{Control, later};
use crate::harness::etcd::Etcd;
use crate::harness::relay::Relay;
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Site, soon};

/// Replicas of one cluster.
pub(crate) struct Cluster {
    pub(crate) replicas: Vec<(String, Gateway)>,
}

/// A replica of the cluster in `etcd`, as far as that goes without a control plane.
fn site(etcd: &Etcd, hold: &str, lease: &str) -> Site {
    let mut site = Site::new();
    let switch = site.path().join("off.yaml").display().to_string();
    for (flag, value) in [
        ("etcd-endpoints", etcd.endpoint().as_str()),
        ("cluster-lease", lease),
        ("cluster-rollout-hold", hold),
        ("kill-switch-file", &switch),
        ("drain-delay", "0s"),
    ] {
        site.set(flag, value);
    }
    site
}

impl Cluster {
    /// Three replicas, which need not be ready soon.
    pub(crate) fn start(
        etcd: &Etcd,
        [hold, lease]: [&str; 2],
        configure: impl Fn(&mut Site, &str),
    ) -> Self {
        let start = |name: &str| {
            let mut site = site(etcd, hold, lease);
            configure(&mut site, name);
            (name.to_owned(), Gateway::listening(site))
        };
        Self { replicas: ["a", "b", "c"].into_iter().map(start).collect() }
    }

    /// Three replicas behind `control`; a leader that is killed is replaced soon.
    fn behind(control: &Control, etcd: &Etcd) -> Self {
        let token = control.token("north");
        Self::start(etcd, ["0s", "3s"], |site, name| drop(control.configure(site, name, &token)))
    }

    pub(crate) fn all_say(&self, word: &str) {
        for (name, replica) in &self.replicas {
            let said = later(|| (answer(replica) == word).then_some(()));
            let now = answer(replica);
            assert!(said.is_some(), "{name} says {now} and not {word}: {}", self.told());
        }
    }

    fn of(&self, name: &str) -> &Gateway {
        let found = self.replicas.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    fn take(&mut self, name: &str) -> Gateway {
        let at = self.replicas.iter().position(|(own, _)| own == name).expect("one of ours");
        self.replicas.remove(at).1
    }

    /// Waits until a generation of this number is served by some only.
    pub(crate) fn await_canaries(&self, generation: u64) {
        let is_staged = |replica: &Gateway| {
            let in_force = &status(replica)["inForce"];
            in_force["generation"] == generation && in_force["stage"] == "canaries"
        };
        let all_see = || self.replicas.iter().all(|(_, it)| is_staged(it)).then_some(());
        assert!(later(all_see).is_some(), "{}", self.told());
    }

    /// Waits until all answer with this status.
    fn all_answer(&self, wanted: u16) {
        for (name, replica) in &self.replicas {
            let answers = || (replica.get("/echo/a").status == wanted).then_some(());
            assert!(later(answers).is_some(), "{name} does not answer {wanted}: {}", self.told());
        }
    }

    pub(crate) fn told(&self) -> String {
        let events = |(_, replica): &(String, Gateway)| replica.events().join("\n");
        self.replicas.iter().map(events).collect::<Vec<_>>().join("\n--\n")
    }
}

/// An API at `/echo` that says `word`.
fn echo(word: &str) -> impl FnOnce(&std::path::Path) {
    move |folder| {
        write(folder, "policy.xml", saying(word));
        write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    }
}

/// What the control plane knows of all that ever had a stream, once that is as `wanted`.
fn rows(control: &Control, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let find = || control.status()["replicas"].as_array().cloned().filter(|it| wanted(it));
    later(find).unwrap_or_else(|| panic!("{}", control.status()))
}

/// The one replica with a stream, once it is as `wanted`.
fn stream(control: &Control, wanted: impl Fn(&Value) -> bool) -> Value {
    let is_it = |row: &Value| row["connected"] == true && wanted(row);
    let of = |rows: &[Value]| {
        let here = rows.iter().filter(|row| row["connected"] == true);
        (here.count() == 1).then(|| rows.iter().find(|row| is_it(row)).cloned()).flatten()
    };
    of(&rows(control, |rows| of(rows).is_some())).expect("it was there")
}

fn name(row: &Value) -> String {
    row["replica"].as_str().expect("a name").to_owned()
}

fn serves(number: u64) -> impl Fn(&Value) -> bool {
    move |row| row["serving"] == number && row["newest"] == true
}

#[test]
fn one_stream_configures_a_whole_cluster() {
    let control = Control::start(echo("one"));
    let etcd = Etcd::start();
    let cluster = Cluster::behind(&control, &etcd);
    cluster.all_say("one");
    let row = stream(&control, |row| row["cluster"]["serving"] == 3 && serves(1)(row));
    assert_eq!(
        (&row["cluster"]["replicas"], &row["cluster"]["generation"]),
        (&3.into(), &1.into())
    );
    assert_eq!(row["ready"], true);

    control.write("policy.xml", saying("two"));
    cluster.all_say("two");
    stream(&control, |row| serves(2)(row) && row["cluster"]["generation"] == 2);
    // There is no word of the others but through it.
    rows(&control, |rows| rows.len() == 1);
    for (own, replica) in &cluster.replicas {
        assert_eq!(replica.generation(), 2);
        let is_it = || {
            let (told, leads) =
                (replica.status()["control"].clone(), status(replica)["isLeading"] == true);
            // It knows its token also without a stream, and those of the others.
            let all =
                replica.status()["cluster"]["replicas"].as_array().cloned().unwrap_or_default();
            let is_fine = |it: &Value| it["token"]["state"] == "fine";
            let knows = told["tokenExpires"].is_string()
                && all.len() == cluster.replicas.len()
                && all.iter().all(is_fine);
            let is_right = told["connected"] == leads && told["throughLeader"] != leads;
            let ready = replica.admin("/readyz").text() == "ready, generation 2\n";
            (knows && is_right && ready).then_some(())
        };
        assert!(later(is_it).is_some(), "{own}: {}", replica.status());
    }
}

#[test]
fn a_leader_that_is_killed_leaves_the_stream_to_another_who_goes_on_where_it_was() {
    let control = Control::start(echo("one"));
    let etcd = Etcd::start();
    let mut cluster = Cluster::behind(&control, &etcd);
    cluster.all_say("one");
    control.write("policy.xml", saying("two"));
    cluster.all_say("two");
    let leader = name(&stream(&control, serves(2)));
    let killed = cluster.take(&leader);
    let callers: Vec<Caller> = cluster.replicas.iter().map(|(_, it)| Caller::of(it)).collect();
    killed.signal("KILL");
    stream(&control, |row| name(row) != leader && serves(2)(row));
    // What it has is what the cluster has: nothing is published again.
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));
    control.write("policy.xml", saying("three"));
    cluster.all_say("three");
    stream(&control, serves(3));
    for caller in callers {
        assert_eq!(caller.end(), ["200 two", "200 three"]);
    }
    // Whoever leads speaks for those that led before.
    rows(&control, |rows| rows.len() == 1 && name(&rows[0]) != leader);
    drop(killed);
}

#[test]
fn a_leader_that_cannot_reach_the_control_plane_makes_room_for_one_that_can() {
    let control = Control::start(echo("one"));
    let etcd = Etcd::start();
    // Each has its own way there.
    let ways = ["a", "b", "c"].map(|name| (name, Relay::before(vec![control.gateways()])));
    let way = |name: &str| &ways.iter().find(|(own, _)| *own == name).expect("one of ours").1;
    let (token, ca) = (control.token("north"), control.own("ca.pem").display().to_string());
    // A leader is patient for three leases, and each is long enough for a machine that is slow.
    let cluster = Cluster::start(&etcd, ["0s", "5s"], |site, name| {
        site.set("control-endpoint", &format!("https://localhost:{}", way(name).port()));
        site.set("control-ca-file", &ca);
        site.set("control-token", &token);
        site.set("replica-name", name);
    });
    cluster.all_say("one");
    let first = name(&stream(&control, serves(1)));
    let callers: Vec<Caller> = cluster.replicas.iter().map(|(_, it)| Caller::of(it)).collect();

    // One of the others reaches it, and the third does not either.
    let others: Vec<&str> = ways.iter().map(|(name, _)| *name).filter(|it| *it != first).collect();
    let (cut_off, reaches) = (others[0], others[1]);
    way(&first).cut();
    way(cut_off).cut();
    control.write("policy.xml", saying("two"));
    cluster.all_say("two");
    let row = stream(&control, serves(2));
    assert_eq!(name(&row), reaches, "{}", cluster.told());
    let told = cluster.of(&first).events().join("\n");
    assert!(told.contains("and another can: it makes room"), "{told}");
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));

    // Nobody says that it gives way, or reaches what need not be reached, any more.
    let is_calm = |replica: &Gateway| {
        let all = status(replica)["replicas"].as_array().cloned().unwrap_or_default();
        all.len() == 3 && all.iter().all(|it| it["givesWay"].is_null() && it["reaches"].is_null())
    };
    let are_calm = || cluster.replicas.iter().all(|(_, it)| is_calm(it)).then_some(());
    assert!(later(are_calm).is_some(), "{}", status(cluster.of(&first)));

    // Where nobody reaches it the leader goes on, and is who gets what comes then.
    way(reaches).cut();
    let gives_way = |replica: &Gateway| {
        let all = status(replica)["replicas"].as_array().cloned().unwrap_or_default();
        all.iter().any(|it| it["replica"] == reaches && it["givesWay"] == true)
    };
    let all_know = || cluster.replicas.iter().all(|(_, it)| gives_way(it)).then_some(());
    assert!(later(all_know).is_some(), "{}", cluster.told());
    assert_eq!(status(cluster.of(&first))["leader"], reaches);
    way(reaches).mend();
    control.write("policy.xml", saying("three"));
    cluster.all_say("three");
    assert_eq!(name(&stream(&control, serves(3))), reaches, "{}", cluster.told());
    for caller in callers {
        assert_eq!(caller.end(), ["200 one", "200 two", "200 three"]);
    }
}

#[test]
fn what_is_published_now_is_for_all_of_a_cluster_at_once_however_long_it_would_hold() {
    let control = Control::start(echo("one"));
    let etcd = Etcd::start();
    let token = control.token("north");
    let cluster = Cluster::start(&etcd, ["1h", "3s"], |site, name| {
        drop(control.configure(site, name, &token));
    });
    cluster.all_say("one");
    control.write("policy.xml", saying("two"));
    // What is published is tried by some, and somebody has no time for that.
    cluster.await_canaries(2);
    let done = control.ask(&["publish", "--now"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(String::from_utf8(done.stdout).expect("text"), "generation 3 is published\n");
    cluster.all_say("two");
    // It was the same: nobody serves anything anew.
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));
    let in_force = status(&cluster.replicas[0].1)["inForce"].clone();
    assert_eq!((&in_force["stage"], &in_force["controlGeneration"]), (&"all".into(), &3.into()));
    let again = control.ask(&["publish", "--now"]);
    let told = String::from_utf8(again.stderr).expect("text");
    assert!(told.contains("is published already"), "{told}");
    // Going back is for all at once too.
    assert!(control.rollback(&[]).status.success());
    cluster.all_say("one");
}

#[test]
fn what_a_control_plane_switches_off_is_off_at_all_replicas_and_at_one_that_starts_later() {
    let mut control = Control::start(echo("one"));
    let etcd = Etcd::start();
    let mut cluster = Cluster::behind(&control, &etcd);
    cluster.all_say("one");
    let leader = name(&stream(&control, serves(1)));
    let done = control.ask(&["disable", "api", "echo", "--reason", "it leaks"]);
    assert!(done.status.success(), "{done:?}");
    cluster.all_answer(503);
    for (name, replica) in &cluster.replicas {
        let off = replica.status()["configuration"]["killSwitch"]["off"].to_string();
        assert!(off.contains("api echo (control plane, by "), "{name}: {off}");
        assert_eq!(replica.generation(), 1);
    }
    // One that starts later hears it from the others' etcd: the control plane is not there.
    control.kill();
    let mut site = site(&etcd, "0s", "3s");
    control.configure(&mut site, "later", &control.token("north"));
    cluster.replicas.push(("later".to_owned(), Gateway::listening(site)));
    let off = |replica: &Gateway| {
        replica.status()["configuration"]["killSwitch"]["off"].to_string().contains("api echo")
    };
    let later_one = || off(cluster.of("later")).then_some(());
    assert!(later(later_one).is_some(), "{}", cluster.told());
    cluster.all_answer(503);
    // So does whoever leads next.
    drop(cluster.take(&leader));
    control.restart();
    stream(&control, |row| name(row) != leader && serves(1)(row));
    cluster.all_answer(503);
    assert!(control.ask(&["enable", "api", "echo"]).status.success());
    cluster.all_say("one");
}

#[test]
fn a_cluster_whose_control_plane_is_away_goes_on_and_catches_up() {
    let mut control = Control::prepare(echo("one"));
    let etcd = Etcd::start();
    let mut cluster = Cluster::behind(&control, &etcd);
    // Away from the beginning: there is nothing to serve, and somebody waits for it.
    let waits = |it: &Gateway| it.admin("/readyz").text().contains("no control plane: ");
    assert!(later(|| cluster.replicas.iter().any(|(_, it)| waits(it)).then_some(())).is_some());
    control.restart();
    cluster.all_say("one");

    // Away while they run, and their leader with it.
    let leader = name(&stream(&control, serves(1)));
    control.kill();
    let killed = cluster.take(&leader);
    killed.signal("KILL");
    let waiting = || cluster.replicas.iter().find(|(_, it)| waits(it)).map(|(name, _)| name);
    assert!(later(waiting).is_some(), "{}", cluster.told());
    for (_, replica) in &cluster.replicas {
        assert_eq!((answer(replica).as_str(), replica.admin("/readyz").status), ("one", 200));
    }
    // Whoever is asked tells of it.
    let tells = |replica: &Gateway| {
        let replicas = status(replica)["replicas"].as_array().cloned().unwrap_or_default();
        replicas.iter().any(|it| it["cutOff"].is_string())
    };
    let all_tell = || cluster.replicas.iter().all(|(_, it)| tells(it)).then_some(());
    assert!(later(all_tell).is_some(), "{}", cluster.told());
    control.write("policy.xml", saying("two"));
    control.restart();
    cluster.all_say("two");
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));
    let nobody_tells = || (!cluster.replicas.iter().any(|(_, it)| tells(it))).then_some(());
    assert!(later(nobody_tells).is_some(), "{}", cluster.told());
    drop(killed);
}

/// A control plane that checks nothing, and a cluster that says `one` by its first generation.
fn careless(hold: &str) -> (Careless, Etcd, Cluster, String) {
    let (control, etcd) = (Careless::start(), Etcd::start());
    control.offer(1, &saying("one"));
    // Who leads, leads until it is told to stop, however slow this machine is.
    let cluster = Cluster::start(&etcd, [hold, "60s"], |site, name| {
        control.configure(site, name);
        site.set("control-token", EXPIRED);
    });
    cluster.all_say("one");
    let leader = control.await_stream(|_name, replica| replica.serving == generation(1));
    (control, etcd, cluster, leader)
}

#[test]
fn what_a_leader_cannot_compile_is_refused_and_the_control_plane_is_told_why() {
    let (control, _etcd, cluster, leader) = careless("0s");
    control.offer(2, "<policies><inbound><set-bodi /></inbound></policies>");
    control.await_stream(|_name, replica| {
        let told = replica.faults.iter().any(|fault| fault.message.contains("set-bodi"));
        told && replica.refused == 1 && replica.serving == generation(1)
    });
    let told = cluster.of(&leader).status()["configuration"]["faults"].to_string();
    assert!(told.contains("policy.xml:1:"), "{told}");
    cluster.all_say("one");
    control.offer(3, &saying("three"));
    cluster.all_say("three");
    control.await_stream(|_name, replica| {
        replica.serving == generation(3) && replica.faults.is_empty()
    });
    // What was refused here has no number there.
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));
}

/// Ends a gateway as an operator would.
fn end(mut gateway: Gateway) {
    gateway.signal("TERM");
    assert!(gateway.end().success());
}

/// A policy that no gateway compiles, unless it is switched off.
const WRONG: &str = "<policies><inbound><rate-limit calls=\"many\" renewal-period=\"1\" />\
    <return-response><set-body>two</set-body></return-response></inbound></policies>";

fn switch_off(gateway: &Gateway) {
    let path: PathBuf = gateway.folder().join("off.yaml");
    fs::write(path, "policies: {rate-limit: skip}\n").expect("a file");
    let is_off = || {
        let off = gateway.status()["configuration"]["killSwitch"]["off"].clone();
        off.as_array().is_some_and(|off| !off.is_empty()).then_some(())
    };
    assert!(soon(is_off).is_some(), "{}", gateway.status());
}

#[test]
fn what_a_replica_refuses_is_taken_back_and_the_control_plane_is_told_who_and_why() {
    let (control, _etcd, mut cluster, leader) = careless("1s");
    // What is switched off at the leader is no fault there, as it is none where it is served.
    switch_off(cluster.of(&leader));
    control.offer(2, WRONG);
    control.await_stream(|_name, replica| {
        let why = replica.faults.first().map(|fault| fault.message.as_str()).unwrap_or_default();
        why.contains("was taken back") && why.contains(" refuses it: policy.xml:1:")
    });
    control.await_stream(|_name, replica| replica.serving == generation(1));
    cluster.all_say("one");
    // Whoever leads next does not try it again; what is newer is tried.
    end(cluster.take(&leader));
    control.await_stream(|name, replica| name != leader && !replica.faults.is_empty());
    control.offer(3, &saying("three"));
    cluster.all_say("three");
    control.await_stream(|_name, replica| replica.serving == generation(3));
}

#[test]
fn what_is_switched_off_everywhere_stops_no_generation() {
    let (control, _etcd, cluster, _leader) = careless("0s");
    control.offer(2, WRONG);
    control.await_stream(|_name, replica| !replica.faults.is_empty());
    // It was refused before; now it is not.
    cluster.replicas.iter().for_each(|(_, replica)| switch_off(replica));
    cluster.all_say("two");
    control.await_stream(|_name, replica| {
        replica.serving == generation(2) && replica.faults.is_empty()
    });
}

#[test]
fn a_control_plane_that_has_lost_its_newest_takes_no_cluster_back() {
    let (control, _etcd, mut cluster, leader) = careless("0s");
    control.offer(2, &saying("two"));
    cluster.all_say("two");
    control.await_stream(|_name, replica| replica.serving == generation(2));
    let control = control.replaced();
    control.offer(1, &saying("one"));
    // Neither the leader that was sent the newer one, nor one that was not.
    control.await_stream(|name, replica| name == leader && replica.observed == generation(2));
    end(cluster.take(&leader));
    control.await_stream(|name, replica| name != leader && replica.observed == generation(2));
    cluster.all_say("two");
    control.offer(3, &saying("three"));
    cluster.all_say("three");
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 3));
}

#[test]
fn a_replica_that_starts_without_etcd_asks_the_control_plane_itself() {
    let control = Careless::start();
    control.offer(1, &saying("one"));
    let mut etcd = Etcd::start();
    let mut site = site(&etcd, "0s", "3s");
    control.configure(&mut site, "a");
    site.set("control-token", EXPIRED);
    etcd.kill();
    let replica = Gateway::listening(site);
    assert!(later(|| (answer(&replica) == "one").then_some(())).is_some());
    etcd.restart();
    control.await_stream(|_name, replica| replica.cluster.is_some());
    control.offer(2, &saying("two"));
    assert!(later(|| (answer(&replica) == "two").then_some(())).is_some());
}

#[test]
fn a_later_generation_with_the_same_content_is_served_already() {
    let (control, _etcd, cluster, leader) = careless("0s");
    control.offer(2, &saying("one"));
    control.await_stream(|_name, replica| {
        replica.serving == generation(2) && replica.faults.is_empty()
    });
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 1));
    let in_force = status(cluster.of(&leader))["inForce"].clone();
    assert_eq!((&in_force["generation"], &in_force["controlGeneration"]), (&1.into(), &2.into()));
    control.offer(3, &saying("three"));
    cluster.all_say("three");
    assert!(cluster.replicas.iter().all(|(_, replica)| replica.generation() == 2));
}
