//! Statements.

use super::node::{Catch, Node, Statement, Try};
use super::{Flow, Machine, convert};
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// How many items there are where that may change while they are gone through.
fn changeable(sequence: &Value) -> Option<usize> {
    match sequence {
        Value::List(list) => Some(list.len()),
        Value::Map(map) => Some(map.len()),
        Value::Set(set) => Some(set.len()),
        _ => None,
    }
}

impl<'s> Machine<'s> {
    /// What a body of `statements` returns; null where it ends without. Its own `return`, which
    /// most bodies end with, takes no way through [`Flow`].
    pub(super) fn returned(&mut self, statements: &'s [Statement]) -> Result<Value, Thrown> {
        for statement in statements {
            if let Statement::Return(Some(node)) = statement {
                self.step(1)?;
                return self.value(node);
            }
            match self.statement(statement)? {
                Flow::Next => {}
                Flow::Return(value) => return Ok(value),
                Flow::Break | Flow::Continue | Flow::Goto(_) => break,
            }
        }
        Ok(Value::Null)
    }

    pub(super) fn block(&mut self, statements: &'s [Statement]) -> Result<Flow, Thrown> {
        for statement in statements {
            match self.statement(statement)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &'s Statement) -> Result<Flow, Thrown> {
        self.step(1)?;
        match statement {
            Statement::Value(node) => self.value(node).map(|_| Flow::Next),
            Statement::Set(slot, node) => {
                let value = self.value(node)?;
                self.set_slot(*slot, value);
                Ok(Flow::Next)
            }
            Statement::Forget(slot) => {
                self.set_slot(*slot, Value::Null);
                Ok(Flow::Next)
            }
            Statement::Return(None) => Ok(Flow::Return(Value::Null)),
            Statement::Return(Some(node)) => self.value(node).map(Flow::Return),
            Statement::Break => Ok(Flow::Break),
            Statement::Continue => Ok(Flow::Continue),
            Statement::Goto(target) => Ok(Flow::Goto(*target)),
            Statement::Throw(node) => {
                let value = self.value(node)?;
                let thrown = Err(exception(&value));
                self.placed(thrown, node.at)
            }
            Statement::Rethrow => Err(self.rare().caught.last().cloned().unwrap_or_else(|| {
                Thrown::invalid_operation("There is no exception to throw again.")
            })),
            Statement::Deconstruct(slots, value) => self.deconstruct(slots, value),
            Statement::Block(_)
            | Statement::If(..)
            | Statement::While { .. }
            | Statement::Do { .. }
            | Statement::For { .. }
            | Statement::ForEach { .. }
            | Statement::Switch(..)
            | Statement::Try(_) => self.deeper(|machine| machine.compound_statement(statement)),
        }
    }

    fn compound_statement(&mut self, statement: &'s Statement) -> Result<Flow, Thrown> {
        match statement {
            Statement::Block(statements) => self.block(statements),
            Statement::If(branches, otherwise) => {
                for (condition, branch) in branches {
                    if self.condition(condition)? {
                        return self.statement(branch);
                    }
                }
                otherwise.as_ref().map_or(Ok(Flow::Next), |branch| self.statement(branch))
            }
            Statement::While { condition, body } => self.repeat(Some(condition), body, &[]),
            Statement::Do { body, condition } => match self.turn(body)? {
                Some(flow) => Ok(flow),
                None => self.repeat(Some(condition), body, &[]),
            },
            Statement::For { initial, condition, step, body } => {
                self.block(initial)?;
                self.repeat(condition.as_ref(), body, step)
            }
            Statement::ForEach { slot, to, source, body } => {
                self.for_each(*slot, to.as_ref(), source, body)
            }
            Statement::Switch(value, sections, targets) => self.switch(value, sections, targets),
            Statement::Try(whole) => self.try_block(whole),
            Statement::Value(_)
            | Statement::Set(..)
            | Statement::Forget(_)
            | Statement::Return(_)
            | Statement::Break
            | Statement::Continue
            | Statement::Goto(_)
            | Statement::Throw(_)
            | Statement::Rethrow
            | Statement::Deconstruct(..) => Ok(Flow::Next),
        }
    }

    /// Runs `body` while `condition` holds. Steps bound it.
    fn repeat(
        &mut self,
        condition: Option<&'s Node>,
        body: &'s Statement,
        step: &'s [Node],
    ) -> Result<Flow, Thrown> {
        loop {
            if let Some(condition) = condition
                && !self.condition(condition)?
            {
                return Ok(Flow::Next);
            }
            if let Some(flow) = self.turn(body)? {
                return Ok(flow);
            }
            for node in step {
                self.value(node)?;
            }
            self.step(1)?;
        }
    }

    /// One turn of a loop: how the loop ends, or none if it goes on.
    fn turn(&mut self, body: &'s Statement) -> Result<Option<Flow>, Thrown> {
        Ok(match self.statement(body)? {
            Flow::Next | Flow::Continue => None,
            Flow::Break => Some(Flow::Next),
            other @ (Flow::Goto(_) | Flow::Return(_)) => Some(other),
        })
    }

    fn for_each(
        &mut self,
        slot: usize,
        to: Option<&'s Type>,
        source: &'s Node,
        body: &'s Statement,
    ) -> Result<Flow, Thrown> {
        let sequence = self.value(source)?;
        let items = self.placed(convert::items(&sequence), source.at)?;
        let count = changeable(&sequence);
        for item in items {
            if changeable(&sequence) != count {
                let message = "Collection was modified; enumeration operation may not execute.";
                return self.placed(Err(Thrown::invalid_operation(message)), source.at);
            }
            let item = match to {
                Some(to) => {
                    let cast = convert::convert(item, to);
                    self.placed(cast, source.at)?
                }
                None => item,
            };
            self.set_slot(slot, item);
            if let Some(flow) = self.turn(body)? {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn deconstruct(&mut self, slots: &'s [usize], node: &'s Node) -> Result<Flow, Thrown> {
        let parts = match self.value(node)? {
            Value::Record(record) => record.values().to_vec(),
            Value::Pair(pair) => vec![pair.key.clone(), pair.value.clone()],
            other => {
                let refused = Err(other.refused("System.Tuple"));
                return self.placed(refused, node.at);
            }
        };
        for (slot, part) in slots.iter().zip(parts) {
            self.set_slot(*slot, part);
        }
        Ok(Flow::Next)
    }

    fn try_block(&mut self, whole: &'s Try) -> Result<Flow, Thrown> {
        let mut result = self.block(&whole.body);
        if let Err(thrown) = &result {
            let thrown = thrown.clone();
            if let Some(catch) = self.catching(whole, &thrown)? {
                self.thrown_at = None;
                self.rare().caught.push(thrown);
                result = self.block(&catch.body);
                self.rare().caught.pop();
            }
        }
        if whole.finally.is_empty() {
            return result;
        }
        // The exception on its way keeps its place, unless `finally` throws another.
        let thrown_at = self.thrown_at.take();
        match self.block(&whole.finally)? {
            Flow::Next => {
                self.thrown_at = thrown_at;
                result
            }
            other => Ok(other),
        }
    }

    /// The `catch` that takes `thrown`. The gateway's own bounds are never caught.
    fn catching(&mut self, whole: &'s Try, thrown: &Thrown) -> Result<Option<&'s Catch>, Thrown> {
        if thrown.kind == ExceptionKind::Limit {
            return Ok(None);
        }
        for catch in &whole.catches {
            if !thrown.kind.is_a(catch.of) {
                continue;
            }
            if let Some(slot) = catch.slot {
                self.set_slot(slot, Value::exception(thrown.clone()));
            }
            match &catch.guard {
                Some(guard) if !self.condition(guard)? => {}
                Some(_) | None => return Ok(Some(catch)),
            }
        }
        Ok(None)
    }
}

/// What `throw value` throws.
pub(super) fn exception(value: &Value) -> Thrown {
    match value {
        Value::Exception(thrown) => (**thrown).clone(),
        Value::Null => Thrown::null_reference(),
        other => other.refused("System.Exception"),
    }
}
