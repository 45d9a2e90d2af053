//! Who stands behind a limit, and who is inside of `limit-concurrency`, as operators see it.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use crate::harness::redis::Redis;
use crate::harness::{Backend, Client, Gateway, PATIENCE, Policies, Request, Site, reply, soon};
use crate::limits_command::{
    admits, asked, counters, exhaust, fleet, get, key_of, limited, limits, told,
};

/// Answers once it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let is_open = self.is_open.lock().expect("the gate");
        let wait = self.opened.wait_timeout_while(is_open, PATIENCE, |is_open| !*is_open);
        drop(wait.expect("the gate"));
    }

    fn open(&self) {
        *self.is_open.lock().expect("the gate") = true;
        self.opened.notify_all();
    }
}

#[test]
fn who_was_refused_has_a_name_and_a_place_and_no_secret_is_shown() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.yaml("namedValues: [{name: word, value: hunter2hunter2, secret: true}]\n");
        let inbound = "<rate-limit-by-key calls=\"2\" renewal-period=\"60\" counter-key='@(\
                       context.Request.Headers.GetValueOrDefault(\"who\", \"all\"))' />\
                       <rate-limit-by-key calls=\"1\" renewal-period=\"60\" weir-shadow=\"true\" \
                       counter-key=\"{{word}}\" />\
                       <quota-by-key calls=\"1\" renewal-period=\"300\" weir-shadow=\"true\" \
                       counter-key='@(\"of \" + context.RequestId.ToString() + \"{{word}}\")' />";
        limited(site, &backend, inbound);
    });
    let statuses = [(); 3].map(|()| get(&gateway, "jane"));
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(get(&gateway, "joe"), 200);
    let name = |row: &Value| row["name"]["who"].as_str().map(str::to_owned);
    // Of one who was never refused nobody knows the name.
    let expected = [None, Some("[secret]".to_owned()), Some("jane".to_owned())];
    // They are noted once the answer is on its way.
    let named = || {
        let rows = counters(&gateway, "rate-limit-by-key");
        let mut names: Vec<_> = rows.iter().map(name).collect();
        names.sort();
        (names == expected).then_some(rows)
    };
    let rows = soon(named).unwrap_or_else(|| panic!("{}", gateway.admin("/limits").text()));
    let jane = rows.iter().find(|row| row["name"]["who"] == "jane").expect("jane");
    let place = jane["name"]["place"].as_str().expect("a place");
    assert!(place.contains("api.xml:1:"), "{jane}");
    assert!(jane["name"]["refused"].as_str().expect("a date").contains('T'), "{jane}");
    let (_, text, _) = limits(&gateway, &["top"]);
    assert!(text.contains("NAME") && text.contains("jane") && text.contains(place), "{text}");
    let (_, text, _) = limits(&gateway, &["show", key_of(jane)]);
    assert!(text.contains("name") && text.contains("jane"), "{text}");
    assert!(text.contains(&format!("rate-limit-by-key at {place}")), "{text}");
    let everything = format!(
        "{}{}{:?}{:?}",
        gateway.admin("/limits").text(),
        gateway.admin("/status").text(),
        gateway.records(),
        gateway.events()
    );
    assert!(!everything.contains("hunter2"), "{everything}");
}

/// A limit of 2 at once for each caller, before a backend that waits at a gate.
fn crowded(site: &mut Site, backend: &Backend) {
    let inside = "<limit-concurrency key='@(context.Request.Headers.GetValueOrDefault(\"who\", \
                  \"all\"))' max-count=\"2\"><forward-request /></limit-concurrency>";
    let policies = Policies { backend: inside, ..Policies::default() };
    site.open_api("api", &backend.url(), policies);
}

fn gated() -> (Arc<Gate>, Backend) {
    let gate = Arc::new(Gate::default());
    let behind = Arc::clone(&gate);
    let backend = Backend::replying(move |_seen| {
        behind.pass();
        reply(200, &[], "ok")
    });
    (gate, backend)
}

/// One request that is inside until the gate is opened; asked again if it is refused, which happens
/// where Redis does not answer in time.
fn inside(gateway: &Gateway) -> thread::JoinHandle<u16> {
    let mut client: Client = gateway.client();
    thread::spawn(move || {
        let mut ask = || client.ask(&Request::get("/api/x").field("who", "jane")).status;
        soon(|| Some(ask()).filter(|status| *status != 429)).expect("an answer")
    })
}

fn rooms(gateway: &Gateway) -> Vec<Value> {
    asked(gateway, "/limits")["permits"].as_array().expect("rows").clone()
}

#[test]
fn who_is_inside_is_shown_and_a_refusal_counts_for_its_policy() {
    let (gate, backend) = gated();
    let gateway = Gateway::start(|site| crowded(site, &backend));
    let clients = [(); 2].map(|()| inside(&gateway));
    let full = || (rooms(&gateway).first()?["inside"] == 2).then_some(());
    assert!(soon(full).is_some(), "{}", gateway.admin("/limits").text());
    assert_eq!(get(&gateway, "jane"), 429);
    // It is noted once the answer is on its way.
    let named = || rooms(&gateway).into_iter().find(|room| room["name"]["who"] == "jane");
    let room = soon(named).expect("a name");
    assert_eq!((&room["limit"], &room["inside"]), (&2.into(), &2.into()), "{room}");
    assert_eq!((&room["asOf"], &room["lent"]), (&"memory".into(), &Value::Null), "{room}");
    let refusing = &gateway.status()["limits"][0];
    assert_eq!(
        (&refusing["policy"], &refusing["refused"]),
        (&"limit-concurrency".into(), &1.into())
    );
    let (_, text, _) = limits(&gateway, &["top"]);
    assert!(text.contains("2 at once") && text.contains("jane"), "{text}");
    let key = key_of(&room);
    let shown = told(&gateway, &["show", &key[..12]]);
    assert_eq!((&shown["key"], &shown["permits"]["inside"]), (&key.into(), &2.into()));
    let (code, _, errors) = limits(&gateway, &["reset", key, "--yes"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("leaves by itself"), "{errors}");
    gate.open();
    for client in clients {
        assert_eq!(client.join().expect("a client"), 200);
    }
    let empty = || rooms(&gateway).is_empty().then_some(());
    assert!(soon(empty).is_some(), "{}", gateway.admin("/limits").text());
}

#[test]
fn permits_that_redis_lends_are_shown() {
    let redis = Redis::start();
    let (gate, backend) = gated();
    let gateways: [Gateway; 2] = fleet(&redis, |site| crowded(site, &backend));
    let client = inside(&gateways[0]);
    let lent = || {
        let room = rooms(&gateways[0]).into_iter().next()?;
        let lent = room["lent"].as_u64()?;
        (room["inside"] == 1 && 1 <= lent && room["asOf"] == "redis").then_some(room)
    };
    let room = soon(lent).expect("a permit");
    assert_eq!(
        (&room["limit"], &room["waiting"], &room["lane"]),
        (&2.into(), &0.into(), &0.into())
    );
    assert!(room["lent"].as_u64() <= room["lentToAll"].as_u64(), "{room}");
    let (_, text, _) = limits(&gateways[0], &["show", key_of(&room)]);
    assert!(text.contains("permits lent to it"), "{text}");
    gate.open();
    assert_eq!(client.join().expect("a client"), 200);
}

#[test]
fn a_bucket_is_set_back_for_all_replicas() {
    const LIMIT: u64 = 40;
    let redis = Redis::start();
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"40\" renewal-period=\"60\" counter-key=\"all\" \
                   weir-window=\"bucket\" />";
    let gateways: [Gateway; 2] = fleet(&redis, |site| limited(site, &backend, inbound));
    let ask = |gateway: &Gateway| get(gateway, "x");
    exhaust(&gateways, "rate-limit-by-key", ask);
    let before = backend.count();
    let row = counters(&gateways[0], "rate-limit-by-key").remove(0);
    assert_eq!(row["window"], "bucket", "{row}");
    let done = told(&gateways[0], &["reset", key_of(&row), "--yes"]);
    let done = &done["counters"][0];
    // It gains one in one and a half seconds, and what was bought may have been handed back.
    assert!(done["used"].as_u64().is_some_and(|used| (1..=LIMIT).contains(&used)), "{done}");
    assert_eq!((&done["left"], &done["reach"]), (&0.into(), &"all-replicas".into()), "{done}");
    for gateway in &gateways {
        admits(gateway, ask);
    }
    exhaust(&gateways, "rate-limit-by-key", ask);
    // So many it would not have gained by itself.
    assert!(before + 20 <= backend.count(), "{} after {before}", backend.count());
}
