//! Who shares a counter: keys that say nothing a client wrote and never meet by accident.
//!
//! A key is made in two steps. What is known when the configuration is compiled (the kind of limit
//! and where it is written) becomes a [`KeySpace`]; what only the request knows (a subscription,
//! the value of `counter-key`) picks the [`CounterKey`] inside it, at the price of one hash block.
//!
//! | policy | location of the space | identity of the key |
//! |---|---|---|
//! | `rate-limit`, `quota` | where the limit is written: two products never share | the subscription |
//! | `rate-limit-by-key`, `quota-by-key` | nothing: the whole gateway shares | the key's value |
//! | `llm-token-limit` | the period of a quota, else nothing | the key's value; of months and years also which |
//! | `limit-concurrency` | nothing: the whole gateway shares | the key's value |

use std::hash::{Hash, Hasher};

use crate::digest::{beginning, whole_digest};

/// How many of them are in a key, beside its kind: 2^-40 for two of 2^40.
const IDENTITY_BYTES: usize = 15;

/// What is counted. Counters of different kinds never share, whatever their location and identity.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Calls, by `rate-limit`.
    Rate,
    /// Calls, by `rate-limit-by-key`.
    RateByKey,
    /// Calls, by `quota`.
    QuotaCalls,
    /// Bytes, by `quota`.
    QuotaBandwidth,
    /// Calls, by `quota-by-key`.
    QuotaByKeyCalls,
    /// Bytes, by `quota-by-key`.
    QuotaByKeyBandwidth,
    /// Requests inside, by `limit-concurrency`.
    Concurrency,
    /// Tokens of language models in a minute, by `llm-token-limit`.
    Tokens,
    /// Tokens of language models in a period, by `llm-token-limit`.
    QuotaTokens,
}

/// The keys of one kind of limit at one location.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeySpace {
    kind: Kind,
    /// The key of the digests of its counters.
    seed: [u8; blake3::KEY_LEN],
}

/// The identity of one counter, 16 bytes: beside the kind a digest, so nothing of a client's is in
/// it literally.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CounterKey {
    kind: Kind,
    digest: [u8; IDENTITY_BYTES],
}

impl Kind {
    /// What is counted, as its policy is called.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::Rate => "rate-limit",
            Self::RateByKey => "rate-limit-by-key",
            Self::QuotaCalls => "quota calls",
            Self::QuotaBandwidth => "quota bytes",
            Self::QuotaByKeyCalls => "quota-by-key calls",
            Self::QuotaByKeyBandwidth => "quota-by-key bytes",
            Self::Concurrency => "limit-concurrency",
            Self::Tokens => "tokens",
            Self::QuotaTokens => "quota tokens",
        }
    }

    const ALL: [Self; 9] = [
        Self::Rate,
        Self::RateByKey,
        Self::QuotaCalls,
        Self::QuotaBandwidth,
        Self::QuotaByKeyCalls,
        Self::QuotaByKeyBandwidth,
        Self::Concurrency,
        Self::Tokens,
        Self::QuotaTokens,
    ];

    /// Part of every key: once released, a number stays what it is.
    const fn tag(self) -> u8 {
        match self {
            Self::Rate => 1,
            Self::RateByKey => 2,
            Self::QuotaCalls => 3,
            Self::QuotaBandwidth => 4,
            Self::QuotaByKeyCalls => 5,
            Self::QuotaByKeyBandwidth => 6,
            Self::Concurrency => 7,
            Self::Tokens => 8,
            Self::QuotaTokens => 9,
        }
    }
}

impl KeySpace {
    /// The space of `kind` at `location`: the names that lead to the policy, outermost first.
    ///
    /// Policies that are to share counters for the whole gateway give no location.
    pub fn new(kind: Kind, location: &[&str]) -> Self {
        let tag = [kind.tag()];
        let parts =
            std::iter::once(tag.as_slice()).chain(location.iter().map(|name| name.as_bytes()));
        Self { kind, seed: whole_digest(parts) }
    }

    /// The counter of `identity` in this space.
    pub fn key(&self, identity: &str) -> CounterKey {
        let whole = blake3::keyed_hash(&self.seed, identity.as_bytes());
        CounterKey { kind: self.kind, digest: beginning(whole.as_bytes()) }
    }
}

impl CounterKey {
    /// What is counted under it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// All of it, in 16 bytes: what is counted, then the digest.
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut bytes = [self.kind.tag(); 16];
        let (_, digest) = bytes.split_at_mut(1);
        digest.copy_from_slice(&self.digest);
        bytes
    }

    /// The key that these bytes are all of; none if there is no such kind.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let [tag, digest @ ..] = bytes;
        let kind = Kind::ALL.into_iter().find(|kind| kind.tag() == tag)?;
        Some(Self { kind, digest })
    }
}

impl Hash for CounterKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The kind needs no part in it: equal keys have equal digests.
        state.write(&self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::digest;
    use proptest::prelude::*;

    #[test]
    fn parts_do_not_run_together() {
        let split = KeySpace::new(Kind::Rate, &["ab", "c"]);
        assert_ne!(split, KeySpace::new(Kind::Rate, &["a", "bc"]));
        assert_ne!(split, KeySpace::new(Kind::Rate, &["abc"]));
        assert_ne!(split, KeySpace::new(Kind::Rate, &["ab", "c", ""]));
    }

    #[test]
    fn kinds_never_share_a_counter() {
        let mut keys = Kind::ALL.map(|kind| KeySpace::new(kind, &[]).key("client")).to_vec();
        assert!(keys.iter().all(|key| CounterKey::from_bytes(key.to_bytes()) == Some(*key)));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Kind::ALL.len());
        assert_eq!(CounterKey::from_bytes([99; 16]), None);
    }

    #[test]
    fn an_identity_is_not_in_its_key() {
        let key = KeySpace::new(Kind::RateByKey, &[]).key("aaaaaaaaaaaaaaaa");
        assert!(!key.digest.windows(2).any(|pair| pair == b"aa"));
    }

    proptest! {
        #[test]
        fn different_lists_have_different_digests(
            left in prop::collection::vec("[ab]{0,3}", 0..4),
            right in prop::collection::vec("[ab]{0,3}", 0..4),
        ) {
            let of = |parts: &[String]| digest(parts.iter().map(String::as_bytes));
            prop_assert_eq!(left == right, of(&left) == of(&right));
        }
    }
}
