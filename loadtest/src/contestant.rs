//! Who takes part, how each is started, and what each is asked. Every proxy has one worker, no
//! log, and kept-alive connections on both sides.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::client::Request;
use crate::failure::{Failure, during};
use crate::process::Invocation;
use crate::programs::{Places, Program, Programs};

/// Where the scenarios' backends point as they are written; replaced by the upstream that runs.
const WRITTEN_UPSTREAM: &str = "127.0.0.1:8081";

/// The key of the one subscription in `scenarios/policies`.
const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key: load-test-key-0123456789abcdef";

/// What everybody is asked for.
const PATH: &str = "/bench/hello";

/// Files of a scenario are a few; a folder named by mistake must not be copied whole.
const SCENARIO_FILES_MAX: usize = 100;

/// Who listens where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// Where the proxy listens.
    pub(crate) listen: SocketAddr,
    /// Where it may listen for its operator.
    pub(crate) admin: SocketAddr,
    /// Where it forwards to.
    pub(crate) upstream: SocketAddr,
}

/// A proxy on trial.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contestant {
    /// The yardstick: Pingora with nothing on it.
    BarePingora,
    /// nginx as a reverse proxy.
    Nginx,
    /// haproxy as a reverse proxy.
    Haproxy,
    /// Envoy as a reverse proxy.
    Envoy,
    /// Weir with one API and no policies.
    WeirPlain,
    /// Weir with a subscription key, header policies, a choice and a rate limit.
    WeirPolicies,
}

impl Contestant {
    /// Everybody, in the order of the reports.
    pub(crate) const ALL: [Self; 6] = [
        Self::BarePingora,
        Self::Nginx,
        Self::Haproxy,
        Self::Envoy,
        Self::WeirPlain,
        Self::WeirPolicies,
    ];

    /// Its name in options and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BarePingora => "bare-pingora",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::WeirPlain => "weir-plain",
            Self::WeirPolicies => "weir-policies",
        }
    }

    /// What runs it.
    fn program(self) -> Program {
        match self {
            Self::BarePingora => Program::BarePingora,
            Self::Nginx => Program::Nginx,
            Self::Haproxy => Program::Haproxy,
            Self::Envoy => Program::Envoy,
            Self::WeirPlain | Self::WeirPolicies => Program::Weir,
        }
    }

    /// What it is asked.
    pub(crate) fn request(self) -> Request {
        let header = (self == Self::WeirPolicies).then_some(KEY_HEADER);
        Request { path: PATH, header }
    }

    /// How it is started so that it listens on `listen` and forwards to `upstream`. Writes its
    /// configuration into `directory`, which is its own.
    pub(crate) fn invocation(
        self,
        programs: &Programs,
        places: &Places,
        directory: &Path,
        addresses: Addresses,
    ) -> Result<Invocation, Failure> {
        let Addresses { listen, upstream, .. } = addresses;
        let program = programs.invocation(self.program())?;
        let text_of = |template: &str| filled(template, directory, addresses);
        Ok(match self {
            Self::BarePingora => program.with(listen.to_string()).with(upstream.to_string()),
            Self::Nginx => {
                let text = text_of(include_str!("../peers/nginx.conf"));
                nginx(program, directory, &text)?
            }
            Self::Haproxy => {
                let file = directory.join("haproxy.cfg");
                write(&file, &text_of(include_str!("../peers/haproxy.cfg")))?;
                program.with("-db").with("-f").with(file)
            }
            Self::Envoy => {
                let file = directory.join("envoy.yaml");
                write(&file, &text_of(include_str!("../peers/envoy.yaml")))?;
                let program = program.with("-c").with(file).with("--concurrency").with("1");
                program.with("-l").with("error").with("--disable-hot-restart")
            }
            Self::WeirPlain => weir(program, "plain", places, directory, addresses)?,
            Self::WeirPolicies => weir(program, "policies", places, directory, addresses)?,
        })
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The programs that run `contestants`.
pub(crate) fn programs_of(contestants: &[Contestant]) -> BTreeSet<Program> {
    contestants.iter().map(|contestant| contestant.program()).collect()
}

/// The one place that knows Weir's command line. Its worker takes the core it is given.
fn weir(
    program: Invocation,
    scenario: &str,
    places: &Places,
    directory: &Path,
    addresses: Addresses,
) -> Result<Invocation, Failure> {
    let folder = directory.join("configuration");
    copy_scenario(
        &places.crate_folder.join("scenarios").join(scenario),
        &folder,
        addresses.upstream,
    )?;
    let program = program.with("run").with("--config").with(folder);
    let program = program.with("--listen-http").with(addresses.listen.to_string());
    Ok(program.with("--threads").with("1").with("--listen-admin").with(addresses.admin.to_string()))
}

/// nginx with everything it writes inside `directory`, so that it needs no rights.
pub(crate) fn nginx(
    program: Invocation,
    directory: &Path,
    configuration: &str,
) -> Result<Invocation, Failure> {
    let file = directory.join("nginx.conf");
    write(&file, configuration)?;
    Ok(program.with("-p").with(directory).with("-c").with(file).with("-e").with("stderr"))
}

/// `template` with addresses and its own directory filled in.
pub(crate) fn filled(template: &str, directory: &Path, addresses: Addresses) -> String {
    let Addresses { listen, upstream, .. } = addresses;
    [
        ("{{directory}}", directory.display().to_string()),
        ("{{listen}}", listen.to_string()),
        ("{{listen_host}}", listen.ip().to_string()),
        ("{{listen_port}}", listen.port().to_string()),
        ("{{upstream}}", upstream.to_string()),
        ("{{upstream_host}}", upstream.ip().to_string()),
        ("{{upstream_port}}", upstream.port().to_string()),
    ]
    .iter()
    .fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Two loopback addresses that nobody listens on.
pub(crate) fn free_addresses() -> Result<[SocketAddr; 2], Failure> {
    let bound = || TcpListener::bind("127.0.0.1:0").map_err(during("finding a free port"));
    // Both are held until both are known, or they could be the same.
    let held = [bound()?, bound()?];
    let address = |listener: &TcpListener| listener.local_addr().map_err(during("naming a port"));
    let [first, second] = &held;
    Ok([address(first)?, address(second)?])
}

/// Copies a scenario's folder, its backends pointed at `upstream`.
fn copy_scenario(from: &Path, to: &Path, upstream: SocketAddr) -> Result<(), Failure> {
    fs::create_dir(to).map_err(during(format!("making {}", to.display())))?;
    let reading = || during(format!("reading {}", from.display()));
    for entry in fs::read_dir(from).map_err(reading())?.take(SCENARIO_FILES_MAX) {
        let entry = entry.map_err(reading())?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_scenario(&from, &to, upstream)?;
        } else {
            let text = fs::read_to_string(&from);
            let text = text.map_err(during(format!("reading {}", from.display())))?;
            write(&to, &text.replace(WRITTEN_UPSTREAM, &upstream.to_string()))?;
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(during(format!("writing {}", file.display())))
}
