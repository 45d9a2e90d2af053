//! The generator of our own: requests are due at a constant rate, and latency counts from when they
//! were due, so that a proxy that stalls is not asked less (no coordinated omission).
//!
//! One thread does it all: a timer says what is due, *lanes* (each has one request in flight) take it in
//! turn. What finds no lane free waits, in a line with a bound, and what finds the line full is counted
//! as not sent. How late the timer itself was noticed is the generator's own lag: answers wait for
//! the same thread, so a window in which the lag is long says nothing and is marked.
//!
//! The same lanes make a closed loop, for capacity: each asks again at once.

pub(crate) mod asking;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod schedule;
pub(crate) mod window;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use self::asking::{Asking, Speaks};
use self::schedule::Schedule;
use self::window::{LATE_AFTER, Window, Wrong, micros};
use crate::clock;
use crate::failure::{Failure, during};

/// The timer does not ring more often than this.
const TICK_MIN: Duration = Duration::from_micros(50);

/// For so long requests may wait for a lane, by their number: a line that is longer is not waited in.
const LINE_TIME: Duration = Duration::from_secs(1);

/// How long answers may take when the last request is sent.
const GRACE: Duration = Duration::from_secs(2);

/// A lane whose request broke waits so long before it asks again, where nothing else bounds it.
const AGAIN: Duration = Duration::from_millis(5);

/// When lanes ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// So many times a second over all lanes, whatever becomes of it.
    Open(u32),
    /// Each lane when its answer has come.
    Closed,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Whom.
    pub(crate) address: SocketAddr,
    /// What.
    pub(crate) asking: Arc<Asking>,
    /// Connections ...
    pub(crate) connections: u32,
    /// ... and how many requests may be in flight on each; one over HTTP/1.1.
    pub(crate) streams: u32,
    /// When.
    pub(crate) pace: Pace,
    /// How long a window is.
    pub(crate) window: Duration,
    /// How many of them.
    pub(crate) windows: u32,
}

/// Something that has one request in flight.
enum Lane {
    Http1(http1::Lane),
    Http2(http2::Lane),
}

/// What everybody at work shares.
struct Work {
    schedule: Schedule,
    begun: Instant,
    /// Numbers of requests that are due, oldest first.
    line: RefCell<VecDeque<u64>>,
    line_max: usize,
    wake: Notify,
    over: Cell<bool>,
    windows: RefCell<Vec<Window>>,
}

/// Runs `plan`; `at_border` is called at the beginning, and at the end of each window. An error if
/// the first request of a lane is not answered as it has to be.
pub(crate) fn run(
    plan: &Plan,
    at_border: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Vec<Window>, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(during("starting the generator"))?;
    LocalSet::new().block_on(&runtime, work(plan, at_border))
}

async fn work(
    plan: &Plan,
    at_border: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Vec<Window>, Failure> {
    let lanes = warm(lanes(plan)?).await?;
    let rate = if let Pace::Open(rate) = plan.pace { rate } else { 1 };
    let schedule = Schedule::new(rate, plan.window, plan.windows);
    let windows = (0..plan.windows).map(|_| Window::new()).collect::<Result<_, _>>()?;
    at_border()?;
    let work = Rc::new(Work {
        schedule,
        begun: clock::now(),
        line: RefCell::default(),
        line_max: lanes
            .len()
            .max(usize::try_from(schedule.due_by(LINE_TIME)).unwrap_or(usize::MAX)),
        wake: Notify::new(),
        over: Cell::new(false),
        windows: RefCell::new(windows),
    });
    let is_open = plan.pace != Pace::Closed;
    let tasks: Vec<JoinHandle<()>> = lanes
        .into_iter()
        .map(|lane| {
            let work = Rc::clone(&work);
            spawn_local(async move {
                if is_open {
                    work.serve(lane).await;
                } else {
                    work.press(lane).await;
                }
            })
        })
        .collect();
    if is_open {
        work.clock(at_border).await?;
    } else {
        work.wait(at_border).await?;
    }
    work.over.set(true);
    work.wake.notify_waiters();
    let ended = tokio::time::timeout(GRACE, async {
        for task in tasks {
            // A lane does not panic; if it did, its request would be one that is not answered.
            drop(task.await);
        }
    });
    // Who is not back by then is counted as not answered, and ends with the runtime.
    drop(ended.await);
    Ok(work.windows.take())
}

fn lanes(plan: &Plan) -> Result<Vec<Lane>, Failure> {
    let mut lanes = Vec::new();
    for _ in 0..plan.connections {
        if plan.asking.speaks == Speaks::Http1 {
            lanes.push(Lane::Http1(http1::Lane::new(plan.address, &plan.asking)));
            continue;
        }
        let connection = http2::Connection::to(plan.address);
        for _ in 0..plan.streams {
            let lane = http2::Lane::new(Rc::clone(&connection), &plan.asking);
            lanes.push(Lane::Http2(lane.map_err(|e| Failure::NotValid(e.to_string()))?));
        }
    }
    Ok(lanes)
}

/// Has each lane ask once, so that connections are there when the schedule begins.
async fn warm(mut lanes: Vec<Lane>) -> Result<Vec<Lane>, Failure> {
    for lane in &mut lanes {
        let asked = tokio::time::timeout(GRACE, lane.ask()).await;
        let wrong = match asked {
            Ok((Ok(()), _)) => continue,
            Ok((Err(wrong), _)) => format!("{wrong:?}"),
            Err(_) => "no answer".to_owned(),
        };
        return Err(Failure::NotValid(format!("the first request of a lane: {wrong}")));
    }
    Ok(lanes)
}

impl Lane {
    async fn ask(&mut self) -> (Result<(), Wrong>, u64) {
        match self {
            Self::Http1(lane) => lane.ask().await,
            Self::Http2(lane) => lane.ask().await,
        }
    }
}

impl Work {
    /// Puts into the line what is due, when it is, until everything was.
    async fn clock(
        &self,
        at_border: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let timer = timer(self.schedule.interval().max(TICK_MIN))?;
        let (mut next, mut border) = (0, 0);
        while border < self.schedule.windows() {
            let ring = timer.readable().await.map_err(during("waiting for the timer"));
            // Read, or it would ring on; what it says does not matter, the clock does.
            let _ = rustix::io::read(timer.get_ref(), &mut [0; 8]);
            ring?.clear_ready();
            let noticed = self.begun.elapsed();
            let due_by = self.schedule.due_by(noticed);
            while next < due_by {
                self.enlist(next, noticed);
                next = next.saturating_add(1);
            }
            if self.schedule.end_of(border) <= noticed {
                border = border.saturating_add(1);
                at_border()?;
            }
        }
        Ok(())
    }

    /// One more request is due.
    fn enlist(&self, number: u64, noticed: Duration) {
        let due = self.schedule.due(number);
        let mut line = self.line.borrow_mut();
        let has_room = line.len() < self.line_max;
        if has_room {
            line.push_back(number);
            self.wake.notify_one();
        }
        self.count(due, |window| {
            window.due = window.due.saturating_add(1);
            window.lag.saturating_record(micros(noticed.saturating_sub(due)));
            // Counted now, taken back when it is answered: nothing is ever lost.
            let count = if has_room { &mut window.unanswered } else { &mut window.not_sent };
            *count = count.saturating_add(1);
        });
    }

    /// Takes one request after the other from the line.
    async fn serve(&self, mut lane: Lane) {
        loop {
            let next = self.line.borrow_mut().pop_front();
            let Some(number) = next else {
                if self.over.get() {
                    return;
                }
                self.wake.notified().await;
                continue;
            };
            let due = self.schedule.due(number);
            let is_late = LATE_AFTER < self.begun.elapsed().saturating_sub(due);
            let (outcome, again) = lane.ask().await;
            let after = self.begun.elapsed().saturating_sub(due);
            self.count(due, |window| {
                window.unanswered = window.unanswered.saturating_sub(1);
                window.late = window.late.saturating_add(u64::from(is_late));
                window.again = window.again.saturating_add(again);
                window.take(outcome, after);
            });
        }
    }

    /// Asks again and again.
    async fn press(&self, mut lane: Lane) {
        while !self.over.get() {
            let due = self.begun.elapsed();
            self.count(due, |window| {
                window.due = window.due.saturating_add(1);
                window.unanswered = window.unanswered.saturating_add(1);
            });
            let (outcome, again) = lane.ask().await;
            // In a closed loop what counts is when it was answered.
            let answered = self.begun.elapsed();
            self.count(due, |window| window.unanswered = window.unanswered.saturating_sub(1));
            self.count(answered, |window| {
                window.again = window.again.saturating_add(again);
                window.take(outcome, answered.saturating_sub(due));
            });
            if outcome == Err(Wrong::Broken) {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Waits for the ends of all windows.
    async fn wait(
        &self,
        at_border: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for border in 0..self.schedule.windows() {
            let rest = self.schedule.end_of(border).saturating_sub(self.begun.elapsed());
            tokio::time::sleep(rest).await;
            at_border()?;
        }
        Ok(())
    }

    fn count(&self, at: Duration, change: impl FnOnce(&mut Window)) {
        if let Some(window) = self.windows.borrow_mut().get_mut(self.schedule.window_at(at)) {
            change(window);
        }
    }
}

/// A timer that rings again and again; the runtime's own are accurate to a millisecond only.
fn timer(every: Duration) -> Result<AsyncFd<OwnedFd>, Failure> {
    let making = |e: rustix::io::Errno| during("making a timer")(e.into());
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(making)?;
    let every = Timespec {
        tv_sec: every.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: every.subsec_nanos().into(),
    };
    let setting = Itimerspec { it_interval: every, it_value: every };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting).map_err(making)?;
    // What may be unsound with it is an object that changes or closes its descriptor: this one does not.
    #[expect(deprecated, reason = "its successor is unsafe, which this crate forbids")]
    let listened = AsyncFd::new(timer);
    listened.map_err(during("listening to a timer"))
}

#[cfg(test)]
mod tests {
    use super::asking::{Asking, Speaks};
    use super::{Pace, Plan, run};
    use crate::backend::{Backend, GRPC_PATH, LARGE_BYTES};
    use std::sync::Arc;
    use std::time::Duration;

    fn asking(speaks: Speaks) -> Asking {
        let (method, path) = ("GET", "/down");
        let (fields, body) = (Vec::new(), bytes::Bytes::new());
        Asking { speaks, method, path, fields, body, answer_bytes: LARGE_BYTES }
    }

    fn plan(backend: &Backend, asking: Asking, pace: Pace) -> Plan {
        let address = if asking.speaks == Speaks::Http1 { backend.http1 } else { backend.http2 };
        let (asking, window) = (Arc::new(asking), Duration::from_millis(200));
        Plan { address, asking, connections: 2, streams: 4, pace, window, windows: 2 }
    }

    #[test]
    fn all_that_is_due_is_counted_and_borders_are_told() {
        let backend = Backend::start().unwrap();
        let mut borders = 0;
        let plan = plan(&backend, asking(Speaks::Http1), Pace::Open(50));
        let windows = run(&plan, &mut || {
            borders += 1;
            Ok(())
        });
        let windows = windows.unwrap();
        assert_eq!(borders, 3);
        let due: Vec<u64> = windows.iter().map(|window| window.due).collect();
        assert_eq!(due, [10, 10]);
        let counted: u64 = windows.iter().map(|window| window.right() + window.errors()).sum();
        assert_eq!(counted, 20);
        assert!(windows.iter().any(|window| 0 < window.right()));
    }

    #[test]
    fn calls_of_grpc_are_answered_over_one_connection() {
        let backend = Backend::start().unwrap();
        let call = Asking {
            method: "POST",
            path: GRPC_PATH,
            fields: vec![("content-type".to_owned(), "application/grpc".to_owned())],
            body: super::http2::framed(b"hello"),
            answer_bytes: 10,
            ..asking(Speaks::Grpc)
        };
        let plan = Plan { connections: 1, ..plan(&backend, call, Pace::Closed) };
        let windows = run(&plan, &mut || Ok(())).unwrap();
        assert!(windows.iter().all(|window| window.errors() == 0 && 0 < window.right()));
    }

    #[test]
    fn what_finds_no_lane_and_a_full_line_is_counted_as_not_sent() {
        let backend = Backend::start().unwrap();
        let slow = Asking { path: "/slow", answer_bytes: 0, ..asking(Speaks::Http1) };
        let plan = Plan { connections: 1, ..plan(&backend, slow, Pace::Open(100)) };
        let windows = Plan { windows: 10, ..plan };
        let windows = run(&windows, &mut || Ok(())).unwrap();
        let sum = |figure: fn(&super::Window) -> u64| windows.iter().map(figure).sum::<u64>();
        assert_eq!(sum(|one| one.due), 200);
        assert_eq!(sum(|one| one.right() + one.errors()), 200);
        assert!(0 < sum(|one| one.not_sent), "the line has room for a second's worth");
        assert!(0 < sum(|one| one.late));
    }
}
