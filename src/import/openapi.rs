//! Operations of an `OpenAPI` document (3.x; 2.0 says as much of what is taken).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::properties::yaml;
use super::{Imported, slug};
use crate::migration::finding::Level;

/// What a path of the document may hold besides operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Reads a document as YAML or JSON.
pub(super) fn parse(file: &str, text: &str, imported: &mut Imported) -> Option<Value> {
    let json: Option<Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    let document = json.or_else(|| yaml(file, text, imported))?;
    if document.get("paths").is_none_or(|paths| !paths.is_object()) {
        let said = ("this is no OpenAPI document: it has no paths", "export the API as OpenAPI 3");
        imported.advise(Level::Refused, file, "paths", said);
        return None;
    }
    Some(document)
}

/// The operations of a document, in its order.
pub(super) fn operations(
    file: &str,
    document: &Value,
    imported: &mut Imported,
) -> Vec<Map<String, Value>> {
    let mut operations = Vec::new();
    let mut ids = BTreeSet::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let named = operation.get("operationId").and_then(Value::as_str);
            let mut id = named.map_or_else(|| slug(&format!("{method}-{path}")), str::to_owned);
            while !ids.insert(id.clone()) {
                id.push_str("-2");
            }
            let what = format!("{} {path}", method.to_ascii_uppercase());
            imported.say(Level::Carried, file, &what, format!("the operation {id}"));
            operations.push(one(&id, (method.as_str(), path.as_str()), item, operation));
        }
    }
    for part in ["components", "definitions", "security", "securityDefinitions"] {
        if document.get(part).is_some() {
            let said = (
                "schemas and security schemes of documents are not taken over",
                "write `schemas` for validate-content, and policies for who may call",
            );
            imported.advise(Level::Dropped, file, part, said);
        }
    }
    operations
}

fn one(id: &str, at: (&str, &str), item: &Value, operation: &Value) -> Map<String, Value> {
    let (method, path) = at;
    let mut out = Map::new();
    out.insert("id".to_owned(), id.into());
    if let Some(name) = operation.get("summary").and_then(Value::as_str) {
        out.insert("name".to_owned(), name.into());
    }
    out.insert("method".to_owned(), method.to_ascii_uppercase().into());
    out.insert("urlTemplate".to_owned(), path.into());
    let lists = [item.get("parameters"), operation.get("parameters")];
    let parameters: Vec<&Value> =
        lists.into_iter().flatten().filter_map(Value::as_array).flatten().collect();
    let of = |place: &str| -> Vec<Value> {
        let here =
            parameters.iter().filter(|it| it.get("in").and_then(Value::as_str) == Some(place));
        here.filter_map(|it| parameter(it)).collect()
    };
    let (queries, headers) = (of("query"), of("header"));
    let mut request = Map::new();
    if !queries.is_empty() {
        request.insert("queryParameters".to_owned(), queries.into());
    }
    if !headers.is_empty() {
        request.insert("headers".to_owned(), headers.into());
    }
    if !request.is_empty() {
        out.insert("request".to_owned(), request.into());
    }
    let responses: Vec<Value> = operation
        .get("responses")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(status, response)| response_of(status, response))
        .collect();
    if !responses.is_empty() {
        out.insert("responses".to_owned(), responses.into());
    }
    out
}

/// A parameter, with its schema where that is no reference.
fn parameter(parameter: &Value) -> Option<Value> {
    let name = parameter.get("name")?.as_str()?;
    let is_required = parameter.get("required").and_then(Value::as_bool) == Some(true);
    let mut out = Map::from_iter([("name".to_owned(), Value::from(name))]);
    if is_required {
        out.insert("required".to_owned(), true.into());
    }
    let kind = parameter.pointer("/schema/type").and_then(Value::as_str);
    if let Some(kind) = kind {
        out.insert("schema".to_owned(), json!({ "type": kind }));
    }
    Some(out.into())
}

/// What `mock-response` needs of a response: its status and examples.
fn response_of(status: &str, response: &Value) -> Option<Value> {
    let status: u16 = status.parse().ok()?;
    let mut representations = Vec::new();
    for (kind, content) in response.get("content").and_then(Value::as_object).into_iter().flatten()
    {
        let first = content.get("examples").and_then(Value::as_object);
        let first = first.and_then(|all| all.values().next()).and_then(|one| one.get("value"));
        let mut one = Map::from_iter([("contentType".to_owned(), Value::from(kind.as_str()))]);
        if let Some(example) = content.get("example").or(first) {
            one.insert("example".to_owned(), example.clone());
        }
        representations.push(Value::Object(one));
    }
    let mut out = Map::from_iter([("statusCode".to_owned(), Value::from(status))]);
    if !representations.is_empty() {
        out.insert("representations".to_owned(), representations.into());
    }
    Some(out.into())
}
