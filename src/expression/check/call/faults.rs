//! Why no overload takes the arguments.

use super::overload::argument_cost;
use super::{Called, Given};
use crate::expression::ast::Name;
use crate::expression::check::{Checker, Typed};
use crate::expression::eval::node::{Node, NodeKind};
use crate::expression::members::{Candidate, Member, Parameter, Signature};
use crate::expression::types::Type;

impl Checker {
    /// Says why no overload takes the arguments.
    pub(super) fn no_overload(
        &mut self,
        candidates: &[Candidate],
        called: &Called<'_>,
        given: &[Given<'_>],
        names: &[Option<&str>],
    ) {
        let Called { name, span, .. } = called;
        let signatures: Vec<(&Member, Signature)> = candidates
            .iter()
            .filter_map(|found| Some((found.member, found.member.signature()?.with(&found.bound))))
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
