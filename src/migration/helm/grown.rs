//! Values that a file gets: put into maps that are there, or behind all that is there.

use std::fmt::Write as _;

use crate::migration::container::insert_lines;
use crate::migration::page::{Page, entries, get, quoted, spot};
use crate::migration::work::Work;

/// A value that a file gets.
#[derive(Debug)]
pub(super) struct Grown {
    /// Where.
    pub(super) path: Vec<String>,
    /// The comments above it.
    pub(super) comments: Vec<String>,
    /// What is written.
    pub(super) value: String,
    /// The comment behind it.
    pub(super) trailing: String,
}

/// What is written under one key.
#[derive(Debug, Default)]
struct Tree {
    name: String,
    leaf: Option<Grown>,
    inner: Vec<Tree>,
}

/// A map that values are put into.
struct Anchor {
    /// How many keys lead to it.
    depth: usize,
    /// The byte behind it.
    at: usize,
    /// How far its keys are indented.
    indent: usize,
}

/// Puts all values into the text; `gone` are the paths that are not there any more.
pub(super) fn place(work: &mut Work<'_>, page: &Page, gone: &[String], grown: Vec<Grown>) {
    let mut anchored: Vec<(Anchor, Tree)> = Vec::new();
    for one in grown {
        let anchor = anchor(work, page, gone, &one.path);
        let depth = anchor.depth;
        let same = |other: &&mut (Anchor, Tree)| {
            other.0.at == anchor.at && other.0.indent == anchor.indent
        };
        if let Some((_, tree)) = anchored.iter_mut().find(same) {
            tree.add(one, depth);
        } else {
            let mut tree = Tree::default();
            tree.add(one, depth);
            anchored.push((anchor, tree));
        }
    }
    for (anchor, tree) in anchored {
        let mut lines = String::new();
        for inner in &tree.inner {
            inner.write(&mut lines, anchor.indent);
        }
        insert_lines(work, anchor.at, &lines);
    }
}

/// The deepest map on the way to `path` that is there and stays.
fn anchor(work: &Work<'_>, page: &Page, gone: &[String], path: &[String]) -> Anchor {
    let mut found = Anchor { depth: 0, at: work.line(page.lines.end), indent: 0 };
    let mut node = &page.root;
    for (depth, name) in path.iter().enumerate() {
        let Some(entry) = get(node, name) else { break };
        let way = path.get(..=depth).unwrap_or_default().join(".");
        let inner = entries(&entry.value).first();
        let (Some(first), false) = (inner, gone.contains(&way)) else { break };
        let (Some(lines), Some(_)) = (work.entry(page, entry), work.entry(page, first)) else {
            break;
        };
        found = Anchor { depth: depth + 1, at: lines.end, indent: spot(first.key.mark).1 };
        node = &entry.value;
    }
    found
}

impl Tree {
    fn add(&mut self, grown: Grown, depth: usize) {
        let Some(name) = grown.path.get(depth).cloned() else {
            self.leaf = Some(grown);
            return;
        };
        let at = self.inner.iter().position(|inner| inner.name == name);
        let at = at.unwrap_or_else(|| {
            self.inner.push(Self { name, ..Self::default() });
            self.inner.len() - 1
        });
        if let Some(inner) = self.inner.get_mut(at) {
            inner.add(grown, depth + 1);
        }
    }

    fn write(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        let name = quoted(&self.name);
        match &self.leaf {
            Some(leaf) => {
                // Writing to a string cannot fail.
                for comment in &leaf.comments {
                    let _ = writeln!(out, "{pad}{comment}");
                }
                let line = format!("{pad}{name}: {} {}", leaf.value, leaf.trailing);
                let _ = writeln!(out, "{}", line.trim_end());
            }
            None => {
                let _ = writeln!(out, "{pad}{name}:");
            }
        }
        for inner in &self.inner {
            inner.write(out, indent + 2);
        }
    }
}
