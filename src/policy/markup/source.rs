//! A document with its named values put in, and where each part of it came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::EXPANDED_BYTES_MAX;
use super::named::{NamedValues, reference};
use super::text::TextBuilder;
use crate::fault::{Layout, Place};

/// What stands for a named value that is not known. As a number it is right in more places than
/// anything else; the text it is part of says that it is there.
const STAND_IN: &str = "0";
/// At most so many bytes are counted through to find a place.
const MARK_EVERY_BYTES: usize = 64;

/// A document with its named values put in.
pub(super) struct Source {
    layout: Layout,
    written: Arc<str>,
    text: Arc<str>,
    pieces: Vec<Piece>,
    marks: Vec<Mark>,
}

/// From byte `at` of the text to the next piece.
struct Piece {
    at: usize,
    /// The byte of the written document where it starts.
    written: usize,
    origin: Origin,
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// From the document.
    Written,
    /// From a named value.
    Value { secret: bool },
    /// A reference that stands as written because nobody knows the name.
    Missing,
}

/// The place of byte `offset` of the written document.
struct Mark {
    offset: usize,
    line: u32,
    column: u32,
}

/// A name that nobody knows.
#[derive(Clone, Debug)]
pub(super) struct MissingName {
    pub(super) name: String,
    pub(super) place: Place,
}

/// With its named values put in, the document would be larger than allowed.
#[derive(Debug)]
pub(super) struct TooLarge {
    /// The reference that was one too many.
    pub(super) place: Place,
}

impl Source {
    /// Puts `names` into `written`, which lies in its file as `layout` says. Linear in what comes
    /// out.
    pub(super) fn new(
        layout: &Layout,
        written: &str,
        names: &NamedValues,
    ) -> Result<Self, TooLarge> {
        let written: Arc<str> = Arc::from(written);
        let mut source = Self {
            layout: layout.clone(),
            text: Arc::clone(&written),
            marks: marks(&written, layout),
            written,
            pieces: Vec::new(),
        };
        if source.written.contains("{{") {
            source.expand(names)?;
        } else {
            source.pieces = source.pieces(0..source.written.len(), 0);
        }
        Ok(source)
    }

    fn expand(&mut self, names: &NamedValues) -> Result<(), TooLarge> {
        let mut text = String::with_capacity(self.written.len());
        let mut rest_at = 0;
        let mut pieces = Vec::new();
        let mut from = 0;
        while let Some(found) = self.written.get(from..).and_then(|rest| rest.find("{{")) {
            let at = from.saturating_add(found);
            let Some(name) = self.written.get(at..).and_then(reference) else {
                // Another shape: the second brace may still start a reference.
                from = at.saturating_add(1);
                continue;
            };
            self.push(&mut text, &mut pieces, rest_at..at);
            let reference = at..at.saturating_add(name.len()).saturating_add("{{}}".len());
            let value = names.find(name);
            let origin =
                value.map_or(Origin::Missing, |value| Origin::Value { secret: value.is_secret() });
            let written = self.written.get(reference.clone()).unwrap_or_default();
            let put_in = value.map_or(written, |value| value.value());
            if text.len().saturating_add(put_in.len()) > EXPANDED_BYTES_MAX {
                return Err(TooLarge { place: self.written_place(at) });
            }
            // An empty value leaves no piece.
            if !put_in.is_empty() {
                pieces.push(Piece { at: text.len(), written: at, origin });
                text.push_str(put_in);
            }
            (from, rest_at) = (reference.end, reference.end);
        }
        self.push(&mut text, &mut pieces, rest_at..self.written.len());
        self.text = Arc::from(text);
        self.pieces = pieces;
        Ok(())
    }

    fn push(&self, text: &mut String, pieces: &mut Vec<Piece>, range: Range<usize>) {
        pieces.extend(self.pieces(range.clone(), text.len()));
        text.push_str(self.written.get(range).unwrap_or_default());
    }

    /// The pieces that `range` of the written document is, from byte `at` of the text on: one for
    /// each part that stands in the file as it is.
    fn pieces(&self, range: Range<usize>, at: usize) -> Vec<Piece> {
        let runs = self.layout.runs();
        let inside = runs.partition_point(|run| run.offset <= range.start)
            ..runs.partition_point(|run| run.offset < range.end);
        let starts = runs.get(inside).unwrap_or_default().iter().map(|run| run.offset);
        let first = (!range.is_empty()).then_some(range.start);
        let piece = |written: usize| {
            let at = at.saturating_add(written.saturating_sub(range.start));
            Piece { at, written, origin: Origin::Written }
        };
        first.into_iter().chain(starts).map(piece).collect()
    }

    /// The document with its named values put in.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where byte `at` of the text was written.
    pub(super) fn place(&self, at: usize) -> Place {
        let Some(piece) = self.piece(at) else { return self.layout.place("", 0) };
        self.written_place(match piece.origin {
            Origin::Written => piece.written.saturating_add(at.saturating_sub(piece.at)),
            Origin::Value { .. } | Origin::Missing => piece.written,
        })
    }

    /// Whether all of `range` stands in the document itself.
    pub(super) fn is_written(&self, range: Range<usize>) -> bool {
        self.spans(range).all(|(_, _, origin)| origin == Origin::Written)
    }

    /// Whether a part of `range` came from a secret.
    pub(super) fn is_secret(&self, range: Range<usize>) -> bool {
        self.spans(range).any(|(_, _, origin)| origin == Origin::Value { secret: true })
    }

    /// Adds the bytes `range` as they are to `builder`, with a stand-in for every name that nobody
    /// knows, unless `liquid` says that braces are Liquid's. Gives these names.
    pub(super) fn append(
        &self,
        range: Range<usize>,
        builder: &mut TextBuilder,
        liquid: bool,
    ) -> Vec<MissingName> {
        let mut missing = Vec::new();
        for (at, text, origin) in self.spans(range) {
            let place = self.place(at);
            match origin {
                Origin::Written => builder.push(text, &place),
                Origin::Missing if liquid => builder.push(text, &place),
                Origin::Value { secret } => {
                    builder.push_fixed(text, &place);
                    if secret {
                        builder.mark_secret();
                    }
                }
                Origin::Missing => {
                    builder.mark_assumed();
                    builder.push_fixed(STAND_IN, &place);
                    let name = text.trim_matches(['{', '}']).to_owned();
                    missing.push(MissingName { name, place });
                }
            }
        }
        missing
    }

    /// The parts of `range` by origin, each with its offset.
    fn spans(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &str, Origin)> {
        let first = self.pieces.partition_point(|piece| piece.at <= range.start).saturating_sub(1);
        let pieces = self.pieces.get(first..).unwrap_or_default();
        pieces.iter().enumerate().take_while(move |(_, piece)| piece.at < range.end).map(
            move |(index, piece)| {
                let next = pieces.get(index.saturating_add(1));
                let start = piece.at.max(range.start);
                let end = next.map_or(range.end, |next| next.at.min(range.end));
                (start, self.text.get(start..end).unwrap_or_default(), piece.origin)
            },
        )
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.at <= at);
        self.pieces.get(after.checked_sub(1)?)
    }

    fn written_place(&self, offset: usize) -> Place {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        let Some(mark) = after.checked_sub(1).and_then(|index| self.marks.get(index)) else {
            return self.layout.place("", 0);
        };
        let file = Arc::clone(self.layout.file());
        let place = Place { file, line: mark.line, column: mark.column };
        let rest = self.written.get(mark.offset..).unwrap_or_default();
        place
            .advance(rest.get(..offset.saturating_sub(mark.offset)).unwrap_or_default(), usize::MAX)
    }
}

impl fmt::Debug for Source {
    /// The text may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("file", self.layout.file()).finish_non_exhaustive()
    }
}

fn marks(text: &str, layout: &Layout) -> Vec<Mark> {
    let mut runs = layout.runs().iter().peekable();
    let (mut line, mut column) = (1_u32, 1_u32);
    let mut marks = Vec::new();
    let mut last = 0;
    for (offset, character) in text.char_indices() {
        let run = runs.next_if(|run| run.offset <= offset);
        if let Some(run) = run {
            (line, column) = (run.line, run.column);
        }
        if run.is_some() || offset.saturating_sub(last) >= MARK_EVERY_BYTES {
            marks.push(Mark { offset, line, column });
            last = offset;
        }
        if character == '\n' {
            line = line.saturating_add(1);
            column = 1;
        } else {
            column = column.saturating_add(1);
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::super::named::NamedValue;
    use super::super::text::Form;
    use super::*;

    fn source(written: &str) -> Source {
        let mut names = NamedValues::default();
        names.insert("id", NamedValue::plain("four"));
        names.insert("again", NamedValue::plain("{{id}}"));
        names.insert("none", NamedValue::plain(""));
        names.insert("key", NamedValue::secret("hunter2"));
        names.insert("big", NamedValue::plain("x".repeat(EXPANDED_BYTES_MAX / 2)));
        Source::new(&Layout::whole(&Arc::from("f")), written, &names).expect("small")
    }

    fn columns(source: &Source) -> Vec<u32> {
        (0..=source.text().len()).map(|at| source.place(at).column).collect()
    }

    #[test]
    fn a_named_value_is_put_in_and_has_the_place_of_its_braces() {
        let source = source("a {{id}}b");
        assert_eq!(source.text(), "a fourb");
        assert_eq!(columns(&source), [1, 2, 3, 3, 3, 3, 9, 10]);
        assert!(source.is_written(0..2) && !source.is_written(1..3) && source.is_written(6..7));
    }

    #[test]
    fn what_a_value_holds_is_not_looked_at_again() {
        assert_eq!(source("{{again}}{{again}}").text(), "{{id}}{{id}}");
    }

    #[test]
    fn braces_of_another_shape_stay() {
        assert_eq!(source("{{ id }}{{{id}}}{{none}}{{}}").text(), "{{ id }}{four}{{}}");
    }

    #[test]
    fn a_name_that_nobody_knows_gets_a_stand_in_and_is_told() {
        let source = source("x{{iD}}");
        let mut builder = TextBuilder::new(source.place(0));
        let missing = source.append(0..source.text().len(), &mut builder, false);
        let text = builder.finish(Form::Literal);
        assert_eq!((text.as_str(), text.is_assumed()), ("x0", true));
        assert_eq!((missing.len(), missing[0].name.as_str()), (1, "iD"));
        assert_eq!(missing[0].place.column, 2);
        let mut builder = TextBuilder::new(source.place(0));
        assert!(source.append(0..source.text().len(), &mut builder, true).is_empty());
        assert_eq!(builder.since(0), "x{{iD}}");
    }

    #[test]
    fn a_range_that_touches_a_secret_is_secret() {
        let source = source("ab{{key}}cd");
        assert!(!source.is_secret(0..2) && source.is_secret(1..3) && !source.is_secret(9..11));
        assert!(!format!("{source:?}").contains("hunter2"));
    }

    #[test]
    fn a_document_that_would_grow_too_large_is_refused() {
        let mut names = NamedValues::default();
        names.insert("big", NamedValue::plain("x".repeat(EXPANDED_BYTES_MAX / 2)));
        let written = "{{big}} {{big}} {{big}}";
        let refused =
            Source::new(&Layout::whole(&Arc::from("f")), written, &names).expect_err("too large");
        assert_eq!(refused.place.column, 9);
    }

    #[test]
    fn places_are_right_beyond_the_first_mark() {
        let written = format!("{}\n{}x", "é".repeat(100), "ü".repeat(100));
        let source = source(&written);
        let place = source.place(written.len() - 1);
        assert_eq!((place.line, place.column), (2, 101));
    }
}
