//! What stands between the braces of a template, word by word.

use std::ops::Range;
use std::sync::Arc;

use super::Wrong;
use super::datum::Datum;
use super::syntax::{Operand, Relation, Step};
use crate::expression::library::number;

/// How deep brackets and ranges may stand in each other.
const BRACKETS_MAX: usize = 8;

/// A place in the text of a template, and the end of what may be read.
#[derive(Clone, Debug)]
pub struct Words<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    depth: usize,
}

impl<'t> Words<'t> {
    /// What stands in `range` of `text`.
    pub const fn new(text: &'t str, range: Range<usize>) -> Self {
        Self { text, at: range.start, end: range.end, depth: 0 }
    }

    /// What is left, after white space.
    pub fn rest(&mut self) -> &'t str {
        let rest = self.text.get(self.at..self.end).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.at = self.at.saturating_add(rest.len().saturating_sub(trimmed.len()));
        trimmed
    }

    /// Where the next word begins.
    pub fn here(&mut self) -> usize {
        self.rest();
        self.at
    }

    /// Passes over `word` if it comes next.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.skip(word.len());
        }
        found
    }

    /// Whether nothing is left.
    pub fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    /// A name: letters, digits, `_` and `-`.
    pub fn name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let is_part = |character: char| character.is_alphanumeric() || "_-".contains(character);
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let name = rest.get(..length).filter(|name| !name.is_empty())?;
        self.skip(length);
        Some(name)
    }

    /// A name that must be there.
    pub fn needed_name(&mut self, what: &str) -> Result<Arc<str>, Wrong> {
        let name = self.name().map(Arc::from);
        name.ok_or_else(|| self.wrong(format!("{what} is missing")))
    }

    /// The character at `at`, or nothing at the end.
    pub fn character_at(&self, at: usize) -> Range<usize> {
        let next = self.text.get(at..self.end).and_then(|rest| rest.chars().next());
        at..at.saturating_add(next.map_or(0, char::len_utf8))
    }

    /// Something is wrong with what comes next.
    pub fn wrong(&mut self, message: impl Into<String>) -> Wrong {
        let from = self.here();
        Wrong::new(from..self.end, message)
    }

    /// Nothing else may stand here.
    pub fn ended(&mut self) -> Result<(), Wrong> {
        if self.is_at_end() {
            return Ok(());
        }
        Err(self.wrong("this does not belong here").mend("take it out"))
    }

    /// A value, without filters.
    pub fn operand(&mut self) -> Result<Operand, Wrong> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let inside = rest.get(1..).unwrap_or_default();
                let Some(length) = inside.find(quote) else {
                    let wrong = self.wrong("this text has no end");
                    return Err(wrong.mend(format!("close it with {quote}")));
                };
                self.skip(length.saturating_add(2));
                Ok(Operand::Constant(Datum::text(inside.get(..length).unwrap_or_default())))
            }
            Some('(') => self.range(),
            Some(character) if character.is_ascii_digit() || "+-".contains(character) => {
                self.number()
            }
            Some(character) if character.is_alphabetic() || character == '_' => self.path(),
            _ => Err(self.wrong("a value is missing")),
        }
    }

    fn number(&mut self) -> Result<Operand, Wrong> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['+', '-']));
        let digits = rest.get(sign..).unwrap_or_default();
        let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
        let mut length = sign.saturating_add(whole);
        let fraction = digits.get(whole..).and_then(|rest| rest.strip_prefix('.'));
        let decimals =
            fraction.map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        if decimals > 0 {
            length = length.saturating_add(decimals).saturating_add(1);
        }
        let written = rest.get(..length).unwrap_or_default();
        let read = if decimals == 0 {
            written.parse::<i64>().ok().map(Datum::Int)
        } else {
            number::parse::decimal(written).ok().map(Datum::Decimal)
        };
        let Some(read) = read.filter(|_| whole > 0) else {
            return Err(self.wrong("this is no number that a template can hold"));
        };
        self.skip(length);
        Ok(Operand::Constant(read))
    }

    fn range(&mut self) -> Result<Operand, Wrong> {
        self.deeper()?;
        self.take("(");
        let from = self.operand()?;
        if !self.take("..") {
            return Err(self.wrong("a range needs `..`").mend("write it like (1..5)"));
        }
        let to = self.operand()?;
        if !self.take(")") {
            return Err(self.wrong("this range has no end").mend("close it with `)`"));
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(Operand::Range(Box::new((from, to))))
    }

    fn path(&mut self) -> Result<Operand, Wrong> {
        let root = self.name().unwrap_or_default();
        match root {
            "nil" | "null" => return Ok(Operand::Constant(Datum::Nil)),
            "true" => return Ok(Operand::Constant(Datum::Bool(true))),
            "false" => return Ok(Operand::Constant(Datum::Bool(false))),
            "empty" | "blank" => return Ok(Operand::Empty),
            _ => (),
        }
        let mut steps = Vec::new();
        loop {
            let ahead = self.text.get(self.at..self.end).unwrap_or_default();
            if ahead.starts_with('[') {
                self.deeper()?;
                self.skip(1);
                steps.push(Step::At(self.operand()?));
                if !self.take("]") {
                    return Err(self.wrong("`[` is not closed").mend("close it with `]`"));
                }
                self.depth = self.depth.saturating_sub(1);
            } else if ahead.starts_with('.') && !ahead.starts_with("..") {
                self.skip(1);
                steps.push(Step::Member(self.needed_name("a name after `.`")?));
                // Ruby's way to ask.
                if self.text.get(self.at..self.end).is_some_and(|rest| rest.starts_with('?')) {
                    self.skip(1);
                }
            } else {
                break;
            }
        }
        Ok(Operand::Path(Arc::from(root), steps))
    }

    /// How the value before is compared, if it is.
    pub fn relation(&mut self) -> Option<Relation> {
        const SIGNS: [(&str, Relation); 11] = [
            ("==", Relation::Equal),
            ("!=", Relation::Unequal),
            ("<>", Relation::Unequal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            // Where the body is markup, what looks like a tag has to be escaped.
            ("&lt;=", Relation::AtMost),
            ("&gt;=", Relation::AtLeast),
            ("&lt;", Relation::Less),
            ("&gt;", Relation::Greater),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        const NAMES: [(&str, Relation); 5] = [
            ("contains", Relation::Contains),
            ("startsWith", Relation::StartsWith),
            ("endsWith", Relation::EndsWith),
            ("hasKey", Relation::HasKey),
            ("hasValue", Relation::HasValue),
        ];
        for (sign, relation) in SIGNS {
            if self.take(sign) {
                return Some(relation);
            }
        }
        let before = self.at;
        let word = self.name().unwrap_or_default();
        let tail = |word: &str| word.chars().skip(1).collect::<String>();
        for (name, relation) in NAMES {
            // Both `contains` and `Contains`.
            let head = |word: &str| word.chars().next().map(|first| first.to_ascii_lowercase());
            if head(word) == head(name) && tail(word) == tail(name) {
                return Some(relation);
            }
        }
        self.at = before;
        None
    }

    fn deeper(&mut self) -> Result<(), Wrong> {
        self.depth = self.depth.saturating_add(1);
        if self.depth <= BRACKETS_MAX {
            return Ok(());
        }
        Err(self.wrong(format!("brackets are nested deeper than {BRACKETS_MAX}")))
    }

    const fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}
