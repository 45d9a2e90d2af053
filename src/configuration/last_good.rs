//! Copies of configurations that have proved themselves, on disk: what a gateway starts from when
//! there is nothing else.
//!
//! A ring of [`SLOTS`] files, each sealed by itself (AES-256-GCM, see [`seal`]) and written whole
//! or not at all. A slot that cannot be used is refused with its reason; nothing but a new copy
//! ever takes its place, and no other slot suffers. Beside the ring stands a mark: the generation
//! that was served last, so that a restart never goes back behind it; and what a control plane has
//! switched off.

mod key;
mod seal;
mod file;
pub mod soak;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bundle::{Bundle, Digest, PACKED_BYTES_MAX, Unsound};
use super::generation::Generation;
use crate::digest::{beginning, whole_digest};
use crate::time::Timestamp;

pub use key::{Key, KeyError, KeyFile, SECRET_BYTES_MIN};
use seal::{Header, Kind, OVERHEAD_BYTES_MAX, Sealed};

/// How many copies are kept.
pub const SLOTS: usize = 3;
/// The largest file of a copy, in bytes.
const FILE_BYTES_MAX: usize = PACKED_BYTES_MAX + OVERHEAD_BYTES_MAX;

/// The copies of one gateway.
#[derive(Debug)]
pub struct LastGood {
    folder: PathBuf,
    /// Whose copies these are: those of another gateway are refused.
    owner: Arc<str>,
    /// Begins the names of the files, so that gateways may share a folder.
    tag: String,
    /// What copies are sealed with.
    key: Key,
    /// What they may be sealed with still.
    former: Option<Key>,
}

/// What stands in the ring, by what the slots say of themselves.
#[derive(Debug, Default)]
pub struct Ring {
    /// Copies that are not damaged, newest first. Only [`LastGood::open`] knows whether their seal
    /// is right.
    pub copies: Vec<Copy>,
    /// Slots that cannot be used, and why.
    pub refused: Vec<(PathBuf, Unusable)>,
}

/// A copy, as its slot describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copy {
    /// Which configuration.
    pub generation: Generation,
    /// Its digest.
    pub digest: Digest,
    /// When it had earned its place.
    pub kept: Timestamp,
    /// How many of ten thousand requests failed by the gateway's own making while it earned it.
    pub failures: u16,
    slot: usize,
}

/// The configuration that was served last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Served {
    /// Which.
    pub generation: Generation,
    /// Its digest.
    pub digest: Digest,
}

/// What became of a copy that was to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It was written.
    Written,
    /// It is there already.
    Already,
    /// The ring is full of newer ones.
    Older,
}

/// Why a slot cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// The disk does not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// Something else.
    #[error("this is no copy of a configuration")]
    NotOurs,
    /// Of a version to come.
    #[error("a later version of Weir wrote it")]
    Later,
    /// Not as it was written.
    #[error("it is damaged: its checksum is wrong")]
    Damaged,
    /// Another gateway's.
    #[error("it belongs to another gateway: {0}")]
    Foreign(Arc<str>),
    /// Another key's.
    #[error("it is sealed with another key")]
    OtherKey,
    /// Somebody made it who does not have the key.
    #[error("its seal is wrong, though its checksum is right: somebody has changed it")]
    Forged,
    /// What was sealed is no configuration.
    #[error("{0}")]
    Unsound(#[from] Unsound),
    /// What was sealed is another configuration.
    #[error("what it holds is not the configuration that it names")]
    OtherContent,
}

/// Why a copy was not kept.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The disk.
    #[error("{}: {error}", path.display())]
    Disk {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Too large a configuration.
    #[error("{0}")]
    Unsound(#[from] Unsound),
    /// Random numbers or ciphers.
    #[error("it cannot be sealed: {0}")]
    Seal(#[from] openssl::error::ErrorStack),
}

impl LastGood {
    /// The copies of `owner` in `folder`, which need not exist, sealed with `key`. `owner` is any
    /// text that is the same after a restart and another one for every other gateway.
    pub fn new(folder: impl Into<PathBuf>, owner: &str, key: Key) -> Self {
        let tag = format!("{:016x}", u64::from_be_bytes(beginning(&whole_digest([owner]))));
        Self { folder: folder.into(), owner: Arc::from(owner), tag, key, former: None }
    }

    /// What stands in the ring. Reads every slot to its end.
    pub fn ring(&self) -> Ring {
        let mut ring = Ring::default();
        for slot in 0..SLOTS {
            match self.describe(slot) {
                Ok(Some(copy)) => ring.copies.push(copy),
                Ok(None) => (),
                Err(why) => ring.refused.push((self.path(slot), why)),
            }
        }
        ring.copies.sort_by_key(|copy| std::cmp::Reverse((copy.generation, copy.kept)));
        ring
    }

    /// The configuration of `copy`.
    pub fn open(&self, copy: &Copy) -> Result<Bundle, Unusable> {
        let bytes = file::read(&self.path(copy.slot), FILE_BYTES_MAX)
            .map_err(|error| Unusable::Unreadable(error.kind()))?;
        let sealed = Sealed::read(&bytes)?;
        let packed = self.unsealed(&sealed, Kind::Copy)?;
        let bundle = Bundle::unpack(&packed)?;
        let is_named = sealed.header.generation == copy.generation
            && sealed.header.digest == copy.digest
            && *bundle.digest() == copy.digest;
        if is_named { Ok(bundle) } else { Err(Unusable::OtherContent) }
    }

    /// Keeps a copy of `bundle`, in the place of one of the same content, of a slot that cannot be
    /// used, or of the oldest copy. `failures` is as [`Copy::failures`].
    pub fn keep(
        &self,
        generation: Generation,
        bundle: &Bundle,
        kept: Timestamp,
        failures: u16,
    ) -> Result<Kept, Failed> {
        let ring = self.ring();
        let digest = *bundle.digest();
        let same = ring.copies.iter().find(|copy| copy.digest == digest);
        let slot = match same {
            Some(copy) if generation <= copy.generation => return Ok(Kept::Already),
            Some(copy) => copy.slot,
            None => match ring.room(generation) {
                Some(slot) => slot,
                None => return Ok(Kept::Older),
            },
        };
        let header = Header {
            kind: Kind::Copy,
            owner: Arc::clone(&self.owner),
            generation,
            digest,
            kept,
            failures,
        };
        self.write(&self.path(slot), &header, &bundle.pack()?)?;
        Ok(Kept::Written)
    }

    /// Notes that `served` is served since `now`.
    pub fn mark(&self, served: Served, now: Timestamp) -> Result<(), Failed> {
        let Served { generation, digest } = served;
        let owner = Arc::clone(&self.owner);
        let header = Header { kind: Kind::Mark, owner, generation, digest, kept: now, failures: 0 };
        self.write(&self.mark_path(), &header, &[])
    }

    /// What was served last: the mark; where that cannot be used, the newest of the ring.
    pub fn served(&self) -> Result<Option<Served>, (PathBuf, Unusable)> {
        let path = self.mark_path();
        let read = match file::read(&path, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Unusable::Unreadable(error.kind())),
            Ok(bytes) => Sealed::read(&bytes).and_then(|sealed| {
                self.unsealed(&sealed, Kind::Mark)?;
                let Header { generation, digest, .. } = sealed.header;
                Ok(Some(Served { generation, digest }))
            }),
        };
        read.map_err(|why| (path, why))
    }

    /// Keeps `orders`, what a control plane has switched off.
    pub fn keep_orders(&self, orders: &[u8], now: Timestamp) -> Result<(), Failed> {
        let header = Header {
            kind: Kind::Orders,
            owner: Arc::clone(&self.owner),
            generation: Generation::NONE,
            digest: Digest::of_nothing(),
            kept: now,
            failures: 0,
        };
        self.write(&self.orders_path(), &header, orders)
    }

    /// What [`keep_orders`](Self::keep_orders) kept last; nothing if it never did.
    pub fn orders(&self) -> Result<Option<Vec<u8>>, (PathBuf, Unusable)> {
        let path = self.orders_path();
        let read = match file::read(&path, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Unusable::Unreadable(error.kind())),
            Ok(bytes) => Sealed::read(&bytes)
                .and_then(|sealed| self.unsealed(&sealed, Kind::Orders))
                .map(Some),
        };
        read.map_err(|why| (path, why))
    }

    /// Seals with `key` from now on, and every copy that is whole anew; returns how many were.
    /// Those that fail stay as they are and are read with the former key as long as this lasts.
    pub fn rekey(&mut self, key: Key) -> Result<usize, Failed> {
        if key == self.key {
            return Ok(0);
        }
        let former = std::mem::replace(&mut self.key, key);
        self.former = Some(former);
        let mut sealed_anew = 0_usize;
        let paths = (0..SLOTS).map(|slot| (self.path(slot), Kind::Copy));
        let beside = [(self.mark_path(), Kind::Mark), (self.orders_path(), Kind::Orders)];
        for (path, kind) in paths.chain(beside) {
            let Ok(bytes) = file::read(&path, FILE_BYTES_MAX) else { continue };
            let Ok(sealed) = Sealed::read(&bytes) else { continue };
            if let Ok(payload) = self.unsealed(&sealed, kind) {
                self.write(&path, &sealed.header, &payload)?;
                sealed_anew = sealed_anew.saturating_add(1);
            }
        }
        Ok(sealed_anew)
    }

    /// Where the copies are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is sealed, if it is ours, of that kind, and as it was when it was sealed.
    fn unsealed(&self, sealed: &Sealed<'_>, kind: Kind) -> Result<Vec<u8>, Unusable> {
        self.judge(&sealed.header, kind)?;
        let keys = [Some(&self.key), self.former.as_ref()];
        let mut right = keys.into_iter().flatten().filter(|key| sealed.is_of(key));
        match right.next() {
            Some(key) => sealed.open(key),
            None => Err(Unusable::OtherKey),
        }
    }

    fn judge(&self, header: &Header, kind: Kind) -> Result<(), Unusable> {
        if header.owner != self.owner {
            return Err(Unusable::Foreign(Arc::clone(&header.owner)));
        }
        if header.kind == kind { Ok(()) } else { Err(Unusable::NotOurs) }
    }

    /// What `slot` says of itself; none if it is empty.
    fn describe(&self, slot: usize) -> Result<Option<Copy>, Unusable> {
        let bytes = match file::read(&self.path(slot), FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unusable::Unreadable(error.kind())),
            Ok(bytes) => bytes,
        };
        let sealed = Sealed::read(&bytes)?;
        self.judge(&sealed.header, Kind::Copy)?;
        let keys = [Some(&self.key), self.former.as_ref()];
        if !keys.into_iter().flatten().any(|key| sealed.is_of(key)) {
            return Err(Unusable::OtherKey);
        }
        let Header { generation, digest, kept, failures, .. } = sealed.header;
        Ok(Some(Copy { generation, digest, kept, failures, slot }))
    }

    fn write(&self, path: &Path, header: &Header, payload: &[u8]) -> Result<(), Failed> {
        let bytes = seal::seal(header, &self.key, payload)?;
        let failed = |error| Failed::Disk { path: path.to_owned(), error };
        file::folder(&self.folder).map_err(failed)?;
        file::write(path, &bytes).map_err(failed)
    }

    fn path(&self, slot: usize) -> PathBuf {
        self.folder.join(format!("{}-{slot}.last-good", self.tag))
    }

    fn orders_path(&self) -> PathBuf {
        self.folder.join(format!("{}.switched-off", self.tag))
    }

    fn mark_path(&self) -> PathBuf {
        self.folder.join(format!("{}.served", self.tag))
    }
}

impl Ring {
    /// Where a copy of `generation` goes: to a slot without a copy, else over the oldest one.
    fn room(&self, generation: Generation) -> Option<usize> {
        let is_free = |slot: &usize| self.copies.iter().all(|copy| copy.slot != *slot);
        let oldest = self.copies.last().filter(|oldest| oldest.generation < generation);
        (0..SLOTS).find(is_free).or_else(|| oldest.map(|oldest| oldest.slot))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Written => "written",
            Self::Already => "there already",
            Self::Older => "older than all that are kept",
        })
    }
}
