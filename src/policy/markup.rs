//! Policy documents (not quite XML) → elements with places.
//!
//! A policy document looks like XML and mostly is not: a policy expression stands in it as it was
//! typed, with quotes, angle brackets and ampersands of its own. The rules of this reader:
//!
//! * **Named values first.** `{{name}}` (letters, digits, `-`, `.`, `_`; nothing else between the
//!   braces) is replaced before anything is read, anywhere, once: what a value holds is not looked
//!   at again. Braces of another shape stay as they are. A name that nobody knows is a fault,
//!   except in comments and in Liquid templates (`template="liquid"`), where `{{body.id}}` is
//!   Liquid's. A quote that came from a named value does not end a literal attribute.
//! * **Expressions.** `@(` or `@{`, first in an attribute or in the text of an element (after white
//!   space), starts an expression. It ends at the bracket that balances it, as C# counts: literals
//!   and comments do not count. Until then, quotes and angle brackets are the expression's own.
//! * **Entities in expressions.** An expression that is well-formed XML is unescaped as XML. Of any
//!   other, entities are unescaped too (people mix both forms), except inside a C# literal whose
//!   quote was typed raw and where the expression also holds that same character raw: who writes
//!   `Replace("&", "&amp;")` means the five characters.
//! * **Everything else** is XML 1.0 without document types: comments, CDATA, processing
//!   instructions, the five entities and numeric ones. Some things are let pass: an `&` that starts
//!   no entity and a `<` that starts no tag are themselves. And `</llm-x>` closes
//!   `<azure-openai-x>`, and the other way round: two names of the same policy.
//! * **The root** is `<policies>` or `<fragment>`. Text and comments around it are ignored. A
//!   document that starts with a section (`<inbound>`, …) is read as if `<policies>` stood around.
//!
//! All faults are found at once: after each one, reading goes on where that makes sense. Reading is
//! linear in the size of the document, by a budget of work that does not trust the code to be so.

use std::ops::Range;
use std::sync::Arc;

use crate::fault::{Fault, Layout, Place};

use source::Source;
use text::TextBuilder;

pub use named::{NamedValue, NamedValues};
pub use text::{Form, Text};

mod text;
mod named;
mod source;
mod entity;
mod balance;
mod reader;
mod tags;
mod attributes;
mod values;

/// The largest document that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// The largest document after its named values are put in, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 4 << 20;
/// How deep elements may be nested.
pub const DEPTH_MAX: usize = 64;
/// How many elements one document may have.
pub const ELEMENTS_MAX: usize = 20_000;
/// How many attributes one element may have.
pub const ATTRIBUTES_MAX: usize = 64;
/// After how many faults reading stops.
pub const FAULTS_MAX: usize = 100;

/// What reading a document gave.
#[derive(Debug)]
pub struct Reading {
    /// The root: `policies` or `fragment`, else what stood in its place (a fault then says so).
    pub root: Option<Element>,
    /// All that is wrong, in the order of the document.
    pub faults: Vec<Fault>,
    /// Named values that were not known and taken to exist, by name, each with its first place.
    pub assumed: Vec<(String, Place)>,
}

/// An element: a policy, a section, or a part of a policy.
#[derive(Clone, Debug)]
pub struct Element {
    /// Its name, with the prefix if it has one.
    pub name: Arc<str>,
    /// The `<` of its start tag.
    pub place: Place,
    /// Its attributes in written order; no name twice.
    pub attributes: Vec<Attribute>,
    /// Its elements and texts. White space between elements is dropped.
    pub content: Vec<Node>,
    source: Arc<Source>,
    inner: Range<usize>,
}

/// An attribute of an element.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name, with the prefix if it has one.
    pub name: Arc<str>,
    /// The first character of its name.
    pub place: Place,
    /// Its value; the place of the value is that of the first character after the quote.
    pub value: Text,
}

/// A part of an element's content.
#[derive(Clone, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, unescaped, with comments left out and CDATA sections put in.
    Text(Text),
}

/// Reads `text`, the policy document in `file`, with `names` put in. Never fails as a whole: what
/// is wrong stands in [`Reading::faults`], and only a document without any is good.
pub fn read(file: &Arc<str>, text: &str, names: &NamedValues) -> Reading {
    read_at(&Layout::whole(file), text, names)
}

/// Reads `text` like [`read`]: a policy document that stands inside of another file, where
/// `layout` says.
pub fn read_at(layout: &Layout, text: &str, names: &NamedValues) -> Reading {
    reader::read(layout, text, names).0
}

impl Element {
    /// The attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| &*attribute.name == name)
    }

    /// The value of the attribute `name`.
    pub fn value(&self, name: &str) -> Option<&Text> {
        self.attribute(name).map(|attribute| &attribute.value)
    }

    /// The elements directly inside.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.content.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element directly inside that is called `name`.
    pub fn element(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| &*element.name == name)
    }

    /// The texts directly inside that are not blank, or between which no element stands.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.content.iter().filter_map(|node| match node {
            Node::Element(_) => None,
            Node::Text(text) => Some(text),
        })
    }

    /// The text of an element that has no elements inside: exact, empty if there is none.
    /// Nothing for an element with elements inside; see [`Self::inner_markup`].
    pub fn text_content(&self) -> Option<Text> {
        if self.elements().next().is_some() {
            return None;
        }
        // Without elements in between, all text is one run.
        Some(self.texts().next().cloned().unwrap_or_else(|| {
            TextBuilder::new(self.source.place(self.inner.start)).finish(Form::Literal)
        }))
    }

    /// Everything between start tag and end tag as it is written, with named values put in and
    /// nothing unescaped: for a body or a style sheet that is itself markup.
    pub fn inner_markup(&self) -> Text {
        let liquid = is_liquid(&self.attributes);
        let mut builder = TextBuilder::new(self.source.place(self.inner.start));
        self.source.append(self.inner.clone(), &mut builder, liquid);
        builder.finish(Form::Literal)
    }

    /// The first text directly inside that is not blank: for an element that holds elements only.
    pub fn stray_text(&self) -> Option<&Text> {
        self.texts().find(|text| !text.as_str().trim().is_empty())
    }

    /// A fault of this element, under its start tag as far as the name.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place.clone(), message).wide(self.name.chars().count().saturating_add(1))
    }
}

impl Attribute {
    /// A fault of this attribute, under its name.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place.clone(), message).wide(self.name.chars().count())
    }
}

/// Whether the element with these attributes holds a Liquid template.
fn is_liquid(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        &*attribute.name == "template" && attribute.value.as_str().eq_ignore_ascii_case("liquid")
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod properties;
