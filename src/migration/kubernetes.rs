//! Manifests of Kubernetes and of Container Apps.

use super::container::{Container, NEEDS_TLS, Needs, PEERS, Role, append, drop_item, insert_lines};
use super::finding::Level;
use super::page::{Page, at, block, entries, get, items, text};
use super::untold::rest;
use super::work::{Spot, Work};
use crate::configuration::yaml::{Entry, Node};
use crate::settings::apim;

/// Where the specification of Pods stands in what makes Pods.
const PODS: [&[&str]; 3] = [
    &["spec", "template", "spec"],
    &["spec", "jobTemplate", "spec", "template", "spec"],
    &["spec"],
];
/// The keys of Secrets in which tokens of API Management's gateway are kept.
const TOKENS: [&str; 3] = ["value", "gateway-key", "azure-ad-app-secret"];

/// Whether this is a manifest of Kubernetes.
pub fn is_manifest(page: &Page) -> bool {
    get(&page.root, "kind").is_some() && get(&page.root, "apiVersion").is_some()
}

/// Whether this is an app of Container Apps.
pub fn is_app(page: &Page) -> bool {
    !containers_of_app(&page.root).is_empty()
}

/// The lists of containers of an app, with their paths.
fn containers_of_app(root: &Node) -> Vec<(&'static str, &Node)> {
    [
        "properties.template.initContainers",
        "properties.template.containers",
        "template.initContainers",
        "template.containers",
    ]
    .into_iter()
    .filter_map(|path| Some((path, at(root, &path.split('.').collect::<Vec<_>>())?)))
    .collect()
}

/// Rewrites one manifest.
pub fn migrate(work: &mut Work<'_>, page: &Page) {
    let told = work.findings.len();
    let kind = get(&page.root, "kind").and_then(|entry| text(&entry.value)).unwrap_or_default();
    match kind {
        "ConfigMap" => data(work, page, "data", true),
        "Secret" => {
            data(work, page, "data", false);
            data(work, page, "stringData", true);
        }
        "Service" => {
            if service(work, page) {
                return;
            }
        }
        _ => pods(work, page),
    }
    rest(work, page, told);
}

/// Rewrites one app of Container Apps.
pub fn migrate_app(work: &mut Work<'_>, page: &Page) {
    let told = work.findings.len();
    for (path, list) in containers_of_app(&page.root) {
        for (nth, node) in items(list).iter().enumerate() {
            let path = format!("{path}[{nth}]");
            Container { work, page, path, role: Role::App }.migrate(node);
        }
    }
    rest(work, page, told);
}

fn pods(work: &mut Work<'_>, page: &Page) {
    let Some((path, spec)) = PODS.iter().find_map(|path| Some((path, at(&page.root, path)?)))
    else {
        return;
    };
    let Some(list) = get(spec, "containers") else { return };
    let mut is_ours: Option<Needs> = None;
    for (key, entry) in
        ["initContainers", "containers"].into_iter().filter_map(|key| Some((key, get(spec, key)?)))
    {
        for (nth, node) in items(&entry.value).iter().enumerate() {
            let path = format!("{}.{key}[{nth}]", path.join("."));
            // What runs before others and ends is asked nothing; what stays beside them is.
            let is_short = key == "initContainers"
                && get(node, "restartPolicy").and_then(|it| text(&it.value)) != Some("Always");
            let kind = if is_short { Role::First } else { Role::Gateway };
            let needs = Container { work, page, path, role: kind }.migrate(node);
            if let Some(needs) = needs {
                is_ours = Some(Needs { key: needs.key || is_ours.is_some_and(|it| it.key) });
            }
        }
    }
    let Some(needs) = is_ours else { return };
    let mut lines = vec![
        "- name: weir-configuration".to_owned(),
        "  configMap: {name: weir-configuration}".to_owned(),
    ];
    if needs.key {
        lines.push("- name: weir-last-good-key".to_owned());
        lines.push("  secret: {secretName: weir-last-good-key}".to_owned());
    }
    let offset = work.offset(list.key.mark);
    let what = format!("{}.volumes", path.join("."));
    work.say(Level::Changed, offset, &what, "added: what the folders of Weir are made of");
    if let (Some(lines), Some(whole)) =
        (append(work, page, get(spec, "volumes"), &lines), work.entry(page, list))
    {
        let pad = " ".repeat(super::page::spot(list.key.mark).1);
        let lines = block(&lines, pad.len());
        insert_lines(work, whole.end, &format!("{pad}volumes:\n{lines}"));
    }
    replicas(work, page);
}

fn replicas(work: &mut Work<'_>, page: &Page) {
    let Some(count) = at(&page.root, &["spec", "replicas"]) else { return };
    if text(count).is_some_and(|count| count != "1" && count != "0") {
        let said = (
            "each replica counts limits by itself",
            "set WEIR_REDIS_URL, and they hold over all of them (docs/limits.md)",
        );
        let offset = work.offset(count.mark);
        work.advise(Level::Note, offset, "spec.replicas", said);
    }
}

/// The variables of a `ConfigMap` or a Secret; those of a Secret's `data` are not readable here.
fn data(work: &mut Work<'_>, page: &Page, key: &str, is_readable: bool) {
    let Some(map) = get(&page.root, key) else { return };
    let all = entries(&map.value);
    let mut left = all.len();
    for entry in all {
        left -= usize::from(variable(work, page, entry, (key, is_readable)));
    }
    // What stands there with nothing under it would be no map any more.
    if let (0, false, Some(whole)) = (left, all.is_empty(), work.entry(page, map)) {
        let pad = " ".repeat(super::page::spot(map.key.mark).1);
        work.edits.replace(whole, format!("{pad}{key}: {{}}\n"));
    }
}

/// One variable; whether it goes.
fn variable(work: &mut Work<'_>, page: &Page, entry: &Entry, place: (&str, bool)) -> bool {
    let (key, is_readable) = place;
    let name = entry.name();
    let what = format!("{key}.{name}");
    let at = work.offset(entry.key.mark);
    if TOKENS.contains(&name)
        && get(&page.root, "kind").and_then(|it| text(&it.value)) == Some("Secret")
    {
        let said = (
            "nothing of Weir asks for it, if it is a token of API Management's gateway",
            "delete the Secret when the old gateway is gone",
        );
        work.advise(Level::Note, at, &what, said);
        return false;
    }
    if apim::treatment(name).is_none() && !apim::is_meant(name) {
        return false;
    }
    let value = is_readable.then(|| text(&entry.value).unwrap_or_default());
    let (Some(name_at), Some(whole)) = (work.scalar(&entry.key), work.entry(page, entry)) else {
        let said = ("it is written in one line with others", "write each key on a line of its own");
        work.advise(Level::Refused, at, &what, said);
        return false;
    };
    let value_at = work.scalar(&entry.value).filter(|_range| is_readable);
    let spot = Spot { name: name_at, value: value_at, whole };
    work.setting(&what, (name, value), &spot);
    work.goes(name, value)
}

/// The ports of a Service; whether all of it went.
fn service(work: &mut Work<'_>, page: &Page) -> bool {
    let Some(list) = at(&page.root, &["spec", "ports"]) else { return false };
    let is_peer = |item: &Node| {
        let port = |key| get(item, key).and_then(|entry| text(&entry.value));
        [port("port"), port("targetPort")].iter().flatten().any(|port| PEERS.contains(port))
    };
    let ports = items(list);
    if !ports.is_empty() && ports.iter().all(is_peer) {
        let at = work.offset(page.root.mark);
        // With the mark that separates it from what stands above, if it is a document of its own.
        let mark = usize::from(page.path.is_empty());
        let begin = work.line(page.lines.start.saturating_sub(mark));
        work.edits.remove(begin..work.line(page.lines.end));
        let said = "the Service over which replicas found each other: they do not need to any more";
        for entry in entries(&page.root) {
            work.say(Level::Dropped, at, entry.name(), said);
        }
        return true;
    }
    for (nth, item) in ports.iter().enumerate() {
        let what = format!("spec.ports[{nth}]");
        let at = work.offset(item.mark);
        let target = get(item, "targetPort").or_else(|| get(item, "port"));
        if is_peer(item) {
            drop_item(work, page, item, &what);
        } else if target.and_then(|entry| text(&entry.value)) == Some("8081") {
            work.advise(Level::Note, at, &what, NEEDS_TLS);
        }
    }
    false
}
