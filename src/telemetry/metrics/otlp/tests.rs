//! Tests of pages as they are sent.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::*;
use crate::telemetry::metrics::table::{process, requests};
use crate::telemetry::metrics::{Part, table};

const SECOND: u64 = 1_000_000_000;

fn sent(page: &Page) -> Vec<Made> {
    let resource =
        Resource { attributes: vec![attribute("service.name", "weir")], ..Resource::default() };
    let (start, now) = (Timestamp::from_micros(1_000_000), Timestamp::from_micros(3_000_000));
    let mut request = page.otlp(resource.clone(), start, now);
    assert_eq!(request.resource_metrics.len(), 1);
    let mut metrics = request.resource_metrics.remove(0);
    assert_eq!(metrics.resource, Some(resource));
    assert_eq!(metrics.scope_metrics.len(), 1);
    let scope = metrics.scope_metrics.remove(0);
    assert_eq!(scope.scope.unwrap().name, "weir");
    scope.metrics
}

#[test]
fn each_kind_has_its_form() {
    let mut page = Page::default();
    page.count(&table::CLAIMS, &[("home", "memory")], 7);
    page.sum(&process::CPU, &[], 1.5);
    page.level(&table::GENERATION, &[], 3.0);
    page.level(&table::CONFIGURATION_AGE, &[], f64::NAN);
    page.level(&requests::SERVER_ACTIVE, &[("http.request.method", "GET")], 2.0);
    let metrics = sent(&page);
    let names: Vec<_> =
        metrics.iter().map(|made| (made.name.as_str(), made.unit.as_str())).collect();
    assert_eq!(
        names,
        [
            ("http.server.active_requests", "{request}"),
            ("weir.configuration.generation", "1"),
            ("weir.limit.claims", "{claim}"),
            ("weir.process.cpu", "s"),
        ],
        "what is not a number is left out"
    );
    assert_eq!(metrics[2].description, table::CLAIMS.meaning);
    let point = |start, attributes: &[(&str, &str)], value| NumberDataPoint {
        attributes: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        start_time_unix_nano: start,
        time_unix_nano: 3 * SECOND,
        value: Some(value),
        ..NumberDataPoint::default()
    };
    let sum = |point, is_monotonic| {
        Some(Data::Sum(Sum {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic,
        }))
    };
    let method = [("http.request.method", "GET")];
    assert_eq!(metrics[0].data, sum(point(SECOND, &method, point::Value::AsDouble(2.0)), false));
    let gauge = Gauge { data_points: vec![point(0, &[], point::Value::AsDouble(3.0))] };
    assert_eq!(metrics[1].data, Some(Data::Gauge(gauge)));
    assert_eq!(
        metrics[2].data,
        sum(point(SECOND, &[("home", "memory")], point::Value::AsInt(7)), true)
    );
    assert_eq!(metrics[3].data, sum(point(SECOND, &[], point::Value::AsDouble(1.5)), true));
}

#[test]
fn a_histogram_has_its_bounds_its_counts_and_its_exemplars() {
    let exemplar = Exemplar {
        trace_id: 0x0102,
        span_id: 0x03,
        value: 0.02,
        at: Timestamp::from_micros(2_000_000),
    };
    let parts = vec![
        Part::new(0.005, 4),
        Part { exemplar: Some(exemplar), ..Part::new(0.025, 2) },
        Part::new(f64::INFINITY, 1),
    ];
    let mut page = Page::default();
    let labels = [("http.response.status_code", "200"), ("http.route", "/a"), ("server.port", "x")];
    page.spread(&requests::SERVER_DURATION, &labels, 0.5, parts);
    let metrics = sent(&page);
    assert_eq!(
        (metrics[0].name.as_str(), metrics[0].unit.as_str()),
        ("http.server.request.duration", "s")
    );
    let Some(Data::Histogram(histogram)) = &metrics[0].data else { panic!("{metrics:?}") };
    assert_eq!(histogram.aggregation_temporality, i32::from(AggregationTemporality::Cumulative));
    let [point] = &histogram.data_points[..] else { panic!("{histogram:?}") };
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (SECOND, 3 * SECOND));
    assert_eq!((point.count, point.sum), (7, Some(0.5)));
    assert_eq!(
        (&point.bucket_counts[..], &point.explicit_bounds[..]),
        (&[4, 2, 1][..], &[0.005, 0.025][..])
    );
    let status = AnyValue { value: Some(Any::IntValue(200)) };
    assert_eq!(point.attributes[0].value, Some(status), "a number, as the conventions have it");
    let text = |text: &str| Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) });
    assert_eq!((&point.attributes[1].value, &point.attributes[2].value), (&text("/a"), &text("x")));
    let [exemplar] = &point.exemplars[..] else { panic!("{point:?}") };
    assert_eq!((exemplar.trace_id.len(), &exemplar.trace_id[14..]), (16, &[1, 2][..]));
    assert_eq!((exemplar.span_id.len(), exemplar.span_id[7]), (8, 3));
    assert_eq!(exemplar.value, Some(exemplar::Value::AsDouble(0.02)));
    assert_eq!(exemplar.time_unix_nano, 2 * SECOND);
}

#[test]
fn prometheus_makes_of_each_name_the_one_that_is_scraped() {
    for metric in TABLE.iter().filter(|metric| metric.name.starts_with("weir_")) {
        let mut name = metric.semantic_name().replace('.', "_");
        let (unit, suffix) = (metric.semantic_unit(), |unit: &str| match unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        });
        if !name.ends_with(suffix(&unit)) {
            name.push_str(suffix(&unit));
        }
        if metric.unit == "ratio" {
            name.push_str("_ratio");
        }
        assert_eq!(name, metric.name);
        assert!(metric.semantic_name().starts_with("weir."), "{name}");
    }
    let singulars = ["claims", "copies", "fetches", "replicas"].map(singular);
    assert_eq!(singulars, ["claim", "copy", "fetch", "replica"]);
}

#[test]
fn no_two_metrics_have_the_same_name() {
    let mut names: Vec<String> = TABLE.iter().map(Metric::semantic_name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
