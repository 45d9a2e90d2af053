//! What is understood of a client's fields, and what is said to backends.

use http::header::HeaderMap;

use super::sampling::Quota;
use super::*;
use crate::time::Timestamp;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const ID: u128 = 7;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn read_as(fields: &[(&'static str, &str)], forms: Forms, is_trusted: bool) -> Correlation {
    let terms = Terms { sampler: Sampler::Share(0.0), forms };
    Correlation::read(&headers(fields), &terms, is_trusted, (ID, 1))
}

fn read(fields: &[(&'static str, &str)], is_trusted: bool) -> Correlation {
    read_as(fields, Forms::default(), is_trusted)
}

fn parent_of(traceparent: &str) -> Option<String> {
    let read = read(&[("traceparent", traceparent)], false);
    read.parent.map(|span| format!("{}-{span}", read.trace))
}

#[test]
fn a_trace_goes_on_where_its_field_is_right() {
    let good = Some(format!("{TRACE}-{SPAN}"));
    assert_eq!(parent_of(&format!("00-{TRACE}-{SPAN}-01")), good);
    assert_eq!(parent_of(&format!("00-{TRACE}-{SPAN}-ff")), good);
    // Of later versions, what is known.
    assert_eq!(parent_of(&format!("cc-{TRACE}-{SPAN}-01-what-else")), good);
}

#[test]
fn a_trace_begins_anew_where_its_field_is_wrong() {
    let zeros = "0".repeat(32);
    for wrong in [
        format!("00-{zeros}-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}"),
        format!("cc-{TRACE}-{SPAN}-01.what"),
        format!("cc-{TRACE}-{SPAN}-01-{}", "x".repeat(300)),
        String::new(),
        "-".repeat(60),
    ] {
        assert_eq!(parent_of(&wrong), None, "{wrong}");
    }
    let line = format!("00-{TRACE}-{SPAN}-01");
    let twice = read(&[("traceparent", &line), ("traceparent", &line)], true);
    assert_eq!((twice.parent, twice.trace), (None, TraceId(ID)));
    assert!(!twice.is_sampled && !twice.keeps_state);
}

#[test]
fn only_who_is_trusted_says_what_is_recorded() {
    let line = format!("00-{TRACE}-{SPAN}-01");
    let fields = [("traceparent", line.as_str()), ("baggage", "a=b"), ("tracestate", "v=1")];
    let (stranger, friend) = (read(&fields, false), read(&fields, true));
    assert_eq!(
        (stranger.is_sampled, stranger.keeps_baggage, stranger.keeps_state),
        (false, false, true)
    );
    assert_eq!((friend.is_sampled, friend.keeps_baggage), (true, true));
    let terms = Terms { sampler: Sampler::Never, forms: Forms::default() };
    assert!(!Correlation::read(&headers(&fields), &terms, true, (1, 1)).is_sampled);
}

#[test]
fn a_state_goes_on_whole_or_not_at_all() {
    let line = format!("00-{TRACE}-{SPAN}-01");
    let keeps =
        |state: &str| read(&[("traceparent", &line), ("tracestate", state)], false).keeps_state;
    assert!(keeps("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE,,a@b=c d"));
    let many = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
    assert!(keeps(&many(32)) && !keeps(&many(33)));
    for wrong in ["a=1,a=2", "A=1", "a", "a=", "a=b=c", "=a", &format!("a={}", "x".repeat(8 << 10))]
    {
        assert!(!keeps(wrong), "{wrong}");
    }
    let baggage = "x".repeat(100 << 10);
    assert!(!read(&[("traceparent", &line), ("baggage", &baggage)], true).keeps_baggage);
}

#[test]
fn other_forms_are_understood_where_they_are_wanted() {
    let forms = Forms { b3: true, request_id: true };
    let single = format!("{TRACE}-{SPAN}-1");
    assert_eq!(read(&[("b3", &single)], true).parent, None);
    let b3 = read_as(&[("b3", &single)], forms, true);
    assert_eq!((b3.trace.to_string().as_str(), b3.is_sampled), (TRACE, true));
    let multiple =
        [("x-b3-traceid", "a3ce929d0e0e4736"), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")];
    let b3 = read_as(&multiple, forms, true);
    assert_eq!(b3.trace.to_string(), "0000000000000000a3ce929d0e0e4736");
    assert!(b3.is_sampled && b3.replaces(&b3::FIELDS[1]));
    let azure = format!("|{TRACE}.{SPAN}.");
    let azure = read_as(&[("request-id", &azure)], forms, true);
    assert_eq!(azure.parent.unwrap().to_string(), SPAN);
    assert_eq!(read_as(&[("request-id", "|abc.1.")], forms, true).parent, None);
    for wrong in ["0", "", "x-y-1", &format!("{TRACE}-{SPAN}-?")] {
        assert_eq!(read_as(&[("b3", wrong)], forms, true).parent, None, "{wrong}");
    }
}

#[test]
fn who_is_asked_next_is_told_the_span_that_asks() {
    let line = format!("00-{TRACE}-{SPAN}-01");
    let forms = Forms { b3: true, request_id: true };
    let read = read_as(&[("traceparent", &line)], forms, true);
    let told: Vec<_> = read.told(SpanId(0xab)).collect();
    let of = |name: &str| told.iter().find(|(known, _)| known == name).unwrap().1.to_str().unwrap();
    assert_eq!(of("traceparent"), format!("00-{TRACE}-00000000000000ab-01"));
    assert_eq!(of("b3"), format!("{TRACE}-00000000000000ab-1"));
    assert_eq!(of("request-id"), format!("|{TRACE}.00000000000000ab."));
}

#[test]
fn a_share_is_about_that_share() {
    let terms = Terms { sampler: Sampler::Share(0.1), forms: Forms::default() };
    let empty = HeaderMap::new();
    let taken = (0..10_000_u64)
        .filter(|id| Correlation::read(&empty, &terms, false, (u128::from(*id), *id)).is_sampled)
        .count();
    // 30 is a standard deviation.
    assert!((800..1_200).contains(&taken), "{taken} of 10000");
    let all = Terms { sampler: Sampler::Share(1.0), ..terms };
    assert!((0..1_000).all(|id| Correlation::read(&empty, &all, false, (1, id)).is_sampled));
}

#[test]
fn what_went_wrong_is_recorded_up_to_a_rate() {
    let quota = Quota::new(2);
    let second = |number: u64| Timestamp::from_micros(number * 1_000_000);
    let taken = |at| (0..5).filter(|_| quota.takes(second(at))).count();
    assert_eq!((taken(1), taken(1), taken(2)), (2, 0, 2));
    assert!(!Quota::new(0).takes(second(1)));
}
