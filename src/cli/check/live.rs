//! `weir check --live`: whether what the policies of a configuration ask Dapr's sidecar for is there.

use crate::app::sidecar::look;
use crate::configuration::source::{Environment, read_text};
use crate::fault::{Fault, nearest, render};
use crate::settings;
use crate::snapshot::Snapshot;

/// What was found out.
#[derive(Default)]
pub(super) struct Lively {
    /// A sentence for people.
    pub(super) told: String,
    /// Components that policies name and the sidecar does not have.
    pub(super) faults: Vec<Fault>,
}

/// Asks the sidecar, if `snapshot` needs one; where that cannot be done, says why.
pub(super) fn ask(snapshot: &Snapshot, environment: &Environment) -> Result<Lively, String> {
    if !snapshot.asks_sidecar() {
        let told = "nothing of it needs a Dapr sidecar\n".to_owned();
        return Ok(Lively { told, faults: Vec::new() });
    }
    let loaded = settings::load(&[], environment, read_text);
    let settings = loaded.settings.map_err(|faults| {
        let faults = faults.iter().map(|fault| render(fault, &loaded.sources));
        faults.collect::<String>()
    })?;
    let found = look(&settings, environment)?;
    let mut faults = Vec::new();
    for program in snapshot.programs() {
        for (name, place) in program.components() {
            if !found.components.contains_key(&*name) {
                let message = format!("the Dapr sidecar has no component `{name}`");
                let remedy = match nearest(&name, found.components.keys().map(|it| &**it)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it to the sidecar's resources, or correct the name".to_owned(),
                };
                faults.push(Fault::new(place.clone(), message).mend(remedy));
            }
        }
    }
    faults.sort();
    faults.dedup();
    let version = &found.version;
    let count = found.components.len();
    let told = format!("the Dapr sidecar {version} answers, with {count} components\n");
    Ok(Lively { told, faults })
}
