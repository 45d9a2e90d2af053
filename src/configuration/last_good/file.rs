//! Files that are whole or not there, and that nobody else may read.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// `O_NONBLOCK`: opening a named pipe returns at once instead of waiting for someone to write.
const O_NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0x4 };
/// Who may read and write a file: its owner.
const OWNER_ONLY: u32 = 0o600;
/// Who may enter a folder: its owner.
const FOLDER_OWNER_ONLY: u32 = 0o700;
/// How often a file is opened anew because another process was faster.
const TRIES_MAX: usize = 5;

/// All of a regular file of at most `bytes_max` bytes.
pub(super) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is not a regular file"));
    }
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    // Grows with what is really there.
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes_max < bytes.len() {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Sees to it that the folder is there.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_OWNER_ONLY).create(path)
}

/// Puts `bytes` at `path` in the place of what is there, and returns when that would survive a loss
/// of power. Whoever reads `path` meanwhile reads the old file or the new one, whole.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = alone(&fresh)?;
    file.set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(folder) = path.parent() {
        // That the name leads to it must survive too.
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// The file at `path`, open for this process alone: gateways may share a folder.
fn alone(path: &Path) -> io::Result<File> {
    for _ in 0..TRIES_MAX {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(OWNER_ONLY);
        let file = options.custom_flags(O_NONBLOCK).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::ResourceBusy, "another gateway writes it")
            }
        })?;
        let (ours, there) = (file.metadata()?, fs::symlink_metadata(path));
        // Whoever was faster has given it another name since.
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "another gateway writes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_read_by_nobody_else() {
        let temporary = tempfile::tempdir().unwrap();
        let inner = temporary.path().join("a/b");
        folder(&inner).unwrap();
        folder(&inner).unwrap();
        let path = inner.join("copy");
        write(&path, b"a longer one").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"short");
        assert_eq!(read(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(read(&inner, 4).is_err());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, OWNER_ONLY);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }

    #[test]
    fn two_do_not_write_one_file_at_once() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("copy");
        let fresh = path.with_extension("new");
        let other = alone(&fresh).unwrap();
        assert_eq!(write(&path, b"x").unwrap_err().kind(), ErrorKind::ResourceBusy);
        drop(other);
        write(&path, b"x").unwrap();
        assert!(!fresh.exists());
    }
}
