//! `System.Xml.Linq`: reading XML and finding one's way in it.
//!
//! There are no document types and no entities but the five of XML itself.

use std::sync::Arc;

use super::display;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::tree::{Held, Kind};
use crate::expression::value::xml::{Name, Xml};
use crate::expression::value::{STRING_BYTES_MAX, Value, bounded_string};

pub mod change;
pub mod declaration;
pub mod read;
mod write;

/// The deepest nesting of elements that is read, made or written.
pub const XML_DEPTH_MAX: usize = 128;
/// The most nodes and attributes of one tree.
pub const XML_NODES_MAX: usize = 500_000;
/// The most namespace declarations that are in scope at once, where XML is read or written: each
/// prefix is looked for among them.
pub const DECLARATIONS_MAX: usize = 256;
/// The namespace of namespace declarations.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// `XDocument.Parse(text)`.
pub fn parse_document(text: &str) -> Result<Xml, Thrown> {
    read::document(text).map(|document| Xml::Node(Held::document(&document)))
}

/// `XElement.Parse(text)`.
pub fn parse_element(text: &str) -> Result<Xml, Thrown> {
    let document = read::document(text)?;
    let root = document.root().ok_or_else(read::no_root)?;
    Ok(Xml::Node(Held::element(root)))
}

/// `node.ToString()`: indented by two spaces where there is no text beside elements.
pub fn text(node: &Xml) -> Result<String, Thrown> {
    let text = match node {
        Xml::Node(node) => write::node(node, true)?,
        Xml::Name(name) => name_text(name),
        Xml::Namespace(text) => text.to_string(),
        Xml::Declaration(declared) => declaration::text(declared),
    };
    bounded_string(text.len())?;
    Ok(text)
}

/// `node.ToString(SaveOptions.DisableFormatting)`: without white space between elements.
pub fn text_unformatted(node: &Held) -> Result<String, Thrown> {
    write::node(node, false)
}

/// What a cast to a string gives: all the text inside.
pub fn value(node: &Xml) -> String {
    match node {
        Xml::Node(node) => node_value(node),
        Xml::Name(name) => name_text(name),
        Xml::Namespace(text) => text.to_string(),
        Xml::Declaration(declared) => declaration::text(declared),
    }
}

/// `element.Value`, `attribute.Value`, `text.Value`: all the text inside, unless it is longer than
/// a string may be.
pub fn bounded_value(node: &Held) -> Result<String, Thrown> {
    let text = node_value(node);
    bounded_string(text.len())?;
    Ok(text)
}

/// The same; what is too long ends soon after it exceeds the bound, for the caller to refuse.
fn node_value(node: &Held) -> String {
    if !matches!(node.kind(), Kind::Document | Kind::Element) {
        return node.text().to_string();
    }
    let mut out = String::new();
    let mut pending = reversed(node.nodes());
    while let Some(node) = pending.pop() {
        match node.kind() {
            Kind::Text | Kind::Data => {
                out.push_str(&node.text());
                if out.len() > STRING_BYTES_MAX {
                    break;
                }
            }
            Kind::Element => pending.append(&mut reversed(node.nodes())),
            Kind::Document | Kind::Attribute | Kind::Comment => {}
        }
    }
    out
}

fn reversed(mut nodes: Vec<Held>) -> Vec<Held> {
    nodes.reverse();
    nodes
}

/// `document.Root`.
pub fn root(document: &Held) -> Option<Held> {
    document.nodes().into_iter().find(is_element)
}

/// Whether it is an element.
pub fn is_element(node: &Held) -> bool {
    node.kind() == Kind::Element
}

/// Whether it is an element or an attribute of that name; without a name, any.
fn is_named(node: &Held, name: Option<&Name>) -> bool {
    name.is_none_or(|name| node.name() == *name)
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

/// `node.Elements(name)`; without a name, all.
pub fn elements(node: &Held, name: Option<&Name>) -> Vec<Held> {
    let nodes = node.nodes().into_iter();
    nodes.filter(|one| is_element(one) && is_named(one, name)).collect()
}

/// `node.Element(name)`.
pub fn element(node: &Held, name: &Name) -> Option<Held> {
    node.nodes().into_iter().find(|one| is_element(one) && is_named(one, Some(name)))
}

/// `node.DescendantNodes()`, or with the node itself, `DescendantNodesAndSelf()`.
pub fn below(node: &Held, with_self: bool) -> Vec<Held> {
    let mut pending = if with_self { vec![node.clone()] } else { reversed(nodes(node)) };
    let mut found = Vec::new();
    while let Some(node) = pending.pop() {
        pending.append(&mut reversed(nodes(&node)));
        found.push(node);
    }
    found
}

/// `node.Descendants(name)`, or with the node itself, `DescendantsAndSelf(name)`; without a name,
/// all.
pub fn descendants(node: &Held, name: Option<&Name>, with_self: bool) -> Vec<Held> {
    let mut found = below(node, with_self);
    found.retain(|one| is_element(one) && is_named(one, name));
    found
}

/// `node.Ancestors(name)`, or with the node itself, `AncestorsAndSelf(name)`: from the inside out;
/// without a name, all.
pub fn ancestors(node: &Held, name: Option<&Name>, with_self: bool) -> Vec<Held> {
    let own = with_self.then(|| node.clone());
    let all = own.into_iter().chain(node.ancestors());
    all.filter(|one| is_element(one) && is_named(one, name)).collect()
}

/// What stands before or after `node`, in order.
pub fn siblings(node: &Held, after: bool) -> Vec<Held> {
    let (Some(parent), Some(place)) = (node.parent(), node.place()) else { return Vec::new() };
    let nodes = parent.nodes().into_iter();
    if after { nodes.skip(place.saturating_add(1)).collect() } else { nodes.take(place).collect() }
}

/// `element.Nodes()`.
pub fn nodes(node: &Held) -> Vec<Held> {
    let mut nodes = node.nodes();
    // What tells `<a></a>` from `<a />` is no node.
    nodes.retain(|one| one.kind() != Kind::Text || !one.text().is_empty());
    nodes
}

/// `element.Attribute(name)`.
pub fn attribute(element: &Held, name: &Name) -> Option<Held> {
    element.attributes().into_iter().find(|attribute| attribute.name() == *name)
}

/// `element.Attributes(name)`; without a name, all.
pub fn attributes(element: &Held, name: Option<&Name>) -> Vec<Held> {
    element.attributes().into_iter().filter(|one| is_named(one, name)).collect()
}

/// `node.Parent`: the element that it is in.
pub fn parent(node: &Held) -> Option<Held> {
    node.parent().filter(is_element)
}

/// `node.Document`.
pub fn document(node: &Held) -> Option<Held> {
    let top = node.ancestors().last().unwrap_or_else(|| node.clone());
    (top.kind() == Kind::Document).then_some(top)
}

/// The prefix that an attribute declares, empty for `xmlns` itself; none if it declares none.
pub fn declared_prefix(attribute: &Held) -> Option<Arc<str>> {
    let name = attribute.name();
    if *name.namespace == *XMLNS {
        return Some(name.local);
    }
    (name.namespace.is_empty() && &*name.local == "xmlns").then(|| Arc::from(""))
}

/// `element.GetDefaultNamespace()` and `element.GetNamespaceOfPrefix(prefix)`: the innermost
/// declaration.
pub fn namespace_of(element: &Held, prefix: &str) -> Option<Arc<str>> {
    let scopes = std::iter::once(element.clone()).chain(element.ancestors());
    scopes
        .flat_map(|scope| scope.attributes())
        .find(|one| declared_prefix(one).is_some_and(|declared| *declared == *prefix))
        .map(|one| one.text())
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

/// More nodes than [`XML_NODES_MAX`].
fn too_many() -> Thrown {
    Thrown::limit(format!("XML may have at most {XML_NODES_MAX} nodes"))
}

/// More declarations in scope than [`DECLARATIONS_MAX`].
fn too_many_declared() -> Thrown {
    Thrown::limit(format!(
        "XML may have at most {DECLARATIONS_MAX} namespace declarations in scope at once"
    ))
}

/// Elements that are nested deeper than [`XML_DEPTH_MAX`].
fn too_deep() -> Thrown {
    Thrown::limit(format!("XML may be nested at most {XML_DEPTH_MAX} levels deep"))
}

#[cfg(test)]
mod tests {
    use super::change::{add, new_attribute, new_element, remove};
    use super::*;

    fn node(xml: Xml) -> Held {
        match xml {
            Xml::Node(node) => node,
            other => panic!("{other:?}"),
        }
    }

    fn parsed(text: &str) -> Held {
        node(parse_element(text).expect(text))
    }

    fn written(node: &Held) -> String {
        text_unformatted(node).unwrap()
    }

    fn value_of(node: &Held) -> Value {
        Xml::Node(node.clone()).into()
    }

    fn name(text: &str) -> Name {
        to_name(&text.into()).unwrap()
    }

    fn made(text: &str, contents: &[Value]) -> Held {
        new_element(name(text), contents).unwrap().0
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
            ("<a xmlns='u' xmlns:p='v' p:x='1'/>", "<a xmlns=\"u\" xmlns:p=\"v\" p:x=\"1\" />"),
            ("<a xml:lang='de'/>", "<a xml:lang=\"de\" />"),
            ("<a xmlns='u'><b xmlns=''/></a>", "<a xmlns=\"u\">\n  <b xmlns=\"\" />\n</a>"),
        ];
        for (text, expected) in rows {
            assert_eq!(super::text(&Xml::Node(parsed(text))).unwrap(), expected, "{text}");
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
        let soap = node(soap.unwrap());
        let envelope = root(&soap).unwrap();
        assert_eq!(name_text(&envelope.name()), "{urn:soap}Envelope");
        let body = element(&envelope, &name("{urn:soap}Body")).unwrap();
        let inner = element(&body, &name("{urn:r}r")).unwrap();
        let id = attribute(&inner, &name("id")).unwrap();
        assert_eq!((node_value(&id).as_str(), node_value(&inner).as_str()), ("7", "12"));
        assert_eq!(attributes(&inner, None).len(), 2);
        assert_eq!(descendants(&soap, Some(&name("{urn:r}v")), false).len(), 2);
        assert_eq!(descendants(&soap, None, false).len(), 5);
        assert_eq!(elements(&inner, None).len(), 2);
        assert!(element(&inner, &name("v")).is_none());
        let above: Vec<String> =
            ancestors(&id, None, false).iter().map(|one| one.name().local.to_string()).collect();
        assert_eq!(above, ["r", "Body", "Envelope"]);
        assert_eq!(namespace_of(&inner, "s").as_deref(), Some("urn:soap"));
        // An element by itself says what its prefixes stand for, after its attributes.
        assert_eq!(
            written(&body),
            "<s:Body xmlns:s=\"urn:soap\"><r xmlns=\"urn:r\" id=\"7\"><v>1</v><v>2</v></r></s:Body>"
        );
        assert_eq!(written(&elements(&inner, None)[0]), "<v xmlns=\"urn:r\">1</v>");
    }

    #[test]
    fn elements_are_made_as_in_dotnet() {
        let id = new_attribute(name("id"), &7.into()).unwrap();
        let other = new_attribute(name("{urn:b}k"), &8.into()).unwrap();
        let child = made("c", &["x<".into(), "y".into()]);
        assert_eq!(child.len(), 1, "texts that follow one another are one");
        let made = made(
            "{urn:a}a",
            &[value_of(&id), value_of(&other), Value::list(vec![value_of(&child), Value::Null])],
        );
        assert_eq!(
            written(&made),
            "<a id=\"7\" p1:k=\"8\" xmlns:p1=\"urn:b\" xmlns=\"urn:a\"><c xmlns=\"\">x&lt;y</c></a>"
        );
    }

    #[test]
    fn a_tree_never_holds_itself_and_shares_no_node() {
        let root = parsed("<a><b><c/></b></a>");
        let inner = element(&root, &name("b")).unwrap();
        add(&inner, &[value_of(&root)]).unwrap();
        assert_eq!(written(&root), "<a><b><c /><a><b><c /></b></a></b></a>");
        let other = made("o", &[value_of(&inner)]);
        assert!(inner.parent().is_some_and(|parent| parent.address() == root.address()));
        remove(&inner).unwrap();
        assert_eq!((written(&root), root.extent()), ("<a />".to_owned(), 1));
        assert_eq!(remove(&inner).unwrap_err().message, "The parent is missing.");
        // It had a parent when it was put there, so that one has a copy.
        add(&inner, &["x".into()]).unwrap();
        assert_eq!(written(&other), "<o><b><c /><a><b><c /></b></a></b></o>");
        add(&root, &[value_of(&inner), value_of(&inner)]).unwrap();
        assert_eq!(elements(&root, None).len(), 2);
        assert_eq!(root.extent(), 1 + 2 * inner.extent());
    }

    #[test]
    fn a_tree_is_bounded_in_depth_and_size() {
        let mut deep = made("a", &[]);
        for _ in 1..XML_DEPTH_MAX {
            deep = made("a", &[value_of(&deep)]);
        }
        assert!(new_element(name("a"), &[value_of(&deep)]).is_err());
        let innermost = descendants(&deep, None, false).pop().unwrap();
        let refused = add(&innermost, &[value_of(&made("b", &[]))]);
        assert!(refused.unwrap_err().message.contains("deep"));
        let mut wide = made("a", &[]);
        let refused = loop {
            match new_element(name("a"), &[value_of(&wide), value_of(&wide)]) {
                Ok((element, copied)) => {
                    assert!(copied > 0);
                    wide = element;
                }
                Err(thrown) => break thrown,
            }
        };
        assert!(refused.message.contains("nodes"));
    }

    #[test]
    fn text_never_ends_what_it_is_in() {
        let rows = [
            (Kind::Data, "a]]>b]]>", "<![CDATA[a]]]]><![CDATA[>b]]]]><![CDATA[>]]>"),
            (Kind::Data, "]]", "<![CDATA[]]]]>"),
            (Kind::Comment, "a-b", "<!--a-b-->"),
            (Kind::Comment, "--><x/>-", "<!--- -><x/>- -->"),
            (Kind::Comment, "---", "<!--- - - -->"),
        ];
        for (kind, text, expected) in rows {
            let node = change::new_text(kind, &text.into()).unwrap();
            assert_eq!(written(&node), expected, "{text}");
        }
    }

    #[test]
    fn declarations_in_scope_are_bounded() {
        let declared = |count: usize| -> String {
            let one = |number| format!(" xmlns:n{number}='urn:{number}'");
            (0..count).map(one).collect::<Vec<_>>().concat()
        };
        let allowed = parsed(&format!("<a{}><b/></a>", declared(DECLARATIONS_MAX)));
        assert!(text_unformatted(&allowed).is_ok());
        let over = format!("<a{}><b xmlns='u'/></a>", declared(DECLARATIONS_MAX));
        assert!(parse_element(&over).unwrap_err().message.contains("declarations"));
        let over: Vec<Value> = (0..=DECLARATIONS_MAX)
            .map(|number| name(&format!("{{urn:{number}}}k")))
            .map(|name| value_of(&new_attribute(name, &1.into()).unwrap()))
            .collect();
        let refused = text_unformatted(&made("a", &over)).unwrap_err();
        assert!(refused.message.contains("declarations"));
    }

    #[test]
    fn the_text_of_a_tree_is_bounded() {
        let half: Value = "x".repeat(STRING_BYTES_MAX / 2).as_str().into();
        let parts: Vec<Value> =
            (0..3).map(|_| value_of(&made("b", std::slice::from_ref(&half)))).collect();
        let tree = made("a", &parts);
        assert!(bounded_value(&tree).is_err());
        assert!(text_unformatted(&tree).is_err());
        assert!(bounded_value(&elements(&tree, None)[0]).is_ok());
    }

    #[test]
    fn many_nodes_are_removed_at_once() {
        let root = parsed("<a x='1' y='2'><b/>t<c><d/></c></a>");
        let doomed = [descendants(&root, None, false), attributes(&root, None)].concat();
        change::remove_all(&doomed).unwrap();
        assert_eq!((written(&root).as_str(), root.extent()), ("<a>t</a>", 2));
        assert!(change::remove_all(&doomed).is_err());
        add(&root, &["u".into(), "v".into(), value_of(&made("e", &[])), "w".into()]).unwrap();
        assert_eq!(written(&root), "<a>tuv<e />w</a>");
        change::remove_nodes(&root);
        assert_eq!((root.len(), root.extent()), (0, 1));
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
