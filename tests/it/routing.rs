//! From host, path, version and method to an operation; and the one spelling of a path.

use crate::harness::{Backend, Gateway, Policies, Request, Site};

/// Answers with the names of what was found, so that routing alone is seen.
fn names(site: &mut Site) {
    site.file(
        "names.xml",
        Policies {
            inbound: "<return-response><set-status code=\"200\" reason=\"OK\" />\
                      <set-body>@(context.Api.Id + \"/\" + context.Api.Version + \"/\" + \
                      context.Api.Revision + \"/\" + context.Operation.Id + \"/\" + \
                      string.Join(\",\", context.Request.MatchedParameters.Select(\
                      p => p.Key + \"=\" + p.Value)))</set-body></return-response>",
            ..Policies::default()
        }
        .text(),
    );
    site.yaml("policy: names.xml\n");
}

fn found(gateway: &Gateway, request: &Request) -> String {
    let answer = gateway.ask(request);
    if answer.status == 200 { answer.text().to_owned() } else { answer.status.to_string() }
}

fn check(gateway: &Gateway, cases: &[(&str, &str)]) {
    for (target, wanted) in cases {
        assert_eq!(found(gateway, &Request::get(target)), *wanted, "{target}");
    }
}

#[test]
fn the_longest_path_wins() {
    let operation = "subscriptionRequired: false, operations: \
                     [{id: get, method: GET, urlTemplate: '/{*rest}'}]";
    let gateway = Gateway::start(|site| {
        names(site);
        site.yaml(format!(
            "apis:
  - {{id: root, path: '', {operation}}}
  - {{id: a, path: a, {operation}}}
  - {{id: ab, path: a/b, {operation}}}
"
        ));
    });
    check(
        &gateway,
        &[
            ("/", "root//1/get/rest="),
            ("/x/y", "root//1/get/rest=x/y"),
            ("/a", "a//1/get/rest="),
            ("/a/c", "a//1/get/rest=c"),
            ("/a/b", "ab//1/get/rest="),
            ("/a/b/c", "ab//1/get/rest=c"),
            ("/a/bc", "a//1/get/rest=bc"),
            ("/ab", "root//1/get/rest=ab"),
        ],
    );
}

#[test]
fn versions_are_named_by_segment_header_or_query() {
    let operation = "subscriptionRequired: false, operations: \
                     [{id: get, method: GET, urlTemplate: '/x'}]";
    let gateway = Gateway::start(|site| {
        names(site);
        site.yaml(format!(
            "versionSets:
  - {{id: s, versioningScheme: segment}}
  - {{id: h, versioningScheme: header, versionHeaderName: Api-Version}}
  - {{id: q, versioningScheme: query, versionQueryName: v}}
apis:
  - {{id: s0, path: s, versionSetId: s, {operation}}}
  - {{id: s2, path: s, versionSetId: s, version: v2, {operation}}}
  - {{id: h1, path: h, versionSetId: h, version: '1', {operation}}}
  - {{id: h2, path: h, versionSetId: h, version: '2', {operation}}}
  - {{id: q1, path: q, versionSetId: q, version: '1', {operation}}}
"
        ));
    });
    check(
        &gateway,
        &[
            ("/s/x", "s0//1/get/"),
            ("/s/v2/x", "s2/v2/1/get/"),
            ("/s/v3/x", "404"),
            ("/h/x", "404"),
            ("/q/x", "404"),
            ("/q/x?v=1", "q1/1/1/get/"),
            ("/q/x?v=2", "404"),
        ],
    );
    let version = |version| Request::get("/h/x").field("Api-Version", version);
    assert_eq!(found(&gateway, &version("1")), "h1/1/1/get/");
    assert_eq!(found(&gateway, &version("2")), "h2/2/1/get/");
    assert_eq!(found(&gateway, &version("3")), "404");
}

#[test]
fn revisions_are_named_right_after_the_path() {
    let operation = "subscriptionRequired: false, operations: \
                     [{id: get, method: GET, urlTemplate: '/x'}]";
    let gateway = Gateway::start(|site| {
        names(site);
        site.yaml(format!(
            "apis:
  - {{id: a, path: a, revision: 1, isCurrent: true, {operation}}}
  - {{id: a, path: a, revision: 2, {operation}}}
  - {{id: a, path: a, revision: 3, isOnline: false, {operation}}}
"
        ));
    });
    check(
        &gateway,
        &[
            ("/a/x", "a//1/get/"),
            ("/a;rev=1/x", "a//1/get/"),
            ("/a;rev=2/x", "a//2/get/"),
            ("/a;rev=3/x", "404"),
            ("/a;rev=4/x", "404"),
        ],
    );
}

#[test]
fn literals_beat_parameters_beat_wildcards() {
    let gateway = Gateway::start(|site| {
        names(site);
        site.yaml(
            "apis:
  - id: a
    path: a
    subscriptionRequired: false
    operations:
      - {id: list, method: GET, urlTemplate: /orders}
      - {id: mine, method: GET, urlTemplate: /orders/mine}
      - {id: one, method: GET, urlTemplate: '/orders/{id}'}
      - {id: lines, method: GET, urlTemplate: '/orders/{id}/lines/{line}'}
      - {id: rest, method: GET, urlTemplate: '/orders/{*rest}'}
      - {id: put, method: PUT, urlTemplate: '/orders/{id}'}
      - {id: find, method: GET, urlTemplate: '/find?q={q}'}
",
        );
    });
    check(
        &gateway,
        &[
            ("/a/orders", "a//1/list/"),
            ("/a/orders/mine", "a//1/mine/"),
            ("/a/orders/7", "a//1/one/id=7"),
            ("/a/orders/a%20b", "a//1/one/id=a b"),
            ("/a/orders/7/lines/2", "a//1/lines/id=7,line=2"),
            ("/a/orders/7/other", "a//1/rest/rest=7/other"),
            ("/a/orders/mine/lines/2", "a//1/lines/id=mine,line=2"),
            ("/a/find?q=boots&x=1", "a//1/find/q=boots"),
            ("/a/other", "404"),
        ],
    );
    assert_eq!(found(&gateway, &Request::new("PUT", "/a/orders/7")), "a//1/put/id=7");
    assert_eq!(found(&gateway, &Request::new("PUT", "/a/orders")), "404");
    assert_eq!(found(&gateway, &Request::new("OPTIONS", "/a/orders")), "404");
}

#[test]
fn an_api_answers_only_over_its_protocols_and_hosts() {
    let operation = "subscriptionRequired: false, operations: \
                     [{id: get, method: GET, urlTemplate: '/x'}]";
    let gateway = Gateway::start(|site| {
        names(site);
        site.set("forwarded-proto", "anyone");
        site.yaml(format!(
            "hostNames: [{{host: api.example}}, {{host: '*.apis.example'}}]
apis:
  - {{id: both, path: both, {operation}}}
  - {{id: safe, path: safe, protocols: [https], {operation}}}
"
        ));
    });
    let to = |host: &str, target: &str| Request::get(target).host(host);
    for (host, wanted) in [
        ("api.example", "both//1/get/"),
        ("API.Example.", "both//1/get/"),
        ("api.example:8080", "both//1/get/"),
        ("a.apis.example", "both//1/get/"),
        ("a.b.apis.example", "404"),
        ("apis.example", "404"),
        ("evil-api.example", "404"),
        ("127.0.0.1", "404"),
    ] {
        assert_eq!(found(&gateway, &to(host, "/both/x")), wanted, "{host}");
    }
    assert_eq!(found(&gateway, &to("api.example", "/safe/x")), "404");
    let safe = to("api.example", "/safe/x").field("X-Forwarded-Proto", "https");
    assert_eq!(found(&gateway, &safe), "safe//1/get/");
}

#[test]
fn the_backend_sees_the_very_path_that_was_matched() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("echo", &format!("{}/base", backend.url()), Policies::default());
    });
    for (target, wanted) in [
        ("/echo/a/b", "/base/a/b"),
        ("/echo", "/base"),
        ("/echo/", "/base/"),
        ("/echo/%41%7e%2D", "/base/A~-"),
        ("/echo/%c3%a9", "/base/%C3%A9"),
        ("//echo///a//b/", "/base/a/b/"),
        ("/echo/a;x=1", "/base/a;x=1"),
        ("/echo/%2561", "/base/%2561"),
        ("/%65cho/a", "/base/a"),
        ("/echo/a?b=%2F..&c=/../d", "/base/a?b=%2F..&c=/../d"),
        ("/echo/a?", "/base/a"),
    ] {
        assert_eq!(gateway.get(target).status, 200, "{target}");
        assert_eq!(backend.last().target, wanted, "{target}");
    }
}

#[test]
fn a_path_that_hides_where_it_leads_is_refused() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("pub", &backend.url(), Policies::default());
    });
    for target in [
        "/pub/../admin",
        "/pub/./x",
        "/pub/%2e%2e/admin",
        "/pub/%2e%2e%2fadmin",
        "/pub%2f..%2fadmin",
        "/pub/..;x/admin",
        "/pub/a%00",
        "/pub/a%2f",
        "/pub\\..\\admin",
        "/pub/a%5cb",
        "/pub/a%zz",
        "/pub/a%",
        "/pub/%c0%af",
    ] {
        let answer = gateway.get(target);
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.field("Content-Type"), Some("application/problem+json"), "{target}");
    }
    assert_eq!(backend.count(), 0);
}
