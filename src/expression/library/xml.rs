//! `System.Xml.Linq`: reading XML and finding one's way in it.
//!
//! There are no document types and no entities but the five of XML itself.

use std::sync::Arc;

use super::display;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::{Attribute, Document, Element, Name, Node, Xml};
use crate::expression::value::{Value, bounded_string};

pub mod read;
mod write;

/// The deepest nesting of elements that is read or written.
pub const XML_DEPTH_MAX: usize = 128;
/// The most nodes and attributes that are read from one text.
pub const XML_NODES_MAX: usize = 500_000;
/// The namespace of namespace declarations.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// `XDocument.Parse(text)`.
pub fn parse_document(text: &str) -> Result<Xml, Thrown> {
    read::document(text).map(|document| Xml::Document(Arc::new(document)))
}

/// `XElement.Parse(text)`.
pub fn parse_element(text: &str) -> Result<Xml, Thrown> {
    let document = read::document(text)?;
    let root = document.root().ok_or_else(read::no_root)?;
    Ok(Xml::Element(Arc::clone(root)))
}

/// `node.ToString()`: indented by two spaces where there is no text beside elements.
pub fn text(node: &Xml) -> Result<String, Thrown> {
    let text = match node {
        Xml::Document(document) => write::nodes(&document.nodes, true)?,
        Xml::Element(element) => write::element(element, true)?,
        Xml::Attribute(attribute) => write::attribute(attribute),
        Xml::Name(name) => name_text(name),
        Xml::Namespace(text) | Xml::Text(text) => text.to_string(),
    };
    bounded_string(text.len())?;
    Ok(text)
}

/// `node.ToString(SaveOptions.DisableFormatting)`: without white space between elements.
pub fn text_unformatted(node: &Xml) -> Result<String, Thrown> {
    match node {
        Xml::Document(document) => write::nodes(&document.nodes, false),
        Xml::Element(element) => write::element(element, false),
        other => text(other),
    }
}

/// `element.Value` and `attribute.Value`: all the text inside.
pub fn value(node: &Xml) -> String {
    match node {
        Xml::Document(document) => document.root().map(element_value).unwrap_or_default(),
        Xml::Element(element) => element_value(element),
        Xml::Attribute(attribute) => attribute.value.to_string(),
        Xml::Name(name) => name_text(name),
        Xml::Namespace(text) | Xml::Text(text) => text.to_string(),
    }
}

fn element_value(element: &Arc<Element>) -> String {
    let mut out = String::new();
    let mut pending = vec![element.nodes.iter()];
    while let Some(nodes) = pending.last_mut() {
        match nodes.next() {
            None => _ = pending.pop(),
            Some(Node::Element(inner)) => pending.push(inner.nodes.iter()),
            Some(Node::Text(text) | Node::Data(text)) => out.push_str(text),
            Some(Node::Comment(_)) => {}
        }
    }
    out
}

/// `document.Root`.
pub fn root(document: &Document) -> Option<Xml> {
    document.root().cloned().map(Xml::Element)
}

/// `node.Name`.
pub fn name(node: &Xml) -> Option<Name> {
    match node {
        Xml::Element(element) => Some(element.name.clone()),
        Xml::Attribute(attribute) => Some(attribute.name.clone()),
        Xml::Name(name) => Some(name.clone()),
        Xml::Document(_) | Xml::Namespace(_) | Xml::Text(_) => None,
    }
}

/// The `XName` that a string (`local` or `{namespace}local`) or a name is.
pub fn to_name(value: &Value) -> Result<Name, Thrown> {
    match value {
        Value::Xml(Xml::Name(name)) => Ok(name.clone()),
        Value::String(text) => Ok(named(text)),
        other => Err(other.refused("System.Xml.Linq.XName")),
    }
}

fn named(text: &str) -> Name {
    let expanded = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let (namespace, local) = expanded.unwrap_or(("", text));
    Name { namespace: Arc::from(namespace), local: Arc::from(local) }
}

/// `namespace + local`.
pub fn name_in(namespace: &str, local: &str) -> Xml {
    Xml::Name(Name { namespace: Arc::from(namespace), local: Arc::from(local) })
}

/// `name.ToString()`.
pub fn name_text(name: &Name) -> String {
    if name.namespace.is_empty() {
        return name.local.to_string();
    }
    format!("{{{}}}{}", name.namespace, name.local)
}

/// The elements that are directly in `node`.
fn inner(node: &Xml) -> Vec<Arc<Element>> {
    let nodes: &[Node] = match node {
        Xml::Document(document) => &document.nodes,
        Xml::Element(element) => &element.nodes,
        Xml::Attribute(_) | Xml::Name(_) | Xml::Namespace(_) | Xml::Text(_) => &[],
    };
    inner_of(nodes)
}

fn inner_of(nodes: &[Node]) -> Vec<Arc<Element>> {
    let elements = nodes.iter().filter_map(|node| match node {
        Node::Element(element) => Some(Arc::clone(element)),
        Node::Text(_) | Node::Data(_) | Node::Comment(_) => None,
    });
    elements.collect()
}

/// `node.Elements(name)`; without a name, all.
pub fn elements(node: &Xml, name: Option<&Name>) -> Vec<Value> {
    let found = inner(node).into_iter().filter(|one| name.is_none_or(|name| one.name == *name));
    found.map(|element| Xml::Element(element).into()).collect()
}

/// `node.Element(name)`.
pub fn element(node: &Xml, name: &Name) -> Option<Xml> {
    inner(node).into_iter().find(|one| one.name == *name).map(Xml::Element)
}

/// `node.Descendants(name)`; without a name, all.
pub fn descendants(node: &Xml, name: Option<&Name>) -> Vec<Value> {
    let mut pending = inner(node);
    pending.reverse();
    let mut found = Vec::new();
    while let Some(element) = pending.pop() {
        let mut below = inner_of(&element.nodes);
        below.reverse();
        pending.append(&mut below);
        if name.is_none_or(|name| element.name == *name) {
            found.push(Xml::Element(element).into());
        }
    }
    found
}

/// `element.Nodes()`: elements and texts.
pub fn nodes(node: &Xml) -> Vec<Value> {
    let nodes: &[Node] = match node {
        Xml::Document(document) => &document.nodes,
        Xml::Element(element) => &element.nodes,
        Xml::Attribute(_) | Xml::Name(_) | Xml::Namespace(_) | Xml::Text(_) => &[],
    };
    let values = nodes.iter().filter_map(|node| match node {
        Node::Element(element) => Some(Xml::Element(Arc::clone(element)).into()),
        Node::Text(text) | Node::Data(text) => Some(Xml::Text(Arc::clone(text)).into()),
        Node::Comment(_) => None,
    });
    values.collect()
}

/// `element.Attribute(name)`.
pub fn attribute(element: &Element, name: &Name) -> Option<Xml> {
    let found = element.attributes.iter().find(|attribute| attribute.name == *name);
    found.cloned().map(Xml::Attribute)
}

/// `element.Attributes()`.
pub fn attributes(element: &Element) -> Vec<Value> {
    element.attributes.iter().map(|one| Xml::Attribute(Arc::clone(one)).into()).collect()
}

/// `element.HasElements`.
pub fn has_elements(element: &Element) -> bool {
    element.nodes.iter().any(|node| matches!(node, Node::Element(_)))
}

/// `new XAttribute(name, value)`.
pub fn new_attribute(name: Name, value: &Value) -> Result<Xml, Thrown> {
    checked_name(&name)?;
    let value = content_text(value)?;
    Ok(Xml::Attribute(Arc::new(Attribute { name, prefix: None, value })))
}

/// A value as XML writes it, which for bools and dates is not what `ToString()` gives.
fn content_text(value: &Value) -> Result<Arc<str>, Thrown> {
    Ok(match value {
        Value::Bool(true) => Arc::from("true"),
        Value::Bool(false) => Arc::from("false"),
        Value::DateTime(_) => display::formatted(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")?,
        Value::DateTimeOffset(moment) => {
            let zone = if moment.offset_minutes == 0 { "Z" } else { "" };
            let zoned = if zone.is_empty() { "zzz" } else { "" };
            let written =
                display::formatted(value, &format!("yyyy-MM-ddTHH:mm:ss.FFFFFFF{zoned}"))?;
            Arc::from(format!("{written}{zone}"))
        }
        other => display::text(other)?,
    })
}

/// Refuses a name that XML cannot write.
fn checked_name(name: &Name) -> Result<(), Thrown> {
    let first = |one: char| one.is_alphabetic() || one == '_';
    let further = |one: char| one.is_alphanumeric() || matches!(one, '_' | '-' | '.' | '\u{b7}');
    let wrong = match name.local.chars().next() {
        None => Some(' '),
        Some(character) if !first(character) => Some(character),
        Some(_) => name.local.chars().find(|one| !further(*one)),
    };
    match wrong {
        None => Ok(()),
        Some(character) => {
            let message = format!("The '{character}' character cannot be included in a name.");
            Err(Thrown::new(ExceptionKind::Xml, message))
        }
    }
}

/// `new XElement(name, contents)`: attributes, elements, lists of them; all else as text.
pub fn new_element(name: Name, contents: &[Value]) -> Result<Xml, Thrown> {
    checked_name(&name)?;
    let mut attributes = Vec::new();
    let mut nodes = Vec::new();
    let mut pending: Vec<Value> = contents.iter().rev().cloned().collect();
    while let Some(content) = pending.pop() {
        match content {
            Value::Null => {}
            Value::Xml(Xml::Attribute(attribute)) => attributes.push(attribute),
            Value::Xml(Xml::Element(element)) => nodes.push(Node::Element(element)),
            Value::Xml(Xml::Document(document)) => {
                nodes.extend(document.root().cloned().map(Node::Element));
            }
            Value::List(list) => pending.extend(list.snapshot().into_iter().rev()),
            other => nodes.push(Node::Text(content_text(&other)?)),
        }
        super::super::value::bounded_items(nodes.len().max(pending.len()))?;
    }
    let element = Element::new(name, None, attributes, nodes);
    if element.depth > XML_DEPTH_MAX {
        return Err(too_deep());
    }
    if element.extent > XML_NODES_MAX {
        return Err(too_many());
    }
    Ok(Xml::Element(Arc::new(element)))
}

/// More nodes than [`XML_NODES_MAX`].
fn too_many() -> Thrown {
    Thrown::limit(format!("XML may have at most {XML_NODES_MAX} nodes"))
}

/// Elements that are nested deeper than [`XML_DEPTH_MAX`].
pub(super) fn too_deep() -> Thrown {
    Thrown::limit(format!("XML may be nested at most {XML_DEPTH_MAX} levels deep"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Xml {
        parse_element(text).expect(text)
    }

    fn at(node: &Xml, name: &str) -> Xml {
        element(node, &to_name(&name.into()).unwrap()).expect(name)
    }

    #[test]
    fn documents_are_read_and_written_as_in_dotnet() {
        let rows = [
            ("<a/>", "<a />"),
            ("<a></a>", "<a></a>"),
            ("<a> <b>x</b>\n <c/> </a>", "<a>\n  <b>x</b>\n  <c />\n</a>"),
            ("<a>text<b/></a>", "<a>text<b /></a>"),
            ("<a x='1' y=\"&lt;&quot;\"/>", "<a x=\"1\" y=\"&lt;&quot;\" />"),
            ("<a>&amp;&#65;&#x42;</a>", "<a>&amp;AB</a>"),
            ("<a><![CDATA[<&>]]></a>", "<a><![CDATA[<&>]]></a>"),
            ("<?xml version=\"1.0\"?><!-- c --><a/>", "<a />"),
            ("<p:a xmlns:p=\"urn:p\"><p:b/></p:a>", "<p:a xmlns:p=\"urn:p\">\n  <p:b />\n</p:a>"),
        ];
        for (text, expected) in rows {
            assert_eq!(super::text(&parsed(text)).unwrap(), expected, "{text}");
        }
        let wrong = [
            "",
            "<a>",
            "<a></b>",
            "<a><b></a></b>",
            "</a>",
            "<a",
            "<a x=1/>",
            "<a x='1' x='2'/>",
            "<a/><b/>",
            "text",
            "<a>&nbsp;</a>",
            "<a>&</a>",
            "<p:a/>",
            "<!DOCTYPE a><a/>",
            "<a x='<'/>",
            "<1/>",
            "<a><!-- </a>",
        ];
        for text in wrong {
            assert_eq!(parse_document(text).unwrap_err().kind.name(), "XmlException", "{text}");
        }
        assert!(
            parse_document(&"<a>".repeat(XML_DEPTH_MAX + 2)).unwrap_err().message.contains("deep")
        );
    }

    #[test]
    fn elements_are_found_as_in_dotnet() {
        let soap = parse_document(
            "<s:Envelope xmlns:s='urn:soap'><s:Body><r xmlns='urn:r' id='7'><v>1</v><v>2</v></r></s:Body></s:Envelope>",
        );
        let soap = soap.unwrap();
        let Xml::Document(document) = &soap else { panic!() };
        let envelope = root(document).unwrap();
        assert_eq!(name_text(&name(&envelope).unwrap()), "{urn:soap}Envelope");
        let body = at(&envelope, "{urn:soap}Body");
        let Xml::Name(result) = name_in("urn:r", "r") else { panic!() };
        let inner = element(&body, &result).unwrap();
        let Xml::Element(found) = &inner else { panic!() };
        assert!(has_elements(found));
        let id = attribute(found, &to_name(&"id".into()).unwrap()).unwrap();
        assert_eq!((value(&id).as_str(), value(&inner).as_str()), ("7", "12"));
        assert_eq!(attributes(found).len(), 2);
        let item = to_name(&"{urn:r}v".into()).unwrap();
        assert_eq!(descendants(&soap, Some(&item)).len(), 2);
        assert_eq!(descendants(&soap, None).len(), 5);
        assert_eq!(elements(&inner, None).len(), 2);
        assert!(element(&inner, &to_name(&"v".into()).unwrap()).is_none());
        // An element by itself says what its prefixes stand for.
        assert!(
            text(&body)
                .unwrap()
                .starts_with("<s:Body xmlns:s=\"urn:soap\">\n  <r xmlns=\"urn:r\" id=\"7\">")
        );
        let parts = elements(&inner, None);
        let Value::Xml(part) = &parts[0] else { panic!() };
        assert_eq!(text(part).unwrap(), "<v xmlns=\"urn:r\">1</v>");
    }

    #[test]
    fn elements_are_made_as_in_dotnet() {
        let id = new_attribute(to_name(&"id".into()).unwrap(), &7.into()).unwrap();
        let child = new_element(to_name(&"c".into()).unwrap(), &["x<y".into()]).unwrap();
        let made = new_element(
            to_name(&"{urn:a}a".into()).unwrap(),
            &[id.into(), Value::list(vec![child.into(), Value::Null])],
        );
        assert_eq!(
            text_unformatted(&made.unwrap()).unwrap(),
            "<a xmlns=\"urn:a\" id=\"7\"><c xmlns=\"\">x&lt;y</c></a>"
        );
        let mut deep = new_element(to_name(&"a".into()).unwrap(), &[]).unwrap();
        for _ in 1..XML_DEPTH_MAX {
            deep = new_element(to_name(&"a".into()).unwrap(), &[deep.into()]).unwrap();
        }
        assert!(new_element(to_name(&"a".into()).unwrap(), &[deep.into()]).is_err());
        let mut wide = new_element(to_name(&"a".into()).unwrap(), &[]);
        while let Ok(element) = &wide {
            let twice = [element.clone().into(), element.clone().into()];
            wide = new_element(to_name(&"a".into()).unwrap(), &twice);
        }
        assert!(wide.unwrap_err().message.contains("nodes"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[<>/a-c:='\" &;#x0-9!?\\[\\]-]{0,40}") {
            if let Ok(node) = parse_document(&text) {
                super::text(&node).unwrap();
            }
        }
    }
}
