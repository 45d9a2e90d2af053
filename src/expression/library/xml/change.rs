//! `System.Xml.Linq`: making nodes and changing trees.

use std::sync::Arc;

use super::{
    XML_DEPTH_MAX, XML_NODES_MAX, attribute, checked_name, content_text, element, is_element, root,
    too_deep, too_many,
};
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::tree::{Held, Kind};
use crate::expression::value::xml::{Name, Xml};
use crate::expression::value::{Value, bounded_items, bounded_string};

/// The most attributes of one element: each is compared with all before it.
const ATTRIBUTES_MAX: usize = 1024;

/// How many bytes a change made besides what it moved.
pub type Made = Result<usize, Thrown>;

/// About how many bytes a node takes.
pub const NODE_BYTES: usize = 256;

/// The most bytes that one change may make.
const MADE_MAX: usize = 64 << 20;

/// About how many bytes a tree takes that was read or copied.
pub fn tree_bytes(tree: &Held) -> usize {
    tree.extent().saturating_mul(NODE_BYTES)
}

/// `new XAttribute(name, value)`.
pub fn new_attribute(name: Name, value: &Value) -> Result<Held, Thrown> {
    checked_name(&name)?;
    let value = given(value)?;
    Ok(Held::new(Kind::Attribute, name, value))
}

/// `new XElement(name, contents)`: attributes, nodes, lists of them; all else as text.
pub fn new_element(name: Name, contents: &[Value]) -> Result<(Held, usize), Thrown> {
    checked_name(&name)?;
    let element = Held::new(Kind::Element, name, Arc::from(""));
    let made = add(&element, contents)?;
    Ok((element, made))
}

/// `new XText(value)`, `new XCData(value)`, `new XComment(value)`.
pub fn new_text(kind: Kind, value: &Value) -> Result<Held, Thrown> {
    Ok(Held::new(kind, Name::none(), given(value)?))
}

/// A value that may not be null, as XML writes it.
fn given(value: &Value) -> Result<Arc<str>, Thrown> {
    if value.is_null() { Err(Thrown::argument_null("value")) } else { content_text(value) }
}

/// `node.Add(contents)`.
pub fn add(parent: &Held, contents: &[Value]) -> Made {
    put(parent, parent.len(), contents)
}

/// `node.AddFirst(contents)`.
pub fn add_first(parent: &Held, contents: &[Value]) -> Made {
    put(parent, 0, contents)
}

/// `node.AddBeforeSelf(contents)` and `node.AddAfterSelf(contents)`.
pub fn add_beside(node: &Held, contents: &[Value], after: bool) -> Made {
    let (Some(parent), Some(place)) = (node.parent(), node.place()) else {
        return Err(no_parent());
    };
    put(&parent, place.saturating_add(usize::from(after)), contents)
}

/// `node.Remove()` and `attribute.Remove()`.
pub fn remove(node: &Held) -> Made {
    if node.detach() { Ok(0) } else { Err(no_parent()) }
}

/// `nodes.Remove()`, also of attributes.
pub fn remove_all(nodes: &[Held]) -> Made {
    if Held::detach_all(nodes) { Ok(0) } else { Err(no_parent()) }
}

fn no_parent() -> Thrown {
    Thrown::invalid_operation("The parent is missing.")
}

/// `node.ReplaceWith(contents)`.
pub fn replace(node: &Held, contents: &[Value]) -> Made {
    let (Some(parent), Some(place)) = (node.parent(), node.place()) else {
        return Err(no_parent());
    };
    node.detach();
    put(&parent, place, contents)
}

/// `node.RemoveNodes()`.
pub fn remove_nodes(parent: &Held) {
    parent.remove_nodes();
}

/// `element.RemoveAttributes()`.
pub fn remove_attributes(element: &Held) {
    element.remove_attributes();
}

/// `element.Value = value`, `attribute.Value = value` and `SetValue(value)`.
pub fn set_value(node: &Held, value: &Value) -> Made {
    let text = given(value)?;
    if is_element(node) {
        remove_nodes(node);
        return put(node, 0, &[Value::String(text)]);
    }
    node.set_text(text);
    Ok(0)
}

/// `element.Name = name`.
pub fn set_name(element: &Held, name: Name) -> Result<(), Thrown> {
    checked_name(&name)?;
    element.set_name(name);
    Ok(())
}

/// `element.SetAttributeValue(name, value)`: null removes.
pub fn set_attribute(of: &Held, name: Name, value: &Value) -> Made {
    match (attribute(of, &name), value) {
        (Some(found), Value::Null) => remove(&found),
        (Some(found), value) => set_value(&found, value),
        (None, Value::Null) => Ok(0),
        (None, value) => add(of, &[Xml::Node(new_attribute(name, value)?).into()]),
    }
}

/// `element.SetElementValue(name, value)`: null removes.
pub fn set_element(of: &Held, name: Name, value: &Value) -> Made {
    match (element(of, &name), value) {
        (Some(found), Value::Null) => remove(&found),
        (Some(found), value) => set_value(&found, value),
        (None, Value::Null) => Ok(0),
        (None, value) => {
            let (element, _) = new_element(name, std::slice::from_ref(value))?;
            add(of, &[Xml::Node(element).into()])
        }
    }
}

/// Puts `contents` before the node that is at `place`.
fn put(parent: &Held, mut place: usize, contents: &[Value]) -> Made {
    let mut made: usize = 0;
    let mut run = Run::default();
    let mut pending: Vec<Value> = contents.iter().rev().cloned().collect();
    while let Some(content) = pending.pop() {
        match content {
            Value::Null => {}
            Value::List(list) => pending.extend(list.snapshot().into_iter().rev()),
            Value::Xml(Xml::Node(node)) => {
                // An attribute does not stand between texts.
                if node.kind() != Kind::Attribute {
                    made = made.saturating_add(run.put(parent, &mut place)?);
                }
                let before = parent.len();
                made = made.saturating_add(put_node(parent, place, &node)?);
                place = place.saturating_add(parent.len()).saturating_sub(before);
            }
            other => run.push(content_text(&other)?)?,
        }
        bounded_items(pending.len())?;
        if made > MADE_MAX {
            return Err(Thrown::limit(format!("a change may make at most {MADE_MAX} bytes")));
        }
    }
    Ok(made.saturating_add(run.put(parent, &mut place)?))
}

/// Texts that follow one another: they become one.
#[derive(Default)]
struct Run {
    texts: Vec<Arc<str>>,
    bytes: usize,
}

impl Run {
    fn push(&mut self, text: Arc<str>) -> Result<(), Thrown> {
        self.bytes = self.bytes.saturating_add(text.len());
        bounded_string(self.bytes)?;
        self.texts.push(text);
        Ok(())
    }

    /// Puts them, if there are any, and moves `place` after them.
    fn put(&mut self, parent: &Held, place: &mut usize) -> Made {
        let Self { texts, bytes } = std::mem::take(self);
        let (text, joined) = match texts.as_slice() {
            [] => return Ok(0),
            [only] => (Arc::clone(only), 0),
            several => {
                let joined: String = several.iter().map(|text| &**text).collect();
                (Arc::from(joined), bytes)
            }
        };
        let before = parent.len();
        let made = put_text(parent, *place, &text)?;
        *place = place.saturating_add(parent.len()).saturating_sub(before);
        Ok(made.saturating_add(joined))
    }
}

fn put_node(parent: &Held, place: usize, node: &Held) -> Made {
    allowed(parent, node)?;
    let top = parent.ancestors().last().unwrap_or_else(|| parent.clone());
    // Two trees cannot share a node, and none can be in itself.
    let is_taken = node.parent().is_some() || node.address() == top.address();
    let extent = top.extent().saturating_add(node.extent());
    if extent > XML_NODES_MAX {
        return Err(too_many());
    }
    if is_element(node) {
        let outer = parent.ancestors().filter(is_element).count();
        let own = usize::from(is_element(parent));
        if outer.saturating_add(own).saturating_add(node.height()) > XML_DEPTH_MAX {
            return Err(too_deep());
        }
    }
    let node = if is_taken { node.copy() } else { node.clone() };
    // An empty text stood for nothing.
    if node.kind() != Kind::Attribute
        && let Some(first) = parent.node(0)
        && first.kind() == Kind::Text
        && first.text().is_empty()
    {
        first.detach();
    }
    parent.attach(place, &node);
    Ok(if is_taken { tree_bytes(&node) } else { 0 })
}

/// Refuses what cannot be in `parent`.
fn allowed(parent: &Held, node: &Held) -> Result<(), Thrown> {
    let wrong = |message: &str| Thrown::new(ExceptionKind::Argument, message);
    let in_document = parent.kind() == Kind::Document;
    match node.kind() {
        Kind::Document => Err(wrong("A node of type Document cannot be added to content.")),
        Kind::Attribute if in_document => Err(wrong("An attribute cannot be added to content.")),
        Kind::Attribute => {
            let present = parent.attributes();
            if present.len() >= ATTRIBUTES_MAX {
                return Err(Thrown::limit(format!(
                    "an element may have at most {ATTRIBUTES_MAX} attributes"
                )));
            }
            let name = node.name();
            if present.iter().any(|one| one.name() == name) {
                return Err(Thrown::invalid_operation("Duplicate attribute."));
            }
            Ok(())
        }
        Kind::Text | Kind::Data if in_document && !is_blank(&node.text()) => {
            Err(wrong("Non-whitespace characters cannot be added to content."))
        }
        Kind::Element if in_document && root(parent).is_some() => Err(Thrown::invalid_operation(
            "This operation would create an incorrectly structured document.",
        )),
        Kind::Element | Kind::Text | Kind::Data | Kind::Comment => Ok(()),
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|one| matches!(one, ' ' | '\t' | '\r' | '\n'))
}

/// Text goes to the text before it, if there is one.
fn put_text(parent: &Held, place: usize, text: &Arc<str>) -> Made {
    let before = place.checked_sub(1).and_then(|before| parent.node(before));
    if let Some(before) = before.filter(|before| before.kind() == Kind::Text) {
        let known = before.text();
        bounded_string(known.len().saturating_add(text.len()))?;
        let joined: Arc<str> = Arc::from(format!("{known}{text}"));
        let made = joined.len();
        before.set_text(joined);
        return Ok(made);
    }
    if text.is_empty() && !parent.is_empty() {
        return Ok(0);
    }
    put_node(parent, place, &Held::new(Kind::Text, Name::none(), Arc::clone(text)))?;
    Ok(NODE_BYTES)
}
