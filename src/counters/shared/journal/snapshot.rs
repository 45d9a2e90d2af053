//! The copy of the totals of quotas outside of Redis: what a replica knows of them, written every
//! minute, so that a Redis that lost its data is told how much was used even if no replica lives
//! that has seen it.
//!
//! The file is written whole and takes the place of the one before: a mark, the version of the
//! format, of which Redis it is, how many totals there are, the totals, and a check sum over all of
//! it; numbers are little-endian. It lies beside the journal, whose lock keeps others away from it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::counters::shared::KEYS_MAX;
use crate::counters::shared::journal::record::{self, Reader, check_sum};
use crate::digest::{DIGEST_BYTES, digest};
use crate::limit::engine::quota::Total;
use crate::time::Timestamp;

/// What the file begins with.
const MARK: [u8; 8] = *b"weir-qts";

/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// How long everything before the totals is.
const HEAD_BYTES: usize = 36;

/// How long a total is: 16 bytes of its key and five numbers.
const TOTAL_BYTES: usize = 56;

/// How long the check sum is.
const SUM_BYTES: usize = 4;

/// The largest file: no replica holds more counters than so many.
const BYTES_MAX: usize = HEAD_BYTES + KEYS_MAX * TOTAL_BYTES + SUM_BYTES;

/// Of which Redis it is: a digest of what its keys begin with.
pub(in crate::counters::shared) type Origin = [u8; DIGEST_BYTES];

/// The origin of quotas whose keys in Redis begin with `prefix`.
pub(in crate::counters::shared) fn origin_of(prefix: &str) -> Origin {
    digest(["origin", prefix])
}

/// The copy.
#[derive(Debug)]
pub(in crate::counters::shared) struct Snapshot {
    path: PathBuf,
    origin: Origin,
    /// Held while it is written, so that none is replaced by an older one.
    writing: Mutex<()>,
    /// What went wrong with it, if it did.
    fault: Mutex<Option<String>>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(in crate::counters::shared) enum Unusable {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is larger than any that Weir writes")]
    TooLarge,
    #[error("it was not written by Weir")]
    Foreign,
    #[error("it has version {0} of the format, and this Weir reads version {VERSION}")]
    Version(u32),
    #[error("it is of another `redis.prefix`")]
    Origin,
    #[error("it is damaged")]
    Damaged,
}

impl Snapshot {
    /// The copy in `folder`, of quotas whose keys in Redis begin with `prefix`, and what it says. A
    /// file that cannot be used is set aside, which is logged; then it says nothing.
    pub(in crate::counters::shared) fn open(
        folder: &Path,
        prefix: &str,
        now: Timestamp,
    ) -> (Self, Vec<Total>) {
        let (path, origin) = (folder.join("quotas.snapshot"), origin_of(prefix));
        let totals = read_file(&path, origin).unwrap_or_else(|unusable| {
            set_aside(&path, &unusable, now);
            Vec::new()
        });
        let (writing, fault) = (Mutex::default(), Mutex::default());
        (Self { path, origin, writing, fault }, totals)
    }

    /// Writes what `collect` finds. It takes as long as the disk does.
    pub(in crate::counters::shared) fn write(&self, collect: impl FnOnce() -> Vec<Total>) {
        let writing = held(&self.writing);
        let written = replace(&self.path, &encode(self.origin, &collect()));
        drop(writing);
        let mut fault = held(&self.fault);
        if let Err(error) = &written
            && fault.is_none()
        {
            tracing::error!(
                "the copy of the totals of quotas {} cannot be written: {error}. What was used of \
                 quotas since the last one is lost if Redis loses its data while no replica runs",
                self.path.display()
            );
        }
        *fault = written.err().map(|error| error.to_string());
    }

    /// What is wrong with it.
    pub(in crate::counters::shared) fn fault(&self) -> Option<String> {
        held(&self.fault).clone()
    }
}

/// What is behind the lock.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that panics leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_file(path: &Path, origin: Origin) -> Result<Vec<Total>, Unusable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if BYTES_MAX < bytes.len() {
        return Err(Unusable::TooLarge);
    }
    decode(origin, &bytes)
}

/// Puts a file out of the way, and says so.
fn set_aside(path: &Path, unusable: &Unusable, now: Timestamp) {
    let aside = path.with_extension(format!("snapshot.aside-{}", now.micros()));
    let (from, to) = (path.display(), aside.display());
    let lost = "If Redis has lost its data, quotas begin again at what other replicas know of them";
    match fs::rename(path, &aside) {
        Ok(()) => tracing::error!(
            "the copy of the totals of quotas {from} is not used: {unusable}. It is kept as {to}. \
             {lost}"
        ),
        Err(error) => tracing::error!(
            "the copy of the totals of quotas {from} is not used: {unusable}. It cannot be kept as \
             {to} ({error}) and is replaced. {lost}"
        ),
    }
}

/// A new file with `bytes`, which takes the place of the one at `path` when it is on the disk.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("snapshot.new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(folder) = path.parent() {
        // That the name leads to it must survive too.
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// The bytes of a copy.
pub(super) fn encode(origin: Origin, totals: &[Total]) -> Vec<u8> {
    let totals = totals.get(..KEYS_MAX).unwrap_or(totals);
    let size = totals.len().saturating_mul(TOTAL_BYTES);
    let mut bytes = Vec::with_capacity(size.saturating_add(HEAD_BYTES).saturating_add(SUM_BYTES));
    bytes.extend(MARK);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(origin);
    bytes.extend(u64::try_from(totals.len()).unwrap_or(u64::MAX).to_le_bytes());
    for Total { meter, span, total, run } in totals {
        record::meter(&mut bytes, meter, span);
        bytes.extend(total.to_le_bytes());
        bytes.extend(run.to_le_bytes());
    }
    bytes.extend(check_sum(&bytes).to_le_bytes());
    bytes
}

/// The totals in the bytes of a copy.
pub(super) fn decode(origin: Origin, bytes: &[u8]) -> Result<Vec<Total>, Unusable> {
    let mut head = Reader(bytes);
    if head.take() != Some(MARK) {
        return Err(Unusable::Foreign);
    }
    let version = u32::from_le_bytes(head.take().ok_or(Unusable::Damaged)?);
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    let (body, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or(Unusable::Damaged)?;
    if check_sum(body) != u32::from_le_bytes(*sum) {
        return Err(Unusable::Damaged);
    }
    if head.take() != Some(origin) {
        return Err(Unusable::Origin);
    }
    let mut totals = Reader(body.get(HEAD_BYTES..).ok_or(Unusable::Damaged)?);
    let count = head.number().ok_or(Unusable::Damaged)?;
    (0..count).map(|_| totals.total().ok_or(Unusable::Damaged)).collect()
}

impl Reader<'_> {
    fn total(&mut self) -> Option<Total> {
        let (meter, span) = self.meter()?;
        Some(Total { meter, span, total: self.number()?, run: self.number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::shared::journal::record::tests::used;
    use crate::limit::engine::quota::Record;
    use proptest::prelude::*;

    const PREFIX: &str = "weir:";

    fn total(key: &str, total: u64) -> Total {
        let Record::Used { meter, span, .. } = used(key, 0) else { panic!("it was used") };
        Total { meter, span, total, run: 77 }
    }

    fn origin() -> Origin {
        origin_of(PREFIX)
    }

    fn in_folder(folder: &Path, prefix: &str) -> Vec<Total> {
        Snapshot::open(folder, prefix, Timestamp::from_micros(9)).1
    }

    #[test]
    fn what_was_written_is_found_again_and_replaces_what_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let (snapshot, before) = Snapshot::open(folder.path(), PREFIX, Timestamp::default());
        assert_eq!(before, []);
        for totals in [vec![total("a", 1), total("b", u64::MAX)], vec![total("a", 2)], Vec::new()] {
            snapshot.write(|| totals.clone());
            assert_eq!(in_folder(folder.path(), PREFIX), totals);
        }
        assert_eq!(snapshot.fault(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_set_aside_and_kept() {
        let whole = encode(origin(), &[total("a", 1)]);
        let mut later = whole.clone();
        later[8] = 2;
        let cut = &whole[..whole.len() - 1];
        for (bytes, prefix, why) in [
            (&b"something else"[..], PREFIX, "not written by Weir"),
            (&later, PREFIX, "version 2 of the format, and this Weir reads version 1"),
            (&whole, "other:", "another `redis.prefix`"),
            (cut, PREFIX, "damaged"),
            (b"", PREFIX, "not written by Weir"),
        ] {
            let told = decode(origin_of(prefix), bytes).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("quotas.snapshot");
            fs::write(&path, bytes).unwrap();
            let (snapshot, found) =
                Snapshot::open(folder.path(), prefix, Timestamp::from_micros(9));
            assert_eq!(found, []);
            assert_eq!(fs::read(folder.path().join("quotas.snapshot.aside-9")).unwrap(), bytes);
            snapshot.write(|| vec![total("b", 2)]);
            assert_eq!(in_folder(folder.path(), prefix), [total("b", 2)]);
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotas.snapshot");
        let most = u64::try_from(BYTES_MAX).unwrap();
        let file = File::create(&path).unwrap();
        for (length, is_too_large) in [(most, false), (most + 1, true)] {
            file.set_len(length).unwrap();
            let why = read_file(&path, origin()).unwrap_err();
            assert_eq!(matches!(why, Unusable::TooLarge), is_too_large, "{why}");
        }
        let totals = [total("a", 1), total("b", 2)];
        assert_eq!(encode(origin(), &totals).len(), HEAD_BYTES + 2 * TOTAL_BYTES + SUM_BYTES);
    }

    #[test]
    fn a_folder_that_is_gone_is_a_fault_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep");
        let (snapshot, _) = Snapshot::open(&deep, PREFIX, Timestamp::default());
        snapshot.write(Vec::new);
        assert!(snapshot.fault().is_some());
        fs::create_dir(&deep).unwrap();
        snapshot.write(Vec::new);
        assert_eq!(snapshot.fault(), None);
    }

    proptest! {
        #[test]
        fn a_copy_that_is_cut_or_changed_says_nothing(at in 0_usize..1_000, change in 1_u8..) {
            let mut bytes = encode(origin(), &[total("a", 1), total("b", 2)]);
            let at = at % bytes.len();
            prop_assert!(decode(origin(), &bytes[..at]).is_err());
            bytes[at] ^= change;
            prop_assert!(decode(origin(), &bytes).is_err());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(origin(), &bytes);
            let marked = [&MARK[..], &VERSION.to_le_bytes(), &bytes].concat();
            let sum = check_sum(&marked).to_le_bytes();
            let _ = decode(origin(), &[&marked[..], &sum].concat());
        }
    }
}
