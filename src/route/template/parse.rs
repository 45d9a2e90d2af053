//! Reading a URL template, with the place of what is wrong in it.

use std::fmt;
use std::sync::Arc;

use super::{Expected, Mixed, Name, Origin, Required, Segment, Template};
use crate::route::path::{self, PathFault};
use crate::route::url;

/// The longest template, in bytes: what APIM allows.
pub const TEMPLATE_BYTES_MAX: usize = 1000;

/// The most segments of a template, which is how deep a lookup can descend.
pub const TEMPLATE_SEGMENTS_MAX: usize = 64;

/// The longest name of a parameter, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// Something in a template is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct TemplateFault {
    /// Where it begins, in bytes of the template.
    pub at: usize,
    /// How many bytes are wrong, at least 1 unless the template ends there.
    pub width: usize,
    /// What is wrong.
    pub problem: TemplateProblem,
}

/// What is wrong in a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplateProblem {
    /// It is longer than [`TEMPLATE_BYTES_MAX`].
    TooLong,
    /// It has more than [`TEMPLATE_SEGMENTS_MAX`] segments.
    TooManySegments,
    /// A literal that no path can have, or not in this spelling.
    Literal(PathFault),
    /// Two `/` with nothing between.
    EmptySegment,
    /// `{` without `}`.
    Unclosed,
    /// `}` without `{`.
    Unopened,
    /// The name of a parameter is empty, too long or has a byte that names do not have.
    Name,
    /// Another parameter has this name, perhaps in other letters.
    NameTwice,
    /// Two parameters with nothing between: nobody knows where one ends.
    Adjacent,
    /// A wildcard that is not the last segment, or only a part of it, or in the query.
    Wildcard,
    /// A query parameter that is neither `name=value` nor `name={parameter}`.
    Query,
}

impl TemplateProblem {
    /// How to mend it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong | Self::TooManySegments => {
                "shorten it, or end it in a wildcard `{*rest}`"
            }
            Self::Literal(_) => "write the path as a client sends it, without `.` and `..`",
            Self::EmptySegment => "write one `/`",
            Self::Unclosed => "close it with `}`",
            Self::Unopened => "open it with `{`, or escape it as `%7D`",
            Self::Name => "name it with letters, digits, `_`, `-`, `.` or `$`, 1 to 100 of them",
            Self::NameTwice => "give each parameter a name of its own, also over path and query",
            Self::Adjacent => "put a literal between the two",
            Self::Wildcard => "write `*` or `{*name}` once, as the whole last segment of the path",
            Self::Query => "write `name={parameter}` or `name=value`, with `&` between",
        }
    }
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::TooLong => {
                return write!(formatter, "the template has more than {TEMPLATE_BYTES_MAX} bytes");
            }
            Self::TooManySegments => {
                let most = TEMPLATE_SEGMENTS_MAX;
                return write!(formatter, "the template has more than {most} segments");
            }
            Self::Literal(fault) => return write!(formatter, "no path has this: {fault}"),
            Self::EmptySegment => "the segment is empty",
            Self::Unclosed => "`{` is never closed",
            Self::Unopened => "`}` closes nothing",
            Self::Name => "this is no name for a parameter",
            Self::NameTwice => "the template has this parameter twice",
            Self::Adjacent => "two parameters follow each other directly",
            Self::Wildcard => "a wildcard cannot stand here",
            Self::Query => "this is no query parameter of a template",
        };
        formatter.write_str(what)
    }
}

/// A stretch of a template: literal, or the inside of `{…}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'t> {
    pub(super) at: usize,
    pub(super) text: &'t str,
    pub(super) is_hole: bool,
}

impl Piece<'_> {
    pub(super) fn fault(self, problem: TemplateProblem) -> TemplateFault {
        let around = if self.is_hole { 2 } else { 0 };
        TemplateFault { at: self.at, width: self.text.len() + around, problem }
    }

    /// The name in a hole, checked.
    pub(super) fn name(self) -> Result<Arc<str>, TemplateFault> {
        let is_wrong = |character: char| {
            character.is_whitespace()
                || character.is_control()
                || matches!(character, '{' | '}' | '/' | '?' | '#' | '&' | '=' | '*')
        };
        if self.text.is_empty() || NAME_BYTES_MAX < self.text.len() || self.text.contains(is_wrong)
        {
            return Err(self.fault(TemplateProblem::Name));
        }
        Ok(Arc::from(self.text))
    }
}

/// Cuts `text`, which stands at `base` in the template, at its braces.
pub(super) fn pieces(text: &str, base: usize) -> Result<Vec<Piece<'_>>, TemplateFault> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut at = base;
    loop {
        let (literal, after) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        if !literal.is_empty() {
            found.push(Piece { at, text: literal, is_hole: false });
        }
        at += literal.len();
        if after.is_empty() {
            return Ok(found);
        }
        let fault = |problem| TemplateFault { at, width: 1, problem };
        let inside = after.strip_prefix('{').ok_or(fault(TemplateProblem::Unopened))?;
        let (name, next) = inside.split_once('}').ok_or(fault(TemplateProblem::Unclosed))?;
        found.push(Piece { at, text: name, is_hole: true });
        at += name.len() + 2;
        rest = next;
    }
}

/// Reads a template.
pub(super) fn template(text: &str) -> Result<Template, TemplateFault> {
    if TEMPLATE_BYTES_MAX < text.len() {
        let width = text.len() - TEMPLATE_BYTES_MAX;
        let problem = TemplateProblem::TooLong;
        return Err(TemplateFault { at: TEMPLATE_BYTES_MAX, width, problem });
    }
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let mut draft = Draft::default();
    draft.read_path(path)?;
    if let Some(query) = query {
        draft.read_query(query, path.len() + 1)?;
    }
    let Draft { segments, is_open, query, names } = draft;
    Ok(Template { text: text.into(), segments, is_open, query, names: names.into() })
}

/// A template being read.
#[derive(Default)]
struct Draft {
    segments: Vec<Segment>,
    is_open: bool,
    query: Vec<Required>,
    names: Vec<Name>,
}

impl Draft {
    fn read_path(&mut self, path: &str) -> Result<(), TemplateFault> {
        let inside = path.strip_prefix('/').unwrap_or(path);
        let mut at = path.len() - inside.len();
        let mut rest = Some(inside).filter(|inside| !inside.is_empty());
        while let Some(here) = rest {
            let (text, after) = match here.split_once('/') {
                Some((text, after)) => (text, Some(after)),
                None => (here, None),
            };
            let fault = |problem| TemplateFault { at, width: text.len().max(1), problem };
            if text.is_empty() && after.is_some() {
                return Err(fault(TemplateProblem::EmptySegment));
            }
            if TEMPLATE_SEGMENTS_MAX <= self.segments.len() {
                return Err(fault(TemplateProblem::TooManySegments));
            }
            if self.is_open {
                return Err(fault(TemplateProblem::Wildcard));
            }
            self.read_segment(text, at)?;
            at += text.len() + 1;
            rest = after.filter(|after| !after.is_empty());
        }
        Ok(())
    }

    fn read_segment(&mut self, text: &str, at: usize) -> Result<(), TemplateFault> {
        if text == "*" {
            self.is_open = true;
            return Ok(());
        }
        let pieces = pieces(text, at)?;
        if let [hole] = pieces.as_slice()
            && hole.is_hole
            && let Some(text) = hole.text.strip_prefix('*')
        {
            self.name(Piece { text, ..*hole }, Origin::Rest)?;
            self.is_open = true;
            return Ok(());
        }
        let mut head: Box<str> = Box::default();
        let mut mixed: Vec<(Arc<str>, Box<str>)> = Vec::new();
        for piece in pieces {
            if piece.text.contains('*') {
                return Err(piece.fault(TemplateProblem::Wildcard));
            }
            if !piece.is_hole {
                let literal = spelled(piece)?;
                match mixed.last_mut() {
                    Some((_, after)) => *after = literal,
                    None => head = literal,
                }
                continue;
            }
            if mixed.last().is_some_and(|(_, after)| after.is_empty()) {
                return Err(piece.fault(TemplateProblem::Adjacent));
            }
            let name = self.name(piece, Origin::Segment)?;
            mixed.push((name, Box::default()));
        }
        let segment = match mixed.as_slice() {
            [] if path::is_dots(&head) => {
                let problem = TemplateProblem::Literal(PathFault::Dots);
                return Err(TemplateFault { at, width: text.len(), problem });
            }
            [] => Segment::Literal(head),
            [(name, after)] if head.is_empty() && after.is_empty() => {
                Segment::Parameter(Arc::clone(name))
            }
            _ => Segment::Mixed(Mixed { head, pieces: mixed }),
        };
        self.segments.push(segment);
        Ok(())
    }

    /// Takes the name in `piece`, which must be a new one.
    fn name(&mut self, piece: Piece<'_>, origin: Origin) -> Result<Arc<str>, TemplateFault> {
        let text = piece.name()?;
        if self.names.iter().any(|taken| taken.text.eq_ignore_ascii_case(&text)) {
            return Err(piece.fault(TemplateProblem::NameTwice));
        }
        self.names.push(Name { text: Arc::clone(&text), origin });
        Ok(text)
    }

    fn read_query(&mut self, query: &str, base: usize) -> Result<(), TemplateFault> {
        let mut at = base;
        for text in query.split('&') {
            let whole = Piece { at, text, is_hole: false };
            let wrong = || whole.fault(TemplateProblem::Query);
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let is_wrong = |character: char| {
                character.is_control() || matches!(character, '{' | '}' | '#' | '?' | ' ')
            };
            if name.is_empty() || name.contains(is_wrong) {
                return Err(wrong());
            }
            let expected = match pieces(value, at + name.len() + 1)?.as_slice() {
                [hole] if hole.is_hole && hole.text.starts_with('*') => {
                    return Err(hole.fault(TemplateProblem::Wildcard));
                }
                [hole] if hole.is_hole => {
                    self.name(*hole, Origin::Query)?;
                    Expected::Any
                }
                [literal] if !literal.text.contains(is_wrong) => {
                    Expected::Exactly(url::decoded(literal.text).into())
                }
                [] => Expected::Exactly(Box::default()),
                _ => return Err(wrong()),
            };
            let name = url::decoded(name).into();
            self.query.push(Required { name, value: expected });
            at += text.len() + 1;
        }
        Ok(())
    }
}

fn spelled(piece: Piece<'_>) -> Result<Box<str>, TemplateFault> {
    let spelled = path::spell(piece.text.as_bytes());
    spelled.map(Box::from).map_err(|fault| piece.fault(TemplateProblem::Literal(fault)))
}
