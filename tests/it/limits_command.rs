//! Limits for operators: `weir limits`, the admin API behind it, and the metrics, over counters in
//! memory and over a real Redis.

use std::collections::BTreeSet;
use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::weir;
use crate::harness::redis::Redis;
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, soon};

const BY_KEY: &str = "<rate-limit-by-key calls=\"3\" renewal-period=\"60\" \
                      counter-key='@(context.Request.Headers.GetValueOrDefault(\"who\", \"all\"))' />";

pub(crate) fn limited(site: &mut Site, backend: &Backend, inbound: &str) {
    site.open_api("api", &backend.url(), Policies { inbound, ..Policies::default() });
}

/// Gateways that share one limit over one Redis.
pub(crate) fn fleet<const COUNT: usize>(
    redis: &Redis,
    write: impl Fn(&mut Site),
) -> [Gateway; COUNT] {
    let gateways = std::array::from_fn(|number| {
        Gateway::start(|site| {
            write(site);
            site.set("redis-url", &format!("redis://{}", redis.at()));
            site.set("replica-name", &format!("gateway-{number}"));
            site.set("replica-expected", &COUNT.to_string());
        })
    });
    for gateway in &gateways {
        let shares = || {
            let bounds = asked(gateway, "/limits/bound");
            let lane = &gateway.status()["counters"]["shared"]["lanes"][0];
            (bounds["replicas"] == COUNT && lane["state"] == "in-touch").then_some(())
        };
        assert!(soon(shares).is_some(), "no fleet: {}", gateway.admin("/status").text());
    }
    gateways
}

pub(crate) fn asked(gateway: &Gateway, target: &str) -> Value {
    serde_json::from_slice(&gateway.admin(target).body).expect("JSON")
}

/// Runs `weir limits` against a gateway.
pub(crate) fn limits(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String, String) {
    let admin = gateway.admin.to_string();
    let mut all = vec!["limits", "--admin", &admin];
    all.extend_from_slice(arguments);
    said(&weir(&all))
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn told(gateway: &Gateway, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend_from_slice(&["--format", "json"]);
    let (code, text, errors) = limits(gateway, &all);
    assert_eq!(code, Some(0), "{errors}");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn get(gateway: &Gateway, who: &str) -> u16 {
    gateway.ask(&Request::get("/api/x").field("who", who)).status
}

/// The counters that a gateway shows of one policy, the nearest to its limit first.
pub(crate) fn counters(gateway: &Gateway, policy: &str) -> Vec<Value> {
    let top = asked(gateway, "/limits");
    let rows = top["limits"].as_array().expect("rows").clone();
    rows.into_iter().filter(|row| row["policy"] == policy).collect()
}

pub(crate) fn key_of(row: &Value) -> &str {
    row["key"].as_str().expect("a key")
}

#[test]
fn a_gateway_alone_shows_who_is_at_a_limit_and_sets_it_back() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| limited(site, &backend, BY_KEY));
    let (code, text, _) = limits(&gateway, &["top"]);
    assert_eq!((code, text.as_str()), (Some(0), "nothing is in use (0 counters held)\n"));
    let statuses = [(); 5].map(|()| get(&gateway, "a"));
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(get(&gateway, "b"), 200);

    let rows = counters(&gateway, "rate-limit-by-key");
    let shown: Vec<_> = rows.iter().map(|row| (&row["used"], &row["refused"])).collect();
    assert_eq!(shown, [(&3.into(), &2.into()), (&1.into(), &0.into())]);
    let first = &rows[0];
    assert_eq!((&first["limit"], &first["periodSeconds"]), (&3.into(), &60.0.into()));
    assert_eq!((&first["mode"], &first["asOf"]), (&"local".into(), &"memory".into()));
    let (_, text, _) = limits(&gateway, &["top", "--count", "1"]);
    assert!(text.starts_with("KEY  ") && text.contains("3 / 60 s"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");

    let key = key_of(first);
    let shown = told(&gateway, &["show", &key[..16]]);
    assert_eq!(shown["key"], key);
    let bound = "at most 3 in any 60 s, by each gateway alone";
    assert_eq!(shown["counters"][0]["bound"], bound);
    let (_, text, _) = limits(&gateway, &["bound"]);
    assert!(text.contains("api.xml:1:") && text.contains(bound), "{text}");

    let (code, _, errors) = limits(&gateway, &["reset", key]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("--yes"), "{errors}");
    assert_eq!(get(&gateway, "a"), 429, "nothing was reset without being asked");
    let (code, text, errors) = limits(&gateway, &["reset", key, "--yes"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.contains("3 were used, 0 still count"), "{text}");
    assert_eq!([get(&gateway, "a"), get(&gateway, "b")], [200, 200]);
    let line: Value = serde_json::from_str(&gateway.event("limit reset")).expect("JSON");
    assert_eq!((&line["audit"], &line["done"]), (&true.into(), &true.into()));
    assert_eq!((&line["before"], &line["after"]), (&"3 used".into(), &"0".into()));
    assert!(line["subject"].as_str().expect("one").starts_with(key), "{line}");
    assert!(line["agent"].as_str().expect("one").contains("weir/"), "{line}");
    assert!(line["peer"].as_str().expect("one").starts_with("127.0.0.1:"), "{line}");
}

#[test]
fn what_cannot_be_done_is_said_with_a_remedy_and_a_code() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| limited(site, &backend, BY_KEY));
    for who in ["a", "b"] {
        assert_eq!(get(&gateway, who), 200);
    }
    // Both keys are of one kind, and begin with it.
    let (code, _, errors) = limits(&gateway, &["show", "02"]);
    assert_eq!(code, Some(1));
    for row in counters(&gateway, "rate-limit-by-key") {
        assert!(errors.contains(key_of(&row)), "{errors}");
    }
    for (arguments, code, part) in [
        (&["show", "ff00"][..], 1, "no such counter"),
        (&["reset", "ff00", "--yes"], 1, "no such counter"),
        (&["reset", "02", "--yes"], 1, "write more digits"),
        (&["show", "../status"], 2, "is no key"),
        (&["show", &"0".repeat(33)], 2, "1 to 32"),
        (&["top", "--count", "0"], 2, "from 1 to 1000"),
    ] {
        let (got, _, errors) = limits(&gateway, arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = said(&weir(&["limits", "top", "--admin", "127.0.0.1:9"]));
    assert_eq!(code, Some(3));
    assert!(errors.contains("no gateway answers at 127.0.0.1:9"), "{errors}");
    let http = gateway.http.to_string();
    let (code, _, errors) = said(&weir(&["limits", "top", "--admin", &http]));
    assert_eq!(code, Some(3));
    assert!(errors.contains("no admin listener"), "{errors}");
}

#[test]
fn a_page_in_a_browser_resets_nothing_and_methods_are_told() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| limited(site, &backend, BY_KEY));
    assert_eq!(get(&gateway, "a"), 200);
    let key = counters(&gateway, "rate-limit-by-key")[0]["key"].as_str().expect("one").to_owned();
    let target = format!("/limits/{key}/reset");
    let ask = |request: Request| Client::connect(gateway.admin).ask(&request.host("localhost"));
    let answer = ask(Request::post(&target, "").field("Origin", "http://evil.example"));
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("ask with the command `weir`"), "{}", answer.text());
    assert_eq!(counters(&gateway, "rate-limit-by-key")[0]["used"], 1);
    for (method, target, right) in [
        ("GET", target.as_str(), "POST"),
        ("DELETE", "/limits", "GET, HEAD"),
        ("POST", "/limits/bound", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let answer = ask(Request::new(method, target));
        assert_eq!((answer.status, answer.field("Allow")), (405, Some(right)), "{method} {target}");
    }
    assert_eq!(ask(Request::get("/limits/x")).status, 400);
    assert_eq!(ask(Request::get("/limits?top=many")).status, 400);
    assert_eq!(ask(Request::get("/limitsx")).status, 404);
}

#[test]
fn a_sliding_limit_is_set_back_for_all_replicas_and_by_no_more_than_it() {
    const LIMIT: usize = 10;
    let redis = Redis::start();
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"10\" renewal-period=\"60\" counter-key=\"all\" />";
    let gateways: [Gateway; 2] = fleet(&redis, |site| limited(site, &backend, inbound));
    let ask = |gateway: &Gateway| get(gateway, "x");
    exhaust(&gateways, "rate-limit-by-key", ask);
    let before = backend.count();
    assert!(before <= LIMIT);
    let rows = counters(&gateways[0], "rate-limit-by-key");
    let row = &rows[0];
    assert_eq!((&row["used"], &row["remaining"]), (&LIMIT.into(), &0.into()), "{row}");
    assert_eq!((&row["mode"], &row["window"]), (&"fast".into(), &"sliding".into()), "{row}");
    assert_eq!((&row["asOf"], &row["lane"]), (&"redis".into(), &0.into()), "{row}");
    // A replica that has just joined has no share at first.
    let shares = || {
        let shown = told(&gateways[1], &["show", key_of(row)]);
        let slot = &shown["counters"][0]["slot"];
        (slot["share"] == 5 && slot["forSale"] == LIMIT).then_some(())
    };
    assert!(soon(shares).is_some());

    let done = told(&gateways[0], &["reset", key_of(row), "--yes"]);
    let done = &done["counters"][0];
    assert_eq!((&done["used"], &done["left"]), (&LIMIT.into(), &0.into()), "{done}");
    assert_eq!(
        (&done["reach"], &done["knownWithinSeconds"]),
        (&"all-replicas".into(), &6.0.into())
    );
    for gateway in &gateways {
        admits(gateway, ask);
    }
    exhaust(&gateways, "rate-limit-by-key", ask);
    // What was sold before is spent by now.
    assert!((before + 2..=before + LIMIT).contains(&backend.count()), "{}", backend.count());
}

/// Asks every gateway until it refuses and knows that nothing is left. What Redis sold may be lost
/// on its way where the machine is busy, so that fewer are admitted than sold.
pub(crate) fn exhaust(gateways: &[Gateway], policy: &str, ask: impl Fn(&Gateway) -> u16) {
    for gateway in gateways {
        let refuses = || {
            let is_refused = ask(gateway) == 429 || ask(gateway) == 403;
            let row = counters(gateway, policy).into_iter().next()?;
            (is_refused && row["remaining"] == 0 && row["inHand"] == 0).then_some(())
        };
        assert!(soon(refuses).is_some(), "{}", gateway.admin("/limits").text());
    }
}

/// Asks a gateway until it admits. One that refuses does not ask Redis again for a tenth of the
/// period, and on a busy machine its next question may get no answer in time.
pub(crate) fn admits(gateway: &Gateway, ask: impl Fn(&Gateway) -> u16) {
    let admitted = (0..3).find_map(|_| soon(|| (ask(gateway) == 200).then_some(())));
    assert!(admitted.is_some(), "it is refused still: {}", gateway.admin("/limits").text());
}

#[test]
fn quotas_are_set_back_in_their_ledger() {
    let redis = Redis::start();
    let backend = Backend::plain();
    let inbound = "<quota-by-key calls=\"5\" renewal-period=\"3600\" counter-key=\"all\" />";
    let gateways: [Gateway; 2] = fleet(&redis, |site| limited(site, &backend, inbound));
    // The window that runs may end before the test does.
    let ends_in = |row: &Value| row["endsInSeconds"].as_f64().expect("it ends");
    let ask = |gateway: &Gateway| get(gateway, "x");
    // On a busy machine one may wait in vain.
    admits(&gateways[0], ask);
    let row = || counters(&gateways[0], "quota-by-key").first().cloned();
    // It need not be there at once.
    if ends_in(&soon(row).expect("a counter")) < 20.0 {
        thread::sleep(Duration::from_secs(21));
    }
    exhaust(&gateways, "quota-by-key", ask);
    let before = backend.count();
    let rows = counters(&gateways[1], "quota-by-key");
    assert_eq!((&rows[0]["window"], &rows[0]["used"]), (&"quota".into(), &5.into()), "{rows:?}");
    let done = told(&gateways[1], &["reset", key_of(&rows[0]), "--yes"]);
    assert_eq!(done["counters"][0]["left"], 0, "{done}");
    for gateway in gateways.iter().rev() {
        admits(gateway, ask);
    }
    exhaust(&gateways, "quota-by-key", ask);
    assert!((before + 2..=before + 5).contains(&backend.count()), "{}", backend.count());
}

#[test]
fn fixed_windows_are_set_back_without_being_taken_for_lost_data() {
    let redis = Redis::start();
    let backend = Backend::plain();
    let gateways: [Gateway; 2] = fleet(&redis, |site| {
        let yaml = format!(
            "products:\n  - {{id: shop, apis: [api], policy: shop.xml}}\nsubscriptions:\n  - \
             {{id: jane, scope: /products/shop, primaryKey: key-of-jane}}\napis:\n  - id: api\n    \
             path: api\n    serviceUrl: {}\n    operations:\n      - {{id: get, method: GET, \
             urlTemplate: \"/{{*rest}}\"}}\n",
            backend.url()
        );
        site.yaml(yaml);
        let inbound = "<quota calls=\"8\" renewal-period=\"60\" />";
        site.file("shop.xml", Policies { inbound, ..Policies::default() }.text());
    });
    let ask = |gateway: &Gateway| gateway.ask(&Request::get("/api/x").key("key-of-jane")).status;
    // On a busy machine one may wait in vain.
    admits(&gateways[0], ask);
    let row = counters(&gateways[0], "quota").remove(0);
    let ends_in = row["endsInSeconds"].as_f64().expect("it ends");
    if ends_in < 25.0 {
        thread::sleep(Duration::from_secs_f64(ends_in + 0.5));
    }
    exhaust(&gateways, "quota", ask);
    let before = backend.count();
    let done = told(&gateways[0], &["reset", key_of(&row), "--yes"]);
    let done = &done["counters"][0];
    assert_eq!((&done["window"], &done["used"]), (&"fixed".into(), &8.into()), "{done}");
    // What others may hand back stays counted.
    let left = done["left"].as_u64().expect("a number");
    assert!(left <= 3, "{done}");
    for gateway in &gateways {
        admits(gateway, ask);
    }
    exhaust(&gateways, "quota", ask);
    assert!(
        (before + 2..=before + 8).contains(&backend.count()),
        "{} after {done}",
        backend.count()
    );
    let metrics = Metrics::of(&gateways[1]);
    assert_eq!(metrics.value("weir_limit_rollbacks_total"), 0, "it was taken for a loss");
}

#[test]
fn without_redis_nothing_is_set_back_and_it_is_said() {
    let mut redis = Redis::start();
    let backend = Backend::plain();
    let gateways: [Gateway; 1] = fleet(&redis, |site| limited(site, &backend, BY_KEY));
    let gateway = &gateways[0];
    exhaust(&gateways, "rate-limit-by-key", |gateway| get(gateway, "x"));
    let rows = counters(gateway, "rate-limit-by-key");
    redis.kill();
    let lost = || (counters(gateway, "rate-limit-by-key")[0]["asOf"] == "own-share").then_some(());
    assert!(soon(lost).is_some());
    let (code, _, errors) = limits(gateway, &["reset", key_of(&rows[0]), "--yes"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("out of touch") && errors.contains("/status"), "{errors}");
    let line: Value = serde_json::from_str(&gateway.event("limit reset")).expect("JSON");
    assert_eq!(line["done"], false);
}

/// One, in millionths.
const ONE: i64 = 1_000_000;

/// What was scraped.
struct Metrics(String);

impl Metrics {
    fn of(gateway: &Gateway) -> Self {
        let answer = gateway.admin("/metrics");
        assert_eq!(answer.status, 200);
        let kind = answer.field("Content-Type").expect("a type");
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        let text = answer.text().to_owned();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self(text)
    }

    /// The sum of all samples whose name and labels begin so; in millionths.
    fn value(&self, name: &str) -> i64 {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(name));
        lines.filter_map(|rest| Some(millionths(rest.rsplit_once(' ')?.1))).sum()
    }

    /// The names that are scraped of limits.
    fn names(&self) -> BTreeSet<String> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let name = |line: &str| match line.split_once(' ') {
            Some((name, "counter")) => format!("{name}_total"),
            Some((name, _)) => name.to_owned(),
            None => panic!("{line}"),
        };
        types.map(name).filter(|name| name.starts_with("weir_limit_")).collect()
    }
}

/// A number as it is scraped, in millionths.
fn millionths(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    format!("{whole}{part}").parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The names in the table of the documentation.
fn documented() -> BTreeSet<String> {
    let text = include_str!("../../docs/limits.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `weir_limit_"));
    let name = |row: &str| format!("weir_limit_{}", row.split('`').next().expect("a name"));
    rows.map(name).collect()
}

#[test]
fn metrics_over_redis_are_those_of_the_documentation_and_add_up() {
    let redis = Redis::start();
    let backend = Backend::plain();
    let folder = tempfile::tempdir().expect("a folder");
    let gateways: [Gateway; 1] = fleet(&redis, |site| {
        limited(site, &backend, BY_KEY);
        site.set("replica-journal-folder", folder.path().to_str().expect("a name"));
        site.set("etcd-endpoints", "http://127.0.0.1:1");
    });
    let gateway = &gateways[0];
    let admitted = (0..6).filter(|_| get(gateway, "a") == 200).count();
    // On a busy machine one may wait in vain.
    assert!((1..=3).contains(&admitted), "{admitted}");
    let admitted = ONE * i64::try_from(admitted).expect("a few");
    let metrics = Metrics::of(gateway);
    assert_eq!(metrics.names(), documented());
    assert_eq!(metrics.value("weir_limit_claims_total{home=\"redis\"}"), 6 * ONE);
    let refused = metrics.value("weir_limit_refusals_total{home=\"redis\"");
    assert_eq!(refused, 6 * ONE - admitted, "{}", metrics.0);
    assert_eq!(metrics.value("weir_limit_tokens_spent_total"), admitted);
    let value = |name: &str| metrics.value(&format!("weir_limit_{name}"));
    let bought = value("tokens_sold_total") + value("tokens_forgiven_total");
    let gone = value("tokens_spent_total") + value("tokens_returned_total");
    let rest = value("tokens_expired_total") + value("tokens_stranded");
    assert_eq!(bought, gone + rest, "{}", metrics.0);
    assert!(ONE <= value("redis_commands_total"));
    assert!(ONE <= value("redis_latency_seconds_count"));
    assert_eq!(value("lane_state{lane=\"0\",state=\"in-touch\"}"), ONE);
    assert_eq!(value("replicas{lane=\"0\"}"), ONE);
    assert_eq!(value("overshoot_bound_ratio"), 0, "1 % of 3 is less than one");
    assert_eq!(value("overshoot_observed_ratio"), 0);
}

#[test]
fn metrics_of_counters_in_memory_are_a_part_of_them() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| limited(site, &backend, BY_KEY));
    let statuses = [(); 4].map(|()| get(&gateway, "a"));
    assert_eq!(statuses, [200, 200, 200, 429]);
    let metrics = Metrics::of(&gateway);
    assert!(metrics.names().is_subset(&documented()), "{:?}", metrics.names());
    assert_eq!(metrics.value("weir_limit_claims_total{home=\"memory\"}"), 4 * ONE);
    assert_eq!(metrics.value("weir_limit_refusals_total{home=\"memory\",reason=\"limit\"}"), ONE);
    assert_eq!(metrics.value("weir_limit_keys{home=\"memory\"}"), ONE);
}

#[test]
fn all_limits_of_the_configuration_are_listed_with_their_bounds() {
    let redis = Redis::start();
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"1000\" renewal-period=\"60\" counter-key=\"a\" />\
                   <rate-limit-by-key calls='@(2 + 3)' renewal-period=\"60\" counter-key='@(\"b\" + context.RequestId)' />\
                   <quota-by-key calls=\"500\" bandwidth=\"7\" renewal-period=\"300\" counter-key=\"c\" />";
    let gateways: [Gateway; 1] = fleet(&redis, |site| limited(site, &backend, inbound));
    let bounds = told(&gateways[0], &["bound"]);
    let rows = bounds["limits"].as_array().expect("rows");
    let shown: Vec<_> =
        rows.iter().map(|row| (&row["limit"], &row["over"], &row["counts"])).collect();
    let text = |text: &str| Value::from(text);
    let number = |number: u64| Value::from(number);
    assert_eq!(shown[0], (&number(1_000), &number(10), &text("calls")), "{bounds}");
    assert_eq!(shown[2], (&number(500), &number(5), &text("calls")), "{bounds}");
    assert_eq!(shown[3], (&number(7 * 1024), &number(71), &text("bytes")), "{bounds}");
    let words = rows[0]["bound"].as_str().expect("words");
    assert!(words.starts_with("at most 1010 in any 60 s, "), "{words}");
}
