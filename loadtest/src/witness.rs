//! The backend that writes down what it got, and when: limits are judged from that.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::bench::BODY;
use crate::clock::Dates;
use crate::failure::{Failure, during};
use crate::judge::Passed;

/// The field in which clients say when they sent a request.
pub(crate) const SENT: &str = "X-Sent";

/// A line of a head that is longer is none.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// A backend that listens on all addresses of this machine. It ends when the value does.
#[derive(Debug)]
pub(crate) struct Witness {
    address: SocketAddr,
    log: Arc<Log>,
    over: Arc<AtomicBool>,
}

/// What came, by the first segment of its path.
#[derive(Debug, Default)]
struct Log(Mutex<BTreeMap<String, Vec<Passed>>>);

impl Witness {
    /// Listens.
    pub(crate) fn start(dates: Dates) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
            .map_err(during("listening as the backend"))?;
        let address = listener.local_addr().map_err(during("naming a port"))?;
        let (log, over) = (Arc::new(Log::default()), Arc::new(AtomicBool::new(false)));
        let (kept, ended) = (Arc::clone(&log), Arc::clone(&over));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let log = Arc::clone(&kept);
                // It ends with its connection; that one breaks is what some faults are about.
                thread::spawn(move || drop(serve(stream, dates, &log)));
            }
        });
        Ok(Self { address, log, over })
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came of `api` so far.
    pub(crate) fn log(&self, api: &str) -> Vec<Passed> {
        let log = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(api).cloned().unwrap_or_default()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.address.port())));
    }
}

/// Answers everything that comes on one connection.
fn serve(stream: TcpStream, dates: Dates, log: &Log) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
    while let Some((api, sent)) = read(&mut reader)? {
        let passed = Passed { sent, came: dates.now() };
        let mut apis = log.0.lock().unwrap_or_else(PoisonError::into_inner);
        apis.entry(api).or_default().push(passed);
        drop(apis);
        reader.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Reads the head of a request without a body: of which API, and when it was sent.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, u64)>> {
    let (mut line, mut api, mut sent) = (String::new(), None, 0);
    loop {
        line.clear();
        if io::Read::take(&mut *reader, LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if api.is_none() {
            let target = text.split(' ').nth(1).unwrap_or_default();
            api = Some(target.split(['/', '?']).nth(1).unwrap_or_default().to_owned());
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case(SENT)
        {
            sent = value.trim().parse().unwrap_or_default();
        }
    }
    Ok(api.map(|api| (api, sent)))
}
