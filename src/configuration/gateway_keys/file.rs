//! The file of keys on disk: read whole, changed by one process at a time, written whole or not at
//! all, for the eyes of its owner alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{KEYS_BYTES_MAX, read, written};
use crate::configuration::source::{Kept, Unreadable, read_text};
use crate::fault::{Fault, Place};
use crate::secret::Secret;
use crate::token::ring::Ring;

/// The rights of a new file: its owner reads and writes it.
const OWNER_ONLY: u32 = 0o600;
/// The right that nobody but owner and group should have: to read.
const OTHERS_READ: u32 = 0o004;
/// How often to try again while another process changes the file, and how long to wait between.
const TRIES_MAX: u32 = 600;
const TRY_EVERY: Duration = Duration::from_millis(100);

/// A file of keys.
#[derive(Clone, Debug)]
pub struct KeysFile {
    path: PathBuf,
}

/// Whether a file that is changed must be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It must.
    Refused,
    /// If it is not, it is made.
    Made,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read, or what it holds is wrong.
    #[error("the keys in {} cannot be used", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        faults: Vec<Fault>,
    },
    /// Another process has been changing it for too long.
    #[error("{} cannot be changed: another process has been changing it for a minute", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {error}; it is as it was", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl KeysFile {
    /// The file at `path`; it need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys.
    pub fn read(&self) -> Result<Ring, Unusable> {
        let text = read_text(&self.path, KEYS_BYTES_MAX).map(Secret::new);
        let text = text.map_err(|reason| self.unreadable(reason))?;
        self.ring(&text).map_err(|faults| self.wrong(faults))
    }

    /// The keys as they are now and whenever somebody looks, for a process that runs for long.
    pub fn kept(&self) -> Kept<Arc<Ring>, Vec<Fault>> {
        let file = self.clone();
        let read = move |text: &Secret| file.ring(text).map(Arc::new);
        Kept::new(&self.path, KEYS_BYTES_MAX, read)
    }

    /// Whether everybody on this machine may read it.
    pub fn is_open_to_others(&self) -> bool {
        let mode = self.path.metadata().map(|metadata| metadata.permissions().mode());
        mode.is_ok_and(|mode| mode & OTHERS_READ != 0)
    }

    /// Lets `change` change the keys, and writes them if it succeeds. One process changes a file
    /// at a time; whoever reads it sees it as it was, or as it is.
    pub fn change<T, E>(
        &self,
        missing: Missing,
        change: impl FnOnce(&mut Ring) -> Result<T, E>,
    ) -> Result<Result<T, E>, Unusable> {
        // What stands behind a link is replaced, not the link.
        let real = fs::canonicalize(&self.path).unwrap_or_else(|_missing| self.path.clone());
        let folder = match real.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        // Held until it goes. The folder is locked, because the file itself is replaced.
        let folder = File::open(folder).map_err(|error| self.unwritable(error))?;
        self.lock(&folder)?;
        let before = match real.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound && missing == Missing::Made => None,
            // Where it cannot be looked at it cannot be read, and that says why.
            metadata => Some((self.read()?, metadata.map_err(|error| self.unwritable(error))?)),
        };
        let (mut ring, before) = match before {
            Some((ring, metadata)) => (ring, Some(metadata)),
            None => (Ring::default(), None),
        };
        let outcome = match change(&mut ring) {
            Ok(outcome) => outcome,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let text = written(&ring);
        let replaced = replace(&real, before.as_ref(), text.expose().as_bytes());
        replaced.and_then(|()| folder.sync_all()).map_err(|error| self.unwritable(error))?;
        Ok(Ok(outcome))
    }

    fn lock(&self, folder: &File) -> Result<(), Unusable> {
        for _ in 0..TRIES_MAX {
            match folder.try_lock() {
                Ok(()) => return Ok(()),
                Err(fs::TryLockError::WouldBlock) => thread::sleep(TRY_EVERY),
                Err(fs::TryLockError::Error(error)) => return Err(self.unwritable(error)),
            }
        }
        Err(Unusable::Busy { path: self.path.clone() })
    }

    fn ring(&self, text: &Secret) -> Result<Ring, Vec<Fault>> {
        read(&self.name(), text.expose())
    }

    fn name(&self) -> Arc<str> {
        Arc::from(self.path.display().to_string())
    }

    fn unreadable(&self, reason: Unreadable) -> Unusable {
        let fault = Fault::new(Place::start_of(&self.name()), reason.to_string());
        let remedy = match reason {
            Unreadable::Missing => {
                "make it with `weir token rotate --gateway NAME --new`, or correct the path"
            }
            Unreadable::Denied
            | Unreadable::NotAFile
            | Unreadable::TooLarge(_)
            | Unreadable::NotText(_)
            | Unreadable::Other(_)
            | Unreadable::Withheld(_) => reason.remedy(),
        };
        self.wrong(vec![fault.mend(remedy)])
    }

    fn wrong(&self, faults: Vec<Fault>) -> Unusable {
        Unusable::Wrong { path: self.path.clone(), faults }
    }

    fn unwritable(&self, error: io::Error) -> Unusable {
        Unusable::Unwritable { path: self.path.clone(), error }
    }
}

/// Puts a file with `bytes` in the place of the one at `path`, with the owner and the rights of
/// that one if there was one.
fn replace(path: &Path, before: Option<&fs::Metadata>, bytes: &[u8]) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is the path of no file"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let new = path.with_file_name(hidden);
    // A process that was ended in between may have left one.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => {}
    }
    let written = fill(&new, before, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What cannot be removed is removed the next time.
        let _ = fs::remove_file(&new);
    }
    written
}

fn fill(path: &Path, before: Option<&fs::Metadata>, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    if let Some(before) = before {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(before.permissions().mode()))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
