//! XML from text.

use std::sync::Arc;

use super::{
    DECLARATIONS_MAX, XML_DEPTH_MAX, XML_NODES_MAX, XMLNS, too_deep, too_many, too_many_declared,
};
use crate::expression::value::STRING_BYTES_MAX;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::xml::{Attribute, Document, Element, Name, Node};

/// How many attributes an element may have: each is compared with all before it.
const ATTRIBUTES_MAX: usize = 1024;
/// The namespace of the prefix `xml`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The document in `text`. White space between elements is left out.
pub fn document(text: &str) -> Result<Document, Thrown> {
    if text.len() > STRING_BYTES_MAX {
        return Err(Thrown::limit(format!("XML may be at most {STRING_BYTES_MAX} bytes long")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, rest: text, nodes: 0, open: Vec::new(), top: Vec::new() };
    let declaration = reader.declaration()?;
    reader.content()?;
    let document = Document { declaration, nodes: reader.top };
    if document.root().is_none() {
        return Err(no_root());
    }
    Ok(document)
}

/// A document without an element.
pub(super) fn no_root() -> Thrown {
    Thrown::new(ExceptionKind::Xml, "Root element is missing.")
}

/// An element that has begun.
struct Open {
    written: String,
    name: Name,
    prefix: Option<Arc<str>>,
    attributes: Vec<Arc<Attribute>>,
    nodes: Vec<Node>,
    /// The prefixes that it declares, and their namespaces.
    scope: Vec<(String, Arc<str>)>,
    /// How many declarations are in scope: its own and those further out.
    in_scope: usize,
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    nodes: usize,
    open: Vec<Open>,
    top: Vec<Node>,
}

impl Reader<'_> {
    fn skip(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.len() < before
    }

    /// What comes before `end`, and goes past that.
    fn until(&mut self, end: &str, what: &str) -> Result<String, Thrown> {
        let (inner, after) = self
            .rest
            .split_once(end)
            .ok_or_else(|| self.fault(&format!("Unexpected end of file while parsing {what}.")))?;
        self.rest = after;
        Ok(inner.to_owned())
    }

    fn count(&mut self) -> Result<(), Thrown> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes <= XML_NODES_MAX {
            return Ok(());
        }
        Err(too_many())
    }

    fn declaration(&mut self) -> Result<Option<Arc<str>>, Thrown> {
        let is_declaration = self.rest.starts_with("<?xml")
            && self.rest.get(5..).is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']));
        if !is_declaration {
            return Ok(None);
        }
        let inner = self.until("?>", "XML declaration")?;
        Ok(Some(Arc::from(format!("{inner}?>"))))
    }

    fn content(&mut self) -> Result<(), Thrown> {
        while !self.rest.is_empty() {
            if self.skip("<!--") {
                let comment = self.until("-->", "comment")?;
                self.push(Node::Comment(Arc::from(comment)))?;
            } else if self.skip("<![CDATA[") {
                let data = self.until("]]>", "CDATA")?;
                self.text(Node::Data(Arc::from(lines(&data))))?;
            } else if self.skip("<?") {
                self.until("?>", "processing instruction")?;
            } else if self.rest.starts_with("<!") {
                return Err(
                    self.fault("For security reasons DTD is prohibited in this XML document.")
                );
            } else if self.skip("</") {
                self.close()?;
            } else if self.skip("<") {
                self.element()?;
            } else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                let (raw, after) = self.rest.split_at(end);
                let text = self.resolved(raw)?;
                if !raw.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                    self.text(Node::Text(Arc::from(lines(&text))))?;
                }
                self.rest = after;
            }
        }
        match self.open.last() {
            None => Ok(()),
            Some(open) => Err(self.fault(&format!(
                "Unexpected end of file has occurred. The following elements are not closed: {}.",
                open.written
            ))),
        }
    }

    fn push(&mut self, node: Node) -> Result<(), Thrown> {
        self.count()?;
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.top.push(node),
        }
        Ok(())
    }

    /// Text is only allowed inside of an element.
    fn text(&mut self, node: Node) -> Result<(), Thrown> {
        if self.open.is_empty() {
            return Err(self.fault("Data at the root level is invalid."));
        }
        self.push(node)
    }

    fn close(&mut self) -> Result<(), Thrown> {
        let name = self.name()?;
        self.space();
        if !self.skip(">") {
            return Err(self.fault("'>' is expected at the end of an end tag."));
        }
        let mut open = self.open.pop().ok_or_else(|| self.fault("Unexpected end tag."))?;
        if open.written != name {
            return Err(self.fault(&format!(
                "The '{}' start tag does not match the end tag of '{name}'.",
                open.written
            )));
        }
        if open.nodes.is_empty() {
            // What tells `<a></a>` from `<a />`.
            self.count()?;
            open.nodes.push(Node::Text(Arc::from("")));
        }
        self.finish(open)
    }

    fn finish(&mut self, open: Open) -> Result<(), Thrown> {
        let Open { name, prefix, attributes, nodes, .. } = open;
        let element = Arc::new(Element { name, prefix, attributes, nodes });
        if self.open.is_empty() && self.top.iter().any(|node| matches!(node, Node::Element(_))) {
            return Err(self.fault("There are multiple root elements."));
        }
        self.push(Node::Element(element))
    }

    fn element(&mut self) -> Result<(), Thrown> {
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(too_deep());
        }
        let written = self.name()?;
        let mut raw: Vec<(String, String)> = Vec::new();
        let is_empty = loop {
            let has_space = self.space();
            if self.skip("/>") {
                break true;
            }
            if self.skip(">") {
                break false;
            }
            if !has_space {
                return Err(self.fault("White space is expected before an attribute."));
            }
            self.count()?;
            if ATTRIBUTES_MAX <= raw.len() {
                return Err(too_many());
            }
            let (name, value) = self.attribute()?;
            if raw.iter().any(|(known, _)| *known == name) {
                return Err(self.fault(&format!("'{name}' is a duplicate attribute name.")));
            }
            raw.push((name, value));
        };
        let scope = raw.iter().filter_map(|(name, value)| {
            let prefix = if name == "xmlns" { "" } else { name.strip_prefix("xmlns:")? };
            Some((prefix.to_owned(), Arc::from(value.as_str())))
        });
        let scope: Vec<(String, Arc<str>)> = scope.collect();
        let outer = self.open.last().map_or(0, |open| open.in_scope);
        let in_scope = outer.saturating_add(scope.len());
        if in_scope > DECLARATIONS_MAX {
            return Err(too_many_declared());
        }
        let mut open = Open {
            written: written.clone(),
            name: Name { namespace: Arc::from(""), local: Arc::from("") },
            prefix: None,
            attributes: Vec::new(),
            nodes: Vec::new(),
            scope,
            in_scope,
        };
        (open.name, open.prefix) = self.expanded(&written, &open.scope, true)?;
        for (name, value) in raw {
            let (name, prefix) = self.expanded(&name, &open.scope, false)?;
            let value = Arc::from(value);
            open.attributes.push(Arc::new(Attribute { name, prefix, value }));
        }
        if is_empty {
            return self.finish(open);
        }
        self.open.push(open);
        Ok(())
    }

    fn attribute(&mut self) -> Result<(String, String), Thrown> {
        let name = self.name()?;
        self.space();
        if !self.skip("=") {
            return Err(self.fault("'=' is expected after the name of an attribute."));
        }
        self.space();
        let quote = if self.skip("\"") {
            "\""
        } else if self.skip("'") {
            "'"
        } else {
            return Err(self.fault("The value of an attribute must be in quotes."));
        };
        let raw = self.until(quote, "attribute")?;
        if raw.contains('<') {
            return Err(self.fault("'<' is an invalid attribute character."));
        }
        let value = self.resolved(&raw)?;
        Ok((name, value.replace(['\t', '\n'], " ")))
    }

    fn name(&mut self) -> Result<String, Thrown> {
        let end = self.rest.find(|next: char| {
            !next.is_alphanumeric() && !matches!(next, '_' | '-' | '.' | ':' | '\u{b7}')
        });
        let (name, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if !is_name {
            let found = self.rest.chars().next().unwrap_or(' ');
            return Err(self.fault(&format!("Name cannot begin with the '{found}' character.")));
        }
        self.rest = after;
        Ok(name.to_owned())
    }

    /// The name with its namespace; one without a prefix has that of `xmlns`, if it is an
    /// element's.
    fn expanded(
        &self,
        written: &str,
        scope: &[(String, Arc<str>)],
        is_element: bool,
    ) -> Result<(Name, Option<Arc<str>>), Thrown> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, written),
        };
        let namespace: Arc<str> = match prefix {
            Some("xml") => Arc::from(XML),
            Some("xmlns") => Arc::from(XMLNS),
            None if written == "xmlns" && !is_element => Arc::from(XMLNS),
            None if !is_element => Arc::from(""),
            prefix => {
                let wanted = prefix.unwrap_or("");
                let scopes = std::iter::once(scope)
                    .chain(self.open.iter().rev().map(|open| open.scope.as_slice()));
                let found = scopes.flatten().find(|(known, _)| known == wanted);
                match (found, prefix) {
                    (Some((_, namespace)), _) => Arc::clone(namespace),
                    (None, None) => Arc::from(""),
                    (None, Some(prefix)) => {
                        return Err(self.fault(&format!("'{prefix}' is an undeclared prefix.")));
                    }
                }
            }
        };
        Ok((Name { namespace, local: Arc::from(local) }, prefix.map(Arc::from)))
    }

    /// `raw` with its references resolved.
    fn resolved(&self, raw: &str) -> Result<String, Thrown> {
        let mut out = String::new();
        let mut rest = raw;
        while let Some(at) = rest.find('&') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let reference = from.strip_prefix('&').and_then(|from| from.split_once(';'));
            let (name, after) = reference
                .ok_or_else(|| self.fault("An error occurred while parsing EntityName."))?;
            out.push(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                other => self.code(other)?,
            });
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The character of `#10` or `#xA`.
    fn code(&self, name: &str) -> Result<char, Thrown> {
        let code = match name.strip_prefix("#x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => name.strip_prefix('#').and_then(|digits| digits.parse().ok()),
        };
        let character = code.and_then(char::from_u32).filter(|character| {
            !character.is_control() || matches!(character, '\t' | '\n' | '\r' | '\u{7f}'..)
        });
        character.ok_or_else(|| self.fault(&format!("Reference to undeclared entity '{name}'.")))
    }

    /// An exception at the present place.
    fn fault(&self, message: &str) -> Thrown {
        let done = self.text.len().saturating_sub(self.rest.len());
        let before = self.text.get(..done).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let position = before.get(start..).unwrap_or_default().chars().count().saturating_add(1);
        Thrown::new(ExceptionKind::Xml, format!("{message} Line {line}, position {position}."))
    }
}

/// Ends of lines as XML has them: a line feed alone.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}
