//! XML as `System.Xml.Linq` has it: names, attributes, elements and documents that never change.

use std::sync::Arc;

/// Something of `System.Xml.Linq`.
#[derive(Clone, Debug)]
pub enum Xml {
    /// `XDocument`.
    Document(Arc<Document>),
    /// `XElement`.
    Element(Arc<Element>),
    /// `XAttribute`.
    Attribute(Arc<Attribute>),
    /// `XName`.
    Name(Name),
    /// `XNamespace`.
    Namespace(Arc<str>),
    /// `XText` or `XCData`.
    Text(Arc<str>),
}

/// `XName`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name {
    /// The namespace's URI; empty where there is none.
    pub namespace: Arc<str>,
    /// The name without its prefix.
    pub local: Arc<str>,
}

/// `XAttribute`. A namespace declaration is one in the namespace of `xmlns`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// The prefix it was written with.
    pub prefix: Option<Arc<str>>,
    /// Its value, references resolved.
    pub value: Arc<str>,
}

/// `XElement`.
#[derive(Debug)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// The prefix it was written with.
    pub prefix: Option<Arc<str>>,
    /// Its attributes, in order, namespace declarations among them.
    pub attributes: Vec<Arc<Attribute>>,
    /// What is in it, in order.
    pub nodes: Vec<Node>,
    /// How deep elements are nested in it, itself counted.
    pub depth: usize,
    /// How many nodes and attributes there are in it and below, itself counted.
    pub extent: usize,
}

/// What can be in an element.
#[derive(Clone, Debug)]
pub enum Node {
    /// An element.
    Element(Arc<Element>),
    /// Text, references resolved.
    Text(Arc<str>),
    /// The text of a `CDATA` section.
    Data(Arc<str>),
    /// The text of a comment.
    Comment(Arc<str>),
}

/// `XDocument`.
#[derive(Debug)]
pub struct Document {
    /// The XML declaration as it was written, which `ToString()` leaves out.
    pub declaration: Option<Arc<str>>,
    /// What is beside the root: comments only, before and after it.
    pub nodes: Vec<Node>,
}

impl Xml {
    /// The full .NET name of its class.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Document(_) => "System.Xml.Linq.XDocument",
            Self::Element(_) => "System.Xml.Linq.XElement",
            Self::Attribute(_) => "System.Xml.Linq.XAttribute",
            Self::Name(_) => "System.Xml.Linq.XName",
            Self::Namespace(_) => "System.Xml.Linq.XNamespace",
            Self::Text(_) => "System.Xml.Linq.XText",
        }
    }
}

impl Element {
    /// The element of these parts.
    pub fn new(
        name: Name,
        prefix: Option<Arc<str>>,
        attributes: Vec<Arc<Attribute>>,
        nodes: Vec<Node>,
    ) -> Self {
        let mut depth: usize = 0;
        let mut extent = attributes.len().saturating_add(1);
        for node in &nodes {
            match node {
                Node::Element(element) => {
                    depth = depth.max(element.depth);
                    extent = extent.saturating_add(element.extent);
                }
                Node::Text(_) | Node::Data(_) | Node::Comment(_) => {
                    extent = extent.saturating_add(1);
                }
            }
        }
        let depth = depth.saturating_add(1);
        Self { name, prefix, attributes, nodes, depth, extent }
    }
}

impl Document {
    /// The root element.
    pub fn root(&self) -> Option<&Arc<Element>> {
        self.nodes.iter().find_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Data(_) | Node::Comment(_) => None,
        })
    }
}
