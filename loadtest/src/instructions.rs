//! User-space instructions for one request, counted by valgrind: a gauge that a busy machine does
//! not move. Start and end of the process fall out, because only the difference between a short
//! and a long run counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bench::{Bench, START_TIME_COUNTED, Setting};
use crate::client::Request;
use crate::contestant::Contestant;
use crate::failure::{Failure, during};
use crate::machine::processor;
use crate::process::{Invocation, Process, last_of};
use crate::programs::Program;

/// Requests of the short run.
const FEW: u64 = 1000;

/// Requests of the long run.
const MANY: u64 = 4000;

/// Connections at a time.
const CONNECTIONS: u64 = 16;

/// How far a figure may be from the recorded one, in percent of it.
const TOLERANCE_PERCENT: u64 = 3;

/// The longest a counted run takes, or the end of a counted process.
const RUN_TIME: Duration = Duration::from_mins(3);

/// The gauge's file, in the folder of this crate.
const GAUGE_FILE: &str = "instructions.json";

/// What is recorded in the repository.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Gauge {
    /// For the reader of the file.
    what: String,
    /// Where it was recorded; code that picks instructions by processor may differ elsewhere.
    processor: String,
    /// By contestant.
    per_request: BTreeMap<Contestant, u64>,
}

/// Counts for each contestant. Records the figures, or with `check` compares them with the
/// recorded ones.
pub(crate) fn run(
    setting: &Setting,
    contestants: &[Contestant],
    check: bool,
) -> Result<(), Failure> {
    let bench = Bench::open(setting, contestants, &[Program::Valgrind, Program::H2load])?;
    let file = setting.places.crate_folder.join(GAUGE_FILE);
    let recorded = recorded(&file)?;
    let mut counted = BTreeMap::new();
    println!("| proxy | instructions/request | recorded |\n|---|---|---|");
    for &contestant in contestants {
        let per_request = per_request(&bench, contestant)?;
        counted.insert(contestant, per_request);
        let before = recorded.get(&contestant).map_or_else(|| "-".to_owned(), u64::to_string);
        println!("| {} | {per_request} | {before} |", contestant.name());
    }
    if check { compare(&recorded, &counted) } else { record(&file, recorded, counted) }
}

fn per_request(bench: &Bench, contestant: Contestant) -> Result<u64, Failure> {
    let few = instructions(bench, contestant, FEW)?;
    let many = instructions(bench, contestant, MANY)?;
    many.checked_sub(few).map(|more| more / (MANY - FEW)).ok_or_else(|| {
        let name = contestant.name();
        Failure::NotValid(format!(
            "{name}: {many} instructions for {MANY} requests, {few} for {FEW}"
        ))
    })
}

/// All instructions of a process that starts, serves `requests` and ends.
fn instructions(bench: &Bench, contestant: Contestant, requests: u64) -> Result<u64, Failure> {
    let prepared = bench.prepare(contestant)?;
    let valgrind = bench.programs.invocation(Program::Valgrind)?;
    let valgrind = valgrind.with("--tool=cachegrind").with("--cache-sim=no");
    let valgrind = valgrind.with("--cachegrind-out-file=/dev/null").with("--");
    let prepared = prepared.under(valgrind);
    let mut serving = bench.start_prepared(contestant, prepared, START_TIME_COUNTED)?;
    let load = exactly(bench, contestant, requests, &serving.address.to_string())?;
    let said = Process::run("h2load", load, &bench.file("h2load.log"), RUN_TIME)?;
    if !said.contains(&format!("status codes: {requests} 2xx")) {
        let name = contestant.name();
        let said = last_of(&said);
        let what = format!("{name} did not answer {requests} requests with 2xx; h2load: {said}");
        return Err(Failure::NotValid(what));
    }
    serving.process.interrupt()?;
    serving.process.wait_within(RUN_TIME)?;
    total(&serving.process.said())
}

/// h2load sends exactly as many requests as it is told, which wrk cannot.
fn exactly(
    bench: &Bench,
    contestant: Contestant,
    requests: u64,
    address: &str,
) -> Result<Invocation, Failure> {
    let Request { path, header } = contestant.request();
    let h2load = bench.programs.invocation(Program::H2load)?.with("--h1").with("--threads=1");
    let h2load = h2load.with(format!("--requests={requests}"));
    let mut h2load = h2load.with(format!("--clients={CONNECTIONS}"));
    if let Some(header) = header {
        h2load = h2load.with("--header").with(header);
    }
    Ok(h2load.with(format!("http://{address}{path}")))
}

/// The total that cachegrind prints at the end: `I refs: 123,456`.
fn total(said: &str) -> Result<u64, Failure> {
    let figure = |line: &str| {
        let (before, after) = line.split_once("refs:")?;
        before.trim_end().ends_with('I').then(|| after.trim().replace(',', "").parse().ok())?
    };
    let expected = "a line `I refs: N`";
    let unreadable = || Failure::Unreadable { tool: "valgrind", expected, said: last_of(said) };
    said.lines().find_map(figure).ok_or_else(unreadable)
}

fn recorded(file: &Path) -> Result<BTreeMap<Contestant, u64>, Failure> {
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let reading = format!("reading {}", file.display());
    let text = fs::read_to_string(file).map_err(during(&*reading))?;
    let gauge: Gauge = serde_json::from_str(&text).map_err(|e| during(reading)(e.into()))?;
    Ok(gauge.per_request)
}

/// Writes what was counted; figures of contestants that did not take part stay.
fn record(
    file: &Path,
    recorded: BTreeMap<Contestant, u64>,
    counted: BTreeMap<Contestant, u64>,
) -> Result<(), Failure> {
    let gauge = Gauge {
        what: format!(
            "User-space instructions for one request: cachegrind's totals after {FEW} and after \
             {MANY} requests on {CONNECTIONS} connections, their difference divided by {}. \
             Written by `weir-loadtest instructions`.",
            MANY - FEW
        ),
        processor: processor(),
        per_request: recorded.into_iter().chain(counted).collect(),
    };
    let text = serde_json::to_string_pretty(&gauge).unwrap_or_default();
    fs::write(file, text + "\n").map_err(during(format!("writing {}", file.display())))
}

fn compare(
    recorded: &BTreeMap<Contestant, u64>,
    counted: &BTreeMap<Contestant, u64>,
) -> Result<(), Failure> {
    let mut moved = String::new();
    for (contestant, &now) in counted {
        let name = contestant.name();
        // Writing to a `String` cannot fail.
        let _ = match recorded.get(contestant) {
            None => writeln!(moved, "{name}: {now}, nothing recorded yet"),
            Some(&then) if now.abs_diff(then) * 100 > then * TOLERANCE_PERCENT => {
                writeln!(moved, "{name}: {now}, recorded {then}, tolerance {TOLERANCE_PERCENT} %")
            }
            Some(_) => Ok(()),
        };
    }
    if moved.is_empty() {
        return Ok(());
    }
    moved.push_str("if the change is meant, run `weir-loadtest instructions` and commit the file");
    Err(Failure::GaugeMoved(moved))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{compare, total};
    use crate::contestant::Contestant;

    #[test]
    fn the_total_is_read_with_its_separators() {
        assert_eq!(total("==7== \n==7== I   refs:      1,234,567\n").unwrap(), 1_234_567);
        assert_eq!(total("==7== I refs:        89\n").unwrap(), 89);
    }

    #[test]
    fn output_without_a_total_is_unreadable() {
        assert!(total("==7== Command: weir\n").is_err());
    }

    #[test]
    fn a_figure_within_the_tolerance_passes_in_both_directions() {
        let gauge = |figure| BTreeMap::from([(Contestant::WeirPlain, figure)]);
        assert!(compare(&gauge(100_000), &gauge(103_000)).is_ok());
        assert!(compare(&gauge(100_000), &gauge(97_000)).is_ok());
        assert!(compare(&gauge(100_000), &gauge(103_001)).is_err());
        assert!(compare(&gauge(100_000), &gauge(96_999)).is_err());
    }

    #[test]
    fn a_contestant_without_a_record_fails_the_check() {
        let counted = BTreeMap::from([(Contestant::WeirPlain, 1)]);
        let failure = compare(&BTreeMap::new(), &counted).unwrap_err();
        assert!(failure.to_string().contains("weir-plain: 1, nothing recorded yet"));
    }
}
