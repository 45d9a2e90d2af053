//! YAML text → a tree of nodes, bounded; every fault of the form that can be passed over is.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{
    DEPTH_MAX, Entry, FAULTS_MAX, FILE_BYTES_MAX, Files, Kind, Mark, NODES_MAX, Node, Scalar, Style,
};
use crate::fault::Fault;

/// Reads `text`, the file numbered `file`. Returns nothing for an empty file, and for one that
/// cannot be read to its end.
pub fn parse(text: &str, file: u32, files: &Files, faults: &mut Vec<Fault>) -> Option<Node> {
    if text.len() > FILE_BYTES_MAX {
        let mark = Mark { file, line: 1, column: 1, width: 1 };
        let message = format!("this file has {} bytes", text.len());
        let remedy = format!("split it: a file may have {FILE_BYTES_MAX} bytes");
        faults.push(files.fault(mark, message).mend(remedy));
        return None;
    }
    let mut builder =
        Builder { file, files, frames: Vec::new(), root: None, nodes: 0, documents: 0, faults };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let span = Span::empty(*error.marker());
                let mark = builder.mark(span);
                let remedy = "look at the indentation, quotes and brackets here and just above";
                builder.fault(mark, format!("this is not YAML: {}", error.info()), remedy);
                return None;
            }
        }
    }
    builder.root
}

/// A list or map that is not closed yet.
enum Frame {
    List { mark: Mark, items: Vec<Node> },
    Map { mark: Mark, entries: Vec<Entry>, key: Pending, seen: HashMap<Box<str>, u32> },
}

/// The key whose value comes next.
enum Pending {
    /// A key comes next.
    None,
    /// The value of this key comes next.
    Key(Node),
    /// The value of something that cannot be a key comes next, and goes.
    Nothing,
}

struct Builder<'a> {
    file: u32,
    files: &'a Files,
    frames: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    faults: &'a mut Vec<Fault>,
}

impl Builder<'_> {
    /// Takes one event; `None` means that going on makes no sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    let remedy = "move what follows `---` to a file of its own";
                    self.fault(self.mark(span), "a second YAML document begins", remedy);
                    return None;
                }
            }
            Event::Alias(_) => {
                let mark = self.mark(span);
                let remedy = "write the value out: aliases are not read";
                self.fault(mark, "this is an alias", remedy);
                // Something must stand here so that keys and values stay in step.
                let made_up = Mark { width: 0, ..mark };
                self.node(made_up, scalar(Cow::Borrowed(""), Style::Quoted))?;
            }
            Event::Scalar(text, style, _, tag) => {
                let mark = self.mark(span);
                if let Some(tag) = tag {
                    self.tag(mark, &tag.to_string());
                }
                let style = style_of(style);
                self.node(mark, scalar(text, style))?;
            }
            Event::SequenceStart(_, tag) => {
                self.open(span, tag.map(|tag| tag.to_string()), |mark| Frame::List {
                    mark,
                    items: Vec::new(),
                })?;
            }
            Event::MappingStart(_, tag) => {
                self.open(span, tag.map(|tag| tag.to_string()), |mark| Frame::Map {
                    mark,
                    entries: Vec::new(),
                    key: Pending::None,
                    seen: HashMap::new(),
                })?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop()? {
                Frame::List { mark, items } => self.node(mark, Kind::List(items))?,
                Frame::Map { mut mark, entries, .. } => {
                    if let Some(first) = entries.first() {
                        mark = if first.key.mark.line == mark.line { first.key.mark } else { mark };
                    }
                    self.node(mark, Kind::Map(entries))?;
                }
            },
        }
        Some(())
    }

    fn open(
        &mut self,
        span: Span,
        tag: Option<String>,
        frame: impl FnOnce(Mark) -> Frame,
    ) -> Option<()> {
        let mark = self.mark(span);
        if let Some(tag) = tag {
            self.tag(mark, &tag);
        }
        if self.frames.len() >= DEPTH_MAX {
            let remedy = format!("at most {DEPTH_MAX} lists and maps may lie in each other");
            self.fault(mark, "this lies too deep", &remedy);
            return None;
        }
        self.frames.push(frame(mark));
        Some(())
    }

    /// Puts a finished value where it belongs.
    fn node(&mut self, mark: Mark, kind: Kind) -> Option<()> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            let remedy = format!("split it: a file may hold {NODES_MAX} values");
            self.fault(mark, "this file holds too many values", &remedy);
            return None;
        }
        let node = Node { mark, kind };
        match self.frames.last_mut() {
            None => self.root = (!node.is_null()).then_some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, seen, .. }) => {
                match std::mem::replace(key, Pending::None) {
                    Pending::Key(key) => entries.push(Entry { key, value: node }),
                    Pending::Nothing => {}
                    Pending::None => {
                        let (pending, wrong) = key_of(node, seen);
                        *key = pending;
                        if let Some((message, remedy)) = wrong {
                            self.fault(mark, message, &remedy);
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn tag(&mut self, mark: Mark, tag: &str) {
        let message = format!("this is a tag: `{tag}`");
        self.fault(mark, message, "remove it: what a value is follows from its key");
    }

    fn fault(&mut self, mark: Mark, message: impl Into<String>, remedy: &str) {
        if self.faults.len() >= FAULTS_MAX {
            return;
        }
        self.faults.push(self.files.fault(mark, message).mend(remedy));
    }

    fn mark(&self, span: Span) -> Mark {
        let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
        let width = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        Mark {
            file: self.file,
            line: narrow(span.start.line()),
            column: narrow(span.start.col().saturating_add(1)),
            width: narrow(width).max(1),
        }
    }
}

const fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
    }
}

fn scalar(text: Cow<'_, str>, style: Style) -> Kind {
    Kind::Scalar(Scalar { text: text.into_owned().into_boxed_str(), style })
}

/// Makes a key of `node`, or says why it cannot be one.
fn key_of(node: Node, seen: &mut HashMap<Box<str>, u32>) -> (Pending, Option<(String, String)>) {
    let Kind::Scalar(scalar) = &node.kind else {
        let remedy = "a key must be a text".to_owned();
        return (
            Pending::Nothing,
            Some((format!("{} is used as a key", noun(&node.kind)), remedy)),
        );
    };
    if let Some(line) = seen.get(&scalar.text) {
        let message = format!("`{}` is written twice", scalar.text);
        let remedy = format!("remove one of the two; the other is in line {line}");
        return (Pending::Nothing, Some((message, remedy)));
    }
    seen.insert(scalar.text.clone(), node.mark.line);
    (Pending::Key(node), None)
}

fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Scalar(_) => "a text",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a map",
    }
}
