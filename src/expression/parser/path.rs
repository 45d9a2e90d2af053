//! What follows a value: members, calls, indexers.

use super::super::ast::{Argument, DeclaredType, Expr, ExprKind, Link, LinkKind, Name};
use super::super::lexer::TokenKind;
use super::Parser;

impl Parser {
    /// A value and everything that is reached from it.
    pub(super) fn path(&mut self) -> Expr {
        let start = self.span().start;
        let first = self.primary();
        let mut links = Vec::new();
        while let Some(link) = self.link() {
            links.push(link);
        }
        let mut value = first;
        if !links.is_empty() {
            let kind = ExprKind::Path { first: Box::new(value), links };
            value = Expr { kind, span: self.span_from(start) };
        }
        if self.is_symbol("++") || self.is_symbol("--") {
            let up = self.is_symbol("++");
            self.bump();
            let kind = ExprKind::Step { target: Box::new(value), up, prefix: false };
            value = Expr { kind, span: self.span_from(start) };
        }
        value
    }

    fn link(&mut self) -> Option<Link> {
        let start = self.span().start;
        // `value!` only quiets the compiler about null.
        if self.is_symbol("!") && self.ends_null_forgiving() {
            self.bump();
        }
        let (kind, conditional) = if self.eat(".") {
            (self.member(), false)
        } else if self.eat("?.") {
            (self.member(), true)
        } else if self.is_symbol("(") {
            (LinkKind::Call(self.arguments("(", ")")), false)
        } else if self.is_symbol("[") {
            (LinkKind::Index(self.arguments("[", "]")), false)
        } else if self.is_symbol("?") && self.is_symbol_at(1, "[") {
            self.bump();
            (LinkKind::Index(self.arguments("[", "]")), true)
        } else if self.is_symbol("?") && self.is_symbol_at(1, ".") {
            // Blanks may stand between the two.
            self.bump();
            self.bump();
            (self.member(), true)
        } else {
            return None;
        };
        Some(Link { kind, conditional, span: self.span_from(start) })
    }

    fn ends_null_forgiving(&self) -> bool {
        match self.peek_at(1) {
            TokenKind::Symbol(symbol) => {
                matches!(*symbol, "." | "?." | "[" | ")" | "]" | "}" | "," | ";")
            }
            TokenKind::End => true,
            TokenKind::Word(_) | TokenKind::Literal(_) | TokenKind::Interpolated(_) => false,
        }
    }

    fn member(&mut self) -> LinkKind {
        let name = self.name("the name of a member");
        let types = self.member_types();
        LinkKind::Member { name, types }
    }

    /// Arguments in brackets.
    pub(super) fn arguments(&mut self, open: &str, close: &str) -> Vec<Argument> {
        let mut arguments = Vec::new();
        self.expect(open);
        if self.eat(close) {
            return arguments;
        }
        loop {
            arguments.push(self.argument());
            if self.eat(",") {
                continue;
            }
            self.expect(close);
            return arguments;
        }
    }

    fn argument(&mut self) -> Argument {
        let named = matches!(self.peek(), TokenKind::Word(_)) && self.is_symbol_at(1, ":");
        let mut name = None;
        if named {
            name = Some(self.name("the name of an argument"));
            self.bump();
        }
        if self.is_word("out") {
            return Argument { name, value: self.out_argument() };
        }
        Argument { name, value: self.expression() }
    }

    fn out_argument(&mut self) -> Expr {
        let start = self.span().start;
        self.bump();
        let mut declared = None;
        if !matches!(self.peek_at(1), TokenKind::Symbol("," | ")")) {
            declared = Some(if self.is_word("var") {
                self.bump();
                DeclaredType::Var
            } else {
                DeclaredType::Named(self.expect_type())
            });
        }
        let name = self.name("the name of a variable");
        let kind = ExprKind::Out { declared, name };
        Expr { kind, span: self.span_from(start) }
    }

    /// `(x, y) =>`, `x =>`.
    pub(super) fn starts_lambda(&self) -> bool {
        match self.peek() {
            TokenKind::Word(_) => self.is_symbol_at(1, "=>"),
            TokenKind::Symbol("(") => {
                let after = self.after.get(self.at).copied();
                let token = after.and_then(|after| self.tokens.get(after));
                token.is_some_and(|token| token.kind == TokenKind::Symbol("=>"))
            }
            TokenKind::Symbol(_)
            | TokenKind::Literal(_)
            | TokenKind::Interpolated(_)
            | TokenKind::End => false,
        }
    }

    /// A name without anything else, as a lambda's parameter.
    pub(super) fn bare_name(&mut self) -> Name {
        self.name("the name of a parameter")
    }
}
