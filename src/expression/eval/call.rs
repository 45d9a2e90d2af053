//! Lambdas and local functions.

use std::any::Any;
use std::sync::Arc;

use super::Machine;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Callable, Value};

/// A lambda or local function as a value. It belongs to the running evaluation.
#[derive(Debug)]
struct Closure {
    function: usize,
    /// Which program it is a part of.
    program: usize,
}

impl Callable for Closure {}

impl Machine<'_> {
    pub(super) fn closure(&self, function: usize) -> Value {
        let program = std::ptr::from_ref(self.program).addr();
        Value::Function(Arc::new(Closure { function, program }))
    }

    /// Calls a function that is a value.
    pub(in crate::expression) fn invoke(
        &mut self,
        function: &Value,
        arguments: &[Value],
    ) -> Result<Value, Thrown> {
        let Value::Function(callable) = function else {
            return Err(if function.is_null() {
                Thrown::null_reference()
            } else {
                function.refused("System.Delegate")
            });
        };
        let any: &dyn Any = &**callable;
        let program = std::ptr::from_ref(self.program).addr();
        match any.downcast_ref::<Closure>().filter(|closure| closure.program == program) {
            Some(closure) => self.call(closure.function, arguments),
            None => Err(Thrown::new(
                ExceptionKind::NotSupported,
                "A lambda can only be called by the expression that made it.",
            )),
        }
    }

    /// Calls function `function`. A function that is called while it runs gets its variables
    /// anew, and the earlier call finds its own again.
    pub(super) fn call(&mut self, function: usize, arguments: &[Value]) -> Result<Value, Thrown> {
        let program = self.program;
        let Some(called) = program.functions.get(function) else { return Ok(Value::Null) };
        self.step(1)?;
        let was_running = self.begin(function);
        let mut kept = Vec::new();
        if was_running {
            self.step(u64::try_from(called.frame.len()).unwrap_or(u64::MAX))?;
            kept.extend(called.frame.clone().map(|slot| self.slot(slot)));
        }
        for (slot, argument) in called.parameters.iter().zip(arguments) {
            self.set_slot(*slot, argument.clone());
        }
        let result = self.deeper(|machine| machine.body(&called.body));
        if !was_running {
            self.end(function);
        }
        for (slot, value) in called.frame.clone().zip(kept) {
            self.set_slot(slot, value);
        }
        result
    }

    /// Marks a function as running; whether it was before.
    fn begin(&mut self, function: usize) -> bool {
        let Some(bit) = bit(function) else {
            return !self.rare().active.insert(function);
        };
        let was_running = self.active & bit != 0;
        self.active |= bit;
        was_running
    }

    fn end(&mut self, function: usize) {
        match bit(function) {
            Some(bit) => self.active &= !bit,
            None => _ = self.rare().active.remove(&function),
        }
    }
}

/// The bit of a function; only the first have one.
fn bit(function: usize) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(function).ok()?)
}
