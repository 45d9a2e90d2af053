//! Declarations of variables.

use super::{Checker, Meaning, Typed};
use crate::expression::ast::statement::Declaration;
use crate::expression::ast::{DeclaredType, Expr, ExprKind, Name};
use crate::expression::eval::node::{Node, NodeKind, Statement};
use crate::expression::types::Type;

impl Checker {
    pub(super) fn declaration(&mut self, declaration: &Declaration, out: &mut Vec<Statement>) {
        let declared = match &declaration.declared {
            DeclaredType::Var => None,
            DeclaredType::Named(of) => Some(self.named_type(of)),
        };
        for (name, value) in &declaration.variables {
            let Some(value) = value else {
                let ty = declared.clone().unwrap_or_else(|| {
                    let remedy = Some("give it a value, or write its type".to_owned());
                    self.wrong(&name.span, "`var` needs a value to take its type from", remedy);
                    Type::Unknown
                });
                let slot = self.variable(name, ty, false);
                out.push(Statement::Forget(slot));
                continue;
            };
            let hint = declared.clone().unwrap_or(Type::Unknown);
            let typed = self.value_for(value, &hint);
            if declaration.constant {
                self.constant(name, declared.as_ref(), typed);
                continue;
            }
            // A cast says what the type of a lambda is.
            let is_lambda = matches!(typed.node.kind, NodeKind::Lambda(_))
                && !matches!(value.kind, ExprKind::Cast { .. } | ExprKind::New { .. });
            let (ty, node) = self.initial(declared.as_ref(), typed, is_lambda);
            let slot = self.variable(name, ty, false);
            out.push(Statement::Set(slot, node));
        }
    }

    fn initial(&mut self, declared: Option<&Type>, typed: Typed, is_lambda: bool) -> (Type, Node) {
        if let Some(declared) = declared {
            let node = self.coerce(typed, declared, "the value");
            return (declared.clone(), node);
        }
        let ty = typed.ty.clone();
        if matches!(ty, Type::Void | Type::Null) {
            let what = if ty == Type::Void { "nothing" } else { "null" };
            let message = format!("`var` cannot take its type from {what}");
            let remedy = (ty == Type::Null).then(|| "write its type".to_owned());
            self.wrong(&typed.span, message, remedy);
            return (Type::Unknown, typed.node);
        }
        if is_lambda {
            let message = "`var` cannot take its type from a lambda";
            let remedy = Some("write its type, for example `Func<int, int>`".to_owned());
            self.wrong(&typed.span, message, remedy);
        }
        (ty, typed.node)
    }

    fn constant(&mut self, name: &Name, declared: Option<&Type>, typed: Typed) {
        let ty = declared.cloned().unwrap_or_else(|| typed.ty.clone());
        let span = typed.span.clone();
        let node = self.coerce(typed, &ty, "the value");
        if node.constant().is_none() {
            let remedy = Some("leave out `const`".to_owned());
            self.wrong(&span, "a `const` must be a constant", remedy);
        }
        let value = node.constant().cloned().unwrap_or_default();
        self.declare(name, Meaning::Constant { value, ty });
    }

    pub(super) fn deconstruction(&mut self, names: &[Name], value: &Expr) -> Statement {
        let typed = self.value(value);
        let parts: Option<Vec<Type>> = match &typed.ty {
            Type::Tuple(parts) => Some(parts.iter().map(|(_, ty)| ty.clone()).collect()),
            Type::Pair(key, value) => Some(vec![(**key).clone(), (**value).clone()]),
            ty if ty.is_open() => None,
            ty => {
                self.wrong(&typed.span, format!("{ty} has no parts to take apart"), None);
                None
            }
        };
        if parts.as_ref().is_some_and(|parts| parts.len() != names.len()) {
            self.wrong(&typed.span, "there are not as many parts as variables", None);
        }
        let mut slots = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let ty = parts.as_ref().and_then(|parts| parts.get(place).cloned());
            let ty = ty.unwrap_or(Type::Unknown);
            slots.push(if &*name.text == "_" {
                self.slot(name, true)
            } else {
                self.variable(name, ty, true)
            });
        }
        Statement::Deconstruct(slots, typed.node)
    }
}
