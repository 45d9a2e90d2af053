//! What the gateway answers by itself, to the letter.

use crate::harness::{Backend, Client, Gateway, Policies, Request, Site};

/// An API that wants a key of the product `shop`, whose policies are `inbound`.
fn shop(site: &mut Site, service: &str, inbound: &str) {
    site.file("shop.xml", Policies { inbound, ..Policies::default() }.text());
    site.yaml(format!(
        "apis:
  - id: echo
    path: echo
    serviceUrl: {service}
    operations:
      - {{id: get, method: GET, urlTemplate: '/{{*rest}}'}}
      - {{id: post, method: POST, urlTemplate: '/{{*rest}}'}}
products:
  - {{id: shop, apis: [echo], policy: shop.xml}}
subscriptions:
  - {{id: mobile, scope: /products/shop, primaryKey: right}}
"
    ));
}

#[test]
fn a_missing_key_is_answered_byte_for_byte_as_by_api_management() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| shop(site, &backend.url(), ""));
    let mut client = gateway.client();
    client.send(Request::get("/echo/x").bytes());
    let head = client.head().unwrap();
    assert_eq!(head.line, "HTTP/1.1 401 Access Denied");
    assert_eq!(
        head.field("WWW-Authenticate"),
        Some(
            "AzureApiManagementKey realm=\"https://gateway.example/echo\",\
             name=\"Ocp-Apim-Subscription-Key\",type=\"header\""
        )
    );
    assert_eq!(head.field("Content-Type"), Some("application/json"));
    assert_eq!(head.field("Content-Length"), Some("152"));
    let body = client.raw(152);
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        "{ \"statusCode\": 401, \"message\": \"Access denied due to missing subscription key. \
         Make sure to include subscription key when making requests to an API.\" }"
    );
    assert_eq!(backend.count(), 0);
}

#[test]
fn a_wrong_key_is_told_from_a_missing_one() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| shop(site, &backend.url(), ""));
    let answer = gateway.ask(&Request::get("/echo/x").key("wrong"));
    assert_eq!((answer.status, answer.phrase.as_str()), (401, "Access Denied"));
    assert!(answer.field("WWW-Authenticate").is_some());
    assert_eq!(
        answer.text(),
        "{ \"statusCode\": 401, \"message\": \"Access denied due to invalid subscription key. \
         Make sure to provide a valid key for an active subscription.\" }"
    );
    let record = gateway.record("/echo/x");
    assert_eq!(record["responseCode"], 401);
    assert_eq!(record["apiId"], "echo");
    assert_eq!(record["lastErrorReason"], "SubscriptionKeyInvalid");
    assert_eq!(backend.count(), 0);
}

#[test]
fn what_is_not_there_is_a_404_with_a_reason_in_the_record() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| shop(site, &backend.url(), ""));
    for (method, target, reason) in [
        ("GET", "/nowhere", "path_unknown"),
        ("GET", "/echoes", "path_unknown"),
        ("DELETE", "/echo/x", "operation_unknown"),
        ("HEAD", "/echo/head", "operation_unknown"),
    ] {
        let answer = gateway.ask(&Request::new(method, target).key("right"));
        assert_eq!(answer.status, 404, "{method} {target}");
        if method != "HEAD" {
            assert_eq!(
                answer.text(),
                "{ \"statusCode\": 404, \"message\": \"Resource not found\" }"
            );
        }
        let record = gateway.record(target);
        assert_eq!(record["reason"], reason, "{method} {target}: {record}");
        assert_eq!(record["lastErrorReason"], "OperationNotFound");
    }
    assert_eq!(backend.count(), 0);
}

#[test]
fn a_rate_that_is_exceeded_is_a_429_that_says_when_to_come_back() {
    let backend = Backend::plain();
    let limit =
        r#"<rate-limit calls="2" renewal-period="60" remaining-calls-header-name="X-Left" />"#;
    let gateway = Gateway::start(|site| shop(site, &backend.url(), limit));
    let request = Request::get("/echo/x").key("right");
    for left in ["1", "0"] {
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.field("X-Left")), (200, Some(left)));
    }
    let answer = gateway.ask(&request);
    assert_eq!(answer.status, 429);
    let seconds = answer.field("Retry-After").unwrap().parse::<u32>().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let wanted = format!(
        "{{ \"statusCode\": 429, \"message\": \"Rate limit is exceeded. Try again in {seconds} \
         seconds.\" }}"
    );
    assert_eq!(answer.text(), wanted);
    assert_eq!(backend.count(), 2);
}

#[test]
fn a_quota_that_is_used_up_is_a_403_that_says_when_it_is_replenished() {
    let backend = Backend::plain();
    let quota = r#"<quota calls="1" renewal-period="3600" />"#;
    let gateway = Gateway::start(|site| shop(site, &backend.url(), quota));
    let request = Request::get("/echo/x").key("right");
    assert_eq!(gateway.ask(&request).status, 200);
    let answer = gateway.ask(&request);
    assert_eq!(answer.status, 403);
    let seconds = answer.field("Retry-After").unwrap().parse::<u32>().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    let text = answer.text();
    let span = text
        .strip_prefix(
            "{ \"statusCode\": 403, \"message\": \"Out of call volume quota. \
             Quota will be replenished in ",
        )
        .and_then(|rest| rest.strip_suffix(".\" }"));
    let span = span.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(span.split(':').map(str::len).collect::<Vec<_>>(), [2, 2, 2], "{span}");
}

#[test]
fn a_connection_outlives_every_refusal_that_is_no_fault_of_its_framing() {
    let backend = Backend::plain();
    let limit = r#"<rate-limit calls="1" renewal-period="60" />"#;
    let gateway = Gateway::start(|site| shop(site, &backend.url(), limit));
    let mut client = gateway.client();
    for (request, status) in [
        (Request::get("/echo/x"), 401),
        (Request::get("/nowhere"), 404),
        (Request::get("/echo/x").key("wrong"), 401),
        (Request::get("/echo/x").key("right"), 200),
        (Request::get("/echo/x").key("right"), 429),
        (Request::get("/nowhere"), 404),
    ] {
        assert_eq!(client.ask(&request).status, status, "{request:?}");
    }
    // A body that nobody reads ends it, and the client is told.
    let unread = client.ask(&Request::post("/echo/x", "unread"));
    assert_eq!((unread.status, unread.field("Connection")), (401, Some("close")));
    assert!(client.is_closed());
    // So is one who sends more than the system keeps, and reads only after that.
    let large = Request::post("/echo/x", "x".repeat(6 << 20));
    let unread = Client::connect(gateway.http).ask(&large);
    assert_eq!((unread.status, unread.field("Connection")), (401, Some("close")));
}

#[test]
fn load_balancers_ask_on_the_data_port_and_operators_on_the_admin_port() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    assert_eq!(gateway.get("/status-0123456789abcdef").status, 200);
    assert_eq!(gateway.admin("/livez").status, 200);
    let ready = gateway.admin("/readyz");
    assert_eq!((ready.status, ready.text()), (200, "ready, generation 1\n"));
    assert_eq!(gateway.status()["configuration"]["generation"], 1);
    assert_eq!(gateway.get("/readyz").status, 404);
    assert_eq!(gateway.admin("/status-0123456789abcdef").status, 404);
}

#[test]
fn the_admin_listener_knows_only_its_own_names() {
    let gateway = Gateway::start(|site| site.yaml("apis: []\n"));
    let mut client = Client::connect(gateway.admin);
    let foreign = Request::get("/status").host("rebound.example");
    assert_eq!(client.ask(&foreign).status, 421);
    let browser = Request::post("/reload", "").host("localhost").field("Origin", "http://x");
    let mut client = Client::connect(gateway.admin);
    assert_eq!(client.ask(&browser).status, 403);
}
