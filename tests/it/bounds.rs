//! Bounds on what one client may take: bytes, time, connections.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, soon};

fn gateway(backend: &Backend, settings: impl FnOnce(&mut Site)) -> Gateway {
    Gateway::start(|site| {
        settings(site);
        site.open_api("echo", &backend.url(), Policies::default());
    })
}

#[test]
fn heads_have_bounds() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |_site| {});
    let block = |bytes: usize| {
        (0..8).fold(Request::get("/echo/a"), |request, nth| {
            request.field(&format!("X-{nth}"), &"x".repeat(bytes / 8))
        })
    };
    let fields = |count: usize| {
        (0..count)
            .fold(Request::get("/echo/a"), |request, nth| request.field(&format!("X-{nth}"), "1"))
    };
    let target = |bytes: usize| Request::get(&format!("/echo/{}", "x".repeat(bytes - 6)));
    for (request, status) in [
        (block(30 << 10), 200),
        (block(65 << 10), 431),
        (fields(99), 200),
        (fields(100), 431),
        (target(8192), 200),
        (target(8193), 414),
    ] {
        let mut client = gateway.client();
        client.offer(request.bytes());
        let answer = client.answer();
        assert_eq!(answer.status, status);
        assert_eq!(answer.status != 200, 400 <= status && client.is_closed());
    }
    assert_eq!(backend.count(), 3);
}

#[test]
fn bounds_of_heads_are_settings() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| {
        site.set("limits-header-bytes", "2KiB");
        site.set("limits-header-count", "10");
        site.set("limits-target-bytes", "256");
    });
    let large = Request::get("/echo/a").field("X", &"x".repeat(2 << 10));
    assert_eq!(gateway.ask(&large).status, 431);
    let many = (0..10).fold(Request::get("/echo/a"), |request, _| request.field("X", "1"));
    assert_eq!(gateway.ask(&many).status, 431);
    let long = Request::get(&format!("/echo/{}", "x".repeat(251)));
    assert_eq!(gateway.ask(&long).status, 414);
    assert_eq!(gateway.get("/echo/a").status, 200);
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| site.set("timeouts-header", "700ms"));
    let begun = Instant::now();
    let mut client = gateway.client();
    let mut drips =
        b"GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX: ".iter().chain(b"x".iter().cycle());
    while begun.elapsed() < Duration::from_secs(8) {
        if !client.offer([*drips.next().unwrap()]) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(backend.count(), 0);
    let mut silent = gateway.client();
    silent.send("GET /echo/a HTTP/1.1\r\nHost: a");
    let answer = silent.try_answer();
    assert!(answer.is_none_or(|answer| answer.status == 408));
    assert!(silent.is_closed());
}

#[test]
fn a_second_head_that_drips_is_cut_off_too() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| site.set("timeouts-header", "500ms"));
    let mut client = gateway.client();
    assert_eq!(client.ask(&Request::get("/echo/a")).status, 200);
    client.send("GET /echo/b HT");
    let begun = Instant::now();
    let answer = client.try_answer();
    assert!(answer.is_none_or(|answer| answer.status == 408));
    assert!(client.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_stalls_is_a_408() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| site.set("timeouts-body", "500ms"));
    let mut client = gateway.client();
    client.send("POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    let answer = client.answer();
    assert_eq!(answer.status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_connection_that_lies_idle_is_closed() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| site.set("timeouts-idle", "1s"));
    let mut client = gateway.client();
    assert_eq!(client.ask(&Request::get("/echo/a")).status, 200);
    let begun = Instant::now();
    assert!(client.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn more_connections_than_allowed_are_turned_away_until_one_ends() {
    let backend = Backend::plain();
    let gateway = gateway(&backend, |site| site.set("limits-connections", "3"));
    let mut seated: Vec<Client> = (0..3).map(|_| gateway.client()).collect();
    for client in &mut seated {
        assert_eq!(client.ask(&Request::get("/echo/a")).status, 200);
    }
    let mut fourth = gateway.client();
    fourth.offer(Request::get("/echo/a").bytes());
    assert!(fourth.try_answer().is_none());
    // Those who sit are served on.
    assert_eq!(seated[0].ask(&Request::get("/echo/a")).status, 200);
    seated.pop();
    let freed = soon(|| {
        let mut client = gateway.client();
        client.offer(Request::get("/echo/a").bytes());
        client.try_answer().filter(|answer| answer.status == 200)
    });
    assert!(freed.is_some(), "a seat is never given back");
}
