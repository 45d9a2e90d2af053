//! The settings of metrics.

use super::{Row, row};
use crate::settings::metrics::Local;
use crate::settings::value::{Expected, word};
use crate::telemetry::statsd::line::Tags;
use crate::telemetry::traffic::Names;
use crate::telemetry::traffic::histogram::{BOUNDS_MAX, Bounds};

/// The settings of metrics.
pub(super) const ROWS: &[Row] = &[
    row!(
        "metrics.names",
        "semantic",
        "Under whose names requests are counted: semantic (of OpenTelemetry), apim, or both.",
        metrics.names = |text| word(text, &NAMES)
    ),
    row!(
        "metrics.durationBuckets",
        "5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000",
        "Upper bounds of the parts of histograms of the durations of requests, in milliseconds.",
        metrics.duration_buckets = |text| buckets(text)
    ),
    row!(
        "metrics.local",
        "auto",
        "To whom metrics are sent: statsd, none, or auto for StatsD if metrics.statsd.endpoint is set.",
        metrics.local = |text| word(text, &LOCAL)
    ),
    row!(
        "metrics.statsd.endpoint",
        "",
        "StatsD server that requests are told to each second, host:port; UDP.",
        metrics.statsd.endpoint = |text| host_and_port(text)
    ),
    row!(
        "metrics.statsd.sampling",
        "1",
        "Which part of the requests is timed for it, from 0 to 1; all are counted.",
        metrics.statsd.sampling = |text| part(text)
    ),
    row!(
        "metrics.statsd.tagFormat",
        "none",
        "How tags are written: none, librato, dogStatsD or influxDB.",
        metrics.statsd.tags = |text| word(text, &TAGS)
    ),
];

const NAMES: [(&str, Names); 3] =
    [("semantic", Names::Semantic), ("apim", Names::Apim), ("both", Names::Both)];

const LOCAL: [(&str, Local); 3] =
    [("auto", Local::Auto), ("statsd", Local::Statsd), ("none", Local::None)];

/// `ibrato` is what an old page of API Management's documentation says.
const TAGS: [(&str, Tags); 5] = [
    ("none", Tags::None),
    ("librato", Tags::Librato),
    ("ibrato", Tags::Librato),
    ("dogstatsd", Tags::DogStatsD),
    ("influxdb", Tags::InfluxDb),
];

/// The longest time that has a bound, in milliseconds: an hour.
const MILLIS_MAX: u64 = 3_600_000;
/// The longest name of a host, in bytes (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// Times in milliseconds, upwards, with three digits after the point at most; as microseconds.
fn buckets(text: &str) -> Result<Bounds, Expected> {
    let expected = || {
        format!(
            "1 to {BOUNDS_MAX} times in milliseconds that grow, up to an hour, such as 5, 10, 25"
        )
    };
    let bounds: Option<Vec<u64>> = text
        .split(',')
        .take(BOUNDS_MAX.saturating_add(1))
        .map(|bound| micros(bound.trim()))
        .collect();
    let bounds =
        bounds.filter(|bounds| bounds.len() <= BOUNDS_MAX && bounds.is_sorted_by(|a, b| a < b));
    bounds.map(Bounds::from).ok_or_else(expected)
}

/// Milliseconds as microseconds.
fn micros(text: &str) -> Option<u64> {
    let micros = thousandths(text, 3)?;
    (1..=MILLIS_MAX * 1_000).contains(&micros).then_some(micros)
}

/// A number from 0 to 1, in millionths.
fn part(text: &str) -> Result<u32, Expected> {
    let part = thousandths(text.trim(), 6).and_then(|part| u32::try_from(part).ok());
    let part = part.filter(|part| *part <= 1_000_000);
    part.ok_or_else(|| "a number from 0 to 1, such as 0.1".to_owned())
}

/// A decimal number with `digits` digits after the point at most, as so many times more.
fn thousandths(text: &str, digits: usize) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(rest) || digits < rest.len() {
        return None;
    }
    format!("{whole}{rest:0<digits$}").parse().ok()
}

/// `host:port`, perhaps with `udp://` in front; an IPv6 address stands in brackets.
fn host_and_port(text: &str) -> Result<String, Expected> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let place = text.strip_prefix("udp://").unwrap_or(text);
    let is_place = |(host, port): &(&str, &str)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = if let Some(address) = bare {
            address.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            let is_letter =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(is_letter)
        };
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        is_host && is_port && port.parse::<u16>().is_ok_and(|port| 0 < port)
    };
    let found = place.rsplit_once(':').filter(is_place);
    found.map(|_place| place.to_owned()).ok_or_else(|| "host:port, such as statsd:8125".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_and_have_their_bound() {
        let read = |text| buckets(text).ok().map(|bounds| bounds.to_vec());
        assert_eq!(read("5,10, 0025.5"), Some(vec![5_000, 10_000, 25_500]));
        assert_eq!(read("0.001"), Some(vec![1]));
        let many = vec!["1"; 31].join(",");
        for wrong in ["", "0", "10,5", "5,5", "5,,6", "1e3", "-1", "0.0001", "3600000.1", &many] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_part_is_between_nothing_and_all() {
        for (text, millionths) in [("0", 0), ("1", 1_000_000), ("0.1", 100_000), ("1.0", 1_000_000)]
        {
            assert_eq!(part(text), Ok(millionths), "{text}");
        }
        for wrong in ["1.1", "-0", "", ".5", "0,1", "0.0000001", "NaN"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_has_a_host_and_a_port() {
        for (text, place) in [
            ("udp://statsd.svc:8125", "statsd.svc:8125"),
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("[::1]:8125", "[::1]:8125"),
            ("", ""),
        ] {
            assert_eq!(host_and_port(text).as_deref(), Ok(place), "{text}");
        }
        for wrong in
            ["statsd", "statsd:", "statsd:0", ":1", "http://a:1", "::1:8125", "a:+1", "a b:1"]
        {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
