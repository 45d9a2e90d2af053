//! A value as the document means it, and where each part of it was written.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::fault::{Fault, Place};

/// The most characters that one segment covers: what a look-up of a place costs.
const SEGMENT_CHARACTERS_MAX: u32 = 256;

/// The value of an attribute or the text of an element: unescaped, named values put in, otherwise
/// exact to the last space. Does not print what a secret named value put in.
#[derive(Clone, Eq, PartialEq)]
pub struct Text {
    value: Arc<str>,
    file: Arc<str>,
    segments: Vec<Segment>,
    form: Form,
    secret: bool,
    /// Where what stands for named values that are not known was put in.
    assumed: Vec<usize>,
}

/// What a [`Text`] is. The ranges and offsets are bytes of [`Text::as_str`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Form {
    /// Itself.
    Literal,
    /// One expression, `@(…)` or `@{…}`, with at most white space around it.
    Expression(Range<usize>),
    /// A literal and something like an expression, which APIM does not put together. Here starts
    /// what does not belong: the `@` after a literal, or the first character after an expression.
    Mixed(usize),
    /// An expression that does not end. The reader has said so; nothing more need be said of it.
    Broken,
}

/// From `offset` in the value to the next segment.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Segment {
    offset: usize,
    line: u32,
    column: u32,
    /// All of it has this one place: an entity, or the value of a named value.
    fixed: bool,
}

/// Puts a [`Text`] together.
pub(super) struct TextBuilder {
    value: String,
    file: Arc<str>,
    segments: Vec<Segment>,
    secret: bool,
    assumed: Vec<usize>,
}

impl Text {
    /// The value. It may be secret: see [`Self::is_secret`].
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The value, to keep.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.value)
    }

    /// What it is: a literal, an expression, or neither.
    pub const fn form(&self) -> &Form {
        &self.form
    }

    /// Whether all of it is one expression.
    pub const fn is_expression(&self) -> bool {
        matches!(self.form, Form::Expression(_))
    }

    /// Whether it is an expression that does not end, which the reader has reported.
    pub const fn is_broken(&self) -> bool {
        matches!(self.form, Form::Broken)
    }

    /// The expression with its `@` and brackets and without the white space around it; for a text
    /// of another form, all of it.
    pub fn expression(&self) -> &str {
        let range = self.expression_range();
        self.value.get(range).unwrap_or_default()
    }

    /// Where the byte `offset` of [`Self::expression`] was written.
    pub fn expression_place(&self, offset: usize) -> Place {
        self.place_at(self.expression_range().start.saturating_add(offset))
    }

    /// Where that was written which makes it neither a literal nor an expression.
    pub fn stray_expression(&self) -> Option<Place> {
        match self.form {
            Form::Mixed(at) => Some(self.place_at(at)),
            Form::Literal | Form::Expression(_) | Form::Broken => None,
        }
    }

    /// Where it starts: its first character that is not white space, if there is one.
    pub fn place(&self) -> Place {
        let blank = self.value.len().saturating_sub(self.value.trim_start().len());
        self.place_at(if blank == self.value.len() { 0 } else { blank })
    }

    /// Where the byte `offset` of [`Self::as_str`] was written. What a named value or an entity
    /// put in has the place of the `{{` or `&`. Costs no more for a long text than for a short one,
    /// but for a binary search.
    pub fn place_at(&self, offset: usize) -> Place {
        place_at(&self.file, &self.segments, &self.value, offset)
    }

    /// How many characters from [`Self::place`] on stand on its line: the width of a fault.
    pub fn width(&self) -> usize {
        let line = self.value.trim().lines().next().unwrap_or_default();
        if self.secret { 1 } else { line.chars().count().max(1) }
    }

    /// Whether a secret named value went into it: then nothing may show it.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether a named value that is not known went into it, as `0`: then its value cannot be
    /// checked.
    pub const fn is_assumed(&self) -> bool {
        !self.assumed.is_empty()
    }

    /// The bytes of [`Self::expression`] at which that `0` stands.
    pub fn assumed_in_expression(&self) -> impl Iterator<Item = usize> {
        let range = self.expression_range();
        let inside = self.assumed.iter().filter(move |at| range.contains(*at));
        inside.map(move |at| at.saturating_sub(self.expression_range().start))
    }

    /// A fault of this value, under it.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place(), message).wide(self.width())
    }

    fn expression_range(&self) -> Range<usize> {
        match &self.form {
            Form::Expression(range) => range.clone(),
            Form::Literal | Form::Mixed(_) | Form::Broken => 0..self.value.len(),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: &dyn fmt::Debug = if self.secret { &"(secret)" } else { &self.value };
        formatter
            .debug_struct("Text")
            .field("value", shown)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

fn place_at(file: &Arc<str>, segments: &[Segment], value: &str, offset: usize) -> Place {
    let after = segments.partition_point(|segment| segment.offset <= offset);
    let Some(segment) = after.checked_sub(1).and_then(|index| segments.get(index)) else {
        return Place::start_of(file);
    };
    let place = Place { file: Arc::clone(file), line: segment.line, column: segment.column };
    if segment.fixed {
        return place;
    }
    let rest = value.get(segment.offset..).unwrap_or_default();
    place.advance(rest, floor(rest, offset.saturating_sub(segment.offset)))
}

/// The last boundary of a character in `text` that is not after `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset = offset.saturating_sub(1);
    }
    offset
}

impl TextBuilder {
    /// An empty text that stands at `place`.
    pub(super) fn new(place: Place) -> Self {
        let segment = Segment { offset: 0, line: place.line, column: place.column, fixed: true };
        let segments = vec![segment];
        Self {
            value: String::new(),
            file: place.file,
            segments,
            secret: false,
            assumed: Vec::new(),
        }
    }

    /// How many bytes there are.
    pub(super) const fn len(&self) -> usize {
        self.value.len()
    }

    /// What is there from byte `offset` on.
    pub(super) fn since(&self, offset: usize) -> &str {
        self.value.get(offset..).unwrap_or_default()
    }

    /// Where the byte `offset` was written.
    pub(super) fn place_at(&self, offset: usize) -> Place {
        place_at(&self.file, &self.segments, &self.value, offset)
    }

    /// Adds what was written as it is at `place`.
    pub(super) fn push(&mut self, text: &str, place: &Place) {
        let (mut line, mut column) = (place.line, place.column);
        let (mut characters, mut start) = (0, true);
        for (index, character) in text.char_indices() {
            if start || characters == SEGMENT_CHARACTERS_MAX {
                let offset = self.value.len().saturating_add(index);
                self.segment(Segment { offset, line, column, fixed: false });
                characters = 0;
            }
            characters = characters.saturating_add(1);
            start = character == '\n';
            if start {
                line = line.saturating_add(1);
                column = 1;
            } else {
                column = column.saturating_add(1);
            }
        }
        self.value.push_str(text);
    }

    /// Adds what stands for something else that was written at `place`.
    pub(super) fn push_fixed(&mut self, text: &str, place: &Place) {
        let offset = self.value.len();
        self.segment(Segment { offset, line: place.line, column: place.column, fixed: true });
        self.value.push_str(text);
    }

    /// Remembers that a secret went in.
    pub(super) const fn mark_secret(&mut self) {
        self.secret = true;
    }

    /// Remembers that a stand-in goes in next.
    pub(super) fn mark_assumed(&mut self) {
        self.assumed.push(self.value.len());
    }

    /// The text.
    pub(super) fn finish(self, form: Form) -> Text {
        let Self { value, file, segments, secret, assumed } = self;
        Text { value: Arc::from(value), file, segments, form, secret, assumed }
    }

    fn segment(&mut self, segment: Segment) {
        // An empty segment is none.
        if self.segments.last().is_some_and(|last| last.offset == segment.offset) {
            self.segments.pop();
        }
        self.segments.push(segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, column: u32) -> Place {
        Place { file: Arc::from("f"), line, column }
    }

    #[test]
    fn every_part_knows_where_it_was_written() {
        let mut builder = TextBuilder::new(at(3, 5));
        builder.push("aé\nb", &at(3, 5));
        builder.push_fixed("<", &at(4, 2));
        builder.push("c", &at(4, 6));
        let text = builder.finish(Form::Literal);
        assert_eq!(text.as_str(), "aé\nb<c");
        let places: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 99].map(|offset| text.place_at(offset)).into();
        let expected =
            [(3, 5), (3, 6), (3, 6), (3, 7), (4, 1), (4, 2), (4, 6), (4, 7)].map(|(l, c)| at(l, c));
        assert_eq!(places, expected);
    }

    #[test]
    fn a_long_line_is_cut_into_segments() {
        let mut builder = TextBuilder::new(at(1, 1));
        builder.push(&"ä".repeat(5000), &at(1, 1));
        let text = builder.finish(Form::Literal);
        assert_eq!(text.segments.len(), 20);
        assert_eq!(text.place_at(2 * 4321), at(1, 4322));
    }

    #[test]
    fn a_text_starts_after_its_white_space_and_a_blank_one_at_its_start() {
        let mut builder = TextBuilder::new(at(1, 1));
        builder.push("\n  x y\nz", &at(1, 1));
        let text = builder.finish(Form::Literal);
        assert_eq!((text.place(), text.width()), (at(2, 3), 3));
        let blank = TextBuilder::new(at(7, 7)).finish(Form::Literal);
        assert_eq!((blank.place(), blank.width()), (at(7, 7), 1));
    }

    #[test]
    fn a_secret_text_does_not_print() {
        let mut builder = TextBuilder::new(at(1, 1));
        builder.push_fixed("hunter2", &at(1, 1));
        builder.mark_secret();
        let text = builder.finish(Form::Literal);
        assert!(text.is_secret() && !format!("{text:?}").contains("hunter2"));
    }
}
