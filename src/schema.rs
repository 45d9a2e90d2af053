//! What a JSON value has to look like: JSON Schema, and what `OpenAPI` makes of it.
//!
//! A [`Library`] holds the documents of a configuration by their ids; a [`Schema`] is compiled over
//! it, once, when the configuration is read. `$ref` is a pointer into the same document
//! (`#/components/schemas/Order`) or into one of the library (`orders#/components/schemas/Order`):
//! nothing is ever fetched. What `OpenAPI` 3.0 says otherwise than JSON Schema (`nullable`, bounds that
//! are flags) is turned into what JSON Schema says; a document with `$schema` is taken as it stands.
//!
//! Patterns are matched in linear time; one that cannot be is refused. References that lead back to
//! themselves without a step into the value, or that branch without end, are refused too: so what
//! a validation costs is bounded by the schema and the value.

pub mod dialect;
mod reach;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Registry, Validator};
use serde_json::{Value, json};

use dialect::Variant;
use reach::Reached;

/// The largest document, in bytes of JSON.
pub const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// How deep a document may be nested.
pub const DEPTH_MAX: usize = 64;
/// How many ways there may be through one schema without a step into the value.
pub const WAYS_MAX: usize = 10_000;
/// The most faults of one value that are told.
pub const FINDINGS_MAX: usize = 10;
/// The longest of them, in characters: names of properties are the client's own.
pub const FINDING_CHARACTERS_MAX: usize = 300;
/// The most values in a value whose faults are told one by one: finding where they are costs more
/// than finding that there are some, and more with each union.
pub const TOLD_VALUES_MAX: usize = 1_000;
/// How deep such a value may be nested.
pub const TOLD_DEPTH_MAX: usize = 6;
/// What is told of any other.
const TOO_LARGE: &str = "The value does not conform to its schema; it is too large to say where.";
/// The largest that a compiled pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// What ids of documents stand behind.
const BASE: &str = "schema:///";
/// What a schema that stands by itself is called; no document can have this id.
const OWN: &str = "-";

/// The documents of a configuration, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    documents: BTreeMap<Arc<str>, Arc<Value>>,
}

/// A schema, compiled.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

#[expect(clippy::disallowed_types, reason = "a field of a schema is no state of the process")]
struct Compiled {
    /// What it is called in messages.
    name: Arc<str>,
    /// As it was written.
    written: Value,
    library: Library,
    /// By [`Variant::index`]; the first is made at load, and so is what a policy prepares. Others are
    /// made when they are first asked for: a policy that stands above operations does not know whose
    /// schemas it will meet.
    validators: [std::sync::OnceLock<Option<Validator>>; Variant::COUNT],
    /// What types its value may have; empty for any.
    types: Vec<String>,
}

/// Why a schema or a document is refused: the end of a sentence about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong(pub String);

impl Library {
    /// A library of `documents`.
    pub fn new(documents: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        let documents = documents.into_iter();
        let documents = documents.map(|(id, document)| (id, Arc::new(dialect::normal(document))));
        Self { documents: documents.collect() }
    }

    /// Whether there is a document `id`.
    pub fn has(&self, id: &str) -> bool {
        self.documents.contains_key(id)
    }

    /// The ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(AsRef::as_ref)
    }

    fn only(&self, ids: &BTreeSet<String>) -> Self {
        let known = ids.iter().filter_map(|id| self.documents.get_key_value(id.as_str()));
        let known = known.map(|(id, document)| (Arc::clone(id), Arc::clone(document)));
        Self { documents: known.collect() }
    }

    fn document(&self, id: &str) -> Option<&Value> {
        self.documents.get(id).map(AsRef::as_ref)
    }
}

/// Whether a document may be taken at all.
pub fn fits(document: &Value) -> Result<(), Wrong> {
    if DOCUMENT_BYTES_MAX < document.to_string().len() {
        return Err(Wrong(format!("is larger than {DOCUMENT_BYTES_MAX} bytes")));
    }
    if is_deeper(document, DEPTH_MAX) {
        return Err(Wrong(format!("is nested deeper than {DEPTH_MAX}")));
    }
    Ok(())
}

fn is_deeper(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        Value::Object(members) => members.values().any(|member| is_deeper(member, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// How many of `left` values there may be beside those in `value`; none if those are more, or are
/// nested deeper than `depth`.
fn room(value: &Value, depth: usize, left: usize) -> Option<usize> {
    match value {
        Value::Array(items) => {
            let depth = depth.checked_sub(1)?;
            items.iter().try_fold(left, |left, item| room(item, depth, left.checked_sub(1)?))
        }
        Value::Object(members) => {
            let depth = depth.checked_sub(1)?;
            let mut members = members.values();
            members.try_fold(left, |left, member| room(member, depth, left.checked_sub(1)?))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(left),
    }
}

impl Schema {
    /// Compiles `written`, which messages call `name`.
    pub fn compile(library: &Arc<Library>, name: &str, written: &Value) -> Result<Self, Wrong> {
        fits(written)?;
        let written = dialect::normal(written.clone());
        let Reached { types, documents } = reach::check(library, &written)?;
        // Only what it leads into: there may be many schemas and large documents.
        let library = library.only(&documents);
        let validator = validator(&library, &written)?;
        let compiled = Compiled {
            name: Arc::from(name),
            written,
            library,
            validators: Default::default(),
            types,
        };
        if let Some(plain) = compiled.validators.first() {
            // Nobody else has it yet.
            let _ = plain.set(Some(validator));
        }
        Ok(Self(Arc::new(compiled)))
    }

    /// The schema at `pointer` (`#`, or `#/components/schemas/Order`) of the document `id`.
    pub fn referred(library: &Arc<Library>, id: &str, pointer: &str) -> Result<Self, Wrong> {
        let name = match pointer.rsplit('/').next() {
            Some(last) if !last.is_empty() && last != "#" => last,
            _ => id,
        };
        Self::compile(library, name, &json!({ "$ref": format!("{id}{pointer}") }))
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The types that its value may have, as JSON Schema calls them; empty for any.
    pub fn types(&self) -> &[String] {
        &self.0.types
    }

    /// A value that it describes: its example, or one of its type.
    pub fn sample(&self) -> Value {
        sample::sample(&self.0.library, &self.0.written)
    }

    /// Compiles it as `variant` wants it read, if that was not done yet.
    pub fn prepare(&self, variant: Variant) -> Result<(), Wrong> {
        self.prepared(variant).map(drop)
    }

    fn prepared(&self, variant: Variant) -> Result<&Validator, Wrong> {
        let slot = self.0.validators.get(variant.index());
        let slot = slot.ok_or_else(|| Wrong("has no such variant".to_owned()))?;
        let compiled = slot.get_or_init(|| {
            let documents =
                self.0.library.documents.iter().map(|(id, document)| {
                    (Arc::clone(id), Arc::new(variant.of((**document).clone())))
                });
            let library = Library { documents: documents.collect() };
            validator(&library, &variant.of(self.0.written.clone())).ok()
        });
        let wrong = || Wrong("cannot be compiled in the way that the policy asks for".to_owned());
        compiled.as_ref().ok_or_else(wrong)
    }

    /// What is wrong with `value`: sentences, [`FINDINGS_MAX`] at most; nothing if it is right. Of
    /// a value that is large, only that something is.
    pub fn findings(&self, value: &Value, variant: Variant) -> Result<Vec<String>, Wrong> {
        let folded;
        let value = if variant.ignores_case {
            folded = dialect::folded(value);
            &folded
        } else {
            value
        };
        let compiled = self.prepared(variant)?;
        if compiled.is_valid(value) {
            return Ok(Vec::new());
        }
        if room(value, TOLD_DEPTH_MAX, TOLD_VALUES_MAX).is_none() {
            return Ok(vec![TOO_LARGE.to_owned()]);
        }
        let findings = compiled.iter_errors(value).take(FINDINGS_MAX);
        Ok(findings.map(|finding| told(&finding)).collect())
    }
}

/// A finding as a sentence, without the value: that is the client's own, and may be long.
fn told(finding: &jsonschema::ValidationError<'_>) -> String {
    let place = finding.instance_path().to_string();
    let text = if place.is_empty() {
        finding.masked_with("The value").to_string()
    } else {
        format!("`{place}`: {}", finding.masked_with("the value"))
    };
    if text.chars().count() <= FINDING_CHARACTERS_MAX {
        return text;
    }
    text.chars().take(FINDING_CHARACTERS_MAX).chain(['…']).collect()
}

fn validator(library: &Library, written: &Value) -> Result<Validator, Wrong> {
    let wrong = |error: &dyn fmt::Display| Wrong(format!("is no schema: {error}"));
    let mut registry = Registry::new();
    for (id, document) in &library.documents {
        let added = registry.add(format!("{BASE}{id}"), &**document);
        registry = added.map_err(|error| wrong(&error))?;
    }
    let registry = registry.prepare().map_err(|error| wrong(&error))?;
    jsonschema::options()
        .offline()
        .with_registry(&registry)
        .with_base_uri(format!("{BASE}{OWN}"))
        .should_validate_formats(true)
        .with_pattern_options(
            PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX),
        )
        .build(written)
        .map_err(|error| wrong(&error))
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Schema").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        one.name == other.name && one.written == other.written && one.library == other.library
    }
}

impl Eq for Schema {}

#[cfg(test)]
mod tests;
