//! Replicas that share a configuration while etcd, the network and the leader do what they like: no
//! request fails, nothing older is served after something newer, and all converge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cluster::{answer, saying, says, site, status};
use crate::harness::etcd::Etcd;
use crate::harness::load::Load;
use crate::harness::network::Island;
use crate::harness::site::write;
use crate::harness::tls::Authority;
use crate::harness::{Client, Gateway, Request, soon};

/// Somebody who asks all the time, and notes what was said.
pub(crate) struct Caller {
    stop: Arc<AtomicBool>,
    heard: JoinHandle<Vec<String>>,
}

impl Caller {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (address, until) = (gateway.http, Arc::clone(&stop));
        let heard = thread::spawn(move || {
            let mut heard: Vec<String> = Vec::new();
            let mut client = Client::connect(address);
            while !until.load(Ordering::Relaxed) {
                let answer = client.ask(&Request::get("/echo/x"));
                let said = format!("{} {}", answer.status, answer.text());
                if heard.last() != Some(&said) {
                    heard.push(said);
                }
                // Whoever never pauses leaves nothing of this machine to the others.
                thread::sleep(Duration::from_millis(5));
            }
            heard
        });
        Self { stop, heard }
    }

    /// What it heard, each once in a row.
    pub(crate) fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.heard.join().expect("it asks to the end")
    }
}

fn all_say(replicas: &[Gateway], word: &str) {
    for replica in replicas {
        says(replica, word);
    }
}

/// Every folder changes.
fn change(replicas: &[Gateway], word: &str) {
    for replica in replicas {
        drop(write(replica.folder(), "policy.xml", saying(word)));
    }
}

#[test]
fn three_members_with_tls_lose_their_leader_and_nobody_notices() {
    let authority = Authority::new();
    let mut members = Etcd::three(&authority);
    // Who we are is said by certificates: `gateway` may only do what it needs.
    members[0].with_roles(&authority, "gateway", "/weir/");
    let endpoints = members.each_ref().map(Etcd::endpoint).join(",");
    let replicas: Vec<Gateway> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            let mut site = site(name, &endpoints, "one", "0s");
            let own = authority.issue("gateway");
            let keys = tempfile::tempdir().expect("a folder").keep();
            for (flag, file, pem) in [
                ("etcd-ca-file", "ca.pem", authority.certificate()),
                ("etcd-certificate-file", "own.pem", own.certificate),
                ("etcd-key-file", "own.key", own.key),
            ] {
                let path = write(&keys, file, pem);
                site.set(flag, path.to_str().expect("text"));
            }
            Gateway::over(site)
        })
        .collect();
    all_say(&replicas, "one");
    let callers: Vec<Caller> = replicas.iter().map(Caller::of).collect();
    for word in ["two", "three"] {
        let leads = soon(|| members.iter().position(Etcd::leads)).expect("one leads");
        members[leads].kill();
        change(&replicas, word);
        all_say(&replicas, word);
        members[leads].restart();
    }
    for caller in callers {
        assert_eq!(caller.end(), ["200 one", "200 two", "200 three"]);
    }
}

#[test]
fn a_leader_that_is_cut_off_from_etcd_is_replaced_and_follows_when_it_is_back() {
    let island = Island::new(2);
    let etcd = Etcd::at(island.redis());
    let mut cut = site("a", &etcd.endpoint(), "one", "0s");
    island.hold(&mut cut);
    let cut = Gateway::over(cut);
    let is_leading =
        |replica: &Gateway| soon(|| (status(replica)["isLeading"] == true).then_some(()));
    assert!(is_leading(&cut).is_some(), "{}", cut.events().join("\n"));
    let others = ["b", "c"].map(|name| Gateway::over(site(name, &etcd.endpoint(), "one", "0s")));
    all_say(&others, "one");
    let callers = [Caller::of(&cut), Caller::of(&others[0])];
    let loads = [Load::on(&cut), Load::on(&others[0]), Load::on(&others[1])];
    island.cut();
    write(cut.folder(), "policy.xml", saying("stale"));
    let replaced = || others.iter().find(|other| status(other)["isLeading"] == true).map(|_| ());
    assert!(soon(replaced).is_some(), "{}", others[0].events().join("\n"));
    change(&others, "two");
    all_say(&others, "two");
    assert_eq!(answer(&cut), "one");
    island.mend();
    // Whoever was away asks again within the longest pause.
    assert!(
        soon(|| (answer(&cut) == "two").then_some(()))
            .or_else(|| soon(|| { (answer(&cut) == "two").then_some(()) }))
            .is_some(),
        "{}",
        cut.events().join("\n")
    );
    assert_eq!(cut.generation(), others[0].generation());
    assert!(0 < loads.into_iter().map(Load::end).sum::<u64>());
    for caller in callers {
        assert_eq!(caller.end(), ["200 one", "200 two"]);
    }
}

#[test]
fn a_replica_that_missed_what_etcd_forgot_reads_it_again() {
    let etcd = Etcd::start();
    let replicas =
        ["a", "b", "c"].map(|name| Gateway::over(site(name, &etcd.endpoint(), "one", "0s")));
    all_say(&replicas, "one");
    let follows = |replica: &&Gateway| status(replica)["isLeading"] == false;
    let away = replicas.iter().find(follows).expect("one follows");
    away.signal("STOP");
    for word in ["two", "three"] {
        change(&replicas, word);
        let here = |replica: &&Gateway| replica.http != away.http;
        replicas.iter().filter(here).for_each(|replica| says(replica, word));
    }
    etcd.compact();
    away.signal("CONT");
    says(away, "three");
    change(&replicas, "four");
    all_say(&replicas, "four");
}
