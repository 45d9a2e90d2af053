//! Digests that stand for lists of parts: keys that say nothing a client wrote and never meet by
//! accident.

/// How many bytes a digest keeps of BLAKE3: two of 2^40 keys meet with a chance below 2^-48.
pub const DIGEST_BYTES: usize = 16;

/// A digest that differs whenever the list of parts does: each part is preceded by its length, so
/// no two lists run together.
pub fn digest(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; DIGEST_BYTES] {
    beginning(&whole_digest(parts))
}

/// The same as a number, where only a number is taken.
pub fn number(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> u64 {
    u64::from_le_bytes(beginning(&whole_digest(parts)))
}

/// All of it, which is also a key for other digests.
pub fn whole_digest(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; blake3::KEY_LEN] {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        let part = part.as_ref();
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The first bytes of a whole digest.
pub fn beginning<const BYTES: usize>(whole: &[u8; blake3::OUT_LEN]) -> [u8; BYTES] {
    let mut kept = [0; BYTES];
    for (to, from) in kept.iter_mut().zip(whole) {
        *to = *from;
    }
    kept
}

/// By how much the states of `SplitMix64` differ from one number to the next.
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that `SplitMix64` makes in this state: it shows nothing of `state`, and each bit of that
/// changes half of it. No secret is safe behind it.
pub const fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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
