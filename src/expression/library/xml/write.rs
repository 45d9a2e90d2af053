//! XML to text.

use std::sync::Arc;

use super::{XML_DEPTH_MAX, XMLNS, too_deep};
use crate::expression::value::bounded_string;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::xml::{Attribute, Element, Name, Node};

/// The nodes of a document, each on its line if `is_indented`.
pub(super) fn nodes(nodes: &[Node], is_indented: bool) -> Result<String, Thrown> {
    let mut writer = Writer { out: String::new(), scope: Vec::new() };
    for (place, node) in nodes.iter().enumerate() {
        if place > 0 && is_indented {
            writer.out.push('\n');
        }
        writer.node(node, 0, is_indented)?;
    }
    Ok(writer.out)
}

/// One element.
pub(super) fn element(element: &Arc<Element>, is_indented: bool) -> Result<String, Thrown> {
    nodes(&[Node::Element(Arc::clone(element))], is_indented)
}

/// `name="value"`.
pub(super) fn attribute(attribute: &Attribute) -> String {
    let mut out = String::new();
    if let Some(prefix) = &attribute.prefix {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(&attribute.name.local);
    out.push_str("=\"");
    escaped(&mut out, &attribute.value, true);
    out.push('"');
    out
}

struct Writer {
    out: String,
    /// The prefixes that are declared here and above, and their namespaces.
    scope: Vec<(Arc<str>, Arc<str>)>,
}

impl Writer {
    fn node(&mut self, node: &Node, depth: usize, is_indented: bool) -> Result<(), Thrown> {
        bounded_string(self.out.len())?;
        match node {
            Node::Element(element) => self.element(element, depth, is_indented)?,
            Node::Text(text) => escaped(&mut self.out, text, false),
            Node::Data(text) => {
                self.out.push_str("<![CDATA[");
                self.out.push_str(text);
                self.out.push_str("]]>");
            }
            Node::Comment(text) => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        element: &Element,
        depth: usize,
        is_indented: bool,
    ) -> Result<(), Thrown> {
        if depth > XML_DEPTH_MAX {
            return Err(too_deep());
        }
        let outer = self.scope.len();
        for declared in &element.attributes {
            if &*declared.name.namespace == XMLNS {
                let prefix = declared.prefix.as_ref().map_or("", |_| &*declared.name.local);
                self.scope.push((Arc::from(prefix), Arc::clone(&declared.value)));
            }
        }
        let prefix = element.prefix.clone().unwrap_or_default();
        let name = if prefix.is_empty() {
            element.name.local.to_string()
        } else {
            format!("{prefix}:{}", element.name.local)
        };
        self.out.push('<');
        self.out.push_str(&name);
        self.declare(&prefix, &element.name);
        for one in &element.attributes {
            if let Some(prefix) = one.prefix.as_ref().filter(|prefix| !prefix.starts_with("xml")) {
                self.declare(prefix, &one.name);
            }
            self.out.push(' ');
            self.out.push_str(&attribute(one));
        }
        if element.nodes.is_empty() {
            self.out.push_str(" />");
        } else {
            self.out.push('>');
            self.inner(element, depth, is_indented)?;
            self.out.push_str("</");
            self.out.push_str(&name);
            self.out.push('>');
        }
        self.scope.truncate(outer);
        Ok(())
    }

    fn inner(&mut self, element: &Element, depth: usize, is_indented: bool) -> Result<(), Thrown> {
        // White space would change an element that has text.
        let has_text =
            element.nodes.iter().any(|node| matches!(node, Node::Text(_) | Node::Data(_)));
        let is_indented = is_indented && !has_text;
        for node in &element.nodes {
            if is_indented {
                self.line(depth.saturating_add(1));
            }
            self.node(node, depth.saturating_add(1), is_indented)?;
        }
        if is_indented {
            self.line(depth);
        }
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(depth));
    }

    /// Declares the namespace of `name` where `prefix` does not stand for it yet.
    fn declare(&mut self, prefix: &str, name: &Name) {
        let known = self.scope.iter().rev().find(|(known, _)| **known == *prefix);
        let known = known.map_or("", |(_, namespace)| &**namespace);
        if *known == *name.namespace {
            return;
        }
        self.out.push_str(" xmlns");
        if !prefix.is_empty() {
            self.out.push(':');
            self.out.push_str(prefix);
        }
        self.out.push_str("=\"");
        escaped(&mut self.out, &name.namespace, true);
        self.out.push('"');
        self.scope.push((Arc::from(prefix), Arc::clone(&name.namespace)));
    }
}

fn escaped(out: &mut String, text: &str, in_attribute: bool) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            '\t' if in_attribute => out.push_str("&#x9;"),
            other => out.push(other),
        }
    }
}
