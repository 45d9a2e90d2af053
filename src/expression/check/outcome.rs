//! Ways out: results and exceptions.

use super::{Checker, Typed};
use crate::expression::ast::statement::{self as written, Catch};
use crate::expression::ast::{Expr, Span};
use crate::expression::eval::node::{self, Node, Statement};
use crate::expression::types::{Type, common, explicit};
use crate::expression::value::thrown::ExceptionKind;

impl Checker {
    pub(super) fn return_value(&mut self, value: Option<&Expr>, span: &Span) -> Statement {
        let wanted = self.frames.last().and_then(|frame| frame.wanted.clone());
        let Some(value) = value else {
            if wanted.is_some_and(|wanted| wanted != Type::Void) {
                let remedy = Some("write `return value;`".to_owned());
                self.wrong(span, "a value must be returned here", remedy);
            }
            return Statement::Return(None);
        };
        let hint = wanted.clone().unwrap_or(Type::Unknown);
        let typed = self.value_for(value, &hint);
        let node = match wanted {
            Some(Type::Void) => {
                self.wrong(&typed.span, "nothing can be returned here", None);
                typed.node
            }
            Some(wanted) if self.frames.len() == 1 => self.result(typed, &wanted),
            Some(wanted) => self.coerce(typed, &wanted, "the result"),
            None => self.inferred(typed),
        };
        Statement::Return(Some(node))
    }

    /// A `return` of a lambda whose type is not known yet.
    fn inferred(&mut self, typed: Typed) -> Node {
        let before = self.frames.last().and_then(|frame| frame.found.clone());
        let found = match before {
            Some(before) => common(&before, &typed.ty).unwrap_or_else(|| {
                let message = format!("one result is {before}, another {}", typed.ty);
                self.wrong(&typed.span, message, None);
                Type::Unknown
            }),
            None => typed.ty.clone(),
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.found = Some(found);
        }
        typed.node
    }

    /// The value of the whole expression, in the form that its place wants.
    pub(super) fn result(&mut self, typed: Typed, wanted: &Type) -> Node {
        if matches!(typed.ty, Type::Function(..)) {
            self.wrong(&typed.span, "a lambda cannot be the result of an expression", None);
        }
        // An enumeration leaves as its name: outside nobody knows what its number means.
        if *wanted == Type::Object && matches!(typed.ty.bare(), Type::Enumeration(_)) {
            return self.printed(typed);
        }
        if let Type::Nullable(inner) = &typed.ty
            && explicit(inner, wanted)
            && *wanted != Type::Object
        {
            let remedy = format!("write `… ?? false`, or `({wanted})…`");
            let message = format!("the result must be {wanted}, not {}", typed.ty);
            self.wrong(&typed.span, message, Some(remedy));
            return typed.node;
        }
        self.coerce(typed, wanted, "the result")
    }

    /// Says so if the statements can end without a `return`.
    pub(super) fn must_return(&mut self, statements: &[Statement], end: Span, what: &str) {
        if super::flow::completes(statements) {
            let message = format!("{what} can end without a result");
            let remedy = Some("add a `return` at the end".to_owned());
            self.wrong(&end, message, remedy);
        }
    }

    pub(super) fn try_block(&mut self, whole: &written::Try) -> Statement {
        let body = self.block(&whole.body);
        let mut catches: Vec<node::Catch> = Vec::new();
        for catch in &whole.catches {
            let catch = self.scoped(|checker| checker.catch(catch));
            let hidden = catches.iter().any(|c| c.guard.is_none() && catch.0.of.is_a(c.of));
            if hidden {
                let message = "an earlier `catch` takes all of these";
                self.wrong(&catch.1, message, Some("put it first".to_owned()));
            }
            catches.push(catch.0);
        }
        let finally = whole.finally.as_ref().map(|finally| self.block(finally));
        let finally = finally.unwrap_or_default();
        Statement::Try(Box::new(node::Try { body, catches, finally }))
    }

    fn catch(&mut self, catch: &Catch) -> (node::Catch, Span) {
        let mut of = ExceptionKind::Exception;
        let mut span = catch.body.span.clone();
        if let Some(name) = &catch.of {
            span = name.span.clone();
            match self.named_type(name) {
                Type::Exception(kind) => of = kind,
                Type::Unknown => {}
                other => self.wrong(&name.span, format!("{other} is not an exception"), None),
            }
        }
        let name = catch.name.as_ref();
        let slot = name.map(|name| self.variable(name, Type::Exception(of), true));
        let guard = catch.guard.as_ref().map(|guard| self.condition(guard));
        self.around.catches = self.around.catches.saturating_add(1);
        let body = self.block(&catch.body);
        self.around.catches = self.around.catches.saturating_sub(1);
        (node::Catch { of, slot, guard, body }, span)
    }
}
