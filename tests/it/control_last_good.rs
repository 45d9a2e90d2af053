//! Copies of good configurations behind a control plane: what a gateway starts from when that is
//! away, with a key that goes with the gateway's token.

use std::fs;

use tempfile::TempDir;

use crate::cluster::{answer, saying};
use crate::harness::careless::{Careless, EXPIRED, RENEWED, generation};
use crate::harness::control::later;
use crate::harness::etcd::Etcd;
use crate::harness::{Gateway, Site, soon};

/// What a gateway behind `control` is started with that keeps its copies in `shelf`, where its
/// token lies too.
fn site(control: &Careless, shelf: &TempDir) -> Site {
    let mut site = Site::new();
    control.configure(&mut site, "a");
    let within = |name: &str| shelf.path().join(name).display().to_string();
    for (flag, value) in [
        ("control-token-file", within("token").as_str()),
        ("configuration-last-good-folder", &within("copies")),
        ("configuration-last-good-soak-time", "0ms"),
        ("configuration-last-good-soak-requests", "1"),
        ("configuration-last-good-soak-idle", "24h"),
        ("drain-delay", "0s"),
    ] {
        site.set(flag, value);
    }
    site
}

/// A folder with a token.
fn shelf(token: &str) -> TempDir {
    let shelf = tempfile::tempdir().unwrap();
    fs::write(shelf.path().join("token"), token).unwrap();
    shelf
}

fn says(gateway: &Gateway, word: &str) {
    let said = later(|| (answer(gateway) == word).then_some(()));
    assert!(said.is_some(), "{} and not {word}: {}", answer(gateway), gateway.events().join("\n"));
}

/// Waits until the newest copy is that of `number`.
fn keeps(gateway: &Gateway, number: u64) {
    let newest = || {
        // It is earned with requests.
        answer(gateway);
        let copies = gateway.status()["configuration"]["lastGood"]["copies"].clone();
        (copies[0]["generation"] == number).then_some(())
    };
    assert!(soon(newest).is_some(), "no copy of {number}: {}", gateway.status());
}

fn source(gateway: &Gateway) -> String {
    gateway.status()["configuration"]["source"].as_str().unwrap().to_owned()
}

/// A gateway that was offered generation 1, which says `one`, has kept it, and was killed; what it
/// was started with.
fn left(control: &Careless, shelf: &TempDir) -> Site {
    control.offer(1, &saying("one"));
    let gateway = Gateway::listening(site(control, shelf));
    says(&gateway, "one");
    keeps(&gateway, 1);
    gateway.leave()
}

#[test]
fn a_gateway_starts_without_its_control_plane_and_is_sent_what_changed() {
    let shelf = shelf(RENEWED);
    let control = Careless::start();
    let site = left(&control, &shelf);
    let away = control.away();
    let gateway = Gateway::over(site);
    assert_eq!((answer(&gateway).as_str(), source(&gateway).as_str()), ("one", "last-good"));
    let told = || {
        let ready = gateway.admin("/readyz").text().to_owned();
        let is_told =
            ready.contains("a good copy is served") && ready.contains("no control plane: http");
        is_told.then_some(ready)
    };
    let ready = soon(told).unwrap_or_else(|| panic!("{}", gateway.admin("/readyz").text()));
    assert!(ready.starts_with("ready, generation 1\n") && !ready.contains("expired"), "{ready}");

    // It has the newest already: that is all it is told.
    let control = away.back();
    control.offer(1, &saying("one"));
    let is_known = || (source(&gateway) == "offer").then_some(());
    assert!(later(is_known).is_some(), "{}", gateway.status());
    control.await_stream(|_name, replica| replica.serving == generation(1));
    let loaded = gateway.events().iter().any(|event| event.contains("configuration loaded"));
    assert!(!loaded, "{}", gateway.events().join("\n"));
    assert!(!gateway.admin("/readyz").text().contains("copy"));
    control.offer(2, &saying("two"));
    says(&gateway, "two");
    assert_eq!(gateway.generation(), 2);
}

#[test]
fn a_gateway_that_starts_with_a_token_that_has_expired_serves_its_copy_and_says_so() {
    let shelf = shelf(EXPIRED);
    let control = Careless::start();
    let site = left(&control, &shelf);
    drop(control);
    let gateway = Gateway::over(site);
    assert_eq!((answer(&gateway).as_str(), source(&gateway).as_str()), ("one", "last-good"));
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 200);
    let expired = "the gateway's token has expired (2020-01-01T12:00:00.000Z): ";
    assert!(ready.text().contains(expired), "{}", ready.text());
    let told = gateway.status()["control"].clone();
    assert_eq!((&told["connected"], &told["tokenExpired"]), (&false.into(), &true.into()));
    gateway.event("the token of this gateway should be replaced");
}

#[test]
fn copies_go_with_the_token_when_it_is_replaced() {
    let shelf = shelf(EXPIRED);
    let control = Careless::start();
    control.offer(1, &saying("one"));
    let gateway = Gateway::listening(site(&control, &shelf));
    says(&gateway, "one");
    keeps(&gateway, 1);
    fs::write(shelf.path().join("token"), RENEWED).unwrap();
    gateway.event("are sealed with a new key");
    let site = gateway.leave();
    drop(control);
    let gateway = Gateway::over(site);
    assert_eq!((answer(&gateway).as_str(), source(&gateway).as_str()), ("one", "last-good"));
}

#[test]
fn copies_of_a_token_that_is_gone_open_nothing_and_harm_nothing() {
    let shelf = shelf(EXPIRED);
    let control = Careless::start();
    let site = left(&control, &shelf);
    let away = control.away();
    fs::write(shelf.path().join("token"), RENEWED).unwrap();
    let gateway = Gateway::listening(site);
    gateway.event("it is sealed with another key");
    let ready = gateway.admin("/readyz");
    assert_eq!((ready.status, source(&gateway).as_str()), (503, "none"));
    let refused = || {
        let refused = gateway.status()["configuration"]["lastGood"]["refused"].to_string();
        refused.contains("it is sealed with another key").then_some(())
    };
    assert!(soon(refused).is_some(), "{}", gateway.status());
    // With the old token the copy is as good as it was.
    let site = gateway.leave();
    fs::write(shelf.path().join("token"), EXPIRED).unwrap();
    let gateway = Gateway::over(site);
    assert_eq!(answer(&gateway), "one");
    // And with the new one there are copies again as soon as there is a control plane.
    let site = gateway.leave();
    fs::write(shelf.path().join("token"), RENEWED).unwrap();
    let control = away.back();
    control.offer(2, &saying("two"));
    let gateway = Gateway::listening(site);
    says(&gateway, "two");
    keeps(&gateway, 2);
}

#[test]
fn a_replica_starts_when_neither_etcd_nor_its_control_plane_is_there() {
    let shelf = shelf(RENEWED);
    let (control, mut etcd) = (Careless::start(), Etcd::start());
    control.offer(1, &saying("one"));
    let mut site = site(&control, &shelf);
    site.set("etcd-endpoints", &etcd.endpoint());
    site.set("cluster-lease", "3s");
    site.set("cluster-rollout-hold", "0s");
    let gateway = Gateway::listening(site);
    says(&gateway, "one");
    keeps(&gateway, 1);
    let site = gateway.leave();
    let away = control.away();
    etcd.kill();
    let gateway = Gateway::over(site);
    assert_eq!((answer(&gateway).as_str(), source(&gateway).as_str()), ("one", "last-good"));
    // With both back it goes on from what the cluster had.
    etcd.restart();
    let control = away.back();
    control.offer(2, &saying("two"));
    says(&gateway, "two");
    assert_eq!(gateway.generation(), 2);
    control.await_stream(|_name, replica| replica.serving == generation(2));
}
