//! One run of wrk against one proxy, and what the proxy spent on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Serving};
use crate::client::Request;
use crate::clock;
use crate::contestant::Contestant;
use crate::failure::{Failure, during};
use crate::process::{Invocation, Process, last_of};
use crate::programs::Program;

/// What wrk takes beyond the asked time before it is given up.
const EXTRA_TIME: Duration = Duration::from_secs(20);

/// How hard, and how long.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// Kept-alive connections, each with one request in flight.
    pub(crate) connections: u32,
    /// Length of one run.
    pub(crate) seconds: u32,
}

/// Which keys are asked with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keys {
    /// None, or always the same.
    Hot,
    /// Every request names another one.
    Cold,
}

impl Keys {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Hot, Self::Cold];
}

/// One run of one proxy.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Whose.
    pub(crate) contestant: Contestant,
    /// Which round, from 1.
    pub(crate) round: u32,
    /// Answers.
    pub(crate) requests: f64,
    /// Requests that came to the upstream: also those whose answers wrk did not wait for in the end.
    pub(crate) reached: f64,
    /// Answers a second.
    pub(crate) requests_per_second: f64,
    /// Half of the answers took at most this.
    pub(crate) p50_micros: f64,
    /// 99 of 100 answers took at most this. Closed loop: a stalled proxy is asked less.
    pub(crate) p99_micros: f64,
    /// Processor time of the proxy's process for each request, user and kernel.
    pub(crate) cpu_micros_per_request: f64,
    /// Share of the run in which the proxy was on its core, 0 to 1.
    pub(crate) busy: f64,
    /// Share of the time it could have run in which something else had its core, 0 to 1.
    pub(crate) kept_waiting: f64,
    /// Resident memory right after the run.
    pub(crate) resident_mib: f64,
    /// What makes the run worthless.
    pub(crate) wrong: Vec<String>,
}

/// What `wrk/report.lua` prints.
#[derive(Debug, Deserialize)]
struct Printed {
    requests: f64,
    micros: f64,
    p50: f64,
    p99: f64,
    refused: f64,
    broken: f64,
    late: f64,
}

/// Loads `serving` once.
pub(crate) fn measure(
    bench: &Bench,
    serving: &Serving,
    (load, keys): (Load, Keys),
    round: u32,
) -> Result<Sample, Failure> {
    let counted = bench.upstream_count()?;
    let before = serving.process.scheduled()?;
    let started = clock::now();
    let time = Duration::from_secs(load.seconds.into()) + EXTRA_TIME;
    let invocation = invocation(bench, serving, (load, keys), round)?;
    let said = Process::run("wrk", invocation, &bench.file("wrk.log"), time)?;
    let nanos = started.elapsed().as_secs_f64() * 1e9;
    let after = serving.process.scheduled()?;
    let reached = bench.upstream_count()? - counted;
    let printed = read(&said)?;
    let (ran, waited) = (after.ran - before.ran, after.waited - before.waited);
    Ok(Sample {
        contestant: serving.contestant,
        round,
        requests: printed.requests,
        reached,
        requests_per_second: printed.requests / printed.micros * 1e6,
        p50_micros: printed.p50,
        p99_micros: printed.p99,
        cpu_micros_per_request: ran / 1e3 / printed.requests,
        busy: ran / nanos,
        kept_waiting: waited / (ran + waited),
        resident_mib: serving.process.resident_kib()? / 1024.0,
        wrong: faults_of(&printed, reached),
    })
}

fn invocation(
    bench: &Bench,
    serving: &Serving,
    (load, keys): (Load, Keys),
    round: u32,
) -> Result<Invocation, Failure> {
    let Request { path, header } = serving.contestant.request();
    let mut text = include_str!("../wrk/report.lua").to_owned();
    if keys == Keys::Cold {
        let prefix = format!("{}-{round}-", serving.contestant.name());
        let cold = include_str!("../wrk/keys.lua").replace("{{path}}", path);
        text.push_str(&cold.replace("{{prefix}}", &prefix));
    }
    let script = bench.file("report.lua");
    std::fs::write(&script, text).map_err(during("writing wrk's script"))?;
    let mut invocation = bench.programs.invocation(Program::Wrk)?;
    for argument in [
        "--threads=1".to_owned(),
        format!("--connections={}", load.connections),
        format!("--duration={}s", load.seconds),
        format!("--script={}", script.display()),
    ] {
        invocation = invocation.with(argument);
    }
    if let Some(header) = header {
        invocation = invocation.with("--header").with(header);
    }
    Ok(invocation.with(format!("http://{}{path}", serving.address)))
}

fn read(said: &str) -> Result<Printed, Failure> {
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).map_err(|_| Failure::Unreadable {
        tool: "wrk",
        expected: "the line of wrk/report.lua",
        said: last_of(said),
    })
}

fn faults_of(printed: &Printed, reached: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut count = |number: f64, what: &str| {
        if number > 0.0 {
            wrong.push(format!("{number} {what}"));
        }
    };
    count(printed.refused, "answers with status 400 or above");
    count(printed.broken, "broken connections");
    count(printed.late, "answers that did not come in time");
    // Whoever answers without asking the upstream does less work than the others.
    count(printed.requests - reached, "answers that the upstream did not give");
    if printed.requests < 1.0 {
        wrong.push("no answer at all".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{faults_of, read};

    const LINE: &str = concat!(
        "Running 5s test @ http://127.0.0.1:1/\n",
        r#"{"requests":200,"micros":5000000,"p50":10,"p99":20,"refused":0,"broken":0,"late":0}"#,
    );

    #[test]
    fn a_clean_run_has_no_faults() {
        assert_eq!(faults_of(&read(LINE).unwrap(), 201.0), Vec::<String>::new());
    }

    #[test]
    fn an_answer_the_upstream_did_not_give_is_a_fault() {
        assert_eq!(
            faults_of(&read(LINE).unwrap(), 150.0),
            ["50 answers that the upstream did not give"]
        );
    }

    #[test]
    fn an_error_status_is_a_fault() {
        let line = LINE.replace(r#""refused":0"#, r#""refused":3"#);
        assert_eq!(faults_of(&read(&line).unwrap(), 200.0), ["3 answers with status 400 or above"]);
    }

    #[test]
    fn output_without_the_line_is_unreadable() {
        assert!(read("unable to connect").is_err());
    }
}
