//! Calls: which overload is meant, and its arguments in order.

mod faults;
mod overload;
mod plain;

use self::overload::{is_whole_rest, matched, place_of};

use super::path::only;
use super::{Checker, Meaning, Typed};
use crate::expression::ast::{
    Argument, DeclaredType, Expr, ExprKind, LambdaBody, Link, LinkKind, Name, Parameter, Span,
};
use crate::expression::eval::node::{Access, Found, Node, NodeKind};
use crate::expression::library::pattern;
use crate::expression::members::{self, Candidate, Member, MemberKind, Signature};
use crate::expression::types::{Class, Fit, Type, unify};
use crate::expression::value::Value;

/// The overload that is meant.
pub(super) struct Resolved {
    pub(super) member: &'static Member,
    /// One for each parameter, in order.
    pub(super) arguments: Vec<Node>,
    /// The member's own type arguments.
    pub(super) types: Vec<Type>,
    pub(super) result: Type,
}

/// What is called, as it is written.
pub(super) struct Called<'e> {
    pub(super) name: &'e Name,
    /// The type arguments that are given.
    pub(super) types: Vec<Type>,
    /// From the name to the closing bracket.
    pub(super) span: Span,
}

/// An argument before the overload is known.
enum Given<'e> {
    Value(Typed),
    /// A lambda takes its parameters' types from the overload.
    Lambda(&'e Expr, usize),
    /// A method that is named and not called: a lambda that only calls it.
    Group(&'e Expr),
    Out(&'e Expr),
}

/// An overload that takes the arguments.
struct Match {
    member: &'static Member,
    signature: Signature,
    bound: Vec<(&'static str, Type)>,
    distance: usize,
    cost: Fit,
}

impl Checker {
    /// Finds the overload for `arguments` among `candidates`.
    pub(super) fn resolve(
        &mut self,
        candidates: &[Candidate],
        called: &Called<'_>,
        arguments: &[Argument],
    ) -> Option<Resolved> {
        let given: Vec<Given<'_>> =
            arguments.iter().map(|argument| self.given(&argument.value)).collect();
        let names: Vec<Option<&str>> = arguments
            .iter()
            .map(|argument| argument.name.as_ref().map(|name| &*name.text))
            .collect();
        self.resolve_given(candidates, called, given, &names)
    }

    /// Finds the overload for values that were checked before.
    pub(super) fn resolve_typed(
        &mut self,
        candidates: &[Candidate],
        called: &Called<'_>,
        values: Vec<Typed>,
    ) -> Option<Resolved> {
        let given: Vec<Given<'_>> = values.into_iter().map(Given::Value).collect();
        let names = vec![None; given.len()];
        self.resolve_given(candidates, called, given, &names)
    }

    fn resolve_given(
        &mut self,
        candidates: &[Candidate],
        called: &Called<'_>,
        given: Vec<Given<'_>>,
        names: &[Option<&str>],
    ) -> Option<Resolved> {
        let mut best: Option<Match> = None;
        for candidate in candidates {
            // What is declared nearer was found to fit.
            if best.as_ref().is_some_and(|best| best.distance < candidate.distance) {
                break;
            }
            let Some(found) = matched(candidate, &called.types, &given, names) else { continue };
            if best.as_ref().is_none_or(|best| found.cost < best.cost) {
                best = Some(found);
            }
        }
        let Some(found) = best else {
            self.no_overload(candidates, called, &given, names);
            self.declare_outs(&given);
            return None;
        };
        Some(self.complete(found, given, names))
    }

    fn given<'e>(&mut self, expr: &'e Expr) -> Given<'e> {
        match &expr.kind {
            ExprKind::Lambda { parameters, .. } => Given::Lambda(expr, parameters.len()),
            ExprKind::Out { .. } => Given::Out(expr),
            _ if self.is_method_group(expr) => Given::Group(expr),
            _ => Given::Value(self.value(expr)),
        }
    }

    /// Puts the arguments in the order of the parameters; lambdas are checked now.
    fn complete(
        &mut self,
        found: Match,
        given: Vec<Given<'_>>,
        names: &[Option<&str>],
    ) -> Resolved {
        let Match { member, signature, mut bound, .. } = found;
        let mut slots: Vec<Option<Node>> = signature.parameters.iter().map(|_| None).collect();
        let mut rest: Vec<Typed> = Vec::new();
        for (index, given) in given.into_iter().enumerate() {
            let name = names.get(index).copied().flatten();
            let Some((place, parameter)) = place_of(&signature, index, name) else { continue };
            let wanted = parameter.ty.with(&bound);
            let node = match given {
                Given::Lambda(expr, _) => {
                    let typed = self.value_for(expr, &wanted);
                    unify(&parameter.ty, &typed.ty, &mut bound);
                    typed.node
                }
                Given::Group(expr) => {
                    let typed = self.value_for(&calling(expr, &wanted), &wanted);
                    unify(&parameter.ty, &typed.ty, &mut bound);
                    typed.node
                }
                Given::Out(expr) => self.out(expr, &wanted),
                Given::Value(typed) if parameter.rest => {
                    rest.push(typed);
                    continue;
                }
                Given::Value(typed) => self.converted(typed, &wanted),
            };
            if let Some(slot) = slots.get_mut(place) {
                *slot = Some(node);
            }
        }
        let mut arguments = Vec::new();
        for (slot, parameter) in slots.into_iter().zip(&signature.parameters) {
            arguments.push(match slot {
                Some(node) => node,
                None if parameter.rest => {
                    let item = parameter.ty.with(&bound);
                    self.rest_argument(std::mem::take(&mut rest), &item)
                }
                None => {
                    let default = parameter.default.clone().unwrap_or_default();
                    Node::new(NodeKind::Constant(default), 0)
                }
            });
        }
        let types = member.type_parameters();
        let types = types.map(|name| Type::Parameter(name).with(&bound)).collect();
        Resolved { member, arguments, types, result: signature.result.with(&bound) }
    }

    /// What `params` collects: the arguments as an array, or the one that is an array already.
    fn rest_argument(&mut self, mut given: Vec<Typed>, item: &Type) -> Node {
        if given.len() == 1
            && let Some(typed) = given.pop_if(|typed| is_whole_rest(&typed.ty, item))
        {
            return typed.node;
        }
        let at = given.first().map_or(0, |typed| typed.span.start);
        let items = given.into_iter().map(|typed| self.converted(typed, item)).collect();
        Node::new(NodeKind::Array(items), at)
    }

    /// `out x`, `out var x`, `out T x`.
    fn out(&mut self, expr: &Expr, wanted: &Type) -> Node {
        let ExprKind::Out { declared, name } = &expr.kind else {
            return Node::new(NodeKind::Constant(Value::Null), expr.span.start);
        };
        let slot = match declared {
            Some(_) if &*name.text == "_" => self.slot(name, true),
            Some(DeclaredType::Var) => self.variable(name, wanted.clone(), false),
            Some(DeclaredType::Named(of)) => {
                let ty = self.named_type(of);
                self.out_fits(&ty, wanted, &expr.span);
                self.variable(name, ty, false)
            }
            None => match self.lookup(&name.text).cloned() {
                Some(Meaning::Variable { slot, ty, fixed: false }) => {
                    self.out_fits(&ty, wanted, &expr.span);
                    slot
                }
                _ if &*name.text == "_" => self.slot(name, true),
                _ => {
                    self.wrong(
                        &name.span,
                        format!("there is no variable `{}` to be filled", name.text),
                        Some(format!("declare it here: `out var {}`", name.text)),
                    );
                    self.slot(name, true)
                }
            },
        };
        Node::new(NodeKind::Out(slot), expr.span.start)
    }

    fn out_fits(&mut self, ty: &Type, wanted: &Type, span: &Span) {
        if ty != wanted && !ty.is_open() && !wanted.is_open() {
            self.wrong(span, format!("the variable must be {wanted}, not {ty}"), None);
        }
    }

    fn declare_outs(&mut self, given: &[Given<'_>]) {
        for given in given {
            if let Given::Out(expr) = given {
                self.out(expr, &Type::Unknown);
            }
        }
    }

    /// The indexer that writes: itself, the arguments before the value, the value's type.
    pub(super) fn indexer(
        &mut self,
        target: &Typed,
        arguments: &[Argument],
        kind: MemberKind,
        span: &Span,
    ) -> Option<(Found, Vec<Node>, Type)> {
        if target.ty.is_open() {
            let nodes = self.dynamic_arguments(arguments);
            return Some((Found::Dynamic("[]".into()), nodes, Type::Unknown));
        }
        let Some((member, signature)) = only(&target.ty, "[]", kind) else {
            let message = format!("an item of {} cannot be assigned to", target.ty);
            let remedy = (target.ty == Type::Object)
                .then(|| "cast it first, for example `((JObject)…)[…] = …`".to_owned());
            self.wrong(span, message, remedy);
            self.dynamic_arguments(arguments);
            return None;
        };
        let (value, keys) = signature.parameters.split_last()?;
        let types: Vec<Type> = keys.iter().map(|key| key.ty.clone()).collect();
        let nodes = self.function_arguments(&types, arguments, span);
        Some((Found::Member(member), nodes, value.ty.clone()))
    }

    /// Compiles the pattern of `Regex.IsMatch(text, "…")` and its like at load.
    pub(super) fn compiled_pattern(&mut self, mut access: Access, span: &Span) -> Access {
        let ty = Type::Class(Class::Regex);
        let Some(pattern) = access.arguments.get(1) else { return access };
        let (Some(Value::String(_)), at) = (pattern.constant(), pattern.at) else { return access };
        let constructors = members::candidates(&ty, "new", &[MemberKind::Constructor]);
        let Some(constructor) = constructors.into_iter().next() else { return access };
        let signature = access.member.signature();
        let named = signature.and_then(|it| it.parameters.iter().position(|p| p.name == "options"));
        let options = match named.and_then(|place| access.arguments.get(place)) {
            Some(node) => node.constant().cloned(),
            None => Some(Value::Int(0)),
        };
        let Some(options) = options else { return access };
        let arguments = vec![
            Node::new(NodeKind::Constant(pattern.constant().cloned().unwrap_or_default()), at),
            Node::new(NodeKind::Constant(options), at),
        ];
        let new = Access { member: constructor.member, arguments, types: Vec::new(), at };
        self.usable_pattern(&new, span);
        let made = Self::folded(Typed::new(NodeKind::Static(new), ty, span));
        if made.node.constant().is_some()
            && let Some(slot) = access.arguments.get_mut(1)
        {
            *slot = made.node;
        }
        access
    }

    /// Refuses a constant pattern that the gateway cannot run.
    pub(super) fn usable_pattern(&mut self, new: &Access, span: &Span) {
        let mut constants = new.arguments.iter().map(Node::constant);
        if let (Some(Some(Value::String(source))), Some(Some(Value::Int(options)))) =
            (constants.next(), constants.next())
            && let Err(thrown) = pattern::new(source, *options)
        {
            let message = format!("the regular expression cannot be used: {}", thrown.message);
            self.wrong(span, message.trim_end_matches('.'), None);
        }
    }
}

impl Checker {
    /// Refuses a time zone that stands in the text and that the gateway does not know.
    pub(super) fn known_zone(&mut self, access: &Access, span: &Span) {
        for argument in &access.arguments {
            if let Some(Value::String(id)) = argument.constant()
                && members::zone(id).is_err()
            {
                let message = format!("the time zone `{id}` is not known to the gateway");
                let remedy = "compute in UTC, or add the offset: `.AddHours(…)`".to_owned();
                self.wrong(span, message, Some(remedy));
            }
        }
    }
}

/// The lambda that calls `method` with its own parameters, as many as the function `wanted` has.
fn calling(method: &Expr, wanted: &Type) -> Expr {
    let span = method.span.clone();
    let count = if let Type::Function(parameters, _) = wanted { parameters.len() } else { 1 };
    // No name of anybody's.
    let named = |at: usize| Name { text: format!("<{at}>").into(), span: span.clone() };
    let parameters =
        (0..count).map(|at| Parameter { declared: None, name: named(at), default: None });
    let arguments = (0..count).map(|at| {
        let value = Expr { kind: ExprKind::Name(named(at)), span: span.clone() };
        Argument { name: None, value }
    });
    let call = LinkKind::Call(arguments.collect());
    let call = Link { kind: call, conditional: false, span: span.clone() };
    let (first, mut links) = match &method.kind {
        ExprKind::Path { first, links } => (first.clone(), links.clone()),
        _ => (Box::new(method.clone()), Vec::new()),
    };
    links.push(call);
    let body = Expr { kind: ExprKind::Path { first, links }, span: span.clone() };
    let parameters = parameters.collect();
    let kind = ExprKind::Lambda { parameters, body: LambdaBody::Value(Box::new(body)) };
    Expr { kind, span }
}
