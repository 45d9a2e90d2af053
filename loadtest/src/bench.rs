//! The bench: the upstream that everybody forwards to, and the proxies started against it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Connection, Request};
use crate::clock::Deadline;
use crate::contestant::{Addresses, Contestant, filled, free_addresses, nginx, programs_of};
use crate::failure::{Failure, during};
use crate::process::{Cores, Invocation, Process};
use crate::programs::{Named, Places, Program, Programs};
use crate::redis::Redis;

/// What the upstream answers: 43 bytes.
pub(crate) const BODY: &str = "An upstream of the load test answers this.\n";

/// Enough to be asked about the upstream's counter.
const COUNTED: Request<'_> = Request { path: "/counted", header: None };

/// The time a proxy has from its start to its first right answer.
pub(crate) const START_TIME: Duration = Duration::from_secs(30);

/// The same under valgrind.
pub(crate) const START_TIME_COUNTED: Duration = Duration::from_mins(2);

/// How often a starting proxy is asked.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// What all scenarios are told.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Binaries that were named.
    pub(crate) named: Named,
    /// Where things lie.
    pub(crate) places: Places,
    /// Who runs where.
    pub(crate) cores: Cores,
}

/// The upstream, running, and what is needed to start proxies before it.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The programs of this scenario.
    pub(crate) programs: Programs,
    /// Where things lie.
    pub(crate) places: Places,
    /// Who runs where.
    pub(crate) cores: Cores,
    upstream_address: SocketAddr,
    /// Ends before its directory goes.
    _upstream: Process,
    /// The Redis of those that share limits.
    pub(crate) redis: Option<Redis>,
    directory: TempDir,
}

/// A proxy that answers as it has to.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Who it is.
    pub(crate) contestant: Contestant,
    /// Its process, or valgrind's around it.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

/// A proxy that was started, whether it answers yet or not.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its configuration is.
    pub(crate) folder: TempDir,
}

/// A proxy that is ready to be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// How.
    pub(crate) invocation: Invocation,
    /// Where it will listen.
    pub(crate) address: SocketAddr,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    directory: TempDir,
}

impl Bench {
    /// Gathers the programs for `contestants` and `tools` and starts the upstream.
    pub(crate) fn open(
        setting: &Setting,
        contestants: &[Contestant],
        tools: &[Program],
    ) -> Result<Self, Failure> {
        let mut needed: BTreeSet<Program> = programs_of(contestants);
        needed.extend(tools);
        needed.extend([Program::Nginx, Program::Setpriv]);
        let programs = Programs::gather(&needed, &setting.named, &setting.places)?;
        // Only now: building needs all cores.
        setting.cores.settle()?;
        let directory = TempDir::with_prefix("weir-loadtest-")
            .map_err(during("making a temporary directory"))?;
        let [address, admin] = free_addresses()?;
        let addresses = Addresses { listen: address, admin, upstream: address, redis: None };
        let template = include_str!("../peers/upstream.nginx.conf").replace("{{body}}", BODY);
        let text = filled(&template, directory.path(), addresses);
        let upstream = nginx(programs.invocation(Program::Nginx)?, directory.path(), &text)?;
        let log = directory.path().join("log");
        let mut upstream = Process::start_beside("the upstream", upstream, &log)?;
        let request = Contestant::Nginx.request();
        wait_until_serving("the upstream", &mut upstream, (address, request), START_TIME)?;
        let redis = needed.contains(&Program::Redis);
        let redis = redis.then(|| Redis::start(&programs, directory.path(), None)).transpose()?;
        Ok(Self {
            programs,
            redis,
            places: setting.places.clone(),
            cores: setting.cores,
            upstream_address: address,
            _upstream: upstream,
            directory,
        })
    }

    /// Starts `contestant` on the proxy's core and waits until it serves.
    pub(crate) fn start(&self, contestant: Contestant) -> Result<Serving, Failure> {
        let prepared = self.prepare(contestant)?;
        self.start_prepared(contestant, prepared, START_TIME)
    }

    /// Starts what [`Bench::prepare`] made and waits until it serves.
    pub(crate) fn start_prepared(
        &self,
        contestant: Contestant,
        prepared: Prepared,
        time: Duration,
    ) -> Result<Serving, Failure> {
        let Prepared { invocation, address, log, directory } = prepared;
        let mut process = Process::start(contestant.name(), invocation, self.cores, &log)?;
        let target = (address, contestant.request());
        wait_until_serving(contestant.name(), &mut process, target, time)?;
        Ok(Serving { contestant, process, address, _directory: directory })
    }

    /// Writes the configuration of `contestant` and finds it a port.
    pub(crate) fn prepare(&self, contestant: Contestant) -> Result<Prepared, Failure> {
        let directory = TempDir::with_prefix_in(contestant.name(), self.directory.path())
            .map_err(during("making a temporary directory"))?;
        let [address, admin] = free_addresses()?;
        let redis = self.redis.as_ref().map(|redis| redis.address);
        let addresses =
            Addresses { listen: address, admin, upstream: self.upstream_address, redis };
        let invocation =
            contestant.invocation(&self.programs, &self.places, directory.path(), addresses)?;
        Ok(Prepared { invocation, address, log: directory.path().join("log"), directory })
    }

    /// Starts a proxy by the name of `name` on the proxy's core, before the upstream or before another
    /// one, as `invocation` says for its folder and its addresses. Does not wait until it serves.
    pub(crate) fn launch(
        &self,
        name: &str,
        upstream: Option<SocketAddr>,
        invocation: impl FnOnce(&Path, Addresses) -> Result<Invocation, Failure>,
    ) -> Result<Started, Failure> {
        let folder = TempDir::with_prefix_in(name, self.directory.path())
            .map_err(during("making a temporary directory"))?;
        let [address, admin] = free_addresses()?;
        let addresses = Addresses {
            listen: address,
            admin,
            upstream: upstream.unwrap_or(self.upstream_address),
            redis: self.redis.as_ref().map(|redis| redis.address),
        };
        let invocation = invocation(folder.path(), addresses)?;
        let log = folder.path().join("log");
        let process = Process::start(name, invocation, self.cores, &log)?;
        Ok(Started { process, address, folder })
    }

    /// A file beside the proxies' own, for a tool's output.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How many requests the upstream has had so far, this one included.
    pub(crate) fn upstream_count(&self) -> Result<f64, Failure> {
        let asking = during("asking the upstream for its count");
        let answer = Connection::open(self.upstream_address)
            .and_then(|mut connection| connection.ask(COUNTED))
            .map_err(asking)?;
        // Third of the three figures below the heading: accepted, handled, requests.
        let figures = answer.body.lines().nth(2).unwrap_or_default();
        figures.split_whitespace().nth(2).and_then(|word| word.parse().ok()).ok_or(
            Failure::Unreadable { tool: "stub_status", expected: "counters", said: answer.body },
        )
    }
}

impl Prepared {
    /// The same proxy, run by `outer`.
    pub(crate) fn under(mut self, outer: Invocation) -> Self {
        self.invocation = self.invocation.under(outer);
        self
    }
}

/// Asks until the answer is the upstream's.
fn wait_until_serving(
    name: &str,
    process: &mut Process,
    (address, request): (SocketAddr, Request<'_>),
    time: Duration,
) -> Result<(), Failure> {
    let deadline = Deadline::after(time);
    loop {
        let last = match first_answer(address, request) {
            Ok(()) => return Ok(()),
            Err(last) => last,
        };
        if deadline.has_passed() || process.has_ended()?.is_some() {
            return Err(Failure::NotServing {
                name: name.to_owned(),
                seconds: time.as_secs(),
                last,
                said: process.said_last(),
            });
        }
        Deadline::pause(ASK_AGAIN);
    }
}

/// One request on a connection of its own; what was wrong with the answer, if anything.
pub(crate) fn first_answer(address: SocketAddr, request: Request<'_>) -> Result<(), String> {
    let answer = Connection::open(address)
        .and_then(|mut connection| connection.ask(request))
        .map_err(|error| error.to_string())?;
    if answer.status == 200 && answer.body == BODY {
        Ok(())
    } else {
        Err(format!("status {}, body `{}`", answer.status, answer.body.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::BODY;

    #[test]
    fn the_body_is_as_long_as_the_readme_says() {
        assert_eq!(BODY.len(), 43);
    }
}
