//! Changes of a text at places, so that all else of it stays as its author wrote it.

use std::ops::Range;

/// Changes that are applied together; places are bytes of the text as it was.
#[derive(Debug, Default)]
pub struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Puts `text` in the place of `range`.
    pub fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    /// Puts `text` before the byte `at`.
    pub fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.0.truncate(count);
    }

    /// Takes `range` away, and all other changes in it.
    pub fn remove(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// The text with these changes. Of two that overlap, the one that begins first holds.
    pub fn apply(mut self, text: &str) -> String {
        // Stable: what is inserted at one place stands there in the order in which it was asked for.
        // The larger of two that begin at one byte holds, but what is inserted there stays.
        self.0.sort_by_key(|(range, _)| {
            (range.start, !range.is_empty(), usize::MAX.saturating_sub(range.end))
        });
        let is_long = text.contains("\r\n");
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (range, new) in &self.0 {
            if range.start < done {
                continue;
            }
            out.push_str(text.get(done..range.start).unwrap_or_default());
            if is_long {
                // What is added ends its lines as all others do.
                out.push_str(&new.replace("\r\n", "\n").replace('\n', "\r\n"));
            } else {
                out.push_str(new);
            }
            done = range.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_applied_in_the_order_of_their_places() {
        let mut edits = Edits::default();
        edits.replace(4..7, "two");
        edits.insert(0, ">");
        edits.remove(2..3);
        edits.remove(8..13);
        edits.replace(9..10, "never");
        assert_eq!(edits.apply("a b cde fghij"), ">a  two ");
    }

    #[test]
    fn lines_end_as_they_did() {
        let mut edits = Edits::default();
        edits.insert(3, "b\nc\r\n");
        assert_eq!(edits.apply("a\r\nd\r\n"), "a\r\nb\r\nc\r\nd\r\n");
    }
}
