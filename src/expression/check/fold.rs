//! Constants: what can be computed at load is.

use std::sync::Arc;

use super::{Checker, Typed};
use crate::certificate::Certificate;
use crate::expression::eval::Machine;
use crate::expression::eval::node::{Access, Body, Node, NodeKind, Program, Step};
use crate::expression::scope::{BodyRead, ContextMember, Scope, Side, UrlSide};
use crate::expression::value::Value;

/// The longest text that is kept as a constant, in bytes.
const CONSTANT_BYTES_MAX: usize = 64 * 1024;

/// What constants are computed over: there is no request, and nothing asks for one.
struct NoRequest;

impl Scope for NoRequest {
    fn member(&mut self, _member: ContextMember) -> Value {
        Value::Null
    }
    fn header_values(&self, _side: Side, _name: &str, _each: &mut dyn FnMut(&str)) {}
    fn headers(&self, _side: Side, _each: &mut dyn FnMut(&str, &str)) {}
    fn query_values(&self, _url: UrlSide, _name: &str, _each: &mut dyn FnMut(&str)) {}
    fn query(&self, _url: UrlSide, _each: &mut dyn FnMut(&str, &str)) {}
    fn matched_parameter(&self, _name: &str) -> Option<Arc<str>> {
        None
    }
    fn matched_parameters(&self, _each: &mut dyn FnMut(&str, &str)) {}
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }
    fn variable_names(&self, _each: &mut dyn FnMut(&str)) {}
    fn body(&mut self, _side: Side, _preserve: bool) -> BodyRead {
        BodyRead::Absent
    }
    fn trace(&mut self, _message: &str) {}
    fn now(&self) -> i64 {
        0
    }
    fn vouches(&self, _certificate: &Certificate, _asks_revocation: bool) -> bool {
        false
    }

    fn random(&mut self) -> u64 {
        0
    }
}

impl Checker {
    /// `typed`, computed if its parts are constants. What throws is left for the run.
    pub(super) fn folded(typed: Typed) -> Typed {
        if typed.node.constant().is_some() || !is_constant(&typed.node) {
            return typed;
        }
        let Typed { node, ty, span } = typed;
        let body = Body::Value(node);
        let program = Program { body, slots: 0, functions: Vec::new(), places: false };
        let computed = Machine::new(&program, &mut NoRequest).run();
        match (computed, program.body) {
            (Ok(value), _) if can_be_kept(&value) => Self::kept(value, ty, &span),
            (_, Body::Value(node)) => Typed { node, ty, span },
            (_, Body::Block(_)) => Typed::unknown(&span),
        }
    }

    const fn kept(value: Value, ty: crate::expression::types::Type, span: &super::Span) -> Typed {
        let node = Node::new(NodeKind::Constant(value), span.start);
        Typed { node, ty, span: span.start..span.end }
    }
}

/// Whether the node is computed from constants alone. Only one level is looked at: parts were
/// folded before.
fn is_constant(node: &Node) -> bool {
    let constant = |node: &Node| node.constant().is_some();
    let access = |access: &Access| access.member.pure && access.arguments.iter().all(constant);
    match &node.kind {
        NodeKind::Concat(parts) | NodeKind::All(parts) | NodeKind::Any(parts) => {
            parts.iter().all(constant)
        }
        NodeKind::Text(text) => {
            constant(&text.value) && text.alignment.as_ref().is_none_or(constant)
        }
        NodeKind::Operate(first, rest) => constant(first) && rest.iter().all(|(_, n)| constant(n)),
        NodeKind::Unary(_, operand) | NodeKind::Exact(operand, _) => constant(operand),
        NodeKind::Checked(_, operands) => operands.iter().all(constant),
        NodeKind::Convert { value, .. } => constant(value),
        NodeKind::Conditional(parts) => parts.iter().all(constant),
        NodeKind::Static(of) => access(of),
        NodeKind::Path(first, links) => {
            constant(first)
                && links.iter().all(|link| match &link.step {
                    Step::Access(of) => access(of),
                    _ => false,
                })
        }
        _ => false,
    }
}

/// Whether every evaluation may be given the same value: one that never changes.
fn can_be_kept(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= CONSTANT_BYTES_MAX,
        Value::Null
        | Value::Bool(_)
        | Value::Char(_)
        | Value::Byte(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Long(_)
        | Value::ULong(_)
        | Value::Double(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::DateTime(_)
        | Value::DateTimeOffset(_)
        | Value::TimeSpan(_)
        | Value::Guid(_)
        | Value::Regex(_)
        | Value::Uri(_)
        | Value::Encoding(_) => true,
        Value::Bytes(bytes) => bytes.len() <= CONSTANT_BYTES_MAX,
        _ => false,
    }
}
