//! Writes parts of a YAML tree as YAML again, each on the line where it stood.
//!
//! What comes out is one map in the notation of JSON, with as many line breaks between as it takes:
//! a fault in it has the line of the file that a person wrote. Its columns are others.

use std::fmt::Write as _;

use crate::configuration::yaml::{Entry, Kind, Node, Scalar, Style};

/// Writes one file.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    /// How many lines are ended.
    breaks: u32,
    /// Whether anything was written below the root.
    is_begun: bool,
}

impl Writer {
    /// The file; none if there is nothing in it.
    pub(super) fn end(mut self) -> Option<String> {
        self.text.push_str("}\n");
        self.is_begun.then_some(self.text)
    }

    /// Begins what stands under `name` at the root, on `line` if that is not past yet.
    pub(super) fn key(&mut self, name: &str, line: u32) {
        self.text.push_str(if self.is_begun { "," } else { "{" });
        self.is_begun = true;
        self.to(line);
        self.quoted(name);
        self.text.push_str(": ");
    }

    /// Writes `node`.
    pub(super) fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(scalar) => self.scalar(scalar, node.mark.line),
            Kind::List(items) => {
                self.to(node.mark.line);
                self.list(items.iter(), Self::node);
            }
            Kind::Map(entries) => {
                self.to(node.mark.line);
                self.map(entries.iter(), |writer, entry| writer.node(&entry.value));
            }
        }
    }

    /// Writes a list of `items`, each with `write`.
    pub(super) fn list<'n>(
        &mut self,
        items: impl Iterator<Item = &'n Node>,
        mut write: impl FnMut(&mut Self, &'n Node),
    ) {
        self.text.push('[');
        for (nth, item) in items.enumerate() {
            if nth > 0 {
                self.text.push_str(", ");
            }
            write(self, item);
        }
        self.text.push(']');
    }

    /// Writes the map `node` without some of its keys.
    pub(super) fn map_without(&mut self, node: &Node, without: &[&str]) {
        let Kind::Map(entries) = &node.kind else { return self.node(node) };
        self.to(node.mark.line);
        let entries = entries.iter().filter(|entry| !without.contains(&entry.name()));
        self.map(entries, |writer, entry| writer.node(&entry.value));
    }

    /// Writes the map `node`; of the list under `key` only those items that `keeps` says.
    pub(super) fn map_with(&mut self, node: &Node, key: &str, keeps: impl Fn(&Node) -> bool) {
        let Kind::Map(entries) = &node.kind else { return self.node(node) };
        self.to(node.mark.line);
        self.map(entries.iter(), |writer, entry| match &entry.value.kind {
            Kind::List(items) if entry.name() == key => {
                writer.list(items.iter().filter(|item| keeps(item)), Self::node);
            }
            Kind::List(_) | Kind::Map(_) | Kind::Scalar(_) => writer.node(&entry.value),
        });
    }

    fn map<'n>(
        &mut self,
        entries: impl Iterator<Item = &'n Entry>,
        mut write: impl FnMut(&mut Self, &'n Entry),
    ) {
        self.text.push('{');
        for (nth, entry) in entries.enumerate() {
            if nth > 0 {
                self.text.push_str(", ");
            }
            self.to(entry.key.mark.line);
            self.quoted(entry.name());
            self.text.push_str(": ");
            write(self, entry);
        }
        self.text.push('}');
    }

    fn scalar(&mut self, scalar: &Scalar, line: u32) {
        let text = &*scalar.text;
        match scalar.style {
            _ if scalar.is_null() => self.text.push('~'),
            Style::Plain if is_plain(text) => {
                self.to(line);
                self.text.push_str(text);
            }
            Style::Block => self.block(text, line),
            Style::Plain | Style::Quoted => {
                self.to(line);
                self.quoted(text);
            }
        }
    }

    /// Writes a text of several lines on as many; its first line that is not empty stands on
    /// `line`.
    fn block(&mut self, text: &str, line: u32) {
        let empty = text.bytes().take_while(|byte| *byte == b'\n').count();
        self.to(line.saturating_sub(u32::try_from(empty).unwrap_or(u32::MAX)));
        self.text.push('"');
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            self.escaped(line);
            if let Some(next) = lines.peek().filter(|_next| line.ends_with('\n')) {
                // An escaped line break means nothing, and swallows the blanks after it.
                self.text.push_str("\\\n ");
                self.breaks = self.breaks.saturating_add(1);
                if next.starts_with([' ', '\t']) {
                    self.text.push('\\');
                }
            }
        }
        self.text.push('"');
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        self.escaped(text);
        self.text.push('"');
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push('\t'),
                control if control.is_control() => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\x{:02x}", u32::from(control));
                }
                // Line ends and a byte order mark of Unicode, which YAML may take for its own.
                odd @ ('\u{2028}' | '\u{2029}' | '\u{feff}') => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(odd));
                }
                other => self.text.push(other),
            }
        }
    }

    /// Ends lines until `line` is reached; a blank keeps what follows from beginning one.
    fn to(&mut self, line: u32) {
        while self.breaks.saturating_add(1) < line {
            self.text.push('\n');
            self.breaks = self.breaks.saturating_add(1);
            if self.breaks.saturating_add(1) == line {
                self.text.push(' ');
            }
        }
    }
}

/// Whether a text means the same without quotes within a map in the notation of JSON, whatever it
/// is read as. Numbers and truth values are among them, which must not be quoted.
fn is_plain(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'))
        && text.chars().all(is_fine)
        && text.chars().any(|c| c.is_ascii_alphanumeric())
}
