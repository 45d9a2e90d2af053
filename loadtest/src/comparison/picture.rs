//! The pictures of a report: latencies and ratios of each scenario, and what fleets admitted while
//! Redis was gone.

use super::figures::{Figure, Fleet, Report, Scenario};
use crate::plot::bars::Bars;
use crate::plot::scale::Scale;
use crate::plot::{Axis, Chart};
use crate::statistics::{count, float};

/// The percentiles of a [`super::figures::Sample`], as they are written.
const PERCENTILES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

/// The ratios that are shown.
const FIGURES: [Figure; 3] = [Figure::Capacity, Figure::Cpu, Figure::P99];

/// The names of all files, with what is in them.
pub(super) fn all(report: &Report) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for scenario in &report.scenarios {
        all.push((name(scenario, "latency"), latency(scenario)));
        all.push((name(scenario, "ratios"), ratios(scenario)));
    }
    if !report.fleets.is_empty() {
        all.push((FLEETS.to_owned(), fleets(&report.fleets)));
    }
    all
}

/// The file of the fleets.
pub(super) const FLEETS: &str = "report-redis-killed.svg";

/// The file of a scenario.
pub(super) fn name(scenario: &Scenario, what: &str) -> String {
    format!("report-{}-{what}.svg", scenario.task.name())
}

fn latency(scenario: &Scenario) -> String {
    let places = || PERCENTILES.iter().enumerate().map(|(at, name)| (at, float(at), *name));
    let curves: Vec<(String, Vec<(f64, f64)>)> = scenario
        .rows
        .iter()
        .map(|row| {
            let point = |(at, x, _)| Some((x, row.millis(at)?.median));
            (row.who.name().to_owned(), places().filter_map(point).collect())
        })
        .collect();
    let all = || curves.iter().flat_map(|(_, points)| points.iter().map(|(_, y)| *y));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let names = places().map(|(_, x, name)| (x, name.to_owned())).collect();
    Chart {
        title: format!("{}: latency", scenario.task.title()),
        note: format!(
            "{} requests/s for everybody, counted from when each was due; medians over the rounds",
            scenario.rate
        ),
        x: Axis { label: "percentile".to_owned(), scale: Scale::exact(-0.3, 3.3), names },
        y: Axis {
            label: "latency, ms (log)".to_owned(),
            scale: Scale::log(if low.is_finite() { low } else { 1.0 }, high),
            names: Vec::new(),
        },
        curves,
        has_points: true,
        band: None,
        mark: None,
    }
    .svg()
}

fn ratios(scenario: &Scenario) -> String {
    let others = scenario.rows.iter().filter(|row| row.who != scenario.yardstick);
    let of = |who| FIGURES.map(|figure| scenario.ratio(who, figure)).to_vec();
    Bars {
        title: format!("{}: ratios to {}", scenario.task.title(), scenario.yardstick),
        note: "medians of each round's ratio, with the least and the greatest".to_owned(),
        label: format!("times {}", scenario.yardstick),
        names: FIGURES
            .iter()
            .map(|figure| {
                let better = if *figure == Figure::Capacity { "more" } else { "less" };
                format!("{} ({better} is better)", figure.name())
            })
            .collect(),
        groups: others.map(|row| (row.who.name().to_owned(), of(row.who))).collect(),
    }
    .svg()
}

/// What fleets admitted, over time, against their limit.
pub(super) fn fleets(fleets: &[Fleet]) -> String {
    let Some(first) = fleets.first() else { return String::new() };
    // Weir first: its curve has its colour in every picture of this kind.
    let mut sorted: Vec<&Fleet> = fleets.iter().collect();
    sorted.sort_by_key(|fleet| fleet.who != "weir");
    let curves: Vec<(String, Vec<(f64, f64)>)> = sorted
        .iter()
        .map(|fleet| {
            let points = fleet.admitted.iter().map(|(at, admitted)| (*at, count(*admitted)));
            (fleet.who.clone(), points.collect())
        })
        .collect();
    let all = || curves.iter().flat_map(|(_, points)| points);
    let high = all().map(|(_, y)| *y).fold(count(first.calls), f64::max);
    let last = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let [gone, back] = first.gone;
    Chart {
        title: format!("One limit, {} replicas, and Redis is killed", first.gateways),
        note: format!(
            "{} requests/s are asked for; what came through to the backend in the {} s before each moment",
            first.asked, first.period_seconds
        ),
        x: Axis { label: "time, s".to_owned(), scale: Scale::exact(0.0, last), names: Vec::new() },
        y: Axis {
            label: format!("admitted requests in {} s", first.period_seconds),
            scale: Scale::linear(0.0, high * 1.05),
            names: Vec::new(),
        },
        curves,
        has_points: false,
        band: Some((gone, back, "Redis is gone".to_owned())),
        mark: Some((count(first.calls), format!("the limit: {}", first.calls))),
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::{fleets, latency, ratios};
    use crate::comparison::figures::tests::scenario;
    use crate::comparison::figures::{Fleet, Told};
    use crate::plot::tests::parse;

    #[test]
    fn pictures_are_well_formed_also_where_nothing_was_valid() {
        for scenario in [scenario(&[200, 300], &[100, 100]), scenario(&[0], &[0])] {
            parse(&latency(&scenario)).unwrap();
            parse(&ratios(&scenario)).unwrap();
        }
    }

    #[test]
    fn the_picture_of_fleets_shows_the_limit_and_when_redis_was_gone() {
        let told = Told { admitted: 1, refused: 1, errors: 0, p99_millis: 1.0, most: 300 };
        let fleet = Fleet {
            who: "weir".to_owned(),
            gateways: 3,
            calls: 300,
            period_seconds: 1,
            asked: 900,
            gone: [10.0, 20.0],
            admitted: vec![(1.0, 300), (1.1, 299)],
            told: [told; 3],
        };
        let svg = fleets(&[fleet]);
        parse(&svg).unwrap();
        assert!(svg.contains("the limit: 300") && svg.contains("Redis is gone"));
    }
}
