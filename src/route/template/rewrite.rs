//! A new URL from matched parameters: what `rewrite-uri` writes.

use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::parse::{Piece, TEMPLATE_BYTES_MAX, TemplateFault, TemplateProblem, pieces};
use super::{Origin, Parameter, Parameters, Template};
use crate::route::path::{decoded, is_dots};
use crate::route::url::{Query, RESERVED};

/// What a literal may not hold as it stands; its escapes are left alone.
const UNWRITABLE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What is escaped of a wildcard's value: everything reserved but the `/` between its segments.
const REST: &AsciiSet = &RESERVED.remove(b'/');

/// A URL with holes: `/put/{id}?kind={kind}`. Unlike in a [`Template`] a hole may stand anywhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewrite {
    path: Vec<Part>,
    query: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    /// Escaped where needed.
    Literal(Box<str>),
    Hole(Arc<str>),
}

/// The part of a URL after the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewritten {
    /// Begins with `/`; has no `.` and no `..` segment.
    pub path: String,
    /// Without `?`.
    pub query: String,
}

/// Why a URL cannot be rewritten.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RewriteFault {
    /// The request has no such parameter.
    #[error("the request has no parameter `{name}`")]
    Unbound {
        /// The parameter.
        name: Arc<str>,
    },
    /// A value would lead out of the path that is written.
    #[error("the rewritten path would have a `.` or `..` segment")]
    Dots,
}

impl Rewrite {
    /// Reads a URL with holes.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        if TEMPLATE_BYTES_MAX < text.len() {
            let problem = TemplateProblem::TooLong;
            let width = text.len() - TEMPLATE_BYTES_MAX;
            return Err(TemplateFault { at: TEMPLATE_BYTES_MAX, width, problem });
        }
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = parts(&pieces(path, 0)?)?;
        let query = parts(&pieces(query, text.len() - query.len())?)?;
        Ok(Self { path, query })
    }

    /// A URL without holes: braces stand for themselves.
    pub fn literal(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let whole = |text| vec![Part::Literal(escaped(text))];
        Self { path: whole(path), query: whole(query) }
    }

    /// The names in the holes.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.path.iter().chain(&self.query).filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Hole(name) => Some(name),
        })
    }

    /// Fills the holes. Values are escaped for the place they go to, so that none can add a
    /// segment or a query parameter; only the `/` of a wildcard's value stay as they are.
    pub fn fill(&self, parameters: &Parameters) -> Result<Rewritten, RewriteFault> {
        let mut path = String::from("/");
        fill(&mut path, &self.path, parameters)?;
        if path.starts_with("//") {
            path.remove(0);
        }
        if decoded(&path).split(['/', '\\']).any(is_dots) {
            return Err(RewriteFault::Dots);
        }
        let mut query = String::new();
        fill(&mut query, &self.query, parameters)?;
        Ok(Rewritten { path, query })
    }
}

impl Rewritten {
    /// Adds the parameters of the request's `query` that the operation's template does not ask
    /// for, after those that are written: `copy-unmatched-params`.
    pub fn copy_unmatched(&mut self, query: &str, matched: &Template) {
        let mut whole = Query::parse(&self.query);
        whole.extend(query, |name| !matched.asks_for(name));
        self.query = whole.to_string();
    }
}

fn parts(pieces: &[Piece<'_>]) -> Result<Vec<Part>, TemplateFault> {
    let part = |piece: &Piece<'_>| {
        if !piece.is_hole {
            return Ok(Part::Literal(escaped(piece.text)));
        }
        let text = piece.text.strip_prefix('*').unwrap_or(piece.text);
        Piece { text, ..*piece }.name().map(Part::Hole)
    };
    pieces.iter().map(part).collect()
}

fn escaped(text: &str) -> Box<str> {
    utf8_percent_encode(text, UNWRITABLE).to_string().into()
}

fn fill(out: &mut String, parts: &[Part], parameters: &Parameters) -> Result<(), RewriteFault> {
    for part in parts {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Hole(name) => {
                let unbound = || RewriteFault::Unbound { name: Arc::clone(name) };
                let Parameter { value, origin, .. } = parameters.find(name).ok_or_else(unbound)?;
                let kept = if origin == Origin::Rest { REST } else { RESERVED };
                // Writing to a string cannot fail.
                let _ = write!(out, "{}", utf8_percent_encode(value, kept));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(from: &str, path: &str, query: &str, to: &str) -> Result<Rewritten, RewriteFault> {
        let template = Template::parse(from).unwrap();
        let parameters = template.compare(path, query).unwrap();
        Rewrite::parse(to).unwrap().fill(&parameters)
    }

    fn url(from: &str, path: &str, query: &str, to: &str) -> String {
        let Rewritten { path, query } = rewritten(from, path, query, to).unwrap();
        format!("{path}?{query}")
    }

    #[test]
    fn holes_are_filled_and_escaped_for_their_place() {
        assert_eq!(url("/a/{id}", "/a/x%20y", "", "/put/{id}?k={ID}"), "/put/x%20y?k=x%20y");
        assert_eq!(url("/a/{*rest}", "/a/b/c%26", "", "new/{*rest}"), "/new/b/c%26?");
        assert_eq!(
            url("/a?f={f}", "/a", "f=x%2Fy%26z=1", "/{f}?q={f}"),
            "/x%2Fy%26z%3D1?q=x%2Fy%26z%3D1"
        );
        assert_eq!(
            url("/a", "/a", "", "/b c?$filter=id eq 'é'"),
            "/b%20c?$filter=id%20eq%20'%C3%A9'"
        );
        assert_eq!(
            url("/a/{id}", "/a/1", "", "/x?$filter=id eq {id} or {id}"),
            "/x?$filter=id%20eq%201%20or%201"
        );
    }

    #[test]
    fn a_value_cannot_lead_out_of_the_path() {
        for value in ["..", "x%2F..%2F..", "x%5C..%5Cy"] {
            let query = format!("f={value}");
            let found = rewritten("/a?f={f}", "/a", &query, "/files/{f}");
            assert_eq!(found, Err(RewriteFault::Dots), "{value}");
        }
        let literal = Rewrite::literal("/a/%2e%2e/b").fill(&Parameters::default());
        assert_eq!(literal, Err(RewriteFault::Dots));
    }

    #[test]
    fn a_parameter_that_is_not_there_is_named() {
        let found = rewritten("/a", "/a", "", "/{id}");
        assert_eq!(found, Err(RewriteFault::Unbound { name: Arc::from("id") }));
        let rewrite = Rewrite::parse("/{a}?b={b}").unwrap();
        assert_eq!(rewrite.names().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn only_what_the_template_does_not_ask_for_is_copied() {
        let matched = Template::parse("/get?a={b}").unwrap();
        let mut whole = Rewrite::literal("/put").fill(&Parameters::default()).unwrap();
        whole.copy_unmatched("a=b&c=%64", &matched);
        assert_eq!(whole, Rewritten { path: "/put".into(), query: "c=%64".into() });
        let mut whole = Rewrite::literal("/put?x=1").fill(&Parameters::default()).unwrap();
        whole.copy_unmatched("A=b&c=d", &matched);
        assert_eq!(whole.query, "x=1&c=d");
    }

    #[test]
    fn a_literal_url_keeps_its_braces_and_ends_no_line() {
        let found = Rewrite::literal("/{a}\r\nX: y?{b}\n").fill(&Parameters::default()).unwrap();
        assert_eq!(found.path, "/%7Ba%7D%0D%0AX:%20y");
        assert_eq!(found.query, "%7Bb%7D%0A");
    }
}
