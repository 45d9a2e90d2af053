//! A body of XML.
//!
//! An element with nothing but text is that text; any other one has members: the elements in it by
//! their names without prefix, several of one name as a list, and then its attributes.

use std::sync::Arc;

use crate::expression::library::xml::{XMLNS, read as reader};
use crate::expression::value::xml::{Element, Node};
use crate::policy::liquid::Stop;
use crate::policy::liquid::datum::Datum;

/// The namespace of `xsi:nil`.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The document in `text`: its root is the one member.
pub(super) fn read(text: &str, nil_is_null: bool) -> Result<Datum, Stop> {
    let document = reader::document(text)?;
    let Some(root) = document.root() else { return Ok(Datum::Nil) };
    let children = vec![(Arc::clone(&root.name.local), datum(root, nil_is_null))];
    Ok(Datum::node(Vec::new(), children, ""))
}

/// An element; how deep they nest is bounded where they are read.
fn datum(element: &Element, nil_is_null: bool) -> Datum {
    let mut attributes = Vec::new();
    for attribute in &element.attributes {
        let name = &attribute.name;
        let value = attribute.value.trim();
        let is_nil = &*name.namespace == INSTANCE && &*name.local == "nil";
        if is_nil && (value == "true" || value == "1") {
            return if nil_is_null { Datum::Nil } else { Datum::text("") };
        }
        if &*name.namespace != XMLNS {
            attributes.push((Arc::clone(&name.local), Datum::Text(Arc::clone(&attribute.value))));
        }
    }
    let mut children = Vec::new();
    let mut text = String::new();
    for node in &element.nodes {
        match node {
            Node::Element(inner) => {
                children.push((Arc::clone(&inner.name.local), datum(inner, nil_is_null)));
            }
            Node::Text(part) | Node::Data(part) => text.push_str(part),
            Node::Comment(_) => (),
        }
    }
    if children.is_empty() && attributes.is_empty() {
        return Datum::text(text);
    }
    Datum::node(attributes, children, &text)
}
