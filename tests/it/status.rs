//! How a cluster is doing, for operators: `weir status` and the status page, over real replicas and
//! a real etcd; the page in a real browser.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::harness::browser::Browser;
use crate::harness::etcd::Etcd;
use crate::harness::gateway::weir;
use crate::harness::site::{open_api, write};
use crate::harness::{Client, Gateway, Policies, Request, Site, soon};

/// What a browser may run and would, if it were let in.
const HOSTILE: &str = "<img src=x onerror=document.title='hostile'>";
/// As wide as the narrowest phone.
const NARROW: u32 = 360;

fn saying(word: &str) -> String {
    let inbound = format!("<return-response><set-body>{word}</set-body></return-response>");
    Policies { inbound: &inbound, ..Policies::default() }.text()
}

fn replica(name: &str, etcd: &Etcd, hold: &str) -> Gateway {
    let mut site = Site::new();
    site.file("policy.xml", saying("one"));
    site.yaml(open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    for (flag, value) in [
        ("replica-name", name),
        ("etcd-endpoints", &etcd.endpoint()),
        ("cluster-lease", "2s"),
        ("cluster-rollout-hold", hold),
        ("drain-delay", "0s"),
    ] {
        site.set(flag, value);
    }
    Gateway::over(site)
}

/// Three replicas, all of which see the others serve the first generation.
fn cluster(etcd: &Etcd, hold: &str) -> [Gateway; 3] {
    let replicas = ["a", "b", "c"].map(|name| replica(name, etcd, hold));
    for replica in &replicas {
        let served = || {
            let cluster = replica.status()["cluster"].clone();
            let all = cluster["replicas"].as_array()?;
            let serving = all.iter().filter(|replica| replica["serving"] == 1).count();
            (serving == 3 && cluster["leader"].is_string()).then_some(())
        };
        assert!(soon(served).is_some(), "{}", replica.admin("/status").text());
    }
    replicas
}

fn publish(replicas: &[Gateway], policy: &str) {
    for replica in replicas {
        write(replica.folder(), "policy.xml", policy);
    }
}

/// Runs `weir status` against a gateway: its exit code, and what it said.
fn status(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String) {
    let admin = gateway.admin.to_string();
    let mut all = vec!["status", "--admin", &admin];
    all.extend_from_slice(arguments);
    said(&weir(&all))
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_pipeline_waits_until_every_replica_serves_what_it_published() {
    let etcd = Etcd::start();
    let replicas = cluster(&etcd, "0s");
    let (code, text) = status(&replicas[1], &[]);
    assert_eq!(code, Some(0), "{text}");
    for part in ["cluster\n  leader    ", "generation 1 for all", "REPLICA  ", "this replica (b)"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let (code, text) = status(&replicas[0], &["--wait", "2", "--timeout", "300ms"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("was not served in time\n  generation 1 is the newest"), "{text}");
    publish(&replicas, &saying("two"));
    for replica in &replicas {
        let (code, text) = status(replica, &["--wait", "2"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.ends_with("every replica serves generation 2, or a later one\n"), "{text}");
        let serving = |replica: &Gateway| (replica.generation(), replica.get("/echo/x").status);
        assert!(replicas.iter().all(|replica| serving(replica) == (2, 200)));
    }
}

#[test]
fn a_refusal_ends_the_wait_and_is_told_with_its_place() {
    let etcd = Etcd::start();
    let replicas = cluster(&etcd, "0s");
    let leads = |replica: &&Gateway| replica.status()["cluster"]["isLeading"] == true;
    let leader = replicas.iter().find(leads).expect("one leads");
    publish(&replicas, "<policies><inbound><set-bodi /></inbound></policies>");
    let refused = || {
        let (code, text) = status(leader, &["--format", "json"]);
        let told: Value = serde_json::from_str(&text).expect("JSON");
        let fault = told["wrong"][0].as_str()?.contains("policy.xml:1:");
        (code == Some(1) && fault && told["ok"] == false).then_some(told)
    };
    let told = soon(refused).unwrap_or_else(|| panic!("{}", leader.admin("/status").text()));
    for replica in &replicas {
        let told = || {
            let (code, text) = status(replica, &[]);
            (code == Some(1) && text.contains("policy.xml:1:")).then_some(())
        };
        assert!(soon(told).is_some(), "{}", replica.admin("/status").text());
    }
    assert_eq!(told["status"]["configuration"]["generation"], 1);
    let (code, text) = status(leader, &["--wait", "2", "--timeout", "1s"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("set-bodi"), "{text}");
}

#[test]
fn who_asks_nobody_is_told_so() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    assert_eq!(status(&gateway, &[]).0, Some(0));
    assert_eq!(status(&gateway, &["--wait", "1"]).0, Some(0));
    assert_eq!(status(&gateway, &["--wait", "one"]).0, Some(2));
    let address = gateway.admin;
    drop(gateway);
    for wait in [&[][..], &["--wait", "1", "--timeout", "300ms"]] {
        let (code, text) =
            said(&weir(&[&["status", "--admin", &address.to_string()], wait].concat()));
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("no gateway answers at") && text.contains("--admin"), "{text}");
    }
}

#[test]
fn the_page_shows_the_cluster_and_follows_it() {
    let etcd = Etcd::start();
    let replicas = cluster(&etcd, "0s");
    let at = replicas[0].admin;
    let mut browser = Browser::start(NARROW);
    browser.go(at, "/");
    browser.shows("generation 1 for all");
    let leader = replicas[0].status()["cluster"]["leader"].as_str().expect("a leader").to_owned();
    browser.shows(&format!("{leader}, since "));
    assert_eq!(browser.value("document.title"), "a · Weir");
    let serving = "[...document.querySelectorAll('tbody tr')].map(row => row.lastChild.innerText)";
    assert_eq!(browser.value(serving), serde_json::json!(["1", "1", "1"]));
    // Whoever was there before is there after: the page is not loaded again.
    browser.value("window.mark = document.querySelector('h1')");
    publish(&replicas, &saying("two"));
    browser.shows("generation 2 for all");
    let all = serde_json::json!(["2", "2", "2"]);
    let followed = soon(|| (browser.value(serving) == all).then_some(()));
    assert!(followed.is_some(), "{}", browser.text());
    assert_eq!(browser.value("window.mark === document.querySelector('h1')"), true);

    let roles = browser.roles();
    for (role, name) in [("heading", "Weir a"), ("table", "Replicas"), ("rowheader", "a follows")] {
        let is_leader = role == "rowheader" && leader == "a";
        let name = if is_leader { "a leads" } else { name };
        let is_it =
            |(has, named): &&(String, String)| has == role && squeezed(named) == squeezed(name);
        assert!(roles.iter().any(|node| is_it(&node)), "no {role} {name}: {roles:?}");
    }
    let own = format!("http://{at}/");
    let elsewhere: Vec<String> =
        browser.requests().into_iter().filter(|url| *url != own && url != "data:,").collect();
    assert_eq!(elsewhere, [""; 0]);
    assert_eq!(browser.complaints(), [Value::Null; 0]);
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn a_hostile_name_is_only_a_name_and_a_long_one_fits_a_phone() {
    let etcd = Etcd::start();
    let long = format!("{HOSTILE}{}", "long-name-without-any-space".repeat(8));
    let gateway = replica(&long, &etcd, "0s");
    let leads = || (gateway.status()["cluster"]["isLeading"] == true).then_some(());
    assert!(soon(leads).is_some(), "{}", gateway.admin("/status").text());
    let mut browser = Browser::start(NARROW);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.go(gateway.admin, "/");
        browser.shows(&long);
        browser.shows("generation 1 for all");
        let sizes = browser.value("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(sizes, serde_json::json!([NARROW, NARROW]), "{scheme}");
    }
    assert_eq!(browser.value("document.images.length"), 0);
    assert!(browser.value("document.title").as_str().is_some_and(|title| title.ends_with("Weir")));
    let back = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.value(back), "rgb(13, 17, 23)");
    // Whatever came in, it would not run.
    browser.value(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran=1\">')",
    );
    let blocked = soon(|| {
        let complaints = browser.complaints();
        complaints.iter().any(|entry| entry.to_string().contains("Content Security")).then_some(())
    });
    assert!(blocked.is_some());
    assert_eq!(browser.value("window.ran === undefined"), true);
}

#[test]
fn the_page_is_complete_without_scripts() {
    let etcd = Etcd::start();
    let gateway = replica("a", &etcd, "0s");
    let leads = || (gateway.status()["cluster"]["isLeading"] == true).then_some(());
    assert!(soon(leads).is_some(), "{}", gateway.admin("/status").text());
    let mut browser = Browser::start(NARROW);
    browser.without_scripts();
    browser.go(gateway.admin, "/");
    browser.shows("generation 1 for all");
    browser.shows("Without JavaScript this page stands still");
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 1);
}

#[test]
fn the_page_says_that_what_it_shows_is_old_once_nobody_answers() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    let mut browser = Browser::start(NARROW);
    browser.go(gateway.admin, "/");
    browser.shows("Nothing is wrong");
    write(gateway.folder(), "more.yaml", "apis: 7\n");
    browser.shows("One thing is wrong");
    browser.shows("more.yaml:1:");
    fs::remove_file(gateway.folder().join("more.yaml")).expect("it is there");
    browser.shows("Nothing is wrong");
    drop(gateway);
    browser.shows("what is shown is old");
}

#[test]
fn nobody_who_came_by_a_foreign_name_is_shown_the_page() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    let ask = |request: Request| Client::connect(gateway.admin).ask(&request);
    assert_eq!(ask(Request::get("/").host("rebound.example")).status, 421);
    assert_eq!(ask(Request::post("/", "").host("localhost")).status, 405);
    let page = ask(Request::get("/").host("localhost"));
    assert_eq!((page.status, page.field("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let head = ask(Request::new("HEAD", "/").host("localhost"));
    let policy = head.field("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(head.field("X-Content-Type-Options"), Some("nosniff"));
}
