//! Tests of what is counted of requests.

use std::thread;
use std::time::Duration;

use http::{Method, StatusCode};

use super::histogram::Trace;
use super::testing::served;
use super::*;
use crate::telemetry::metrics::Page;

fn shown(traffic: &Traffic) -> String {
    let mut page = Page::default();
    traffic.show(&mut page, "north", "west");
    page.text()
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "no `{line}` in:\n{text}");
}

fn named(names: Names) -> Traffic {
    Traffic::new(Terms { names, ..Terms::default() })
}

#[test]
fn a_request_is_counted_by_its_route_and_its_outcome() {
    let traffic = named(Names::Semantic);
    let get = Method::GET;
    traffic.ended(&served(&get));
    let cut = Served {
        status: Some(StatusCode::GATEWAY_TIMEOUT),
        error: Some("backend_timeout"),
        refusal: Some("backend_timeout"),
        forwards: 3,
        cache: Some(false),
        ..served(&get)
    };
    traffic.ended(&cut);
    let text = shown(&traffic);
    let route = "http_request_method=\"GET\",url_scheme=\"https\",network_protocol_version=\"1.1\",\
                 http_route=\"/shop/orders/{id}\",weir_api_id=\"shop\",weir_operation_id=\"order\"";
    let by = "weir_api_id=\"shop\",weir_operation_id=\"order\"";
    for line in [
        format!(
            "http_server_request_duration_seconds_count{{{route},http_response_status_code=\"200\"}} 1"
        ),
        format!(
            "http_server_request_duration_seconds_bucket{{le=\"0.01\",{route},http_response_status_code=\"200\"}} 0"
        ),
        format!(
            "http_server_request_duration_seconds_bucket{{le=\"0.025\",{route},http_response_status_code=\"200\"}} 1"
        ),
        format!(
            "http_server_request_duration_seconds_count{{{route},http_response_status_code=\"504\",\
             error_type=\"backend_timeout\"}} 1"
        ),
        format!(
            "http_server_response_body_size_bytes_sum{{{route},http_response_status_code=\"200\"}} 300.0"
        ),
        format!("weir_gateway_duration_seconds_sum{{{by}}} 0.002"),
        format!("weir_backend_duration_seconds_sum{{{by}}} 0.016"),
        "weir_refusals_total{reason=\"backend_timeout\",weir_api_id=\"shop\"} 1".to_owned(),
        format!("weir_retries_total{{{by}}} 2"),
        format!("weir_cache_lookups_total{{outcome=\"miss\",{by}}} 1"),
        "weir_metrics_folded_total{kind=\"requests\"} 0".to_owned(),
    ] {
        has(&text, &line);
    }
    assert!(!text.contains("DurationInMS"), "{text}");
}

#[test]
fn a_request_without_an_answer_and_without_a_route_has_neither_label() {
    let traffic = named(Names::Semantic);
    let method = Method::from_bytes(b"BREW").unwrap();
    let gone = Served {
        route: None,
        api: "",
        operation: "",
        status: None,
        error: Some("client"),
        is_secure: false,
        ..served(&method)
    };
    traffic.ended(&gone);
    has(
        &shown(&traffic),
        "http_server_request_duration_seconds_count{http_request_method=\"_OTHER\",url_scheme=\"http\",\
         network_protocol_version=\"1.1\",error_type=\"client\"} 1",
    );
}

#[test]
fn requests_that_go_on_are_counted_by_method_and_scheme_until_they_end() {
    let traffic = named(Names::Semantic);
    let text = |count: usize| {
        let label = "http_request_method=\"POST\",url_scheme=\"https\"";
        format!("http_server_active_requests{{{label}}} {count}.0")
    };
    let (one, two) = (traffic.begin(&Method::POST, true), traffic.begin(&Method::POST, true));
    has(&shown(&traffic), &text(2));
    drop(one);
    has(&shown(&traffic), &text(1));
    drop(two);
    has(&shown(&traffic), &text(0));
}

#[test]
fn each_try_to_reach_a_backend_is_counted() {
    let traffic = named(Names::Semantic);
    let tried = Tried {
        method: &Method::GET,
        host: "orders.svc",
        port: 8443,
        status: Some(StatusCode::NOT_FOUND),
        error: None,
        took: Duration::from_millis(7),
        at: Timestamp::default(),
        trace: None,
    };
    traffic.tried(&tried);
    traffic.tried(&Tried { status: None, error: Some("timeout"), ..tried });
    let text = shown(&traffic);
    let to = "http_request_method=\"GET\",server_address=\"orders.svc\",server_port=\"8443\"";
    has(
        &text,
        &format!(
            "http_client_request_duration_seconds_count{{{to},http_response_status_code=\"404\",error_type=\"404\"}} 1"
        ),
    );
    has(
        &text,
        &format!("http_client_request_duration_seconds_count{{{to},error_type=\"timeout\"}} 1"),
    );
}

#[test]
fn apis_of_azure_find_their_own_names() {
    let traffic = named(Names::Apim);
    let get = Method::GET;
    traffic.ended(&served(&get));
    let refused = Served {
        status: Some(StatusCode::TOO_MANY_REQUESTS),
        backend_status: None,
        host: None,
        last_error: Some("RateLimitExceeded"),
        cache: Some(true),
        forwards: 0,
        ..served(&get)
    };
    traffic.ended(&refused);
    let text = shown(&traffic);
    let whence = "GatewayId=\"north\",Location=\"west\"";
    for line in [
        format!(
            "Requests_total{{Hostname=\"api.example\",Status=\"Successful\",Cache=\"None\",ResponseCode=\"200\",\
             ResponseCodeCategory=\"2xx\",BackendResponseCode=\"200\",BackendResponseCodeCategory=\"2xx\",\
             LastErrorReason=\"None\",{whence}}} 1"
        ),
        format!(
            "Requests_total{{Hostname=\"(other)\",Status=\"Unauthorized\",Cache=\"Hit\",ResponseCode=\"429\",\
             ResponseCodeCategory=\"4xx\",BackendResponseCode=\"None\",BackendResponseCodeCategory=\"None\",\
             LastErrorReason=\"RateLimitExceeded\",{whence}}} 1"
        ),
        format!("DurationInMS_bucket{{le=\"25.0\",Hostname=\"api.example\",{whence}}} 1"),
        format!("DurationInMS_sum{{Hostname=\"api.example\",{whence}}} 12.0"),
        format!("BackendDurationInMS_sum{{Hostname=\"api.example\",{whence}}} 8.0"),
        format!("ClientDurationInMS_sum{{Hostname=\"api.example\",{whence}}} 3.0"),
        format!("GatewayDurationInMs_sum{{Hostname=\"api.example\",{whence}}} 1.0"),
    ] {
        has(&text, &line);
    }
    assert!(
        !text.contains("http_server")
            && !text.contains("BackendDurationInMS_sum{Hostname=\"(other)")
    );
    let both = shown(&{
        let both = named(Names::Both);
        both.ended(&served(&get));
        both
    });
    assert!(
        both.contains("http_server_request_duration_seconds") && both.contains("Requests_total")
    );
}

#[test]
fn the_newest_traced_request_of_each_part_is_an_exemplar() {
    let traffic = named(Names::Semantic);
    let get = Method::GET;
    let traced = |millis, trace_id| Served {
        total: Duration::from_millis(millis),
        trace: Some(Trace { trace_id, span_id: 0xabc }),
        ..served(&get)
    };
    for (millis, trace_id) in [(12, 1), (13, 2), (3, 3)] {
        traffic.ended(&traced(millis, trace_id));
    }
    traffic.ended(&served(&get));
    let text = shown(&traffic);
    let exemplars: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(" # ")).map(|it| it.1).collect();
    let exemplar = |trace: u32, value: &str| {
        format!(
            "{{trace_id=\"{trace:032x}\",span_id=\"0000000000000abc\"}} {value} 1700000000.000000"
        )
    };
    assert_eq!(exemplars, [exemplar(3, "0.003"), exemplar(2, "0.013")]);
}

#[test]
fn a_million_hosts_methods_and_paths_make_no_series() {
    let traffic = Traffic::new(Terms { names: Names::Both, ..Terms::default() });
    for number in 0..1_000_000_u32 {
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        // What a route, an API and an operation are called stands in the configuration; that a host is one
        // of the configured is for whoever calls. All that a client chooses is the method and the status.
        let status = StatusCode::from_u16(u16::try_from(100 + number % 900).unwrap()).unwrap();
        traffic.ended(&Served { host: None, status: Some(status), ..served(&method) });
    }
    let text = shown(&traffic);
    let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    // 500 statuses, and one word for all others.
    assert_eq!(series("http_server_request_duration_seconds_count"), 501);
    assert_eq!(series("DurationInMS_count"), 1);
    assert!(series("Requests_total") <= 501);
    has(&text, "weir_metrics_folded_total{kind=\"requests\"} 0");
}

#[test]
fn a_million_backends_of_policies_stay_within_their_bound() {
    let traffic = named(Names::Semantic);
    for number in 0..1_000_000_u32 {
        let host = format!("h{number}.example");
        traffic.tried(&Tried {
            method: &Method::GET,
            host: &host,
            port: 80,
            status: Some(StatusCode::OK),
            error: None,
            took: Duration::from_micros(5),
            at: Timestamp::default(),
            trace: None,
        });
    }
    let text = shown(&traffic);
    let counts =
        text.lines().filter(|line| line.starts_with("http_client_request_duration_seconds_count"));
    assert_eq!(counts.count(), BACKENDS_MAX + 1);
    has(&text, "weir_metrics_folded_total{kind=\"backends\"} 999000");
    assert!(text.contains("server_address=\"(other)\""));
}

/// Run by hand, in a release build: `cargo test --release -- --ignored --nocapture what_a_request_costs`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn what_a_request_costs() {
    const REQUESTS: u32 = 2_000_000;
    for (what, names, threads) in [
        ("semantic", Names::Semantic, 1),
        ("both", Names::Both, 1),
        ("semantic", Names::Semantic, 2),
    ] {
        let traffic = named(names);
        let begun = std::time::Instant::now();
        thread::scope(|scope| {
            for _thread in 0..threads {
                scope.spawn(|| {
                    let method = Method::GET;
                    for _request in 0..REQUESTS {
                        let _active = traffic.begin(&method, true);
                        traffic.ended(&served(&method));
                    }
                });
            }
        });
        println!("{what}, {threads} threads: {:?} a request", begun.elapsed() / REQUESTS);
    }
}
