//! A configuration folder, read whole: its YAML files, and the files that those name.
//!
//! A reading is never half old and half new: what was read is looked at again afterwards, and if
//! it changed meanwhile everything is read again. Symbolic links are followed, also to folders,
//! because Kubernetes mounts its volumes as links to a hidden folder (`..data`) that it swaps
//! whole; hidden files and folders are passed over.

mod mask;
mod environment;
mod file;
mod fingerprint;
mod kept;
mod listing;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Secret;
use super::document::{Held, Reference};
use super::yaml::FILE_BYTES_MAX;
use crate::fault::{Fault, Place, Sources};

pub use environment::Environment;
pub use file::{Unreadable, read_secret, read_text};
pub use fingerprint::Fingerprint;
pub use kept::{Kept, Wrong};
pub use listing::Stamp;
pub use vault::{Items, Vault, Withheld};

use listing::{Listed, list};
use vault::Keeper;

/// How deep folders may lie in the configuration folder.
const FOLDER_DEPTH_MAX: usize = 16;
/// How many files and folders a configuration folder may hold, without hidden ones: 20,000 APIs
/// with a file each and the policies of their operations beside it. To look at them all takes a
/// sixth of a second.
const ENTRIES_MAX: usize = 100_000;
/// How many bytes of YAML may be read in all, and how many of other files: a few times what 20,000
/// APIs and 500,000 subscriptions take, and little enough for a gateway to hold twice.
const READ_BYTES_MAX: usize = 256 << 20;
/// The largest policy document or fragment, in bytes.
pub const POLICY_BYTES_MAX: usize = 1 << 20;
/// The largest file that holds a secret or a certificate, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// How often a folder is read again because it changes while it is read.
const TRIES_MAX: usize = 5;

/// Files by name, with their texts.
pub type Texts = Vec<(Arc<str>, Arc<str>)>;

/// A configuration folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Who is asked for secrets that lie in stores.
    keeper: Option<Arc<Keeper>>,
}

/// All that was read of a folder, at one moment.
#[derive(Clone)]
pub struct Reading {
    /// The YAML files in the order of their names: name in the folder, and text.
    pub documents: Texts,
    /// Policy documents and fragments by the path they were asked for.
    pub policies: BTreeMap<String, Result<Arc<str>, Unreadable>>,
    /// Secrets and certificates by the path they were asked for.
    pub secrets: BTreeMap<String, Result<Secret, Unreadable>>,
    /// What it looked like.
    pub fingerprint: Fingerprint,
}

/// Why a folder cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FolderError {
    /// A folder cannot be listed, or a YAML file cannot be read.
    #[error("{reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        reason: Unreadable,
    },
    /// More than can be a configuration.
    #[error("the folder holds more than {ENTRIES_MAX} files, or {FOLDER_DEPTH_MAX} levels")]
    TooMany {
        /// The folder.
        path: String,
    },
    /// More than can be a configuration.
    #[error("the folder's configuration has more than {READ_BYTES_MAX} bytes")]
    TooLarge {
        /// The folder.
        path: String,
    },
    /// No YAML file at all.
    #[error("no file here ends in .yaml or .yml")]
    Empty {
        /// The folder.
        path: String,
    },
    /// It never held still.
    #[error("the folder changed while it was read, {TRIES_MAX} times")]
    Restless {
        /// The folder.
        path: String,
    },
}

impl Folder {
    /// The folder at `path`; it need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keeper: None }
    }

    /// The same, with `vault` to be asked for secrets that lie in stores.
    #[must_use]
    pub fn asking(self, vault: Arc<dyn Vault>) -> Self {
        Self { keeper: Some(Arc::new(Keeper::of(vault))), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the YAML files, asks `wanted` what else they name, and reads that. A file that is
    /// named and cannot be read is part of the reading; a YAML file that cannot be read is an
    /// error. Blocks for as long as the disk does; what is not a regular file is not waited for.
    ///
    /// What an earlier reading has `kept` and looks the same now is not read again. A text that is
    /// the same is the same `Arc`, so that nobody has to compare the two.
    pub fn read(
        &self,
        kept: Option<&Reading>,
        mut wanted: impl FnMut(&[(Arc<str>, Arc<str>)]) -> BTreeSet<Reference>,
    ) -> Result<Reading, FolderError> {
        let kept = kept.map(Former::new);
        for _ in 0..TRIES_MAX {
            let before = Fingerprint::of(list(&self.path)?);
            let read = self.documents(before.files(), kept.as_ref()).and_then(|documents| {
                let mut fingerprint = before.clone().with(&self.path, wanted(&documents));
                if let Some(keeper) = &self.keeper {
                    keeper.keep(&fingerprint.stored().map(|it| (it.store, it.name)).collect());
                    fingerprint.hold(|held| keeper.number(held));
                }
                self.named(documents, fingerprint, kept.as_ref())
            });
            // What went wrong while the folder changed may be right in a moment.
            let changed = match &read {
                Ok(reading) => self.has_changed(&reading.fingerprint),
                Err(_) => self.has_changed(&before),
            };
            if !changed {
                return read;
            }
        }
        Err(FolderError::Restless { path: self.name() })
    }

    /// Whether the folder, or any file its documents name, looks different now.
    pub fn has_changed(&self, since: &Fingerprint) -> bool {
        let keeper = self.keeper.as_ref();
        let is_same = |held: &Held<'_>, number| keeper.is_none_or(|it| it.number(held) == number);
        !since.holds(&self.path) || !since.held().all(|(held, number)| is_same(&held, number))
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn documents(
        &self,
        listed: &[Listed],
        kept: Option<&Former<'_>>,
    ) -> Result<Texts, FolderError> {
        if listed.is_empty() {
            return Err(FolderError::Empty { path: self.name() });
        }
        let mut documents = Vec::with_capacity(listed.len());
        let mut left = READ_BYTES_MAX;
        for file in listed {
            let name = &file.name;
            let known = kept.and_then(|kept| kept.document(name));
            let text = match known {
                Some((text, stamp))
                    if kept.is_some_and(|kept| kept.is_settled(stamp, file.stamp)) =>
                {
                    Arc::clone(text)
                }
                _ => {
                    let text = read_text(&file.path, FILE_BYTES_MAX).map_err(|reason| {
                        FolderError::Unreadable { path: name.to_string(), reason }
                    })?;
                    same(text, known.map(|(text, _stamp)| text))
                }
            };
            left = self.taken(left, text.len())?;
            documents.push((Arc::clone(name), text));
        }
        Ok(documents)
    }

    fn named(
        &self,
        documents: Texts,
        fingerprint: Fingerprint,
        kept: Option<&Former<'_>>,
    ) -> Result<Reading, FolderError> {
        let mut policies = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        let mut left = READ_BYTES_MAX;
        for (Reference { path, is_secret }, stamp) in fingerprint.references() {
            // Joining an absolute path gives that path.
            let file = self.path.join(path);
            if *is_secret {
                // These are few and small, and nobody should find one kept that is gone.
                let text = match (Held::of(path), &self.keeper) {
                    (Some(held), Some(keeper)) => keeper.read(&held).map_err(Unreadable::from),
                    (Some(_held), None) => Err(Withheld::Unasked.into()),
                    (None, _) => read_secret(&file, SECRET_BYTES_MAX).map(Secret::new),
                };
                left = self.taken(left, text.as_ref().map_or(0, |text| text.expose().len()))?;
                secrets.insert(path.clone(), text);
                continue;
            }
            let known = kept.and_then(|kept| kept.policy(path));
            let text = match known {
                Some((text, seen)) if kept.is_some_and(|kept| kept.is_settled(seen, *stamp)) => {
                    Ok(Arc::clone(text))
                }
                _ => read_text(&file, POLICY_BYTES_MAX)
                    .map(|text| same(text, known.map(|(text, _stamp)| text))),
            };
            left = self.taken(left, text.as_deref().map_or(0, str::len))?;
            policies.insert(path.clone(), text);
        }
        Ok(Reading { documents, policies, secrets, fingerprint })
    }

    fn taken(&self, left: usize, bytes: usize) -> Result<usize, FolderError> {
        let too_large = || FolderError::TooLarge { path: self.name() };
        left.checked_sub(bytes).ok_or_else(too_large)
    }
}

/// An earlier reading, to take from it what is the same.
struct Former<'a> {
    reading: &'a Reading,
    /// What had been changed by this date had settled when it was read.
    settled: i64,
}

/// A text that was read, and what its file looked like.
type Known<'a> = (&'a Arc<str>, Option<Stamp>);

impl<'a> Former<'a> {
    fn new(reading: &'a Reading) -> Self {
        Self { reading, settled: reading.fingerprint.settled() }
    }

    fn document(&self, name: &str) -> Option<Known<'a>> {
        let Reading { documents, fingerprint, .. } = self.reading;
        let at = documents.binary_search_by(|(known, _text)| (**known).cmp(name)).ok()?;
        let (_name, text) = documents.get(at)?;
        Some((text, fingerprint.files().get(at).and_then(|file| file.stamp)))
    }

    fn policy(&self, path: &str) -> Option<Known<'a>> {
        let text = self.reading.policies.get(path)?.as_ref().ok()?;
        let reference = Reference { path: path.to_owned(), is_secret: false };
        let stamp = self.reading.fingerprint.references().get(&reference);
        Some((text, stamp.copied().flatten()))
    }

    /// Whether a file that looked like `seen` and looks like `now` is the same for sure.
    fn is_settled(&self, seen: Option<Stamp>, now: Option<Stamp>) -> bool {
        seen == now && now.is_some_and(|now| now.changed.0 < self.settled)
    }
}

/// `text`, or what is `known` if it is the same.
fn same(text: String, known: Option<&Arc<str>>) -> Arc<str> {
    match known {
        Some(known) if **known == *text => Arc::clone(known),
        _ => Arc::from(text),
    }
}

impl Reading {
    /// A reading of `documents` alone, as if every other file were missing.
    pub fn of(documents: Texts) -> Self {
        let (policies, secrets) = (BTreeMap::new(), BTreeMap::new());
        Self { documents, policies, secrets, fingerprint: Fingerprint::default() }
    }

    /// Takes texts that are the same from an earlier reading, so that they are the very same.
    pub fn share(&mut self, kept: &Self) {
        let kept = Former::new(kept);
        for (name, text) in &mut self.documents {
            if let Some((known, _stamp)) = kept.document(name).filter(|(known, _)| *known == text) {
                *text = Arc::clone(known);
            }
        }
        for (path, text) in &mut self.policies {
            let Ok(text) = text else { continue };
            if let Some((known, _stamp)) = kept.policy(path).filter(|(known, _)| *known == text) {
                *text = Arc::clone(known);
            }
        }
    }

    /// The texts that `faults` of this configuration point into; no secret is among them.
    pub fn sources(&self, faults: &[Fault]) -> Sources {
        let mut sources = Sources::default();
        let files: BTreeSet<&str> = faults.iter().map(|fault| &*fault.place.file).collect();
        for (name, text) in self.documents.iter().filter(|(name, _text)| files.contains(&**name)) {
            sources.insert(name, mask::masked(text));
        }
        for (path, text) in &self.policies {
            if let (Ok(text), true) = (text, files.contains(path.as_str())) {
                sources.insert(&Arc::from(path.as_str()), Arc::clone(text));
            }
        }
        sources
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts may hold secrets.
        let mut shown = formatter.debug_struct("Reading");
        shown.field("documents", &self.documents.len()).field("policies", &self.policies.len());
        shown.finish_non_exhaustive()
    }
}

impl FolderError {
    /// The same as a fault, which has no line to show.
    pub fn fault(&self) -> Fault {
        let (path, remedy) = match self {
            Self::Unreadable { path, reason } => (path, reason.remedy()),
            Self::TooMany { path } => (path, "keep in the folder only what belongs to it"),
            Self::TooLarge { path } => (path, "move what is not needed out of the folder"),
            Self::Empty { path } => (path, "put a configuration there, or name another folder"),
            Self::Restless { path } => (path, "wait until nobody writes to it"),
        };
        Fault::new(Place::start_of(&Arc::from(path.as_str())), self.to_string()).mend(remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    type Change = (&'static str, fn(&Path));

    fn read(folder: &Folder, names: &[&str]) -> Reading {
        let wanted = |path: &&str| Reference { path: (*path).to_owned(), is_secret: false };
        folder.read(None, |_| names.iter().map(wanted).collect()).unwrap()
    }

    #[test]
    fn a_folder_is_read_with_what_it_names() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        fs::create_dir_all(root.join("inner/.hidden")).unwrap();
        for (name, text) in [
            ("b.yaml", "b"),
            ("inner/a.yml", "a"),
            ("inner/.hidden/c.yaml", "c"),
            (".d.yaml", "d"),
            ("policy.xml", "<policies />"),
            ("notes.txt", "notes"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        symlink(root, root.join("inner/loop")).unwrap();
        let reading = read(&Folder::at(root), &["policy.xml", "missing.xml"]);
        let names: Vec<&str> = reading.documents.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["b.yaml", "inner/a.yml"]);
        assert_eq!(reading.policies["policy.xml"].as_deref(), Ok("<policies />"));
        assert_eq!(reading.policies["missing.xml"], Err(Unreadable::Missing));
    }

    #[test]
    fn a_change_of_any_file_is_noticed() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        let folder = Folder::at(root);
        fs::write(root.join("a.yaml"), "a").unwrap();
        let changes: [Change; 5] = [
            ("a text", |root| fs::write(root.join("a.yaml"), "bb").unwrap()),
            ("another file", |root| fs::write(root.join("b.yaml"), "b").unwrap()),
            ("a file that was missing", |root| fs::write(root.join("p.xml"), "p").unwrap()),
            ("a file put in the place of another", |root| {
                fs::write(root.join("new"), "q").unwrap();
                fs::rename(root.join("new"), root.join("p.xml")).unwrap();
            }),
            ("a file gone", |root| fs::remove_file(root.join("p.xml")).unwrap()),
        ];
        for (what, change) in changes {
            let reading = read(&folder, &["p.xml"]);
            assert!(!folder.has_changed(&reading.fingerprint), "{what}");
            change(root);
            assert!(folder.has_changed(&reading.fingerprint), "{what}");
        }
    }

    #[test]
    fn a_volume_that_kubernetes_swaps_is_a_change() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        for (version, text) in [("..one", "1"), ("..two", "2")] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("weir.yaml"), text).unwrap();
        }
        symlink("..one", root.join("..data")).unwrap();
        symlink("..data/weir.yaml", root.join("weir.yaml")).unwrap();
        let folder = Folder::at(root);
        let first = read(&folder, &[]);
        assert_eq!(&*first.documents[0].1, "1");
        symlink("..two", root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        assert!(folder.has_changed(&first.fingerprint));
        assert_eq!(&*read(&folder, &[]).documents[0].1, "2");
    }

    /// What was read of `root` when it had one file with the text `text`; another one, which is gone
    /// since, had been changed `later` seconds after it.
    fn earlier(root: &Path, text: &str, later: i64) -> Reading {
        let mut files = list(root).unwrap();
        let mut stamp = files[0].stamp.unwrap();
        stamp.changed.0 += later;
        let (name, path) = (Arc::from("z.yaml"), root.join("z.yaml"));
        let documents =
            vec![(Arc::clone(&files[0].name), Arc::from(text)), (Arc::clone(&name), Arc::from(""))];
        files.push(Listed { name, path, stamp: Some(stamp) });
        Reading { fingerprint: Fingerprint::of(files), ..Reading::of(documents) }
    }

    #[test]
    fn what_looks_the_same_is_read_again_unless_it_had_settled() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        fs::write(root.join("a.yaml"), "new").unwrap();
        let text = |kept: &Reading| {
            let reading = Folder::at(root).read(Some(kept), |_| BTreeSet::new()).unwrap();
            Arc::clone(&reading.documents[0].1)
        };
        let settled = earlier(root, "old", 60);
        assert_eq!(&*text(&settled), "old", "it was read although it looks the same");
        let restless = earlier(root, "old", 1);
        assert_eq!(&*text(&restless), "new", "it may have been written twice in a moment");
        fs::rename(root.join("a.yaml"), root.join("b.yaml")).unwrap();
        fs::write(root.join("a.yaml"), "other").unwrap();
        assert_eq!(&*text(&settled), "other");
    }

    #[test]
    fn a_text_that_is_the_same_is_the_very_same() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        fs::write(root.join("a.yaml"), "a").unwrap();
        fs::write(root.join("p.xml"), "p").unwrap();
        let folder = Folder::at(root);
        let first = read(&folder, &["p.xml"]);
        fs::write(root.join("b.yaml"), "b").unwrap();
        let wanted = Reference { path: "p.xml".to_owned(), is_secret: false };
        let second = folder.read(Some(&first), |_| [wanted.clone()].into()).unwrap();
        assert!(Arc::ptr_eq(&first.documents[0].1, &second.documents[0].1));
        let [one, other] = [&first, &second].map(|it| it.policies["p.xml"].clone().unwrap());
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_folder_that_is_none_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let missing = Folder::at(temporary.path().join("missing"));
        let error = missing.read(None, |_| BTreeSet::new()).err().unwrap();
        assert_eq!(error.to_string(), "there is no such file");
        let empty = Folder::at(temporary.path());
        assert!(matches!(empty.read(None, |_| BTreeSet::new()), Err(FolderError::Empty { .. })));
    }
}
