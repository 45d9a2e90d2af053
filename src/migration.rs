//! From API Management's self-hosted gateway to Weir: deployment files in, the same files for Weir
//! and a line about everything in them out. Text to text: who reads and writes files is `cli`.
//!
//! Files are changed at places, so that comments, order and quotes stay. What Weir has, too, gets
//! Weir's name; what has no effect any more goes; what cannot be had stays where it is, and Weir does
//! not start over it until somebody has decided. A second run changes nothing.

pub mod finding;
pub mod report;
pub mod diff;
pub mod edit;
pub mod setting;
pub mod work;
pub mod page;
pub mod words;
pub mod env;
pub mod untold;
pub mod container;
pub mod kubernetes;
pub mod compose;
pub mod helm;
pub mod command;
pub mod advice;

use std::sync::Arc;

use finding::{Finding, Level};
use setting::Around;
use work::Work;

/// What a file says that is about API Management's gateway, whatever else it is.
const ABOUT: [&str; 4] = [
    "azure-api-management/gateway",
    "azure-api-management-gateway",
    "config.service.",
    "configuration.azure-api",
];

/// What some editors begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file as it is.
#[derive(Clone, Debug)]
pub struct Input {
    /// As the person named it.
    pub name: Arc<str>,
    /// What it says.
    pub text: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The image of Weir.
    pub image: String,
    /// What is known of the deployment.
    pub around: Around,
}

/// What a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `NAME=value` lines.
    Env,
    /// A script with commands of docker, podman, helm or az.
    Commands,
    /// YAML, whatever for.
    Yaml,
    /// Nothing that is known here.
    Other,
}

/// A file as it will be.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// What it says then.
    pub text: String,
    /// What became of everything.
    pub findings: Vec<Finding>,
}

/// What `input` is, by its name and by what it says.
pub fn kind(input: &Input) -> Kind {
    let name = input.name.to_ascii_lowercase();
    let is_named_env = name.rsplit('.').next() == Some("env");
    let is_yaml = |name: &str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
    if is_yaml(&name) {
        Kind::Yaml
    } else if env::is_env(&input.text, is_named_env) {
        Kind::Env
    } else if command::is_commands(&input.text) {
        Kind::Commands
    } else {
        Kind::Other
    }
}

/// The text without what some editors begin it with.
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Rewrites a file; what it begins with and how its lines end stays.
pub fn migrate(input: &Input, options: &Options) -> Migrated {
    let text = unmarked(&input.text);
    if text.len() == input.text.len() {
        return twice(input, options);
    }
    let bare = Input { name: Arc::clone(&input.name), text: text.to_owned() };
    let mut migrated = twice(&bare, options);
    migrated.text.insert(0, BYTE_ORDER_MARK);
    migrated
}

/// What would not be the same after a second time, or could not be read any more, is
/// left as it is, and that is said.
fn twice(input: &Input, options: &Options) -> Migrated {
    let mut migrated = once(input, options);
    leftover(input, options, &mut migrated);
    if migrated.text == input.text {
        return migrated;
    }
    let new = Input { name: Arc::clone(&input.name), text: migrated.text.clone() };
    let again = once(&new, options);
    let unreadable = |it: &Migrated| it.findings.iter().filter(|it| it.what == "yaml").count();
    if again.text == migrated.text && unreadable(&again) <= unreadable(&migrated) {
        return migrated;
    }
    let mut work = Work::on(input, options);
    let said = (
        "it is left as it is: some of it is written in a way that cannot be changed safely, such as a list \
         or a map in one line",
        "write each key and each item on a line of its own, and migrate it again",
    );
    work.advise(Level::Refused, 0, "file", said);
    Migrated { text: input.text.clone(), findings: work.findings }
}

/// Says so where something of the old gateway is left and nothing has been refused: an image under
/// another name, a chart in a file of another tool, a setting where nobody looked for one.
fn leftover(input: &Input, options: &Options, migrated: &mut Migrated) {
    let is_refused = migrated.findings.iter().any(|it| it.level == Level::Refused);
    // With a control plane the old names of its settings go on to mean something.
    if is_refused || options.around.has_control_plane {
        return;
    }
    let is_about = |line: &str| !line.trim_start().starts_with('#') && about(line).is_some();
    let Some(left) = migrated.text.lines().find(|line| is_about(line)) else { return };
    let mut work = Work::on(input, options);
    let at = input.text.find(left.trim()).unwrap_or_default();
    let said = (
        "it is of the old gateway and still there: nobody can see here what it is for",
        "where it is the gateway's image, write mcr.microsoft.com/azure-api-management/gateway and migrate it again; \
         else write what Weir needs, or remove it",
    );
    work.advise(Level::Refused, at, about(left).unwrap_or_default(), said);
    migrated.findings.append(&mut work.findings);
    migrated.findings = report::sorted(std::mem::take(&mut migrated.findings));
}

/// What a line says that is about API Management's gateway.
fn about(line: &str) -> Option<&'static str> {
    ABOUT.into_iter().find(|word| line.contains(word))
}

fn once(input: &Input, options: &Options) -> Migrated {
    let mut work = Work::on(input, options);
    match kind(input) {
        Kind::Env => env::migrate(&mut work),
        Kind::Commands => command::migrate(&mut work),
        Kind::Yaml => yaml(&mut work),
        Kind::Other => unknown(&mut work, 0),
    }
    let Work { edits, findings, text, .. } = work;
    Migrated { text: edits.apply(text), findings: report::sorted(findings) }
}

fn yaml(work: &mut Work<'_>) {
    for page in page::pages(work) {
        let told = work.findings.len();
        if kubernetes::is_manifest(&page) {
            kubernetes::migrate(work, &page);
        } else if compose::is_compose(&page) {
            compose::migrate(work, &page);
        } else if kubernetes::is_app(&page) {
            kubernetes::migrate_app(work, &page);
        } else if helm::is_values(&page) {
            helm::migrate(work, &page);
        } else {
            let at = work.offset(page.root.mark);
            unknown(work, at);
        }
        page.name(work, told);
    }
}

fn unknown(work: &mut Work<'_>, at: usize) {
    if !ABOUT.iter().any(|word| work.text.contains(word)) {
        work.say(Level::Note, at, "file", "nothing in it is about a gateway; it is left as it is");
        return;
    }
    let said = (
        "this is nothing that a gateway is deployed with, as far as anybody can see here",
        "give files of variables, scripts with docker, helm or az, compose files, manifests, values of \
         the Helm chart, or apps of Container Apps; what is a template, render first",
    );
    work.advise(Level::Refused, at, "file", said);
}

#[cfg(test)]
mod tests;
