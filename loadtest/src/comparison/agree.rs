//! Whether two reports say the same: for each ratio, whether the spreads over their rounds meet.

use std::fmt::Write as _;
use std::path::Path;

use super::entrant::Entrant;
use super::figures::{Figure, Report};
use super::task::Task;
use crate::failure::{Failure, during};
use crate::statistics::{Spread, float};

/// Both spreads are widened by this part of their figures: of few rounds that agree with each other to
/// the last digit, the next one is not bound to.
const SLACK: f64 = 0.02;

/// One ratio in both reports.
#[derive(Clone, Copy, Debug)]
struct Pair {
    task: Task,
    who: Entrant,
    figure: Figure,
    spreads: [Option<Spread>; 2],
}

/// Compares two files of data; prints the verdict of each ratio; an error if one disagrees.
pub(crate) fn run(first: &Path, second: &Path) -> Result<(), Failure> {
    let (first, second) = (read(first)?, read(second)?);
    let pairs = pairs(&first, &second);
    print!("{}", markdown(&pairs));
    let apart = pairs.iter().filter(|pair| pair.agrees() == Some(false)).count();
    let judged = pairs.iter().filter(|pair| pair.agrees().is_some()).count();
    if judged == 0 {
        return Err(Failure::NotValid("the reports have no ratio in common".to_owned()));
    }
    if apart == 0 {
        Ok(())
    } else {
        Err(Failure::NotKept(format!("{apart} of {judged} ratios disagree")))
    }
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
    let _ = writeln!(
        text,
        "\n{yes} of {all} ratios agree ({:.0} %).",
        100.0 * float(yes) / float(all.max(1))
    );
    text
}

#[cfg(test)]
mod tests {
    use super::{Figure, Report, pairs};
    use crate::comparison::figures::tests::scenario;

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
}
