//! `weir check`: everything that is wrong with a configuration, or with policy documents by
//! themselves, each with its place and how to mend it.

pub mod documents;
mod live;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::{Outcome, complain, say};
use crate::configuration::compile::{Making, make};
use crate::configuration::loader::{Loaded, load};
use crate::configuration::source::Environment;
use crate::fault::{Fault, Sources, render};
use crate::time::Timestamp;

use live::Lively;

/// Says everything that is wrong with a configuration, or with policy documents.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration folder.
    #[arg(long, value_name = "FOLDER", default_value = "config", conflicts_with = "policies")]
    config: PathBuf,
    /// Checks policy documents and fragments by themselves: files, or folders of `.xml` files.
    /// What they refer to and cannot be seen is assumed to exist, and listed.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// Also asks Dapr's sidecar, where policies need one, whether it has what they name. It is the
    /// one of the settings and variables here.
    #[arg(long, conflicts_with = "policies")]
    live: bool,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How to say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A fault, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FaultRow<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    width: u32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

/// The outcome of checking a configuration, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    ok: bool,
    faults: Vec<FaultRow<'a>>,
}

impl Check {
    /// Checks, and says what is wrong.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        if !self.policies.is_empty() {
            return documents::check(&self.policies, self.format, out);
        }
        let environment = Environment::of_process();
        let folder = match live::folder(&self.config, self.live, &environment) {
            Ok(folder) => folder,
            Err(why) => {
                complain(&format!("{why}\n"));
                return Outcome::Failed;
            }
        };
        let loaded = load(&folder, &environment);
        let compiled = make(&loaded, &rehearsal());
        let asked = match compiled.as_ref().ok().filter(|_snapshot| self.live) {
            Some(snapshot) => live::ask(snapshot, &environment),
            None => Ok(Lively::default()),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => {
                complain(&format!("{why}\n"));
                return Outcome::Failed;
            }
        };
        let compiled = compiled.map(|_snapshot| self.summary(&loaded) + &asked.told);
        let compiled = compiled
            .and_then(|told| if asked.faults.is_empty() { Ok(told) } else { Err(asked.faults) });
        match (compiled, self.format) {
            (Ok(summary), Form::Text) => {
                say(out, &summary);
                say(out, "nothing is wrong\n");
                Outcome::Fine
            }
            (Ok(_summary), Form::Json) => {
                say_json(out, &Report { ok: true, faults: Vec::new() });
                Outcome::Fine
            }
            (Err(faults), Form::Text) => {
                say(out, &rendered(&faults, &loaded.sources(&faults)));
                say(out, &format!("{} found\n", counted(faults.len(), "fault")));
                Outcome::Wrong
            }
            (Err(faults), Form::Json) => {
                say_json(out, &Report { ok: false, faults: rows(&faults) });
                Outcome::Wrong
            }
        }
    }
}

impl Check {
    fn summary(&self, loaded: &Loaded) -> String {
        let Ok(config) = &loaded.config else { return String::new() };
        format!(
            "{}: {} APIs, {} operations, {} products, {} subscriptions, {} backends\n",
            self.config.display(),
            config.apis.len(),
            config.apis.iter().map(|api| api.operations.len()).sum::<usize>(),
            config.products.len(),
            config.subscriptions.len(),
            config.backends.len(),
        )
    }
}

/// What a snapshot that never runs is made with.
pub(super) fn rehearsal() -> Making {
    Making {
        generation: 0,
        now: Timestamp::default(),
        instance: Arc::from("check"),
        secret: [0; 32],
        switch: Arc::default(),
        authorities: Arc::new(crate::certificate::trust::Nobody),
        sidecar: Arc::default(),
    }
}

fn rendered(faults: &[Fault], sources: &Sources) -> String {
    faults.iter().map(|fault| render(fault, sources) + "\n").collect()
}

fn rows(faults: &[Fault]) -> Vec<FaultRow<'_>> {
    faults.iter().map(row).collect()
}

fn row(fault: &Fault) -> FaultRow<'_> {
    FaultRow {
        file: &fault.place.file,
        line: fault.place.line,
        column: fault.place.column,
        width: fault.width,
        message: &fault.message,
        remedy: fault.remedy.as_deref(),
    }
}

fn say_json(out: &mut impl Write, report: &impl Serialize) {
    let text = serde_json::to_string_pretty(report).unwrap_or_default();
    say(out, &text);
    say(out, "\n");
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
