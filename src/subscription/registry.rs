//! All subscriptions, to be found by a key that is nowhere kept.
//!
//! Of each key only its BLAKE3 hash, keyed with a secret of the process, is kept. A key that is presented
//! is hashed the same way, whether it is known or not; what the time of a lookup can tell is
//! something about that hash, which says nothing about any key to one who lacks the secret. The
//! whole hash is then compared in constant time. Nothing is kept of keys that are not known, so
//! trying many costs no memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use blake3::Hash;

use super::Subscription;
use super::key::KEY_BYTES_MAX;

/// Which of the two keys of a subscription.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Slot {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

/// Why a key cannot be a subscription's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// It is empty or longer than [`KEY_BYTES_MAX`].
    #[error("a subscription key has 1 to {KEY_BYTES_MAX} bytes")]
    Length {
        /// Which key.
        slot: Slot,
    },
    /// Another subscription has it.
    #[error("two subscriptions have the same key")]
    Shared {
        /// Which key.
        slot: Slot,
        /// The subscription that has it already.
        with: usize,
    },
}

/// What stands for the two keys of a subscription. It is worth nothing without the secret.
#[derive(Clone, Copy)]
pub struct Digests([Option<Hash>; 2]);

impl fmt::Debug for Digests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Digests(…)")
    }
}

/// All subscriptions.
#[derive(Clone)]
pub struct Subscriptions {
    all: Vec<Subscription>,
    /// By the beginning of the hash.
    keys: HashMap<u64, Known, BuildHasherDefault<Ready>>,
    /// Those whose hash begins like that of another one: hardly ever any.
    alike: Vec<Known>,
    secret: [u8; blake3::KEY_LEN],
    /// The hash of nothing, which no key has.
    decoy: Hash,
}

#[derive(Clone)]
struct Known {
    digest: Hash,
    subscription: usize,
    slot: Slot,
}

impl Subscriptions {
    /// None yet. The `secret` is random and does not leave the process.
    pub fn new(secret: [u8; blake3::KEY_LEN]) -> Self {
        Self::with_room(secret, 0)
    }

    /// None yet, and room for so many.
    pub fn with_room(secret: [u8; blake3::KEY_LEN], subscriptions: usize) -> Self {
        let decoy = blake3::keyed_hash(&secret, b"");
        let mut keys = HashMap::default();
        keys.reserve(subscriptions.saturating_mul(2));
        Self { all: Vec::with_capacity(subscriptions), keys, alike: Vec::new(), secret, decoy }
    }

    /// What stands for the two keys of a subscription.
    pub fn digests(&self, keys: [Option<&[u8]>; 2]) -> Result<Digests, KeyFault> {
        let [primary, secondary] = keys;
        let digest = |slot, key: Option<&[u8]>| match key {
            Some(key) if key.is_empty() || KEY_BYTES_MAX < key.len() => {
                Err(KeyFault::Length { slot })
            }
            Some(key) => Ok(Some(blake3::keyed_hash(&self.secret, key))),
            None => Ok(None),
        };
        Ok(Digests([digest(Slot::Primary, primary)?, digest(Slot::Secondary, secondary)?]))
    }

    /// Adds a subscription and gives its index: the first has 0. Its keys are not kept, only
    /// their hashes. With a fault nothing is added.
    pub fn insert(
        &mut self,
        subscription: Subscription,
        keys: [Option<&[u8]>; 2],
    ) -> Result<usize, KeyFault> {
        self.insert_digests(subscription, self.digests(keys)?)
    }

    /// The same with what stands for its keys, by the same secret.
    pub fn insert_digests(
        &mut self,
        subscription: Subscription,
        digests: Digests,
    ) -> Result<usize, KeyFault> {
        let at = self.all.len();
        let Digests([primary, secondary]) = digests;
        let both = [(Slot::Primary, primary), (Slot::Secondary, secondary)];
        for (slot, digest) in both {
            if let Some((with, _)) = digest.and_then(|digest| self.known(&digest)) {
                return Err(KeyFault::Shared { slot, with });
            }
        }
        for (slot, digest) in both {
            let Some(digest) = digest else { continue };
            let known = Known { digest, subscription: at, slot };
            match self.keys.entry(beginning(&digest)) {
                Entry::Vacant(free) => drop(free.insert(known)),
                Entry::Occupied(_) => self.alike.push(known),
            }
        }
        self.all.push(subscription);
        Ok(at)
    }

    /// The subscription at an index.
    pub fn get(&self, subscription: usize) -> Option<&Subscription> {
        self.all.get(subscription)
    }

    /// Whose key this is. The key has at most [`KEY_BYTES_MAX`] bytes.
    pub(super) fn find(&self, key: &[u8]) -> Option<(usize, Slot)> {
        self.known(&blake3::keyed_hash(&self.secret, key))
    }

    fn known(&self, digest: &Hash) -> Option<(usize, Slot)> {
        let Some(known) = self.keys.get(&beginning(digest)) else {
            // An unknown key pays for a comparison too.
            let _ = *digest == self.decoy;
            return None;
        };
        // Hashes compare in constant time.
        let mut all = std::iter::once(known).chain(&self.alike);
        let known = all.find(|known| known.digest == *digest)?;
        Some((known.subscription, known.slot))
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subscriptions").field("all", &self.all).finish_non_exhaustive()
    }
}

/// A hasher for keys that are hashes already, by a secret: nobody outside can fill a bucket.
#[derive(Clone, Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

fn beginning(digest: &Hash) -> u64 {
    digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::{Scope, State};

    fn subscription() -> Subscription {
        Subscription { scope: Scope::AllApis, state: State::Active, start: None, expiry: None }
    }

    #[test]
    fn either_key_finds_its_subscription_and_nothing_else_does() {
        let mut all = Subscriptions::new([7; 32]);
        assert_eq!(all.insert(subscription(), [Some(b"one"), Some(b"two")]), Ok(0));
        assert_eq!(all.insert(subscription(), [None, Some(b"three")]), Ok(1));
        assert_eq!(all.insert(subscription(), [None, None]), Ok(2));
        assert_eq!(all.find(b"one"), Some((0, Slot::Primary)));
        assert_eq!(all.find(b"two"), Some((0, Slot::Secondary)));
        assert_eq!(all.find(b"three"), Some((1, Slot::Secondary)));
        for other in [&b""[..], b"on", b"onE", b"one ", b"four"] {
            assert_eq!(all.find(other), None);
        }
    }

    #[test]
    fn a_key_belongs_to_one_subscription_only() {
        let mut all = Subscriptions::new([7; 32]);
        assert_eq!(all.insert(subscription(), [Some(b"one"), Some(b"one")]), Ok(0));
        let shared = KeyFault::Shared { slot: Slot::Secondary, with: 0 };
        assert_eq!(all.insert(subscription(), [Some(b"two"), Some(b"one")]), Err(shared));
        assert_eq!(all.find(b"two"), None);
        let empty = KeyFault::Length { slot: Slot::Primary };
        assert_eq!(all.insert(subscription(), [Some(b""), None]), Err(empty));
        let long = [b'k'; KEY_BYTES_MAX + 1];
        let fault = KeyFault::Length { slot: Slot::Secondary };
        assert_eq!(all.insert(subscription(), [None, Some(&long)]), Err(fault));
    }

    #[test]
    fn keys_are_kept_nowhere() {
        let mut all = Subscriptions::new([7; 32]);
        all.insert(subscription(), [Some(b"sesame"), None]).unwrap();
        assert!(!format!("{all:?}").contains("sesame"));
        assert!(all.keys.values().all(|known| !known.digest.as_bytes().starts_with(b"sesame")));
    }
}
