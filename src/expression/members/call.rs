//! What a member sees of the evaluation that runs it.

use std::sync::Arc;

use crate::expression::eval::Machine;
use crate::expression::scope::Scope;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

/// A member that is being run.
pub(in crate::expression) struct Call<'a, 's> {
    machine: &'a mut Machine<'s>,
    arguments: &'a [Value],
    types: &'a [Type],
    /// What it gives to its `out` parameters, in order.
    pub(in crate::expression) outs: Vec<Value>,
}

const NULL: Value = Value::Null;

impl<'a, 's> Call<'a, 's> {
    pub(in crate::expression) const fn new(
        machine: &'a mut Machine<'s>,
        arguments: &'a [Value],
        types: &'a [Type],
    ) -> Self {
        Self { machine, arguments, types, outs: Vec::new() }
    }

    /// Argument `index`; what is missing is null.
    pub(super) fn argument(&self, index: usize) -> &'a Value {
        self.arguments.get(index).unwrap_or(&NULL)
    }

    /// All arguments.
    pub(super) const fn arguments(&self) -> &'a [Value] {
        self.arguments
    }

    /// The member's first type argument.
    pub(super) fn wanted(&self) -> &'a Type {
        self.types.first().unwrap_or(&Type::Unknown)
    }

    /// Argument `index` as a string.
    pub(super) fn text(&self, index: usize) -> Result<&'a Arc<str>, Thrown> {
        self.argument(index).string()
    }

    /// Calls a lambda.
    pub(super) fn invoke(&mut self, index: usize, with: &[Value]) -> Result<Value, Thrown> {
        let function = self.argument(index);
        self.machine.invoke(function, with)
    }

    /// Counts bytes that were made besides the result.
    pub(super) fn made(&mut self, bytes: usize) -> Result<(), Thrown> {
        self.machine.made(bytes)
    }

    /// Counts bytes that are looked at besides the arguments.
    pub(super) fn scanned(&mut self, bytes: usize) -> Result<(), Thrown> {
        self.machine.scanned(bytes)
    }

    /// The request.
    pub(super) fn scope(&mut self) -> &mut dyn Scope {
        self.machine.scope()
    }
}
