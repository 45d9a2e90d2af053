//! What a million keys cost: memory of a gateway and of Redis, and what a hot key notices.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::bench::Setting;
use crate::clock::{self, Deadline};
use crate::failure::Failure;
use crate::fleet::{self, Fleet, Plan, Terms};
use crate::load::{Clients, Load, Pace, Told};
use crate::machine::Machine;
use crate::manner::Manner;
use crate::redis::Redis;
use crate::report::{kept, publish};
use crate::weather::Weather;

/// The promise: so much more memory at most, in MiB, for a million keys.
const MORE_MIB_MAX: f64 = 200.0;

/// The limit of each key, far more than it is asked for, ...
const CALLS: u64 = 1_000_000;
/// ... and its period: long enough that no key goes before the last one comes.
const PERIOD_SECONDS: u64 = 300;

/// Under how many limits a request of `scenarios/shared/many.xml` is, each with a key of its own: so
/// the clients are not what a million keys wait for.
const KEYS_OF_REQUEST: u32 = 8;

/// How often the hot key is asked for.
const HOT_EVERY: Duration = Duration::from_millis(5);

/// What is asked for: under the hot key, under another one, and under ever new ones.
const HOT: &str = "/keys/x?key=hot";
const ONE: &str = "/keys/x?key=one";
const OTHERS: &str = "/many/x?key={n}";

/// Connections for all other keys.
const CONNECTIONS: u32 = 24;

/// After this, what requests needed besides their keys has been given back.
const SETTLING_TIME: Duration = Duration::from_secs(2);

/// How often another key is asked for while the hot one is watched.
const BESIDE: Pace = Pace::Open(Duration::from_micros(500));

/// Longer than this the first keys do not stay.
const FILLING_TIME_MAX: Duration = Duration::from_secs(PERIOD_SECONDS);

/// How often the keys in Redis are counted at the end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// How many keys
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// New keys a second; as many as the gateway takes if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How long the hot key is watched before and after, beside 2000 requests a second for another one
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    keys: u32,
    keys_in_redis: f64,
    keys_per_second: f64,
    filling_seconds: f64,
    resident_mib_before: f64,
    resident_mib_after: f64,
    bytes_per_key: f64,
    redis_bytes_per_key: f64,
    commands_per_key: f64,
    /// Of the hot key: few keys, while they become many, with many.
    hot: [Told; 3],
    others: [Told; 3],
    broken_promises: Vec<String>,
}

/// Runs it, prints the report and keeps it; an error if a promise was not kept.
pub(crate) fn run(setting: &Setting, wanted: &Wanted) -> Result<(), Failure> {
    let terms =
        Terms { calls: CALLS, period_seconds: PERIOD_SECONDS, quota: CALLS, manner: wanted.manner };
    let plan = Plan::new(1, terms, Weather::Fair);
    let programs = fleet::programs(setting, &[plan])?;
    let machine = Machine::look(setting.cores, &programs);
    let fleet = Fleet::start(setting, &programs, &plan)?;
    let watch = Duration::from_secs(wanted.seconds);
    eprintln!("one key beside the hot one ({} s)", wanted.seconds);
    let few = part(&fleet, (ONE, BESIDE), || Deadline::pause(watch));
    let (resident_before, redis) = (resident_mib(&fleet)?, fleet.counters.primary());
    let ((bytes_before, keys_before), commands) = (redis.size()?, redis.commands()?);
    eprintln!("{} keys", wanted.keys);
    let begun = clock::now();
    let pace = wanted.rate.map_or(Pace::Closed(Duration::ZERO), |rate| {
        Pace::Open(Duration::from_secs(KEYS_OF_REQUEST.into()).div_f64(f64::from(rate)))
    });
    let growing = part(&fleet, (OTHERS, pace), || await_keys(redis, wanted.keys));
    let filling_seconds = begun.elapsed().saturating_sub(SETTLING_TIME).as_secs_f64();
    let (resident_after, (bytes_after, keys_after)) = (resident_mib(&fleet)?, redis.size()?);
    let commands = redis.commands()? - commands;
    eprintln!("one key beside the hot one, among many ({} s)", wanted.seconds);
    let many = part(&fleet, (ONE, BESIDE), || Deadline::pause(watch));
    let new = (keys_after - keys_before).max(1.0);
    let mut report = Report {
        machine,
        keys: wanted.keys,
        keys_in_redis: keys_after,
        keys_per_second: new / filling_seconds,
        filling_seconds,
        resident_mib_before: resident_before,
        resident_mib_after: resident_after,
        bytes_per_key: (resident_after - resident_before) * 1024.0 * 1024.0 / new,
        redis_bytes_per_key: (bytes_after - bytes_before) / new,
        commands_per_key: commands / new,
        hot: [few, growing, many].map(|[hot, _]| hot),
        others: [few, growing, many].map(|[_, others]| others),
        broken_promises: Vec::new(),
    };
    report.broken_promises = report.judge();
    let text = markdown(&report);
    publish(&setting.places, "million-keys", (&text, &report), kept(&report.broken_promises))
}

/// Asks for the hot key and, at that pace, for others; what became of both.
fn part(fleet: &Fleet, (others, pace): (&str, Pace), lasts: impl FnOnce()) -> [Told; 2] {
    let load = |path: &str, pace, connections| {
        let load = Load { path: path.to_owned(), pace, connections };
        Clients::start(fleet.dates, &fleet.addresses(), &load)
    };
    let clients = [load(HOT, Pace::Open(HOT_EVERY), 2), load(others, pace, CONNECTIONS)];
    lasts();
    let told = clients.map(|clients| Told::between(&clients.stop(), 0, u64::MAX));
    Deadline::pause(SETTLING_TIME);
    told
}

/// Waits until so many keys are in Redis, as long as the first ones stay.
fn await_keys(redis: &Redis, keys: u32) {
    let end = Deadline::after(FILLING_TIME_MAX);
    let enough = || redis.size().is_ok_and(|(_, there)| f64::from(keys) <= there);
    while !end.has_passed() && !enough() {
        Deadline::pause(LOOK_AGAIN);
    }
}

fn resident_mib(fleet: &Fleet) -> Result<f64, Failure> {
    let gateway = fleet.gateways.first();
    Ok(gateway.map_or(Ok(0.0), |gateway| gateway.process.resident_kib())? / 1024.0)
}

impl Report {
    fn judge(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let more = self.resident_mib_after - self.resident_mib_before;
        if MORE_MIB_MAX < more {
            broken.push(format!("{more:.0} MiB more in the gateway"));
        }
        if self.keys_in_redis < f64::from(self.keys) {
            let keys = self.keys_in_redis;
            broken.push(format!(
                "only {keys:.0} keys are in Redis: the gateway did not keep up, or the first keys went \
                 before the last ones came"
            ));
        }
        let others: u64 = self.hot.iter().chain(&self.others).map(Told::not_admitted).sum();
        if 0 < others {
            broken.push(format!("{others} requests were not admitted"));
        }
        broken
    }
}

fn markdown(report: &Report) -> String {
    let more = report.resident_mib_after - report.resident_mib_before;
    let mut text = format!(
        "# {} keys\n\n{}\n\nOne gateway, a limit for each key over Redis, eight for each request; {:.0} keys a second, {:.0} s in all.\n\n\
         | figure | value |\n|---|---|\n\
         | resident before, MiB | {:.1} |\n| resident after, MiB | {:.1} |\n| more, MiB | {more:.1} |\n\
         | bytes in the gateway for each key | {:.0} |\n| keys in Redis | {:.0} |\n| bytes in Redis for each key | {:.0} |\n\
         | commands for each new key | {:.3} |\n\n\
         | while | hot key p50, ms | hot key p99, ms | others p99, ms | not admitted |\n|---|---|---|---|---|\n",
        report.keys,
        report.machine.line(),
        report.keys_per_second,
        report.filling_seconds,
        report.resident_mib_before,
        report.resident_mib_after,
        report.bytes_per_key,
        report.keys_in_redis,
        report.redis_bytes_per_key,
        report.commands_per_key,
    );
    let names = ["there are few keys", "keys become many", "there are many keys"];
    for ((name, hot), others) in names.iter().zip(&report.hot).zip(&report.others) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {name} | {:.2} | {:.2} | {:.2} | {} |",
            hot.p50_millis,
            hot.p99_millis,
            others.p99_millis,
            hot.not_admitted() + others.not_admitted(),
        );
    }
    for broken in &report.broken_promises {
        let _ = writeln!(text, "\n**Not kept:** {broken}");
    }
    text
}
