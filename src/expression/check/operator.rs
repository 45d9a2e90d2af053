//! Operators: which types they take, and what they give.

use super::{Checker, Typed, constant};
use crate::expression::ast::{BinaryOperator, Expr, Overflow, Span};
use crate::expression::eval::node::{Node, NodeKind};
use crate::expression::types::{Class, Type, common, explicit, implicit};
use crate::expression::value::Value;

impl Checker {
    /// Operators of one precedence, from left to right.
    pub(super) fn chain(&mut self, first: &Expr, rest: &[(BinaryOperator, Span, Expr)]) -> Typed {
        let mut left = match rest.first() {
            Some((BinaryOperator::And | BinaryOperator::Or, _, _)) => {
                let condition = self.condition(first);
                Typed { node: condition, ty: Type::Bool, span: first.span.clone() }
            }
            _ => self.value(first),
        };
        let mut written = constant::is_written(first);
        for (operator, at, right) in rest {
            left = match operator {
                BinaryOperator::And | BinaryOperator::Or => {
                    let right_node = self.condition(right);
                    logical(left, *operator, right_node, &right.span)
                }
                _ => {
                    let right_expr = right;
                    let right = self.value_for(right, &left.ty.clone());
                    if constant::is_written(right_expr) {
                        self.refuse_constant(*operator, (&left, written), &right, at);
                    }
                    written = written && constant::is_written(right_expr);
                    self.binary(*operator, left, right, at)
                }
            };
            left = Self::folded(left);
        }
        left
    }

    /// `left operator right`
    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: Typed,
        right: Typed,
        at: &Span,
    ) -> Typed {
        let span = left.span.start..right.span.end.max(left.span.end);
        let (left, right) = constant::met(operator, left, right);
        let is_namespace = left.ty == Type::Class(Class::XNamespace);
        if operator == BinaryOperator::Add
            && !is_namespace
            && (is_text(&left.ty) || is_text(&right.ty))
        {
            return self.concatenation(left, right, &span);
        }
        let Some(ty) = result_type(operator, &left, &right) else {
            self.no_operator(operator, &left, &right, at);
            let ty = if is_comparison(operator) { Type::Bool } else { Type::Unknown };
            return Typed { ty, ..Typed::unknown(&span) };
        };
        // Numbers of different types are promoted when they are there; a `char` that is added to
        // a `decimal` needs no node of its own.
        let with_null = left.ty == Type::Null || right.ty == Type::Null;
        let (left, right) = if with_null {
            // Whether a body is there can be asked without reading it.
            (left.node, right.node)
        } else {
            let right = self.converted(right, &Type::Object);
            (self.converted(left, &Type::Object), right)
        };
        let computes = matches!(
            operator,
            BinaryOperator::Add | BinaryOperator::Subtract | BinaryOperator::Multiply
        );
        if self.overflow == Overflow::Checked && computes {
            let kind = NodeKind::Checked(operator, Box::new([left, right]));
            return Typed::new(kind, ty, &(at.start..span.end)).spanning(span);
        }
        let kind = match left.kind {
            NodeKind::Operate(first, mut rest) => {
                rest.push((operator, right));
                NodeKind::Operate(first, rest)
            }
            kind => {
                let left = Box::new(Node { kind, at: left.at });
                NodeKind::Operate(left, vec![(operator, right)])
            }
        };
        Typed::new(kind, ty, &(at.start..span.end)).spanning(span)
    }

    fn no_operator(&mut self, operator: BinaryOperator, left: &Typed, right: &Typed, at: &Span) {
        let symbol = operator.symbol();
        let message = format!("`{symbol}` cannot be used on {} and {}", left.ty, right.ty);
        let pair = (&left.ty, &right.ty);
        let remedy = match pair {
            (Type::Object, other) | (other, Type::Object) if !matches!(other, Type::Object) => {
                Some(format!("cast the object: `({other})…`"))
            }
            (Type::String, number) | (number, Type::String) if number.is_number() => {
                Some(format!("parse the string: `{number}.Parse(…)`"))
            }
            (Type::Class(class), other) | (other, Type::Class(class)) if class.is_json() => {
                Some(format!("cast the token: `({other})…`"))
            }
            (Type::Void, _) | (_, Type::Void) => Some("one side gives no value".to_owned()),
            _ => None,
        };
        self.wrong(at, message, remedy);
    }

    fn concatenation(&mut self, left: Typed, right: Typed, span: &Span) -> Typed {
        let right = self.printed(right);
        let mut parts = match left.node.kind {
            NodeKind::Concat(parts) if left.ty == Type::String => parts,
            kind => {
                let node = Node { kind, at: left.node.at };
                vec![self.printed(Typed { node, ty: left.ty, span: left.span })]
            }
        };
        // Two constants side by side are one.
        match (parts.last_mut().map(|last| &mut last.kind), right.constant()) {
            (Some(NodeKind::Constant(Value::String(before))), Some(Value::String(after))) => {
                *before = [&**before, &**after].concat().into();
            }
            _ => parts.push(right),
        }
        Typed::new(NodeKind::Concat(parts), Type::String, span)
    }

    /// `a ?? b ?? c`
    pub(super) fn coalesce(&mut self, parts: &[Expr], wanted: &Type, span: &Span) -> Typed {
        let mut typed: Vec<Typed> = Vec::new();
        for part in parts {
            let wanted = typed.first().map_or(wanted, |first: &Typed| first.ty.bare()).clone();
            typed.push(self.value_for(part, &wanted));
        }
        // The last one decides whether the whole can be null.
        let Some(last) = typed.pop() else { return Typed::unknown(span) };
        let mut right = last;
        while let Some(left) = typed.pop() {
            right = self.coalesce_two(left, right, span);
        }
        right
    }

    fn coalesce_two(&mut self, left: Typed, right: Typed, span: &Span) -> Typed {
        if left.ty == Type::Null && right.ty.is_value() {
            let message = format!("`??` cannot be used on null and {}", right.ty);
            self.wrong(&left.span, message, Some("leave out `null ??`".to_owned()));
            return right;
        }
        if left.ty.is_value() && !matches!(left.ty, Type::Nullable(_)) {
            let message = format!("{} is never null, so `??` has no use", left.ty);
            self.wrong(&left.span, message, Some("leave out `??` and what follows".to_owned()));
            return right;
        }
        let bare = left.ty.bare().clone();
        let ty = if super::coerce::fits(&right, &bare) {
            bare
        } else if super::coerce::fits(&right, &left.ty) {
            left.ty.clone()
        } else if implicit(&left.ty, &right.ty).is_some() {
            right.ty.clone()
        } else {
            self.common_type(&left, &right, &Type::Unknown, span)
        };
        let right = self.converted(right, &ty);
        let left = self.converted(left, &ty.clone().nullable());
        let kind = match right.kind {
            NodeKind::Coalesce(mut parts) => {
                parts.insert(0, left);
                NodeKind::Coalesce(parts)
            }
            kind => NodeKind::Coalesce(vec![left, Node { kind, at: right.at }]),
        };
        Typed::new(kind, ty, span)
    }
}

impl Typed {
    /// The same over another part of the source; a fault at run time still points at the operator.
    fn spanning(mut self, span: Span) -> Self {
        self.span = span;
        self
    }
}

fn logical(left: Typed, operator: BinaryOperator, right: Node, right_span: &Span) -> Typed {
    let span = left.span.start..right_span.end.max(left.span.end);
    let all = operator == BinaryOperator::And;
    let kind = match (left.node.kind, all) {
        (NodeKind::All(mut parts), true) => {
            parts.push(right);
            NodeKind::All(parts)
        }
        (NodeKind::Any(mut parts), false) => {
            parts.push(right);
            NodeKind::Any(parts)
        }
        (kind, _) => {
            let parts = vec![Node { kind, at: left.node.at }, right];
            if all { NodeKind::All(parts) } else { NodeKind::Any(parts) }
        }
    };
    Typed::new(kind, Type::Bool, &span)
}

/// Whether `+` joins it to whatever is on the other side.
fn is_text(ty: &Type) -> bool {
    *ty == Type::String
}

const fn is_comparison(operator: BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Equal
            | BinaryOperator::NotEqual
            | BinaryOperator::Less
            | BinaryOperator::LessOrEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterOrEqual
    )
}

/// What the operator gives; none if it takes no such operands.
fn result_type(operator: BinaryOperator, left: &Typed, right: &Typed) -> Option<Type> {
    use BinaryOperator as Op;
    let (one, other) = (&left.ty, &right.ty);
    if *one == Type::Void || *other == Type::Void {
        return None;
    }
    let open = one.is_open() || other.is_open();
    match operator {
        Op::Equal | Op::NotEqual => (open || comparable(left, right)).then_some(Type::Bool),
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
            (open || ordered(one.bare(), other.bare())).then_some(Type::Bool)
        }
        _ if open => Some(Type::Unknown),
        Op::And | Op::Or => None,
        Op::BitAnd | Op::BitOr | Op::BitXor => match (one.bare(), other.bare()) {
            (Type::Bool, Type::Bool) => Some(lifted(Type::Bool, one, other)),
            (Type::Enumeration(left), Type::Enumeration(right)) => {
                (left == right).then(|| one.clone())
            }
            (left, right) if left.is_integer() && right.is_integer() => {
                Some(lifted(promoted(left, right)?, one, other))
            }
            _ => None,
        },
        Op::ShiftLeft | Op::ShiftRight => {
            let (value, places) = (one.bare(), other.bare());
            let fits = value.is_integer() && implicit(places, &Type::Int).is_some();
            fits.then(|| lifted(widened(value), one, other))
        }
        Op::Add if *one == Type::Class(Class::XNamespace) => {
            is_text(other).then_some(Type::Class(Class::XName))
        }
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
            let moment = moments(operator, one.bare(), other.bare());
            let number = || promoted(one.bare(), other.bare());
            moment.or_else(number).map(|ty| lifted(ty, one, other))
        }
    }
}

fn lifted(result: Type, one: &Type, other: &Type) -> Type {
    let nullable = matches!(one, Type::Nullable(_)) || matches!(other, Type::Nullable(_));
    if nullable { result.nullable() } else { result }
}

/// The type that C# computes in.
fn promoted(one: &Type, other: &Type) -> Option<Type> {
    if !one.is_number() || !other.is_number() {
        return None;
    }
    let has = |ty: &Type| one == ty || other == ty;
    if has(&Type::Decimal) {
        return (!has(&Type::Double) && !has(&Type::Float)).then_some(Type::Decimal);
    }
    let is_signed = |ty: &Type| matches!(ty, Type::Int | Type::Long);
    if has(&Type::ULong) && (is_signed(one) || is_signed(other)) {
        return None;
    }
    for ty in [Type::Double, Type::Float, Type::ULong, Type::Long] {
        if has(&ty) {
            return Some(ty);
        }
    }
    if has(&Type::UInt) {
        return Some(if has(&Type::Int) { Type::Long } else { Type::UInt });
    }
    Some(Type::Int)
}

/// What a single integer is computed in.
pub(super) fn widened(ty: &Type) -> Type {
    match ty {
        Type::Char | Type::Byte => Type::Int,
        other => other.clone(),
    }
}

fn moments(operator: BinaryOperator, one: &Type, other: &Type) -> Option<Type> {
    use BinaryOperator as Op;
    let (Type::Class(left), Type::Class(right)) = (one, other) else {
        let span = Type::Class(Class::TimeSpan);
        let scaled = matches!(operator, Op::Multiply | Op::Divide)
            && ((*one == span && other.is_number())
                || (*other == span && one.is_number() && operator == Op::Multiply));
        return scaled.then_some(span);
    };
    let moment = |class: Class| matches!(class, Class::DateTime | Class::DateTimeOffset);
    match operator {
        Op::Add | Op::Subtract if moment(*left) && *right == Class::TimeSpan => Some(one.clone()),
        Op::Subtract if moment(*left) && left == right => Some(Type::Class(Class::TimeSpan)),
        Op::Add | Op::Subtract if *left == Class::TimeSpan && left == right => Some(one.clone()),
        Op::Divide if *left == Class::TimeSpan && left == right => Some(Type::Double),
        _ => None,
    }
}

/// Whether `<` is there for them.
fn ordered(one: &Type, other: &Type) -> bool {
    if *one == Type::Null || *other == Type::Null {
        return one.is_value() || other.is_value();
    }
    match (one, other) {
        (Type::Class(left), Type::Class(right)) => {
            left == right
                && matches!(left, Class::DateTime | Class::DateTimeOffset | Class::TimeSpan)
        }
        (Type::Enumeration(left), Type::Enumeration(right)) => left == right,
        (left, right) => promoted(left, right).is_some(),
    }
}

/// Whether `==` is there for them: numbers, the same type, or references of which one can be
/// the other. `object` is compared by value, which is what writers of policies mean by it.
fn comparable(left: &Typed, right: &Typed) -> bool {
    let (one, other) = (&left.ty, &right.ty);
    // A value is never null, but it may be asked.
    if [one, other].into_iter().any(|ty| matches!(ty, Type::Null | Type::Object)) {
        return true;
    }
    let (one, other) = (one.bare(), other.bare());
    if one.is_number() && other.is_number() {
        return promoted(one, other).is_some();
    }
    if let (Type::Class(class), value) | (value, Type::Class(class)) = (one, other)
        && class.is_json()
        && !matches!(value, Type::Class(_))
    {
        return false;
    }
    super::coerce::fits(left, other)
        || super::coerce::fits(right, one)
        || (common(one, other).is_some() && explicit(one, other))
}
