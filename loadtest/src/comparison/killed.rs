//! Three replicas hold one limit over one Redis, are asked for three times what it admits, and Redis is
//! killed and comes back empty. What came through, the backend says.

use std::ops::Range;
use std::time::Duration;

use super::Wanted;
use super::entrant::Entrant;
use super::figures::{Fleet as Figures, Told as Part};
use super::task::Task;
use crate::bench::Setting;
use crate::clock::micros;
use crate::failure::Failure;
use crate::fleet::{Fleet, Kind, Plan, Terms};
use crate::judge::{Passed, most_seen};
use crate::load::{Load, Pace, Told};
use crate::manner::Manner;
use crate::programs::Programs;
use crate::trial::{self, Times};
use crate::weather::Weather;

/// How many replicas.
const GATEWAYS: u32 = 3;
/// What they admit together ...
const CALLS: u64 = 300;
/// ... in so many seconds.
const PERIOD: u64 = 1;
/// What is asked for, in requests a second.
const ASKED: u32 = 900;
/// Connections to each of them.
const CONNECTIONS: u32 = 16;
/// How often a point of the picture is.
const STEP: Duration = Duration::from_millis(100);

/// Runs it for everybody that takes part.
pub(super) fn run(
    setting: &Setting,
    programs: &Programs,
    wanted: &Wanted,
) -> Result<Vec<Figures>, Failure> {
    let (able, _) = wanted.entrants(Task::RedisKilled);
    let kind = |who: &Entrant| match who {
        Entrant::Weir => Some(Kind::Weir),
        Entrant::NginxRedis => Some(Kind::NginxRedis),
        Entrant::Traefik => Some(Kind::Traefik),
        Entrant::BarePingora
        | Entrant::Nginx
        | Entrant::Haproxy
        | Entrant::Envoy
        | Entrant::WeirPlain => None,
    };
    able.iter().filter_map(kind).map(|kind| one(setting, programs, kind, wanted)).collect()
}

fn one(
    setting: &Setting,
    programs: &Programs,
    kind: Kind,
    wanted: &Wanted,
) -> Result<Figures, Failure> {
    let manner = Manner::default();
    let terms = Terms { calls: CALLS, period_seconds: PERIOD, quota: CALLS, manner };
    let plan = Plan { kind, ..Plan::new(GATEWAYS, terms, Weather::RedisLost) };
    let mut fleet = Fleet::start(setting, programs, &plan)?;
    let every = Duration::from_secs(1).mul_f64(f64::from(GATEWAYS) / f64::from(ASKED));
    let load =
        Load { path: "/rate/x".to_owned(), pace: Pace::Open(every), connections: CONNECTIONS };
    let lasts = Duration::from_secs(wanted.lost_seconds);
    let times = Times { around: lasts, lasts };
    let trial = trial::run(&mut fleet, &[load], Weather::RedisLost, times)?;
    let mut log = fleet.witness.log("rate");
    log.sort_unstable_by_key(|passed| passed.came);
    let phases = trial.phases(0);
    let part = |told: Told, range: Range<u64>| Part {
        admitted: told.admitted,
        refused: told.refused,
        errors: told.server_errors.saturating_add(told.others).saturating_add(told.broken),
        p99_millis: told.p99_millis,
        most: most_within(&log, range),
    };
    // A period that spans a loss or a return counts, too: that is where more might come through.
    let spanning = |date: u64| date.saturating_sub(micros(Duration::from_secs(PERIOD)));
    let told = [
        part(phases.before, trial.begun..trial.broke),
        part(phases.during, spanning(trial.broke)..trial.over),
        part(phases.after, spanning(trial.over)..trial.ended),
    ];
    let since = |date: u64| seconds(date.saturating_sub(trial.begun));
    let figures = Figures {
        who: kind.to_string(),
        gateways: GATEWAYS,
        calls: CALLS,
        period_seconds: PERIOD,
        asked: ASKED,
        gone: [since(trial.broke), since(trial.over)],
        admitted: admitted(&log, trial.begun..trial.ended),
        told,
    };
    let [before, during, after] = told.map(|part| part.most);
    eprintln!("  {:<13} at most {before}, {during}, {after} of {CALLS} in {PERIOD} s", figures.who);
    Ok(figures)
}

/// For each step, what came in the period before it.
fn admitted(log: &[Passed], range: Range<u64>) -> Vec<(f64, u64)> {
    let period = micros(Duration::from_secs(PERIOD));
    let steps = usize::try_from(micros(STEP)).unwrap_or(usize::MAX);
    // What came before the beginning belongs to the warm-up: a period must be whole.
    let first = range.start.saturating_add(period);
    (first..range.end)
        .step_by(steps)
        .map(|date| {
            let until = log.partition_point(|passed| passed.came <= date);
            let from = log.partition_point(|passed| passed.came <= date.saturating_sub(period));
            let count = until.saturating_sub(from);
            (seconds(date.saturating_sub(range.start)), u64::try_from(count).unwrap_or(u64::MAX))
        })
        .collect()
}

/// The most that came in any period, of what came within `range`.
fn most_within(log: &[Passed], range: Range<u64>) -> u64 {
    let within: Vec<Passed> =
        log.iter().filter(|passed| range.contains(&passed.came)).copied().collect();
    u64::try_from(most_seen(&within, micros(Duration::from_secs(PERIOD)))).unwrap_or(u64::MAX)
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::admitted;
    use crate::judge::Passed;

    #[test]
    fn a_point_counts_the_period_before_it() {
        let came = |came| Passed { sent: came, came };
        let log = [came(500_000), came(1_200_000), came(1_900_000)];
        let points = admitted(&log, 0..2_100_000);
        let counts: Vec<u64> = points.iter().map(|(_, count)| *count).collect();
        assert_eq!(points.first().unwrap().0.to_string(), "1");
        assert_eq!(counts, [1, 1, 2, 2, 2, 1, 1, 1, 1, 2, 2]);
    }
}
