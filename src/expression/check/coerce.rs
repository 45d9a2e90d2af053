//! Values where another type is wanted.

use super::{Checker, Typed};
use crate::expression::eval::cast;
use crate::expression::eval::node::{Access, Link, Node, NodeKind, Step};
use crate::expression::members::{self, MemberKind};
use crate::expression::scope::Side;
use crate::expression::types::{Class, Type, explicit, implicit};
use crate::expression::value::Value;

impl Checker {
    /// `typed` as a `to`, or a fault that says that `what` must be one.
    pub(super) fn coerce(&mut self, typed: Typed, to: &Type, what: &str) -> Node {
        if fits(&typed, to) {
            return self.converted(typed, to);
        }
        if matches!(typed.ty, Type::Void) {
            let message = format!("{what} must be {to}, and this gives nothing");
            self.wrong(&typed.span, message, None);
            return typed.node;
        }
        let from = &typed.ty;
        let remedy = if *from == Type::Null {
            Some(format!("a {to} cannot be null; write `{to}?` where it can"))
        } else if *to == Type::String {
            Some("add `.ToString()`".to_owned())
                .filter(|_| *from != Type::Object)
                .or_else(|| Some("cast it: `(string)…`, or add `.ToString()`".to_owned()))
        } else if explicit(from, to) {
            Some(format!("cast it: `({to})…`"))
        } else if *from == Type::String && to.is_number() {
            Some(format!("parse it: `{to}.Parse(…)`"))
        } else {
            None
        };
        let message = format!("{what} must be {to}, not {from}");
        self.wrong(&typed.span, message, remedy);
        typed.node
    }

    /// `typed` in the form that a `to` has; that it fits was found before.
    pub(super) fn converted(&mut self, typed: Typed, to: &Type) -> Node {
        let at = typed.span.start;
        // What is only a way to a message becomes the message.
        let open = matches!(to, Type::Object | Type::Unknown);
        if let Type::Class(class) = typed.ty {
            let whole = match class {
                Class::RequestBody => Some(NodeKind::Body(Side::Request)),
                Class::ResponseBody => Some(NodeKind::Body(Side::Response)),
                Class::ContextResponse => Some(NodeKind::Response),
                _ => None,
            };
            if matches!(class, Class::Url | Class::OriginalUrl) && open {
                return url_text(class, typed.node);
            }
            if let Some(kind) = whole
                && (open || class.same_as().as_ref() == Some(to))
            {
                self.reads.request_body |= class == Class::RequestBody;
                self.reads.response_body |= class != Class::RequestBody;
                return Node::new(kind, at);
            }
        }
        if let Some(Value::Char(character)) = typed.node.constant()
            && *to.bare() == Type::String
        {
            return Node::new(NodeKind::Constant(Value::text(character.to_string())), at);
        }
        if !changes(&typed.ty, to) {
            return typed.node;
        }
        if let Some(value) = typed.node.constant()
            && let Ok(value) = cast(value.clone(), to)
        {
            return Node::new(NodeKind::Constant(value), at);
        }
        let value = Box::new(typed.node);
        Node::new(NodeKind::Convert { value, to: to.clone(), boxed: false }, at)
    }
}

/// A URL as its text: that is all that can be kept of it.
fn url_text(class: Class, url: Node) -> Node {
    let at = url.at;
    let found = members::candidates(&Type::Class(class), "ToString", &[MemberKind::Method]);
    let Some(member) = found.first().map(|found| found.member) else { return url };
    let access = Access { member, arguments: Vec::new(), types: Vec::new(), at };
    let link = Link { conditional: false, step: Step::Access(access), at };
    Node::new(NodeKind::Path(Box::new(url), vec![link]), at)
}

/// Whether `typed` becomes a `to` by itself. A constant `int` becomes every number that holds it.
pub(super) fn fits(typed: &Typed, to: &Type) -> bool {
    if implicit(&typed.ty, to).is_some() {
        return true;
    }
    let number = match typed.node.constant() {
        Some(Value::Int(number)) => number,
        // Who writes '0' where a string belongs means the string, as with 'Retry-After'.
        Some(Value::Char(_)) => return *to.bare() == Type::String,
        _ => return false,
    };
    match to.bare() {
        Type::Byte => u8::try_from(*number).is_ok(),
        Type::UInt | Type::ULong => *number >= 0,
        Type::Enumeration(_) => *number == 0,
        _ => false,
    }
}

/// Whether a value has another form as a `to` than as a `from`.
fn changes(from: &Type, to: &Type) -> bool {
    if from == to || matches!(to, Type::Object | Type::Unknown | Type::Void) {
        return false;
    }
    if from.is_open() {
        return true;
    }
    match to.bare() {
        Type::Class(Class::JToken) => !matches!(from.bare(), Type::Class(class) if class.is_json()),
        Type::Class(Class::DateTimeOffset | Class::XName | Class::XNamespace) => true,
        to => to.is_number() && from.bare() != to,
    }
}
