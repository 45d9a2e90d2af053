//! `new`, in all its forms.

use super::super::ast::{Expr, ExprKind, Initialiser, InitialiserTarget, Name, TypeSuffix};
use super::super::lexer::TokenKind;
use super::Parser;

impl Parser {
    pub(super) fn creation(&mut self) -> Expr {
        let start = self.span().start;
        self.bump();
        let kind = if self.is_symbol("{") {
            ExprKind::NewRecord(self.record_members())
        } else if self.is_symbol("[") {
            self.bump();
            self.expect("]");
            let items = self.array_items();
            ExprKind::NewArray { of: None, length: None, items: Some(items) }
        } else {
            self.typed_creation()
        };
        Expr { kind, span: self.span_from(start) }
    }

    fn typed_creation(&mut self) -> ExprKind {
        let mut of = self.expect_type();
        if of.suffixes.pop_if(|last| *last == TypeSuffix::Array).is_some() {
            let items = self.array_items();
            return ExprKind::NewArray { of: Some(of), length: None, items: Some(items) };
        }
        if self.eat("[") {
            let length = Some(Box::new(self.expression()));
            if self.is_symbol(",") {
                self.several_dimensions();
            }
            self.expect("]");
            while self.is_symbol("[") && self.is_symbol_at(1, "]") {
                self.bump();
                self.bump();
                of.suffixes.push(TypeSuffix::Array);
            }
            let items = self.is_symbol("{").then(|| self.array_items());
            return ExprKind::NewArray { of: Some(of), length, items };
        }
        let mut arguments = Vec::new();
        if self.is_symbol("(") {
            arguments = self.arguments("(", ")");
        } else if !self.is_symbol("{") {
            self.unexpected("`(` or `{` after the type");
        }
        let initialiser = self.is_symbol("{").then(|| self.initialiser());
        ExprKind::New { of, arguments, initialiser }
    }

    /// `{ a, b }`
    pub(super) fn array_items(&mut self) -> Vec<Expr> {
        let mut items = Vec::new();
        self.braced(|parser| items.push(parser.expression()));
        items
    }

    /// Reads `{ item, item, }`.
    fn braced(&mut self, mut item: impl FnMut(&mut Self)) {
        self.expect("{");
        while !self.is_symbol("}") && !matches!(self.peek(), TokenKind::End) {
            item(self);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}");
    }

    fn record_members(&mut self) -> Vec<(Name, Expr)> {
        let mut members = Vec::new();
        self.braced(|parser| {
            if matches!(parser.peek(), TokenKind::Word(_)) && parser.is_symbol_at(1, "=") {
                let name = parser.name("the name of a member");
                parser.bump();
                members.push((name, parser.expression()));
                return;
            }
            // `new { a.b }` names the member `b`.
            let value = parser.expression();
            match last_name(&value) {
                Some(name) => members.push((name, value)),
                None => parser.wrong(
                    value.span,
                    "this member has no name",
                    Some("write `name = value`"),
                ),
            }
        });
        members
    }

    fn initialiser(&mut self) -> Initialiser {
        let by_index = self.is_symbol_at(1, "[");
        let by_name = matches!(self.peek_at(1), TokenKind::Word(_)) && self.is_symbol_at(2, "=");
        if !by_index && !by_name {
            return self.item_initialiser();
        }
        let mut members = Vec::new();
        self.braced(|parser| {
            let start = parser.span().start;
            let target = if parser.is_symbol("[") {
                let index = parser.arguments("[", "]");
                InitialiserTarget::Index(index, parser.span_from(start))
            } else {
                InitialiserTarget::Name(parser.name("the name of a member"))
            };
            parser.expect("=");
            members.push((target, parser.expression()));
        });
        Initialiser::Members(members)
    }

    fn item_initialiser(&mut self) -> Initialiser {
        let mut items = Vec::new();
        self.braced(|parser| {
            let start = parser.span().start;
            let item = if parser.is_symbol("{") {
                parser.array_items()
            } else {
                vec![parser.expression()]
            };
            items.push((item, parser.span_from(start)));
        });
        Initialiser::Items(items)
    }
}

/// The name that an unnamed member of an anonymous object gets.
fn last_name(value: &Expr) -> Option<Name> {
    use super::super::ast::LinkKind;
    if let ExprKind::Name(name) = &value.kind {
        return Some(name.clone());
    }
    let ExprKind::Path { links, .. } = &value.kind else { return None };
    let LinkKind::Member { name, .. } = &links.last()?.kind else { return None };
    Some(name.clone())
}
