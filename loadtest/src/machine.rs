//! The machine a report was made on; figures without it mean nothing.

use std::fs;

use serde::Serialize;

use crate::process::Cores;
use crate::programs::Programs;

/// What the figures depend on besides the programs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// Linux's release.
    kernel: String,
    /// The proxy's core.
    proxy_core: usize,
    /// The core of the load and the upstream.
    load_core: usize,
    /// The load averages at the start; much above 0 means that others were at work.
    load_averages: String,
    /// What each program says it is.
    versions: Vec<String>,
}

impl Machine {
    /// Looks.
    pub(crate) fn look(cores: Cores, programs: &Programs) -> Self {
        Self {
            processor: processor(),
            kernel: read("/proc/sys/kernel/osrelease"),
            proxy_core: cores.proxy,
            load_core: cores.load,
            load_averages: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            versions: programs.versions(),
        }
    }

    /// The same as a line of a report.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}, Linux {}, proxy on core {}, load and upstream on core {}, load averages before: \
             {}. {}.",
            self.processor,
            self.kernel,
            self.proxy_core,
            self.load_core,
            self.load_averages,
            self.versions.join("; "),
        )
    }
}

/// The processor's name, or nothing where the kernel does not tell.
pub(crate) fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map(|(_, name)| name.to_owned()).unwrap_or_default()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
