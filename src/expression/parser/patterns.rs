//! What follows `is` and `case`, and the arms of a switch expression.

use super::super::ast::{Arm, BinaryOperator, Expr, ExprKind, Pattern};
use super::super::lexer::TokenKind;
use super::Parser;
use super::names::is_reserved;
use super::operators::SHIFT;

impl Parser {
    /// `a or b or c`
    pub(super) fn pattern(&mut self) -> Pattern {
        let first = self.and_pattern();
        if !self.is_word("or") {
            return first;
        }
        let mut parts = vec![first];
        while self.eat_word("or") {
            parts.push(self.and_pattern());
        }
        Pattern::Or(parts)
    }

    fn and_pattern(&mut self) -> Pattern {
        let first = self.one_pattern();
        if !self.is_word("and") {
            return first;
        }
        let mut parts = vec![first];
        while self.eat_word("and") {
            parts.push(self.one_pattern());
        }
        Pattern::And(parts)
    }

    fn one_pattern(&mut self) -> Pattern {
        let span = self.span();
        if self.eat_word("not") {
            let inner = self.nested(Self::one_pattern);
            let wrong = Pattern::Value(Expr { kind: ExprKind::Wrong, span });
            return Pattern::Not(Box::new(inner.unwrap_or(wrong)));
        }
        if self.is_word("_") && !self.is_symbol_at(1, ".") {
            self.bump();
            return Pattern::Anything;
        }
        if self.is_word("var") && matches!(self.peek_at(1), TokenKind::Word(_)) {
            self.bump();
            return Pattern::Var(self.name("the name of a variable"));
        }
        if let Some(operator) = self.relation() {
            self.bump();
            return Pattern::Relation(operator, self.binary(SHIFT));
        }
        self.type_pattern().unwrap_or_else(|| Pattern::Value(self.binary(SHIFT)))
    }

    fn relation(&self) -> Option<BinaryOperator> {
        match self.peek() {
            TokenKind::Symbol("<") => Some(BinaryOperator::Less),
            TokenKind::Symbol("<=") => Some(BinaryOperator::LessOrEqual),
            TokenKind::Symbol(">") => Some(BinaryOperator::Greater),
            TokenKind::Symbol(">=") => Some(BinaryOperator::GreaterOrEqual),
            TokenKind::Symbol(_)
            | TokenKind::Word(_)
            | TokenKind::Literal(_)
            | TokenKind::Interpolated(_)
            | TokenKind::End => None,
        }
    }

    /// `T` or `T x`. A dotted name alone may also be a constant; the checker decides.
    fn type_pattern(&mut self) -> Option<Pattern> {
        let before = self.at;
        let of = self.tested_type()?;
        if matches!(self.peek(), TokenKind::Word(word)
            if !is_reserved(word) && !matches!(&**word, "and" | "or" | "when" | "as" | "is"))
        {
            let name = self.name("the name of a variable");
            return Some(Pattern::Type { of, name: Some(name) });
        }
        // What goes on as a value is one.
        let goes_on = ["(", ".", "?.", "[", "+", "-", "*", "/", "%"];
        if goes_on.iter().any(|symbol| self.is_symbol(symbol)) {
            self.at = before;
            return None;
        }
        Some(Pattern::Type { of, name: None })
    }

    /// `{ pattern when guard => value, … }` after a value.
    pub(super) fn switch_value(&mut self, value: Expr, start: usize) -> Expr {
        self.bump();
        let mut arms = Vec::new();
        self.expect("{");
        while !self.is_symbol("}") && !matches!(self.peek(), TokenKind::End) {
            let pattern = self.pattern();
            let guard = if self.eat_word("when") { Some(self.guard()) } else { None };
            self.expect("=>");
            let value = self.expression();
            arms.push(Arm { pattern, guard, value });
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}");
        let kind = ExprKind::Switch { value: Box::new(value), arms };
        Expr { kind, span: self.span_from(start) }
    }

    /// A condition that ends before `=>` or `:`.
    pub(super) fn guard(&mut self) -> Expr {
        let span = self.span();
        let read = self.nested(|parser| parser.binary(0));
        read.unwrap_or(Expr { kind: ExprKind::Wrong, span })
    }
}
