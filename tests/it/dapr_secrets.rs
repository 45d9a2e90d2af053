//! Texts of the configuration out of Dapr's secret stores, and what operators see of a sidecar.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::collector::Collector;
use crate::harness::gateway::command;
use crate::harness::sidecar::{STORE, Sidecar};
use crate::harness::{Backend, Gateway, Policies, Request, Site, reply, soon};

const TOKEN: &str = "canary-secrets-0123456789";

/// A named value of a store, and a policy that sends it to the backend.
fn site(site: &mut Site, source: &str, backend: u16) {
    site.yaml(format!("namedValues:\n  - {{name: password, value: {{dapr: {source}}}}}\n"));
    let sends = "<set-header name=\"X-Password\" exists-action=\"override\"><value>{{password}}\
                 </value></set-header>\
                 <trace source=\"t\" severity=\"information\"><message>is {{password}}</message></trace>";
    let policies = Policies { inbound: sends, ..Policies::default() };
    site.open_api("shop", &format!("http://127.0.0.1:{backend}"), policies);
}

fn of(name: &str, key: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!(", key: {key}") };
    format!("{{store: {STORE}, name: {name}{key}}}")
}

fn before(sidecar: &Sidecar, source: &str, backend: &Backend) -> Gateway {
    Gateway::start(|of| {
        of.variables.push(("DAPR_HTTP_PORT".to_owned(), sidecar.port().to_string()));
        if !sidecar.token.is_empty() {
            of.variables.push(("DAPR_API_TOKEN".to_owned(), sidecar.token.clone()));
        }
        site(of, source, backend.port());
    })
}

fn reload(gateway: &Gateway) {
    let request = Request::post("/reload", "").host("localhost");
    assert_eq!(Client::connect(gateway.admin).ask(&request).status, 202);
}

#[test]
fn a_named_value_is_what_the_store_has() {
    let backend = Backend::replying(|_seen| reply(200, &[], "ok"));
    let sidecar = Sidecar::start(1, TOKEN);
    for (name, key, text) in [("key", "", "s3cret"), ("key", "key", "s3cret"), ("pair", "two", "2")]
    {
        let gateway = before(&sidecar, &of(name, key), &backend);
        assert_eq!(gateway.get("/shop/x").status, 200);
        assert_eq!(backend.last().field("x-password"), Some(text), "{name} {key}");
    }
}

#[test]
fn a_secret_that_changes_is_a_new_generation_and_is_in_no_signal() {
    const ONE: &str = "canary-secret-one-0123456789";
    const TWO: &str = "canary-secret-two-0123456789";
    let backend = Backend::replying(|_seen| reply(200, &[], "ok"));
    let (sidecar, collector) = (Sidecar::stand_in(1, TOKEN), Collector::start());
    sidecar.keep("db", Some(json!({"password": ONE})));
    let gateway = Gateway::start(|of_site| {
        of_site.variables.push(("DAPR_HTTP_PORT".to_owned(), sidecar.port().to_string()));
        of_site.variables.push(("DAPR_API_TOKEN".to_owned(), TOKEN.to_owned()));
        of_site.set("telemetry-otlp-endpoint", &collector.url());
        of_site.set("telemetry-otlp-interval", "100ms");
        of_site.set("telemetry-traces-sampler", "always");
        of_site.set("log-level", "all");
        site(of_site, &of("db", ""), backend.port());
    });
    assert_eq!(gateway.get("/shop/x").status, 200);
    assert_eq!(backend.last().field("x-password"), Some(ONE));
    let generation = || {
        let status: Value = serde_json::from_slice(&gateway.admin("/status").body).expect("JSON");
        status["configuration"]["generation"].as_u64().expect("a number")
    };
    let first = generation();
    sidecar.keep("db", Some(json!({"password": TWO})));
    let changed = soon(|| {
        reload(&gateway);
        assert_eq!(gateway.get("/shop/x").status, 200);
        (backend.last().field("x-password") == Some(TWO)).then_some(())
    });
    changed.expect("the new value");
    assert!(first < generation());
    // What is gone is a fault, and the one before goes on.
    sidecar.keep("db", None);
    let refused = soon(|| {
        reload(&gateway);
        let told = gateway.admin("/status").text().to_owned();
        told.contains("the store has no such secret").then_some(told)
    });
    refused.expect("a refusal");
    assert_eq!(gateway.get("/shop/x").status, 200);
    assert_eq!(backend.last().field("x-password"), Some(TWO));
    collector.await_spans(3);
    let told = gateway.events().join("\n")
        + gateway.admin("/status").text()
        + gateway.admin("/metrics").text()
        + &format!("{collector:?}");
    for secret in [ONE, TWO, TOKEN] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn a_gateway_that_starts_before_its_sidecar_waits_for_it() {
    let backend = Backend::replying(|_seen| reply(200, &[], "ok"));
    let asked = AtomicUsize::new(0);
    let sidecar = Backend::replying(move |seen| {
        let json = [("Content-Type", "application/json")];
        match seen.target.as_str() {
            target if !target.starts_with("/v1.0/secrets/") => reply(404, &[], ""),
            _ if asked.fetch_add(1, Ordering::SeqCst) < 2 => {
                let told = json!({"errorCode": "ERR_SECRET_GET", "message": "the vault is sealed"});
                reply(500, &json, &told.to_string())
            }
            _ => reply(200, &json, "{\"key\": \"s3cret\"}"),
        }
    });
    let gateway = Gateway::start(|of_site| {
        of_site.set("dapr-endpoint", &format!("http://127.0.0.1:{}", sidecar.port()));
        site(of_site, &of("key", ""), backend.port());
    });
    assert_eq!(gateway.get("/shop/x").status, 200);
    assert_eq!(backend.last().field("x-password"), Some("s3cret"));
}

#[test]
fn a_sidecar_that_goes_away_takes_nothing_away() {
    let backend = Backend::replying(|_seen| reply(200, &[], "ok"));
    let sidecar = Sidecar::stand_in(1, TOKEN);
    let gateway = before(&sidecar, &of("key", ""), &backend);
    drop(sidecar);
    let generation = gateway.admin("/status").text().to_owned();
    assert!(generation.contains("\"generation\": 1"), "{generation}");
    reload(&gateway);
    assert_eq!(gateway.get("/shop/x").status, 200);
    assert_eq!(backend.last().field("x-password"), Some("s3cret"));
    let told = gateway.admin("/status").text().to_owned();
    assert!(told.contains("\"refused\": 0"), "{told}");
}

#[test]
fn what_a_store_does_not_give_is_a_fault_with_its_place() {
    let sidecar = Sidecar::start(1, TOKEN);
    let check = |source: &str, is_live: bool| {
        let mut folder = Site::new();
        site(&mut folder, source, 1);
        let path = folder.path().display().to_string();
        let mut command = command();
        command.args(["check", "--config", &path]).args(is_live.then_some("--live"));
        command.env("DAPR_HTTP_PORT", sidecar.port().to_string());
        command.env("DAPR_API_TOKEN", &sidecar.token);
        let output = command.output().expect("weir runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, told) = check(&of("key", ""), true);
    assert_eq!(code, Some(0), "{told}");
    for (source, is_live, message, remedy) in [
        (
            of("none", ""),
            true,
            "`none` of the store `vault`: the store has no such secret",
            "put it",
        ),
        (of("pair", ""), true, "or several and none of its name", "write `key`"),
        (of("pair", "three"), true, "the secret has no such item", "write `key`"),
        (
            "{store: strongbox, name: key}".to_owned(),
            true,
            "the Dapr sidecar has no such secret store",
            "add the component",
        ),
        ("{store: \"a/b\", name: key}".to_owned(), true, "a name has letters", "the component"),
        (of("\"a#b\"", ""), true, "is no name of a secret", "without `#`"),
        (of("key", ""), false, "known only beside a sidecar", "`--live`"),
    ] {
        let (code, told) = check(&source, is_live);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(message) && told.contains(remedy), "{told}");
        assert!(told.contains(".yaml:"), "{told}");
    }
}

#[test]
fn an_operator_sees_what_the_sidecar_does_not_have() {
    let sidecar = Sidecar::start(1, TOKEN);
    let names = "<publish-to-dapr topic=\"pubsub/new\">1</publish-to-dapr>\
                 <invoke-dapr-binding name=\"absent\"><data>1</data></invoke-dapr-binding>";
    let policies = Policies { inbound: names, backend: "<!-- -->", ..Policies::default() };
    let before = |port: u16| {
        Gateway::start(|site| {
            site.variables.push(("DAPR_HTTP_PORT".to_owned(), port.to_string()));
            if !sidecar.token.is_empty() {
                site.variables.push(("DAPR_API_TOKEN".to_owned(), sidecar.token.clone()));
            }
            site.open_api("shop", "http://127.0.0.1:1", policies);
        })
    };
    let told = |gateway: &Gateway| {
        let mut command = command();
        command.args(["status", "--admin", &gateway.admin.to_string()]);
        let output = command.output().expect("weir runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let gateway = before(sidecar.port());
    let missing = "the Dapr sidecar has no component `absent`, which ";
    let found = soon(|| Some(told(&gateway)).filter(|told| told.contains(missing)));
    assert!(!found.expect("a finding").contains("`pubsub`"));
    let page = gateway.admin("/").text().to_owned();
    assert!(page.contains("absent"), "{page}");
    let lonely = before(1);
    let away = "the Dapr sidecar at http://127.0.0.1:1: ";
    assert!(soon(|| told(&lonely).contains(away).then_some(())).is_some());
}
