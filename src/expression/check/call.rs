//! Calls: which overload is meant, and its arguments in order.

use std::sync::Arc;

use super::{Checker, LocalSignature, Meaning, Typed};
use crate::expression::ast::{Argument, DeclaredType, Expr, ExprKind, Name, Span};
use crate::expression::eval::node::{Access, Found, Node, NodeKind};
use crate::expression::members::{self, Member, MemberKind, Parameter, Signature};
use crate::expression::types::{Class, Fit, Type, implicit, unify};
use crate::expression::value::Value;

/// An overload with the type arguments of the type it belongs to.
pub(super) type Candidate = (&'static Member, Vec<(&'static str, Type)>);

/// The overload that is meant.
pub(super) struct Resolved {
    pub(super) member: &'static Member,
    /// One for each parameter, in order.
    pub(super) arguments: Vec<Node>,
    /// The member's own type arguments.
    pub(super) types: Vec<Type>,
    pub(super) result: Type,
}

/// An argument before the overload is known.
enum Given<'e> {
    Value(Typed),
    /// A lambda takes its parameters' types from the overload.
    Lambda(&'e Expr, usize),
    Out(&'e Expr),
}

/// An overload that takes the arguments.
struct Match {
    member: &'static Member,
    signature: Signature,
    bound: Vec<(&'static str, Type)>,
    cost: Fit,
}

impl Checker {
    /// Finds the overload for `arguments` among `candidates`.
    pub(super) fn resolve(
        &mut self,
        candidates: &[Candidate],
        name: &Name,
        types: &[Type],
        arguments: &[Argument],
        span: &Span,
    ) -> Option<Resolved> {
        let given: Vec<Given<'_>> =
            arguments.iter().map(|argument| self.given(&argument.value)).collect();
        let names: Vec<Option<&str>> = arguments
            .iter()
            .map(|argument| argument.name.as_ref().map(|name| &*name.text))
            .collect();
        self.resolve_given(candidates, name, types, (given, &names), span)
    }

    /// Finds the overload for values that were checked before.
    pub(super) fn resolve_typed(
        &mut self,
        candidates: &[Candidate],
        name: &Name,
        values: Vec<Typed>,
        span: &Span,
    ) -> Option<Resolved> {
        let given: Vec<Given<'_>> = values.into_iter().map(Given::Value).collect();
        let names = vec![None; given.len()];
        self.resolve_given(candidates, name, &[], (given, &names), span)
    }

    fn resolve_given(
        &mut self,
        candidates: &[Candidate],
        name: &Name,
        types: &[Type],
        (given, names): (Vec<Given<'_>>, &[Option<&str>]),
        span: &Span,
    ) -> Option<Resolved> {
        let mut best: Option<Match> = None;
        for (member, bound) in candidates {
            let found = matched(member, bound, types, &given, names);
            let Some(found) = found else { continue };
            if best.as_ref().is_none_or(|best| found.cost < best.cost) {
                best = Some(found);
            }
        }
        let Some(found) = best else {
            self.no_overload(candidates, name, (&given, names), span);
            self.declare_outs(&given);
            return None;
        };
        Some(self.complete(found, given, names))
    }

    fn given<'e>(&mut self, expr: &'e Expr) -> Given<'e> {
        match &expr.kind {
            ExprKind::Lambda { parameters, .. } => Given::Lambda(expr, parameters.len()),
            ExprKind::Out { .. } => Given::Out(expr),
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

    /// Says why no overload takes the arguments.
    fn no_overload(
        &mut self,
        candidates: &[Candidate],
        name: &Name,
        (given, names): (&[Given<'_>], &[Option<&str>]),
        span: &Span,
    ) {
        let signatures: Vec<(&Member, Signature)> = candidates
            .iter()
            .filter_map(|(member, bound)| Some((*member, member.signature()?.with(bound))))
            .collect();
        let shown = shown(name, &signatures);
        if let Some(unknown) = names.iter().flatten().find(|name| {
            !signatures.iter().any(|(_, s)| s.parameters.iter().any(|p| p.name == **name))
        }) {
            let message = format!("`{}` has no argument called `{unknown}`", name.text);
            self.wrong(span, message, Some(shown));
            return;
        }
        let fitting: Vec<&Signature> =
            signatures.iter().map(|(_, s)| s).filter(|s| s.takes(given.len())).collect();
        if fitting.is_empty() {
            let message = format!("`{}` does not take {} arguments", name.text, given.len());
            self.wrong(span, message, Some(shown));
            return;
        }
        // With one overload left the argument that is wrong can be named.
        for (index, given) in given.iter().enumerate() {
            let Given::Value(typed) = given else { continue };
            let wanted = fitting.iter().filter_map(|s| s.parameter(index)).collect::<Vec<_>>();
            let fits = wanted.iter().any(|p| argument_cost(typed, p).is_some());
            if let (Some(parameter), false) = (wanted.first(), fits) {
                let number = index.saturating_add(1);
                let what = format!("argument {number} of `{}`", name.text);
                let taken = Typed {
                    node: Node::new(NodeKind::Local(usize::MAX), typed.span.start),
                    ty: typed.ty.clone(),
                    span: typed.span.clone(),
                };
                if typed.ty == Type::Void || fitting.len() == 1 || typed.ty == Type::Object {
                    self.coerce(taken, &parameter.ty, &what);
                } else {
                    let message = format!("{what} cannot be {}", typed.ty);
                    self.wrong(&typed.span, message, Some(shown));
                }
                return;
            }
        }
        let message = format!("no form of `{}` takes these arguments", name.text);
        self.wrong(span, message, Some(shown));
    }

    /// Arguments of what is found at run time.
    pub(super) fn dynamic_arguments(&mut self, arguments: &[Argument]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for argument in arguments {
            if let ExprKind::Out { .. } = argument.value.kind {
                self.out(&argument.value, &Type::Unknown);
                let message = "`out` cannot be used where the type is not known at load";
                self.wrong(&argument.value.span, message, Some("cast the value".to_owned()));
                continue;
            }
            let typed = self.value(&argument.value);
            nodes.push(self.converted(typed, &Type::Object));
        }
        nodes
    }

    /// Arguments of a function that is a value.
    pub(super) fn function_arguments(
        &mut self,
        parameters: &[Type],
        arguments: &[Argument],
        span: &Span,
    ) -> Vec<Node> {
        if parameters.len() != arguments.len() {
            let count = parameters.len();
            let message = format!("this takes {count} arguments, not {}", arguments.len());
            self.wrong(span, message, None);
        }
        let mut nodes = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            let wanted = parameters.get(index).cloned().unwrap_or(Type::Unknown);
            let typed = self.value_for(&argument.value, &wanted);
            nodes.push(self.coerce(typed, &wanted, "the argument"));
        }
        nodes
    }

    /// Calls a local function.
    pub(super) fn local_call(
        &mut self,
        index: usize,
        signature: &Arc<LocalSignature>,
        arguments: &[Argument],
        span: &Span,
    ) -> Typed {
        let mut slots: Vec<Option<Node>> = signature.parameters.iter().map(|_| None).collect();
        for (place, argument) in arguments.iter().enumerate() {
            let named = argument.name.as_ref();
            let place = named.map_or(Some(place), |name| {
                signature.parameters.iter().position(|(known, _, _)| *known == name.text)
            });
            let found = place.and_then(|place| signature.parameters.get(place));
            let Some((_, ty, _)) = found else {
                self.wrong(&argument.value.span, "this function has no such argument", None);
                continue;
            };
            let typed = self.value_for(&argument.value, ty);
            let node = self.coerce(typed, ty, "the argument");
            if let Some(slot) = place.and_then(|place| slots.get_mut(place)) {
                *slot = Some(node);
            }
        }
        let mut nodes = Vec::new();
        for (slot, (name, _, default)) in slots.into_iter().zip(&signature.parameters) {
            if slot.is_none() && default.is_none() {
                self.wrong(span, format!("the argument `{name}` is missing"), None);
            }
            let constant = || Node::new(NodeKind::Constant(default.clone().unwrap_or_default()), 0);
            nodes.push(slot.unwrap_or_else(constant));
        }
        Typed::new(NodeKind::CallLocal(index, nodes), signature.result.clone(), span)
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
        let Some((member, signature)) = self.only(&target.ty, "[]", kind) else {
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
        let (constructor, _) =
            match members::candidates(&ty, "new", &[MemberKind::Constructor]).into_iter().next() {
                Some(found) => found,
                None => return access,
            };
        let options = access.arguments.last().and_then(Node::constant).cloned();
        let options = options.filter(|value| matches!(value, Value::Int(_)));
        let arguments = vec![
            Node::new(NodeKind::Constant(pattern.constant().cloned().unwrap_or_default()), at),
            Node::new(NodeKind::Constant(options.unwrap_or(Value::Int(0))), at),
        ];
        let new = Access { member: constructor, arguments, types: Vec::new(), at };
        let made = Self::folded(Typed::new(NodeKind::Static(new), ty, span));
        if made.node.constant().is_some()
            && let Some(slot) = access.arguments.get_mut(1)
        {
            *slot = made.node;
        }
        access
    }
}

/// Whether the member takes the arguments, and how well.
fn matched(
    member: &'static Member,
    owner: &[(&'static str, Type)],
    types: &[Type],
    given: &[Given<'_>],
    names: &[Option<&str>],
) -> Option<Match> {
    let signature = member.signature()?;
    let mut bound = owner.to_vec();
    let own: Vec<&'static str> = member.type_parameters().collect();
    if !types.is_empty() && types.len() != own.len() {
        return None;
    }
    bound.extend(own.iter().copied().zip(types.iter().cloned()));
    if !signature.takes(given.len()) {
        return None;
    }
    let mut filled = vec![false; signature.parameters.len()];
    for (index, given) in given.iter().enumerate() {
        let name = names.get(index).copied().flatten();
        let (place, parameter) = place_of(&signature, index, name)?;
        *filled.get_mut(place)? = true;
        if let (Given::Value(typed), true) = (given, types.is_empty()) {
            unify(&parameter.ty, &typed.ty, &mut bound);
        }
    }
    let missing = signature.parameters.iter().zip(&filled).any(|(parameter, filled)| {
        !filled && parameter.default.is_none() && !parameter.rest
    });
    // Arguments by name can leave a gap that the count does not show.
    if missing {
        return None;
    }
    let mut cost: Fit = 0;
    for (index, given) in given.iter().enumerate() {
        let name = names.get(index).copied().flatten();
        let (_, parameter) = place_of(&signature, index, name)?;
        let parameter = Parameter { ty: parameter.ty.with(&bound), ..parameter.clone() };
        let one = match given {
            Given::Value(typed) => (!parameter.out).then(|| argument_cost(typed, &parameter))??,
            Given::Lambda(_, count) => match &parameter.ty {
                Type::Function(parameters, _) => (parameters.len() == *count).then_some(0)?,
                ty => ty.is_open().then_some(8)?,
            },
            Given::Out(_) => parameter.out.then_some(0)?,
        };
        cost = cost.saturating_add(one);
    }
    let left_out = signature.parameters.len().saturating_sub(given.len());
    cost = cost.saturating_add(Fit::try_from(left_out).unwrap_or(Fit::MAX));
    Some(Match { member, signature, bound, cost })
}

fn argument_cost(typed: &Typed, parameter: &Parameter) -> Option<Fit> {
    if parameter.rest && is_whole_rest(&typed.ty, &parameter.ty) {
        return Some(0);
    }
    if !super::coerce::fits(typed, &parameter.ty) {
        return None;
    }
    // What only a constant's value allows costs more than what its type allows.
    let cost = implicit(&typed.ty, &parameter.ty).unwrap_or(30);
    Some(if parameter.rest { cost.saturating_add(5) } else { cost })
}

/// Whether one argument is the whole array of a `params`.
fn is_whole_rest(ty: &Type, item: &Type) -> bool {
    match ty {
        Type::Array(found) => found.is_open() || implicit(found, item).is_some_and(|fit| fit < 40)
            || (*item == Type::Object && !found.is_value()),
        _ => false,
    }
}

/// The parameter that an argument belongs to.
fn place_of<'s>(
    signature: &'s Signature,
    index: usize,
    name: Option<&str>,
) -> Option<(usize, &'s Parameter)> {
    if let Some(name) = name {
        let place = signature.parameters.iter().position(|parameter| parameter.name == name)?;
        return Some((place, signature.parameters.get(place)?));
    }
    let last = signature.parameters.len().checked_sub(1)?;
    Some((index.min(last), signature.parameter(index)?))
}

/// The overloads as a remedy shows them.
fn shown(name: &Name, signatures: &[(&Member, Signature)]) -> String {
    const SHOWN_MAX: usize = 4;
    let mut forms: Vec<String> = signatures
        .iter()
        .map(|(_, signature)| {
            let parameters: Vec<String> = signature.parameters.iter().map(parameter_text).collect();
            if &*name.text == "[]" {
                format!("`[{}]`", parameters.join(", "))
            } else {
                format!("`{}({})`", name.text, parameters.join(", "))
            }
        })
        .collect();
    forms.dedup();
    forms.truncate(SHOWN_MAX);
    format!("write {}", forms.join(" or "))
}

fn parameter_text(parameter: &Parameter) -> String {
    let Parameter { name, ty, default, out, rest } = parameter;
    let prefix = if *out { "out " } else { "" };
    let suffix = if *rest { "…" } else { "" };
    let optional = if default.is_some() { "?" } else { "" };
    format!("{prefix}{ty} {name}{suffix}{optional}")
}
