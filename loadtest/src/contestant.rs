//! Who takes part, how each is started, and what each is asked. Every proxy has one worker, no
//! log, and kept-alive connections on both sides.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

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

/// The limit of each key where keys are limited: it is never reached.
const KEY_CALLS: u64 = 100_000_000;
/// Its period in seconds.
const KEY_PERIOD: u64 = 60;

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
    /// The Redis that it shares limits over, if it does.
    pub(crate) redis: Option<SocketAddr>,
}

/// A configuration of Weir: a scenario, with what is filled in, and more settings.
#[derive(Clone, Debug)]
pub(crate) struct Site<'a> {
    /// The folder below `scenarios`.
    pub(crate) scenario: &'a str,
    /// What stands for what in its files.
    pub(crate) fill: Vec<(&'a str, String)>,
    /// Flags with their values.
    pub(crate) flags: Vec<(&'a str, String)>,
    /// Files beside those of the scenario, with what is in them.
    pub(crate) more: Vec<(String, String)>,
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
    /// Weir with the policies that nearly everybody has: a variable, a choice and a header.
    WeirChain,
    /// Weir with a subscription key, header policies, a choice and a rate limit.
    WeirPolicies,
    /// Weir with one API and no policies that tells a collector everything: all lines of its log, its
    /// metrics, and one trace of a hundred.
    WeirObserved,
    /// The same with all traces.
    WeirTraced,
    /// Weir with a limit for each key, in its own memory.
    #[value(skip)]
    WeirLimitMemory,
    /// The same limit, shared over Redis.
    #[value(skip)]
    WeirLimitRedis,
    /// nginx with a limit for each key, counted in Redis.
    #[value(skip)]
    NginxRedis,
}

impl Contestant {
    /// Everybody in the comparison of proxies, in the order of the reports.
    pub(crate) const ALL: [Self; 9] = [
        Self::BarePingora,
        Self::Nginx,
        Self::Haproxy,
        Self::Envoy,
        Self::WeirPlain,
        Self::WeirChain,
        Self::WeirPolicies,
        Self::WeirObserved,
        Self::WeirTraced,
    ];

    /// Its name in options and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BarePingora => "bare-pingora",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::WeirPlain => "weir-plain",
            Self::WeirChain => "weir-chain",
            Self::WeirPolicies => "weir-policies",
            Self::WeirObserved => "weir-observed",
            Self::WeirTraced => "weir-traced",
            Self::WeirLimitMemory => "weir-limit-memory",
            Self::WeirLimitRedis => "weir-limit-redis",
            Self::NginxRedis => "nginx-redis",
        }
    }

    /// What runs it.
    fn program(self) -> Program {
        match self {
            Self::BarePingora => Program::BarePingora,
            Self::Nginx => Program::Nginx,
            Self::Haproxy => Program::Haproxy,
            Self::Envoy => Program::Envoy,
            Self::WeirPlain
            | Self::WeirChain
            | Self::WeirPolicies
            | Self::WeirObserved
            | Self::WeirTraced
            | Self::WeirLimitMemory
            | Self::WeirLimitRedis => Program::Weir,
            Self::NginxRedis => Program::NginxLua,
        }
    }

    /// What it is asked.
    pub(crate) fn request(self) -> Request<'static> {
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
            Self::WeirPlain => weir(program, &Site::of("plain"), places, (directory, addresses))?,
            Self::WeirChain => weir(program, &Site::of("chain"), places, (directory, addresses))?,
            Self::WeirPolicies => {
                weir(program, &Site::of("policies"), places, (directory, addresses))?
            }
            Self::WeirObserved | Self::WeirTraced => {
                let site = self.site_with_collector(addresses);
                weir(program, &site, places, (directory, addresses))?
            }
            Self::WeirLimitMemory | Self::WeirLimitRedis => {
                let site = self.site_with_keys(addresses);
                weir(program, &site, places, (directory, addresses))?
            }
            Self::NginxRedis => {
                let text = text_of(include_str!("../peers/nginx-redis.conf"));
                let limit = [("calls", KEY_CALLS), ("period", KEY_PERIOD)];
                let text = with_limit(&text, places, limit);
                nginx_with_lua(program, places, directory, &text)?
            }
        })
    }
}

impl Contestant {
    /// Its configuration with a collector: the upstream, which answers that it has taken everything.
    fn site_with_collector(self, addresses: Addresses) -> Site<'static> {
        let ratio = if self == Self::WeirTraced { "1" } else { "0.01" };
        let mut site = Site::of("plain");
        site.flags = vec![
            ("--telemetry-otlp-endpoint", format!("http://{}", addresses.upstream)),
            ("--telemetry-otlp-protocol", "http".to_owned()),
            ("--telemetry-traces-ratio", ratio.to_owned()),
            ("--log-access", "all".to_owned()),
            ("--log-format", "json".to_owned()),
        ];
        site
    }

    /// Its configuration with a limit that is never reached.
    fn site_with_keys(self, addresses: Addresses) -> Site<'static> {
        let mut site = Site::of("keys");
        site.fill = vec![
            ("{{calls}}", KEY_CALLS.to_string()),
            ("{{period}}", KEY_PERIOD.to_string()),
            ("{{manner}}", String::new()),
        ];
        if let (Self::WeirLimitRedis, Some(redis)) = (self, addresses.redis) {
            site.flags = vec![("--redis-url", format!("redis://{redis}"))];
        }
        site
    }
}

impl<'a> Site<'a> {
    /// The scenario as it is written.
    pub(crate) fn of(scenario: &'a str) -> Self {
        Self { scenario, fill: Vec::new(), flags: Vec::new(), more: Vec::new() }
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
pub(crate) fn weir(
    program: Invocation,
    site: &Site<'_>,
    places: &Places,
    (directory, addresses): (&Path, Addresses),
) -> Result<Invocation, Failure> {
    let folder = directory.join("configuration");
    let mut fill = vec![(WRITTEN_UPSTREAM, addresses.upstream.to_string())];
    fill.extend(site.fill.iter().cloned());
    copy_scenario(&places.crate_folder.join("scenarios").join(site.scenario), &folder, &fill)?;
    for (name, text) in &site.more {
        write(&folder.join(name), text)?;
    }
    let program = program.with("run").with("--config").with(folder).with("--threads").with("1");
    let program = program.with("--listen-http").with(addresses.listen.to_string());
    let program = program.with("--listen-admin").with(addresses.admin.to_string());
    let flags = site.flags.iter();
    Ok(flags.fold(program, |program, (flag, value)| program.with(flag).with(value)))
}

/// `nginx` with the modules and libraries that [`crate::programs`] unpacked.
pub(crate) fn nginx_with_lua(
    program: Invocation,
    places: &Places,
    directory: &Path,
    configuration: &str,
) -> Result<Invocation, Failure> {
    let modules = lua_folder(places);
    let libraries = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
    let libraries = libraries.iter().chain(&["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"]);
    let paths: Vec<_> = libraries.map(|path| modules.join(path).display().to_string()).collect();
    let set = format!("LD_LIBRARY_PATH={}", paths.join(":"));
    let program = nginx(program, directory, configuration)?;
    Ok(program.under(Invocation::of("env").with(set)))
}

/// The configuration of nginx with a limit, its modules and its limit filled in.
pub(crate) fn with_limit(text: &str, places: &Places, limit: [(&str, u64); 2]) -> String {
    let text = text.replace("{{modules}}", &lua_folder(places).display().to_string());
    limit.iter().fold(text, |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), &value.to_string())
    })
}

/// Where nginx's modules for Lua are.
pub(crate) fn lua_folder(places: &Places) -> PathBuf {
    places.output.join("nginx-lua")
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
    let Addresses { listen, upstream, redis, .. } = addresses;
    let redis = redis.unwrap_or(listen);
    [
        ("{{redis_host}}", redis.ip().to_string()),
        ("{{redis_port}}", redis.port().to_string()),
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

/// Copies a scenario's folder, with what stands for something else in it replaced.
fn copy_scenario(from: &Path, to: &Path, fill: &[(&str, String)]) -> Result<(), Failure> {
    fs::create_dir(to).map_err(during(format!("making {}", to.display())))?;
    let reading = || during(format!("reading {}", from.display()));
    for entry in fs::read_dir(from).map_err(reading())?.take(SCENARIO_FILES_MAX) {
        let entry = entry.map_err(reading())?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_scenario(&from, &to, fill)?;
        } else {
            let text = fs::read_to_string(&from);
            let text = text.map_err(during(format!("reading {}", from.display())))?;
            let filled = fill.iter().fold(text, |text, (name, value)| text.replace(name, value));
            write(&to, &filled)?;
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(during(format!("writing {}", file.display())))
}
