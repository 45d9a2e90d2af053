//! What a kept-alive connection costs in memory while nothing happens on it.

use std::fmt::Write as _;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use crate::bench::{BODY, Bench, Setting};
use crate::client::Connection;
use crate::clock::Deadline;
use crate::contestant::Contestant;
use crate::failure::{Failure, during};
use crate::machine::Machine;
use crate::report::publish;

/// After this, what a request needed besides its connection has been given back.
pub(crate) const SETTLING_TIME: Duration = Duration::from_millis(500);

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    connections: u32,
    rows: Vec<Row>,
}

/// One contestant's memory.
#[derive(Debug, Serialize)]
struct Row {
    contestant: Contestant,
    resident_mib_before: f64,
    resident_mib_after: f64,
    kib_per_connection: f64,
}

/// Opens `connections` to each contestant; prints and keeps the report.
pub(crate) fn run(
    setting: &Setting,
    contestants: &[Contestant],
    connections: u32,
) -> Result<(), Failure> {
    allow_many_files()?;
    let bench = Bench::open(setting, contestants, &[])?;
    let machine = Machine::look(bench.cores, &bench.programs);
    let rows = contestants.iter().map(|&who| hold(&bench, who, connections));
    let report = Report { machine, connections, rows: rows.collect::<Result<_, _>>()? };
    let text = markdown(&report);
    publish(&setting.places, "idle-connections", (&text, &report), Ok(()))
}

fn hold(bench: &Bench, contestant: Contestant, count: u32) -> Result<Row, Failure> {
    let name = contestant.name();
    let serving = bench.start(contestant)?;
    Deadline::pause(SETTLING_TIME);
    let before = serving.process.resident_kib()?;
    let opening = |number: u32| during(format!("{name}, connection {number} of {count}"));
    let mut open = Vec::new();
    for number in 1..=count {
        let mut connection = Connection::open(serving.address).map_err(opening(number))?;
        ask(&mut connection, contestant, number)?;
        open.push((number, connection));
    }
    Deadline::pause(SETTLING_TIME);
    let after = serving.process.resident_kib()?;
    // A proxy that had closed some of them would look thrifty.
    for (number, connection) in &mut open {
        ask(connection, contestant, *number)?;
    }
    Ok(Row {
        contestant,
        resident_mib_before: before / 1024.0,
        resident_mib_after: after / 1024.0,
        kib_per_connection: (after - before) / f64::from(count),
    })
}

fn ask(connection: &mut Connection, contestant: Contestant, number: u32) -> Result<(), Failure> {
    let what = format!("{}, connection {number}", contestant.name());
    let answer = connection.ask(contestant.request()).map_err(during(what.clone()))?;
    if answer.status == 200 && answer.body == BODY {
        Ok(())
    } else {
        Err(Failure::NotValid(format!("{what}: status {}", answer.status)))
    }
}

/// Raises the soft limit on open files to the hard one, for this program and what it starts.
pub(crate) fn allow_many_files() -> Result<(), Failure> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|e| during("raising the limit on open files")(e.into()))
}

fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Idle connections\n\n{}\n\nResident memory with {} kept-alive connections, each after one \
         request.\n\n| proxy | MiB before | MiB after | KiB a connection |\n|---|---|---|---|\n",
        report.machine.line(),
        report.connections,
    );
    for row in &report.rows {
        let Row { contestant, resident_mib_before, resident_mib_after, kib_per_connection } = row;
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {resident_mib_before:.1} | {resident_mib_after:.1} | {kib_per_connection:.1} |",
            contestant.name(),
        );
    }
    text
}
