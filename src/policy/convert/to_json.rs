//! `xml-to-json`.
//!
//! API Management does not say what its JSON looks like. `direct` is what Json.NET writes: an
//! attribute is `@name`, text beside attributes or elements is `#text`, a CDATA section
//! `#cdata-section`, the declaration `?xml`; an element with nothing but text is that text, an
//! empty one `null` (`<a/>`) or `""` (`<a></a>`); what stands several times is an array; prefixes and
//! namespace declarations stay as they are written. `javascript-friendly` is the same with names
//! that scripts can write behind a dot: attributes without `@`, `:` as `$`, all text as `text`, and
//! neither the declaration nor those of namespaces.
//!
//! Comments and processing instructions have no place in JSON, and document types are refused.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::word::{IfXml, Kind};
use super::{CONVERTED_BYTES_MAX, When};
use crate::exchange::Exchange;
use crate::expression::library::xml::{XMLNS, read};
use crate::expression::value::xml::{Attribute, Document, Element, Node};
use crate::policy::Failure;
use crate::policy::machine::Flow;
use crate::policy::operand::Operand;

/// `xml-to-json`.
#[derive(Clone, Debug)]
pub struct XmlToJson {
    pub(super) when: When<IfXml>,
    pub(super) kind: Operand<Kind>,
    pub(super) arrays: Option<Operand<bool>>,
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
struct Style {
    kind: Kind,
    /// Whether also what stands once is an array.
    arrays: bool,
}

impl XmlToJson {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let kind = self.kind.get(exchange)?;
        let arrays = match &self.arrays {
            Some(arrays) => arrays.get(exchange)?,
            None => false,
        };
        let Some(text) = self.when.text(exchange)? else {
            return Ok(Flow::Next);
        };
        let json = converted(&text, Style { kind, arrays });
        let json = json.map_err(|why| self.when.failed(&why))?;
        Ok(self.when.put(json, "application/json", exchange))
    }
}

fn converted(text: &str, style: Style) -> Result<String, String> {
    let document = read::document(text).map_err(|thrown| thrown.message)?;
    let json = Json::Object(style.document(&document)).to_string();
    if CONVERTED_BYTES_MAX < json.len() {
        return Err(format!("it would be more than {CONVERTED_BYTES_MAX} bytes of JSON"));
    }
    Ok(json)
}

impl Style {
    fn document(self, document: &Document) -> Map<String, Json> {
        let mut members = Map::new();
        if let (Kind::Direct, Some(declaration)) = (self.kind, &document.declaration) {
            members.insert("?xml".to_owned(), declared(declaration));
        }
        for node in &document.nodes {
            if let Node::Element(root) = node {
                members.insert(self.element_name(root), self.element(root));
            }
        }
        members
    }

    fn element(self, element: &Element) -> Json {
        let mut attributes = element.attributes.iter().filter(|known| self.shows(known)).peekable();
        if attributes.peek().is_none() {
            match element.nodes.as_slice() {
                [] => return Json::Null,
                [Node::Text(text)] => return Json::from(&**text),
                _ => (),
            }
        }
        // In the order in which each name comes first, each with all that has it.
        let mut groups: Map<String, Json> = Map::new();
        for attribute in attributes {
            self.add(&mut groups, self.attribute_name(attribute), &*attribute.value, false);
        }
        for node in &element.nodes {
            match node {
                Node::Element(inner) => {
                    let (name, json) = (self.element_name(inner), self.element(inner));
                    self.add(&mut groups, name, json, true);
                }
                // The mark of an element that is empty, but not written as `<a/>`.
                Node::Text(text) if text.is_empty() => (),
                Node::Text(text) => self.add(&mut groups, self.text("#text"), &**text, false),
                Node::Data(text) => {
                    self.add(&mut groups, self.text("#cdata-section"), &**text, false);
                }
                Node::Comment(_) => (),
            }
        }
        match element.nodes.as_slice() {
            [Node::Text(text)] if groups.is_empty() && text.is_empty() => Json::from(""),
            _ => Json::Object(groups),
        }
    }

    /// Adds a member; one that is there already becomes an array.
    fn add(
        self,
        groups: &mut Map<String, Json>,
        name: String,
        json: impl Into<Json>,
        is_element: bool,
    ) {
        let json = json.into();
        match groups.get_mut(&name) {
            Some(Json::Array(items)) => items.push(json),
            Some(one) => *one = Json::Array(vec![one.take(), json]),
            None if is_element && self.arrays => {
                groups.insert(name, Json::Array(vec![json]));
            }
            None => {
                groups.insert(name, json);
            }
        }
    }

    fn shows(self, attribute: &Arc<Attribute>) -> bool {
        self.kind == Kind::Direct || &*attribute.name.namespace != XMLNS
    }

    fn element_name(self, element: &Element) -> String {
        self.qualified(element.prefix.as_deref(), &element.name.local)
    }

    fn attribute_name(self, attribute: &Attribute) -> String {
        let name = self.qualified(attribute.prefix.as_deref(), &attribute.name.local);
        match self.kind {
            Kind::Direct => format!("@{name}"),
            Kind::Friendly => name,
        }
    }

    fn qualified(self, prefix: Option<&str>, local: &str) -> String {
        match (prefix, self.kind) {
            (None, _) => local.to_owned(),
            (Some(prefix), Kind::Direct) => format!("{prefix}:{local}"),
            (Some(prefix), Kind::Friendly) => format!("{prefix}${local}"),
        }
    }

    fn text(self, direct: &str) -> String {
        match self.kind {
            Kind::Direct => direct.to_owned(),
            Kind::Friendly => "text".to_owned(),
        }
    }
}

/// What the XML declaration says, as attributes.
fn declared(declaration: &str) -> Json {
    let mut members = Map::new();
    for name in ["version", "encoding", "standalone"] {
        let value = declaration.split_once(name).and_then(|(_before, rest)| {
            let rest = rest.trim_start().strip_prefix('=')?.trim_start();
            let quote = rest.chars().next().filter(|quote| "\"'".contains(*quote))?;
            rest.strip_prefix(quote)?.split_once(quote).map(|(value, _rest)| value)
        });
        if let Some(value) = value {
            members.insert(format!("@{name}"), Json::from(value));
        }
    }
    Json::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(kind: Kind, arrays: bool, xml: &str) -> String {
        converted(xml, Style { kind, arrays }).unwrap()
    }

    /// What Json.NET's converter of XML nodes writes, comments left out.
    const DIRECT: &[(&str, &str)] = &[
        ("<a/>", r#"{"a":null}"#),
        ("<a></a>", r#"{"a":""}"#),
        ("<a> </a>", r#"{"a":""}"#),
        ("<a>t</a>", r#"{"a":"t"}"#),
        ("<a>1</a>", r#"{"a":"1"}"#),
        ("<a x='1'/>", r#"{"a":{"@x":"1"}}"#),
        ("<a x='1'></a>", r#"{"a":{"@x":"1"}}"#),
        ("<a x='1'>t</a>", r##"{"a":{"@x":"1","#text":"t"}}"##),
        ("<a><b>1</b></a>", r#"{"a":{"b":"1"}}"#),
        ("<a><b>1</b><b>2</b></a>", r#"{"a":{"b":["1","2"]}}"#),
        ("<a><b>1</b><c/><b>2</b></a>", r#"{"a":{"b":["1","2"],"c":null}}"#),
        ("<a>t<b/>u</a>", r##"{"a":{"#text":["t","u"],"b":null}}"##),
        ("<a><![CDATA[<x>]]></a>", r##"{"a":{"#cdata-section":"<x>"}}"##),
        (
            "<p:a xmlns:p='urn:p' xmlns='urn:d'><b p:c='1'/></p:a>",
            r#"{"p:a":{"@xmlns:p":"urn:p","@xmlns":"urn:d","b":{"@p:c":"1"}}}"#,
        ),
        (
            "<?xml version=\"1.0\" encoding='utf-8'?><!-- c --><a><!-- c -->t</a>",
            r##"{"?xml":{"@version":"1.0","@encoding":"utf-8"},"a":{"#text":"t"}}"##,
        ),
        ("<a b='&quot;&lt;'>&amp;</a>", r##"{"a":{"@b":"\"<","#text":"&"}}"##),
    ];

    #[test]
    fn direct_json_has_the_shapes_of_json_net() {
        for (xml, expected) in DIRECT {
            assert_eq!(json(Kind::Direct, false, xml), *expected, "{xml}");
        }
    }

    #[test]
    fn friendly_json_has_names_that_scripts_can_write() {
        let xml = "<?xml version=\"1.0\"?><p:a xmlns:p='urn:p' x='1'>t<p:b/><![CDATA[u]]></p:a>";
        let expected = r#"{"p$a":{"x":"1","text":["t","u"],"p$b":null}}"#;
        assert_eq!(json(Kind::Friendly, false, xml), expected);
    }

    #[test]
    fn child_elements_are_arrays_where_that_is_wanted() {
        let xml = "<a x='1'><b>1</b><c><d/></c></a>";
        let expected = r#"{"a":{"@x":"1","b":["1"],"c":[{"d":[null]}]}}"#;
        assert_eq!(json(Kind::Direct, true, xml), expected);
    }

    #[test]
    fn hostile_xml_is_refused() {
        let style = Style { kind: Kind::Direct, arrays: false };
        let laughs = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        assert!(converted(laughs, style).unwrap_err().contains("DTD is prohibited"));
        assert!(converted(&"<a>".repeat(1_000), style).is_err());
        assert!(converted("", style).is_err());
        assert!(converted("<a>", style).is_err());
    }
}
