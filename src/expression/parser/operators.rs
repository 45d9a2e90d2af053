//! Operators, by precedence.

use super::super::ast::{AssignOperator, BinaryOperator, Expr, ExprKind, Span, UnaryOperator};
use super::super::lexer::TokenKind;
use super::Parser;

/// The binary operators with their precedence; higher binds tighter.
const BINARY: [(&str, u8, BinaryOperator); 17] = [
    ("||", 1, BinaryOperator::Or),
    ("&&", 2, BinaryOperator::And),
    ("|", 3, BinaryOperator::BitOr),
    ("^", 4, BinaryOperator::BitXor),
    ("&", 5, BinaryOperator::BitAnd),
    ("==", 6, BinaryOperator::Equal),
    ("!=", 6, BinaryOperator::NotEqual),
    ("<=", 7, BinaryOperator::LessOrEqual),
    (">=", 7, BinaryOperator::GreaterOrEqual),
    ("<", 7, BinaryOperator::Less),
    (">", 7, BinaryOperator::Greater),
    ("<<", 8, BinaryOperator::ShiftLeft),
    ("+", 9, BinaryOperator::Add),
    ("-", 9, BinaryOperator::Subtract),
    ("*", 10, BinaryOperator::Multiply),
    ("/", 10, BinaryOperator::Divide),
    ("%", 10, BinaryOperator::Remainder),
];
/// The precedence of `is` and `as`.
const TEST: u8 = 7;
/// The precedence of shifts.
pub(super) const SHIFT: u8 = 8;

const ASSIGN: [(&str, AssignOperator); 12] = [
    ("=", AssignOperator::Plain),
    ("+=", AssignOperator::Compound(BinaryOperator::Add)),
    ("-=", AssignOperator::Compound(BinaryOperator::Subtract)),
    ("*=", AssignOperator::Compound(BinaryOperator::Multiply)),
    ("/=", AssignOperator::Compound(BinaryOperator::Divide)),
    ("%=", AssignOperator::Compound(BinaryOperator::Remainder)),
    ("&=", AssignOperator::Compound(BinaryOperator::BitAnd)),
    ("|=", AssignOperator::Compound(BinaryOperator::BitOr)),
    ("^=", AssignOperator::Compound(BinaryOperator::BitXor)),
    ("<<=", AssignOperator::Compound(BinaryOperator::ShiftLeft)),
    (">>=", AssignOperator::Compound(BinaryOperator::ShiftRight)),
    ("??=", AssignOperator::Coalesce),
];

impl Parser {
    /// The loosest level: lambdas, assignments, conditionals.
    pub(super) fn assignment(&mut self) -> Expr {
        if self.starts_lambda() {
            return self.lambda();
        }
        if self.starts_query() {
            return self.query();
        }
        if self.is_word("throw") {
            return self.throw_value();
        }
        let start = self.span().start;
        let target = self.conditional();
        let Some((operator, tokens)) = self.assign_operator() else { return target };
        for _ in 0..tokens {
            self.bump();
        }
        let value = self.expression();
        let kind = ExprKind::Assign { target: Box::new(target), operator, value: Box::new(value) };
        Expr { kind, span: self.span_from(start) }
    }

    fn throw_value(&mut self) -> Expr {
        let start = self.span().start;
        self.bump();
        let value = self.expression();
        Expr { kind: ExprKind::Throw(Box::new(value)), span: self.span_from(start) }
    }

    /// The assignment that comes next, and how many tokens it is.
    fn assign_operator(&self) -> Option<(AssignOperator, usize)> {
        if self.is_symbol(">") && self.is_symbol_at(1, ">=") && self.touches(1) {
            return Some((AssignOperator::Compound(BinaryOperator::ShiftRight), 2));
        }
        let TokenKind::Symbol(symbol) = self.peek() else { return None };
        ASSIGN.iter().find(|(text, _)| text == symbol).map(|(_, operator)| (*operator, 1))
    }

    /// Whether the token `ahead` begins where the one before it ends.
    fn touches(&self, ahead: usize) -> bool {
        let at = self.at.saturating_add(ahead);
        let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.zip(self.tokens.get(at)).is_some_and(|(a, b)| a.span.end == b.span.start)
    }

    fn conditional(&mut self) -> Expr {
        let start = self.span().start;
        let condition = self.coalesce();
        if !self.eat("?") {
            return condition;
        }
        let then = self.expression();
        self.expect(":");
        let otherwise = self.expression();
        let kind = ExprKind::Conditional {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        Expr { kind, span: self.span_from(start) }
    }

    fn coalesce(&mut self) -> Expr {
        let start = self.span().start;
        let first = self.binary(0);
        if !self.is_symbol("??") {
            return first;
        }
        let mut parts = vec![first];
        while self.eat("??") {
            if self.is_word("throw") {
                parts.push(self.expression());
            } else {
                parts.push(self.binary(0));
            }
        }
        Expr { kind: ExprKind::Coalesce(parts), span: self.span_from(start) }
    }

    /// Operators that bind at least as tightly as `least`.
    pub(super) fn binary(&mut self, least: u8) -> Expr {
        let start = self.span().start;
        let mut left = self.unary();
        loop {
            if least <= TEST && (self.is_word("is") || self.is_word("as")) {
                left = self.test(left, start);
            } else if self.is_word("switch") && self.is_symbol_at(1, "{") {
                left = self.switch_value(left, start);
            } else if let Some((level, _, _)) = self.binary_operator().filter(|o| o.0 >= least) {
                left = self.chain(left, level, start);
            } else {
                return left;
            }
        }
    }

    fn chain(&mut self, first: Expr, level: u8, start: usize) -> Expr {
        let mut rest: Vec<(BinaryOperator, Span, Expr)> = Vec::new();
        while let Some((found, operator, tokens)) = self.binary_operator() {
            if found != level {
                break;
            }
            let span = self.span();
            for _ in 0..tokens {
                self.bump();
            }
            rest.push((operator, span, self.binary(level.saturating_add(1))));
        }
        let kind = ExprKind::Chain { first: Box::new(first), rest };
        Expr { kind, span: self.span_from(start) }
    }

    /// The binary operator that comes next: precedence, operator, number of tokens.
    fn binary_operator(&self) -> Option<(u8, BinaryOperator, usize)> {
        let TokenKind::Symbol(symbol) = self.peek() else { return None };
        if *symbol == ">" && self.touches(1) {
            if self.is_symbol_at(1, ">=") {
                return None;
            }
            if self.is_symbol_at(1, ">") {
                return Some((SHIFT, BinaryOperator::ShiftRight, 2));
            }
        }
        let found = BINARY.iter().find(|(text, _, _)| text == symbol);
        found.map(|(_, level, operator)| (*level, *operator, 1))
    }

    fn test(&mut self, operand: Expr, start: usize) -> Expr {
        let is = self.is_word("is");
        self.bump();
        let operand = Box::new(operand);
        let kind = if is {
            let span = self.span();
            let pattern = self.nested(Self::pattern);
            let wrong = super::super::ast::Pattern::Value(Expr { kind: ExprKind::Wrong, span });
            ExprKind::Is { operand, pattern: Box::new(pattern.unwrap_or(wrong)) }
        } else if let Some(to) = self.tested_type() {
            ExprKind::As { operand, to }
        } else {
            self.unexpected("a type");
            ExprKind::Wrong
        };
        Expr { kind, span: self.span_from(start) }
    }

    fn unary(&mut self) -> Expr {
        let start = self.span().start;
        let operator = match self.peek() {
            TokenKind::Symbol("+") => UnaryOperator::Plus,
            TokenKind::Symbol("-") => UnaryOperator::Minus,
            TokenKind::Symbol("!") => UnaryOperator::Not,
            TokenKind::Symbol("~") => UnaryOperator::Complement,
            TokenKind::Symbol(symbol @ ("++" | "--")) => {
                let up = *symbol == "++";
                self.bump();
                return self.inner(start, |operand| ExprKind::Step {
                    target: Box::new(operand),
                    up,
                    prefix: true,
                });
            }
            TokenKind::Symbol("(") => return self.cast().unwrap_or_else(|| self.path()),
            TokenKind::Symbol(_)
            | TokenKind::Word(_)
            | TokenKind::Literal(_)
            | TokenKind::Interpolated(_)
            | TokenKind::End => return self.path(),
        };
        self.bump();
        self.inner(start, |operand| ExprKind::Unary { operator, operand: Box::new(operand) })
    }

    /// What a prefix applies to.
    fn inner(&mut self, start: usize, wrap: impl FnOnce(Expr) -> ExprKind) -> Expr {
        let span = self.span();
        let operand = self.nested(Self::unary);
        let operand = operand.unwrap_or(Expr { kind: ExprKind::Wrong, span });
        Expr { kind: wrap(operand), span: self.span_from(start) }
    }

    /// `(T)operand`, or none with nothing read.
    fn cast(&mut self) -> Option<Expr> {
        let before = self.at;
        let start = self.span().start;
        self.bump();
        let is_tuple = self.is_symbol("(");
        let to = self.type_name().filter(|_| !is_tuple);
        if let Some(to) = to
            && self.eat(")")
            && (names_only_type(&to) || self.starts_cast_operand())
        {
            return Some(
                self.inner(start, |operand| ExprKind::Cast { to, operand: Box::new(operand) }),
            );
        }
        self.at = before;
        None
    }

    /// Whether what follows `(name)` makes it a cast.
    fn starts_cast_operand(&self) -> bool {
        match self.peek() {
            TokenKind::Word(word) => !matches!(&**word, "is" | "as" | "switch" | "and" | "or"),
            TokenKind::Literal(_) | TokenKind::Interpolated(_) => true,
            TokenKind::Symbol(symbol) => matches!(*symbol, "(" | "!" | "~"),
            TokenKind::End => false,
        }
    }
}

/// Whether this can only be a type, not a value in parentheses.
fn names_only_type(name: &super::super::ast::TypeName) -> bool {
    super::names::is_type_keyword(&name.path)
        || !name.suffixes.is_empty()
        || !name.arguments.is_empty()
}
