//! Standard output and standard error as places that lines go to.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use super::{Batch, Progress, Sink};

/// How long a reader that takes nothing is left alone, where writing does not wait by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// A file, a pipe or a terminal. It is written without a buffer of its own: what was taken is known
/// to the byte.
#[derive(Debug)]
pub struct Stream {
    file: File,
    /// Whether a line was cut off: the next one must not be taken for its end.
    is_cut: bool,
}

impl Stream {
    /// Standard output.
    pub fn stdout() -> io::Result<Self> {
        Self::of(&io::stdout())
    }

    /// Standard error.
    pub fn stderr() -> io::Result<Self> {
        Self::of(&io::stderr())
    }

    fn of(open: &impl AsFd) -> io::Result<Self> {
        let file = File::from(open.as_fd().try_clone_to_owned()?);
        Ok(Self { file, is_cut: false })
    }

    /// Writes `bytes`; how many were taken before an error.
    fn write_all(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0_usize;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => break,
                Ok(count) => taken = taken.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                // Somebody else made it so that writing does not wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                // There is nowhere to say that nobody reads any more.
                Err(_gone) => break,
            }
        }
        taken
    }
}

impl Sink for Stream {
    fn write(&mut self, batch: &Batch, from: usize) -> Progress {
        let done = batch.count().saturating_sub(from);
        if self.is_cut && self.write_all(b"\n") == 0 {
            return Progress { done, lost: done };
        }
        let bytes = batch.from(from);
        let taken = self.write_all(bytes);
        self.is_cut = taken
            .checked_sub(1)
            .and_then(|last| bytes.get(last))
            .is_some_and(|&last| last != b'\n');
        let before = batch.bytes.len().saturating_sub(bytes.len());
        let whole = batch.whole_within(before.saturating_add(taken)).saturating_sub(from);
        Progress { done, lost: done.saturating_sub(whole) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use super::*;

    fn batch() -> Batch {
        let mut batch = Batch::default();
        batch.push(b"one\n");
        batch.push(b"two\n");
        batch
    }

    #[test]
    fn a_pipe_without_a_reader_takes_nothing_and_that_is_known() {
        let (reads, writes) = pipe().unwrap();
        let mut stream = Stream::of(&writes).unwrap();
        assert_eq!(stream.write(&batch(), 0), Progress { done: 2, lost: 0 });
        assert_eq!(stream.write(&batch(), 1), Progress { done: 1, lost: 0 });
        drop(writes);
        let mut text = String::new();
        let mut reads = reads;
        let mut some = [0; 12];
        reads.read_exact(&mut some).unwrap();
        text.push_str(std::str::from_utf8(&some).unwrap());
        assert_eq!(text, "one\ntwo\ntwo\n");
        drop(reads);
        assert_eq!(stream.write(&batch(), 0), Progress { done: 2, lost: 2 });
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_before_the_next_one() {
        let (mut reads, writes) = pipe().unwrap();
        let mut stream = Stream { is_cut: true, ..Stream::of(&writes).unwrap() };
        stream.write(&batch(), 1);
        drop((stream, writes));
        let mut text = String::new();
        reads.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\ntwo\n");
    }
}
