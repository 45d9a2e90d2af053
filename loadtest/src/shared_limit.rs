//! What a shared limit costs: the same gateway with the same limit in memory and over Redis, and a
//! peer that counts in Redis; and what each of them admits over the limit.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::admission::{Row, in_weather, percent};
use crate::bench::{Bench, Serving, Setting};
use crate::clock::{self, Dates, Deadline};
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::fleet::{self, Kind, Plan, Terms};
use crate::judge::over;
use crate::load::{Clients, Load as Paced, Pace, Told};
use crate::machine::Machine;
use crate::manner::Manner;
use crate::programs::Program;
use crate::redis::Redis;
use crate::report::{publish, valid};
use crate::statistics::Spread;
use crate::trial::Times;
use crate::weather::Weather;
use crate::wrk::{Keys, Load, Sample, measure};

/// Who is compared, in this order.
const CONTESTANTS: [Contestant; 3] =
    [Contestant::WeirLimitMemory, Contestant::WeirLimitRedis, Contestant::NginxRedis];

/// The weathers in which is compared what is admitted.
const WEATHERS: [Weather; 2] = [Weather::Fair, Weather::RedisLost];

/// The promises: requests/s over those in memory, at least; ...
const RATIO_MIN: f64 = 0.9;
/// ... p99 at a constant rate over that in memory, in milliseconds, less than; ...
const P99_MILLIS_MAX: f64 = 1.0;
/// ... and commands to Redis for each request, at most.
const COMMANDS_HOT_MAX: f64 = 0.01;
/// The same where every request names another key.
const COMMANDS_COLD_MAX: f64 = 1.0;

/// How much of a limit that is not to be met is asked for.
const LOAD_PERCENT: u32 = 80;

/// How many connections carry what is asked for at a constant rate.
const PACED_CONNECTIONS: u32 = 8;

/// How long it is listened for signs of life.
const IDLE_TIME: Duration = Duration::from_secs(2);

/// What was measured of all, as fast as they answer and at a constant rate.
type Measured = (Vec<(Keys, f64, Sample)>, Vec<Calm>);

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// How often everybody's turn comes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The length of a turn
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Kept-alive connections, each with one request in flight
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// How many requests a second are asked for at a constant rate
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// How many gateways admit together
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=16))]
    gateways: u32,
    /// What they admit together
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    calls: u64,
    /// In so many seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    period: u64,
    /// How long Redis stays away, and the time before it and after it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    lost_seconds: u64,
    /// How the limit of several gateways is held.
    #[command(flatten)]
    manner: Manner,
}

impl Wanted {
    fn load(&self) -> Load {
        Load { connections: self.connections, seconds: self.seconds }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    rounds: u32,
    load: Load,
    costs: Vec<Cost>,
    /// The hot key at a constant rate.
    latencies: Vec<Latency>,
    promises: Vec<Promise>,
    admitted: Vec<Admitted>,
    wrong: Vec<String>,
    samples: Vec<(Keys, f64, Sample)>,
}

/// What one contestant's limit costs.
#[derive(Debug, Serialize)]
struct Cost {
    contestant: Contestant,
    keys: Keys,
    requests_per_second: Spread,
    /// Over Weir's with the limit in memory, within each round.
    ratio: Spread,
    p50_micros: Spread,
    p99_micros: Spread,
    /// More than Weir's with the limit in memory, within each round.
    p99_more_millis: Spread,
    cpu_micros_per_request: Spread,
    commands_per_request: Spread,
}

/// What one contestant was told at a constant rate, which leaves it time.
#[derive(Clone, Copy, Debug, Serialize)]
struct Calm {
    contestant: Contestant,
    round: u32,
    told: Told,
}

/// How long clients waited for one contestant at a constant rate.
#[derive(Debug, Serialize)]
struct Latency {
    contestant: Contestant,
    p50_millis: Spread,
    p99_millis: Spread,
    /// More than Weir's with the limit in memory, within each round.
    p99_more_millis: Spread,
}

#[derive(Debug, Serialize)]
struct Promise {
    what: &'static str,
    wanted: String,
    measured: Spread,
    kept: bool,
}

/// What a fleet of one kind admitted.
#[derive(Debug, Serialize)]
struct Admitted {
    kind: Kind,
    weather: Weather,
    row: Row,
}

/// Runs both parts, prints the report and keeps it; an error if a run went wrong.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let bench = Bench::open(setting, &CONTESTANTS, &[Program::Wrk, Program::Redis])?;
    let machine = Machine::look(bench.cores, &bench.programs);
    let (samples, calm) = all_rounds(&bench, wanted)?;
    drop(bench);
    let admitted = all_fleets(setting, wanted)?;
    let wrong = |(keys, _, sample): &(Keys, f64, Sample)| {
        let place = format!("{}, {keys:?} keys, round {}", sample.contestant, sample.round);
        sample.wrong.iter().map(move |what| format!("{place}: {what}")).collect::<Vec<_>>()
    };
    let not_answered = |calm: &Calm| {
        let Calm { contestant, round, told } = calm;
        let not = told.answered().saturating_sub(told.admitted).saturating_add(told.broken);
        (0 < not)
            .then(|| format!("{contestant}, constant rate, round {round}: {not} not answered 200"))
    };
    let wrong =
        samples.iter().flat_map(wrong).chain(calm.iter().filter_map(not_answered)).collect();
    let costs: Vec<_> = Keys::ALL
        .iter()
        .flat_map(|keys| CONTESTANTS.iter().filter_map(|who| cost(&samples, *keys, *who)))
        .collect();
    let latencies: Vec<_> = CONTESTANTS.iter().filter_map(|who| latency(&calm, *who)).collect();
    let promises = promises(&costs, &latencies);
    let (rounds, load) = (wanted.rounds, wanted.load());
    let report =
        Report { machine, rounds, load, costs, latencies, promises, admitted, wrong, samples };
    let text = markdown(&report, wanted);
    publish(&setting.places, "shared-limit", (&text, &report), valid(&report.wrong))
}

/// Everybody in turn, round after round, with a hot key and with cold ones; each sample with the
/// commands that Redis had for each of its requests. Then everybody with the hot key at a constant
/// rate.
fn all_rounds(bench: &Bench, wanted: &Wanted) -> Result<Measured, Failure> {
    let serving = CONTESTANTS.iter().map(|&who| bench.start(who)).collect::<Result<Vec<_>, _>>()?;
    let mut order: Vec<&Serving> = serving.iter().collect();
    for one in &order {
        measure(bench, one, (Load { seconds: 1, ..wanted.load() }, Keys::Hot), 0)?;
    }
    let (load, mut samples, mut calm) = (wanted.load(), Vec::new(), Vec::new());
    let beats = beats_per_second(bench)?;
    for round in 1..=wanted.rounds {
        for keys in Keys::ALL {
            for one in &order {
                let (before, begun) = (commands(bench)?, clock::now());
                let sample = measure(bench, one, (load, keys), round)?;
                let beats = beats * begun.elapsed().as_secs_f64();
                let commands = (commands(bench)? - before - beats).max(0.0)
                    / sample.reached.max(sample.requests);
                eprintln!(
                    "round {round}/{}: {:<17} {keys:?} {:>7.0} requests/s, {commands:.4} commands each",
                    wanted.rounds,
                    one.contestant.name(),
                    sample.requests_per_second,
                );
                samples.push((keys, commands, sample));
            }
        }
        for one in &order {
            let told = at_a_constant_rate(one, wanted);
            let (name, millis) = (one.contestant.name(), told.p99_millis);
            eprintln!("round {round}/{}: {name:<17} p99 {millis:.2} ms", wanted.rounds);
            calm.push(Calm { contestant: one.contestant, round, told });
        }
        order.rotate_left(1);
    }
    Ok((samples, calm))
}

/// What clients of `one` are told who ask for the hot key at a constant rate: their latency counts
/// from when a request was due.
fn at_a_constant_rate(one: &Serving, wanted: &Wanted) -> Told {
    let pace = Pace::Open(Duration::from_secs(1).div_f64(f64::from(wanted.rate)));
    let path = one.contestant.request().path.to_owned();
    let load = Paced { path, pace, connections: PACED_CONNECTIONS };
    let clients = Clients::start(Dates::begin(), &[one.address], &load);
    Deadline::pause(Duration::from_secs(wanted.seconds.into()));
    Told::between(&clients.stop(), 0, u64::MAX)
}

/// What the gateways send while nobody asks them for anything: signs of life, which cost the same under
/// any load.
fn beats_per_second(bench: &Bench) -> Result<f64, Failure> {
    let before = commands(bench)?;
    Deadline::pause(IDLE_TIME);
    Ok((commands(bench)? - before) / IDLE_TIME.as_secs_f64())
}

fn commands(bench: &Bench) -> Result<f64, Failure> {
    bench.redis.as_ref().map_or(Ok(0.0), Redis::commands)
}

fn all_fleets(setting: &Setting, wanted: &Wanted) -> Result<Vec<Admitted>, Failure> {
    let (calls, period_seconds, manner) = (wanted.calls, wanted.period, wanted.manner);
    let terms = Terms { calls, period_seconds, quota: calls, manner };
    let plan = |kind| Plan { kind, ..Plan::new(wanted.gateways, terms, Weather::Fair) };
    let plans = [Kind::Weir, Kind::NginxRedis].map(plan);
    let programs = fleet::programs(setting, &plans)?;
    let lasts = Duration::from_secs(wanted.lost_seconds);
    let times = Times { around: lasts, lasts };
    let mut admitted = Vec::new();
    for weather in WEATHERS {
        for plan in &plans {
            eprintln!("{:?}, {weather}", plan.kind);
            let row = in_weather(setting, &programs, (plan, LOAD_PERCENT), (weather, times))?;
            admitted.push(Admitted { kind: plan.kind, weather, row });
        }
    }
    Ok(admitted)
}

fn cost(samples: &[(Keys, f64, Sample)], keys: Keys, who: Contestant) -> Option<Cost> {
    let of = |who: Contestant| {
        samples.iter().filter(move |(of, _, sample)| *of == keys && sample.contestant == who)
    };
    let over = |figure: fn(&Sample) -> f64| Spread::of(of(who).map(|(_, _, one)| figure(one)));
    let beside = |figure: fn(&Sample, &Sample) -> f64| {
        Spread::of(of(who).filter_map(|(_, _, one)| {
            let mut memory = of(Contestant::WeirLimitMemory);
            let (_, _, memory) = memory.find(|(_, _, other)| other.round == one.round)?;
            Some(figure(one, memory))
        }))
    };
    Some(Cost {
        contestant: who,
        keys,
        requests_per_second: over(|sample| sample.requests_per_second)?,
        ratio: beside(|one, memory| one.requests_per_second / memory.requests_per_second)?,
        p50_micros: over(|sample| sample.p50_micros)?,
        p99_micros: over(|sample| sample.p99_micros)?,
        p99_more_millis: beside(|one, memory| (one.p99_micros - memory.p99_micros) / 1e3)?,
        cpu_micros_per_request: over(|sample| sample.cpu_micros_per_request)?,
        commands_per_request: Spread::of(of(who).map(|(_, commands, _)| *commands))?,
    })
}

fn latency(calm: &[Calm], who: Contestant) -> Option<Latency> {
    let of = |who: Contestant| calm.iter().filter(move |one| one.contestant == who);
    let over = |figure: fn(&Told) -> f64| Spread::of(of(who).map(|one| figure(&one.told)));
    let more = of(who).filter_map(|one| {
        let memory = of(Contestant::WeirLimitMemory).find(|other| other.round == one.round)?;
        Some(one.told.p99_millis - memory.told.p99_millis)
    });
    Some(Latency {
        contestant: who,
        p50_millis: over(|told| told.p50_millis)?,
        p99_millis: over(|told| told.p99_millis)?,
        p99_more_millis: Spread::of(more)?,
    })
}

fn promises(costs: &[Cost], latencies: &[Latency]) -> Vec<Promise> {
    let of = |keys| {
        costs
            .iter()
            .find(move |one| one.contestant == Contestant::WeirLimitRedis && one.keys == keys)
    };
    let mut latencies = latencies.iter();
    let latency = latencies.find(|one| one.contestant == Contestant::WeirLimitRedis);
    let (Some(hot), Some(cold), Some(latency)) = (of(Keys::Hot), of(Keys::Cold), latency) else {
        return Vec::new();
    };
    let at_most = |what, measured: Spread, most: f64| Promise {
        what,
        wanted: format!("at most {most}"),
        measured,
        kept: measured.median <= most,
    };
    vec![
        Promise {
            what: "requests/s over those in memory, hot key",
            wanted: format!("at least {RATIO_MIN}"),
            measured: hot.ratio,
            kept: RATIO_MIN <= hot.ratio.median,
        },
        at_most(
            "p99 more than in memory, ms, hot key at a constant rate",
            latency.p99_more_millis,
            P99_MILLIS_MAX,
        ),
        at_most("commands for each request, hot key", hot.commands_per_request, COMMANDS_HOT_MAX),
        at_most(
            "commands for each request, cold keys",
            cold.commands_per_request,
            COMMANDS_COLD_MAX,
        ),
    ]
}

/// How long clients waited at a constant rate.
fn paced(text: &mut String, report: &Report, wanted: &Wanted) {
    // Writing to a `String` cannot fail.
    let _ = write!(
        text,
        "\nThe hot key at {} requests/s, from when each was due:\n\n\
         | who | p50, ms | p99, ms | p99 more, ms |\n|---|---|---|---|\n",
        wanted.rate
    );
    for one in &report.latencies {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            one.contestant,
            spread(one.p50_millis),
            spread(one.p99_millis),
            spread(one.p99_more_millis),
        );
    }
}

fn markdown(report: &Report, wanted: &Wanted) -> String {
    let mut text = format!(
        "# Shared limit\n\n{}\n\nOne proxy, {} rounds of {} s with {} connections; Redis runs on the core of \
         the load. Hot: one key; cold: every request another one. Commands without signs of life, scripts as one. Medians, \
         least and greatest.\n\n\
         | who | keys | requests/s | over memory | p99 µs | p99 more, ms | CPU µs | commands for each request |\n\
         |---|---|---|---|---|---|---|---|\n",
        report.machine.line(),
        report.rounds,
        report.load.seconds,
        report.load.connections,
    );
    for cost in &report.costs {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {:?} | {:.0} | {} | {:.0} | {} | {:.1} | {:.4} |",
            cost.contestant,
            cost.keys,
            cost.requests_per_second.median,
            spread(cost.ratio),
            cost.p99_micros.median,
            spread(cost.p99_more_millis),
            cost.cpu_micros_per_request.median,
            cost.commands_per_request.median,
        );
    }
    paced(&mut text, report, wanted);
    text.push_str("\n| promise | wanted | measured | kept |\n|---|---|---|---|\n");
    for Promise { what, wanted, measured, kept } in &report.promises {
        let kept = if *kept { "yes" } else { "NO" };
        let _ = writeln!(text, "| {what} | {wanted} | {} | {kept} |", spread(*measured));
    }
    let _ = write!(
        text,
        "\n{} gateways, {} calls in {} s over all, asked for far more; held {}. A fixed window (nginx) is \
         judged by its own windows, and besides by any interval. Refused wrongly: of {LOAD_PERCENT} % of another limit \
         like it, asked for evenly, before, during and after.\n\n\
         | who | weather | admitted at most in a window | over the limit | backend saw in any interval \
         | refused wrongly |\n|---|---|---|---|---|---|\n",
        wanted.gateways,
        wanted.calls,
        wanted.period,
        wanted.manner.in_words(),
    );
    for Admitted { kind, weather, row } in &report.admitted {
        let over = percent(over(row.rate.most, wanted.calls));
        let _ = writeln!(
            text,
            "| {kind} | {weather} | {} | {over} | {} | {} |",
            row.rate.most,
            row.rate.seen,
            row.refused_wrongly.map(percent).join(", "),
        );
    }
    if !report.wrong.is_empty() {
        text.push_str("\n**This run is not valid:**\n\n");
    }
    for wrong in &report.wrong {
        let _ = writeln!(text, "* {wrong}");
    }
    text
}

fn spread(spread: Spread) -> String {
    format!("{:.3} ({:.3}–{:.3})", spread.median, spread.min, spread.max)
}
