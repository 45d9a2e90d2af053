//! Policies that call other services, over real sockets.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;

use crate::harness::backend::{NOBODY, Seen};
use crate::harness::tls::Authority;
use crate::harness::{Backend, Gateway, Policies, Request, reply, soon};

fn with(backend: &Backend, inbound: &str) -> Gateway {
    Gateway::start(|site| {
        site.set("drain-deadline", "20s");
        site.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    })
}

/// A service that answers each request when it is told to.
fn held() -> (Backend, Sender<()>) {
    let (go, told): (Sender<()>, Receiver<()>) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let service = Backend::replying(move |_seen: &Seen| {
        let _ = told.lock().unwrap().recv_timeout(Duration::from_secs(20));
        reply(200, &[], "done")
    });
    (service, go)
}

/// How many calls of `kind` came to `outcome`.
fn counted(gateway: &Gateway, kind: &str, outcome: &str) -> u64 {
    let name = format!("weir_policy_calls_total{{kind=\"{kind}\",outcome=\"{outcome}\"}} ");
    let page = gateway.admin("/metrics");
    let line = page.text().lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
    line.expect("a count").parse().expect("a number")
}

#[test]
fn a_service_is_asked_and_its_answer_read_whatever_its_framing() {
    let backend = Backend::plain();
    let service = Backend::replying(|seen| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(format!("{{\"got\": \"{}\"}}", seen.text()).as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        let head = "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        let size = format!("{:x}\r\n", body.len());
        [head.as_bytes(), size.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
    });
    let inbound = format!(
        "<send-request response-variable-name=\"r\"><set-url>{}/ask?a=b c</set-url>\
         <set-method>POST</set-method><set-body>hello</set-body></send-request>\
         <set-header name=\"X-Got\"><value>@((string)((IResponse)context.Variables[\"r\"]).Body\
         .As&lt;JObject&gt;()[\"got\"])</value></set-header>",
        service.url()
    );
    let gateway = with(&backend, &inbound);
    for _ in 0..2 {
        let answer = gateway.get("/echo/a");
        assert_eq!((answer.status, answer.text()), (200, "backend"));
    }
    let seen = service.seen();
    let asked = seen.last().unwrap();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/ask?a=b%20c"));
    assert_eq!((asked.text(), asked.field("Content-Length")), ("hello", Some("5")));
    // The connection is kept.
    assert_eq!(asked.connection, 1);
    assert_eq!(backend.seen()[0].field("X-Got"), Some("hello"));
    assert_eq!(counted(&gateway, "waited", "answered"), 2);
}

#[test]
fn a_service_that_is_not_there_or_late_or_says_too_much_is_an_error() {
    let backend = Backend::plain();
    let (late, _go) = held();
    let large = Backend::replying(|_seen| reply(200, &[], &"x".repeat(2 << 20)));
    let call = |url: &str, more: &str| {
        format!(
            "<send-request response-variable-name=\"r\" timeout=\"0.5\" {more}>\
             <set-url>{url}</set-url></send-request><return-response><set-body>\
             @(context.Variables[\"r\"] == null ? \"nothing\" : \"something\")</set-body>\
             </return-response>"
        )
    };
    let on_error = "<return-response><set-status code=\"599\" /><set-body>@(context.LastError\
                    .Source + \" \" + context.LastError.Reason)</set-body></return-response>";
    let gateway = Gateway::start(|site| {
        site.set("limits-buffered-body-bytes", "1048576");
        for (id, url, more) in [
            ("gone", NOBODY, ""),
            ("late", &*late.url(), ""),
            ("large", &*large.url(), ""),
            ("ignored", NOBODY, "ignore-error=\"true\""),
        ] {
            let inbound = &*call(url, more);
            site.open_api(
                id,
                &backend.url(),
                Policies { inbound, on_error, ..Policies::default() },
            );
        }
    });
    for (id, status, told) in [
        ("gone", 599, "send-request BackendConnectionFailure"),
        ("late", 599, "send-request Timeout"),
        ("large", 599, "send-request ResponseTooLarge"),
        ("ignored", 200, "nothing"),
    ] {
        let answer = gateway.get(&format!("/{id}/a"));
        assert_eq!((answer.status, answer.text()), (status, told), "{id}");
    }
    assert_eq!(counted(&gateway, "waited", "failed"), 4);
}

/// A service over TLS whose authority nobody trusts, and how many requests it got.
fn untrusted() -> (Backend, Arc<AtomicUsize>) {
    let issued = Authority::new().issue("localhost");
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(&X509::from_pem(&issued.certificate).unwrap()).unwrap();
    acceptor.set_private_key(&PKey::private_key_from_pem(&issued.key).unwrap()).unwrap();
    let acceptor = acceptor.build();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let service = Backend::raw(move |stream, _number| {
        let mut stream = acceptor.accept(stream).map_err(std::io::Error::other)?;
        if 0 < stream.read(&mut [0; 1])? {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    (service, requests)
}

#[test]
fn the_certificate_of_a_service_is_verified() {
    let backend = Backend::plain();
    let (service, requests) = untrusted();
    let inbound = format!(
        "<send-request response-variable-name=\"r\"><set-url>https://localhost:{}/</set-url>\
         </send-request>",
        service.port()
    );
    let on_error = "<return-response><set-body>@(context.LastError.Message)</set-body>\
                    </return-response>";
    let gateway = Gateway::start(|site| {
        let policies = Policies { inbound: &inbound, on_error, ..Policies::default() };
        site.open_api("echo", &backend.url(), policies);
    });
    let answer = gateway.get("/echo/a");
    assert!(answer.text().contains("TLS handshake"), "{}", answer.text());
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[test]
fn nobody_waits_for_a_one_way_request_but_a_gateway_that_stops() {
    let backend = Backend::plain();
    let (service, go) = held();
    let inbound = format!(
        "<send-one-way-request mode=\"copy\"><set-url>{}/told</set-url></send-one-way-request>",
        service.url()
    );
    let mut gateway = with(&backend, &inbound);
    let answer = gateway.client().ask(&Request::post("/echo/a", "hello"));
    assert_eq!((answer.status, answer.text()), (200, "backend"));
    let told = soon(|| service.seen().pop()).expect("it is told");
    assert_eq!((told.target.as_str(), told.text()), ("/told", "hello"));
    assert_eq!(counted(&gateway, "one-way", "answered"), 0);
    gateway.signal("TERM");
    // It still waits for the answer.
    let draining = soon(|| Some(gateway.admin("/readyz")).filter(|answer| answer.status == 503));
    assert!(draining.is_some());
    go.send(()).unwrap();
    assert_eq!(gateway.end().code(), Some(0));
    assert!(!gateway.events().iter().any(|line| line.contains("deadline passed")));
}

#[test]
fn one_way_requests_beyond_their_bound_are_dropped_and_counted() {
    let backend = Backend::plain();
    // It says nothing for as long as anybody listens.
    let service = Backend::raw(|mut stream, _number| stream.read_to_end(&mut Vec::new()).map(drop));
    let one = format!(
        "<send-one-way-request><set-url>{}/told</set-url></send-one-way-request>",
        service.url()
    );
    let gateway = with(&backend, &one.repeat(300));
    assert_eq!(gateway.get("/echo/a").status, 200);
    assert_eq!(counted(&gateway, "one-way", "refused"), 300 - 256);
}

#[test]
fn a_backend_is_asked_with_its_credentials_and_answers_for_the_request() {
    let backend = Backend::plain();
    let service = Backend::replying(|seen| {
        reply(202, &[("Content-Type", "text/plain")], &format!("asked {}", seen.target))
    });
    let gateway = Gateway::start(|site| {
        site.yaml(format!(
            "backends:\n  - id: other\n    url: {}/base\n    credentials:\n      header: {{X-Key: \
             secret}}\n      query: {{code: a b}}\n",
            service.url()
        ));
        let inbound = "<invoke-request backend-id=\"other\" url=\"/items?page=2\" method=\"PUT\">\
                       <header name=\"X-Own\" value=\"1\" /><body>hello</body></invoke-request>";
        site.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    });
    let answer = gateway.ask(&Request::get("/echo/a").field("X-Key", "the client's"));
    assert_eq!((answer.status, answer.text()), (202, "asked /base/items?page=2&code=a%20b"));
    let asked = service.last();
    assert_eq!((asked.method.as_str(), asked.text()), ("PUT", "hello"));
    assert_eq!((asked.all("X-Key"), asked.field("X-Own")), (vec!["secret"], Some("1")));
    assert_eq!(backend.count(), 0);
}
