//! Requests that two parsers could read in two ways are refused, and nothing of them travels on.

use crate::harness::{Backend, Client, End, Gateway, Policies, Request};

fn gateway(backend: &Backend) -> Gateway {
    Gateway::start(|site| site.open_api("echo", &backend.url(), Policies::default()))
}

/// Sends `bytes` on a connection of its own; the answer, and whether the connection ended with it.
fn sent(gateway: &Gateway, bytes: &[u8]) -> (u16, bool) {
    let mut client: Client = gateway.client();
    client.offer(bytes);
    let Some(answer) = client.try_answer() else {
        panic!("no answer to {:?}", String::from_utf8_lossy(bytes));
    };
    (answer.status, client.is_closed())
}

/// Each is answered with `status`, the connection ends, and no byte reaches a backend.
fn refused(cases: &[(&str, u16)]) {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    for (text, status) in cases {
        // What follows must never be read as a request.
        let bytes = format!("{text}GET /echo/evil HTTP/1.1\r\nHost: a.example\r\n\r\n");
        assert_eq!(sent(&gateway, bytes.as_bytes()), (*status, true), "{text:?}");
    }
    let seen = backend.seen();
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(gateway.get("/echo/fine").status, 200);
}

/// Heads with these fields beside a `Host`.
fn refused_fields(cases: &[(&str, u16)]) {
    let heads: Vec<(String, u16)> = cases
        .iter()
        .map(|(fields, status)| {
            (format!("POST /echo/a HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n\r\n"), *status)
        })
        .collect();
    let cases: Vec<_> = heads.iter().map(|(head, status)| (head.as_str(), *status)).collect();
    refused(&cases);
}

#[test]
fn a_length_and_a_coding_at_once_are_refused() {
    refused_fields(&[
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", 400),
    ]);
}

#[test]
fn a_length_that_is_no_plain_number_is_refused() {
    let lengths =
        ["3, 3", "+3", "-1", "0x3", "1_0", "3 3", "3;", "", "18446744073709551619", "3\u{b}", "03"];
    let fields: Vec<_> = lengths.iter().map(|length| format!("Content-Length: {length}")).collect();
    let mut cases: Vec<_> = fields.iter().map(|field| (field.as_str(), 400)).collect();
    cases.push(("Content-Length: 3\r\nContent-Length: 3", 400));
    cases.push(("Content-Length: 3\r\nContent-Length: 4", 400));
    refused_fields(&cases);
}

#[test]
fn a_coding_that_is_not_chunked_is_refused() {
    refused_fields(&[
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: ,chunked", 400),
        ("Transfer-Encoding: gzip, chunked", 400),
        ("Transfer-Encoding: xchunked", 400),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: chunked;q=1", 400),
        ("Transfer-Encoding: \"chunked\"", 400),
        ("Transfer-Encoding: \u{b}chunked", 400),
        ("Transfer-Encoding: \u{a0}chunked", 400),
        ("Transfer-Encoding: chunked\0", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding: identity", 400),
    ]);
}

#[test]
fn http10_has_no_chunks_and_no_second_request() {
    refused(&[(
        "POST /echo/a HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    )]);
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    let bytes = "POST /echo/a HTTP/1.0\r\nHost: a.example\r\n\r\n\
                 GET /echo/evil HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let (status, closed) = sent(&gateway, bytes.as_bytes());
    assert!(status == 200 || status == 400, "{status}");
    assert!(closed);
    assert!(backend.seen().iter().all(|seen| seen.target == "/a" && seen.length == 0));
}

#[test]
fn chunks_that_are_none_never_become_a_whole_body() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    for chunks in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3_1\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabcXX0\r\n\r\n",
        "x\r\nabc\r\n0\r\n\r\n",
    ] {
        let head =
            "POST /echo/chunks HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = gateway.client();
        client.send(format!("{head}{chunks}"));
        client.end();
        let answer = client.try_answer();
        assert!(answer.is_none_or(|answer| answer.status == 400), "{chunks:?}");
        assert!(client.is_closed(), "{chunks:?}");
    }
    let whole = backend.seen().iter().any(|seen| seen.end == End::Whole);
    assert!(!whole, "{:?}", backend.seen());
    assert_eq!(gateway.get("/echo/fine").status, 200);
}

#[test]
fn trailers_never_become_fields() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    let bytes = "POST /echo/a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: evil\r\nAuthorization: Bearer x\r\n\
                 X-Own: admin\r\n\r\n";
    let mut client = gateway.client();
    client.send(bytes);
    assert_eq!(client.answer().status, 200);
    let seen = backend.last();
    assert_eq!((seen.text(), seen.end), ("abc", End::Whole));
    assert_eq!(seen.all("Host"), [backend.host()]);
    for name in ["Authorization", "X-Own", "Content-Length"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
}

#[test]
fn lines_that_are_not_quite_http_are_refused() {
    refused(&[
        ("GET /echo/a HTTP/1.1\nHost: a.example\n\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX: a\nY: b\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX: a\rb\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX: a\r\n folded\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\n Host: a.example\r\n\r\n", 400),
        (" GET /echo/a HTTP/1.1\r\nHost: a.example\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\n: x\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nno colon\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\na b: c\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\na\u{85}: c\r\n\r\n", 400),
        ("GET /echo/a HTTP/1.1\r\nHost: a.example\r\nX : c\r\n\r\n", 400),
    ]);
}

#[test]
fn a_host_is_needed_once_and_whole() {
    let hosts = [
        "",
        "Host:\r\n",
        "Host: a.example\r\nHost: a.example\r\n",
        "Host: a b/c@d\r\n",
        "Host: u@a.example\r\n",
        "Host: a.example:abc\r\n",
        "Host: a.example:99999\r\n",
        "Host: [::1\r\n",
        "Host: a.example, b.example\r\n",
    ];
    let heads: Vec<_> =
        hosts.iter().map(|host| format!("GET /echo/a HTTP/1.1\r\n{host}\r\n")).collect();
    let cases: Vec<_> = heads.iter().map(|head| (head.as_str(), 400)).collect();
    refused(&cases);
}

#[test]
fn targets_and_methods_are_as_they_should_be() {
    let line = |line: &str| format!("{line}\r\nHost: a.example\r\n\r\n");
    let cases = [
        ("GET http://b.example/echo/a HTTP/1.1", 400),
        ("GET file:///etc/passwd HTTP/1.1", 400),
        ("GET  /echo/a  HTTP/1.1", 400),
        ("GET /echo/a b HTTP/1.1", 400),
        ("GET /echo/\u{1}a HTTP/1.1", 400),
        ("GET echo/a HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET /echo/a#b HTTP/1.1", 400),
        ("GET\t/echo/a\tHTTP/1.1", 400),
        ("GET /echo/a HTTP/1.2", 505),
        ("GET /echo/a", 400),
        ("get /echo/a HTTP/1.1", 400),
        ("CONNECT internal:22 HTTP/1.1", 405),
        ("TRACE /echo/a HTTP/1.1", 405),
    ];
    let heads: Vec<_> = cases.iter().map(|(text, status)| (line(text), *status)).collect();
    let cases: Vec<_> = heads.iter().map(|(head, status)| (head.as_str(), *status)).collect();
    refused(&cases);
}

#[test]
fn a_target_with_the_host_in_it_is_a_path_to_the_backend() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    let request = Request::get("http://gateway.example/echo/a?b=c");
    assert_eq!(gateway.ask(&request).status, 200);
    let seen = backend.last();
    assert_eq!((seen.target.as_str(), seen.all("Host")), ("/a?b=c", vec![backend.host().as_str()]));
}

#[test]
fn options_of_the_server_as_such_are_answered_by_the_gateway() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    let answer = gateway.ask(&Request::new("OPTIONS", "*"));
    assert!((200..300).contains(&answer.status), "{}", answer.status);
    assert_eq!((answer.length, backend.count()), (0, 0));
}

#[test]
fn expectations_and_nominations_are_known_ones() {
    refused_fields(&[
        ("Content-Length: 0\r\nExpect: y 100-continue", 417),
        ("Content-Length: 0\r\nExpect: 100-continue, x", 417),
        ("Content-Length: 0\r\nConnection: close, X-Forwarded-For", 400),
        ("Content-Length: 0\r\nConnection: Host", 400),
        ("Content-Length: 0\r\nConnection: Authorization", 400),
        ("Content-Length: 0\r\nConnection: Ocp-Apim-Subscription-Key", 400),
        ("Content-Length: 0\r\nConnection: a, b, c, d, e, f, g, h, i, j, k", 400),
    ]);
}

#[test]
fn no_field_stands_in_for_one_that_the_gateway_reads_or_writes() {
    refused_fields(&[
        ("Content-Length: 0\r\nX_Forwarded_For: 10.0.0.1", 400),
        ("Content-Length: 0\r\nocp_apim_subscription_key: x", 400),
        ("Content_Length: 0", 400),
        ("Content-Length: 0\r\nAuthorization: a\r\nAuthorization: b", 400),
    ]);
}

#[test]
fn no_byte_of_a_second_request_rides_on_an_upgrade_that_was_not_made() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    for upgrade in ["foo", "h2c"] {
        let bytes = format!(
            "GET /echo/first HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n\
             PUT /echo/evil HTTP/1.1\r\nHost: a.example\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n"
        );
        let mut client = gateway.client();
        client.send(bytes);
        assert_eq!(client.answer().status, 200);
        let seen = backend.seen();
        let first = seen.iter().find(|seen| seen.target == "/first").unwrap();
        assert_eq!((first.field("Upgrade"), first.field("HTTP2-Settings")), (None, None));
        // If it is answered at all, then as a request of its own.
        assert!(seen.iter().all(|seen| seen.body.is_empty()), "{seen:?}");
    }
}
