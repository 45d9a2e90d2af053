//! Statements.

use super::{Checker, Meaning};
use crate::expression::ast::statement::{self as written, Block, StatementKind};
use crate::expression::ast::{DeclaredType, Expr, ExprKind, LinkKind, Name, Span};
use crate::expression::eval::node::{Node, Statement};
use crate::expression::types::{Type, explicit};

impl Checker {
    /// Statements in a scope of their own.
    pub(super) fn block(&mut self, block: &Block) -> Vec<Statement> {
        self.scoped(|checker| checker.statements(&block.statements))
    }

    pub(super) fn statements(&mut self, statements: &[written::Statement]) -> Vec<Statement> {
        let mut announced = self.announce(statements).into_iter();
        let mut checked = Vec::new();
        for statement in statements {
            if let StatementKind::LocalFunction(function) = &statement.kind {
                if let Some(index) = announced.next() {
                    self.local_function(index, function);
                }
                continue;
            }
            self.statement(statement, &mut checked);
        }
        checked
    }

    /// A statement in a scope of its own, as the body of an `if` or a loop.
    fn inner(&mut self, statement: &written::Statement) -> Statement {
        let mut checked = self.scoped(|checker| {
            let mut checked = Vec::new();
            if let StatementKind::LocalFunction(function) = &statement.kind {
                checker.wrong(&function.name.span, "a function needs a block around it", None);
            } else {
                checker.statement(statement, &mut checked);
            }
            checked
        });
        match checked.pop() {
            Some(only) if checked.is_empty() => only,
            Some(last) => {
                checked.push(last);
                Statement::Block(checked)
            }
            None => Statement::Block(checked),
        }
    }

    fn statement(&mut self, statement: &written::Statement, out: &mut Vec<Statement>) {
        let checked = match &statement.kind {
            StatementKind::Empty | StatementKind::LocalFunction(_) => return,
            StatementKind::Block(block) => Statement::Block(self.block(block)),
            StatementKind::Overflow(overflow, block) => {
                let around = std::mem::replace(&mut self.overflow, *overflow);
                let checked = self.block(block);
                self.overflow = around;
                Statement::Block(checked)
            }
            StatementKind::Several(statements) => {
                for statement in statements {
                    self.statement(statement, out);
                }
                return;
            }
            StatementKind::Declaration(declaration) => {
                self.declaration(declaration, out);
                return;
            }
            StatementKind::Deconstruction { names, value } => self.deconstruction(names, value),
            StatementKind::Expression(value) => Statement::Value(self.effect(value)),
            StatementKind::If { branches, otherwise } => {
                let mut checked = Vec::new();
                // What a condition declares is known after the `if` too.
                for (condition, branch) in branches {
                    let condition = self.condition(condition);
                    checked.push((condition, self.inner(branch)));
                }
                let otherwise = otherwise.as_ref().map(|branch| Box::new(self.inner(branch)));
                Statement::If(checked, otherwise)
            }
            StatementKind::While { condition, body } => self.scoped(|checker| {
                let condition = checker.condition(condition);
                Statement::While { condition, body: checker.body(body) }
            }),
            StatementKind::Do { body, condition } => {
                let body = self.body(body);
                Statement::Do { body, condition: self.condition(condition) }
            }
            StatementKind::For(whole) => self.scoped(|checker| checker.for_loop(whole)),
            StatementKind::ForEach { declared, name, source, body } => {
                self.scoped(|checker| checker.for_each(declared, name, source, body))
            }
            StatementKind::Switch { value, sections } => self.switch(value, sections),
            StatementKind::Goto(case) => self.goto(case.as_ref(), &statement.span),
            StatementKind::Break | StatementKind::Continue => {
                self.jump(matches!(statement.kind, StatementKind::Break), &statement.span)
            }
            StatementKind::Return(value) => self.return_value(value.as_ref(), &statement.span),
            StatementKind::Throw(Some(value)) => Statement::Throw(self.exception(value)),
            StatementKind::Throw(None) => {
                if self.around.catches == 0 {
                    let message = "`throw;` is only for the inside of a `catch`";
                    self.wrong(&statement.span, message, None);
                }
                Statement::Rethrow
            }
            StatementKind::Try(whole) => self.try_block(whole),
            StatementKind::Using { resource, body } => self.scoped(|checker| {
                let mut checked = Vec::new();
                checker.statement(resource, &mut checked);
                checker.disposable(resource);
                checked.push(checker.inner(body));
                Statement::Block(checked)
            }),
        };
        out.push(checked);
    }

    /// Refuses what `using` cannot give back.
    fn disposable(&mut self, resource: &written::Statement) {
        let StatementKind::Declaration(declaration) = &resource.kind else { return };
        for (name, _) in &declaration.variables {
            if let Some(Meaning::Variable { ty, .. }) = self.lookup(&name.text)
                && (ty.is_value() || *ty == Type::String)
            {
                let message = format!("{ty} holds nothing that `using` could give back");
                self.wrong(&resource.span, message, Some("leave out `using`".to_owned()));
            }
        }
    }

    fn jump(&mut self, is_break: bool, span: &Span) -> Statement {
        if is_break {
            if self.around.loops == 0 && self.around.jumps.is_empty() {
                self.wrong(span, "`break` is only for the inside of a loop or a switch", None);
            }
            return Statement::Break;
        }
        if self.around.loops == 0 {
            self.wrong(span, "`continue` is only for the inside of a loop", None);
        }
        Statement::Continue
    }

    /// The body of a loop.
    fn body(&mut self, body: &written::Statement) -> Box<Statement> {
        self.around.loops = self.around.loops.saturating_add(1);
        let body = Box::new(self.inner(body));
        self.around.loops = self.around.loops.saturating_sub(1);
        body
    }

    /// An expression for what it does.
    fn effect(&mut self, expr: &Expr) -> Node {
        let typed = self.value(expr);
        let quiet = typed.ty == Type::Unknown && typed.node.constant().is_some();
        let does = quiet || does_something(expr);
        if !does {
            let message = "this computes a value and does nothing with it";
            let remedy = Some("assign it to a variable, or return it".to_owned());
            self.wrong(&typed.span, message, remedy);
        }
        typed.node
    }

    fn for_loop(&mut self, whole: &written::For) -> Statement {
        let mut initial = Vec::new();
        for statement in &whole.initial {
            self.statement(statement, &mut initial);
        }
        let condition = whole.condition.as_ref().map(|condition| self.condition(condition));
        let body = self.body(&whole.body);
        let step = whole.step.iter().map(|step| self.effect(step)).collect();
        Statement::For { initial, condition, step, body }
    }

    fn for_each(
        &mut self,
        declared: &DeclaredType,
        name: &Name,
        source: &Expr,
        body: &written::Statement,
    ) -> Statement {
        let source = self.value(source);
        let item = source.ty.element().unwrap_or_else(|| {
            let remedy = (source.ty == Type::Object)
                .then(|| "cast it first, for example `(JArray)…`".to_owned());
            self.wrong(&source.span, format!("{} cannot be enumerated", source.ty), remedy);
            Type::Unknown
        });
        let (ty, to) = match declared {
            DeclaredType::Var => (item, None),
            DeclaredType::Named(of) => {
                let wanted = self.named_type(of);
                if !explicit(&item, &wanted) {
                    let message = format!("the items are {item}, not {wanted}");
                    self.wrong(&of.span, message, None);
                }
                let to = (wanted != item).then(|| wanted.clone());
                (wanted, to)
            }
        };
        let slot = self.fixed_variable(name, ty);
        let source = self.converted(source, &Type::Object);
        Statement::ForEach { slot, to, source, body: self.body(body) }
    }
}

/// Whether an expression may stand where only what it does counts.
pub(super) fn does_something(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Assign { .. }
        | ExprKind::Step { .. }
        | ExprKind::New { .. }
        | ExprKind::Throw(_)
        | ExprKind::Wrong => true,
        ExprKind::Path { links, .. } => {
            matches!(links.last().map(|link| &link.kind), Some(LinkKind::Call(_)))
        }
        _ => false,
    }
}
