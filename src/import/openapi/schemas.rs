//! Schemas of a document: those of its components become one document of `schemas`, and all others
//! stand where they are used. What Weir would refuse is not taken, and that is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Reader;
use crate::migration::finding::Level;
use crate::schema::{Library, Schema, fits};

/// Where schemas stand in a document.
const COMPONENTS: &str = "#/components/schemas/";
/// How deep what is taken may be nested, so that the configuration can be read again.
const DEPTH_MAX: usize = 20;

/// The schemas of a document.
pub(super) struct Schemas {
    id: String,
    /// As they go into the configuration.
    taken: Map<String, Value>,
    library: Arc<Library>,
    /// What became of a schema, by its text.
    judged: BTreeMap<String, Result<Map<String, Value>, String>>,
    /// Those that are nested too deep.
    deep: Vec<String>,
    /// Why none is taken.
    wrong: Option<String>,
    is_used: bool,
}

impl Schemas {
    /// Those of `document`, in a document that is called `id`.
    pub(super) fn of(document: &Value, id: &str) -> Self {
        let all = document.pointer("/components/schemas").and_then(Value::as_object);
        let (taken, deep): (Vec<_>, Vec<_>) =
            all.into_iter().flatten().partition(|(_, schema)| !is_deep(schema, DEPTH_MAX));
        let mut taken: Map<String, Value> =
            taken.into_iter().map(|(name, it)| (name.clone(), it.clone())).collect();
        let wrong = fits(&json!({ "components": { "schemas": taken } })).err().map(|wrong| wrong.0);
        if wrong.is_some() {
            taken.clear();
        }
        let whole = json!({ "components": { "schemas": taken } });
        Self {
            id: id.to_owned(),
            library: Arc::new(Library::new([(Arc::from(id), whole)])),
            taken,
            judged: BTreeMap::new(),
            deep: deep.into_iter().map(|(name, _)| name.clone()).collect(),
            wrong,
            is_used: false,
        }
    }

    /// The documents, as a configuration has them; none where nothing refers to them.
    pub(super) fn documents(self) -> Vec<Value> {
        if !self.is_used || self.taken.is_empty() {
            return Vec::new();
        }
        vec![json!({ "id": self.id, "document": { "components": { "schemas": self.taken } } })]
    }

    /// How a representation or a parameter names `schema`; else why Weir would refuse it.
    fn named(&mut self, schema: &Value) -> Result<Map<String, Value>, String> {
        let text = schema.to_string();
        if let Some(known) = self.judged.get(&text) {
            return known.clone();
        }
        let judged = self.judge(schema);
        self.judged.insert(text, judged.clone());
        judged
    }

    fn judge(&mut self, schema: &Value) -> Result<Map<String, Value>, String> {
        let told = |wrong: crate::schema::Wrong| format!("its schema {}", wrong.0);
        if let Some(name) = self.plain_name(schema) {
            let pointer = format!("{COMPONENTS}{name}");
            Schema::referred(&self.library, &self.id, &pointer).map_err(told)?;
            self.is_used = true;
            let pairs = [("schemaId", self.id.as_str()), ("typeName", name.as_str())];
            return Ok(pairs
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect());
        }
        if is_deep(schema, DEPTH_MAX) {
            return Err(format!("its schema is nested deeper than {DEPTH_MAX}"));
        }
        let mut written = schema.clone();
        let is_referring = refer(&mut written, &self.id);
        Schema::compile(&self.library, "schema", &written).map_err(told)?;
        self.is_used |= is_referring;
        Ok(Map::from_iter([("schema".to_owned(), written)]))
    }

    /// The name of the schema that `schema` is a reference to, if that is all it is.
    fn plain_name(&self, schema: &Value) -> Option<String> {
        let members = schema.as_object()?;
        let name = members.get("$ref")?.as_str()?.strip_prefix(COMPONENTS)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = members.len() == 1 && !name.is_empty() && name.bytes().all(is_plain);
        (is_name && self.taken.contains_key(name)).then(|| name.to_owned())
    }
}

impl Reader<'_> {
    /// Says what becomes of the schemas of the components.
    pub(super) fn told_schemas(&mut self) {
        if self.document.pointer("/components/schemas").is_none() {
            return;
        }
        let what = "components.schemas";
        if let Some(why) = self.schemas.wrong.clone() {
            let message = format!("all of them together: the document {why}");
            self.drop(what, (&message, "split the document into several"));
            return;
        }
        let message =
            format!("in `schemas`, as {}, where something refers to them", self.schemas.id);
        self.imported.say(Level::Carried, self.file, what, message);
        for name in std::mem::take(&mut self.schemas.deep) {
            let message = format!("it is nested deeper than {DEPTH_MAX}");
            let said = (message.as_str(), "divide it into schemas that refer to each other");
            self.drop(&format!("{what}.{name}"), said);
        }
    }

    /// Puts a schema into what it is the schema of.
    pub(super) fn schema(&mut self, what: &str, schema: &Value, out: &mut Map<String, Value>) {
        match self.schemas.named(schema) {
            Ok(named) => out.extend(named),
            Err(why) => {
                let remedy = "mend the schema, if policies shall validate this";
                self.imported.advise(
                    Level::Refused,
                    self.file,
                    &format!("{what} schema"),
                    (&why, remedy),
                );
            }
        }
    }
}

/// Lets references lead into the document `id`; whether there are any.
fn refer(value: &mut Value, id: &str) -> bool {
    let mut is_referring = false;
    match value {
        Value::Array(items) => {
            for item in items {
                is_referring |= refer(item, id);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if let ("$ref", Value::String(text)) = (name.as_str(), &mut *member)
                    && text.starts_with(COMPONENTS)
                {
                    *text = format!("{id}{text}");
                    is_referring = true;
                } else {
                    is_referring |= refer(member, id);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    is_referring
}

/// Whether a value is nested deeper than `left`.
pub(super) fn is_deep(value: &Value, left: usize) -> bool {
    let inner = |value: &Value| left.checked_sub(1).is_none_or(|left| is_deep(value, left));
    match value {
        Value::Array(items) => items.iter().any(inner),
        Value::Object(members) => members.values().any(inner),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether an example is nested too deep to be written.
pub(super) fn is_too_deep(value: &Value) -> bool {
    is_deep(value, DEPTH_MAX)
}
