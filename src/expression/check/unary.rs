//! Operators with one operand.

use super::operator::widened;
use super::{Checker, Typed};
use crate::expression::ast::{BinaryOperator, Expr, Overflow, Span, UnaryOperator};
use crate::expression::eval::node::{Node, NodeKind};
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;

impl Checker {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expr, span: &Span) -> Typed {
        let typed = self.value(operand);
        let bare = typed.ty.bare().clone();
        let result = match operator {
            _ if bare.is_open() => Some(bare.clone()),
            UnaryOperator::Not => (bare == Type::Bool).then_some(Type::Bool),
            UnaryOperator::Complement => bare.is_integer().then(|| widened(&bare)),
            UnaryOperator::Plus => bare.is_number().then(|| widened(&bare)),
            UnaryOperator::Minus => match &bare {
                Type::UInt => Some(Type::Long),
                Type::ULong => None,
                Type::Class(Class::TimeSpan) => Some(bare.clone()),
                other => other.is_number().then(|| widened(other)),
            },
        };
        // The smallest `int` and `long` are written as the negation of what fits no `int`.
        if operator == UnaryOperator::Minus
            && let Some(Value::UInt(2_147_483_648)) = typed.node.constant()
        {
            return Typed::constant(Value::Int(i32::MIN), Type::Int, span);
        }
        if operator == UnaryOperator::Minus
            && let Some(Value::ULong(9_223_372_036_854_775_808)) = typed.node.constant()
        {
            return Typed::constant(Value::Long(i64::MIN), Type::Long, span);
        }
        let Some(result) = result else {
            let symbol = match operator {
                UnaryOperator::Plus => "+",
                UnaryOperator::Minus => "-",
                UnaryOperator::Not => "!",
                UnaryOperator::Complement => "~",
            };
            let remedy = (bare == Type::Object && operator == UnaryOperator::Not)
                .then(|| "cast it: `!(bool)…`".to_owned());
            self.wrong(span, format!("`{symbol}` cannot be used on {}", typed.ty), remedy);
            return Typed::unknown(span);
        };
        let lifted = matches!(typed.ty, Type::Nullable(_));
        let result = if lifted { result.nullable() } else { result };
        if operator == UnaryOperator::Minus
            && self.overflow == Overflow::Checked
            && bare.is_integer()
        {
            let zero = Node::new(NodeKind::Constant(Value::Int(0)), span.start);
            let operands = Box::new([zero, typed.node]);
            return Typed::new(NodeKind::Checked(BinaryOperator::Subtract, operands), result, span);
        }
        Typed::new(NodeKind::Unary(operator, Box::new(typed.node)), result, span)
    }
}
