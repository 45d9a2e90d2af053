//! Document → Config: references resolved, values typed, all faults at once, sorted by place.
//!
//! Wherever something is wrong, a harmless value takes its place so that the rest is still
//! looked at; a `Config` comes out only if nothing was.

mod registry;
mod word;
mod date;
mod target;
mod secrets;
mod api;
mod app;
mod operation;
mod content;
mod collision;
mod product;
mod subscription;
mod backend;
mod way;
mod pool;
mod breaker;
mod health;
mod measure;
mod certificate;
mod tls;
mod logger;
mod identity;
mod authorization;
mod limits;
mod diagnostics;
mod kept;
mod gateways;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::{Config, Gateway, PolicyText, Spot};
use super::document::{Document, is_inline, leaves_folder};
use super::source::{Environment, Reading};
use super::yaml::{Block, FAULTS_MAX, Mark, follow};
use crate::fault::{Fault, Layout};
use crate::schema::Library;

use registry::Registry;

pub use kept::Kept;

/// How many operations there may be in all: five of each of the APIs that there may be.
pub const OPERATIONS_MAX: usize = 100_000;
/// How many subscriptions there may be.
pub const SUBSCRIPTIONS_MAX: usize = 500_000;
/// How many users there may be.
pub const USERS_MAX: usize = 500_000;
/// How many items any other list may have.
pub const ITEMS_MAX: usize = 20_000;

/// Makes a configuration of `document`, which `reading` was read for and in which `faults` were
/// found so far. Returns it with all faults, sorted by place: any of them means that parts of it
/// are made up.
pub fn validate(
    document: &Document,
    reading: &Reading,
    environment: &Environment,
    faults: Vec<Fault>,
) -> (Config, Vec<Fault>) {
    let (config, faults, _keeps) =
        validate_beside(&Kept::default(), document, reading, environment, faults);
    (config, faults)
}

/// What came of a document: a configuration, all faults, and what to keep of it.
type Validated = (Config, Vec<Fault>, Kept);

fn validate_beside(
    kept: &Kept,
    document: &Document,
    reading: &Reading,
    environment: &Environment,
    faults: Vec<Fault>,
) -> Validated {
    let lines = BTreeMap::new();
    let doubtful = BTreeSet::new();
    let keeps = Kept::default();
    let schemas = Arc::default();
    let mut validator =
        Validator { document, reading, environment, faults, lines, doubtful, schemas, kept, keeps };
    validator.doubtful = validator.torn_apis();
    let found = validator.faults.len();
    let config = validator.config();
    let Validator { mut faults, keeps, .. } = validator;
    if document.is_torn {
        // What is missing because a file is torn must not be told as missing.
        faults.truncate(found);
    }
    faults.sort();
    faults.dedup();
    (config, faults, keeps)
}

/// What subscriptions refer to.
struct Ids<'a> {
    products: &'a Registry,
    apis: &'a Registry,
    users: &'a Registry,
}

/// What validating needs to know, and what it found.
struct Validator<'a> {
    document: &'a Document,
    reading: &'a Reading,
    environment: &'a Environment,
    faults: Vec<Fault>,
    /// Where the lines of a file start, for those that hold inline policies.
    lines: BTreeMap<usize, Vec<usize>>,
    /// APIs of which nobody can say yet whether they are like others: something that would tell
    /// them apart is wrong.
    doubtful: BTreeSet<usize>,
    /// The documents that schemas stand in.
    schemas: Arc<Library>,
    /// What the last good configuration was made of.
    kept: &'a Kept,
    /// What to keep of this one.
    keeps: Kept,
}

impl Validator<'_> {
    fn config(&mut self) -> Config {
        let document = self.document;
        self.few("groups", document.groups.iter().map(|group| group.id.mark), ITEMS_MAX);
        let (groups, group_ids) = self.groups();
        let (users, user_ids) = self.users(&group_ids);
        let (version_sets, version_set_ids) = self.version_sets();
        let host_names = self.host_names();
        self.schemas = self.library();
        let (apis, api_ids) = self.apis(&version_sets, &version_set_ids, &host_names);
        let routes = self.collisions(&apis);
        let (products, product_ids) = self.products(&api_ids, &group_ids);
        self.open_products(&products, &apis);
        self.gateways(&api_ids);
        let ids = Ids { products: &product_ids, apis: &api_ids, users: &user_ids };
        let subscriptions = self.subscriptions(&ids, &products, &apis);
        let named_values = self.named_values();
        let certificates = self.certificates(&named_values);
        let principals = self.principals();
        let loggers = self.loggers(&named_values, &principals);
        let backends = self.backends(&named_values);
        Config {
            gateway: self.gateway(),
            limits: self.limits(),
            diagnostics: self.diagnostics(document.diagnostics.as_ref().map(|it| &it.value)),
            apis,
            routes,
            version_sets,
            products,
            subscriptions,
            users,
            groups,
            named_values,
            fragments: self.fragments(),
            loggers,
            backends,
            principals,
            authorizations: self.authorizations(),
            certificates,
            host_names,
            schemas: Arc::clone(&self.schemas),
            policy: self.policy(document.policy.as_deref()),
        }
    }

    fn gateway(&mut self) -> Gateway {
        let written = self.document.gateway.as_ref().map(|gateway| &gateway.value);
        let id = written.and_then(|gateway| gateway.id.as_ref());
        if let Some(id) = id {
            self.id(id, "gateway");
        }
        let text = |text: Option<&String>| Arc::from(text.map_or("", String::as_str));
        Gateway {
            id: Arc::from(id.map_or("weir", |id| id.value.as_str())),
            location: text(written.and_then(|gateway| gateway.location.as_ref())),
            service_name: text(written.and_then(|gateway| gateway.service_name.as_ref())),
        }
    }

    /// The policy document that `block` is or names.
    fn policy(&mut self, block: Option<&Block>) -> Option<PolicyText> {
        let block = block.filter(|block| !block.mark.is_made_up())?;
        if is_inline(&block.text) {
            return Some(self.inline(block));
        }
        let path = block.text.trim();
        if let Some(why) = leaves_folder(path) {
            let remedy = "write a path relative to the configuration folder, without `..`";
            self.fault(block.mark, format!("{why}: `{path}`"), remedy);
            return None;
        }
        match self.reading.policies.get(path) {
            Some(Ok(text)) => {
                let layout = Layout::whole(&Arc::from(path));
                Some(PolicyText { text: Arc::clone(text), layout })
            }
            Some(Err(reason)) => {
                self.fault(block.mark, format!("`{path}`: {reason}"), reason.remedy());
                None
            }
            None => None,
        }
    }

    fn inline(&mut self, block: &Block) -> PolicyText {
        let start = self.spot(block.mark).place;
        let position = self.document.position(block.mark.file).unwrap_or(usize::MAX);
        let yaml = self.reading.documents.get(position).map_or("", |(_name, text)| text);
        let lines = self.lines.entry(position).or_insert_with(|| line_starts(yaml));
        let line = usize::try_from(start.line.saturating_sub(1)).ok();
        let line = line.and_then(|line| lines.get(line)).and_then(|at| yaml.get(*at..));
        let column = usize::try_from(start.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let scalar = line.and_then(|line| {
            let (at, _character) = line.char_indices().nth(column)?;
            line.get(at..)
        });
        let layout = follow(&block.text, block.style, scalar.unwrap_or_default(), start);
        PolicyText { text: Arc::clone(&block.text), layout }
    }

    fn spot(&self, mark: Mark) -> Spot {
        self.document.files.spot(mark)
    }

    fn fault(&mut self, mark: Mark, message: impl Into<String>, remedy: impl Into<String>) {
        if self.faults.len() >= FAULTS_MAX {
            return;
        }
        self.faults.push(self.document.files.fault(mark, message).mend(remedy));
    }

    /// Notes if there are more than `most` items; their marks are `marks`.
    fn few(&mut self, what: &str, mut marks: impl Iterator<Item = Mark>, most: usize) {
        if let Some(mark) = marks.nth(most) {
            self.fault(
                mark,
                format!("there are too many {what}"),
                format!("at most {most} may be"),
            );
        }
    }
}

/// Where the lines of `text` start, in bytes.
fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(breaks.map(|(at, _)| at.saturating_add(1))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::configuration::document;
    use crate::configuration::loader::load;
    use crate::configuration::source::Folder;
    use crate::exchange::Severity;
    use crate::exchange::diagnostics::Sampling;
    use crate::limit::engine::rule::{Late, Loss};
    use crate::limit::manner::Over;
    use crate::limit::order::durability::Durability;
    use crate::policy::limits::holding::{Counting, Holding, Sureness, Window};
    use crate::route::table::place::Version;

    fn environment() -> Environment {
        [("ORDERS_KEY", "a-key-from-the-environment"), ("HOME", "/")].into_iter().collect()
    }

    #[test]
    fn a_configuration_means_what_is_written() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config/good/everything");
        let config = load(&Folder::at(folder), &environment()).config.unwrap();
        let versions: Vec<Option<&str>> = config
            .apis
            .iter()
            .map(|api| api.version.as_ref()?.version.as_ref().map(Version::value))
            .collect();
        let none = None;
        let written =
            [none, Some("v1"), Some("v1"), Some("2026-01-01"), Some("1.0"), none, none, none];
        assert_eq!(versions, written);
        assert_eq!(config.products[0].apis, [0, 1, 2]);
        let held = Holding {
            sureness: Sureness::Fast,
            over: Over::Part { of_ten_thousand: 50 },
            window: Window::Bucket,
            burst: Some(20),
            loss: Loss::Closed,
            max_wait: Duration::from_millis(40),
            horizon: None,
            late: Late::Admit,
            durability: Durability::Replicated,
            counting: Counting::Reserve,
            shadow: false,
            headers: true,
        };
        assert_eq!(config.limits, held);
        let own = config.apis[0].diagnostics.as_ref().unwrap();
        let all = config.diagnostics.as_ref().unwrap();
        assert_eq!((own.sampling, own.verbosity), (Sampling::ALL, Severity::Information));
        assert!(own.always_log_errors && !own.log_client_ip);
        assert_eq!((Some(all.sampling), all.verbosity), (Sampling::parse("12.5"), Severity::Error));
        assert_eq!(
            (all.frontend.request.headers.len(), all.frontend.response.body_bytes),
            (2, 8192)
        );
        let hubs: Vec<String> = config.loggers.iter().map(|it| it.hub.to_string()).collect();
        let namespace = "https://ns.servicebus.windows.net";
        assert_eq!(hubs, ["usage", "audit", "usage"].map(|hub| format!("{namespace}/{hub}")));
        let first = config.subscriptions.get(0).unwrap();
        assert_eq!(first.user, Some(0));
        let key = |key: &Option<crate::configuration::config::Secret>| {
            key.as_ref().map(|key| key.expose().to_owned())
        };
        assert_eq!(key(&first.secondary_key).unwrap(), "key-from-a-file");
        let handshake = &config.apis[5].operations[0];
        let policy = handshake.policy.as_ref().unwrap();
        let place = |offset| policy.layout.place(&policy.text, offset);
        let second = policy.text.find("\n  ").unwrap();
        let (first, second) = (place(0), place(second + 1));
        assert_eq!((first.line, first.column, second.column), (64, 1, 11));
        assert_eq!(policy.text.lines().nth(1), Some("<policies>"));
        let example = &config.apis[7].operations[3].responses[0].representations[0].example;
        let json = r#"{"ok":true,"count":1,"ratio":0.5,"nothing":null,"list":["a","1"]}"#;
        assert_eq!(example.as_deref(), Some(json));
    }

    #[test]
    fn no_secret_prints() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config/good/everything");
        let folder = Folder::at(folder);
        let mut documents = String::new();
        let reading = folder.read(None, |texts| {
            let document = document::read(texts, &mut Vec::new());
            documents = format!("{document:?}");
            document.references
        });
        let config = load(&folder, &environment()).config.unwrap();
        let printed = format!("{documents}{config:?}");
        for secret in [
            "key-two",
            "key-three",
            "key-four",
            "key-five",
            "key-from-a-file",
            "a-key-from",
            "PRIVATE KEY",
        ] {
            assert!(!printed.contains(secret), "{secret}");
        }
        assert!(reading.is_ok_and(|reading| reading.secrets.len() == 5));
    }
}
