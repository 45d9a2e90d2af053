//! Backends that speak HTTP/2: how a version is chosen, what policies may do with it, and what becomes
//! of requests whose backend misbehaves. After each the next client's request is clean.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request as Asked, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::http2::Http2;
use crate::harness::nginx::Nginx;
use crate::harness::shared::{Done, Shared, agreeing, echo, read, whole};
use crate::harness::tls::Authority;
use crate::harness::{Client, Gateway, Policies, Request, Site};

/// `forward-request` over HTTP/2.
const FORWARD: &str = "<forward-request http-version=\"2\" timeout=\"5\" />";
/// Why there was no response, for the client to read.
const WHY: &str = "<set-header name=\"X-Why\" exists-action=\"override\">\
    <value>@(context.LastError.Message)</value></set-header>";

/// A gateway before `backend`, which is spoken to in HTTP/2.
fn before(backend: &Shared, policies: Policies<'_>) -> Gateway {
    let backend_section = if policies.backend.is_empty() { FORWARD } else { policies.backend };
    let policies = Policies { backend: backend_section, on_error: WHY, ..policies };
    Gateway::start(|site| {
        site.set("listen-h2c", "true");
        site.open_api("echo", &backend.url(), policies);
    })
}

/// Answers with the head that came, a field a line.
fn told(request: Asked<RecvStream>, mut respond: SendResponse<Bytes>) -> Done {
    Box::pin(async move {
        let (head, body) = request.into_parts();
        let mut text = format!("{} {}\n", head.method, head.uri);
        for (name, value) in &head.headers {
            writeln!(text, "{name}: {}", value.to_str().unwrap_or("?")).expect("fits");
        }
        text.push_str(std::str::from_utf8(&read(body).await?).unwrap_or("?"));
        let response = Response::builder().header("x-from", "backend").body(()).expect("a head");
        respond.send_response(response, false)?.send_data(Bytes::from(text), true)
    })
}

#[test]
fn requests_share_a_connection_and_say_what_they_always_say() {
    let backend = Shared::answering(|request, respond, _number| told(request, respond));
    let gateway = before(&backend, Policies::default());
    let mut client = Client::connect(gateway.http);
    let asked = Request::post("/echo/a?b=c", "body")
        .field("X-Own", "1")
        .field("Connection", "keep-alive")
        .field("TE", "gzip");
    for _ in 0..3 {
        let answer = client.ask(&asked);
        let text = answer.text();
        let first = format!("POST {}/a?b=c\n", backend.url());
        assert!(answer.status == 200 && text.starts_with(&first), "{answer:?}");
        assert_eq!(answer.field("x-from"), Some("backend"));
        assert!(text.ends_with("\nbody") && text.contains("\ncontent-length: 4\n"), "{text}");
        assert!(
            text.contains("\nx-own: 1\n") && text.contains("\nx-forwarded-for: 127."),
            "{text}"
        );
        assert!(
            !text.contains("\nconnection:") && !text.contains("\nte:") && !text.contains("\nhost:"),
            "{text}"
        );
    }
    let mut modern = Http2::clear(gateway.http);
    let answer = modern.ask(Asked::get("http://gateway/echo/x").body(()).unwrap(), None).unwrap();
    assert!(answer.body.starts_with(b"GET "), "{answer:?}");
    assert_eq!((backend.connections(), backend.requests()), (1, 4));
}

#[test]
fn policies_read_retry_and_change_what_comes_over_http2() {
    let backend = Shared::answering(|request, mut respond, number| {
        Box::pin(async move {
            read(request.into_body()).await?;
            let status = if number == 0 { 503 } else { 200 };
            let head = Response::builder().status(status).body(()).expect("a head");
            let mut stream = respond.send_response(head, false)?;
            stream.send_data(Bytes::from(format!("answer {number}")), true)
        })
    });
    let policies = Policies {
        backend: "<retry condition=\"@(context.Response.StatusCode == 503)\" count=\"2\" interval=\"0\">\
                  <forward-request http-version=\"2\" buffer-request-body=\"true\" /></retry>",
        outbound: "<set-body>@(\"it said: \" + context.Response.Body.As<string>())</set-body>",
        ..Policies::default()
    };
    let gateway = before(&backend, policies);
    let answer = gateway.ask(&Request::post("/echo/a", "x".repeat(200 << 10)));
    assert_eq!((answer.status, answer.text()), (200, "it said: answer 1"));
    assert_eq!(backend.connections(), 1);
}

#[test]
fn bodies_flow_both_ways_at_once() {
    let backend = Shared::answering(|request, respond, _number| echo(request, respond));
    let gateway = before(&backend, Policies::default());
    let mut client = Client::connect(gateway.http);
    client.send("POST /echo/a HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\none\r\n");
    assert_eq!(client.head().unwrap().field("transfer-encoding"), Some("chunked"));
    assert_eq!(client.raw(8), b"3\r\none\r\n");
    client.send("3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(client.raw(13), b"3\r\ntwo\r\n0\r\n\r\n");
    // What is larger than all windows together.
    let large = vec![b'x'; 3 << 20];
    let mut modern = Http2::clear(gateway.http);
    let asked = Asked::post("http://gateway/echo/x").body(()).unwrap();
    let twin = thread::spawn(move || modern.ask(asked, Some(Bytes::from(large))).unwrap());
    assert_eq!(twin.join().unwrap().body.len(), 3 << 20);
    assert_eq!(backend.connections(), 1);
}

#[test]
fn over_tls_the_backend_has_a_say() {
    let authority = Authority::new();
    for (version, protocol, wanted) in [
        ("2or1", &b"\x02h2"[..], "HTTP/2"),
        ("2", b"\x02h2", "HTTP/2"),
        ("2or1", b"\x08http/1.1", "HTTP/1.1"),
        ("1", b"\x02h2", "HTTP/1.1"),
    ] {
        let authority = authority.clone();
        let backend = Shared::secure(move || agreeing(&authority, "localhost", protocol));
        let gateway = named(&backend, version);
        for _ in 0..3 {
            let answer = gateway.get("/echo/a");
            assert_eq!((answer.status, answer.text()), (200, wanted), "{version} {protocol:?}");
        }
        assert_eq!(backend.connections(), 1, "{version} {protocol:?}");
        let mut client = Client::connect(gateway.http);
        client.send(
            "POST /echo/a HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        );
        assert_eq!(client.answer().text(), wanted, "{version} {protocol:?}");
    }
    let backend = Shared::secure(move || agreeing(&authority, "localhost", b"\x08http/1.1"));
    let gateway = named(&backend, "2");
    let answer = gateway.get("/echo/a");
    assert_eq!(answer.status, 500, "{answer:?}");
    let why = "the backend does not agree to HTTP/2 (ALPN)";
    assert!(answer.field("X-Why").is_some_and(|told| told.contains(why)), "{answer:?}");
    assert!(gateway.record("/echo/a").to_string().contains(why));
}

/// A gateway before a backend that has a name, and a version of HTTP.
fn named(backend: &Shared, version: &str) -> Gateway {
    Gateway::start(|site: &mut Site| {
        site.yaml(format!(
            "backends:\n  - id: own\n    url: https://localhost:{}\n    httpVersion: {version}\n    \
             tls: {{validateCertificateChain: false, validateCertificateName: false}}\n",
            backend.port(),
        ));
        let inbound = "<set-backend-service backend-id=\"own\" />";
        let policies = Policies { inbound, on_error: WHY, ..Policies::default() };
        site.open_api("echo", "http://127.0.0.1:1", policies);
    })
}

#[test]
fn what_no_backend_took_up_is_sent_once_more() {
    let backend = Shared::answering(|request, mut respond, number| {
        if number % 2 == 0 {
            return Box::pin(async move {
                respond.send_reset(Reason::REFUSED_STREAM);
                Ok(())
            });
        }
        whole(request, respond)
    });
    let gateway = before(&backend, Policies::default());
    let mut client = Client::connect(gateway.http);
    assert_eq!(client.ask(&Request::post("/echo/a", "short")).text(), "HTTP/2short");
    client.send(
        "POST /echo/a HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nagain\r\n",
    );
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().text(), "HTTP/2again");
    assert_eq!(backend.requests(), 4);
}

#[test]
fn a_request_that_a_backend_goes_away_before_goes_to_the_next_connection() {
    let backend = Shared::raw(|mut tcp, number| async move {
        if number == 0 {
            until_head(&mut tcp).await;
            // GOAWAY: the last stream that it took up is none.
            tcp.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
            linger(&mut tcp).await;
        } else {
            let mut connection = h2::server::handshake(tcp).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                drop(tokio::runtime::Handle::current().spawn(whole(request, respond)));
            }
        }
    });
    let gateway = before(&backend, Policies::default());
    let answer = gateway.ask(&Request::post("/echo/a", "body"));
    assert_eq!((answer.status, answer.text()), (200, "HTTP/2body"), "{answer:?}");
    assert_eq!(gateway.get("/echo/a").text(), "HTTP/2");
    assert_eq!(backend.connections(), 2);
}

/// Reads as far as the head of a request, after greeting as a server does.
async fn until_head(tcp: &mut TcpStream) {
    tcp.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    tcp.read_exact(&mut [0; 24]).await.unwrap();
    loop {
        let mut head = [0; 9];
        tcp.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        tcp.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == 1 {
            return;
        }
    }
}

/// Reads until the other side ends.
async fn linger(tcp: &mut TcpStream) {
    while matches!(tcp.read(&mut [0; 1024]).await, Ok(1..)) {}
}

#[test]
fn what_a_backend_spoils_is_told_and_spoils_nothing_else() {
    let backend = Shared::answering(|request, mut respond, _number| {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/reset" => Box::pin(async move {
                respond.send_reset(Reason::INTERNAL_ERROR);
                Ok(())
            }),
            "/large" => Box::pin(async move {
                let mut fields = HeaderMap::new();
                let value = HeaderValue::from_str(&"x".repeat(16 << 10)).expect("a value");
                for number in 0..640 {
                    let name = format!("x-{number}");
                    fields.insert(http::HeaderName::try_from(name).expect("a name"), value.clone());
                }
                let mut head = Response::new(());
                *head.headers_mut() = fields;
                respond.send_response(head, true).map(drop)
            }),
            "/half" => Box::pin(async move {
                let mut stream = respond.send_response(Response::new(()), false)?;
                stream.send_data(Bytes::from_static(b"half"), false)?;
                tokio::time::sleep(Duration::from_millis(200)).await;
                stream.send_reset(Reason::INTERNAL_ERROR);
                Ok(())
            }),
            _ => whole(request, respond),
        }
    });
    let gateway = before(&backend, Policies::default());
    for (path, why) in [
        ("/echo/reset", Some("the backend broke the request off (unexpected internal error")),
        ("/echo/large", None),
    ] {
        let answer = gateway.get(path);
        assert_eq!(answer.status, 500, "{path}");
        if let Some(why) = why {
            assert!(answer.field("X-Why").is_some_and(|it| it.starts_with(why)), "{answer:?}");
        }
        assert_eq!(gateway.get("/echo/fine").text(), "HTTP/2", "{path}");
    }
    let mut modern = Http2::clear(gateway.http);
    let asked = |path: &str| Asked::get(format!("http://gateway/echo/{path}")).body(()).unwrap();
    assert!(modern.ask(asked("half"), None).is_err(), "a half is no whole");
    assert_eq!(modern.ask(asked("fine"), None).unwrap().body, b"HTTP/2");
}

#[test]
fn a_backend_that_takes_one_request_at_a_time_gets_no_more() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1);
    let backend = Shared::built(builder, |request, respond, _number| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            whole(request, respond).await
        })
    });
    let gateway = before(&backend, Policies::default());
    let address = gateway.http;
    let clients: Vec<_> = (0..40)
        .map(|number| {
            thread::spawn(move || {
                let asked = Request::post("/echo/a", format!("{number}"));
                let answer = Client::connect(address).ask(&asked);
                assert_eq!(answer.text(), format!("HTTP/2{number}"));
            })
        })
        .collect();
    for client in clients {
        client.join().expect("its own answer");
    }
    assert!(backend.connections() <= 16, "{}", backend.connections());
}

#[test]
fn a_backend_that_takes_no_body_is_late() {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(0);
    let backend = Shared::built(builder, |request, respond, number| {
        Box::pin(async move {
            if number == 0 {
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            whole(request, respond).await
        })
    });
    let forward = "<forward-request http-version=\"2\" timeout-ms=\"500\" />";
    let gateway = before(&backend, Policies { backend: forward, ..Policies::default() });
    let answer = gateway.ask(&Request::post("/echo/a", "x".repeat(100 << 10)));
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(answer.field("X-Why"), Some("the backend did not answer within 500ms"));
    assert_eq!(gateway.get("/echo/a").text(), "HTTP/2");
}

#[test]
fn nginx_is_spoken_to_in_http2() {
    let nginx = Nginx::start();
    let gateway = Gateway::start(|site| {
        site.set("listen-h2c", "true");
        let policies = Policies { backend: FORWARD, on_error: WHY, ..Policies::default() };
        site.open_api("echo", &nginx.url(), policies);
    });
    for target in ["a", "b?c=d"] {
        let answer = gateway.get(&format!("/echo/{target}"));
        assert_eq!(answer.text(), format!("HTTP/2.0 /{target}"), "{answer:?}");
    }
    let mut modern = Http2::clear(gateway.http);
    let asked = Asked::get("http://gateway/echo/e").body(()).unwrap();
    assert_eq!(modern.ask(asked, None).unwrap().body, b"HTTP/2.0 /e");
    // nginx answers before it has read this, and does not want the rest.
    let answer = gateway.ask(&Request::post("/echo/f", "x".repeat(2 << 20)));
    assert_eq!((answer.status, answer.text()), (200, "HTTP/2.0 /f"));
    assert_eq!(gateway.get("/echo/g").text(), "HTTP/2.0 /g");
}
