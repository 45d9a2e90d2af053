//! `json-to-xml`.
//!
//! A member is an element, an array one element for each item, `null` an element with
//! `xsi:nil="true"`, and an object with one member that is no array is the root; all else stands in
//! `<Document>`, and items without a name in `<Item>`. As Json.NET has it, `@name` is an attribute,
//! `#text` text, `#cdata-section` a CDATA section and `?xml` the declaration. `true` is `True`, as API
//! Management writes it.
//!
//! With `namespace-prefix="xmlns"` a member `xmlns_p` declares the prefix `p`, and `xmlns` the
//! namespace of what has none; where `p` is declared, a member `p_name` is the element `p:name`. What
//! cannot stand in a name is written as `_x0020_`. `attribute-block-name` names the member whose
//! members are attributes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what holds nothing else is written alike, whatever its type"
)]

use std::sync::Arc;

use super::word::IfJson;
use super::{CONVERTED_BYTES_MAX, When};
use crate::exchange::Exchange;
use crate::expression::library::json::{self, write};
use crate::expression::value::json::Json;
use crate::policy::Failure;
use crate::policy::machine::Flow;
use crate::policy::operand::Operand;

mod name;

use name::{Declared, Names, encoded};

/// `json-to-xml`.
#[derive(Clone, Debug)]
pub struct JsonToXml {
    pub(super) when: When<IfJson>,
    pub(super) parse_date: bool,
    pub(super) separator: Option<Operand<Arc<str>>>,
    pub(super) prefix: Option<Operand<Arc<str>>>,
    pub(super) block: Option<Operand<Arc<str>>>,
}

/// What stands between a prefix and a name unless the policy says otherwise.
const SEPARATOR: &str = "_";
/// The root of what has none.
const ROOT: &str = "Document";
/// An item of an array that has no name.
const ITEM: &str = "Item";
/// How `null` is said.
const NIL: &str = " xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" />";

impl JsonToXml {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let mut given = |operand: &Option<Operand<Arc<str>>>| {
            operand.as_ref().map(|operand| operand.get(exchange)).transpose()
        };
        let separator = given(&self.separator)?.unwrap_or_else(|| Arc::from(SEPARATOR));
        let prefix = given(&self.prefix)?.filter(|prefix| !prefix.is_empty());
        let block = given(&self.block)?.filter(|name| !name.is_empty());
        let Some(text) = self.when.text(exchange)? else {
            return Ok(Flow::Next);
        };
        let names = Names::new(separator, prefix);
        let xml = converted(&text, self.parse_date, names, block);
        let xml = xml.map_err(|why| self.when.failed(&why))?;
        Ok(self.when.put(xml, "application/xml", exchange))
    }
}

fn converted(
    text: &str,
    parse_date: bool,
    names: Names,
    block: Option<Arc<str>>,
) -> Result<String, String> {
    let read = if parse_date { json::read::token } else { json::read::token_as_written };
    let token = read(text).map_err(|thrown| thrown.message)?;
    let mut writer = Writer { out: String::new(), names, block };
    writer.document(&token)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    names: Names,
    block: Option<Arc<str>>,
}

impl Writer {
    fn document(&mut self, token: &Json) -> Result<(), String> {
        let Json::Object(object) = token else {
            return self.root(token);
        };
        let mut members = object.members();
        if let Some(at) = members.iter().position(|(name, _)| &**name == "?xml") {
            let (_name, declaration) = members.remove(at);
            self.declaration(&declaration)?;
        }
        match members.as_slice() {
            [(name, value)] if !matches!(value, Json::Array(_)) && self.is_element(name) => {
                self.element(name, value)
            }
            _ => {
                let declared = self.names.depth();
                self.open(ROOT, &members)?;
                self.names.forget(declared);
                Ok(())
            }
        }
    }

    /// A root around something that is no object.
    fn root(&mut self, token: &Json) -> Result<(), String> {
        let Json::Array(items) = token else {
            return self.element(ROOT, token);
        };
        self.push("<")?;
        self.push(ROOT)?;
        if items.is_empty() {
            return self.push(" />");
        }
        self.push(">")?;
        for item in items.items() {
            self.element(ITEM, &item)?;
        }
        self.close(ROOT)
    }

    fn declaration(&mut self, declaration: &Json) -> Result<(), String> {
        let Json::Object(object) = declaration else { return Ok(()) };
        let given = |name: &str| object.get(name).and_then(|value| scalar(&value).ok());
        let version = given("@version").unwrap_or_else(|| "1.0".to_owned());
        self.push("<?xml")?;
        self.attribute("version", &version)?;
        if let Some(standalone) = given("@standalone") {
            self.attribute("standalone", &standalone)?;
        }
        // It is UTF-8, whatever it was.
        self.attribute("encoding", "utf-8")?;
        self.push("?>")
    }

    /// Whether a member with this name is an element.
    fn is_element(&self, name: &str) -> bool {
        !name.starts_with(['@', '#'])
            && self.block.as_deref() != Some(name)
            && self.names.declares(name).is_none()
    }

    /// One element, or one for each item of an array.
    fn element(&mut self, name: &str, value: &Json) -> Result<(), String> {
        match value {
            Json::Array(items) if !items.is_empty() => {
                items.items().iter().try_for_each(|item| match item {
                    // A list in a list is an element that holds its items, under the same name.
                    Json::Array(inner) if !inner.is_empty() => {
                        let written = self.names.written(name);
                        self.push("<")?;
                        self.push(&written)?;
                        self.push(">")?;
                        self.element(name, item)?;
                        self.close(&written)
                    }
                    _ => self.element(name, item),
                })
            }
            Json::Object(object) => {
                let members = object.members();
                let declared = self.names.depth();
                self.declare(&members);
                let written = self.names.written(name);
                self.open(&written, &members)?;
                self.names.forget(declared);
                Ok(())
            }
            simple => {
                let written = self.names.written(name);
                self.push("<")?;
                self.push(&written)?;
                match simple {
                    Json::Null => return self.push(NIL),
                    Json::Array(_) => return self.push(" />"),
                    _ => self.push(">")?,
                }
                self.escaped(&scalar(simple)?, false)?;
                self.close(&written)
            }
        }
    }

    fn declare(&mut self, members: &[(Arc<str>, Json)]) {
        for (name, _value) in members {
            let attribute = name.strip_prefix('@').unwrap_or(name);
            // What no name may begin with is known by what is written for it, and so to nobody.
            let standard = name.strip_prefix("@xmlns:").map(encoded);
            let declared = self.names.declares(attribute).and_then(Declared::prefix);
            self.names.enter(declared.or(standard));
        }
    }

    /// The element `written`, whose members these are.
    fn open(&mut self, written: &str, members: &[(Arc<str>, Json)]) -> Result<(), String> {
        self.declare(members);
        self.push("<")?;
        self.push(written)?;
        for (name, value) in members {
            if let Some(declared) = self.names.declares(name) {
                self.attribute(&declared.attribute(), &scalar(value)?)?;
            } else if let Some(name) = name.strip_prefix('@') {
                let name = self.names.written(name);
                self.attribute(&name, &scalar(value)?)?;
            } else if self.block.as_deref() == Some(&**name) {
                let Json::Object(block) = value else {
                    return Err(format!("the attributes in `{name}` are no object"));
                };
                for (name, value) in block.members() {
                    let name = self.names.written(&name);
                    self.attribute(&name, &scalar(&value)?)?;
                }
            }
        }
        let is_inside = |name: &str| name.starts_with('#') || self.is_element(name);
        if !members.iter().any(|(name, _)| is_inside(name) && self.block.as_deref() != Some(name)) {
            return self.push(" />");
        }
        self.push(">")?;
        for (name, value) in members {
            if self.block.as_deref() == Some(&**name) {
                continue;
            }
            match &**name {
                "#text" => self.texts(value, false)?,
                "#cdata-section" => self.texts(value, true)?,
                other if self.is_element(other) || other.starts_with('#') => {
                    self.element(other, value)?;
                }
                _ => (),
            }
        }
        self.close(written)
    }

    /// The text that `value` is, or all that are in it.
    fn texts(&mut self, value: &Json, is_data: bool) -> Result<(), String> {
        if let Json::Array(items) = value {
            return items.items().iter().try_for_each(|item| self.texts(item, is_data));
        }
        let text = scalar(value)?;
        if !is_data {
            return self.escaped(&text, false);
        }
        self.push("<![CDATA[")?;
        self.push(&text.replace("]]>", "]]]]><![CDATA[>"))?;
        self.push("]]>")
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.push(" ")?;
        self.push(name)?;
        self.push("=\"")?;
        self.escaped(value, true)?;
        self.push("\"")
    }

    fn escaped(&mut self, text: &str, is_attribute: bool) -> Result<(), String> {
        for next in text.chars() {
            match next {
                '&' => self.push("&amp;")?,
                '<' => self.push("&lt;")?,
                '>' => self.push("&gt;")?,
                '"' if is_attribute => self.push("&quot;")?,
                '\n' | '\r' | '\t' if is_attribute => {
                    self.push(&format!("&#x{:X};", u32::from(next)))?;
                }
                '\t' | '\n' | '\r' => self.out.push(next),
                // XML 1.0 has no way to say these.
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => self.out.push('\u{fffd}'),
                other => self.out.push(other),
            }
        }
        self.push("")
    }

    fn close(&mut self, written: &str) -> Result<(), String> {
        self.push("</")?;
        self.push(written)?;
        self.push(">")
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        if CONVERTED_BYTES_MAX < self.out.len().saturating_add(text.len()) {
            return Err(format!("it would be more than {CONVERTED_BYTES_MAX} bytes of XML"));
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// The text of something that holds nothing else.
fn scalar(token: &Json) -> Result<String, String> {
    match token {
        Json::Object(_) | Json::Array(_) | Json::Property(_) => {
            Err("an object or a list stands where text belongs".to_owned())
        }
        Json::Date(_) | Json::DateOffset(_) => {
            let quoted = write::json(token, write::Formatting::Compact);
            quoted.map(|text| text.trim_matches('"').to_owned()).map_err(|thrown| thrown.message)
        }
        Json::Null => Ok(String::new()),
        simple => json::text(simple).map_err(|thrown| thrown.message),
    }
}

#[cfg(test)]
mod tests;
