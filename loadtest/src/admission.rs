//! How much several gateways admit together, in every weather, judged by what the backend got.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::bench::Setting;
use crate::clock::micros;
use crate::failure::Failure;
use crate::fleet::{self, Fleet, Gateway, Kind, Plan, Terms};
use crate::judge::{Passed, most_in_any, most_in_one, most_seen, over};
use crate::load::{Load, Pace, Told};
use crate::machine::Machine;
use crate::manner::{Manner, OnLoss, Window};
use crate::programs::Programs;
use crate::report::{kept, publish};
use crate::statistics::fraction;
use crate::trial::{self, Phases, Times};
use crate::weather::Weather;

/// How far the clock of Redis may be from ours, and drift in a period.
const MARGIN: Duration = Duration::from_millis(5);

/// How often `quota` is asked for, by the clients of each gateway.
const QUOTA_EVERY: Duration = Duration::from_millis(20);

/// How many tenths of what is asked for `quota` admits.
const QUOTA_TENTHS: u64 = 7;

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
    /// What each rate limit admits
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    calls: u64,
    /// In so many seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    period: u64,
    /// How much of its limit `few` is asked for, in per cent, evenly over the gateways and in time
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    load_percent: u32,
    /// The time before each weather, and after it
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How long a weather lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    fault_seconds: u64,
    /// How long Redis stays away in `redis-lost`
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    lost_seconds: u64,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    gateways: u32,
    load_percent: u32,
    manner: Manner,
    rows: Vec<Row>,
    broken_promises: Vec<String>,
}

/// One weather.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    weather: Weather,
    terms: Terms,
    /// A sliding (or fixed) limit, asked for far more than it admits, in a closed loop.
    pub(crate) rate: Judged,
    /// A limit asked for less than it admits, in an open loop.
    few: Judged,
    /// A quota that ends before the trial does, in an open loop.
    quota: Judged,
    /// Of what `few` was asked, before, during and after: what was refused though it was for sale.
    pub(crate) refused_wrongly: [f64; 3],
    /// The same: what was refused because shares are held back for gateways that are missing.
    not_for_sale: [f64; 3],
    /// Of the quota: what was not admitted of it though it was asked for.
    quota_unused: f64,
    server_errors: u64,
    /// Whether a gateway was out of touch for a while, whatever the weather.
    lost_touch: bool,
    /// Admitted by gateways that were out of touch, from their shares.
    from_share: u64,
    in_touch_after_seconds: Option<f64>,
    phases: [Phases; 3],
    /// What each gateway that lives says of its counters in the end.
    counters: Vec<Value>,
}

/// How a limit was held.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Judged {
    limit: u64,
    is_bucket: bool,
    bound: Option<u64>,
    /// The most that were surely admitted in one window.
    pub(crate) most: usize,
    /// The most that the backend got in any interval of a window's length.
    pub(crate) seen: usize,
}

/// Runs it, prints the report and keeps it; an error if a bound was passed.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let plans: Vec<Plan> = wanted.weather.iter().map(|weather| wanted.plan(*weather)).collect();
    let programs = fleet::programs(setting, &plans)?;
    let machine = Machine::look(setting.cores, &programs);
    let mut rows = Vec::new();
    for (weather, plan) in wanted.weather.iter().zip(&plans) {
        eprintln!("{} ({:.0} s)", weather.name(), wanted.whole(*weather).as_secs_f64());
        let when = (*weather, wanted.times(*weather));
        rows.push(in_weather(setting, &programs, (plan, wanted.load_percent), when)?);
    }
    let broken_promises = rows.iter().flat_map(|row| row.broken_promises(wanted.manner)).collect();
    let Wanted { gateways, load_percent, manner, .. } = *wanted;
    let report = Report { machine, gateways, load_percent, manner, rows, broken_promises };
    let text = markdown(&report);
    publish(&setting.places, "admission", (&text, &report), kept(&report.broken_promises))
}

impl Wanted {
    fn times(&self, weather: Weather) -> Times {
        let lost = weather == Weather::RedisLost;
        let lasts = if lost { self.lost_seconds } else { self.fault_seconds };
        Times { around: Duration::from_secs(self.seconds), lasts: Duration::from_secs(lasts) }
    }

    fn whole(&self, weather: Weather) -> Duration {
        Duration::from_micros(self.times(weather).whole())
    }

    fn plan(&self, weather: Weather) -> Plan {
        let asked = micros(self.whole(weather)).checked_div(micros(QUOTA_EVERY)).unwrap_or(0);
        let quota = asked * u64::from(self.gateways) * QUOTA_TENTHS / 10;
        let terms =
            Terms { calls: self.calls, period_seconds: self.period, quota, manner: self.manner };
        Plan::new(self.gateways, terms, weather)
    }
}

/// The clients of a trial: of `rate` far too many, of `few` too few, of `quota` in the end too many.
fn loads(plan: &Plan, load_percent: u32) -> [Load; 3] {
    let part = f64::from(load_percent) / 100.0;
    let each = f64::from(plan.gateways) / part / crate::statistics::count(plan.terms.calls);
    let few = Duration::from_secs(plan.terms.period_seconds).mul_f64(each);
    let load = |api: &str, pace, connections| Load { path: format!("/{api}/x"), pace, connections };
    [
        load("rate", Pace::Closed(Duration::from_millis(3)), 3),
        load("few", Pace::Open(few), 3),
        load("quota", Pace::Open(QUOTA_EVERY), 3),
    ]
}

/// One fleet in one weather.
pub(crate) fn in_weather(
    setting: &Setting,
    programs: &Programs,
    (plan, load_percent): (&Plan, u32),
    (weather, times): (Weather, Times),
) -> Result<Row, Failure> {
    let mut fleet = Fleet::start(setting, programs, plan)?;
    let trial = trial::run(&mut fleet, &loads(plan, load_percent), weather, times)?;
    let phases = [0, 1, 2].map(|number| trial.phases(number));
    let [_, few, quota] = phases;
    let terms = plan.terms;
    let period = Duration::from_secs(terms.period_seconds);
    let [before, during, after] = trial.not_for_sale(1, (terms.calls, plan.gateways), period);
    let of_few = [(few.before, before), (few.during, during), (few.after, after)];
    let wrongly = |told: Told, held| fraction(told.refused.saturating_sub(held), told.answered());
    let used = u64::try_from(fleet.witness.log("quota").len()).unwrap_or(u64::MAX);
    let asked_enough = 0 < quota.sum(|told| told.refused);
    let unused = if asked_enough { plan.terms.quota.saturating_sub(used) } else { 0 };
    let whole = Duration::from_micros(trial.ended.saturating_sub(trial.begun));
    let lost_touch = fleet.gateways.iter().any(|gateway| gateway.lost_touch_within(whole));
    let lost = lost_touch || weather.loses_touch();
    let judge = |api: &str| judge(&fleet, api, plan, lost);
    Ok(Row {
        weather,
        terms: plan.terms,
        rate: judge("rate"),
        few: judge("few"),
        quota: judge("quota"),
        refused_wrongly: of_few.map(|(told, held)| wrongly(told, held)),
        not_for_sale: of_few.map(|(told, held)| fraction(held, told.answered())),
        quota_unused: fraction(unused, plan.terms.quota),
        server_errors: phases.iter().map(|one| one.sum(|told| told.server_errors)).sum(),
        lost_touch,
        from_share: fleet.gateways.iter().map(|gateway| gateway.shared("fromShare")).sum(),
        in_touch_after_seconds: trial.in_touch_after.map(|after| after.as_secs_f64()),
        phases,
        counters: fleet.gateways.iter().filter_map(Gateway::counters).collect(),
    })
}

fn judge(fleet: &Fleet, api: &str, plan: &Plan, lost: bool) -> Judged {
    let (log, terms) = (fleet.witness.log(api), plan.terms);
    if api == "quota" {
        let (limit, most) = (terms.quota, log.len());
        let bound = terms.manner.bound(limit, plan.gateways.into(), lost);
        return Judged { limit, is_bucket: false, bound, most, seen: most };
    }
    judge_rate(&log, plan, lost)
}

/// What `log` says of a rate limit on the terms of `plan`.
pub(crate) fn judge_rate(log: &[Passed], plan: &Plan, lost: bool) -> Judged {
    let terms = plan.terms;
    let period = Duration::from_secs(terms.period_seconds);
    let near = micros(period.saturating_sub(MARGIN));
    let bound = terms.manner.bound(terms.calls, plan.gateways.into(), lost);
    let fixed = plan.kind == Kind::NginxRedis || terms.manner.window == Some(Window::Fixed);
    let most = if fixed {
        most_in_one(log, micros(period), micros(MARGIN))
    } else {
        most_in_any(log, near)
    };
    // What a full bucket holds, and what it gains in a period.
    let is_bucket = terms.manner.window == Some(Window::Bucket);
    let bound = bound.map(|b| if is_bucket { b.saturating_add(terms.calls) } else { b });
    Judged { limit: terms.calls, is_bucket, bound, most, seen: most_seen(log, near) }
}

impl Judged {
    /// What it may admit in any interval of a period where nothing is over: a bucket twice its
    /// limit, for a full one gains as much again.
    pub(crate) fn curve(self) -> u64 {
        if self.is_bucket { self.limit.saturating_mul(2) } else { self.limit }
    }

    /// How many were admitted beyond the bound: none may be.
    pub(crate) fn over_bound(self) -> u64 {
        let most = u64::try_from(self.most).unwrap_or(u64::MAX);
        self.bound.map_or(0, |bound| most.saturating_sub(bound))
    }
}

impl Row {
    fn limits(&self) -> [(&'static str, Judged); 3] {
        [("rate", self.rate), ("few", self.few), ("quota", self.quota)]
    }

    fn broken_promises(&self, manner: Manner) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, judged) in self.limits() {
            let (most, over) = (judged.most, judged.over_bound());
            if 0 < over {
                let weather = self.weather.name();
                broken.push(format!("{weather}: {name} admitted {most}, {over} over its bound"));
            }
        }
        if 0 < self.server_errors && manner.on_loss != Some(OnLoss::Closed) {
            broken.push(format!("{}: {} answers 5xx", self.weather.name(), self.server_errors));
        }
        broken
    }
}

fn markdown(report: &Report) -> String {
    let terms = report.rows.first().map(|row| row.terms);
    let (calls, period) = terms.map_or((0, 0), |terms| (terms.calls, terms.period_seconds));
    let mut text = format!(
        "# Admission\n\n{}\n\n{} gateways share their limits over one Redis, held {}. `rate` and `few`: \
         {calls} in {period} s; `quota`: in all. `few` is asked for {} % of that, evenly.\n\n\
         | weather | over its bound | `few` refused wrongly (before, during, after) | not for sale \
         (before, during, after) | p99, ms (before, during, after) | 5xx |\n|---|---|---|---|---|---|\n",
        report.machine.line(),
        report.gateways,
        report.manner.in_words(),
        report.load_percent,
    );
    for row in &report.rows {
        let over: u64 = row.limits().map(|(_, judged)| judged.over_bound()).iter().sum();
        let [_, few, _] = row.phases;
        let p99 = [few.before, few.during, few.after].map(|told| format!("{:.1}", told.p99_millis));
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {over} | {} | {} | {} | {} |",
            row.weather.name(),
            row.refused_wrongly.map(percent).join(", "),
            row.not_for_sale.map(percent).join(", "),
            p99.join(", "),
            row.server_errors,
        );
    }
    text.push_str(&details(report));
    for broken in &report.broken_promises {
        let _ = writeln!(text, "\n**Not kept:** {broken}");
    }
    text
}

/// Each limit in each weather, and what the gateways say of it.
fn details(report: &Report) -> String {
    let mut text =
        "\n| weather | limit | says | may admit | admitted at most | over the limit | backend \
                    saw | unused |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in &report.rows {
        for (name, judged) in row.limits() {
            let bound = judged.bound.map_or("all".to_owned(), |bound| bound.to_string());
            let unused = if name == "quota" { percent(row.quota_unused) } else { String::new() };
            let over = percent(over(judged.most, judged.limit));
            let _ = writeln!(
                text,
                "| {} | {name} | {} | {bound} | {} | {over} | {} | {unused} |",
                row.weather.name(),
                judged.limit,
                judged.most,
                judged.seen,
            );
        }
    }
    text.push_str(
        "\n| weather | lost touch | admitted from shares | all in touch after |\n|---|---|---|---|\n",
    );
    for row in &report.rows {
        let after = row.in_touch_after_seconds.map_or("not".to_owned(), |s| format!("{s:.1} s"));
        let lost = if row.lost_touch { "yes" } else { "no" };
        let (shares, name) = (row.from_share, row.weather.name());
        let _ = writeln!(text, "| {name} | {lost} | {shares} | {after} |");
    }
    text
}

/// A part as per cent.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}
