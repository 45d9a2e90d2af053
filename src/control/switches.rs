//! What operators have switched off, for all gateways or for some: kept in the state folder, sent
//! to gateways, and in force there whatever they serve.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::ledger::{Unusable, sealed};
use crate::configuration::switch::orders::{ENTRIES_MAX, Order, Orders, Target};
use crate::time::Timestamp;

/// The file.
const FILE: &str = "switched-off.json";

/// What operators have switched off.
#[derive(Debug)]
pub struct Switches {
    path: PathBuf,
    /// Held while the file is written.
    writing: Mutex<()>,
    list: watch::Sender<Arc<List>>,
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

impl Switches {
    /// Those that are kept in `folder`, with a history that begins `now` if none are.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Unusable> {
        let path = folder.join(FILE);
        let list = sealed::read(&path)?;
        let list =
            list.unwrap_or_else(|| List { history: now.micros() / 1_000, ..List::default() });
        Ok(Self { path, writing: Mutex::default(), list: watch::Sender::new(Arc::new(list)) })
    }

    /// Tells of what is switched off, now and whenever that changes.
    pub fn follow(&self) -> watch::Receiver<Arc<List>> {
        self.list.subscribe()
    }

    /// What is switched off.
    pub fn list(&self) -> Arc<List> {
        Arc::clone(&self.list.borrow())
    }

    /// Switches something off, in the place of the same thing for the same gateway. Blocks for as
    /// long as the disk does.
    pub fn disable(&self, entry: Entry) -> Result<(), String> {
        self.change(|entries| {
            entries.retain(|it| !it.is_of(&entry.order.what, entry.gateway.as_deref()));
            if ENTRIES_MAX <= entries.len() {
                return Err(format!("{ENTRIES_MAX} are switched off already: that is the most"));
            }
            entries.push(entry);
            Ok(())
        })
    }

    /// Switches something on again. Blocks for as long as the disk does.
    pub fn enable(&self, what: &Target, gateway: Option<&str>) -> Result<(), String> {
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|it| !it.is_of(what, gateway));
            if entries.len() < before {
                return Ok(());
            }
            let others = entries.iter().filter(|it| it.order.what.is_of(what));
            let others: Vec<&str> =
                others.map(|it| it.gateway.as_deref().unwrap_or("all")).collect();
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
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Entry>) -> Result<(), String>,
    ) -> Result<(), String> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = List::clone(&self.list());
        change(&mut list.entries)?;
        list.revision = list.revision.saturating_add(1);
        sealed::write(&self.path, &list).map_err(|error| error.to_string())?;
        self.list.send_replace(Arc::new(list));
        Ok(())
    }
}

impl List {
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

    fn names(orders: &Orders) -> Vec<String> {
        orders.entries.iter().map(|order| order.what.shown()).collect()
    }

    #[test]
    fn each_gateway_gets_what_is_for_it_and_for_all_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let switches = Switches::open(folder.path(), NOW).unwrap();
        switches.disable(entry(cors(false), None)).unwrap();
        switches.disable(entry(Target::Api("a".to_owned()), Some("North"))).unwrap();
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
        switches.disable(entry(cors(false), None)).unwrap();
        switches.disable(entry(cors(true), None)).unwrap();
        assert_eq!(names(&switches.list().of("a")), ["policy cors: refuse"]);
        let told = switches.enable(&cors(false), Some("a")).unwrap_err();
        assert!(told.contains("for a, but for all"), "{told}");
        switches.enable(&cors(false), None).unwrap();
        assert_eq!(switches.enable(&cors(false), None).unwrap_err(), "`cors` is not switched off");
        assert_eq!(switches.list().of("a").revision, 3);
    }

    #[test]
    fn a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        Switches::open(folder.path(), NOW).unwrap().disable(entry(cors(true), None)).unwrap();
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap().replace("true", "false");
        std::fs::write(&path, text).unwrap();
        let told = Switches::open(folder.path(), NOW).unwrap_err().to_string();
        assert!(told.contains("its checksum is another"), "{told}");
    }
}
