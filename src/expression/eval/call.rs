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
        // Of functions that have no bit nothing is known, so their variables are always kept.
        let bit = u32::try_from(function).ok().and_then(|bit| 1_u64.checked_shl(bit));
        let is_running = bit.is_none_or(|bit| self.active & bit != 0);
        let mut kept = Vec::new();
        if is_running {
            kept.extend(called.frame.clone().map(|slot| self.slot(slot)));
        }
        for (slot, argument) in called.parameters.iter().zip(arguments) {
            self.set_slot(*slot, argument.clone());
        }
        let active = self.active;
        self.active |= bit.unwrap_or(0);
        let result = self.deeper(|machine| machine.body(&called.body));
        self.active = active;
        for (slot, value) in called.frame.clone().zip(kept) {
            self.set_slot(slot, value);
        }
        result
    }
}
