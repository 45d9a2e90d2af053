//! One API of an extractor's folder: what it is, its operations, its policies.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::openapi::Taken;
use super::properties::Properties;
use super::{Artifacts, Imported, file_name, last_part, openapi};
use crate::migration::finding::Level;

/// The names that the extractor gives to specifications.
const SPECIFICATIONS: [&str; 3] = ["specification.yaml", "specification.yml", "specification.json"];
/// Specifications of kinds of APIs that have no operations here.
const OTHERS: [&str; 3] = ["specification.graphql", "specification.wsdl", "specification.wadl"];

/// What is taken of an API as it is, or under another name.
const CARRIED: [(&str, &str); 8] = [
    ("displayName", "name"),
    ("path", "path"),
    ("protocols", "protocols"),
    ("serviceUrl", "serviceUrl"),
    ("subscriptionRequired", "subscriptionRequired"),
    ("subscriptionKeyParameterNames", "subscriptionKeyParameterNames"),
    ("apiVersion", "version"),
    ("isOnline", "isOnline"),
];

/// Takes over the API in `folder`; returns the files that were looked at.
pub(super) fn api(folder: &str, all: &Artifacts, imported: &mut Imported) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let file = format!("{folder}/apiInformation.json");
    let name = last_part(folder).to_owned();
    let Some(text) = all.get(&file) else { return seen };
    seen.insert(file.clone());
    let what = format!("api {name}");
    let Some(mut properties) = Properties::read(&file, text, &what, imported) else { return seen };
    let kind = properties.text("type").or_else(|| properties.text("apiType"));
    let kind = kind.unwrap_or_else(|| "http".to_owned());
    if !matches!(kind.as_str(), "http" | "websocket" | "grpc") {
        let message = format!("Weir has no APIs of type {kind}");
        let remedy = "call its backend by an API of type http";
        properties.say(imported, Level::Refused, "type", (&message, Some(remedy)));
        let inside = all.keys().filter(|path| path.starts_with(&format!("{folder}/")));
        for path in inside.filter(|path| **path != file) {
            imported.say(Level::Refused, path, &what, "its API is refused");
            seen.insert(path.clone());
        }
        return seen;
    }
    let mut api = Map::new();
    let (id, revision) = name.split_once(";rev=").unwrap_or((&name, ""));
    api.insert("id".to_owned(), id.into());
    properties.carry(&CARRIED, &mut api, imported);
    api.entry("path").or_insert_with(|| "".into());
    if kind != "http" {
        api.insert("type".to_owned(), kind.into());
    }
    revisions(&mut properties, revision, &mut api, imported);
    if let Some(set) = properties.text("apiVersionSetId") {
        api.insert("versionSetId".to_owned(), last_part(&set).into());
        properties.say(imported, Level::Changed, "apiVersionSetId", ("now versionSetId", None));
    }
    properties.rest(imported);
    policy(&mut api, &format!("{folder}/policy.xml"), all, (&mut seen, imported));
    let Taken { operations, schemas } = operations(folder, &name, all, (&mut seen, imported));
    if !operations.is_empty() {
        let written = operations.into_iter().map(|one| Value::Object(one.written));
        api.insert("operations".to_owned(), written.collect());
    }
    let name = format!("api-{}.yaml", file_name(&name));
    let lists = [("apis".to_owned(), json!([api])), ("schemas".to_owned(), schemas.into())];
    imported.keep(&name, Map::from_iter(lists));
    seen
}

fn revisions(
    properties: &mut Properties<'_>,
    folder: &str,
    api: &mut Map<String, Value>,
    imported: &mut Imported,
) {
    let written = properties.text("apiRevision");
    let is_current = properties.take("isCurrent").and_then(|value| value.as_bool());
    let number = written.unwrap_or_else(|| folder.to_owned());
    if !number.is_empty() {
        properties.say(imported, Level::Changed, "apiRevision", ("now revision", None));
        api.insert("revision".to_owned(), number.into());
        api.insert("isCurrent".to_owned(), is_current.unwrap_or(folder.is_empty()).into());
    }
}

/// Takes over a policy, if there is one.
fn policy(
    into: &mut Map<String, Value>,
    file: &str,
    all: &Artifacts,
    (seen, imported): (&mut BTreeSet<String>, &mut Imported),
) {
    if let Some(text) = all.get(file) {
        seen.insert(file.to_owned());
        let of = file.trim_end_matches("/policy.xml").replace('/', "-");
        let name = imported.policy(file, text, &of);
        into.insert("policy".to_owned(), name);
    }
}

/// The operations of the specification, with their policies.
fn operations(
    folder: &str,
    name: &str,
    all: &Artifacts,
    (seen, imported): (&mut BTreeSet<String>, &mut Imported),
) -> Taken {
    let mut taken = Taken::default();
    for file in SPECIFICATIONS.iter().map(|file| format!("{folder}/{file}")) {
        let Some(text) = all.get(&file) else { continue };
        seen.insert(file.clone());
        if let Some(document) = openapi::parse(&file, text, imported) {
            if document.get("servers").is_some() {
                let message = "the address of API Management's gateway; requests go to serviceUrl";
                imported.say(Level::Dropped, &file, "servers", message);
            }
            taken = openapi::take(&file, &document, &file_name(name), imported);
        }
        break;
    }
    for file in OTHERS.iter().map(|file| format!("{folder}/{file}")) {
        if all.contains_key(&file) {
            let said = ("its operations cannot be read", "export the API as OpenAPI 3");
            imported.advise(Level::Refused, &file, &format!("api {name}"), said);
            seen.insert(file);
        }
    }
    let inside = format!("{folder}/operations/");
    let policies: Vec<&String> = all
        .keys()
        .filter(|path| path.starts_with(&inside) && path.ends_with("/policy.xml"))
        .collect();
    for file in policies {
        let id = file.strip_prefix(&inside).and_then(|rest| rest.split('/').next());
        let id = id.unwrap_or_default();
        let is_it = |it: &str| it.eq_ignore_ascii_case(id);
        let found = taken.operations.iter_mut().find(|operation| {
            let own = operation.written.get("id").and_then(Value::as_str);
            own.is_some_and(is_it) || operation.named.as_deref().is_some_and(is_it)
        });
        if let Some(operation) = found {
            policy(&mut operation.written, file, all, (&mut *seen, &mut *imported));
        } else {
            let said = (
                "the specification has no operation of this id, so that its policy would not run",
                "extract the API again, or write the operation by hand",
            );
            imported.advise(Level::Refused, file, &format!("operation {id} of {name}"), said);
            seen.insert(file.clone());
        }
    }
    taken
}
