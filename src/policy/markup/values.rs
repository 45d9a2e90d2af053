//! Values: the text between tags, and what it has in common with attributes.

use std::ops::Range;
use std::sync::Arc;

use super::Node;
use super::attributes::{has_next_tag, probable_end};
use super::balance::{Balanced, Unbalanced, Writing, balance, starts};
use super::entity::{Entity, entity};
use super::reader::Reader;
use super::tags::name_length;
use super::text::{Form, Text, TextBuilder};
use crate::fault::{Fault, Place};

const CDATA_START: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// How the parts of a value are put together.
pub(super) struct Value {
    builder: TextBuilder,
    pub(super) form: Form,
}

impl Value {
    const fn new(builder: TextBuilder) -> Self {
        Self { builder, form: Form::Literal }
    }

    /// Whether what comes next may be an expression: nothing but white space came before.
    fn may_start(&self) -> bool {
        self.form == Form::Literal && self.builder.since(0).trim().is_empty()
    }

    /// Takes note of the literal that was added after byte `from`.
    fn added_literal(&mut self, from: usize) {
        let added = self.builder.since(from);
        let stray = match self.form {
            Form::Literal => {
                // The `@` may have been added before its bracket.
                let at_sign = self.builder.since(from.saturating_sub(1)).starts_with('@');
                let from = if at_sign { from.saturating_sub(1) } else { from };
                stray(self.builder.since(from)).map(|at| from.saturating_add(at))
            }
            Form::Expression(_) if !added.trim().is_empty() => {
                let blank = added.len().saturating_sub(added.trim_start().len());
                Some(from.saturating_add(blank))
            }
            Form::Expression(_) | Form::Mixed(_) | Form::Broken => None,
        };
        if let Some(at) = stray {
            self.form = Form::Mixed(at);
        }
    }

    /// Where that was written which makes it neither a literal nor an expression.
    pub(super) fn stray_place(&self) -> Place {
        let at = if let Form::Mixed(at) = self.form { at } else { 0 };
        self.builder.place_at(at)
    }

    /// The text.
    pub(super) fn finish(self) -> Text {
        self.builder.finish(self.form)
    }
}

impl Reader<'_> {
    /// Reads the text here, up to the next tag, and adds it to the innermost open element.
    pub(super) fn read_text(&mut self) {
        let mut value = self.value_at(self.at);
        while !self.rest().is_empty() {
            let rest = self.rest();
            if rest.starts_with("<!--") {
                self.skip_past("<!--", "-->", "comment");
            } else if rest.starts_with("<?") {
                self.skip_past("<?", "?>", "processing instruction");
            } else if rest.starts_with(CDATA_START) {
                self.cdata(&mut value);
            } else if is_markup(rest) {
                break;
            } else {
                self.expression(Writing::Plain, self.text.len(), &mut value);
                if value.form == Form::Broken {
                    self.recover_in_text(&mut value);
                }
                self.literal_until_markup(&mut value);
            }
        }
        if value.builder.len() > 0 {
            self.add(Node::Text(value.finish()));
        }
    }

    fn literal_until_markup(&mut self, value: &mut Value) {
        let rest = self.rest();
        let mut end = 0_usize;
        while let Some(found) = rest.get(end..).and_then(|rest| rest.find('<')) {
            end = end.saturating_add(found);
            if rest.get(end..).is_some_and(|rest| is_markup(rest) || starts_other(rest)) {
                break;
            }
            end = end.saturating_add(1);
        }
        if !rest.get(end..).is_some_and(|rest| rest.starts_with('<')) {
            end = rest.len();
        }
        self.literal(self.at..self.at.saturating_add(end), value);
        self.skip(end);
    }

    fn cdata(&mut self, value: &mut Value) {
        let start = self.at;
        self.skip_past(CDATA_START, CDATA_END, "CDATA section");
        let closed = self.between(start..self.at).ends_with(CDATA_END);
        let after = self.at;
        let end = after.saturating_sub(if closed { CDATA_END.len() } else { 0 });
        self.at = start.saturating_add(CDATA_START.len());
        self.expression(Writing::Verbatim, end, value);
        let from = value.builder.len();
        self.append(self.at..end, value);
        value.added_literal(from);
        self.at = after;
    }

    /// After an expression that does not end: goes to the end of the element, if that is there.
    fn recover_in_text(&mut self, value: &mut Value) {
        let rest = self.rest();
        let own = self.open_name().and_then(|name| rest.find(&format!("</{name}")));
        let length = own.or_else(|| rest.find("</")).unwrap_or(rest.len());
        let range = self.at..self.at.saturating_add(length);
        self.literal(range, value);
        self.skip(length);
        value.form = Form::Broken;
    }

    // What attributes and texts have in common.

    pub(super) fn value_at(&self, at: usize) -> Value {
        Value::new(TextBuilder::new(self.source.place(at)))
    }

    /// Reads an expression, if one starts here and nothing came before, up to `end` at most.
    pub(super) fn expression(&mut self, writing: Writing, end: usize, value: &mut Value) {
        let text = self.between(self.at..end);
        let blank = text.len().saturating_sub(text.trim_start().len());
        let start = self.at.saturating_add(blank);
        let text = text.get(blank..).unwrap_or_default();
        if !(starts(text) && value.may_start()) {
            return;
        }
        self.append(self.at..start, value);
        self.skip(blank);
        match balance(text, writing) {
            Ok(Balanced { length, .. }) if self.ran_over(text, length, writing) => {
                self.spend(length);
                let close = if text.starts_with("@{") { '}' } else { ')' };
                self.unbalanced(start, Unbalanced::Bracket(close));
                value.form = Form::Broken;
            }
            Ok(Balanced { length, entities }) => {
                let from = value.builder.len();
                let mut written = start;
                for escaped in entities {
                    let at = start.saturating_add(escaped.at);
                    self.append(written..at, value);
                    self.push_character(escaped.character, at, value);
                    written = at.saturating_add(escaped.length);
                }
                let end = start.saturating_add(length);
                self.append(written..end, value);
                value.form = Form::Expression(from..value.builder.len());
                self.skip(length);
            }
            Err(why) => {
                self.spend(text.len());
                self.unbalanced(start, why);
                value.form = Form::Broken;
            }
        }
    }

    /// Whether the expression of `length` bytes at the start of `text` was balanced by a bracket
    /// that is not its own: the end of a tag lies inside, and what follows does not end the value,
    /// or the end inside leaves no doubt.
    fn ran_over(&self, text: &str, length: usize, writing: Writing) -> bool {
        let Some((inside, after)) = text.split_at_checked(length) else { return false };
        let after = after.trim_start();
        match writing {
            Writing::Quoted(quote) => {
                let ended = after.starts_with(quote);
                if ended {
                    has_next_tag(inside, quote)
                } else {
                    probable_end(inside, quote).is_some()
                }
            }
            Writing::Plain => {
                let end = || self.open_name().map(|name| format!("</{name}"));
                !after.starts_with('<') && end().is_some_and(|end| inside.contains(&end))
            }
            Writing::Verbatim => false,
        }
    }

    fn unbalanced(&mut self, start: usize, why: Unbalanced) {
        let (at, message, remedy) = match why {
            Unbalanced::Bracket(')') => {
                (0, "the expression does not end: a `)` is missing", "close every `(` with a `)`")
            }
            Unbalanced::Bracket(_) => {
                (0, "the expression does not end: a `}` is missing", "close every `{` with a `}`")
            }
            Unbalanced::String(at) => {
                (at, "a string in an expression is not closed", "add its `\"`")
            }
            Unbalanced::Comment(at) => (at, "a comment in an expression is not closed", "add `*/`"),
            Unbalanced::Depth => (
                0,
                "strings are nested too deep in this expression",
                "keep parts of it in variables",
            ),
        };
        let place = self.source.place(start.saturating_add(at));
        self.fault(Fault::new(place, message).wide(2).mend(remedy));
    }

    /// Adds the literal `range`, unescaped.
    pub(super) fn literal(&mut self, range: Range<usize>, value: &mut Value) {
        let from = value.builder.len();
        let mut written = range.start;
        let mut at = range.start;
        while let Some(found) = self.between(at..range.end).find('&') {
            at = at.saturating_add(found);
            match entity(self.between(at..range.end)) {
                Entity::Character(character, length) => {
                    self.append(written..at, value);
                    self.push_character(character, at, value);
                    at = at.saturating_add(length);
                    written = at;
                }
                Entity::Unknown(length)
                    if self.source.is_written(at..at.saturating_add(length)) =>
                {
                    self.unknown_entity(at, length);
                    at = at.saturating_add(length);
                }
                Entity::Unknown(_) | Entity::None => at = at.saturating_add(1),
            }
        }
        self.append(written..range.end, value);
        if value.form != Form::Broken {
            value.added_literal(from);
        }
    }

    fn unknown_entity(&mut self, at: usize, length: usize) {
        let shown: Arc<str> = Arc::from(self.between(at..at.saturating_add(length)));
        let fault = Fault::new(self.source.place(at), format!("XML knows no entity `{shown}`"));
        let remedy = "write the character itself, or `&amp;` for the `&`";
        self.fault(fault.wide(length).mend(remedy));
    }

    fn append(&mut self, range: Range<usize>, value: &mut Value) {
        if range.start < range.end {
            let liquid = self.in_liquid();
            let missing = self.source.append(range, &mut value.builder, liquid);
            self.missing(missing);
        }
    }

    fn push_character(&self, character: char, at: usize, value: &mut Value) {
        let mut buffer = [0; 4];
        value.builder.push_fixed(character.encode_utf8(&mut buffer), &self.source.place(at));
    }
}

/// Where something like an expression starts in `text`.
pub(super) fn stray(text: &str) -> Option<usize> {
    text.match_indices('@').map(|(at, _)| at).find(|at| text.get(*at..).is_some_and(starts))
}

/// Whether the `<` at the start of `text` starts a tag or a declaration.
fn is_markup(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('<') else { return false };
    let is_declaration = rest.starts_with('!') && !starts_other(text);
    is_declaration || rest.starts_with('/') || name_length(rest) > 0
}

/// Whether `text` starts with markup that does not end a text.
fn starts_other(text: &str) -> bool {
    text.starts_with("<!--") || text.starts_with("<?") || text.starts_with(CDATA_START)
}
