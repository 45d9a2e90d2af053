//! The written form: what the YAML files of a configuration folder may say.
//!
//! Every file may hold any of the lists of [`ConfigurationFile`]; together they are one
//! [`Document`]. The types say what may be written, and `config/schema.json` is made from them;
//! what it means, and whether it makes sense, is [`super::validate`]'s business.

mod file;
mod api;
mod party;
mod backend;
mod value;
mod later;
mod limits;
pub mod schema;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::yaml::{self, Block, Files, Placed};
use crate::fault::Fault;

pub use api::{
    Api, KeyParameterNames, Operation, OperationResponse, Protocol, Representation, VersionSet,
    VersioningScheme,
};
pub use backend::{Authorization, Backend, Certificate, Credentials, HostName, Tls};
pub use file::{ConfigurationFile, Gateway};
pub use limits::{Amount, LimitHolding};
pub use party::{Group, Identity, Product, ProductState, Subscription, SubscriptionState, User};
pub use value::{Fragment, NamedValue, SecretValue, ValueSource};

/// Everything that a folder's YAML files say.
#[derive(Debug, Default)]
pub struct Document {
    /// The files, for the marks.
    pub files: Files,
    /// Whether a file could not be read to its end, so that much may be missing here.
    pub is_torn: bool,
    /// `gateway`, wherever it was written.
    pub gateway: Option<Placed<Gateway>>,
    /// `limits`, wherever it was written.
    pub limits: Option<Placed<LimitHolding>>,
    /// `policy`, wherever it was written.
    pub policy: Option<Block>,
    /// `apis` of all files.
    pub apis: Vec<Api>,
    /// `versionSets` of all files.
    pub version_sets: Vec<VersionSet>,
    /// `products` of all files.
    pub products: Vec<Product>,
    /// `subscriptions` of all files.
    pub subscriptions: Vec<Subscription>,
    /// `users` of all files.
    pub users: Vec<User>,
    /// `groups` of all files.
    pub groups: Vec<Group>,
    /// `namedValues` of all files.
    pub named_values: Vec<NamedValue>,
    /// `fragments` of all files.
    pub fragments: Vec<Fragment>,
    /// `backends` of all files.
    pub backends: Vec<Backend>,
    /// `hostNames` of all files.
    pub host_names: Vec<HostName>,
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
    let mut document = Document::default();
    for (file, text) in texts {
        let number = document.files.add(file);
        let before = faults.len();
        let Some(root) = yaml::parse(text, number, &document.files, faults) else {
            document.is_torn |= faults.len() > before;
            continue;
        };
        match yaml::read(&root, &document.files, later::later, faults) {
            Some(file) => document.take(file, faults),
            None => document.is_torn = true,
        }
    }
    document
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
    fn take(&mut self, file: ConfigurationFile, faults: &mut Vec<Fault>) {
        if let Some(gateway) = file.gateway {
            if let Some(first) = &self.gateway {
                faults.push(self.twice("gateway", gateway.mark, first.mark));
            } else {
                self.gateway = Some(gateway);
            }
        }
        if let Some(limits) = file.limits {
            if let Some(first) = &self.limits {
                faults.push(self.twice("limits", limits.mark, first.mark));
            } else {
                self.limits = Some(limits);
            }
        }
        if let Some(policy) = file.policy {
            if let Some(first) = &self.policy {
                faults.push(self.twice("policy", policy.mark, first.mark));
            } else {
                self.policy = Some(policy);
            }
        }
        self.apis.extend(file.apis);
        self.version_sets.extend(file.version_sets);
        self.products.extend(file.products);
        self.subscriptions.extend(file.subscriptions);
        self.users.extend(file.users);
        self.groups.extend(file.groups);
        self.named_values.extend(file.named_values);
        self.fragments.extend(file.fragments);
        self.backends.extend(file.backends);
        self.host_names.extend(file.host_names);
    }

    fn twice(&self, key: &str, second: yaml::Mark, first: yaml::Mark) -> Fault {
        let first = self.files.spot(first).place;
        let remedy = format!("keep one of the two; the other is at {first}");
        self.files.fault(second, format!("`{key}` is written in two files")).mend(remedy)
    }

    /// Every file that the document names and that may be read, once.
    pub fn references(&self) -> BTreeSet<Reference> {
        let mut found = BTreeSet::new();
        let mut secret = |path: &str| {
            found.insert(Reference { path: path.to_owned(), is_secret: true });
        };
        self.secret_files(&mut secret);
        let of_apis = self.apis.iter().flat_map(|api| {
            api.operations.iter().map(|operation| &operation.policy).chain([&api.policy])
        });
        let of_products = self.products.iter().map(|product| &product.policy);
        let of_fragments = self.fragments.iter().map(|fragment| &fragment.policy);
        let optional = of_apis.chain(of_products).chain([&self.policy]).flatten();
        for block in optional.chain(of_fragments) {
            let path = block.text.trim();
            if !is_inline(path) && leaves_folder(path).is_none() {
                found.insert(Reference { path: path.to_owned(), is_secret: false });
            }
        }
        found
    }

    /// The variables of the environment that the document names, each once, sorted.
    pub fn variables(&self) -> Vec<Arc<str>> {
        let sources = self.secret_values().filter_map(|value| match value {
            SecretValue::Other(ValueSource { env: Some(env), .. }) => Some(env.value.as_str()),
            SecretValue::Other(_) | SecretValue::Text(_) => None,
        });
        let names: BTreeSet<&str> = sources.collect();
        names.into_iter().map(Arc::from).collect()
    }

    /// Every text that may be a secret.
    fn secret_values(&self) -> impl Iterator<Item = &SecretValue> {
        let of_subscriptions = self.subscriptions.iter().flat_map(|subscription| {
            [&subscription.primary_key, &subscription.secondary_key].into_iter().flatten()
        });
        let of_values = self.named_values.iter().map(|named| &named.value);
        let of_backends = self.backends.iter().flat_map(|backend| {
            let Credentials { header, query, authorization, .. } = &backend.credentials;
            let entries = header.0.iter().chain(&query.0).flat_map(|(_, values)| &values.0);
            entries.chain(authorization.iter().map(|authorization| &authorization.parameter))
        });
        of_subscriptions.chain(of_values).chain(of_backends)
    }

    fn secret_files(&self, found: &mut impl FnMut(&str)) {
        for value in self.secret_values() {
            if let SecretValue::Other(ValueSource { file: Some(file), .. }) = value {
                found(&file.value);
            }
        }
        let of_hosts = self.host_names.iter().filter_map(|host| host.certificate.as_ref());
        let of_backends =
            self.backends.iter().filter_map(|backend| backend.credentials.certificate.as_ref());
        for certificate in of_hosts.chain(of_backends) {
            found(&certificate.certificate_file.value);
            found(&certificate.key_file.value);
        }
    }
}
