//! A fault: something written is wrong, where, and how to mend it.
//!
//! Faults are collected, never thrown: whoever reads a document goes on after the first one, so
//! that a person mends all of them in one go. What a fault looks like on a terminal is
//! [`render`]'s business; what it says is decided where it is found.

#[cfg(test)]
pub(crate) mod damage;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// A place in a file: what an editor jumps to.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The file, as the person named it (relative to the configuration folder where there is one).
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Something written is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// How many characters from there on are wrong, at least 1; all on one line.
    pub width: u32,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// How to mend it, in one sentence without a full stop.
    pub remedy: Option<String>,
}

/// Where each part of a text stands in its file, for a text that may stand there in other lines,
/// with other indentation or with escapes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    file: Arc<str>,
    /// At least one; the first has offset 0, and offsets grow.
    runs: Vec<Run>,
}

/// A part of a text that stands in its file as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// Where it starts in the text, in bytes.
    pub offset: usize,
    /// Line of its first character in the file, from 1.
    pub line: u32,
    /// Column of its first character in the file, in characters, from 1.
    pub column: u32,
}

/// The texts that faults point into, by file.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<Arc<str>, Arc<str>>);

impl Place {
    /// The first character of `file`.
    pub fn start_of(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), line: 1, column: 1 }
    }

    /// The place `offset` bytes into `text`, which begins at this place.
    #[must_use]
    pub fn advance(&self, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let mut place = self.clone();
        for character in before.chars() {
            if character == '\n' {
                place.line = place.line.saturating_add(1);
                place.column = 1;
            } else {
                place.column = place.column.saturating_add(1);
            }
        }
        place
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Layout {
    /// The layout of a text that is all of `file`.
    pub fn whole(file: &Arc<str>) -> Self {
        Self::starting(Place::start_of(file))
    }

    /// The layout of a text that stands at `place` as it is.
    pub fn starting(place: Place) -> Self {
        let Place { file, line, column } = place;
        Self { file, runs: vec![Run { offset: 0, line, column }] }
    }

    /// From byte `offset` of the text on, it stands at `line` and `column`. An offset that is no
    /// larger than the last one takes its place.
    pub fn push(&mut self, offset: usize, line: u32, column: u32) {
        while self.runs.last().is_some_and(|last| last.offset >= offset) {
            self.runs.pop();
        }
        self.runs.push(Run { offset, line, column });
    }

    /// The file.
    pub const fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The parts that stand in the file as they are, in order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Where byte `offset` of `text`, which lies like this, stands in the file. Costs as much as
    /// the part of the text is long.
    pub fn place(&self, text: &str, offset: usize) -> Place {
        let after = self.runs.partition_point(|run| run.offset <= offset);
        let Some(run) = after.checked_sub(1).and_then(|index| self.runs.get(index)) else {
            return Place::start_of(&self.file);
        };
        let start = Place { file: Arc::clone(&self.file), line: run.line, column: run.column };
        start.advance(text.get(run.offset..offset).unwrap_or_default(), usize::MAX)
    }
}

impl Fault {
    /// A fault one character wide.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, width: 1, message: message.into(), remedy: None }
    }

    /// The same fault, `width` characters wide.
    #[must_use]
    pub fn wide(mut self, width: usize) -> Self {
        self.width = u32::try_from(width).unwrap_or(u32::MAX).max(1);
        self
    }

    /// The same fault with a way to mend it.
    #[must_use]
    pub fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)?;
        match &self.remedy {
            Some(remedy) => write!(formatter, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl Sources {
    /// Remembers the text of `file`.
    pub fn insert(&mut self, file: &Arc<str>, text: impl Into<Arc<str>>) {
        self.0.insert(Arc::clone(file), text.into());
    }

    /// The text of `file`.
    pub fn text(&self, file: &str) -> Option<&Arc<str>> {
        self.0.get(file)
    }

    /// Every file and its text.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter()
    }

    /// Line `line` (from 1) of `file`, without its end.
    pub fn line(&self, file: &str, line: u32) -> Option<&str> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        self.0.get(file)?.lines().nth(index)
    }
}

/// The longest part of a line that an excerpt shows, in characters.
const EXCERPT_CHARACTERS_MAX: usize = 120;

/// The fault as a person reads it: message, place, the line with a caret under it, the remedy.
pub fn render(fault: &Fault, sources: &Sources) -> String {
    let mut out = format!("error: {}\n  --> {}\n", fault.message, fault.place);
    if let Some(line) = sources.line(&fault.place.file, fault.place.line) {
        excerpt(&mut out, line, fault);
    }
    if let Some(remedy) = &fault.remedy {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  = help: {remedy}");
    }
    out
}

fn excerpt(out: &mut String, line: &str, fault: &Fault) {
    let column = usize::try_from(fault.place.column.saturating_sub(1)).unwrap_or(0);
    // A long line is shown from a little before the fault on.
    let skipped = if column < EXCERPT_CHARACTERS_MAX { 0 } else { column.saturating_sub(40) };
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(EXCERPT_CHARACTERS_MAX)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let at = column.saturating_sub(skipped);
    let room = shown.chars().count().saturating_sub(at).max(1);
    let width = usize::try_from(fault.width).unwrap_or(1).clamp(1, room);
    let number = fault.place.line.to_string();
    let gutter = " ".repeat(number.len());
    let _ = writeln!(out, " {gutter} |");
    let _ = writeln!(out, " {number} | {shown}");
    let _ = writeln!(out, " {gutter} | {}{}", " ".repeat(at), "^".repeat(width));
}

/// The longest word that is looked for among others, in bytes: what is longer is no slip.
const WORD_BYTES_MAX: usize = 100;

/// The entry of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if WORD_BYTES_MAX < word.len() {
        return None;
    }
    let folded = word.to_ascii_lowercase();
    let scored = known
        .into_iter()
        .map(|name| (strsim::osa_distance(&folded, &name.to_ascii_lowercase()), name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    let tolerated = (word.chars().count() / 3).max(1);
    (distance <= tolerated).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_points_at_the_fault() {
        let file: Arc<str> = Arc::from("api.yaml");
        let mut sources = Sources::default();
        sources.insert(&file, "name: a\npaht: b\n");
        let place = Place { file, line: 2, column: 1 };
        let fault = Fault::new(place, "unknown key `paht`").wide(4).mend("did you mean `path`?");
        assert_eq!(
            render(&fault, &sources),
            "error: unknown key `paht`\n  --> api.yaml:2:1\n   |\n 2 | paht: b\n   | ^^^^\n  \
             = help: did you mean `path`?\n"
        );
    }

    #[test]
    fn a_place_advances_over_lines() {
        let file: Arc<str> = Arc::from("f");
        let place = Place::start_of(&file).advance("ab\nçd", 6);
        assert_eq!((place.line, place.column), (2, 3));
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("paht", ["path", "name"]), Some("path"));
        assert_eq!(nearest("zzz", ["path", "name"]), None);
        assert_eq!(nearest(&"a".repeat(1 << 20), ["a".repeat(1 << 20).as_str()]), None);
    }
}
