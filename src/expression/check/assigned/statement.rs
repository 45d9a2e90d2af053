//! The same for statements.

use super::{Flow, both};
use crate::expression::eval::node::{Node, Section, Statement, Try};

impl Flow<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Value(node) => self.value(node),
            Statement::Set(slot, node) => {
                self.value(node);
                self.set(*slot, true);
            }
            Statement::Forget(slot) => self.set(*slot, false),
            Statement::Block(statements) => self.statements(statements),
            Statement::If(branches, otherwise) => self.branches(branches, otherwise.as_deref()),
            Statement::While { condition, body } => self.repeated(Some(condition), body, &[]),
            Statement::Do { body, condition } => {
                self.breaks.push(Vec::new());
                self.statement(body);
                let after = self.condition(condition);
                self.state = after;
                self.leave();
            }
            Statement::For { initial, condition, step, body } => {
                self.statements(initial);
                self.repeated(condition.as_ref(), body, step);
            }
            Statement::ForEach { slot, source, body, .. } => {
                self.value(source);
                let before = self.state.clone();
                self.set(*slot, true);
                self.breaks.push(Vec::new());
                self.statement(body);
                self.state = before;
                self.leave();
            }
            Statement::Switch(value, sections, _) => self.switch(value, sections),
            Statement::Break => {
                let state = self.state.clone();
                if let Some(breaks) = self.breaks.last_mut() {
                    breaks.push(state);
                }
                self.unreachable();
            }
            // Where `goto` goes, at least as much has a value as where the switch begins.
            Statement::Continue
            | Statement::Goto(_)
            | Statement::Rethrow
            | Statement::Return(None) => {
                self.unreachable();
            }
            Statement::Return(Some(node)) | Statement::Throw(node) => {
                self.value(node);
                self.unreachable();
            }
            Statement::Try(whole) => self.try_block(whole),
            Statement::Deconstruct(slots, value) => {
                self.value(value);
                for slot in slots {
                    self.set(*slot, true);
                }
            }
        }
    }

    fn branches(&mut self, branches: &[(Node, Statement)], otherwise: Option<&Statement>) {
        let mut after = vec![true; self.state.len()];
        for (condition, branch) in branches {
            let not = self.condition(condition);
            self.statement(branch);
            after = both(&after, &self.state);
            self.state = not;
        }
        if let Some(otherwise) = otherwise {
            self.statement(otherwise);
        }
        self.meet(&after);
    }

    fn repeated(&mut self, condition: Option<&Node>, body: &Statement, step: &[Node]) {
        let after = match condition {
            Some(condition) => self.condition(condition),
            None => vec![true; self.state.len()],
        };
        self.breaks.push(Vec::new());
        self.statement(body);
        self.values(step);
        self.state = after;
        self.leave();
    }

    /// Ends a loop or switch: its `break`s come here too.
    fn leave(&mut self) {
        for state in self.breaks.pop().unwrap_or_default() {
            self.meet(&state);
        }
    }

    fn switch(&mut self, value: &Node, sections: &[Section]) {
        self.value(value);
        let before = self.state.clone();
        let mut has_default = false;
        self.breaks.push(Vec::new());
        for section in sections {
            self.state.clone_from(&before);
            for (test, guard) in &section.labels {
                has_default |= test.is_none();
                if let Some(test) = test {
                    self.test(test);
                }
                if let Some(guard) = guard {
                    self.condition(guard);
                }
            }
            self.statements(&section.body);
        }
        self.state = before;
        if has_default {
            self.unreachable();
        }
        self.leave();
    }

    fn try_block(&mut self, whole: &Try) {
        let before = self.state.clone();
        self.statements(&whole.body);
        let mut after = self.state.clone();
        for catch in &whole.catches {
            self.state.clone_from(&before);
            if let Some(guard) = &catch.guard {
                self.condition(guard);
            }
            self.statements(&catch.body);
            after = both(&after, &self.state);
        }
        self.state = before;
        self.statements(&whole.finally);
        for (state, after) in self.state.iter_mut().zip(after) {
            *state = *state || after;
        }
    }
}
