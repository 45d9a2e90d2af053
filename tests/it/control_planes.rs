//! Several control planes over one etcd: they agree on what is published and under which number,
//! whichever of them publishes, is asked to go back, or is lost.

use std::path::Path;

use serde_json::Value;

use crate::cluster::saying;
use crate::control_cluster::Cluster;
use crate::harness::control::{Control, later, refuses};
use crate::harness::etcd::Etcd;
use crate::harness::relay::Relay;
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Site, soon};

/// An API at `/echo` that says `word`.
fn echo(folder: &Path, word: &str) {
    write(folder, "policy.xml", saying(word));
    write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
}

/// Two of them behind one name, whose API says `word`.
fn two(etcd: &Etcd, word: &str) -> ([Control; 2], Relay) {
    two_over(etcd, |folder| echo(folder, word))
}

/// Two of them behind one name, over folders that `write` makes.
fn two_over(etcd: &Etcd, write: impl Fn(&Path)) -> ([Control; 2], Relay) {
    let mut a = Control::among("a", &etcd.endpoint(), &write);
    let b = a.twin("b", &write);
    let relay = Relay::before(vec![a.gateways(), b.gateways()]);
    a.stand_behind(relay.port());
    ([a, b], relay)
}

fn gateway(control: &Control, replica: &str) -> Gateway {
    let mut site = Site::new();
    control.configure(&mut site, replica, &control.token("north"));
    Gateway::listening(site)
}

fn await_word(gateway: &Gateway, word: &str) {
    let said = later(|| Some(gateway.get("/echo/a")).filter(|it| it.text() == word));
    assert!(said.is_some(), "no `{word}`: {}", gateway.events().join("\n"));
}

/// What all of them must say alike, once it is what is `wanted`.
fn agreed(controls: &[Control], wanted: impl Fn(&Value) -> bool) -> Value {
    let told = |control: &Control| {
        let status = control.status();
        let alike = ["history", "generation", "digest", "like", "since", "generations"];
        Value::Object(
            alike.map(|name| (name.to_owned(), status[name].clone())).into_iter().collect(),
        )
    };
    let found = soon(|| {
        let all: Vec<Value> = controls.iter().map(told).collect();
        let first = all.first()?.clone();
        (wanted(&first) && all.iter().all(|other| *other == first)).then_some(first)
    });
    let all = || controls.iter().map(|it| it.status().to_string()).collect::<Vec<_>>().join("\n");
    found.unwrap_or_else(|| panic!("{}", all()))
}

fn is_at(generation: u64) -> impl Fn(&Value) -> bool {
    move |told| {
        let newest = told["generations"].as_array().and_then(|rows| rows.last().cloned());
        told["generation"] == generation
            && newest.is_some_and(|newest| newest["number"] == generation)
    }
}

/// Which of them has the stream of `replica`.
fn holder(controls: &[Control], replica: &str) -> usize {
    let has = |control: &Control| {
        let replicas = control.status()["replicas"].as_array().cloned().unwrap_or_default();
        replicas.iter().any(|it| it["replica"] == replica && it["connected"] == true)
    };
    later(|| controls.iter().position(has)).expect("one has the stream")
}

fn leads(control: &Control) -> bool {
    control.status()["cluster"]["isLeading"] == true
}

/// Which of them leads.
fn leader(controls: &[Control]) -> usize {
    soon(|| controls.iter().position(leads)).expect("one leads")
}

#[test]
fn a_gateway_that_loses_its_control_plane_goes_on_with_the_other() {
    let etcd = Etcd::start();
    let (mut controls, _relay) = two(&etcd, "one");
    let gateway = gateway(&controls[0], "g");
    await_word(&gateway, "one");
    agreed(&controls, is_at(1));
    // Who does not lead need not have the same.
    controls[leader(&controls)].write("policy.xml", saying("two"));
    await_word(&gateway, "two");
    let before = agreed(&controls, is_at(2));
    for control in &controls {
        control.write("policy.xml", saying("two"));
    }

    let lost = holder(&controls, "g");
    controls[lost].kill();
    let other = &controls[1 - lost];
    other.await_replica("g", |it| it["connected"] == true && it["newest"] == true);
    assert_eq!((gateway.generation(), gateway.get("/echo/a").text()), (2, "two"));
    // It had the newest: nothing was sent again.
    let loaded = gateway.events().iter().filter(|it| it.contains("configuration loaded")).count();
    assert_eq!(loaded, 2, "{}", gateway.events().join("\n"));
    other.write("policy.xml", saying("three"));
    await_word(&gateway, "three");
    assert_eq!(
        (gateway.generation(), gateway.status()["configuration"]["refused"].as_u64()),
        (3, Some(0))
    );

    controls[lost].restart();
    let after = agreed(&controls, is_at(3));
    assert_eq!(after["history"], before["history"]);
}

#[test]
fn what_one_gave_the_other_changes() {
    let etcd = Etcd::start();
    let (mut controls, _relay) = two_over(&etcd, |folder| {
        echo(folder, "one");
        // Large enough that a change is less than the whole.
        let value =
            |at: u32| format!("  - {{name: n{at}, value: {}}}\n", at.wrapping_mul(2_654_435_761));
        let many: String = (0..500).map(value).collect();
        write(folder, "values.yaml", format!("namedValues:\n{many}"));
    });
    agreed(&controls, is_at(1));
    let gateway = gateway(&controls[0], "g");
    await_word(&gateway, "one");
    let lost = holder(&controls, "g");
    controls[lost].kill();
    // Published while the gateway is on its way.
    let other = &controls[1 - lost];
    other.write("policy.xml", saying("two"));
    await_word(&gateway, "two");
    assert_eq!(gateway.generation(), 2);
    let metrics = other.admin("/metrics").text().to_owned();
    let sent = |form: &str, count: u64| {
        let line = format!("weir_control_plane_sent_total{{form=\"{form}\"}} {count}");
        metrics.lines().any(|other| other == line)
    };
    assert!(sent("whole", 0) && sent("change", 1), "{metrics}");

    // One that begins later knows what was published before it, and missed by the gateway.
    gateway.signal("STOP");
    other.write("policy.xml", saying("three"));
    other.await_generation(3);
    controls[1 - lost].kill();
    controls[lost].write("policy.xml", saying("three"));
    controls[lost].restart();
    controls[lost].await_generation(3);
    gateway.signal("CONT");
    await_word(&gateway, "three");
    let metrics = controls[lost].admin("/metrics").text().to_owned();
    assert!(metrics.contains("\nweir_control_plane_sent_total{form=\"whole\"} 0"), "{metrics}");
}

#[test]
fn going_back_at_one_is_going_back_at_all() {
    let etcd = Etcd::start();
    let (mut controls, _relay) = two(&etcd, "one");
    let gateway = gateway(&controls[0], "g");
    await_word(&gateway, "one");
    let write_all = |controls: &[Control], word: &str| {
        for control in controls {
            control.write("policy.xml", saying(word));
        }
    };
    write_all(&controls, "two");
    await_word(&gateway, "two");
    agreed(&controls, is_at(2));

    let first = leader(&controls);
    let done = controls[1 - first].rollback(&[]);
    let told = String::from_utf8(done.stdout).expect("text");
    assert!(told.starts_with("generation 3 is published: it has the content of 1."), "{told}");
    await_word(&gateway, "one");
    let told = agreed(&controls, is_at(3));
    assert_eq!((&told["like"], told["generations"].as_array().map(Vec::len)), (&1.into(), Some(3)));
    let other = &controls[1 - first];
    let audit = soon(|| other.events().into_iter().find(|it| it.contains("\"audit\":true")));
    assert!(audit.is_some_and(|it| it.contains("go back to a former configuration")));

    // It holds over the loss of the leader: the other's folder has the same.
    controls[first].kill();
    let other = 1 - first;
    assert!(soon(|| leads(&controls[other]).then_some(())).is_some());
    let loaded = || (controls[other].status()["source"]["loaded"].is_string()).then_some(());
    assert!(soon(loaded).is_some(), "{}", controls[other].status());
    let wrong = controls[other].rollback(&["--to", "99"]);
    let told = String::from_utf8(wrong.stderr).expect("text");
    assert!(told.contains("there is no such generation") && told.contains("there are 2"), "{told}");
    assert_eq!((controls[other].generation(), gateway.generation()), (3, 3));
    write_all(&controls, "three");
    await_word(&gateway, "three");
    controls[first].restart();
    agreed(&controls, is_at(4));
    assert!(controls[first].rollback(&["--to", "2"]).status.success());
    await_word(&gateway, "two");
    agreed(&controls, is_at(5));
}

#[test]
fn without_etcd_they_serve_what_they_have_and_nothing_older() {
    let mut etcd = Etcd::start();
    let (mut controls, _relay) = two(&etcd, "one");
    let first = gateway(&controls[0], "first");
    await_word(&first, "one");
    agreed(&controls, is_at(1));
    etcd.kill();
    for control in &controls {
        let told = soon(|| {
            let ready = control.admin("/readyz");
            (ready.status == 200 && ready.text().contains("no etcd: ")).then_some(())
        });
        assert!(told.is_some(), "{}", control.admin("/readyz").text());
        control.write("policy.xml", saying("two"));
    }
    let second = gateway(&controls[0], "second");
    await_word(&second, "one");
    // One that starts without etcd has nothing, and says so: what it would call the first
    // generation, another one may call so too.
    controls[0].kill();
    controls[0].restart();
    let ready = controls[0].admin("/readyz");
    assert_eq!((ready.status, controls[0].generation()), (503, 0), "{}", ready.text());
    etcd.restart();
    await_word(&first, "two");
    await_word(&second, "two");
    agreed(&controls, is_at(2));
    assert_eq!((first.generation(), second.generation()), (2, 2));
}

#[test]
fn what_each_counts_can_be_scraped() {
    let etcd = Etcd::start();
    let (controls, _relay) = two(&etcd, "one");
    let gateway = gateway(&controls[0], "g");
    await_word(&gateway, "one");
    agreed(&controls, is_at(1));
    let (first, here) = (leader(&controls), holder(&controls, "g"));
    controls[here].await_replica("g", |it| it["newest"] == true);
    let has = |at: usize, line: &str| {
        let page = soon(|| {
            let page = controls[at].admin("/metrics").text().to_owned();
            page.lines().any(|other| other == line).then_some(())
        });
        assert!(page.is_some(), "no `{line}` in:\n{}", controls[at].admin("/metrics").text());
    };
    has(first, "weir_cluster_leading 1.0");
    has(1 - first, "weir_cluster_leading 0.0");
    has(1 - first, "weir_cluster_led 1.0");
    has(first, "weir_cluster_publications_total 1");
    has(here, "weir_control_plane_replicas{state=\"newest\"} 1.0");
    has(here, "weir_control_plane_streams_total 1");
    has(here, "weir_control_plane_verdicts_total{verdict=\"accepted\"} 1");
    has(1 - here, "weir_control_plane_gateways 0.0");
    for at in [0, 1] {
        has(at, "weir_control_plane_generation 1.0");
        has(at, "weir_cluster_generation{state=\"in-force\"} 1.0");
        let page = controls[at].admin("/metrics").text().to_owned();
        assert!(page.contains("\nweir_cluster_call_seconds_count "), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }
    let page = gateway.admin("/metrics").text().to_owned();
    assert!(page.contains("\nweir_configuration_age_seconds "), "{page}");
}

#[test]
fn what_is_wrong_with_the_leaders_folder_is_told_by_all() {
    let etcd = Etcd::start();
    let (controls, _relay) = two(&etcd, "one");
    agreed(&controls, is_at(1));
    let leader = leader(&controls);
    let bad = "<policies><inbound><set-bodi /></inbound></policies>";
    controls[leader].write("policy.xml", bad);
    for control in &controls {
        let told = soon(|| {
            let ready = control.admin("/readyz");
            (ready.status == 200 && ready.text().contains("set-bodi")).then_some(())
        });
        assert!(told.is_some(), "{}", control.admin("/readyz").text());
    }
    controls[leader].write("policy.xml", saying("mended"));
    agreed(&controls, is_at(2));
    assert!(
        soon(|| (!controls[leader].admin("/readyz").text().contains("refused")).then_some(()))
            .is_some()
    );
}

#[test]
fn now_at_one_is_now_for_a_cluster_that_has_its_stream_at_the_other() {
    let etcd = Etcd::start();
    let (controls, _relay) = two(&etcd, "one");
    agreed(&controls, is_at(1));
    let token = controls[0].token("north");
    let cluster = Cluster::start(&etcd, ["1h", "3s"], |site, name| {
        drop(controls[0].configure(site, name, &token));
    });
    cluster.all_say("one");
    for control in &controls {
        control.write("policy.xml", saying("two"));
    }
    cluster.await_canaries(2);
    agreed(&controls, is_at(2));
    let has_stream = |control: &Control| {
        let rows = control.status()["replicas"].as_array().cloned().unwrap_or_default();
        rows.iter().any(|row| row["connected"] == true)
    };
    let here = later(|| controls.iter().position(has_stream)).expect("one has the stream");
    let done = controls[1 - here].ask(&["publish", "--now"]);
    assert!(done.status.success(), "{done:?}\n{}", controls[1 - here].events().join("\n"));
    assert_eq!(String::from_utf8(done.stdout).expect("text"), "generation 3 is published\n");
    cluster.all_say("two");
    let told = agreed(&controls, is_at(3));
    assert_eq!(
        (&told["generations"][2]["now"], &told["generations"][1]["now"]),
        (&true.into(), &Value::Null)
    );
    let by = told["generations"][2]["wanted"]["by"].as_str().unwrap_or_default();
    assert!(by.ends_with(if here == 0 { " at b" } else { " at a" }), "{told}");
    for control in &controls {
        let again = control.ask(&["publish", "--now"]);
        let told = String::from_utf8(again.stderr).expect("text");
        assert!(told.contains("what the folder has is generation 3, for all at once"), "{told}");
    }

    // A folder that nobody may publish is not published in a hurry either.
    let first = leader(&controls);
    controls[first].write("policy.xml", "<policies><inbound><set-bodi /></inbound></policies>");
    let refused = controls[1 - first].ask(&["publish", "--now"]);
    let told = String::from_utf8(refused.stderr).expect("text");
    assert!(
        told.contains("the folder of the leader is refused") && told.contains("set-bodi"),
        "{told}"
    );
    assert_eq!(controls[first].generation(), 3);
}

#[test]
fn what_one_switches_off_is_off_at_the_gateways_of_all_and_outlives_them() {
    let mut etcd = Etcd::start();
    let (mut controls, _relay) = two(&etcd, "one");
    agreed(&controls, is_at(1));
    let direct = |control: &Control, name: &str| {
        let mut site = Site::new();
        site.set("control-endpoint", &format!("https://localhost:{}", control.gateways().port()));
        site.set("control-ca-file", &control.own("ca.pem").display().to_string());
        site.set("control-token", &control.token("north"));
        site.set("replica-name", name);
        Gateway::listening(site)
    };
    let mut gateways = vec![direct(&controls[0], "g"), direct(&controls[1], "h")];
    let all_answer = |gateways: &[Gateway], status: u16| {
        for gateway in gateways {
            let answers = || (gateway.get("/echo/a").status == status).then_some(());
            assert!(later(answers).is_some(), "no {status}: {}", gateway.events().join("\n"));
        }
    };
    let off = |controls: &[Control], wanted: &[&str]| {
        let list = |control: &Control| {
            let list = control.status()["switchedOff"].as_array().cloned().unwrap_or_default();
            list.iter().map(|it| it["what"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let same = |control: &Control| {
            let mut list: Vec<String> = list(control);
            list.sort();
            list == wanted
        };
        let all = || controls.iter().all(same).then_some(());
        assert!(soon(all).is_some(), "not {wanted:?}: {}", controls[0].status());
    };
    all_answer(&gateways, 200);

    // Both are told something at the same moment, and both know both.
    std::thread::scope(|scope| {
        for (at, what) in [["api", "echo"], ["operation", "echo/none"]].into_iter().enumerate() {
            let control = &controls[at];
            scope.spawn(move || {
                let [kind, name] = what;
                let done = control.ask(&["disable", kind, name, "--reason", "it leaks"]);
                assert!(done.status.success(), "{done:?}");
            });
        }
    });
    off(&controls, &["api echo", "operation echo/none"]);
    all_answer(&gateways, 503);
    assert!(gateways.iter().all(|gateway| gateway.generation() == 1));

    // It lies in etcd, which outlives them all; without it nothing is switched.
    for control in &mut controls {
        control.kill();
        control.restart();
    }
    off(&controls, &["api echo", "operation echo/none"]);
    gateways.push(direct(&controls[0], "later"));
    all_answer(&gateways, 503);
    etcd.kill();
    let refused = controls[0].ask(&["enable", "api", "echo"]);
    let told = String::from_utf8(refused.stderr).expect("text");
    assert!(told.contains("etcd"), "{told}");
    assert!(!refused.status.success());
    all_answer(&gateways, 503);
    etcd.restart();
    let enabled = || {
        // The answer may be lost, and it be done.
        let asked = controls[1].ask(&["enable", "api", "echo"]);
        let told = String::from_utf8(asked.stderr).expect("text");
        (asked.status.success() || told.contains("is not switched off")).then_some(())
    };
    assert!(later(enabled).is_some(), "{}", controls[1].events().join("\n"));
    off(&controls, &["operation echo/none"]);
    all_answer(&gateways, 200);
    let wrong = controls[0].ask(&["enable", "api", "echo"]);
    let told = String::from_utf8(wrong.stderr).expect("text");
    assert!(told.contains("`echo` is not switched off"), "{told}");
}

#[test]
fn a_state_folder_and_an_etcd_contradict_each_other() {
    let control = Control::prepare(|folder| echo(folder, "here"));
    let own = |name: &str| control.own(name).display().to_string();
    let told = refuses(&[
        format!("--control-keys-file={}", own("keys.yaml")),
        format!("--control-state-folder={}", own("state")),
        "--control-insecure=true".to_owned(),
        "--etcd-endpoints=http://127.0.0.1:1".to_owned(),
    ]);
    assert!(told.contains("leave control.stateFolder out"), "{told}");
    assert!(!control.own("state").exists());
}
