//! What the files of a configuration looked like, to notice that they changed without reading
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Reference;
use super::listing::list;

/// What the files of a configuration looked like.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint {
    references: BTreeSet<Reference>,
    /// By path; none for a file that is not there.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

/// What tells two states of a file apart. Links are followed, so that a link to another file is
/// another state.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Looks at the YAML files that were `listed`.
    pub(super) fn of(listed: &[(Arc<str>, PathBuf)]) -> Self {
        let stamps = listed.iter().map(|(_, path)| (path.clone(), Stamp::of(path))).collect();
        Self { references: BTreeSet::new(), stamps }
    }

    /// The same, also of what `references` name.
    pub(super) fn with(mut self, folder: &Path, references: BTreeSet<Reference>) -> Self {
        for reference in &references {
            let path = folder.join(&reference.path);
            let stamp = Stamp::of(&path);
            self.stamps.insert(path, stamp);
        }
        self.references.extend(references);
        self
    }

    /// Whether everything still looks like this.
    pub(super) fn holds(&self, folder: &Path) -> bool {
        let now = list(folder).map(|listed| Self::of(&listed));
        now.is_ok_and(|now| now.with(folder, self.references.clone()).stamps == self.stamps)
    }

    pub(super) fn references(&self) -> &BTreeSet<Reference> {
        &self.references
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
