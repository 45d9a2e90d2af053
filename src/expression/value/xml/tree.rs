//! The nodes that expressions see: shared and mutable, each with at most one parent.
//!
//! A node holds what is in it and only points at what it is in, so that there are no cycles. A
//! handle holds the topmost node besides, as it was when the handle was made: the way up stays
//! open while any node of a tree is in use.

use std::collections::HashMap;
use std::mem::take;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Document, Element, Name, Node};

/// Which class of `System.Xml.Linq` a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `XDocument`; its text is the XML declaration, without `<?xml`, or empty.
    Document,
    /// `XElement`
    Element,
    /// `XAttribute`
    Attribute,
    /// `XText`. An empty one alone in an element tells `<a></a>` from `<a />`.
    Text,
    /// `XCData`
    Data,
    /// `XComment`
    Comment,
}

/// A node in use.
#[derive(Clone, Debug)]
pub struct Held {
    node: Arc<Cell>,
    top: Arc<Cell>,
}

#[derive(Debug)]
struct Cell {
    kind: Kind,
    parent: Mutex<Weak<Self>>,
    content: Mutex<Content>,
    /// How many nodes and attributes there are in it and below, itself counted.
    extent: AtomicUsize,
}

#[derive(Debug)]
struct Content {
    name: Name,
    text: Arc<str>,
    attributes: Vec<Arc<Cell>>,
    nodes: Vec<Arc<Cell>>,
}

impl Cell {
    /// The cell of this content, all of which has no other parent.
    fn new(kind: Kind, content: Content) -> Arc<Self> {
        Arc::new_cyclic(|weak| {
            let mut extent: usize = 1;
            for child in content.attributes.iter().chain(&content.nodes) {
                *child.parent() = Weak::clone(weak);
                extent = extent.saturating_add(child.extent());
            }
            let (parent, content) = (Mutex::new(Weak::new()), Mutex::new(content));
            Self { kind, parent, content, extent: AtomicUsize::new(extent) }
        })
    }

    fn of(kind: Kind, name: Name, text: Arc<str>) -> Arc<Self> {
        Self::new(kind, Content { name, text, attributes: Vec::new(), nodes: Vec::new() })
    }

    fn parent(&self) -> MutexGuard<'_, Weak<Self>> {
        self.parent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extent(&self) -> usize {
        self.extent.load(Ordering::Relaxed)
    }

    /// The children: attributes, nodes.
    fn children(&self) -> (Vec<Arc<Self>>, Vec<Arc<Self>>) {
        let content = self.content();
        (content.attributes.clone(), content.nodes.clone())
    }

    /// A copy that shares nothing with this one and has no parent.
    fn copy(&self) -> Arc<Self> {
        let (attributes, nodes) = self.children();
        let (name, text) = {
            let content = self.content();
            (content.name.clone(), Arc::clone(&content.text))
        };
        let copies = |cells: Vec<Arc<Self>>| cells.iter().map(|cell| cell.copy()).collect();
        let (attributes, nodes) = (copies(attributes), copies(nodes));
        Self::new(self.kind, Content { name, text, attributes, nodes })
    }

    /// How deep elements are nested in it, itself counted.
    fn height(&self) -> usize {
        let (_, nodes) = self.children();
        let inner = nodes.iter().filter(|node| node.kind == Kind::Element);
        inner.map(|node| node.height()).max().unwrap_or(0).saturating_add(1)
    }

    /// What was read, as a tree.
    fn grown(nodes: &[Node]) -> Vec<Arc<Self>> {
        let text = |kind, text: &Arc<str>| Self::of(kind, Name::none(), Arc::clone(text));
        let grown = nodes.iter().map(|node| match node {
            Node::Element(element) => Self::element(element),
            Node::Text(data) => text(Kind::Text, data),
            Node::Data(data) => text(Kind::Data, data),
            Node::Comment(data) => text(Kind::Comment, data),
        });
        grown.collect()
    }

    fn element(element: &Element) -> Arc<Self> {
        let attributes = element.attributes.iter().map(|attribute| {
            let mut name = attribute.name.clone();
            if attribute.prefix.is_none() {
                // Of `xmlns` itself only the writing says that it declares a namespace.
                name.namespace = Arc::from("");
            }
            Self::of(Kind::Attribute, name, Arc::clone(&attribute.value))
        });
        let content = Content {
            name: element.name.clone(),
            text: Arc::from(""),
            attributes: attributes.collect(),
            nodes: Self::grown(&element.nodes),
        };
        Self::new(Kind::Element, content)
    }
}

impl Held {
    /// A node that is in nothing and holds nothing.
    pub fn new(kind: Kind, name: Name, text: Arc<str>) -> Self {
        Self::top(Cell::of(kind, name, text))
    }

    /// The document that was read.
    pub fn document(document: &Document) -> Self {
        let content = Content {
            name: Name::none(),
            text: document.declaration.clone().unwrap_or_default(),
            attributes: Vec::new(),
            nodes: Cell::grown(&document.nodes),
        };
        Self::top(Cell::new(Kind::Document, content))
    }

    /// The element that was read, in no document.
    pub fn element(element: &Element) -> Self {
        Self::top(Cell::element(element))
    }

    fn top(node: Arc<Cell>) -> Self {
        let top = Arc::clone(&node);
        Self { node, top }
    }

    fn beside(&self, node: Arc<Cell>) -> Self {
        Self { node, top: Arc::clone(&self.top) }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.node.kind
    }

    /// The name of an element or an attribute.
    pub fn name(&self) -> Name {
        self.node.content().name.clone()
    }

    /// Gives it another name.
    pub fn set_name(&self, name: Name) {
        self.node.content().name = name;
    }

    /// The text of a text or a comment, the value of an attribute.
    pub fn text(&self) -> Arc<str> {
        Arc::clone(&self.node.content().text)
    }

    /// Gives it another text.
    pub fn set_text(&self, text: Arc<str>) {
        self.node.content().text = text;
    }

    /// What tells this node from others.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.node).addr()
    }

    /// How many nodes and attributes there are in it and below, itself counted.
    pub fn extent(&self) -> usize {
        self.node.extent()
    }

    /// How deep elements are nested in it, itself counted.
    pub fn height(&self) -> usize {
        self.node.height()
    }

    /// What it is in.
    pub fn parent(&self) -> Option<Self> {
        let parent = self.node.parent().upgrade()?;
        Some(self.beside(parent))
    }

    /// What it is in, what that is in, and so on.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The attributes of an element, in order.
    pub fn attributes(&self) -> Vec<Self> {
        let cells = self.node.content().attributes.clone();
        cells.into_iter().map(|cell| self.beside(cell)).collect()
    }

    /// What is in it, in order.
    pub fn nodes(&self) -> Vec<Self> {
        let cells = self.node.content().nodes.clone();
        cells.into_iter().map(|cell| self.beside(cell)).collect()
    }

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        self.node.content().nodes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its place among the nodes of its parent.
    pub fn place(&self) -> Option<usize> {
        let parent = self.node.parent().upgrade()?;
        let content = parent.content();
        content.nodes.iter().position(|cell| Arc::ptr_eq(cell, &self.node))
    }

    /// Node `place` in it.
    pub fn node(&self, place: usize) -> Option<Self> {
        let cell = self.node.content().nodes.get(place).cloned()?;
        Some(self.beside(cell))
    }

    /// A copy of it and of all that is in it, which is in nothing.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::top(self.node.copy())
    }

    /// Puts `child`, which is in nothing and does not hold this, at `place`; attributes come last.
    pub fn attach(&self, place: usize, child: &Self) {
        *child.node.parent() = Arc::downgrade(&self.node);
        self.grow(|extent| extent.saturating_add(child.extent()));
        let mut content = self.node.content();
        let cell = Arc::clone(&child.node);
        if child.kind() == Kind::Attribute {
            content.attributes.push(cell);
        } else {
            let place = place.min(content.nodes.len());
            content.nodes.insert(place, cell);
        }
    }

    /// Takes it out of what it is in; says whether it was in something.
    pub fn detach(&self) -> bool {
        let parent = take(&mut *self.node.parent()).upgrade();
        let Some(parent) = parent.map(|parent| self.beside(parent)) else { return false };
        {
            let mut content = parent.node.content();
            let cells = if self.kind() == Kind::Attribute {
                &mut content.attributes
            } else {
                &mut content.nodes
            };
            if let Some(place) = cells.iter().position(|cell| Arc::ptr_eq(cell, &self.node)) {
                cells.remove(place);
            }
        }
        parent.grow(|extent| extent.saturating_sub(self.extent()));
        true
    }

    /// Takes each of `nodes` out of what it is in, up to the first that is in nothing; says whether
    /// there was none such.
    pub fn detach_all(nodes: &[Self]) -> bool {
        let mut parents: HashMap<usize, Self> = HashMap::new();
        let mut is_whole = true;
        for node in nodes {
            let parent = take(&mut *node.node.parent()).upgrade();
            let Some(parent) = parent.map(|parent| node.beside(parent)) else {
                is_whole = false;
                break;
            };
            parent.grow(|extent| extent.saturating_sub(node.extent()));
            parents.entry(parent.address()).or_insert(parent);
        }
        for parent in parents.into_values() {
            let owner = Arc::as_ptr(&parent.node);
            let stays = |cell: &Arc<Cell>| std::ptr::eq(cell.parent().as_ptr(), owner);
            let mut content = parent.node.content();
            content.attributes.retain(stays);
            content.nodes.retain(stays);
        }
        is_whole
    }

    /// Takes out all that is in it but attributes.
    pub fn remove_nodes(&self) {
        let cells = take(&mut self.node.content().nodes);
        self.release(&cells);
    }

    /// Takes out all its attributes.
    pub fn remove_attributes(&self) {
        let cells = take(&mut self.node.content().attributes);
        self.release(&cells);
    }

    /// Lets go of what was taken out.
    fn release(&self, cells: &[Arc<Cell>]) {
        let mut gone: usize = 0;
        for cell in cells {
            *cell.parent() = Weak::new();
            gone = gone.saturating_add(cell.extent());
        }
        self.grow(|extent| extent.saturating_sub(gone));
    }

    /// Changes the extent of this and of all that it is in.
    fn grow(&self, change: impl Fn(usize) -> usize) {
        for node in std::iter::once(self.clone()).chain(self.ancestors()) {
            node.node.extent.store(change(node.extent()), Ordering::Relaxed);
        }
    }
}
