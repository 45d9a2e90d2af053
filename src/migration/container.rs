//! One container of API Management's gateway, in a manifest of Kubernetes or of Container Apps.

use super::finding::Level;
use super::page::{Page, at, block, get, indent, items, quoted, text};
use super::work::{Spot, Work};
use crate::configuration::yaml::{Entry, Node};

/// What stands in the name of every image of API Management's gateway, also in a mirror of it.
const IMAGE: &str = "azure-api-management/gateway";
/// The path that both gateways answer probes at, on the port of requests.
const STATUS: &str = "/status-0123456789abcdef";
/// What older manifests ask.
const OLD_STATUS: &str = "/internal-status-0123456789abcdef";
/// Where API Management's gateway keeps its backup, and where Weir's copies stand then.
pub const BACKUP: &str = "/apim/config";
/// Where Weir's copies stand.
pub const COPIES: &str = "/var/lib/weir/last-good";
/// The key of those.
pub const COPIES_KEY: &str = "/etc/weir/last-good-key/key";
/// Where Weir reads its configuration if nothing else is said.
pub const FOLDER: &str = "/etc/weir/configuration";
/// The ports over which replicas of API Management's gateway talk to each other.
pub const PEERS: [&str; 2] = ["4290", "4291"];

/// Why those are not needed.
pub const NO_PEERS: &str = "replicas of Weir do not talk to each other";
/// How a key for the copies is made.
pub const MAKE_KEY: &str = "make the key: kubectl create secret generic weir-last-good-key \
                            --from-literal=key=\"$(openssl rand -base64 32)\"";
/// How it is named where that is left to a person.
pub const NAME_KEY: &str = "set WEIR_CONFIGURATION_LAST_GOOD_FOLDER to it, and \
                            WEIR_CONFIGURATION_LAST_GOOD_KEY_FILE to a file of `openssl rand 32`";
/// What a port for TLS needs.
pub const NEEDS_TLS: (&str, &str) = (
    "nobody listens at 8081 before Weir has a certificate",
    "set WEIR_LISTEN_HTTPS=0.0.0.0:8081, WEIR_LISTEN_CERTIFICATE_FILE and WEIR_LISTEN_KEY_FILE, or \
     remove the port",
);

/// Whether this is an image of API Management's gateway.
pub fn is_gateway(image: &str) -> bool {
    image.to_ascii_lowercase().contains(IMAGE)
}

/// What else the manifest needs because of a container.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Whether it keeps copies, and so needs a key for them.
    pub key: bool,
}

/// One container in work.
pub struct Container<'w, 'i> {
    /// The file.
    pub work: &'w mut Work<'i>,
    /// The document.
    pub page: &'w Page,
    /// Its path in the document.
    pub path: String,
    /// What it is for.
    pub role: Role,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A gateway in Kubernetes.
    Gateway,
    /// What runs before others in a Pod, and ends.
    First,
    /// A gateway in Container Apps, where folders and probes are written otherwise.
    App,
}

impl Container<'_, '_> {
    /// Rewrites `node`, if its image is that of the gateway; says what else is needed then.
    pub fn migrate(&mut self, node: &Node) -> Option<Needs> {
        let image = get(node, "image")?;
        let named = text(&image.value).filter(|image| is_gateway(image))?;
        let whole = self.work.entry(self.page, image);
        let (Some(range), Some((anchor, depth))) =
            (self.work.scalar(&image.value), self.anchor(image, whole))
        else {
            let at = self.work.offset(image.key.mark);
            let said =
                ("it is written in one line with others", "write each key on a line of its own");
            self.work.advise(Level::Refused, at, &format!("{}.image", self.path), said);
            return None;
        };
        let at = range.start;
        let new = self.work.options.image.clone();
        self.work.edits.replace(range, quoted(&new));
        let message = format!("{named} is now {new}");
        self.work.say(Level::Changed, at, &format!("{}.image", self.path), message);
        let needs = self.mounts(node);
        let mut lines = self.started(node, at);
        lines.extend(self.probes(node, at));
        self.env(node, needs, &mut lines);
        self.ports(node);
        self.mounted(node, needs, &mut lines);
        insert_lines(self.work, anchor, &block(&lines, depth));
        Some(needs)
    }

    /// Where lines can be added under the key of the image, and how far they are indented.
    fn anchor(
        &self,
        image: &Entry,
        whole: Option<std::ops::Range<usize>>,
    ) -> Option<(usize, usize)> {
        let (line, column) = super::page::spot(image.key.mark);
        if let Some(whole) = whole {
            return Some((whole.end, column));
        }
        // The first key of an item: `- image: …`.
        let before = self.work.text_of(line).get(..column)?;
        (before.trim() == "-").then(|| (self.work.line(line + 1), column))
    }

    fn path_of(&self, rest: &str) -> String {
        format!("{}.{rest}", self.path)
    }

    /// What the program is started with.
    fn started(&mut self, node: &Node, at: usize) -> Vec<String> {
        let mut has_own = false;
        for key in ["command", "args"] {
            if let Some(entry) = get(node, key).filter(|entry| !entry.value.is_null()) {
                has_own = true;
                let at = self.work.offset(entry.key.mark);
                let said = ("it is for another program", "remove it, and write `args: [run]`");
                self.work.advise(Level::Refused, at, &self.path_of(key), said);
            }
        }
        for key in ["lifecycle"] {
            if let Some(entry) = get(node, key).filter(|entry| !entry.value.is_null()) {
                let at = self.work.offset(entry.key.mark);
                let said = (
                    "Weir's image has no programs that a hook could run",
                    "remove it; WEIR_DRAIN_DELAY waits for load balancers",
                );
                self.work.advise(Level::Refused, at, &self.path_of(key), said);
            }
        }
        if has_own {
            return Vec::new();
        }
        self.work.say(Level::Changed, at, &self.path_of("args"), "added: the image is `weir`");
        vec!["args: [run]".to_owned()]
    }

    /// Probes that are missing; those that are there are looked at.
    fn probes(&mut self, node: &Node, at: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if self.role == Role::First {
            let said = (
                "it runs before the others, and a gateway does not end: they would never start",
                "add `restartPolicy: Always` to it, which makes a sidecar of it, or remove it",
            );
            let path = self.path.clone();
            self.work.advise(Level::Note, at, &path, said);
            return lines;
        }
        if self.role == Role::App {
            // Container Apps has one list of them, and usual ones.
            let list = get(node, "probes").map(|entry| items(&entry.value)).unwrap_or_default();
            for (nth, probe) in list.iter().enumerate() {
                self.probe(probe, &format!("probes[{nth}]"));
            }
            return lines;
        }
        for (name, rest) in [
            ("startupProbe", ["  periodSeconds: 1", "  failureThreshold: 60"].as_slice()),
            ("readinessProbe", ["  periodSeconds: 5"].as_slice()),
            ("livenessProbe", ["  periodSeconds: 10"].as_slice()),
        ] {
            if let Some(entry) = get(node, name) {
                self.probe(&entry.value, name);
                continue;
            }
            lines.push(format!("{name}:"));
            lines.push(format!("  httpGet: {{path: {STATUS}, port: 8080}}"));
            lines.extend(rest.iter().map(|line| (*line).to_owned()));
            self.work.say(Level::Changed, at, &self.path_of(name), "added: there was none");
        }
        lines
    }

    fn probe(&mut self, probe: &Node, name: &str) {
        let offset = self.work.offset(probe.mark);
        if get(probe, "exec").is_some() {
            let said = ("Weir's image has no programs to run", "ask by httpGet instead");
            self.work.advise(Level::Refused, offset, &self.path_of(name), said);
            return;
        }
        let Some(path) = at(probe, &["httpGet", "path"]) else { return };
        let what = self.path_of(&format!("{name}.httpGet.path"));
        let offset = self.work.offset(path.mark);
        match (text(path), self.work.scalar(path)) {
            (Some(STATUS), _) => {
                self.work.say(Level::Carried, offset, &what, "Weir answers there, too");
            }
            (Some(OLD_STATUS), Some(range)) => {
                self.work.edits.replace(range, STATUS);
                self.work.say(Level::Changed, offset, &what, format!("now {STATUS}"));
            }
            _ => {
                let said = ("Weir answers no probes there", "ask /status-0123456789abcdef at 8080");
                self.work.advise(Level::Refused, offset, &what, said);
            }
        }
    }

    /// Variables, and those that the copies need.
    fn env(&mut self, node: &Node, needs: Needs, lines: &mut Vec<String>) {
        let mut added = Vec::new();
        if needs.key {
            added.push(("WEIR_CONFIGURATION_LAST_GOOD_FOLDER", COPIES));
            added.push(("WEIR_CONFIGURATION_LAST_GOOD_KEY_FILE", COPIES_KEY));
        }
        let Some(entry) = get(node, "env").filter(|entry| !entry.value.is_null()) else {
            if !added.is_empty() {
                lines.push("env:".to_owned());
                let pairs = added
                    .iter()
                    .map(|(name, value)| format!("  - {{name: {name}, value: {value}}}"));
                lines.extend(pairs);
            }
            return;
        };
        let list = items(&entry.value);
        let mut left = list.len();
        for (nth, item) in list.iter().enumerate() {
            left -= usize::from(self.variable(item, nth));
        }
        let Some(whole) = self.work.entry(self.page, entry) else { return };
        if left == 0 && added.is_empty() && !list.is_empty() {
            self.work.edits.remove(whole);
            return;
        }
        let dash =
            list.first().map(|item| indent(self.work.text_of(super::page::spot(item.mark).0)));
        let pair =
            |(name, value): &(&str, &str)| [format!("- name: {name}"), format!("  value: {value}")];
        let added: Vec<String> = added.iter().flat_map(pair).collect();
        insert_lines(self.work, whole.end, &block(&added, dash.unwrap_or(0)));
    }

    /// One variable; whether it goes.
    fn variable(&mut self, item: &Node, nth: usize) -> bool {
        let Some((named, name)) =
            get(item, "name").and_then(|entry| text(&entry.value).map(|text| (&entry.value, text)))
        else {
            return false;
        };
        let what = format!("{}.env[{nth}] ({name})", self.path);
        let value = get(item, "value").map(|entry| &entry.value);
        let known = value.map(|value| text(value).unwrap_or_default());
        let spots = (self.work.scalar(named), self.work.item(self.page, item));
        let (Some(name_at), Some(whole)) = spots else {
            let at = self.work.offset(named.mark);
            self.work.stays(&what, (name, known), at);
            return false;
        };
        let value_at = value.and_then(|value| self.work.scalar(value));
        let spot = Spot { name: name_at, value: value_at, whole };
        self.work.setting(&what, (name, known), &spot);
        self.work.goes(name, known)
    }

    /// Ports that nobody listens at any more.
    fn ports(&mut self, node: &Node) {
        let Some(entry) = get(node, "ports") else { return };
        for (nth, item) in items(&entry.value).iter().enumerate() {
            let port = get(item, "containerPort").and_then(|entry| text(&entry.value));
            let what = self.path_of(&format!("ports[{nth}]"));
            let at = self.work.offset(item.mark);
            match port {
                Some(port) if PEERS.contains(&port) => drop_item(self.work, self.page, item, &what),
                Some("8081") => self.work.advise(Level::Note, at, &what, NEEDS_TLS),
                _ => {}
            }
        }
    }

    /// Folders that mean something to the gateway.
    fn mounts(&mut self, node: &Node) -> Needs {
        let mut needs = Needs::default();
        let list = get(node, "volumeMounts").map(|entry| items(&entry.value)).unwrap_or_default();
        for (nth, item) in list.iter().enumerate() {
            let Some(path) = get(item, "mountPath").map(|entry| &entry.value) else { continue };
            let Some(range) = self.work.scalar(path) else { continue };
            if text(path).is_some_and(|path| path.trim_end_matches('/') == BACKUP) {
                needs.key = self.role != Role::App;
                let at = range.start;
                self.work.edits.replace(range, COPIES);
                let what = self.path_of(&format!("volumeMounts[{nth}].mountPath"));
                let remedy = if needs.key { MAKE_KEY } else { NAME_KEY };
                let said = (
                    "now the folder of Weir's sealed copies; API Management's are not read",
                    remedy,
                );
                self.work.advise(Level::Changed, at, &what, said);
            }
        }
        needs
    }

    /// The folders that Weir needs.
    fn mounted(&mut self, node: &Node, needs: Needs, lines: &mut Vec<String>) {
        let at = self.work.offset(node.mark);
        let what = self.path_of("volumeMounts");
        let make = "make it: weir import apiops … --out weir, then kubectl create configmap \
                    weir-configuration --from-file=weir";
        if self.role == Role::App {
            let said = (
                "Weir reads its configuration from a folder",
                "mount it at /etc/weir/configuration",
            );
            self.work.advise(Level::Note, at, &what, said);
            return;
        }
        let mut mounts = vec![vec![
            "- name: weir-configuration".to_owned(),
            format!("  mountPath: {FOLDER}"),
            "  readOnly: true".to_owned(),
        ]];
        if needs.key {
            mounts.push(vec![
                "- name: weir-last-good-key".to_owned(),
                "  mountPath: /etc/weir/last-good-key".to_owned(),
                "  readOnly: true".to_owned(),
            ]);
        }
        let said = ("added: the folder of the configuration", make);
        self.work.advise(Level::Changed, at, &what, said);
        let added = mounts.concat();
        if let Some(rest) = append(self.work, self.page, get(node, "volumeMounts"), &added) {
            lines.push("volumeMounts:".to_owned());
            lines.extend(rest);
        }
    }
}

/// Takes away an item that has no effect any more.
pub fn drop_item(work: &mut Work<'_>, page: &Page, item: &Node, what: &str) {
    let at = work.offset(item.mark);
    match work.item(page, item) {
        Some(lines) => {
            work.edits.remove(lines);
            work.say(Level::Dropped, at, what, NO_PEERS);
        }
        None => {
            work.advise(Level::Refused, at, what, (NO_PEERS, "remove it: it is part of a line"));
        }
    }
}

/// Appends lines to a list; gives them back, if there is no list that has lines of its own.
pub fn append(
    work: &mut Work<'_>,
    page: &Page,
    list: Option<&Entry>,
    lines: &[String],
) -> Option<Vec<String>> {
    let inner = || Some(lines.iter().map(|line| format!("  {line}")).collect::<Vec<String>>());
    let Some(entry) = list else { return inner() };
    let whole = work.entry(page, entry)?;
    let Some(first) = items(&entry.value).first() else {
        work.edits.remove(whole);
        return inner();
    };
    let dash = indent(work.text_of(super::page::spot(first.mark).0));
    insert_lines(work, whole.end, &block(lines, dash));
    None
}

/// Inserts whole lines, also behind a last one that has no end.
pub fn insert_lines(work: &mut Work<'_>, at: usize, lines: &str) {
    if lines.is_empty() {
        return;
    }
    let text = match work.text.get(..at) {
        Some(before) if before.is_empty() || before.ends_with('\n') => lines.to_owned(),
        _ => format!("\n{}", lines.trim_end_matches('\n')),
    };
    work.edits.insert(at, text);
}
