//! Operations of an `OpenAPI` document (3.x; of 2.0, which extractors may write, as much as is the same).
//!
//! Everything has a line: what is taken, what it is called now, and what a configuration does not hold.

mod content;
mod reference;
mod schemas;
mod server;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::properties::yaml;
use super::{Imported, slug};
use crate::migration::finding::Level;
use crate::route::template::Template;
use schemas::Schemas;

pub(super) use server::address;

/// What a path of the document may hold besides operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// The longest id that is made or kept, in characters.
const ID_CHARACTERS_MAX: usize = 100;
/// What says nothing about requests, wherever it stands.
const WORDS: [&str; 9] = [
    "summary",
    "description",
    "tags",
    "externalDocs",
    "deprecated",
    "info",
    "openapi",
    "swagger",
    "jsonSchemaDialect",
];
/// What is taken of an operation, or has a line of its own.
const TAKEN: [&str; 7] =
    ["operationId", "summary", "parameters", "requestBody", "responses", "servers", "security"];
/// What is taken of a document, or has a line of its own.
const TOLD: [&str; 8] = [
    "paths",
    "servers",
    "security",
    "components",
    "definitions",
    "parameters",
    "responses",
    "securityDefinitions",
];
/// How a document that is not this version's becomes one.
const CONVERT: &str = "convert it to OpenAPI 3 first, such as with swagger2openapi or at \
                       editor.swagger.io, and import that";

/// What is taken of a document.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) operations: Vec<Operation>,
    /// The documents of schemas that they name.
    pub(super) schemas: Vec<Value>,
}

/// An operation, and what the document calls it.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its `operationId`, if it has one.
    pub(super) named: Option<String>,
    pub(super) written: Map<String, Value>,
}

/// A document that is read.
pub(super) struct Reader<'a> {
    file: &'a str,
    document: &'a Value,
    imported: &'a mut Imported,
    schemas: Schemas,
    /// How many bytes references may still lead to.
    left: usize,
}

/// Reads a document as YAML or JSON.
pub(super) fn parse(file: &str, text: &str, imported: &mut Imported) -> Option<Value> {
    let mut refuse = |message: &str, remedy: &str| {
        imported.advise(Level::Refused, file, "document", (message, remedy));
        None
    };
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return refuse("the file is empty", "give a document of OpenAPI 3");
    }
    let json: Option<Value> = serde_json::from_str(text).ok();
    let document = json.or_else(|| yaml(file, text, imported))?;
    let mut refuse = |message: &str, remedy: &str| {
        imported.advise(Level::Refused, file, "document", (message, remedy));
        None
    };
    if !document.is_object() {
        let message = "this is no document of OpenAPI: there are no keys and values at its top";
        return refuse(message, "export the API as OpenAPI 3");
    }
    if document.get("paths").is_none_or(|paths| !paths.is_object()) {
        let message = "this is no document of OpenAPI with operations: it has no paths";
        return refuse(message, "export the API as OpenAPI 3");
    }
    Some(document)
}

/// Whether a document is one of `OpenAPI` 3; what else it is, is refused.
pub(super) fn is_three(file: &str, document: &Value, imported: &mut Imported) -> bool {
    let version = |key: &str| match document.get(key)? {
        Value::String(text) => Some(text.clone()),
        // `2.0` without quotes is a number.
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let (message, remedy) = match (version("swagger"), version("openapi")) {
        (_, Some(three)) if three.starts_with("3.") || three == "3" => return true,
        (Some(two), _) => {
            (format!("this is a document of Swagger {two}, and Weir reads OpenAPI 3"), CONVERT)
        }
        (None, Some(other)) => {
            (format!("this is a document of OpenAPI {other}, and Weir reads OpenAPI 3"), CONVERT)
        }
        (None, None) => (
            "it does not say which version of OpenAPI it is".to_owned(),
            "write `openapi: 3.0.3` at its top, if that is what it is",
        ),
    };
    imported.advise(Level::Refused, file, "document", (&message, remedy));
    false
}

/// What is taken of a document, whose schemas shall be called `id`.
pub(super) fn take(file: &str, document: &Value, id: &str, imported: &mut Imported) -> Taken {
    let schemas = Schemas::of(document, id);
    let left = reference::BYTES_MAX;
    let mut reader = Reader { file, document, imported, schemas, left };
    reader.told_schemas();
    let operations = reader.operations();
    reader.rest();
    Taken { operations, schemas: reader.schemas.documents() }
}

impl Reader<'_> {
    /// Says of parts that they are not taken, and why.
    fn drop(&mut self, what: &str, said: (&str, &str)) {
        self.imported.advise(Level::Dropped, self.file, what, said);
    }

    fn operations(&mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        let document = self.document;
        let paths = document.get("paths").and_then(Value::as_object);
        for (path, written) in paths.into_iter().flatten().filter(|(path, _)| !is_own(path)) {
            let item = match self.resolved(written) {
                Ok(Value::Object(item)) => item,
                Ok(_) => {
                    self.refuse(path, "it holds no operations");
                    continue;
                }
                Err(why) => {
                    self.refuse(path, &why);
                    continue;
                }
            };
            self.path(path, item);
            for (method, operation) in item {
                let (true, Value::Object(operation)) =
                    (METHODS.contains(&method.as_str()), operation)
                else {
                    continue;
                };
                let what = format!("{} {path}", method.to_ascii_uppercase());
                if let Err(parsed) = Template::parse(path) {
                    self.refuse(
                        &what,
                        &format!("Weir cannot tell this path from others: {parsed}"),
                    );
                } else if !places.insert(place_of(method, path)) {
                    self.refuse(&what, "another operation takes the same requests");
                } else {
                    let id = self.id(&what, (method, path), operation, &mut ids);
                    let mut out = head(&id, (method, path), operation);
                    self.contents(&what, (path, item, operation), &mut out);
                    self.operation_rest(&what, operation);
                    let named = operation.get("operationId").and_then(Value::as_str);
                    operations.push(Operation { named: named.map(str::to_owned), written: out });
                }
            }
        }
        if operations.is_empty() {
            let said = ("there is no operation, so nothing of this API can be called", "write one");
            self.imported.advise(Level::Note, self.file, "paths", said);
        }
        operations
    }

    fn refuse(&mut self, what: &str, why: &str) {
        let remedy = "mend the document and import it again, or write the operation by hand";
        self.imported.advise(Level::Refused, self.file, what, (why, remedy));
    }

    /// The id of an operation: what the document says, with letters that ids have.
    fn id(
        &mut self,
        what: &str,
        (method, path): (&str, &str),
        operation: &Map<String, Value>,
        ids: &mut BTreeSet<String>,
    ) -> String {
        let named = operation.get("operationId").and_then(Value::as_str);
        let named = named.filter(|named| !named.trim().is_empty());
        let wanted = named.map_or_else(|| slug(&format!("{method}-{path}")), valid);
        let mut id = wanted.clone();
        let mut number = 2_usize;
        while !ids.insert(id.to_ascii_lowercase()) {
            id = format!("{wanted}-{number}");
            number += 1;
        }
        match named {
            Some(named) if named != id => {
                let why = format!("the operation {id}: `{named}` cannot be its id, or is taken");
                self.imported.say(Level::Changed, self.file, what, why);
            }
            Some(_) | None => {
                self.imported.say(Level::Carried, self.file, what, format!("the operation {id}"));
            }
        }
        id
    }

    /// What a path holds besides operations.
    fn path(&mut self, path: &str, item: &Map<String, Value>) {
        if let Some(servers) = item.get("servers") {
            self.other_servers(path, servers);
        }
        let is_taken = |name: &&String| {
            METHODS.contains(&name.as_str()) || ["parameters", "servers"].contains(&name.as_str())
        };
        let others: Vec<&String> = item.keys().filter(|name| !is_taken(name)).collect();
        self.others(path, &others);
    }

    fn operation_rest(&mut self, what: &str, operation: &Map<String, Value>) {
        if let Some(servers) = operation.get("servers") {
            self.other_servers(what, servers);
        }
        if operation.contains_key("security") {
            self.security(&format!("{what} security"));
        }
        let others: Vec<&String> =
            operation.keys().filter(|name| !TAKEN.contains(&name.as_str())).collect();
        self.others(what, &others);
    }

    fn security(&mut self, what: &str) {
        let said = (
            "who may call is not taken over from documents",
            "write policies such as validate-jwt; callers need a key of a subscription meanwhile",
        );
        self.drop(what, said);
    }

    /// A line about parts that are not taken, another one about those that might matter.
    fn others(&mut self, what: &str, names: &[&String]) {
        let (words, others): (Vec<&str>, Vec<&str>) = names
            .iter()
            .map(|name| name.as_str())
            .partition(|name| WORDS.contains(name) || name.starts_with("x-"));
        if !words.is_empty() {
            let message = format!("{}: of no effect on requests", words.join(", "));
            self.imported.say(Level::Dropped, self.file, what, message);
        }
        if !others.is_empty() {
            let message = format!("{}: a configuration does not hold this", others.join(", "));
            self.drop(what, (&message, "decide whether you need it, and write a policy for it"));
        }
    }

    /// What stands beside the paths.
    fn rest(&mut self) {
        let document = self.document;
        let Some(all) = document.as_object() else { return };
        if all.contains_key("security") {
            self.security("security");
        }
        let components = all.get("components").and_then(Value::as_object);
        for part in components.into_iter().flat_map(Map::keys) {
            match part.as_str() {
                "schemas" => {}
                "parameters" | "requestBodies" | "responses" | "headers" | "examples"
                | "pathItems" => {
                    let message = "taken where something refers to it";
                    let what = format!("components.{part}");
                    self.imported.say(Level::Carried, self.file, &what, message);
                }
                "securitySchemes" => self.security("components.securitySchemes"),
                _ => self.others("components", &[part]),
            }
        }
        for part in ["definitions", "parameters", "responses", "securityDefinitions"] {
            if all.contains_key(part) {
                let said = ("it is of Swagger 2.0, of which operations are taken only", CONVERT);
                self.drop(part, said);
            }
        }
        let others: Vec<&String> =
            all.keys().filter(|name| !TOLD.contains(&name.as_str())).collect();
        self.others("document", &others);
    }
}

/// What an operation is called, and where it is.
fn head(
    id: &str,
    (method, path): (&str, &str),
    operation: &Map<String, Value>,
) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("id".to_owned(), id.into());
    if let Some(name) = operation.get("summary").and_then(Value::as_str) {
        out.insert("name".to_owned(), name.into());
    }
    out.insert("method".to_owned(), method.to_ascii_uppercase().into());
    out.insert("urlTemplate".to_owned(), path.into());
    out
}

/// Whether a key of paths is an extension.
fn is_own(path: &str) -> bool {
    path.starts_with("x-")
}

/// A name with letters that ids have.
fn valid(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if name.len() <= ID_CHARACTERS_MAX && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let parts: Vec<&str> =
        name.split(|letter| !is_plain(letter)).filter(|part| !part.is_empty()).collect();
    let id: String = parts.join("-").chars().take(ID_CHARACTERS_MAX).collect();
    if id.is_empty() { "operation".to_owned() } else { id }
}

/// What tells requests of one operation from those of others: names of parameters do not.
fn place_of(method: &str, path: &str) -> String {
    let mut place = format!("{method} ");
    let mut depth = 0_usize;
    for letter in path.trim_end_matches('/').chars() {
        match letter {
            '{' => {
                depth += 1;
                place.push_str("{}");
            }
            '}' => depth = depth.saturating_sub(1),
            other if depth == 0 => place.extend(other.to_lowercase()),
            _ => {}
        }
    }
    place
}
