//! `weir check --policies`: policy documents and fragments by themselves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::cli::check::{FaultRow, Form, counted, rows, say_json};
use crate::cli::{Outcome, complain, say};
use crate::fault::{Fault, Sources, render};
use crate::policy::Scope;
use crate::policy::build::document::{Owner, build, build_fragment};
use crate::policy::build::references::{Assumed, References};
use crate::policy::markup::{self, NamedValues};

/// The most documents that are looked at in one go.
const DOCUMENTS_MAX: usize = 100_000;
/// The deepest folder that is looked into.
const DEPTH_MAX: usize = 32;

/// What is said about one document, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    document: &'a str,
    compiles: bool,
    faults: Vec<FaultRow<'a>>,
}

/// What is said about all of them, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    documents: usize,
    compile: usize,
    refused: usize,
    results: Vec<Row<'a>>,
    assumed: Listed,
}

/// What was assumed to exist.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    named_values: BTreeSet<String>,
    backends: BTreeSet<String>,
    loggers: BTreeSet<String>,
    authorizations: BTreeSet<String>,
    certificates: BTreeSet<String>,
    fragments: BTreeSet<String>,
    schemas: BTreeSet<String>,
    placeholders: BTreeSet<String>,
}

/// What came of one document.
struct Checked {
    name: Arc<str>,
    faults: Vec<Fault>,
}

/// Checks the documents at `paths`.
pub(super) fn check(paths: &[PathBuf], form: Form, out: &mut impl Write) -> Outcome {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if let Err(error) = list(path, &mut files, DEPTH_MAX) {
            complain(&format!("{}: {error}\n", path.display()));
            return Outcome::Misused;
        }
        if files.len() == before {
            complain(&format!("{}: there is no file *.xml in this folder\n", path.display()));
            return Outcome::Misused;
        }
    }
    files.truncate(DOCUMENTS_MAX);
    let mut sources = Sources::default();
    let mut assumed = Listed::default();
    let mut checked = Vec::with_capacity(files.len());
    for file in &files {
        match read(file) {
            Ok(text) => checked.push(one(file, &text, &mut sources, &mut assumed)),
            Err(error) => {
                complain(&format!("{}: {error}\n", file.display()));
                return Outcome::Misused;
            }
        }
    }
    match form {
        Form::Text => as_text(&checked, &assumed, &sources, out),
        Form::Json => as_json(&checked, assumed, out),
    }
    let all = checked.iter().all(|document| document.faults.is_empty());
    if all { Outcome::Fine } else { Outcome::Wrong }
}

/// The documents below `path`, sorted: the file itself, or every `.xml` file of the folder.
fn list(path: &Path, files: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        entries.push(entry?.path());
    }
    entries.sort();
    for entry in entries {
        let is_document =
            entry.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
        if entry.is_dir() || is_document {
            list(&entry, files, depth.saturating_sub(1))?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> std::io::Result<String> {
    let bytes = fs::read(file)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn one(path: &Path, text: &str, sources: &mut Sources, assumed: &mut Listed) -> Checked {
    let name: Arc<str> = Arc::from(path.display().to_string());
    sources.insert(&name, text.strip_prefix('\u{feff}').unwrap_or(text));
    let reading = markup::read(&name, text, &NamedValues::assumed());
    assumed.named_values.extend(reading.assumed.into_iter().map(|(name, _place)| name));
    let mut faults = reading.faults;
    let references =
        References { assumed: Some(RefCell::new(Assumed::default())), ..References::default() };
    if let Some(root) = &reading.root {
        if root.name.as_ref() == "fragment" {
            build_fragment(root, &references, &mut faults);
        } else {
            faults.extend(in_best_scope(root, &references));
        }
    }
    if let Some(seen) = references.assumed {
        let Assumed {
            backends,
            loggers,
            authorizations,
            certificates,
            fragments,
            schemas,
            placeholders,
        } = seen.into_inner();
        assumed.schemas.extend(schemas);
        assumed.placeholders.extend(placeholders);
        assumed.backends.extend(backends);
        assumed.loggers.extend(loggers);
        assumed.authorizations.extend(authorizations);
        assumed.certificates.extend(certificates);
        assumed.fragments.extend(fragments);
    }
    faults.sort();
    faults.dedup();
    Checked { name, faults }
}

/// Whose document it is, is not written in it: the scope in which fewest faults are found counts.
fn in_best_scope(root: &markup::Element, references: &References) -> Vec<Fault> {
    let scopes = [Scope::Operation, Scope::Product, Scope::Global];
    let tries = scopes.into_iter().map(|scope| {
        let mut found = Vec::new();
        let _ = build(root, Owner { scope, name: "document" }, references, &mut found);
        found
    });
    tries.min_by_key(Vec::len).unwrap_or_default()
}

fn as_text(checked: &[Checked], assumed: &Listed, sources: &Sources, out: &mut impl Write) {
    for document in checked {
        if document.faults.is_empty() {
            say(out, &format!("{}: compiles\n", document.name));
        } else {
            let count = counted(document.faults.len(), "fault");
            say(out, &format!("{}: refused, {count}\n", document.name));
        }
    }
    for fault in checked.iter().flat_map(|document| &document.faults) {
        say(out, "\n");
        say(out, &render(fault, sources));
    }
    for (what, names) in [
        ("named values", &assumed.named_values),
        ("backends", &assumed.backends),
        ("loggers", &assumed.loggers),
        ("authorizations", &assumed.authorizations),
        ("certificates", &assumed.certificates),
        ("fragments", &assumed.fragments),
        ("schemas", &assumed.schemas),
        ("placeholders", &assumed.placeholders),
    ] {
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            say(out, &format!("\nassumed {what}: {}\n", names.join(", ")));
        }
    }
    let refused = checked.iter().filter(|document| !document.faults.is_empty()).count();
    let compile = checked.len().saturating_sub(refused);
    let documents = counted(checked.len(), "document");
    say(out, &format!("\n{documents}, {compile} compile, {refused} refused\n"));
}

fn as_json(checked: &[Checked], assumed: Listed, out: &mut impl Write) {
    let results: Vec<Row<'_>> = checked.iter().map(row).collect();
    let compile = results.iter().filter(|row| row.compiles).count();
    let report = Report {
        documents: results.len(),
        compile,
        refused: results.len().saturating_sub(compile),
        results,
        assumed,
    };
    say_json(out, &report);
}

fn row(checked: &Checked) -> Row<'_> {
    let faults = rows(&checked.faults);
    Row { document: &checked.name, compiles: faults.is_empty(), faults }
}
