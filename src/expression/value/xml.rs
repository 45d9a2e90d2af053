//! XML as `System.Xml.Linq` has it: what expressions change, and what was read, which never
//! changes.

use std::sync::Arc;

use self::tree::{Held, Kind};

pub mod tree;

/// Something of `System.Xml.Linq`.
#[derive(Clone, Debug)]
pub enum Xml {
    /// `XDocument`, `XElement`, `XAttribute`, `XText`, `XCData` or `XComment`.
    Node(Held),
    /// `XName`.
    Name(Name),
    /// `XNamespace`.
    Namespace(Arc<str>),
    /// `XDeclaration`.
    Declaration(Arc<Declaration>),
}

/// `XDeclaration`: what an XML declaration says; a part that it leaves out is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Declaration {
    /// `Version`
    pub version: Option<Arc<str>>,
    /// `Encoding`
    pub encoding: Option<Arc<str>>,
    /// `Standalone`
    pub standalone: Option<Arc<str>>,
}

/// `XName`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name {
    /// The namespace's URI; empty where there is none.
    pub namespace: Arc<str>,
    /// The name without its prefix.
    pub local: Arc<str>,
}

/// An attribute that was read. A namespace declaration is one in the namespace of `xmlns`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// The prefix it was written with.
    pub prefix: Option<Arc<str>>,
    /// Its value, references resolved.
    pub value: Arc<str>,
}

/// An element that was read.
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

/// A document that was read.
#[derive(Debug)]
pub struct Document {
    /// The XML declaration as it was written, which `ToString()` leaves out.
    pub declaration: Option<Arc<str>>,
    /// What is beside the root: comments only, before and after it.
    pub nodes: Vec<Node>,
}

impl Xml {
    /// The full .NET name of its class.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Node(node) => match node.kind() {
                Kind::Document => "System.Xml.Linq.XDocument",
                Kind::Element => "System.Xml.Linq.XElement",
                Kind::Attribute => "System.Xml.Linq.XAttribute",
                Kind::Text => "System.Xml.Linq.XText",
                Kind::Data => "System.Xml.Linq.XCData",
                Kind::Comment => "System.Xml.Linq.XComment",
            },
            Self::Name(_) => "System.Xml.Linq.XName",
            Self::Namespace(_) => "System.Xml.Linq.XNamespace",
            Self::Declaration(_) => "System.Xml.Linq.XDeclaration",
        }
    }
}

impl Name {
    /// The name of what has none.
    pub fn none() -> Self {
        Self { namespace: Arc::from(""), local: Arc::from("") }
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
