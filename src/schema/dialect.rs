//! Schemas, rewritten: what `OpenAPI` 3.0 says, as JSON Schema says it, and what a policy asks for.

use serde_json::{Map, Value, json};

/// How a schema is read where a policy says otherwise than the schema.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Variant {
    /// Whether properties that are not named are allowed, whatever the schema says.
    pub additional: Option<bool>,
    /// Whether names of properties are compared without regard to case.
    pub ignores_case: bool,
}

/// Keywords that hold one schema.
const ONE: [&str; 11] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that hold a list of schemas.
const LISTS: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const NAMED: [&str; 5] =
    ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

impl Variant {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// Which of them it is; 0 is the schema as it stands.
    pub const fn index(self) -> usize {
        let additional = match self.additional {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        if self.ignores_case { additional + 3 } else { additional }
    }

    /// The schema or document, read like this.
    pub(super) fn of(self, mut document: Value) -> Value {
        document_of(&mut document, &mut |schema| {
            if let Some(allowed) = self.additional {
                additional(schema, allowed);
            }
            if self.ignores_case {
                fold_names(schema);
            }
        });
        document
    }
}

/// Whether a policy can have what `pointer` leads to read in a [`Variant`]: other places of a
/// document are not known to be schemas.
pub fn is_reread(pointer: &str) -> bool {
    let mut steps = pointer.trim_start_matches('#').split('/').skip(1);
    match (steps.next(), steps.next()) {
        (None | Some("" | "$defs" | "definitions"), _) => true,
        (first, second) => first == Some("components") && second == Some("schemas"),
    }
}

/// The schema or document as JSON Schema.
pub(super) fn normal(mut document: Value) -> Value {
    // What it calls itself is not what others here call it.
    if let Value::Object(members) = &mut document {
        members.remove("$id");
        members.remove("id");
    }
    let is_own = document.get("$schema").is_some();
    if !is_own {
        document_of(&mut document, &mut openapi);
    }
    document
}

/// `value`, with names of properties in small letters.
pub(super) fn folded(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, it)| (fold(name), folded(it))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(folded).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Changes every schema in a schema, or in the `components` of a document.
fn document_of(document: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.values_mut().for_each(|schema| walk(schema, change));
    }
    walk(document, change);
}

/// How deep they are nested is bounded where they are read.
fn walk(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(members) = schema else { return };
    for (name, member) in members.iter_mut() {
        match member {
            Value::Array(items) if LISTS.contains(&name.as_str()) => {
                for item in items {
                    walk(item, change);
                }
            }
            Value::Object(inner) if NAMED.contains(&name.as_str()) => {
                inner.values_mut().for_each(|item| walk(item, change));
            }
            one @ Value::Object(_) if ONE.contains(&name.as_str()) => walk(one, change),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => (),
        }
    }
    change(members);
}

/// `nullable`, and bounds that are flags.
fn openapi(schema: &mut Map<String, Value>) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(Value::Bool(is_exclusive)) = schema.get(flag) {
            let is_exclusive = *is_exclusive;
            schema.remove(flag);
            if is_exclusive && let Some(number) = schema.remove(bound) {
                schema.insert(flag.to_owned(), number);
            }
        }
    }
    if schema.remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(kind)) = schema.get("type") {
        let kinds = json!([kind, "null"]);
        schema.insert("type".to_owned(), kinds);
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(reference) = schema.remove("$ref") {
        schema.insert("anyOf".to_owned(), json!([{ "$ref": reference }, { "type": "null" }]));
    }
}

fn additional(schema: &mut Map<String, Value>, allowed: bool) {
    schema.remove("unevaluatedProperties");
    if allowed {
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            schema.remove("additionalProperties");
        }
    } else if schema.contains_key("properties") {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

fn fold_names(schema: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let taken = std::mem::take(properties);
        *properties = taken.into_iter().map(|(name, schema)| (fold(&name), schema)).collect();
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        for name in required {
            if let Value::String(name) = name {
                *name = fold(name);
            }
        }
    }
}
