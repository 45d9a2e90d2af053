//! `weir check --live`: whether what the policies of a configuration ask Dapr's sidecar for is there.

use std::path::Path;

use crate::app::sidecar::look;
use crate::app::vault::at_once;
use crate::configuration::source::{Environment, Folder, read_text};
use crate::fault::{Fault, nearest, render};
use crate::settings::{self, Settings};
use crate::snapshot::Snapshot;

/// What was found out.
#[derive(Default)]
pub(super) struct Lively {
    /// A sentence for people.
    pub(super) told: String,
    /// Components that policies name and the sidecar does not have.
    pub(super) faults: Vec<Fault>,
}

/// The folder at `path`; if it is looked at where a sidecar `is_live`, that is asked for what lies in
/// its secret stores.
pub(super) fn folder(
    path: &Path,
    is_live: bool,
    environment: &Environment,
) -> Result<Folder, String> {
    let folder = Folder::at(path);
    if !is_live {
        return Ok(folder);
    }
    Ok(folder.asking(at_once(&settings(environment)?, environment)))
}

fn settings(environment: &Environment) -> Result<Settings, String> {
    let loaded = settings::load(&[], environment, read_text);
    loaded.settings.map_err(|faults| {
        let faults = faults.iter().map(|fault| render(fault, &loaded.sources));
        faults.collect::<String>()
    })
}

/// Asks the sidecar, if `snapshot` needs one; where that cannot be done, says why.
pub(super) fn ask(snapshot: &Snapshot, environment: &Environment) -> Result<Lively, String> {
    if !snapshot.asks_sidecar() {
        let told = "nothing of it needs a Dapr sidecar\n".to_owned();
        return Ok(Lively { told, faults: Vec::new() });
    }
    let found = look(&settings(environment)?, environment)?;
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
