//! Whether a configuration could run here, without letting it run.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use crate::configuration::compile::Making;
use crate::configuration::loader::{Loaded, Loader};
use crate::configuration::refresh::Refusal;
use crate::fault::{Fault, Place};

/// Compiles what was loaded of `name` as it would be compiled to be served. `making` says what is
/// switched off here: what is not built to be served need not be right to be published either, and
/// what replicas refuse that have nothing switched off is found out by the first tenth of them.
pub(super) fn tried(
    kept: &mut Loader,
    loaded: &Loaded,
    making: &Making,
    name: &Arc<str>,
) -> Result<(), Refusal> {
    let compiled = panic::catch_unwind(AssertUnwindSafe(|| kept.make(loaded, making).map(drop)));
    let compiled = compiled.unwrap_or_else(|_panic| {
        // Nobody knows what state it left behind.
        *kept = Loader::default();
        Err(vec![own_fault(name)])
    });
    compiled.map_err(|faults| {
        let sources = loaded.sources(&faults);
        Refusal { faults, sources }
    })
}

/// That it is a bug of ours.
pub(super) fn own_fault(name: &Arc<str>) -> Fault {
    let message = "the gateway failed to compile this, which is its own fault";
    let fault = Fault::new(Place::start_of(name), message);
    fault.mend("report it with the configuration, and go back to the last one")
}
