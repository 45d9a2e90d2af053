//! The operations of one API as a tree of segments: which operation takes a path.
//!
//! At each segment a literal comes before a mixed segment, that before a parameter, that before a
//! wildcard; the leftmost difference decides. If the preferred branch leads nowhere the next is
//! tried, and because it is a tree, no branch is walked twice. Nothing depends on the order in
//! which operations are declared.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;

use super::path::{compare_folded, decoded};
use super::table::OperationRoute;
use super::template::{Expected, Mixed, Name, Parameters, Segment, Template, next_segment};

/// The operations of an API.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    /// Every method that some operation has, once.
    methods: Vec<Method>,
}

/// What can follow one beginning of a path.
#[derive(Debug, Default)]
struct Node {
    /// Sorted by the text in lower case.
    literals: Vec<Branch>,
    /// The most literal first.
    mixed: Vec<(Mixed, Node)>,
    parameter: Option<Box<Node>>,
    /// Operations whose template ends here; the one that asks more of the query first.
    ends: Vec<Leaf>,
    /// Operations whose template has a wildcard here, likewise.
    wildcards: Vec<Leaf>,
}

/// What follows a literal.
#[derive(Debug)]
struct Branch {
    /// The beginning of the text, so that most texts need not be read to be told apart.
    start: u64,
    /// In lower case.
    text: Box<str>,
    next: Box<Node>,
}

#[derive(Debug)]
struct Leaf {
    method: Method,
    operation: usize,
    /// The template's; here too, so that a lookup does not have to go there for them.
    names: Arc<[Name]>,
    /// Whether the template has a query part.
    asks: bool,
}

/// What the path has had for the template's parameters so far, innermost first. It lives on the
/// stack: a lookup allocates only for the parameters of the operation that is found.
struct Bound<'w> {
    values: &'w [&'w str],
    before: Option<&'w Bound<'w>>,
}

/// What is looked for.
struct Search<'s> {
    operations: &'s [OperationRoute],
    method: &'s Method,
    query: &'s str,
}

impl Tree {
    /// Plants `operations`; also which pairs of them, first and second, take the same requests.
    pub(super) fn new(operations: &[OperationRoute]) -> (Self, Vec<(usize, usize)>) {
        let mut plot = Plot { operations, doubles: Vec::new() };
        let rows = operations.iter().enumerate();
        let root = plot.node(rows.map(|(at, row)| (&*row.template.segments, at)).collect());
        let mut methods: Vec<Method> = Vec::new();
        for operation in operations {
            if !methods.contains(&operation.method) {
                methods.push(operation.method.clone());
            }
        }
        plot.doubles.sort_unstable();
        (Self { root, methods }, plot.doubles)
    }

    /// The operation for `method` that takes `path`, canonical and after the API's part, and
    /// `query`; and the parameters.
    pub(super) fn find(
        &self,
        operations: &[OperationRoute],
        method: &Method,
        path: &str,
        query: &str,
    ) -> Option<(usize, Parameters)> {
        let search = Search { operations, method, query };
        self.root.find(path.strip_prefix('/').unwrap_or(path), None, &search)
    }

    /// The methods for which some operation takes `path` and `query`.
    pub(super) fn methods(
        &self,
        operations: &[OperationRoute],
        path: &str,
        query: &str,
    ) -> Vec<Method> {
        let takes = |method: &&Method| self.find(operations, method, path, query).is_some();
        self.methods.iter().filter(takes).cloned().collect()
    }
}

impl Node {
    fn find(
        &self,
        rest: &str,
        bound: Option<&Bound<'_>>,
        search: &Search<'_>,
    ) -> Option<(usize, Parameters)> {
        let Some((segment, after)) = next_segment(rest) else {
            let end = search.pick(&self.ends, rest, bound);
            return end.or_else(|| search.pick(&self.wildcards, rest, bound));
        };
        if let Some(next) = self.literal(segment)
            && let Some(found) = next.find(after, bound, search)
        {
            return Some(found);
        }
        for (mixed, next) in &self.mixed {
            if let Some(values) = mixed.bind(segment) {
                let bound = Bound { values: &values, before: bound };
                if let Some(found) = next.find(after, Some(&bound), search) {
                    return Some(found);
                }
            }
        }
        if let Some(next) = &self.parameter {
            let bound = Bound { values: &[segment], before: bound };
            if !segment.is_empty()
                && let Some(found) = next.find(after, Some(&bound), search)
            {
                return Some(found);
            }
        }
        search.pick(&self.wildcards, rest, bound)
    }

    fn literal(&self, segment: &str) -> Option<&Self> {
        let start = start_of(segment);
        let found = self.literals.binary_search_by(|branch| {
            let by_start = branch.start.cmp(&start);
            by_start.then_with(|| compare_folded(&branch.text, segment))
        });
        found.ok().and_then(|at| self.literals.get(at)).map(|branch| &*branch.next)
    }
}

/// The first eight bytes of `text` in lower case, as a number that sorts as they do.
fn start_of(text: &str) -> u64 {
    let bytes = text.bytes().map(|byte| byte.to_ascii_lowercase());
    bytes.chain(std::iter::repeat(0)).take(8).fold(0, |start, byte| start << 8 | u64::from(byte))
}

impl Search<'_> {
    /// The first of `leaves` that takes the request.
    fn pick(
        &self,
        leaves: &[Leaf],
        rest: &str,
        bound: Option<&Bound<'_>>,
    ) -> Option<(usize, Parameters)> {
        let template = |leaf: &Leaf| self.operations.get(leaf.operation).map(|row| &row.template);
        let leaf = leaves.iter().find(|leaf| {
            let is_asked = || template(leaf).is_none_or(|own| own.missing(self.query).is_none());
            leaf.method == *self.method && (!leaf.asks || is_asked())
        })?;
        if leaf.names.is_empty() {
            return Some((leaf.operation, Parameters::default()));
        }
        let mut values = Vec::with_capacity(leaf.names.len());
        write(bound, &mut values);
        if leaf.asks {
            return Some((leaf.operation, template(leaf)?.bound(values, rest, self.query)));
        }
        if values.len() < leaf.names.len() {
            values.push(decoded(rest));
        }
        Some((leaf.operation, Parameters::new(&leaf.names, values)))
    }
}

/// Writes the values, outermost first. As deep as a template has segments at most.
fn write(bound: Option<&Bound<'_>>, values: &mut Vec<String>) {
    if let Some(bound) = bound {
        write(bound.before, values);
        values.extend(bound.values.iter().copied().map(decoded));
    }
}

/// A tree being planted.
struct Plot<'p> {
    operations: &'p [OperationRoute],
    doubles: Vec<(usize, usize)>,
}

/// What is left of each operation's template, and which operation it is.
type Rows<'p> = Vec<(&'p [Segment], usize)>;

impl<'p> Plot<'p> {
    fn node(&mut self, rows: Rows<'p>) -> Node {
        let mut ends = Vec::new();
        let mut literals: BTreeMap<String, Rows<'p>> = BTreeMap::new();
        let mut mixed: BTreeMap<Shape, (&Mixed, Rows<'p>)> = BTreeMap::new();
        let mut parameter = Rows::new();
        for (segments, operation) in rows {
            let Some((segment, rest)) = segments.split_first() else {
                ends.push(operation);
                continue;
            };
            let branch = match segment {
                Segment::Literal(text) => literals.entry(text.to_ascii_lowercase()).or_default(),
                Segment::Mixed(this) => {
                    &mut mixed.entry(Shape::of(this)).or_insert_with(|| (this, Rows::new())).1
                }
                Segment::Parameter(_) => &mut parameter,
            };
            branch.push((rest, operation));
        }
        let literal = |(text, rows): (String, _)| Branch {
            start: start_of(&text),
            text: text.into(),
            next: Box::new(self.node(rows)),
        };
        let literals = literals.into_iter().map(literal).collect();
        let mixed = mixed.into_values().map(|(this, rows)| (this.clone(), self.node(rows)));
        let mixed = mixed.collect();
        let parameter = (!parameter.is_empty()).then(|| Box::new(self.node(parameter)));
        let (wildcards, ends) = ends.into_iter().partition(|&at| self.is_open(at));
        Node {
            literals,
            mixed,
            parameter,
            ends: self.leaves(ends),
            wildcards: self.leaves(wildcards),
        }
    }

    fn leaves(&mut self, operations: Vec<usize>) -> Vec<Leaf> {
        let mut leaves: BTreeMap<(Wishes, &str), Leaf> = BTreeMap::new();
        for operation in operations {
            let Some(route) = self.operations.get(operation) else { continue };
            let key = (Wishes::of(&route.template), route.method.as_str());
            if let Some(first) = leaves.get(&key) {
                self.doubles.push((first.operation, operation));
                continue;
            }
            let leaf = Leaf {
                method: route.method.clone(),
                operation,
                names: Arc::clone(&route.template.names),
                asks: !route.template.query.is_empty(),
            };
            leaves.insert(key, leaf);
        }
        leaves.into_values().collect()
    }

    fn is_open(&self, operation: usize) -> bool {
        self.operations.get(operation).is_some_and(|route| route.template.is_open)
    }
}

/// A mixed segment without the names of its parameters. The more literal one is less: it comes
/// first; the rest of the order only has to be some order.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Shape {
    literal_bytes: Reverse<usize>,
    head: String,
    literals: Vec<String>,
}

impl Shape {
    pub(super) fn of(mixed: &Mixed) -> Self {
        let literals = mixed.pieces.iter().map(|(_, literal)| literal.to_ascii_lowercase());
        let literals: Vec<String> = literals.collect();
        let bytes: usize = literals.iter().map(String::len).sum();
        let head = mixed.head.to_ascii_lowercase();
        Self { literal_bytes: Reverse(bytes + head.len()), head, literals }
    }
}

/// What a template asks of the query. The one that asks for more is less: it comes first.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Wishes {
    values: Reverse<usize>,
    names: Reverse<usize>,
    all: Vec<(String, Option<String>)>,
}

impl Wishes {
    pub(super) fn of(template: &Template) -> Self {
        let wish = template.query.iter().map(|required| {
            let value = match &required.value {
                Expected::Any => None,
                Expected::Exactly(value) => Some(value.to_ascii_lowercase()),
            };
            (required.name.to_ascii_lowercase(), value)
        });
        let mut all: Vec<_> = wish.collect();
        all.sort_unstable();
        all.dedup();
        let values = all.iter().filter(|(_, value)| value.is_some()).count();
        Self { values: Reverse(values), names: Reverse(all.len()), all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn planted(operations: &[(&str, &str)]) -> (Vec<OperationRoute>, Tree, Vec<(usize, usize)>) {
        let routes: Vec<_> = operations
            .iter()
            .map(|(method, template)| OperationRoute {
                method: method.parse().unwrap(),
                template: Template::parse(template).unwrap(),
            })
            .collect();
        let (tree, doubles) = Tree::new(&routes);
        (routes, tree, doubles)
    }

    /// Which of `templates`, all for GET, takes `url`.
    fn taken<'t>(templates: &[&'t str], url: &str) -> Option<&'t str> {
        let operations: Vec<_> = templates.iter().map(|template| ("GET", *template)).collect();
        let (routes, tree, _) = planted(&operations);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        tree.find(&routes, &Method::GET, path, query).map(|(at, _)| templates[at])
    }

    #[test]
    fn literal_beats_mixed_beats_parameter_beats_wildcard() {
        let all = ["/*", "/{a}", "/{a}.{b}", "/x.y", "/x.y/*"];
        assert_eq!(taken(&all, "/X.Y"), Some("/x.y"));
        assert_eq!(taken(&all, "/x.z"), Some("/{a}.{b}"));
        assert_eq!(taken(&all, "/x"), Some("/{a}"));
        assert_eq!(taken(&all, "/x/y"), Some("/*"));
        assert_eq!(taken(&all, "/x.y/z"), Some("/x.y/*"));
        assert_eq!(taken(&all, "/"), Some("/*"));
    }

    #[test]
    fn the_leftmost_difference_decides_unless_it_leads_nowhere() {
        let all = ["/{a}/b/c", "/a/{b}/{c}", "/a/b/d"];
        assert_eq!(taken(&all, "/a/b/c"), Some("/a/{b}/{c}"));
        assert_eq!(taken(&all, "/a/b/d"), Some("/a/b/d"));
        assert_eq!(taken(&all, "/x/b/c"), Some("/{a}/b/c"));
        assert_eq!(taken(&["/a/b", "/{x}/c"], "/a/c"), Some("/{x}/c"));
        assert_eq!(taken(&["/a/*", "/{x}/c"], "/a/c"), Some("/a/*"));
        assert_eq!(taken(&["/{x}/c", "/*"], "/a/d"), Some("/*"));
    }

    #[test]
    fn the_more_literal_mixed_segment_is_tried_first() {
        assert_eq!(taken(&["/{a}b", "/a{b}.json", "/a{b}"], "/ax.json"), Some("/a{b}.json"));
        assert_eq!(taken(&["/{a}b", "/a{b}.json", "/a{b}"], "/axb"), Some("/{a}b"));
    }

    #[test]
    fn who_asks_more_of_the_query_comes_first() {
        let all = ["/i", "/i?a={a}", "/i?a={a}&b={b}", "/i?a=1"];
        assert_eq!(taken(&all, "/i?b=1"), Some("/i"));
        assert_eq!(taken(&all, "/i?a=2"), Some("/i?a={a}"));
        assert_eq!(taken(&all, "/i?b=2&a=2"), Some("/i?a={a}&b={b}"));
        assert_eq!(taken(&all, "/i?b=2&a=1"), Some("/i?a=1"));
    }

    #[test]
    fn a_method_that_is_not_there_is_looked_for_in_other_branches() {
        let (routes, tree, _) = planted(&[("POST", "/a"), ("GET", "/{x}"), ("GET", "/b")]);
        let found = tree.find(&routes, &Method::GET, "/a", "").unwrap();
        assert_eq!((found.0, found.1.get("x")), (1, Some("a")));
        assert_eq!(tree.find(&routes, &Method::HEAD, "/b", ""), None);
        assert_eq!(tree.methods(&routes, "/a", ""), [Method::POST, Method::GET]);
        assert_eq!(tree.methods(&routes, "/a/b", ""), Vec::<Method>::new());
    }

    #[test]
    fn templates_that_take_the_same_requests_are_named_in_pairs() {
        let doubles = |operations: &[(&str, &str)]| planted(operations).2;
        assert_eq!(doubles(&[("GET", "/a/{x}"), ("GET", "/A/{y}/")]), [(0, 1)]);
        assert_eq!(doubles(&[("GET", "/*"), ("GET", "/{*rest}")]), [(0, 1)]);
        assert_eq!(doubles(&[("GET", "/{a}.{b}"), ("GET", "/{c}.{d}")]), [(0, 1)]);
        assert_eq!(doubles(&[("GET", "/a?x={x}&y=1"), ("GET", "/a?Y=1&X={z}")]), [(0, 1)]);
        assert_eq!(doubles(&[("GET", "/a/{x}"), ("PUT", "/a/{x}"), ("GET", "/a?x=1")]), []);
        assert_eq!(doubles(&[("GET", "/a"), ("GET", "/a"), ("GET", "/a")]), [(0, 1), (0, 2)]);
    }

    /// Where a template stands in the order of preference, segment by segment.
    fn rank(template: &Template) -> Vec<(u8, Option<Shape>)> {
        let rank = template.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => (0, None),
            Segment::Mixed(mixed) => (1, Some(Shape::of(mixed))),
            Segment::Parameter(_) => (2, None),
        });
        let end = if template.is_open { 3 } else { 0 };
        rank.chain([(end, None)]).collect()
    }

    /// A template for the tests, not always a right one.
    fn any_template() -> impl Strategy<Value = String> {
        let first = "(/(a|B|\\{p\\}|a\\{p\\}|\\{p\\}b|\\{p\\}a\\{q\\}))?";
        let more = "(/(a|b|\\{r\\}|\\{r\\}b)){0,2}(/\\*|/\\{\\*s\\}|/)?";
        let query = "(\\?(x=1|x=\\{x\\}|y=\\{y\\}))?";
        (first, more, query).prop_map(|(first, more, query)| format!("{first}{more}{query}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_tree_agrees_with_trying_every_template(
            rows in prop::collection::vec(("GET|PUT", any_template()), 0..12),
            path in "(/(a|A|b|ab|aab|aba)){0,4}/?",
            query in "(x=1|x=2|y=1|x=1&y=2)?",
        ) {
            let rows = rows.iter().filter_map(|(method, template)| {
                let template = Template::parse(template).ok()?;
                Some(OperationRoute { method: method.parse().unwrap(), template })
            });
            let rows: Vec<_> = rows.collect();
            let (tree, doubles) = Tree::new(&rows);
            let is_second = |at: usize| doubles.iter().any(|(_, second)| *second == at);
            let taking = rows.iter().enumerate().filter_map(|(at, row)| {
                let parameters = row.template.compare(&path, &query).ok()?;
                let is_candidate = row.method == Method::GET && !is_second(at);
                let rank = (rank(&row.template), Wishes::of(&row.template));
                is_candidate.then_some((rank, at, parameters))
            });
            let expected = taking.min_by(|(one, ..), (other, ..)| one.cmp(other));
            let expected = expected.map(|(_, at, parameters)| (at, parameters));
            prop_assert_eq!(tree.find(&rows, &Method::GET, &path, &query), expected);
        }
    }
}
