//! What is different between two bundles, for whoever has the older one.

use std::sync::Arc;

use super::pack::{pack, unpack};
use super::{Bundle, Digest, Entry, PACKED_BYTES_MAX, Unsound};

/// What makes one bundle of another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The bundle to begin with.
    pub from: Digest,
    /// The bundle that comes of it.
    pub to: Digest,
    /// The digests of entries that are not there any more; a changed entry is one that goes, and
    /// one that comes.
    pub gone: Vec<Digest>,
    /// The entries that come, in order, packed like a bundle.
    pub come: Vec<u8>,
}

/// Why a change makes no bundle. Whoever sees this asks for the whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// It is for another bundle.
    #[error("the change is for another configuration than the one that is there")]
    Base,
    /// What came of it is not what was announced.
    #[error("the changed configuration is not the one that was announced")]
    Digest,
    /// What comes is no entries.
    #[error(transparent)]
    Unsound(#[from] Unsound),
}

impl Bundle {
    /// What makes this bundle of `older`.
    pub fn since(&self, older: &Self) -> Result<Change, Unsound> {
        let (gone, come) = difference(&older.entries, &self.entries);
        let come = pack(&come).map_err(|_never| Unsound::TooLarge)?;
        if PACKED_BYTES_MAX < come.len() {
            return Err(Unsound::TooLarge);
        }
        Ok(Change { from: older.digest, to: self.digest, gone, come })
    }

    /// What `change` makes of this bundle; the entries that stay are shared.
    pub fn changed(&self, change: &Change) -> Result<Self, Mismatch> {
        if change.from != self.digest {
            return Err(Mismatch::Base);
        }
        let mut gone = change.gone.clone();
        gone.sort_unstable();
        let stays = |entry: &&Arc<Entry>| gone.binary_search(entry.digest()).is_err();
        let stay = self.entries.iter().filter(stays).map(Arc::clone);
        let changed = Self::of(stay.chain(unpack(&change.come)?))?;
        if changed.digest != change.to {
            return Err(Mismatch::Digest);
        }
        Ok(changed)
    }
}

/// What is only in `older`, and what is only in `newer`; both are sorted.
fn difference(older: &[Arc<Entry>], newer: &[Arc<Entry>]) -> (Vec<Digest>, Vec<Arc<Entry>>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let (mut older, mut newer) = (older.iter().peekable(), newer.iter().peekable());
    loop {
        let first = match (older.peek(), newer.peek()) {
            (None, None) => return (gone, come),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key().cmp(&new.key()),
        };
        let old = if first.is_le() { older.next() } else { None };
        let new = if first.is_ge() { newer.next() } else { None };
        let is_same = old.zip(new).is_some_and(|(old, new)| old.digest() == new.digest());
        if !is_same {
            gone.extend(old.map(|old| *old.digest()));
            come.extend(new.map(Arc::clone));
        }
    }
}
