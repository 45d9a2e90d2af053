//! Tuples that are taken apart: `var (a, b) = …`, `(int a, var b) = …`, `(a, b) = …`, and the same
//! in `foreach`.
//!
//! What declares types, or assigns to what is there, first goes to variables that have no name in
//! the text: the right side is computed whole before anything is assigned, so that
//! `(a, b) = (b, a)` swaps.

use super::super::ast::statement::{Declaration, Statement, StatementKind};
use super::super::ast::{AssignOperator, DeclaredType, Expr, ExprKind, Name, Span};
use super::super::lexer::TokenKind;
use super::Parser;
use super::names::is_reserved;

/// What stands in the parentheses.
pub(super) struct Parts {
    parts: Vec<Part>,
    span: Span,
}

enum Part {
    /// `var a`, or `a` in `var (a, b)`, or `_`.
    Named(Name),
    /// `int a`
    Declared(DeclaredType, Name),
    /// A variable or a member that is assigned to.
    Assigned(Expr),
}

impl Parts {
    /// The statement that takes `value` apart.
    pub(super) fn of(self, value: Expr) -> StatementKind {
        let (mut names, mut after) = (Vec::new(), Vec::new());
        for part in self.parts {
            let (span, make): (Span, Box<dyn FnOnce(Expr) -> StatementKind>) = match part {
                Part::Named(name) => {
                    names.push(name);
                    continue;
                }
                Part::Declared(declared, name) => {
                    let span = name.span.clone();
                    let declare = |value| {
                        let variables = vec![(name, Some(value))];
                        let constant = false;
                        StatementKind::Declaration(Declaration { declared, constant, variables })
                    };
                    (span, Box::new(declare))
                }
                Part::Assigned(target) => {
                    let span = target.span.clone();
                    let assign = move |value| {
                        let span = target.span.clone();
                        let (target, value) = (Box::new(target), Box::new(value));
                        let operator = AssignOperator::Plain;
                        let kind = ExprKind::Assign { target, operator, value };
                        StatementKind::Expression(Expr { kind, span })
                    };
                    (span, Box::new(assign))
                }
            };
            let name = unnamed(&span);
            let value = Expr { kind: ExprKind::Name(name.clone()), span: span.clone() };
            names.push(name);
            after.push(Statement { kind: make(value), span });
        }
        let apart = StatementKind::Deconstruction { names, value };
        if after.is_empty() {
            return apart;
        }
        after.insert(0, Statement { kind: apart, span: self.span });
        StatementKind::Several(after)
    }
}

/// A name that no text can contain.
fn unnamed(span: &Span) -> Name {
    Name { text: format!("({})", span.start).into(), span: span.clone() }
}

impl Parser {
    /// Whether parts in parentheses come next, and `then` after them.
    pub(super) fn starts_parts(&self, then: &str) -> bool {
        let open = usize::from(self.is_word("var"));
        if !self.is_symbol_at(open, "(") {
            return false;
        }
        let Some(after) = self.after.get(self.at.saturating_add(open)) else { return false };
        let follows = self.tokens.get(*after).is_some_and(|token| match &token.kind {
            TokenKind::Symbol(symbol) => *symbol == then,
            TokenKind::Word(word) => **word == *then,
            TokenKind::Literal(_) | TokenKind::Interpolated(_) | TokenKind::End => false,
        });
        follows && self.has_comma(self.at.saturating_add(open))
    }

    /// Whether a comma stands directly in the parentheses that open at `open`.
    fn has_comma(&self, open: usize) -> bool {
        let mut deep = 0_usize;
        for token in self.tokens.iter().skip(open) {
            match &token.kind {
                TokenKind::Symbol("(" | "[" | "{") => deep = deep.saturating_add(1),
                TokenKind::Symbol(")" | "]" | "}") if deep == 1 => return false,
                TokenKind::Symbol(")" | "]" | "}") => deep = deep.saturating_sub(1),
                TokenKind::Symbol(",") if deep == 1 => return true,
                TokenKind::Symbol(_)
                | TokenKind::Word(_)
                | TokenKind::Literal(_)
                | TokenKind::Interpolated(_)
                | TokenKind::End => {}
            }
        }
        false
    }

    /// The parts, which [`Self::starts_parts`] saw.
    pub(super) fn parts(&mut self) -> Parts {
        let start = self.span().start;
        let all_new = self.eat_word("var");
        let mut parts = Vec::new();
        self.expect("(");
        loop {
            parts.push(self.part(all_new));
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")");
        Parts { parts, span: self.span_from(start) }
    }

    fn part(&mut self, all_new: bool) -> Part {
        let ends = |parser: &Self, ahead| {
            parser.is_symbol_at(ahead, ",") || parser.is_symbol_at(ahead, ")")
        };
        if all_new || (self.is_word("_") && ends(self, 1)) {
            return Part::Named(self.name("the name of a variable"));
        }
        if self.eat_word("var") {
            return Part::Named(self.name("the name of a variable"));
        }
        let before = self.at;
        if let Some(declared) = self.type_name()
            && matches!(self.peek(), TokenKind::Word(word) if !is_reserved(word))
            && ends(self, 1)
        {
            let name = self.name("the name of a variable");
            return Part::Declared(DeclaredType::Named(declared), name);
        }
        self.at = before;
        Part::Assigned(self.expression())
    }

    /// `(a, b)` of `foreach (var (a, b) in …)`, with the name that the whole item gets; none with
    /// nothing read.
    pub(super) fn foreach_parts(&mut self) -> Option<(Parts, Name)> {
        if !self.starts_parts("in") {
            return None;
        }
        let parts = self.parts();
        let whole = unnamed(&parts.span);
        Some((parts, whole))
    }
}
