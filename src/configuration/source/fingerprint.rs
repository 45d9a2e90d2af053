//! What the files of a configuration looked like, to notice that they changed without reading
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::listing::{Listed, Stamp, list};
use super::{Held, Reference};

/// How much older than the newest file of a reading a file must be for its look alone to be
/// believed later: some file systems note times no more exactly than this, so that two states of
/// a file that was written twice in a moment may look the same.
const SETTLED_SECONDS: i64 = 3;

/// What the files of a configuration looked like.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint {
    /// The YAML files, sorted by name.
    files: Vec<Listed>,
    /// What these name.
    references: BTreeMap<Reference, Option<Stamp>>,
    /// Of those that lie in stores: which answer it was.
    held: BTreeMap<String, u64>,
}

impl Fingerprint {
    /// What the YAML files that were listed look like.
    pub(super) const fn of(files: Vec<Listed>) -> Self {
        Self { files, references: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// The same, also of what `references` name.
    pub(super) fn with(self, folder: &Path, references: BTreeSet<Reference>) -> Self {
        let stamped = |reference: Reference| {
            let stamp = Stamp::at(&folder.join(&reference.path));
            (reference, stamp)
        };
        Self { references: references.into_iter().map(stamped).collect(), ..self }
    }

    /// Notes which answers of stores it is made with, as `number` tells.
    pub(super) fn hold(&mut self, number: impl Fn(&Held<'_>) -> u64) {
        self.held = self.stored().map(|held| (held.to_string(), number(&held))).collect();
    }

    /// What lies in stores of all that is named.
    pub(super) fn stored(&self) -> impl Iterator<Item = Held<'_>> {
        let secrets = self.references.keys().filter(|it| it.is_secret);
        secrets.filter_map(|it| Held::of(&it.path))
    }

    /// Those that lie in stores, and which answer it was.
    pub(super) fn held(&self) -> impl Iterator<Item = (Held<'_>, u64)> {
        self.held.iter().filter_map(|(path, number)| Some((Held::of(path)?, *number)))
    }

    /// Whether everything still looks like this.
    pub(super) fn holds(&self, folder: &Path) -> bool {
        let known = self.references.iter();
        let mut known = known.map(|(it, stamp)| *stamp == Stamp::at(&folder.join(&it.path)));
        list(folder).is_ok_and(|now| now == self.files) && known.all(|holds| holds)
    }

    pub(super) fn files(&self) -> &[Listed] {
        &self.files
    }

    pub(super) const fn references(&self) -> &BTreeMap<Reference, Option<Stamp>> {
        &self.references
    }

    /// The date up to which files had settled when they looked like this: what was changed until
    /// then and looks the same later, is the same.
    pub(super) fn settled(&self) -> i64 {
        let stamps =
            self.files.iter().map(|file| file.stamp).chain(self.references.values().copied());
        let newest = stamps.flatten().map(|stamp| stamp.changed.0).max();
        newest.unwrap_or(i64::MIN).saturating_sub(SETTLED_SECONDS)
    }
}
