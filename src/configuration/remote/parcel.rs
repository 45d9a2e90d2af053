//! A configuration that comes in pieces: no more is taken than was announced, and nothing is used
//! that is not what was announced.

use std::sync::Arc;

use crate::configuration::bundle::{Bundle, Change, Digest, ENTRIES_MAX, PACKED_BYTES_MAX};
use crate::configuration::generation::Generation;
use crate::rpc::PIECE_BYTES;
use crate::rpc::v2::{self, Announcement};

/// How many bytes a digest has.
const DIGEST_BYTES: usize = 32;
/// The most bytes that can be announced.
const BYTES_MAX: usize = PACKED_BYTES_MAX + ENTRIES_MAX * DIGEST_BYTES;

/// A configuration that comes in pieces.
#[derive(Debug)]
pub(super) struct Parcel {
    generation: Generation,
    digest: Digest,
    from: Option<Digest>,
    /// How many bytes of digests come first.
    gone_bytes: usize,
    bytes: Vec<u8>,
    left: usize,
}

/// Why a parcel is of no use.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Useless {
    /// The whole may be of use: what was announced does not fit what we have, or came out wrong.
    Whole,
    /// Nothing else can be expected from there.
    Nonsense(&'static str),
}

impl Parcel {
    /// What comes.
    pub(super) const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The parcel that is announced to somebody who has `held`.
    pub(super) fn begin(
        announced: &Announcement,
        held: Option<&Arc<Bundle>>,
    ) -> Result<Self, Useless> {
        let digest = announced.digest.as_ref().and_then(digest_of);
        let digest = digest.ok_or(Useless::Nonsense("an announcement without a digest"))?;
        let from = match &announced.from {
            None => None,
            Some(from) => Some(digest_of(from).ok_or(Useless::Nonsense("a change of no digest"))?),
        };
        let gone = usize::try_from(announced.gone).unwrap_or(usize::MAX);
        let left = usize::try_from(announced.bytes).unwrap_or(usize::MAX);
        let gone_bytes = gone.saturating_mul(DIGEST_BYTES);
        if ENTRIES_MAX < gone || BYTES_MAX < left || left < gone_bytes {
            return Err(Useless::Nonsense("more than can be a configuration"));
        }
        if from.is_none() && 0 < gone {
            return Err(Useless::Nonsense("a change of nothing"));
        }
        if from.is_some_and(|from| held.is_none_or(|held| *held.digest() != from)) {
            return Err(Useless::Whole);
        }
        let generation = number(announced.generation.as_ref());
        Ok(Self { generation, digest, from, gone_bytes, bytes: Vec::new(), left })
    }

    /// Takes a piece. Memory grows with what came, not with what was announced.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Result<(), Useless> {
        if PIECE_BYTES < piece.len() {
            return Err(Useless::Nonsense("a piece that is too large"));
        }
        let left = self.left.checked_sub(piece.len());
        self.left = left.ok_or(Useless::Nonsense("more than was announced"))?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Whether all has come.
    pub(super) const fn is_whole(&self) -> bool {
        self.left == 0
    }

    /// What it is, for somebody who has `held`. Takes a while.
    pub(super) fn open(
        mut self,
        held: Option<&Bundle>,
    ) -> Result<(Generation, Arc<Bundle>), Useless> {
        let bundle = match (self.from, held) {
            (None, _) => Bundle::unpack(&self.bytes).map_err(|_unsound| Useless::Whole)?,
            (Some(_), None) => return Err(Useless::Whole),
            (Some(from), Some(held)) => {
                let come = self.bytes.split_off(self.gone_bytes.min(self.bytes.len()));
                let gone = self.bytes.chunks(DIGEST_BYTES).filter_map(Digest::from_bytes).collect();
                let change = Change { from, to: self.digest, gone, come };
                held.changed(&change).map_err(|_mismatch| Useless::Whole)?
            }
        };
        if *bundle.digest() != self.digest {
            return Err(Useless::Whole);
        }
        Ok((self.generation, Arc::new(bundle)))
    }
}

/// The generation that is told; none if none is.
pub(super) fn number(told: Option<&v2::Generation>) -> Generation {
    told.map_or(Generation::NONE, |it| Generation { history: it.history, number: it.number })
}

fn digest_of(told: &v2::Digest) -> Option<Digest> {
    Digest::from_bytes(&told.sha256)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::configuration::bundle::{Entry, Kind};

    fn bundle(text: &str) -> Arc<Bundle> {
        let entry = Entry::new(Kind::Document, Arc::from("a.yaml"), Arc::from(text));
        Arc::new(Bundle::of([Arc::new(entry)]).unwrap())
    }

    fn wire(bundle: &Bundle) -> v2::Digest {
        v2::Digest { sha256: Bytes::copy_from_slice(bundle.digest().bytes()) }
    }

    fn length(bytes: &[u8]) -> u64 {
        u64::try_from(bytes.len()).unwrap()
    }

    fn whole(bundle: &Bundle) -> (Announcement, Vec<u8>) {
        let bytes = bundle.pack().unwrap();
        let announced = Announcement {
            generation: Some(v2::Generation { history: 1, number: 7 }),
            digest: Some(wire(bundle)),
            from: None,
            gone: 0,
            bytes: length(&bytes),
            now: false,
        };
        (announced, bytes)
    }

    fn change(older: &Bundle, newer: &Bundle) -> (Announcement, Vec<u8>) {
        let change = newer.since(older).unwrap();
        let mut bytes: Vec<u8> = change.gone.iter().flat_map(|gone| *gone.bytes()).collect();
        bytes.extend(&change.come);
        let announced = Announcement {
            from: Some(wire(older)),
            gone: u32::try_from(change.gone.len()).unwrap(),
            bytes: length(&bytes),
            ..whole(newer).0
        };
        (announced, bytes)
    }

    fn opened(
        (announced, bytes): &(Announcement, Vec<u8>),
        held: Option<&Arc<Bundle>>,
    ) -> Result<(Generation, Arc<Bundle>), Useless> {
        let mut parcel = Parcel::begin(announced, held)?;
        for piece in bytes.chunks(5) {
            parcel.piece(piece)?;
        }
        assert!(parcel.is_whole());
        parcel.open(held.map(|held| &**held))
    }

    #[test]
    fn a_whole_and_a_change_come_out_as_they_were() {
        let (old, new) = (bundle("old: 1"), bundle("new: 1"));
        let (generation, got) = opened(&whole(&new), None).unwrap();
        assert_eq!((generation.number, &got), (7, &new));
        assert_eq!(opened(&change(&old, &new), Some(&old)).unwrap().1, new);
    }

    #[test]
    fn a_change_of_something_else_makes_us_ask_for_the_whole() {
        let (old, new) = (bundle("old: 1"), bundle("new: 1"));
        assert_eq!(opened(&change(&old, &new), Some(&new)).unwrap_err(), Useless::Whole);
        assert_eq!(opened(&change(&old, &new), None).unwrap_err(), Useless::Whole);
    }

    #[test]
    fn what_is_not_what_was_announced_is_not_used() {
        let (old, new) = (bundle("old: 1"), bundle("new: 1"));
        let (announced, mut bytes) = whole(&new);
        let other = Announcement { digest: Some(wire(&old)), ..announced.clone() };
        assert_eq!(opened(&(other, bytes.clone()), None).unwrap_err(), Useless::Whole);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(opened(&(announced, bytes), None).unwrap_err(), Useless::Whole);
    }

    #[test]
    fn no_more_is_taken_than_bounds_allow() {
        let (announced, bytes) = whole(&bundle("a: 1"));
        for wrong in [
            Announcement { bytes: u64::MAX, ..announced.clone() },
            Announcement { gone: u32::MAX, from: announced.digest.clone(), ..announced.clone() },
            Announcement { gone: 1, ..announced.clone() },
            Announcement { digest: None, ..announced.clone() },
            Announcement { from: Some(v2::Digest::default()), ..announced.clone() },
        ] {
            let begun = Parcel::begin(&wrong, None);
            assert!(matches!(begun, Err(Useless::Nonsense(_))), "{wrong:?}");
        }
        let mut parcel = Parcel::begin(&announced, None).unwrap();
        parcel.piece(&bytes).unwrap();
        assert!(matches!(parcel.piece(b"x"), Err(Useless::Nonsense(_))));
        let mut parcel = Parcel::begin(&announced, None).unwrap();
        assert!(parcel.piece(&vec![0; PIECE_BYTES + 1]).is_err());
    }
}
