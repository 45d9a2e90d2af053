//! What the text of a parameter stands for.

use serde_json::Value as Json;

/// What a text may stand for, of a value that is one of `types`; nothing if it is none of them.
pub(super) fn as_said(text: &str, types: &[String]) -> Vec<Json> {
    let is = |kind: &str| types.iter().any(|known| known == kind);
    if types.is_empty() {
        return vec![Json::from(text)];
    }
    let mut read: Vec<Json> = scalar(text, types).into_iter().collect();
    if is("null") && text.is_empty() {
        read.push(Json::Null);
    }
    if is("array") {
        // What the items are, the schema says: they are tried as what they look like, and as texts.
        let kinds = ["integer", "number", "boolean"].map(ToOwned::to_owned);
        let item = |part: &str| scalar(part, &kinds).unwrap_or_else(|| Json::from(part));
        read.extend(serde_json::from_str(text).ok().filter(Json::is_array));
        read.push(text.split(',').map(item).collect());
        read.push(text.split(',').map(Json::from).collect());
    }
    if is("object") {
        read.extend(serde_json::from_str(text).ok().filter(Json::is_object));
    }
    read
}

fn scalar(text: &str, types: &[String]) -> Option<Json> {
    let is = |kind: &str| types.iter().any(|known| known == kind);
    if is("boolean") && (text == "true" || text == "false") {
        return Some(Json::Bool(text == "true"));
    }
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number
        && (is("integer") || is("number"))
        && let Ok(number @ Json::Number(_)) = serde_json::from_str(text)
    {
        return Some(number);
    }
    is("string").then(|| Json::from(text))
}
