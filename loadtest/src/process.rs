//! A child process: pinned to one core, watched through `/proc`, ended when it is dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::clock::Deadline;
use crate::failure::{Failure, during};

/// How often a process is asked whether it has ended; rare enough not to disturb the load.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How much of a failed program's output a message repeats.
const SAID_CHARACTERS: usize = 2000;

/// In what the kernel counts processor time for everybody to read.
const TICKS_A_SECOND: f64 = 100.0;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Invocation {
    /// `program` without arguments.
    pub(crate) fn of(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// With one more argument.
    pub(crate) fn with(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The same, as arguments of `outer`.
    pub(crate) fn under(self, mut outer: Self) -> Self {
        outer.arguments.push(self.program.into_os_string());
        outer.arguments.extend(self.arguments);
        outer
    }
}

/// Which core the proxy has to itself, and which one the load and the upstream share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The proxy's.
    pub(crate) proxy: usize,
    /// The load generator's, the upstream's and this program's.
    pub(crate) load: usize,
}

impl Cores {
    /// The named cores, or else the first two that this process may use.
    pub(crate) fn choose(proxy: Option<usize>, load: Option<usize>) -> Result<Self, Failure> {
        let set = sched_getaffinity(None).map_err(|e| during("asking for the cores")(e.into()))?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect();
        let mut free = usable.iter().copied().filter(|&c| Some(c) != proxy && Some(c) != load);
        let mut next = || free.next().ok_or(Failure::TooFewCores(usable.len()));
        let proxy = proxy.map_or_else(&mut next, Ok)?;
        let load = load.map_or_else(&mut next, Ok)?;
        if let Some(&core) = [proxy, load].iter().find(|core| !usable.contains(core)) {
            return Err(Failure::NoSuchCore(core));
        }
        if proxy == load {
            return Err(Failure::OneCore(proxy));
        }
        Ok(Self { proxy, load })
    }

    /// Moves this process to the load's core, and so what it starts beside itself.
    pub(crate) fn settle(self) -> Result<(), Failure> {
        move_to(self.load)
    }
}

/// Moves this thread, and what it starts from now on, to one core.
fn move_to(core: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|e| during(format!("moving to core {core}"))(e.into()))
}

/// What the scheduler has counted for a process, over all of its threads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduled {
    /// Nanoseconds on a core.
    pub(crate) ran: f64,
    /// Nanoseconds ready to run while something else had the core.
    pub(crate) waited: f64,
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `what` on the proxy's core. It dies with this program, however that ends.
    pub(crate) fn start(
        name: &str,
        what: Invocation,
        cores: Cores,
        log: &Path,
    ) -> Result<Self, Failure> {
        move_to(cores.proxy)?;
        let started = Self::start_here(name, &dying_with_us(what), log);
        move_to(cores.load)?;
        started
    }

    /// Starts `what` on the proxy's core with nothing in between, so that its start can be timed.
    pub(crate) fn start_directly(
        name: &str,
        what: &Invocation,
        cores: Cores,
        log: &Path,
    ) -> Result<Self, Failure> {
        move_to(cores.proxy)?;
        let started = Self::start_here(name, what, log);
        move_to(cores.load)?;
        started
    }

    /// Starts `what` on the load's core, beside this program. It dies with this program.
    pub(crate) fn start_beside(name: &str, what: Invocation, log: &Path) -> Result<Self, Failure> {
        Self::start_here(name, &dying_with_us(what), log)
    }

    fn start_here(name: &str, what: &Invocation, log: &Path) -> Result<Self, Failure> {
        let opening = || during(format!("opening {}", log.display()));
        let out = File::create(log).map_err(opening())?;
        let err = out.try_clone().map_err(opening())?;
        let child = Command::new(&what.program)
            .args(&what.arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(during(format!("starting {}", what.program.display())))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Runs `what` to its end on the load's core and returns what it printed; an error if it fails
    /// or takes longer than `time`.
    pub(crate) fn run(
        name: &str,
        what: Invocation,
        log: &Path,
        time: Duration,
    ) -> Result<String, Failure> {
        let mut process = Self::start_beside(name, what, log)?;
        let status = process.wait_within(time)?;
        if status.success() { Ok(process.said()) } else { Err(process.ended(status.to_string())) }
    }

    /// Waits for the end; an error if it does not come within `time`.
    pub(crate) fn wait_within(&mut self, time: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Deadline::after(time);
        loop {
            if let Some(status) = self.has_ended()? {
                return Ok(status);
            }
            if deadline.has_passed() {
                return Err(self.ended(format!("no end within {} s", time.as_secs())));
            }
            Deadline::pause(ASK_AGAIN);
        }
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.child.try_wait().map_err(during(format!("waiting for {}", self.name)))
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Result<(), Failure> {
        self.signal(Signal::INT)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|e| during(format!("signalling {}", self.name))(e.into()))
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().map_err(during(format!("ending {}", self.name)))?;
        self.child.wait().map(drop).map_err(during(format!("waiting for {}", self.name)))
    }

    /// Everything it has printed so far, both streams.
    pub(crate) fn said(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The end of what it has printed, for a message.
    pub(crate) fn said_last(&self) -> String {
        last_of(&self.said())
    }

    /// What the scheduler has counted for it. Threads that have ended are not in it.
    pub(crate) fn scheduled(&self) -> Result<Scheduled, Failure> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut sum = Scheduled::default();
        for task in fs::read_dir(&tasks).map_err(during(format!("reading {tasks}")))? {
            let path = task.map_err(during(format!("reading {tasks}")))?.path().join("schedstat");
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                // The thread ended between the listing and the look.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(during(format!("reading {}", path.display()))(error)),
            };
            let mut figures = text.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
            sum.ran += figures.next().unwrap_or_default();
            sum.waited += figures.next().unwrap_or_default();
        }
        Ok(sum)
    }

    /// Seconds of processor time so far, over all of its threads, also those that have ended; in steps
    /// of a hundredth.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&path).map_err(during(format!("reading {path}")))?;
        // The name, in brackets, may have spaces in it; user and system time are the 12th and 13th
        // figures after it.
        let figures = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        let ticks =
            figures.map(|all| all.skip(11).take(2).filter_map(|one| one.parse::<f64>().ok()));
        match ticks.map(Iterator::collect::<Vec<_>>).as_deref() {
            Some([user, system]) => Ok((user + system) / TICKS_A_SECOND),
            _ => Err(Failure::Unreadable {
                tool: "/proc/PID/stat",
                expected: "user and system time",
                said: last_of(&text),
            }),
        }
    }

    /// Its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<f64, Failure> {
        self.memory_kib("VmRSS:")
    }

    /// A figure of its memory in KiB, as `/proc/PID/status` calls it.
    pub(crate) fn memory_kib(&self, figure: &'static str) -> Result<f64, Failure> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(during(format!("reading {path}")))?;
        text.lines()
            .find_map(|line| line.strip_prefix(figure)?.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| Failure::Unreadable {
                tool: "/proc/PID/status",
                expected: figure,
                said: last_of(&text),
            })
    }

    fn ended(&self, how: String) -> Failure {
        Failure::Ended { name: self.name.clone(), how, said: self.said_last() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Wrapped so that the kernel kills it when this program ends, even by a signal.
fn dying_with_us(what: Invocation) -> Invocation {
    what.under(Invocation::of("setpriv").with("--pdeathsig").with("KILL").with("--"))
}

/// The last characters of an output, enough to see what went wrong.
pub(crate) fn last_of(text: &str) -> String {
    let text = text.trim_end();
    let skipped = text.chars().count().saturating_sub(SAID_CHARACTERS);
    text.chars().skip(skipped).collect()
}
