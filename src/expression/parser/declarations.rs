//! Statements that begin with a type or a value.

use super::super::ast::statement::{Declaration, LocalFunction, StatementKind};
use super::super::ast::{DeclaredType, Expr, ExprKind, LambdaBody};
use super::super::lexer::TokenKind;
use super::Parser;
use super::names::is_reserved;

impl Parser {
    pub(super) fn declaration_or_expression(&mut self) -> StatementKind {
        if let Some(function) = self.local_function() {
            return StatementKind::LocalFunction(function);
        }
        if self.starts_parts("=") {
            let parts = self.parts();
            self.expect("=");
            let value = self.expression();
            self.expect(";");
            return parts.of(value);
        }
        if let Some(declaration) = self.declaration() {
            self.expect(";");
            return StatementKind::Declaration(declaration);
        }
        let value = self.expression();
        self.expect(";");
        StatementKind::Expression(value)
    }

    /// `T name(…) {…}`, or none with nothing read.
    fn local_function(&mut self) -> Option<LocalFunction> {
        let before = self.at;
        self.eat_word("static");
        let result = self.type_name();
        if let Some(result) = result
            && matches!(self.peek(), TokenKind::Word(word) if !is_reserved(word))
            && self.is_symbol_at(1, "(")
            && &*result.path != "var"
        {
            let name = self.name("the name of a function");
            let parameters = self.parameters();
            let body = if self.eat("=>") {
                let value = self.expression();
                self.expect(";");
                LambdaBody::Value(Box::new(value))
            } else {
                LambdaBody::Block(self.block())
            };
            return Some(LocalFunction { result, name, parameters, body });
        }
        self.at = before;
        None
    }

    /// `T a = 1, b`, or none with nothing read.
    pub(super) fn declaration(&mut self) -> Option<Declaration> {
        let before = self.at;
        let constant = self.eat_word("const");
        let declared = if self.is_word("var") && matches!(self.peek_at(1), TokenKind::Word(_)) {
            self.bump();
            Some(DeclaredType::Var)
        } else {
            self.type_name().map(DeclaredType::Named)
        };
        let named = matches!(self.peek(), TokenKind::Word(word) if !is_reserved(word))
            && !self.is_word("is")
            && !(self.is_word("switch"));
        let Some(declared) = declared.filter(|_| named) else {
            self.at = before;
            return None;
        };
        let mut variables = Vec::new();
        loop {
            let name = self.name("the name of a variable");
            let is_given = self.eat("=");
            if is_given && self.is_symbol("{") && matches!(declared, DeclaredType::Var) {
                let message = "`var` cannot take its type from items alone";
                self.wrong(self.span(), message, Some("write `new[] { … }`"));
            }
            let value = is_given.then(|| self.initial_value());
            variables.push((name, value));
            if !self.eat(",") {
                break;
            }
        }
        Some(Declaration { declared, constant, variables })
    }

    /// What follows `=` in a declaration: a value, or `{ a, b }` for an array.
    fn initial_value(&mut self) -> Expr {
        if !self.is_symbol("{") {
            return self.expression();
        }
        let start = self.span().start;
        let items = Some(self.array_items());
        let kind = ExprKind::NewArray { of: None, length: None, items };
        Expr { kind, span: self.span_from(start) }
    }
}
