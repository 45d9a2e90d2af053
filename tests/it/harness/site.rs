//! What a gateway is started with: a configuration folder and settings.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A configuration folder that is being written, and the settings of the process.
pub(crate) struct Site {
    folder: TempDir,
    /// Flags by name, without dashes in front.
    pub(crate) settings: Vec<(String, String)>,
    /// Variables of the environment.
    pub(crate) variables: Vec<(String, String)>,
    /// The network namespace that the gateway runs in, if not in this one.
    pub(crate) namespace: Option<String>,
    files: usize,
}

/// A policy document. A section that nothing is written for is `<base />`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Policies<'a> {
    /// After `<base />`.
    pub(crate) inbound: &'a str,
    /// Instead of `<base />`.
    pub(crate) backend: &'a str,
    /// After `<base />`.
    pub(crate) outbound: &'a str,
    /// After `<base />`.
    pub(crate) on_error: &'a str,
}

impl Policies<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { inbound, backend, outbound, on_error } = self;
        let backend = if backend.is_empty() { "<base />" } else { backend };
        format!(
            "<policies><inbound><base />{inbound}</inbound><backend>{backend}</backend>\
             <outbound><base />{outbound}</outbound><on-error><base />{on_error}</on-error>\
             </policies>"
        )
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let (settings, variables) = (Vec::new(), Vec::new());
        Self { folder, settings, variables, namespace: None, files: 0 }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes a setting.
    pub(crate) fn set(&mut self, flag: &str, value: &str) {
        self.settings.push((flag.to_owned(), value.to_owned()));
    }

    /// Writes a file in the folder; returns where.
    pub(crate) fn file(&mut self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        write(self.path(), name, text)
    }

    /// Adds a YAML file.
    pub(crate) fn yaml(&mut self, text: impl AsRef<[u8]>) {
        self.files += 1;
        self.file(&format!("part-{:02}.yaml", self.files), text);
    }

    /// Adds an API at `/id` that anybody may call, with every usual method on every path.
    pub(crate) fn open_api(&mut self, id: &str, service: &str, policies: Policies<'_>) {
        let file = format!("{id}.xml");
        self.file(&file, policies.text());
        self.yaml(open_api(id, service, &file));
    }
}

/// The YAML of an API at `/id` that anybody may call, with every usual method on every path.
pub(crate) fn open_api(id: &str, service: &str, policy: &str) -> String {
    let mut text = format!(
        "apis:\n  - id: {id}\n    path: {id}\n    subscriptionRequired: false\n    \
         serviceUrl: {service}\n    policy: {policy}\n    operations:\n"
    );
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let id = method.to_lowercase();
        let line = format!("      - {{id: {id}, method: {method}, urlTemplate: \"/{{*rest}}\"}}\n");
        text.write_str(&line).expect("a string takes everything");
    }
    text
}

/// Writes a file in `folder`; returns where.
pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
    fs::write(&path, text).expect("the file");
    path
}
