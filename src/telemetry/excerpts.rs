//! What a line shows of the messages of an exchange, where a diagnostic asks for it.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::exchange::secrets::HIDDEN;
use crate::telemetry::facts::Facts;
use crate::telemetry::text::pair;

/// Fields by name; several of one name are joined with commas.
pub type Fields = BTreeMap<String, String>;

/// Fields and beginnings of bodies. The names are those of API Management's gateway log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Excerpts {
    /// Fields that the client sent.
    pub request_headers: Fields,
    /// The beginning of the body that it sent.
    pub request_body: Option<String>,
    /// Fields that the client got.
    pub response_headers: Fields,
    /// The beginning of the body that it got.
    pub response_body: Option<String>,
    /// Fields that the backend got.
    pub backend_request_headers: Fields,
    /// The beginning of the body that it got.
    pub backend_request_body: Option<String>,
    /// Fields that the backend sent.
    pub backend_response_headers: Fields,
    /// The beginning of the body that it sent.
    pub backend_response_body: Option<String>,
}

impl Excerpts {
    /// Each with its names: of the fields, and of the beginning of the body.
    fn messages(&self) -> [(&'static str, &Fields, &'static str, Option<&str>); 4] {
        [
            ("requestHeaders", &self.request_headers, "requestBody", self.request_body.as_deref()),
            (
                "responseHeaders",
                &self.response_headers,
                "responseBody",
                self.response_body.as_deref(),
            ),
            (
                "backendRequestHeaders",
                &self.backend_request_headers,
                "backendRequestBody",
                self.backend_request_body.as_deref(),
            ),
            (
                "backendResponseHeaders",
                &self.backend_response_headers,
                "backendResponseBody",
                self.backend_response_body.as_deref(),
            ),
        ]
    }

    /// Tells them.
    pub(super) fn tell(&self, to: &mut impl Facts) {
        for (group, fields, name, body) in self.messages() {
            if !fields.is_empty() {
                to.pairs(group, fields);
            }
            to.optional(name, body);
        }
    }

    /// Adds them to a line for people.
    pub(super) fn show(&self, out: &mut String) {
        for (group, fields, name, body) in self.messages() {
            for (field, value) in fields {
                pair(out, &format!("{group}.{field}"), value);
            }
            if let Some(body) = body {
                pair(out, name, body);
            }
        }
    }
}

/// Fields whose values are secret, whoever asks for them.
const SECRET: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "ocp-apim-subscription-key",
    "x-functions-key",
];
/// Parts of the names of such fields.
const SECRET_PARTS: [&str; 8] = [
    "api-key",
    "apikey",
    "api_key",
    "subscription-key",
    "token",
    "secret",
    "password",
    "credential",
];

/// Fields that are URLs: what follows a `?` may be anything.
const URLS: [&str; 5] =
    ["referer", "location", "content-location", "x-original-url", "x-rewrite-url"];

/// Whether the field carries a secret by its name.
pub fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    SECRET.contains(&name) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Those of `wanted` that are in `fields`; a mark stands for what is `secret`.
pub fn chosen(
    wanted: &[HeaderName],
    fields: &HeaderMap,
    secret: impl Fn(&HeaderName) -> bool,
) -> Fields {
    let mut chosen = Fields::new();
    for name in wanted.iter().filter(|name| fields.contains_key(*name)) {
        let values = fields.get_all(name);
        let value =
            if is_secret(name) || secret(name) || values.iter().any(HeaderValue::is_sensitive) {
                HIDDEN.to_owned()
            } else {
                let is_url = URLS.contains(&name.as_str());
                let shown = |value: &HeaderValue| {
                    let text = String::from_utf8_lossy(value.as_bytes());
                    match text.split_once('?').filter(|_split| is_url) {
                        Some((before, _query)) => format!("{before}?{HIDDEN}"),
                        None => text.into_owned(),
                    }
                };
                values.iter().map(shown).collect::<Vec<_>>().join(", ")
            };
        chosen.insert(name.as_str().to_owned(), value);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_secret_by_nature_are_marked() {
        let names = [
            "authorization",
            "cookie",
            "x-api-key",
            "x-amz-security-token",
            "x-own-key",
            "accept",
            "x-missing",
        ];
        let mut fields = HeaderMap::new();
        for name in names.iter().take(6) {
            fields.append(HeaderName::from_static(name), "canary".parse().unwrap());
        }
        fields.append("accept", "b".parse().unwrap());
        let wanted = names.map(HeaderName::from_static);
        let shown = chosen(&wanted, &fields, |name| name == "x-own-key");
        let mut text = String::new();
        Excerpts { request_headers: shown, ..Excerpts::default() }.show(&mut text);
        assert_eq!(text.matches("(secret)").count(), 5);
        assert!(text.starts_with(r#" requestHeaders.accept="canary, b" "#), "{text}");
    }
}
