//! Tags: elements start, elements end, and what does not match is sorted out.

use std::sync::Arc;

use super::attributes::probable_end;
use super::reader::{Open, Reader};
use super::{ATTRIBUTES_MAX, Attribute, DEPTH_MAX, ELEMENTS_MAX, Element, Node, is_liquid};
use crate::fault::{Fault, nearest};

/// The sections of a policy document: it may start with one, without `<policies>` around.
const SECTIONS: [&str; 4] = ["inbound", "backend", "outbound", "on-error"];
/// What a document with its elements may be.
const ROOTS: [&str; 2] = ["policies", "fragment"];
/// The longest name of an element or an attribute, in bytes.
const NAME_BYTES_MAX: usize = 128;

impl Reader<'_> {
    /// The name at `at`, as it may be shown: a secret has no place in one.
    fn name(&mut self, at: usize) -> (Arc<str>, usize) {
        let length = name_length(self.from(at));
        if length > NAME_BYTES_MAX {
            let message = format!("a name of the markup is longer than {NAME_BYTES_MAX} bytes");
            self.fault_at(at, message, "write a shorter one");
            return (Arc::from("long"), length);
        }
        let range = at..at.saturating_add(length);
        if self.source.is_secret(range.clone()) {
            let remedy = "write the name out, or make the named value plain";
            self.fault_at(at, "a secret named value holds a name of the markup", remedy);
            return (Arc::from("secret"), length);
        }
        (Arc::from(self.between(range)), length)
    }

    pub(super) fn start_tag(&mut self) {
        let start = self.at;
        let (name, length) = self.name(start.saturating_add(1));
        self.skip(length.saturating_add(1));
        self.admit_root(&name, start);
        let mut element = Element {
            name,
            place: self.source.place(start),
            attributes: Vec::new(),
            content: Vec::new(),
            source: Arc::clone(self.source),
            inner: 0..0,
        };
        let closed = self.attributes(&mut element);
        element.inner = self.at..self.at;
        self.elements = self.elements.saturating_add(1);
        if self.elements > ELEMENTS_MAX || self.open.len() >= DEPTH_MAX {
            let (message, remedy) = if self.elements > ELEMENTS_MAX {
                (format!("more than {ELEMENTS_MAX} elements"), "split the document into fragments")
            } else {
                (format!("elements nested deeper than {DEPTH_MAX}"), "move the inner ones out")
            };
            self.fault(element.fault(message).mend(remedy));
            self.stopped = true;
            return;
        }
        if closed {
            self.attach(element, self.at);
        } else {
            let liquid = self.in_liquid() || is_liquid(&element.attributes);
            self.open.push(Open { element, liquid, implied: false });
        }
    }

    /// Says whether an element called `name` may stand here, if it is to be the root.
    fn admit_root(&mut self, name: &Arc<str>, start: usize) {
        if !self.open.is_empty() {
            return;
        }
        let width = name.chars().count().saturating_add(1);
        let fault = |message: String| Fault::new(self.source.place(start), message).wide(width);
        if let Some(root) = &self.root {
            let fault = fault(format!("`<{name}>` stands after the end of `</{}>`", root.name));
            self.fault(fault.mend("move it before that end tag, or take it out"));
        } else if SECTIONS.contains(&name.as_ref()) {
            let element = Element {
                name: Arc::from("policies"),
                place: self.source.place(start),
                attributes: Vec::new(),
                content: Vec::new(),
                source: Arc::clone(self.source),
                inner: start..start,
            };
            self.open.push(Open { element, liquid: false, implied: true });
        } else if !ROOTS.contains(&name.as_ref()) {
            let fault = fault(format!("`<{name}>` is not the root of a policy document"));
            self.fault(match nearest(name, ROOTS) {
                Some(near) => fault.mend(format!("did you mean `<{near}>`?")),
                None => fault.mend(
                    "put it into a section such as `<policies><inbound>…</inbound></policies>`, \
                     or into `<fragment>`",
                ),
            });
        }
    }

    /// Reads attributes until the end of the tag. Says whether it closes the element, too.
    fn attributes(&mut self, element: &mut Element) -> bool {
        // After one fault, what does not belong in a tag is what the first one left behind.
        let faults = self.faults_count();
        while !self.stopped {
            self.skip_space();
            let rest = self.rest();
            let confused = self.faults_count() > faults;
            if rest.starts_with("/>") {
                self.skip(2);
                return true;
            }
            if rest.starts_with('>') {
                self.skip(1);
                return false;
            }
            let slash = rest.strip_prefix('/').map(str::trim_start);
            if slash.is_some_and(|after| after.starts_with('<')) {
                self.fault(element.fault(unclosed(element)).mend("add the `>` after the `/`"));
                self.skip(1);
                return true;
            }
            if rest.is_empty() || rest.starts_with('<') {
                let remedy = "add `>`, or `/>` if nothing is inside";
                self.fault(element.fault(unclosed(element)).mend(remedy));
                return false;
            }
            let name = name_length(rest);
            let assigns = is_assignment(self.from(self.at.saturating_add(name)));
            if name > 0 && (assigns || !confused) {
                self.attribute(element);
            } else if confused {
                self.skip_junk();
            } else {
                let message = format!("this does not belong in `<{}>`", element.name);
                self.fault_at(self.at, message, "an attribute is written as `name=\"value\"`");
                self.resume();
            }
        }
        false
    }

    /// After what does not belong in a tag: goes to where its next attribute or its end probably is.
    pub(super) fn resume(&mut self) {
        let rest = self.rest();
        let ends = |at: &usize| {
            let after = rest.get(at.saturating_add(1)..).unwrap_or_default();
            after.trim_start().starts_with('<')
        };
        let tag = rest.match_indices('>').map(|(at, _)| at).find(ends).unwrap_or(rest.len());
        self.spend(tag);
        let tag = rest.get(..=tag).unwrap_or(rest);
        match ['"', '\''].into_iter().filter_map(|quote| probable_end(tag, quote)).min() {
            Some(quote) => self.skip(quote.saturating_add(1)),
            None => self.skip_junk(),
        }
    }

    /// Goes on to white space or a bracket, at least one character further.
    fn skip_junk(&mut self) {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<');
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        self.skip(rest.find(ends).unwrap_or(rest.len()).max(first));
    }

    fn attribute(&mut self, element: &mut Element) {
        let start = self.at;
        let (name, length) = self.name(start);
        self.skip(length);
        let place = self.source.place(start);
        let value = self.attribute_value(&name, &place);
        let attribute = Attribute { name, place, value };
        let name = &attribute.name;
        if let Some(first) = element.attribute(name) {
            let message = format!("the attribute `{name}` stands here twice");
            let remedy = format!("take one out; the first is in line {}", first.place.line);
            self.fault(attribute.fault(message).mend(remedy));
        } else if element.attributes.len() < ATTRIBUTES_MAX {
            element.attributes.push(attribute);
        } else {
            let message = format!("more than {ATTRIBUTES_MAX} attributes");
            self.fault(attribute.fault(message).mend("take some out"));
        }
    }

    pub(super) fn end_tag(&mut self) {
        let start = self.at;
        let (name, length) = self.name(start.saturating_add(2));
        self.skip(length.saturating_add(2));
        let rest = self.rest();
        let junk = rest.find(['>', '<']).unwrap_or(rest.len());
        let closed = rest.get(junk..).is_some_and(|end| end.starts_with('>'));
        if !closed || !self.between(self.at..self.at.saturating_add(junk)).trim().is_empty() {
            self.fault_at(start, "this end tag is not closed", &format!("write `</{name}>`"));
        }
        self.skip(junk.saturating_add(usize::from(closed)));
        self.close(&name, start);
    }

    /// Closes the innermost element called `name`, by an end tag at `start`.
    fn close(&mut self, name: &str, start: usize) {
        let matching = |open: &Open| policy(&open.element.name) == policy(name) && !open.implied;
        let Some(index) = self.open.iter().rposition(matching) else {
            return self.close_nothing(name, start);
        };
        let line = self.source.place(start).line;
        while self.open.len() > index {
            let Some(open) = self.open.pop() else { break };
            if self.open.len() > index {
                let message = format!("`<{}>` is not closed", open.element.name);
                let remedy =
                    format!("add `</{}>` before `</{name}>` in line {line}", open.element.name);
                self.fault(open.element.fault(message).mend(remedy));
            }
            self.attach(open.element, start);
        }
    }

    fn close_nothing(&mut self, name: &str, start: usize) {
        let message = format!("`</{name}>` closes nothing");
        let fault = Fault::new(self.source.place(start), message);
        let fault = fault.wide(name.chars().count().saturating_add(3));
        let meant = self
            .open
            .pop_if(|open| !open.implied && nearest(name, [open.element.name.as_ref()]).is_some());
        if let Some(open) = meant {
            self.fault(fault.mend(format!("did you mean `</{}>`?", open.element.name)));
            self.attach(open.element, start);
        } else {
            self.fault(fault.mend("take it out, or add the start tag that is missing"));
        }
    }

    /// Puts `element`, whose content ends at `end`, into the one around it.
    pub(super) fn attach(&mut self, mut element: Element, end: usize) {
        element.inner.end = end.max(element.inner.start);
        if element.elements().next().is_some() {
            element.content.retain(|node| match node {
                Node::Element(_) => true,
                Node::Text(text) => !text.as_str().trim().is_empty(),
            });
        }
        match self.open.last_mut() {
            Some(open) => open.element.content.push(Node::Element(element)),
            // What stands after the root has been refused.
            None if self.root.is_some() => {}
            None => self.root = Some(element),
        }
    }
}

/// Whether `text` starts like what follows the name of an attribute.
fn is_assignment(text: &str) -> bool {
    let value = text.trim_start().strip_prefix('=').map(str::trim_start);
    value.is_some_and(|value| value.starts_with(['"', '\'']))
}

fn unclosed(element: &Element) -> String {
    format!("the start tag of `<{}>` is not closed", element.name)
}

/// What two names of one policy have in common: APIM knows the policies for language models by
/// two names each, and documents in use open one by the old name and close it by the new.
fn policy(name: &str) -> &str {
    name.strip_prefix("azure-openai-").or_else(|| name.strip_prefix("llm-")).unwrap_or(name)
}

/// How many bytes of the start of `text` are a name.
pub(super) fn name_length(text: &str) -> usize {
    if !text.starts_with(|first: char| first.is_alphabetic() || matches!(first, '_' | ':')) {
        return 0;
    }
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    text.find(|c| !inside(c)).unwrap_or(text.len())
}
