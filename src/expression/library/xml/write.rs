//! XML to text.

use std::collections::HashSet;
use std::sync::Arc;

use super::{DECLARATIONS_MAX, XML_DEPTH_MAX, XMLNS, declared_prefix, too_deep, too_many_declared};
use crate::expression::value::bounded_string;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::xml::Name;
use crate::expression::value::xml::tree::{Held, Kind};

/// The namespace of the prefix `xml`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// One node; those of a document each on its line if `is_indented`.
pub(super) fn node(node: &Held, is_indented: bool) -> Result<String, Thrown> {
    let mut writer = Writer::default();
    // What is declared further out says which prefixes are taken.
    let outer: Vec<Held> = node.ancestors().collect();
    for ancestor in outer.iter().rev() {
        writer.known.extend(declarations(ancestor));
        writer.bounded()?;
    }
    let nodes = if node.kind() == Kind::Document { super::nodes(node) } else { vec![node.clone()] };
    for (place, node) in nodes.iter().enumerate() {
        if place > 0 && is_indented {
            writer.out.push('\n');
        }
        writer.node(node, 0, is_indented)?;
    }
    writer.bounded()?;
    Ok(writer.out)
}

/// The prefixes that an element declares, and their namespaces.
fn declarations(element: &Held) -> Vec<(Arc<str>, Arc<str>)> {
    let attributes = element.attributes();
    let declared = attributes.iter().filter_map(|one| Some((declared_prefix(one)?, one.text())));
    declared.collect()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The prefixes that the tree declares here and above, and their namespaces.
    known: Vec<(Arc<str>, Arc<str>)>,
    /// Those that were written.
    written: Vec<(Arc<str>, Arc<str>)>,
}

impl Writer {
    fn node(&mut self, node: &Held, depth: usize, is_indented: bool) -> Result<(), Thrown> {
        self.bounded()?;
        match node.kind() {
            Kind::Element => self.element(node, depth, is_indented)?,
            Kind::Text => escaped(&mut self.out, &node.text(), false),
            Kind::Data => self.data(&node.text()),
            Kind::Comment => self.comment(&node.text()),
            Kind::Attribute => {
                let name = node.name();
                let prefix = self.prefix(&name, false).filter(|prefix| !prefix.is_empty());
                self.attribute(prefix.as_deref(), &name, &node.text());
            }
            Kind::Document => {}
        }
        Ok(())
    }

    /// Refuses what is too long, and more declarations than may be in scope.
    fn bounded(&self) -> Result<(), Thrown> {
        if self.known.len() > DECLARATIONS_MAX {
            return Err(too_many_declared());
        }
        bounded_string(self.out.len())
    }

    /// The end of a section cannot stand in it: it is divided between two.
    fn data(&mut self, text: &str) {
        self.between("<![CDATA[", &text.replace("]]>", "]]]]><![CDATA[>"), "]]>");
    }

    /// In a comment no `-` may follow another, nor may one stand last.
    fn comment(&mut self, text: &str) {
        self.out.push_str("<!--");
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            self.out.push(character);
            if character == '-' && characters.peek().is_none_or(|next| *next == '-') {
                self.out.push(' ');
            }
        }
        self.out.push_str("-->");
    }

    fn between(&mut self, open: &str, text: &str, close: &str) {
        self.out.push_str(open);
        self.out.push_str(text);
        self.out.push_str(close);
    }

    fn element(&mut self, element: &Held, depth: usize, is_indented: bool) -> Result<(), Thrown> {
        if depth > XML_DEPTH_MAX {
            return Err(too_deep());
        }
        let (known, written) = (self.known.len(), self.written.len());
        let declared = declarations(element);
        self.known.extend(declared.iter().cloned());
        self.written.extend(declared);
        self.bounded()?;
        let name = element.name();
        let prefix = self.prefix(&name, true).unwrap_or_default();
        let qualified = qualified(Some(&prefix), &name);
        self.out.push('<');
        self.out.push_str(&qualified);
        // What nobody declared is declared after the attributes.
        let mut missing = Vec::new();
        self.need(&prefix, &name.namespace, &mut missing);
        for attribute in element.attributes() {
            let name = attribute.name();
            let prefix = match self.prefix(&name, false) {
                Some(prefix) => prefix,
                None => self.fresh(),
            };
            if !prefix.is_empty() && declared_prefix(&attribute).is_none() {
                self.need(&prefix, &name.namespace, &mut missing);
            }
            self.out.push(' ');
            self.attribute(Some(&prefix), &name, &attribute.text());
            self.bounded()?;
        }
        for (prefix, namespace) in missing.iter().rev() {
            self.out.push_str(" xmlns");
            if !prefix.is_empty() {
                self.out.push(':');
                self.out.push_str(prefix);
            }
            self.value(namespace);
            self.bounded()?;
        }
        let nodes = element.nodes();
        if nodes.is_empty() {
            self.out.push_str(" />");
        } else {
            self.out.push('>');
            self.inner(&nodes, depth, is_indented)?;
            self.between("</", &qualified, ">");
        }
        self.known.truncate(known);
        self.written.truncate(written);
        Ok(())
    }

    fn inner(&mut self, nodes: &[Held], depth: usize, is_indented: bool) -> Result<(), Thrown> {
        // White space would change an element that has text.
        let has_text = nodes.iter().any(|node| matches!(node.kind(), Kind::Text | Kind::Data));
        let is_indented = is_indented && !has_text;
        for node in nodes {
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

    /// The prefix for a name: the one that was declared last for its namespace and still stands
    /// for it. An attribute cannot use the one without a name.
    fn prefix(&self, name: &Name, is_element: bool) -> Option<Arc<str>> {
        match &*name.namespace {
            "" => return Some(Arc::from("")),
            XML => return Some(Arc::from("xml")),
            XMLNS => return Some(Arc::from("xmlns")),
            _ => {}
        }
        let mut later: HashSet<&str> = HashSet::new();
        for (prefix, namespace) in self.known.iter().rev() {
            let is_last = later.insert(&**prefix);
            if is_last && *namespace == name.namespace && (is_element || !prefix.is_empty()) {
                return Some(Arc::clone(prefix));
            }
        }
        None
    }

    /// A prefix that nobody uses yet.
    fn fresh(&self) -> Arc<str> {
        let all = self.known.iter().chain(&self.written);
        let numbers = all.filter_map(|(prefix, _)| prefix.strip_prefix('p')?.parse::<usize>().ok());
        let used: HashSet<usize> = numbers.collect();
        // One of them is free: there is one more than there are used ones.
        let mut numbers = 1..=used.len().saturating_add(1);
        let free = numbers.find(|number| !used.contains(number)).unwrap_or_default();
        Arc::from(format!("p{free}"))
    }

    /// Notes that `prefix` must be declared here unless it stands for `namespace` already.
    fn need(
        &mut self,
        prefix: &Arc<str>,
        namespace: &Arc<str>,
        missing: &mut Vec<(Arc<str>, Arc<str>)>,
    ) {
        if **namespace == *XML || **namespace == *XMLNS {
            return;
        }
        let found = self.written.iter().rev().find(|(known, _)| known == prefix);
        if found.map_or("", |(_, namespace)| &**namespace) == &**namespace {
            return;
        }
        missing.push((Arc::clone(prefix), Arc::clone(namespace)));
        let known = self.known.iter().rev().find(|(known, _)| known == prefix);
        if known.is_none_or(|(_, known)| known != namespace) {
            self.known.push((Arc::clone(prefix), Arc::clone(namespace)));
        }
        self.written.push((Arc::clone(prefix), Arc::clone(namespace)));
    }

    fn attribute(&mut self, prefix: Option<&str>, name: &Name, value: &str) {
        self.out.push_str(&qualified(prefix, name));
        self.value(value);
    }

    fn value(&mut self, value: &str) {
        self.out.push_str("=\"");
        escaped(&mut self.out, value, true);
        self.out.push('"');
    }
}

/// A name with its prefix.
fn qualified(prefix: Option<&str>, name: &Name) -> String {
    match prefix.filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}:{}", name.local),
        None => name.local.to_string(),
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
