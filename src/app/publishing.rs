//! Who publishes the generations of a control plane: it alone, or several that share an etcd.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::app::fetching::roots;
use crate::app::vault::folder;
use crate::app::{StartError, cluster, random, random_number, shared};
use crate::configuration::cluster::Cluster;
use crate::configuration::cluster::source::Watched;
use crate::configuration::offer::Status;
use crate::configuration::source::Environment;
use crate::control::board::Board;
use crate::control::ledger::Ledger;
use crate::control::publisher::{self, Handle, Parts, Publisher};
use crate::control::switches::Switches;
use crate::control::together::{Led, Loads, Looking, Together};
use crate::settings::Settings;
use crate::time::{Clock, SystemClock};

/// Where one alone keeps its generations, unless the settings say where.
const STATE_FOLDER: &str = "/var/lib/weir/control";

/// Who publishes.
pub(super) enum Publishing {
    /// This one, which looks at its folder so often.
    Alone(Box<Publisher>, Duration),
    /// One of those that share an etcd.
    Together(Box<Together>, Arc<Cluster>),
}

/// Who publishes what the settings name, on `board`; and whom to ask.
pub(super) fn publishing(
    settings: &Settings,
    environment: Environment,
    board: &Arc<Board>,
    clock: &Arc<SystemClock>,
) -> Result<(Publishing, Handle), StartError> {
    let folder = folder(settings, clock, Arc::new(roots(&environment)));
    let making = publisher::making(clock.now(), random()?);
    let interval = settings.configuration.poll_interval;
    let board = Arc::clone(board);
    if !cluster::is_wanted(settings) {
        let wrong = |error: &dyn std::fmt::Display| StartError::Control(error.to_string());
        let state = settings.control.state_folder.as_deref();
        let ledger = Ledger::open(state.unwrap_or(Path::new(STATE_FOLDER)), clock.now());
        let ledger = ledger.map_err(|unusable| wrong(&unusable))?;
        let clock = Arc::clone(clock);
        let parts = Parts { folder, environment, ledger, board, clock, making };
        let (publisher, handle) = Publisher::new(parts).map_err(|unusable| wrong(&unusable))?;
        return Ok((Publishing::Alone(Box::new(publisher), interval), handle));
    }
    if settings.control.state_folder.is_some() {
        return Err(StartError::Control(
            "control planes that share an etcd keep their generations there: leave \
             control.stateFolder out, or, for one alone, etcd.endpoints"
                .to_owned(),
        ));
    }
    let status = Arc::new(Status::default());
    let (ask, asked) = watch::channel(0);
    let (tell, loaded) = watch::channel(Loads::default());
    let looking = Looking { folder: folder.path().display().to_string(), ask: ask.clone(), loaded };
    let watched = Watched {
        folder,
        environment,
        name: None,
        making,
        status: Arc::clone(&status),
        interval,
        loader: Arc::default(),
        known: Arc::default(),
    };
    let parts = cluster::Parts {
        source: Arc::new(Led { watched, ask, asked, loaded: tell, clock: Arc::clone(clock) }),
        status,
        clock: Arc::clone(clock),
        replica: shared::name(&settings.replica)?,
        seed: random_number()?,
        manner: cluster::Manner::of_control_planes(),
    };
    let cluster = Arc::new(cluster::of(settings, parts)?);
    let (together, handle) = Together::new(Arc::clone(&cluster), board, looking);
    Ok((Publishing::Together(Box::new(together), cluster), handle))
}

impl Publishing {
    /// What is switched off: one alone keeps it in its state folder, several share it.
    pub(super) fn switches(
        &self,
        settings: &Settings,
        clock: &SystemClock,
    ) -> Result<Arc<Switches>, StartError> {
        if let Self::Together(_together, cluster) = self {
            return Ok(Arc::new(Switches::shared(Arc::clone(cluster))));
        }
        let state = settings.control.state_folder.as_deref().unwrap_or(Path::new(STATE_FOLDER));
        match Switches::open(state, clock.now()) {
            Ok(switches) => Ok(Arc::new(switches)),
            Err(unusable) => Err(StartError::Control(unusable.to_string())),
        }
    }

    /// The cluster of control planes, if there is one.
    pub(super) fn cluster(&self) -> Option<Arc<Cluster>> {
        match self {
            Self::Alone(..) => None,
            Self::Together(_together, cluster) => Some(Arc::clone(cluster)),
        }
    }

    /// Publishes, and keeps `switches`, on threads that end with the handle or once `stopped` says
    /// so.
    pub(super) fn start(
        self,
        stopped: &watch::Receiver<bool>,
        switches: &Arc<Switches>,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        match self {
            Self::Alone(publisher, interval) => {
                Ok(vec![thread("publisher").spawn(move || publisher.run(interval))?])
            }
            Self::Together(together, cluster) => {
                let shower = thread("publisher").spawn(together.shower())?;
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let (stopped, switches) = (stopped.clone(), Arc::clone(switches));
                let together = thread("cluster").spawn(move || {
                    runtime.block_on(async {
                        tokio::select! {
                            () = together.run(stopped) => (),
                            () = switches.attend() => (),
                        }
                    });
                    cluster.status.stop();
                    // A look at a disk that hangs is not waited for.
                    runtime.shutdown_timeout(Duration::ZERO);
                })?;
                Ok(vec![shower, together])
            }
        }
    }
}
