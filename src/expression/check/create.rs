//! `new`, in all its forms.

use std::sync::Arc;

use super::call::{Called, Resolved};
use super::path::only;
use super::{Checker, Typed};
use crate::expression::ast::{
    Argument, Expr, ExprKind, Initialiser, InitialiserTarget, LinkKind, Name, Span, TypeName,
};
use crate::expression::eval::default_of;
use crate::expression::eval::node::{Access, Found, NodeKind};
use crate::expression::members::{self, MemberKind};
use crate::expression::types::{Class, Type, common};
use crate::expression::value::Value;

impl Checker {
    pub(super) fn creation(
        &mut self,
        of: &TypeName,
        arguments: &[Argument],
        initialiser: Option<&Initialiser>,
        span: &Span,
    ) -> Typed {
        let ty = self.named_type(of);
        if ty == Type::Unknown {
            // That there is no such type was said.
            self.dynamic_arguments(arguments);
            return Typed::unknown(span);
        }
        let name = Name { text: format!("new {ty}").into(), span: of.span.clone() };
        let kinds = [MemberKind::Constructor];
        if let Type::Tuple(parts) = &ty {
            let wanted: Vec<Type> = parts.iter().map(|(_, part)| part.clone()).collect();
            let nodes = self.function_arguments(&wanted, arguments, span);
            return Typed::new(NodeKind::Tuple(nodes), ty, span);
        }
        if let (Type::Function(..), [function]) = (&ty, arguments) {
            let typed = self.value_for(&function.value, &ty);
            let node = self.coerce(typed, &ty, "the function");
            return Typed { node, ty, span: span.clone() };
        }
        let is_sorted = of.path.rsplit('.').next().is_some_and(|name| name.starts_with("Sorted"));
        let constructor = if is_sorted { members::SORTED } else { "new" };
        let candidates = members::candidates(&ty, constructor, &kinds);
        if candidates.is_empty() {
            if !ty.is_open() {
                self.wrong(&of.span, format!("a {ty} cannot be made with `new`"), None);
            }
            self.dynamic_arguments(arguments);
            return Typed { ty, ..Typed::unknown(span) };
        }
        let called = Called { name: &name, types: Vec::new(), span: span.clone() };
        let Some(resolved) = self.resolve(&candidates, &called, arguments) else {
            return Typed { ty, ..Typed::unknown(span) };
        };
        let Resolved { member, arguments, types, .. } = resolved;
        self.reads.effects |= member.is_volatile();
        let access = Access { member, arguments, types, at: of.span.start };
        if ty == Type::Class(Class::Regex) {
            self.usable_pattern(&access, span);
        }
        let made = Typed::new(NodeKind::Static(access), ty, span);
        match initialiser {
            Some(initialiser) => self.initialised(made, initialiser, span),
            None => made,
        }
    }

    fn initialised(&mut self, made: Typed, initialiser: &Initialiser, span: &Span) -> Typed {
        let mut actions = Vec::new();
        match initialiser {
            Initialiser::Items(items) => {
                for (item, item_span) in items {
                    actions.extend(self.added(&made.ty, item, item_span));
                }
            }
            Initialiser::Members(members) => {
                for (target, value) in members {
                    actions.extend(self.initial_member(&made.ty, target, value));
                }
            }
        }
        let ty = made.ty;
        Typed::new(NodeKind::Create(Box::new(made.node), actions), ty, span)
    }

    /// `Add(item)` for each item of an initialiser.
    fn added(&mut self, ty: &Type, item: &[Expr], span: &Span) -> Option<Access> {
        let candidates = members::candidates(ty, "Add", &[MemberKind::Method]);
        let name = Name { text: "Add".into(), span: span.clone() };
        if candidates.is_empty() {
            self.wrong(span, format!("{ty} has no `Add`, so it cannot be filled so"), None);
            return None;
        }
        // The arguments are expressions without names; the call rules are the same.
        let values: Vec<Typed> = item.iter().map(|item| self.value(item)).collect();
        let called = Called { name: &name, types: Vec::new(), span: span.clone() };
        let Resolved { member, arguments, types, .. } =
            self.resolve_typed(&candidates, &called, values)?;
        Some(Access { member, arguments, types, at: span.start })
    }

    fn initial_member(
        &mut self,
        ty: &Type,
        target: &InitialiserTarget,
        value: &Expr,
    ) -> Option<Access> {
        let (member, mut arguments, wanted, at) = match target {
            InitialiserTarget::Index(keys, span) => {
                let probe = Typed::new(NodeKind::Local(usize::MAX), ty.clone(), span);
                let (found, nodes, wanted) =
                    self.indexer(&probe, keys, MemberKind::SetIndex, span)?;
                let Found::Member(member) = found else { return None };
                (member, nodes, wanted, span.start)
            }
            InitialiserTarget::Name(name) => {
                let found = only(ty, &name.text, MemberKind::SetProperty);
                let Some((member, signature)) = found else {
                    let message = format!("{ty} has no `{}` that can be set", name.text);
                    self.wrong(&name.span, message, None);
                    self.value(value);
                    return None;
                };
                let wanted = signature.parameters.first().map(|value| value.ty.clone())?;
                (member, Vec::new(), wanted, name.span.start)
            }
        };
        let typed = self.value_for(value, &wanted);
        arguments.push(self.coerce(typed, &wanted, "the value"));
        Some(Access { member, arguments, types: Vec::new(), at })
    }

    pub(super) fn array(
        &mut self,
        of: Option<&TypeName>,
        (length, items): (Option<&Expr>, Option<&[Expr]>),
        wanted: &Type,
        span: &Span,
    ) -> Typed {
        let named = of.map(|of| self.named_type(of));
        let item = named.or_else(|| match wanted {
            Type::Array(item) => Some((**item).clone()),
            _ => None,
        });
        let Some(items) = items else {
            let ty = item.unwrap_or(Type::Unknown);
            let Some(length) = length else { return Typed::unknown(span) };
            let typed = self.value(length);
            let length = Box::new(self.coerce(typed, &Type::Int, "the length"));
            return Typed::new(NodeKind::ArrayOf(length, default_of(&ty)), ty.array(), span);
        };
        let hint = item.clone().unwrap_or(Type::Unknown);
        let typed: Vec<Typed> = items.iter().map(|value| self.value_for(value, &hint)).collect();
        let ty = item.unwrap_or_else(|| self.best_type(&typed, span));
        let nodes = typed.into_iter().map(|typed| self.coerce(typed, &ty, "the item")).collect();
        if let Some(length) = length {
            let typed = self.value(length);
            let wanted = typed.node.constant().and_then(|length| length.int().ok());
            let is_length =
                wanted.and_then(|wanted| usize::try_from(wanted).ok()) == Some(items.len());
            if wanted.is_some() && !is_length {
                let message = format!("there are {} items, not as many as written", items.len());
                self.wrong(&typed.span, message, Some("leave out the length".to_owned()));
            }
        }
        Typed::new(NodeKind::Array(nodes), ty.array(), span)
    }

    /// The type that all items become.
    fn best_type(&mut self, items: &[Typed], span: &Span) -> Type {
        let mut best: Option<Type> = None;
        for item in items {
            let before = best.unwrap_or(Type::Never);
            let Some(both) = common(&before, &item.ty) else {
                let message = format!("the items are {before} and {}", item.ty);
                let remedy = Some("write `new object[] { … }`".to_owned());
                self.wrong(&item.span, message, remedy);
                return Type::Unknown;
            };
            best = Some(both);
        }
        match best {
            Some(Type::Null) | None => {
                let remedy = Some("name it, for example `new string[0]`".to_owned());
                self.wrong(span, "the type of the items is not known", remedy);
                Type::Unknown
            }
            Some(best) => best,
        }
    }

    pub(super) fn record(&mut self, members: &[(Name, Expr)], span: &Span) -> Typed {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut nodes = Vec::new();
        let mut parts = Vec::new();
        for (name, value) in members {
            if names.iter().any(|known| **known == *name.text) {
                let message = format!("a member called `{}` already exists here", name.text);
                self.wrong(&name.span, message, None);
            }
            let typed = self.value(value);
            let name: Arc<str> = Arc::from(&*name.text);
            parts.push((Arc::clone(&name), typed.ty.clone()));
            names.push(name);
            nodes.push(self.converted(typed, &Type::Object));
        }
        Typed::new(NodeKind::Record(names.into(), nodes), Type::Record(parts.into()), span)
    }

    pub(super) fn tuple(
        &mut self,
        parts: &[(Option<Name>, Expr)],
        wanted: &Type,
        span: &Span,
    ) -> Typed {
        let mut nodes = Vec::new();
        let mut found = Vec::new();
        for (place, (name, value)) in parts.iter().enumerate() {
            let mut hint = Type::Unknown;
            if let Type::Tuple(wanted) = wanted
                && let Some((_, part)) = wanted.get(place)
            {
                hint = part.clone();
            }
            let typed = self.value_for(value, &hint);
            let fits = !hint.is_open() && super::coerce::fits(&typed, &hint);
            let ty = if fits { hint } else { typed.ty.clone() };
            let name = name.as_ref().or_else(|| inferred_name(value));
            let name: Option<Arc<str>> = name.map(|name| Arc::from(&*name.text));
            // Of two parts that would be called alike by themselves, neither is.
            let same = |(known, _): &(Option<Arc<str>>, Type)| name.is_some() && *known == name;
            let name = if found.iter().any(same) { None } else { name };
            found.push((name, ty.clone()));
            nodes.push(self.converted(typed, &ty));
        }
        if nodes.len() < 2 {
            self.wrong(span, "a tuple needs two parts", None);
        }
        Typed::new(NodeKind::Tuple(nodes), Type::Tuple(found.into()), span)
    }

    /// A constant for a parameter that is left out.
    pub(super) fn constant_for(&mut self, expr: &Expr, ty: &Type) -> Value {
        let typed = self.value_for(expr, ty);
        let span = typed.span.clone();
        let node = self.coerce(typed, ty, "the default");
        if node.constant().is_none() {
            self.wrong(&span, "a default must be a constant", None);
        }
        node.constant().cloned().unwrap_or_default()
    }
}

/// The name that a part of a tuple has by itself: that of the variable or member.
fn inferred_name(value: &Expr) -> Option<&Name> {
    match &value.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Path { links, .. } => match &links.last()?.kind {
            LinkKind::Member { name, .. } => Some(name),
            LinkKind::Call(_) | LinkKind::Index(_) => None,
        },
        _ => None,
    }
}
