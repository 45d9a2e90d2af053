//! The values of attributes: where each ends, with and without a quote.

use super::balance::{Writing, balance};
use super::reader::Reader;
use super::tags::name_length;
use super::text::{Form, Text, TextBuilder};
use super::values::{Value, stray};
use crate::fault::{Fault, Place};

impl Reader<'_> {
    /// The value of the attribute `name` at `place`, from its `=` on.
    pub(super) fn attribute_value(&mut self, name: &str, place: &Place) -> Text {
        self.skip_space();
        let missing = |message: String| {
            let fault = Fault::new(place.clone(), message).wide(name.chars().count());
            fault.mend(format!("write `{name}=\"…\"`"))
        };
        if self.rest().starts_with('=') {
            self.skip(1);
            self.skip_space();
        } else if self.rest().starts_with(['"', '\'']) {
            self.fault(missing(format!("a `=` is missing after the attribute `{name}`")));
        } else {
            self.fault(missing(format!("the attribute `{name}` has no value")));
            return TextBuilder::new(place.clone()).finish(Form::Literal);
        }
        if let Some(quote @ ('"' | '\'')) = self.rest().chars().next() {
            return self.quoted(name, quote);
        }
        self.fault(missing(format!("the value of the attribute `{name}` has no quotes")));
        let mut value = self.value_at(self.at);
        self.expression(Writing::Plain, self.text.len(), &mut value);
        let ends = |c: char| c.is_whitespace() || matches!(c, '>' | '<' | '/');
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        self.literal(self.at..self.at.saturating_add(length), &mut value);
        self.skip(length);
        value.form = Form::Broken;
        value.finish()
    }

    fn quoted(&mut self, name: &str, quote: char) -> Text {
        let opening = self.at;
        self.skip(1);
        let mut value = self.value_at(self.at);
        self.expression(Writing::Quoted(quote), self.text.len(), &mut value);
        if value.form == Form::Broken {
            self.recover_in_tag(quote, &mut value);
            return value.finish();
        }
        if !self.literal_until(quote, &mut value) {
            return self.unquoted(name, opening, quote, value);
        }
        let follows = self.rest().chars().next();
        if follows.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | '>')) {
            return value.finish();
        }
        // The quote was not the end: it stood in an expression that did not come first.
        if let Form::Mixed(_) = value.form {
            if let Some(text) = self.mixed(opening, quote) {
                return text;
            }
            let message = "the expression ends before the value does";
            let remedy = "see that every bracket before this has its partner, and no other";
            self.fault(Fault::new(value.stray_place(), message).mend(remedy));
            self.recover_in_tag(quote, &mut value);
            return value.finish();
        }
        let message = format!("no space after the value of `{name}`");
        let remedy = "add one, or write `&quot;` for a quote in the value";
        self.fault_at(self.at, message, remedy);
        self.resume();
        value.finish()
    }

    /// Reads a literal up to its quote, and past it. False if a `<` or the end came first.
    fn literal_until(&mut self, quote: char, value: &mut Value) -> bool {
        let mut end = self.at;
        loop {
            let rest = self.from(end);
            let found = rest.find([quote, '<']);
            end = end.saturating_add(found.unwrap_or(rest.len()));
            if found.is_none() || self.source.is_written(end..end.saturating_add(1)) {
                break;
            }
            // What a named value put in ends nothing.
            end = end.saturating_add(1);
        }
        self.literal(self.at..end, value);
        self.skip(end.saturating_sub(self.at));
        let closed = self.rest().starts_with(quote);
        if closed {
            self.skip(1);
        }
        closed
    }

    /// The value that the quote at `opening` starts has a `<` in it, or never ends. Its end is where
    /// the line makes it probable, else the end of the line or of the tag.
    fn unquoted(&mut self, name: &str, opening: usize, quote: char, mut value: Value) -> Text {
        let start = opening.saturating_add(1);
        let rest = self.from(start);
        let line = rest.get(..rest.find('\n').unwrap_or(rest.len())).unwrap_or_default();
        self.spend(line.len());
        value.form = Form::Broken;
        if self.rest().starts_with('<')
            && let Some(length) = probable_end(line, quote)
            && start.saturating_add(length) > self.at
        {
            let message = format!("a `<` stands in the value of `{name}`");
            let remedy = "write `&lt;`, or begin with `@(` if this is to be an expression";
            self.fault_at(self.at, message, remedy);
            self.at = start.saturating_add(length).saturating_add(1);
            return value.finish();
        }
        let message = format!("the quote that opens the value of `{name}` is not closed");
        let remedy = "add the closing quote; a `<` in a value is written `&lt;`";
        self.fault_at(opening, message, remedy);
        let end = line.find('>').unwrap_or(line.len());
        let before = line.get(..end).unwrap_or_default();
        let before = before.strip_suffix('/').unwrap_or(before);
        self.at = self.at.min(start.saturating_add(before.len()));
        value.finish()
    }

    /// Reads a value again whose expression did not come first: from its quote at `opening`.
    fn mixed(&mut self, opening: usize, quote: char) -> Option<Text> {
        let start = opening.saturating_add(1);
        let written = self.between(start..self.at);
        let before = stray(written)?;
        if written.get(..before).unwrap_or_default().trim().is_empty() {
            return None;
        }
        let at = start.saturating_add(before);
        let Ok(balanced) = balance(self.from(at), Writing::Quoted(quote)) else {
            self.spend(self.from(at).len());
            return None;
        };
        let end = at.saturating_add(balanced.length);
        self.spend(end.saturating_sub(start));
        let tail = self.from(end);
        let length = tail
            .find([quote, '<'])
            .filter(|at| tail.get(*at..).is_some_and(|rest| rest.starts_with(quote)))?;
        let close = end.saturating_add(length);
        let mut value = self.value_at(start);
        self.literal(start..close, &mut value);
        self.at = close.saturating_add(1);
        Some(value.finish())
    }

    /// After an expression that does not end: goes to where the attribute probably does.
    fn recover_in_tag(&mut self, quote: char, value: &mut Value) {
        let rest = self.rest();
        let end = probable_end(rest, quote);
        let line = || rest.find('\n').unwrap_or(rest.len());
        let length = end.unwrap_or_else(line);
        let range = self.at..self.at.saturating_add(length);
        self.literal(range, value);
        self.skip(length.saturating_add(usize::from(end.is_some())));
        value.form = Form::Broken;
    }
}

/// Which `quote` in `text` probably ends an attribute: one that the rest of a tag follows.
pub(super) fn probable_end(text: &str, quote: char) -> Option<usize> {
    text.match_indices(quote).map(|(at, _)| at).find(|at| {
        let tag = text.get(at.saturating_add(1)..).unwrap_or_default().trim_start();
        let name = name_length(tag);
        let value = tag.get(name..).unwrap_or_default();
        let assigns = name > 0 && (value.starts_with("=\"") || value.starts_with("='"));
        assigns || tag.starts_with('>') || tag.starts_with("/>")
    })
}

/// Whether in `text` a `quote` ends an attribute that is the last of its tag, and the next tag
/// starts on a line below. C# has no use for this: a quote within a string has a backslash or a
/// quote before it.
pub(super) fn has_next_tag(text: &str, quote: char) -> bool {
    text.match_indices(quote).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let rest = text.get(at.saturating_add(1)..).unwrap_or_default().trim_start();
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let Some(rest) = rest.strip_prefix('>') else { return false };
        let next = rest.trim_start();
        let blank = rest.get(..rest.len().saturating_sub(next.len())).unwrap_or_default();
        !before.ends_with(['\\', quote]) && blank.contains('\n') && next.starts_with('<')
    })
}
