//! LINQ to XML: what sequences of nodes have besides.

use super::super::super::Member;
use super::super::super::arguments::{Outcome, items, method};
use super::{all, as_node, named};
use crate::expression::library::xml::{self as library, change};
use crate::expression::value::Value;
use crate::expression::value::xml::tree::Held;

/// What `run` gives of each node of a sequence.
fn of_each(v: &[Value], run: impl Fn(&Held) -> Vec<Held>) -> Outcome {
    let mut found = Vec::new();
    for item in items(v, 0)? {
        found.extend(run(as_node(&item)?));
    }
    all(found)
}

fn remove_each(v: &[Value]) -> Outcome {
    let items = items(v, 0)?;
    let nodes = items.iter().map(|item| as_node(item).cloned()).collect::<Result<Vec<_>, _>>()?;
    change::remove_all(&nodes)?;
    Ok(Value::Null)
}

/// What a sequence of nodes has besides.
pub(in super::super) const NODES: &[Member] = &[
    method("Remove", "", "void", remove_each).effect(),
    method("Ancestors", "", "IEnumerable<XElement>", |v| {
        of_each(v, |node| library::ancestors(node, None, false))
    })
    .effect(),
];

/// What a sequence of elements or documents has besides.
pub(in super::super) const CONTAINERS: &[Member] = &[
    method("Elements", "", "IEnumerable<XElement>", |v| {
        of_each(v, |node| library::elements(node, None))
    })
    .effect(),
    method("Elements", "XName name", "IEnumerable<XElement>", |v| {
        let name = named(v, 1)?;
        of_each(v, |node| library::elements(node, Some(&name)))
    })
    .effect(),
    method("Descendants", "", "IEnumerable<XElement>", |v| {
        of_each(v, |node| library::descendants(node, None, false))
    })
    .effect(),
    method("Descendants", "XName name", "IEnumerable<XElement>", |v| {
        let name = named(v, 1)?;
        of_each(v, |node| library::descendants(node, Some(&name), false))
    })
    .effect(),
    method("Nodes", "", "IEnumerable<XNode>", |v| of_each(v, library::nodes)).effect(),
];

/// What a sequence of elements has besides.
pub(in super::super) const ELEMENTS: &[Member] = &[
    method("Attributes", "", "IEnumerable<XAttribute>", |v| {
        of_each(v, |node| library::attributes(node, None))
    })
    .effect(),
    method("Attributes", "XName name", "IEnumerable<XAttribute>", |v| {
        let name = named(v, 1)?;
        of_each(v, |node| library::attributes(node, Some(&name)))
    })
    .effect(),
];

/// What a sequence of attributes has besides.
pub(in super::super) const ATTRIBUTES: &[Member] =
    &[method("Remove", "", "void", remove_each).effect()];
