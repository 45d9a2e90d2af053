//! HTTP/2 and TLS towards clients.

use bytes::Bytes;
use http::Request;

use crate::harness::http2::Http2;
use crate::harness::tls::Authority;
use crate::harness::{Backend, Client, Gateway, Policies, Site};

fn secure(site: &mut Site, authority: &Authority) {
    site.set("listen-https", "127.0.0.1:0");
    let usual = authority.issue("gateway.example");
    let certificate = site.file("tls/gateway.crt", usual.certificate);
    let key = site.file("tls/gateway.key", usual.key);
    site.set("listen-certificate-file", certificate.to_str().unwrap());
    site.set("listen-key-file", key.to_str().unwrap());
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

#[test]
fn http2_is_spoken_over_tls_to_those_who_offer_it() {
    let backend = Backend::plain();
    let authority = Authority::new();
    let gateway = Gateway::start(|site| {
        secure(site, &authority);
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let https = gateway.https.unwrap();
    let mut modern = Http2::tls(https, "gateway.example", &authority);
    for target in ["a", "b"] {
        let uri = format!("https://gateway.example/echo/{target}");
        let answer = modern.ask(get(&uri), None).unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, &b"backend"[..]));
    }
    assert_eq!(backend.last().field("X-Forwarded-Proto"), Some("https"));
    assert_eq!(gateway.record("/echo/b")["clientProtocol"], "HTTP/2");
    for protocols in [&["http/1.1"][..], &[]] {
        let mut plain = Client::tls(https, "gateway.example", &authority, protocols);
        let answer = plain.ask(&crate::harness::Request::get("/echo/a"));
        assert_eq!((answer.status, answer.text()), (200, "backend"));
    }
}

#[test]
fn each_host_name_shows_its_own_certificate() {
    let backend = Backend::plain();
    let (usual, other) = (Authority::new(), Authority::new());
    let gateway = Gateway::start(|site| {
        secure(site, &usual);
        let own = other.issue("own.example");
        site.file("tls/own.crt", own.certificate);
        site.file("tls/own.key", own.key);
        let wild = other.issue("*.wild.example");
        site.file("tls/wild.crt", wild.certificate);
        site.file("tls/wild.key", wild.key);
        site.yaml(
            "hostNames:
  - {host: gateway.example}
  - {host: own.example, certificate: {certificateFile: tls/own.crt, keyFile: tls/own.key}}
  - {host: '*.wild.example', certificate: {certificateFile: tls/wild.crt, keyFile: tls/wild.key}}
",
        );
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let https = gateway.https.unwrap();
    // The handshake fails if the certificate is another authority's or another name's.
    for (host, authority) in
        [("gateway.example", &usual), ("own.example", &other), ("a.wild.example", &other)]
    {
        let mut client = Client::tls(https, host, authority, &[]);
        let request = crate::harness::Request::get("/echo/a").host(host);
        assert_eq!(client.ask(&request).status, 200, "{host}");
    }
}

#[test]
fn http2_in_the_clear_is_a_setting() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("listen-h2c", "true");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut client = Http2::clear(gateway.http);
    let uri = "http://gateway.example/echo/a?b=c";
    let answer = client.ask(get(uri), None).unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, &b"backend"[..]));
    assert_eq!(backend.last().target, "/a?b=c");
    let post = Request::post("http://gateway.example/echo/b").body(()).unwrap();
    let answer = client.ask(post, Some(Bytes::from_static(b"hello"))).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(backend.last().text(), "hello");
    let unknown = client.ask(get("http://gateway.example/nowhere"), None).unwrap();
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.field("content-type"), Some("application/json"));
    // HTTP/1.1 goes on beside it.
    assert_eq!(gateway.get("/echo/a").status, 200);
}

#[test]
fn http2_in_the_clear_is_off_unless_it_is_asked_for() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    let mut client = gateway.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let answer = client.try_answer();
    assert!(answer.is_none_or(|answer| 400 <= answer.status));
}

#[test]
fn a_key_is_asked_for_over_http2_as_over_http1() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("listen-h2c", "true");
        site.yaml(format!(
            "apis:
  - id: echo
    path: echo
    serviceUrl: {}
    operations: [{{id: get, method: GET, urlTemplate: '/{{*rest}}'}}]
subscriptions: [{{id: all, scope: /apis, primaryKey: right}}]
",
            backend.url()
        ));
    });
    let mut client = Http2::clear(gateway.http);
    let answer = client.ask(get("http://gateway.example/echo/a"), None).unwrap();
    assert_eq!(answer.status, 401);
    assert!(answer.field("www-authenticate").unwrap().contains("realm=\"https://gateway.example/"));
    assert_eq!(answer.body.len(), 152);
    let request = Request::get("http://gateway.example/echo/a")
        .header("ocp-apim-subscription-key", "right")
        .body(())
        .unwrap();
    assert_eq!(client.ask(request, None).unwrap().status, 200);
    assert_eq!(backend.last().field("ocp-apim-subscription-key"), None);
}

#[test]
fn http2_requests_are_judged_as_strictly() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("listen-h2c", "true");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut client = Http2::clear(gateway.http);
    for path in ["/echo/../a", "/echo/%2e%2e/a", "/echo%2fa", "/echo/%00", "/echo/%zz"] {
        let answer = client.ask(get(&format!("http://gateway.example{path}")), None).unwrap();
        assert_eq!(answer.status, 400, "{path}");
    }
    let refused = |name: &str, value: &str| {
        Request::get("http://gateway.example/echo/a").header(name, value).body(()).unwrap()
    };
    for (name, value) in [("x_forwarded_for", "1.2.3.4"), ("expect", "y 100-continue")] {
        let answer = client.ask(refused(name, value), None);
        let status = answer.map_or(400, |answer| answer.status.as_u16());
        assert!((400..500).contains(&status), "{name}: {status}");
    }
    assert_eq!(backend.count(), 0);
}
