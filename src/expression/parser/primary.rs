//! What a value begins with: literals, names, brackets, lambdas.

use super::super::ast::{Expr, ExprKind, InterpolatedPart, LambdaBody, Name, Overflow, Parameter};
use super::super::lexer::{Piece, Token, TokenKind};
use super::Parser;
use super::names::is_type_keyword;

/// What `checked` and `unchecked` ask for.
pub(super) fn overflow(word: &str) -> Overflow {
    if word == "checked" { Overflow::Checked } else { Overflow::Unchecked }
}

impl Parser {
    pub(super) fn primary(&mut self) -> Expr {
        let span = self.span();
        let kind = match self.peek().clone() {
            TokenKind::Literal(literal) => {
                self.bump();
                ExprKind::Literal(literal)
            }
            TokenKind::Interpolated(pieces) => {
                self.bump();
                ExprKind::Interpolated(self.interpolated(pieces))
            }
            TokenKind::Word(word) => return self.word(word),
            TokenKind::Symbol("(") => return self.parenthesised(),
            TokenKind::Symbol(_) | TokenKind::End => {
                self.unexpected("a value");
                ExprKind::Wrong
            }
        };
        Expr { kind, span }
    }

    fn word(&mut self, word: Box<str>) -> Expr {
        let span = self.span();
        let start = span.start;
        let kind = match &*word {
            "true" | "false" => ExprKind::Bool(&*word == "true"),
            "null" => ExprKind::Null,
            "new" => return self.creation(),
            "typeof" => {
                self.bump();
                self.expect("(");
                let of = self.expect_type();
                self.expect(")");
                return Expr { kind: ExprKind::TypeOf(of), span: self.span_from(start) };
            }
            "nameof" if self.is_symbol_at(1, "(") => {
                self.bump();
                self.bump();
                let of = self.expression();
                self.expect(")");
                let kind = ExprKind::NameOf(Box::new(of));
                return Expr { kind, span: self.span_from(start) };
            }
            "checked" | "unchecked" if self.is_symbol_at(1, "(") => {
                self.bump();
                self.bump();
                let inner = self.expression();
                self.expect(")");
                let kind = ExprKind::Overflow(overflow(&word), Box::new(inner));
                return Expr { kind, span: self.span_from(start) };
            }
            // An anonymous method is a lambda that was written before there were lambdas.
            "delegate" if self.is_symbol_at(1, "(") => {
                self.bump();
                let parameters = self.parameters();
                let body = LambdaBody::Block(self.block());
                let kind = ExprKind::Lambda { parameters, body };
                return Expr { kind, span: self.span_from(start) };
            }
            "default" => {
                self.bump();
                let mut of = None;
                if self.eat("(") {
                    of = Some(self.expect_type());
                    self.expect(")");
                }
                return Expr { kind: ExprKind::Default(of), span: self.span_from(start) };
            }
            keyword if is_type_keyword(keyword) => {
                ExprKind::TypeKeyword(Name { text: word, span: span.clone() })
            }
            _ => {
                let name = self.name("a value");
                // `global::` says that what follows is a namespace, which it is anyway.
                if &*name.text == "global" && self.eat("::") {
                    return self.primary();
                }
                let kind = if &*name.text == "?" { ExprKind::Wrong } else { ExprKind::Name(name) };
                return Expr { kind, span };
            }
        };
        self.bump();
        Expr { kind, span }
    }

    /// `(value)` or a tuple.
    fn parenthesised(&mut self) -> Expr {
        let start = self.span().start;
        self.bump();
        let mut parts = Vec::new();
        loop {
            let named = matches!(self.peek(), TokenKind::Word(_)) && self.is_symbol_at(1, ":");
            let mut name = None;
            if named {
                name = Some(self.name("the name of a part"));
                self.bump();
            }
            parts.push((name, self.expression()));
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")");
        let span = self.span_from(start);
        if parts.len() == 1
            && let Some((None, value)) = parts.pop_if(|part| part.0.is_none())
        {
            return value;
        }
        Expr { kind: ExprKind::Tuple(parts), span }
    }

    /// Reads the tokens that the lexer found in the holes of a string.
    fn interpolated(&mut self, pieces: Vec<Piece>) -> Vec<InterpolatedPart> {
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                Piece::Text(text) => InterpolatedPart::Text(text),
                Piece::Hole { tokens, alignment, format } => {
                    let value = Box::new(self.hole(tokens));
                    let aligned = !alignment.is_empty();
                    let alignment = aligned.then(|| Box::new(self.hole(alignment)));
                    InterpolatedPart::Hole { value, alignment, format }
                }
            });
        }
        parts
    }

    fn hole(&mut self, tokens: Vec<Token>) -> Expr {
        let wrongs = std::mem::take(&mut self.wrongs);
        let mut inner = Self::new(tokens, wrongs, self.nesting);
        inner.quiet = self.quiet;
        let value = inner.whole_value();
        self.wrongs = inner.wrongs;
        self.quiet = inner.quiet;
        value
    }

    pub(super) fn lambda(&mut self) -> Expr {
        let start = self.span().start;
        let parameters = if self.is_symbol("(") {
            self.parameters()
        } else {
            vec![Parameter { declared: None, name: self.bare_name(), default: None }]
        };
        self.expect("=>");
        let body = self.lambda_body();
        let kind = ExprKind::Lambda { parameters, body };
        Expr { kind, span: self.span_from(start) }
    }

    pub(super) fn lambda_body(&mut self) -> LambdaBody {
        if self.is_symbol("{") {
            LambdaBody::Block(self.block())
        } else {
            LambdaBody::Value(Box::new(self.expression()))
        }
    }

    /// Parameters in parentheses, with or without types.
    pub(super) fn parameters(&mut self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        self.expect("(");
        if self.eat(")") {
            return parameters;
        }
        loop {
            let bare = matches!(self.peek_at(1), TokenKind::Symbol("," | ")" | "="));
            let declared = if bare { None } else { Some(self.expect_type()) };
            let name = self.bare_name();
            let default = if self.eat("=") { Some(self.expression()) } else { None };
            parameters.push(Parameter { declared, name, default });
            if self.eat(",") {
                continue;
            }
            self.expect(")");
            return parameters;
        }
    }
}
