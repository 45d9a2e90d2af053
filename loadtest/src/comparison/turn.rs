//! One turn of one proxy: the windows of a run with what the scheduler said of the proxy in each, and
//! which of them may be believed.

use std::sync::Arc;
use std::time::Duration;

use super::entrant::Entrant;
use super::figures::{Capacity, Dropped, Sample};
use super::task::Task;
use crate::bench::{Bench, START_TIME, Started};
use crate::clock::Deadline;
use crate::failure::Failure;
use crate::open_loop::asking::Asking;
use crate::open_loop::window::Window;
use crate::open_loop::{Pace, Plan, run};
use crate::process::Scheduled;
use crate::side_by_side::KEPT_WAITING_MAX;
use crate::statistics::count;

/// How often a starting proxy is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The length of a window.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// A proxy that has its turns.
pub(super) struct Player {
    /// Who.
    pub(super) who: Entrant,
    /// Running.
    pub(super) started: Started,
    /// What it is asked.
    pub(super) asking: Arc<Asking>,
    lanes: (u32, u32),
    /// How much of its time it may be kept waiting for its core.
    kept_waiting_max: f64,
}

/// Why a window is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Valid,
    GeneratorLate,
    KeptWaiting,
    Errors,
}

impl Player {
    /// Starts `who` for `task` and waits until it answers as it has to.
    pub(super) fn start(
        bench: &Bench,
        (who, task): (Entrant, Task),
        upstream: Option<std::net::SocketAddr>,
    ) -> Result<Self, Failure> {
        let started = bench.launch(who.name(), upstream, |folder, addresses| {
            who.invocation(task, (&bench.programs, &bench.places), folder, addresses)
        })?;
        let (asking, lanes) = (Arc::new(who.asking(task)), task.lanes());
        // The rule is blind where processes come and go, for the one that is watched waits for its own kind,
        // and where a runtime passes its work from thread to thread, for those wait for each other.
        let waits_for_itself = task == Task::Reload || who == Entrant::Traefik;
        let kept_waiting_max = if waits_for_itself { 1.0 } else { KEPT_WAITING_MAX };
        let mut player = Self { who, started, asking, lanes, kept_waiting_max };
        let deadline = Deadline::after(START_TIME);
        let once =
            Plan { connections: 1, streams: 1, windows: 0, ..player.plan(Pace::Closed, WINDOW, 0) };
        while let Err(last) = run(&once, &mut || Ok(())) {
            if deadline.has_passed() || player.started.process.has_ended()?.is_some() {
                return Err(Failure::NotServing {
                    name: who.name().to_owned(),
                    seconds: START_TIME.as_secs(),
                    last: last.to_string(),
                    said: player.started.process.said_last(),
                });
            }
            Deadline::pause(ASK_AGAIN);
        }
        Ok(player)
    }

    /// A run of so many windows.
    pub(super) fn plan(&self, pace: Pace, window: Duration, windows: u32) -> Plan {
        let (connections, streams) = self.lanes;
        let (address, asking) = (self.started.address, Arc::clone(&self.asking));
        Plan { address, asking, connections, streams, pace, window, windows }
    }

    /// As fast as it answers, for `seconds`.
    pub(super) fn press(&self, seconds: u32) -> Result<Capacity, Failure> {
        let lasts = WINDOW * seconds;
        let (windows, scheduled) = self.watched(&self.plan(Pace::Closed, lasts, 1))?;
        let spans = spans(&scheduled);
        let (Some(window), Some(span)) = (windows.first(), spans.first()) else {
            return Err(Failure::NotValid("a run without a window".to_owned()));
        };
        let right = count(window.right());
        Ok(Capacity {
            requests_per_second: right / lasts.as_secs_f64(),
            requests_per_cpu_second: right / (span.ran / 1e9),
            errors: window.errors(),
            kept_waiting: kept_waiting(*span),
        })
    }

    /// `rate` requests a second for `seconds`.
    pub(super) fn pace(&self, rate: u32, seconds: u32) -> Result<Sample, Failure> {
        let (windows, scheduled) = self.watched(&self.plan(Pace::Open(rate), WINDOW, seconds))?;
        let all: Vec<(Window, Scheduled)> = windows.into_iter().zip(spans(&scheduled)).collect();
        let resident_mib = self.started.process.resident_kib()? / 1024.0;
        sample(&all, self.kept_waiting_max, resident_mib)
    }

    /// Runs `plan`; its windows, and what the scheduler had counted at each border.
    fn watched(&self, plan: &Plan) -> Result<(Vec<Window>, Vec<Scheduled>), Failure> {
        let mut scheduled = Vec::new();
        let windows = run(plan, &mut || {
            scheduled.push(self.started.process.scheduled()?);
            Ok(())
        })?;
        Ok((windows, scheduled))
    }
}

/// What happened between the readings.
fn spans(readings: &[Scheduled]) -> Vec<Scheduled> {
    let between = |(before, after): (&Scheduled, &Scheduled)| Scheduled {
        // Threads that ended took their figures with them.
        ran: (after.ran - before.ran).max(0.0),
        waited: (after.waited - before.waited).max(0.0),
    };
    readings.iter().zip(readings.iter().skip(1)).map(between).collect()
}

/// Of the time in which it could have run, the part in which something else had its core.
fn kept_waiting(span: Scheduled) -> f64 {
    let ready = span.ran + span.waited;
    if ready <= 0.0 { 0.0 } else { span.waited / ready }
}

fn verdict(window: &Window, span: Scheduled, kept_waiting_max: f64) -> Verdict {
    // Whose fault errors are can be told only where nothing else was wrong.
    if !window.is_on_time() {
        Verdict::GeneratorLate
    } else if kept_waiting_max < kept_waiting(span) {
        Verdict::KeptWaiting
    } else if 0 < window.errors() {
        Verdict::Errors
    } else {
        Verdict::Valid
    }
}

/// What all windows say together: figures of the valid ones, errors of all.
fn sample(
    all: &[(Window, Scheduled)],
    kept_waiting_max: f64,
    resident_mib: f64,
) -> Result<Sample, Failure> {
    let (mut valid, mut whole, mut ran) = (Window::new()?, Window::new()?, 0.0);
    let mut dropped = Dropped::default();
    for (window, span) in all {
        whole.add(window);
        dropped.windows = dropped.windows.saturating_add(1);
        let count = match verdict(window, *span, kept_waiting_max) {
            Verdict::Valid => {
                valid.add(window);
                ran += span.ran;
                continue;
            }
            Verdict::GeneratorLate => &mut dropped.generator_late,
            Verdict::KeptWaiting => &mut dropped.kept_waiting,
            Verdict::Errors => &mut dropped.errors,
        };
        *count = count.saturating_add(1);
    }
    Ok(Sample::of(&valid, &whole, dropped, (ran, resident_mib)))
}

#[cfg(test)]
mod tests {
    use super::{Verdict, sample, spans, verdict};
    use crate::open_loop::window::{LAG_MAX, Window, Wrong, micros};
    use crate::process::Scheduled;
    use std::time::Duration;

    fn window(lag: Duration) -> Window {
        let mut window = Window::new().unwrap();
        for _ in 0..100 {
            window.due += 1;
            window.lag.saturating_record(micros(lag));
            window.take(Ok(()), Duration::from_millis(2));
        }
        window
    }

    const MAX: f64 = crate::side_by_side::KEPT_WAITING_MAX;
    const ALONE: Scheduled = Scheduled { ran: 1e6, waited: 0.0 };

    #[test]
    fn a_window_is_valid_unless_somebody_was_late_or_wrong() {
        let good = window(Duration::from_micros(50));
        assert_eq!(verdict(&good, ALONE, MAX), Verdict::Valid);
        assert_eq!(verdict(&window(LAG_MAX * 2), ALONE, MAX), Verdict::GeneratorLate);
        let crowded = Scheduled { ran: 1e6, waited: 1e5 };
        assert_eq!(verdict(&good, crowded, MAX), Verdict::KeptWaiting);
        let mut wrong = good;
        wrong.take(Err(Wrong::Status(502)), Duration::from_millis(1));
        assert_eq!(verdict(&wrong, ALONE, MAX), Verdict::Errors);
        assert_eq!(verdict(&wrong, crowded, MAX), Verdict::KeptWaiting, "the first reason counts");
    }

    #[test]
    fn dropped_windows_are_counted_and_do_not_speak() {
        let mut wrong = window(Duration::from_micros(50));
        wrong.take(Err(Wrong::Broken), Duration::from_secs(9));
        let all = [
            (window(Duration::from_micros(50)), ALONE),
            (window(LAG_MAX * 3), ALONE),
            (wrong, ALONE),
        ];
        let sample = sample(&all, MAX, 1.0).unwrap();
        let dropped = sample.dropped;
        assert_eq!((dropped.windows, dropped.generator_late, dropped.errors), (3, 1, 1));
        assert_eq!((sample.right, sample.errors), (100, 1));
        assert!((sample.cpu_micros.unwrap() - 10.0).abs() < 1e-9, "of the valid window only");
    }

    #[test]
    fn a_span_lies_between_two_readings() {
        let reading = |ran| Scheduled { ran, waited: 0.0 };
        let spans = spans(&[reading(5.0), reading(8.0), reading(7.0)]);
        let ran: Vec<f64> = spans.iter().map(|span| span.ran).collect();
        assert_eq!(ran, [3.0, 0.0], "never negative");
    }
}
