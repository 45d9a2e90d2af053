//! Limits of every manner side by side in one fleet, in every weather: one table of what they admit
//! beyond their limit and of what they refuse wrongly.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::admission::{Judged, judge_rate, percent};
use crate::bench::Setting;
use crate::contestant::Site;
use crate::failure::Failure;
use crate::fleet::{self, Fleet, Limits, Plan, Terms};
use crate::load::{Load, Pace, Told};
use crate::machine::Machine;
use crate::manner::{Manner, Mode, Window};
use crate::programs::Programs;
use crate::report::{kept, publish};
use crate::statistics::{count, fraction};
use crate::trial::{self, Phases, Times, Trial};
use crate::weather::Weather;

/// A limit of a few calls: it admits this many in a second.
const SMALL_CALLS: u64 = 5;

/// How many times as much as it admits a limit is asked for in a closed loop.
const MORE: f64 = 2.5;

/// What may be refused wrongly while nothing happens, at most: ...
const WRONG_MAX: f64 = 0.005;
/// ... of a limit of a few calls; ...
const WRONG_OF_FEW_MAX: f64 = 0.02;
/// ... and of a sliding one beyond its granularity.
const WRONG_OF_SLIDING_MAX: f64 = 0.01;

/// Where one in a hundred answers takes longer than this before anything happens, the machine is too
/// busy to say anything about what is refused: exact limits refuse who has waited for 25 ms.
const BUSY_MILLIS: f64 = 25.0;

/// In spans of so many microseconds it is told when something was refused.
const TOLD_EVERY_MICROS: u64 = 100_000;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wanted {
    /// The weathers, in turn
    #[arg(long, value_delimiter = ',', default_values_t = [
        Weather::Fair,
        Weather::GatewaysKilled,
        Weather::GatewayStopped,
        Weather::GatewayCutOff,
        Weather::RedisRestarted,
        Weather::RedisStopped,
        Weather::RedisEmptied,
        Weather::RedisReplaced,
        Weather::RedisLost,
    ])]
    weather: Vec<Weather>,
    /// How many gateways
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=16))]
    gateways: u32,
    /// What each of the larger limits admits
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    calls: u64,
    /// In so many seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    period: u64,
    /// How much of their limits open loops ask for, in per cent, evenly over the gateways and in time
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    load_percent: u32,
    /// The time before each weather, and after it
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How long a weather lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    fault_seconds: u64,
    /// How long Redis stays away in `redis-lost`
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    lost_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    gateways: u32,
    load_percent: u32,
    limits: Vec<Limit>,
    rows: Vec<Row>,
    broken_promises: Vec<String>,
}

/// A limit that is held beside the others.
#[derive(Clone, Debug, Serialize)]
struct Limit {
    name: String,
    calls: u64,
    period_seconds: u64,
    manner: Manner,
}

/// One weather.
#[derive(Debug, Serialize)]
struct Row {
    weather: Weather,
    /// How long it lasted.
    seconds: f64,
    lost_touch: bool,
    in_touch_after_seconds: Option<f64>,
    /// What became of each limit.
    held: Vec<Held>,
}

/// What became of one limit in one weather.
#[derive(Debug, Serialize)]
struct Held {
    name: String,
    /// Asked for far more than it admits, in a closed loop.
    closed: Judged,
    /// Asked for less than it admits, in an open loop: what was admitted of that, ...
    open: Judged,
    /// ... and refused though it was for sale, before, during and after; ...
    refused_wrongly: [f64; 3],
    /// ... and because shares are held back for gateways that are missing.
    not_for_sale: [f64; 3],
    /// When it was refused, in tenths of a second after the weather began, and how often.
    refused_at: Vec<(u64, u64)>,
    phases: Phases,
}

/// Runs it, prints the report and keeps it; an error if a promise was not kept.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let plan = |weather: &Weather| {
        let (calls, period_seconds, manner) = (wanted.calls, wanted.period, Manner::default());
        let terms = Terms { calls, period_seconds, quota: calls, manner };
        Plan { limits: Limits::EveryManner, ..Plan::new(wanted.gateways, terms, *weather) }
    };
    let plans: Vec<Plan> = wanted.weather.iter().map(plan).collect();
    let programs = fleet::programs(setting, &plans)?;
    let machine = Machine::look(setting.cores, &programs);
    let mut rows = Vec::new();
    for (weather, plan) in wanted.weather.iter().zip(&plans) {
        let times = wanted.times(*weather);
        eprintln!("{weather} ({:.0} s)", Duration::from_micros(times.whole()).as_secs_f64());
        rows.push(in_weather(setting, &programs, (plan, wanted), *weather)?);
    }
    let limits = limits(wanted.calls, wanted.period);
    let broken_promises = rows.iter().flat_map(|row| row.broken_promises(&limits)).collect();
    let Wanted { gateways, load_percent, .. } = *wanted;
    let report = Report { machine, gateways, load_percent, limits, rows, broken_promises };
    let text = markdown(&report);
    publish(&setting.places, "every-manner", (&text, &report), kept(&report.broken_promises))
}

impl Wanted {
    fn times(&self, weather: Weather) -> Times {
        let lost = weather == Weather::RedisLost;
        let lasts = if lost { self.lost_seconds } else { self.fault_seconds };
        Times { around: Duration::from_secs(self.seconds), lasts: Duration::from_secs(lasts) }
    }
}

/// All limits: each mode with each window, once larger and once of a few calls, and exact fixed
/// windows that are bought ahead.
fn limits(calls: u64, period: u64) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (size, calls, period_seconds) in [("", calls, period), ("-5", SMALL_CALLS, 1)] {
        for (mode, mode_name) in [(Mode::Exact, "exact"), (Mode::Fast, "fast")] {
            let windows = [
                (Window::Fixed, "fixed"),
                (Window::Sliding, "sliding"),
                (Window::Bucket, "bucket"),
            ];
            for (window, window_name) in windows {
                let (mode, window) = (Some(mode), Some(window));
                let manner = Manner { mode, window, ..Manner::default() };
                let name = format!("{mode_name}-{window_name}{size}");
                limits.push(Limit { name, calls, period_seconds, manner });
            }
        }
    }
    let (mode, window) = (Some(Mode::Exact), Some(Window::Fixed));
    let horizon = u32::try_from(period).ok();
    let manner = Manner { mode, window, horizon, ..Manner::default() };
    let name = "exact-fixed-ahead".to_owned();
    limits.insert(1, Limit { name, calls, period_seconds: period, manner });
    limits
}

/// The configuration of a gateway with all of them.
pub(crate) fn site(terms: Terms, upstream: SocketAddr) -> Site<'static> {
    let (mut apis, mut more) = (String::new(), Vec::new());
    for limit in limits(terms.calls, terms.period_seconds) {
        for id in [limit.closed(), limit.open()] {
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                apis,
                "  - id: {id}\n    path: {id}\n    subscriptionRequired: false\n    \
                 serviceUrl: http://{upstream}/{id}\n    policy: {id}.xml\n    operations:\n      \
                 - {{id: any, method: GET, urlTemplate: \"/{{*rest}}\"}}"
            );
            let policies = format!(
                "<policies><inbound><base /><rate-limit-by-key calls=\"{}\" renewal-period=\"{}\" \
                 counter-key=\"{id}\"{} /></inbound><backend><base /></backend>\
                 <outbound><base /></outbound><on-error><base /></on-error></policies>\n",
                limit.calls,
                limit.period_seconds,
                limit.manner.of_rate(),
            );
            more.push((format!("{id}.xml"), policies));
        }
    }
    Site { fill: vec![("{{apis}}", apis)], more, ..Site::of("manners") }
}

fn in_weather(
    setting: &Setting,
    programs: &Programs,
    (plan, wanted): (&Plan, &Wanted),
    weather: Weather,
) -> Result<Row, Failure> {
    let limits = limits(wanted.calls, wanted.period);
    let part = f64::from(wanted.load_percent) / 100.0;
    let loads: Vec<Load> =
        limits.iter().flat_map(|limit| limit.loads(plan.gateways, part)).collect();
    let mut fleet = Fleet::start(setting, programs, plan)?;
    let trial = trial::run(&mut fleet, &loads, weather, wanted.times(weather))?;
    let whole = Duration::from_micros(trial.ended.saturating_sub(trial.begun));
    let lost_touch = fleet.gateways.iter().any(|gateway| gateway.lost_touch_within(whole));
    let lost = lost_touch || weather.loses_touch();
    let held = limits.iter().zip((0..).step_by(2));
    let held = held.map(|(limit, first)| limit.held((&fleet, plan), &trial, (first, lost)));
    Ok(Row {
        weather,
        seconds: Duration::from_micros(trial.over.saturating_sub(trial.broke)).as_secs_f64(),
        lost_touch,
        in_touch_after_seconds: trial.in_touch_after.map(|after| after.as_secs_f64()),
        held: held.collect(),
    })
}

impl Limit {
    fn closed(&self) -> String {
        format!("rate-{}", self.name)
    }

    fn open(&self) -> String {
        format!("few-{}", self.name)
    }

    fn loads(&self, gateways: u32, part: f64) -> [Load; 2] {
        let period = Duration::from_secs(self.period_seconds);
        let one = |part: f64| period.mul_f64(f64::from(gateways) / (part * count(self.calls)));
        let load =
            |id: String, pace, connections| Load { path: format!("/{id}/x"), pace, connections };
        [
            load(self.closed(), Pace::Closed(one(MORE)), 1),
            load(self.open(), Pace::Open(one(part)), 3),
        ]
    }

    /// What became of it; its loads are number `first` and the next one.
    fn held(
        &self,
        (fleet, plan): (&Fleet, &Plan),
        trial: &Trial,
        (first, lost): (usize, bool),
    ) -> Held {
        let (calls, period_seconds, manner) = (self.calls, self.period_seconds, self.manner);
        let terms = Terms { calls, period_seconds, manner, ..plan.terms };
        let plan = Plan { terms, ..*plan };
        let judge = |id: &str| judge_rate(&fleet.witness.log(id), &plan, lost);
        let open = first.saturating_add(1);
        let phases = trial.phases(open);
        let period = Duration::from_secs(period_seconds);
        let [before, during, after] = trial.not_for_sale(open, (calls, plan.gateways), period);
        let held = [(phases.before, before), (phases.during, during), (phases.after, after)];
        let wrongly =
            |told: Told, held| fraction(told.refused.saturating_sub(held), told.answered());
        Held {
            name: self.name.clone(),
            closed: judge(&self.closed()),
            open: judge(&self.open()),
            refused_wrongly: held.map(|(told, held)| wrongly(told, held)),
            not_for_sale: held.map(|(told, held)| fraction(held, told.answered())),
            refused_at: trial.refused_at(open, TOLD_EVERY_MICROS),
            phases,
        }
    }

    /// What it may refuse wrongly while nothing happens.
    fn wrong_max(&self) -> f64 {
        let few = if self.calls <= SMALL_CALLS { WRONG_OF_FEW_MAX } else { WRONG_MAX };
        if self.manner.window == Some(Window::Sliding) {
            // As the gateway divides a period: into 20 in a second, 30 from a second and a half on.
            let parts = (count(self.period_seconds) * 20.0).clamp(8.0, 30.0);
            return few.max(1.0 / (parts + 1.0) + WRONG_OF_SLIDING_MAX);
        }
        few
    }
}

impl Row {
    /// The longest p99 before the weather, in milliseconds.
    fn p99_before(&self) -> f64 {
        self.held.iter().map(|held| held.phases.before.p99_millis).fold(0.0, f64::max)
    }

    fn is_busy(&self) -> bool {
        BUSY_MILLIS < self.p99_before()
    }

    fn broken_promises(&self, limits: &[Limit]) -> Vec<String> {
        let mut broken = Vec::new();
        for (held, limit) in self.held.iter().zip(limits) {
            let place = format!("{}: {}", self.weather, held.name);
            for (judged, load) in [(held.closed, "closed"), (held.open, "open")] {
                let over = judged.over_bound();
                if 0 < over {
                    let most = judged.most;
                    broken.push(format!("{place} admitted {most}, {over} over its bound ({load})"));
                }
            }
            let [before, during, after] = held.refused_wrongly;
            let fair = self.weather == Weather::Fair && !self.lost_touch;
            let wrong = if fair { before.max(during).max(after) } else { before };
            if !self.is_busy() && limit.wrong_max() < wrong {
                broken.push(format!("{place} refused {} wrongly in fair weather", percent(wrong)));
            }
        }
        broken
    }
}

fn markdown(report: &Report) -> String {
    let (larger, small): (Vec<_>, Vec<_>) =
        report.limits.iter().partition(|limit| limit.calls != SMALL_CALLS);
    let mut text = format!(
        "# Every manner\n\n{}\n\n{} gateways share every limit over one Redis; each is there twice: asked for \
         {MORE} times what it admits in a closed loop, and for {} % in an open one, evenly. *Over*: the \
         most that was surely admitted beyond the limit in one window (fixed) or interval (the others; \
         of a bucket beyond its curve), of both loads. *Refused wrongly*: of the open loop, before, during and after, \
         without what is not for sale because shares are held back for gateways that are missing.\n",
        report.machine.line(),
        report.gateways,
        report.load_percent,
    );
    for limits in [larger, small] {
        let Some(first) = limits.first() else { continue };
        let (calls, period) = (first.calls, first.period_seconds);
        let names: Vec<&str> = limits.iter().map(|limit| limit.name.as_str()).collect();
        let rules = "---|".repeat(names.len().saturating_add(1));
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "\n## {calls} in {period} s\n\n| over | {} |\n|{rules}\n",
            names.join(" | ")
        );
        let cell = |held: &Held| {
            let over = |judged: Judged| crate::judge::over(judged.most, judged.curve());
            let beyond = held.closed.over_bound().max(held.open.over_bound());
            let mark = if 0 < beyond { " **beyond its bound**" } else { "" };
            percent(over(held.closed).max(over(held.open))) + mark
        };
        rows(&mut text, report, &names, cell);
        let _ = write!(text, "\n| refused wrongly | {} |\n|{rules}\n", names.join(" | "));
        let cell = |held: &Held| held.refused_wrongly.map(percent).join(", ");
        rows(&mut text, report, &names, cell);
    }
    text.push_str(
        "\n| weather | lasted | a gateway lost touch | all in touch after | p99 before, ms |\n\
         |---|---|---|---|---|\n",
    );
    for row in &report.rows {
        let after = row.in_touch_after_seconds.map_or("not".to_owned(), |s| format!("{s:.1} s"));
        let lost = if row.lost_touch { "yes" } else { "no" };
        let busy = if row.is_busy() { ": **too busy to say what is refused**" } else { "" };
        let (weather, lasted, p99) = (row.weather, row.seconds, row.p99_before());
        let _ = writeln!(text, "| {weather} | {lasted:.1} s | {lost} | {after} | {p99:.0}{busy} |");
    }
    for broken in &report.broken_promises {
        let _ = writeln!(text, "\n**Not kept:** {broken}");
    }
    text
}

fn rows(text: &mut String, report: &Report, names: &[&str], cell: impl Fn(&Held) -> String) {
    for row in &report.rows {
        let held = row.held.iter().filter(|held| names.contains(&held.name.as_str()));
        let cells: Vec<String> = held.map(&cell).collect();
        let _ = writeln!(text, "| {} | {} |", row.weather, cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, limits, site};
    use crate::fleet::Terms;
    use crate::manner::Manner;

    fn all() -> Vec<Limit> {
        limits(600, 3)
    }

    #[test]
    fn every_mode_is_there_with_every_window_and_size() {
        let names: Vec<String> = all().into_iter().map(|limit| limit.name).collect();
        assert_eq!(names.len(), 13);
        for name in ["exact-fixed-ahead", "fast-sliding", "exact-bucket-5", "fast-fixed-5"] {
            assert!(names.iter().any(|one| one == name), "{name} of {names:?}");
        }
    }

    #[test]
    fn each_limit_has_two_policies_of_its_own() {
        let terms = Terms { calls: 600, period_seconds: 3, quota: 600, manner: Manner::default() };
        let site = site(terms, "127.0.0.1:9".parse().unwrap());
        assert_eq!(site.more.len(), 26);
        let (_, text) =
            site.more.iter().find(|(name, _)| name == "rate-exact-fixed-ahead.xml").unwrap();
        let wanted = "calls=\"600\" renewal-period=\"3\" counter-key=\"rate-exact-fixed-ahead\" \
                      weir-mode=\"exact\" weir-window=\"fixed\" weir-horizon=\"3s\"";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn a_sliding_limit_may_refuse_as_much_as_one_sub_window_and_a_hundredth() {
        let max = |name: &str| all().iter().find(|limit| limit.name == name).unwrap().wrong_max();
        assert!((max("exact-sliding") - (1.0 / 31.0 + 0.01)).abs() < 1e-9);
        assert!((max("fast-sliding-5") - (1.0 / 21.0 + 0.01)).abs() < 1e-9);
        assert!((max("fast-bucket") - 0.005).abs() < 1e-9);
        assert!((max("exact-fixed-5") - 0.02).abs() < 1e-9);
    }
}
