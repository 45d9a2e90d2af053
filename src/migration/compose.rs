//! Compose files: the services that run API Management's gateway.

use super::container::{
    BACKUP, COPIES, FOLDER, NAME_KEY, NEEDS_TLS, NO_PEERS, PEERS, append, insert_lines, is_gateway,
};
use super::env::pair;
use super::finding::Level;
use super::page::{Page, block, entries, get, items, quoted, spot, text};
use super::untold::rest;
use super::work::{Spot, Work};
use crate::configuration::yaml::{Entry, Node};

/// Whether this is a compose file.
pub fn is_compose(page: &Page) -> bool {
    get(&page.root, "services").is_some_and(|services| !entries(&services.value).is_empty())
}

/// Rewrites a compose file.
pub fn migrate(work: &mut Work<'_>, page: &Page) {
    let told = work.findings.len();
    if let Some(services) = get(&page.root, "services") {
        for service in entries(&services.value) {
            let image = get(&service.value, "image").and_then(|entry| text(&entry.value));
            if image.is_some_and(is_gateway) {
                one(work, page, service);
            }
        }
    }
    rest(work, page, told);
}

fn one(work: &mut Work<'_>, page: &Page, service: &Entry) {
    let path = format!("services.{}", service.name());
    let Some(image) = get(&service.value, "image") else { return };
    let (Some(range), Some(whole)) = (work.scalar(&image.value), work.entry(page, image)) else {
        return;
    };
    let (at, depth) = (range.start, spot(image.key.mark).1);
    let new = work.options.image.clone();
    work.edits.replace(range, quoted(&new));
    work.say(Level::Changed, at, &format!("{path}.image"), format!("now {new}"));
    let mut lines = Vec::new();
    if get(&service.value, "command").is_some() || get(&service.value, "entrypoint").is_some() {
        let said = ("it is for another program", "remove it, and write `command: [run]`");
        work.advise(Level::Refused, at, &format!("{path}.command"), said);
    } else {
        lines.push("command: [run]".to_owned());
        work.say(Level::Changed, at, &format!("{path}.command"), "added: the image is `weir`");
    }
    variables(work, page, service, &path);
    ports(work, page, service, &path);
    lines.extend(volumes(work, page, service, &path));
    others(work, service, &path);
    insert_lines(work, whole.end, &block(&lines, depth));
}

fn variables(work: &mut Work<'_>, page: &Page, service: &Entry, path: &str) {
    let Some(entry) = get(&service.value, "environment") else { return };
    let mut left = entries(&entry.value).len() + items(&entry.value).len();
    for variable in entries(&entry.value) {
        let name = variable.name();
        let what = format!("{path}.environment.{name}");
        let value = text(&variable.value).unwrap_or_default();
        let (Some(name_at), Some(whole)) = (work.scalar(&variable.key), work.entry(page, variable))
        else {
            let at = work.offset(variable.key.mark);
            work.stays(&what, (name, known(value)), at);
            continue;
        };
        let known = known(value);
        let spot = Spot { name: name_at, value: work.scalar(&variable.value), whole };
        work.setting(&what, (name, known), &spot);
        left -= usize::from(work.goes(name, known));
    }
    for (nth, item) in items(&entry.value).iter().enumerate() {
        left -= usize::from(listed(work, page, item, &format!("{path}.environment[{nth}]")));
    }
    if let (0, Some(whole)) = (left, work.entry(page, entry)) {
        work.edits.remove(whole);
    }
}

/// A variable as `NAME=value`; whether it goes.
fn listed(work: &mut Work<'_>, page: &Page, item: &Node, path: &str) -> bool {
    let Some(text) = text(item) else { return false };
    // `NAME` alone takes the value of the shell.
    let (name, value) = pair(text).map_or((text, None), |(name, value)| (name, known(value)));
    let what = format!("{path} ({name})");
    let (Some(range), Some(whole)) = (work.scalar(item), work.item(page, item)) else {
        return false;
    };
    let quote =
        usize::from(work.text.get(range.clone()).is_some_and(|it| it.starts_with(['"', '\''])));
    let name_at = range.start + quote..range.start + quote + name.len();
    let value_at = value.map(|value| name_at.end + 1..name_at.end + 1 + value.len());
    let spot = Spot { name: name_at, value: value_at, whole };
    if text.contains('=') {
        work.setting(&what, (name, value), &spot);
    } else {
        work.outside(&what, name, &spot);
    }
    work.goes(name, value)
}

/// A value that compose does not put together.
fn known(value: &str) -> Option<&str> {
    (!value.contains("${")).then_some(value)
}

fn ports(work: &mut Work<'_>, page: &Page, service: &Entry, path: &str) {
    for key in ["ports", "expose"] {
        let Some(entry) = get(&service.value, key) else { continue };
        for (nth, item) in items(&entry.value).iter().enumerate() {
            let what = format!("{path}.{key}[{nth}]");
            let offset = work.offset(item.mark);
            let long = get(item, "target").and_then(|target| text(&target.value));
            let inside = text(item).or(long).unwrap_or_default();
            let inside = inside.split('/').next().unwrap_or_default();
            let inside = inside.rsplit(':').next().unwrap_or_default();
            if PEERS.contains(&inside) {
                match work.item(page, item) {
                    Some(lines) => {
                        work.edits.remove(lines);
                        work.say(Level::Dropped, offset, &what, NO_PEERS);
                    }
                    None => work.advise(Level::Refused, offset, &what, (NO_PEERS, "remove it")),
                }
            } else if inside == "8081" {
                work.advise(Level::Note, offset, &what, NEEDS_TLS);
            }
        }
    }
}

/// Folders; what has to be added if there are none.
fn volumes(work: &mut Work<'_>, page: &Page, service: &Entry, path: &str) -> Vec<String> {
    let entry = get(&service.value, "volumes");
    for (nth, item) in entry.map(|entry| items(&entry.value)).unwrap_or_default().iter().enumerate()
    {
        let target = get(item, "target").map_or(item, |target| &target.value);
        let Some(range) = work.scalar(target) else { continue };
        let raw = work.text.get(range.clone()).unwrap_or_default();
        let Some(found) = raw.find(BACKUP) else { continue };
        let begin = range.start + found;
        work.edits.replace(begin..begin + BACKUP.len(), COPIES);
        let said =
            ("now the folder of Weir's sealed copies; API Management's are not read", NAME_KEY);
        work.advise(Level::Changed, begin, &format!("{path}.volumes[{nth}]"), said);
    }
    let at = work.offset(service.key.mark);
    let said = (
        "added: the folder of the configuration",
        "make it: weir import apiops … --out configuration",
    );
    work.advise(Level::Changed, at, &format!("{path}.volumes"), said);
    let line = format!("- ./configuration:{FOLDER}:ro");
    match append(work, page, entry, &[line]) {
        Some(lines) => std::iter::once("volumes:".to_owned()).chain(lines).collect(),
        None => Vec::new(),
    }
}

fn others(work: &mut Work<'_>, service: &Entry, path: &str) {
    for (key, said) in [
        (
            "healthcheck",
            (
                "Weir's image has no programs to run but Weir itself",
                "write `test: [CMD, /weir, health]` (docs/image.md)",
            ),
        ),
        (
            "env_file",
            ("the files that it names have variables, too", "give them to `weir migrate` as well"),
        ),
    ] {
        if let Some(entry) = get(&service.value, key) {
            let at = work.offset(entry.key.mark);
            let level = if key == "env_file" { Level::Note } else { Level::Refused };
            work.advise(level, at, &format!("{path}.{key}"), said);
        }
    }
}
