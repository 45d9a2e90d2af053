//! Arguments of what has no overloads: local functions, lambdas, members found at run time.

use std::sync::Arc;

use crate::expression::ast::{Argument, ExprKind, Span};
use crate::expression::check::{Checker, LocalSignature, Typed};
use crate::expression::eval::node::{Node, NodeKind};
use crate::expression::types::Type;

impl Checker {
    /// Calls a local function.
    pub(in crate::expression::check) fn local_call(
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

    /// Arguments of a function that is a value.
    pub(in crate::expression::check) fn function_arguments(
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

    /// Arguments of what is found at run time.
    pub(in crate::expression::check) fn dynamic_arguments(
        &mut self,
        arguments: &[Argument],
    ) -> Vec<Node> {
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
}
