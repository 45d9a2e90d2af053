//! Pools of backends and circuit breakers: who gets what, who is left alone, and for how long.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::harness::backend::NOBODY;
use crate::harness::{Backend, Gateway, Policies, Request, reply, soon};

/// A backend that answers with a status that may change.
fn moody(status: u16) -> (Backend, Arc<AtomicU16>) {
    let mood = Arc::new(AtomicU16::new(status));
    let own = Arc::clone(&mood);
    let backend = Backend::replying(move |_seen| reply(own.load(Ordering::SeqCst), &[], "said"));
    (backend, mood)
}

/// A circuit that opens with so many failures.
fn breaker(count: u32, trip: &str) -> String {
    format!(
        "    circuitBreaker:\n      rules:\n        - name: failing\n          \
         failureCondition: {{count: {count}, interval: PT1M}}\n          tripDuration: {trip}\n"
    )
}

fn single(id: &str, url: &str, rest: &str) -> String {
    format!("  - id: {id}\n    url: {url}\n{rest}")
}

fn pool(services: &str, rest: &str) -> String {
    format!("  - id: all\n    type: Pool\n    pool:\n      services: [{services}]\n{rest}")
}

const TO_POOL: Policies<'_> = Policies {
    inbound: "<set-backend-service backend-id=\"all\" />",
    backend: "",
    outbound: "",
    on_error: "<set-header name=\"X-Why\"><value>@(context.LastError.Source + \" \" + \
               context.LastError.Reason)</value></set-header>",
};

/// A gateway with the API `echo`, and these backends.
fn gateway(backends: &[String], policies: Policies<'_>) -> Gateway {
    Gateway::start(|site| {
        let mut text = "backends:\n".to_owned();
        for backend in backends {
            write!(text, "{backend}").unwrap();
        }
        site.yaml(text);
        site.open_api("echo", NOBODY, policies);
    })
}

#[test]
fn requests_are_shared_by_weight_and_each_member_has_credentials_of_its_own() {
    let [(east, _), (west, _), (spare, _)] = [moody(200), moody(200), moody(200)];
    let gateway = gateway(
        &[
            single("east", &east.url(), "    credentials: {header: {X-Key: of-east}}\n"),
            single("west", &west.url(), "    credentials: {header: {X-Key: of-west}}\n"),
            single("spare", &spare.url(), ""),
            pool("{id: east, weight: 3}, {id: west}, {id: spare, priority: 2}", ""),
        ],
        TO_POOL,
    );
    for _ in 0..40 {
        assert_eq!(gateway.get("/echo/a").status, 200);
    }
    assert_eq!((east.count(), west.count(), spare.count()), (30, 10, 0));
    assert!(east.seen().iter().all(|seen| seen.field("X-Key") == Some("of-east")));
    assert!(west.seen().iter().all(|seen| seen.field("X-Key") == Some("of-west")));
    // Bodies that stream go the other way, and share the same turns.
    let body = "x".repeat(200 << 10);
    for _ in 0..8 {
        assert_eq!(gateway.ask(&Request::post("/echo/a", &body)).status, 200);
    }
    assert_eq!((east.count(), west.count()), (36, 12));
    let page = gateway.admin("/metrics").text().to_owned();
    for line in [
        "weir_backend_pool_requests_total{pool=\"all\",backend=\"east\"} 36",
        "weir_backend_pool_members_available{pool=\"all\"} 3",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
}

#[test]
fn a_circuit_opens_says_until_when_and_closes() {
    let (east, mood) = moody(500);
    let east_entry = single("east", &east.url(), &breaker(3, "PT2S"));
    let policies = Policies { inbound: "<set-backend-service backend-id=\"east\" />", ..TO_POOL };
    let gateway = gateway(&[east_entry], policies);
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo/a").status, 500);
    }
    let opened = Instant::now();
    mood.store(200, Ordering::SeqCst);
    let refused = gateway.get("/echo/refused");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.field("Retry-After"), Some("2"));
    assert_eq!(refused.field("X-Why"), Some("forward-request BackendUnavailable"));
    assert_eq!(gateway.record("/echo/refused")["lastErrorReason"], "BackendUnavailable");
    gateway.event("a circuit has opened");
    assert!(
        gateway.admin("/metrics").text().contains("weir_backend_circuit_state{backend=\"east\"} 1")
    );
    assert_eq!(east.count(), 3, "nothing is sent while it is open");
    // A body that streams is refused in the same way.
    assert_eq!(gateway.ask(&Request::post("/echo/a", "x".repeat(200 << 10))).status, 503);
    soon(|| (gateway.get("/echo/a").status == 200).then_some(())).expect("it closes");
    let took = opened.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_secs(4)).contains(&took), "{took:?}");
    let page = gateway.admin("/metrics").text().to_owned();
    assert!(page.contains("weir_backend_circuit_trips_total{backend=\"east\"} 1"), "{page}");
}

#[test]
fn a_circuit_stays_open_over_a_reload() {
    let (east, _mood) = moody(500);
    let entry = format!("backends:\n{}", single("east", &east.url(), &breaker(2, "PT5M")));
    let policies = Policies { inbound: "<set-backend-service backend-id=\"east\" />", ..TO_POOL };
    let gateway = Gateway::start(|site| {
        site.yaml(&entry);
        site.open_api("echo", NOBODY, policies);
    });
    for _ in 0..2 {
        assert_eq!(gateway.get("/echo/a").status, 500);
    }
    let before = gateway.generation();
    std::fs::write(gateway.folder().join("more.yaml"), "namedValues:\n  - {name: a, value: b}\n")
        .unwrap();
    gateway.later_than(before);
    assert_eq!(gateway.get("/echo/a").status, 503);
    assert_eq!(east.count(), 2);
}

#[test]
fn a_try_that_failed_is_followed_by_one_at_somebody_else() {
    let [(east, _), (west, _)] = [moody(503), moody(200)];
    let backend = "<retry condition=\"@(context.Response.StatusCode >= 500)\" count=\"2\" \
                   interval=\"0\"><forward-request /></retry>";
    let gateway = gateway(
        &[
            single("east", &east.url(), ""),
            single("west", &west.url(), ""),
            pool("{id: east, weight: 100}, {id: west}", ""),
        ],
        Policies { backend, ..TO_POOL },
    );
    for _ in 0..20 {
        assert_eq!(gateway.get("/echo/a").status, 200);
    }
    assert_eq!(west.count(), 20);
    assert!(19 <= east.count() && east.count() <= 20, "{}", east.count());
}

#[test]
fn a_session_stays_with_its_member() {
    let [(east, _), (west, _)] = [moody(200), moody(200)];
    let affinity = "      sessionAffinity: {sessionId: {source: Cookie, name: SessionId}}\n";
    let gateway = gateway(
        &[
            single("east", &east.url(), ""),
            single("west", &west.url(), ""),
            pool("{id: east}, {id: west}", affinity),
        ],
        TO_POOL,
    );
    let first = gateway.get("/echo/a");
    let cookie = first.field("Set-Cookie").expect("a cookie").to_owned();
    assert!(cookie.starts_with("SessionId=") && cookie.ends_with("; Path=/; HttpOnly"), "{cookie}");
    let (pair, _attributes) = cookie.split_once(';').unwrap();
    let counted = (east.count(), west.count());
    for _ in 0..10 {
        let answer = gateway.ask(&Request::get("/echo/a").field("Cookie", &format!("a=b; {pair}")));
        assert_eq!((answer.status, answer.field("Set-Cookie")), (200, None));
    }
    let more = (east.count() - counted.0, west.count() - counted.1);
    assert!(more == (10, 0) || more == (0, 10), "{more:?}");
    // Others take turns, also where bodies stream.
    let streamed = gateway.ask(&Request::post("/echo/a", "x".repeat(200 << 10)));
    assert!(streamed.field("Set-Cookie").is_some_and(|it| it.starts_with("SessionId=")));
}

#[test]
fn when_all_are_dead_it_is_a_503_and_when_one_is_back_it_serves() {
    let [(east, of_east), (west, of_west)] = [moody(500), moody(500)];
    let gateway = gateway(
        &[
            single("east", &east.url(), &breaker(1, "PT2S")),
            single("west", &west.url(), &breaker(1, "PT3S")),
            pool("{id: east}, {id: west, priority: 2}", ""),
        ],
        TO_POOL,
    );
    for _ in 0..2 {
        assert_eq!(gateway.get("/echo/a").status, 500);
    }
    let refused = gateway.get("/echo/a");
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("2")));
    assert_eq!((east.count(), west.count()), (1, 1));
    let back = Instant::now();
    of_east.store(200, Ordering::SeqCst);
    of_west.store(200, Ordering::SeqCst);
    soon(|| (gateway.get("/echo/a").status == 200).then_some(())).expect("it recovers");
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    assert_eq!(west.count(), 1, "the better group is back");
}

#[test]
fn a_backend_that_cannot_be_reached_is_left_alone_by_both_ways_and_by_policies() {
    let (west, _) = moody(200);
    let inbound = "<choose><when condition=\"@(context.Request.Url.Path.EndsWith(&quot;asked&quot;))\">\
                   <invoke-request backend-id=\"all\" url=\"/asked\" /></when></choose>\
                   <set-backend-service backend-id=\"all\" />";
    let gateway = gateway(
        &[
            single("east", NOBODY, &breaker(1, "PT5M")),
            single("west", &west.url(), ""),
            pool("{id: east}, {id: west}", ""),
        ],
        Policies { inbound, ..TO_POOL },
    );
    let body = "x".repeat(200 << 10);
    let statuses: Vec<u16> =
        (0..4).map(|_| gateway.ask(&Request::post("/echo/a", &body)).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 1, "{statuses:?}");
    for path in ["/echo/a", "/echo/asked"] {
        for _ in 0..4 {
            assert_eq!(gateway.get(path).status, 200, "{path}");
        }
    }
}
