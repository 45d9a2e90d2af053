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
use crate::fault::Fault;
use crate::import::{self, Artifacts, Imported, Wanted};
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
    Apiops {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        input: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Of an `OpenAPI` 3 document: one API.
    Openapi {
        /// The document, as YAML or JSON.
        #[arg(value_name = "FILE")]
        input: PathBuf,
        #[command(flatten)]
        common: Common,
        /// Where the API is; made of its title if not said.
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
        /// Where requests go; the document's first server if not said.
        #[arg(long, value_name = "URL")]
        service_url: Option<String>,
    },
    /// Of policy documents: that of all APIs, and fragments, which are named after their files.
    Policy {
        /// The documents.
        #[arg(required = true, value_name = "FILE")]
        inputs: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
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
        let (Source::Apiops { common, .. }
        | Source::Openapi { common, .. }
        | Source::Policy { common, .. }) = &self.from;
        let imported = match &self.from {
            Source::Apiops { input, .. } => artifacts(input).map(|all| import::apiops(&all)),
            Source::Openapi { input, path, service_url, .. } => {
                let wanted = Wanted { path: path.as_deref(), service_url: service_url.as_deref() };
                text(input).map(|(name, text)| import::document(&name, &text, wanted))
            }
            Source::Policy { inputs, .. } => {
                let texts: Result<Vec<_>, String> = inputs.iter().map(|path| text(path)).collect();
                texts.map(|files| import::policies(&files))
            }
        };
        let imported = imported.and_then(|imported| {
            if !imported.files.is_empty() {
                keep(&common.out, &imported.files)?;
            }
            Ok(imported)
        });
        match imported {
            Ok(imported) => finish(common, imported, out),
            Err(why) => misused(&why),
        }
    }
}

/// What is wrong with the folder that was written, as `weir check` finds it.
fn faults(folder: &Path) -> Vec<Finding> {
    let loaded = load(&Folder::at(folder), &Environment::of_process());
    let faults = make(&loaded, &rehearsal()).err().unwrap_or_default();
    let finding = |fault: Fault| {
        let finding = Finding::of(Level::Refused, fault.place, "configuration", fault.message);
        match fault.remedy {
            Some(remedy) => finding.mend(remedy),
            None => finding,
        }
    };
    faults.into_iter().map(finding).collect()
}

/// Checks what was written, and says all there is to say.
fn finish(common: &Common, imported: Imported, out: &mut impl Write) -> Outcome {
    let mut findings = report::sorted(imported.findings);
    if !imported.files.is_empty() {
        findings.extend(faults(&common.out));
    }
    let files: Vec<&String> = imported.files.keys().collect();
    match common.format {
        Form::Text => {
            say(out, &report::text(&findings));
            let end = match files.len() {
                0 => "nothing was written\n".to_owned(),
                count => format!("{count} files in {}\n", common.out.display()),
            };
            say(out, &end);
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
