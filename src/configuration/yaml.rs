//! YAML with a place for everything: text → tree → any type that serde can read.
//!
//! Three habits of YAML are left out on purpose: aliases and tags are refused, and what a plain
//! scalar means is decided by the type that is asked for, so that `version: 1.0` stays `1.0` and
//! `name: no` stays `no`. A key with nothing after it counts as not written.

mod parse;
mod placed;
mod read;
mod reader;
mod access;
mod number;
mod follow;

use std::sync::Arc;

use super::config::Spot;
use crate::fault::{Fault, Place};

pub use follow::follow;
pub use parse::parse;
pub use placed::{Block, Entries, OneOrMore, Placed, Plain};
pub use read::{Later, read};

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// How deep lists and maps may lie in each other.
pub const DEPTH_MAX: usize = 32;
/// How many values one file may hold.
pub const NODES_MAX: usize = 1_000_000;
/// The longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The longest text where a whole document stands inline, in bytes.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;
/// How many faults of one file are told; more would be read by nobody.
pub const FAULTS_MAX: usize = 1_000;

/// Where something stands: a file by number, and a part of one of its lines.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mark {
    /// Index into the list of files.
    pub file: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Width in characters; 0 if the value here is made up because something else is written.
    pub width: u32,
}

impl Mark {
    /// Whether the value here is made up: what was written is a fault already.
    pub const fn is_made_up(self) -> bool {
        self.width == 0
    }
}

/// One value of a YAML file. Like all of a tree it has no `Debug`: it may hold secrets.
pub struct Node {
    /// Where it stands.
    pub mark: Mark,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
pub enum Kind {
    /// Text of some style.
    Scalar(Scalar),
    /// `- a`
    List(Vec<Node>),
    /// `a: b`; no key twice.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
pub struct Entry {
    /// The key, always a scalar.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// A text as written.
pub struct Scalar {
    /// The text, unescaped.
    pub text: Box<str>,
    /// How it was written.
    pub style: Style,
}

/// How a text was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// As `|` or `>`; the mark is that of its first line that is not empty.
    Block,
}

impl Style {
    /// Its number, for [`Block`] to be read by.
    const fn number(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::Quoted => 1,
            Self::Block => 2,
        }
    }

    const fn numbered(number: u32) -> Self {
        match number {
            0 => Self::Plain,
            1 => Self::Quoted,
            _ => Self::Block,
        }
    }
}

impl Node {
    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.is_null(),
            Kind::List(_) | Kind::Map(_) => false,
        }
    }

    /// What a person would call it.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_null() => "nothing",
            Kind::Scalar(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map of keys",
        }
    }
}

impl Entry {
    /// The key as a text.
    pub fn name(&self) -> &str {
        match &self.key.kind {
            Kind::Scalar(scalar) => &scalar.text,
            Kind::List(_) | Kind::Map(_) => "",
        }
    }
}

impl Scalar {
    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The files that marks point into, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<Arc<str>>);

impl Files {
    /// Gives `file` a number.
    pub fn add(&mut self, file: &Arc<str>) -> u32 {
        self.0.push(Arc::clone(file));
        u32::try_from(self.0.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Gives the number of a file that is gone to `file`.
    pub fn rename(&mut self, number: u32, file: &Arc<str>) {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(name) = self.0.get_mut(index) {
            *name = Arc::clone(file);
        }
    }

    /// The place of `mark`.
    pub fn spot(&self, mark: Mark) -> Spot {
        let index = usize::try_from(mark.file).unwrap_or(usize::MAX);
        let file = self.0.get(index).map_or_else(|| Arc::from(""), Arc::clone);
        let place = Place { file, line: mark.line, column: mark.column };
        Spot { place, width: mark.width.max(1) }
    }

    /// A fault that underlines `mark`.
    pub fn fault(&self, mark: Mark, message: impl Into<String>) -> Fault {
        self.spot(mark).fault(message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::fault::render;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        name: Placed<String>,
        version: Option<String>,
        count: Option<u16>,
        is_open: bool,
        text: Option<Block>,
        words: Vec<OneOrMore<String>>,
        inner: Option<Inner>,
        any: Option<serde_json::Value>,
        free: BTreeMap<String, u8>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        left: u8,
        right: u8,
    }

    impl Default for Placed<String> {
        fn default() -> Self {
            Self { value: String::new(), mark: Mark::default() }
        }
    }

    fn read_text(text: &str) -> (Option<Sample>, Vec<Fault>) {
        let mut files = Files::default();
        let number = files.add(&Arc::from("f"));
        let mut faults = Vec::new();
        let root = parse(text, number, &files, &mut faults);
        let sample = root.and_then(|root| read(&root, &files, |_, _| None, &mut faults));
        (sample, faults)
    }

    fn right(text: &str) -> Sample {
        let (sample, faults) = read_text(text);
        assert_eq!(faults, [], "{text}");
        sample.unwrap()
    }

    #[test]
    fn the_type_decides_what_a_plain_text_means() {
        let sample = right("name: no\nversion: 1.0\ncount: 7\nis_open: true\n");
        assert_eq!(sample.name.value, "no");
        assert_eq!(sample.version.as_deref(), Some("1.0"));
        assert_eq!((sample.count, sample.is_open), (Some(7), true));
        assert_eq!((sample.name.mark.line, sample.name.mark.column), (1, 7));
    }

    #[test]
    fn a_key_with_nothing_after_it_counts_as_not_written() {
        let sample = right("count:\nwords: ~\nname: null\nis_open:\n");
        assert_eq!(sample.count, None);
        assert!(sample.words.is_empty() && !sample.is_open);
    }

    #[test]
    fn one_stands_for_a_list_of_one() {
        let sample = right(
            "inner: {left: 1, right: 2}\nwords: [a, [b, c]]\nfree: {x: 1}\nany: {a: [1, -2, 0.5, x, true]}\n",
        );
        assert_eq!(sample.words.iter().map(|it| it.0.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(sample.free.get("x"), Some(&1));
        assert!(sample.inner.is_some_and(|inner| (inner.left, inner.right) == (1, 2)));
        assert_eq!(sample.any.unwrap().to_string(), r#"{"a":[1,-2,0.5,"x",true]}"#);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = "nam: x\ncount: 70000\nis_open: 1\ninner: {left: a}\ntext: [1]\n";
        let (sample, faults) = read_text(text);
        assert!(sample.is_some());
        let told: Vec<u32> = faults.iter().map(|fault| fault.place.line).collect();
        assert_eq!(told, [1, 2, 3, 4, 5, 4], "{faults:?}");
        let mut sources = crate::fault::Sources::default();
        sources.insert(&Arc::from("f"), text);
        assert_eq!(
            render(&faults[5], &sources),
            "error: this inner has no `right`\n  --> f:4:9\n   |\n 4 | inner: {left: a}\n   |         \
             ^^^^\n  = help: add `right: …`\n"
        );
    }

    #[test]
    fn what_is_made_up_says_so() {
        let (sample, _) = read_text("name: [a]\ntext: {}\n");
        let sample = sample.unwrap();
        assert!(sample.name.mark.is_made_up());
        assert!(sample.text.unwrap().mark.is_made_up());
    }

    #[test]
    fn a_text_has_its_bound() {
        let (_, faults) = read_text(&format!("version: {}\n", "x".repeat(TEXT_BYTES_MAX + 1)));
        assert_eq!(faults.len(), 1);
        let (_, faults) = read_text(&format!("text: {}\n", "x".repeat(TEXT_BYTES_MAX + 1)));
        assert_eq!(faults, []);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "([a-z]{0,3}|[-:|>\"'{}\\[\\],&*!#%@~?\n ]{0,4}|\\PC|\t){0,60}") {
            let _ = read_text(&text);
        }

        #[test]
        fn no_document_makes_the_reader_panic(
            text in "((name|count|text|words|inner|left|free|any): ?([a-z0-9\"'|>\\[\\]{}, ]{0,8})\n? {0,3}){0,20}"
        ) {
            let _ = read_text(&text);
        }
    }
}
