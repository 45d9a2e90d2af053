//! What a small file holds, kept in mind and read again whenever somebody looks.
//!
//! The file is read whole each time, because it is small and a look at its times can miss a
//! change. Links are followed, so that the volumes of Kubernetes, which swap a link, work like any
//! file. What was good is kept while what is there is not.

use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{Unreadable, read_text};
use crate::digest::whole_digest;
use crate::secret::Secret;

/// Something that a file holds.
pub struct Kept<T, E> {
    path: PathBuf,
    bytes_max: usize,
    read: Box<Read<T, E>>,
    /// What was seen the last time: a digest of the text, or why there is none.
    seen: Option<Result<[u8; 32], Unreadable>>,
    good: Option<T>,
    wrong: Option<Wrong<E>>,
}

/// How a text is read.
type Read<T, E> = dyn Fn(&Secret) -> Result<T, E> + Send + Sync;

/// Why what is there is not what is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong<E> {
    /// The file cannot be read.
    Unreadable(Unreadable),
    /// Its text is wrong.
    Text(E),
}

impl<T, E> Kept<T, E> {
    /// What the file at `path` holds, which may have `bytes_max` bytes and is read by `read`.
    /// Nothing is kept before the first [`look`](Self::look).
    pub fn new(
        path: impl Into<PathBuf>,
        bytes_max: usize,
        read: impl Fn(&Secret) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self {
        let (path, read) = (path.into(), Box::new(read));
        Self { path, bytes_max, read, seen: None, good: None, wrong: None }
    }

    /// Looks at the file; true if anything is different from the last look. Blocks for as long as
    /// the disk does.
    pub fn look(&mut self) -> bool {
        let text = read_text(&self.path, self.bytes_max).map(Secret::new);
        let seen = text.as_ref().map(|text| whole_digest([text.expose()])).map_err(|why| *why);
        if self.seen == Some(seen) {
            return false;
        }
        self.seen = Some(seen);
        let read = text.map_err(Wrong::Unreadable);
        match read.and_then(|text| (self.read)(&text).map_err(Wrong::Text)) {
            Ok(good) => {
                self.good = Some(good);
                self.wrong = None;
            }
            Err(wrong) => self.wrong = Some(wrong),
        }
        true
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last that was good.
    pub const fn good(&self) -> Option<&T> {
        self.good.as_ref()
    }

    /// Why what is there now is not that.
    pub const fn wrong(&self) -> Option<&Wrong<E>> {
        self.wrong.as_ref()
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for Kept<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Kept");
        shown.field("path", &self.path).field("good", &self.good).field("wrong", &self.wrong);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn number(path: &Path) -> Kept<u8, String> {
        Kept::new(path, 10, |text| {
            text.expose().trim().parse::<u8>().map_err(|error| error.to_string())
        })
    }

    #[test]
    fn what_was_good_is_kept_until_something_good_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let mut kept = number(&path);
        assert!(kept.look() && kept.good().is_none());
        assert_eq!(kept.wrong(), Some(&Wrong::Unreadable(Unreadable::Missing)));
        assert!(!kept.look());
        fs::write(&path, "1").unwrap();
        assert!(kept.look() && kept.wrong().is_none());
        // As long as before, perhaps in the same tick of the disk's clock.
        fs::write(&path, "2").unwrap();
        assert!(kept.look() && !kept.look());
        assert_eq!(kept.good(), Some(&2));
        fs::write(&path, "x").unwrap();
        assert!(kept.look() && !kept.look());
        assert!(matches!(kept.wrong(), Some(Wrong::Text(_))) && kept.good() == Some(&2));
        fs::write(&path, "12345678901").unwrap();
        assert!(kept.look());
        assert_eq!(kept.wrong(), Some(&Wrong::Unreadable(Unreadable::TooLarge(10))));
        fs::remove_file(&path).unwrap();
        assert!(kept.look() && kept.good() == Some(&2));
        fs::write(&path, "2").unwrap();
        assert!(kept.look() && kept.wrong().is_none());
    }

    #[test]
    fn a_volume_that_kubernetes_swaps_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (version, text) in [("..one", "1"), ("..two", "2")] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("number"), text).unwrap();
        }
        symlink("..one", root.join("..data")).unwrap();
        symlink("..data/number", root.join("number")).unwrap();
        let mut kept = number(&root.join("number"));
        assert!(kept.look() && kept.good() == Some(&1));
        symlink("..two", root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        assert!(kept.look() && kept.good() == Some(&2));
    }
}
