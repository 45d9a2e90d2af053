//! The kill switch: what must not run, whatever the configuration says.
//!
//! A local file of a few lines, looked at as often as the folder, that works when everything else
//! is down:
//!
//! ```yaml
//! policies: {rate-limit: skip, validate-jwt: refuse}
//! apis: [orders]
//! operations: [billing/create-invoice]
//! ```
//!
//! A policy that is skipped is as if nobody had written it; one that is refused makes its requests
//! fail with 503. Which of the two is always said: at night nobody has to know a default, and
//! nobody opens a door by accident. An API or an operation that is named answers 503.

pub mod orders;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::config::Config;
use super::source::{Stamp, Unreadable, read_text};
use super::switch::orders::Orders;
use super::yaml::{self, Entries, Files, Mark, Placed};
use crate::fault::{Fault, Place, Sources, nearest};
use crate::policy::catalog;
use crate::policy::disabled::{Disabled, Instead};

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// What must not run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Switch {
    policies: Disabled,
    apis: BTreeSet<Arc<str>>,
    /// Ids of operations, by the API's.
    operations: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// The file that says so.
#[derive(Debug, Default)]
pub struct SwitchFile {
    path: Option<PathBuf>,
    looked: Looked,
    switch: Arc<Switch>,
    /// What is wrong with the file, and its text.
    wrong: (Vec<Fault>, Sources),
    orders: Arc<Orders>,
}

/// What the file looked like when it was read last.
#[derive(Debug, Default, Eq, PartialEq)]
enum Looked {
    /// It was not looked at.
    #[default]
    Never,
    /// It was not there.
    Missing,
    /// Like this.
    At(Stamp),
}

/// What is to be switched off now.
#[derive(Debug)]
pub struct Seen {
    /// What must not run now.
    pub switch: Arc<Switch>,
    /// Each as operators are shown it: first what the file says, then what a control plane does.
    pub list: Vec<String>,
    /// Policies that a control plane switches off and this version does not have.
    pub unknown: Vec<String>,
    /// What is wrong with the file. What is right of it holds all the same.
    pub faults: Vec<Fault>,
    /// The text that the faults point into.
    pub sources: Sources,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    policies: Entries<Placed<String>>,
    apis: Vec<Placed<String>>,
    operations: Vec<Placed<String>>,
}

impl Switch {
    /// Reads `text`, which stands in `file`. What is wrong is left out, and told; `None` if nothing
    /// can be told from it at all.
    pub fn read(file: &Arc<str>, text: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let mut files = Files::default();
        let number = files.add(file);
        let before = faults.len();
        let Some(root) = yaml::parse(text, number, &files, faults) else {
            // A file with nothing in it switches nothing off.
            return (faults.len() == before).then(Self::default);
        };
        let written: Written = yaml::read(&root, &files, |_holder, _key| None, faults)?;
        let mut switch = Self::default();
        for (name, word) in &written.policies.0 {
            if name.mark.is_made_up() || word.mark.is_made_up() {
                continue;
            }
            match Instead::named(&word.value) {
                Some(instead) if switch.policies.insert(&name.value, instead) => (),
                Some(_) => faults.push(unknown_policy(&files, name.mark, &name.value)),
                None => {
                    let message = format!("`{}` is nothing that can be done instead", word.value);
                    let remedy = "write `skip` (as if the policy were not written) or `refuse` \
                                  (its requests fail with 503)";
                    faults.push(files.fault(word.mark, message).mend(remedy));
                }
            }
        }
        let is_written = |id: &&Placed<String>| !id.mark.is_made_up();
        let apis = written.apis.iter().filter(is_written);
        switch.apis = apis.map(|api| Arc::from(api.value.as_str())).collect();
        for named in written.operations.iter().filter(is_written) {
            match named.value.split_once('/') {
                Some((api, operation)) if !api.is_empty() && !operation.is_empty() => {
                    let of_api = switch.operations.entry(Arc::from(api)).or_default();
                    of_api.insert(Arc::from(operation));
                }
                _ => {
                    let message = format!("`{}` names no operation", named.value);
                    let fault = files.fault(named.mark, message);
                    faults.push(fault.mend("write the ids of API and operation: `orders/list`"));
                }
            }
        }
        Some(switch)
    }

    /// The policies that are switched off.
    pub const fn policies(&self) -> &Disabled {
        &self.policies
    }

    /// Whether all of the API `id` is switched off.
    pub fn has_api(&self, id: &str) -> bool {
        self.apis.contains(id)
    }

    /// Whether the operation `id` of the API `api` is switched off by itself.
    pub fn has_operation(&self, api: &str, id: &str) -> bool {
        self.operations.get(api).is_some_and(|operations| operations.contains(id))
    }

    /// Whether everything may run.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is switched off, each as it is written: `policy rate-limit: skip`, `api orders`.
    pub fn list(&self) -> Vec<String> {
        let policies = self.policies.iter();
        let policies =
            policies.map(|(name, instead)| format!("policy {name}: {}", instead.as_str()));
        let apis = self.apis.iter().map(|api| format!("api {api}"));
        let operations = self.operations.iter().flat_map(|(api, operations)| {
            operations.iter().map(move |operation| format!("operation {api}/{operation}"))
        });
        policies.chain(apis).chain(operations).collect()
    }

    /// APIs and operations that are named here and not in `config`.
    pub fn missing_in(&self, config: &Config) -> Vec<String> {
        let has = |id: &str| config.apis.iter().any(|api| *api.id == *id);
        let has_operation = |id: &str, operation: &str| {
            let mut apis = config.apis.iter().filter(|api| *api.id == *id);
            apis.any(|api| api.operations.iter().any(|it| *it.id == *operation))
        };
        let apis = self.apis.iter().filter(|api| !has(api)).map(|api| format!("api {api}"));
        let operations = self.operations.iter().flat_map(|(api, operations)| {
            let missing = operations.iter().filter(|operation| !has_operation(api, operation));
            missing.map(move |operation| format!("operation {api}/{operation}"))
        });
        apis.chain(operations).collect()
    }
}

fn unknown_policy(files: &Files, mark: Mark, name: &str) -> Fault {
    let fault = files.fault(mark, format!("there is no policy `{name}`"));
    match nearest(name, catalog::names()) {
        Some(right) => fault.mend(format!("did you mean `{right}`?")),
        None => fault.mend("docs/policies.md has those that there are"),
    }
}

impl SwitchFile {
    /// The file at `path`, if there is to be one; it need not exist.
    pub fn at(path: Option<PathBuf>) -> Self {
        Self { path, ..Self::default() }
    }

    /// Whether there may be one.
    pub const fn is_set(&self) -> bool {
        self.path.is_some()
    }

    /// Looks at the file, and at what a control plane has switched off: what is off now, if either
    /// is something else than before.
    pub fn look(&mut self, orders: &Arc<Orders>) -> Option<Seen> {
        let is_read = self.read_again();
        let is_ordered = *self.orders != **orders;
        if !is_read && !is_ordered {
            return None;
        }
        self.orders = Arc::clone(orders);
        let mut unknown = Vec::new();
        let switch = Arc::new(self.switch.joined(orders, &mut unknown));
        let list = self.switch.list().into_iter().chain(orders.list()).collect();
        let (faults, sources) = self.wrong.clone();
        Some(Seen { switch, list, unknown, faults, sources })
    }

    /// Reads the file if it is another one than before; whether it was. A file that cannot be read,
    /// or is no YAML, changes nothing; one that is not there switches nothing off.
    fn read_again(&mut self) -> bool {
        let Some(path) = self.path.as_deref() else { return false };
        let looked = Stamp::at(path).map_or(Looked::Missing, Looked::At);
        if self.looked == looked {
            return false;
        }
        let is_first = std::mem::replace(&mut self.looked, looked) == Looked::Never;
        let (file, mut sources): (Arc<str>, _) =
            (Arc::from(path.display().to_string()), Sources::default());
        let mut faults = Vec::new();
        match read_text(path, FILE_BYTES_MAX) {
            Ok(text) => {
                if let Some(switch) = Switch::read(&file, &text, &mut faults) {
                    self.switch = Arc::new(switch);
                }
                sources.insert(&file, text);
            }
            Err(Unreadable::Missing) if is_first => return false,
            Err(Unreadable::Missing) => self.switch = Arc::default(),
            Err(why) => {
                let fault = Fault::new(Place::start_of(&file), why.to_string());
                faults.push(fault.mend(why.remedy()));
            }
        }
        self.wrong = (faults, sources);
        true
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::configuration::bundle::{Bundle, Entry, Kind};
    use crate::configuration::compile::{Making, make};
    use crate::configuration::loader::Loader;
    use crate::configuration::switch::orders::{Order, Target};
    use crate::policy::Section;
    use crate::policy::program::Action;
    use crate::snapshot::Snapshot;
    use crate::time::Timestamp;

    fn read(text: &str) -> (Option<Switch>, Vec<String>) {
        let mut faults = Vec::new();
        let switch = Switch::read(&Arc::from("off.yaml"), text, &mut faults);
        (switch, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn everything_can_be_switched_off() {
        let mut text = "apis: [a]\noperations: [b/get, b/put, c/x/y]\npolicies:\n".to_owned();
        for (name, instead) in catalog::names().zip(Instead::ALL.into_iter().cycle()) {
            writeln!(text, "  {name}: {}", instead.as_str()).unwrap();
        }
        let (switch, faults) = read(&text);
        assert_eq!(faults, Vec::<String>::new());
        let switch = switch.unwrap();
        for (name, instead) in catalog::names().zip(Instead::ALL.into_iter().cycle()) {
            assert_eq!(switch.policies().instead(name), Some(instead), "{name}");
        }
        assert!(switch.has_api("a") && !switch.has_api("b"));
        assert!(switch.has_operation("b", "put") && switch.has_operation("c", "x/y"));
        assert!(!switch.has_operation("a", "get") && !switch.has_operation("b", "list"));
        assert_eq!(switch.list().len(), catalog::POLICIES.len() + 4);
    }

    /// A configuration with an API for each policy, whose operation has it in every section, written
    /// as it may never be, and with nowhere to go; `switch` is in force.
    fn with_every_policy(switch: Switch) -> Snapshot {
        let mut yaml = "apis:\n".to_owned();
        for name in catalog::names() {
            let sections = Section::ALL.map(|it| format!("<{it}><{name} wrong='@(1)' /></{it}>"));
            writeln!(
                yaml,
                "  - {{id: {name}, path: {name}, operations: [{{id: get, method: GET, urlTemplate: \
                 /, policy: \"<policies>{}</policies>\"}}]}}",
                sections.concat()
            )
            .unwrap();
        }
        let entry = Entry::new(Kind::Document, Arc::from("weir.yaml"), Arc::from(yaml));
        let loaded = Loader::default().load_bundle(&Bundle::of([Arc::new(entry)]).unwrap());
        let making = Making {
            generation: 1,
            now: Timestamp::default(),
            instance: Arc::from("test"),
            secret: [0; 32],
            switch: Arc::new(switch),
            authorities: Arc::new(crate::certificate::trust::Nobody),
            sidecar: Arc::default(),
        };
        make(&loaded, &making).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    #[test]
    fn whatever_is_switched_off_stops_no_configuration_and_does_nothing_but_what_was_ordered() {
        for instead in Instead::ALL {
            let mut switch = Switch::default();
            assert!(catalog::names().all(|name| switch.policies.insert(name, instead)));
            let snapshot = with_every_policy(switch);
            assert_eq!(snapshot.apis.len(), catalog::POLICIES.len());
            for api in &snapshot.apis {
                let program = &api.operations[0].program;
                for section in Section::ALL {
                    let steps: Vec<_> =
                        program.blocks(section).iter().flat_map(|block| &block.steps).collect();
                    let ordered = match instead {
                        Instead::Skip => steps.is_empty(),
                        Instead::Refuse => {
                            steps.len() == 1 && matches!(steps[0].action, Action::Disabled)
                        }
                    };
                    assert!(ordered, "{} in {section}: {instead:?}", api.facts.id);
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_holds() {
        let (switch, faults) = read(
            "policies: {rate-limits: skip, rate-limit: off, quota: refuse, cors: [skip]}\n\
             apis: [a, {b: c}]\noperations: [a, /b, d/e]\noperation: []\n",
        );
        assert_eq!(switch.unwrap().list(), ["policy quota: refuse", "api a", "operation d/e"]);
        assert_eq!(faults.len(), 7, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("did you mean `rate-limit`?")));
        assert!(faults.iter().any(|fault| fault.contains("write `skip`")));
    }

    #[test]
    fn nothing_written_is_nothing_switched_off_and_no_yaml_is_nothing_known() {
        for text in ["", "# later\n", "policies:\napis:\n", "{}"] {
            assert_eq!(read(text), (Some(Switch::default()), Vec::new()), "{text}");
        }
        for text in ["policies: [", "- a\n", "text"] {
            let (switch, faults) = read(text);
            assert!(switch.is_none_or(|switch| switch.is_empty()) && !faults.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_file_is_looked_at_when_it_changes_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("off.yaml");
        let mut file = SwitchFile::at(Some(path.clone()));
        let none = Arc::default();
        assert!(file.look(&none).is_none());
        std::fs::write(&path, "apis: [a]\n").unwrap();
        let seen = file.look(&none).unwrap();
        assert_eq!((seen.switch.list(), seen.faults.len()), (vec!["api a".to_owned()], 0));
        assert!(file.look(&none).is_none());
        std::fs::write(&path, "apis: [a, b\n").unwrap();
        let seen = file.look(&none).unwrap();
        assert_eq!((seen.switch.list(), seen.faults.len()), (vec!["api a".to_owned()], 1));
        std::fs::remove_file(&path).unwrap();
        assert!(file.look(&none).unwrap().switch.is_empty());
        assert!(file.look(&none).is_none());
        assert!(SwitchFile::at(None).look(&none).is_none());
    }

    #[test]
    fn what_a_control_plane_has_switched_off_holds_with_and_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("off.yaml");
        let mut file = SwitchFile::at(Some(path.clone()));
        let order = Order {
            what: Target::Api("b".to_owned()),
            by: "ops".to_owned(),
            at: 0,
            reason: String::new(),
        };
        let orders = Arc::new(Orders { history: 1, revision: 1, entries: vec![order] });
        assert_eq!(file.look(&orders).unwrap().switch.list(), ["api b"]);
        assert!(file.look(&orders).is_none());
        std::fs::write(&path, "apis: [a]\n").unwrap();
        let seen = file.look(&orders).unwrap();
        assert_eq!(seen.switch.list(), ["api a", "api b"]);
        let shown = "api b (control plane, by ops, 1970-01-01T00:00:00.000Z)";
        assert_eq!(seen.list, ["api a", shown]);
        assert_eq!(file.look(&Arc::default()).unwrap().switch.list(), ["api a"]);
        let mut alone = SwitchFile::at(None);
        assert_eq!(alone.look(&orders).unwrap().switch.list(), ["api b"]);
    }
}
