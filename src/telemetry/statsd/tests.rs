//! Tests of what arrives at a `StatsD` server.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::channel;
use std::thread;

use http::{Method, StatusCode};

use super::*;
use crate::telemetry::traffic::testing::served;
use crate::telemetry::traffic::{Served, Terms};

/// How long a datagram may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn whence() -> [(&'static str, String); 2] {
    [("GatewayId", "north".to_owned()), ("Location", "we|st".to_owned())]
}

/// The lines that arrive of three requests.
fn arrived(tags: Tags) -> BTreeMap<String, usize> {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let endpoint = server.local_addr().unwrap().to_string();
    let (feed, reporter) = joined(Plan { endpoint, sampling: 1_000_000, tags });
    let counts = Arc::clone(reporter.counts());
    let traffic = Traffic::new(Terms { feed: Some(feed), ..Terms::default() });
    let get = Method::GET;
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::NOT_FOUND] {
        traffic.ended(&Served { status: Some(status), ..served(&get) });
    }
    let (stop, stopped) = channel();
    drop(stop);
    let traffic = &traffic;
    thread::scope(|scope| {
        scope.spawn(move || reporter.run(traffic, whence, &stopped));
        let mut lines = BTreeMap::new();
        let mut buffer = [0; 2_048];
        while lines.values().sum::<usize>() < if tags == Tags::None { 10 } else { 11 } {
            let length = server.recv(&mut buffer).unwrap();
            for line in str::from_utf8(&buffer[..length]).unwrap().lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(counts.unsent.load(Ordering::Relaxed), 0);
        lines
    })
}

#[test]
fn each_dialect_arrives() {
    let none = arrived(Tags::None);
    let expected = [
        ("BackendDurationInMS:8|ms", 3),
        ("ClientDurationInMS:3|ms", 3),
        ("DurationInMS:12|ms", 3),
        ("Requests:3|c", 1),
    ];
    assert_eq!(none, expected.map(|(line, count)| (line.to_owned(), count)).into());
    let of_ok = |between: &str, is: &str| {
        format!(
            "Hostname{is}api.example{between}Status{is}Successful{between}Cache{is}None{between}ResponseCode{is}200\
             {between}ResponseCodeCategory{is}2xx{between}BackendResponseCode{is}200{between}\
             BackendResponseCodeCategory{is}2xx{between}LastErrorReason{is}None{between}GatewayId{is}north\
             {between}Location{is}we_st"
        )
    };
    for (tags, count, time) in [
        (
            Tags::Librato,
            format!("Requests#{}:2|c", of_ok(",", "=")),
            "DurationInMS#Hostname=api.example,GatewayId=north,Location=we_st:12|ms",
        ),
        (
            Tags::DogStatsD,
            format!("Requests:2|c|#{}", of_ok(",", ":")),
            "DurationInMS:12|ms|#Hostname:api.example,GatewayId:north,Location:we_st",
        ),
        (
            Tags::InfluxDb,
            format!("Requests,{}:2|c", of_ok(",", "=")),
            "DurationInMS,Hostname=api.example,GatewayId=north,Location=we_st:12|ms",
        ),
    ] {
        let lines = arrived(tags);
        assert_eq!((lines.get(&count), lines.get(time)), (Some(&1), Some(&3)), "{lines:#?}");
    }
}

#[test]
fn counts_are_exact_whatever_is_sampled_and_are_told_once() {
    let plan = Plan { endpoint: "127.0.0.1:9".to_owned(), sampling: 100_000, tags: Tags::None };
    let (feed, mut reporter) = joined(plan);
    let traffic = Traffic::new(Terms { feed: Some(feed), ..Terms::default() });
    let get = Method::GET;
    let mut send = |requests: usize| {
        for _request in 0..requests {
            traffic.ended(&served(&get));
        }
        let datagrams = reporter.lines(&traffic, &whence());
        let lines: Vec<String> =
            datagrams.iter().flat_map(|(text, _)| text.lines().map(str::to_owned)).collect();
        let timed = lines.iter().filter(|line| line.starts_with("DurationInMS")).count();
        (lines.first().cloned().unwrap_or_default(), timed, lines)
    };
    let (first, timed, lines) = send(1_000);
    assert_eq!(first, "Requests:1000|c");
    assert!((95..=105).contains(&timed), "{timed}");
    assert!(lines.contains(&"DurationInMS:12|ms|@0.1".to_owned()), "{lines:?}");
    assert_eq!(send(5).0, "Requests:5|c");
    assert_eq!(send(0).2, Vec::<String>::new());
}

#[test]
fn what_finds_no_room_is_counted() {
    let plan = Plan { endpoint: String::new(), sampling: 1_000_000, tags: Tags::None };
    let (feed, reporter) = joined(plan);
    let counts = Arc::clone(reporter.counts());
    let traffic = Traffic::new(Terms { feed: Some(feed), ..Terms::default() });
    let get = Method::GET;
    for _request in 0..TIMINGS_MAX + 3 {
        traffic.ended(&served(&get));
    }
    assert_eq!(counts.full.load(Ordering::Relaxed), 3);
}
