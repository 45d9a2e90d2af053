//! `weir import`: a configuration folder out of what API Management had.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::check::rehearsal;
use crate::cli::migrate::{Form, outcome};
use crate::cli::{Outcome, misused, say};
use crate::configuration::compile::make;
use crate::configuration::loader::load;
use crate::configuration::source::{Environment, Folder};
use crate::configuration::yaml::FILE_BYTES_MAX;
use crate::import::{self, Artifacts, Imported};
use crate::migration::finding::{Finding, Level};
use crate::migration::report;

/// The most artifacts that are read.
const FILES_MAX: usize = 100_000;
/// The deepest folder that is looked into.
const DEPTH_MAX: usize = 16;

/// Makes a configuration folder of what API Management had, and checks it.
#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    from: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// Of the folder that the extractor of `APIOps` wrote.
    Apiops(Common),
    /// Of an `OpenAPI` document: one API.
    Openapi {
        #[command(flatten)]
        common: Common,
        /// Where the API is; made of its title if not said.
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
    },
    /// Of one policy document: that of all APIs.
    Policy(Common),
}

#[derive(Debug, Args)]
struct Common {
    /// What is read.
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The configuration folder; it must not exist, or be empty.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// How to say what became of everything.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

impl Import {
    /// Imports, checks, and says what became of everything.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let (common, path) = match &self.from {
            Source::Apiops(common) | Source::Policy(common) => (common, None),
            Source::Openapi { common, path } => (common, path.as_deref()),
        };
        let imported = match &self.from {
            Source::Apiops(_) => artifacts(&common.input).map(|all| import::apiops(&all)),
            Source::Openapi { .. } => {
                text(&common.input).map(|(name, text)| import::document(&name, &text, path))
            }
            Source::Policy(_) => {
                text(&common.input).map(|(name, text)| import::policy(&name, &text))
            }
        };
        let imported = imported.and_then(|imported| {
            keep(&common.out, &imported.files)?;
            Ok(imported)
        });
        let imported = match imported {
            Ok(imported) => imported,
            Err(why) => return misused(&why),
        };
        finish(common, imported, out)
    }
}

/// Checks what was written, and says all there is to say.
fn finish(common: &Common, imported: Imported, out: &mut impl Write) -> Outcome {
    let mut findings = report::sorted(imported.findings);
    let loaded = load(&Folder::at(&common.out), &Environment::of_process());
    if let Err(faults) = make(&loaded, &rehearsal()) {
        for fault in faults {
            let finding = Finding::of(Level::Refused, fault.place, "configuration", fault.message);
            findings.push(match fault.remedy {
                Some(remedy) => finding.mend(remedy),
                None => finding,
            });
        }
    }
    let files: Vec<&String> = imported.files.keys().collect();
    match common.format {
        Form::Text => {
            say(out, &report::text(&findings));
            say(out, &format!("{} files in {}\n", files.len(), common.out.display()));
        }
        Form::Json => say(out, &report::json(&findings, &json!({ "files": files }))),
        Form::Sarif => say(out, &report::sarif(&findings)),
    }
    outcome(&findings)
}

fn text(path: &Path) -> Result<(String, String), String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let length = fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if usize::try_from(length).map_or(true, |length| FILE_BYTES_MAX < length) {
        return Err(wrong(&format!("the file has more than {FILE_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    Ok((path.display().to_string(), text))
}

fn artifacts(folder: &Path) -> Result<Artifacts, String> {
    let mut all = Artifacts::new();
    list(folder, "", &mut all, DEPTH_MAX)?;
    if all.is_empty() {
        return Err(format!("{}: the folder has no files", folder.display()));
    }
    Ok(all)
}

fn list(folder: &Path, above: &str, all: &mut Artifacts, depth: usize) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    if depth == 0 || FILES_MAX < all.len() {
        return Err(wrong(&"the folder is too deep, or has too many files"));
    }
    for entry in fs::read_dir(folder).map_err(|error| wrong(&error))? {
        let path = entry.map_err(|error| wrong(&error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            list(&path, &format!("{above}{name}/"), all, depth - 1)?;
        } else {
            all.insert(format!("{above}{name}"), text(&path)?.1);
        }
    }
    Ok(())
}

/// Writes the files; nothing that is there is overwritten.
fn keep(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => true,
    };
    if !is_empty {
        return Err(wrong(&"there is something in this folder: name another one with --out"));
    }
    fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
    for (name, text) in files {
        fs::write(folder.join(name), text).map_err(|error| wrong(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        import: Import,
    }

    fn imported(arguments: &[&str]) -> (Outcome, String) {
        let line = <Line as clap::Parser>::try_parse_from([&["import"], arguments].concat());
        let mut out = Vec::new();
        let outcome = line.unwrap().import.run(&mut out);
        (outcome, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_document_becomes_a_folder_that_is_checked_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pets.yaml");
        let text = "openapi: 3.0.0\ninfo: {title: Pets}\nservers: [{url: 'https://pets.internal'}]\n\
                    paths: {/pets: {get: {responses: {}}}}\n";
        fs::write(&file, text).unwrap();
        let target = folder.path().join("out");
        let (file, target) = (file.to_str().unwrap(), target.to_str().unwrap());
        let arguments = ["openapi", file, "--out", target, "--path", "shop/pets"];
        let (outcome, said) = imported(&arguments);
        assert_eq!(outcome, Outcome::Fine, "{said}");
        assert!(said.contains("1 files in"), "{said}");
        assert_eq!(imported(&arguments).0, Outcome::Misused);
    }

    #[test]
    fn what_the_configuration_lacks_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("global.xml");
        fs::write(&file, "<policies><inbound><no-such-policy /></inbound></policies>").unwrap();
        let target = folder.path().join("out");
        let arguments = ["policy", file.to_str().unwrap(), "--out", target.to_str().unwrap()];
        let (outcome, said) = imported(&arguments);
        assert_eq!(outcome, Outcome::Wrong);
        assert!(said.contains("policy-global.xml:1:20: refused configuration"), "{said}");
    }
}
