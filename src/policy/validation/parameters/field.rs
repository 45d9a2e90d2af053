//! Which header fields are parameters.

use http::HeaderMap;

use crate::exchange::contents::Message;

/// Fields that are no parameters: they belong to HTTP, to connections and proxies, to tracing.
const OF_HTTP: [&str; 40] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "last-modified",
    "origin",
    "pragma",
    "range",
    "referer",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "weir-nested-calls",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];
/// Beginnings of fields that are none either.
const FAMILIES: [&str; 5] = ["access-control-", "if-", "sec-", "trace", "www-"];

/// The fields that are parameters, with their values.
pub(super) fn fields(map: &HeaderMap, known: &Message, key: &str) -> Vec<(String, String)> {
    let is_named = |name: &str| known.headers.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    let is_of_http = |name: &str| {
        OF_HTTP.contains(&name)
            || FAMILIES.iter().any(|family| name.starts_with(family))
            || name.eq_ignore_ascii_case(key)
    };
    let lines =
        map.iter().filter(|(name, _)| is_named(name.as_str()) || !is_of_http(name.as_str()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}
