//! The report as Markdown.

use std::fmt::Write as _;

use super::entrant::Entrant;
use super::figures::{Dropped, Figure, Fleet, Report, Row, Sample, Scenario};
use super::picture::{FLEETS, name};
use super::task::Task;
use crate::statistics::{Spread, count};

/// The whole report.
pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Load test\n\n{}\n\n{} rounds, everybody in turn in each, in an order that rotates; {} windows of a second at a \
         constant rate that is the same for all. Latency counts from when a request was due, in milliseconds. Figures \
         are medians over the rounds of what the valid windows show; ratios are medians of each round's ratio, with the least and the \
         greatest. Read ratios: the machine moves, and it moves for everybody.\n",
        report.machine, report.rounds, report.seconds,
    );
    for scenario in &report.scenarios {
        text.push_str(&section(scenario));
    }
    if !report.fleets.is_empty() {
        text.push_str(&fleets(&report.fleets));
    }
    text
}

fn section(scenario: &Scenario) -> String {
    let mut text = format!("\n## {}\n\n`{}`, ", scenario.task.title(), scenario.task);
    // Writing to a `String` cannot fail.
    let _ = match scenario.idle_connections {
        Some(idle) => {
            writeln!(text, "{idle} idle connections, {} requests/s beside them.\n", scenario.rate)
        }
        None => writeln!(text, "{} requests/s.\n", scenario.rate),
    };
    match scenario.task {
        Task::Reload => reload(&mut text, scenario),
        Task::Idle => idle(&mut text, scenario),
        Task::Plain
        | Task::KeyLimit
        | Task::KeyLimitRedis
        | Task::JwtHs256
        | Task::JwtRs256
        | Task::Headers
        | Task::BodiesUp
        | Task::BodiesDown
        | Task::Http2
        | Task::Grpc
        | Task::RedisKilled => steady(&mut text, scenario),
    }
    for (who, why) in &scenario.missing {
        let _ = writeln!(text, "\n{who} cannot take part: it {why}.");
    }
    for what in ["latency", "ratios"] {
        let _ = writeln!(text, "\n![{} of {}]({})", what, scenario.task, name(scenario, what));
    }
    text
}

fn steady(text: &mut String, scenario: &Scenario) {
    let yardstick = scenario.yardstick;
    let _ = write!(
        text,
        "| proxy | p50 | p90 | p99 | p99.9 | CPU µs/request | MiB | requests per CPU second | errors | late | windows dropped |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for row in &scenario.rows {
        let millis = [0, 1, 2, 3].map(|place| figure(row.millis(place), 2));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.who,
            millis.join(" | "),
            figure(row.spread(|turn| turn.paced.cpu_micros), 1),
            figure(row.spread(|turn| Some(turn.paced.resident_mib)), 1),
            figure(row.spread(|turn| Some(turn.pressed?.requests_per_cpu_second)), 0),
            errors(row),
            row.sum(|one| one.late),
            dropped(row),
        );
    }
    let _ = write!(
        text,
        "\n| over {yardstick} | requests per CPU second | CPU per request | p50 | p99 | memory |\n|---|---|---|---|---|---|\n"
    );
    ratios(text, scenario);
}

fn idle(text: &mut String, scenario: &Scenario) {
    let yardstick = scenario.yardstick;
    let _ = write!(
        text,
        "| proxy | KiB an idle connection | MiB | p50 | p99 | errors | windows dropped |\n|---|---|---|---|---|---|---|\n"
    );
    for row in &scenario.rows {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {} | {} | {} | {} | {} |",
            row.who,
            row.idle_kib.unwrap_or_default(),
            figure(row.spread(|turn| Some(turn.paced.resident_mib)), 1),
            figure(row.millis(0), 2),
            figure(row.millis(2), 2),
            errors(row),
            dropped(row),
        );
    }
    let _ = write!(
        text,
        "\n| over {yardstick} | requests per CPU second | CPU per request | p50 | p99 | memory |\n|---|---|---|---|---|---|\n"
    );
    ratios(text, scenario);
}

/// Errors are what this one is about, so all windows count; processor time is not shown, for some
/// leave a configuration to a new process.
fn reload(text: &mut String, scenario: &Scenario) {
    let _ = write!(
        text,
        "| proxy | p50 | p99 | p99 of all windows | requests | errors | asked again | windows dropped |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for row in &scenario.rows {
        let all = |one: &Sample| count(one.p99_of_all) / 1e3;
        let requests = row.turns.iter().map(|turn| turn.paced.dropped.windows).sum::<u32>();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.who,
            figure(row.millis(0), 2),
            figure(row.millis(2), 2),
            figure(row.spread(|turn| Some(all(&turn.paced))), 2),
            u64::from(requests).saturating_mul(scenario.rate.into()),
            errors(row),
            row.sum(|one| one.again),
            dropped(row),
        );
    }
    text.push_str(
        "\nAsked again: a kept connection turned out to be closed, and the request was sent once more on a new one, as \
         clients do.\n",
    );
}

fn ratios(text: &mut String, scenario: &Scenario) {
    for row in scenario.rows.iter().filter(|row| row.who != scenario.yardstick) {
        let of = |figure| spread(scenario.ratio(row.who, figure));
        let _ = writeln!(text, "| {} | {} |", row.who, Figure::ALL.map(of).join(" | "));
    }
}

fn fleets(fleets: &[Fleet]) -> String {
    let Some(first) = fleets.first() else { return String::new() };
    let mut text = format!(
        "\n## {}\n\n{} replicas hold one limit of {} in {} s over one Redis and are asked for {} requests a second; Redis is killed, and \
         comes back empty. The backend judges: most in any {} s, before, meanwhile, and after.\n\n\
         | who | most, limit {} | refused | 5xx or no answer | p99, ms |\n|---|---|---|---|---|\n",
        Task::RedisKilled.title(),
        first.gateways,
        first.calls,
        first.period_seconds,
        first.asked,
        first.period_seconds,
        first.calls,
    );
    for fleet in fleets {
        let three = |figure: fn(&super::figures::Told) -> String| {
            fleet.told.iter().map(figure).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            fleet.who,
            three(|told| told.most.to_string()),
            three(|told| told.refused.to_string()),
            three(|told| told.errors.to_string()),
            three(|told| format!("{:.1}", told.p99_millis)),
        );
    }
    for who in Entrant::ALL.into_iter().filter(|who| who.belongs_to(Task::RedisKilled)) {
        if let Some(why) = who.cannot(Task::RedisKilled) {
            let _ = writeln!(text, "\n{who} cannot take part: it {why}.");
        }
    }
    let _ = writeln!(text, "\n![What was admitted while Redis was gone]({FLEETS})");
    text
}

/// Requests that got no right answer, and how many of them were never sent.
fn errors(row: &Row) -> String {
    let (errors, not_sent) = (row.sum(|one| one.errors), row.sum(|one| one.not_sent));
    if not_sent == 0 { errors.to_string() } else { format!("{errors} ({not_sent} not sent)") }
}

/// How many windows do not count, of how many, and why.
fn dropped(row: &Row) -> String {
    let sum = |figure: fn(&Dropped) -> u32| {
        row.turns.iter().map(|turn| figure(&turn.paced.dropped)).sum::<u32>()
    };
    let reasons = [
        (sum(|one| one.generator_late), "generator late"),
        (sum(|one| one.kept_waiting), "core shared"),
        (sum(|one| one.errors), "errors"),
    ];
    let all: u32 = reasons.iter().map(|(count, _)| count).sum();
    let why = reasons.iter().filter(|(count, _)| 0 < *count);
    let why: Vec<_> = why.map(|(count, why)| format!("{count} {why}")).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    format!("{all} of {}{why}", sum(|one| one.windows))
}

fn figure(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("no valid window".to_owned(), |spread| format!("{:.digits$}", spread.median))
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or(String::new(), |Spread { median, min, max }| {
        format!("{median:.2} ({min:.2}–{max:.2})")
    })
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::comparison::figures::tests::scenario;

    #[test]
    fn a_section_says_ratios_and_who_is_missing() {
        let text = section(&scenario(&[200, 300], &[100, 100]));
        assert!(
            text.contains("| weir | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) | 2.50 (2.00–3.00) |"),
            "{text}"
        );
        assert!(text.contains("envoy cannot take part: it is not here."), "{text}");
    }

    #[test]
    fn a_row_without_a_valid_window_says_so() {
        assert!(section(&scenario(&[0], &[100])).contains("| weir | no valid window |"));
    }
}
