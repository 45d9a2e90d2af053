//! The folder that the extractor of `APIOps` writes.
//!
//! ```text
//! policy.xml                                       of all APIs
//! apis/ID[;rev=N]/apiInformation.json, policy.xml, specification.yaml, operations/ID/policy.xml
//! products/ID/productInformation.json, policy.xml, apis.json or apis/ID/…, groups.json or groups/ID/…
//! backends/ID/backendInformation.json              named values/ID/namedValueInformation.json
//! policy fragments/ID/policy.xml                   version sets/ID/versionSetInformation.json
//! subscriptions/ID/subscriptionInformation.json    gateways/ID/gatewayInformation.json, apis.json or apis/ID/…
//! loggers/ID/loggerInformation.json                groups/ID/groupInformation.json
//! tags, diagnostics, …                             nothing of Weir
//! ```

mod backends;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::api::api;
use super::properties::Properties;
use super::{Artifacts, Imported, last_part};
use crate::migration::finding::Level;

/// Folders with nothing that Weir has, and why.
const OTHERS: [(&str, Level, &str); 5] = [
    ("tags/", Level::Dropped, "tags say nothing about requests"),
    ("diagnostics/", Level::Dropped, "what is logged is written as `diagnostics` (docs/logs.md)"),
    ("workspaces/", Level::Refused, "workspaces are not taken over: extract each as a service"),
    ("certificates/", Level::Refused, "certificates have no keys here: write `certificates`"),
    ("schemas/", Level::Dropped, "schemas are not taken over: write `schemas`"),
];

/// Groups that are always there.
const BUILT_IN: [&str; 3] = ["administrators", "developers", "guests"];

/// Takes over all of a folder.
pub fn apiops(all: &Artifacts) -> Imported {
    let mut imported = Imported::default();
    let mut reader = Reader { all, seen: BTreeSet::new(), imported: &mut imported };
    reader.gateway();
    for folder in reader.folders("apis") {
        let seen = api(&folder, all, reader.imported);
        reader.seen.extend(seen);
    }
    reader.access();
    reader.values();
    reader.backends();
    reader.rest();
    imported
}

struct Reader<'a> {
    all: &'a Artifacts,
    /// What was looked at.
    seen: BTreeSet<String>,
    imported: &'a mut Imported,
}

impl<'a> Reader<'a> {
    /// The folders directly in `folder`.
    fn folders(&self, folder: &str) -> BTreeSet<String> {
        let begin = format!("{folder}/");
        let inside = self.all.keys().filter_map(|path| path.strip_prefix(&begin));
        let names = inside.filter_map(|rest| rest.split_once('/').map(|(name, _)| name));
        names.map(|name| format!("{begin}{name}")).collect()
    }

    /// The properties of an artifact, by the first of these names of files that is there.
    fn properties(&mut self, folder: &str, names: &[&str], what: &str) -> Option<Properties<'a>> {
        let all = self.all;
        let (file, text) =
            names.iter().find_map(|name| all.get_key_value(&format!("{folder}/{name}")))?;
        self.seen.insert(file.clone());
        Properties::read(file, text, what, self.imported)
    }

    /// What an artifact is associated with: a list beside it, or a folder for each.
    fn links(&mut self, folder: &str, kind: &str) -> Vec<Value> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let list = format!("{folder}/{kind}.json");
        if let Some(text) = self.all.get(&list) {
            match serde_json::from_str::<Vec<Value>>(text.trim_start_matches('\u{feff}')) {
                Ok(all) => {
                    let name = |one: &Value| one.get("name")?.as_str().map(str::to_owned);
                    names.extend(all.iter().filter_map(name));
                    let message = format!("{} names", names.len());
                    self.imported.say(Level::Carried, &list, kind, message);
                }
                Err(error) => {
                    let message = format!("it is no list of names: {error}");
                    let said = (message.as_str(), "mend it, and import again");
                    self.imported.advise(Level::Refused, &list, kind, said);
                }
            }
            self.seen.insert(list);
        }
        for one in self.folders(&format!("{folder}/{kind}")) {
            names.insert(last_part(&one).to_owned());
            let inside: Vec<String> = self
                .all
                .keys()
                .filter(|path| path.starts_with(&format!("{one}/")))
                .cloned()
                .collect();
            for file in inside {
                self.imported.say(Level::Carried, &file, kind, "as it is");
                self.seen.insert(file);
            }
        }
        names.into_iter().map(Value::from).collect()
    }

    fn policy(&mut self, folder: &str, of: &str) -> Option<Value> {
        let file = if folder.is_empty() {
            "policy.xml".to_owned()
        } else {
            format!("{folder}/policy.xml")
        };
        let text = self.all.get(&file)?;
        let name = self.imported.policy(&file, text, of);
        self.seen.insert(file);
        Some(name)
    }

    fn gateway(&mut self) {
        let mut document = Map::new();
        document.extend(self.policy("", "global").map(|name| ("policy".to_owned(), name)));
        let mut fragments = Vec::new();
        for folder in self.folders("policy fragments") {
            let id = last_part(&folder).to_owned();
            let what = format!("fragment {id}");
            let mut inside = None;
            if let Some(mut properties) =
                self.properties(&folder, &["policyFragmentInformation.json"], &what)
            {
                let value = properties.take("value");
                inside = value.and_then(|value| Some(value.as_str()?.to_owned()));
                properties.rest(self.imported);
            }
            let of = format!("fragment-{id}");
            let own = self.policy(&folder, &of);
            let policy = own.or_else(|| Some(self.imported.policy(&folder, &inside?, &of)));
            if policy.is_none() {
                let said = ("its text is nowhere", "add policy.xml, and import again");
                self.imported.advise(Level::Refused, &folder, &what, said);
            }
            if let Some(policy) = policy {
                fragments.push(json!({ "id": id, "policy": policy }));
            }
        }
        document.insert("fragments".to_owned(), fragments.into());
        let mut sets = Vec::new();
        for folder in self.folders("version sets") {
            let names = ["versionSetInformation.json", "apiVersionSetInformation.json"];
            let id = last_part(&folder).to_owned();
            let Some(mut properties) =
                self.properties(&folder, &names, &format!("version set {id}"))
            else {
                continue;
            };
            let mut set = Map::from_iter([("id".to_owned(), Value::from(id))]);
            let scheme = properties.text("versioningScheme").unwrap_or_default();
            set.insert("versioningScheme".to_owned(), scheme.to_ascii_lowercase().into());
            properties.say(self.imported, Level::Carried, "versioningScheme", ("as it is", None));
            let names = [
                ("displayName", "name"),
                ("versionHeaderName", "versionHeaderName"),
                ("versionQueryName", "versionQueryName"),
            ];
            properties.carry(&names, &mut set, self.imported);
            properties.rest(self.imported);
            sets.push(Value::Object(set));
        }
        document.insert("versionSets".to_owned(), sets.into());
        let gateways = self.gateways();
        document.insert("gateways".to_owned(), gateways.into());
        self.imported.keep("gateway.yaml", document);
    }

    fn gateways(&mut self) -> Vec<Value> {
        let mut gateways = Vec::new();
        for folder in self.folders("gateways") {
            let id = last_part(&folder).to_owned();
            let what = format!("gateway {id}");
            let found = self.properties(&folder, &["gatewayInformation.json"], &what);
            let Some(mut properties) = found else { continue };
            let mut gateway = Map::from_iter([("id".to_owned(), Value::from(id))]);
            let place = properties.take("locationData");
            if let Some(name) = place.as_ref().and_then(|place| place.get("name")).cloned() {
                gateway.insert("location".to_owned(), name);
                properties.say(
                    self.imported,
                    Level::Changed,
                    "locationData",
                    ("now location", None),
                );
            }
            properties.rest(self.imported);
            let apis = self.links(&folder, "apis");
            if !apis.is_empty() {
                let said = (
                    "Weir serves all APIs unless it is told which gateway it is",
                    "set gateway.name (WEIR_GATEWAY_NAME) to this id where it is to serve these alone",
                );
                self.imported.advise(Level::Note, &folder, &what, said);
                gateway.insert("apis".to_owned(), apis.into());
            }
            gateways.push(Value::Object(gateway));
        }
        gateways
    }

    /// Products, subscriptions, groups.
    fn access(&mut self) {
        let mut groups: BTreeSet<String> = BTreeSet::new();
        let products = self.products(&mut groups);
        let subscriptions = self.subscriptions();
        for folder in self.folders("groups") {
            let id = last_part(&folder).to_owned();
            let found =
                self.properties(&folder, &["groupInformation.json"], &format!("group {id}"));
            if let Some(mut properties) = found {
                properties.take("displayName");
                properties.take("type");
                properties.rest(self.imported);
                groups.insert(id);
            }
        }
        let is_own = |id: &String| !BUILT_IN.contains(&id.as_str());
        let groups: Vec<Value> =
            groups.into_iter().filter(is_own).map(|id| json!({ "id": id })).collect();
        let document = [
            ("products".to_owned(), Value::from(products)),
            ("subscriptions".to_owned(), Value::from(subscriptions)),
            ("groups".to_owned(), Value::from(groups)),
        ];
        self.imported.keep("access.yaml", Map::from_iter(document));
    }

    fn products(&mut self, groups: &mut BTreeSet<String>) -> Vec<Value> {
        let mut products = Vec::new();
        for folder in self.folders("products") {
            let id = last_part(&folder).to_owned();
            let what = format!("product {id}");
            let found = self.properties(&folder, &["productInformation.json"], &what);
            let Some(mut properties) = found else { continue };
            let mut product = Map::from_iter([("id".to_owned(), Value::from(id.as_str()))]);
            let names = [
                ("displayName", "name"),
                ("state", "state"),
                ("subscriptionRequired", "subscriptionRequired"),
                ("approvalRequired", "approvalRequired"),
                ("subscriptionsLimit", "subscriptionsLimit"),
            ];
            properties.carry(&names, &mut product, self.imported);
            properties.rest(self.imported);
            for kind in ["apis", "groups"] {
                let names = self.links(&folder, kind);
                if kind == "groups" {
                    groups.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                if !names.is_empty() {
                    product.insert(kind.to_owned(), names.into());
                }
            }
            let policy = self.policy(&folder, &format!("products-{id}"));
            product.extend(policy.map(|name| ("policy".to_owned(), name)));
            products.push(Value::Object(product));
        }
        products
    }

    fn subscriptions(&mut self) -> Vec<Value> {
        let mut subscriptions = Vec::new();
        for folder in self.folders("subscriptions") {
            let id = last_part(&folder).to_owned();
            let what = format!("subscription {id}");
            let found = self.properties(&folder, &["subscriptionInformation.json"], &what);
            let Some(mut properties) = found else { continue };
            let mut one = Map::from_iter([("id".to_owned(), Value::from(id.as_str()))]);
            let scope = properties.text("scope").unwrap_or_default();
            let begin = scope.rfind("/products/").or_else(|| scope.rfind("/apis"));
            let scope = begin.and_then(|begin| scope.get(begin..)).unwrap_or("/apis");
            one.insert("scope".to_owned(), scope.trim_end_matches('/').into());
            properties.say(self.imported, Level::Carried, "scope", ("as it is", None));
            let names = [
                ("displayName", "name"),
                ("state", "state"),
                ("allowTracing", "allowTracing"),
                ("startDate", "startDate"),
                ("expirationDate", "expirationDate"),
            ];
            properties.carry(&names, &mut one, self.imported);
            if properties.take("ownerId").is_some() {
                let said =
                    ("users are not extracted", Some("write `users`, and name them as `user`"));
                properties.say(self.imported, Level::Dropped, "ownerId", said);
            }
            properties.rest(self.imported);
            let file = format!("{folder}/subscriptionInformation.json");
            let key = self.imported.variable(&file, &what, &["SUBSCRIPTION", &id, "KEY"]);
            one.insert("primaryKey".to_owned(), key);
            subscriptions.push(Value::Object(one));
        }
        subscriptions
    }

    fn values(&mut self) {
        let mut values = Vec::new();
        for folder in self.folders("named values") {
            let id = last_part(&folder).to_owned();
            let what = format!("named value {id}");
            let found = self.properties(&folder, &["namedValueInformation.json"], &what);
            let Some(mut properties) = found else { continue };
            let name = properties.text("displayName").unwrap_or_else(|| id.clone());
            let is_secret = properties.take("secret").and_then(|it| it.as_bool()) == Some(true);
            let vault = properties.take("keyVault");
            let value = properties.text("value").filter(|_| !is_secret && vault.is_none());
            let file = format!("{folder}/namedValueInformation.json");
            let mut one = Map::from_iter([("name".to_owned(), Value::from(name.as_str()))]);
            if let Some(value) = value {
                self.imported.say(Level::Carried, &file, &what, "as it is");
                one.insert("value".to_owned(), value.into());
            } else {
                let variable = self.imported.variable(&file, &what, &["VALUE", &name]);
                one.insert("value".to_owned(), variable);
                one.insert("secret".to_owned(), true.into());
            }
            properties.rest(self.imported);
            values.push(Value::Object(one));
        }
        let document = Map::from_iter([("namedValues".to_owned(), Value::from(values))]);
        self.imported.keep("values.yaml", document);
    }

    /// Says of every other file what it is not.
    fn rest(&mut self) {
        for path in self.all.keys().filter(|path| !self.seen.contains(*path)) {
            let inside =
                |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
            let about = |file: &str| path.ends_with(file);
            let known = OTHERS.iter().find(|(folder, ..)| inside(folder));
            let tags = about("/tags.json") || about("tagInformation.json");
            match known {
                Some((_, Level::Refused, why)) => {
                    self.imported.advise(
                        Level::Refused,
                        path,
                        "file",
                        (why, "decide whether you need it"),
                    );
                }
                Some((_, level, why)) => self.imported.say(*level, path, "file", *why),
                None if tags => {
                    self.imported.say(
                        Level::Dropped,
                        path,
                        "file",
                        "tags say nothing about requests",
                    );
                }
                None => {
                    let said = ("nobody knows here what this is", "look at it, and decide");
                    self.imported.advise(Level::Refused, path, "file", said);
                }
            }
        }
    }
}
