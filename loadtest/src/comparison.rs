//! One report of everything: each scenario with everybody who can take part in it, in turn, at one
//! constant rate for all; ratios to a yardstick with their spread, and pictures of them.

pub(crate) mod agree;
mod entrant;
mod figures;
mod idle;
mod killed;
pub(crate) mod peer;
mod picture;
mod reload;
mod steady;
mod task;
mod text;
mod turn;

use clap::Args;

use self::entrant::Entrant;
use self::figures::{Report, Scenario};
use self::task::Task;
use crate::bench::{Bench, Setting};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::programs::Program;
use crate::report::publish;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wanted {
    /// How often everybody's turn comes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The length of a turn at the constant rate, in windows of a second
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// The length of a turn in the closed loop, which shows the capacity
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    press_seconds: u32,
    /// The rate, in per cent of what the slowest one can do
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=90))]
    load_percent: u32,
    /// How many connections lie idle in `idle`; fewer if fewer files may be open
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    idle_connections: u32,
    /// How long Redis stays away in `redis-killed`, and the time before it and after it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=600))]
    lost_seconds: u64,
    /// The scenarios
    #[arg(long, value_delimiter = ',', default_values_t = Task::ALL)]
    scenarios: Vec<Task>,
    /// Who takes part; the yardstick of a scenario always does
    #[arg(long, value_delimiter = ',', default_values_t = Entrant::ALL)]
    only: Vec<Entrant>,
    /// A short one, in under two minutes: does everything run; figures are only a hint
    #[arg(long)]
    quick: bool,
}

/// Who takes part in a quick report: what Debian brings.
const QUICK: [Entrant; 5] =
    [Entrant::BarePingora, Entrant::Nginx, Entrant::NginxRedis, Entrant::WeirPlain, Entrant::Weir];

impl Wanted {
    /// The same, short if it is to be.
    fn settled(mut self) -> Self {
        if self.quick {
            (self.rounds, self.seconds, self.press_seconds) = (1, 1, 1);
            (self.idle_connections, self.lost_seconds) = (1000.min(self.idle_connections), 3);
            self.only.retain(|who| QUICK.contains(who));
        }
        self
    }

    /// Who takes part in `task`, in the order of the report, and who cannot.
    fn entrants(&self, task: Task) -> (Vec<Entrant>, Vec<(Entrant, String)>) {
        let wanted = |who: &Entrant| *who == task.yardstick() || self.only.contains(who);
        let all = Entrant::ALL.into_iter().filter(|who| wanted(who) && who.belongs_to(task));
        let (able, unable): (Vec<_>, Vec<_>) = all.partition(|who| who.cannot(task).is_none());
        let reason = |who: Entrant| who.cannot(task).map(|why| (who, why.to_owned()));
        (able, unable.into_iter().filter_map(reason).collect())
    }
}

/// Runs all scenarios that are wanted, and keeps the report with its pictures.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let wanted = wanted.clone().settled();
    let bench = Bench::open(setting, &[], &tools(&wanted))?;
    let machine = Machine::look(bench.cores, &bench.programs).line();
    let (mut scenarios, mut fleets) = (Vec::new(), Vec::new());
    for &task in &wanted.scenarios {
        eprintln!("{}: {}", task.name(), task.title());
        match task {
            Task::RedisKilled => fleets = killed::run(setting, &bench.programs, &wanted)?,
            Task::Idle => scenarios.push(idle::run(&bench, &wanted)?),
            Task::Reload => scenarios.push(reload::run(&bench, &wanted)?),
            Task::Plain
            | Task::KeyLimit
            | Task::KeyLimitRedis
            | Task::JwtHs256
            | Task::JwtRs256
            | Task::Headers
            | Task::BodiesUp
            | Task::BodiesDown
            | Task::Http2
            | Task::Grpc => scenarios.push(steady::run(&bench, task, &wanted)?),
        }
    }
    let (rounds, seconds) = (wanted.rounds, wanted.seconds);
    let report = Report { machine, rounds, seconds, scenarios, fleets };
    let pictures = picture::all(&report);
    for (name, svg) in &pictures {
        let file = setting.places.output.join(name);
        let written = std::fs::write(&file, svg);
        written.map_err(crate::failure::during(format!("writing {}", file.display())))?;
    }
    let verdict = if wanted.quick { answered(&report) } else { valid(&report) };
    publish(&setting.places, "report", (&text::markdown(&report), &report), verdict)
}

/// A report is made whatever it says, unless a scenario has no valid window at all.
fn valid(report: &Report) -> Result<(), Failure> {
    judge(report, "no valid window", |scenario| {
        let mut turns = scenario.rows.iter().flat_map(|row| &row.turns);
        turns.all(|turn| turn.paced.right == 0)
    })
}

/// Of a short report only: was everything that was sent answered as it has to be. How busy the machine
/// was does not matter.
fn answered(report: &Report) -> Result<(), Failure> {
    judge(report, "wrong answers", |scenario| {
        let wrong = |row: &figures::Row| row.sum(|one| one.not_sent) < row.sum(|one| one.errors);
        // There, errors are a result.
        scenario.task != Task::Reload && scenario.rows.iter().any(wrong)
    })
}

fn judge(report: &Report, what: &str, is_wrong: impl Fn(&Scenario) -> bool) -> Result<(), Failure> {
    let wrong = report.scenarios.iter().filter(|scenario| is_wrong(scenario));
    let names: Vec<_> = wrong.map(|scenario| scenario.task.name()).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(Failure::NotValid(format!("{what} in: {}", names.join(", "))))
    }
}

/// The programs of everybody that takes part in anything.
fn tools(wanted: &Wanted) -> Vec<Program> {
    let mut tools: Vec<Program> = Vec::new();
    for &task in &wanted.scenarios {
        let (able, _) = wanted.entrants(task);
        tools.extend(able.iter().map(|who| who.program()));
        if matches!(task, Task::KeyLimitRedis | Task::RedisKilled) {
            tools.push(Program::Redis);
        }
    }
    tools
}
