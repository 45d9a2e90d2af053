//! How a control plane and its gateways are doing, for operators: `weir status` and the status page
//! in a real browser.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::cluster::saying;
use crate::harness::browser::Browser;
use crate::harness::control::Control;
use crate::harness::etcd::Etcd;
use crate::harness::gateway::weir;
use crate::harness::site::{open_api, write};
use crate::harness::{Client, Gateway, Request, Site, soon};

/// As wide as the narrowest phone.
const NARROW: u32 = 360;
/// What a browser may run and would, if it were let in.
const HOSTILE: &str = "<img src=x onerror=document.title='hostile'>";

fn echo(folder: &Path, word: &str) {
    write(folder, "policy.xml", saying(word));
    write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
}

/// A gateway of `control` that serves what is published.
fn gateway(control: &Control, replica: &str) -> Gateway {
    let mut site = Site::new();
    control.configure(&mut site, replica, &control.token("north"));
    let gateway = Gateway::listening(site);
    control.await_replica(replica, |it| it["newest"] == true && it["ready"] == true);
    gateway
}

/// How `weir status` ends, and what it says.
fn status(control: &Control, arguments: &[&str]) -> (Option<i32>, String) {
    let admin = control.operators().to_string();
    let Output { status, stdout, stderr } =
        weir(&[&["status", "--admin", &admin], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout) + &text(stderr))
}

#[test]
fn a_pipeline_waits_until_all_gateways_serve_what_it_published() {
    let control = Control::start(|folder| echo(folder, "one"));
    control.await_generation(1);
    let (code, text) = status(&control, &["--wait", "1", "--timeout", "300ms"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no gateway is connected here"), "{text}");
    let gateways = ["a", "b"].map(|name| gateway(&control, name));
    let (code, text) = status(&control, &[]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "this control plane\n  offers    generation 1 since ",
        ": the folder has it\n",
        "2 connected, 2 of them serve the newest generation",
        "\nnorth/a ",
        "GENERATION  PUBLISHED",
        "nothing is wrong\n",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let (code, text) = status(&control, &["--wait", "2", "--timeout", "300ms"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("generation 1 is the newest published"), "{text}");
    control.write("policy.xml", saying("two"));
    let (code, text) = status(&control, &["--wait", "2"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(gateways.iter().all(|gateway| gateway.get("/echo/x").text() == "two"));

    control.write("policy.xml", "<policies><inbound><set-bodi /></inbound></policies>");
    let refused = || {
        let (code, text) = status(&control, &["--format", "json"]);
        let told: Value = serde_json::from_str(&text).expect("JSON");
        let is_told = told["wrong"][0].as_str()?.contains("policy.xml:1:");
        (code == Some(1) && is_told && told["ok"] == false).then_some(told)
    };
    let told = soon(refused).expect("it is told");
    assert_eq!(told["status"]["generation"], 2);
    assert!(control.rollback(&[]).status.success());
    let (code, text) = status(&control, &["--wait", "3"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = status(&control, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("somebody went back to generation 1"), "{text}");
}

#[test]
fn the_page_shows_gateways_and_history_and_follows_them() {
    let control = Control::start(|folder| echo(folder, "one"));
    let _gateway = gateway(&control, "a");
    let at = control.operators();
    let mut browser = Browser::start(NARROW);
    browser.go(at, "/");
    browser.shows("1 connected, 1 of them serve the newest generation");
    browser.shows("north/a");
    browser.shows("Nothing is wrong");
    browser.value("window.mark = document.querySelector('h1')");
    control.write("policy.xml", saying("two"));
    browser.shows("generation 2 since");
    let rows = "[...document.querySelectorAll('tbody')].map(body => body.rows.length)";
    let followed = soon(|| (browser.value(rows) == serde_json::json!([1, 2])).then_some(()));
    assert!(followed.is_some(), "{}", browser.text());
    assert_eq!(browser.value("window.mark === document.querySelector('h1')"), true);
    let roles = browser.roles();
    for (role, name) in
        [("table", "Gateways"), ("table", "Generations"), ("heading", "This control plane")]
    {
        assert!(
            roles.iter().any(|(has, named)| has == role && named == name),
            "{role} {name}: {roles:?}"
        );
    }
    control.write("more.yaml", "apis: 7\n");
    browser.shows("more.yaml:1:");
    browser.shows("One thing is wrong");
    let own = format!("http://{at}/");
    let elsewhere: Vec<String> =
        browser.requests().into_iter().filter(|url| *url != own && url != "data:,").collect();
    assert_eq!(elsewhere, [""; 0]);
    assert_eq!(browser.complaints(), [Value::Null; 0]);
}

#[test]
fn hostile_and_long_names_are_names_and_fit_a_phone_without_scripts_too() {
    let etcd = Etcd::start();
    let long = format!("{HOSTILE}{}", "long-name-without-any-space".repeat(7));
    let control = Control::among(&long, &etcd.endpoint(), |folder| echo(folder, "one"));
    control.await_generation(1);
    let _gateway = gateway(&control, HOSTILE);
    let mut browser = Browser::start(NARROW);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.go(control.operators(), "/");
        browser.shows(&long);
        browser.shows(&format!("north/{HOSTILE}"));
        let sizes = browser.value("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(sizes, serde_json::json!([NARROW, NARROW]), "{scheme}");
    }
    assert_eq!(browser.value("document.images.length"), 0);
    browser.without_scripts();
    browser.go(control.operators(), "/");
    browser.shows("Without JavaScript this page stands still");
    browser.shows("Control planes");
    browser.shows("1 connected");
}

#[test]
fn nobody_who_came_by_a_foreign_name_is_shown_the_page() {
    let control = Control::start(|folder| echo(folder, "one"));
    let ask = |request: Request| Client::connect(control.operators()).ask(&request);
    assert_eq!(ask(Request::get("/").host("rebound.example")).status, 421);
    assert_eq!(ask(Request::post("/", "").host("localhost")).status, 405);
    let head = ask(Request::new("HEAD", "/").host("localhost"));
    let policy = head.field("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(head.field("X-Content-Type-Options"), Some("nosniff"));
}
