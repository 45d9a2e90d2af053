//! Values of the Helm charts of API Management's gateway, all versions, as values of Weir's chart.
//!
//! A value that moves takes the comments above it with it, and what it is written with. What the new
//! file would say is known value by value (`outcome`), which also serves `--set` on command lines.

mod table;
mod grown;
mod outcome;
mod said;
mod seen;

use super::finding::{Finding, Level};
use super::page::{Page, entries, get, quoted, spot, text};
use super::work::Work;
use crate::configuration::yaml::{Entry, Kind, Node};
use grown::Grown;
use seen::{known, schema};
use table::ROWS;

pub use said::{image, settings};
pub use seen::is_values;

pub(super) use outcome::{Outcome, outcome};

/// What becomes of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// It is the same in both charts.
    Same,
    /// It has this path there.
    Move(&'static str),
    /// It is this setting of the gateway.
    Setting(&'static str),
    /// It is this annotation of Pods.
    Annotation(&'static str),
    /// It has no effect any more.
    Gone(&'static str),
    /// It cannot be had where something is written; and what to do.
    Never(&'static str, &'static str),
    /// The repository of the image.
    Image,
    /// Whether a `StatsD` server is told.
    Statsd,
    /// Whether there is a backup.
    Backup,
    /// Seconds that a Pod gets to end.
    Grace,
    /// The service account.
    Account,
    /// The number of the user.
    User,
}

/// What a path of a values file is made of: `.` is a part of names that stand behind `|`.
pub(super) fn parts(path: &str) -> Vec<&str> {
    match path.split_once('|') {
        Some((before, after)) => before.split('.').chain([after]).collect(),
        None => path.split('.').collect(),
    }
}

/// Rewrites a values file.
pub fn migrate(work: &mut Work<'_>, page: &Page) {
    let mut values = Values {
        work,
        page,
        schema: schema(),
        gone: Vec::new(),
        removals: Vec::new(),
        grown: Vec::new(),
    };
    for entry in entries(&page.root) {
        values.entry(entry, entry.name().to_owned());
    }
    values.finish();
}

/// Whether a row stands at this path, or under it.
fn leads(path: &str) -> bool {
    ROWS.iter().any(|(row, _)| {
        *row == path || row.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    }) || path == "gateway.configuration.additional"
}

struct Values<'w, 'i> {
    work: &'w mut Work<'i>,
    page: &'w Page,
    schema: serde_json::Value,
    /// Paths that are gone.
    gone: Vec<String>,
    /// The lines of those.
    removals: Vec<std::ops::Range<usize>>,
    grown: Vec<Grown>,
}

impl Values<'_, '_> {
    /// One key with its value; whether it goes.
    fn entry(&mut self, entry: &Entry, path: String) -> bool {
        let inner = entries(&entry.value);
        let is_free = path == "gateway.configuration.additional";
        let row = ROWS.iter().any(|(row, _)| *row == path);
        let deeper = is_free
            || (leads(&path)
                && (!row || inner.iter().any(|it| leads(&format!("{path}.{}", it.name())))));
        if was_off(&path, &entry.value) {
            let why = "it was not switched on".to_owned();
            return self.settle(entry, path, Outcome::Goes(why, None));
        }
        if deeper && !inner.is_empty() {
            return self.map(entry, &path);
        }
        let value = match &entry.value.kind {
            Kind::Scalar(_) => text(&entry.value).unwrap_or_default().to_owned(),
            Kind::Map(all) if all.is_empty() => String::new(),
            Kind::List(all) if all.is_empty() => String::new(),
            Kind::Map(_) | Kind::List(_) => "(several)".to_owned(),
        };
        let raw = self.work.scalar(&entry.value).and_then(|range| self.work.text.get(range));
        let raw = raw.unwrap_or(&value).to_owned();
        let found = outcome(&path, &value, &raw, self.work.options.around);
        if let Some(outcome) = found {
            return self.settle(entry, path, outcome);
        }
        let at = self.work.offset(entry.key.mark);
        if known(&self.schema, &path) || (deeper && entry.value.is_null()) {
            self.work.say(Level::Carried, at, &path, "Weir's chart has it");
        } else {
            let said = ("no chart that is known here has it", "remove it");
            self.work.advise(Level::Refused, at, &path, said);
        }
        false
    }

    /// A map whose values each have a fate of their own; whether all go.
    fn map(&mut self, entry: &Entry, path: &str) -> bool {
        let inner = entries(&entry.value);
        let before = (self.gone.len(), self.removals.len(), self.grown.len());
        let (told, edits) = (self.work.findings.len(), self.work.edits.count());
        let mut left = 0_usize;
        for one in inner {
            left += usize::from(!self.entry(one, format!("{path}.{}", one.name())));
        }
        let is_inline = inner.first().is_some_and(|one| self.work.entry(self.page, one).is_none());
        let at = self.work.offset(entry.key.mark);
        let changes = before != (self.gone.len(), self.removals.len(), self.grown.len());
        if is_inline && left != 0 && changes && !self.cut(inner, path) {
            self.gone.truncate(before.0);
            self.removals.truncate(before.1);
            self.grown.truncate(before.2);
            self.work.edits.truncate(edits);
            self.work.findings.truncate(told);
            let said = (
                "some of this moves, and it stands in one line",
                "write each key on a line of its own",
            );
            self.work.advise(Level::Refused, at, path, said);
            return false;
        }
        if left != 0 {
            return false;
        }
        if let Some(lines) = self.work.entry(self.page, entry) {
            let line = spot(entry.key.mark).0;
            // Its own line only: comments between its keys stay.
            let own = self.work.line(line)..self.work.line(line + 1);
            self.removals.push(if is_inline { lines } else { own });
        }
        self.gone.push(path.to_owned());
        true
    }

    /// Takes what is gone out of a map in one line, others of which stay; whether that can be done.
    fn cut(&mut self, inner: &[Entry], path: &str) -> bool {
        let is_gone = |one: &Entry| self.gone.contains(&format!("{path}.{}", one.name()));
        let mut ranges = Vec::new();
        // The end of what stays, as far as that is known.
        let mut end = None;
        for (nth, one) in inner.iter().enumerate() {
            let begin = self.work.offset(one.key.mark);
            let own = self.work.scalar(&one.value).map(|range| range.end);
            if !is_gone(one) {
                end = own;
                continue;
            }
            match (inner.get(nth + 1), end, own) {
                (Some(next), ..) => ranges.push(begin..self.work.offset(next.key.mark)),
                (None, Some(end), Some(own)) => ranges.push(end..own),
                (None, ..) => return false,
            }
        }
        self.removals.extend(ranges);
        true
    }

    /// Whether a value can be put at a path; a map there with nothing in it goes.
    fn makes_room(&mut self, path: &str) -> bool {
        let parts = parts(path);
        let mut node = &self.page.root;
        for (depth, name) in parts.iter().enumerate().take(parts.len().saturating_sub(1)) {
            let Some(entry) = get(node, name) else { return true };
            let inner = entries(&entry.value);
            let is_empty = match &entry.value.kind {
                Kind::Map(all) => all.is_empty(),
                Kind::Scalar(scalar) => scalar.is_null(),
                Kind::List(_) => false,
            };
            match (inner.first(), self.work.entry(self.page, entry)) {
                (None, Some(lines)) if is_empty => {
                    self.removals.push(lines);
                    self.gone.push(parts.get(..=depth).unwrap_or_default().join("."));
                    return true;
                }
                (Some(first), Some(_)) if self.work.entry(self.page, first).is_some() => {}
                _ => return false,
            }
            node = &entry.value;
        }
        true
    }

    /// Does what is to become of a value; whether it goes.
    fn settle(&mut self, entry: &Entry, path: String, outcome: Outcome) -> bool {
        let at = self.work.offset(entry.key.mark);
        match outcome {
            Outcome::Same(why) => {
                self.work.say(Level::Carried, at, &path, why);
                false
            }
            Outcome::Turns(_, why) => {
                let new = repository(&self.work.options.image).to_owned();
                if let Some(range) = self.work.scalar(&entry.value) {
                    self.work.edits.replace(range, quoted(&new));
                }
                self.work.say(Level::Changed, at, &path, why);
                false
            }
            Outcome::Goes(why, remedy) => {
                let finding = Finding::of(Level::Dropped, self.work.place(at), &*path, why);
                self.work.findings.push(match remedy {
                    Some(remedy) => finding.mend(remedy),
                    None => finding,
                });
                let lines = self.work.entry(self.page, entry);
                if let Some(lines) = &lines {
                    self.work.comment_above(lines.start, &path);
                }
                self.removals.extend(lines);
                self.gone.push(path);
                true
            }
            Outcome::Stays(why, remedy) => {
                self.work.advise(Level::Refused, at, &path, (&why, &remedy));
                false
            }
            Outcome::Grows(all, why) => {
                if let Some((taken, _)) = all.iter().find(|(new, _)| self.is_taken(new)) {
                    let why = format!("it would be {taken}, which is written already");
                    self.work.advise(Level::Refused, at, &path, (&why, "remove one of the two"));
                    return false;
                }
                if self.renamed(entry, &path, &all) {
                    self.work.say(Level::Changed, at, &path, why);
                    return false;
                }
                if !all.iter().all(|(new, _)| self.makes_room(new)) {
                    let why = "it belongs into a map that stands in one line";
                    let said = (why, "write each key of that on a line of its own");
                    self.work.advise(Level::Refused, at, &path, said);
                    return false;
                }
                self.grow(entry, all);
                self.work.say(Level::Changed, at, &path, why);
                self.gone.push(path);
                true
            }
        }
    }

    /// Gives a value another key where it stands, if that is all that is to be done; whether it was.
    fn renamed(&mut self, entry: &Entry, path: &str, all: &[(String, String)]) -> bool {
        let [(new, value)] = all else { return false };
        let above = |path: &str| path.rsplit_once('.').map(|(above, _)| above.to_owned());
        let last = new.rsplit('.').next().unwrap_or(new).to_owned();
        let spots = (self.work.scalar(&entry.key), self.work.scalar(&entry.value));
        match spots {
            (Some(key), Some(old)) if above(path) == above(new) && !new.contains('|') => {
                self.work.edits.replace(key, last);
                self.work.edits.replace(old, value.as_str());
                true
            }
            _ => false,
        }
    }

    /// Whether something is written at a path, or is going to be.
    fn is_taken(&self, path: &str) -> bool {
        let parts = parts(path);
        let is_grown = self.grown.iter().any(|grown| grown.path == parts);
        is_grown || super::page::at(&self.page.root, &parts).is_some_and(|node| !is_nothing(node))
    }

    fn grow(&mut self, entry: &Entry, all: Vec<(String, String)>) {
        let line = spot(entry.key.mark).0;
        let lines = self.work.entry(self.page, entry);
        let first = match &lines {
            Some(_) => self.work.comments_above(self.page, line),
            None => line,
        };
        let comments: Vec<String> =
            (first..line).map(|line| self.work.text_of(line).trim().to_owned()).collect();
        let trailing = lines.as_ref().map_or("", |_lines| self.trailing(entry)).to_owned();
        let mut comments = Some(comments);
        for (nth, (path, value)) in all.into_iter().enumerate() {
            let path = parts(&path).into_iter().map(str::to_owned).collect();
            let trailing = if nth == 0 { trailing.clone() } else { String::new() };
            let comments = comments.take().unwrap_or_default();
            self.grown.push(Grown { path, comments, value, trailing });
        }
        if let Some(lines) = lines {
            self.removals.push(self.work.line(first)..lines.end);
        }
    }

    /// The comment behind a value.
    fn trailing(&self, entry: &Entry) -> &str {
        let Some(range) = self.work.scalar(&entry.value) else { return "" };
        let rest = self.work.text.get(range.end..).and_then(|rest| rest.lines().next());
        rest.map(str::trim).filter(|rest| rest.starts_with('#')).unwrap_or_default()
    }

    fn finish(self) {
        for range in self.removals {
            self.work.edits.remove(range);
        }
        grown::place(self.work, self.page, &self.gone, self.grown);
    }
}

/// An image without its tag or digest, which the chart names.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    let tag = image.get(name..).and_then(|rest| rest.find(':'));
    tag.and_then(|colon| image.get(..name + colon)).unwrap_or(image)
}

/// Whether what `path` is about was not switched on, so that nothing of it had an effect.
fn was_off(path: &str, value: &Node) -> bool {
    let enabled = get(value, "enabled").and_then(|entry| text(&entry.value));
    match path {
        "ingress" => enabled == Some("false") && get(value, "controller").is_none(),
        "ingress.controller" => enabled != Some("true"),
        _ => false,
    }
}

/// Whether a value is there only by its key.
fn is_nothing(node: &Node) -> bool {
    node.is_null()
}
