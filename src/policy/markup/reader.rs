//! The reader: goes through a document once, keeps the elements that are open, collects faults.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::named::NamedValues;
use super::source::{MissingName, Source};
use super::tags::name_length;
use super::{DOCUMENT_BYTES_MAX, Element, FAULTS_MAX, Node, Reading};
use crate::fault::{Fault, Layout, Place};

/// How often each byte may be looked at, on average, when what is wrong is looked for again and
/// again. A good document takes less than a quarter of this.
const WORK_PER_BYTE_MAX: usize = 16;
/// What a small document may take besides.
const WORK_BASE: usize = 4096;

/// Reads a document, and says how much work that was, in bytes looked at.
pub(super) fn read(layout: &Layout, text: &str, names: &NamedValues) -> (Reading, usize) {
    let refused =
        |fault: Fault| (Reading { root: None, faults: vec![fault], assumed: Vec::new() }, 0);
    // An editor does not count the mark either.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document is larger than {DOCUMENT_BYTES_MAX} bytes");
        let fault = Fault::new(layout.place("", 0), message);
        return refused(fault.mend("move parts of it into policy fragments"));
    }
    match Source::new(layout, text, names) {
        Ok(source) => Reader::new(&Arc::new(source), names).run(),
        Err(too_large) => {
            let message = "with its named values put in, the document is too large";
            let fault = Fault::new(too_large.place, message);
            refused(fault.mend("use shorter named values, or fewer of them"))
        }
    }
}

/// A document on its way to elements.
pub(super) struct Reader<'s> {
    pub(super) source: &'s Arc<Source>,
    pub(super) names: &'s NamedValues,
    pub(super) text: &'s str,
    /// The next byte to look at.
    pub(super) at: usize,
    pub(super) open: Vec<Open>,
    pub(super) root: Option<Element>,
    pub(super) elements: usize,
    faults: Vec<Fault>,
    assumed: BTreeMap<String, Place>,
    work: usize,
    pub(super) stopped: bool,
}

/// An element whose end tag has not come.
pub(super) struct Open {
    pub(super) element: Element,
    /// Whether braces in it are Liquid's.
    pub(super) liquid: bool,
    /// Whether it is a root that nobody wrote.
    pub(super) implied: bool,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Arc<Source>, names: &'s NamedValues) -> Self {
        Self {
            source,
            names,
            text: source.text(),
            at: 0,
            open: Vec::new(),
            root: None,
            elements: 0,
            faults: Vec::new(),
            assumed: BTreeMap::new(),
            work: 0,
            stopped: false,
        }
    }

    fn run(mut self) -> (Reading, usize) {
        while !self.stopped && self.at < self.text.len() {
            if self.open.is_empty() {
                self.skip_prose();
            } else {
                self.read_text();
            }
            if !self.stopped && self.at < self.text.len() {
                self.markup();
            }
        }
        self.finish();
        let Self { root, mut faults, assumed, work, .. } = self;
        faults.sort();
        // What was read again after a fault may have been found twice.
        faults.dedup();
        (Reading { root, faults, assumed: assumed.into_iter().collect() }, work)
    }

    fn finish(&mut self) {
        let end = self.text.len();
        while let Some(open) = self.open.pop() {
            if !open.implied && !self.stopped {
                let message = format!("`<{}>` is not closed", open.element.name);
                let remedy = format!("add `</{}>`", open.element.name);
                self.fault(open.element.fault(message).mend(remedy));
            }
            self.attach(open.element, end);
        }
        if self.root.is_none() && self.faults.is_empty() {
            let message = "there is no `<policies>` and no `<fragment>` element";
            let remedy = "start with `<policies>`, or with `<fragment>` for a policy fragment";
            self.fault(Fault::new(self.source.place(0), message).mend(remedy));
        }
    }

    // What stands where.

    pub(super) fn rest(&self) -> &'s str {
        self.from(self.at)
    }

    pub(super) fn from(&self, at: usize) -> &'s str {
        self.text.get(at..).unwrap_or_default()
    }

    pub(super) fn between(&self, range: Range<usize>) -> &'s str {
        self.text.get(range).unwrap_or_default()
    }

    /// Goes on `bytes` further.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.text.len());
        self.spend(bytes);
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.skip(rest.len().saturating_sub(rest.trim_start().len()));
    }

    /// Counts `bytes` as looked at. The bound on this is what makes reading linear.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.work = self.work.saturating_add(bytes);
        let budget = self.text.len().saturating_mul(WORK_PER_BYTE_MAX).saturating_add(WORK_BASE);
        if self.work > budget && !self.stopped {
            let message = "the document is too confused to be read on from here";
            let place = self.source.place(self.at);
            self.fault(Fault::new(place, message).mend("mend the faults before this place first"));
            self.stopped = true;
        }
    }

    /// Remembers what is wrong.
    pub(super) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.stopped = true;
        }
    }

    pub(super) const fn faults_count(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn fault_at(&mut self, at: usize, message: impl Into<String>, remedy: &str) {
        self.fault(Fault::new(self.source.place(at), message).mend(remedy));
    }

    pub(super) fn missing(&mut self, names: Vec<MissingName>) {
        for MissingName { name, place } in names {
            if self.names.assumes() {
                self.assumed.entry(name).or_insert(place);
                continue;
            }
            if self.stopped {
                break;
            }
            let width = name.chars().count().saturating_add("{{}}".len());
            let remedy = match self.names.nearest(&name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a named value `{name}` to the configuration"),
            };
            let message = format!("there is no named value `{name}`");
            self.fault(Fault::new(place, message).wide(width).mend(remedy));
        }
    }

    pub(super) fn in_liquid(&self) -> bool {
        self.open.last().is_some_and(|open| open.liquid)
    }

    /// The name of the innermost element that is open.
    pub(super) fn open_name(&self) -> Option<Arc<str>> {
        self.open.last().map(|open| Arc::clone(&open.element.name))
    }

    pub(super) fn add(&mut self, node: Node) {
        if let Some(open) = self.open.last_mut() {
            open.element.content.push(node);
        }
    }

    // Between the tags.

    fn skip_prose(&mut self) {
        let rest = self.rest();
        self.skip(rest.find('<').unwrap_or(rest.len()));
    }

    /// What starts with the `<` at hand.
    fn markup(&mut self) {
        let rest = self.rest();
        if rest.starts_with("</") {
            self.end_tag();
        } else if rest.starts_with("<!--") {
            self.skip_past("<!--", "-->", "comment");
        } else if rest.starts_with("<?") {
            self.skip_past("<?", "?>", "processing instruction");
        } else if rest.starts_with("<![CDATA[") {
            self.skip_past("<![CDATA[", "]]>", "CDATA section");
        } else if rest.starts_with("<!") {
            self.fault_at(
                self.at,
                "a declaration may not stand in a policy document",
                "take it out",
            );
            self.skip_declaration();
        } else if name_length(self.from(self.at.saturating_add(1))) > 0 {
            self.start_tag();
        } else {
            self.skip(1);
        }
    }

    /// Goes past the end of a `what`, which starts here with `start`.
    pub(super) fn skip_past(&mut self, start: &str, end: &str, what: &str) {
        let from = self.at.saturating_add(start.len());
        if let Some(length) = self.from(from).find(end) {
            self.skip(start.len().saturating_add(length).saturating_add(end.len()));
        } else {
            self.fault_at(self.at, format!("a {what} is not closed"), &format!("add `{end}`"));
            // All that follows is in it, so nothing more can be said.
            self.skip(self.text.len());
            self.stopped = true;
        }
    }

    fn skip_declaration(&mut self) {
        let mut depth = 0_usize;
        let end = self.rest().find(|character: char| {
            match character {
                '<' => depth = depth.saturating_add(1),
                '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        self.skip(end.map_or(self.text.len(), |end| end.saturating_add(1)));
    }
}
