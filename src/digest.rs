//! Digests that stand for lists of parts: keys that say nothing a client wrote and never meet by
//! accident.

use openssl::sha::Sha256;

/// How many bytes a digest keeps of SHA-256: two of 2^40 keys meet with a chance below 2^-48.
pub const DIGEST_BYTES: usize = 16;

/// A digest that differs whenever the list of parts does: each part is preceded by its length, so
/// no two lists run together.
pub fn digest(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; DIGEST_BYTES] {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    kept(hash)
}

/// The first bytes of a finished hash.
pub fn kept<const BYTES: usize>(hash: Sha256) -> [u8; BYTES] {
    let whole = hash.finish();
    let mut kept = [0; BYTES];
    for (to, from) in kept.iter_mut().zip(whole) {
        *to = from;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_do_not_run_together() {
        assert_ne!(digest(["a", "bc"]), digest(["ab", "c"]));
        assert_ne!(digest(["a"]), digest(["a", ""]));
        assert_eq!(digest(["a", "bc"]), digest(["a", "bc"]));
    }
}
