//! The hash by which series are found: of a few short texts, several times for each request.
//!
//! Eight bytes are mixed at a time, by a multiplication whose two halves are folded into one. What is
//! multiplied with is random for each process, and no client chooses what is hashed but for the
//! hosts of backends that a policy makes of requests, of which few are kept.

use std::hash::{BuildHasher, Hasher, RandomState};

/// What is mixed in, different in each process.
#[derive(Debug)]
pub struct Key {
    seed: u64,
    /// Odd, so that no step loses anything.
    factor: u64,
}

/// A hasher for what is a hash already.
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Key {
    /// A fresh one.
    pub fn random() -> Self {
        let random = RandomState::new();
        Self { seed: random.hash_one(1), factor: random.hash_one(2) | 1 }
    }

    /// The hash of `labels`.
    pub fn hash(&self, labels: &[&str]) -> u64 {
        labels.iter().fold(self.seed, |hash, label| {
            let (words, rest) = label.as_bytes().as_chunks();
            let hash =
                words.iter().fold(hash, |hash, word| self.mix(hash, u64::from_le_bytes(*word)));
            let rest = rest.iter().fold(0, |rest, byte| (rest << 8) | u64::from(*byte));
            // The length tells where a label ends.
            let length = u64::try_from(label.len()).unwrap_or(u64::MAX);
            self.mix(hash, rest ^ (length << 56))
        })
    }

    fn mix(&self, hash: u64, word: u64) -> u64 {
        let product = u128::from(hash ^ word).wrapping_mul(u128::from(self.factor));
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        u64::try_from(low ^ high).unwrap_or_default()
    }
}

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_that_differ_have_hashes_that_differ() {
        let key = Key::random();
        let mut seen = HashSet::new();
        for number in 0..100_000_u32 {
            let text = number.to_string();
            assert!(seen.insert(key.hash(&["GET", &text])), "{number}");
            assert!(seen.insert(key.hash(&[&text, "GET"])), "{number}");
        }
        let shifted = [["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"]];
        for labels in shifted {
            assert!(seen.insert(key.hash(&labels)), "{labels:?}");
        }
        // They spread over the shards as evenly as over all else.
        let low = seen.iter().filter(|hash| *hash % 64 == 0).count();
        assert!((2_800..3_450).contains(&low), "{low}");
    }

    #[test]
    fn each_process_has_its_own() {
        assert_ne!(Key::random().hash(&["a"]), Key::random().hash(&["a"]));
    }
}
