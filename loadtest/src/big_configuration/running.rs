//! A gateway with a big configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::written;
use crate::bench::{Setting, first_answer};
use crate::client::{Connection, Request};
use crate::clock::Deadline;
use crate::contestant::free_addresses;
use crate::failure::Failure;
use crate::process::{Invocation, Process};

/// A first load that takes longer is none.
const START_TIME: Duration = Duration::from_mins(5);
/// A change that is not served by then never will be.
const CHANGE_TIME: Duration = Duration::from_mins(2);
/// How often it is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// A gateway. It ends when the value does.
pub(super) struct Running {
    process: Process,
    /// Where clients find it.
    pub(super) address: SocketAddr,
}

impl Running {
    /// Starts `binary` on the proxy's core, over the folder `configuration` in `directory` and with
    /// more settings.
    pub(super) fn start(
        setting: &Setting,
        binary: &Path,
        directory: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let (invocation, address) = invocation(binary, directory, settings)?;
        let log = directory.join("log");
        let process = Process::start("the gateway", invocation, setting.cores, &log)?;
        Ok(Self { process, address })
    }

    /// The same on the core of the load; `name` tells its log from others'.
    pub(super) fn start_beside(
        name: &str,
        binary: &Path,
        directory: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let (invocation, address) = invocation(binary, directory, settings)?;
        let log = directory.join(format!("log-{name}"));
        let process = Process::start_beside("a replica", invocation, &log)?;
        Ok(Self { process, address })
    }

    /// Waits until it serves what was written first.
    pub(super) fn await_first(&mut self) -> Result<(), Failure> {
        let path = format!("/api-00000/items/0?subscription-key={}", written::key(0));
        let request = Request { path: &path, header: Some("X-Sent: 0") };
        let deadline = Deadline::after(START_TIME);
        while let Err(last) = first_answer(self.address, request) {
            if deadline.has_passed() || self.process.has_ended()?.is_some() {
                return Err(self.not_serving("the gateway", START_TIME, last));
            }
            Deadline::pause(ASK_AGAIN);
        }
        Ok(())
    }

    /// Waits until it says `word` at `path`.
    pub(super) fn await_word(&mut self, path: &str, word: &str) -> Result<(), Failure> {
        let request = Request { path, header: None };
        let deadline = Deadline::after(CHANGE_TIME);
        loop {
            let answer =
                Connection::open(self.address).and_then(|mut connection| connection.ask(request));
            if answer.as_ref().is_ok_and(|answer| answer.body.trim() == word) {
                return Ok(());
            }
            if deadline.has_passed() {
                let last = format!("{answer:?}");
                return Err(self.not_serving("the change of an API", CHANGE_TIME, last));
            }
            Deadline::pause(ASK_AGAIN);
        }
    }

    /// Seconds of processor time so far.
    pub(super) fn cpu(&self) -> Result<f64, Failure> {
        self.process.cpu_seconds()
    }

    /// A figure of its memory, in MiB.
    pub(super) fn memory(&self, figure: &'static str) -> Result<f64, Failure> {
        Ok(self.process.memory_kib(figure)? / 1024.0)
    }

    fn not_serving(&self, name: &str, time: Duration, last: String) -> Failure {
        let (seconds, said) = (time.as_secs(), self.process.said_last());
        Failure::NotServing { name: name.to_owned(), seconds, last, said }
    }
}

fn invocation(
    binary: &Path,
    directory: &Path,
    settings: &[(&str, String)],
) -> Result<(Invocation, SocketAddr), Failure> {
    let [address, admin] = free_addresses()?;
    let invocation = Invocation::of(binary).with("run").with("--config");
    let invocation = invocation.with(directory.join("configuration"));
    let usual = [
        ("--threads", "1".to_owned()),
        ("--listen-http", address.to_string()),
        ("--listen-admin", admin.to_string()),
    ];
    let all = usual.iter().chain(settings);
    let invocation = all.fold(invocation, |what, (name, value)| what.with(name).with(value));
    Ok((invocation, address))
}
