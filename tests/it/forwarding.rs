//! What the backend gets and what the client gets: fields, hosts, cookies.

use std::io::Write as _;

use crate::harness::http2::Http2;
use crate::harness::{Backend, Gateway, Policies, Request, Then, reply};

#[test]
fn the_backend_gets_the_request_and_what_the_gateway_knows_of_it() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let request = Request::get("/echo/a?b=c")
        .field("Accept", "text/plain")
        .field("X-Case-Kept", "1")
        .field("X-Twice", "1")
        .field("X-Twice", "2");
    let answer = gateway.ask(&request);
    assert_eq!((answer.status, answer.text()), (200, "backend"));
    let seen = backend.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/a?b=c"));
    assert_eq!(seen.field("Host"), Some(backend.host().as_str()));
    assert_eq!(seen.field("Accept"), Some("text/plain"));
    assert_eq!(seen.all("X-Twice"), ["1", "2"]);
    assert!(seen.fields.iter().any(|(name, _)| name == "X-Case-Kept"), "{seen:?}");
    assert_eq!(seen.all("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.all("X-Forwarded-Host"), ["gateway.example"]);
    assert_eq!(seen.all("X-Forwarded-Proto"), ["http"]);
}

#[test]
fn nobody_but_a_trusted_proxy_speaks_for_a_client() {
    let backend = Backend::plain();
    let spoofed = Request::get("/echo/a")
        .field("X-Forwarded-For", "10.0.0.1")
        .field("X-Forwarded-Host", "evil.example")
        .field("X-Forwarded-Proto", "https")
        .field("X-Forwarded-Prefix", "/evil")
        .field("X-Forwarded-Port", "1")
        .field("X-Real-IP", "10.0.0.1")
        .field("X-Original-URL", "/admin")
        .field("Forwarded", "for=10.0.0.1");
    let client = Policies {
        outbound: "<set-header name=\"X-Client\" exists-action=\"override\">\
                   <value>@(context.Request.IpAddress)</value></set-header>",
        ..Policies::default()
    };
    let gateway = Gateway::start(|site| site.open_api("echo", &backend.url(), client));
    assert_eq!(gateway.ask(&spoofed).field("X-Client"), Some("127.0.0.1"));
    let seen = backend.last();
    assert_eq!(seen.all("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.all("X-Forwarded-Host"), ["gateway.example"]);
    assert_eq!(seen.all("X-Forwarded-Proto"), ["http"]);
    for name in
        ["X-Forwarded-Prefix", "X-Forwarded-Port", "X-Real-IP", "X-Original-URL", "Forwarded"]
    {
        assert_eq!(seen.field(name), None, "{name}");
    }
    let gateway = Gateway::start(|site| {
        site.set("forwarded-trusted", "127.0.0.0/8");
        site.open_api("echo", &backend.url(), client);
    });
    assert_eq!(gateway.ask(&spoofed).field("X-Client"), Some("10.0.0.1"));
    assert_eq!(backend.last().all("X-Forwarded-For"), ["10.0.0.1, 127.0.0.1"]);
}

#[test]
fn fields_of_one_connection_stay_on_it() {
    let backend = Backend::replying(|_seen| {
        let fields = [
            ("Connection", "keep-alive, X-Hop"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("X-End", "1"),
        ];
        reply(200, &fields, "x")
    });
    let gateway = Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let request = Request::get("/echo/a")
        .field("Connection", "keep-alive, TE")
        .field("TE", "trailers")
        .field("Keep-Alive", "timeout=5")
        .field("Proxy-Connection", "keep-alive")
        .field("Upgrade", "h2c")
        .field("X-End", "1");
    let answer = gateway.ask(&request);
    assert_eq!((answer.status, answer.field("X-End")), (200, Some("1")));
    for name in ["X-Hop", "Keep-Alive"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    let seen = backend.last();
    assert_eq!(seen.field("X-End"), Some("1"));
    for name in ["TE", "Keep-Alive", "Proxy-Connection", "Upgrade"] {
        assert_eq!(seen.field(name), None, "{name}: {seen:?}");
    }
}

#[test]
fn policies_set_add_and_remove_fields_both_ways() {
    let backend = Backend::replying(|_seen| {
        reply(200, &[("X-Powered-By", "backend"), ("X-Kept", "1"), ("X-Both", "backend")], "x")
    });
    let set = |name: &str, action: &str, value: &str| {
        format!("<set-header name=\"{name}\" exists-action=\"{action}\">{value}</set-header>")
    };
    let inbound = [
        set("X-Set", "override", "<value>gateway</value>"),
        set("X-Added", "append", "<value>gateway</value>"),
        set("X-Gone", "delete", ""),
        set("X-There", "skip", "<value>gateway</value>"),
        set("Host", "override", "<value>virtual.example</value>"),
        "<set-query-parameter name=\"q\" exists-action=\"override\"><value>a b</value>\
         </set-query-parameter>"
            .to_owned(),
        "<set-method>PUT</set-method>".to_owned(),
        "<rewrite-uri template=\"/other/place?x=1\" />".to_owned(),
    ]
    .concat();
    let outbound = [
        set("X-Powered-By", "delete", ""),
        set("X-Both", "append", "<value>gateway</value>"),
        "<set-status code=\"202\" reason=\"Taken\" />".to_owned(),
    ]
    .concat();
    let gateway = Gateway::start(|site| {
        let policies = Policies { inbound: &inbound, outbound: &outbound, ..Policies::default() };
        site.open_api("echo", &format!("{}/base", backend.url()), policies);
    });
    let request = Request::get("/echo/a?q=1&r=2")
        .field("X-Set", "client")
        .field("X-Added", "client")
        .field("X-Gone", "client")
        .field("X-There", "client");
    let answer = gateway.ask(&request);
    assert_eq!((answer.status, answer.phrase.as_str()), (202, "Taken"));
    assert_eq!((answer.field("X-Powered-By"), answer.field("X-Kept")), (None, Some("1")));
    let both = answer.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-both"));
    let both: Vec<_> = both.map(|(_, value)| value.as_str()).collect();
    assert_eq!(both.join(","), "backend,gateway");
    let seen = backend.last();
    assert_eq!(seen.method, "PUT");
    assert!(seen.target.starts_with("/base/other/place?"), "{}", seen.target);
    for pair in ["q=a%20b", "r=2", "x=1"] {
        assert!(seen.target.contains(pair), "{pair} in {}", seen.target);
    }
    assert_eq!(seen.all("X-Set"), ["gateway"]);
    assert_eq!(seen.all("X-Added").join(","), "client,gateway");
    assert_eq!((seen.field("X-Gone"), seen.field("X-There")), (None, Some("client")));
    assert_eq!(seen.all("Host"), ["virtual.example"]);
}

#[test]
fn backends_by_name_bring_their_own_place_and_credentials() {
    let (usual, named) = (Backend::plain(), Backend::plain());
    let gateway = Gateway::start(|site| {
        let inbound = "<set-backend-service backend-id=\"named\" />";
        let policies = Policies { inbound, ..Policies::default() };
        site.open_api("echo", &usual.url(), policies);
        site.yaml(format!(
            "backends:
  - id: named
    url: {}/deep
    credentials:
      header: {{X-Code: secret}}
      query: {{code: 'a b'}}
      authorization: {{scheme: Basic, parameter: dXNlcg==}}
",
            named.url()
        ));
    });
    let request = Request::get("/echo/a?code=client&x=1")
        .field("X-Code", "client")
        .field("Authorization", "Bearer client");
    assert_eq!(gateway.ask(&request).status, 200);
    assert_eq!(usual.count(), 0);
    let seen = named.last();
    assert_eq!(seen.target, "/deep/a?x=1&code=a%20b");
    assert_eq!(seen.all("X-Code"), ["secret"]);
    assert_eq!(seen.all("Authorization"), ["Basic dXNlcg=="]);
}

#[test]
fn cookies_of_http2_become_one_field() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("listen-h2c", "true");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let request = http::Request::get("http://gateway.example/echo/a")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(())
        .unwrap();
    let answer = Http2::clear(gateway.http).ask(request, None).unwrap();
    assert_eq!(answer.status, 200);
    let seen = backend.last();
    assert_eq!(seen.all("Cookie"), ["a=1; b=2"]);
    assert_eq!(seen.all("X-Forwarded-Host"), ["gateway.example"]);
    assert_eq!(seen.all("Host"), [backend.host()]);
}

#[test]
fn connections_to_a_backend_are_kept_and_a_closed_one_is_replaced() {
    let backend = Backend::scripted(|seen, stream| {
        stream.write_all(&reply(200, &[], &seen.connection.to_string()))?;
        // The third request finds a connection that was closed without a word.
        Ok(if seen.target == "/close" { Then::Close } else { Then::Keep })
    });
    let gateway = Gateway::start(|site| {
        site.set("threads", "1");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut client = gateway.client();
    let mut ask = |target: &str| client.ask(&Request::get(target)).text().to_owned();
    assert_eq!(ask("/echo/a"), "1");
    assert_eq!(ask("/echo/b"), "1");
    assert_eq!(ask("/echo/close"), "1");
    assert_eq!(ask("/echo/c"), "2");
    assert_eq!(backend.connections(), 2);
}
