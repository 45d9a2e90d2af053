//! Assignments.

use super::path::only;
use super::{Checker, Meaning, Typed};
use crate::expression::ast::{
    AssignOperator, BinaryOperator, Expr, ExprKind, Link, LinkKind, Name, Overflow, Span,
};
use crate::expression::eval::node::{Change, Found, Node, NodeKind, Place, Update};
use crate::expression::members::MemberKind;
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;

/// A place with the type of what it holds.
struct Target {
    place: Place,
    ty: Type,
}

impl Checker {
    /// `target operator value`
    pub(super) fn assign(
        &mut self,
        target: &Expr,
        operator: AssignOperator,
        value: &Expr,
        span: &Span,
    ) -> Typed {
        if let ExprKind::Name(name) = &target.kind
            && &*name.text == "_"
            && operator == AssignOperator::Plain
            && self.lookup("_").is_none()
        {
            // `_ = value` computes the value and forgets it.
            return self.value(value);
        }
        let reads = operator != AssignOperator::Plain;
        let Some(target) = self.target(target, reads) else {
            self.value(value);
            return Typed::unknown(span);
        };
        let typed = self.value_for(value, &target.ty);
        match operator {
            AssignOperator::Plain => {
                let node = self.coerce(typed, &target.ty, "the value");
                Self::set(target, node, span)
            }
            AssignOperator::Coalesce => {
                let bare = target.ty.bare().clone();
                let node = self.coerce(typed, &bare, "the value");
                update(target, Change::Coalesce(node), false, span)
            }
            AssignOperator::Compound(operator) => {
                let node = self.operand(&target, operator, typed, span);
                let change = self.change(operator, node, &target.ty);
                update(target, change, false, span)
            }
        }
    }

    fn set(target: Target, node: Node, span: &Span) -> Typed {
        if let Place::Slot(slot) = target.place {
            return Typed::new(NodeKind::SetLocal(slot, Box::new(node)), target.ty, span);
        }
        update(target, Change::Set(node), false, span)
    }

    /// Checks `target operator value` and that it can be stored again.
    fn operand(
        &mut self,
        target: &Target,
        operator: BinaryOperator,
        typed: Typed,
        span: &Span,
    ) -> Node {
        if operator == BinaryOperator::Add && target.ty == Type::String {
            return self.printed(typed);
        }
        let probe = Typed::new(NodeKind::Local(usize::MAX), target.ty.clone(), span);
        let other = Typed::new(NodeKind::Local(usize::MAX), typed.ty.clone(), &typed.span);
        let other = match typed.node.constant() {
            Some(value) => Typed { node: Node::new(NodeKind::Constant(value.clone()), 0), ..other },
            None => other,
        };
        let result = self.binary(operator, probe, other, span);
        let stored = crate::expression::types::explicit(&result.ty, &target.ty);
        // `x += 1.5` with an `int` is refused; `b += 1` with a `byte` is not.
        let narrows =
            !super::coerce::fits(&result, &target.ty) && !super::coerce::fits(&typed, &target.ty);
        if !stored || narrows {
            let message = format!("{} cannot be stored as {}", result.ty, target.ty);
            self.wrong(span, message, None);
        }
        self.converted(typed, &Type::Object)
    }

    /// `++target`, `target--`
    pub(super) fn increment(
        &mut self,
        target: &Expr,
        up: bool,
        prefix: bool,
        span: &Span,
    ) -> Typed {
        let Some(target) = self.target(target, true) else { return Typed::unknown(span) };
        if !target.ty.bare().is_number() && !target.ty.is_open() {
            let symbol = if up { "++" } else { "--" };
            self.wrong(span, format!("`{symbol}` cannot be used on {}", target.ty), None);
        }
        let operator = if up { BinaryOperator::Add } else { BinaryOperator::Subtract };
        let one = Node::new(NodeKind::Constant(Value::Int(1)), span.start);
        let change = self.change(operator, one, &target.ty);
        update(target, change, !prefix, span)
    }

    /// What `operator=` does to a target of the type `ty`.
    fn change(&self, operator: BinaryOperator, value: Node, ty: &Type) -> Change {
        if self.overflow == Overflow::Checked && ty.bare().is_integer() {
            Change::Checked(operator, value)
        } else {
            Change::Operate(operator, value)
        }
    }

    /// What is assigned to; none with a fault if it cannot be.
    fn target(&mut self, target: &Expr, reads: bool) -> Option<Target> {
        match &target.kind {
            ExprKind::Name(name) => self.variable_target(name),
            ExprKind::Path { first, links } => self.member_target(first, links, target, reads),
            ExprKind::Wrong => None,
            _ => {
                self.wrong(&target.span, "this cannot be assigned to", None);
                None
            }
        }
    }

    fn variable_target(&mut self, name: &Name) -> Option<Target> {
        match self.lookup(&name.text).cloned() {
            Some(Meaning::Variable { slot, ty, fixed: false }) => {
                Some(Target { place: Place::Slot(slot), ty })
            }
            Some(Meaning::Variable { .. }) => {
                let message = format!("`{}` changes with each turn, not by assignment", name.text);
                self.wrong(&name.span, message, Some("use another variable".to_owned()));
                None
            }
            Some(Meaning::Constant { .. }) => {
                self.wrong(&name.span, format!("`{}` is a constant", name.text), None);
                None
            }
            Some(Meaning::Function { .. }) => {
                self.wrong(&name.span, format!("`{}` is a function", name.text), None);
                None
            }
            None if &*name.text == "context" => {
                self.wrong(&name.span, "`context` cannot be assigned to", None);
                None
            }
            None => {
                self.name(name);
                None
            }
        }
    }

    fn member_target(
        &mut self,
        first: &Expr,
        links: &[Link],
        whole: &Expr,
        reads: bool,
    ) -> Option<Target> {
        let (last, before) = links.split_last()?;
        if last.conditional {
            self.wrong(&last.span, "what follows `?` cannot be assigned to", None);
            return None;
        }
        let target = self.path(first, before, &(whole.span.start..last.span.start));
        if let Type::Class(class) = &target.ty
            && class.namespace().is_empty()
            && !target.ty.is_open()
        {
            self.refuse_context(*class, &whole.span);
            return None;
        }
        match &last.kind {
            LinkKind::Member { name, .. } => self.property_target(target, name, reads),
            LinkKind::Index(arguments) => {
                let found = self.indexer(&target, arguments, MemberKind::SetIndex, &last.span)?;
                let (set, nodes, ty) = found;
                let get = if reads { Self::getter(&target.ty, &set) } else { Found::Nothing };
                let target = self.converted(target, &Type::Object);
                Some(Target { place: Place::Member { target, arguments: nodes, get, set }, ty })
            }
            LinkKind::Call(_) => {
                self.wrong(&last.span, "the result of a call cannot be assigned to", None);
                None
            }
        }
    }

    fn refuse_context(&mut self, class: Class, span: &Span) {
        let remedy = match class {
            Class::Variables => "use the policy `set-variable`",
            Class::RequestHeaders | Class::ResponseHeaders => "use the policy `set-header`",
            Class::RequestQuery => "use the policy `set-query-parameter`",
            Class::ContextResponse => "use the policy `set-status`",
            Class::Request => "use the policies `set-method`, `rewrite-uri` and `set-body`",
            _ => "policies change the request, expressions only read it",
        };
        self.wrong(span, "`context` cannot be assigned to", Some(remedy.to_owned()));
    }

    fn property_target(&mut self, target: Typed, name: &Name, reads: bool) -> Option<Target> {
        if target.ty.is_open() {
            let dynamic = Found::Dynamic((&*name.text).into());
            let get = if reads { dynamic.clone() } else { Found::Nothing };
            let place =
                Place::Member { target: target.node, arguments: Vec::new(), get, set: dynamic };
            return Some(Target { place, ty: Type::Unknown });
        }
        let setter = only(&target.ty, &name.text, MemberKind::SetProperty);
        let Some((set, signature)) = setter else {
            let message = format!("`{}` of {} cannot be assigned to", name.text, target.ty);
            self.wrong(&name.span, message, None);
            return None;
        };
        let ty = signature.parameters.first().map_or(Type::Unknown, |value| value.ty.clone());
        let get = match only(&target.ty, &name.text, MemberKind::Property) {
            Some((get, _)) if reads => Found::Member(get),
            _ => Found::Nothing,
        };
        let place = Place::Member {
            target: target.node,
            arguments: Vec::new(),
            get,
            set: Found::Member(set),
        };
        Some(Target { place, ty })
    }

    /// The indexer that reads where `set` writes.
    fn getter(ty: &Type, set: &Found) -> Found {
        match set {
            Found::Member(_) => match only(ty, "[]", MemberKind::Index) {
                Some((get, _)) => Found::Member(get),
                None => Found::Nothing,
            },
            other => other.clone(),
        }
    }
}

fn update(target: Target, change: Change, old: bool, span: &Span) -> Typed {
    let Target { place, ty } = target;
    let update = Update { place, change, old, to: ty.clone() };
    Typed::new(NodeKind::Update(Box::new(update)), ty, span)
}
