//! Values of every kind.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::{Checker, Meaning, Typed};
use crate::expression::ast::{Expr, ExprKind, InterpolatedPart, Name, Overflow, Span};
use crate::expression::eval::default_of;
use crate::expression::eval::node::{Node, NodeKind, Text};
use crate::expression::lexer::Literal;
use crate::expression::types::{Class, Type, common, explicit};
use crate::expression::value::Value;

impl Checker {
    /// A value of any type.
    pub(super) fn value(&mut self, expr: &Expr) -> Typed {
        self.value_for(expr, &Type::Unknown)
    }

    /// A value where `wanted` is wanted, for what takes its type from there: lambdas, `default`,
    /// `new[] {}`. It need not be of that type.
    pub(super) fn value_for(&mut self, expr: &Expr, wanted: &Type) -> Typed {
        let span = &expr.span;
        let typed = match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal, span),
            ExprKind::Bool(flag) => Typed::constant(Value::Bool(*flag), Type::Bool, span),
            ExprKind::Null => Typed::constant(Value::Null, Type::Null, span),
            ExprKind::Default(of) => {
                let ty = of.as_ref().map_or_else(|| wanted.clone(), |of| self.named_type(of));
                Typed::constant(default_of(&ty), ty, span)
            }
            ExprKind::Interpolated(parts) => self.interpolated(parts, span),
            ExprKind::Name(name) => self.name(name),
            ExprKind::TypeKeyword(name) => {
                self.wrong(&name.span, format!("`{}` is a type, not a value", name.text), None);
                Typed::unknown(span)
            }
            ExprKind::Path { first, links } => self.path(first, links, span),
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand, span),
            ExprKind::Step { target, up, prefix } => self.increment(target, *up, *prefix, span),
            ExprKind::Chain { first, rest } => self.chain(first, rest),
            ExprKind::Coalesce(parts) => self.coalesce(parts, wanted, span),
            ExprKind::Conditional { condition, then, otherwise } => {
                self.conditional([&**condition, &**then, &**otherwise], wanted, span)
            }
            ExprKind::Assign { target, operator, value } => {
                self.assign(target, *operator, value, span)
            }
            ExprKind::Cast { to, operand } => self.cast(to, operand, span),
            ExprKind::As { operand, to } => self.as_type(operand, to, span),
            ExprKind::Is { operand, pattern } => self.is(operand, pattern, span),
            ExprKind::Lambda { parameters, body } => self.lambda(parameters, body, wanted, span),
            ExprKind::New { of, arguments, initialiser } => {
                self.creation(of, arguments, initialiser.as_ref(), span)
            }
            ExprKind::NewArray { of, length, items } => {
                self.array(of.as_ref(), (length.as_deref(), items.as_deref()), wanted, span)
            }
            ExprKind::NewRecord(members) => self.record(members, span),
            ExprKind::Tuple(parts) => self.tuple(parts, wanted, span),
            ExprKind::TypeOf(of) => {
                let ty = self.named_type(of);
                Typed::constant(Value::from(ty.full_name()), Type::Class(Class::TypeInfo), span)
            }
            ExprKind::NameOf(of) => self.name_of(of, span),
            ExprKind::Overflow(overflow, value) => {
                let around = std::mem::replace(&mut self.overflow, *overflow);
                let typed = self.value_for(value, wanted);
                self.overflow = around;
                typed
            }
            ExprKind::Throw(value) => {
                let exception = self.exception(value);
                Typed::new(NodeKind::Throw(Box::new(exception)), Type::Never, span)
            }
            ExprKind::Switch { value, arms } => self.switch_value(value, arms, span),
            ExprKind::Out { .. } => {
                self.wrong(span, "`out` is only for arguments", None);
                Typed::unknown(span)
            }
            ExprKind::Wrong => Typed::unknown(span),
        };
        Self::folded(typed)
    }

    fn literal(&mut self, literal: &Literal, span: &Span) -> Typed {
        let (value, ty) = match literal {
            Literal::Int(number) => (Value::Int(*number), Type::Int),
            Literal::UInt(number) => (Value::UInt(*number), Type::UInt),
            Literal::Long(number) => (Value::Long(*number), Type::Long),
            Literal::ULong(number) => (Value::ULong(*number), Type::ULong),
            Literal::Double(number) => (Value::Double(*number), Type::Double),
            Literal::Float(number) => (Value::Float(*number), Type::Float),
            Literal::Decimal(digits) => {
                let number = decimal(digits);
                if number.is_none() {
                    self.wrong(span, "this is not a decimal number", None);
                }
                (Value::Decimal(number.unwrap_or_default()), Type::Decimal)
            }
            Literal::Char(character) => (Value::Char(*character), Type::Char),
            Literal::String(text) => (Value::text(text), Type::String),
        };
        Typed::constant(value, ty, span)
    }

    /// A name by itself.
    pub(super) fn name(&mut self, name: &Name) -> Typed {
        let span = &name.span;
        match self.lookup(&name.text).cloned() {
            Some(Meaning::Variable { slot, ty, .. }) => Typed::new(NodeKind::Local(slot), ty, span),
            Some(Meaning::Constant { value, ty }) => Typed::constant(value, ty, span),
            Some(Meaning::Function { index, signature }) => {
                let parameters = signature.parameters.iter().map(|(_, ty, _)| ty.clone());
                let result = Arc::new(signature.result.clone());
                let ty = Type::Function(parameters.collect(), result);
                Typed::new(NodeKind::Lambda(index), ty, span)
            }
            None if &*name.text == "context" => {
                Typed::constant(Value::text("context"), Type::Class(Class::Context), span)
            }
            None => {
                let message = format!("there is nothing called `{}` here", name.text);
                let known: Vec<String> =
                    self.names_in_scope().into_iter().map(str::to_owned).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let types = crate::expression::types::nearest_type(&name.text);
                let all: Vec<&str> = known.into_iter().chain(types).collect();
                self.unknown_name(name, message, &all);
                Typed::unknown(span)
            }
        }
    }

    fn interpolated(&mut self, parts: &[InterpolatedPart], span: &Span) -> Typed {
        let mut nodes = Vec::new();
        for part in parts {
            match part {
                InterpolatedPart::Text(text) => {
                    let at = span.start;
                    nodes.push(Node::new(NodeKind::Constant(Value::text(text)), at));
                }
                InterpolatedPart::Hole { value, alignment, format } => {
                    let value = self.value(value);
                    let alignment = alignment.as_ref().map(|alignment| {
                        let typed = self.value(alignment);
                        self.coerce(typed, &Type::Int, "the width")
                    });
                    let format = format.as_ref().map(|format| Arc::from(&**format));
                    nodes.push(self.printed_as(value, format, alignment));
                }
            }
        }
        Typed::new(NodeKind::Concat(nodes), Type::String, span)
    }

    /// `typed` as it prints in a concatenation.
    pub(super) fn printed(&mut self, typed: Typed) -> Node {
        self.printed_as(typed, None, None)
    }

    fn printed_as(
        &mut self,
        typed: Typed,
        format: Option<Arc<str>>,
        alignment: Option<Node>,
    ) -> Node {
        if typed.ty == Type::Void {
            self.wrong(&typed.span, "this gives nothing that can be printed", None);
        }
        let names = match typed.ty.bare() {
            Type::Enumeration(of) => Some(*of),
            _ => None,
        };
        let at = typed.span.start;
        let value = self.converted(typed, &Type::Object);
        if names.is_none() && format.is_none() && alignment.is_none() {
            return value;
        }
        let text = NodeKind::Text(Box::new(Text { value, names, format, alignment }));
        Self::folded(Typed { node: Node::new(text, at), ty: Type::String, span: at..at }).node
    }

    fn conditional(
        &mut self,
        [condition, then, otherwise]: [&Expr; 3],
        wanted: &Type,
        span: &Span,
    ) -> Typed {
        let condition = self.condition(condition);
        let then = self.value_for(then, wanted);
        let otherwise = self.value_for(otherwise, wanted);
        let ty = self.common_type(&then, &otherwise, wanted, span);
        let then = self.converted(then, &ty);
        let otherwise = self.converted(otherwise, &ty);
        Typed::new(NodeKind::Conditional(Box::new([condition, then, otherwise])), ty, span)
    }

    /// What both become; a fault if there is no such type.
    pub(super) fn common_type(
        &mut self,
        left: &Typed,
        right: &Typed,
        wanted: &Type,
        span: &Span,
    ) -> Type {
        for typed in [left, right] {
            if typed.ty == Type::Void {
                self.wrong(&typed.span, "this gives no value", None);
                return Type::Unknown;
            }
        }
        if left.ty == Type::Null && right.ty == Type::Null {
            return wanted.clone();
        }
        if let Some(both) = common(&left.ty, &right.ty) {
            return both;
        }
        // C# 9 takes the type from where the value goes to.
        let fit = |typed: &Typed| super::coerce::fits(typed, wanted);
        if !wanted.is_open() && *wanted != Type::Object && fit(left) && fit(right) {
            return wanted.clone();
        }
        let message = format!("one side is {}, the other {}", left.ty, right.ty);
        self.wrong(span, message, Some("convert one of them to the type of the other".to_owned()));
        Type::Unknown
    }

    /// A value that must be a bool.
    pub(super) fn condition(&mut self, expr: &Expr) -> Node {
        let typed = self.value_for(expr, &Type::Bool);
        self.coerce(typed, &Type::Bool, "the condition")
    }

    /// A value that must be an exception.
    pub(super) fn exception(&mut self, expr: &Expr) -> Node {
        let typed = self.value(expr);
        let root = Type::Exception(crate::expression::value::thrown::ExceptionKind::Exception);
        self.coerce(typed, &root, "what is thrown")
    }

    fn cast(
        &mut self,
        to: &crate::expression::ast::TypeName,
        operand: &Expr,
        span: &Span,
    ) -> Typed {
        let to = self.named_type(to);
        let typed = self.value_for(operand, &to);
        self.cast_to(typed, to, span)
    }

    /// `(to)typed`
    pub(super) fn cast_to(&mut self, typed: Typed, to: Type, span: &Span) -> Typed {
        if typed.ty == Type::Void || !explicit(&typed.ty, &to) {
            let message = format!("{} cannot be cast to {to}", typed.ty);
            let remedy = match (&typed.ty, &to) {
                (Type::String, to) if to.is_number() => Some(format!("parse it: `{to}.Parse(…)`")),
                (_, Type::String) => Some("use `.ToString()`".to_owned()),
                _ => None,
            };
            self.wrong(span, message, remedy);
            return Typed { ty: to, ..Typed::unknown(span) };
        }
        self.refuse_constant_cast(&typed, &to, span);
        if typed.ty == to && to != Type::Object {
            return Typed { ty: to, span: span.clone(), node: typed.node };
        }
        let whole = Typed { node: typed.node, ty: typed.ty, span: typed.span };
        let from_way = matches!(&whole.ty, Type::Class(class) if class.same_as().is_some());
        let counts = self.overflow == Overflow::Checked
            && whole.ty.bare().is_number()
            && to.bare().is_integer();
        let node = if counts {
            Node::new(NodeKind::Exact(Box::new(whole.node), to.clone()), span.start)
        } else if from_way || matches!(to, Type::Object | Type::Unknown) {
            self.converted(whole, &to)
        } else {
            let boxed = matches!(whole.ty, Type::Object | Type::Unknown);
            let value = Box::new(whole.node);
            Node::new(NodeKind::Convert { value, to: to.clone(), boxed }, span.start)
        };
        Typed { node, ty: to, span: span.clone() }
    }

    fn as_type(
        &mut self,
        operand: &Expr,
        to: &crate::expression::ast::TypeName,
        span: &Span,
    ) -> Typed {
        let to = self.named_type(to);
        let typed = self.value(operand);
        if to.is_value() {
            let remedy = Some(format!("write `as {to}?`, or cast: `({to})…`"));
            self.wrong(
                span,
                format!("`as` needs a type that can be null, and {to} cannot"),
                remedy,
            );
        }
        if typed.ty != Type::Null && !explicit(&typed.ty, to.bare()) {
            self.wrong(span, format!("{} is never {to}", typed.ty), None);
        }
        let value = Box::new(self.converted(typed, &Type::Object));
        Typed::new(NodeKind::As(value, to.bare().clone()), to, span)
    }

    fn name_of(&mut self, of: &Expr, span: &Span) -> Typed {
        use crate::expression::ast::LinkKind;
        let name = match &of.kind {
            ExprKind::Name(name) => Some(name),
            ExprKind::Path { links, .. } => links.last().and_then(|link| match &link.kind {
                LinkKind::Member { name, .. } => Some(name),
                LinkKind::Call(_) | LinkKind::Index(_) => None,
            }),
            _ => None,
        };
        let Some(name) = name else {
            self.wrong(&of.span, "`nameof` needs a name", None);
            return Typed::unknown(span);
        };
        Typed::constant(Value::text(&name.text), Type::String, span)
    }
}

/// The number that the digits of a `decimal` write, with as many places as are written.
fn decimal(digits: &str) -> Option<Decimal> {
    Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits)).ok()
}
