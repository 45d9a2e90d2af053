//! What one of several gateways gets of the configuration that they share: what is its own, what
//! that refers to, and nothing else.
//!
//! A gateway's own are the APIs and host names that `gateways:` associates with it. With them come
//! the products that hold one of these APIs (without the others' ids), the subscriptions to those,
//! and to all APIs, with their users and groups; version sets; and the fragments, named values,
//! loggers, backends, identities and certificates whose id or `{{name}}` stands in a policy that came along; authorities come
//! along always. A file that is all the
//! gateway's travels as it is. Of any other, what is the gateway's is written anew, each part on the
//! line where it stood, so that faults still name the true line; comments stay behind.

mod mentioned;
mod select;
mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::bundle::{Bundle, Entry, Kind, Unsound};
use super::document;
use super::yaml::{self, Files, Node};
use select::{Selection, field, is_of, lists, text};
use write::Writer;

/// A configuration that gateways share, read so that portions can be taken of it.
pub struct Shared {
    whole: Arc<Bundle>,
    /// Its YAML files; none if no gateway is written, because then nothing is divided.
    files: Vec<File>,
}

/// A YAML file.
struct File {
    entry: Arc<Entry>,
    keys: Vec<yaml::Entry>,
}

/// Why a gateway gets no portion.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoPortion {
    /// It is not written.
    #[error(
        "the configuration names gateways, but no `{0}`: write it under `gateways`, or correct the \
         name"
    )]
    Unknown(String),
    /// A bug, or more than can be a configuration.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// A bug: what was written anew cannot be read.
    #[error(
        "the portion of this gateway cannot be read again, which is a fault of Weir: report it"
    )]
    Unreadable,
}

impl Shared {
    /// Reads `whole`, which was found good.
    pub fn of(whole: Arc<Bundle>) -> Self {
        let mut names = Files::default();
        let documents = whole.entries().iter().filter(|entry| entry.kind() == Kind::Document);
        let files = documents.filter_map(|entry| {
            let number = names.add(entry.name());
            let root = yaml::parse(entry.text(), number, &names, &mut Vec::new())?;
            let yaml::Kind::Map(keys) = root.kind else { return None };
            Some(File { entry: Arc::clone(entry), keys })
        });
        let mut files: Vec<File> = files.collect();
        let is_shared =
            files.iter().flat_map(|file| &file.keys).any(|key| key.name() == lists::GATEWAYS);
        if !is_shared {
            files.clear();
        }
        Self { whole, files }
    }

    /// All of it.
    pub const fn whole(&self) -> &Arc<Bundle> {
        &self.whole
    }

    /// The names of the gateways that are written, sorted; none if nothing is divided.
    pub fn gateways(&self) -> BTreeSet<String> {
        let gateways = self.items().into_iter().filter(|(name, _item)| *name == lists::GATEWAYS);
        gateways.filter_map(|(_name, item)| field(item, "id").map(str::to_owned)).collect()
    }

    /// What the gateway `name` gets: the whole if no gateway is written.
    pub fn portion(&self, name: &str) -> Result<Arc<Bundle>, NoPortion> {
        if self.files.is_empty() {
            return Ok(Arc::clone(&self.whole));
        }
        let policies = |path: &str| self.text(Kind::Policy, path);
        let secrets = |kind: Kind, name: &str| self.text(kind, name);
        let selection = Selection::of(&self.items(), name, &policies, &secrets)
            .ok_or_else(|| NoPortion::Unknown(name.to_owned()))?;
        let documents = self.files.iter().filter_map(|file| file.portion(&selection));
        let documents: Vec<Arc<Entry>> = documents.collect();
        let texts: Vec<_> = documents
            .iter()
            .map(|entry| (Arc::clone(entry.name()), Arc::clone(entry.text())))
            .collect();
        let mut faults = Vec::new();
        let document = document::read(&texts, &mut faults);
        if !faults.is_empty() {
            return Err(NoPortion::Unreadable);
        }
        let (references, variables) = (document.references, document.variables);
        let is_named = |entry: &&Arc<Entry>| {
            let referred = |is_secret| {
                let path = entry.name().to_string();
                references.contains(&document::Reference { path, is_secret })
            };
            match entry.kind() {
                Kind::Document => false,
                Kind::Policy => referred(false),
                Kind::Secret => referred(true),
                Kind::Variable => variables.contains(entry.name()),
            }
        };
        let named = self.whole.entries().iter().filter(is_named).map(Arc::clone);
        Ok(Arc::new(Bundle::of(documents.iter().map(Arc::clone).chain(named))?))
    }

    /// Every item of every list, with the name of the list.
    fn items(&self) -> Vec<(&str, &Node)> {
        let keys = self.files.iter().flat_map(|file| &file.keys);
        keys.flat_map(|key| items(&key.value).into_iter().map(|item| (key.name(), item))).collect()
    }

    fn text(&self, kind: Kind, name: &str) -> Option<&str> {
        let entries = self.whole.entries();
        let order = |entry: &Arc<Entry>| (entry.kind(), &**entry.name()).cmp(&(kind, name));
        let at = entries.binary_search_by(order).ok()?;
        entries.get(at).map(|entry| &**entry.text())
    }
}

impl File {
    /// What the gateway gets of it, if anything.
    fn portion(&self, selection: &Selection) -> Option<Arc<Entry>> {
        if self.keys.iter().all(|key| is_all(key, selection)) {
            return (!self.keys.is_empty()).then(|| Arc::clone(&self.entry));
        }
        let mut writer = Writer::default();
        for key in &self.keys {
            portion_of(key, selection, &mut writer);
        }
        let text = writer.end()?;
        Some(Arc::new(Entry::new(Kind::Document, Arc::clone(self.entry.name()), Arc::from(text))))
    }
}

/// Whether all below `key` is the gateway's.
fn is_all(key: &yaml::Entry, selection: &Selection) -> bool {
    let name = key.name();
    if is_of(name, &lists::FOR_ALL) {
        return true;
    }
    if is_of(name, &[lists::GATEWAY, lists::GATEWAYS]) {
        return false;
    }
    items(&key.value).iter().all(|item| {
        let is_whole = || name != lists::PRODUCTS || selection.has_all_apis(item);
        selection.has(name, item) && is_whole()
    })
}

/// Writes what of `key` is the gateway's.
fn portion_of(key: &yaml::Entry, selection: &Selection, writer: &mut Writer) {
    let name = key.name();
    if is_of(name, &lists::FOR_ALL) {
        writer.key(name, key.key.mark.line);
        writer.node(&key.value);
        return;
    }
    if name == lists::GATEWAYS {
        let own = items(&key.value).into_iter().find(|item| selection.is_gateway(item));
        if let Some(own) = own {
            writer.key(lists::GATEWAY, own.mark.line);
            writer.map_without(own, &[lists::APIS, lists::HOST_NAMES]);
        }
        return;
    }
    let own: Vec<&Node> =
        items(&key.value).into_iter().filter(|item| selection.has(name, item)).collect();
    if own.is_empty() {
        return;
    }
    writer.key(name, key.key.mark.line);
    writer.list(own.into_iter(), |writer, item| {
        if name == lists::PRODUCTS {
            writer.map_with(item, lists::APIS, |api| selection.has_api(text(api)));
        } else {
            writer.node(item);
        }
    });
}

/// The items of a list; what is no list, and something, is one item.
fn items(node: &Node) -> Vec<&Node> {
    match &node.kind {
        yaml::Kind::List(items) => items.iter().collect(),
        yaml::Kind::Scalar(_) | yaml::Kind::Map(_) if node.is_null() => Vec::new(),
        yaml::Kind::Scalar(_) | yaml::Kind::Map(_) => vec![node],
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The tree may hold secrets.
        formatter.debug_struct("Shared").field("whole", &self.whole).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
