//! Publishes what a folder holds, once it was found good: on a thread of its own, because disks
//! block and compiling takes its time.

mod handle;
mod meant;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::board::{Board, FORMER_MAX};
use super::ledger::{Ledger, Manner, Unusable};
use crate::certificate::trust::Nobody;
use crate::configuration::bundle::{Bundle, Digest};
use crate::configuration::compile::Making;
use crate::configuration::generation::Generation;
use crate::configuration::guard::Inventory;
use crate::configuration::history::{Row, Wanted};
use crate::configuration::loader::{Loaded, Loader};
use crate::configuration::portion::Shared;
use crate::configuration::refresh::{Refusal, report};
use crate::configuration::source::{Environment, Fingerprint, Folder};
use crate::fault::{Fault, Place};
use crate::telemetry::audit::{Change, Who};
use crate::time::{Clock, SystemClock, Timestamp};

pub(super) use handle::Wish;
pub use handle::{Ask, Handle};

/// Publishes what a folder holds.
#[derive(Debug)]
pub struct Publisher {
    folder: Folder,
    environment: Environment,
    ledger: Ledger,
    board: Arc<Board>,
    clock: Arc<SystemClock>,
    making: Making,
    loader: Loader,
    standing: watch::Sender<Standing>,
    /// What the folder looked like when it was last loaded.
    seen: Option<Fingerprint>,
    /// What it held then, if that was good.
    content: Option<Digest>,
    /// What the newest generation has, once somebody asked, with its digest.
    inventory: Option<(String, Option<Inventory>)>,
    wishes: Receiver<Wish>,
}

/// How publishing is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// The folder that generations come from.
    pub folder: String,
    /// When it was last loaded: it is when it has changed. None if it was not by this process.
    pub loaded: Option<Timestamp>,
    /// How often it was, by this process.
    pub loads: u64,
    /// The newest generation that is offered to gateways; none if nothing was good yet.
    pub generation: Generation,
    /// Its digest, in hexadecimal.
    pub digest: String,
    /// The gateways that it names; none if it is the same for all.
    pub gateways: Vec<String>,
    /// The generation whose content it has, if somebody went back; the folder is passed over then,
    /// until it changes.
    pub like: Option<u64>,
    /// How often a folder was refused since the process started.
    pub refused: u64,
    /// Why the folder is not what is offered; empty if it is, or is held back.
    pub faults: Vec<Fault>,
    /// The generations that can be gone back to, the newest last.
    pub rows: Vec<Row>,
    /// What the folder has and is not published, because it takes too much away.
    pub withheld: Option<Withheld>,
}

/// A configuration that is not published until somebody says that it is meant.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Withheld {
    /// The digest of its bundle, in hexadecimal.
    pub digest: String,
    /// What it takes away.
    pub why: String,
}

/// What a publisher needs.
#[derive(Debug)]
pub struct Parts {
    /// Where configurations come from.
    pub folder: Folder,
    /// What named values and keys may be taken from.
    pub environment: Environment,
    /// What remembers them.
    pub ledger: Ledger,
    /// Where they are shown.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// What they are compiled with, to see that they can be.
    pub making: Making,
}

impl Publisher {
    /// A publisher of `parts`, which shows what its ledger has last.
    pub fn new(parts: Parts) -> Result<(Self, Handle), Unusable> {
        let Parts { folder, environment, ledger, board, clock, making } = parts;
        let path = folder.path().display().to_string();
        let (standing, follow) = watch::channel(Standing { folder: path, ..Standing::default() });
        let (handle, wishes) = Handle::of_thread(follow);
        let newest = ledger.newest()?;
        let (seen, content, inventory) = (None, None, None);
        let publisher = Self {
            folder,
            environment,
            ledger,
            board,
            clock,
            making,
            loader: Loader::default(),
            standing,
            seen,
            content,
            inventory,
            wishes,
        };
        if let Some((generation, bundle)) = newest {
            publisher.show(generation, bundle);
            for (generation, bundle) in publisher.ledger.former(FORMER_MAX) {
                publisher.board.recall(generation, Arc::new(bundle));
            }
        }
        Ok((publisher, handle))
    }

    /// Looks at the folder now, every `interval`, and whenever somebody asks, until it is stopped.
    pub fn run(mut self, interval: Duration) {
        self.look(true, None);
        loop {
            let wish = self.wishes.recv_timeout(interval);
            self.clock.anchor();
            if wish.as_ref().is_ok_and(Wish::is_given_up) {
                continue;
            }
            match wish {
                Err(RecvTimeoutError::Timeout) => self.look(false, None),
                Ok(Wish::Look) => self.look(true, None),
                Ok(Wish::Publish { ask, who, answer }) => {
                    let _ = answer.send(self.publish(&ask, &who));
                }
                Ok(Wish::GoBack { to, who, answer }) => {
                    // Who does not wait for the answer any more finds it in the log.
                    let _ = answer.send(self.go_back(to, &who));
                }
                Ok(Wish::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Publishes what the folder has become, if it is good and new, as somebody `asks` for it.
    fn look(&mut self, is_asked: bool, asks: Option<(&Ask, Wanted)>) {
        let unchanged = self.seen.as_ref().is_some_and(|seen| !self.folder.has_changed(seen));
        if unchanged && !is_asked {
            return;
        }
        let loaded = self.loader.load(&self.folder, &self.environment);
        self.seen.clone_from(&loaded.fingerprint);
        self.standing.send_modify(|standing| {
            standing.loaded = Some(self.clock.now());
            standing.loads = standing.loads.saturating_add(1);
        });
        let bundle = match self.good(&loaded) {
            Ok(bundle) => bundle,
            Err(faults) => {
                let sources = loaded.sources(&faults);
                return self.refuse(&Refusal { faults, sources });
            }
        };
        self.content = Some(*bundle.digest());
        let digest = bundle.digest().to_string();
        let withheld = self.standing.borrow().withheld.clone();
        let is_withheld = withheld.is_some_and(|withheld| withheld.digest == digest);
        let is_held = self.ledger.held() == self.content;
        let is_forced = asks.as_ref().is_some_and(|(ask, _wanted)| ask.means(&digest));
        let is_meant = (is_held || is_withheld) && is_forced;
        let is_wanted_now = asks.as_ref().is_some_and(|(ask, _wanted)| ask.now);
        // What is served already is published once more for whoever wants it to be for all at once.
        let is_newest = self
            .ledger
            .rows()
            .last()
            .is_some_and(|row| row.digest == digest && (row.now || !is_wanted_now));
        if is_newest || is_held && !is_meant {
            self.standing.send_modify(|standing| {
                standing.faults.clear();
                standing.withheld = None;
            });
            return;
        }
        if !is_meant && let Some(why) = self.takes_away(&loaded) {
            return self.withhold(digest, why);
        }
        let manner = asks.map_or_else(Manner::default, |(ask, wanted)| Manner {
            like: None,
            now: ask.now,
            wanted: Some(wanted),
        });
        match self.ledger.add(&bundle, self.clock.now(), manner) {
            Ok(generation) => {
                tracing::info!(%generation, digest, "a configuration is published");
                self.inventory =
                    loaded.config.as_ref().ok().map(|config| (digest, Some(Inventory::of(config))));
                self.show(generation, bundle);
            }
            Err(error) => self.refuse(&self.refusal(&error.to_string())),
        }
    }

    /// The bundle of what was loaded, if a gateway could run it.
    fn good(&mut self, loaded: &Loaded) -> Result<Bundle, Vec<Fault>> {
        let making = Making { now: self.clock.now(), ..self.making.clone() };
        let kept = &mut self.loader;
        let compile = AssertUnwindSafe(|| kept.make(loaded, &making).map(drop));
        panic::catch_unwind(compile).unwrap_or_else(|_panic| {
            // What it kept may be half of something.
            self.loader = Loader::default();
            let message = "Weir fails to compile this configuration, which is its own fault";
            Err(self.refusal(message).faults)
        })?;
        let Some((reading, variables)) = &loaded.reading else {
            return Err(self.refusal("nothing was read").faults);
        };
        let bundle = Bundle::of_reading(reading, &self.environment, variables);
        bundle.map_err(|unsound| self.refusal(&unsound.to_string()).faults)
    }

    fn refusal(&self, message: &str) -> Refusal {
        let file = Arc::from(self.folder.path().display().to_string());
        let faults = vec![Fault::new(Place::start_of(&file), message)];
        Refusal { faults, sources: crate::fault::Sources::default() }
    }

    fn refuse(&self, refusal: &Refusal) {
        let mut is_known = false;
        self.standing.send_modify(|standing| {
            is_known = standing.faults == refusal.faults;
            standing.refused = standing.refused.saturating_add(1);
            standing.faults.clone_from(&refusal.faults);
        });
        if !is_known {
            let offered = self.standing.borrow().generation;
            tracing::error!(
                offered = offered.number,
                faults = refusal.faults.len(),
                "the folder is refused: generation {offered} is offered as before\n{}",
                report(refusal)
            );
        }
    }

    /// Publishes what was published before.
    fn go_back(&mut self, to: Option<u64>, who: &Who) -> Result<(u64, u64), String> {
        let before = self.standing.borrow().generation.to_string();
        let held = self.content;
        let gone = self.ledger.go_back(to, held, self.clock.now());
        let subject = to.map_or_else(|| "the one before".to_owned(), |to| to.to_string());
        let after = match &gone {
            Ok((generation, _bundle, like)) => format!("{generation}, with the content of {like}"),
            Err(error) => error.to_string(),
        };
        who.changes(Change {
            what: "go back to a former configuration",
            subject: &subject,
            before: &before,
            after: &after,
            is_done: gone.is_ok(),
        });
        let (generation, bundle, like) = gone.map_err(|error| error.to_string())?;
        self.show(generation, bundle);
        Ok((generation.number, like))
    }

    /// Offers `bundle` to gateways.
    fn show(&self, generation: Generation, bundle: Bundle) {
        let digest = bundle.digest().to_string();
        let bundle = Arc::new(bundle);
        let is_urgent = self.ledger.rows().last().is_some_and(|row| row.now);
        self.board.publish_as(generation, Arc::clone(&bundle), is_urgent);
        let gateways = match self.board.newest() {
            Some(newest) => newest.shared().gateways(),
            None => Shared::of(bundle).gateways(),
        };
        let rows = self.ledger.rows().to_vec();
        self.standing.send_modify(|standing| {
            (standing.generation, standing.digest) = (generation, digest);
            standing.gateways = gateways.into_iter().collect();
            standing.like = rows.last().and_then(|row| row.like);
            standing.rows = rows;
            (standing.withheld, standing.faults) = (None, Vec::new());
        });
    }
}

/// What a control plane compiles configurations with, to see that they can be.
pub fn making(now: Timestamp, secret: [u8; 32]) -> Making {
    let (switch, authorities, sidecar) = (Arc::default(), Arc::new(Nobody), Arc::default());
    let instance = Arc::from("control");
    Making { generation: 0, now, instance, secret, switch, authorities, sidecar }
}
