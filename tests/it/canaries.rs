//! Secrets in every place where a request or a configuration may have one, every way to fail, and
//! then everything that the gateway tells anybody: none of them is in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::harness::backend::NOBODY;
use crate::harness::client::Request;
use crate::harness::collector::Collector;
use crate::harness::{Backend, Gateway, Policies, Site, reply, soon};

/// What must not be anywhere.
const CANARIES: [&str; 8] = [
    "canary-key-0123456789",
    "canary-query-0123456789",
    "canary-cookie-0123456789",
    "canary-basic-0123456789",
    "canary-body-0123456789",
    "canary-named-0123456789",
    "canary-backend-0123456789",
    "canary-answer-0123456789",
];

/// A token whose claims are nobody's business either.
fn token() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let head = part("{\"alg\":\"HS256\"}");
    let claims = part("{\"sub\":\"canary-claim-0123456789\"}");
    format!("{head}.{claims}.{}", part("canary-signature-0123456789"))
}

/// A gateway whose configuration is full of secrets.
fn site(site: &mut Site, url: &str, collector: &str) {
    site.set("telemetry-otlp-endpoint", collector);
    site.set("telemetry-otlp-interval", "100ms");
    site.set("telemetry-traces-sampler", "always");
    site.set("telemetry-metrics-interval", "1s");
    site.set("log-level", "all");
    site.variables.push(("NAMED".to_owned(), "canary-named-0123456789".to_owned()));
    site.yaml(format!(
        "namedValues:\n  - {{name: named, secret: true, value: {{env: NAMED}}}}\n\
         subscriptions:\n  - {{id: s, scope: /apis, primaryKey: canary-key-0123456789}}\n\
         backends:\n  - id: shown\n    url: {url}\n    credentials:\n      header:\n        \
         X-Backend: [canary-backend-0123456789]\n      query:\n        k: [canary-backend-0123456789]\n"
    ));
    let cases = [
        ("fine", url, "<set-header name=\"X-N\"><value>{{named}}</value></set-header>"),
        ("broken", url, ""),
        ("gone", NOBODY, ""),
        ("shown", url, "<set-backend-service backend-id=\"shown\" />"),
        (
            "faulty",
            url,
            "<set-variable name=\"v\" value=\"@(int.Parse(&quot;{{named}}&quot;).ToString())\" />",
        ),
        ("told", url, "<trace source=\"t\"><message>@(&quot;is {{named}}&quot;)</message></trace>"),
        (
            "limited",
            url,
            "<rate-limit-by-key calls=\"1\" renewal-period=\"60\" counter-key=\"{{named}}\" />",
        ),
        (
            "judged",
            url,
            "<validate-jwt header-name=\"X-Token\"><issuer-signing-keys><key>c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk=</key></issuer-signing-keys></validate-jwt>",
        ),
        ("elsewhere", url, "<set-backend-service base-url=\"http://127.0.0.1:1/{{named}}\" />"),
        (
            "asked",
            url,
            "<send-request mode=\"new\" response-variable-name=\"a\" ignore-error=\"true\"><set-url>http://127.0.0.1:1/?k={{named}}</set-url></send-request>",
        ),
    ];
    for (id, service, inbound) in cases {
        site.open_api(id, service, Policies { inbound, ..Policies::default() });
    }
    site.set("limits-request-body-bytes", "4KiB");
}

/// A request that is full of secrets.
fn filled(path: &str) -> Request {
    let target = format!("{path}?k=canary-query-0123456789");
    Request::post(&target, "canary-body-0123456789")
        .field("Ocp-Apim-Subscription-Key", "canary-key-0123456789")
        .field("Cookie", "a=canary-cookie-0123456789")
        .field("Authorization", "Basic canary-basic-0123456789")
        .field("X-Token", &token())
}

#[test]
fn no_secret_is_in_any_signal() {
    let collector = Collector::start();
    let backend = Backend::replying(|seen| match seen.target.split('?').next().unwrap() {
        "/broken/x" => b"HTTP/1.1 canary-answer-0123456789 nonsense\r\n\r\n".to_vec(),
        _ => {
            reply(200, &[("set-cookie", "s=canary-answer-0123456789")], "canary-answer-0123456789")
        }
    });
    let gateway = Gateway::start(|it| site(it, &backend.url(), &collector.url()));
    let ids = [
        "fine",
        "broken",
        "gone",
        "shown",
        "faulty",
        "told",
        "limited",
        "limited",
        "judged",
        "elsewhere",
        "asked",
        "nowhere",
    ];
    let mut statuses: Vec<u16> =
        ids.iter().map(|id| gateway.ask(&filled(&format!("/{id}/x"))).status).collect();
    let large =
        Request::post("/fine/x?k=canary-query-0123456789", "canary-body-0123456789".repeat(500));
    statuses.push(gateway.ask(&large).status);
    let wrong = Request::get("/fine/x?subscription-key=canary-query-0123456789");
    statuses.push(gateway.ask(&wrong).status);
    for expected in [200, 401, 404, 413, 429, 500] {
        assert!(statuses.contains(&expected), "{expected} is not among {statuses:?}");
    }
    let all = soon(|| {
        let count =
            collector.logs().iter().filter(|record| record.event_name == "GatewayLogs").count();
        let servers = collector.spans().iter().filter(|span| span.kind == 2).count();
        let is_all = statuses.len() <= count.min(servers) && !collector.metrics().is_empty();
        is_all.then(|| format!("{collector:?}"))
    });
    let mut told = vec![("collector", all.expect("all lines arrive"))];
    told.push(("metrics", gateway.admin("/metrics").text().to_owned()));
    told.push(("status", gateway.admin("/status").text().to_owned()));
    told.push(("lines", format!("{:?}", gateway.records())));
    told.push(("events", gateway.events().join("\n")));
    let parts: Vec<String> = token().split('.').skip(1).map(str::to_owned).collect();
    for (signal, text) in &told {
        let canaries = CANARIES.iter().copied().chain(parts.iter().map(String::as_str));
        for canary in canaries {
            let found = text.find(canary).map(|at| &text[at.saturating_sub(200)..at]);
            assert!(found.is_none(), "{canary} is in {signal} after {found:?}");
        }
    }
}
