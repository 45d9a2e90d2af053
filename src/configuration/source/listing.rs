//! The YAML files of a folder, also in folders inside it, by name, and what they look like.

use std::ffi::OsStr;
use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ENTRIES_MAX, FOLDER_DEPTH_MAX, FolderError, Unreadable};

/// A YAML file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Listed {
    /// Its name in the folder.
    pub(super) name: Arc<str>,
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it looks like; none if nobody can tell.
    pub(super) stamp: Option<Stamp>,
}

/// What tells two states of a file apart. Links are followed, so that a link to another file is
/// another state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Seconds and nanoseconds; the file system's own, which nobody can set.
    pub(super) changed: (i64, i64),
}

/// All YAML files in and under `folder`, sorted by name.
pub(super) fn list(folder: &Path) -> Result<Vec<Listed>, FolderError> {
    let mut walk = Walk { folder, found: Vec::new(), entries: 0 };
    walk.enter(folder, &mut Vec::new())?;
    walk.found.sort_by(|one, other| (&one.name, &one.path).cmp(&(&other.name, &other.path)));
    Ok(walk.found)
}

struct Walk<'a> {
    folder: &'a Path,
    found: Vec<Listed>,
    entries: usize,
}

impl Walk<'_> {
    /// Lists `path`; `above` are the folders it lies in, as device and number. Recursion ends
    /// where that list has `FOLDER_DEPTH_MAX` entries.
    fn enter(&mut self, path: &Path, above: &mut Vec<(u64, u64)>) -> Result<(), FolderError> {
        let unreadable = |error: io::Error| FolderError::Unreadable {
            path: path.display().to_string(),
            reason: Unreadable::from(error),
        };
        let metadata = path.metadata().map_err(unreadable)?;
        let itself = (metadata.dev(), metadata.ino());
        if above.contains(&itself) {
            // A link to a folder that this one lies in.
            return Ok(());
        }
        if above.len() >= FOLDER_DEPTH_MAX {
            return Err(self.too_many());
        }
        above.push(itself);
        for entry in path.read_dir().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            self.entries = self.entries.saturating_add(1);
            if self.entries > ENTRIES_MAX {
                return Err(self.too_many());
            }
            let inner = entry.path();
            // Only a link has to be followed to see where it leads. What a broken one leads to is
            // neither a folder nor unreadable unless it is YAML.
            let link = entry.file_type().map_or(true, |kind| kind.is_symlink());
            let is_folder = if link {
                inner.is_dir()
            } else {
                entry.file_type().is_ok_and(|kind| kind.is_dir())
            };
            if is_folder {
                self.enter(&inner, above)?;
            } else if is_yaml(&inner) {
                let name = inner.strip_prefix(self.folder).unwrap_or(&inner);
                let name = Arc::from(name.to_string_lossy());
                self.found.push(Listed { name, stamp: stamp(&entry, &inner, link), path: inner });
            }
        }
        above.pop();
        Ok(())
    }

    fn too_many(&self) -> FolderError {
        FolderError::TooMany { path: self.folder.display().to_string() }
    }
}

/// Of what is no link, the entry itself knows without the whole path being walked again.
fn stamp(entry: &DirEntry, path: &Path, link: bool) -> Option<Stamp> {
    let metadata = if link { path.metadata() } else { entry.metadata() };
    Some(Stamp::of(&metadata.ok()?))
}

impl Stamp {
    /// What the file at `path` looks like; none if nobody can tell.
    pub fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&path.metadata().ok()?))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|it| matches!(it, "yaml" | "yml"))
}
