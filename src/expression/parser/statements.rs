//! Statements.

use super::super::ast::statement::{Block, Catch, For, Section, Statement, StatementKind, Try};
use super::super::ast::{DeclaredType, Expr, ExprKind};
use super::super::lexer::TokenKind;
use super::Parser;
use super::primary::overflow;

impl Parser {
    /// A statement. After a fault the rest of it is skipped.
    pub(super) fn statement(&mut self) -> Statement {
        let start = self.span().start;
        let read = self.nested(Self::statement_kind);
        let kind = read.unwrap_or(StatementKind::Empty);
        if self.quiet {
            self.skip_statement();
            self.quiet = false;
        }
        Statement { kind, span: self.span_from(start) }
    }

    /// Skips to after the next `;`, or to before the `}` that closes this block.
    fn skip_statement(&mut self) {
        let last = self.at.checked_sub(1).filter(|last| *last >= self.fault_at);
        let last = last.and_then(|last| self.tokens.get(last)).map(|token| &token.kind);
        if matches!(last, Some(TokenKind::Symbol(";" | "}"))) {
            return;
        }
        let mut open = 0_usize;
        loop {
            match self.peek() {
                TokenKind::End => return,
                TokenKind::Symbol("{") => open = open.saturating_add(1),
                TokenKind::Symbol("}") if open == 0 => return,
                TokenKind::Symbol("}") => open = open.saturating_sub(1),
                TokenKind::Symbol(";") if open == 0 => {
                    self.bump();
                    return;
                }
                TokenKind::Symbol(_)
                | TokenKind::Word(_)
                | TokenKind::Literal(_)
                | TokenKind::Interpolated(_) => {}
            }
            self.bump();
        }
    }

    pub(super) fn block(&mut self) -> Block {
        let start = self.span().start;
        let mut statements = Vec::new();
        self.expect("{");
        while !self.is_symbol("}") && !matches!(self.peek(), TokenKind::End) {
            let before = self.at;
            statements.push(self.statement());
            if self.at == before {
                break;
            }
        }
        self.expect("}");
        Block { statements, span: self.span_from(start) }
    }

    fn statement_kind(&mut self) -> StatementKind {
        let TokenKind::Word(word) = self.peek().clone() else {
            return if self.is_symbol("{") {
                StatementKind::Block(self.block())
            } else if self.eat(";") {
                StatementKind::Empty
            } else {
                self.declaration_or_expression()
            };
        };
        match &*word {
            "if" => self.if_statement(),
            "for" => self.for_statement(),
            "foreach" => self.foreach_statement(),
            "while" => {
                self.bump();
                let condition = self.in_parentheses();
                StatementKind::While { condition, body: Box::new(self.statement()) }
            }
            "do" => self.do_statement(),
            "switch" => self.switch_statement(),
            "try" => self.try_statement(),
            "using" => self.using_statement(),
            "return" => {
                self.bump();
                let value = (!self.is_symbol(";")).then(|| self.expression());
                self.expect(";");
                StatementKind::Return(value)
            }
            "throw" => {
                self.bump();
                let value = (!self.is_symbol(";")).then(|| self.expression());
                self.expect(";");
                StatementKind::Throw(value)
            }
            "break" | "continue" => {
                self.bump();
                self.expect(";");
                if &*word == "break" { StatementKind::Break } else { StatementKind::Continue }
            }
            "checked" | "unchecked" if self.is_symbol_at(1, "{") => {
                self.bump();
                StatementKind::Overflow(overflow(&word), self.block())
            }
            "goto" => self.goto_statement(),
            "lock" | "yield" | "class" | "struct" | "enum" => {
                let span = self.span();
                let message = format!("`{word}` is not part of policy expressions");
                self.wrong(span, message, None);
                StatementKind::Empty
            }
            _ => self.declaration_or_expression(),
        }
    }

    fn in_parentheses(&mut self) -> Expr {
        self.expect("(");
        let value = self.expression();
        self.expect(")");
        value
    }

    fn if_statement(&mut self) -> StatementKind {
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            self.bump();
            let condition = self.in_parentheses();
            branches.push((condition, self.statement()));
            if !self.eat_word("else") {
                break;
            }
            if !self.is_word("if") {
                otherwise = Some(Box::new(self.statement()));
                break;
            }
        }
        StatementKind::If { branches, otherwise }
    }

    fn for_statement(&mut self) -> StatementKind {
        self.bump();
        self.expect("(");
        let mut initial = Vec::new();
        while !self.is_symbol(";") && !self.quiet {
            let start = self.span().start;
            let kind = match self.declaration() {
                Some(declaration) => StatementKind::Declaration(declaration),
                None => StatementKind::Expression(self.expression()),
            };
            initial.push(Statement { kind, span: self.span_from(start) });
            if !self.eat(",") {
                break;
            }
        }
        self.expect(";");
        let condition = (!self.is_symbol(";")).then(|| self.expression());
        self.expect(";");
        let mut step = Vec::new();
        while !self.is_symbol(")") && !self.quiet {
            step.push(self.expression());
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")");
        let body = self.statement();
        StatementKind::For(Box::new(For { initial, condition, step, body }))
    }

    fn foreach_statement(&mut self) -> StatementKind {
        self.bump();
        self.expect("(");
        let parts = self.foreach_parts();
        let (declared, name) = match &parts {
            Some((_, whole)) => (DeclaredType::Var, whole.clone()),
            None => (self.declared_type(), self.name("the name of a variable")),
        };
        if !self.eat_word("in") {
            self.unexpected("`in`");
        }
        let source = self.expression();
        self.expect(")");
        let mut body = self.statement();
        if let Some((parts, whole)) = parts {
            let span = body.span.clone();
            let value = Expr { kind: ExprKind::Name(whole), span: span.clone() };
            let taken = Statement { kind: parts.of(value), span: span.clone() };
            let block = Block { statements: vec![taken, body], span: span.clone() };
            body = Statement { kind: StatementKind::Block(block), span };
        }
        StatementKind::ForEach { declared, name, source, body: Box::new(body) }
    }

    fn declared_type(&mut self) -> DeclaredType {
        if self.is_word("var") && matches!(self.peek_at(1), TokenKind::Word(_)) {
            self.bump();
            return DeclaredType::Var;
        }
        DeclaredType::Named(self.expect_type())
    }

    fn do_statement(&mut self) -> StatementKind {
        self.bump();
        let body = Box::new(self.statement());
        if !self.eat_word("while") {
            self.unexpected("`while`");
        }
        let condition = self.in_parentheses();
        self.expect(";");
        StatementKind::Do { body, condition }
    }

    fn switch_statement(&mut self) -> StatementKind {
        self.bump();
        let value = self.in_parentheses();
        let mut sections = Vec::new();
        self.expect("{");
        while self.is_word("case") || self.is_word("default") {
            sections.push(self.section());
        }
        self.expect("}");
        StatementKind::Switch { value, sections }
    }

    fn goto_statement(&mut self) -> StatementKind {
        let span = self.span();
        self.bump();
        let pattern = if self.eat_word("case") {
            Some(self.pattern())
        } else if self.eat_word("default") {
            None
        } else {
            let message = "labels are not part of policy expressions";
            self.wrong(span, message, Some("`goto` goes to a `case` or to `default`"));
            return StatementKind::Empty;
        };
        self.expect(";");
        StatementKind::Goto(pattern)
    }

    fn section(&mut self) -> Section {
        let start = self.span().start;
        let mut labels = Vec::new();
        loop {
            if self.eat_word("case") {
                let pattern = self.pattern();
                let guard = if self.eat_word("when") { Some(self.guard()) } else { None };
                labels.push((Some(pattern), guard));
            } else if self.eat_word("default") {
                labels.push((None, None));
            } else {
                break;
            }
            self.expect(":");
        }
        let mut statements = Vec::new();
        while !self.is_word("case")
            && !self.is_word("default")
            && !self.is_symbol("}")
            && !matches!(self.peek(), TokenKind::End)
        {
            let before = self.at;
            statements.push(self.statement());
            if self.at == before {
                break;
            }
        }
        Section { labels, body: Block { statements, span: self.span_from(start) } }
    }

    fn try_statement(&mut self) -> StatementKind {
        self.bump();
        let body = self.block();
        let mut catches = Vec::new();
        while self.eat_word("catch") {
            let mut of = None;
            let mut name = None;
            if self.eat("(") {
                of = Some(self.expect_type());
                if !self.is_symbol(")") {
                    name = Some(self.name("the name of the exception"));
                }
                self.expect(")");
            }
            let guard = if self.eat_word("when") { Some(self.in_parentheses()) } else { None };
            catches.push(Catch { of, name, guard, body: self.block() });
        }
        let finally = self.eat_word("finally").then(|| self.block());
        if catches.is_empty() && finally.is_none() {
            self.unexpected("`catch` or `finally`");
        }
        StatementKind::Try(Box::new(Try { body, catches, finally }))
    }

    fn using_statement(&mut self) -> StatementKind {
        self.bump();
        self.expect("(");
        let start = self.span().start;
        let kind = match self.declaration() {
            Some(declaration) => StatementKind::Declaration(declaration),
            None => StatementKind::Expression(self.expression()),
        };
        let resource = Statement { kind, span: self.span_from(start) };
        self.expect(")");
        let body = Box::new(self.statement());
        StatementKind::Using { resource: Box::new(resource), body }
    }
}
