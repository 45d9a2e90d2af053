//! A value that a schema describes: for `mock-response`, where there is no example.

use serde_json::{Map, Value};

use super::Library;
use super::reach::target;

/// How deep a made value is nested.
const DEPTH_MAX: usize = 8;
/// How many values there are in one.
const VALUES_MAX: usize = 1_000;

/// What the schema gives as an example of itself, or a value of its type.
pub(super) fn sample(library: &Library, schema: &Value) -> Value {
    let mut sampler = Sampler { library, own: schema, left: VALUES_MAX };
    sampler.of("", schema, DEPTH_MAX)
}

struct Sampler<'a> {
    library: &'a Library,
    own: &'a Value,
    left: usize,
}

impl<'a> Sampler<'a> {
    fn of(&mut self, document: &'a str, schema: &'a Value, depth: usize) -> Value {
        let Value::Object(members) = schema else { return Value::Null };
        let (Some(left), Some(deeper)) = (self.left.checked_sub(1), depth.checked_sub(1)) else {
            return Value::Null;
        };
        self.left = left;
        let first = |name: &str| members.get(name)?.as_array()?.first().cloned();
        let given = members.get("example").cloned().or_else(|| first("examples"));
        let given = given.or_else(|| members.get("default").cloned());
        let given = given.or_else(|| members.get("const").cloned()).or_else(|| first("enum"));
        if let Some(given) = given {
            return given;
        }
        if let Some(Value::String(reference)) = members.get("$ref") {
            return match target(self.library, document, self.own, reference) {
                Ok((document, schema)) => self.of(document, schema, deeper),
                Err(_missing) => Value::Null,
            };
        }
        for name in ["oneOf", "anyOf"] {
            if let Some(one) =
                members.get(name).and_then(Value::as_array).and_then(|all| all.first())
            {
                return self.of(document, one, deeper);
            }
        }
        let kind = match members.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
            _ if members.contains_key("items") => "array",
            _ => "object",
        };
        match kind {
            "object" => self.object(document, members, deeper),
            "array" => {
                let item = members.get("items").map(|items| self.of(document, items, deeper));
                Value::Array(item.into_iter().collect())
            }
            "string" => Value::from(text(members)),
            "integer" | "number" => members.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            "boolean" => Value::Bool(true),
            _ => Value::Null,
        }
    }

    fn object(
        &mut self,
        document: &'a str,
        members: &'a Map<String, Value>,
        depth: usize,
    ) -> Value {
        let mut made = Map::new();
        for part in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Value::Object(part) = self.of(document, part, depth) {
                made.extend(part);
            }
        }
        let properties = members.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            made.insert(name.clone(), self.of(document, schema, depth));
        }
        Value::Object(made)
    }
}

fn text(members: &Map<String, Value>) -> &'static str {
    match members.get("format").and_then(Value::as_str).unwrap_or_default() {
        "date-time" => "2026-01-01T00:00:00Z",
        "date" => "2026-01-01",
        "time" => "00:00:00Z",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        "email" => "somebody@example.com",
        "uri" | "url" => "https://example.com/",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        _ => "string",
    }
}
