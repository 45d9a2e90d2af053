//! What is dangerous in a policy document, though it compiles.

use std::sync::Arc;

use super::say;
use crate::fault::Place;
use crate::migration::Input;
use crate::migration::finding::Finding;
use crate::policy::markup::{Element, NamedValues, read};

/// The longest period of a rate limit that API Management takes, and the shortest of a quota by key,
/// in seconds.
const PERIOD_SECONDS: u64 = 300;
/// The shortest key that cannot be guessed, in bytes.
const KEY_BYTES_MIN: usize = 32;

/// Policies that API Management's self-hosted gateway skips, besides those of the semantic cache.
const SKIPPED: [&str; 7] = [
    "get-authorization-context",
    "http-data-source",
    "sql-data-source",
    "cosmosdb-data-source",
    "publish-event",
    "validate-graphql-request",
    "send-service-bus-message",
];
/// Policies that need all of a body.
const READS_BODY: [&str; 8] = [
    "set-body",
    "find-and-replace",
    "json-to-xml",
    "xml-to-json",
    "xsl-transform",
    "redirect-content-urls",
    "validate-content",
    "cache-store",
];
/// What a document says somewhere that is about streams of events.
const STREAM: &str = "text/event-stream";

/// Judges one policy document.
pub(super) fn judge(input: &Input, findings: &mut Vec<Finding>) {
    let reading = read(&Arc::clone(&input.name), &input.text, &NamedValues::assumed());
    let Some(root) = reading.root else { return };
    if let Some(inbound) = root.element("inbound") {
        let policies = inbound.elements().filter(|element| &*element.name != "base");
        let cors = policies.skip(1).find(|element| &*element.name == "cors");
        if let Some(cors) = cors {
            findings.extend(say("cors-not-first", &cors.place, "cors"));
        }
    }
    let mut found = |id, place: &Place, name: &str| findings.extend(say(id, place, name));
    stream(&root, is_about_streams(&input.text), &mut found);
    element(&root, &mut found);
}

/// Whether a document says, outside of its comments, that it is about streams of events.
fn is_about_streams(text: &str) -> bool {
    let mut parts = text.split("<!--");
    let first = parts.next().unwrap_or_default();
    let behind = parts.filter_map(|part| Some(part.split_once("-->")?.1));
    std::iter::once(first).chain(behind).any(|part| part.contains(STREAM))
}

/// Streams of events that are held back: the document is about them, or says so with `buffer-response`.
fn stream(root: &Element, is_about: bool, found: &mut impl FnMut(&'static str, &Place, &str)) {
    let mut all = Vec::new();
    below(root, &mut all);
    let forwards: Vec<&&Element> = all.iter().filter(|it| &*it.name == "forward-request").collect();
    let is_off = |it: &Element| {
        it.value("buffer-response").is_some_and(|it| it.as_str().eq_ignore_ascii_case("false"))
    };
    for forward in forwards.iter().filter(|it| is_about && !is_off(it)) {
        found("stream-held-back", &forward.place, "forward-request");
    }
    if is_about && forwards.is_empty() {
        found("stream-held-back", &root.place, &root.name);
    }
    let Some(outbound) = root.element("outbound") else { return };
    if forwards.iter().any(|it| is_off(it)) {
        let mut inside = Vec::new();
        below(outbound, &mut inside);
        for reader in inside.iter().filter(|it| READS_BODY.contains(&&*it.name)) {
            found("stream-held-back", &reader.place, &reader.name);
        }
    }
}

/// All elements in `element`.
fn below<'e>(element: &'e Element, all: &mut Vec<&'e Element>) {
    for inner in element.elements() {
        all.push(inner);
        below(inner, all);
    }
}

/// What is sent with a method that has no body, by a policy that sends, or in one section.
fn body_of_get(element_: &Element, found: &mut impl FnMut(&'static str, &Place, &str)) {
    let Some(body) = element_.element("set-body") else { return };
    let method = element_.element("set-method").and_then(Element::text_content);
    let method = method.map(|it| it.as_str().trim().to_ascii_uppercase());
    let sends = matches!(&*element_.name, "send-request" | "send-one-way-request");
    let is_new =
        element_.value("mode").is_none_or(|mode| mode.as_str().eq_ignore_ascii_case("new"));
    let has_none = match method.as_deref() {
        Some(method) => matches!(method, "GET" | "HEAD"),
        None => sends && is_new,
    };
    if has_none && !matches!(&*element_.name, "outbound" | "return-response" | "on-error") {
        found("body-of-get", &body.place, &element_.name);
    }
}

/// Statuses for who is refused that are none, and attributes for them that are another policy's.
fn refusal(element_: &Element, found: &mut impl FnMut(&'static str, &Place, &str)) {
    let own = match &*element_.name {
        "check-header" => "failed-check-httpcode",
        "validate-jwt" | "validate-azure-ad-token" => "failed-validation-httpcode",
        _ => return,
    };
    for name in ["failed-check-httpcode", "failed-validation-httpcode"] {
        let Some(value) = element_.value(name) else { continue };
        let number = value.as_str().trim().parse::<u16>();
        let is_wrong = number.is_ok_and(|status| !(400..=599).contains(&status));
        if name != own || is_wrong {
            found("refused-with-success", &element_.place, &element_.name);
        }
    }
}

fn element(element_: &Element, found: &mut impl FnMut(&'static str, &Place, &str)) {
    let name = &*element_.name;
    let number = |attribute: &str| {
        element_.value(attribute).and_then(|value| value.as_str().trim().parse::<u64>().ok())
    };
    let period = number("renewal-period");
    body_of_get(element_, found);
    refusal(element_, found);
    let is_liquid = |it: &Element| {
        it.value("template").is_some_and(|it| it.as_str().eq_ignore_ascii_case("liquid"))
    };
    match name {
        "cors" => {
            let is_allowed =
                element_.value("allow-credentials").is_some_and(|it| it.as_str() == "true");
            let origins = element_.element("allowed-origins");
            let is_any = origins.is_some_and(|origins| {
                origins
                    .elements()
                    .filter_map(Element::text_content)
                    .any(|it| it.as_str().trim() == "*")
            });
            if is_allowed && is_any {
                found("cors-any-with-credentials", &element_.place, name);
            }
        }
        "rate-limit" | "rate-limit-by-key" if period.is_some_and(|it| PERIOD_SECONDS < it) => {
            found("rate-limit-period", &element_.place, name);
        }
        "quota-by-key" if period.is_some_and(|it| (1..PERIOD_SECONDS).contains(&it)) => {
            found("quota-by-key-period", &element_.place, name);
        }
        "limit-concurrency" => found("counts-by-itself", &element_.place, name),
        "return-response" if element_.element("set-body").is_some_and(is_liquid) => {
            found("liquid-in-return-response", &element_.place, name);
        }
        _ if SKIPPED.contains(&name) || name.contains("semantic-cache") => {
            found("policy-skipped", &element_.place, name);
        }
        "issuer-signing-keys" => keys(element_, found),
        _ => {}
    }
    for inner in element_.elements() {
        element(inner, found);
    }
}

/// Keys of `validate-jwt` that stand there in Base64.
fn keys(keys: &Element, found: &mut impl FnMut(&'static str, &Place, &str)) {
    for key in keys.elements() {
        let Some(text) = key.text_content() else { continue };
        let text = text.as_str().trim();
        let is_named = text.contains("{{") || text.is_empty() || text.starts_with('@');
        // Four characters of Base64 are three bytes.
        if !is_named && text.trim_end_matches('=').len() * 3 / 4 < KEY_BYTES_MIN {
            found("weak-signing-key", &key.place, "issuer-signing-keys");
        }
    }
}
