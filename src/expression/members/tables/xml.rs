//! LINQ to XML.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    at, constructor, int, items, method, ok, property, static_method, static_property, text,
};
use crate::expression::library::xml as library;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::xml::{Element, Name, Xml};

fn xml(v: &[Value]) -> Result<&Xml, Thrown> {
    match at(v, 0) {
        Value::Xml(node) => Ok(node),
        other => Err(other.refused("System.Xml.Linq.XNode")),
    }
}

fn element(v: &[Value]) -> Result<&Arc<Element>, Thrown> {
    match at(v, 0) {
        Value::Xml(Xml::Element(element)) => Ok(element),
        other => Err(other.refused("System.Xml.Linq.XElement")),
    }
}

fn named(v: &[Value], index: usize) -> Result<Name, Thrown> {
    library::to_name(at(v, index))
}

pub(super) const NODE: &[Member] = &[
    method("Element", "XName name", "XElement", |v| ok(library::element(xml(v)?, &named(v, 1)?))),
    method("Elements", "", "IEnumerable<XElement>", |v| {
        ok(Value::sequence(library::elements(xml(v)?, None)))
    }),
    method("Elements", "XName name", "IEnumerable<XElement>", |v| {
        ok(Value::sequence(library::elements(xml(v)?, Some(&named(v, 1)?))))
    }),
    method("Descendants", "", "IEnumerable<XElement>", |v| {
        ok(Value::sequence(library::descendants(xml(v)?, None)))
    }),
    method("Descendants", "XName name", "IEnumerable<XElement>", |v| {
        ok(Value::sequence(library::descendants(xml(v)?, Some(&named(v, 1)?))))
    }),
    method("Nodes", "", "IEnumerable<XNode>", |v| ok(Value::sequence(library::nodes(xml(v)?)))),
    property("FirstNode", "XNode", |v| ok(library::nodes(xml(v)?).into_iter().next())),
    property("LastNode", "XNode", |v| ok(library::nodes(xml(v)?).pop())),
    method("ToString", "SaveOptions options", "string", |v| {
        if int(v, 1)? & 1 == 0 {
            return ok(library::text(xml(v)?)?);
        }
        ok(library::text_unformatted(xml(v)?)?)
    }),
];

pub(super) const DOCUMENT: &[Member] = &[
    static_method("Parse", "string text", "XDocument", |v| {
        ok(library::parse_document(text(v, 0)?)?)
    }),
    property("Root", "XElement", |v| match xml(v)? {
        Xml::Document(document) => ok(library::root(document)),
        _ => Err(at(v, 0).refused("System.Xml.Linq.XDocument")),
    }),
];

pub(super) const ELEMENT: &[Member] = &[
    static_method("Parse", "string text", "XElement", |v| ok(library::parse_element(text(v, 0)?)?)),
    constructor("XName name, params object[] content", |v| {
        ok(library::new_element(named(v, 0)?, &items(v, 1)?)?)
    }),
    property("Name", "XName", |v| ok(library::name(xml(v)?).map(Xml::Name))),
    property("Value", "string", |v| ok(library::value(xml(v)?))),
    property("HasElements", "bool", |v| ok(library::has_elements(element(v)?))),
    property("HasAttributes", "bool", |v| ok(!element(v)?.attributes.is_empty())),
    property("IsEmpty", "bool", |v| ok(element(v)?.nodes.is_empty())),
    method("Attribute", "XName name", "XAttribute", |v| {
        ok(library::attribute(element(v)?, &named(v, 1)?))
    }),
    method("Attributes", "", "IEnumerable<XAttribute>", |v| {
        ok(Value::sequence(library::attributes(element(v)?)))
    }),
    method("GetDefaultNamespace", "", "XNamespace", |v| {
        let attributes = &element(v)?.attributes;
        let own = attributes.iter().find(|attribute| &*attribute.name.local == "xmlns");
        ok(Xml::Namespace(own.map_or_else(|| Arc::from(""), |found| Arc::clone(&found.value))))
    }),
];

pub(super) const ATTRIBUTE: &[Member] = &[
    constructor("XName name, object value", |v| {
        ok(library::new_attribute(named(v, 0)?, at(v, 1))?)
    }),
    property("Name", "XName", |v| ok(library::name(xml(v)?).map(Xml::Name))),
    property("Value", "string", |v| ok(library::value(xml(v)?))),
];

pub(super) const NAME: &[Member] = &[
    static_method("Get", "string localName, string namespaceName = \"\"", "XName", |v| {
        ok(library::name_in(text(v, 1)?, text(v, 0)?))
    }),
    property("LocalName", "string", |v| match xml(v)? {
        Xml::Name(name) => ok(Arc::clone(&name.local)),
        _ => Err(at(v, 0).refused("System.Xml.Linq.XName")),
    }),
    property("NamespaceName", "string", |v| match xml(v)? {
        Xml::Name(name) => ok(Arc::clone(&name.namespace)),
        _ => Err(at(v, 0).refused("System.Xml.Linq.XName")),
    }),
    property("Namespace", "XNamespace", |v| match xml(v)? {
        Xml::Name(name) => ok(Xml::Namespace(Arc::clone(&name.namespace))),
        _ => Err(at(v, 0).refused("System.Xml.Linq.XName")),
    }),
];

pub(super) const NAMESPACE: &[Member] = &[
    static_method("Get", "string namespaceName", "XNamespace", |v| {
        ok(Xml::Namespace(Arc::clone(text(v, 0)?)))
    }),
    static_property("None", "XNamespace", |_| ok(Xml::Namespace(Arc::from("")))),
    property("NamespaceName", "string", |v| match xml(v)? {
        Xml::Namespace(uri) => ok(Arc::clone(uri)),
        _ => Err(at(v, 0).refused("System.Xml.Linq.XNamespace")),
    }),
];
