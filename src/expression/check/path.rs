//! Paths: what each name after a dot means.

mod faults;
mod statics;
mod walk;

use self::walk::Walk;
use super::call::{Called, Resolved};
use super::{Checker, Meaning, Typed};
use crate::expression::ast::{Argument, Expr, ExprKind, Link, LinkKind, Name, Span};
use crate::expression::eval::node::{Access, How, NodeKind, Step};
use crate::expression::members::{self, Member, MemberKind, Run};
use crate::expression::scope::ContextMember;
use crate::expression::types::{Class, Type, named};

/// What a path starts with.
enum Start {
    Value(Typed),
    Type(Type),
    Wrong,
}

impl Checker {
    pub(super) fn path(&mut self, first: &Expr, links: &[Link], span: &Span) -> Typed {
        let (start, used) = self.start(first, links);
        let rest = links.get(used..).unwrap_or(&[]);
        let (walk, used) = match start {
            Start::Wrong => {
                self.arguments_only(rest);
                return Typed::unknown(span);
            }
            Start::Value(typed) => (Walk::new(typed), 0),
            Start::Type(ty) => {
                let Some((typed, used)) = self.static_member(&ty, rest, span) else {
                    self.arguments_only(rest);
                    return Typed::unknown(span);
                };
                (Walk::new(typed), used)
            }
        };
        self.walk(walk, rest.get(used..).unwrap_or(&[]), span)
    }

    /// Looks for faults in what follows a fault.
    fn arguments_only(&mut self, links: &[Link]) {
        for link in links {
            if let LinkKind::Call(arguments) | LinkKind::Index(arguments) = &link.kind {
                for argument in arguments {
                    if let ExprKind::Out { declared: Some(_), name } = &argument.value.kind {
                        self.variable(name, Type::Unknown, true);
                    } else if !matches!(
                        argument.value.kind,
                        ExprKind::Lambda { .. } | ExprKind::Out { .. }
                    ) {
                        self.value(&argument.value);
                    }
                }
            }
        }
    }

    /// What the path starts with, and how many links belong to that.
    fn start(&mut self, first: &Expr, links: &[Link]) -> (Start, usize) {
        if let ExprKind::TypeKeyword(name) = &first.kind {
            return (named(&name.text).map_or(Start::Wrong, Start::Type), 0);
        }
        let ExprKind::Name(name) = &first.kind else {
            return (Start::Value(self.value(first)), 0);
        };
        if let Some(Meaning::Function { index, signature }) = self.lookup(&name.text).cloned()
            && let Some(Link { kind: LinkKind::Call(arguments), .. }) = links.first()
        {
            return (Start::Value(self.local_call(index, &signature, arguments, &first.span)), 1);
        }
        if self.lookup(&name.text).is_some() || &*name.text == "context" {
            return (Start::Value(self.name(name)), 0);
        }
        if let Some((ty, used)) = type_prefix(name, links) {
            return (Start::Type(ty), used);
        }
        self.name(name);
        (Start::Wrong, 0)
    }

    /// Whether `expr` names a method without calling it: `char.IsDigit`, or a local function.
    pub(super) fn is_method_group(&self, expr: &Expr) -> bool {
        let (first, links) = match &expr.kind {
            ExprKind::Name(name) => {
                return matches!(self.lookup(&name.text), Some(Meaning::Function { .. }));
            }
            ExprKind::Path { first, links } => (first, links),
            _ => return false,
        };
        let Some((Link { kind: LinkKind::Member { name: method, .. }, .. }, before)) =
            links.split_last()
        else {
            return false;
        };
        let ty = match &first.kind {
            ExprKind::TypeKeyword(name) if before.is_empty() => named(&name.text).ok(),
            ExprKind::Name(name) if self.lookup(&name.text).is_none() => {
                let prefix = type_prefix(name, before).filter(|(_, used)| *used == before.len());
                prefix.map(|(ty, _)| ty)
            }
            _ => None,
        };
        ty.is_some_and(|ty| {
            !members::candidates(&ty, &method.text, &[MemberKind::StaticMethod]).is_empty()
        })
    }

    fn walk(&mut self, mut walk: Walk, links: &[Link], span: &Span) -> Typed {
        let mut rest = links;
        while let Some((link, after)) = rest.split_first() {
            rest = after;
            if link.conditional {
                walk = self.pass_null(walk, &link.span);
            } else if let Type::Nullable(_) = &walk.ty
                && !matches!(link.kind, LinkKind::Member { .. })
            {
                walk.ty = walk.ty.bare().clone();
            }
            walk.span.end = link.span.end;
            match &link.kind {
                LinkKind::Member { name, types } => {
                    if let Some((Link { kind: LinkKind::Call(arguments), span, .. }, after)) =
                        rest.split_first()
                        && !is_function_member(&walk.ty, name)
                    {
                        rest = after;
                        walk.span.end = span.end;
                        let types = types.iter().map(|of| self.named_type(of)).collect();
                        let span = name.span.start..span.end;
                        let called = Called { name, types, span };
                        walk = self.method(walk, called, arguments, link.conditional);
                    } else {
                        walk = self.property(walk, name, link.conditional);
                    }
                }
                LinkKind::Index(arguments) => {
                    walk = self.index(walk, arguments, link);
                }
                LinkKind::Call(arguments) => walk = self.call_value(walk, arguments, link),
            }
        }
        let ty = if walk.conditional { walk.ty.nullable() } else { walk.ty };
        let kind = if walk.links.is_empty() {
            walk.first.kind
        } else {
            NodeKind::Path(Box::new(walk.first), walk.links)
        };
        Typed::new(kind, ty, span)
    }

    /// Goes through a `?`.
    fn pass_null(&mut self, mut walk: Walk, span: &Span) -> Walk {
        if walk.ty.is_value() && !matches!(walk.ty, Type::Nullable(_)) {
            let message = format!("{} is never null, so `?` has no use", walk.ty);
            self.wrong(span, message, Some("leave out the question mark".to_owned()));
        }
        walk.ty = walk.ty.bare().clone();
        walk.conditional = true;
        walk
    }

    fn property(&mut self, mut walk: Walk, name: &Name, conditional: bool) -> Walk {
        let at = name.span.start;
        if walk.ty.is_open() {
            self.places |= members::may_ask_for_places(&name.text);
            let step = Step::Dynamic {
                name: (&*name.text).into(),
                how: How::Get,
                arguments: Vec::new(),
                types: Vec::new(),
            };
            walk.push(step, conditional, at, Type::Unknown);
            return walk;
        }
        if let Some((place, ty)) = field(&walk.ty, &name.text) {
            walk.push(Step::Field(place), conditional, at, ty);
            return walk;
        }
        let found = only(&walk.ty, &name.text, MemberKind::Property);
        let Some((member, signature)) = found else {
            self.no_member(&walk.ty, name, false);
            return walk.lost();
        };
        self.note(&walk.ty, member);
        let access = Access { member, arguments: Vec::new(), types: Vec::new(), at };
        walk.member(access, signature.result, conditional)
    }

    fn method(
        &mut self,
        mut walk: Walk,
        called: Called<'_>,
        arguments: &[Argument],
        conditional: bool,
    ) -> Walk {
        let at = called.span.start;
        let name = called.name;
        if walk.ty.is_open() {
            let arguments = self.dynamic_arguments(arguments);
            self.places |= members::may_ask_for_places(&name.text);
            let (name, types) = ((&*name.text).into(), called.types);
            let step = Step::Dynamic { name, how: How::Call, arguments, types };
            walk.push(step, conditional, at, Type::Unknown);
            return walk;
        }
        let receiver = walk.ty.clone();
        if let (Type::Function(parameters, result), "Invoke") = (&receiver, &*name.text) {
            let nodes = self.function_arguments(parameters, arguments, &called.span);
            walk.push(Step::Invoke(nodes), conditional, at, (**result).clone());
            return walk;
        }
        let candidates = members::candidates(&receiver, &name.text, &[MemberKind::Method]);
        if candidates.is_empty() {
            self.no_member(&receiver, name, true);
            self.dynamic_arguments(arguments);
            return walk.lost();
        }
        let Some(resolved) = self.resolve(&candidates, &called, arguments) else {
            return walk.lost();
        };
        self.note(&receiver, resolved.member);
        let summed = resolved.result.bare();
        if name.text.as_ref() == "Sum" && !summed.is_number() && !summed.is_open() {
            let message = format!("{summed} cannot be summed up");
            self.wrong(&called.span, message, Some("choose a number: `.Sum(x => …)`".to_owned()));
        }
        if resolved.member.bare_name() == "ToString"
            && let Type::Enumeration(of) = receiver.bare()
        {
            return walk.named(*of, at);
        }
        let Resolved { member, arguments, types, result } = resolved;
        walk.member(Access { member, arguments, types, at }, result, conditional)
    }

    fn index(&mut self, mut walk: Walk, arguments: &[Argument], link: &Link) -> Walk {
        if walk.ty.is_open() {
            let arguments = self.dynamic_arguments(arguments);
            let how = How::Index;
            let step = Step::Dynamic { name: "[]".into(), how, arguments, types: Vec::new() };
            walk.push(step, link.conditional, link.span.start, Type::Unknown);
            return walk;
        }
        let candidates = members::candidates(&walk.ty, "[]", &[MemberKind::Index]);
        if candidates.is_empty() {
            let message = format!("{} cannot be indexed with `[]`", walk.ty);
            let remedy = (walk.ty == Type::Object)
                .then(|| "cast it first, for example `((JObject)…)[…]`".to_owned());
            self.wrong(&link.span, message, remedy);
            self.dynamic_arguments(arguments);
            return walk.lost();
        }
        let name = Name { text: "[]".into(), span: link.span.clone() };
        let called = Called { name: &name, types: Vec::new(), span: link.span.clone() };
        let resolved = self.resolve(&candidates, &called, arguments);
        let Some(resolved) = resolved else { return walk.lost() };
        self.note(&walk.ty, resolved.member);
        let Resolved { member, arguments, result, .. } = resolved;
        let access = Access { member, arguments, types: Vec::new(), at: link.span.start };
        walk.member(access, result, link.conditional)
    }

    /// Calls a value that is a function.
    fn call_value(&mut self, mut walk: Walk, arguments: &[Argument], link: &Link) -> Walk {
        let at = link.span.start;
        match walk.ty.clone() {
            Type::Function(parameters, result) => {
                let nodes = self.function_arguments(&parameters, arguments, &link.span);
                walk.push(Step::Invoke(nodes), link.conditional, at, (*result).clone());
                walk
            }
            ty if ty.is_open() => {
                let nodes = self.dynamic_arguments(arguments);
                walk.push(Step::Invoke(nodes), link.conditional, at, Type::Unknown);
                walk
            }
            ty => {
                self.wrong(&link.span, format!("{ty} cannot be called"), None);
                self.dynamic_arguments(arguments);
                walk.lost()
            }
        }
    }

    /// Remembers what using a member says about the whole expression.
    fn note(&mut self, owner: &Type, member: &Member) {
        self.reads.effects |= member.is_volatile();
        self.places |= member.asks_for_places();
        if let Run::Context(part) = member.run {
            self.reads.response |= part == ContextMember::Response;
        }
        let Type::Class(class) = owner.bare() else { return };
        match class {
            Class::RequestBody => self.reads.request_body = true,
            Class::ResponseBody => {
                self.reads.response = true;
                self.reads.response_body = true;
            }
            Class::ContextResponse | Class::ResponseHeaders => self.reads.response = true,
            Class::Variables => self.reads.variables = true,
            _ => {}
        }
    }
}

/// Whether `name` is a value that can be called, such as a part of a record.
fn is_function_member(ty: &Type, name: &Name) -> bool {
    matches!(field(ty, &name.text), Some((_, Type::Function(..))))
}

/// The one member of that name and kind.
pub(super) fn only(
    ty: &Type,
    name: &str,
    kind: MemberKind,
) -> Option<(&'static Member, members::Signature)> {
    let found = members::candidates(ty, name, &[kind]).into_iter().next()?;
    let (member, bound) = (found.member, found.bound);
    Some((member, member.signature()?.with(&bound)))
}

/// A part of a tuple or an anonymous object: its place and type.
fn field(ty: &Type, name: &str) -> Option<(usize, Type)> {
    match ty {
        Type::Record(parts) => {
            let place = parts.iter().position(|(known, _)| **known == *name)?;
            Some((place, parts.get(place)?.1.clone()))
        }
        Type::Tuple(parts) => {
            let by_name = parts.iter().position(|(known, _)| known.as_deref() == Some(name));
            let by_place = || name.strip_prefix("Item")?.parse::<usize>().ok()?.checked_sub(1);
            let place = by_name.or_else(by_place)?;
            Some((place, parts.get(place)?.1.clone()))
        }
        _ => None,
    }
}

/// The type that the name and as many links as needed spell.
fn type_prefix(name: &Name, links: &[Link]) -> Option<(Type, usize)> {
    let mut path = name.text.to_string();
    let mut used = 0;
    loop {
        if let Ok(ty) = named(&path) {
            return Some((ty, used));
        }
        let Some(Link { kind: LinkKind::Member { name, .. }, .. }) = links.get(used) else {
            return None;
        };
        path.push('.');
        path.push_str(&name.text);
        used = used.checked_add(1)?;
    }
}
