//! Lambdas and local functions.

use std::sync::Arc;

use super::statement::does_something;
use super::{Checker, Frame, LocalSignature, Meaning, Typed};
use crate::expression::ast::statement::{LocalFunction, Statement, StatementKind};
use crate::expression::ast::{Expr, LambdaBody, Parameter, Span};
use crate::expression::eval::node::{Body, Function, Node, NodeKind};
use crate::expression::types::Type;

impl Checker {
    /// A lambda; `wanted` says what its parameters are.
    pub(super) fn lambda(
        &mut self,
        parameters: &[Parameter],
        body: &LambdaBody,
        wanted: &Type,
        span: &Span,
    ) -> Typed {
        let (given, result) = match wanted {
            Type::Function(given, result) => (given.to_vec(), Some((**result).clone())),
            _ => (Vec::new(), None),
        };
        if matches!(wanted, Type::Function(..)) && given.len() != parameters.len() {
            let count = given.len();
            let message = format!("the lambda must have {count} parameters");
            self.wrong(span, message, None);
        }
        let index = self.reserve();
        let start = self.slots.len();
        let around = std::mem::take(&mut self.around);
        let (types, slots, body, found) = self.scoped(|checker| {
            let mut types = Vec::new();
            let mut slots = Vec::new();
            for (place, parameter) in parameters.iter().enumerate() {
                let ty = match &parameter.declared {
                    Some(declared) => checker.named_type(declared),
                    None => given.get(place).cloned().unwrap_or(Type::Unknown),
                };
                slots.push(checker.parameter(parameter, ty.clone()));
                types.push(ty);
            }
            let wanted = result.filter(|result| !result.is_open() && *result != Type::Object);
            let (body, found) = checker.lambda_body(body, wanted, span);
            (types, slots, body, found)
        });
        self.around = around;
        self.define(index, Function { parameters: slots, frame: start..self.slots.len(), body });
        let ty = Type::Function(types.into(), Arc::new(found));
        Typed::new(NodeKind::Lambda(index), ty, span)
    }

    /// A parameter; `_` may be there more than once.
    fn parameter(&mut self, parameter: &Parameter, ty: Type) -> usize {
        if &*parameter.name.text == "_" && self.lookup("_").is_some() {
            return self.slot(&parameter.name, true);
        }
        self.variable(&parameter.name, ty, true)
    }

    /// The body and what it gives.
    fn lambda_body(
        &mut self,
        body: &LambdaBody,
        wanted: Option<Type>,
        span: &Span,
    ) -> (Body, Type) {
        match body {
            LambdaBody::Value(value) => {
                if wanted == Some(Type::Void) && !does_something(value) {
                    let message = "the lambda computes a value and does nothing with it";
                    self.wrong(&value.span, message, None);
                }
                let hint = wanted.clone().unwrap_or(Type::Unknown);
                let typed = self.value_for(value, &hint);
                let found = typed.ty.clone();
                match wanted {
                    None | Some(Type::Void) => {
                        let node = self.converted(typed, &Type::Unknown);
                        (Body::Value(node), found)
                    }
                    Some(wanted) => {
                        let node = self.coerce(typed, &wanted, "the lambda's result");
                        (Body::Value(node), wanted)
                    }
                }
            }
            LambdaBody::Block(block) => {
                let is_void = wanted == Some(Type::Void);
                self.frames.push(Frame { wanted: wanted.filter(|_| !is_void), found: None });
                let statements = self.block(block);
                let frame = self.frames.pop();
                let (wanted, found) = frame.map_or((None, None), |f| (f.wanted, f.found));
                let result = wanted.or(found).unwrap_or(Type::Void);
                if result != Type::Void {
                    let end = block.span.end.saturating_sub(1)..block.span.end;
                    self.must_return(&statements, end, "the lambda");
                }
                let _ = span;
                (Body::Block(statements), result)
            }
        }
    }

    /// Makes local functions known before the statements that may call them.
    pub(super) fn announce(&mut self, statements: &[Statement]) -> Vec<usize> {
        let mut announced = Vec::new();
        for statement in statements {
            let StatementKind::LocalFunction(function) = &statement.kind else { continue };
            let mut parameters = Vec::new();
            for parameter in &function.parameters {
                let declared = parameter.declared.as_ref();
                let ty = declared.map_or(Type::Unknown, |declared| self.named_type(declared));
                let default = parameter.default.as_ref();
                let default = default.map(|default: &Expr| self.constant_for(default, &ty));
                parameters.push((parameter.name.text.clone(), ty, default));
            }
            let result = self.named_type(&function.result);
            let signature = Arc::new(LocalSignature { parameters, result });
            let index = self.reserve();
            self.declare(&function.name, Meaning::Function { index, signature });
            announced.push(index);
        }
        announced
    }

    /// The body of a local function that was announced.
    pub(super) fn local_function(&mut self, index: usize, function: &LocalFunction) {
        let Some(Meaning::Function { signature, .. }) = self.lookup(&function.name.text).cloned()
        else {
            return;
        };
        let start = self.slots.len();
        let around = std::mem::take(&mut self.around);
        let (slots, body) = self.scoped(|checker| {
            let mut slots = Vec::new();
            for (parameter, (_, ty, _)) in function.parameters.iter().zip(&signature.parameters) {
                slots.push(checker.parameter(parameter, ty.clone()));
            }
            (slots, checker.function_body(function, &signature.result))
        });
        self.around = around;
        self.define(index, Function { parameters: slots, frame: start..self.slots.len(), body });
    }

    fn function_body(&mut self, function: &LocalFunction, result: &Type) -> Body {
        match &function.body {
            LambdaBody::Value(value) => {
                let typed = self.value_for(value, result);
                if *result == Type::Void {
                    return Body::Value(typed.node);
                }
                Body::Value(self.coerce(typed, result, "the function's result"))
            }
            LambdaBody::Block(block) => {
                self.frames.push(Frame { wanted: Some(result.clone()), found: None });
                let statements = self.block(block);
                self.frames.pop();
                if *result != Type::Void {
                    let end = block.span.end.saturating_sub(1)..block.span.end;
                    let what = format!("the function `{}`", function.name.text);
                    self.must_return(&statements, end, &what);
                }
                Body::Block(statements)
            }
        }
    }

    fn reserve(&mut self) -> usize {
        self.functions.push(None);
        self.functions.len().saturating_sub(1)
    }

    fn define(&mut self, index: usize, function: Function) {
        if let Some(slot) = self.functions.get_mut(index) {
            *slot = Some(function);
        }
    }
}

impl Function {
    /// A function that was announced but could not be checked.
    pub(super) const fn empty(at: usize) -> Self {
        let value = Node::new(NodeKind::Constant(crate::expression::value::Value::Null), at);
        Self { parameters: Vec::new(), frame: 0..0, body: Body::Value(value) }
    }
}
