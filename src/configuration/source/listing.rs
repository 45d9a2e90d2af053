//! The YAML files of a folder, also in folders inside it, by name.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ENTRIES_MAX, FOLDER_DEPTH_MAX, FolderError, Unreadable};

/// YAML files: names in the folder, and paths.
pub(super) type Listed = Vec<(Arc<str>, PathBuf)>;

/// All YAML files in and under `folder`, sorted by name.
pub(super) fn list(folder: &Path) -> Result<Listed, FolderError> {
    let mut walk = Walk { folder, found: Vec::new(), entries: 0 };
    walk.enter(folder, &mut Vec::new())?;
    walk.found.sort();
    Ok(walk.found)
}

struct Walk<'a> {
    folder: &'a Path,
    found: Listed,
    entries: usize,
}

impl Walk<'_> {
    /// Lists `path`; `above` are the folders it lies in, as device and number. Recursion ends
    /// where that list has `FOLDER_DEPTH_MAX` entries.
    fn enter(&mut self, path: &Path, above: &mut Vec<(u64, u64)>) -> Result<(), FolderError> {
        let unreadable = |error: std::io::Error| FolderError::Unreadable {
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
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => inner.is_dir(),
            };
            if is_folder {
                self.enter(&inner, above)?;
            } else if is_yaml(&inner) {
                let name = inner.strip_prefix(self.folder).unwrap_or(&inner);
                self.found.push((Arc::from(name.to_string_lossy()), inner));
            }
        }
        above.pop();
        Ok(())
    }

    fn too_many(&self) -> FolderError {
        FolderError::TooMany { path: self.folder.display().to_string() }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|it| matches!(it, "yaml" | "yml"))
}
