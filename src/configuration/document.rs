//! The written form: what the YAML files of a configuration folder may say.
//!
//! Every file may hold any of the lists of [`ConfigurationFile`]; together they are one
//! [`Document`]. The types say what may be written, and `config/schema.json` is made from them;
//! what it means, and whether it makes sense, is [`super::validate`]'s business.

mod file;
mod api;
mod content;
mod diagnostics;
mod party;
mod backend;
mod certificate;
mod logger;
mod identity;
mod authorization;
mod value;
mod later;
mod limits;
mod part;
mod health;
pub mod pool;
pub mod schema;

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use super::items::Items;
use super::yaml::{self, Block, Files, Placed};
use crate::fault::Fault;

pub use api::{
    Api, KeyParameterNames, Operation, OperationResponse, Protocol, Representation, VersionSet,
    VersioningScheme,
};
pub use authorization::ProviderAuthorization;
pub use backend::{
    Authorization, Backend, Certificate, Credentials, HostName, ManagedIdentity, Proxy, Tls,
};
pub use certificate::NamedCertificate;
pub use content::{OperationRequest, Parameter, SchemaDocument};
pub use diagnostics::{DiagnosedMessage, DiagnosedSide, Diagnostic, Percentage};
pub use file::{ConfigurationFile, Gateway, NamedGateway};
pub use health::HealthCheck;
pub use identity::Identity as ClientIdentity;
pub use limits::{Amount, LimitHolding};
pub use logger::{EventHub, Logger};
pub use part::policy_path;
pub use party::{Group, Identity, Product, ProductState, Subscription, SubscriptionState, User};
pub use pool::{CircuitBreaker, CircuitBreakerRule};
pub use value::{Fragment, Held, NamedValue, SecretValue, StoreSecret, ValueSource};

use part::Part;

/// Everything that a folder's YAML files say.
#[derive(Debug, Default)]
pub struct Document {
    /// The files, for the marks.
    pub files: Files,
    /// By the number of a file, which of the texts that were read it is.
    texts: Vec<usize>,
    /// Whether a file could not be read to its end, so that much may be missing here.
    pub is_torn: bool,
    /// `gateway`, wherever it was written.
    pub gateway: Option<Arc<Placed<Gateway>>>,
    /// `gateways` of all files.
    pub gateways: Items<NamedGateway>,
    /// `limits`, wherever it was written.
    pub limits: Option<Arc<Placed<LimitHolding>>>,
    /// `diagnostics`, wherever it was written.
    pub diagnostics: Option<Arc<Placed<Diagnostic>>>,
    /// `policy`, wherever it was written.
    pub policy: Option<Arc<Block>>,
    /// `apis` of all files.
    pub apis: Items<Api>,
    /// `versionSets` of all files.
    pub version_sets: Items<VersionSet>,
    /// `products` of all files.
    pub products: Items<Product>,
    /// `subscriptions` of all files.
    pub subscriptions: Items<Subscription>,
    /// `users` of all files.
    pub users: Items<User>,
    /// `groups` of all files.
    pub groups: Items<Group>,
    /// `namedValues` of all files.
    pub named_values: Items<NamedValue>,
    /// `fragments` of all files.
    pub fragments: Items<Fragment>,
    /// `loggers` of all files.
    pub loggers: Items<Logger>,
    /// `backends` of all files.
    pub backends: Items<Backend>,
    /// `identities` of all files.
    pub identities: Items<ClientIdentity>,
    /// `authorizations` of all files.
    pub authorizations: Items<ProviderAuthorization>,
    /// `certificates` of all files.
    pub certificates: Items<NamedCertificate>,
    /// `hostNames` of all files.
    pub host_names: Items<HostName>,
    /// `schemas` of all files.
    pub schemas: Items<SchemaDocument>,
    /// Every file that the document names and that may be read, once.
    pub references: BTreeSet<Reference>,
    /// The variables of the environment that the document names.
    pub variables: BTreeSet<Arc<str>>,
}

/// What files say that were read before, so that only those are parsed again which have changed.
/// It holds as many files as the last document had. A file keeps its number, because all that is
/// kept of it refers to it by that. It has no `Debug`: it may hold secrets.
#[derive(Default)]
pub struct Kept {
    files: Files,
    /// Numbers that no file has any more.
    free: Vec<u32>,
    /// By name.
    parts: HashMap<Arc<str>, KeptPart>,
}

/// What is kept of one file.
struct KeptPart {
    number: u32,
    text: Arc<str>,
    /// None if something is wrong with it: then it is parsed again, to say what.
    part: Option<Arc<Part>>,
}

/// A file that a document names.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Reference {
    /// As it is written: relative to the configuration folder, or absolute.
    pub path: String,
    /// Whether it holds a secret, so that its text must not be shown.
    pub is_secret: bool,
}

/// Reads YAML files, given as name and text, as one document. Any fault means that parts of the
/// document are made up: their marks say so.
pub fn read(texts: &[(Arc<str>, Arc<str>)], faults: &mut Vec<Fault>) -> Document {
    Kept::default().read(texts, faults)
}

impl Kept {
    /// The same as [`read`](read()), but for the time it takes.
    pub fn read(&mut self, texts: &[(Arc<str>, Arc<str>)], faults: &mut Vec<Fault>) -> Document {
        let mut document = Document::default();
        let mut before = mem::take(&mut self.parts);
        self.parts.reserve(texts.len());
        for (position, (name, text)) in texts.iter().enumerate() {
            let kept = before.remove(name);
            let number = match &kept {
                Some(kept) => kept.number,
                None => self.number(name),
            };
            let same = kept.filter(|kept| Arc::ptr_eq(&kept.text, text) || kept.text == *text);
            let part = match same.and_then(|kept| kept.part) {
                Some(part) => Some(part),
                None => self.parse(number, text, &mut document, faults),
            };
            if let Some(part) = &part {
                document.take(number, &self.files, part, faults);
            }
            document.stands(number, position);
            let kept = KeptPart { number, text: Arc::clone(text), part };
            self.parts.insert(Arc::clone(name), kept);
        }
        self.free.extend(before.into_values().map(|gone| gone.number));
        document.files = self.files.clone();
        document
    }

    fn number(&mut self, name: &Arc<str>) -> u32 {
        match self.free.pop() {
            Some(free) => {
                self.files.rename(free, name);
                free
            }
            None => self.files.add(name),
        }
    }

    /// What the file says; none if something is wrong with it, and then `document` has it already.
    fn parse(
        &self,
        number: u32,
        text: &str,
        document: &mut Document,
        faults: &mut Vec<Fault>,
    ) -> Option<Arc<Part>> {
        let before = faults.len();
        let Some(root) = yaml::parse(text, number, &self.files, faults) else {
            document.is_torn |= faults.len() > before;
            return (faults.len() == before).then(Arc::default);
        };
        let Some(file) = yaml::read::<ConfigurationFile>(&root, &self.files, later::later, faults)
        else {
            document.is_torn = true;
            return None;
        };
        let part = Arc::new(Part::from(file));
        if faults.len() == before {
            return Some(part);
        }
        document.take(number, &self.files, &part, faults);
        None
    }
}

/// Whether `text`, where a policy document is asked for, is the document itself; otherwise it is
/// the path of its file.
pub fn is_inline(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// Why `path` cannot be the path of a policy document, if it cannot: it must stay in the folder.
pub fn leaves_folder(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        return Some("the path is absolute");
    }
    path.split('/').any(|part| part == "..").then_some("the path leads out of the folder")
}

impl Document {
    /// Which of the texts that were read is the file numbered `file`.
    pub fn position(&self, file: u32) -> Option<usize> {
        self.texts.get(usize::try_from(file).ok()?).copied()
    }

    fn stands(&mut self, number: u32, position: usize) {
        let Ok(number) = usize::try_from(number) else { return };
        if self.texts.len() <= number {
            self.texts.resize(number.saturating_add(1), usize::MAX);
        }
        if let Some(place) = self.texts.get_mut(number) {
            *place = position;
        }
    }

    fn take(&mut self, number: u32, files: &Files, part: &Part, faults: &mut Vec<Fault>) {
        if let Some(gateway) = &part.gateway {
            if let Some(first) = &self.gateway {
                faults.push(twice(files, "gateway", gateway.mark, first.mark));
            } else {
                self.gateway = Some(Arc::clone(gateway));
            }
        }
        if let Some(limits) = &part.limits {
            if let Some(first) = &self.limits {
                faults.push(twice(files, "limits", limits.mark, first.mark));
            } else {
                self.limits = Some(Arc::clone(limits));
            }
        }
        if let Some(diagnostics) = &part.diagnostics {
            if let Some(first) = &self.diagnostics {
                faults.push(twice(files, "diagnostics", diagnostics.mark, first.mark));
            } else {
                self.diagnostics = Some(Arc::clone(diagnostics));
            }
        }
        if let Some(policy) = &part.policy {
            if let Some(first) = &self.policy {
                faults.push(twice(files, "policy", policy.mark, first.mark));
            } else {
                self.policy = Some(Arc::clone(policy));
            }
        }
        self.gateways.add(number, &part.gateways);
        self.apis.add(number, &part.apis);
        self.version_sets.add(number, &part.version_sets);
        self.products.add(number, &part.products);
        self.subscriptions.add(number, &part.subscriptions);
        self.users.add(number, &part.users);
        self.groups.add(number, &part.groups);
        self.named_values.add(number, &part.named_values);
        self.fragments.add(number, &part.fragments);
        self.loggers.add(number, &part.loggers);
        self.backends.add(number, &part.backends);
        self.identities.add(number, &part.identities);
        self.authorizations.add(number, &part.authorizations);
        self.certificates.add(number, &part.certificates);
        self.host_names.add(number, &part.host_names);
        self.schemas.add(number, &part.schemas);
        self.references.extend(part.references.iter().cloned());
        self.variables.extend(part.variables.iter().map(Arc::clone));
    }
}

fn twice(files: &Files, key: &str, second: yaml::Mark, first: yaml::Mark) -> Fault {
    let first = files.spot(first).place;
    let remedy = format!("keep one of the two; the other is at {first}");
    files.fault(second, format!("`{key}` is written in two files")).mend(remedy)
}
