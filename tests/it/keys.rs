//! Subscription keys: where they are read, what they open, and that they do not travel on.

use crate::harness::{Backend, Gateway, Request, Site};

fn site(site: &mut Site, service: &str) {
    site.variables.push(("MOBILE_KEY".to_owned(), "of-the-environment".to_owned()));
    site.file("second.txt", "of-a-file\n");
    let operations = "operations: [{id: get, method: GET, urlTemplate: '/{*rest}'}]";
    site.yaml(format!(
        "apis:
  - {{id: sold, path: sold, serviceUrl: {service}, {operations}}}
  - {{id: bare, path: bare, serviceUrl: {service}, {operations}}}
  - {{id: free, path: free, serviceUrl: {service}, {operations}}}
  - {{id: open, path: open, serviceUrl: {service}, subscriptionRequired: false, {operations}}}
  - id: own
    path: own
    serviceUrl: {service}
    subscriptionKeyParameterNames: {{header: X-Key, query: k}}
    {operations}
products:
  - {{id: shop, apis: [sold, own]}}
  - {{id: gifts, apis: [free], subscriptionRequired: false}}
subscriptions:
  - id: mobile
    scope: /products/shop
    primaryKey: {{env: MOBILE_KEY}}
    secondaryKey: {{file: second.txt}}
  - {{id: api, scope: /apis/bare, primaryKey: of-the-api}}
  - {{id: all, scope: /apis, primaryKey: of-all}}
  - {{id: resting, scope: /apis, state: suspended, primaryKey: of-the-resting}}
  - {{id: past, scope: /apis, expirationDate: 2001-01-01, primaryKey: of-the-past}}
"
    ));
}

#[test]
fn a_key_opens_what_its_scope_says_and_nothing_else() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    for (target, key, status) in [
        ("/sold/a", "of-the-environment", 200),
        ("/sold/a", "of-a-file", 200),
        ("/sold/a", "of-the-api", 401),
        ("/sold/a", "of-all", 200),
        ("/sold/a", "of-the-resting", 401),
        // As in API Management, dates are for the record: the state decides.
        ("/sold/a", "of-the-past", 200),
        ("/sold/a", "Of-All", 401),
        ("/sold/a", "", 401),
        ("/bare/a", "of-the-api", 200),
        ("/bare/a", "of-the-environment", 401),
        ("/bare/a", "of-all", 200),
        ("/free/a", "of-the-environment", 200),
        ("/free/a", "no-key-at-all", 401),
        ("/open/a", "of-all", 200),
        ("/open/a", "no-key-at-all", 401),
    ] {
        let answer = gateway.ask(&Request::get(target).key(key));
        assert_eq!(answer.status, status, "{target} with `{key}`");
    }
    for (target, status) in [("/sold/a", 401), ("/bare/a", 401), ("/free/a", 200), ("/open/a", 200)]
    {
        assert_eq!(gateway.get(target).status, status, "{target} without a key");
    }
}

#[test]
fn a_key_is_read_from_the_header_and_else_from_the_query() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    let usual = Request::get;
    for (request, status) in [
        (usual("/sold/a?subscription-key=of-all"), 200),
        (usual("/sold/a?x=1&subscription-key=of%2Dall&y=2"), 200),
        (usual("/sold/a?subscription-key=wrong"), 401),
        (usual("/sold/a?subscription-key=of-all").key("wrong"), 401),
        (usual("/sold/a?subscription-key=of-all").key("of-all"), 200),
        // Who contradicts itself has no key.
        (usual("/sold/a?subscription-key=wrong").key("of-all"), 401),
        (usual("/own/a").field("X-Key", "of-all"), 200),
        (usual("/own/a?k=of-all"), 200),
        (usual("/own/a").key("of-all"), 401),
        (usual("/own/a?subscription-key=of-all"), 401),
    ] {
        assert_eq!(gateway.ask(&request).status, status, "{request:?}");
    }
    let answer = gateway.get("/own/a");
    let challenge = answer.field("WWW-Authenticate").unwrap();
    assert!(challenge.contains("/own\",name=\"X-Key\""), "{challenge}");
}

#[test]
fn no_key_travels_on_to_the_backend() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    gateway.get("/sold/a?x=1&subscription-key=of-all&y=%20z&y");
    assert_eq!(backend.last().target, "/a?x=1&y=%20z&y");
    gateway.get("/sold/a?subscription-key=of-all");
    assert_eq!(backend.last().target, "/a");
    gateway.ask(&Request::get("/sold/a").key("of-all"));
    let seen = backend.last();
    assert_eq!(seen.field("Ocp-Apim-Subscription-Key"), None);
    gateway.ask(&Request::get("/own/a?k=of-all").field("x-KEY", "of-all"));
    let seen = backend.last();
    assert_eq!((seen.field("X-Key"), seen.target.contains("of-all")), (None, false), "{seen:?}");
}

#[test]
fn records_name_the_subscription_and_never_the_key() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    gateway.get("/sold/recorded?subscription-key=of-all");
    let record = gateway.record("/sold/recorded");
    assert_eq!(record["apimSubscriptionId"], "all");
    assert!(!record.to_string().contains("of-all"), "{record}");
}
