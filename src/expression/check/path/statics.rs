//! Members of types: `int.Parse(…)`, `DateTime.UtcNow`.

use super::only;
use super::walk::Walk;
use crate::expression::ast::{Argument, Expr, Link, LinkKind, Span};
use crate::expression::check::call::{Called, Resolved};
use crate::expression::check::{Checker, Typed};
use crate::expression::eval::node::{Access, NodeKind};
use crate::expression::members::{self, MemberKind};
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;

impl Checker {
    /// `Type.member` and `Type.member(…)`, and how many links that is.
    pub(super) fn static_member(
        &mut self,
        ty: &Type,
        links: &[Link],
        span: &Span,
    ) -> Option<(Typed, usize)> {
        let Some(Link { kind: LinkKind::Member { name, types }, .. }) = links.first() else {
            self.wrong(span, format!("`{ty}` is a type, not a value"), None);
            return None;
        };
        if let Type::Enumeration(of) = ty {
            let Some(number) = of.number(&name.text) else {
                let message = format!("{} has no member `{}`", of.name(), name.text);
                let known: Vec<&str> = of.members().iter().map(|(name, _)| *name).collect();
                self.unknown_name(name, message, &known);
                return None;
            };
            return Some((Typed::constant(Value::Int(number), ty.clone(), &name.span), 1));
        }
        if let Some(Link { kind: LinkKind::Call(arguments), span: call, .. }) = links.get(1) {
            let types = types.iter().map(|of| self.named_type(of)).collect();
            let called = Called { name, types, span: name.span.start..call.end };
            return Some((self.static_call(ty, &called, arguments)?, 2));
        }
        let found = only(ty, &name.text, MemberKind::StaticProperty);
        let Some((member, signature)) = found else {
            self.no_static_member(ty, name, false);
            return None;
        };
        self.note(ty, member);
        let at = name.span.start;
        let access = Access { member, arguments: Vec::new(), types: Vec::new(), at };
        let typed = Typed::new(NodeKind::Static(access), signature.result, &name.span);
        Some((Self::folded(typed), 1))
    }

    fn static_call(
        &mut self,
        ty: &Type,
        called: &Called<'_>,
        arguments: &[Argument],
    ) -> Option<Typed> {
        let Called { name, span, .. } = called;
        let candidates = members::candidates(ty, &name.text, &[MemberKind::StaticMethod]);
        if *ty == Type::Class(Class::Enumerable)
            && candidates.is_empty()
            && let Some((source, arguments)) = arguments.split_first()
            && source.name.is_none()
        {
            return self.linq_call(called, &source.value, arguments);
        }
        if candidates.is_empty() {
            self.no_static_member(ty, name, true);
            self.dynamic_arguments(arguments);
            return None;
        }
        let resolved = self.resolve(&candidates, called, arguments)?;
        self.note(ty, resolved.member);
        let access = Access {
            member: resolved.member,
            arguments: resolved.arguments,
            types: resolved.types,
            at: name.span.start,
        };
        if *ty == Type::Class(Class::TimeZoneInfo) {
            self.known_zone(&access, span);
        }
        let access = if *ty == Type::Class(Class::Regex) {
            self.compiled_pattern(access, span)
        } else {
            access
        };
        Some(Self::folded(Typed::new(NodeKind::Static(access), resolved.result, span)))
    }

    /// `Enumerable.ToList(source)`: the same as `source.ToList()`.
    fn linq_call(
        &mut self,
        called: &Called<'_>,
        source: &Expr,
        arguments: &[Argument],
    ) -> Option<Typed> {
        let Called { name, span, .. } = called;
        let source = self.value(source);
        let Some(element) = source.ty.element() else {
            let message = format!("`{}` takes a sequence, not {}", name.text, source.ty);
            self.wrong(&source.span, message, None);
            self.dynamic_arguments(arguments);
            return None;
        };
        let candidates = members::linq(&element, &name.text);
        if candidates.is_empty() {
            self.no_static_member(&Type::Class(Class::Enumerable), name, true);
            self.dynamic_arguments(arguments);
            return None;
        }
        let resolved = self.resolve(&candidates, called, arguments)?;
        let Resolved { member, arguments, types, result } = resolved;
        let access = Access { member, arguments, types, at: name.span.start };
        let walk = Walk::new(source).member(access, result, false);
        Some(Typed::new(NodeKind::Path(Box::new(walk.first), walk.links), walk.ty, span))
    }
}
