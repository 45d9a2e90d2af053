//! Everybody in turn under the same load, round after round, and each round's ratio to bare
//! Pingora: the machine may be slow or busy, it is so for all of them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::bench::{Bench, Serving, Setting};
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::programs::Program;
use crate::report::{publish, valid};
use crate::statistics::Spread;
use crate::wrk::{Keys, Load, Sample, measure};

/// Connections, allocators and branch predictors are warm after a second.
const WARM_UP_SECONDS: u32 = 1;

/// The ratios that the product promises: whose requests a second, over whose, at least.
const PROMISES: [(Contestant, Contestant, f64); 6] = [
    (Contestant::WeirPlain, Contestant::BarePingora, 1.1),
    (Contestant::WeirPlain, Contestant::Envoy, 1.5),
    (Contestant::WeirChain, Contestant::WeirPlain, 0.95),
    (Contestant::WeirPolicies, Contestant::WeirPlain, 0.85),
    (Contestant::WeirObserved, Contestant::WeirPlain, 0.93),
    (Contestant::WeirTraced, Contestant::WeirPlain, 0.75),
];

/// A proxy that had to wait for its core for more of its time than this was not alone on it.
pub(crate) const KEPT_WAITING_MAX: f64 = 0.05;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The name of the report.
    pub(crate) name: &'static str,
    /// How often everybody's turn comes.
    pub(crate) rounds: u32,
    /// What a turn is.
    pub(crate) load: Load,
    /// Who.
    pub(crate) contestants: Vec<Contestant>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    rounds: u32,
    load: Load,
    rows: Vec<Row>,
    promises: Vec<Promise>,
    wrong: Vec<String>,
    samples: Vec<Sample>,
}

/// One contestant over all rounds.
#[derive(Debug, Serialize)]
struct Row {
    contestant: Contestant,
    resident_mib_before: f64,
    resident_mib_after: f64,
    requests_per_second: Spread,
    p50_micros: Spread,
    p99_micros: Spread,
    cpu_micros_per_request: Spread,
    busy: Spread,
    kept_waiting: Spread,
    to_bare_pingora: Option<Ratio>,
}

/// One contestant's figure over another's, taken round by round.
#[derive(Clone, Copy, Debug, Serialize)]
struct Ratio {
    /// Of requests a second.
    requests: Spread,
    /// Of requests for each second of the proxy's processor time: what `requests` would be if
    /// the proxy's core were never shared and always busy.
    requests_per_cpu: Spread,
}

/// A ratio that the product promises.
#[derive(Debug, Serialize)]
struct Promise {
    of: Contestant,
    over: Contestant,
    at_least: f64,
    ratio: Ratio,
    kept: bool,
}

/// Runs `plan`, prints the report and keeps it; an error if any run went wrong.
pub(crate) fn run(setting: &Setting, plan: &Plan) -> Result<(), Failure> {
    let contestants = with_yardstick(&plan.contestants);
    let bench = Bench::open(setting, &contestants, &[Program::Wrk])?;
    let machine = Machine::look(bench.cores, &bench.programs);
    let serving = contestants.iter().map(|&who| bench.start(who)).collect::<Result<Vec<_>, _>>()?;
    let resident: Vec<f64> = serving
        .iter()
        .map(|one| one.process.resident_kib().map(|kib| kib / 1024.0))
        .collect::<Result<_, _>>()?;
    let (mut wrong, samples) = all_rounds(&bench, &serving, plan)?;
    for sample in &samples {
        let name = sample.contestant.name();
        wrong.extend(sample.wrong.iter().map(|w| format!("{name}, round {}: {w}", sample.round)));
    }
    let row = |(one, &before): (&Serving, &f64)| row_of(one, before, &samples);
    let report = Report {
        machine,
        rounds: plan.rounds,
        load: plan.load,
        rows: serving.iter().zip(&resident).filter_map(row).collect(),
        promises: promises(&samples),
        wrong,
        samples,
    };
    let text = markdown(&report);
    publish(&setting.places, plan.name, (&text, &report), valid(&report.wrong))
}

/// Warms everybody up, then lets them take turns. What went wrong in the warm-up, and the rounds.
fn all_rounds(
    bench: &Bench,
    serving: &[Serving],
    plan: &Plan,
) -> Result<(Vec<String>, Vec<Sample>), Failure> {
    let mut wrong = Vec::new();
    for one in serving {
        let warm_up = Load { seconds: WARM_UP_SECONDS, ..plan.load };
        let sample = measure(bench, one, (warm_up, Keys::Hot), 0)?;
        let name = one.contestant.name();
        wrong.extend(sample.wrong.iter().map(|what| format!("{name}, warm-up: {what}")));
    }
    let mut samples = Vec::new();
    let mut order: Vec<&Serving> = serving.iter().collect();
    for round in 1..=plan.rounds {
        for one in &order {
            let sample = measure(bench, one, (plan.load, Keys::Hot), round)?;
            eprintln!(
                "round {round}/{}: {:<13} {:>7.0} requests/s, {:>5.1} us of processor time each",
                plan.rounds,
                one.contestant.name(),
                sample.requests_per_second,
                sample.cpu_micros_per_request,
            );
            samples.push(sample);
        }
        // Nobody always comes first, or always after the same rest of the machine.
        order.rotate_left(1);
    }
    Ok((wrong, samples))
}

/// Everybody chosen, in the order of the reports, and bare Pingora in any case.
fn with_yardstick(chosen: &[Contestant]) -> Vec<Contestant> {
    let takes_part = |who: &Contestant| *who == Contestant::BarePingora || chosen.contains(who);
    Contestant::ALL.into_iter().filter(takes_part).collect()
}

fn row_of(one: &Serving, resident_mib_before: f64, samples: &[Sample]) -> Option<Row> {
    let own: Vec<&Sample> = samples.iter().filter(|s| s.contestant == one.contestant).collect();
    let over = |figure: fn(&Sample) -> f64| Spread::of(own.iter().map(|sample| figure(sample)));
    Some(Row {
        contestant: one.contestant,
        resident_mib_before,
        resident_mib_after: own.last()?.resident_mib,
        requests_per_second: over(|sample| sample.requests_per_second)?,
        p50_micros: over(|sample| sample.p50_micros)?,
        p99_micros: over(|sample| sample.p99_micros)?,
        cpu_micros_per_request: over(|sample| sample.cpu_micros_per_request)?,
        busy: over(|sample| sample.busy)?,
        kept_waiting: over(|sample| sample.kept_waiting)?,
        to_bare_pingora: ratio(samples, one.contestant, Contestant::BarePingora),
    })
}

/// `of` over `over`, each round for itself; `None` unless both took part.
fn ratio(samples: &[Sample], of: Contestant, over: Contestant) -> Option<Ratio> {
    let per_round = |figure: fn(&Sample) -> f64| {
        let theirs = samples.iter().filter(move |sample| sample.contestant == over);
        Spread::of(theirs.filter_map(|theirs| {
            let own = |s: &&Sample| s.contestant == of && s.round == theirs.round;
            Some(figure(samples.iter().find(own)?) / figure(theirs))
        }))
    };
    Some(Ratio {
        requests: per_round(|sample| sample.requests_per_second)?,
        requests_per_cpu: per_round(|sample| 1.0 / sample.cpu_micros_per_request)?,
    })
}

fn promises(samples: &[Sample]) -> Vec<Promise> {
    let kept = |&(of, over, at_least): &(Contestant, Contestant, f64)| {
        let ratio = ratio(samples, of, over)?;
        Some(Promise { of, over, at_least, ratio, kept: ratio.requests.median >= at_least })
    };
    PROMISES.iter().filter_map(kept).collect()
}

fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Side by side\n\n{}\n\n{} connections, {} rounds of {} s, medians over the rounds; ratios \
         are medians of each round's ratio to bare Pingora, with the least and the greatest.\n\n",
        report.machine.line(),
        report.load.connections,
        report.rounds,
        report.load.seconds,
    );
    text.push_str(
        "| proxy | requests/s | ratio | ratio per CPU | p50 us | p99 us | CPU us/request | core \
         busy | kept waiting | MiB before | MiB after |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    // Writing to a `String` cannot fail.
    let _ = report.rows.iter().try_for_each(|row| writeln!(text, "{}", line_of(row)));
    if !report.promises.is_empty() {
        text.push_str(
            "\n| promise | at least | measured | per CPU | kept |\n|---|---|---|---|---|\n",
        );
    }
    for promise in &report.promises {
        let Promise { of, over, at_least, ratio, kept } = promise;
        let [requests, cpu] = [ratio.requests, ratio.requests_per_cpu].map(spread);
        let [of, over] = [of.name(), over.name()];
        let kept = if *kept { "yes" } else { "NO" };
        let _ = writeln!(text, "| {of} / {over} | {at_least} | {requests} | {cpu} | {kept} |");
    }
    if report.rows.iter().any(|row| row.kept_waiting.median > KEPT_WAITING_MAX) {
        text.push_str(
            "\nOther work ran on the proxy's core (see *kept waiting*): do not rely on the ratios of \
             requests/s here; the ratios per CPU move less.\n",
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

fn line_of(row: &Row) -> String {
    let ratio = |of: fn(Ratio) -> Spread| row.to_bare_pingora.map(of).map(spread);
    format!(
        "| {} | {:.0} | {} | {} | {:.0} | {:.0} | {:.1} | {:.0} % | {:.0} % | {:.1} | {:.1} |",
        row.contestant.name(),
        row.requests_per_second.median,
        ratio(|ratio| ratio.requests).unwrap_or_default(),
        ratio(|ratio| ratio.requests_per_cpu).unwrap_or_default(),
        row.p50_micros.median,
        row.p99_micros.median,
        row.cpu_micros_per_request.median,
        row.busy.median * 100.0,
        row.kept_waiting.median * 100.0,
        row.resident_mib_before,
        row.resident_mib_after,
    )
}

fn spread(spread: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max)
}

#[cfg(test)]
mod tests {
    use super::{promises, ratio, with_yardstick};
    use crate::contestant::Contestant;
    use crate::wrk::Sample;

    fn sample(contestant: Contestant, round: u32, requests_per_second: f64) -> Sample {
        Sample {
            contestant,
            round,
            requests: requests_per_second,
            reached: requests_per_second,
            requests_per_second,
            p50_micros: 1.0,
            p99_micros: 1.0,
            cpu_micros_per_request: 1e6 / requests_per_second,
            busy: 1.0,
            kept_waiting: 0.0,
            resident_mib: 1.0,
            wrong: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_compares_within_a_round_only() {
        let samples = [
            sample(Contestant::BarePingora, 1, 100.0),
            sample(Contestant::Nginx, 1, 200.0),
            // The machine became ten times slower: the ratio stays.
            sample(Contestant::BarePingora, 2, 10.0),
            sample(Contestant::Nginx, 2, 20.0),
        ];
        let ratio = ratio(&samples, Contestant::Nginx, Contestant::BarePingora).unwrap();
        assert_eq!((ratio.requests.min, ratio.requests.max), (2.0, 2.0));
    }

    #[test]
    fn a_promise_without_both_sides_is_not_reported() {
        assert!(promises(&[sample(Contestant::WeirPlain, 1, 1.0)]).is_empty());
    }

    #[test]
    fn a_promise_is_kept_from_its_ratio_on() {
        let of = |plain| {
            let bare = sample(Contestant::BarePingora, 1, 100.0);
            promises(&[bare, sample(Contestant::WeirPlain, 1, plain)])
        };
        assert!(of(111.0).first().unwrap().kept);
        assert!(!of(109.0).first().unwrap().kept);
    }

    #[test]
    fn the_yardstick_takes_part_unasked() {
        assert_eq!(
            with_yardstick(&[Contestant::Nginx]),
            [Contestant::BarePingora, Contestant::Nginx]
        );
    }
}
