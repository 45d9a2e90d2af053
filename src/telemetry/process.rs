//! What the process takes from its machine: memory and processors, as Linux tells.

use std::fs;
use std::time::Duration;

/// In how many parts a second is divided where Linux counts the time of processors. It is the same
/// on every platform that it runs on, whatever the kernel does inside.
const TICKS: u64 = 100;
/// The place of the time in user mode in `/proc/self/stat`, behind the name of the process.
const USER_TIME: usize = 11;

/// What the process takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Memory that is in RAM, in bytes.
    pub memory: u64,
    /// Time of processors.
    pub cpu: Duration,
}

/// What the process takes now; none, where that is not told.
pub fn usage() -> Option<Usage> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some(Usage { memory: memory(&status)?, cpu: cpu(&stat)? })
}

/// The line `VmRSS:     1234 kB`. Unlike `/proc/self/statm` it does not count in pages, whose size differs.
fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// User and system time, the numbers 14 and 15; the name, number 2, may have anything but `)` at its end.
fn cpu(stat: &str) -> Option<Duration> {
    let (_name, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(USER_TIME);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_millis(ticks.saturating_mul(1_000 / TICKS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_understood() {
        assert_eq!(memory("Name:\tweir\nVmRSS:\t   12 kB\nThreads:\t3\n"), Some(12 << 10));
        let stat = "1 (a ) b) S 1 1 1 0 -1 4194560 9 0 0 0 150 25 0 0 20 0 4 0 9";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_750)));
        assert_eq!((memory(""), cpu("1 (a) S")), (None, None));
        assert!(usage().is_some_and(|usage| 1 << 20 < usage.memory));
    }
}
