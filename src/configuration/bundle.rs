//! A configuration as it travels and as it is kept: every file of it, whole, and one digest over
//! all.
//!
//! What a configuration names elsewhere (policy documents, secrets, variables of the environment)
//! is in its bundle, so that whoever has the bundle needs nothing else to run it. A bundle is only
//! made of a configuration that was found good, is never changed, and two bundles with one digest
//! are the same.

mod digest;
mod pack;
mod part;
mod change;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::config::Secret;
use super::source::{Environment, Reading};

pub use change::{Change, Mismatch};
pub use digest::Digest;
pub use pack::{PACKED_BYTES_MAX, Unsound};
pub use part::{Assembly, PARTS_MAX, Part};

/// How many entries a bundle may have.
pub const ENTRIES_MAX: usize = 100_000;
/// How many bytes all its entries may have together, names included.
pub const BYTES_MAX: usize = 256 << 20;
/// The longest name of an entry, in bytes.
pub const NAME_BYTES_MAX: usize = 4 << 10;

/// What an entry is; the number stands for it in digests and packed bundles, and never changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    /// A YAML file of the folder.
    Document = 1,
    /// A policy document or fragment.
    Policy = 2,
    /// A secret, a certificate or a key.
    Secret = 3,
    /// A variable of the environment.
    Variable = 4,
}

/// One file or variable.
#[derive(Eq, PartialEq)]
pub struct Entry {
    kind: Kind,
    name: Arc<str>,
    text: Arc<str>,
    digest: Digest,
}

/// A configuration as it travels and as it is kept.
#[derive(Clone, Eq, PartialEq)]
pub struct Bundle {
    /// By kind and name, strictly ascending.
    entries: Vec<Arc<Entry>>,
    digest: Digest,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Document, Self::Policy, Self::Secret, Self::Variable];

    /// Its number.
    #[expect(clippy::as_conversions, reason = "the only way from a variant to its number")]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl Entry {
    /// An entry.
    pub fn new(kind: Kind, name: Arc<str>, text: Arc<str>) -> Self {
        let digest = Digest::of_entry(kind, &name, &text);
        Self { kind, name, text, digest }
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its path as the configuration names it, or the name of the variable.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its text, which may be a secret.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The digest over all of it.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What orders entries in a bundle.
    fn key(&self) -> (Kind, &str) {
        (self.kind, &self.name)
    }

    fn bytes(&self) -> usize {
        self.name.len().saturating_add(self.text.len())
    }
}

impl Bundle {
    /// A bundle of `entries`, in any order.
    pub fn of(entries: impl IntoIterator<Item = Arc<Entry>>) -> Result<Self, Unsound> {
        let mut entries: Vec<Arc<Entry>> = entries.into_iter().collect();
        entries.sort_by(|one, other| one.key().cmp(&other.key()));
        Self::sorted(entries)
    }

    /// A bundle of `entries` that are sorted already, or are none.
    fn sorted(entries: Vec<Arc<Entry>>) -> Result<Self, Unsound> {
        if ENTRIES_MAX < entries.len() {
            return Err(Unsound::TooMany);
        }
        let mut left = BYTES_MAX;
        for entry in &entries {
            left = left.checked_sub(entry.bytes()).ok_or(Unsound::TooLarge)?;
            if NAME_BYTES_MAX < entry.name.len() {
                return Err(Unsound::LongName);
            }
        }
        let rises = |pair: &[Arc<Entry>]| match pair {
            [one, next] => one.key() < next.key(),
            _ => true,
        };
        if !entries.windows(2).all(rises) {
            return Err(Unsound::Order);
        }
        let digest = Digest::of_entries(&entries);
        Ok(Self { entries, digest })
    }

    /// The bundle of a configuration that was found good: all that was read of its folder, and the
    /// `variables` that it takes from `environment`.
    pub fn of_reading(
        reading: &Reading,
        environment: &Environment,
        variables: &[Arc<str>],
    ) -> Result<Self, Unsound> {
        let documents = reading.documents.iter().map(|(name, text)| {
            Arc::new(Entry::new(Kind::Document, Arc::clone(name), Arc::clone(text)))
        });
        let policies = reading.policies.iter().filter_map(|(path, text)| {
            let text = text.as_ref().ok()?;
            Some(Arc::new(Entry::new(Kind::Policy, Arc::from(path.as_str()), Arc::clone(text))))
        });
        let secrets = reading.secrets.iter().filter_map(|(path, text)| {
            let text = Arc::from(text.as_ref().ok()?.expose());
            Some(Arc::new(Entry::new(Kind::Secret, Arc::from(path.as_str()), text)))
        });
        let variables = variables.iter().filter_map(|name| {
            let text = Arc::from(environment.get(name)?.expose());
            Some(Arc::new(Entry::new(Kind::Variable, Arc::clone(name), text)))
        });
        Self::of(documents.chain(policies).chain(secrets).chain(variables))
    }

    /// The entries, by kind and name.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// What tells it from every other bundle.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// As if it had been read of a folder, with the variables that it brings.
    pub fn as_read(&self) -> (Reading, Environment) {
        let mut reading = Reading::of(Vec::new());
        let mut variables = BTreeMap::new();
        for entry in &self.entries {
            match entry.kind {
                Kind::Document => {
                    reading.documents.push((Arc::clone(&entry.name), Arc::clone(&entry.text)));
                }
                Kind::Policy => {
                    reading.policies.insert(entry.name.to_string(), Ok(Arc::clone(&entry.text)));
                }
                Kind::Secret => {
                    let secret = Secret::new(&*entry.text);
                    reading.secrets.insert(entry.name.to_string(), Ok(secret));
                }
                Kind::Variable => {
                    variables.insert(entry.name.to_string(), Secret::new(&*entry.text));
                }
            }
        }
        (reading, Environment::of(variables))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may be a secret.
        let mut shown = formatter.debug_struct("Entry");
        shown.field("kind", &self.kind).field("name", &self.name).field("digest", &self.digest);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Bundle");
        shown.field("entries", &self.entries.len()).field("digest", &self.digest).finish()
    }
}

#[cfg(test)]
mod tests;
