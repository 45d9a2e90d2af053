//! Whether two reports say the same: for each ratio, whether the spreads over their rounds meet; for each
//! fleet, whether as much came through; and that both speak of the same.
//!
//! Of n rounds of one thing and m other ones of the same, the spreads fail to meet in 2 n! m! / (n + m)! of
//! all cases by chance alone: one of ten with three rounds each, one of 126 with five. So as many ratios may
//! disagree as chance explains.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::entrant::Entrant;
use super::figures::{Figure, Fleet, Report};
use super::task::Task;
use crate::failure::{Failure, during};
use crate::statistics::{Spread, count, float};

/// Both spreads are widened by this part of their figures: of few rounds that agree with each other to
/// the last digit, the next one is not bound to.
const SLACK: f64 = 0.02;

/// As much came through as before if it differs by at most this part. Whether a loss falls early or late
/// into a period moves it by far more than chance does a ratio.
const FLEET_SLACK: f64 = 0.25;

/// So many standard deviations more than chance sets apart on the average are borne.
const DEVIATIONS: f64 = 3.0;

/// One ratio in both reports.
#[derive(Clone, Copy, Debug)]
struct Pair {
    task: Task,
    who: Entrant,
    figure: Figure,
    spreads: [Option<Spread>; 2],
}

/// One fleet in both reports.
struct Both<'a>([&'a Fleet; 2]);

/// Compares two files of data; prints the verdict of each ratio and each fleet; an error if one disagrees,
/// or if one of them speaks of what the other does not.
pub(crate) fn run(first: &Path, second: &Path) -> Result<(), Failure> {
    let (first, second) = (read(first)?, read(second)?);
    let (pairs, fleets) = (pairs(&first, &second), both_fleets(&first, &second));
    let lonely = lonely(&first, &second);
    print!("{}{}{}", markdown(&pairs), fleet_table(&fleets), lonely_lines(&lonely));
    let ratios = pairs.iter().filter_map(|pair| pair.agrees());
    let verdicts: Vec<bool> = ratios.chain(fleets.iter().map(Both::agrees)).collect();
    if verdicts.is_empty() {
        return Err(Failure::NotValid("the reports have no figure in common".to_owned()));
    }
    let (apart, judged) = (verdicts.iter().filter(|agrees| !**agrees).count(), verdicts.len());
    let rounds = [&first, &second].map(|report| report.rounds);
    let by_chance = chance(rounds) * float(judged);
    let borne = by_chance + DEVIATIONS * by_chance.sqrt();
    println!(
        "\nWith {} and {} rounds chance alone sets {by_chance:.0} of {judged} apart; up to {borne:.0} are borne.",
        rounds[0], rounds[1]
    );
    if float(apart) <= borne && lonely.is_empty() {
        return Ok(());
    }
    let alone = lonely.len();
    let told = format!("{apart} of {judged} figures disagree, {alone} stand in one report only");
    Err(Failure::NotKept(told))
}

fn read(file: &Path) -> Result<Report, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(during(format!("reading {}", file.display())))?;
    serde_json::from_str(&text).map_err(|wrong| Failure::Unreadable {
        tool: "weir-loadtest report",
        expected: "its report.json",
        said: wrong.to_string(),
    })
}

/// All ratios of both, but for those of the yardsticks to themselves.
fn pairs(first: &Report, second: &Report) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for scenario in &first.scenarios {
        let Some(other) = second.scenarios.iter().find(|other| other.task == scenario.task) else {
            continue;
        };
        for who in scenario.rows.iter().map(|row| row.who).filter(|who| *who != scenario.yardstick)
        {
            for figure in Figure::ALL {
                let spreads = [scenario, other].map(|one| one.ratio(who, figure));
                if spreads.iter().any(Option::is_some) {
                    pairs.push(Pair { task: scenario.task, who, figure, spreads });
                }
            }
        }
    }
    pairs
}

/// How often spreads of the same thing do not meet, over so many rounds: all of one lie above all of the
/// other, or the other way round.
fn chance([one, other]: [u32; 2]) -> f64 {
    let parts = (1..=one).map(|at| f64::from(at) / f64::from(other.saturating_add(at)));
    (2.0 * parts.product::<f64>()).min(1.0)
}

/// What is in one report and not in the other: a scenario, somebody in one, or a fleet.
fn lonely(first: &Report, second: &Report) -> Vec<String> {
    let [one, other] = [named(first), named(second)];
    let only = |which, those: &BTreeSet<String>, others: &BTreeSet<String>| {
        those.difference(others).map(|name| format!("{which}: {name}")).collect::<Vec<_>>()
    };
    [only("first", &one, &other), only("second", &other, &one)].concat()
}

/// Everything that a report speaks of. Figures without a valid window are not among it: those are told in
/// the table.
fn named(report: &Report) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        report.fleets.iter().map(|fleet| format!("fleet of {}", fleet.who)).collect();
    for scenario in &report.scenarios {
        for row in &scenario.rows {
            names.insert(format!("{}, {}", scenario.task, row.who));
        }
    }
    names
}

/// The fleets that are in both.
fn both_fleets<'a>(first: &'a Report, second: &'a Report) -> Vec<Both<'a>> {
    let other = |one: &Fleet| second.fleets.iter().find(|other| other.who == one.who);
    first.fleets.iter().filter_map(|one| Some(Both([one, other(one)?]))).collect()
}

impl Both<'_> {
    /// The most that came through in any period, before the loss, meanwhile and afterwards.
    fn most(&self) -> [[u64; 3]; 2] {
        self.0.map(|fleet| fleet.told.map(|told| told.most))
    }

    /// Whether as much came through, up to a part of what may.
    fn agrees(&self) -> bool {
        let [one, other] = self.most();
        let apart = |(one, other): (&u64, &u64)| count(one.abs_diff(*other));
        let [calls, other_calls] = self.0.map(|fleet| fleet.calls);
        let borne = FLEET_SLACK * count(calls);
        calls == other_calls && one.iter().zip(&other).map(apart).all(|apart| apart <= borne)
    }
}

impl Pair {
    /// Whether both say the same; none unless both say something.
    fn agrees(self) -> Option<bool> {
        let [Some(one), Some(other)] = self.spreads else { return None };
        let low = |spread: Spread| spread.min * (1.0 - SLACK);
        let high = |spread: Spread| spread.max * (1.0 + SLACK);
        Some(low(one) <= high(other) && low(other) <= high(one))
    }
}

fn markdown(pairs: &[Pair]) -> String {
    let mut text =
        "| scenario | who | ratio | first | second | agree |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let spread = |spread: Option<Spread>| {
        spread.map_or("none".to_owned(), |Spread { median, min, max }| {
            format!("{median:.2} ({min:.2}–{max:.2})")
        })
    };
    for pair in pairs {
        let agrees = match pair.agrees() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "cannot be told",
        };
        let [first, second] = pair.spreads.map(spread);
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {first} | {second} | {agrees} |",
            pair.task,
            pair.who,
            pair.figure.name()
        );
    }
    let judged = pairs.iter().filter_map(|pair| pair.agrees());
    let (yes, all) = (judged.clone().filter(|agrees| *agrees).count(), judged.count());
    let untold = pairs.len().saturating_sub(all);
    let _ = writeln!(
        text,
        "\n{yes} of {all} ratios agree ({:.0} %); {untold} cannot be told, for want of a valid window in one report.",
        100.0 * float(yes) / float(all.max(1))
    );
    text
}

fn fleet_table(fleets: &[Both<'_>]) -> String {
    let head = "\n| fleet | first: most before, without Redis, after | second | agree |\n|---|---|---|---|\n";
    let mut text = if fleets.is_empty() { String::new() } else { head.to_owned() };
    let told = |most: [u64; 3]| most.map(|one| one.to_string()).join(", ");
    for both in fleets {
        let [first, second] = both.most().map(told);
        let agrees = if both.agrees() { "yes" } else { "NO" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| {} | {first} | {second} | {agrees} |", both.0[0].who);
    }
    text
}

fn lonely_lines(lonely: &[String]) -> String {
    if lonely.is_empty() {
        return String::new();
    }
    format!("\nIn one report only:\n\n* {}\n", lonely.join("\n* "))
}

#[cfg(test)]
mod tests {
    use super::{Both, Figure, Report, both_fleets, chance, lonely, pairs};
    use crate::comparison::figures::tests::scenario;
    use crate::comparison::figures::{Fleet, Told};

    fn report(weir: &[u64], bare: &[u64]) -> Report {
        Report {
            machine: String::new(),
            rounds: 3,
            seconds: 1,
            scenarios: vec![scenario(weir, bare)],
            fleets: Vec::new(),
        }
    }

    #[test]
    fn spreads_that_meet_agree_and_others_do_not() {
        let first = report(&[100, 130], &[100, 100]);
        let agree = |weir: &[u64]| {
            let second = report(weir, &[100, 100]);
            let pairs = pairs(&first, &second);
            pairs.iter().find(|pair| pair.figure == Figure::P50).unwrap().agrees()
        };
        assert_eq!(agree(&[120, 200]), Some(true));
        assert_eq!(agree(&[150, 200]), Some(false));
        assert_eq!(agree(&[0, 0]), None, "no valid window");
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = report(&[100], &[100]);
        let read: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(pairs(&report, &read).len(), Figure::ALL.len());
    }
    #[test]
    fn few_rounds_are_set_apart_by_chance() {
        assert!((chance([3, 3]) - 0.1).abs() < 1e-9);
        assert!((chance([5, 5]) - 1.0 / 126.0).abs() < 1e-9);
        assert!((chance([1, 1]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_one_report_does_not_speak_of_is_told() {
        let whole = report(&[100], &[100]);
        assert_eq!(lonely(&whole, &report(&[90], &[100])), [""; 0]);
        let empty = Report { scenarios: Vec::new(), ..report(&[], &[]) };
        assert!(lonely(&whole, &empty).contains(&"first: plain, bare-pingora".to_owned()));
        assert!(lonely(&empty, &whole).contains(&"second: plain, weir".to_owned()));
    }

    #[test]
    fn fleets_agree_if_as_much_came_through() {
        let with = |most: [u64; 3]| {
            let told = |most| Told { admitted: 1, refused: 1, errors: 0, p99_millis: 1.0, most };
            let fleet = Fleet {
                who: "weir".to_owned(),
                gateways: 3,
                calls: 300,
                period_seconds: 1,
                asked: 900,
                gone: [1.0, 2.0],
                admitted: Vec::new(),
                told: most.map(told),
            };
            Report { fleets: vec![fleet], ..report(&[100], &[100]) }
        };
        let agree = |one, other| both_fleets(&with(one), &with(other)).iter().all(Both::agrees);
        assert!(agree([300, 300, 303], [301, 290, 300]));
        assert!(!agree([300, 300, 303], [300, 900, 303]));
    }
}
