//! The URL template of an operation: which URLs it takes, and what it calls their parts.
//!
//! `/orders/{id}/lines`, `/files/{*rest}`, `/*`, `/report-{year}.{format}`, `/items?kind={kind}`.
//! * A segment is literal, a parameter, or literals and parameters mixed. A parameter is never
//!   empty. In a mixed segment the later parameters are the shorter ones: `{name}.{format}` reads
//!   `a.b.c` as `a.b` and `c`.
//! * A wildcard stands at the end for any number of segments, also none.
//! * A `/` at the end makes no difference, neither in the template nor in the request.
//! * The query part names parameters that the request must have, in any order, beside others.
//! * Literals compare without ASCII case; parameter names are unique without regard to case.
//!
//! Matching is done on canonical paths ([`super::path`]); values are handed out decoded.

use std::fmt;
use std::sync::Arc;

use super::path::decoded;
use super::url;

pub mod parse;
pub mod rewrite;

use parse::TemplateFault;

/// A URL template. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub struct Template {
    text: Box<str>,
    pub(super) segments: Vec<Segment>,
    /// Whether any number of segments may follow.
    pub(super) is_open: bool,
    pub(super) query: Vec<Required>,
    /// Of all parameters: path, then wildcard, then query.
    pub(super) names: Arc<[Name]>,
}

/// One segment of a template, its literals in canonical spelling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Segment {
    Literal(Box<str>),
    Parameter(Arc<str>),
    Mixed(Mixed),
}

/// Literals and parameters in turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mixed {
    /// The literal in front of the first parameter; may be empty.
    pub(super) head: Box<str>,
    /// Each parameter with the literal after it; only the last literal may be empty.
    pub(super) pieces: Vec<(Arc<str>, Box<str>)>,
}

/// A query parameter that a request must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Required {
    pub(super) name: Box<str>,
    pub(super) value: Expected,
}

/// What its value must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    /// Anything; the first value is the value of a parameter.
    Any,
    /// This, without regard to case.
    Exactly(Box<str>),
}

/// Where a matched parameter came from: decides how it is escaped when it is rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A segment or a part of one: holds no `/`.
    Segment,
    /// A wildcard: may hold `/`.
    Rest,
    /// The query: may hold anything.
    Query,
}

/// What a parameter is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    pub(super) origin: Origin,
}

/// One matched parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parameter<'p> {
    /// The name as the template writes it.
    pub name: &'p str,
    /// The value, decoded.
    pub value: &'p str,
    /// Where it came from.
    pub origin: Origin,
}

/// The parameters that a template found in a request, in the order of the template.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parameters {
    /// Shared with the template; none where there are none.
    names: Option<Arc<[Name]>>,
    values: Vec<String>,
}

impl Parameters {
    /// These values, as many as there are names.
    pub(super) fn new(names: &Arc<[Name]>, values: Vec<String>) -> Self {
        let names = Some(names).filter(|names| !names.is_empty()).map(Arc::clone);
        Self { names, values }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'_>> {
        let pairs = self.names.iter().flat_map(|names| names.iter()).zip(&self.values);
        pairs.map(|(name, value)| Parameter { name: &name.text, value, origin: name.origin })
    }

    /// The parameter `name`, without regard to ASCII case.
    pub fn find(&self, name: &str) -> Option<Parameter<'_>> {
        self.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }

    /// The value of the parameter `name`, without regard to ASCII case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|parameter| parameter.value)
    }
}

/// Why a template does not take a URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Differs {
    /// The path has another segment here.
    Segment {
        /// Which, from 0.
        index: usize,
        /// What the template has there.
        wanted: String,
        /// What the path has there.
        found: String,
    },
    /// The path ends before the template does.
    Shorter {
        /// The segment that is missing.
        wanted: String,
    },
    /// The path goes on where the template ends.
    Longer {
        /// The segment that is too many.
        found: String,
    },
    /// The query lacks a parameter that the template asks for.
    Query {
        /// Its name, with the value where that is asked for too.
        wanted: String,
    },
}

impl fmt::Display for Differs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment { index, wanted, found } => {
                write!(formatter, "segment {} is `{found}` and not `{wanted}`", index + 1)
            }
            Self::Shorter { wanted } => write!(formatter, "the path ends before `{wanted}`"),
            Self::Longer { found } => write!(formatter, "the path goes on with `{found}`"),
            Self::Query { wanted } => write!(formatter, "the query lacks `{wanted}`"),
        }
    }
}

impl Template {
    /// Reads a template. The `/` at its beginning may be left out.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        parse::template(text)
    }

    /// The template as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters: path, then query.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &*name.text)
    }

    /// Whether the query part asks for the query parameter `name`.
    pub fn asks_for(&self, name: &str) -> bool {
        self.query.iter().any(|required| required.name.eq_ignore_ascii_case(name))
    }

    /// The parameters in `path`, canonical and after the API's part, and in `query`; or the first
    /// difference.
    pub fn compare(&self, path: &str, query: &str) -> Result<Parameters, Differs> {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut values = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let wanted = || segment.to_string();
            let (found, after) =
                next_segment(rest).ok_or_else(|| Differs::Shorter { wanted: wanted() })?;
            if !segment.bind(found, &mut values) {
                return Err(Differs::Segment { index, wanted: wanted(), found: found.into() });
            }
            rest = after;
        }
        if !self.is_open
            && let Some((found, _)) = next_segment(rest)
        {
            return Err(Differs::Longer { found: found.into() });
        }
        if let Some(required) = self.missing(query) {
            return Err(Differs::Query { wanted: required.to_string() });
        }
        let values = values.into_iter().map(decoded).collect();
        Ok(self.bound(values, rest, query))
    }

    /// The first parameter that the query part asks for and `query` does not have.
    pub(super) fn missing(&self, query: &str) -> Option<&Required> {
        self.query.iter().find(|required| !required.is_in(query))
    }

    /// The parameters, given the values of the path in their order, what a wildcard is to take,
    /// and the query.
    pub(super) fn bound(&self, mut values: Vec<String>, rest: &str, query: &str) -> Parameters {
        if self.names.iter().any(|name| name.origin == Origin::Rest) {
            values.push(decoded(rest));
        }
        let asked = self.query.iter().filter(|required| required.value == Expected::Any);
        values.extend(asked.map(|required| {
            url::values(query, &required.name).next().unwrap_or_default().into_owned()
        }));
        Parameters::new(&self.names, values)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

/// The first segment of `rest`, which does not begin with `/`, and what comes after its `/`.
pub(super) fn next_segment(rest: &str) -> Option<(&str, &str)> {
    if rest.is_empty() { None } else { Some(rest.split_once('/').unwrap_or((rest, ""))) }
}

impl Segment {
    fn bind<'p>(&self, found: &'p str, values: &mut Vec<&'p str>) -> bool {
        match self {
            Self::Literal(literal) => literal.eq_ignore_ascii_case(found),
            Self::Parameter(_) => {
                values.push(found);
                !found.is_empty()
            }
            Self::Mixed(mixed) => mixed.bind(found).map(|bound| values.extend(bound)).is_some(),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => formatter.write_str(literal),
            Self::Parameter(name) => write!(formatter, "{{{name}}}"),
            Self::Mixed(mixed) => {
                formatter.write_str(&mixed.head)?;
                mixed
                    .pieces
                    .iter()
                    .try_for_each(|(name, literal)| write!(formatter, "{{{name}}}{literal}"))
            }
        }
    }
}

impl Mixed {
    /// The values of the parameters in `found`, in their order.
    ///
    /// From the right, each literal is taken where it stands last. That leaves the most room for
    /// what is further left, so if there is any way to match, this one does.
    pub(super) fn bind<'p>(&self, found: &'p str) -> Option<Vec<&'p str>> {
        let (head, after_head) = found.split_at_checked(self.head.len())?;
        if !head.eq_ignore_ascii_case(&self.head) || !is_border(found, head.len()) {
            return None;
        }
        let ((_, last), earlier) = self.pieces.split_last()?;
        let mut left = without_end(after_head, last)?;
        let mut values = Vec::with_capacity(self.pieces.len());
        for (_, literal) in earlier.iter().rev() {
            let (before, after) = left.split_at_checked(last_in(left, literal)?)?;
            values.push(after.get(literal.len()..)?);
            left = before;
        }
        values.push(Some(left).filter(|value| !value.is_empty())?);
        values.reverse();
        Some(values)
    }
}

/// `text` without `literal` at its very end.
fn without_end<'t>(text: &'t str, literal: &str) -> Option<&'t str> {
    let at = text.len().checked_sub(literal.len())?;
    text.get(..at).filter(|_| is_literal_at(text, at, literal))
}

/// Where `literal` stands last in `text` with something after it.
fn last_in(text: &str, literal: &str) -> Option<usize> {
    let last = text.len().checked_sub(literal.len() + 1)?;
    (0..=last)
        .rev()
        .find(|&at| is_literal_at(text, at, literal) && is_border(text, at + literal.len()))
}

fn is_literal_at(text: &str, at: usize, literal: &str) -> bool {
    let found = text.get(at..at + literal.len());
    found.is_some_and(|found| found.eq_ignore_ascii_case(literal)) && is_border(text, at)
}

/// Whether `at` is not inside an escape of `text`.
fn is_border(text: &str, at: usize) -> bool {
    let percent =
        |back: usize| at.checked_sub(back).and_then(|at| text.as_bytes().get(at)) == Some(&b'%');
    !percent(1) && !percent(2)
}

impl Required {
    fn is_in(&self, query: &str) -> bool {
        let mut values = url::values(query, &self.name);
        match &self.value {
            Expected::Any => values.next().is_some(),
            Expected::Exactly(wanted) => values.any(|value| value.eq_ignore_ascii_case(wanted)),
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Expected::Any => formatter.write_str(&self.name),
            Expected::Exactly(value) => write!(formatter, "{}={value}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse::TemplateProblem;
    use super::*;
    use proptest::prelude::*;

    fn values(template: &str, path: &str, query: &str) -> Option<Vec<String>> {
        let found = Template::parse(template).unwrap().compare(path, query).ok()?;
        Some(found.iter().map(|found| format!("{}={}", found.name, found.value)).collect())
    }

    fn takes(template: &str, path: &str, expected: &[&str]) {
        let found = values(template, path, "");
        assert_eq!(
            found.as_deref(),
            Some(expected.iter().map(|&e| e.to_owned()).collect::<Vec<_>>().as_slice()),
            "{template} {path}"
        );
    }

    fn leaves(template: &str, path: &str) {
        assert_eq!(values(template, path, ""), None, "{template} {path}");
    }

    #[test]
    fn a_template_takes_what_it_describes() {
        takes("/a/{id}/b", "/a/1/b", &["id=1"]);
        takes("/A/{id}", "/a/x%20y/", &["id=x y"]);
        takes("a/", "/a", &[]);
        takes("/", "", &[]);
        takes("", "/", &[]);
        takes("/é", "/%C3%A9", &[]);
        takes("/%7euser", "/~user", &[]);
        leaves("/a/{id}", "/a");
        leaves("/a/{id}", "/a/");
        leaves("/a/{id}", "/a/b/c");
        leaves("/", "/a");
        leaves("/a", "/ab");
    }

    #[test]
    fn a_wildcard_takes_the_rest_even_none() {
        takes("/*", "/", &[]);
        takes("/*", "/a/b", &[]);
        takes("/files/{*rest}", "/files/a/b%20c/", &["rest=a/b c/"]);
        takes("/files/{*rest}", "/files", &["rest="]);
        leaves("/files/{*rest}", "/filesx");
    }

    #[test]
    fn a_mixed_segment_gives_the_later_parameters_the_shorter_values() {
        takes("/report-{year}.{format}", "/REPORT-2026.pdf", &["year=2026", "format=pdf"]);
        takes("/{name}.{format}", "/a.b.c", &["name=a.b", "format=c"]);
        takes("/people({id})", "/people(17)", &["id=17"]);
        takes("/{a}-{b}-", "/1-2-3-", &["a=1-2", "b=3"]);
        takes("/{a}0{b}", "/x%20y0z", &["a=x y", "b=z"]);
        leaves("/{a}0{b}", "/x%20y");
        leaves("/{name}.{format}", "/a.");
        leaves("/{name}.{format}", "/.a");
        leaves("/v{n}", "/v");
        leaves("/x{n}", "/yx");
    }

    #[test]
    fn a_query_part_is_asked_for_in_any_order() {
        let template = "/items?kind={kind}&View=full";
        let expected = Some(vec!["kind=a b".to_owned()]);
        assert_eq!(values(template, "/items", "x=1&view=FULL&KIND=a+b&kind=c"), expected);
        assert_eq!(values(template, "/items", "kind=a"), None);
        assert_eq!(values(template, "/items", "kind=a&view=short"), None);
        let found = Template::parse(template).unwrap().compare("/items", "kind=a").unwrap_err();
        assert_eq!(found.to_string(), "the query lacks `View=full`");
    }

    #[test]
    fn a_difference_says_where() {
        let template = Template::parse("/a/{id}/c").unwrap();
        let differs = |path: &str| template.compare(path, "").unwrap_err().to_string();
        assert_eq!(differs("/a/1/d"), "segment 3 is `d` and not `c`");
        assert_eq!(differs("/a"), "the path ends before `{id}`");
        assert_eq!(differs("/a/1/c/d"), "the path goes on with `d`");
    }

    #[test]
    fn a_wrong_template_says_where() {
        use TemplateProblem as Problem;
        let cases = [
            ("/a/{id", 3, 1, Problem::Unclosed),
            ("/a/id}", 5, 1, Problem::Unopened),
            ("/a/{}", 3, 2, Problem::Name),
            ("/a/{i d}", 3, 5, Problem::Name),
            ("/a/{id}/{ID}", 8, 4, Problem::NameTwice),
            ("/{a}-{a}", 5, 3, Problem::NameTwice),
            ("/a/{id}?x={id}", 10, 4, Problem::NameTwice),
            ("/{a}{b}", 4, 3, Problem::Adjacent),
            ("/a//b", 3, 1, Problem::EmptySegment),
            ("//", 1, 1, Problem::EmptySegment),
            ("/*/b", 3, 1, Problem::Wildcard),
            ("/{*rest}/b", 9, 1, Problem::Wildcard),
            ("/a*", 1, 2, Problem::Wildcard),
            ("/x{*rest}", 2, 7, Problem::Wildcard),
            ("/a?x={*rest}", 5, 7, Problem::Wildcard),
            ("/a?", 3, 0, Problem::Query),
            ("/a?{x}", 3, 3, Problem::Query),
            ("/a?x=1&y=a{x}", 7, 6, Problem::Query),
            ("/a?x=1#f", 3, 5, Problem::Query),
            ("/a/../b", 3, 2, Problem::Literal(path_fault("/.."))),
            ("/a b", 1, 3, Problem::Literal(path_fault("/ "))),
        ];
        for (text, at, width, problem) in cases {
            let fault = Template::parse(text).unwrap_err();
            let found = (fault.at, fault.width);
            match (&fault.problem, &problem) {
                (Problem::Literal(_), Problem::Literal(_)) => {}
                (found, expected) => assert_eq!(found, expected, "{text}"),
            }
            assert_eq!(found, (at, width), "{text}");
            assert!(!fault.to_string().is_empty() && !fault.problem.remedy().is_empty());
        }
        assert!(Template::parse(&"/a".repeat(TEMPLATE_SEGMENTS)).is_ok());
        let deep = Template::parse(&"/a".repeat(TEMPLATE_SEGMENTS + 1)).unwrap_err();
        assert_eq!(deep.problem, Problem::TooManySegments);
        let long = Template::parse(&"a".repeat(parse::TEMPLATE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!((long.at, long.width), (parse::TEMPLATE_BYTES_MAX, 1));
    }

    const TEMPLATE_SEGMENTS: usize = parse::TEMPLATE_SEGMENTS_MAX;

    fn path_fault(path: &str) -> super::super::path::PathFault {
        super::super::path::canonical(path.as_bytes()).unwrap_err()
    }

    /// All ways to cut `found` for the pieces, by trying every length.
    fn can_bind(found: &str, pieces: &[(Arc<str>, Box<str>)]) -> bool {
        let Some(((_, literal), rest)) = pieces.split_first() else { return found.is_empty() };
        (1..=found.len()).any(|length| {
            let after = found[length..].strip_prefix(&**literal);
            after.is_some_and(|after| can_bind(after, rest))
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_stumble(text in any::<String>()) {
            let _ = Template::parse(&text);
        }

        #[test]
        fn no_likely_text_makes_the_reader_stumble(text in "[/{}*?&=a%2.é]{0,16}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn no_path_makes_a_template_stumble(
            template in "(/|\\{[ab]\\}|\\{\\*r\\}|[a.%é-]){0,10}(\\?a=\\{q\\})?",
            path in "[/a.%é{}*-]{0,24}",
            query in "[a=&%2+]{0,12}",
        ) {
            if let Ok(template) = Template::parse(&template)
                && let Ok(found) = template.compare(&path, &query)
            {
                let names = found.iter().map(|parameter| parameter.name);
                prop_assert!(template.names().eq(names));
            }
        }

        #[test]
        fn a_mixed_segment_matches_whenever_there_is_a_way(
            template in "a{0,2}\\{x\\}[ab]{1,2}\\{y\\}[ab]{1,2}\\{z\\}[ab]{0,2}",
            found in "[ab]{0,10}",
        ) {
            let parsed = Template::parse(&template).unwrap();
            let [Segment::Mixed(mixed)] = parsed.segments.as_slice() else { panic!("mixed") };
            let after = found.strip_prefix(&*mixed.head);
            let possible = after.is_some_and(|after| can_bind(after, &mixed.pieces));
            let bound = mixed.bind(&found);
            prop_assert_eq!(bound.is_some(), possible);
            if let Some(values) = bound {
                let mut whole = mixed.head.to_string();
                for (value, (_, literal)) in values.iter().zip(&mixed.pieces) {
                    whole.push_str(value);
                    whole.push_str(literal);
                }
                prop_assert_eq!(whole, found);
            }
        }
    }
}
