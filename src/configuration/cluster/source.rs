//! Where the leader's configurations come from.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Standing;
use super::pile::fetch;
use super::publication::{Failed, in_force};
use super::record::{Current, Origin};
use super::store::Store;
use super::trial::{own_fault, tried};
use crate::configuration::bundle::{Bundle, Digest};
use crate::configuration::compile::Making;
use crate::configuration::generation::Generation;
use crate::configuration::guard::Inventory;
use crate::configuration::loader::{Loaded, Loader};
use crate::configuration::offer::Status;
use crate::configuration::refresh::{Refusal, refuse};
use crate::configuration::source::{Environment, Fingerprint, Folder};
use crate::configuration::switch::Switch;
use crate::fault::{Fault, Place, Sources};
use crate::time::Timestamp;
use crate::token::credential::Expiry;

/// A configuration that was found good.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub bundle: Arc<Bundle>,
    /// Which generation of a control plane it is; none of a folder.
    pub origin: Option<Generation>,
}

/// What a source is to do for a leader.
#[derive(Debug)]
pub struct Errand<'a> {
    /// Where to put what was found good, the newest in the place of those before.
    pub found: watch::Sender<Option<Found>>,
    /// What the replicas share.
    pub store: &'a dyn Store,
    /// How the cluster is doing.
    pub standing: watch::Receiver<Standing>,
}

/// Where configurations come from.
#[async_trait]
pub trait Source: Debug + Send + Sync + 'static {
    /// Brings every configuration that is found good, for as long as this replica leads: never
    /// returns.
    async fn bring(&self, errand: &Errand<'_>);

    /// What a replica serves that never served anything, while the store cannot be reached;
    /// `standing` says whether it can.
    async fn meanwhile(&self, standing: watch::Receiver<Standing>) -> Option<Bundle>;

    /// Looks after what has to be looked after whether this replica leads or not: never returns.
    async fn tend(&self) {
        std::future::pending::<()>().await;
    }

    /// What the configuration in `bundle` has, so that it can be told what another one takes away;
    /// nothing if that cannot be told, or whoever published it has seen to that.
    async fn inventory(&self, _bundle: &Arc<Bundle>) -> Option<Arc<Inventory>> {
        None
    }

    /// Whether whoever published the configuration with this digest wants all to serve it at once.
    fn is_urgent(&self, _digest: &Digest) -> bool {
        false
    }

    /// Since when nothing can come to this replica, which leads, because where configurations come
    /// from is not reached from here.
    fn cut_off(&self) -> Option<Timestamp> {
        None
    }

    /// Whether where configurations come from is reached from here. That is asked of a replica that
    /// does not lead, and costs little.
    async fn is_in_reach(&self) -> bool {
        true
    }

    /// Looks at once at what it has, as somebody wants it, and puts that where the leader finds it.
    async fn look_now(&self) {}

    /// How long the token of this replica is good, if one is shown where configurations come from.
    fn token(&self, _now: Timestamp) -> Option<Expiry> {
        None
    }
}

impl Found {
    /// Whether it is older than what was in force already, by the history of its control plane.
    pub(super) fn is_before(&self, current: &Current) -> bool {
        self.origin.is_some_and(|own| own < current.newest_origin())
    }

    /// Which generations of its control plane are in force with it, after `current`; the others
    /// serve `previous` meanwhile.
    pub(super) fn origin_after(&self, current: Option<&Current>, previous: u64) -> Option<Origin> {
        self.origin.map(|own| Origin {
            current: own,
            previous: current.map_or(Generation::NONE, |it| it.origin_of(previous)),
            newest: current.map_or(own, |it| it.newest_origin().max(own)),
        })
    }
}

impl Errand<'_> {
    /// The configuration in force, if it is a control plane's, and which of its generations.
    pub(super) async fn held(&self) -> Result<Option<(Generation, Arc<Bundle>)>, Failed> {
        let Some(current) = in_force(self.store).await?.current else { return Ok(None) };
        let Some(origin) = current.origin else { return Ok(None) };
        match fetch(self.store, current.number, None).await {
            Ok(bundle) => Ok(Some((origin.current, Arc::new(bundle)))),
            // Then the whole is asked for.
            Err(Failed::Damaged(..) | Failed::Unsound(_)) => Ok(None),
            Err(failed) => Err(failed),
        }
    }
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
    /// What the configuration has that was found good last.
    pub known: Arc<Mutex<Known>>,
}

/// What a configuration has, and its digest.
pub type Known = Option<(Digest, Arc<Inventory>)>;
/// What was looked at: what the folder looks like, and what was switched off.
type Seen = (Option<Fingerprint>, Arc<Switch>);
/// What came of a look: what was seen, and what it means if it is something else than before.
type Look = (Seen, Option<Result<Bundle, Refusal>>);

#[async_trait]
impl Source for Watched {
    async fn bring(&self, errand: &Errand<'_>) {
        let mut seen: Option<Seen> = None;
        loop {
            let (own, before) = (self.clone(), seen.take());
            // Disks block, and compiling takes its time.
            match spawn_blocking(move || own.look(before)).await {
                Ok((now, what)) => {
                    seen = Some(now);
                    match what {
                        Some(Ok(bundle)) => {
                            self.status.change(|state| state.refusal.clear());
                            let found = Found { bundle: Arc::new(bundle), origin: None };
                            errand.found.send_replace(Some(found));
                        }
                        Some(Err(refusal)) => refuse(&self.status, &refusal, None),
                        None => (),
                    }
                }
                Err(_panicked) => refuse(&self.status, &self.own_fault(), None),
            }
            sleep(self.interval).await;
        }
    }

    async fn inventory(&self, bundle: &Arc<Bundle>) -> Option<Arc<Inventory>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_digest, known)) = known.filter(|(digest, _known)| digest == bundle.digest()) {
            return Some(known);
        }
        let bundle = Arc::clone(bundle);
        let read = move || Inventory::of_bundle(&bundle).map(Arc::new);
        spawn_blocking(read).await.ok().flatten()
    }

    async fn meanwhile(&self, _standing: watch::Receiver<Standing>) -> Option<Bundle> {
        let own = self.clone();
        let (_now, what) = spawn_blocking(move || own.look(None)).await.ok()?;
        match what? {
            Ok(bundle) => Some(bundle),
            Err(refusal) => {
                refuse(&self.status, &refusal, None);
                None
            }
        }
    }
}

impl Watched {
    /// Reads the folder if it is not as it was `before`, or something else is switched off.
    fn look(&self, before: Option<Seen>) -> Look {
        let switch = self.status.now().switch;
        if let Some((Some(fingerprint), switched)) = before
            && switched == switch
            && !self.folder.has_changed(&fingerprint)
        {
            return ((Some(fingerprint), switched), None);
        }
        let mut kept = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = kept.load_as(self.name.as_deref(), &self.folder, &self.environment);
        let bundle = self.bundle(&mut kept, &loaded, &switch);
        ((loaded.fingerprint, switch), Some(bundle))
    }

    /// The bundle of what was loaded, if it is good as far as that can be seen.
    fn bundle(
        &self,
        kept: &mut Loader,
        loaded: &Loaded,
        switch: &Arc<Switch>,
    ) -> Result<Bundle, Refusal> {
        let making = Making { switch: Arc::clone(switch), ..self.making.clone() };
        tried(kept, loaded, &making, &self.title())?;
        let (reading, variables) = loaded.reading.as_ref().ok_or_else(|| self.own_fault())?;
        let bundle = Bundle::of_reading(reading, &self.environment, variables);
        let bundle = bundle.map_err(|unsound| {
            let faults = vec![self.fault(&unsound.to_string())];
            let sources = loaded.sources(&faults);
            Refusal { faults, sources }
        })?;
        if let Ok(config) = &loaded.config {
            let known = (*bundle.digest(), Arc::new(Inventory::of(config)));
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
        Ok(bundle)
    }

    fn own_fault(&self) -> Refusal {
        Refusal { faults: vec![own_fault(&self.title())], sources: Sources::default() }
    }

    /// What a person calls it.
    fn title(&self) -> Arc<str> {
        Arc::from(self.folder.path().display().to_string())
    }

    fn fault(&self, message: &str) -> Fault {
        Fault::new(Place::start_of(&self.title()), message)
    }
}
