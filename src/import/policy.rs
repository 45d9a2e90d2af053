//! Policy documents by themselves: that of all APIs, and fragments.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Imported, slug};
use crate::migration::finding::Level;
use crate::policy::markup::{NamedValues, read};

/// The ends of names of policy documents that say nothing.
const ENDINGS: [&str; 3] = [".policy.xml", ".fragment.xml", ".xml"];

/// A policy document of all APIs, and fragments, from files with these names and texts.
pub fn policies(files: &[(String, String)]) -> Imported {
    let mut imported = Imported::default();
    let mut reader = Reader { imported: &mut imported, global: None, fragments: Vec::new() };
    let mut values: Vec<(String, String)> = Vec::new();
    for (file, text) in files {
        for name in reader.document(file, text) {
            if values.iter().all(|(known, _)| *known != name) {
                values.push((name, file.clone()));
            }
        }
    }
    let mut document = Map::new();
    document.extend(reader.global.map(|(policy, _)| ("policy".to_owned(), policy)));
    document.insert("fragments".to_owned(), reader.fragments.into());
    let named = values.into_iter().map(|(name, file)| {
        let value = imported.variable(&file, &format!("named value {name}"), &["VALUE", &name]);
        json!({ "name": name, "value": value, "secret": true })
    });
    let named: Vec<Value> = named.collect();
    document.insert("namedValues".to_owned(), named.into());
    imported.keep("gateway.yaml", document);
    imported
}

struct Reader<'a> {
    imported: &'a mut Imported,
    /// The document of all APIs, and its file.
    global: Option<(Value, String)>,
    fragments: Vec<Value>,
}

impl Reader<'_> {
    /// Takes one document; the named values that it asks for.
    fn document(&mut self, file: &str, text: &str) -> Vec<String> {
        let reading = read(&Arc::from(file), text, &NamedValues::assumed());
        let root = reading.root.map(|root| root.name);
        let stem = stem(file);
        match root.as_deref() {
            Some("policies") => {
                if let Some((_, other)) = &self.global {
                    let message =
                        format!("there is one policy document of all APIs, and {other} is it");
                    let remedy = "import it into a folder of its own, or write it as the policy of \
                                  an API, a product or an operation";
                    self.imported.advise(Level::Refused, file, "policies", (&message, remedy));
                    return Vec::new();
                }
                let policy = self.imported.policy(file, text, &stem);
                self.global = Some((policy, file.to_owned()));
            }
            Some("fragment") => {
                let id = self.fragment_id(&stem);
                let policy = self.imported.policy(file, text, &format!("fragment-{id}"));
                let message = format!(
                    "a fragment: <include-fragment fragment-id=\"{id}\" /> runs it in a policy document"
                );
                self.imported.say(Level::Changed, file, &format!("fragment {id}"), message);
                self.fragments.push(json!({ "id": id, "policy": policy }));
            }
            Some(_) | None => {
                let what = if text.trim_start_matches('\u{feff}').trim().is_empty() {
                    "the file is empty"
                } else if root.is_some() {
                    "this is XML, and no policy document: those are <policies> or <fragment>"
                } else {
                    "this is no policy document: it is no XML"
                };
                let said = (what, "give a document whose root is <policies> or <fragment>");
                self.imported.advise(Level::Refused, file, "document", said);
                return Vec::new();
            }
        }
        reading.assumed.into_iter().map(|(name, _)| name).collect()
    }

    /// The name of the file as an id that no other fragment has.
    fn fragment_id(&self, stem: &str) -> String {
        let is_taken = |id: &str| {
            let own =
                |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_ascii_lowercase);
            self.fragments.iter().filter_map(own).any(|known| known == id.to_ascii_lowercase())
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        let wanted = if stem.chars().all(is_plain) && !stem.is_empty() {
            stem.to_owned()
        } else {
            slug(stem)
        };
        let mut id = wanted.clone();
        let mut number = 2_usize;
        while is_taken(&id) {
            id = format!("{wanted}-{number}");
            number += 1;
        }
        id
    }
}

/// The name of a file without its folder and its ending.
fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    stem.unwrap_or(name).to_owned()
}
