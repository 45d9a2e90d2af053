//! Where each part of a text stands in its YAML file: indentation, folds and escapes undone.
//!
//! The parser says where a scalar begins, and what it means. Between the two lie the rules of five
//! ways to write one. This goes through both texts side by side and notes where they part; should
//! it lose its way, the rest has the places of a text that goes on as it is.

use super::Style;
use crate::fault::{Layout, Place};

/// Where each part of `text` stands in its file. `yaml` is the file from the beginning of the
/// scalar on, which is at `start` and written in `style`; a block begins with its first line that
/// is not empty.
pub fn follow(text: &str, style: Style, yaml: &str, start: Place) -> Layout {
    let mut follower = Follower {
        text,
        at: 0,
        yaml,
        line: start.line,
        column: start.column,
        layout: Layout::starting(start),
    };
    match style {
        Style::Block => follower.block(),
        Style::Plain => follower.flow(None),
        Style::Quoted => {
            let quote = yaml.chars().next();
            follower.skip(1);
            follower.flow(quote);
        }
    }
    follower.layout
}

struct Follower<'a> {
    text: &'a str,
    /// How much of the text was found, in bytes.
    at: usize,
    /// What of the file was not looked at.
    yaml: &'a str,
    line: u32,
    column: u32,
    layout: Layout,
}

impl Follower<'_> {
    fn block(&mut self) {
        let indent = usize::try_from(self.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let empty = self.take_breaks(usize::MAX);
        let above = u32::try_from(empty).unwrap_or(u32::MAX);
        self.layout.push(0, self.line.saturating_sub(above).max(1), 1);
        loop {
            self.run();
            let length = self.yaml.find(['\n', '\r']).unwrap_or(self.yaml.len());
            let content = self.yaml.get(..length).unwrap_or_default();
            if !self.take(content) {
                return;
            }
            self.skip(length);
            if !self.skip_break() {
                return;
            }
            self.skip_blanks(indent);
            while self.skip_break() {
                self.skip_blanks(indent);
            }
            if self.take_breaks(usize::MAX) == 0 {
                self.take(" ");
            }
            if self.at >= self.text.len() {
                return;
            }
        }
    }

    /// A scalar that is no block; `quote` is the quote it stands in.
    fn flow(&mut self, quote: Option<char>) {
        self.run();
        while self.at < self.text.len() {
            let Some(next) = self.yaml.chars().next() else { return };
            let found = match (next, quote) {
                (' ' | '\t' | '\n' | '\r', _) => self.blank(),
                ('\'', Some('\'')) => {
                    self.skip(1);
                    self.take_skip('\'') && self.run()
                }
                ('\\', Some('"')) => self.escape(),
                _ => self.take_skip(next),
            };
            if !found {
                return;
            }
        }
    }

    /// White space: as it is inside of a line; a line break with all white space around it is one
    /// space, or one line break fewer than there are.
    fn blank(&mut self) -> bool {
        let length = blanks(self.yaml);
        if !self.yaml.get(length..).is_some_and(|rest| rest.starts_with(['\n', '\r'])) {
            let blank = self.yaml.get(..length).unwrap_or_default();
            return self.take(blank) && self.skip(length);
        }
        self.skip(length);
        self.skip_break();
        let empty = self.skip_empty();
        let found = if empty == 0 { self.take(" ") } else { self.take_breaks(empty) == empty };
        found && self.run()
    }

    fn escape(&mut self) -> bool {
        self.run();
        let escaped = self.yaml.chars().nth(1).unwrap_or('\\');
        self.skip(1);
        if matches!(escaped, '\n' | '\r') {
            self.skip_break();
            let empty = self.skip_empty();
            return self.take_breaks(empty) == empty && self.run();
        }
        let digits = match escaped {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.chars().next().map_or(0, char::len_utf8);
        self.at = self.at.saturating_add(length);
        self.skip(escaped.len_utf8().saturating_add(digits)) && self.run()
    }

    /// From here on the text stands in the file as it is.
    fn run(&mut self) -> bool {
        self.layout.push(self.at, self.line, self.column);
        true
    }

    /// Goes on in the text if `part` comes next there.
    fn take(&mut self, part: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(part));
        if found {
            self.at = self.at.saturating_add(part.len());
        }
        found
    }

    /// Goes on in both if `character` comes next in the text.
    fn take_skip(&mut self, character: char) -> bool {
        let mut buffer = [0; 4];
        self.take(character.encode_utf8(&mut buffer)) && self.skip(character.len_utf8())
    }

    /// Goes on in the text over the line breaks there, `most` at most; how many those are.
    fn take_breaks(&mut self, most: usize) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let breaks = rest.bytes().take(most).take_while(|byte| *byte == b'\n').count();
        self.at = self.at.saturating_add(breaks);
        breaks
    }

    /// Goes on in the file by `length` bytes that hold no line break.
    fn skip(&mut self, length: usize) -> bool {
        let (skipped, rest) = self.yaml.split_at_checked(length).unwrap_or((self.yaml, ""));
        let characters = u32::try_from(skipped.chars().count()).unwrap_or(u32::MAX);
        self.column = self.column.saturating_add(characters);
        self.yaml = rest;
        skipped.len() == length
    }

    /// Goes on in the file over a line break, if one is there.
    fn skip_break(&mut self) -> bool {
        let rest = self.yaml.strip_prefix("\r\n").or_else(|| self.yaml.strip_prefix(['\n', '\r']));
        let Some(rest) = rest else { return false };
        self.yaml = rest;
        self.line = self.line.saturating_add(1);
        self.column = 1;
        true
    }

    /// Goes on in the file over spaces, `most` at most.
    fn skip_blanks(&mut self, most: usize) {
        let spaces = self.yaml.bytes().take(most).take_while(|byte| *byte == b' ').count();
        self.skip(spaces);
    }

    /// Goes on in the file over lines with nothing but white space, and over the white space
    /// before what comes next; how many lines those are.
    fn skip_empty(&mut self) -> usize {
        let mut lines = 0_usize;
        loop {
            self.skip(blanks(self.yaml));
            if !self.skip_break() {
                return lines;
            }
            lines = lines.saturating_add(1);
        }
    }
}

/// How many spaces and tabs `text` begins with.
fn blanks(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{Files, Kind, Node, parse};
    use super::*;

    /// How many lines or columns lie before this one.
    fn before(number: u32) -> usize {
        usize::try_from(number).unwrap() - 1
    }

    /// The value of `text` in `yaml`, and the characters of the file where it says that those of
    /// the value stand.
    fn followed(yaml: &str) -> Option<(String, String)> {
        let mut files = Files::default();
        let number = files.add(&Arc::from("f"));
        let mut faults = Vec::new();
        let root = parse(yaml, number, &files, &mut faults)?;
        let Kind::Map(entries) = &root.kind else { return None };
        let Node { mark, kind: Kind::Scalar(scalar) } = &entries.first()?.value else {
            return None;
        };
        let lines: Vec<&str> = yaml.split('\n').collect();
        let at = |line: u32, column: u32| -> Option<char> {
            lines.get(before(line))?.chars().nth(before(column))
        };
        let above: usize = lines[..before(mark.line)].iter().map(|line| line.len() + 1).sum();
        let line = yaml.get(above..)?;
        let skipped: usize = line.chars().take(before(mark.column)).map(char::len_utf8).sum();
        let start = files.spot(*mark).place;
        let layout = follow(&scalar.text, scalar.style, yaml.get(above + skipped..)?, start);
        let stands = scalar.text.char_indices().map(|(offset, _)| {
            let place = layout.place(&scalar.text, offset);
            at(place.line, place.column).unwrap_or('\n')
        });
        Some((scalar.text.to_string(), stands.collect()))
    }

    #[test]
    fn every_way_to_write_a_text_is_followed() {
        for (yaml, value, stands) in [
            ("t: |\n  <a>\n    <b/>\n", "<a>\n  <b/>\n", "<a>\n  <b/>\n"),
            ("t: |2\n    <a>\n", "  <a>\n", "  <a>\n"),
            ("t: |\n\n    <a>\n\n    <b>\n", "\n<a>\n\n<b>\n", "\n<a>\n\n<b>\n"),
            ("t: |-\n  <ä>\r\n  <b>\r\n", "<ä>\n<b>", "<ä>\r<b>"),
            ("t: <a/>\n", "<a/>", "<a/>"),
            ("t: '<a/>'\n", "<a/>", "<a/>"),
            ("t: '<a b=''1''/>'\n", "<a b='1'/>", "<a b='1'/>"),
            (r#"t: "<a b=\"1\" \x41é\u00e9/>""#, "<a b=\"1\" Aéé/>", r"<a b=\1\ \é\/>"),
            (
                "t: >\n  <a>\n  <b/>\n\n  <c/>\n    d\n  e\n",
                "<a> <b/>\n<c/>\n  d\ne\n",
                "<a>\n<b/>\n<c/>\n  d\ne\n",
            ),
            ("t: <a>\n   <b/>\n\n   <c/>\n", "<a> <b/>\n<c/>", "<a>\n<b/>\n<c/>"),
            ("t: \"<a> \n   <b/>\\\n   <c/> \\\n  \\ d\"\n", "<a> <b/><c/>  d", "<a> <b/><c/> \\d"),
            ("t: '<a>\n\n\n   <b/>'\n", "<a>\n\n<b/>", "<a>\n\n<b/>"),
        ] {
            assert_eq!(followed(yaml), Some((value.to_owned(), stands.to_owned())), "{yaml}");
        }
    }

    /// Whether each character of the value stands where it is said to, but for folds and escapes.
    fn is_right(value: &str, stands: &str) -> bool {
        value
            .chars()
            .zip(stands.chars())
            .all(|(value, stands)| value == stands || matches!(value, ' ' | '\n') || stands == '\\')
    }

    proptest! {
        #[test]
        fn no_text_is_lost_on_the_way(
            indicator in "(\\||>)[-+]?",
            block in "[ab<>#:'\"\\\\ä \n]{0,30}",
            single in "([ab<>#:\"\\\\ä \n\t]|'')*",
            double in "([ab<>#:'ä \n\t]|\\\\[nt\"\\\\/ ]|\\\\x4[1-9]|\\\\u00e4|\\\\\n)*",
            plain in "[ab<>ä][ab<>'\"\\\\ä \n]{0,30}",
        ) {
            let indented = |text: &str| text.replace('\n', "\n  ");
            for yaml in [
                format!("t: {indicator}\n  <{}", indented(&block)),
                format!("t: '{}'", indented(&single)),
                format!("t: \"{}\"", indented(&double)),
                format!("t: {}", indented(&plain)),
            ] {
                if let Some((value, stands)) = followed(&yaml) {
                    prop_assert!(is_right(&value, &stands), "{yaml:?}\n{value:?}\n{stands:?}");
                }
            }
        }

        #[test]
        fn a_scalar_that_is_another_ends_the_search(text in "\\PC{0,20}", yaml in "(\\PC|\n){0,20}") {
            for style in [Style::Plain, Style::Quoted, Style::Block] {
                let start = Place::start_of(&Arc::from("f"));
                let layout = follow(&text, style, &yaml, start);
                let _ = layout.place(&text, text.len());
            }
        }
    }
}
