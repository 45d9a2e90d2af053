//! Files that are there whole or not at all, and that nobody else may read.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Who may read a folder and a file: their owner.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How the name of a file ends that is being written.
const UNFINISHED: &str = "new";

/// Makes the folder if there is none.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// The lock at `path`; none if somebody else holds it.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The file at `path`, of at most `bytes_max`; none if there is none.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes_max < file.metadata()?.len() {
        return Err(io::Error::other(format!("{} is too large", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes the file at `path`: after a crash it is the old one or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Whether no file of `folder` ends in `ending`.
pub(super) fn is_empty(folder: &Path, ending: &str) -> io::Result<bool> {
    Ok(with_ending(folder, ending)?.is_empty())
}

/// Removes the files of `folder` that end in `ending`, and are not `known`.
pub(super) fn remove_others(
    folder: &Path,
    ending: &str,
    known: &BTreeSet<PathBuf>,
) -> io::Result<()> {
    for path in with_ending(folder, ending)?.difference(known) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn with_ending(folder: &Path, ending: &str) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|known| known == ending) {
            found.insert(path);
        }
    }
    Ok(found)
}
