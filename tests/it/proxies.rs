//! Forward proxies on the way to backends and services: tunnels, requests that are sent on, and what
//! becomes of those that are refused.

use std::io::{Read as _, Write as _};

use crate::harness::backend::NOBODY;
use crate::harness::forward_proxy::ForwardProxy;
use crate::harness::secure::Secure;
use crate::harness::{Backend, Gateway, Policies, Request, Site, reply, soon};

/// A host that nobody but the proxies of these tests knows.
const HOST: &str = "backend.invalid";
/// `ann` and `open sesame`, as they are shown.
const ANN: &str = "Basic YW5uOm9wZW4gc2VzYW1l";
/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A policy that names `proxy` and credentials for it.
fn as_ann(proxy: &str) -> String {
    format!("<proxy url=\"{proxy}\" username=\"ann\" password=\"open sesame\" />")
}

/// A backend over TLS that is `host`.
fn secure(host: &str) -> Secure {
    Secure::named(host, |_seen| Some(reply(200, &[], "backend")))
}

fn gateway(service: &str, inbound: &str, write: impl FnOnce(&mut Site)) -> Gateway {
    Gateway::start(|site| {
        site.set("log-level", "all");
        site.set("log-access", "all");
        write(site);
        let policies = Policies { inbound, on_error: WHY, ..Policies::default() };
        site.open_api("echo", service, policies);
    })
}

/// The same before a backend over TLS, whose authority it trusts.
fn before(backend: &Secure, inbound: &str) -> Gateway {
    let service = format!("https://{HOST}:{}", backend.port());
    gateway(&service, inbound, |site| {
        let pem = site.file("authority.pem", "");
        backend.certify(&pem);
        site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
    })
}

/// A body that is passed on while it arrives.
fn long() -> Vec<u8> {
    vec![b'x'; 200 << 10]
}

fn why(gateway: &Gateway, request: &Request) -> String {
    let answer = gateway.ask(request);
    assert_eq!(answer.status, 500, "{}", answer.text());
    answer.field("X-Why").unwrap_or_default().to_owned()
}

#[test]
fn a_backend_over_tls_is_reached_through_a_tunnel_and_judged_as_ever() {
    let (backend, proxy) = (secure(HOST), ForwardProxy::wanting(ANN));
    let gateway = before(&backend, &as_ann(&proxy.url()));
    let asked = Request::get("/echo/a?b=c").field("Proxy-Authorization", "Basic bWluZQ==");
    for _ in 0..2 {
        let answer = gateway.ask(&asked);
        assert_eq!((answer.status, answer.text()), (200, "backend"), "{answer:?}");
    }
    let streamed = Request::post("/echo/b", long()).field("Proxy-Authorization", "mine");
    for _ in 0..2 {
        assert_eq!(gateway.ask(&streamed).status, 200);
    }
    let place = format!("{HOST}:{}", backend.port());
    // One tunnel for all of them, also for those that Pingora forwards.
    let tunnels = proxy.seen();
    assert_eq!(tunnels.len(), 1, "{tunnels:?}");
    for tunnel in &tunnels {
        assert_eq!((tunnel.method.as_str(), &tunnel.target), ("CONNECT", &place));
        assert_eq!(tunnel.field("host"), Some(place.as_str()));
    }
    let seen = backend.seen();
    let targets: Vec<_> = seen.iter().map(|seen| (seen.target.as_str(), seen.length)).collect();
    assert_eq!(targets, [("/a?b=c", 0), ("/a?b=c", 0), ("/b", 200 << 10), ("/b", 200 << 10)]);
    assert!(seen.iter().all(|seen| seen.field("proxy-authorization").is_none()), "{seen:?}");
    let told = gateway.events().join("\n");
    assert!(!told.contains("sesame") && !told.contains("YW5u"), "{told}");
}

#[test]
fn a_proxy_that_leads_elsewhere_gets_nothing() {
    let (backend, proxy) = (secure("elsewhere.invalid"), ForwardProxy::open());
    let gateway = before(&backend, &format!("<proxy url=\"{}\" />", proxy.url()));
    for request in [Request::get("/echo/a"), Request::post("/echo/a", long())] {
        let why = why(&gateway, &request);
        let told = format!(
            "BackendConnectionFailure: the TLS handshake with the backend failed: its certificate is \
             not for `{HOST}`, but for `elsewhere.invalid`"
        );
        assert_eq!(why, told);
    }
    assert!(!proxy.seen().is_empty() && backend.seen().is_empty());
    let record = gateway.record("/echo/a").to_string();
    assert!(record.contains(&format!("through {}", proxy.url())), "{record}");
}

#[test]
fn a_backend_in_the_clear_gets_what_the_proxy_sends_on() {
    let (backend, proxy) = (Backend::plain(), ForwardProxy::wanting(ANN));
    let service = format!("http://{HOST}:{}/base", backend.port());
    let inbound = "<set-header name=\"Proxy-Authorization\"><value>of a policy</value></set-header>"
        .to_owned() + &as_ann(&proxy.url());
    let gateway = gateway(&service, &inbound, |_site| ());
    let asked = Request::get("/echo/a?b=c").field("Proxy-Authorization", "Basic bWluZQ==");
    let streamed = Request::post("/echo/a?b=c", long()).field("Proxy-Authorization", "mine");
    for request in [&asked, &streamed, &asked, &streamed] {
        let answer = gateway.ask(request);
        assert_eq!((answer.status, answer.text()), (200, "backend"), "{answer:?}");
        let seen = proxy.last();
        assert_eq!(seen.target, format!("{service}/a?b=c"));
        assert_eq!(seen.all("proxy-authorization"), [ANN]);
        let seen = backend.last();
        assert_eq!(
            (seen.target.as_str(), seen.field("proxy-authorization")),
            ("/base/a?b=c", None)
        );
    }
    assert_eq!(backend.last().length, 200 << 10);
}

#[test]
fn connections_are_shared_by_nobody_with_other_credentials_or_another_way() {
    let (backend, proxy) = (secure(HOST), ForwardProxy::open());
    let plain = Backend::plain();
    let inbound = format!(
        "<set-variable name=\"who\" value=\"@(context.Request.Headers.GetValueOrDefault(\
         &quot;X-Who&quot;, &quot;&quot;))\" />\
         <choose><when condition=\"@((string)context.Variables[&quot;who&quot;] == &quot;plain&quot;)\">\
         <set-backend-service base-url=\"http://{HOST}:{plain}\" />\
         <proxy url=\"{proxy}\" /></when>\
         <when condition=\"@((string)context.Variables[&quot;who&quot;] == &quot;straight&quot;)\">\
         <set-backend-service base-url=\"http://127.0.0.1:{plain}\" /></when><otherwise>\
         <proxy url=\"@(&quot;{proxy}&quot;)\" \
         username=\"@((string)context.Variables[&quot;who&quot;])\" password=\"p\" />\
         </otherwise></choose>",
        plain = plain.port(),
        proxy = proxy.url(),
    );
    let gateway = before(&backend, &inbound);
    for body in [false, true] {
        let ways: Vec<_> = ["ann", "bob", "ann", "bob", "plain", "plain", "straight"]
            .into_iter()
            .map(|who| {
                let request =
                    if body { Request::post("/echo/a", long()) } else { Request::get("/echo/a") };
                let before = proxy.seen().len();
                assert_eq!(gateway.ask(&request.field("X-Who", who)).status, 200);
                let asked: Vec<_> = proxy.seen().split_off(before);
                asked.into_iter().map(|seen| (seen.connection, seen.method)).collect::<Vec<_>>()
            })
            .collect();
        let nothing = Vec::new();
        // What Pingora forwards over TLS goes through the same tunnels.
        let tunnel = |number: usize| {
            if body { Vec::new() } else { vec![(number, "CONNECT".to_owned())] }
        };
        let sent = if body { (4, "POST".to_owned()) } else { (3, "GET".to_owned()) };
        let sent = vec![sent];
        let wanted =
            [tunnel(1), tunnel(2), nothing.clone(), nothing.clone(), sent.clone(), sent, nothing];
        assert_eq!(ways, wanted);
    }
    let shown: Vec<_> =
        proxy.seen().iter().map(|seen| seen.all("proxy-authorization").len()).collect();
    assert_eq!(shown, [1, 1, 0, 0, 0, 0]);
}

#[test]
fn a_proxy_that_is_none_is_told_of_by_its_name_and_without_credentials() {
    let backend = secure(HOST);
    let wanting = ForwardProxy::wanting("Basic c29tZXRoaW5nIGVsc2U=");
    let away = ForwardProxy::refusing(|_seen| {
        Some(b"HTTP/1.1 502 \x41way\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let garbage = ForwardProxy::refusing(|_seen| Some(b"220 mail.example ESMTP\r\n".to_vec()));
    let eager = ForwardProxy::refusing(|_seen| {
        Some(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let place = format!("{HOST}:{}", backend.port());
    let not = format!("did not connect the gateway with `{place}`: it answered");
    for (proxy, told) in [
        (NOBODY.to_owned(), "refused the connection".to_owned()),
        (
            wanting.url(),
            format!(
                "{not} 407 Proxy Authentication Required: it wants credentials, or others than it \
                 is shown"
            ),
        ),
        (away.url(), format!("{not} 502 Bad Gateway")),
        (garbage.url(), "gave no valid answer to CONNECT: it is not HTTP/1".to_owned()),
        (
            eager.url(),
            "gave no valid answer to CONNECT: it spoke for the backend before anybody asked"
                .to_owned(),
        ),
    ] {
        let gateway = before(&backend, &as_ann(&proxy));
        let wanted = format!("BackendConnectionFailure: the proxy `{proxy}` {told}");
        for request in [Request::get("/echo/a"), Request::post("/echo/b", long())] {
            assert_eq!(why(&gateway, &request), wanted);
        }
        let record = gateway.record("/echo/a");
        assert_eq!(record["reason"], "backend_connection_failed", "{record}");
        let said = gateway.events().join("\n") + &record.to_string();
        assert!(!said.contains("sesame") && !said.contains("YW5u"), "{said}");
    }
    assert!(backend.seen().is_empty());
}

#[test]
fn what_a_proxy_answers_to_requests_that_it_is_to_send_on() {
    let wanting = ForwardProxy::wanting("Basic c29tZXRoaW5nIGVsc2U=");
    let service = format!("http://{HOST}");
    let told = format!(
        "BackendConnectionFailure: the proxy `{}` answered the request itself, with 407 Proxy \
         Authentication Required: it wants credentials, or others than it is shown",
        wanting.url()
    );
    let refused = gateway(&service, &as_ann(&wanting.url()), |_site| ());
    for request in [Request::get("/echo/a"), Request::post("/echo/b", long())] {
        assert_eq!(why(&refused, &request), told);
    }
    let unknown = gateway(&service, "<proxy url=\"http://proxy.invalid:3128\" />", |_site| ());
    let why = why(&unknown, &Request::get("/echo/a"));
    assert!(why.contains("the proxy `proxy.invalid` cannot be resolved"), "{why}");
}

#[test]
fn a_websocket_goes_through_a_tunnel() {
    let backend = Backend::raw(|mut stream, _number| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0_u8];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        assert!(head.starts_with("get /a http/1.1") && !head.contains("proxy-auth"), "{head}");
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        let mut piece = [0_u8; 5];
        stream.read_exact(&mut piece)?;
        stream.write_all(&piece)
    });
    let proxy = ForwardProxy::wanting(ANN);
    let service = format!("http://{HOST}:{}", backend.port());
    let gateway = gateway(&service, &as_ann(&proxy.url()), |_site| ());
    let mut client = gateway.client();
    let handshake = Request::get("/echo/a")
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(client.ask(&handshake).status, 101);
    client.send(b"hello");
    assert_eq!(client.raw(5), b"hello");
    assert_eq!(proxy.last().method, "CONNECT");
}

#[test]
fn calls_of_policies_have_proxies_of_their_own() {
    let (backend, service) = (Backend::plain(), secure(HOST));
    let (tunnel, relay) = (ForwardProxy::wanting(ANN), ForwardProxy::wanting(ANN));
    let inbound = format!(
        "<send-request response-variable-name=\"r\"><set-url>https://{HOST}:{}/ask</set-url>{}\
         </send-request><send-one-way-request mode=\"copy\"><set-url>http://{HOST}:{}/tell</set-url>\
         {}</send-one-way-request>",
        service.port(),
        as_ann(&tunnel.url()),
        backend.port(),
        as_ann(&relay.url()),
    );
    let gateway = gateway(&backend.url(), &inbound, |site| {
        let pem = site.file("authority.pem", "");
        service.certify(&pem);
        site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
    });
    let request = Request::get("/echo/a").field("Proxy-Authorization", "mine");
    let answer = gateway.ask(&request);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(tunnel.last().target, format!("{HOST}:{}", service.port()));
    assert_eq!(service.seen().len(), 1);
    let told = relay.wait();
    assert_eq!(told.target, format!("http://{HOST}:{}/tell", backend.port()));
    let both = soon(|| (backend.count() == 2).then(|| backend.seen())).expect("both requests");
    assert!(both.iter().all(|seen| seen.field("proxy-authorization").is_none()), "{both:?}");
}

/// A gateway that reaches the backend at `url` as its configuration says.
fn of_configuration(url: &str, more: &str, write: impl FnOnce(&mut Site)) -> Gateway {
    let inbound = "<set-backend-service backend-id=\"far\" />";
    gateway("http://127.0.0.1:1", inbound, |site| {
        site.yaml(format!("backends:\n  - id: far\n    url: {url}\n{more}"));
        write(site);
    })
}

#[test]
fn a_backend_may_say_itself_by_way_of_whom_it_is_reached() {
    let (backend, proxy) = (secure(HOST), ForwardProxy::wanting(ANN));
    let url = format!("https://{HOST}:{}", backend.port());
    let more = format!(
        "    proxy: {{url: '{}', username: '{{{{user}}}}', password: '{{{{word}}}}'}}\n\
         namedValues:\n  - {{name: user, value: ann}}\n  - {{name: word, value: open sesame, secret: true}}\n",
        proxy.url()
    );
    let gateway = of_configuration(&url, &more, |site| {
        let pem = site.file("authority.pem", "");
        backend.certify(&pem);
        site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
    });
    for request in [Request::get("/echo/a"), Request::post("/echo/b", long())] {
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.text()), (200, "backend"), "{answer:?}");
    }
    assert!(proxy.seen().iter().all(|seen| seen.method == "CONNECT"), "{:?}", proxy.seen());
}

#[test]
fn a_check_of_its_health_goes_the_same_way() {
    let (backend, proxy) = (Backend::plain(), ForwardProxy::wanting(ANN));
    let more = format!(
        "    proxy: {{url: '{}', username: ann, password: open sesame}}\n    healthCheck: {{path: /alive, \
         interval: 1s}}\n",
        proxy.url()
    );
    let gateway = of_configuration(&backend.url(), &more, |_site| ());
    let is_checked = || backend.seen().iter().any(|seen| seen.target == "/alive").then_some(());
    assert!(soon(is_checked).is_some(), "it is asked");
    assert_eq!(gateway.get("/echo/a").status, 200);
    let seen = proxy.seen();
    let target = |path: &str| format!("{}{path}", backend.url());
    for path in ["/alive", "/a"] {
        assert!(seen.iter().any(|seen| seen.target == target(path)), "{path}: {seen:?}");
    }
    assert!(backend.seen().iter().all(|seen| seen.field("proxy-authorization").is_none()));
}
