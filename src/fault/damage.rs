//! Damage to texts, for tests: whatever reads a text must bear it.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One damage; places and lengths are in characters.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// Something that the text is made of stands where it does not belong.
    Insert(Index, &'static str),
    /// A part is missing.
    Remove(Index, usize),
    /// A part stands elsewhere, too.
    Copy(Index, Index, usize),
    /// A part stands there many times.
    Repeat(Index, usize, usize),
}

/// Up to a dozen damages to a text that is made of `shards`.
pub(crate) fn damages(shards: &'static [&'static str]) -> impl Strategy<Value = Vec<Damage>> {
    let place = any::<Index>;
    let damage = prop_oneof![
        4 => (place(), select(shards)).prop_map(|(at, shard)| Damage::Insert(at, shard)),
        4 => (place(), 1..20_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        3 => (place(), place(), 1..200_usize).prop_map(|(from, to, n)| Damage::Copy(from, to, n)),
        1 => (place(), 1..20_usize, 2..200_usize).prop_map(|(at, n, times)| Damage::Repeat(at, n, times)),
    ];
    vec(damage, 0..12)
}

/// `text` with this damage.
pub(crate) fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for damage in damages {
        let length = characters.len();
        let place = |index: &Index| index.index(length + 1);
        match damage {
            Damage::Insert(at, shard) => {
                let at = place(at);
                characters.splice(at..at, shard.chars());
            }
            Damage::Remove(at, count) => {
                let at = place(at);
                characters.drain(at..(at + count).min(length));
            }
            Damage::Copy(from, to, count) => {
                let (from, to) = (place(from), place(to));
                let part = characters[from..(from + count).min(length)].to_vec();
                characters.splice(to..to, part);
            }
            Damage::Repeat(at, count, times) => {
                let at = place(at);
                let part = characters[at..(at + count).min(length)].repeat(*times);
                characters.splice(at..at, part);
            }
        }
    }
    characters.into_iter().collect()
}

/// The texts of all files below `folder` of this repository whose names end in `ending`.
pub(crate) fn texts(folder: &str, ending: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                texts.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    texts.sort();
    assert!(!texts.is_empty(), "{folder} has files that end in {ending}");
    texts
}
