//! From exec to the first 200 that came through the proxy.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::bench::{Bench, Setting, first_answer};
use crate::clock::{self, Deadline};
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::process::Process;
use crate::report::publish;
use crate::statistics::Spread;

/// A start that takes longer is no start.
const START_TIME: Duration = Duration::from_secs(10);

/// The time between two attempts: the error of one measurement.
const ASK_AGAIN: Duration = Duration::from_micros(100);

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    runs: u32,
    rows: Vec<Row>,
}

/// One contestant's starts.
#[derive(Debug, Serialize)]
struct Row {
    contestant: Contestant,
    milliseconds: Spread,
}

/// Starts everybody `runs` times, in turn; prints and keeps the report.
pub(crate) fn run(setting: &Setting, contestants: &[Contestant], runs: u32) -> Result<(), Failure> {
    let bench = Bench::open(setting, contestants, &[])?;
    let machine = Machine::look(bench.cores, &bench.programs);
    let mut starts: Vec<(Contestant, Vec<f64>)> =
        contestants.iter().map(|&contestant| (contestant, Vec::new())).collect();
    for _ in 0..runs {
        for (contestant, milliseconds) in &mut starts {
            milliseconds.push(start_once(&bench, *contestant)?.as_secs_f64() * 1e3);
        }
        starts.rotate_left(1);
    }
    starts.sort_by_key(|(contestant, _)| *contestant);
    let row = |(contestant, milliseconds): (Contestant, Vec<f64>)| {
        Some(Row { contestant, milliseconds: Spread::of(milliseconds)? })
    };
    let report = Report { machine, runs, rows: starts.into_iter().filter_map(row).collect() };
    let text = markdown(&report);
    publish(&setting.places, "cold-start", (&text, &report), Ok(()))
}

fn start_once(bench: &Bench, contestant: Contestant) -> Result<Duration, Failure> {
    let prepared = bench.prepare(contestant)?;
    let deadline = Deadline::after(START_TIME);
    let started = clock::now();
    let name = contestant.name();
    let process = Process::start_directly(name, &prepared.invocation, bench.cores, &prepared.log)?;
    loop {
        match first_answer(prepared.address, contestant.request()) {
            Ok(()) => return Ok(started.elapsed()),
            Err(last) if deadline.has_passed() => {
                let (name, said) = (name.to_owned(), process.said_last());
                return Err(Failure::NotServing {
                    name,
                    seconds: START_TIME.as_secs(),
                    last,
                    said,
                });
            }
            Err(_) => Deadline::pause(ASK_AGAIN),
        }
    }
}

fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Cold start\n\n{}\n\nMilliseconds from exec to the first 200 through the proxy, {} starts \
         each, in turn.\n\n| proxy | median | least | greatest |\n|---|---|---|---|\n",
        report.machine.line(),
        report.runs,
    );
    for row in &report.rows {
        let Spread { median, min, max } = row.milliseconds;
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| {} | {median:.1} | {min:.1} | {max:.1} |", row.contestant.name());
    }
    text
}
