//! Where references lead: only to what is there, never in circles, and never too many ways at once.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::{Library, WAYS_MAX, Wrong};

/// Keywords whose schemas are about the same value.
const SAME_ONE: [&str; 4] = ["not", "if", "then", "else"];
const SAME_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that have no place here, and why.
const REFUSED: [(&str, &str); 4] = [
    ("$id", "a document is called by its `id` in `schemas`"),
    ("$dynamicRef", "write a `$ref`"),
    ("$recursiveRef", "write a `$ref`"),
    ("$vocabulary", "keywords mean what JSON Schema says"),
];

/// What checking a schema gave.
pub(super) struct Reached {
    /// The types that its value may have; empty for any.
    pub(super) types: Vec<String>,
    /// The documents that it leads into.
    pub(super) documents: BTreeSet<String>,
}

/// Checks all references of `schema`, and of all that they lead to.
pub(super) fn check(library: &Library, schema: &Value) -> Result<Reached, Wrong> {
    let mut reach = Reach { library, ways: HashMap::new(), seen: BTreeSet::new() };
    let mut pending = vec![("", schema)];
    let own = schema;
    let mut documents = BTreeSet::new();
    while let Some((document, schema)) = pending.pop() {
        if !reach.seen.insert(std::ptr::from_ref(schema).addr()) {
            continue;
        }
        if !document.is_empty() && !documents.contains(document) {
            documents.insert(document.to_owned());
        }
        reach.ways(document, own, schema, 0)?;
        reach.next(document, own, schema, &mut pending)?;
    }
    let mut types = BTreeSet::new();
    reach.types(("", own), own, &mut types, 0);
    Ok(Reached { types: types.into_iter().collect(), documents })
}

struct Reach<'a> {
    library: &'a Library,
    /// How many ways lead through a schema, by its address; none while it is looked at.
    ways: HashMap<usize, Option<usize>>,
    seen: BTreeSet<usize>,
}

impl<'a> Reach<'a> {
    /// How many ways lead through `schema` without a step into the value.
    fn ways(
        &mut self,
        document: &'a str,
        own: &'a Value,
        schema: &'a Value,
        depth: usize,
    ) -> Result<usize, Wrong> {
        let Value::Object(members) = schema else { return Ok(1) };
        let address = std::ptr::from_ref(schema).addr();
        match self.ways.get(&address) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(Wrong("refers to itself in a circle".to_owned())),
            None if depth > super::DEPTH_MAX => {
                return Err(Wrong("refers from one schema to another too often".to_owned()));
            }
            None => (),
        }
        self.ways.insert(address, None);
        let mut ways = 1_usize;
        for (document, inner) in self.beside(document, own, members)? {
            let more = self.ways(document, own, inner, depth.saturating_add(1))?;
            ways = ways.saturating_add(more);
        }
        if WAYS_MAX < ways {
            return Err(Wrong(format!("branches into more than {WAYS_MAX} ways")));
        }
        self.ways.insert(address, Some(ways));
        Ok(ways)
    }

    /// The schemas that `members` hold the same value to.
    fn beside(
        &self,
        document: &'a str,
        own: &'a Value,
        members: &'a Map<String, Value>,
    ) -> Result<Vec<(&'a str, &'a Value)>, Wrong> {
        let mut beside = Vec::new();
        if let Some(Value::String(reference)) = members.get("$ref") {
            beside.push(target(self.library, document, own, reference)?);
        }
        let one = SAME_ONE.iter().filter_map(|name| members.get(*name));
        let lists = SAME_LISTS.iter().filter_map(|name| members.get(*name)?.as_array()).flatten();
        let by_name = members.get("dependentSchemas").and_then(Value::as_object);
        let by_name = by_name.into_iter().flat_map(Map::values);
        beside.extend(one.chain(lists).chain(by_name).map(|inner| (document, inner)));
        Ok(beside)
    }

    /// All that stands in `schema`, and what it refers to.
    fn next(
        &self,
        document: &'a str,
        own: &'a Value,
        schema: &'a Value,
        pending: &mut Vec<(&'a str, &'a Value)>,
    ) -> Result<(), Wrong> {
        match schema {
            Value::Object(members) => {
                for (name, why) in REFUSED {
                    if matches!(members.get(name), Some(Value::String(_))) {
                        return Err(Wrong(format!("has `{name}`: {why}")));
                    }
                }
                if let Some(Value::String(reference)) = members.get("$ref") {
                    pending.push(target(self.library, document, own, reference)?);
                }
                let data = ["const", "default", "enum", "example", "examples"];
                let inner = members.iter().filter(|(name, _)| !data.contains(&name.as_str()));
                pending.extend(inner.map(|(_name, inner)| (document, inner)));
            }
            Value::Array(items) => pending.extend(items.iter().map(|item| (document, item))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
        Ok(())
    }

    fn types(
        &self,
        (document, schema): (&'a str, &'a Value),
        own: &'a Value,
        types: &mut BTreeSet<String>,
        depth: usize,
    ) {
        let Value::Object(members) = schema else { return };
        if depth > super::DEPTH_MAX {
            return;
        }
        match members.get("type") {
            Some(Value::String(kind)) => {
                types.insert(kind.clone());
            }
            Some(Value::Array(kinds)) => {
                types.extend(kinds.iter().filter_map(Value::as_str).map(ToOwned::to_owned));
            }
            _ => {
                for inner in self.beside(document, own, members).unwrap_or_default() {
                    self.types(inner, own, types, depth.saturating_add(1));
                }
            }
        }
    }
}

/// A pointer in a reference is escaped as a URL.
fn unescaped(pointer: &str) -> String {
    percent_encoding::percent_decode_str(pointer).decode_utf8_lossy().into_owned()
}

/// What `reference` in `document` (empty for `own`) leads to.
pub(super) fn target<'a>(
    library: &'a Library,
    document: &'a str,
    own: &'a Value,
    reference: &str,
) -> Result<(&'a str, &'a Value), Wrong> {
    let (id, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    if id.contains(':') || id.starts_with("//") {
        return Err(Wrong(format!(
            "refers to `{reference}`: nothing is fetched; put the document into `schemas` and \
             refer to it as `id#/…`"
        )));
    }
    let (document, root) = if id.is_empty() {
        let root = if document.is_empty() { Some(own) } else { library.document(document) };
        (document, root)
    } else {
        let known = library.documents.get_key_value(id);
        known.map_or((document, None), |(id, root)| (&**id, Some(&**root)))
    };
    let found = root.and_then(|root| root.pointer(&unescaped(pointer)));
    let found = found.filter(|_| pointer.is_empty() || pointer.starts_with('/'));
    found.map(|found| (document, found)).ok_or_else(|| {
        Wrong(format!(
            "refers to `{reference}`, which is not there; write `#/…`, or `id#/…` for a \
             document in `schemas`"
        ))
    })
}
