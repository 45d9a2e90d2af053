//! Statements.

use super::{Checker, Meaning, Typed};
use crate::expression::ast::{
    self, Block, Catch, Declaration, DeclaredType, Expr, ExprKind, Name, Span, StatementKind,
};
use crate::expression::eval::node::{self, Node, NodeKind, Statement};
use crate::expression::types::{Type, common, explicit};
use crate::expression::value::thrown::ExceptionKind;

impl Checker {
    /// Statements in a scope of their own.
    pub(super) fn block(&mut self, block: &Block) -> Vec<Statement> {
        self.scoped(|checker| checker.statements(&block.statements))
    }

    fn statements(&mut self, statements: &[ast::Statement]) -> Vec<Statement> {
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
    fn inner(&mut self, statement: &ast::Statement) -> Statement {
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

    fn statement(&mut self, statement: &ast::Statement, out: &mut Vec<Statement>) {
        let checked = match &statement.kind {
            StatementKind::Empty | StatementKind::LocalFunction(_) => return,
            StatementKind::Block(block) => Statement::Block(self.block(block)),
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
            StatementKind::Break | StatementKind::Continue => {
                self.jump(matches!(statement.kind, StatementKind::Break), &statement.span)
            }
            StatementKind::Return(value) => self.return_value(value.as_ref(), &statement.span),
            StatementKind::Throw(Some(value)) => Statement::Throw(self.exception(value)),
            StatementKind::Throw(None) => {
                if self.catches == 0 {
                    let message = "`throw;` is only for the inside of a `catch`";
                    self.wrong(&statement.span, message, None);
                }
                Statement::Rethrow
            }
            StatementKind::Try(whole) => self.try_block(whole),
            StatementKind::Using { resource, body } => self.scoped(|checker| {
                let mut checked = Vec::new();
                checker.statement(resource, &mut checked);
                checked.push(checker.inner(body));
                Statement::Block(checked)
            }),
        };
        out.push(checked);
    }

    fn jump(&mut self, is_break: bool, span: &Span) -> Statement {
        if is_break {
            if self.loops == 0 && self.switches == 0 {
                self.wrong(span, "`break` is only for the inside of a loop or a switch", None);
            }
            return Statement::Break;
        }
        if self.loops == 0 {
            self.wrong(span, "`continue` is only for the inside of a loop", None);
        }
        Statement::Continue
    }

    /// The body of a loop.
    fn body(&mut self, body: &ast::Statement) -> Box<Statement> {
        self.loops = self.loops.saturating_add(1);
        let body = Box::new(self.inner(body));
        self.loops = self.loops.saturating_sub(1);
        body
    }

    /// An expression for what it does.
    fn effect(&mut self, expr: &Expr) -> Node {
        let typed = self.value(expr);
        let does = match &expr.kind {
            ExprKind::Assign { .. } | ExprKind::Step { .. } | ExprKind::New { .. }
            | ExprKind::Wrong => true,
            ExprKind::Path { links, .. } => {
                matches!(links.last().map(|link| &link.kind), Some(ast::LinkKind::Call(_)))
            }
            _ => typed.ty == Type::Unknown && typed.node.constant().is_some(),
        };
        if !does {
            let message = "this computes a value and does nothing with it";
            let remedy = Some("assign it to a variable, or return it".to_owned());
            self.wrong(&typed.span, message, remedy);
        }
        typed.node
    }

    fn declaration(&mut self, declaration: &Declaration, out: &mut Vec<Statement>) {
        let declared = match &declaration.declared {
            DeclaredType::Var => None,
            DeclaredType::Named(of) => Some(self.named_type(of)),
        };
        for (name, value) in &declaration.variables {
            let Some(value) = value else {
                let ty = declared.clone().unwrap_or_else(|| {
                    let remedy = Some("give it a value, or write its type".to_owned());
                    self.wrong(&name.span, "`var` needs a value to take its type from", remedy);
                    Type::Unknown
                });
                let slot = self.variable(name, ty, false);
                out.push(Statement::Forget(slot));
                continue;
            };
            let hint = declared.clone().unwrap_or(Type::Unknown);
            let typed = self.value_for(value, &hint);
            if declaration.constant {
                self.constant(name, declared.as_ref(), typed);
                continue;
            }
            let (ty, node, at) = self.initial(declared.as_ref(), typed);
            let slot = self.variable(name, ty, false);
            out.push(Statement::Value(Node::new(NodeKind::SetLocal(slot, Box::new(node)), at)));
        }
    }

    fn initial(&mut self, declared: Option<&Type>, typed: Typed) -> (Type, Node, usize) {
        let at = typed.span.start;
        if let Some(declared) = declared {
            let node = self.coerce(typed, declared, "the value");
            return (declared.clone(), node, at);
        }
        let ty = typed.ty.clone();
        if matches!(ty, Type::Void | Type::Null) {
            let what = if ty == Type::Void { "nothing" } else { "null" };
            let message = format!("`var` cannot take its type from {what}");
            let remedy = (ty == Type::Null).then(|| "write its type".to_owned());
            self.wrong(&typed.span, message, remedy);
            return (Type::Unknown, typed.node, at);
        }
        (ty, typed.node, at)
    }

    fn constant(&mut self, name: &Name, declared: Option<&Type>, typed: Typed) {
        let ty = declared.cloned().unwrap_or_else(|| typed.ty.clone());
        let span = typed.span.clone();
        let node = self.coerce(typed, &ty, "the value");
        if node.constant().is_none() {
            let remedy = Some("leave out `const`".to_owned());
            self.wrong(&span, "a `const` must be a constant", remedy);
        }
        let value = node.constant().cloned().unwrap_or_default();
        self.declare(name, Meaning::Constant { value, ty });
    }

    fn deconstruction(&mut self, names: &[Name], value: &Expr) -> Statement {
        let typed = self.value(value);
        let parts: Option<Vec<Type>> = match &typed.ty {
            Type::Tuple(parts) => Some(parts.iter().map(|(_, ty)| ty.clone()).collect()),
            Type::Pair(key, value) => Some(vec![(**key).clone(), (**value).clone()]),
            ty if ty.is_open() => None,
            ty => {
                self.wrong(&typed.span, format!("{ty} has no parts to take apart"), None);
                None
            }
        };
        if parts.as_ref().is_some_and(|parts| parts.len() != names.len()) {
            self.wrong(&typed.span, "there are not as many parts as variables", None);
        }
        let mut slots = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let ty = parts.as_ref().and_then(|parts| parts.get(place).cloned());
            let ty = ty.unwrap_or(Type::Unknown);
            slots.push(if &*name.text == "_" {
                self.slot(name, true)
            } else {
                self.variable(name, ty, true)
            });
        }
        Statement::Deconstruct(slots, typed.node)
    }

    fn for_loop(&mut self, whole: &ast::For) -> Statement {
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
        body: &ast::Statement,
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

    fn switch(&mut self, value: &Expr, sections: &[ast::Section]) -> Statement {
        let value = self.value(value);
        let ty = value.ty.clone();
        let value = self.converted(value, &Type::Object);
        self.switches = self.switches.saturating_add(1);
        let mut seen = Vec::new();
        let sections = sections
            .iter()
            .map(|section| {
                let section_span = section.body.span.clone();
                let checked = self.scoped(|checker| {
                    let labels = section.labels.iter().map(|(pattern, guard)| {
                        let test = pattern.as_ref().map(|p| checker.case(p, &ty, &mut seen));
                        (test, guard.as_ref().map(|guard| checker.condition(guard)))
                    });
                    let labels = labels.collect();
                    let body = checker.statements(&section.body.statements);
                    node::Section { labels, body }
                });
                if super::flow::completes(&checked.body) {
                    let remedy = Some("end it with `break;` or `return`".to_owned());
                    self.wrong(&section_span, "this case runs into the next one", remedy);
                }
                checked
            })
            .collect();
        self.switches = self.switches.saturating_sub(1);
        Statement::Switch(value, sections)
    }

    fn return_value(&mut self, value: Option<&Expr>, span: &Span) -> Statement {
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

    fn try_block(&mut self, whole: &ast::Try) -> Statement {
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
        self.catches = self.catches.saturating_add(1);
        let body = self.block(&catch.body);
        self.catches = self.catches.saturating_sub(1);
        (node::Catch { of, slot, guard, body }, span)
    }

    /// Says so if the statements can end without a `return`.
    pub(super) fn must_return(&mut self, statements: &[Statement], end: Span, what: &str) {
        if super::flow::completes(statements) {
            let message = format!("{what} can end without a result");
            let remedy = Some("add a `return` at the end".to_owned());
            self.wrong(&end, message, remedy);
        }
    }
}
