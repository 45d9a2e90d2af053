//! Redis as a process on the load's core: one alone, or watched by sentinels. And a client that can
//! ask it things.

use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::clock::Deadline;
use crate::contestant::free_addresses;
use crate::failure::{Failure, during};
use crate::process::{Invocation, Process};
use crate::programs::{Program, Programs};

/// How long a server may take until it answers, and sentinels until they know each other.
const START_TIME: Duration = Duration::from_secs(30);

/// How often it is asked meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Longer than any answer, also that of a server which sleeps when it is told to.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Answers that are longer are none; the longest is some KiB of statistics.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What sentinels call the primary.
pub(crate) const PRIMARY: &str = "counters";

/// A server. It ends when the value does.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    invocation: Invocation,
    log: PathBuf,
}

/// A primary, its replica, and three sentinels that watch them.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The first primary.
    pub(crate) primary: Redis,
    replica: Redis,
    sentinels: Vec<Redis>,
}

impl Redis {
    /// Starts one that keeps nothing on disk, in `folder`, listening on loopback and on `also`.
    pub(crate) fn start(
        programs: &Programs,
        folder: &Path,
        also: Option<IpAddr>,
    ) -> Result<Self, Failure> {
        Self::with(programs, folder, also, &[])
    }

    fn with(
        programs: &Programs,
        folder: &Path,
        also: Option<IpAddr>,
        more: &[&str],
    ) -> Result<Self, Failure> {
        let [address, _] = free_addresses()?;
        let mut invocation = programs.invocation(Program::Redis)?;
        let port = address.port().to_string();
        for word in [
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
            "--protected-mode",
            "no",
            "--enable-debug-command",
            "local",
            "--repl-diskless-sync-delay",
            "0",
            "--dir",
        ] {
            invocation = invocation.with(word);
        }
        invocation = invocation.with(folder).with("--bind").with(Ipv4Addr::LOCALHOST.to_string());
        if let Some(also) = also {
            invocation = invocation.with(also.to_string());
        }
        for word in more {
            invocation = invocation.with(word);
        }
        Self::launch(invocation, address, folder)
    }

    fn launch(invocation: Invocation, address: SocketAddr, folder: &Path) -> Result<Self, Failure> {
        let log = folder.join(format!("redis-{}.log", address.port()));
        let process = Process::start_beside("redis-server", invocation.clone(), &log)?;
        let redis = Self { process, address, invocation, log };
        redis.await_answer()?;
        Ok(redis)
    }

    fn await_answer(&self) -> Result<(), Failure> {
        let pong = |redis: &Self| redis.ask(&["PING"]).is_ok_and(|said| said.contains("PONG"));
        until("redis-server", &self.process, || pong(self))
    }

    /// Asks one thing on a connection of its own; what it said, lines of lists joined.
    pub(crate) fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.address)?);
        stream.get_ref().set_read_timeout(Some(ANSWER_TIME))?;
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
        }
        stream.get_mut().write_all(text.as_bytes())?;
        read_answer(&mut stream)
    }

    /// How often clients had it do something since its start: scripts count as one.
    pub(crate) fn commands(&self) -> Result<f64, Failure> {
        let text = self.ask(&["INFO", "commandstats"]).map_err(during("asking Redis"))?;
        Ok(CLIENT_COMMANDS.iter().map(|command| calls_of(&text, command)).sum())
    }

    /// How many bytes its data takes, and how many keys it has.
    pub(crate) fn size(&self) -> Result<(f64, f64), Failure> {
        let asking = || during("asking Redis");
        let memory = self.ask(&["INFO", "memory"]).map_err(asking())?;
        let keys = self.ask(&["DBSIZE"]).map_err(asking())?;
        Ok((figure(&memory, "used_memory:"), keys.trim().parse().unwrap_or(0.0)))
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill()
    }

    /// Starts it again where it was, empty.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        let invocation = self.invocation.clone();
        self.process = Process::start_beside("redis-server", invocation, &self.log)?;
        self.await_answer()
    }

    /// Stops it in its tracks, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.process.signal(signal)
    }
}

/// What gateways and the peer send; what scripts do is counted under other names.
const CLIENT_COMMANDS: [&str; 3] = ["evalsha", "eval", "increx"];

fn calls_of(text: &str, command: &str) -> f64 {
    let begin = format!("cmdstat_{command}:calls=");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_default();
    line.split(',').next().and_then(|calls| calls.parse().ok()).unwrap_or(0.0)
}

fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().parse().unwrap_or(0.0)
}

fn read_answer(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.take(ANSWER_BYTES_MAX).read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).unwrap_or((line, ""));
    let count = || rest.parse::<u64>().unwrap_or(0);
    match kind {
        "$" if !rest.starts_with('-') => {
            let mut text = String::new();
            reader.take(count().min(ANSWER_BYTES_MAX) + 2).read_to_string(&mut text)?;
            Ok(text.trim_end().to_owned())
        }
        "*" => {
            let parts = (0..count()).map(|_| read_answer(reader));
            Ok(parts.collect::<io::Result<Vec<_>>>()?.join("\n"))
        }
        "-" => Err(io::Error::other(rest.to_owned())),
        _ => Ok(rest.to_owned()),
    }
}

/// Asks until it is so; an error if the process ends or it takes too long.
fn until(name: &str, process: &Process, is_so: impl Fn() -> bool) -> Result<(), Failure> {
    let deadline = Deadline::after(START_TIME);
    while !is_so() {
        if deadline.has_passed() {
            let how = format!("no answer within {} s", START_TIME.as_secs());
            return Err(Failure::Ended { name: name.to_owned(), how, said: process.said_last() });
        }
        Deadline::pause(ASK_AGAIN);
    }
    Ok(())
}

impl Watched {
    /// Starts all of them; returns once the sentinels know the replica and each other.
    pub(crate) fn start(programs: &Programs, folder: &Path) -> Result<Self, Failure> {
        let primary = Redis::start(programs, folder, None)?;
        let port = primary.address.port().to_string();
        let replica = Redis::with(programs, folder, None, &["--replicaof", "127.0.0.1", &port])?;
        until("the replica", &replica.process, || {
            primary.ask(&["INFO", "replication"]).is_ok_and(|said| said.contains("state=online"))
        })?;
        let sentinel = |number: u32| {
            let [address, _] = free_addresses()?;
            let folder = folder.join(format!("sentinel-{number}"));
            fs::create_dir(&folder).map_err(during("making a folder"))?;
            let file = folder.join("sentinel.conf");
            let text = format!(
                "port {}\ndir {}\nprotected-mode no\nsentinel monitor {PRIMARY} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {PRIMARY} 500\n\
                 sentinel failover-timeout {PRIMARY} 2000\n",
                address.port(),
                folder.display(),
            );
            fs::write(&file, text).map_err(during(format!("writing {}", file.display())))?;
            let invocation = programs.invocation(Program::Redis)?.with(file).with("--sentinel");
            Redis::launch(invocation, address, &folder)
        };
        let sentinels = (0..3).map(sentinel).collect::<Result<Vec<_>, _>>()?;
        let ready = |sentinel: &Redis| {
            let quorum = sentinel.ask(&["SENTINEL", "CKQUORUM", PRIMARY]);
            let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", PRIMARY]);
            quorum.is_ok_and(|said| said.starts_with("OK 3"))
                && replicas.is_ok_and(|s| !s.is_empty())
        };
        until("the sentinels", &primary.process, || sentinels.iter().all(ready))?;
        Ok(Self { primary, replica, sentinels })
    }

    /// Whether the replica is the primary now.
    pub(crate) fn is_promoted(&self) -> bool {
        self.replica.ask(&["ROLE"]).is_ok_and(|said| said.starts_with("master"))
    }

    /// Where the sentinels are.
    pub(crate) fn places(&self) -> String {
        let places: Vec<_> = self.sentinels.iter().map(|one| one.address.to_string()).collect();
        places.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::{calls_of, figure};

    #[test]
    fn calls_are_read_of_the_command_that_is_meant() {
        let text = "cmdstat_time:calls=7,usec=1\r\ncmdstat_eval:calls=2,usec=1\r\n\
                    cmdstat_evalsha:calls=31,usec=9,usec_per_call=0.2\r\n";
        let calls = ["eval", "evalsha", "incrby"].map(|command| calls_of(text, command));
        assert_eq!(calls.map(|calls| calls.to_string()), ["2", "31", "0"]);
        let bytes = figure("# Memory\r\nused_memory:1024\r\n", "used_memory:");
        assert_eq!(bytes.to_string(), "1024");
    }
}
