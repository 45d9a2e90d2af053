//! Quotas of bandwidth while bodies are on their way, and what is held for a response that never
//! comes, in memory and over a real Redis.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::redis::Redis;
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, Then, reply, soon};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How long the downloads are, and how much of them comes before somebody says so.
const WHOLE: u64 = 16 * MIB;
const FIRST: u64 = 6 * MIB;

/// A flag that somebody waits for.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn wait(&self) -> std::io::Result<()> {
        let open = soon(|| self.0.load(Ordering::SeqCst).then_some(()));
        open.ok_or_else(|| ErrorKind::TimedOut.into())
    }
}

/// Sends downloads the rest of which waits for the gate, from `/large`; else a short text.
fn downloads(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |seen, stream| {
        if !seen.target.ends_with("/large") {
            stream.write_all(&reply(200, &[], "short"))?;
            return Ok(Then::Keep);
        }
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {WHOLE}\r\n\r\n").as_bytes())?;
        stream.write_all(&vec![b'x'; size(FIRST)])?;
        gate.wait()?;
        stream.write_all(&vec![b'x'; size(WHOLE - FIRST)])?;
        Ok(Then::Keep)
    })
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("it fits")
}

fn quota(bytes: u64) -> String {
    let kilobytes = bytes / KIB;
    // A busy machine may be slow: nobody is refused because Redis is.
    format!(
        "<quota-by-key bandwidth=\"{kilobytes}\" renewal-period=\"0\" counter-key=\"k\" \
         weir-max-wait=\"1s\" />"
    )
}

fn one(site: &mut Site, backend: &Backend, inbound: &str) {
    site.open_api("api", &backend.url(), Policies { inbound, ..Policies::default() });
}

/// Two gateways that share what `inbound` limits.
fn pair(redis: &Redis, backend: &Backend, inbound: &str) -> [Gateway; 2] {
    let pair = ["a", "b"].map(|name| {
        Gateway::start(|site| {
            one(site, backend, inbound);
            site.set("redis-url", &format!("redis://{}", redis.at()));
            site.set("replica-name", name);
            site.set("replica-expected", "2");
        })
    });
    for gateway in &pair {
        let both = || {
            let lane = gateway.status()["counters"]["shared"]["lanes"][0].clone();
            (lane["state"] == "in-touch" && lane["replicas"] == 2).then_some(())
        };
        assert!(soon(both).is_some(), "{}", gateway.admin("/status").text());
    }
    pair
}

/// How much is used of the only limit, as the gateway sees it.
fn used(gateway: &Gateway) -> Option<u64> {
    let top: Value = serde_json::from_slice(&gateway.admin("/limits").body).expect("JSON");
    top["limits"][0]["used"].as_u64()
}

#[track_caller]
fn await_used(gateway: &Gateway, fits: impl Fn(u64) -> bool) {
    let found = soon(|| used(gateway).filter(|used| fits(*used)));
    assert!(found.is_some(), "{:?}", used(gateway));
}

/// Asks for a download, and takes what comes before the gate is open.
fn begin_download(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    client.send(Request::get("/api/large").bytes());
    assert!(client.head().expect("a head").line.contains(" 200 "));
    assert_eq!(client.raw(size(FIRST)).len(), size(FIRST));
    client
}

#[test]
fn a_download_is_counted_while_it_runs_and_to_the_byte_when_it_ends() {
    let gate = Gate::default();
    let backend = downloads(&gate);
    let gateway = Gateway::start(|site| one(site, &backend, &quota(1024 * MIB)));
    let mut client = begin_download(&gateway);
    // What is delivered is counted before it is.
    let now = used(&gateway).expect("it is counted");
    assert!((FIRST..FIRST + 2 * MIB).contains(&now), "{now}");
    gate.open();
    assert_eq!(client.raw(size(WHOLE - FIRST)).len(), size(WHOLE - FIRST));
    await_used(&gateway, |used| used == WHOLE);
    assert_eq!(gateway.get("/api/short").status, 200);
    await_used(&gateway, |used| used == WHOLE + 5);
}

#[test]
fn an_upload_is_counted_while_it_runs() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| one(site, &backend, &quota(1024 * MIB)));
    let mut client = gateway.client();
    client.send(format!("POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: {WHOLE}\r\n\r\n"));
    client.send(vec![b'x'; size(FIRST)]);
    await_used(&gateway, |used| (FIRST..FIRST + 2 * MIB).contains(&used));
    client.send(vec![b'x'; size(WHOLE - FIRST)]);
    assert_eq!(client.answer().text(), "backend");
    await_used(&gateway, |used| used == WHOLE + 7);
}

#[test]
fn what_a_response_is_likely_to_be_is_held_until_it_is_there() {
    let gate = Gate::default();
    let kept = gate.clone();
    let backend = Backend::scripted(move |_seen, stream| {
        kept.wait()?;
        stream.write_all(&reply(200, &[], "short"))?;
        Ok(Then::Keep)
    });
    let gateway = Gateway::start(|site| one(site, &backend, &quota(1024 * MIB)));
    let mut first = gateway.client();
    first.send(Request::get("/api/x").bytes());
    await_used(&gateway, |used| used == 16 * KIB);
    gate.open();
    assert_eq!(first.answer().text(), "short");
    await_used(&gateway, |used| used == 5);
    // The first guess is forgotten once something is known.
    assert_eq!(gateway.get("/api/x").status, 200);
    await_used(&gateway, |used| used == 10);
}

#[test]
fn a_download_that_breaks_off_is_counted_as_far_as_it_came() {
    let gate = Gate::default();
    let backend = downloads(&gate);
    let gateway = Gateway::start(|site| one(site, &backend, &quota(1024 * MIB)));
    drop(begin_download(&gateway));
    await_used(&gateway, |used| used == FIRST);
}

#[test]
fn another_gateway_refuses_before_a_download_ends_that_uses_the_quota_up() {
    let gate = Gate::default();
    let (redis, backend) = (Redis::start(), downloads(&gate));
    let [a, b] = pair(&redis, &backend, &quota(4 * MIB));
    let mut client = begin_download(&a);
    let refused = soon(|| Some(b.get("/api/short")).filter(|answer| answer.status != 200));
    let refused = refused.unwrap_or_else(|| panic!("{:?} {:?}", used(&a), used(&b)));
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("Out of bandwidth quota."), "{}", refused.text());
    assert_eq!(a.get("/api/short").status, 403);
    gate.open();
    assert_eq!(client.raw(size(WHOLE - FIRST)).len(), size(WHOLE - FIRST), "nobody is cut off");
    // What other requests used before they were refused is counted as well.
    await_used(&a, |used| (WHOLE..WHOLE + MIB).contains(&used));
}

#[test]
fn what_a_killed_gateway_had_delivered_stays_counted() {
    let gate = Gate::default();
    let (redis, backend) = (Redis::start(), downloads(&gate));
    let [mut a, b] = pair(&redis, &backend, &quota(4 * MIB));
    let client = begin_download(&a);
    await_used(&a, |used| FIRST <= used);
    a.signal("KILL");
    a.end();
    drop(client);
    let refused = soon(|| Some(b.get("/api/short").status).filter(|status| *status != 200));
    assert_eq!(refused, Some(403), "{:?}", used(&b));
}

/// Answers what ends with `held` only once the gate is open.
fn holding(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |seen, stream| {
        if seen.target.ends_with("/held") {
            gate.wait()?;
        }
        stream.write_all(&reply(200, &[], "fine"))?;
        Ok(Then::Keep)
    })
}

/// A client leaves whose request holds the only call there is.
fn a_client_leaves(gate: &Gate, backend: &Backend, gateway: &Gateway) {
    let mut first = gateway.client();
    first.send(Request::get("/api/held").bytes());
    assert!(backend.wait().target.ends_with("/held"));
    assert_eq!(gateway.get("/api/x").status, 429, "it is held");
    drop(first);
    let admitted = soon(|| Some(gateway.get("/api/x").status).filter(|status| *status == 200));
    assert!(admitted.is_some(), "{:?}", used(gateway));
    gate.open();
    for _ in 0..3 {
        assert_eq!(gateway.get("/api/x").status, 200, "nothing stays counted");
    }
}

#[test]
fn what_is_held_for_a_client_that_leaves_is_given_back() {
    let inbound = "<rate-limit-by-key calls=\"1\" renewal-period=\"300\" counter-key=\"k\" \
                   weir-counting=\"reserve\" weir-mode=\"exact\" weir-window=\"fixed\" \
                   weir-max-wait=\"1s\" \
                   increment-condition='@(context.Response.StatusCode == 401)' />";
    let gate = Gate::default();
    let backend = holding(&gate);
    let alone = Gateway::start(|site| one(site, &backend, inbound));
    a_client_leaves(&gate, &backend, &alone);

    let (gate, redis) = (Gate::default(), Redis::start());
    let backend = holding(&gate);
    let [a, _b] = pair(&redis, &backend, inbound);
    a_client_leaves(&gate, &backend, &a);
}
