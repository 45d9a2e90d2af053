//! What nothing was said about: it goes on as it is, and has a line that says so.

use super::finding::Level;
use super::page::{Page, entries, get, items, text};
use super::work::Work;
use crate::configuration::yaml::{Mark, Node};

/// Says of everything that nothing was said about that it goes on as it is; `told` is where the
/// findings about this document begin.
pub fn rest(work: &mut Work<'_>, page: &Page, told: usize) {
    let paths: Vec<String> = work
        .findings
        .iter()
        .skip(told)
        .map(|finding| finding.what.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    let mut found = Vec::new();
    untold(&page.root, "", &paths, &mut found);
    // The manifests of a `List` have lines of their own.
    let kind = get(&page.root, "kind").and_then(|kind| text(&kind.value));
    found.retain(|(_, path)| kind != Some("List") || path != "items");
    for (mark, path) in found {
        let at = work.offset(mark);
        work.say(Level::Carried, at, &path, "it goes on as it is");
    }
}

fn untold(node: &Node, path: &str, told: &[String], found: &mut Vec<(Mark, String)>) {
    let children = entries(node)
        .iter()
        .map(|entry| (entry.key.mark, format!("{path}.{}", entry.name()), &entry.value));
    let listed = items(node)
        .iter()
        .enumerate()
        .map(|(nth, item)| (item.mark, format!("{path}[{nth}]"), item));
    for (mark, path, value) in children.chain(listed) {
        let path = path.trim_start_matches('.').to_owned();
        if told.contains(&path) {
            continue;
        }
        let inside = |other: &String| {
            other.strip_prefix(&path).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        if told.iter().any(inside) {
            untold(value, &path, told, found);
        } else {
            found.push((mark, path));
        }
    }
}
