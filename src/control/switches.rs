//! What operators have switched off, for all gateways or for some: kept in the state folder, or by
//! several control planes in the etcd that they share; sent to gateways, and in force there whatever
//! they serve.

mod shared;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use self::shared::Shared;
use super::ledger::{Unusable, sealed};
use crate::configuration::cluster::Cluster;
use crate::configuration::switch::orders::{ENTRIES_MAX, Order, Orders, TEXT_BYTES_MAX, Target};
use crate::time::Timestamp;

/// The file.
const FILE: &str = "switched-off.json";

/// What operators have switched off.
#[derive(Debug)]
pub struct Switches {
    home: Home,
    list: watch::Sender<Arc<List>>,
}

/// Where that is kept.
#[derive(Debug)]
enum Home {
    /// In a file, which one process writes; held while it does.
    Folder(PathBuf, Mutex<()>),
    /// In what control planes share.
    Store(Shared),
}

/// What is switched off, and for whom.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    history: u64,
    revision: u64,
    entries: Vec<Entry>,
}

/// One thing that is switched off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// What, by whom, when and why.
    pub order: Order,
    /// The gateway; all if none is named.
    pub gateway: Option<String>,
}

/// What an operator wants of it.
#[derive(Clone, Debug)]
pub enum Deed {
    /// To switch something off, in the place of the same thing for the same gateway.
    Disable(Entry),
    /// To switch it on again, for one gateway or for all.
    Enable(Target, Option<String>),
}

impl Switches {
    /// Those that are kept in `folder`, with a history that begins `now` if none are.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Unusable> {
        let path = folder.join(FILE);
        let list = sealed::read(&path)?;
        let list = list.unwrap_or_else(|| List::begun(now));
        let list = watch::Sender::new(Arc::new(list));
        Ok(Self { home: Home::Folder(path, Mutex::default()), list })
    }

    /// Those that the control planes of `cluster` share; none are known before
    /// [`attend`](Self::attend) has read them.
    pub fn shared(cluster: Arc<Cluster>) -> Self {
        Self { home: Home::Store(Shared::of(cluster)), list: watch::Sender::default() }
    }

    /// Tells of what is switched off, now and whenever that changes.
    pub fn follow(&self) -> watch::Receiver<Arc<List>> {
        self.list.subscribe()
    }

    /// What is switched off.
    pub fn list(&self) -> Arc<List> {
        Arc::clone(&self.list.borrow())
    }

    /// Does `deed`; or why not, for operators.
    pub async fn change(self: &Arc<Self>, deed: Deed) -> Result<(), String> {
        match &self.home {
            Home::Folder(..) => {
                let own = Arc::clone(self);
                let changed = spawn_blocking(move || own.change_file(deed)).await;
                changed.unwrap_or_else(|_panic| Err("it failed".to_owned()))
            }
            Home::Store(shared) => {
                self.show(shared.change(deed).await?);
                Ok(())
            }
        }
    }

    /// Hears what others that share it switch off and on, and writes what is wanted here: never
    /// returns.
    pub async fn attend(&self) {
        match &self.home {
            Home::Folder(..) => std::future::pending().await,
            Home::Store(shared) => shared.attend(|list| self.show(list)).await,
        }
    }

    /// Does `deed` in the folder. Blocks for as long as the disk does.
    fn change_file(&self, deed: Deed) -> Result<(), String> {
        let Home::Folder(path, writing) = &self.home else { return Ok(()) };
        let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let list = List::clone(&self.list()).after(deed)?;
        sealed::write(path, &list).map_err(|error| error.to_string())?;
        self.show(list);
        Ok(())
    }

    /// Notes what is switched off, unless something newer is known.
    fn show(&self, list: List) {
        self.list.send_if_modified(|last| {
            let is_news = list.is_after(last);
            if is_news {
                *last = Arc::new(list);
            }
            is_news
        });
    }
}

impl List {
    /// Nothing, from `now` on.
    fn begun(now: Timestamp) -> Self {
        Self { history: now.micros() / 1_000, ..Self::default() }
    }

    /// Whether this comes after `other`.
    const fn is_after(&self, other: &Self) -> bool {
        other.history < self.history
            || (other.history == self.history && other.revision < self.revision)
    }

    /// Whether it is of a size that is kept and sent.
    fn is_sound(&self) -> bool {
        let is_sound = |entry: &Entry| {
            let Order { what, by, reason, .. } = &entry.order;
            let texts = [what.name(), by, reason, entry.gateway.as_deref().unwrap_or_default()];
            texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX)
        };
        self.entries.len() <= ENTRIES_MAX && self.entries.iter().all(is_sound)
    }

    /// What it is after `deed`.
    fn after(mut self, deed: Deed) -> Result<Self, String> {
        match deed {
            Deed::Disable(entry) => self.disable(entry)?,
            Deed::Enable(what, gateway) => self.enable(&what, gateway.as_deref())?,
        }
        self.revision = self.revision.saturating_add(1);
        Ok(self)
    }

    fn disable(&mut self, entry: Entry) -> Result<(), String> {
        self.entries.retain(|it| !it.is_of(&entry.order.what, entry.gateway.as_deref()));
        if ENTRIES_MAX <= self.entries.len() {
            return Err(format!("{ENTRIES_MAX} are switched off already: that is the most"));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn enable(&mut self, what: &Target, gateway: Option<&str>) -> Result<(), String> {
        let before = self.entries.len();
        self.entries.retain(|it| !it.is_of(what, gateway));
        if self.entries.len() < before {
            return Ok(());
        }
        let others = self.entries.iter().filter(|it| it.order.what.is_of(what));
        let others: Vec<&str> = others.map(|it| it.gateway.as_deref().unwrap_or("all")).collect();
        let of = gateway.unwrap_or("all gateways");
        let name = what.name();
        Err(if others.is_empty() {
            format!("`{name}` is not switched off")
        } else {
            let others = others.join(", ");
            format!(
                "`{name}` is not switched off for {of}, but for {others}: say so with --gateway"
            )
        })
    }

    /// What is switched off at `gateway`.
    pub fn of(&self, gateway: &str) -> Orders {
        let is_its = |entry: &&Entry| {
            entry.gateway.as_ref().is_none_or(|named| named.eq_ignore_ascii_case(gateway))
        };
        let orders = self.entries.iter().filter(is_its).map(|entry| entry.order.clone());
        Orders { history: self.history, revision: self.revision, entries: orders.collect() }
    }

    /// All of it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Entry {
    fn is_of(&self, what: &Target, gateway: Option<&str>) -> bool {
        let is_same = match (&self.gateway, gateway) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same && self.order.what.is_of(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn entry(what: Target, gateway: Option<&str>) -> Entry {
        let (by, reason) = ("ops".to_owned(), String::new());
        Entry { order: Order { what, by, at: 1, reason }, gateway: gateway.map(ToOwned::to_owned) }
    }

    fn cors(refuse: bool) -> Target {
        Target::Policy { name: "cors".to_owned(), refuse }
    }

    fn off(switches: &Switches, entry: Entry) {
        switches.change_file(Deed::Disable(entry)).unwrap();
    }

    fn on(switches: &Switches, gateway: Option<&str>) -> Result<(), String> {
        switches.change_file(Deed::Enable(cors(false), gateway.map(ToOwned::to_owned)))
    }

    fn names(orders: &Orders) -> Vec<String> {
        orders.entries.iter().map(|order| order.what.shown()).collect()
    }

    #[test]
    fn each_gateway_gets_what_is_for_it_and_for_all_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let switches = Switches::open(folder.path(), NOW).unwrap();
        off(&switches, entry(cors(false), None));
        off(&switches, entry(Target::Api("a".to_owned()), Some("North")));
        drop(switches);
        let list = Switches::open(folder.path(), Timestamp::default()).unwrap().list();
        assert_eq!(names(&list.of("north")), ["policy cors: skip", "api a"]);
        assert_eq!(names(&list.of("south")), ["policy cors: skip"]);
        assert_eq!((list.of("x").history, list.of("x").revision), (1_700_000_000_000, 2));
    }

    #[test]
    fn the_same_thing_is_off_once_and_on_again_as_it_was_switched_off() {
        let folder = tempfile::tempdir().unwrap();
        let switches = Switches::open(folder.path(), NOW).unwrap();
        off(&switches, entry(cors(false), None));
        off(&switches, entry(cors(true), None));
        assert_eq!(names(&switches.list().of("a")), ["policy cors: refuse"]);
        let told = on(&switches, Some("a")).unwrap_err();
        assert!(told.contains("for a, but for all"), "{told}");
        on(&switches, None).unwrap();
        assert_eq!(on(&switches, None).unwrap_err(), "`cors` is not switched off");
        assert_eq!(switches.list().of("a").revision, 3);
    }

    #[test]
    fn a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        off(&Switches::open(folder.path(), NOW).unwrap(), entry(cors(true), None));
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap().replace("true", "false");
        std::fs::write(&path, text).unwrap();
        let told = Switches::open(folder.path(), NOW).unwrap_err().to_string();
        assert!(told.contains("its checksum is another"), "{told}");
    }
}
