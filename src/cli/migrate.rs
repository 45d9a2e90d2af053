//! `weir migrate`: deployment files of API Management's gateway, as they have to be for Weir.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::{Outcome, complain, say};
use crate::configuration::yaml::FILE_BYTES_MAX;
use crate::fault::Place;
use crate::migration::finding::{Finding, Level};
use crate::migration::setting::Around;
use crate::migration::{Input, Options, diff, migrate, report};

/// The most files that are looked at in one go.
const FILES_MAX: usize = 10_000;
/// The deepest folder that is looked into.
const DEPTH_MAX: usize = 16;
/// How files end that a gateway is deployed with. What else there is in a folder is passed over.
pub(super) const ENDINGS: [&str; 6] = ["yaml", "yml", "json", "env", "conf", "sh"];

/// Rewrites deployment files of API Management's self-hosted gateway for Weir.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Files, or folders of them: variables, scripts with docker, helm or az, compose files, manifests
    /// of Kubernetes, values of the Helm chart (every version), apps of Container Apps.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Writes the files anew. Without it, only what would change is shown.
    #[arg(long)]
    write: bool,
    /// The image of Weir that stands in the files then.
    #[arg(long, value_name = "IMAGE", default_value_t = usual_image())]
    image: String,
    /// The configuration endpoint in the files is a control plane of Weir already, and stays.
    #[arg(long)]
    control_plane: bool,
    /// How to say what became of everything.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How to say what was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// For code scanners: SARIF 2.1.0.
    Sarif,
}

impl Migrate {
    /// Rewrites, and says what became of everything.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let (inputs, mut findings) = match inputs(&self.inputs, &ENDINGS) {
            Ok(given) => given,
            Err(why) => {
                complain(&format!("{why}\n"));
                return Outcome::Misused;
            }
        };
        let around = Around { has_control_plane: self.control_plane };
        let options = Options { image: self.image.clone(), around };
        let mut files = Vec::new();
        for input in &inputs {
            let migrated = migrate(input, &options);
            let changes = diff::unified(&input.name, &input.text, &migrated.text);
            if self.write
                && !changes.is_empty()
                && let Err(error) = fs::write(&*input.name, &migrated.text)
            {
                complain(&format!("{}: {error}\n", input.name));
                return Outcome::Misused;
            }
            if self.format == Form::Text {
                say(out, &changes);
            }
            files.push(
                json!({ "file": *input.name, "changed": !changes.is_empty(), "diff": changes }),
            );
            findings.extend(migrated.findings);
        }
        match self.format {
            Form::Text => say(out, &report::text(&findings)),
            Form::Json => {
                let beside = json!({ "files": files, "written": self.write });
                say(out, &report::json(&findings, &beside));
            }
            Form::Sarif => say(out, &report::sarif(&findings)),
        }
        outcome(&findings)
    }
}

/// Whether somebody has to look at anything.
pub(super) fn outcome(findings: &[Finding]) -> Outcome {
    if findings.iter().any(|finding| finding.level.is_wrong()) {
        Outcome::Wrong
    } else {
        Outcome::Fine
    }
}

/// The image of this version; its registry is the reader's.
fn usual_image() -> String {
    format!("weir:{}", env!("CARGO_PKG_VERSION"))
}

/// Reads the files at `paths`, and those in folders there whose names end like these; what cannot be read
/// is refused by itself. That there is none is a mistake of whoever named them.
pub(super) fn inputs(
    paths: &[PathBuf],
    endings: &[&str],
) -> Result<(Vec<Input>, Vec<Finding>), String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            list(path, endings, &mut files, DEPTH_MAX)?;
        } else {
            files.push(path.clone());
        }
    }
    if FILES_MAX < files.len() {
        return Err(format!("there are more than {FILES_MAX} files: name fewer folders"));
    }
    if files.is_empty() {
        let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let (named, endings) = (named.join(", "), endings.join(", ."));
        return Err(format!("{named}: there is no file here that ends with .{endings}"));
    }
    let (mut inputs, mut unread) = (Vec::new(), Vec::new());
    for path in &files {
        match input(path)? {
            Ok(input) => inputs.push(input),
            Err(refused) => unread.push(refused),
        }
    }
    Ok((inputs, unread))
}

/// The file at `path`; or that it is refused, as it is no text that anybody could read.
fn input(path: &Path) -> Result<Result<Input, Finding>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let length = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    let name: Arc<str> = Arc::from(path.display().to_string());
    let refused = |why: String, remedy: &str| {
        let place = Place { file: Arc::clone(&name), line: 1, column: 1 };
        Finding::of(Level::Refused, place, "file", why).mend(remedy)
    };
    if usize::try_from(length).map_or(true, |length| FILE_BYTES_MAX < length) {
        let why = format!("the file has more than {FILE_BYTES_MAX} bytes");
        return Ok(Err(refused(why, "split it, or name the others only")));
    }
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Ok(Input { name, text }),
        Err(_other) => Err(refused("the file is not UTF-8".to_owned(), "save it as UTF-8")),
    })
}

fn list(
    folder: &Path,
    endings: &[&str],
    files: &mut Vec<PathBuf>,
    depth: usize,
) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    if depth == 0 {
        return Err(wrong(&format!("folders lie deeper than {DEPTH_MAX} here")));
    }
    let entries = fs::read_dir(folder).map_err(|error| wrong(&error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| wrong(&error))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ending = path.extension().and_then(|ending| ending.to_str());
        // `.env` is a name without an ending.
        let ending = ending.unwrap_or_else(|| name.strip_prefix('.').unwrap_or_default());
        if path.is_dir() && !name.starts_with('.') {
            list(&path, endings, files, depth - 1)?;
        } else if path.is_file() && endings.contains(&ending) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        migrate: Migrate,
    }

    fn migrated(arguments: &[&str]) -> (Outcome, String) {
        let line = <Line as clap::Parser>::try_parse_from([&["migrate"], arguments].concat());
        let mut out = Vec::new();
        let outcome = line.unwrap().migrate.run(&mut out);
        (outcome, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused_by_itself_and_an_empty_folder_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(migrated(&[path]).0, Outcome::Misused);
        fs::write(folder.path().join("a.env"), b"name=\xff\xfe\n").unwrap();
        fs::write(folder.path().join("b.env"), "telemetry.logs.std=json\n").unwrap();
        let (outcome, said) = migrated(&[path]);
        assert_eq!(outcome, Outcome::Wrong);
        assert!(said.contains("a.env:1:1: refused file: the file is not UTF-8"), "{said}");
        assert!(said.contains("\n+WEIR_LOG_FORMAT=json\n"), "{said}");
    }

    #[test]
    fn nothing_is_written_before_somebody_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.env");
        fs::write(&file, "telemetry.logs.std=json\n").unwrap();
        let path = folder.path().to_str().unwrap();
        let (outcome, said) = migrated(&[path]);
        assert_eq!(outcome, Outcome::Fine);
        assert!(said.contains("\n+WEIR_LOG_FORMAT=json\n"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "telemetry.logs.std=json\n");
        migrated(&[path, "--write"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "WEIR_LOG_FORMAT=json\n");
        let (outcome, said) = migrated(&[path, "--write", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((outcome, &report["files"][0]["changed"]), (Outcome::Fine, &false.into()));
    }

    #[test]
    fn what_is_refused_and_what_is_not_there_end_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.env");
        fs::write(&file, "k8s.ingress.enabled=true\n").unwrap();
        assert_eq!(migrated(&[file.to_str().unwrap()]).0, Outcome::Wrong);
        assert_eq!(migrated(&["/nowhere/at.all"]).0, Outcome::Misused);
    }
}
