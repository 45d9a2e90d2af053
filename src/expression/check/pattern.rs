//! Patterns: what follows `is` and `case`.

use super::{Checker, Typed};
use crate::expression::ast::{Arm, Expr, ExprKind, Link, LinkKind, Name, Pattern, Span, TypeName};
use crate::expression::eval::node::{self, NodeKind, Test};
use crate::expression::types::{Type, common, explicit, named, named_generic};
use crate::expression::value::Value;

/// What the cases of a switch have taken so far.
#[derive(Default)]
pub(super) struct Seen {
    constants: Vec<Value>,
    types: Vec<Type>,
    pub(super) default: bool,
}

impl Checker {
    /// `operand is pattern`
    pub(super) fn is(&mut self, operand: &Expr, pattern: &Pattern, span: &Span) -> Typed {
        let typed = self.value(operand);
        let ty = typed.ty.clone();
        let test = self.test(pattern, &ty);
        let of_null = match &test {
            Test::Null => true,
            Test::Not(inner) => matches!(**inner, Test::Null),
            _ => false,
        };
        // Whether a body is there can be asked without reading it.
        let value = if of_null { typed.node } else { self.converted(typed, &Type::Object) };
        Typed::new(NodeKind::Is(Box::new(value), Box::new(test)), Type::Bool, span)
    }

    /// What `pattern` asks of a value of `ty`.
    pub(super) fn test(&mut self, pattern: &Pattern, ty: &Type) -> Test {
        match pattern {
            Pattern::Value(value) => self.constant_test(value, ty),
            Pattern::Type { of, name } => self.type_test(of, name.as_ref(), ty),
            Pattern::Var(name) => Test::Anything(Some(self.variable(name, ty.clone(), true))),
            Pattern::Anything => Test::Anything(None),
            Pattern::Not(inner) => Test::Not(Box::new(self.test(inner, ty))),
            Pattern::Relation(operator, value) => {
                let wanted = ty.bare().clone();
                let typed = self.value_for(value, &wanted);
                let hint = if typed.ty.is_number() { &wanted } else { &Type::Object };
                let number = hint.is_number() && super::coerce::fits(&typed, hint);
                let node = if number { self.converted(typed, hint) } else { typed.node };
                Test::Relation(*operator, node)
            }
            Pattern::Or(parts) => Test::Or(parts.iter().map(|p| self.test(p, ty)).collect()),
            Pattern::And(parts) => Test::And(parts.iter().map(|p| self.test(p, ty)).collect()),
        }
    }

    fn constant_test(&mut self, value: &Expr, ty: &Type) -> Test {
        let typed = self.value_for(value, ty);
        if typed.ty == Type::Null {
            return Test::Null;
        }
        let span = typed.span.clone();
        let fits = super::coerce::fits(&typed, ty.bare())
            || common(&typed.ty, ty.bare()).is_some()
            || *ty == Type::Object;
        if !fits && !ty.is_open() {
            let message = format!("{ty} is never {}", typed.ty);
            self.wrong(&span, message, None);
        }
        let number = ty.bare().is_number() && typed.ty.is_number();
        let node = if number { self.converted(typed, ty.bare()) } else { typed.node };
        if node.constant().is_none() {
            self.wrong(&span, "a pattern must be a constant", Some("use `==`".to_owned()));
        }
        Test::Equal(node)
    }

    fn type_test(&mut self, of: &TypeName, name: Option<&Name>, ty: &Type) -> Test {
        // `case DayOfWeek.Monday` reads like a type, but names a value.
        let is_type = is_type(of);
        if !is_type && name.is_none() {
            let value = path_of(of);
            return self.constant_test(&value, ty);
        }
        let wanted = self.named_type(of);
        if !explicit(ty, &wanted) {
            let message = format!("{ty} is never {wanted}");
            self.wrong(&of.span, message, None);
        }
        let slot = name.map(|name| self.variable(name, wanted.bare().clone(), true));
        Test::Type(wanted.bare().clone(), slot)
    }

    /// `value switch { … }`
    pub(super) fn switch_value(&mut self, value: &Expr, arms: &[Arm], span: &Span) -> Typed {
        let value = self.value(value);
        let ty = value.ty.clone();
        let value = self.converted(value, &Type::Object);
        let mut checked: Vec<(Test, Option<node::Node>, Typed)> = Vec::new();
        for arm in arms {
            let arm = self.scoped(|checker| {
                let test = checker.test(&arm.pattern, &ty);
                let guard = arm.guard.as_ref().map(|guard| checker.condition(guard));
                (test, guard, checker.value(&arm.value))
            });
            checked.push(arm);
        }
        let mut result = Type::Never;
        let mut mixed = None;
        for (_, _, typed) in &checked {
            match common(&result, &typed.ty) {
                Some(both) => result = both,
                None => mixed = Some((result.clone(), typed.ty.clone(), typed.span.clone())),
            }
        }
        if let Some((one, other, span)) = mixed {
            self.wrong(&span, format!("one arm is {one}, another {other}"), None);
        }
        if checked.is_empty() {
            self.wrong(span, "a switch without arms", None);
        }
        let arms = checked
            .into_iter()
            .map(|(test, guard, typed)| {
                let value = self.converted(typed, &result);
                node::Arm { test, guard, value }
            })
            .collect();
        Typed::new(NodeKind::Switch(Box::new(value), arms), result, span)
    }

    /// The pattern of a `case`; a constant may be there only once, and nothing after its type.
    pub(super) fn case(
        &mut self,
        pattern: &Pattern,
        guarded: bool,
        ty: &Type,
        seen: &mut Seen,
    ) -> Test {
        let test = self.test(pattern, ty);
        if let (Test::Type(wanted, _), Pattern::Type { of, .. }) = (&test, pattern) {
            if seen.types.contains(wanted) {
                let message = format!("a case before this takes every {wanted}");
                self.wrong(&of.span, message, None);
            }
            if !guarded {
                seen.types.push(wanted.clone());
            }
        }
        if let (Test::Equal(node), Pattern::Value(value)) = (&test, pattern)
            && let Some(constant) = node.constant()
        {
            let same =
                |known: &Value| crate::expression::library::operators::equal(known, constant);
            if seen.constants.iter().any(same) {
                self.wrong(&value.span, "this case was there before", None);
            }
            if !guarded {
                seen.constants.push(constant.clone());
            }
        }
        test
    }
}

fn is_type(of: &TypeName) -> bool {
    if of.path.is_empty() || !of.suffixes.is_empty() {
        return true;
    }
    if of.arguments.is_empty() {
        return named(&of.path).is_ok();
    }
    let arguments = of.arguments.iter().map(|_| Type::Unknown).collect();
    named_generic(&of.path, arguments).is_ok()
}

/// A dotted name as the value that it names.
fn path_of(of: &TypeName) -> Expr {
    let mut start = of.span.start;
    let mut names = of.path.split('.').map(|part| {
        let span = start..start.saturating_add(part.len());
        start = span.end.saturating_add(1);
        Name { text: Box::from(part), span }
    });
    let Some(first) = names.next() else {
        return Expr { kind: ExprKind::Wrong, span: of.span.clone() };
    };
    let first = Expr { span: first.span.clone(), kind: ExprKind::Name(first) };
    let links: Vec<Link> = names
        .map(|name| Link {
            span: name.span.clone(),
            kind: LinkKind::Member { name, types: Vec::new() },
            conditional: false,
        })
        .collect();
    if links.is_empty() {
        return first;
    }
    Expr { kind: ExprKind::Path { first: Box::new(first), links }, span: of.span.clone() }
}
