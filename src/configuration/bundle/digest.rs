//! SHA-256 of entries and bundles. Every part is preceded by its length, so that no two run
//! together; a bundle's is made of its entries' so that a small change costs little.

use std::fmt;
use std::sync::Arc;

use openssl::sha::Sha256;

use super::{Entry, Kind};

/// How many bytes a digest has.
const DIGEST_BYTES: usize = 32;

/// The digest of an entry or of a bundle.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; DIGEST_BYTES]);

impl Digest {
    pub(super) fn of_entry(kind: Kind, name: &str, text: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(&[kind.number()]);
        for part in [name, text] {
            hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finish())
    }

    pub(super) fn of_entries(entries: &[Arc<Entry>]) -> Self {
        let mut hash = Sha256::new();
        for entry in entries {
            hash.update(&entry.digest().0);
        }
        Self(hash.finish())
    }

    /// The digest where there is nothing to have one.
    pub const fn of_nothing() -> Self {
        Self([0; DIGEST_BYTES])
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }

    /// The digest that has these bytes; none if they are not as many as a digest has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The digest that [`Display`](fmt::Display) wrote.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; DIGEST_BYTES];
        if text.len() != bytes.len().saturating_mul(2) || !text.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let start = at.saturating_mul(2);
            *byte = u8::from_str_radix(text.get(start..start.saturating_add(2))?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
