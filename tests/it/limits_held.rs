//! Limits as they are held: what operators say about them, in the configuration and in policies,
//! over a real Redis and without one.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::gateway::weir;
use crate::harness::redis::Redis;
use crate::harness::site::write;
use crate::harness::{Backend, Gateway, Policies, soon};

/// A gateway with this limit, which is to share it over the Redis at `redis`.
fn gateway(name: &str, redis: &str, inbound: &str, backend: &Backend) -> Gateway {
    Gateway::start(|site| {
        site.open_api("api", &backend.url(), Policies { inbound, ..Policies::default() });
        site.set("redis-url", &format!("redis://{redis}"));
        site.set("replica-name", name);
        site.set("replica-expected", "2");
        site.set("log-access", "errors");
    })
}

fn keyed(calls: u32, attributes: &str) -> String {
    format!(
        "<rate-limit-by-key calls=\"{calls}\" renewal-period=\"60\" {attributes} \
         counter-key='@(context.Request.Headers.GetValueOrDefault(\"x-user\",\"nobody\"))' />"
    )
}

/// How many replicas the gateway is in touch with.
fn replicas(gateway: &Gateway) -> u64 {
    let lane = &gateway.status()["counters"]["shared"]["lanes"][0];
    if lane["state"] == "in-touch" { lane["replicas"].as_u64().unwrap_or(0) } else { 0 }
}

/// Waits until the status page has counted this for the only limit.
fn counted(gateway: &Gateway, what: &str, count: u64) {
    let counted = soon(|| (gateway.status()["limits"][0][what] == json!(count)).then_some(()));
    assert!(counted.is_some(), "{}", gateway.status()["limits"]);
}

/// What is left, as the field `RateLimit` tells of its only limit.
fn left(gateway: &Gateway) -> (u16, Option<u64>) {
    let answer = gateway.get("/api/x");
    let field = answer.field("ratelimit").map(str::to_owned);
    let left = field.and_then(|field| field.split(";r=").nth(1)?.split(';').next()?.parse().ok());
    (answer.status, left)
}

#[test]
fn a_closed_limit_answers_503_and_never_429_while_redis_is_gone() {
    let backend = Backend::plain();
    let inbound = keyed(1_000, r#"weir-on-loss="closed" weir-max-wait="1s""#);
    let without = gateway("a", "127.0.0.1:9", &inbound, &backend);
    let answer = without.get("/api/x");
    let text = r#"{ "statusCode": 503, "message": "Service unavailable" }"#;
    assert_eq!((answer.status, answer.text()), (503, text));
    assert_eq!(without.record("/api/x")["lastErrorReason"], "CountersUnavailable");

    let mut redis = Redis::start();
    let with = gateway("b", &redis.at(), &inbound, &backend);
    assert!(soon(|| (with.get("/api/x").status == 200).then_some(())).is_some());
    redis.kill();
    let closed = soon(|| match with.get("/api/x").status {
        200 => None,
        status => Some(status),
    });
    assert_eq!(closed, Some(503), "never 429");
    redis.restart();
    assert!(soon(|| (with.get("/api/x").status == 200).then_some(())).is_some());
}

#[test]
fn an_open_limit_admits_everybody_while_redis_is_gone() {
    let backend = Backend::plain();
    let inbound = keyed(1, r#"weir-on-loss="open" weir-mode="exact""#);
    let open = gateway("a", "127.0.0.1:9", &inbound, &backend);
    assert_eq!([(); 4].map(|()| open.get("/api/x").status), [200; 4]);
    let local = keyed(1, r#"weir-mode="local""#);
    let local = gateway("a", "127.0.0.1:9", &local, &backend);
    assert_eq!([(); 3].map(|()| local.get("/api/x").status), [200, 429, 429]);
}

#[test]
fn what_is_left_of_a_share_is_never_told_as_what_is_left_of_the_limit() {
    let mut redis = Redis::start();
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"100\" renewal-period=\"3\" counter-key=\"k\" \
                   weir-window=\"fixed\" weir-mode=\"exact\" weir-headers=\"true\" id=\"all\" />";
    let fleet = ["a", "b"].map(|name| gateway(name, &redis.at(), inbound, &backend));
    for gateway in &fleet {
        assert!(soon(|| (replicas(gateway) == 2).then_some(())).is_some());
    }
    let policy = fleet[0].get("/api/x");
    assert_eq!(policy.field("ratelimit-policy"), Some("\"all\";q=100;w=3"));
    // Limits are divided anew when a replica joins.
    thread::sleep(Duration::from_secs(2));
    redis.kill();
    // The share counts in windows that begin a while after Redis was last heard of.
    thread::sleep(Duration::from_secs(6));
    let told = soon(|| Some(left(&fleet[0])).filter(|(status, _)| *status == 200));
    let (_, left) =
        told.unwrap_or_else(|| panic!("no share: {}", fleet[0].admin("/status").text()));
    assert!(left.is_some_and(|left| left < 50), "{left:?} of a share of 50");
}

#[test]
fn the_configuration_says_how_limits_are_held_and_may_change_its_mind() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.yaml("limits:\n  shadow: true\n");
        let inbound = keyed(1, "");
        site.open_api("api", &backend.url(), Policies { inbound: &inbound, ..Policies::default() });
        site.set("log-access", "errors");
    });
    assert_eq!([(); 3].map(|()| gateway.get("/api/x").status), [200; 3]);
    let record = gateway.record("/api/x");
    let spared = record["shadowRefusals"][0].as_str().expect("it was spared").to_owned();
    assert!(spared.starts_with("rate-limit-by-key at api.xml:"), "{spared}");
    assert!(spared.ends_with(" for `nobody`"), "{spared}");
    counted(&gateway, "wouldHaveRefused", 2);

    let generation = gateway.generation();
    write(gateway.folder(), "part-01.yaml", "limits:\n  headers: true\n");
    gateway.later_than(generation);
    let refused = gateway.get("/api/x");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.field("ratelimit-policy"), Some("\"api/api/rate-limit-by-key\";q=1;w=60"));
    counted(&gateway, "refused", 1);
}

#[test]
fn what_a_response_does_not_cost_is_given_back_over_redis() {
    let (redis, backend) = (Redis::start(), Backend::plain());
    let inbound = keyed(
        20,
        "weir-counting=\"reserve\" weir-mode=\"exact\" \
         increment-condition='@(context.Response.StatusCode == 401)'",
    );
    let gateway = gateway("a", &redis.at(), &inbound, &backend);
    assert!(soon(|| (replicas(&gateway) == 1).then_some(())).is_some());
    // What is sold in an answer that comes too late on a busy machine is lost: there is some to spare.
    for _ in 0..60 {
        // Were it not given back, it would be missing for a minute.
        let admitted = soon(|| (gateway.get("/api/x").status == 200).then_some(()));
        assert!(admitted.is_some(), "{}", gateway.admin("/status").text());
    }
}

#[test]
fn the_bound_of_each_limit_is_told_as_it_is_held() {
    let backend = Backend::plain();
    let inbound = [
        keyed(10, r#"weir-mode="local""#),
        keyed(20, r#"weir-window="bucket" weir-burst="5" weir-mode="exact""#),
        keyed(30, r#"weir-window="fixed" weir-overshoot="3""#),
    ];
    let gateway = gateway("a", "127.0.0.1:9", &inbound.concat(), &backend);
    let told = String::from_utf8(gateway.admin("/limits/bound").body).expect("text");
    for bound in [
        "at most 10 in any 60 s, by each gateway alone",
        "at most 5 at once and 20 per 60 s, also when Redis is down",
        "at most 33 per 60 s, ",
    ] {
        assert!(told.contains(bound), "no `{bound}` in {told}");
    }
}

#[test]
fn explain_says_how_each_limit_is_held_and_its_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "weir.yaml",
        "limits: {mode: exact, onLoss: closed}\napis:\n  - id: a\n    path: a\n    \
         subscriptionRequired: false\n    serviceUrl: http://a\n    policy: p.xml\n    operations:\n      \
         - {id: get, method: GET, urlTemplate: /}\n",
    );
    let fast =
        keyed(1_000, "weir-mode=\"fast\" weir-overshoot=\"1%\" weir-on-loss=\"local-share\"");
    let bucket = "<rate-limit-by-key calls=\"10\" renewal-period=\"1\" counter-key=\"k\" \
                  weir-window=\"bucket\" weir-burst=\"30\" weir-shadow=\"true\" />";
    let quota = "<quota-by-key calls=\"7\" renewal-period=\"300\" counter-key=\"q\" \
                 weir-mode=\"local\" />";
    let inbound = format!("{fast}{bucket}{quota}");
    write(folder.path(), "p.xml", Policies { inbound: &inbound, ..Policies::default() }.text());
    let config = folder.path().display().to_string();
    let output =
        weir(&["explain", "--config", &config, "GET", "http://h/a", "-H", "X-User: alice"]);
    let text = String::from_utf8(output.stdout).expect("text");
    for part in [
        "at most 1000 calls in any 60s for `alice`, by rate-limit-by-key at p.xml:",
        "mode fast (+1.00%), window sliding, without Redis local-share, waits at most 25ms",
        "at most 1010 in any 60 s, ",
        "mode exact, window bucket of 30, without Redis closed, waits at most 25ms",
        "at most 30 at once and 10 per 1 s, nothing while Redis is down",
        "in shadow: it counts, and refuses nobody",
        "mode local, window fixed",
        "on each replica at most 7 per 300 s",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}
