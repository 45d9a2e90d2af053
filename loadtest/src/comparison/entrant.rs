//! Who takes part in the report, and who cannot take part in what.

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::peer;
use super::task::Task;
use crate::contestant::{Addresses, Site, nginx, nginx_with_lua, weir};
use crate::failure::{Failure, during};
use crate::open_loop::asking::Asking;
use crate::process::Invocation;
use crate::programs::{Places, Program, Programs};

/// A proxy.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Entrant {
    /// The yardstick: Pingora with nothing on it.
    BarePingora,
    /// nginx.
    Nginx,
    /// nginx with Lua, which counts in Redis.
    NginxRedis,
    /// haproxy.
    Haproxy,
    /// Envoy.
    Envoy,
    /// Traefik.
    Traefik,
    /// Weir without policies, beside Weir with those of the scenario.
    WeirPlain,
    /// Weir with what the scenario asks for.
    Weir,
}

impl Entrant {
    /// Everybody, in the order of the report.
    pub(crate) const ALL: [Self; 8] = [
        Self::BarePingora,
        Self::Nginx,
        Self::NginxRedis,
        Self::Haproxy,
        Self::Envoy,
        Self::Traefik,
        Self::WeirPlain,
        Self::Weir,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BarePingora => "bare-pingora",
            Self::Nginx => "nginx",
            Self::NginxRedis => "nginx-redis",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::WeirPlain => "weir-plain",
            Self::Weir => "weir",
        }
    }

    /// What runs it.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::BarePingora => Program::BarePingora,
            Self::Nginx => Program::Nginx,
            Self::NginxRedis => Program::NginxLua,
            Self::Haproxy => Program::Haproxy,
            Self::Envoy => Program::Envoy,
            Self::Traefik => Program::Traefik,
            Self::WeirPlain | Self::Weir => Program::Weir,
        }
    }

    /// Whether it has anything to do with `task`: the two that stand for others have not always.
    pub(crate) fn belongs_to(self, task: Task) -> bool {
        let shared = matches!(task, Task::KeyLimitRedis | Task::RedisKilled);
        match self {
            Self::NginxRedis => shared,
            Self::WeirPlain => matches!(
                task,
                Task::KeyLimit
                    | Task::KeyLimitRedis
                    | Task::JwtHs256
                    | Task::JwtRs256
                    | Task::Headers
            ),
            Self::Nginx => !shared,
            Self::BarePingora | Self::Haproxy | Self::Envoy | Self::Traefik | Self::Weir => true,
        }
    }

    /// Why it cannot take part in `task`, if it cannot.
    pub(crate) fn cannot(self, task: Task) -> Option<&'static str> {
        match (self, task) {
            (Self::BarePingora, Task::KeyLimit | Task::KeyLimitRedis | Task::RedisKilled) => {
                Some("has neither keys nor limits")
            }
            (Self::BarePingora, Task::JwtHs256 | Task::JwtRs256) => Some("knows no tokens"),
            (Self::BarePingora, Task::Headers) => Some("has no policies"),
            (Self::BarePingora, Task::Reload) => Some("has no configuration"),
            (Self::Haproxy, Task::KeyLimitRedis | Task::RedisKilled) => {
                Some("counts in its own memory only (peers of its own kind apart)")
            }
            (Self::Envoy, Task::KeyLimitRedis | Task::RedisKilled) => Some(
                "needs its rate limit service, which no package of Debian's or Python's brings",
            ),
            (Self::Nginx | Self::Traefik, Task::JwtHs256 | Task::JwtRs256) => {
                Some("judges tokens in its paid edition only")
            }
            (Self::Haproxy | Self::Envoy, Task::JwtHs256 | Task::JwtRs256) => {
                Some("can do it, and is not set up for it here")
            }
            (Self::Envoy, Task::Reload) => {
                Some("is configured by discovery services, and is not set up for it here")
            }
            (Self::Haproxy, Task::Reload) => {
                Some("starts a new process for a configuration, and is not set up for it here")
            }
            _ => None,
        }
    }

    /// What it is asked in `task`.
    pub(crate) fn asking(self, task: Task) -> Asking {
        // An API that is open to everybody refuses a key that it does not know.
        let is_open =
            self == Self::WeirPlain && matches!(task, Task::KeyLimit | Task::KeyLimitRedis);
        if is_open { Task::Plain.asking() } else { task.asking() }
    }

    /// Starts nothing yet: how it is started for `task`, with its configuration in `directory`.
    pub(crate) fn invocation(
        self,
        task: Task,
        (programs, places): (&Programs, &Places),
        directory: &Path,
        addresses: Addresses,
    ) -> Result<Invocation, Failure> {
        let program = programs.invocation(self.program())?;
        let text = peer::text(self, task, places, (directory, addresses));
        let file = |name: &str| {
            let file = directory.join(name);
            let written = std::fs::write(&file, &text);
            written.map_err(during(format!("writing {}", file.display()))).map(|()| file)
        };
        let Addresses { listen, upstream, .. } = addresses;
        Ok(match self {
            Self::BarePingora => {
                let program = program.with(listen.to_string()).with(upstream.to_string());
                let program = if matches!(task, Task::Http2 | Task::Grpc) {
                    program.with("--h2c")
                } else {
                    program
                };
                if task == Task::Grpc { program.with("--upstream-http2") } else { program }
            }
            Self::Nginx => nginx(program, directory, &text)?,
            Self::NginxRedis => nginx_with_lua(program, places, directory, &text)?,
            Self::Haproxy => program.with("-db").with("-f").with(file("haproxy.cfg")?),
            Self::Envoy => {
                let program = program.with("-c").with(file("envoy.yaml")?);
                let program = program.with("--concurrency").with("1");
                program.with("-l").with("error").with("--disable-hot-restart")
            }
            Self::Traefik => peer::traefik(program, listen, &file("traefik.yaml")?),
            Self::WeirPlain => weir(program, &Site::of("plain"), places, (directory, addresses))?,
            Self::Weir => weir(program, &site(task, addresses), places, (directory, addresses))?,
        })
    }
}

/// Weir's configuration for `task`.
fn site(task: Task, addresses: Addresses) -> Site<'static> {
    let mut site = Site::of(match task {
        Task::Plain | Task::Http2 | Task::Idle | Task::Reload | Task::RedisKilled => "plain",
        Task::KeyLimit | Task::KeyLimitRedis => "key-limit",
        Task::JwtHs256 => "jwt-hs256",
        Task::JwtRs256 => "jwt-rs256",
        Task::Headers => "headers",
        Task::BodiesUp | Task::BodiesDown => "bodies",
        Task::Grpc => "grpc",
    });
    site.flags = match (task, addresses.redis) {
        (Task::KeyLimitRedis, Some(redis)) => vec![("--redis-url", format!("redis://{redis}"))],
        (Task::Http2 | Task::Grpc, _) => vec![("--listen-h2c", "true".to_owned())],
        (Task::Idle, _) => vec![("--limits-connections", peer::CONNECTIONS_MAX.to_string())],
        (Task::Reload, _) => vec![("--configuration-poll-interval", "250ms".to_owned())],
        _ => Vec::new(),
    };
    site
}

impl std::fmt::Display for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
