//! A configuration that changes: taken whole, or not at all, without a request that notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::site::{open_api, write};
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, reply};

/// How often the configuration changes in the long test.
const RELOADS: u64 = 1_000;
/// How many clients ask meanwhile.
const CLIENTS: usize = 50;
/// How much memory may grow between the first reloads and the last, in bytes.
const GROWTH_MAX: u64 = 24 << 20;

fn saying(word: &str) -> String {
    let inbound = format!("<return-response><set-body>{word}</set-body></return-response>");
    Policies { inbound: &inbound, ..Policies::default() }.text()
}

#[test]
fn a_change_is_picked_up_without_being_asked_for() {
    let gateway = Gateway::start(|site| {
        site.file("policy.xml", saying("old"));
        site.yaml(open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    });
    assert_eq!(gateway.get("/echo/a").text(), "old");
    write(gateway.folder(), "policy.xml", saying("a newer one"));
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").text(), "a newer one");
    assert!(gateway.event("configuration loaded").contains("\"generation\":2"));
    write(gateway.folder(), "more.yaml", open_api("more", "http://127.0.0.1:1", "policy.xml"));
    gateway.later_than(2);
    assert_eq!(gateway.get("/more/a").text(), "a newer one");
    fs::remove_file(gateway.folder().join("more.yaml")).unwrap();
    gateway.later_than(3);
    assert_eq!(gateway.get("/more/a").status, 404);
}

#[test]
fn a_bad_change_is_refused_whole_and_seen_by_everybody_who_looks() {
    let gateway = Gateway::start(|site| {
        site.file("policy.xml", saying("old"));
        site.yaml(open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    });
    write(gateway.folder(), "policy.xml", "<policies><inbound><set-bodi /></inbound></policies>");
    let event = gateway.event("configuration refused");
    assert!(event.contains("set-bodi") && event.contains("policy.xml"), "{event}");
    assert_eq!(gateway.get("/echo/a").text(), "old");
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().starts_with("ready, generation 1\n"), "{}", ready.text());
    assert!(
        ready.text().contains("newest configuration refused: policy.xml:1:"),
        "{}",
        ready.text()
    );
    let status = gateway.status();
    assert!(1 <= status["configuration"]["refused"].as_u64().unwrap(), "{status}");
    assert!(
        status["configuration"]["faults"][0].as_str().unwrap().contains("set-bodi"),
        "{status}"
    );

    write(gateway.folder(), "policy.xml", saying("mended"));
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").text(), "mended");
    assert!(!gateway.admin("/readyz").text().contains("refused"));
}

#[test]
fn a_reload_may_be_asked_for_by_post_and_by_signal() {
    let gateway = Gateway::start(|site| {
        site.set("configuration-poll-interval", "1h");
        site.file("policy.xml", saying("old"));
        site.yaml(open_api("echo", "http://127.0.0.1:1", "policy.xml"));
    });
    write(gateway.folder(), "policy.xml", saying("by post"));
    assert_eq!(ask_reload(&gateway), 202);
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").text(), "by post");
    write(gateway.folder(), "policy.xml", saying("by signal"));
    gateway.signal("HUP");
    gateway.later_than(2);
    assert_eq!(gateway.get("/echo/a").text(), "by signal");
}

#[test]
fn limits_count_on_over_a_reload() {
    let backend = Backend::plain();
    let limited = |name: &str| {
        format!(
            "<policies><inbound><base /><rate-limit-by-key calls=\"2\" renewal-period=\"300\" \
             counter-key=\"all\" /><set-header name=\"X-{name}\" exists-action=\"override\">\
             <value>1</value></set-header></inbound></policies>"
        )
    };
    let gateway = Gateway::start(|site| {
        site.file("policy.xml", limited("Old"));
        site.yaml(open_api("echo", &backend.url(), "policy.xml"));
    });
    assert_eq!(gateway.get("/echo/a").status, 200);
    write(gateway.folder(), "policy.xml", limited("New"));
    gateway.later_than(1);
    assert_eq!(gateway.get("/echo/a").status, 200);
    assert_eq!(backend.last().field("X-New"), Some("1"));
    assert_eq!(gateway.get("/echo/a").status, 429);
}

/// Writes a configuration in which two files say the same number, as Kubernetes mounts one: a
/// folder of its own, and a link that is swapped.
fn publish(folder: &Path, service: &str, number: u64) {
    let name = format!("..generation-{number}");
    let fresh = folder.join(&name);
    let stamp = |section: &str, value: &str| {
        format!(
            "<set-header name=\"X-{section}\" exists-action=\"override\"><value>{value}</value>\
             </set-header>"
        )
    };
    let (inbound, outbound) = (stamp("In", "{{number}}"), stamp("Out", &number.to_string()));
    let both = Policies { inbound: &inbound, outbound: &outbound, ..Policies::default() };
    write(&fresh, "policy.xml", both.text());
    write(&fresh, "api.yaml", open_api("echo", service, "policy.xml"));
    write(&fresh, "values.yaml", format!("namedValues: [{{name: number, value: '{number}'}}]\n"));
    let link = folder.join("..next");
    symlink(&name, &link).unwrap();
    fs::rename(&link, folder.join("..data")).unwrap();
    if let Some(before) = number.checked_sub(3) {
        // The one that nobody reads any more.
        let _ = fs::remove_dir_all(folder.join(format!("..generation-{before}")));
    }
}

fn ask_reload(gateway: &Gateway) -> u16 {
    let request = Request::post("/reload", "").host("localhost");
    Client::connect(gateway.admin).ask(&request).status
}

fn generation(gateway: &Gateway) -> u64 {
    let answer = gateway.admin("/readyz");
    let text = answer.text().trim().to_owned();
    text.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Asks until it is told to stop: every answer is whole and of one generation.
fn client(gateway: &Gateway, over: &AtomicBool, asked: &AtomicUsize) {
    let mut client = gateway.client();
    while !over.load(Ordering::Relaxed) {
        let answer = client.ask(&Request::get("/echo/a"));
        assert_eq!(answer.status, 200);
        // The backend repeats what inbound said; outbound says it again.
        let (inbound, outbound) = (answer.field("X-In"), answer.field("X-Out"));
        assert!(inbound.is_some() && inbound == outbound, "{inbound:?} and {outbound:?}");
        asked.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Tells the clients that it is over, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_reloads_under_load_fail_no_request_and_show_no_mixture() {
    let backend = Backend::replying(|seen| {
        thread::sleep(Duration::from_millis(2));
        reply(200, &[("X-In", seen.field("X-In").unwrap_or("none"))], "x")
    });
    let mut site = Site::new();
    publish(site.path(), &backend.url(), 1);
    symlink("..data/policy.xml", site.path().join("policy.xml")).unwrap();
    symlink("..data/api.yaml", site.path().join("api.yaml")).unwrap();
    symlink("..data/values.yaml", site.path().join("values.yaml")).unwrap();
    site.set("configuration-poll-interval", "10s");
    site.set("log-access", "off");
    let gateway = Gateway::over(site);
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let memory = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| client(&gateway, &over, &asked))).collect();
        let _over = Over(&over);
        let mut memory = Vec::new();
        for number in 2..=RELOADS + 1 {
            publish(gateway.folder(), &backend.url(), number);
            assert_eq!(ask_reload(&gateway), 202);
            let loaded = crate::harness::soon(|| (generation(&gateway) == number).then_some(()));
            assert!(loaded.is_some(), "stuck before {number}: {}", gateway.events().join("\n"));
            if number.is_multiple_of(RELOADS / 10) {
                memory.push(gateway.memory());
            }
            assert!(clients.iter().all(|client| !client.is_finished()), "a client failed");
        }
        memory
    });
    assert!(CLIENTS * 10 < asked.load(Ordering::Relaxed));
    let (early, late) = (memory[1], memory[memory.len() - 1]);
    assert!(late < early + GROWTH_MAX, "memory grew: {memory:?}");
    assert!(gateway.events().iter().all(|event| !event.contains("\"level\":\"ERROR\"")));
}
