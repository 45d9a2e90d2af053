//! The admin listener: its port, its connections, its answers.

use std::net::TcpListener;

use crate::harness::{Client, Gateway, Request};

fn serving() -> Gateway {
    Gateway::start(|site| site.yaml("apis: []\n"))
}

fn local(method: &str, target: &str) -> Request {
    Request::new(method, target).host("localhost")
}

#[test]
fn a_connection_is_kept_over_every_request_with_a_short_body_or_none() {
    let gateway = serving();
    let mut client = Client::connect(gateway.admin);
    for (request, status) in [
        (local("GET", "/livez"), 200),
        (local("HEAD", "/livez"), 200),
        (local("POST", "/reload"), 202),
        (Request::post("/reload", "").host("localhost"), 202),
        (Request::post("/reload", "now").host("localhost"), 202),
        (Request::post("/livez", "x").host("localhost"), 405),
        (local("GET", "/nothing"), 404),
        (local("GET", "/status").host("rebound.example"), 421),
        (local("GET", "/status"), 200),
        (local("GET", "/readyz"), 200),
    ] {
        let answer = client.ask(&request);
        assert_eq!(answer.status, status, "{request:?}");
        assert!(answer.field("Content-Length").is_some(), "{request:?}: {answer:?}");
        assert_ne!(answer.field("Connection"), Some("close"), "{request:?}");
    }
}

#[test]
fn a_body_that_nobody_wants_ends_the_connection_and_the_client_is_told() {
    let gateway = serving();
    let long = Request::post("/reload", vec![b'x'; 100_000]).host("localhost");
    let invited = Request::post("/reload", "x").host("localhost").field("Expect", "100-continue");
    for request in [long, invited] {
        let mut client = Client::connect(gateway.admin);
        client.offer(request.bytes());
        let answer = client.answer_to("POST");
        assert_eq!((answer.status, answer.field("Connection")), (202, Some("close")));
        assert!(client.is_closed());
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let gateway = serving();
    for (method, target, right) in
        [("DELETE", "/status", "GET, HEAD"), ("GET", "/reload", "POST"), ("PUT", "/reload", "POST")]
    {
        let answer = Client::connect(gateway.admin).ask(&local(method, target));
        assert_eq!((answer.status, answer.field("Allow")), (405, Some(right)), "{method} {target}");
    }
}

#[test]
fn an_ambiguous_request_is_refused_as_it_is_on_the_data_port() {
    let gateway = serving();
    let mut client = Client::connect(gateway.admin);
    client.send(
        "POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
    assert_eq!(gateway.generation(), 1);
}

#[test]
fn the_port_is_taken_before_the_address_is_told_and_kept_to_the_end() {
    let gateway = serving();
    // The harness asked as soon as it was told, and once.
    let error = TcpListener::bind(gateway.admin).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let idle: Vec<Client> = (0..20).map(|_| Client::connect(gateway.admin)).collect();
    assert_eq!(gateway.admin("/livez").status, 200);
    drop(idle);
}

#[test]
fn an_operator_who_stays_connected_keeps_no_gateway_from_ending() {
    let mut gateway = Gateway::start(|site| {
        site.yaml("apis: []\n");
        site.set("threads", "1");
    });
    let mut operator = Client::connect(gateway.admin);
    assert_eq!(operator.ask(&local("GET", "/readyz")).status, 200);
    gateway.signal("TERM");
    assert_eq!(gateway.end().code(), Some(0));
    assert!(operator.is_closed());
}
