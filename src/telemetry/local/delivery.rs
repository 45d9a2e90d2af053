//! Sends lines to a collector: connects, and again after a while where that fails.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use crate::telemetry::lines::{Batch, Progress, Sink};

/// How a collector is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// Datagrams to a socket of the machine.
    Unix(PathBuf),
    /// Datagrams to a host and a port.
    Udp(String),
    /// A connection to a host and a port.
    Tcp(String),
}

#[derive(Debug)]
enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a collector may take nothing before its connection is given up.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// The most attempts that are passed over after one that failed; there is one every
/// [`FLUSH_INTERVAL`](crate::telemetry::lines::FLUSH_INTERVAL), so that makes half a minute.
const PASSED_OVER_MAX: u32 = 600;
/// After how many batches the name of a collector is looked up again: nothing tells a sender of
/// datagrams that its name leads elsewhere by now.
const BATCHES_MAX: u32 = 1200;
/// The most bytes that are written to a connection at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Sends lines to a collector.
#[derive(Debug)]
pub struct Delivery {
    way: Way,
    socket: Option<Socket>,
    /// How many attempts are still passed over.
    passed_over: u32,
    /// How many were after the last failure.
    pause: u32,
    batches: u32,
}

impl Delivery {
    /// Sends lines this way.
    pub const fn to(way: Way) -> Self {
        Self { way, socket: None, passed_over: 0, pause: 0, batches: 0 }
    }

    fn open(&self) -> io::Result<Socket> {
        match &self.way {
            Way::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(WRITE_TIME_MAX))?;
                Ok(Socket::Unix(socket))
            }
            Way::Udp(address) => first(address, |address| {
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                socket.set_write_timeout(Some(WRITE_TIME_MAX))?;
                Ok(Socket::Udp(socket))
            }),
            Way::Tcp(address) => first(address, |address| {
                let stream = TcpStream::connect_timeout(&address, CONNECT_TIME_MAX)?;
                stream.set_write_timeout(Some(WRITE_TIME_MAX))?;
                Ok(Socket::Tcp(stream))
            }),
        }
    }

    /// Closes what is broken. The next attempt is at once, and then ever later.
    fn close(&mut self) {
        self.socket = None;
        self.passed_over = self.pause;
        self.pause = self.pause.saturating_mul(2).clamp(1, PASSED_OVER_MAX);
    }
}

/// The first of the addresses that a name has at which `open` succeeds.
fn first(address: &str, open: impl Fn(SocketAddr) -> io::Result<Socket>) -> io::Result<Socket> {
    let mut failed = io::Error::from(ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match open(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl Sink for Delivery {
    fn is_ready(&mut self) -> bool {
        if matches!(&self.socket, Some(Socket::Tcp(stream)) if is_ended(stream)) {
            self.socket = None;
        }
        if self.socket.is_some() {
            return true;
        }
        if 0 < self.passed_over {
            self.passed_over = self.passed_over.saturating_sub(1);
            return false;
        }
        if let Ok(socket) = self.open() {
            (self.socket, self.batches) = (Some(socket), 0);
        } else {
            self.close();
        }
        self.socket.is_some()
    }

    fn write(&mut self, batch: &Batch, from: usize) -> Progress {
        let (progress, is_broken) = match &mut self.socket {
            None => return Progress::default(),
            Some(Socket::Tcp(stream)) => connected(stream, batch, from),
            Some(Socket::Unix(socket)) => datagrams(batch, from, |line| socket.send(line)),
            Some(Socket::Udp(socket)) => datagrams(batch, from, |line| {
                match socket.send(line) {
                    // That was said of an earlier one.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => socket.send(line),
                    sent => sent,
                }
            }),
        };
        self.batches = self.batches.saturating_add(1);
        if is_broken {
            self.close();
        } else if 0 < progress.done {
            self.pause = 0;
        }
        if matches!(self.way, Way::Udp(_)) && BATCHES_MAX <= self.batches {
            self.socket = None;
        }
        progress
    }
}

/// Sends each line in a datagram; whether the socket is broken.
fn datagrams(
    batch: &Batch,
    from: usize,
    send: impl Fn(&[u8]) -> io::Result<usize>,
) -> (Progress, bool) {
    let mut progress = Progress::default();
    for number in from..batch.count() {
        match send(batch.line(number)).map_err(|error| error.kind()) {
            Ok(_) => (),
            // It is full: what is left is tried again.
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                return (progress, false);
            }
            // Nobody listens: it waits for somebody.
            Err(ErrorKind::NotConnected | ErrorKind::ConnectionRefused) => return (progress, true),
            // The system takes no datagram of this size.
            Err(_other) => progress.lost = progress.lost.saturating_add(1),
        }
        progress.done = progress.done.saturating_add(1);
    }
    (progress, false)
}

/// Writes lines to a connection, many at once; whether it is broken. What was not taken whole is
/// sent again over the next one.
fn connected(stream: &mut TcpStream, batch: &Batch, from: usize) -> (Progress, bool) {
    let mut progress = Progress::default();
    while from.saturating_add(progress.done) < batch.count() {
        let at = from.saturating_add(progress.done);
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let mut count = 0_usize;
        for number in at..batch.count() {
            let line = batch.line(number);
            if 0 < count && CHUNK_BYTES < chunk.len().saturating_add(line.len()) {
                break;
            }
            chunk.extend_from_slice(line);
            count = count.saturating_add(1);
        }
        if stream.write_all(&chunk).is_err() {
            return (progress, true);
        }
        progress.done = progress.done.saturating_add(count);
    }
    (progress, false)
}

/// Whether the collector has ended the connection: what is written now would be lost.
fn is_ended(stream: &TcpStream) -> bool {
    let looked = || {
        stream.set_nonblocking(true)?;
        let seen = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        match seen {
            Ok(count) => Ok(count == 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    };
    looked().unwrap_or(true)
}
