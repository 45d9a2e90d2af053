//! The values that settings have, from text.
//!
//! Each reader returns what it expects in words where the text is something else.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::address::Network;
use crate::backend::BaseUrl;
use crate::backend::document::Url;
use crate::backend::tls::Ciphers;
use crate::caller::revocation::Asked;
use crate::jwt::algorithm::{Algorithm, Family, Hash};
use crate::rpc::dial::{Address, NoAddress};
use crate::secret::Secret;
use crate::settings::{
    AccessLog, ClientCertificates, DaprProtocol, ForwardedProto, LogColor, LogFormat, LogLevel,
    Protocol, Sampler,
};
use crate::time;

/// What was expected instead.
pub type Expected = String;

/// `0.0.0.0:8080`, or `off`.
pub(super) fn address(text: &str) -> Result<Option<SocketAddr>, Expected> {
    if text == "off" {
        return Ok(None);
    }
    let expected = "an address with a port, such as 0.0.0.0:8080 or [::]:8080, or `off`";
    text.parse().map(Some).map_err(|_wrong| expected.to_owned())
}

/// `0.0.0.0:8080`.
pub(super) fn address_at(text: &str) -> Result<SocketAddr, Expected> {
    let expected = "an address with a port, such as 0.0.0.0:8443 or [::]:8443";
    text.parse().map_err(|_wrong| expected.to_owned())
}

/// `https://host:8443`, or nothing.
pub(super) fn endpoint(text: &str) -> Result<Option<Address>, Expected> {
    if text.is_empty() {
        return Ok(None);
    }
    Address::parse(text).map(Some).map_err(|reason| {
        let address = "https://host:8443";
        match reason {
            NoAddress::Wrong(_) => address.to_owned(),
            NoAddress::Clear(_) => {
                format!("{address}: another machine is not spoken to in the clear")
            }
        }
    })
}

/// `https://host/path`, or nothing.
pub(super) fn url(text: &str) -> Result<Option<Url>, Expected> {
    if text.is_empty() {
        return Ok(None);
    }
    Url::parse(text).map(Some).map_err(|why| format!("https://host/path: {why}"))
}

/// A secret, or nothing.
pub(super) fn secret(text: &str) -> Option<Secret> {
    if text.is_empty() { None } else { Some(Secret::new(text)) }
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("`true` or `false`".to_owned()),
    }
}

/// A path that is not empty.
pub(super) fn path(text: &str) -> Result<PathBuf, Expected> {
    if text.is_empty() { Err("a path".to_owned()) } else { Ok(PathBuf::from(text)) }
}

/// A path, or nothing.
pub(super) fn path_or_none(text: &str) -> Option<PathBuf> {
    if text.is_empty() { None } else { Some(PathBuf::from(text)) }
}

/// Parts with commas between.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Names of ciphers, or nothing.
pub(super) fn ciphers(text: &str) -> Result<Option<Ciphers>, Expected> {
    if text.is_empty() {
        return Ok(None);
    }
    let told = |why| format!("names such as TLS_AES_256_GCM_SHA384, with commas between: {why}");
    Ciphers::parse(text).map(Some).map_err(told)
}

/// `10.0.0.0/8, ::1`, or nothing.
pub(super) fn networks(text: &str) -> Result<Vec<Network>, Expected> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let expected = || "networks such as 10.0.0.0/8 or fd00::/8, with commas between".to_owned();
    parts.map(|part| Network::parse(part).ok_or_else(expected)).collect()
}

/// `auto`, or a number.
pub(super) fn threads(text: &str) -> Result<Option<NonZeroUsize>, Expected> {
    if text == "auto" {
        return Ok(None);
    }
    number(text, 1, 1_024, "")
        .map(NonZeroUsize::new)
        .map_err(|expected| format!("`auto`, or {expected}"))
}

/// A number from `least` to `most`.
pub(super) fn count(text: &str, least: usize, most: usize) -> Result<usize, Expected> {
    number(text, least, most, "")
}

fn number(text: &str, least: usize, most: usize, unit: &str) -> Result<usize, Expected> {
    let number = digits(text).and_then(|number| usize::try_from(number).ok());
    let expected = || format!("a number from {least} to {most}{unit}");
    number.filter(|number| (least..=most).contains(number)).ok_or_else(expected)
}

/// A share in percent, or `off`.
pub(super) fn percent_or_off(text: &str) -> Result<Option<u32>, Expected> {
    if text == "off" {
        return Ok(None);
    }
    let share = count(text, 0, 100).map_err(|expected| format!("`off`, or {expected}"))?;
    Ok(u32::try_from(share).ok())
}

/// `64KiB`, `16MiB`, `1GiB`, or a number of bytes, from `least` to `most` bytes.
pub(super) fn bytes(text: &str, least: u64, most: u64) -> Result<u64, Expected> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at).unwrap_or((text, ""));
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1_u64 << 30),
        _ => None,
    };
    let value = digits(number).zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    let expected =
        || format!("a size from {} to {}, such as 64KiB", shown_bytes(least), shown_bytes(most));
    value.filter(|value| (least..=most).contains(value)).ok_or_else(expected)
}

/// The same for sizes in memory.
pub(super) fn memory(text: &str, least: usize, most: usize) -> Result<usize, Expected> {
    let wide = |narrow: usize| u64::try_from(narrow).unwrap_or(u64::MAX);
    let value = bytes(text, wide(least), wide(most))?;
    usize::try_from(value).map_err(|_too_large| "a smaller size".to_owned())
}

/// The same, or `off`.
pub(super) fn bytes_or_off(text: &str, least: u64, most: u64) -> Result<Option<u64>, Expected> {
    if text == "off" {
        return Ok(None);
    }
    bytes(text, least, most).map(Some).map_err(|expected| format!("`off`, or {expected}"))
}

fn shown_bytes(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1_u64 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

/// `250ms`, `10s`, `2m` or `1h`, from `least` to `most`.
pub(super) fn span(text: &str, least: Duration, most: Duration) -> Result<Duration, Expected> {
    let expected = || format!("a time from {least:?} to {most:?}, such as 250ms, 10s, 2m or 1h");
    time::span(text).filter(|value| (least..=most).contains(value)).ok_or_else(expected)
}

/// One of `words`, by the name in front.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Expected> {
    let folded = text.to_ascii_lowercase();
    let found = words.iter().find(|(word, _)| *word == folded).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("one of {}", known.join(", "))
    })
}

/// The name of a field, if there is one.
pub(super) fn field_or_none(text: &str) -> Result<Option<HeaderName>, Expected> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let name = HeaderName::try_from(text).map(Some);
    name.map_err(|_refused| "the name of a field, such as X-ARR-ClientCert".to_owned())
}

/// Whether clients are asked for a certificate.
pub(super) const CLIENT_CERTIFICATES: [(&str, ClientCertificates); 2] =
    [("off", ClientCertificates::Off), ("request", ClientCertificates::Request)];

/// Whose `X-Forwarded-Proto` is believed.
pub(super) const FORWARDED_PROTO: [(&str, ForwardedProto); 3] = [
    ("off", ForwardedProto::Off),
    ("trusted", ForwardedProto::Trusted),
    ("anyone", ForwardedProto::Anyone),
];

/// Forms of the log.
pub(super) const LOG_FORMAT: [(&str, LogFormat); 3] =
    [("text", LogFormat::Text), ("json", LogFormat::Json), ("none", LogFormat::None)];

/// Levels of the log.
pub(super) const LOG_LEVEL: [(&str, LogLevel); 6] = [
    ("all", LogLevel::All),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("fatal", LogLevel::Fatal),
];

/// Whether the log is in colours.
pub(super) const LOG_COLOR: [(&str, LogColor); 3] =
    [("auto", LogColor::Auto), ("true", LogColor::Always), ("false", LogColor::Never)];

/// How a collector is spoken to; the last is OpenTelemetry's own word.
pub(super) const OTLP_PROTOCOL: [(&str, Protocol); 3] =
    [("grpc", Protocol::Grpc), ("http", Protocol::Http), ("http/protobuf", Protocol::Http)];

/// Which certificates of backends count as revoked.
pub(super) const REVOCATION: [(&str, Asked); 3] =
    [("off", Asked::Not), ("listed", Asked::Listed), ("required", Asked::All)];

/// The longest path of a Unix socket, in bytes, as Linux has it.
const SOCKET_BYTES_MAX: usize = 107;
/// How Dapr's sidecar is spoken to.
pub(super) const DAPR_PROTOCOL: [(&str, DaprProtocol); 1] = [("http", DaprProtocol::Http)];

/// Who decides which traces are recorded.
pub(super) const SAMPLER: [(&str, Sampler); 4] = [
    ("ratio", Sampler::Ratio),
    ("always", Sampler::Always),
    ("never", Sampler::Never),
    ("off", Sampler::Off),
];

/// How the key of a client signs.
pub(super) const ALGORITHM: [(&str, Option<Algorithm>); 4] = {
    const fn with(family: Family) -> Algorithm {
        Algorithm { family, hash: Hash::Sha256 }
    }
    [
        ("auto", None),
        ("ps256", Some(with(Family::RsaPss))),
        ("rs256", Some(with(Family::Rsa))),
        ("es256", Some(with(Family::Ecdsa))),
    ]
};

/// Which requests are logged.
pub(super) const ACCESS_LOG: [(&str, AccessLog); 3] =
    [("off", AccessLog::Off), ("errors", AccessLog::Errors), ("all", AccessLog::All)];

fn digits(text: &str) -> Option<u64> {
    let right = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

/// `http://host:4317`, or nothing.
pub(super) fn collector(text: &str) -> Result<Option<BaseUrl>, Expected> {
    if text.is_empty() {
        return Ok(None);
    }
    BaseUrl::parse(text).map(Some).map_err(|why| format!("http://host:4317: {why}"))
}

/// `http://host:3500` or `unix:///path`, or nothing.
pub(super) fn sidecar(text: &str) -> Result<Option<BaseUrl>, Expected> {
    if text.is_empty() {
        return Ok(None);
    }
    let expected = |why: &str| format!("http://host:port, https://host or unix:///path: {why}");
    if let Some(rest) = text.strip_prefix("unix:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return match path {
            _ if !path.starts_with('/') => Err(expected("the path of a socket is absolute")),
            _ if SOCKET_BYTES_MAX < path.len() || path.contains(char::is_control) => {
                Err(expected(&format!("a socket's path has at most {SOCKET_BYTES_MAX} bytes")))
            }
            path => Ok(Some(BaseUrl::behind(path))),
        };
    }
    match BaseUrl::parse(text) {
        Ok(base) if base.path.is_empty() => Ok(Some(base)),
        Ok(_) => Err(expected("a sidecar has no path")),
        Err(why) => Err(expected(&why.to_string())),
    }
}

/// The same for gRPC, also as Dapr's SDKs write it: `host:port`, with `?tls=true` behind it.
pub(super) fn calls(text: &str) -> Result<Option<BaseUrl>, Expected> {
    if text.is_empty() || text.starts_with("unix:") || text.contains("://") {
        return sidecar(text);
    }
    match text.strip_suffix("?tls=true") {
        Some(place) => sidecar(&format!("https://{place}")),
        None => sidecar(&format!("http://{}", text.strip_suffix("?tls=false").unwrap_or(text))),
    }
}

/// A share from 0 to 1, in millionths.
pub(super) fn per_million(text: &str) -> Result<u32, Expected> {
    let expected = || "a number from 0 to 1 with at most six digits behind the point".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_known = matches!(whole, "0" | "1" | "") && part.len() <= 6;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text == "." || !is_known || !digits(part) {
        return Err(expected());
    }
    let whole = if whole == "1" { 1_000_000 } else { 0 };
    let part: u32 = format!("{part:0<6}").parse().map_err(|_wrong| expected())?;
    let share = whole + part;
    if share <= 1_000_000 { Ok(share) } else { Err(expected()) }
}

/// `b3`, `request-id`, or nothing.
pub(super) fn forms(text: &str) -> Result<Vec<String>, Expected> {
    let forms = list(text);
    let is_known = |form: &String| matches!(form.as_str(), "b3" | "request-id");
    let expected = || "`b3`, `request-id`, or both with a comma between".to_owned();
    if forms.iter().all(is_known) { Ok(forms) } else { Err(expected()) }
}

/// `name=value, name=value`, or nothing.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Expected> {
    let pair = |part: String| {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    let expected = || "name=value, with commas between".to_owned();
    list(text).into_iter().map(|part| pair(part).ok_or_else(expected)).collect()
}

/// A span of time, or `off`.
pub(super) fn span_or_off(
    text: &str,
    least: Duration,
    most: Duration,
) -> Result<Option<Duration>, Expected> {
    if text == "off" {
        return Ok(None);
    }
    span(text, least, most).map(Some).map_err(|expected| format!("`off`, or {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "fd00::1") && contains("fd00::/8", "fd12::1"));
        assert!(contains("192.168.1.1", "192.168.1.1") && !contains("192.168.1.1", "192.168.1.2"));
        for text in ["10.0.0.0/33", "10.0.0/8", "::1/129", "a", "10.0.0.0/", "10.0.0.0/+8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_and_spans_have_units_and_bounds() {
        assert_eq!(bytes("64KiB", 1, 1 << 20), Ok(64 << 10));
        assert_eq!(bytes("17", 1, 1 << 20), Ok(17));
        let expected = "a size from 1B to 1MiB, such as 64KiB".to_owned();
        for text in ["2MiB", "1MB", "", "KiB", "-1", "99999999999999999999GiB"] {
            assert_eq!(bytes(text, 1, 1 << 20), Err(expected.clone()), "{text}");
        }
        let (least, most) = (Duration::from_millis(100), Duration::from_hours(1));
        assert_eq!(span("250ms", least, most), Ok(Duration::from_millis(250)));
        assert_eq!(span("1h", least, most), Ok(most));
        for text in ["10", "99ms", "2h", "s", "1.5s", ""] {
            assert!(span(text, least, most).is_err(), "{text}");
        }
    }
}
