//! Copies of good configurations: earned, kept, and what a gateway starts from when it has nothing
//! else.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::etcd::Etcd;
use crate::harness::gateway::refuses_over;
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Policies, Site, soon};

const SECRET: &str = "a secret of the operator's, long enough for anybody";

/// A folder for copies, with the secret beside it.
pub(crate) struct Shelf(TempDir);

impl Shelf {
    pub(crate) fn new() -> Self {
        let shelf = Self(tempfile::tempdir().unwrap());
        fs::write(shelf.key(), SECRET).unwrap();
        shelf
    }

    fn copies(&self) -> PathBuf {
        self.0.path().join("copies")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key")
    }

    /// Makes a gateway keep its copies here, after `requests` requests.
    pub(crate) fn set(&self, site: &mut Site, requests: u64) {
        let text = |path: PathBuf| path.display().to_string();
        site.set("configuration-last-good-folder", &text(self.copies()));
        site.set("configuration-last-good-key-file", &text(self.key()));
        site.set("configuration-last-good-soak-time", "0ms");
        site.set("configuration-last-good-soak-requests", &requests.to_string());
        site.set("configuration-last-good-soak-idle", "24h");
    }

    /// The files of the copies, and of the mark.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.copies()).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

pub(crate) fn saying(word: &str) -> String {
    let inbound = format!("<return-response><set-body>{word}</set-body></return-response>");
    Policies { inbound: &inbound, ..Policies::default() }.text()
}

/// Writes a configuration in which everything says `word`.
fn say(folder: &Path, word: &str) {
    write(folder, "policy.xml", saying(word));
    write(folder, "weir.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
}

/// What is wrong from here on: a folder that is refused whole.
fn wreck(folder: &Path) {
    write(folder, "weir.yaml", "apis: [this is no API\n");
}

/// Waits until the newest copy is that of `generation`.
pub(crate) fn keeps(gateway: &Gateway, generation: u64) {
    let newest = || {
        let status = gateway.status();
        let copy = &status["configuration"]["lastGood"]["copies"][0]["generation"];
        copy.as_u64().filter(|newest| *newest == generation)
    };
    assert!(soon(newest).is_some(), "no copy of {generation}: {}", gateway.status());
}

fn source(gateway: &Gateway) -> String {
    gateway.status()["configuration"]["source"].as_str().unwrap().to_owned()
}

/// Starts a gateway on `site`'s folder again, which another one has left.
fn again(left: Gateway, change: impl FnOnce(&Path)) -> Gateway {
    let site = left.leave();
    change(site.path());
    Gateway::over(site)
}

#[test]
fn a_gateway_whose_folder_is_broken_starts_from_the_last_good_copy_and_goes_on_when_it_is_mended() {
    let shelf = Shelf::new();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 3);
        say(site.path(), "one");
    });
    assert_eq!(source(&gateway), "folder");
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo/a").text(), "one");
    }
    keeps(&gateway, 1);
    assert!(gateway.event("the configuration has proved itself").contains("\"generation\":1"));
    say(gateway.folder(), "another");
    gateway.later_than(1);
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo/a").text(), "another");
    }
    keeps(&gateway, 2);

    gateway.signal("KILL");
    let gateway = again(gateway, wreck);
    assert_eq!(gateway.get("/echo/a").text(), "another");
    assert_eq!((source(&gateway).as_str(), gateway.generation()), ("last-good", 2));
    gateway.event("the newest good copy is served");
    let ready = gateway.admin("/readyz").text().to_owned();
    assert!(ready.starts_with("ready, generation 2\na good copy is served"), "{ready}");
    assert!(ready.contains("newest configuration refused: weir.yaml:"), "{ready}");
    let metrics = gateway.admin("/metrics").text().to_owned();
    for line in ["weir_configuration_source{source=\"last-good\"} 1", "weir_last_good_generation 2"]
    {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }

    // What is mended takes its place; it is newer, though this process has read it first.
    say(gateway.folder(), "mended");
    gateway.later_than(2);
    assert_eq!(gateway.get("/echo/a").text(), "mended");
    assert_eq!((source(&gateway).as_str(), gateway.generation()), ("folder", 3));
    assert!(!gateway.admin("/readyz").text().contains("copy"));
}

#[test]
fn a_folder_that_is_gone_is_no_reason_not_to_start() {
    let shelf = Shelf::new();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 1);
        site.variables.push(("THE_WORD".to_owned(), "from the environment".to_owned()));
        site.file("key", "a-key-in-a-file");
        site.yaml(
            "namedValues:\n  - {name: word, value: {env: THE_WORD}}\nsubscriptions:\n  - {id: s, \
             scope: /apis, primaryKey: {file: key}}\n",
        );
        say(site.path(), "{{word}}");
    });
    assert_eq!(gateway.get("/echo/a").text(), "from the environment");
    keeps(&gateway, 1);
    // A copy brings all that it needs: files, and variables of the environment.
    let mut site = gateway.leave();
    site.variables.clear();
    fs::remove_dir_all(site.path()).unwrap();
    let gateway = Gateway::over(site);
    assert_eq!(gateway.get("/echo/a").text(), "from the environment");
    for file in shelf.files() {
        let bytes = fs::read(file).unwrap();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(!holds(b"a-key-in-a-file") && !holds(b"from the environment"));
    }
}

#[test]
fn what_has_not_proved_itself_is_not_kept() {
    let shelf = Shelf::new();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 5);
        say(site.path(), "good");
    });
    for _ in 0..5 {
        gateway.get("/echo/a");
    }
    keeps(&gateway, 1);
    // Its requests are lost on a backend that is not there.
    let forwarding = Policies::default().text();
    write(gateway.folder(), "policy.xml", forwarding);
    gateway.later_than(1);
    for _ in 0..10 {
        assert_eq!(gateway.get("/echo/a").status, 500);
    }
    gateway.event("more requests fail than before");
    let gateway = again(gateway, wreck);
    assert_eq!(gateway.get("/echo/a").text(), "good");
    // That the second was served is not forgotten.
    say(gateway.folder(), "new");
    gateway.later_than(1);
    assert_eq!(gateway.generation(), 3);
}

#[test]
fn the_same_configuration_keeps_its_number_over_a_restart() {
    let shelf = Shelf::new();
    let mut gateway = Gateway::start(|site| {
        shelf.set(site, 1_000);
        say(site.path(), "one");
    });
    say(gateway.folder(), "two, which is longer");
    gateway.later_than(1);
    let marked =
        || shelf.files().iter().any(|file| file.extension().is_some_and(|it| it == "served"));
    assert!(soon(|| marked().then_some(())).is_some());
    gateway.signal("INT");
    gateway.end();
    let gateway = again(gateway, |_folder| ());
    assert_eq!(gateway.generation(), 2);
    let gateway = again(gateway, |folder| say(folder, "three"));
    assert_eq!(gateway.generation(), 3);
}

type Damage = (&'static str, fn(&[PathBuf]), &'static str);

#[test]
fn a_slot_that_is_damaged_costs_only_itself() {
    let damages: [Damage; 6] = [
        ("the newest damaged", |slots| flip(&slots[2]), "two"),
        ("the newest cut off", |slots| cut(&slots[2]), "two"),
        ("two damaged", |slots| slots[1..].iter().for_each(|slot| flip(slot)), "one"),
        ("the newest gone", |slots| fs::remove_file(&slots[2]).unwrap(), "two"),
        ("two swapped", |slots| swap(&slots[0], &slots[2]), "three"),
        (
            "the newest replaced by the oldest",
            |slots| {
                fs::copy(&slots[0], &slots[2]).unwrap();
            },
            "two",
        ),
    ];
    let shelf = Shelf::new();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 1);
        say(site.path(), "one");
    });
    gateway.get("/echo/a");
    keeps(&gateway, 1);
    for (generation, word) in [(2, "two"), (3, "three")] {
        say(gateway.folder(), word);
        gateway.later_than(generation - 1);
        assert_eq!(gateway.get("/echo/a").text(), word);
        keeps(&gateway, generation);
    }
    let mut site = gateway.leave();
    wreck(site.path());
    let files = shelf.files();
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let slots: Vec<PathBuf> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "last-good"))
        .cloned()
        .collect();
    assert_eq!(slots.len(), 3);
    for (what, damage, left) in damages {
        damage(&slots);
        let gateway = Gateway::over(site);
        assert_eq!(gateway.get("/echo/a").text(), left, "{what}");
        site = gateway.leave();
        for (file, bytes) in files.iter().zip(&whole) {
            fs::write(file, bytes).unwrap();
        }
    }
    // Sealed with a key that nobody has any more: then there is no copy, and no start.
    fs::write(shelf.key(), SECRET.to_uppercase()).unwrap();
    let refused = refuses_over(&site);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("weir does not start: the configuration in"), "{told}");
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    for (from, to) in [(one, aside.as_path()), (other, one), (&aside, other)] {
        fs::rename(from, to).unwrap();
    }
}

#[test]
fn a_key_that_is_replaced_seals_the_copies_anew() {
    let shelf = Shelf::new();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 1);
        say(site.path(), "one");
    });
    gateway.get("/echo/a");
    keeps(&gateway, 1);
    let fresh = shelf.0.path().join("fresh");
    fs::write(&fresh, SECRET.to_uppercase()).unwrap();
    fs::rename(&fresh, shelf.key()).unwrap();
    gateway.event("are sealed with a new key");
    let gateway = again(gateway, wreck);
    assert_eq!((gateway.get("/echo/a").text(), source(&gateway).as_str()), ("one", "last-good"));
}

#[test]
fn without_a_key_or_a_disk_the_gateway_serves_and_says_what_is_missing() {
    let shelf = Shelf::new();
    fs::remove_file(shelf.key()).unwrap();
    let gateway = Gateway::start(|site| {
        shelf.set(site, 1);
        say(site.path(), "one");
    });
    assert_eq!(gateway.get("/echo/a").text(), "one");
    gateway.event("copies of good configurations cannot be kept");
    let broken = |text: &str| gateway.admin("/metrics").text().contains(text).then_some(());
    assert!(soon(|| broken("weir_last_good_broken 1")).is_some());
    assert!(gateway.admin("/readyz").text().contains("no copies of good configurations are kept"));
    // The disk: a file where the folder should be.
    fs::write(shelf.copies(), "").unwrap();
    fs::write(shelf.key(), SECRET).unwrap();
    let told = || gateway.admin("/readyz").text().contains("File exists").then_some(());
    assert!(soon(told).is_some(), "{}", gateway.admin("/readyz").text());
    fs::remove_file(shelf.copies()).unwrap();
    keeps(&gateway, 1);
    assert!(soon(|| broken("weir_last_good_broken 0")).is_some());
    assert!(!gateway.admin("/readyz").text().contains("copies"));
}

#[test]
fn a_replica_starts_from_its_copy_while_etcd_is_gone_and_is_offered_the_same_when_it_is_back() {
    let (shelf, mut etcd) = (Shelf::new(), Etcd::start());
    let mut site = Site::new();
    shelf.set(&mut site, 1);
    say(site.path(), "shared");
    let endpoint = etcd.endpoint();
    for (flag, value) in [
        ("replica-name", "a"),
        ("etcd-endpoints", &endpoint),
        ("cluster-lease", "2s"),
        ("cluster-rollout-hold", "0s"),
    ] {
        site.set(flag, value);
    }
    let gateway = Gateway::over(site);
    let says = || (gateway.get("/echo/a").text() == "shared").then_some(());
    assert!(soon(says).is_some(), "{}", gateway.events().join("\n"));
    let generation = gateway.generation();
    keeps(&gateway, generation);
    etcd.kill();
    let gateway = again(gateway, |_folder| ());
    assert_eq!((gateway.get("/echo/a").text(), source(&gateway).as_str()), ("shared", "last-good"));
    assert_eq!(gateway.generation(), generation);
    etcd.restart();
    let is_offered = || (source(&gateway) == "offer").then_some(());
    assert!(soon(is_offered).is_some(), "{}", gateway.events().join("\n"));
    assert_eq!(gateway.get("/echo/a").text(), "shared");
    assert!(generation <= gateway.generation());
}
