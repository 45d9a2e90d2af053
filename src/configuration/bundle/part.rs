//! A bundle in parts, each of which is told by what is in it: what two bundles have in common are
//! the same parts, so that of a big configuration in which one file changes, one part is new.
//!
//! Where a part ends is said by the names in it, and not by how many came before: what is added or
//! removed moves no other border but its own.

use std::sync::Arc;

use super::digest::Digest;
use super::pack::{pack, unpack};
use super::{BYTES_MAX, Bundle, ENTRIES_MAX, Entry, Unsound};

/// Into about how many parts a bundle of many entries is cut, bytes not counted.
const PARTS: usize = 256;
/// A part of fewer bytes is not worth a place of its own ...
const PART_BYTES_MIN: usize = 4 << 10;
/// ... and from so many on it ends, whatever comes next.
const PART_BYTES: usize = 256 << 10;
/// The most parts that a bundle has: no part but the last is smaller than a quarter of what it
/// would be on the average, or it has [`PART_BYTES`].
pub const PARTS_MAX: usize = PARTS * 4 + BYTES_MAX / PART_BYTES + 1;

/// Some entries of a bundle, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    entries: &'a [Arc<Entry>],
}

impl Bundle {
    /// Its parts, in order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        // A power of two, so that most borders stay when the number of entries grows.
        let usual = self.entries.len().div_ceil(PARTS).next_power_of_two();
        let mask = u64::try_from(usual.saturating_sub(1)).unwrap_or(u64::MAX);
        let (mut parts, mut rest) = (Vec::new(), self.entries.as_slice());
        let (mut count, mut bytes) = (0_usize, 0_usize);
        for entry in &self.entries {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(entry.bytes());
            let is_worth_it = PART_BYTES_MIN <= bytes && usual <= count.saturating_mul(4);
            let is_border = is_worth_it && spread(entry) & mask == 0;
            if (is_border || PART_BYTES <= bytes)
                && let Some((entries, later)) = rest.split_at_checked(count)
            {
                parts.push(Part { entries });
                (rest, count, bytes) = (later, 0, 0);
            }
        }
        if !rest.is_empty() {
            parts.push(Part { entries: rest });
        }
        parts
    }
}

impl<'a> Part<'a> {
    /// What tells it from every other part.
    pub fn digest(&self) -> Digest {
        Digest::of_entries(self.entries)
    }

    /// What is in it.
    pub const fn entries(&self) -> &'a [Arc<Entry>] {
        self.entries
    }

    /// As bytes.
    pub fn pack(&self) -> Result<Vec<u8>, Unsound> {
        pack(self.entries).map_err(|_never| Unsound::TooLarge)
    }
}

/// A bundle that is put together of parts.
#[derive(Debug, Default)]
pub struct Assembly {
    entries: Vec<Arc<Entry>>,
    bytes: usize,
}

impl Assembly {
    /// Adds a part that is in hand.
    pub fn add(&mut self, entries: &[Arc<Entry>]) -> Result<(), Unsound> {
        let bytes =
            entries.iter().map(|entry| entry.bytes()).fold(self.bytes, usize::saturating_add);
        let count = self.entries.len().saturating_add(entries.len());
        if BYTES_MAX < bytes || ENTRIES_MAX < count {
            return Err(Unsound::TooLarge);
        }
        self.bytes = bytes;
        self.entries.extend_from_slice(entries);
        Ok(())
    }

    /// Adds the part of this digest that [`Part::pack`] made bytes of.
    pub fn unpack(&mut self, digest: &Digest, packed: &[u8]) -> Result<(), Unsound> {
        let entries = unpack(packed)?;
        if Digest::of_entries(&entries) != *digest {
            return Err(Unsound::Damaged);
        }
        self.add(&entries)
    }

    /// The bundle.
    pub fn finish(self) -> Result<Bundle, Unsound> {
        Bundle::sorted(self.entries)
    }
}

/// A number that the name of an entry alone says, as likely to be one as another.
fn spread(entry: &Entry) -> u64 {
    // FNV-1a, and its high bits on top of the low ones, which differ least.
    let hash = entry.name().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Kind;
    use super::*;

    fn bundle(count: usize, text: impl Fn(usize) -> String) -> Bundle {
        let entry = |number: usize| {
            let name = format!("apis/{:03}/api-{number:05}.yaml", number / 100);
            Arc::new(Entry::new(Kind::Document, Arc::from(name), Arc::from(text(number))))
        };
        Bundle::of((0..count).map(entry)).unwrap()
    }

    fn digests(bundle: &Bundle) -> BTreeSet<Digest> {
        bundle.parts().iter().map(Part::digest).collect()
    }

    fn again(bundle: &Bundle) -> Bundle {
        let mut assembly = Assembly::default();
        for part in bundle.parts() {
            assembly.unpack(&part.digest(), &part.pack().unwrap()).unwrap();
        }
        assembly.finish().unwrap()
    }

    #[test]
    fn parts_put_together_are_the_bundle() {
        for count in [0, 1, 2, 255, 256, 257, 1_000, 20_000] {
            let bundle = bundle(count, |number| format!("text of {number}").repeat(40));
            assert_eq!(again(&bundle), bundle);
            let parts = bundle.parts().len();
            assert!(parts <= PARTS * 4 + 1, "{count} entries: {parts}");
            assert!(count < 1_000 || PARTS / 4 < parts, "{count} entries: {parts}");
        }
    }

    #[test]
    fn one_file_more_or_less_or_changed_is_a_part_or_two() {
        let text = |number: usize| "x".repeat(number % 5_000);
        let before = bundle(12_000, text);
        let old = digests(&before);
        let changed =
            bundle(12_000, |number| if number == 5_005 { "y".into() } else { text(number) });
        assert_eq!(digests(&changed).difference(&old).count(), 1);
        for at in [0, 77, 6_000, 11_999] {
            let mut entries = before.entries().to_vec();
            entries.remove(at);
            let fewer = Bundle::of(entries).unwrap();
            let new = digests(&fewer).difference(&old).count();
            assert!(new <= 3, "{new} parts are new without entry {at}");
        }
    }

    #[test]
    fn large_texts_are_parts_of_their_own() {
        let bundle = bundle(40, |_number| "x".repeat(PART_BYTES));
        assert_eq!(bundle.parts().len(), 40);
        assert_eq!(again(&bundle), bundle);
    }

    #[test]
    fn what_is_not_the_part_that_was_asked_for_is_refused() {
        let (one, other) = (bundle(3, |_| "one".into()), bundle(3, |_| "other".into()));
        let (one, other) = (one.parts()[0], other.parts()[0]);
        let packed = other.pack().unwrap();
        let mut assembly = Assembly::default();
        assert_eq!(assembly.unpack(&one.digest(), &packed), Err(Unsound::Damaged));
        let cut = &packed[..packed.len() - 3];
        assert_eq!(assembly.unpack(&other.digest(), cut), Err(Unsound::Damaged));
        assembly.unpack(&other.digest(), &packed).unwrap();
        assembly.unpack(&other.digest(), &packed).unwrap();
        assert_eq!(assembly.finish(), Err(Unsound::Order));
    }
}
