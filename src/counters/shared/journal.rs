//! The journal of quotas: what a replica has used of them out of touch, and the report that is not
//! yet answered, in one file that outlives the process.
//!
//! A record is handed to the system before what it is about happens, so that it survives the
//! process; it is on the disk [`COMMIT`] later, so that it survives the machine. What is settled
//! is dropped when the file is written anew: at a start, and when it has grown.
//!
//! Beside it lies a [`snapshot`] of what all replicas together have used, as far as this one knows.

mod record;
pub(super) mod snapshot;
pub mod shelf;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::limit::engine::quota::Record;
use crate::limit::order::{Ledger, Meter, Span};

/// How long what was written may be missing on the disk.
pub(super) const COMMIT: Duration = Duration::from_millis(50);

/// The size from which on the file is written anew, if that makes it less than half as large.
const BYTES_MAX: u64 = 8 << 20;

/// The largest file that is read at a start.
const READ_BYTES_MAX: u64 = 64 << 20;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
#[error("the journal of quotas {} cannot be used: {error}", path.display())]
pub struct NoJournal {
    path: PathBuf,
    error: io::Error,
}

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    state: Mutex<State>,
    /// Rung when something was written.
    pub(super) written: Notify,
}

#[derive(Debug)]
struct State {
    file: File,
    bytes: u64,
    live: Live,
    is_committed: bool,
    /// What went wrong with it, if it did.
    fault: Option<String>,
    /// Kept so that nothing is allocated for each record.
    buffer: Vec<u8>,
}

/// What is not settled.
#[derive(Debug, Default)]
struct Live {
    /// By lane and desk.
    sent: BTreeMap<(u16, u32), Ledger>,
    used: HashMap<(u16, Meter, Span), u64>,
}

impl Journal {
    /// The journal in `folder`, and what was written there and is not settled, each record with
    /// its lane. No other process may use it at the same time.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<(u16, Record)>), NoJournal> {
        let path = folder.join("quotas.journal");
        let opened = Self::try_open(&path);
        opened.map_err(|error| NoJournal { path, error })
    }

    fn try_open(path: &Path) -> io::Result<(Self, Vec<(u16, Record)>)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        lock(&file)?;
        let mut bytes = Vec::new();
        (&file).take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
        let (mut live, mut rest) = (Live::default(), bytes.as_slice());
        while let Some((lane, record, after)) = record::read(rest) {
            live.note(lane, record);
            rest = after;
        }
        if !rest.is_empty() {
            let lost = rest.len();
            tracing::warn!(
                "the journal of quotas {} ends with {lost} bytes that are no whole record, as \
                 after a loss of power; they are left out",
                path.display()
            );
        }
        let records = live.records();
        let (file, bytes) = rewrite(path, &live)?;
        let is_committed = true;
        let (fault, buffer) = (None, Vec::new());
        let state = State { file, bytes, live, is_committed, fault, buffer };
        let (path, written) = (path.to_owned(), Notify::new());
        Ok((Self { path, state: Mutex::new(state), written }, records))
    }

    /// Writes `record` of `lane` down.
    pub(super) fn write(&self, lane: u16, record: Record) {
        let mut state = self.state();
        let was_committed = std::mem::replace(&mut state.is_committed, false);
        if let Err(error) = state.write(&self.path, lane, record)
            && state.fault.is_none()
        {
            tracing::error!(
                "the journal of quotas {} cannot be written: {error}. What is used of quotas \
                 while Redis is out of touch is lost if this process ends before that is over",
                self.path.display()
            );
            state.fault = Some(error.to_string());
        }
        drop(state);
        if was_committed {
            self.written.notify_one();
        }
    }

    /// Sees to it that all that was written is on the disk. It takes as long as the disk does.
    pub(super) fn commit(&self) {
        let file = {
            let mut state = self.state();
            state.is_committed = true;
            state.file.try_clone()
        };
        // Nobody waits at the lock while the disk works.
        if let Err(error) = file.and_then(|file| file.sync_data()) {
            self.state().fault.get_or_insert_with(|| error.to_string());
        }
    }

    /// What is wrong with it, and how many bytes it has.
    pub(super) fn condition(&self) -> (Option<String>, u64) {
        let state = self.state();
        (state.fault.clone(), state.bytes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, path: &Path, lane: u16, record: Record) -> io::Result<()> {
        self.buffer.clear();
        record::write(&mut self.buffer, lane, &record);
        self.live.note(lane, record);
        self.file.write_all(&self.buffer)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(self.buffer.len()).unwrap_or(0));
        self.fault = None;
        if BYTES_MAX < self.bytes && self.live.bytes() < self.bytes / 2 {
            (self.file, self.bytes) = rewrite(path, &self.live)?;
        }
        Ok(())
    }
}

impl Live {
    fn note(&mut self, lane: u16, record: Record) {
        match record {
            Record::Sent(ledger) => {
                self.sent.insert((lane, ledger.session.desk), ledger);
            }
            Record::Done { session, seq } => {
                let place = (lane, session.desk);
                let known = self.sent.get(&place);
                if known.is_some_and(|known| known.session == session && known.seq <= seq) {
                    self.sent.remove(&place);
                }
            }
            Record::Used { meter, span, amount: 0 } => {
                self.used.remove(&(lane, meter, span));
            }
            Record::Used { meter, span, amount } => {
                self.used.insert((lane, meter, span), amount);
            }
        }
    }

    fn records(&self) -> Vec<(u16, Record)> {
        let sent = self.sent.iter();
        let sent = sent.map(|((lane, _), ledger)| (*lane, Record::Sent(ledger.clone())));
        let used = self.used.iter().map(|((lane, meter, span), amount)| {
            (*lane, Record::Used { meter: *meter, span: *span, amount: *amount })
        });
        sent.chain(used).collect()
    }

    /// About how large a file with all of it is, at most.
    fn bytes(&self) -> u64 {
        let entries = self.sent.values().map(|ledger| ledger.entries.len().saturating_add(1));
        let entries = entries.sum::<usize>().saturating_add(self.used.len());
        u64::try_from(entries).unwrap_or(u64::MAX).saturating_mul(88)
    }
}

/// A new file at `path` with `live` in it, and how long it is. It takes the place of the old one
/// when it is whole.
fn rewrite(path: &Path, live: &Live) -> io::Result<(File, u64)> {
    let mut bytes = Vec::new();
    for (lane, record) in live.records() {
        record::write(&mut bytes, lane, &record);
    }
    let fresh = path.with_extension("journal.new");
    let mut file = OpenOptions::new().create(true).append(true).open(&fresh)?;
    lock(&file)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(folder) = path.parent() {
        // That the name leads to it must survive too.
        File::open(folder)?.sync_all()?;
    }
    Ok((file, u64::try_from(bytes.len()).unwrap_or(0)))
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::Error(error) => error,
        fs::TryLockError::WouldBlock => {
            io::Error::new(ErrorKind::ResourceBusy, "another process uses it")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::record::tests::{done, sent, used};
    use super::*;

    fn reopened(folder: &Path) -> Vec<(u16, Record)> {
        Journal::open(folder).unwrap().1
    }

    #[test]
    fn what_is_not_settled_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, before) = Journal::open(folder.path()).unwrap();
        assert!(before.is_empty());
        let (first, second) = (sent(0, 1, 2), sent(0, 2, 1));
        for record in [&first, &done(&first), &second, &used("a", 3), &used("b", 4)] {
            journal.write(0, record.clone());
        }
        journal.write(1, used("a", 5));
        journal.write(0, used("b", 0));
        // That of an earlier report says nothing about the later one.
        journal.write(0, done(&first));
        journal.commit();
        drop(journal);
        for _ in 0..2 {
            let mut found = reopened(folder.path());
            found.sort_by_key(|(lane, _)| *lane);
            let expected = [(0, second.clone()), (0, used("a", 3)), (1, used("a", 5))];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_record_that_was_cut_off_is_left_out_and_those_after_it_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        journal.write(0, used("a", 1));
        journal.write(0, used("b", 2));
        drop(journal);
        let path = folder.path().join("quotas.journal");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        drop(file);
        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, [(0, used("a", 1))]);
        journal.write(0, used("c", 3));
        drop(journal);
        assert_eq!(reopened(folder.path()).len(), 2);
    }

    #[test]
    fn a_journal_that_has_grown_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        let records = usize::try_from(BYTES_MAX).unwrap() / 50;
        for amount in 1..=records {
            journal.write(0, used("a", amount.try_into().unwrap()));
        }
        let (fault, bytes) = journal.condition();
        assert_eq!(fault, None);
        assert!(bytes < BYTES_MAX / 2, "{bytes}");
        drop(journal);
        assert_eq!(reopened(folder.path()), [(0, used("a", records.try_into().unwrap()))]);
    }

    #[test]
    fn nobody_else_may_use_it() {
        let folder = tempfile::tempdir().unwrap();
        let (_journal, _) = Journal::open(folder.path()).unwrap();
        let error = Journal::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another process uses it"), "{error}");
        let missing = Journal::open(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("quotas.journal"), "{missing}");
    }
}
