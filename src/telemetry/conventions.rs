//! Words of OpenTelemetry's conventions for HTTP, the same in spans and in metrics.

use http::{Method, Version};

/// The methods that are told apart; the last stands for all others, since strangers make no names.
pub const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", OTHER];
/// Whatever is none of those that are known.
const OTHER: &str = "_OTHER";

/// The method, if it is one that is told apart.
pub fn method(method: &Method) -> &'static str {
    let known = METHODS.iter().find(|known| **known == method.as_str());
    known.copied().unwrap_or(OTHER)
}

/// The version of HTTP.
pub const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// The route of an operation: where its API begins, and its template after that, without the
/// parameters of its query.
pub fn route(path: &str, template: &str) -> String {
    match (path, template.split('?').next().unwrap_or_default()) {
        ("", template) => template.to_owned(),
        (path, "/") => format!("/{path}"),
        (path, template) => format!("/{path}{template}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_the_same_for_whoever_tells_it() {
        assert_eq!(route("shop", "/"), "/shop");
        assert_eq!(route("shop", "/a?x={x}"), "/shop/a");
        assert_eq!((route("", "/"), route("", "")), ("/".to_owned(), String::new()));
    }
}
