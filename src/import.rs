//! From artifacts of API Management to a configuration folder: what `APIOps` extracted, an `OpenAPI`
//! document, or policy documents in; files and a line about everything out. Text to text: who reads
//! and writes files is `cli`.
//!
//! All files of the folder lie side by side, so that `kubectl create configmap --from-file` takes
//! them as they are.

mod apiops;
mod api;
mod openapi;
mod policy;
mod properties;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::fault::Place;
use crate::migration::finding::{Finding, Level};

pub use apiops::apiops;
pub use policy::policies;

/// The longest id that is made of a name, in characters.
const SLUG_CHARACTERS_MAX: usize = 100;

/// Files by path, with `/` between folders.
pub type Artifacts = BTreeMap<String, String>;

/// A configuration folder, and what became of everything.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Files by name.
    pub files: BTreeMap<String, String>,
    /// What became of everything.
    pub findings: Vec<Finding>,
    /// The variables that values are taken from, and what for.
    variables: BTreeMap<String, String>,
}

impl Imported {
    /// Says what became of `what`, which stands in `file`.
    fn say(&mut self, level: Level, file: &str, what: &str, message: impl Into<String>) {
        let place = Place::start_of(&Arc::from(file));
        self.findings.push(Finding::of(level, place, what, message));
    }

    /// The same, with what to do.
    fn advise(&mut self, level: Level, file: &str, what: &str, said: (&str, &str)) {
        let (message, remedy) = said;
        let place = Place::start_of(&Arc::from(file));
        self.findings.push(Finding::of(level, place, what, message).mend(remedy));
    }

    /// Keeps lists as the YAML file `name`; what is empty is left out.
    fn keep(&mut self, name: &str, document: Map<String, Value>) {
        let is_there = |value: &Value| value.as_array().is_none_or(|list| !list.is_empty());
        let document: Map<String, Value> =
            document.into_iter().filter(|(_, value)| is_there(value)).collect();
        if !document.is_empty() {
            self.files.insert(name.to_owned(), write::yaml(&document));
        }
    }

    /// Keeps a policy document; returns the name of its file.
    fn policy(&mut self, from: &str, text: &str, of: &str) -> Value {
        let name = format!("policy-{}.xml", file_name(of));
        self.say(Level::Carried, from, &format!("policy of {of}"), format!("as it is, in {name}"));
        self.files.insert(name.clone(), text.to_owned());
        Value::from(name)
    }

    /// `name`, or one with a number behind it if something else has that.
    fn unused(&mut self, name: &str, of: &str) -> String {
        let mut tried = name.to_owned();
        let mut number = 2_usize;
        while self.variables.get(&tried).is_some_and(|known| known != of) {
            tried = format!("{name}_{number}");
            number += 1;
        }
        self.variables.insert(tried.clone(), of.to_owned());
        tried
    }

    /// A value that is not known: a variable of the environment that somebody has to set.
    fn variable(&mut self, from: &str, what: &str, parts: &[&str]) -> Value {
        let name = self.unused(&variable_name(parts), &parts.join("\n"));
        let message = format!("its value is nowhere: it is taken from the variable {name}");
        let place = Place::start_of(&Arc::from(from));
        let finding = Finding::of(Level::Changed, place, what, message);
        self.findings.push(finding.mend(format!("set {name} for `weir check` and `weir run`")));
        json!({ "env": name })
    }
}

/// How an `OpenAPI` document becomes an API, where the document does not say or shall not be heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Where the API is; made of its title otherwise.
    pub path: Option<&'a str>,
    /// Where requests go; the first server otherwise.
    pub service_url: Option<&'a str>,
}

/// What a document of `OpenAPI` says, as an API.
pub fn document(file: &str, text: &str, wanted: Wanted<'_>) -> Imported {
    let mut imported = Imported::default();
    let Some(document) = openapi::parse(file, text, &mut imported) else { return imported };
    if !openapi::is_three(file, &document, &mut imported) {
        return imported;
    }
    let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or("api");
    let id = slug(title);
    let mut api = Map::new();
    api.insert("id".to_owned(), id.as_str().into());
    api.insert("name".to_owned(), title.into());
    api.insert("path".to_owned(), wanted.path.unwrap_or(&id).into());
    let url = match wanted.service_url {
        Some(url) => {
            imported.say(Level::Dropped, file, "servers", format!("requests go to {url} instead"));
            Some(url.to_owned())
        }
        None => openapi::address(file, &document, &mut imported),
    };
    api.extend(url.map(|url| ("serviceUrl".to_owned(), Value::from(url))));
    let message = format!("the API {id}; callers need a key of a subscription");
    imported.say(Level::Changed, file, "info.title", message);
    let taken = openapi::take(file, &document, &id, &mut imported);
    let operations = taken.operations.into_iter().map(|one| Value::Object(one.written)).collect();
    api.insert("operations".to_owned(), operations);
    let name = format!("api-{}.yaml", file_name(&id));
    let lists = [("apis".to_owned(), json!([api])), ("schemas".to_owned(), taken.schemas.into())];
    imported.keep(&name, Map::from_iter(lists));
    imported
}

/// A name as part of a file's name.
fn file_name(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect()
}

/// A name as an id.
fn slug(name: &str) -> String {
    let lower = file_name(&name.to_ascii_lowercase()).replace(['.', '_'], "-");
    let parts: Vec<&str> = lower.split('-').filter(|part| !part.is_empty()).collect();
    let id: String = parts.join("-").chars().take(SLUG_CHARACTERS_MAX).collect();
    if id.is_empty() { "api".to_owned() } else { id }
}

/// The name of a variable made of parts.
fn variable_name(parts: &[&str]) -> String {
    let letter = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    parts.join("_").chars().map(letter).collect()
}

/// The last part of an id of Azure's.
fn last_part(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests;
