//! What clients notice of Redis in bad weather: several gateways, a constant load below the limit.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::admission::percent;
use crate::bench::Setting;
use crate::failure::Failure;
use crate::fleet::{self, Fleet, Gateway, Plan, Terms};
use crate::load::{Load, Pace, Told};
use crate::machine::Machine;
use crate::manner::{Manner, OnLoss};
use crate::programs::Programs;
use crate::report::{kept, publish};
use crate::statistics::{count, fraction};
use crate::trial::{self, Phases, Times};
use crate::weather::Weather;

/// The promises: p99 during the weather over that before, in milliseconds, at most; ...
const P99_MORE_MILLIS_MAX: f64 = 10.0;
/// ... and after so long everything is as before.
const NORMAL_AFTER_MAX: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wanted {
    /// The weathers, in turn
    #[arg(long, value_delimiter = ',', default_values_t = [
        Weather::Fair,
        Weather::RedisStopped,
        Weather::RedisRestarted,
        Weather::RedisEmptied,
        Weather::RedisHiccup,
        Weather::RedisReplaced,
    ])]
    weather: Vec<Weather>,
    /// How many gateways
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=16))]
    gateways: u32,
    /// Requests a second over all gateways
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// How much of the limit that is, in per cent
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100))]
    load_percent: u32,
    /// The period of the limit, in seconds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=300))]
    period: u64,
    /// The time before each weather, and after it
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How long a weather lasts that does not end by itself
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    fault_seconds: u64,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    gateways: u32,
    requests_per_second: u32,
    calls: u64,
    period_seconds: u64,
    manner: Manner,
    times: Times,
    rows: Vec<Row>,
    broken_promises: Vec<String>,
}

/// One weather.
#[derive(Debug, Serialize)]
struct Row {
    weather: Weather,
    phases: Phases,
    /// p99 while it happened, and in the seconds after it that may be odd, over that before.
    p99_more_millis: f64,
    refused: [f64; 3],
    server_errors: u64,
    broken: u64,
    in_touch_after_seconds: Option<f64>,
    /// After its end, until the last request that was not admitted.
    admitted_after_seconds: f64,
    /// From when all has to be normal on.
    settled: Told,
    /// Which metrics moved from the weather on, and not before.
    story: Vec<String>,
    /// What each gateway says of its counters in the end.
    counters: Vec<Value>,
}

/// Runs it, prints the report and keeps it; an error if a promise was not kept.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let plans: Vec<Plan> = wanted.weather.iter().map(|weather| wanted.plan(*weather)).collect();
    let programs = fleet::programs(setting, &plans)?;
    let machine = Machine::look(setting.cores, &programs);
    let mut rows = Vec::new();
    for (weather, plan) in wanted.weather.iter().zip(&plans) {
        eprintln!("{weather}");
        rows.push(in_weather(setting, &programs, (plan, wanted), *weather)?);
    }
    let report = Report {
        machine,
        gateways: wanted.gateways,
        requests_per_second: wanted.rate,
        calls: wanted.calls(),
        period_seconds: wanted.period,
        manner: wanted.manner,
        times: wanted.times(),
        broken_promises: rows.iter().flat_map(|row| row.broken_promises(wanted.manner)).collect(),
        rows,
    };
    let text = markdown(&report);
    publish(&setting.places, "redis-weather", (&text, &report), kept(&report.broken_promises))
}

impl Wanted {
    /// What the limit is, of which the load is a part.
    fn calls(&self) -> u64 {
        let asked = u64::from(self.rate).saturating_mul(self.period);
        asked.saturating_mul(100).checked_div(self.load_percent.into()).unwrap_or(asked).max(1)
    }

    fn times(&self) -> Times {
        let (around, lasts) = (self.seconds, self.fault_seconds);
        Times { around: Duration::from_secs(around), lasts: Duration::from_secs(lasts) }
    }

    fn plan(&self, weather: Weather) -> Plan {
        let calls = self.calls();
        let (period_seconds, manner) = (self.period, self.manner);
        let terms = Terms { calls, period_seconds, quota: calls, manner };
        Plan::new(self.gateways, terms, weather)
    }
}

fn in_weather(
    setting: &Setting,
    programs: &Programs,
    (plan, wanted): (&Plan, &Wanted),
    weather: Weather,
) -> Result<Row, Failure> {
    let mut fleet = Fleet::start(setting, programs, plan)?;
    let every = Duration::from_secs(1).mul_f64(f64::from(wanted.gateways) / f64::from(wanted.rate));
    let load = Load { path: "/rate/x".to_owned(), pace: Pace::Open(every), connections: 8 };
    let trial = trial::run(&mut fleet, &[load], weather, wanted.times())?;
    let phases = trial.phases(0);
    let of = |told: Told| fraction(told.refused, told.answered());
    let more = |told: Told| told.p99_millis - phases.before.p99_millis;
    // What is over at once shows only afterwards.
    let at_once = count(phases.during.answered()) < f64::from(wanted.rate);
    let worst =
        if at_once { more(phases.during).max(more(phases.after)) } else { more(phases.during) };
    Ok(Row {
        weather,
        phases,
        p99_more_millis: worst,
        refused: [phases.before, phases.during, phases.after].map(of),
        server_errors: phases.sum(|told| told.server_errors),
        broken: phases.sum(|told| told.broken),
        in_touch_after_seconds: trial.in_touch_after.map(|after| after.as_secs_f64()),
        admitted_after_seconds: trial.admitted_after(0).as_secs_f64(),
        settled: trial.settled(0, NORMAL_AFTER_MAX),
        story: trial.story(),
        counters: fleet.gateways.iter().filter_map(Gateway::counters).collect(),
    })
}

impl Row {
    fn broken_promises(&self, manner: Manner) -> Vec<String> {
        let mut broken = Vec::new();
        let mut say = |what: String| broken.push(format!("{}: {what}", self.weather));
        if P99_MORE_MILLIS_MAX < self.p99_more_millis {
            say(format!("p99 is {:.1} ms more", self.p99_more_millis));
        }
        if 0 < self.server_errors && manner.on_loss != Some(OnLoss::Closed) {
            say(format!("{} answers 5xx", self.server_errors));
        }
        if NORMAL_AFTER_MAX.as_secs_f64() < self.admitted_after_seconds {
            say(format!("all is admitted only after {:.1} s", self.admitted_after_seconds));
        }
        let more = self.settled.p99_millis - self.phases.before.p99_millis;
        if P99_MORE_MILLIS_MAX < more {
            say(format!(
                "{} s after it p99 is still {more:.1} ms more",
                NORMAL_AFTER_MAX.as_secs()
            ));
        }
        broken
    }
}

fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Redis weather\n\n{}\n\n{} gateways, {} requests/s in an open loop over all of them, on a limit of {} in \
         {} s, held {}. {} s before, {} s of weather, {} s after. Latency counts from when a request was \
         due.\n\n\
         | weather | p99, ms (before, during, after) | p99 more, ms | refused (before, during, after) | 5xx | broken | all in \
         touch after | all admitted after | p99 from {} s after it on, ms |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        report.machine.line(),
        report.gateways,
        report.requests_per_second,
        report.calls,
        report.period_seconds,
        report.manner.in_words(),
        report.times.around.as_secs(),
        report.times.lasts.as_secs(),
        report.times.around.as_secs(),
        NORMAL_AFTER_MAX.as_secs(),
    );
    for row in &report.rows {
        let after = row.in_touch_after_seconds.map_or("not".to_owned(), |s| format!("{s:.1} s"));
        let Phases { before, during, after: then } = row.phases;
        let p99 = [before, during, then].map(|told| format!("{:.1}", told.p99_millis));
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {} | {} | {} | {after} | {:.1} s | {:.1} |",
            row.weather,
            p99.join(", "),
            row.p99_more_millis,
            row.refused.map(percent).join(", "),
            row.server_errors,
            row.broken,
            row.admitted_after_seconds,
            row.settled.p99_millis,
        );
    }
    text.push_str(
        "\nMetrics (`weir_limit_…`) that moved from the weather on, and not before:\n\n\
         | weather | metrics |\n|---|---|\n",
    );
    for row in &report.rows {
        let _ = writeln!(text, "| {} | {} |", row.weather, row.story.join(", "));
    }
    for broken in &report.broken_promises {
        let _ = writeln!(text, "\n**Not kept:** {broken}");
    }
    text
}
