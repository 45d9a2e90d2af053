//! Checks of the health of backends, and what replicas tell each other of backends.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::harness::backend::NOBODY;
use crate::harness::redis::Redis;
use crate::harness::shared::{Done, Shared, read};
use crate::harness::{Backend, Gateway, Policies, Site, reply, soon};

/// A backend whose health may change: what it answers to `/healthz`; all else is well.
fn moody(status: u16) -> (Backend, Arc<AtomicU16>) {
    let mood = Arc::new(AtomicU16::new(status));
    let own = Arc::clone(&mood);
    let backend = Backend::replying(move |seen| {
        let is_check = seen.target.starts_with("/healthz");
        reply(if is_check { own.load(Ordering::SeqCst) } else { 200 }, &[], "said")
    });
    (backend, mood)
}

/// How many of its requests were none of checks.
fn served(backend: &Backend) -> usize {
    backend.seen().iter().filter(|seen| !seen.target.starts_with("/healthz")).count()
}

/// A gateway with the API `echo` before `to`, one of these backends.
fn put(site: &mut Site, backends: &str, to: &str) {
    site.yaml(format!("backends:\n{backends}"));
    let inbound = format!("<set-backend-service backend-id=\"{to}\" />");
    site.open_api("echo", NOBODY, Policies { inbound: &inbound, ..Policies::default() });
}

fn gateway(backends: &str, to: &str) -> Gateway {
    Gateway::start(|site| put(site, backends, to))
}

/// Waits until the metrics have a line that begins so.
fn says(gateway: &Gateway, line: &str) {
    let page = || gateway.admin("/metrics").text().to_owned();
    let of_backends = |page: String| -> Vec<String> {
        let lines = page.lines().filter(|line| line.starts_with("weir_backend"));
        lines.map(str::to_owned).collect()
    };
    soon(|| page().lines().any(|it| it.starts_with(line)).then_some(()))
        .unwrap_or_else(|| panic!("{line}: {:#?}", of_backends(page())));
}

/// That a backend is taken to be well, or not.
fn is_healthy(gateway: &Gateway, backend: &str, wanted: u8) {
    says(gateway, &format!("weir_backend_healthy{{backend=\"{backend}\"}} {wanted}"));
}

const EACH_SECOND: &str =
    "healthCheck: {path: /healthz, interval: 1s, unhealthyAfter: 2, healthyAfter: 1}";

#[test]
fn who_fails_its_checks_gets_nothing_until_it_is_well_again() {
    let [(east, mood), (west, _)] = [moody(200), moody(200)];
    let mut text = String::new();
    for (id, backend) in [("east", &east), ("west", &west)] {
        let url = backend.url();
        writeln!(text, "  - id: {id}\n    url: {url}/base\n    {EACH_SECOND}").unwrap();
        writeln!(text, "    credentials: {{header: {{X-Key: of-{id}}}}}").unwrap();
    }
    text.push_str("  - {id: all, type: Pool, pool: {services: [{id: east}, {id: west}]}}\n");
    let gateway = gateway(&text, "all");
    is_healthy(&gateway, "east", 1);
    let check = soon(|| east.seen().into_iter().find(|it| it.target == "/healthz")).unwrap();
    assert_eq!((check.method.as_str(), check.field("X-Key")), ("GET", Some("of-east")));
    assert!(check.field("User-Agent").is_some_and(|name| name.ends_with("(health check)")));
    mood.store(503, Ordering::SeqCst);
    is_healthy(&gateway, "east", 0);
    says(&gateway, "weir_backend_pool_members_available{pool=\"all\"} 1");
    let line = gateway.event("checks of its health found that the backend cannot serve");
    for part in ["\"backend\":\"east\"", "\"check\":\"http\"", "503"] {
        assert!(line.contains(part), "{line}");
    }
    let before = served(&east);
    for _ in 0..10 {
        assert_eq!(gateway.get("/echo/a").status, 200);
    }
    assert_eq!((served(&east), served(&west)), (before, 10));
    mood.store(204, Ordering::SeqCst);
    is_healthy(&gateway, "east", 1);
    gateway.event("the backend can serve again");
    for _ in 0..10 {
        assert_eq!(gateway.get("/echo/a").status, 200);
    }
    assert_eq!((served(&east), served(&west)), (before + 5, 15));
}

#[test]
fn a_backend_alone_that_cannot_serve_is_not_asked_and_one_that_is_gone_is_found_by_connecting() {
    let (east, _) = moody(500);
    let text = format!(
        "  - id: east\n    url: {}\n    {EACH_SECOND}\n  - id: gone\n    url: {NOBODY}\n    \
         healthCheck: {{type: tcp, interval: 7s}}\n",
        east.url(),
    );
    let gateway = gateway(&text, "east");
    // The first check decides.
    is_healthy(&gateway, "east", 0);
    let refused = gateway.get("/echo/a");
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")), "{refused:?}");
    assert_eq!(gateway.record("/echo/a")["lastErrorReason"], "BackendUnavailable");
    assert_eq!(served(&east), 0);
    is_healthy(&gateway, "gone", 0);
}

#[test]
fn where_too_few_are_well_the_checks_are_not_believed() {
    let [(east, _), (west, _)] = [moody(500), moody(500)];
    let mut text = String::new();
    for (id, backend) in [("east", &east), ("west", &west)] {
        writeln!(text, "  - id: {id}\n    url: {}\n    {EACH_SECOND}", backend.url()).unwrap();
    }
    let services = "services: [{id: east}, {id: west}]";
    writeln!(text, "  - {{id: all, type: Pool, pool: {{{services}, panicThreshold: 50}}}}")
        .unwrap();
    writeln!(text, "  - {{id: strict, type: Pool, pool: {{{services}}}}}").unwrap();
    let gateway = gateway(&text, "all");
    for id in ["east", "west"] {
        is_healthy(&gateway, id, 0);
    }
    for _ in 0..10 {
        assert_eq!(gateway.get("/echo/a").status, 200);
    }
    assert_eq!((served(&east), served(&west)), (5, 5));
    says(&gateway, "weir_backend_pool_members_available{pool=\"strict\"} 0");
}

/// Answers to the health service of gRPC: what the number says of the service `stock`.
fn stock(status: Arc<AtomicU16>) -> Shared {
    Shared::answering(move |request, mut respond, _number| -> Done {
        let status = status.load(Ordering::SeqCst);
        Box::pin(async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            assert_eq!(request.headers()["content-type"], "application/grpc");
            let asked = read(request.into_body()).await?;
            assert_eq!(asked.as_ref(), b"\0\0\0\0\x07\x0a\x05stock");
            let mut trailers = HeaderMap::new();
            let Ok(status @ 1..=9) = u8::try_from(status) else {
                trailers.insert("grpc-status", "5".parse().unwrap());
                let mut stream = respond.send_response(Response::new(()), false)?;
                return stream.send_trailers(trailers);
            };
            trailers.insert("grpc-status", "0".parse().unwrap());
            let mut stream = respond.send_response(Response::new(()), false)?;
            stream.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]), false)?;
            stream.send_trailers(trailers)
        })
    })
}

#[test]
fn the_health_service_of_grpc_is_asked_for_a_service() {
    let status = Arc::new(AtomicU16::new(1));
    let service = stock(Arc::clone(&status));
    let check = "healthCheck: {type: grpc, service: stock, interval: 1s, unhealthyAfter: 1, healthyAfter: 1}";
    let gateway =
        gateway(&format!("  - id: own\n    url: {}\n    {check}\n", service.url()), "own");
    says(&gateway, "weir_backend_health_checks_total{backend=\"own\",outcome=\"well\"} 1");
    is_healthy(&gateway, "own", 1);
    for (said, why) in [(2, "says 2"), (100, "status 5 of gRPC")] {
        status.store(said, Ordering::SeqCst);
        is_healthy(&gateway, "own", 0);
        gateway.event(why);
        status.store(1, Ordering::SeqCst);
        is_healthy(&gateway, "own", 1);
    }
    assert_eq!(service.connections(), 1, "it is the connection of requests, too");
}

#[test]
fn three_gateways_share_a_trip_within_a_second() {
    let redis = Redis::start();
    let backend = Backend::replying(|_seen| reply(500, &[], "said"));
    let breaker = |shared: &str| {
        format!(
            "    circuitBreaker:\n      shared: {shared}\n      rules:\n        - name: failing\n          \
             failureCondition: {{count: 3, interval: PT1M}}\n          tripDuration: PT60S\n"
        )
    };
    let start = |shared: &str| {
        Gateway::start(|site| {
            site.set("redis-url", &format!("redis://{}", redis.at()));
            put(
                site,
                &format!("  - id: east\n    url: {}\n{}", backend.url(), breaker(shared)),
                "east",
            );
        })
    };
    let gateways = [start("true"), start("true"), start("true"), start("false")];
    let [first, second, third, alone] = &gateways;
    let open = |gateway: &Gateway| {
        gateway.admin("/metrics").text().contains("weir_backend_circuit_state{backend=\"east\"} 1")
    };
    // All of them have read the table, so that connecting is not a part of what is measured.
    thread::sleep(Duration::from_millis(500));
    for _ in 0..3 {
        assert_eq!(first.get("/echo/a").status, 500);
    }
    let tripped = Instant::now();
    soon(|| (open(second) && open(third)).then_some(())).expect("they are told");
    let took = tripped.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for gateway in [second, third] {
        let refused = gateway.get("/echo/a");
        assert_eq!(refused.status, 503, "{refused:?}");
        let left: u64 = refused.field("Retry-After").unwrap().parse().unwrap();
        assert!((50..=60).contains(&left), "{left}");
        let line = gateway.event("another replica has opened a circuit");
        assert!(line.contains("east"), "{line}");
        let page = gateway.admin("/metrics").text().to_owned();
        assert!(page.contains("weir_backend_circuit_trips_total{backend=\"east\"} 0"), "{page}");
    }
    assert_eq!(backend.count(), 3);
    assert_eq!(alone.get("/echo/a").status, 500, "its rule says that it is not shared");
    // Who comes later is told, too.
    let late = start("true");
    soon(|| open(&late).then_some(())).expect("it is told");
    assert_eq!(late.get("/echo/a").status, 503);
}

#[test]
fn without_redis_each_acts_alone_and_shares_again_when_it_is_back() {
    let mut redis = Redis::start();
    let backend = Backend::replying(|_seen| reply(500, &[], "said"));
    let breaker = "    circuitBreaker:\n      rules:\n        - name: failing\n          \
                   failureCondition: {count: 2, interval: PT1M}\n          tripDuration: PT60S\n";
    let start = || {
        Gateway::start(|site| {
            site.set("redis-url", &format!("redis://{}", redis.at()));
            put(site, &format!("  - id: east\n    url: {}\n{breaker}", backend.url()), "east");
        })
    };
    let [first, second] = [start(), start()];
    redis.kill();
    first.event("circuits of backends are those of this replica alone");
    for _ in 0..2 {
        assert_eq!(first.get("/echo/a").status, 500);
    }
    assert_eq!((first.get("/echo/a").status, second.get("/echo/a").status), (503, 500));
    redis.restart();
    soon(|| {
        second.admin("/metrics").text().contains("circuit_state{backend=\"east\"} 1").then_some(())
    })
    .expect("it is told");
}
