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
    element(&root, &mut found);
}

fn element(element_: &Element, found: &mut impl FnMut(&'static str, &Place, &str)) {
    let name = &*element_.name;
    let number = |attribute: &str| {
        element_.value(attribute).and_then(|value| value.as_str().trim().parse::<u64>().ok())
    };
    let period = number("renewal-period");
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
