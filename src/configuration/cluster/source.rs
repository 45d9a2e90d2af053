//! Where the leader's configurations come from.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::configuration::bundle::Bundle;
use crate::configuration::compile::Making;
use crate::configuration::loader::{Loaded, Loader};
use crate::configuration::offer::Status;
use crate::configuration::refresh::{Refusal, refuse};
use crate::configuration::source::{Environment, Fingerprint, Folder};
use crate::fault::{Fault, Place, Sources};

/// A configuration that was found good.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub bundle: Arc<Bundle>,
}

/// Where configurations come from.
#[async_trait]
pub trait Source: Debug + Send + Sync + 'static {
    /// Brings every configuration that is found good, the newest in the place of those before, for
    /// as long as somebody waits for it: never returns.
    async fn bring(&self, found: &watch::Sender<Option<Found>>);

    /// What a replica serves that never served anything, while the store cannot be reached.
    async fn meanwhile(&self) -> Option<Bundle>;
}

/// A folder, looked at again and again.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The folder.
    pub folder: Folder,
    /// What named values and keys may be taken from.
    pub environment: Environment,
    /// Which of the gateways that share the folder this is; none: all of it is its own.
    pub name: Option<String>,
    /// What a configuration is compiled with to see whether it can be.
    pub making: Making,
    /// Who is told of faults.
    pub status: Arc<Status>,
    /// How often to look.
    pub interval: Duration,
    /// What is kept between loads: the same as that of whoever makes it run, who loads the same.
    pub loader: Arc<Mutex<Loader>>,
}

/// What came of a look: what the folder looks like, and what it means if it is another one.
type Look = (Option<Fingerprint>, Option<Result<Bundle, Refusal>>);

#[async_trait]
impl Source for Watched {
    async fn bring(&self, found: &watch::Sender<Option<Found>>) {
        let mut seen: Option<Fingerprint> = None;
        loop {
            let (own, before) = (self.clone(), seen.take());
            // Disks block, and compiling takes its time.
            match spawn_blocking(move || own.look(before)).await {
                Ok((now, what)) => {
                    seen = now;
                    match what {
                        Some(Ok(bundle)) => {
                            self.status.change(|state| state.refusal.clear());
                            let found_now = Found { bundle: Arc::new(bundle) };
                            found.send_replace(Some(found_now));
                        }
                        Some(Err(refusal)) => refuse(&self.status, &refusal),
                        None => (),
                    }
                }
                Err(_panicked) => refuse(&self.status, &self.own_fault()),
            }
            sleep(self.interval).await;
        }
    }

    async fn meanwhile(&self) -> Option<Bundle> {
        let own = self.clone();
        let (_now, what) = spawn_blocking(move || own.look(None)).await.ok()?;
        match what? {
            Ok(bundle) => Some(bundle),
            Err(refusal) => {
                refuse(&self.status, &refusal);
                None
            }
        }
    }
}

impl Watched {
    /// Reads the folder if it is not as it was `before`.
    fn look(&self, before: Option<Fingerprint>) -> Look {
        let unchanged = before.as_ref().is_some_and(|before| !self.folder.has_changed(before));
        if unchanged {
            return (before, None);
        }
        let mut kept = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = kept.load_as(self.name.as_deref(), &self.folder, &self.environment);
        (loaded.fingerprint.clone(), Some(self.bundle(&mut kept, &loaded)))
    }

    /// The bundle of what was loaded, if it is good as far as that can be seen.
    fn bundle(&self, kept: &mut Loader, loaded: &Loaded) -> Result<Bundle, Refusal> {
        let refused = |faults: Vec<Fault>| {
            let sources = loaded.sources(&faults);
            Refusal { faults, sources }
        };
        kept.make(loaded, &self.making).map_err(refused)?;
        let (reading, variables) = loaded.reading.as_ref().ok_or_else(|| self.own_fault())?;
        Bundle::of_reading(reading, &self.environment, variables)
            .map_err(|unsound| refused(vec![self.fault(&unsound.to_string())]))
    }

    fn own_fault(&self) -> Refusal {
        let fault = self.fault("the gateway failed to compile this, which is its own fault");
        Refusal { faults: vec![fault], sources: Sources::default() }
    }

    fn fault(&self, message: &str) -> Fault {
        let file = Arc::from(self.folder.path().display().to_string());
        Fault::new(Place::start_of(&file), message)
    }
}
