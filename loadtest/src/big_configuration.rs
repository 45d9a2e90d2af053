//! What a big configuration costs: the first load, a change of one API, memory, and what requests
//! notice while the next one takes its place.

mod running;
mod together;
mod written;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tempfile::TempDir;

use crate::bench::Setting;
use crate::clock::{self, Dates, Deadline};
use crate::failure::{Failure, during};
use crate::load::{Clients, Load, Pace, Told};
use crate::machine::Machine;
use crate::programs::{Program, Programs};
use crate::report::{kept, publish};
use crate::statistics::{Spread, count, float};
use crate::witness::Witness;

use running::Running;
use together::Together;
use written::Size;

/// The promise: a change of one API is served after so long, polling included.
const SERVED_SECONDS_MAX: f64 = 2.0;

/// How long the gateway is watched while nothing happens, and then while only requests come.
const QUIET_TIME: Duration = Duration::from_secs(10);
/// Between two changes, so that each is seen by itself.
const BETWEEN: Duration = Duration::from_millis(300);
/// Requests come so often, whatever becomes of the others ...
const EVERY: Duration = Duration::from_millis(5);
/// ... on so many connections.
const CONNECTIONS: u32 = 4;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wanted {
    /// How many APIs, of five operations each
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    apis: u32,
    /// How many subscriptions, of two keys each
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=500_000))]
    subscriptions: u32,
    /// How many changes, half of them while requests come
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    changes: u32,
    /// How many replicas share it over one etcd afterwards; 0 for none
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=8))]
    replicas: u32,
    /// Another weir binary, such as one of an earlier commit, to compare with
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    size: Size,
    files: usize,
    mib: f64,
    now: Row,
    before: Option<Row>,
    together: Option<Together>,
    broken_promises: Vec<String>,
}

/// One gateway's figures.
#[derive(Debug, Serialize)]
struct Row {
    /// From exec to the first answer, and the processor's share of it.
    first_load_seconds: f64,
    first_load_cpu_seconds: f64,
    /// What looking for changes takes of a core.
    idle_cpu_share: f64,
    /// From a file in its place to the answer it asks for, by the usual polling.
    served_seconds: Spread,
    /// The processor time that one change takes, looking for changes not counted.
    change_cpu_seconds: Spread,
    resident_mib_loaded: f64,
    resident_mib_first_change: f64,
    resident_mib_last_change: f64,
    peak_mib: f64,
    /// Requests while nothing changes, and those that were due while a change was on its way.
    quiet: Told,
    changing: Told,
}

/// Runs it, prints the report and keeps it; an error if a promise was not kept.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let mut needed: BTreeSet<Program> = [Program::Weir, Program::Setpriv].into();
    needed.extend((0 < wanted.replicas).then_some(Program::Etcd));
    let programs = Programs::gather(&needed, &setting.named, &setting.places)?;
    setting.cores.settle()?;
    let machine = Machine::look(setting.cores, &programs);
    let size = Size { apis: number(wanted.apis), subscriptions: number(wanted.subscriptions) };
    let directory =
        TempDir::with_prefix("weir-loadtest-").map_err(during("making a temporary directory"))?;
    let mut measured = Vec::new();
    let binaries = std::iter::once(programs.path(Program::Weir)?).chain(wanted.before.clone());
    for (turn, binary) in binaries.enumerate() {
        let folder = directory.path().join(format!("turn-{turn}"));
        measured.push(measure(setting, wanted, size, (&binary, &folder))?);
    }
    let (files, bytes) = weight(&directory.path().join("turn-0/configuration"))?;
    let mut measured = measured.into_iter();
    let now = measured.next().ok_or_else(|| Failure::NotValid("nothing was measured".into()))?;
    let mib = count(bytes) / 1024.0 / 1024.0;
    let before = measured.next();
    let together = directory.path().join("together");
    let together = (0 < wanted.replicas)
        .then(|| Together::measure(setting, (wanted, size), &programs, &together))
        .transpose()?;
    let broken_promises = Vec::new();
    let mut report = Report { machine, size, files, mib, now, before, together, broken_promises };
    report.broken_promises = report.judge();
    let text = markdown(&report);
    publish(&setting.places, "big-configuration", (&text, &report), kept(&report.broken_promises))
}

fn number(of: u32) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn measure(
    setting: &Setting,
    wanted: &Wanted,
    size: Size,
    (binary, directory): (&Path, &Path),
) -> Result<Row, Failure> {
    let dates = Dates::begin();
    let witness = Witness::start(dates)?;
    let upstream = format!("127.0.0.1:{}", witness.port());
    let folder = directory.join("configuration");
    eprintln!("writing {} APIs and {} subscriptions", size.apis, size.subscriptions);
    written::write(&folder, size, &upstream).map_err(during("writing a configuration"))?;
    let begun = clock::now();
    let mut gateway = Running::start(setting, binary, directory, &[])?;
    gateway.await_first()?;
    let first_load_seconds = begun.elapsed().as_secs_f64();
    let first_load_cpu_seconds = gateway.cpu()?;
    let resident_mib_loaded = gateway.memory("VmRSS:")?;
    eprintln!("loaded in {first_load_seconds:.1} s; watching it idle");
    let before = gateway.cpu()?;
    Deadline::pause(QUIET_TIME);
    let idle_cpu_share = (gateway.cpu()? - before) / QUIET_TIME.as_secs_f64();
    let half = wanted.changes / 2;
    eprintln!("{half} changes without requests");
    let (mut served, mut cpu) = (Vec::new(), Vec::new());
    let mut resident_mib_first_change = 0.0;
    for change in 0..half {
        let before = (clock::now(), gateway.cpu()?);
        served.push(change_one(&folder, size, &upstream, number(change), &mut [&mut gateway])?);
        // The look at the files after the last one belongs to the change, not to idleness.
        let idle = before.0.elapsed().as_secs_f64() * idle_cpu_share;
        cpu.push((gateway.cpu()? - before.1 - idle).max(0.0));
        if change == 0 {
            resident_mib_first_change = gateway.memory("VmRSS:")?;
        }
        Deadline::pause(BETWEEN);
    }
    eprintln!("requests while nothing changes");
    let load = Load {
        path: format!("/api-00000/items/{{n}}?subscription-key={}", written::key(0)),
        pace: Pace::Open(EVERY),
        connections: CONNECTIONS,
    };
    let quiet = {
        let clients = Clients::start(dates, &[gateway.address], &load);
        Deadline::pause(QUIET_TIME);
        Told::between(&clients.stop(), 0, u64::MAX)
    };
    eprintln!("{} changes while requests come", wanted.changes - half);
    let clients = Clients::start(dates, &[gateway.address], &load);
    let mut spans = Vec::new();
    for change in half..wanted.changes {
        let from = dates.now();
        served.push(change_one(&folder, size, &upstream, number(change), &mut [&mut gateway])?);
        spans.push(from..dates.now());
        Deadline::pause(BETWEEN);
    }
    let mut asked = clients.stop();
    asked.retain(|one| spans.iter().any(|span| span.contains(&one.due)));
    let changing = Told::between(&asked, 0, u64::MAX);
    let nothing = || Failure::NotValid("nothing was measured".into());
    Ok(Row {
        first_load_seconds,
        first_load_cpu_seconds,
        idle_cpu_share,
        served_seconds: Spread::of(served).ok_or_else(nothing)?,
        change_cpu_seconds: Spread::of(cpu).ok_or_else(nothing)?,
        resident_mib_loaded,
        resident_mib_first_change,
        resident_mib_last_change: gateway.memory("VmRSS:")?,
        peak_mib: gateway.memory("VmHWM:")?,
        quiet,
        changing,
    })
}

/// Changes one API and waits until all of `gateways` serve that; how many seconds that took.
fn change_one(
    folder: &Path,
    size: Size,
    upstream: &str,
    number: usize,
    gateways: &mut [&mut Running],
) -> Result<f64, Failure> {
    // In turn APIs with their policy in a file and inline, each of another product that has a
    // subscription of its number.
    let api = (number * 100 + 5 + number % 2) % size.apis;
    let word = format!("word-{number}");
    let path = format!("/api-{api:05}/word?subscription-key={}", written::key(api / 10));
    written::write_api(folder, api, &word, upstream).map_err(during("changing an API"))?;
    let begun = clock::now();
    for gateway in gateways {
        gateway.await_word(&path, &word)?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// How many files are in `folder`, and their bytes.
fn weight(folder: &Path) -> Result<(usize, u64), Failure> {
    let looking = || during(format!("looking at {}", folder.display()));
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).map_err(looking())? {
        let entry = entry.map_err(looking())?;
        let metadata = entry.metadata().map_err(looking())?;
        let (more_files, more_bytes) =
            if metadata.is_dir() { weight(&entry.path())? } else { (1, metadata.len()) };
        files += more_files;
        bytes += more_bytes;
    }
    Ok((files, bytes))
}

impl Report {
    fn judge(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let served = self.now.served_seconds.max;
        if SERVED_SECONDS_MAX < served {
            broken.push(format!("a change was served after {served:.2} s"));
        }
        if let Some(together) = &self.together
            && SERVED_SECONDS_MAX < together.served_seconds.max
        {
            let seconds = together.served_seconds.max;
            broken.push(format!("a change was served by all replicas after {seconds:.2} s"));
        }
        let failed = self.now.quiet.not_admitted() + self.now.changing.not_admitted();
        if 0 < failed {
            broken.push(format!("{failed} requests failed"));
        }
        broken
    }
}

/// The lines of the table: what it is called, and the figure.
fn lines(row: &Row) -> Vec<(&'static str, f64)> {
    vec![
        ("first load, s", row.first_load_seconds),
        ("first load, s of processor", row.first_load_cpu_seconds),
        ("idle, % of a core", row.idle_cpu_share * 100.0),
        ("change of one API, ms of processor, median", row.change_cpu_seconds.median * 1e3),
        ("change of one API, ms of processor, most", row.change_cpu_seconds.max * 1e3),
        ("change of one API, served after s, median", row.served_seconds.median),
        ("change of one API, served after s, most", row.served_seconds.max),
        ("resident when loaded, MiB", row.resident_mib_loaded),
        ("resident after the first change, MiB", row.resident_mib_first_change),
        ("resident after the last change, MiB", row.resident_mib_last_change),
        ("most resident ever, MiB", row.peak_mib),
        ("requests p50 while nothing changes, ms", row.quiet.p50_millis),
        ("requests p99 while nothing changes, ms", row.quiet.p99_millis),
        ("requests p50 during changes, ms", row.changing.p50_millis),
        ("requests p99 during changes, ms", row.changing.p99_millis),
        ("requests that failed", count(row.quiet.not_admitted() + row.changing.not_admitted())),
    ]
}

fn markdown(report: &Report) -> String {
    let Size { apis, subscriptions } = report.size;
    let mut text = format!(
        "# {apis} APIs\n\n{}\n\n{apis} APIs, {} operations and {subscriptions} subscriptions in {} files of \
         {:.0} MiB; one gateway with one thread for clients on one core, which looks for changes every second.\n\n\
         | figure | now | before | ratio |\n|---|---|---|---|\n",
        report.machine.line(),
        float(apis) * 5.0,
        report.files,
        report.mib,
    );
    let before = report.before.as_ref().map(lines).unwrap_or_default();
    for (at, (name, now)) in lines(&report.now).into_iter().enumerate() {
        let (before, ratio) = match before.get(at) {
            Some((_, before)) if 0.0 < *before => {
                (format!("{before:.2}"), format!("{:.3}", now / before))
            }
            Some((_, before)) => (format!("{before:.2}"), String::new()),
            None => (String::new(), String::new()),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| {name} | {now:.2} | {before} | {ratio} |");
    }
    if let Some(together) = &report.together {
        text.push_str(&together.markdown());
    }
    for broken in &report.broken_promises {
        let _ = writeln!(text, "\n**Not kept:** {broken}");
    }
    text
}
