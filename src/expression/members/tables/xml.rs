//! LINQ to XML.

pub(super) mod sequence;

use std::sync::Arc;

use super::super::arguments::{
    Outcome, at, constructor, constructor_with, int, items, method, method_with, ok, property,
    set_property, static_method, static_property, static_with, text,
};
use super::super::{Call, Member};
use crate::expression::library::xml::{self as library, change, declaration};
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::xml::tree::{Held, Kind};
use crate::expression::value::xml::{Declaration, Name, Xml};

fn held(v: &[Value]) -> Result<&Held, Thrown> {
    as_node(at(v, 0))
}

fn as_node(value: &Value) -> Result<&Held, Thrown> {
    match value {
        Value::Xml(Xml::Node(node)) => Ok(node),
        other => Err(other.refused("System.Xml.Linq.XObject")),
    }
}

fn declared(v: &[Value]) -> Result<&Declaration, Thrown> {
    match at(v, 0) {
        Value::Xml(Xml::Declaration(declared)) => Ok(declared),
        other => Err(other.refused("System.Xml.Linq.XDeclaration")),
    }
}

fn xml_name(v: &[Value]) -> Result<&Name, Thrown> {
    match at(v, 0) {
        Value::Xml(Xml::Name(name)) => Ok(name),
        other => Err(other.refused("System.Xml.Linq.XName")),
    }
}

fn named(v: &[Value], index: usize) -> Result<Name, Thrown> {
    library::to_name(at(v, index))
}

fn one(node: impl Into<Option<Held>>) -> Outcome {
    ok(node.into().map(Xml::Node))
}

fn all(nodes: impl IntoIterator<Item = Held>) -> Outcome {
    ok(Value::sequence(nodes.into_iter().map(|node| Xml::Node(node).into()).collect()))
}

/// Runs what changes a tree, and counts what it made.
fn changed(
    call: &mut Call<'_, '_>,
    change: impl FnOnce(&Held, &[Value]) -> change::Made,
) -> Outcome {
    let contents = match call.argument(1) {
        Value::Null => Vec::new(),
        contents => items(std::slice::from_ref(contents), 0)?,
    };
    let made = change(held(call.arguments())?, &contents)?;
    call.made(made)?;
    Ok(Value::Null)
}

/// The tree of a text, and counts it.
fn parsed(call: &mut Call<'_, '_>, parse: fn(&str) -> Result<Xml, Thrown>) -> Outcome {
    let tree = parse(text(call.arguments(), 0)?)?;
    if let Xml::Node(node) = &tree {
        call.made(change::tree_bytes(node))?;
    }
    ok(tree)
}

/// The same as [`changed`] for a name and a value.
fn set(
    call: &mut Call<'_, '_>,
    change: impl FnOnce(&Held, Name, &Value) -> change::Made,
) -> Outcome {
    let name = named(call.arguments(), 1)?;
    let made = change(held(call.arguments())?, name, call.argument(2))?;
    call.made(made)?;
    Ok(Value::Null)
}

fn set_value(v: &[Value]) -> Outcome {
    change::set_value(held(v)?, at(v, 1))?;
    Ok(Value::Null)
}

const fn kind_number(kind: Kind) -> i32 {
    match kind {
        Kind::Element => 1,
        Kind::Attribute => 2,
        Kind::Text => 3,
        Kind::Data => 4,
        Kind::Comment => 8,
        Kind::Document => 9,
    }
}

pub(super) const OBJECT: &[Member] = &[
    property("Parent", "XElement", |v| one(library::parent(held(v)?))),
    property("Document", "XDocument", |v| one(library::document(held(v)?))),
    property("NodeType", "XmlNodeType", |v| ok(kind_number(held(v)?.kind()))),
];

pub(super) const NODE: &[Member] = &[
    method_with("AddAfterSelf", "params object[] content", "void", |call| {
        changed(call, |node, contents| change::add_beside(node, contents, true))
    }),
    method_with("AddBeforeSelf", "params object[] content", "void", |call| {
        changed(call, |node, contents| change::add_beside(node, contents, false))
    }),
    method_with("ReplaceWith", "params object[] content", "void", |call| {
        changed(call, change::replace)
    }),
    method("Remove", "", "void", |v| {
        change::remove(held(v)?)?;
        Ok(Value::Null)
    })
    .effect(),
    property("NextNode", "XNode", |v| one(library::siblings(held(v)?, true).into_iter().next())),
    property("PreviousNode", "XNode", |v| one(library::siblings(held(v)?, false).pop())),
    method("NodesAfterSelf", "", "IEnumerable<XNode>", |v| all(library::siblings(held(v)?, true))),
    method("NodesBeforeSelf", "", "IEnumerable<XNode>", |v| {
        all(library::siblings(held(v)?, false))
    }),
    method("ElementsAfterSelf", "", "IEnumerable<XElement>", |v| {
        all(library::siblings(held(v)?, true).into_iter().filter(library::is_element))
    }),
    method("ElementsBeforeSelf", "", "IEnumerable<XElement>", |v| {
        all(library::siblings(held(v)?, false).into_iter().filter(library::is_element))
    }),
    method("Ancestors", "", "IEnumerable<XElement>", |v| {
        all(library::ancestors(held(v)?, None, false))
    }),
    method("Ancestors", "XName name", "IEnumerable<XElement>", |v| {
        all(library::ancestors(held(v)?, Some(&named(v, 1)?), false))
    }),
    method("ToString", "SaveOptions options", "string", |v| {
        if int(v, 1)? & 1 == 0 {
            return ok(library::text(&Xml::Node(held(v)?.clone()))?);
        }
        ok(library::text_unformatted(held(v)?)?)
    }),
];

pub(super) const CONTAINER: &[Member] = &[
    method("Element", "XName name", "XElement", |v| one(library::element(held(v)?, &named(v, 1)?))),
    method("Elements", "", "IEnumerable<XElement>", |v| all(library::elements(held(v)?, None))),
    method("Elements", "XName name", "IEnumerable<XElement>", |v| {
        all(library::elements(held(v)?, Some(&named(v, 1)?)))
    }),
    method("Descendants", "", "IEnumerable<XElement>", |v| {
        all(library::descendants(held(v)?, None, false))
    }),
    method("Descendants", "XName name", "IEnumerable<XElement>", |v| {
        all(library::descendants(held(v)?, Some(&named(v, 1)?), false))
    }),
    method("DescendantNodes", "", "IEnumerable<XNode>", |v| all(library::below(held(v)?, false))),
    method("Nodes", "", "IEnumerable<XNode>", |v| all(library::nodes(held(v)?))),
    property("FirstNode", "XNode", |v| one(library::nodes(held(v)?).into_iter().next())),
    property("LastNode", "XNode", |v| one(library::nodes(held(v)?).pop())),
    method_with("Add", "params object[] content", "void", |call| changed(call, change::add)),
    method_with("AddFirst", "params object[] content", "void", |call| {
        changed(call, change::add_first)
    }),
    method_with("ReplaceNodes", "params object[] content", "void", |call| {
        changed(call, |node, contents| {
            change::remove_nodes(node);
            change::add(node, contents)
        })
    }),
    method("RemoveNodes", "", "void", |v| {
        change::remove_nodes(held(v)?);
        Ok(Value::Null)
    })
    .effect(),
];

pub(super) const DOCUMENT: &[Member] = &[
    static_with("Parse", "string text", "XDocument", |call| parsed(call, library::parse_document))
        .effect(),
    constructor_with("params object[] content", |call| document(call, Arc::from(""), 0)),
    constructor_with("XDeclaration declaration, params object[] content", |call| {
        let text = match call.argument(0) {
            Value::Null => String::new(),
            _ => declaration::text(declared(call.arguments())?),
        };
        document(call, Arc::from(text.trim_start_matches("<?xml")), 1)
    }),
    property("Root", "XElement", |v| one(library::root(held(v)?))),
    property("Declaration", "XDeclaration", |v| {
        let written = held(v)?.text();
        let declared = (!written.is_empty()).then(|| declaration::read(&written));
        ok(declared.map(|declared| Xml::Declaration(Arc::new(declared))))
    }),
];

fn document(call: &mut Call<'_, '_>, declared: Arc<str>, contents: usize) -> Outcome {
    let document = Held::new(Kind::Document, Name::none(), declared);
    let made = change::add(&document, &items(call.arguments(), contents)?)?;
    call.made(made)?;
    one(document)
}

pub(super) const ELEMENT: &[Member] = &[
    static_with("Parse", "string text", "XElement", |call| parsed(call, library::parse_element))
        .effect(),
    constructor_with("XName name, params object[] content", |call| {
        let contents = items(call.arguments(), 1)?;
        let (element, made) = change::new_element(named(call.arguments(), 0)?, &contents)?;
        call.made(made)?;
        one(element)
    }),
    constructor_with("XElement other", |call| {
        let copy = held(call.arguments())?.copy();
        call.made(change::tree_bytes(&copy))?;
        one(copy)
    }),
    property("Name", "XName", |v| ok(Xml::Name(held(v)?.name()))),
    set_property("Name", "XName value", |v| {
        change::set_name(held(v)?, named(v, 1)?)?;
        Ok(Value::Null)
    }),
    property("Value", "string", |v| ok(library::bounded_value(held(v)?)?)),
    set_property("Value", "string value", set_value),
    method("SetValue", "object value", "void", set_value).effect(),
    method_with("SetAttributeValue", "XName name, object value", "void", |call| {
        set(call, change::set_attribute)
    }),
    method_with("SetElementValue", "XName name, object value", "void", |call| {
        set(call, change::set_element)
    }),
    method("RemoveAll", "", "void", |v| {
        change::remove_nodes(held(v)?);
        change::remove_attributes(held(v)?);
        Ok(Value::Null)
    })
    .effect(),
    method("RemoveAttributes", "", "void", |v| {
        change::remove_attributes(held(v)?);
        Ok(Value::Null)
    })
    .effect(),
    method_with("ReplaceAll", "params object[] content", "void", |call| {
        changed(call, |element, contents| {
            change::remove_nodes(element);
            change::remove_attributes(element);
            change::add(element, contents)
        })
    }),
    method_with("ReplaceAttributes", "params object[] content", "void", |call| {
        changed(call, |element, contents| {
            change::remove_attributes(element);
            change::add(element, contents)
        })
    }),
    property("HasElements", "bool", |v| ok(held(v)?.nodes().iter().any(library::is_element))),
    property("HasAttributes", "bool", |v| ok(!held(v)?.attributes().is_empty())),
    property("IsEmpty", "bool", |v| ok(held(v)?.is_empty())),
    method("Attribute", "XName name", "XAttribute", |v| {
        one(library::attribute(held(v)?, &named(v, 1)?))
    }),
    method("Attributes", "", "IEnumerable<XAttribute>", |v| {
        all(library::attributes(held(v)?, None))
    }),
    method("Attributes", "XName name", "IEnumerable<XAttribute>", |v| {
        all(library::attributes(held(v)?, Some(&named(v, 1)?)))
    }),
    property("FirstAttribute", "XAttribute", |v| one(held(v)?.attributes().into_iter().next())),
    property("LastAttribute", "XAttribute", |v| one(held(v)?.attributes().pop())),
    method("AncestorsAndSelf", "", "IEnumerable<XElement>", |v| {
        all(library::ancestors(held(v)?, None, true))
    }),
    method("DescendantsAndSelf", "", "IEnumerable<XElement>", |v| {
        all(library::descendants(held(v)?, None, true))
    }),
    method("DescendantsAndSelf", "XName name", "IEnumerable<XElement>", |v| {
        all(library::descendants(held(v)?, Some(&named(v, 1)?), true))
    }),
    method("GetDefaultNamespace", "", "XNamespace", |v| {
        let found = library::namespace_of(held(v)?, "");
        ok(Xml::Namespace(found.unwrap_or_else(|| Arc::from(""))))
    }),
    method("GetNamespaceOfPrefix", "string prefix", "XNamespace", |v| {
        ok(library::namespace_of(held(v)?, text(v, 1)?).map(Xml::Namespace))
    }),
];

pub(super) const ATTRIBUTE: &[Member] =
    &[
        constructor("XName name, object value", |v| {
            one(change::new_attribute(named(v, 0)?, at(v, 1))?)
        }),
        property("Name", "XName", |v| ok(Xml::Name(held(v)?.name()))),
        property("Value", "string", |v| ok(library::bounded_value(held(v)?)?)),
        property("IsNamespaceDeclaration", "bool", |v| {
            ok(library::declared_prefix(held(v)?).is_some())
        }),
        set_property("Value", "string value", set_value),
        method("SetValue", "object value", "void", set_value).effect(),
        method("Remove", "", "void", |v| {
            change::remove(held(v)?)?;
            Ok(Value::Null)
        })
        .effect(),
    ];

pub(super) const TEXT: &[Member] = &[
    constructor("string value", |v| one(change::new_text(Kind::Text, at(v, 0))?)),
    property("Value", "string", |v| ok(held(v)?.text())),
    set_property("Value", "string value", set_value),
];

pub(super) const DATA: &[Member] =
    &[constructor("string value", |v| one(change::new_text(Kind::Data, at(v, 0))?))];

pub(super) const COMMENT: &[Member] = &[
    constructor("string value", |v| one(change::new_text(Kind::Comment, at(v, 0))?)),
    property("Value", "string", |v| ok(held(v)?.text())),
    set_property("Value", "string value", set_value),
];

pub(super) const DECLARATION: &[Member] = &[
    constructor("string version, string encoding, string standalone", |v| {
        let part = |index: usize| match at(v, index) {
            Value::Null => Ok(None),
            given => given.string().map(|text| Some(Arc::clone(text))),
        };
        let declared = Declaration { version: part(0)?, encoding: part(1)?, standalone: part(2)? };
        ok(Xml::Declaration(Arc::new(declared)))
    }),
    property("Version", "string", |v| ok(declared(v)?.version.clone())),
    property("Encoding", "string", |v| ok(declared(v)?.encoding.clone())),
    property("Standalone", "string", |v| ok(declared(v)?.standalone.clone())),
];

pub(super) const NAME: &[Member] = &[
    static_method("Get", "string localName, string namespaceName = \"\"", "XName", |v| {
        ok(library::name_in(text(v, 1)?, text(v, 0)?))
    }),
    property("LocalName", "string", |v| ok(Arc::clone(&xml_name(v)?.local))),
    property("NamespaceName", "string", |v| ok(Arc::clone(&xml_name(v)?.namespace))),
    property("Namespace", "XNamespace", |v| {
        ok(Xml::Namespace(Arc::clone(&xml_name(v)?.namespace)))
    }),
];

pub(super) const NAMESPACE: &[Member] = &[
    static_method("Get", "string namespaceName", "XNamespace", |v| {
        ok(Xml::Namespace(Arc::clone(text(v, 0)?)))
    }),
    static_property("None", "XNamespace", |_| ok(Xml::Namespace(Arc::from("")))),
    static_property("Xmlns", "XNamespace", |_| ok(Xml::Namespace(Arc::from(library::XMLNS)))),
    property("NamespaceName", "string", |v| match at(v, 0) {
        Value::Xml(Xml::Namespace(uri)) => ok(Arc::clone(uri)),
        other => Err(other.refused("System.Xml.Linq.XNamespace")),
    }),
];
