//! What a gateway counts of requests, as it is scraped and as `StatsD` gets it.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use crate::harness::backend::NOBODY;
use crate::harness::{Backend, Gateway, Policies, Request, reply, soon};

/// What stands at `/metrics`.
fn scraped(gateway: &Gateway) -> String {
    gateway.admin("/metrics").text().to_owned()
}

/// The sum of all values of `name` whose labels have all of `labels`.
fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    let lines = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let found = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    found.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

/// Waits until that sum is `count`: a request is counted after its answer has gone.
fn counted(gateway: &Gateway, name: &str, labels: &[&str], count: f64) {
    let is_so = || (sum(&scraped(gateway), name, labels) - count).abs() < 0.5;
    assert!(
        soon(|| is_so().then_some(())).is_some(),
        "{name} {labels:?} is not {count}:\n{}",
        scraped(gateway)
    );
}

const DURATION: &str = "http_server_request_duration_seconds_count";

/// What is asked, and what comes of it.
const ASKED: [(&str, u16); 12] = [
    ("/fine/a", 200),
    ("/fine/b", 200),
    ("/keyed/a", 401),
    ("/nowhere", 404),
    ("/gone/a", 500),
    ("/slow/a", 500),
    ("/left/a", 200),
    ("/few/a", 200),
    ("/few/a", 429),
    ("/kept/a", 200),
    ("/kept/a", 200),
    ("/again/a", 200),
];

/// A gateway in front of `backend`, and of one that answers too late.
fn gateway_of(backend: &Backend, late: &Backend) -> Gateway {
    Gateway::start(|site| {
        site.open_api("fine", &backend.url(), Policies::default());
        site.open_api("gone", NOBODY, Policies::default());
        let slow = "<forward-request timeout=\"1\" />";
        site.open_api("slow", &late.url(), Policies { backend: slow, ..Policies::default() });
        let limit = "<rate-limit-by-key calls=\"1\" renewal-period=\"300\" counter-key=\"all\" />";
        let quota = "<quota-by-key calls=\"10\" renewal-period=\"3600\" counter-key=\"all\" />";
        site.open_api("left", &backend.url(), Policies { inbound: quota, ..Policies::default() });
        site.open_api("few", &backend.url(), Policies { inbound: limit, ..Policies::default() });
        let cached = Policies {
            inbound: "<cache-lookup vary-by-developer=\"false\" vary-by-developer-groups=\"false\" />",
            outbound: "<cache-store duration=\"60\" />",
            ..Policies::default()
        };
        site.open_api("kept", &backend.url(), cached);
        let again = "<retry condition=\"@(context.Response.StatusCode == 200)\" count=\"2\" interval=\"0\">\
                     <forward-request /></retry>";
        site.open_api("again", &backend.url(), Policies { backend: again, ..Policies::default() });
        site.yaml(
            "apis:\n  - id: keyed\n    path: keyed\n    serviceUrl: http://127.0.0.1:1\n    operations:\n      \
             - {id: get, method: GET, urlTemplate: /a}\n",
        );
    })
}

#[test]
fn each_outcome_of_a_request_is_counted_once() {
    let backend = Backend::plain();
    let hanging = Backend::replying(|_seen| {
        std::thread::sleep(Duration::from_secs(3));
        reply(200, &[], "late")
    });
    let gateway = gateway_of(&backend, &hanging);
    for (target, status) in ASKED {
        let got = gateway.get(target).status;
        assert!(got == status || (target == "/slow/a" && got == 504), "{target}: {got}");
    }
    let api = |id: &str| format!("weir_api_id=\"{id}\"");
    let status = |code: u16| format!("http_response_status_code=\"{code}\"");
    counted(&gateway, DURATION, &[], 12.0);
    let page = scraped(&gateway);
    let is = |name: &str, labels: &[&str], count: f64| {
        let found = sum(&page, name, labels);
        assert!((found - count).abs() < 0.5, "{name} {labels:?}: {found}, not {count}\n{page}");
    };
    let get =
        ["http_request_method=\"GET\"", "url_scheme=\"http\"", "network_protocol_version=\"1.1\""];
    is(DURATION, &get, 12.0);
    is(
        DURATION,
        &[&api("fine"), &status(200), "http_route=\"/fine/{*rest}\"", "weir_operation_id=\"get\""],
        2.0,
    );
    is(DURATION, &[&api("keyed"), &status(401)], 1.0);
    is(DURATION, &[&status(404)], 1.0);
    is(DURATION, &[&api("few"), &status(429)], 1.0);
    is(DURATION, &[&api("gone"), "error_type=\"backend_connection_failed\""], 1.0);
    is(DURATION, &[&api("slow"), "error_type=\"backend_timeout\""], 1.0);
    is("weir_refusals_total", &["reason=\"backend_timeout\""], 1.0);
    is("weir_refusals_total", &[&api("few")], 1.0);
    is("weir_cache_lookups_total", &[&api("kept"), "outcome=\"miss\""], 1.0);
    is("weir_cache_lookups_total", &[&api("kept"), "outcome=\"hit\""], 1.0);
    is("weir_cache_hits_total", &["cache=\"responses\""], 1.0);
    is("weir_retries_total", &[&api("again")], 2.0);
    is(
        "weir_limited_requests_total",
        &["policy=\"rate-limit-by-key\"", "outcome=\"refused\""],
        1.0,
    );
    let tries = "http_client_request_duration_seconds_count";
    // Two of `fine`, one of `left`, `few` and `kept` each, three of `again`.
    is(tries, &["server_address=\"127.0.0.1\"", &status(200)], 8.0);
    is("weir_quota_left", &["policy=\"quota-by-key\"", "counts=\"calls\""], 9.0);
    is("weir_quota_limit", &["policy=\"quota-by-key\""], 10.0);
    is(tries, &["error_type=\"unreached\""], 1.0);
    is(tries, &["error_type=\"timeout\""], 1.0);
    let waited = sum(&page, "weir_backend_duration_seconds_sum", &[&api("slow")]);
    let own = sum(&page, "weir_gateway_duration_seconds_sum", &[&api("slow")]);
    assert!(1.0 <= waited && own < 0.5, "{waited} {own}");
    is("weir_backend_duration_seconds_count", &[&api("kept")], 1.0);
    is("weir_gateway_duration_seconds_count", &[&api("kept")], 2.0);
    of_the_process(&page);
}

/// What is told beside of the process.
fn of_the_process(page: &str) {
    let one =
        |name: &str| page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0").trim();
    assert!(1e6 < one("weir_process_memory_bytes ").parse::<f64>().unwrap(), "{page}");
    assert!(11.0 <= one("weir_connections_accepted_total ").parse::<f64>().unwrap(), "{page}");
    assert!(page.contains("weir_event_loop_lag_seconds_count"), "{page}");
    assert!(!page.contains("DurationInMS"), "{page}");
}

#[test]
fn clients_make_no_series() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("metrics-names", "both");
        site.open_api("fine", &backend.url(), Policies::default());
    });
    let mut client = gateway.client();
    for number in 0..300 {
        let target = format!("/fine/{number}?key={number}");
        let host = format!("h{number}.example");
        assert_eq!(client.ask(&Request::get(&target).host(&host)).status, 200);
        // No operation is there for it, or it is no method at all.
        let _ = gateway.ask(&Request::new(&format!("M{number}"), &target).host(&host));
    }
    counted(&gateway, DURATION, &[], 600.0);
    let page = scraped(&gateway);
    let series = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
    assert!(series(DURATION) <= 4, "{page}");
    assert!(series("Requests_total") <= 4 && series("DurationInMS_count") == 1, "{page}");
    assert!(!page.contains("h7.example") && !page.contains("M77"), "{page}");
    assert!(
        (sum(&page, "Requests_total", &["Hostname=\"(other)\""]) - 600.0).abs() < 0.5,
        "{page}"
    );
    assert!(
        (sum(&page, DURATION, &["http_request_method=\"_OTHER\""]) - 300.0).abs() < 0.5,
        "{page}"
    );
}

#[test]
fn statsd_hears_of_each_request() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let endpoint = format!("udp://{}", server.local_addr().unwrap());
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        let variables = [
            ("telemetry.metrics.local", "statsd"),
            ("telemetry.metrics.local.statsd.endpoint", &endpoint),
            ("telemetry.metrics.local.statsd.sampling", "1"),
            ("telemetry.metrics.local.statsd.tag-format", "dogStatsD"),
        ];
        site.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        site.open_api("fine", &backend.url(), Policies::default());
    });
    for _request in 0..5 {
        assert_eq!(gateway.get("/fine/a").status, 200);
    }
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    let mut buffer = [0; 4_096];
    while lines.get("Requests").copied().unwrap_or(0) < 5
        || lines.get("DurationInMS").copied().unwrap_or(0) < 5
    {
        let length = server.recv(&mut buffer).expect("a datagram");
        for line in str::from_utf8(&buffer[..length]).unwrap().lines() {
            let (name, rest) = line.split_once(':').unwrap();
            let count = rest.split_once("|c|").map_or(1, |(count, _tags)| count.parse().unwrap());
            assert!(
                rest.contains("|#Hostname:_other_") || rest.contains("|#Hostname:(other)"),
                "{line}"
            );
            *lines.entry(name.to_owned()).or_default() += count;
        }
    }
    assert_eq!((lines["Requests"], lines["DurationInMS"]), (5, 5));
    assert!(
        0.0 < scraped(&gateway)
            .lines()
            .find_map(|line| { line.strip_prefix("weir_statsd_sent_total ")?.parse::<f64>().ok() })
            .unwrap()
    );
}
