//! Loads a configuration again and again, and keeps between loads what has not changed.
//!
//! Each step keeps its own: texts of files that look the same, what they say, what that means, and
//! what was compiled of it. None of it is ever seen from outside: what comes out is what would
//! come out if nothing had been kept. Each is replaced whole by what the next load keeps.

use std::fmt;
use std::sync::Arc;

use super::bundle::Bundle;
use super::compile::{self, Making};
use super::config::Config;
use super::document::{self, Document};
use super::portion::{NoPortion, Shared};
use super::source::{Environment, Fingerprint, Folder, FolderError, Reading};
use super::validate;
use crate::fault::{Fault, Place, Sources};
use crate::snapshot::Snapshot;

/// What is kept between loads.
#[derive(Default)]
pub struct Loader {
    /// What was loaded last.
    reading: Option<Arc<Reading>>,
    /// What was read of a folder last, which knows what its files looked like. Who leads others
    /// loads what it read of its folder a second time, as the bundle that all get.
    read: Option<Arc<Reading>>,
    written: document::Kept,
    meant: validate::Kept,
    made: compile::Kept,
}

/// What came of a folder.
pub struct Loaded {
    /// The configuration, or everything that is wrong with it, sorted by place.
    pub config: Result<Config, Vec<Fault>>,
    /// What could be made of a configuration with faults: what is wrong or could not be read is
    /// left out of it, or made up. Only what stands by itself, such as a policy, can be told from
    /// it.
    pub remains: Option<Config>,
    /// What the folder looked like; nothing if it could not be read at all.
    pub fingerprint: Option<Fingerprint>,
    /// What was read, and the variables that it names; nothing if it could not be read.
    pub reading: Option<(Arc<Reading>, Vec<Arc<str>>)>,
}

/// Reads `folder` and makes a configuration of it. Blocks for as long as the disk does.
pub fn load(folder: &Folder, environment: &Environment) -> Loaded {
    Loader::default().load(folder, environment)
}

impl Loader {
    /// The same as [`load`], but for the time it takes.
    pub fn load(&mut self, folder: &Folder, environment: &Environment) -> Loaded {
        let mut faults = Vec::new();
        let mut document = Document::default();
        let kept = self.read.take();
        let read = folder.read(kept.as_deref(), |texts| {
            faults.clear();
            document = self.written.read(texts, &mut faults);
            std::mem::take(&mut document.references)
        });
        match read {
            Err(error) => {
                self.read = kept;
                Loaded::unreadable(&error)
            }
            Ok(reading) => {
                let reading = Arc::new(reading);
                self.read = Some(Arc::clone(&reading));
                self.understand(reading, &mut document, environment, faults)
            }
        }
    }

    /// The same; with a `name`, of what the gateway of that name gets of the folder. Where the
    /// folder is wrong, the faults are those of all of it.
    pub fn load_as(
        &mut self,
        name: Option<&str>,
        folder: &Folder,
        environment: &Environment,
    ) -> Loaded {
        let Some(name) = name else { return self.load(folder, environment) };
        // What is kept is that of the portion.
        let whole = load(folder, environment);
        let (Ok(_config), Some((reading, variables))) = (&whole.config, &whole.reading) else {
            return self.load(folder, environment);
        };
        let bundle = Bundle::of_reading(reading, environment, variables).map_err(NoPortion::from);
        let portion = bundle.and_then(|bundle| Shared::of(Arc::new(bundle)).portion(name));
        match portion {
            Ok(portion) => {
                let fingerprint = whole.fingerprint;
                Loaded { fingerprint, ..self.load_bundle(&portion) }
            }
            Err(reason) => {
                let file = Arc::from(folder.path().display().to_string());
                let fault = Fault::new(Place::start_of(&file), reason.to_string());
                Loaded { config: Err(vec![fault]), ..whole }
            }
        }
    }

    /// Makes a configuration of `bundle`, which brings all that it names.
    pub fn load_bundle(&mut self, bundle: &Bundle) -> Loaded {
        let (mut reading, environment) = bundle.as_read();
        if let Some(kept) = &self.reading {
            reading.share(kept);
        }
        let mut faults = Vec::new();
        let mut document = self.written.read(&reading.documents, &mut faults);
        self.understand(Arc::new(reading), &mut document, &environment, faults)
    }

    fn understand(
        &mut self,
        reading: Arc<Reading>,
        document: &mut Document,
        environment: &Environment,
        faults: Vec<Fault>,
    ) -> Loaded {
        let (config, faults) = self.meant.validate(document, &reading, environment, faults);
        let is_good = faults.is_empty() && !document.is_torn;
        let (config, remains) =
            if is_good { (Ok(config), None) } else { (Err(faults), Some(config)) };
        self.reading = Some(Arc::clone(&reading));
        let fingerprint = Some(reading.fingerprint.clone());
        let variables = std::mem::take(&mut document.variables).into_iter().collect();
        Loaded { config, remains, fingerprint, reading: Some((reading, variables)) }
    }

    /// Makes a snapshot of what was loaded last, or says everything that is wrong with it, sorted
    /// by place.
    pub fn make(&mut self, loaded: &Loaded, making: &Making) -> Result<Snapshot, Vec<Fault>> {
        self.made.make(loaded, making)
    }
}

impl fmt::Debug for Loader {
    /// What is kept may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loader").finish_non_exhaustive()
    }
}

impl fmt::Debug for Loaded {
    /// What was read may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loaded").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Loaded {
    fn unreadable(error: &FolderError) -> Self {
        let config = Err(vec![error.fault()]);
        Self { config, remains: None, fingerprint: None, reading: None }
    }

    /// The texts that `faults` of this configuration point into; no secret is among them.
    pub fn sources(&self, faults: &[Fault]) -> Sources {
        let reading = self.reading.as_ref();
        reading.map(|(reading, _variables)| reading.sources(faults)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
