//! Lines on their way out: collected in memory, written by a thread of its own.
//!
//! Waking another thread for every line costs more than all the rest of a request, so lines are
//! appended to a buffer that a timer empties. Whoever reads them may stand still: the buffer is
//! bounded, and what does not fit is counted and said later, in one line. Standard output,
//! standard error and the local outputs all go this way.

pub mod stream;

use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes that wait to be written; as many again may be on their way.
pub const BUFFER_BYTES_MAX: usize = 8 << 20;
/// How often the buffer is written.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(50);
/// How long the lines that are left may take when the process ends.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// What of a buffer is kept once it is empty again, in bytes.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// Lines, one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Adds a line.
    pub fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
    }

    /// How many lines there are.
    pub const fn count(&self) -> usize {
        self.ends.len()
    }

    /// The line with this number; empty if there is none.
    pub fn line(&self, number: usize) -> &[u8] {
        let end = self.ends.get(number).copied().unwrap_or_default();
        self.bytes.get(self.start(number)..end).unwrap_or_default()
    }

    /// All from the line with this number on.
    pub fn from(&self, number: usize) -> &[u8] {
        self.bytes.get(self.start(number)..).unwrap_or_default()
    }

    /// How many lines end within the first `bytes`.
    pub fn whole_within(&self, bytes: usize) -> usize {
        self.ends.partition_point(|end| *end <= bytes)
    }

    fn start(&self, number: usize) -> usize {
        number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(SPARE_BYTES_MAX);
        self.ends.shrink_to(SPARE_BYTES_MAX / size_of::<usize>());
    }
}

/// What came of an attempt to write.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// How many lines are done with, those that are lost among them.
    pub done: usize,
    /// How many of these are lost.
    pub lost: usize,
}

/// Where lines go.
pub trait Sink: Send {
    /// Whether anything can be written now; what cannot waits.
    fn is_ready(&mut self) -> bool {
        true
    }

    /// Writes lines from number `from` on, as many as it can.
    fn write(&mut self, batch: &Batch, from: usize) -> Progress;
}

/// Makes the line that says how many were dropped.
pub type Confession = Box<dyn Fn(u64) -> Vec<u8> + Send>;

/// Lines that wait for their thread.
#[derive(Debug, Default)]
pub struct Lines {
    waiting: Mutex<Waiting>,
    /// Wakes the thread.
    bell: Condvar,
    /// Wakes who waits for the thread to end.
    ended: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// Whether the thread has had nothing to do for a while: then a line need not wait for its timer.
    is_idle: bool,
    is_running: bool,
    is_stopped: bool,
}

impl Lines {
    /// Appends a line. It is written when the timer says so.
    pub fn put(&self, line: &[u8]) {
        self.add(&mut self.lock(), line);
    }

    /// Appends a line that is rare, and written at once if there was none for a while.
    pub fn put_soon(&self, line: &[u8]) {
        let mut waiting = self.lock();
        self.add(&mut waiting, line);
        if mem::take(&mut waiting.is_idle) {
            drop(waiting);
            self.bell.notify_one();
        }
    }

    fn add(&self, waiting: &mut Waiting, line: &[u8]) {
        if waiting.batch.bytes.len().saturating_add(line.len()) <= BUFFER_BYTES_MAX {
            waiting.batch.push(line);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines found no room, or could not be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Starts the thread that writes until [`stop`](Self::stop).
    pub fn run(
        self: &Arc<Self>,
        name: &str,
        mut sink: Box<dyn Sink>,
        confess: Confession,
    ) -> io::Result<()> {
        let lines = Arc::clone(self);
        self.lock().is_running = true;
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            lines.serve(&mut *sink, &confess);
            lines.lock().is_running = false;
            lines.ended.notify_all();
        });
        if thread.is_err() {
            self.lock().is_running = false;
        }
        thread.map(drop)
    }

    /// Makes the thread write what is left and end.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.bell.notify_all();
    }

    /// Waits until that is done, for [`STOP_TIME_MAX`]: a reader that stands still is not waited for.
    pub fn wait(&self) {
        let ended =
            self.ended.wait_timeout_while(self.lock(), STOP_TIME_MAX, |waiting| waiting.is_running);
        drop(ended);
    }

    fn serve(&self, sink: &mut dyn Sink, confess: &Confession) {
        let mut batch = Batch::default();
        let mut told = 0;
        loop {
            let is_last = self.take(&mut batch);
            let dropped = self.dropped();
            let confessed = told < dropped;
            if confessed {
                batch.push(&confess(dropped.saturating_sub(told)));
            }
            let lost = self.write(sink, &batch);
            if lost == 0 {
                told = dropped;
            } else {
                // The confession is the last line, and none that anybody misses.
                let lost = lost.saturating_sub(usize::from(confessed));
                let lost = u64::try_from(lost).unwrap_or(u64::MAX);
                self.dropped.fetch_add(lost, Ordering::Relaxed);
            }
            batch.clear();
            if is_last {
                return;
            }
        }
    }

    /// Waits for lines, and swaps them with what is written already; whether these are the last.
    fn take(&self, spare: &mut Batch) -> bool {
        let mut waiting = self.lock();
        loop {
            if !waiting.is_stopped {
                let woken = self.bell.wait_timeout(waiting, FLUSH_INTERVAL);
                waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
            if 0 < waiting.batch.count() || waiting.is_stopped {
                waiting.is_idle = false;
                mem::swap(&mut waiting.batch, spare);
                return waiting.is_stopped;
            }
            waiting.is_idle = true;
        }
    }

    /// Writes a batch to its end; how many lines of it are lost.
    fn write(&self, sink: &mut dyn Sink, batch: &Batch) -> usize {
        let (mut at, mut lost) = (0_usize, 0_usize);
        while at < batch.count() {
            let before = at;
            if sink.is_ready() {
                let progress = sink.write(batch, at);
                at = at.saturating_add(progress.done);
                lost = lost.saturating_add(progress.lost);
            }
            if at == before && self.pause() {
                return lost.saturating_add(batch.count().saturating_sub(at));
            }
        }
        lost
    }

    /// Waits a little before the same is tried again; whether that is in vain.
    fn pause(&self) -> bool {
        let waiting = self.lock();
        if waiting.is_stopped {
            return true;
        }
        let woken = self.bell.wait_timeout(waiting, FLUSH_INTERVAL);
        // Who is woken to stop tries once more.
        drop(woken);
        false
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many lines each time that it is ready.
    struct Slow(Arc<Mutex<Vec<String>>>, usize);

    impl Sink for Slow {
        fn is_ready(&mut self) -> bool {
            0 < self.1
        }

        fn write(&mut self, batch: &Batch, from: usize) -> Progress {
            let text = String::from_utf8(batch.line(from).to_vec()).unwrap();
            self.0.lock().unwrap().push(text);
            Progress { done: 1, lost: 0 }
        }
    }

    fn confession() -> Confession {
        Box::new(|count| format!("{count} dropped").into_bytes())
    }

    fn ended(lines: &Lines) {
        lines.stop();
        lines.wait();
    }

    #[test]
    fn nothing_is_lost_at_the_end_and_what_was_dropped_is_said_in_one_line() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::new(Lines::default());
        lines.put(b"a");
        lines.lock().batch.bytes.resize(BUFFER_BYTES_MAX, 0);
        lines.put(b"b");
        lines.put_soon(b"c");
        lines.lock().batch.bytes.truncate(1);
        lines.put(b"d");
        lines.run("test", Box::new(Slow(Arc::clone(&written), 1)), confession()).unwrap();
        ended(&lines);
        assert_eq!(*written.lock().unwrap(), ["a", "d", "2 dropped"]);
        assert_eq!(lines.dropped(), 2);
    }

    #[test]
    fn what_nobody_takes_is_given_up_at_the_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::new(Lines::default());
        lines.put(b"a");
        lines.run("test", Box::new(Slow(Arc::clone(&written), 0)), confession()).unwrap();
        ended(&lines);
        assert_eq!(lines.dropped(), 1);
    }

    #[test]
    fn a_batch_knows_its_lines() {
        let mut batch = Batch::default();
        for line in ["a", "", "bc"] {
            batch.push(line.as_bytes());
        }
        assert_eq!(
            (batch.line(0), batch.line(1), batch.line(2), batch.line(3)),
            (&b"a"[..], &b""[..], &b"bc"[..], &b""[..])
        );
        assert_eq!((batch.from(1), batch.whole_within(2)), (&b"bc"[..], 2));
    }
}
