//! Tree → any type that serde can read, with all faults at once.
//!
//! What is wrong is recorded and a harmless value is given in its place, so that one pass finds
//! everything. Only a key that is missing stops serde; then it is remembered, and the next pass
//! puts a harmless value there too.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeOwned};

use super::reader::Reader;
use super::{FAULTS_MAX, Files, Mark, Node};
use crate::fault::Fault;

/// How often reading begins again because a key is missing, and so how many such faults of one
/// file are told at once.
const PASSES_MAX: usize = 32;

/// What to say of a key that is none here but is known elsewhere: given the name of the type and
/// the key, how to mend it.
pub type Later = fn(&str, &str) -> Option<&'static str>;

/// Reads `root` as a `T`. Any fault means that parts of the result may be made up.
pub fn read<T: DeserializeOwned>(
    root: &Node,
    files: &Files,
    later: Later,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let mut missing = Vec::new();
    loop {
        let pass = Pass { files, later, missing, found: RefCell::default() };
        let result = T::deserialize(Reader::of(&pass, root));
        let mut found = pass.found.into_inner();
        missing = pass.missing;
        let again = missing.len() < PASSES_MAX;
        if let (Err(Wrong::Missing(key)), true) = (&result, again) {
            missing.push(key.clone());
            continue;
        }
        if let Err(Wrong::Missing(key)) = &result {
            found.push(key.fault(files));
        }
        found.extend(missing.iter().map(|key| key.fault(files)));
        found.truncate(FAULTS_MAX);
        faults.append(&mut found);
        return result.ok();
    }
}

/// One pass over a tree.
pub(super) struct Pass<'a> {
    pub(super) files: &'a Files,
    pub(super) later: Later,
    /// Keys that earlier passes missed.
    pub(super) missing: Vec<Missing>,
    pub(super) found: RefCell<Vec<Fault>>,
}

/// A key that is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Missing {
    pub(super) mark: Mark,
    pub(super) holder: &'static str,
    pub(super) key: &'static str,
}

/// Why serde stopped.
#[derive(Debug)]
pub(super) enum Wrong {
    /// A key is missing; `holder` and `mark` are filled in by the nearest map.
    Missing(Missing),
    /// Already recorded, or nothing that is told to a person.
    Recorded,
    /// A type of the document refused a value by itself.
    Refused(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => write!(formatter, "`{}` is missing", missing.key),
            Self::Recorded => formatter.write_str("already recorded"),
            Self::Refused(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused(message.to_string())
    }

    fn missing_field(key: &'static str) -> Self {
        Self::Missing(Missing { mark: Mark::default(), holder: "", key })
    }
}

impl Missing {
    fn fault(&self, files: &Files) -> Fault {
        let message = format!("{} has no `{}`", words(self.holder), self.key);
        files.fault(self.mark, message).mend(format!("add `{}: …`", self.key))
    }
}

impl Pass<'_> {
    pub(super) fn fault(&self, mark: Mark, message: impl Into<String>, remedy: impl Into<String>) {
        self.record(self.files.fault(mark, message).mend(remedy));
    }

    /// How many faults there are so far.
    pub(super) fn faults(&self) -> usize {
        self.found.borrow().len()
    }

    fn record(&self, fault: Fault) {
        let mut found = self.found.borrow_mut();
        if found.len() < FAULTS_MAX {
            found.push(fault);
        }
    }

    /// Whether an earlier pass found that this key is not there.
    pub(super) fn missed(&self, mark: Mark, holder: &str, key: &str) -> bool {
        let same = |m: &Missing| m.mark == mark && m.holder == holder && m.key == key;
        self.missing.iter().any(same)
    }
}

/// A text as a message shows it: a part of it if it is long.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace(char::is_control, " ")
}

/// What a person calls the type `holder` of a document: `VersionSet` is "this version set".
pub(super) fn words(holder: &str) -> String {
    let mut words = String::from("this");
    for character in holder.chars() {
        if character.is_uppercase() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words.replace(" api", " API").replace(" tls", " TLS")
}
