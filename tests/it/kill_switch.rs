//! The kill switch: a local file says what must not run, and that is so at once.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{Backend, Gateway, Policies, Request, soon};

/// A place for the file, which is not there yet.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("off.yaml");
    (folder, path)
}

/// Puts the file in place whole, as an editor does.
fn put(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, path).unwrap();
}

/// Waits until `off` is what is switched off.
fn is_off(gateway: &Gateway, off: &[&str]) {
    let now = || {
        let status = gateway.status();
        let list = status["configuration"]["killSwitch"]["off"].as_array().unwrap().clone();
        (list.iter().map(|it| it.as_str().unwrap()).eq(off.iter().copied())).then_some(())
    };
    assert!(soon(now).is_some(), "{}", gateway.status());
}

/// Waits until `target` is answered with `status`.
fn answers(gateway: &Gateway, target: &str, status: u16) {
    let now = || (gateway.get(target).status == status).then_some(());
    assert!(soon(now).is_some(), "{target}: {}", gateway.get(target).status);
}

#[test]
fn a_policy_is_skipped_or_refused_and_comes_back() {
    let backend = Backend::plain();
    let (_folder, path) = place();
    let filter = r#"<ip-filter action="forbid"><address>127.0.0.1</address></ip-filter>"#;
    let gateway = Gateway::start(|site| {
        site.set("kill-switch-file", &path.display().to_string());
        site.open_api("echo", &backend.url(), Policies { inbound: filter, ..Policies::default() });
    });
    assert_eq!(gateway.get("/echo/a").status, 403);
    put(&path, "policies: {ip-filter: skip}\n");
    answers(&gateway, "/echo/a", 200);
    is_off(&gateway, &["policy ip-filter: skip"]);
    gateway.event("`ip-filter` is skipped: requests that it refused get through");
    assert!(gateway.admin("/readyz").text().contains("switched off: policy ip-filter: skip"));
    put(&path, "policies: {ip-filter: refuse}\n");
    answers(&gateway, "/echo/a", 503);
    // A mistake changes nothing of what is right.
    put(&path, "policies: {ip-filter: refuse, ip-filtre: skip}\n");
    gateway.event("the kill switch is wrong");
    assert_eq!(gateway.get("/echo/a").status, 503);
    assert!(
        gateway.admin("/readyz").text().contains("did you mean")
            || gateway.admin("/readyz").text().contains("there is no policy `ip-filtre`")
    );
    fs::remove_file(&path).unwrap();
    answers(&gateway, "/echo/a", 403);
    is_off(&gateway, &[]);
    // The configuration has not changed over it.
    assert_eq!(gateway.generation(), 1);
}

#[test]
fn an_api_and_an_operation_are_refused_whoever_asks() {
    let backend = Backend::plain();
    let (_folder, path) = place();
    put(&path, "apis: [closed]\noperations: [open/get]\n");
    let gateway = Gateway::start(|site| {
        site.set("kill-switch-file", &path.display().to_string());
        site.open_api("open", &backend.url(), Policies::default());
        site.open_api("closed", &backend.url(), Policies::default());
        site.yaml(
            "subscriptions:\n  - {id: s, scope: /apis, primaryKey: a-key-of-a-client}\napis:\n  - \
             id: asking\n    path: asking\n    serviceUrl: http://127.0.0.1:1\n    operations:\n      \
             - {id: get, method: GET, urlTemplate: /}\n",
        );
    });
    // It holds from the first request on.
    let refused = gateway.get("/closed/a");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("Service unavailable"), "{}", refused.text());
    let record = gateway.record("/closed/a");
    assert_eq!((&record["reason"], &record["apiId"]), (&"route_disabled".into(), &"closed".into()));
    assert_eq!(gateway.ask(&Request::new("PATCH", "/closed/nothing")).status, 503);
    assert_eq!(gateway.get("/open/a").status, 503);
    assert_eq!(gateway.ask(&Request::new("DELETE", "/open/a")).status, 200);
    assert_eq!(gateway.get("/asking/").status, 401);
    // Nobody is asked for a key at a closed door.
    put(&path, "apis: [asking]\n");
    answers(&gateway, "/asking/", 503);
    assert_eq!((gateway.get("/closed/a").status, gateway.get("/open/a").status), (200, 200));
    put(&path, "apis: [nowhere]\noperations: [open/nothing]\n");
    gateway.event("names what is not there: api nowhere");
    gateway.event("names what is not there: operation open/nothing");
}

#[test]
fn a_policy_that_stops_a_configuration_can_be_switched_off() {
    let backend = Backend::plain();
    let (_folder, path) = place();
    let gateway = Gateway::start(|site| {
        site.set("kill-switch-file", &path.display().to_string());
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let inbound = r#"<rate-limit calls="nonsense" /><set-header name="X-New" exists-action="override"><value>1</value></set-header>"#;
    let policy = Policies { inbound, ..Policies::default() }.text();
    crate::harness::site::write(gateway.folder(), "echo.xml", policy);
    gateway.event("configuration refused");
    put(&path, "policies: {rate-limit: skip}\n");
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").status, 200);
    assert_eq!(backend.last().field("X-New"), Some("1"));
}

#[test]
fn it_holds_over_reloads_and_for_a_copy_too() {
    let (_folder, path) = place();
    put(&path, "operations: [echo/get]\n");
    let copies = tempfile::tempdir().unwrap();
    let key = copies.path().join("key");
    fs::write(&key, "a secret of more than thirty-two letters").unwrap();
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("kill-switch-file", &path.display().to_string());
        site.set("configuration-last-good-folder", &copies.path().display().to_string());
        site.set("configuration-last-good-key-file", &key.display().to_string());
        site.set("configuration-last-good-soak-time", "0ms");
        site.set("configuration-last-good-soak-requests", "1");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.get("/echo/a").status, 503);
    let post = Request::new("DELETE", "/echo/a");
    assert_eq!(gateway.ask(&post).status, 200);
    crate::harness::site::write(gateway.folder(), "more.yaml", "groups: [{id: g, name: g}]\n");
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").status, 503);
    let kept = || {
        let status = gateway.status();
        let copy = &status["configuration"]["lastGood"]["copies"][0]["generation"];
        (copy.as_u64() == Some(2)).then_some(())
    };
    assert!(soon(kept).is_some(), "{}", gateway.status());
    let site = gateway.leave();
    crate::harness::site::write(site.path(), "more.yaml", "groups: [\n");
    let gateway = Gateway::over(site);
    assert_eq!(gateway.status()["configuration"]["source"], "last-good");
    assert_eq!(gateway.get("/echo/a").status, 503);
    assert_eq!(gateway.ask(&post).status, 200);
    // And without one: what is served is a copy, and is made again.
    fs::remove_file(&path).unwrap();
    answers(&gateway, "/echo/a", 200);
}
