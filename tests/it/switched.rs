//! What operators switch off at the control plane, and what they have it publish: at whom it is in
//! force, who sees who did it, and what it outlives.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::control::{Control, later};
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Policies, Site, soon};

/// An API at `/echo` that lets nobody in.
fn closed(folder: &Path) {
    let inbound = "<ip-filter action=\"forbid\"><address>127.0.0.1</address></ip-filter>\
                   <return-response><set-body>in</set-body></return-response>";
    write(folder, "policy.xml", Policies { inbound, ..Policies::default() }.text());
    write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
}

/// A gateway of `control` that keeps its last good copy in `shelf`.
fn site(control: &Control, replica: &str, token: &str, shelf: &Path) -> Site {
    let mut site = Site::new();
    control.configure(&mut site, replica, token);
    fs::write(shelf.join("key"), "a secret of the operator's, long enough for anybody").unwrap();
    for (flag, value) in [
        ("configuration-last-good-folder", shelf.join(replica).display().to_string().as_str()),
        ("configuration-last-good-key-file", shelf.join("key").display().to_string().as_str()),
        ("configuration-last-good-soak-time", "0ms"),
        ("configuration-last-good-soak-requests", "0"),
    ] {
        site.set(flag, value);
    }
    site
}

fn await_status(gateway: &Gateway, status: u16) {
    let told = later(|| (gateway.get("/echo/a").status == status).then_some(()));
    let now = gateway.get("/echo/a").status;
    assert!(told.is_some(), "{now} and not {status}: {}", gateway.events().join("\n"));
}

fn off(gateway: &Gateway) -> Vec<Value> {
    gateway.status()["configuration"]["killSwitch"]["off"].as_array().unwrap().clone()
}

#[test]
fn what_is_switched_off_at_the_control_plane_is_off_at_gateways_and_outlives_everything() {
    let mut control = Control::start(closed);
    let shelf = tempfile::tempdir().unwrap();
    let north = Gateway::listening(site(&control, "n", &control.token("north"), shelf.path()));
    let south = Gateway::listening(site(&control, "s", &control.token("south"), shelf.path()));
    for gateway in [&north, &south] {
        await_status(gateway, 403);
    }
    let filter = ["policy", "ip-filter", "--gateway", "north"];
    let wrong = control.ask(&[&["disable"], &filter[..]].concat());
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    let skip = ["--instead", "skip", "--reason", "the list is wrong"];
    let done = control.ask(&[&["disable"], &filter[..], &skip[..]].concat());
    assert!(done.status.success(), "{done:?}");
    await_status(&north, 200);
    let shown = off(&north);
    let told = shown[0].as_str().unwrap();
    assert!(told.starts_with("policy ip-filter: skip (control plane, by "), "{told}");
    assert!(told.ends_with(": the list is wrong)"), "{told}");
    assert_eq!((south.get("/echo/a").status, off(&south).len()), (403, 0));
    assert_eq!(control.status()["switchedOff"][0]["gateway"], "north");
    let audited = soon(|| control.events().into_iter().find(|it| it.contains("switch off")));
    let audit = audited.unwrap();
    assert!(audit.contains("policy ip-filter: skip, north"), "{audit}");
    // The configuration is the same.
    assert_eq!(north.generation(), 1);

    // Both may be gone: the control plane knows it again, and the gateway without it.
    let kept = || {
        let copies = north.status()["configuration"]["lastGood"]["copies"].clone();
        copies.as_array().filter(|copies| !copies.is_empty()).map(|_| ())
    };
    assert!(soon(kept).is_some(), "{}", north.status());
    control.kill();
    let north = Gateway::listening(north.leave());
    await_status(&north, 200);
    assert_eq!(off(&north), shown);
    control.restart();
    assert_eq!(control.status()["switchedOff"][0]["reason"], "the list is wrong");
    let done = control.ask(&["disable", "operation", "echo/get"]);
    assert!(done.status.success(), "{done:?}");
    for gateway in [&north, &south] {
        await_status(gateway, 503);
    }
    assert!(control.ask(&["enable", "operation", "echo/get"]).status.success());
    await_status(&north, 200);
    await_status(&south, 403);
    let other = control.ask(&["enable", "policy", "ip-filter"]);
    let told = String::from_utf8(other.stderr).unwrap();
    assert!(told.contains("not switched off for all gateways, but for north"), "{told}");
    assert!(control.ask(&[&["enable"], &filter[..]].concat()).status.success());
    await_status(&north, 403);
    assert_eq!((off(&north).len(), north.generation()), (0, 1));
}

#[test]
fn what_takes_much_away_is_published_only_with_force_and_a_reason() {
    let control = Control::start(|folder| {
        closed(folder);
        write(folder, "second.yaml", open_api("second", "http://127.0.0.1:1", "policy.xml"));
    });
    control.await_generation(1);
    control.write("second.yaml", "apis: []\n");
    let withheld = || {
        let told = control.status()["withheld"]["why"].as_str()?.to_owned();
        told.contains("6 of 12 operations").then_some(())
    };
    assert!(soon(withheld).is_some(), "{}", control.status());
    let ready = control.admin("/readyz");
    assert_eq!((ready.status, control.generation()), (200, 1));
    assert!(ready.text().contains("the folder is not published: this configuration removes"));
    let digest = control.status()["withheld"]["digest"].as_str().unwrap().to_owned();
    let asked = control.ask(&["publish"]);
    let told = String::from_utf8(asked.stderr).unwrap();
    assert!(told.contains("say so with --force and a --reason"), "{told}");
    assert_eq!(control.ask(&["publish", "--force"]).status.code(), Some(2));
    // What is meant is what was withheld, and nothing that came later.
    control.write("api.yaml", "apis: []\n");
    let reason = ["--reason", "second is shut down", "--digest", &digest[..12]];
    let other = control.ask(&[&["publish", "--force"], &reason[..]].concat());
    let told = String::from_utf8(other.stderr).unwrap();
    assert!(told.contains("another configuration than was held back"), "{told}");
    closed(control.folder());
    assert!(soon(withheld).is_some(), "{}", control.status());
    let meant = [&["publish", "--force", "--now"], &reason[..]].concat();
    let done = later(|| Some(control.ask(&meant)).filter(|done| done.status.success()));
    assert!(done.is_some(), "{}", control.events().join("\n"));
    let status = control.status();
    assert_eq!((control.generation(), &status["withheld"]), (2, &Value::Null));
    let row = &status["generations"][1];
    assert_eq!(
        (&row["wanted"]["reason"], &row["now"]),
        (&"second is shut down".into(), &true.into())
    );
}
