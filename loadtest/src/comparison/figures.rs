//! The data of the report, as `report.json` holds it and `compare` reads it.

use serde::{Deserialize, Serialize};

use super::entrant::Entrant;
use super::task::Task;
use crate::open_loop::window::Window;
use crate::statistics::{Spread, count};

/// Everything that was measured.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    /// The machine, in a line.
    pub(crate) machine: String,
    /// How often everybody's turn came.
    pub(crate) rounds: u32,
    /// The length of a turn, in windows of a second.
    pub(crate) seconds: u32,
    /// Each scenario.
    pub(crate) scenarios: Vec<Scenario>,
    /// The fleets whose Redis is killed, if they took part.
    pub(crate) fleets: Vec<Fleet>,
}

/// One scenario.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Scenario {
    /// Which.
    pub(crate) task: Task,
    /// Requests a second, the same for everybody.
    pub(crate) rate: u32,
    /// Whose figures the others' are divided by.
    pub(crate) yardstick: Entrant,
    /// Everybody that took part.
    pub(crate) rows: Vec<Row>,
    /// Who cannot, and why.
    pub(crate) missing: Vec<(Entrant, String)>,
    /// How many connections lay idle, where they did.
    pub(crate) idle_connections: Option<u32>,
}

/// One proxy in one scenario.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    /// Who.
    pub(crate) who: Entrant,
    /// Its turns, one a round.
    pub(crate) turns: Vec<Turn>,
    /// Memory of an idle connection, in KiB, where it was measured.
    pub(crate) idle_kib: Option<f64>,
}

/// A turn.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Turn {
    /// Which round, from 1.
    pub(crate) round: u32,
    /// At the constant rate.
    pub(crate) paced: Sample,
    /// As fast as it answers, where that was measured.
    pub(crate) pressed: Option<Capacity>,
}

/// What a constant rate showed; figures of valid windows only, none if there was none.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Sample {
    /// Latencies in microseconds: p50, p90, p99 and p99.9.
    pub(crate) micros: Option<[u64; 4]>,
    /// Microseconds of processor time for each request.
    pub(crate) cpu_micros: Option<f64>,
    /// Resident memory after it.
    pub(crate) resident_mib: f64,
    /// Right answers in valid windows.
    pub(crate) right: u64,
    /// Requests in all windows that got no right answer.
    pub(crate) errors: u64,
    /// Requests in all windows that were not sent at once, because everything was in flight.
    pub(crate) late: u64,
    /// Requests in all windows that were never sent.
    pub(crate) not_sent: u64,
    /// Requests in all windows that were sent again, because a kept connection was closed.
    pub(crate) again: u64,
    /// p99 of the generator's own lag in all windows, in microseconds.
    pub(crate) lag_micros: u64,
    /// Worst p99 that all windows together show, in microseconds: also of invalid ones.
    pub(crate) p99_of_all: u64,
    /// Which windows were dropped.
    pub(crate) dropped: Dropped,
}

/// How many windows there were, and why some do not count.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Dropped {
    /// All windows, dropped ones too.
    pub(crate) windows: u32,
    /// The generator did not keep its own schedule.
    pub(crate) generator_late: u32,
    /// Something else ran on the proxy's core.
    pub(crate) kept_waiting: u32,
    /// Requests went wrong.
    pub(crate) errors: u32,
}

/// What a closed loop showed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Capacity {
    /// Right answers a second.
    pub(crate) requests_per_second: f64,
    /// Right answers for each second of processor time.
    pub(crate) requests_per_cpu_second: f64,
    /// Requests that got no right answer.
    pub(crate) errors: u64,
    /// Part of the time that it could have run in which something else had its core.
    pub(crate) kept_waiting: f64,
}

/// A fleet whose Redis is killed.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Fleet {
    /// Who.
    pub(crate) who: String,
    /// How many gateways.
    pub(crate) gateways: u32,
    /// What they may admit ...
    pub(crate) calls: u64,
    /// ... in so many seconds.
    pub(crate) period_seconds: u64,
    /// Requests a second that are asked for.
    pub(crate) asked: u32,
    /// When Redis was gone, in seconds from the beginning.
    pub(crate) gone: [f64; 2],
    /// Seconds from the beginning, and what the backend got in the period before.
    pub(crate) admitted: Vec<(f64, u64)>,
    /// What clients were told before, meanwhile and afterwards.
    pub(crate) told: [Told; 3],
}

/// What clients were told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Told {
    /// Admitted.
    pub(crate) admitted: u64,
    /// Refused by the limit.
    pub(crate) refused: u64,
    /// Answered 5xx, otherwise, or not at all.
    pub(crate) errors: u64,
    /// 99 of 100 waited at most so long, in milliseconds.
    pub(crate) p99_millis: f64,
    /// The most that the backend got in any period.
    pub(crate) most: u64,
}

/// A figure that ratios are made of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Figure {
    /// Requests for each processor second in the closed loop: more is better.
    Capacity,
    /// Processor time for each request at the constant rate: less is better.
    Cpu,
    /// Half of the answers: less is better.
    P50,
    /// 99 of 100: less is better.
    P99,
    /// Resident memory: less is better.
    Memory,
}

impl Figure {
    /// All, in the order of the report.
    pub(crate) const ALL: [Self; 5] =
        [Self::Capacity, Self::Cpu, Self::P50, Self::P99, Self::Memory];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Capacity => "requests per CPU second",
            Self::Cpu => "CPU per request",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Memory => "memory",
        }
    }

    /// Of one turn, if it says it.
    fn of(self, turn: &Turn) -> Option<f64> {
        let [p50, _, p99, _] = turn.paced.micros.unwrap_or_default();
        let figure = match self {
            Self::Capacity => {
                let pressed = turn.pressed.filter(|one| one.kept_waiting <= KEPT_WAITING_MAX);
                pressed.map_or(0.0, |pressed| pressed.requests_per_cpu_second)
            }
            Self::Cpu => turn.paced.cpu_micros.unwrap_or(0.0),
            Self::P50 => count(p50),
            Self::P99 => count(p99),
            Self::Memory => turn.paced.resident_mib,
        };
        // Nothing measured is nothing to divide by.
        (0.0 < figure && figure.is_finite()).then_some(figure)
    }
}

/// In a closed loop the proxy's own threads wait for each other: more is borne, as its figure is by
/// processor time.
const KEPT_WAITING_MAX: f64 = 0.25;

impl Sample {
    /// What `valid` windows and the `whole` say, with nanoseconds that the proxy ran in valid ones and its
    /// memory.
    pub(crate) fn of(
        valid: &Window,
        whole: &Window,
        dropped: Dropped,
        (ran, resident_mib): (f64, f64),
    ) -> Self {
        let right = valid.right();
        let micros = [0.5, 0.9, 0.99, 0.999].map(|part| valid.latency.value_at_quantile(part));
        Self {
            micros: (0 < right).then_some(micros),
            cpu_micros: (0 < right).then(|| ran / 1e3 / count(right)),
            resident_mib,
            right,
            errors: whole.errors(),
            late: whole.late,
            not_sent: whole.not_sent,
            again: whole.again,
            lag_micros: whole.lag.value_at_quantile(0.99),
            p99_of_all: whole.latency.value_at_quantile(0.99),
            dropped,
        }
    }
}

impl Scenario {
    /// The row of `who`.
    pub(crate) fn row(&self, who: Entrant) -> Option<&Row> {
        self.rows.iter().find(|row| row.who == who)
    }

    /// `who`'s figure over the yardstick's, each round for itself; none unless both have one.
    pub(crate) fn ratio(&self, who: Entrant, figure: Figure) -> Option<Spread> {
        // There nginx is a master with workers that come and go: its own figures say nothing.
        if self.task == Task::Reload && matches!(figure, Figure::Cpu | Figure::Memory) {
            return None;
        }
        let theirs = self.row(self.yardstick)?;
        Spread::of(self.row(who)?.turns.iter().filter_map(|turn| {
            let same = theirs.turns.iter().find(|other| other.round == turn.round)?;
            Some(figure.of(turn)? / figure.of(same)?)
        }))
    }
}

impl Row {
    /// The spread of a figure over all turns.
    pub(crate) fn spread(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.turns.iter().filter_map(figure))
    }

    /// The sum of a count over all turns.
    pub(crate) fn sum(&self, figure: impl Fn(&Sample) -> u64) -> u64 {
        self.turns.iter().map(|turn| figure(&turn.paced)).sum()
    }

    /// A percentile over all turns, in milliseconds: 0 is p50, 3 is p99.9.
    pub(crate) fn millis(&self, place: usize) -> Option<Spread> {
        self.spread(|turn| turn.paced.micros?.get(place).map(|micros| count(*micros) / 1e3))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Capacity, Dropped, Figure, Row, Sample, Scenario, Turn};
    use crate::comparison::entrant::Entrant;
    use crate::comparison::task::Task;

    /// A scenario in which Weir has these p50s, round by round, and bare Pingora those.
    pub(in crate::comparison) fn scenario(weir: &[u64], bare: &[u64]) -> Scenario {
        let turn = |(at, p50): (usize, &u64)| Turn {
            round: u32::try_from(at).unwrap() + 1,
            paced: Sample {
                micros: (0 < *p50).then_some([*p50, p50 * 2, p50 * 3, p50 * 4]),
                cpu_micros: Some(20.0),
                resident_mib: 10.0,
                right: 100,
                errors: 0,
                late: 0,
                not_sent: 0,
                again: 0,
                lag_micros: 50,
                p99_of_all: 1,
                dropped: Dropped::default(),
            },
            pressed: Some(Capacity {
                requests_per_second: 1e4,
                requests_per_cpu_second: 2e4,
                errors: 0,
                kept_waiting: 0.0,
            }),
        };
        let row = |who, figures: &[u64]| Row {
            who,
            turns: figures.iter().enumerate().map(turn).collect(),
            idle_kib: None,
        };
        Scenario {
            task: Task::Plain,
            rate: 1000,
            yardstick: Entrant::BarePingora,
            rows: vec![row(Entrant::BarePingora, bare), row(Entrant::Weir, weir)],
            missing: vec![(Entrant::Envoy, "is not here".to_owned())],
            idle_connections: None,
        }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_and_only_of_valid_turns() {
        let scenario = scenario(&[200, 0, 600], &[100, 100, 200]);
        let ratio = scenario.ratio(Entrant::Weir, Figure::P50).unwrap();
        assert!((ratio.min - 2.0).abs() < 1e-9 && (ratio.max - 3.0).abs() < 1e-9, "{ratio:?}");
        assert!(scenario.ratio(Entrant::Envoy, Figure::P50).is_none());
    }
}
