//! Constants that the C# compiler refuses: what divides by zero, and what does not fit.

use super::{Checker, Typed};
use crate::expression::ast::{BinaryOperator, Expr, ExprKind, LinkKind, Overflow, Span};
use crate::expression::eval::node::{Node, NodeKind};
use crate::expression::library::operators;
use crate::expression::types::Type;
use crate::expression::value::Value;

impl Checker {
    /// Refuses `left operator right` where both are known and there is no such number.
    pub(super) fn refuse_constant(
        &mut self,
        operator: BinaryOperator,
        (left, written): (&Typed, bool),
        right: &Typed,
        at: &Span,
    ) {
        use BinaryOperator as Op;
        let Some(other) = right.node.constant().and_then(whole) else { return };
        let divides = matches!(operator, Op::Divide | Op::Remainder);
        let both_whole = left.ty.bare().is_integer() && right.ty.is_integer();
        if divides && other == 0 && both_whole {
            self.wrong(at, "this divides by zero", None);
            return;
        }
        let Some(one) = left.node.constant().and_then(whole) else { return };
        if self.overflow == Overflow::Unchecked || !both_whole || !written {
            return;
        }
        let result = match operator {
            Op::Add => one.checked_add(other),
            Op::Subtract => one.checked_sub(other),
            Op::Multiply => one.checked_mul(other),
            _ => return,
        };
        let has = |ty: &Type| left.ty == *ty || right.ty == *ty;
        let ty = [Type::ULong, Type::Long, Type::UInt].into_iter().find(has);
        let ty = ty.unwrap_or(Type::Int);
        if result.is_none_or(|number| !holds(&ty, number)) {
            let message = format!("the result does not fit into {ty}");
            let remedy = "write `unchecked(…)` around it, or make one side a `long`";
            self.wrong(at, message, Some(remedy.to_owned()));
        }
    }

    /// Refuses a cast of a constant to an integer type that cannot hold it.
    pub(super) fn refuse_constant_cast(&mut self, typed: &Typed, to: &Type, span: &Span) {
        let Some(number) = typed.node.constant().and_then(whole) else { return };
        if self.overflow != Overflow::Unchecked && typed.ty.is_integer() && !holds(to, number) {
            let message = format!("{number} does not fit into {to}");
            let remedy = format!("write `unchecked(({to})…)` if its upper bits shall be cut off");
            self.wrong(span, message, Some(remedy));
        }
    }
}

/// The operands in the types that C# computes in where one is unsigned: a constant that fits
/// becomes unsigned, and `int` and `uint` meet in `long`.
pub(super) fn met(operator: BinaryOperator, left: Typed, right: Typed) -> (Typed, Typed) {
    if matches!(operator, BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight) {
        return (left, right);
    }
    let types = (left.ty.clone(), right.ty.clone());
    match types {
        (unsigned @ (Type::UInt | Type::ULong), Type::Int | Type::Long) => {
            let right = as_unsigned(right, &unsigned);
            let left = if right.ty == Type::Int { as_long(left) } else { left };
            (left, right)
        }
        (Type::Int | Type::Long, unsigned @ (Type::UInt | Type::ULong)) => {
            let left = as_unsigned(left, &unsigned);
            let right = if left.ty == Type::Int { as_long(right) } else { right };
            (left, right)
        }
        _ => (left, right),
    }
}

/// A constant of a signed type as an unsigned one, where it is not negative.
fn as_unsigned(typed: Typed, to: &Type) -> Typed {
    let number = match typed.node.constant() {
        Some(Value::Int(number)) => u64::try_from(*number).ok(),
        Some(Value::Long(number)) if *to == Type::ULong => u64::try_from(*number).ok(),
        _ => None,
    };
    let value = match (to, number) {
        (Type::ULong, Some(number)) => Some(Value::ULong(number)),
        (_, Some(number)) => u32::try_from(number).ok().map(Value::UInt),
        _ => None,
    };
    match value {
        Some(value) => Typed::constant(value, to.clone(), &typed.span),
        None => typed,
    }
}

/// A `uint` as a `long`.
fn as_long(typed: Typed) -> Typed {
    if typed.ty != Type::UInt {
        return typed;
    }
    let at = typed.node.at;
    let value = Box::new(typed.node);
    let kind = NodeKind::Convert { value, to: Type::Long, boxed: false };
    Typed { node: Node::new(kind, at), ty: Type::Long, span: typed.span }
}

/// Whether it is a constant to C# too: what a call gives is none, however plain it is.
pub(super) fn is_written(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Path { links, .. } => {
            links.iter().all(|link| matches!(link.kind, LinkKind::Member { .. }))
        }
        ExprKind::New { .. } => false,
        _ => true,
    }
}

fn whole(value: &Value) -> Option<i128> {
    operators::to_integer(value)
}

/// Whether a value of `ty` can be `number`; what is no integer type can.
fn holds(ty: &Type, number: i128) -> bool {
    match ty {
        Type::Byte => u8::try_from(number).is_ok(),
        Type::Char => u16::try_from(number).is_ok(),
        Type::Int => i32::try_from(number).is_ok(),
        Type::UInt => u32::try_from(number).is_ok(),
        Type::Long => i64::try_from(number).is_ok(),
        Type::ULong => u64::try_from(number).is_ok(),
        _ => true,
    }
}
