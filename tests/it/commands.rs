//! The commands that only look: `check`, `explain`, `schema`.

use std::process::Output;

use crate::harness::Policies;
use crate::harness::gateway::weir;
use crate::harness::site::Site;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/sample");
const BAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/config/bad/unknown-keys");

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn explain(arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["explain", "--config", SAMPLE];
    all.extend_from_slice(arguments);
    let output = weir(&all);
    (output.status.code(), said(&output))
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn nothing_is_wrong_with_the_sample() {
    let output = weir(&["check", "--config", SAMPLE]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    has(&said(&output), &["3 APIs", "nothing is wrong"]);
    let output = weir(&["check", "--config", SAMPLE, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["ok"]), (Some(0), &serde_json::json!(true)));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let output = weir(&["check", "--config", BAD]);
    assert_eq!(output.status.code(), Some(1));
    has(&said(&output), &["weir.yaml:3:5", "did you mean `path`?", "^^^^", "4 faults found"]);
    let output = weir(&["check", "--config", BAD, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let first = &report["faults"][0];
    assert_eq!((&first["line"], &first["column"]), (&3.into(), &5.into()), "{first}");
}

#[test]
fn explain_says_who_answers_a_preflight_what_a_quota_counts_and_which_hosts_are_served() {
    let mut site = Site::new();
    let inbound = "<cors><allowed-origins><origin>https://a.example</origin></allowed-origins>\
                   <allowed-headers><header>*</header></allowed-headers></cors>\
                   <quota-by-key calls=\"7\" bandwidth=\"1\" renewal-period=\"300\" counter-key=\"x\" />";
    site.open_api("echo", "http://localhost:1", Policies { inbound, ..Policies::default() });
    let explain = |site: &Site, arguments: &[&str]| {
        let folder = site.path().display().to_string();
        let output = weir(&[&["explain", "--config", &folder], arguments].concat());
        (output.status.code(), said(&output))
    };
    let origin = |origin: &str| format!("Origin: https://{origin}.example");
    let asked = "Access-Control-Request-Method: GET";
    let (code, text) = explain(&site, &["OPTIONS", "/echo/a", "-H", &origin("a"), "-H", asked]);
    assert_eq!(code, Some(0), "{text}");
    has(&text, &["runs   cors", "→ grants the preflight", "skips  quota-by-key"]);
    let (_, text) = explain(&site, &["OPTIONS", "/echo/a", "-H", &origin("b"), "-H", asked]);
    has(&text, &["runs   cors", "→ grants nothing"]);
    let (_, text) = explain(&site, &["GET", "/echo/a"]);
    has(&text, &["at most 7 calls in", "at most 1024 bytes of bodies in each period of 300s"]);
    site.yaml("hostNames: [{host: shop.example}, {host: \"*.shop.example\"}]\n");
    let (_, text) = explain(&site, &["GET", "http://other.example/echo/a"]);
    has(&text, &["at the host `other.example`: served are `*.shop.example`, `shop.example`"]);
    let (_, text) = explain(&site, &["GET", "http://shop.example/echo/a"]);
    assert!(!text.contains("served are"), "{text}");
}

#[test]
fn a_folder_without_documents_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let output = weir(&["check", "--policies", path]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    has(&String::from_utf8(output.stderr).unwrap(), &[path, "no file *.xml"]);
}

#[test]
fn short_secrets_do_not_cover_what_is_none() {
    let mut site = Site::new();
    site.variables.clear();
    site.yaml(
        "namedValues:\n  - {name: one, value: \"1\", secret: true}\n  - {name: long, value: \
         hunter2, secret: true}\n",
    );
    let inbound = "<set-variable name=\"a\" value=\"{{one}}\" /><set-backend-service \
                   base-url=\"https://hunter2.example\" />";
    site.open_api("echo", "http://localhost:1", Policies { inbound, ..Policies::default() });
    let folder = site.path().display().to_string();
    let text = said(&weir(&["explain", "--config", &folder, "GET", "/echo/a1"]));
    has(&text, &["https://[secret].example/a1", "note: 1 secret is shorter than 4 characters"]);
}

#[test]
fn policy_documents_are_checked_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let right = "<policies><inbound><base /><set-header name=\"A\" exists-action=\"override\">\
                 <value>{{somewhere}}</value></set-header></inbound></policies>";
    std::fs::write(folder.path().join("right.xml"), right).unwrap();
    let path = folder.path().to_str().unwrap();
    let output = weir(&["check", "--policies", path]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    has(&said(&output), &["1 document, 1 compile, 0 refused", "somewhere"]);
    let wrong = "<policies><inbound><base /><set-boddy /></inbound></policies>";
    std::fs::write(folder.path().join("wrong.xml"), wrong).unwrap();
    let output = weir(&["check", "--policies", path]);
    assert_eq!(output.status.code(), Some(1));
    has(&said(&output), &["2 documents, 1 compile, 1 refused", "set-boddy"]);
}

#[test]
fn explain_says_the_way_of_a_request() {
    let key = "Ocp-Apim-Subscription-Key: sample-key-mobile";
    let (code, text) = explain(&["GET", "http://localhost:8080/orders/17", "-H", key]);
    assert_eq!(code, Some(0), "{text}");
    has(
        &text,
        &[
            "API orders (/orders;rev=1)",
            "operation get-order (GET /{id})",
            "subscription mobile-app, product shop, user jane",
            "policies/shop.xml:",
            "rate-limit",
            "policies/orders-get.xml:",
            "GET http://127.0.0.1:8090/internal/orders/17",
            "(backend sample)",
            "collected: ",
            "200, as the backend answers",
        ],
    );
}

#[test]
fn explain_says_why_a_request_is_refused() {
    let (code, text) = explain(&["GET", "http://localhost:8080/orders/17"]);
    assert_eq!(code, Some(1), "{text}");
    has(&text, &["SubscriptionKeyNotFound", "401, by the gateway"]);
    let (code, text) = explain(&["DELETE", "http://localhost:8080/orders/17"]);
    assert_eq!(code, Some(1), "{text}");
    has(&text, &["OperationNotFound", "404, by the gateway"]);
}

#[test]
fn explain_says_how_a_request_is_forwarded_and_why() {
    let (code, text) = explain(&["GET", "http://localhost:8080/echo/a?you=like"]);
    assert_eq!(code, Some(0), "{text}");
    has(&text, &["API echo", "/echo/a?you=like", "collected: ", "find-and-replace"]);
    let key = "Ocp-Apim-Subscription-Key: sample-key-mobile";
    let json = "Content-Type: application/json";
    let (code, text) =
        explain(&["POST", "http://localhost:8080/orders", "-H", key, "-H", json, "-d", "{}"]);
    assert_eq!(code, Some(0), "{text}");
    has(&text, &["limit-concurrency", "streaming: "]);
}

#[test]
fn what_is_asked_wrongly_is_told_from_what_is_wrong() {
    for arguments in [
        &["explain", "--config", SAMPLE, "GET", "ftp://localhost/"][..],
        &["explain", "--config", SAMPLE, "G T", "/orders"],
        &["explain", "--config", SAMPLE, "GET", "notaurl"],
        &["explain", "--config", "/nowhere/at/all", "GET", "/orders"],
        &["run", "listen-http=1"],
        &["run", "--listen-http"],
        &["chekc"],
    ] {
        let output = weir(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(weir(&["check", "--config", "/nowhere/at/all"]).status.code(), Some(1));
}

#[test]
fn the_schema_is_json_and_knows_every_list() {
    let output = weir(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for list in ["apis", "products", "subscriptions", "backends", "namedValues", "fragments"] {
        assert!(schema["properties"][list].is_object(), "{list}");
    }
}
