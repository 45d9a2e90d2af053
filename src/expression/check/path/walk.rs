//! A path under way: the value so far and the links to it.

use crate::expression::ast::Span;
use crate::expression::check::{Typed, is_way};
use crate::expression::eval::node::{self, Access, Node, NodeKind, Step};
use crate::expression::members::Run;
use crate::expression::types::{Enumeration, Type};
use crate::expression::value::Value;

/// A path as far as it was read.
pub(super) struct Walk {
    pub(super) first: Node,
    pub(super) links: Vec<node::Link>,
    pub(super) ty: Type,
    /// Whether a `?` was passed, so that the whole can be null.
    pub(super) conditional: bool,
    pub(super) span: Span,
}

impl Walk {
    pub(super) fn new(typed: Typed) -> Self {
        let Typed { node, ty, span } = typed;
        match node.kind {
            // A path in parentheses that cannot end early goes on.
            NodeKind::Path(first, links) if links.iter().all(|link| !link.conditional) => {
                Self { first: *first, links, ty, conditional: false, span }
            }
            kind => {
                let first = Node { kind, at: node.at };
                Self { first, links: Vec::new(), ty, conditional: false, span }
            }
        }
    }

    /// Goes on to a member.
    pub(super) fn member(mut self, access: Access, result: Type, conditional: bool) -> Self {
        let at = access.at;
        let is_known = self.links.is_empty() && self.first.constant().is_some();
        // Below what cannot be null, a part of `context` is read at once.
        if let (Run::Context(part), true) = (access.member.run, is_known) {
            self.first = Node::new(NodeKind::Context(part), at);
            self.ty = result;
            return self;
        }
        // `context.Request.Url` and its like have no value: they are only on the way.
        if let Type::Class(class) = result
            && is_way(class)
            && is_known
        {
            self.first = Node::new(NodeKind::Constant(Value::text(class.name())), at);
            self.ty = result;
            return self;
        }
        if access.member.is_lookup() {
            self = self.without_whole();
            if let Some(arguments) = self.known(&access) {
                let Access { member, types, .. } = access;
                let lookup = node::Lookup { member, arguments, types };
                self.first = Node::new(NodeKind::Lookup(Box::new(lookup)), at);
                self.ty = result;
                return self;
            }
        }
        self.push(Step::Access(access), conditional, at, result);
        self
    }

    pub(super) fn push(&mut self, step: Step, conditional: bool, at: usize, ty: Type) {
        self.links.push(node::Link { conditional, step, at });
        self.ty = ty;
    }

    /// The path after a fault: anything may follow.
    pub(super) fn lost(mut self) -> Self {
        self.first = Node::new(NodeKind::Constant(Value::Null), self.first.at);
        self.links.clear();
        self.ty = Type::Unknown;
        self
    }

    /// An enumeration's value as its name.
    pub(super) fn named(self, of: Enumeration, at: usize) -> Self {
        let kind = NodeKind::Path(Box::new(self.first), self.links);
        let value = Node::new(kind, at);
        let text = node::Text { value, names: Some(of), format: None, alignment: None };
        let first = Node::new(NodeKind::Text(Box::new(text)), at);
        let (conditional, span) = (self.conditional, self.span);
        Self { first, links: Vec::new(), ty: Type::String, conditional, span }
    }

    /// What a member is given, if all of that is known.
    fn known(&self, access: &Access) -> Option<Vec<Value>> {
        if !self.links.is_empty() {
            return None;
        }
        let given = std::iter::once(&self.first).chain(&access.arguments);
        given.map(|node| node.constant().cloned()).collect()
    }

    /// Leaves out a dictionary that is only looked into, but not the question whether what it
    /// belongs to is null.
    pub(super) fn without_whole(mut self) -> Self {
        let whole = matches!(self.ty, Type::Class(class) if class.same_as().is_some());
        let Some(last) = self.links.pop_if(|last| whole && is_whole(&last.step)) else {
            return self;
        };
        if !self.links.is_empty() || self.first.constant().is_none() {
            let step = Step::Present;
            self.links.push(node::Link { conditional: last.conditional, step, at: last.at });
        }
        self
    }
}

/// Whether the step makes a dictionary of `context`.
fn is_whole(step: &Step) -> bool {
    matches!(step, Step::Access(access) if matches!(access.member.run, Run::Call(_)))
}
