//! How a configuration reaches the replicas of a cluster, and how operators have their way: what
//! takes much away waits for somebody who means it, and what makes requests fail is taken back.

use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{answer, saying, says, site, status};
use crate::harness::etcd::Etcd;
use crate::harness::gateway::weir;
use crate::harness::site::{open_api, write};
use crate::harness::{Client, Gateway, Policies, Request, soon};

/// Three replicas over one etcd.
struct Cluster {
    replicas: Vec<Gateway>,
    _etcd: Etcd,
}

impl Cluster {
    /// Three whose API says `one`, and with which `more` is done before they start.
    fn start(hold: &str, more: impl Fn(&mut crate::harness::Site)) -> Self {
        let etcd = Etcd::start();
        let start = |name: &&str| {
            let mut site = site(name, &etcd.endpoint(), "one", hold);
            more(&mut site);
            Gateway::over(site)
        };
        let replicas: Vec<Gateway> = ["a", "b", "c"].iter().map(start).collect();
        let cluster = Self { replicas, _etcd: etcd };
        cluster.all_say("one");
        // A rollout is for whom the leader sees: all, and what they serve.
        cluster.await_status("all of them", |status| {
            let all = status["replicas"].as_array().cloned().unwrap_or_default();
            all.len() == 3 && all.iter().all(|replica| replica["serving"] == 1)
        });
        cluster
    }

    fn write(&self, name: &str, text: &str) {
        for replica in &self.replicas {
            write(replica.folder(), name, text);
        }
    }

    fn all_say(&self, word: &str) {
        self.replicas.iter().for_each(|replica| says(replica, word));
    }

    /// Waits until every replica shows what is `wanted`.
    fn await_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        for replica in &self.replicas {
            let shows = || Some(()).filter(|()| wanted(&status(replica)));
            assert!(soon(shows).is_some(), "{what}: {}\n{}", status(replica), self.told());
        }
    }

    /// `weir rollout` with these arguments, asked of the replica of this number.
    fn rollout(&self, at: usize, arguments: &[&str]) -> Output {
        let admin = self.replicas[at].admin.to_string();
        weir(&[&["rollout"], arguments, &["--admin", &admin]].concat())
    }

    fn told(&self) -> String {
        let events = |replica: &Gateway| replica.events().join("\n");
        self.replicas.iter().map(events).collect::<Vec<_>>().join("\n--\n")
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn what_takes_much_away_waits_for_somebody_who_means_it() {
    let cluster = Cluster::start("0s", |site| {
        site.file("second.yaml", open_api("second", "http://127.0.0.1:1", "policy.xml"));
    });
    // Six of twelve operations go, and with them one of two APIs; something else changes too.
    cluster.write("second.yaml", "apis: []\n");
    cluster.write("policy.xml", &saying("two"));
    let why = "this configuration removes 6 of 12 operations (50 %) and 1 of 2 APIs (50 %)";
    cluster.await_status("withheld", |status| {
        let told = status["inForce"]["withheld"]["why"].as_str().unwrap_or_default();
        told.starts_with(why)
    });
    cluster.all_say("one");
    let shown = weir(&["status", "--admin", &cluster.replicas[0].admin.to_string()]);
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    assert!(text(&shown.stdout).contains(&format!("not published: {why}")), "{shown:?}");
    assert!(text(&shown.stdout).contains("weir rollout force --reason"), "{shown:?}");
    let metrics = |replica: &Gateway| replica.admin("/metrics").text().to_owned();
    assert!(metrics(&cluster.replicas[0]).contains("\nweir_configuration_withheld 1"));

    let other = cluster.rollout(0, &["force", "--reason", "x", "--digest", "0123456789"]);
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    for at in 0..3 {
        let done = cluster.rollout(at, &["force", "--reason", "second API: shut down"]);
        if at == 0 {
            assert!(done.status.success(), "{done:?}");
            assert!(text(&done.stdout).contains("generation 2 is for all"), "{done:?}");
            cluster.all_say("two");
            cluster.await_status("nothing withheld", |status| {
                status["inForce"]["withheld"].is_null() && status["inForce"]["generation"] == 2
            });
        } else {
            assert_eq!(done.status.code(), Some(1), "{done:?}");
            assert!(text(&done.stderr).contains("nothing is held back"), "{done:?}");
        }
    }
    cluster.await_status("who wanted it", |status| {
        let wish = &status["inForce"]["wish"];
        wish["reason"] == "second API: shut down" && wish["what"] == "force" && wish["done"] == true
    });
    assert!(metrics(&cluster.replicas[0]).contains("\nweir_configuration_withheld 0"));
    let audits = cluster.told().matches("an operator's wish").count();
    assert_eq!(audits, 1, "{}", cluster.told());
}

#[test]
fn operators_have_all_replicas_go_on_at_once_or_back() {
    let cluster = Cluster::start("10m", |_site| ());
    cluster.write("policy.xml", &saying("two"));
    let is_staged = |number: u64| {
        move |status: &Value| {
            status["inForce"]["generation"] == number && status["inForce"]["stage"] == "canaries"
        }
    };
    cluster.await_status("staged", is_staged(2));
    let wrong = cluster.rollout(1, &["now", "--generation", "1"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(text(&wrong.stderr).contains("generation 2 is in force, and not 1"), "{wrong:?}");
    let done = cluster.rollout(1, &["now"]);
    assert!(done.status.success(), "{done:?}");
    assert!(text(&done.stdout).contains("generation 2 goes to all"), "{done:?}");
    cluster.all_say("two");
    assert!(cluster.replicas.iter().all(|replica| replica.generation() == 2));

    let back = cluster.rollout(2, &["back", "--reason", "slow"]);
    assert!(back.status.success(), "{back:?}");
    cluster.all_say("one");
    cluster.await_status("gone back", |status| {
        let told = status["inForce"]["reason"].as_str().unwrap_or_default();
        status["inForce"]["generation"] == 3
            && told.contains("generation 2 was taken back")
            && told.ends_with(": slow")
    });
    // The folder is passed over until it changes, and there is nothing else to go back to.
    let again = cluster.rollout(0, &["back"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(text(&again.stderr).contains("no other configuration to go back to"), "{again:?}");
    let forced = cluster.rollout(0, &["force", "--reason", "it was not slow"]);
    assert!(forced.status.success(), "{forced:?}");
    cluster.await_status("staged again", is_staged(4));
    let back = cluster.rollout(0, &["back"]);
    assert!(back.status.success(), "{back:?}");
    cluster.write("policy.xml", &saying("three"));
    cluster.await_status("the next", is_staged(6));
    assert!(cluster.rollout(0, &["now"]).status.success());
    cluster.all_say("three");

    let stranger = Request::post("/rollout/back", "").host("localhost").field("Origin", "http://x");
    assert_eq!(Client::connect(cluster.replicas[0].admin).ask(&stranger).status, 403);
    let alone = Gateway::start(|site| {
        site.open_api("echo", "http://127.0.0.1:1", Policies::default());
    });
    let admin = alone.admin.to_string();
    let refused = weir(&["rollout", "back", "--admin", &admin]);
    assert!(text(&refused.stderr).contains("there is no rollout here"), "{refused:?}");
}

/// Asks every replica again and again while `meanwhile` lasts; how many answers were errors.
fn under_load(cluster: &Cluster, meanwhile: impl FnOnce()) -> usize {
    let (stop, errors) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for replica in &cluster.replicas {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    if 500 <= replica.get("/echo/x").status {
                        errors.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    errors.into_inner()
}

#[test]
fn what_makes_requests_fail_is_taken_back_and_what_does_not_goes_to_all() {
    let cluster = Cluster::start("6s", |_site| ());
    let failing =
        "<return-response><set-status code=\"500\" reason=\"Broken\" /></return-response>";
    let failing = Policies { inbound: failing, ..Policies::default() }.text();
    let errors = under_load(&cluster, || {
        cluster.write("policy.xml", &failing);
        cluster.await_status("taken back", |status| {
            let told = status["inForce"]["reason"].as_str().unwrap_or_default();
            told.starts_with("generation 2 was taken back: ")
                && told.contains("requests failed where it is served")
        });
        cluster.all_say("one");
        cluster.await_status("served again", |status| {
            let all = status["replicas"].as_array().cloned().unwrap_or_default();
            all.iter().all(|replica| replica["serving"] == 3)
        });
    });
    assert!(20 <= errors, "{errors}");
    // It is not published again, and what is good goes through.
    let errors = under_load(&cluster, || {
        cluster.write("policy.xml", &saying("two"));
        let goes = || cluster.replicas.iter().all(|it| answer(it) == "two").then_some(());
        let there = soon(goes).or_else(|| soon(goes)).or_else(|| soon(goes));
        assert!(there.is_some(), "{}", cluster.told());
    });
    assert_eq!(errors, 0, "{}", cluster.told());
    assert_eq!(status(&cluster.replicas[0])["inForce"]["generation"], 4);
}
