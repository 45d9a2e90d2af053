//! What a control plane remembers: its generations, in a folder.
//!
//! ```text
//! generations.json    SHA-256 of what follows, in hexadecimal · line end · JSON
//! <digest>.weir       a packed configuration, for each that is remembered
//! switched-off.json   what operators have switched off, see [`switches`](super::switches)
//! lock                held by the process that uses the folder
//! ```
//!
//! Every file is written beside and put in its place, so that a crash leaves the old or the new one.
//! A folder that is damaged is not used: counting from anew would be taken for a newer history, and
//! that is for a person to want.

mod disk;
pub(super) mod sealed;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::configuration::bundle::{Bundle, Digest, PACKED_BYTES_MAX};
use crate::configuration::generation::Generation;
use crate::configuration::history::{Forgotten, Row, Wanted, wanted};
use crate::time::Timestamp;

/// How many former configurations can be gone back to, at least.
pub const FORMER_MIN: usize = 10;
/// How many generations are remembered in all.
const GENERATIONS_MAX: usize = 50;
/// The form of the file.
const FORM: u32 = 1;

const LIST: &str = "generations.json";
const LOCK: &str = "lock";
/// How the files of configurations end.
const ENDING: &str = "weir";
/// The largest list, in bytes.
const LIST_BYTES_MAX: u64 = 1 << 20;

/// What a control plane remembers.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    list: List,
    /// Keeps other processes away for as long as it is open.
    _lock: File,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    form: u32,
    /// When the history began, in milliseconds since the epoch.
    history: u64,
    /// What the folder held when somebody went back: it is not published until it changes.
    held: Option<String>,
    /// Ascending by number.
    generations: Vec<Row>,
}

/// How a generation is published.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// See [`Row::like`].
    pub like: Option<u64>,
    /// See [`Row::now`].
    pub now: bool,
    /// See [`Row::wanted`].
    pub wanted: Option<Wanted>,
}

/// Why a folder cannot be used; the sentence is for operators.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Another process uses it.
    #[error(
        "the state folder {0} is used by another process: give each control plane a folder of its \
         own"
    )]
    Taken(String),
    /// The disk says no.
    #[error("the state folder {folder} cannot be used: {source}")]
    Disk {
        /// The folder.
        folder: String,
        /// Why not.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error(
        "{path} is damaged: {why}. Put a copy of the state folder in its place; without one, remove \
         all of its files, and a new history begins: every gateway takes it for newer"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// In which way.
        why: String,
    },
    /// What is asked for is not remembered.
    #[error(transparent)]
    Forgotten(#[from] Forgotten),
}

impl Ledger {
    /// Opens `folder`, and makes one where there is none, with a history that begins `now`.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Unusable> {
        let disk = |source| Unusable::Disk { folder: folder.display().to_string(), source };
        disk::make_private(folder).map_err(disk)?;
        let lock = disk::lock(&folder.join(LOCK)).map_err(disk)?;
        let lock = lock.ok_or_else(|| Unusable::Taken(folder.display().to_string()))?;
        let path = folder.join(LIST);
        let list = match disk::read(&path, LIST_BYTES_MAX).map_err(disk)? {
            Some(bytes) => List::read(&bytes).map_err(|why| damaged(&path, why))?,
            None if disk::is_empty(folder, ENDING).map_err(disk)? => List {
                form: FORM,
                history: now.micros() / 1_000,
                held: None,
                generations: Vec::new(),
            },
            None => return Err(damaged(&path, "it is missing".to_owned())),
        };
        Ok(Self { folder: folder.to_owned(), list, _lock: lock })
    }

    /// The newest generation and its configuration; none if there is none yet.
    pub fn newest(&self) -> Result<Option<(Generation, Bundle)>, Unusable> {
        let Some(row) = self.list.generations.last() else { return Ok(None) };
        Ok(Some((self.generation(row.number), self.bundle(row)?)))
    }

    /// So many generations from before the newest, that one first which came last, as far as they can
    /// be read.
    pub fn former(&self, count: usize) -> Vec<(Generation, Bundle)> {
        let rows = self.list.generations.iter().rev().skip(1).take(count);
        rows.filter_map(|row| Some((self.generation(row.number), self.bundle(row).ok()?))).collect()
    }

    /// What is remembered, the newest last.
    pub fn rows(&self) -> &[Row] {
        &self.list.generations
    }

    /// The content of the folder that is not published until it changes, if somebody went back.
    pub fn held(&self) -> Option<Digest> {
        Digest::from_hex(self.list.held.as_deref()?)
    }

    /// Remembers `bundle` as the next generation.
    pub fn add(
        &mut self,
        bundle: &Bundle,
        now: Timestamp,
        manner: Manner,
    ) -> Result<Generation, Unusable> {
        self.next(bundle, now, manner, None)
    }

    /// Remembers the content of the generation `number`, or of the one before the newest, as the
    /// next one; what the folder holds, `held`, is not published until it changes.
    pub fn go_back(
        &mut self,
        number: Option<u64>,
        held: Option<Digest>,
        now: Timestamp,
    ) -> Result<(Generation, Bundle, u64), Unusable> {
        let row = wanted(&self.list.generations, number)?.clone();
        let bundle = self.bundle(&row)?;
        let held = held.map(|held| held.to_string());
        // Who goes back does not want to wait for a few to try it.
        let manner = Manner { like: Some(row.number), now: true, wanted: None };
        let generation = self.next(&bundle, now, manner, held)?;
        Ok((generation, bundle, row.number))
    }

    fn next(
        &mut self,
        bundle: &Bundle,
        now: Timestamp,
        manner: Manner,
        held: Option<String>,
    ) -> Result<Generation, Unusable> {
        let newest = self.list.generations.last().map_or(0, |row| row.number);
        let generation = self.generation(newest).next();
        let digest = bundle.digest().to_string();
        let packed = bundle.pack().map_err(|unsound| self.disk(io::Error::other(unsound)))?;
        disk::write(&self.file(&digest), &packed).map_err(|error| self.disk(error))?;
        let mut list = self.list.clone();
        let published = now.micros() / 1_000;
        let (Manner { like, now, wanted }, number) = (manner, generation.number);
        list.generations.push(Row { number, digest, published, like, by: None, now, wanted });
        list.held = held;
        list.forget();
        disk::write(&self.folder.join(LIST), &sealed::written(&list))
            .map_err(|error| self.disk(error))?;
        self.list = list;
        self.tidy();
        Ok(generation)
    }

    /// Removes the configurations that no generation has any more.
    fn tidy(&self) {
        let known: BTreeSet<PathBuf> =
            self.list.generations.iter().map(|row| self.file(&row.digest)).collect();
        if let Err(error) = disk::remove_others(&self.folder, ENDING, &known) {
            // What is left over costs room, and nothing else.
            tracing::warn!(%error, "old configurations are not removed");
        }
    }

    fn bundle(&self, row: &Row) -> Result<Bundle, Unusable> {
        let path = self.file(&row.digest);
        let most = u64::try_from(PACKED_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = disk::read(&path, most).map_err(|error| self.disk(error))?;
        let bytes = bytes.ok_or_else(|| damaged(&path, "it is missing".to_owned()))?;
        let bundle =
            Bundle::unpack(&bytes).map_err(|unsound| damaged(&path, unsound.to_string()))?;
        if bundle.digest().to_string() != row.digest {
            return Err(damaged(&path, "it is another configuration".to_owned()));
        }
        Ok(bundle)
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.{ENDING}"))
    }

    const fn generation(&self, number: u64) -> Generation {
        Generation { history: self.list.history, number }
    }

    fn disk(&self, source: io::Error) -> Unusable {
        Unusable::Disk { folder: self.folder.display().to_string(), source }
    }
}

impl List {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let json = sealed::text(bytes)?;
        let list: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if list.form != FORM {
            return Err(format!("it has the form {}, of another version of Weir", list.form));
        }
        let is_ascending = list.generations.is_sorted_by(|one, next| one.number < next.number);
        let is_digest = |row: &Row| Digest::from_hex(&row.digest).is_some();
        if !is_ascending || !list.generations.iter().all(is_digest) {
            return Err("its generations are none".to_owned());
        }
        Ok(list)
    }

    /// Forgets the oldest generations, but never one of the last ten contents.
    fn forget(&mut self) {
        while GENERATIONS_MAX < self.generations.len() {
            let kept = self.generations.iter().skip(1).map(|row| row.digest.as_str());
            if kept.collect::<BTreeSet<_>>().len() <= FORMER_MIN {
                // Somebody goes to and fro between a few: the numbers in the middle say little.
                let at = self.generations.len() / 2;
                self.generations.remove(at);
            } else {
                self.generations.remove(0);
            }
        }
    }
}

fn damaged(path: &Path, why: String) -> Unusable {
    Unusable::Damaged { path: path.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::configuration::bundle::{Entry, Kind};

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn bundle(text: &str) -> Bundle {
        let entry = Entry::new(Kind::Document, Arc::from("a.yaml"), Arc::from(text));
        Bundle::of([Arc::new(entry)]).unwrap()
    }

    fn open(folder: &Path) -> Ledger {
        Ledger::open(folder, NOW).unwrap()
    }

    #[test]
    fn generations_are_counted_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        assert!(ledger.newest().unwrap().is_none());
        let first = ledger.add(&bundle("1"), NOW, Manner::default()).unwrap();
        assert_eq!((first.number, first.history), (1, 1_700_000_000_000));
        drop(ledger);
        let mut ledger = Ledger::open(folder.path(), Timestamp::from_micros(5)).unwrap();
        assert_eq!(ledger.newest().unwrap(), Some((first, bundle("1"))));
        assert_eq!(ledger.add(&bundle("2"), NOW, Manner::default()).unwrap(), first.next());
        assert_eq!(ledger.former(4), [(first, bundle("1"))]);
    }

    #[test]
    fn going_back_is_a_new_generation_with_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        for text in ["1", "2", "3"] {
            ledger.add(&bundle(text), NOW, Manner::default()).unwrap();
        }
        let held = *bundle("3").digest();
        let (generation, content, like) = ledger.go_back(None, Some(held), NOW).unwrap();
        assert_eq!((generation.number, like), (4, 2));
        assert_eq!((content, ledger.held()), (bundle("2"), Some(held)));
        drop(ledger);
        let mut ledger = open(folder.path());
        assert_eq!(ledger.held(), Some(held));
        assert_eq!(ledger.go_back(Some(1), Some(held), NOW).unwrap().1, bundle("1"));
        let told = ledger.go_back(Some(99), None, NOW).unwrap_err().to_string();
        assert!(told.contains("remembered are 1, 2, 3, 4, 5"), "{told}");
        assert!(ledger.go_back(Some(1), None, NOW).is_err());
        ledger.add(&bundle("6"), NOW, Manner::default()).unwrap();
        assert_eq!(ledger.held(), None);
    }

    #[test]
    fn ten_former_contents_are_there_however_often_somebody_goes_to_and_fro() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        for number in 0..=FORMER_MIN {
            ledger.add(&bundle(&number.to_string()), NOW, Manner::default()).unwrap();
        }
        for turn in 0..60 {
            ledger.add(&bundle(&(turn % 2).to_string()), NOW, Manner::default()).unwrap();
        }
        let contents: BTreeSet<&str> =
            ledger.rows().iter().map(|row| row.digest.as_str()).collect();
        assert!(FORMER_MIN <= contents.len() && ledger.rows().len() <= GENERATIONS_MAX);
        let rows = ledger.rows().to_vec();
        assert!(rows.iter().all(|row| ledger.bundle(row).is_ok()));
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, contents.len() + 2);
    }

    #[test]
    fn a_damaged_folder_is_not_used_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).add(&bundle("1"), NOW, Manner::default()).unwrap();
        let list = folder.path().join(LIST);
        let text = fs::read_to_string(&list).unwrap();
        let refuses = || {
            let ledger = Ledger::open(folder.path(), NOW);
            let newest = ledger.and_then(|ledger| ledger.newest());
            newest.unwrap_err().to_string()
        };
        for wrong in [text.replace("\"number\": 1", "\"number\": 2"), text[..40].to_owned()] {
            fs::write(&list, wrong).unwrap();
            let told = refuses();
            assert!(
                told.contains("generations.json is damaged") && told.contains("copy"),
                "{told}"
            );
        }
        fs::remove_file(&list).unwrap();
        assert!(refuses().contains("it is missing"));
        fs::write(&list, text).unwrap();
        let packed = folder.path().join(format!("{}.weir", bundle("1").digest()));
        fs::write(&packed, bundle("2").pack().unwrap()).unwrap();
        assert!(refuses().contains("another configuration"));
        fs::remove_file(&packed).unwrap();
        assert!(refuses().contains("it is missing"));
    }

    #[test]
    fn one_process_at_a_time_uses_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        assert!(matches!(Ledger::open(folder.path(), NOW), Err(Unusable::Taken(_))));
        drop(ledger);
        open(folder.path());
    }

    #[test]
    fn nobody_else_may_read_what_may_hold_secrets() {
        use std::os::unix::fs::MetadataExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        open(&folder).add(&bundle("1"), NOW, Manner::default()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }
}
