//! What the texts of a configuration mention that a gateway gets: ids, named values, certificates.

use std::collections::BTreeSet;

use super::select::{field, folded, text, value};
use crate::configuration::document::is_inline;
use crate::configuration::yaml::{self, Node};

/// Where texts are found that a configuration names: policy documents.
pub(super) type Policies<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;
/// What the texts that come along mention.
#[derive(Default)]
pub(super) struct Mentioned {
    /// Everything that could be an id.
    words: BTreeSet<String>,
    /// What stands in `{{…}}`.
    names: BTreeSet<String>,
    /// Whether any of the certificates may be meant: by its thumbprint, or by what an expression
    /// gives.
    pub(super) any_certificate: bool,
}

impl Mentioned {
    /// Reads the policy document of `item`, and nothing of what lies deeper.
    pub(super) fn policies<'a>(&mut self, item: &'a Node, policies: &Policies<'a>) {
        if let Some(policy) = value(item, "policy") {
            self.policy(policy, policies);
        }
    }

    /// Reads a policy document: the text itself, or the path of its file.
    pub(super) fn policy<'a>(&mut self, node: &'a Node, policies: &Policies<'a>) {
        let Some(text) = text(node) else { return };
        if is_inline(text) {
            self.read(Some(text));
        } else {
            self.read(policies(text.trim()));
        }
    }

    pub(super) fn read(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let words = text.split(|c: char| !is_of_id(c)).filter(|word| !word.is_empty());
        self.words.extend(words.map(folded));
        self.any_certificate |= means_any(text);
        self.names.extend(names_of(text));
    }

    /// Reads what a backend is shown; whether that is a token of the gateway.
    pub(super) fn backend(&mut self, backend: &Node) -> bool {
        let credentials = value(backend, "credentials");
        for shown in [credentials, value(backend, "proxy")].into_iter().flatten() {
            self.names_in(shown);
        }
        let identity = credentials.and_then(|shown| value(shown, "managedIdentity"));
        self.read(identity.and_then(|identity| field(identity, "clientId")));
        identity.is_some()
    }

    /// Reads which named values the texts in `node` stand for, and nothing else of them.
    fn names_in(&mut self, node: &Node) {
        match &node.kind {
            yaml::Kind::Scalar(_) => self.names.extend(text(node).into_iter().flat_map(names_of)),
            yaml::Kind::List(items) => {
                for item in items {
                    self.names_in(item);
                }
            }
            yaml::Kind::Map(entries) => {
                for entry in entries {
                    self.names_in(&entry.value);
                }
            }
        }
    }

    pub(super) fn has_word(&self, id: &str) -> bool {
        self.words.contains(&folded(id))
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.names.contains(&folded(name))
    }
}

/// What stands in `{{…}}`.
fn names_of(text: &str) -> impl Iterator<Item = String> {
    let names = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    names.map(|(name, _rest)| folded(name.trim()))
}

/// Whether `text` has a policy that may mean any certificate: by its thumbprint, or by what an
/// expression gives.
fn means_any(text: &str) -> bool {
    let mut shows = text.split("<authentication-certificate").skip(1);
    let is_open = |rest: &str| {
        let attributes = rest.split(['>', '@']).next().unwrap_or_default();
        attributes.contains("thumbprint") || rest.get(attributes.len()..).is_some_and(is_computed)
    };
    shows.any(is_open) || text.contains("Deployment.Certificates")
}

/// Whether an expression begins here.
fn is_computed(rest: &str) -> bool {
    rest.starts_with('@')
}

/// Whether `character` may stand in an id.
const fn is_of_id(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}
