//! Traces, as a collector and the backends see them: which spans there are, whose, and what they say.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::harness::backend::NOBODY;
use crate::harness::client::Request;
use crate::harness::collector::{Collector, Manner, attribute, hex, unused};
use crate::harness::site::Site;
use crate::harness::{Backend, Gateway, Policies, reply, soon};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const CLIENT: i32 = 3;
const SERVER: i32 = 2;

fn traced(site: &mut Site, collector: &Collector) {
    site.set("telemetry-otlp-endpoint", &collector.url());
    site.set("telemetry-otlp-interval", "100ms");
    site.set("telemetry-traces-sampler", "always");
}

fn of_kind(spans: &[Span], kind: i32) -> Vec<&Span> {
    spans.iter().filter(|span| span.kind == kind).collect()
}

fn told(span: &Span, name: &str) -> String {
    attribute(&span.attributes, name).unwrap_or_default()
}

/// The only span of that kind.
fn only(spans: &[Span], kind: i32) -> &Span {
    match of_kind(spans, kind).as_slice() {
        [span] => span,
        others => panic!("one span was expected: {others:#?}"),
    }
}

#[test]
fn a_clients_trace_arrives_at_the_backend_and_at_the_collector() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let request = Request::get("/echo/hello?secret=1")
        .field("traceparent", &format!("00-{TRACE}-{PARENT}-00"))
        .field("tracestate", "vendor=x")
        .field("baggage", "user=7");
    assert_eq!(gateway.ask(&request).status, 200);
    let spans = collector.await_spans(2);
    let (server, client) = (only(&spans, SERVER), only(&spans, CLIENT));
    assert_eq!(
        (hex(&server.trace_id), hex(&client.trace_id)),
        (TRACE.to_owned(), TRACE.to_owned())
    );
    assert_eq!(hex(&server.parent_span_id), PARENT);
    assert_eq!(client.parent_span_id, server.span_id);
    let seen = backend.seen().remove(0);
    let expected = format!("00-{TRACE}-{}-01", hex(&client.span_id));
    assert_eq!(seen.field("traceparent"), Some(expected.as_str()));
    assert_eq!(
        seen.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("traceparent")).count(),
        1
    );
    assert_eq!((seen.field("tracestate"), seen.field("baggage")), (Some("vendor=x"), None));
    assert_eq!(told(server, "http.request.method"), "GET");
    assert_eq!(told(server, "url.path"), "/echo/hello");
    assert_eq!(told(server, "http.response.status_code"), "200");
    assert_eq!(told(server, "weir.api.id"), "echo");
    assert_eq!(server.name, format!("GET {}", told(server, "http.route")));
    assert!(told(server, "http.route").starts_with("/echo"));
    assert_eq!(told(client, "server.port"), backend.port().to_string());
    assert_eq!(told(client, "http.response.status_code"), "200");
    assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
    assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    assert!(!format!("{collector:?}").contains("secret"));
    assert_eq!(collector.resource()["service.name"], "weir");
}

#[test]
fn each_try_has_a_span_of_its_own() {
    let (collector, backend) = (Collector::start(), Backend::replying(|_seen| reply(503, &[], "")));
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        let backend_section = "<retry condition=\"@(context.Response.StatusCode == 503)\" count=\"2\" \
                               interval=\"0\"><forward-request /></retry>";
        let policies = Policies { backend: backend_section, ..Policies::default() };
        site.open_api("echo", &backend.url(), policies);
    });
    assert_eq!(gateway.get("/echo/x").status, 503);
    let spans = collector.await_spans(4);
    let tries = of_kind(&spans, CLIENT);
    let resent: Vec<String> =
        tries.iter().map(|span| told(span, "http.request.resend_count")).collect();
    assert_eq!(resent, ["", "1", "2"]);
    let sent: Vec<String> = backend
        .seen()
        .iter()
        .filter_map(|seen| Some(seen.field("traceparent")?.to_owned()))
        .collect();
    let ids: Vec<String> = tries
        .iter()
        .map(|span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id)))
        .collect();
    assert_eq!(sent, ids);
    assert!(tries.iter().all(|span| span.status.as_ref().is_some_and(|status| status.code == 2)));
    assert_eq!(told(only(&spans, SERVER), "weir.tries"), "3");
    let events: Vec<&str> =
        only(&spans, SERVER).events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["retry", "retry"]);
}

#[test]
fn calls_of_policies_are_part_of_the_trace() {
    let (collector, backend, service) = (Collector::start(), Backend::plain(), Backend::plain());
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        let inbound = format!(
            "<send-request mode=\"new\" response-variable-name=\"a\"><set-url>{url}/ask</set-url>\
             <set-method>POST</set-method></send-request>\
             <send-one-way-request mode=\"new\"><set-url>{url}/tell</set-url>\
             <set-method>PUT</set-method></send-one-way-request>",
            url = service.url(),
        );
        let policies = Policies { inbound: &inbound, ..Policies::default() };
        site.open_api("echo", &backend.url(), policies);
    });
    assert_eq!(gateway.get("/echo/x").status, 200);
    let spans = collector.await_spans(4);
    let server = only(&spans, SERVER);
    let mut calls: Vec<(String, String)> = of_kind(&spans, CLIENT)
        .iter()
        .map(|span| {
            assert_eq!((&span.parent_span_id, &span.trace_id), (&server.span_id, &server.trace_id));
            (told(span, "weir.call"), span.name.clone())
        })
        .collect();
    calls.sort();
    let expected = [("backend", "GET"), ("call", "POST"), ("one-way", "PUT")];
    assert_eq!(calls, expected.map(|(call, name)| (call.to_owned(), name.to_owned())));
    for seen in service.seen() {
        let parent = seen.field("traceparent").expect("a trace");
        assert!(spans.iter().any(|span| parent.contains(&hex(&span.span_id))), "{parent}");
    }
}

#[test]
fn what_goes_wrong_says_why() {
    let collector = Collector::start();
    let slow = Backend::replying(|_seen| {
        std::thread::sleep(Duration::from_secs(3));
        reply(200, &[], "")
    });
    let plain = Backend::plain();
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        let late = Policies { backend: "<forward-request timeout=\"1\" />", ..Policies::default() };
        site.open_api("slow", &slow.url(), late);
        site.open_api("gone", NOBODY, Policies::default());
        let limited = Policies {
            inbound: "<rate-limit-by-key calls=\"1\" renewal-period=\"60\" counter-key=\"k\" />",
            ..Policies::default()
        };
        site.open_api("limited", &plain.url(), limited);
        let judged = Policies {
            inbound: "<validate-jwt header-name=\"Authorization\"><issuer-signing-keys>\
                      <key>c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk=</key></issuer-signing-keys></validate-jwt>",
            ..Policies::default()
        };
        site.open_api("judged", &plain.url(), judged);
    });
    let spans_of = |target: &str, status: u16, count: usize| {
        let before = collector.await_spans(0).len();
        assert_eq!(gateway.get(target).status, status, "{target}");
        collector.await_spans(before + count).split_off(before)
    };
    let late = spans_of("/slow/x", 500, 2);
    assert_eq!(told(only(&late, CLIENT), "error.type"), "timeout");
    assert_eq!(told(only(&late, SERVER), "error.type"), "backend_timeout");
    let gone = spans_of("/gone/x", 500, 2);
    assert_eq!(told(only(&gone, CLIENT), "error.type"), "connection_refused");
    assert_eq!(only(&gone, SERVER).status.as_ref().unwrap().code, 2);
    spans_of("/limited/x", 200, 2);
    let limited = spans_of("/limited/x", 429, 1);
    let server = only(&limited, SERVER);
    let event = &server.events[0];
    assert_eq!(event.name, "limit.refused");
    assert_eq!(attribute(&event.attributes, "weir.policy").unwrap(), "rate-limit-by-key");
    assert!(attribute(&event.attributes, "weir.place").unwrap().contains(':'));
    assert_eq!(attribute(&event.attributes, "weir.limit.limit").unwrap(), "1");
    assert_eq!(attribute(&event.attributes, "weir.limit.remaining").unwrap(), "0");
    assert_eq!(attribute(&event.attributes, "weir.limit.mode").unwrap(), "fast");
    assert_eq!(server.status.as_ref().map_or(0, |status| status.code), 0);
    let judged = spans_of("/judged/x", 401, 1);
    let event = &only(&judged, SERVER).events[0];
    assert_eq!(attribute(&event.attributes, "weir.error.reason").unwrap(), "TokenNotPresent");
    let missing = spans_of("/nowhere", 404, 1);
    assert_eq!(only(&missing, SERVER).name, "GET");
}

#[test]
fn an_untrusted_client_does_not_decide_what_is_recorded() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let start = |trusted: &str| {
        Gateway::start(|site| {
            traced(site, &collector);
            site.settings.retain(|(name, _)| name != "telemetry-traces-sampler");
            site.set("telemetry-traces-ratio", "0");
            site.set("forwarded-trusted", trusted);
            site.open_api("echo", &backend.url(), Policies::default());
        })
    };
    let request = Request::get("/echo/x")
        .field("traceparent", &format!("00-{TRACE}-{PARENT}-01"))
        .field("baggage", "user=7");
    let stranger = start("192.0.2.0/24");
    assert_eq!(stranger.ask(&request).status, 200);
    let seen = backend.seen().pop().unwrap();
    assert!(seen.field("traceparent").unwrap().ends_with("-00"));
    assert_eq!(seen.field("baggage"), None);
    // What goes wrong is recorded all the same.
    assert_eq!(stranger.get("/nowhere").status, 404);
    let spans = collector.await_spans(1);
    assert_eq!(told(only(&spans, SERVER), "http.response.status_code"), "404");
    let friend = start("127.0.0.0/8");
    assert_eq!(friend.ask(&request).status, 200);
    let seen = backend.seen().pop().unwrap();
    assert!(seen.field("traceparent").unwrap().ends_with("-01"));
    assert_eq!(seen.field("baggage"), Some("user=7"));
    assert_eq!(collector.await_spans(3).len(), 3);
}

#[test]
fn without_traces_a_clients_fields_go_on_untouched() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let line = format!("00-{TRACE}-{PARENT}-01");
    let request = Request::get("/echo/x").field("traceparent", &line).field("baggage", "user=7");
    assert_eq!(gateway.ask(&request).status, 200);
    let seen = backend.seen().remove(0);
    assert_eq!(
        (seen.field("traceparent"), seen.field("baggage")),
        (Some(line.as_str()), Some("user=7"))
    );
}

#[test]
fn lines_of_the_log_arrive_with_their_trace() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.get("/echo/x").status, 200);
    let spans = collector.await_spans(2);
    let server = only(&spans, SERVER);
    let found =
        soon(|| collector.logs().into_iter().find(|record| record.event_name == "GatewayLogs"));
    let record = found.expect("a line");
    assert_eq!((&record.trace_id, &record.span_id), (&server.trace_id, &server.span_id));
    assert_eq!(attribute(&record.attributes, "responseCode").unwrap(), "200");
    let events =
        soon(|| collector.logs().into_iter().find(|record| record.event_name == "GatewayEvents"));
    assert!(events.is_some(), "what the gateway says arrives, too");
}

/// Emitted, exported, dropped and held of a signal: the first is the sum of the others.
fn counts(gateway: &Gateway, signal: &str) -> [u64; 4] {
    let page = gateway.admin("/metrics");
    let label = format!("signal=\"{signal}\"");
    let sum = |name: &str| -> u64 {
        let start = format!("weir_telemetry_{name}{{");
        let lines =
            page.text().lines().filter(|line| line.starts_with(&start) && line.contains(&label));
        let number = |line: &str| line.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok();
        lines.filter_map(number).sum()
    };
    let counts: [u64; 4] = ["emitted_total", "exported_total", "dropped_total", "held"].map(sum);
    let [emitted, others @ ..] = counts;
    assert_eq!(emitted, others.iter().sum::<u64>(), "{counts:?}");
    counts
}

#[test]
fn what_was_recorded_is_accounted_for_while_the_collector_comes_and_goes() {
    let address = unused();
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("telemetry-otlp-endpoint", &format!("http://{address}"));
        site.set("telemetry-otlp-interval", "100ms");
        site.set("telemetry-otlp-timeout", "300ms");
        site.set("telemetry-traces-sampler", "always");
        site.set("telemetry-logs", "false");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let ask = |times: usize| {
        let mut client = gateway.client();
        for _ in 0..times {
            assert_eq!(client.ask(&Request::get("/echo/x")).status, 200);
        }
    };
    // Nobody listens.
    ask(20);
    let held = soon(|| Some(counts(&gateway, "traces")).filter(|counts| 40 <= counts[0]));
    let [emitted, exported, dropped, held] = held.expect("all is recorded");
    assert_eq!((exported, dropped, held), (0, 0, emitted));
    // Somebody does who never answers.
    let collector = Collector::at(address);
    collector.behave(Manner::Silent);
    ask(20);
    // Somebody who has no room now.
    collector.behave(Manner::Answers(tonic::Code::Unavailable));
    ask(20);
    // At last it takes what there is, but for one of each request.
    collector.behave(Manner::Rejects(1));
    let all = soon(|| {
        Some(counts(&gateway, "traces")).filter(|counts| 120 <= counts[0] && counts[3] == 0)
    });
    let [emitted, exported, dropped, _] = all.expect("all is sent");
    assert!(120 <= emitted && 0 < dropped, "{emitted} {exported} {dropped}");
    assert_eq!(u64::try_from(collector.spans().len()).unwrap(), emitted);
    // What it will never take is not tried again.
    collector.behave(Manner::Answers(tonic::Code::InvalidArgument));
    ask(5);
    let refused =
        soon(|| Some(counts(&gateway, "traces")).filter(|counts| counts[2] == dropped + 10));
    assert!(refused.is_some(), "it is dropped: {:?}", counts(&gateway, "traces"));
}

#[test]
fn what_is_recorded_last_is_sent_before_the_end() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let mut gateway = Gateway::start(|site| {
        traced(site, &collector);
        site.settings.retain(|(name, _)| name != "telemetry-otlp-interval");
        site.set("telemetry-otlp-interval", "1h");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.get("/echo/x").status, 200);
    assert!(collector.spans().is_empty());
    gateway.signal("TERM");
    assert!(gateway.end().success());
    let spans = collector.spans();
    assert_eq!((of_kind(&spans, SERVER).len(), of_kind(&spans, CLIENT).len()), (1, 1));
}

#[test]
fn a_collector_over_http_gets_the_same() {
    let (service, backend) = (Backend::plain(), Backend::plain());
    let gateway = Gateway::start(|site| {
        let fields = site.file("fields.txt", "X-Key: abc\n");
        site.set("telemetry-otlp-headers-file", &fields.display().to_string());
        site.set("telemetry-otlp-endpoint", &format!("{}/base", service.url()));
        site.set("telemetry-otlp-protocol", "http");
        site.set("telemetry-otlp-interval", "100ms");
        site.set("telemetry-traces-sampler", "always");
        site.set("telemetry-logs", "false");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.get("/echo/x").status, 200);
    let spans = soon(|| {
        let sent = service.seen().into_iter().filter(|seen| seen.target == "/base/v1/traces");
        let mut spans = Vec::new();
        for seen in sent {
            assert_eq!(seen.field("content-type"), Some("application/x-protobuf"));
            assert_eq!(seen.field("x-key"), Some("abc"));
            let request = ExportTraceServiceRequest::decode(seen.body.as_slice()).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
        (of_kind(&spans, SERVER).len() == 1).then_some(spans)
    });
    assert_eq!(of_kind(&spans.expect("spans"), CLIENT).len(), 1);
}

#[test]
fn a_configuration_that_is_refused_has_a_trace_of_its_own() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let load = |is_refused: bool| {
        let found = soon(|| {
            let loads =
                collector.spans().into_iter().filter(|span| span.name == "configuration.load");
            loads.into_iter().find(|span| {
                (span.status.as_ref().map_or(0, |status| status.code) == 2) == is_refused
            })
        });
        found.expect("a load")
    };
    assert_eq!(told(&load(false), "weir.generation"), "1");
    crate::harness::site::write(gateway.folder(), "wrong.yaml", "apis: 7\n");
    let refused = load(true);
    assert_eq!(told(&refused, "weir.faults"), "1");
    assert!(refused.status.unwrap().message.contains("wrong.yaml:1:7"));
}

#[test]
fn spans_lines_and_metrics_of_the_same_requests_agree() {
    let (collector, backend) = (Collector::start(), Backend::plain());
    let gateway = Gateway::start(|site| {
        traced(site, &collector);
        site.set("telemetry-metrics-interval", "1s");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    for _ in 0..20 {
        assert_eq!(gateway.get("/echo/x").status, 200);
    }
    let spans = collector.await_spans(40);
    let servers = of_kind(&spans, SERVER);
    assert_eq!((servers.len(), spans.len()), (20, 40));
    let counted = soon(|| {
        let pushes = collector.metrics();
        let groups =
            pushes.last()?.resource_metrics.first()?.scope_metrics.first()?.metrics.clone();
        let metric =
            groups.into_iter().find(|metric| metric.name == "http.server.request.duration")?;
        let Some(Data::Histogram(histogram)) = metric.data else { return None };
        let points = histogram.data_points;
        (points.iter().map(|point| point.count).sum::<u64>() == 20).then_some(points)
    });
    let points = counted.expect("all requests are counted");
    assert_eq!(attribute(&points[0].attributes, "http.response.status_code").unwrap(), "200");
    let route = attribute(&points[0].attributes, "http.route").unwrap();
    assert_eq!(told(servers[0], "http.route"), route);
    let exemplars: Vec<_> = points.iter().flat_map(|point| &point.exemplars).collect();
    assert!(!exemplars.is_empty());
    for exemplar in exemplars {
        let is_it =
            |span: &&Span| span.span_id == exemplar.span_id && span.trace_id == exemplar.trace_id;
        assert!(servers.iter().any(is_it), "{exemplar:?}");
    }
    let lines = soon(|| {
        let lines =
            collector.logs().into_iter().filter(|record| record.event_name == "GatewayLogs");
        Some(lines.count()).filter(|count| *count == 20)
    });
    assert_eq!(lines, Some(20));
}

#[test]
fn what_a_broken_connection_had_is_sent_again() {
    let (address, backend) = (unused(), Backend::plain());
    let silent = Collector::at(address);
    silent.behave(Manner::Silent);
    let gateway = Gateway::start(|site| {
        site.set("telemetry-otlp-endpoint", &format!("http://{address}"));
        site.set("telemetry-otlp-interval", "100ms");
        site.set("telemetry-traces-sampler", "always");
        site.set("telemetry-logs", "false");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.get("/echo/x").status, 200);
    assert!(soon(|| (0 < silent.asked()).then_some(())).is_some(), "it is asked");
    drop(silent);
    let collector = Collector::at(address);
    assert_eq!(collector.await_spans(2).len(), 2);
    let sent = soon(|| Some(counts(&gateway, "traces")).filter(|counts| counts[3] == 0));
    assert_eq!(sent.expect("all is sent")[2], 0);
}
