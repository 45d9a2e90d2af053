//! Backends that answer as they are told, and remember what they were asked.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::message::{self, End, Reader};
use super::soon;

/// A backend that listens. It ends when the value does.
pub(crate) struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

/// A request, as the backend got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection it came on, from 1 on.
    pub(crate) connection: usize,
    /// The method.
    pub(crate) method: String,
    /// The target, as it was written.
    pub(crate) target: String,
    /// The fields, names as they came.
    pub(crate) fields: Vec<(String, String)>,
    /// The body, its first mebibyte.
    pub(crate) body: Vec<u8>,
    /// How long the body was.
    pub(crate) length: usize,
    /// How the body ended.
    pub(crate) end: End,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// It is kept.
    Keep,
    /// It is closed.
    Close,
}

/// How long a backend waits for the next request on a connection.
const IDLE_MAX: Duration = Duration::from_mins(1);
/// An address where nobody listens.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

impl Seen {
    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        message::field(&self.fields, name)
    }

    /// All fields of that name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }
}

/// An answer with a length.
pub(crate) fn reply(status: u16, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        text.extend([name, ": ", value, "\r\n"]);
    }
    (text + "\r\n" + body).into_bytes()
}

impl Backend {
    /// Answers everything with 200 and `backend`.
    pub(crate) fn plain() -> Self {
        Self::replying(|_seen| reply(200, &[("Content-Type", "text/plain")], "backend"))
    }

    /// Answers with the bytes that `answer` makes.
    pub(crate) fn replying(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::scripted(move |seen, stream| {
            stream.write_all(&answer(seen))?;
            Ok(Then::Keep)
        })
    }

    /// The same on a port of this machine; any that is free if it is 0.
    pub(crate) fn on(port: u16, answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        Self::scripted_on(listener, move |seen, stream| {
            stream.write_all(&answer(seen))?;
            Ok(Then::Keep)
        })
    }

    /// The same, for whoever can reach this machine by any of its addresses.
    pub(crate) fn reached_from_anywhere(
        answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        Self::scripted_on(listener, move |seen, stream| {
            stream.write_all(&answer(seen))?;
            Ok(Then::Keep)
        })
    }

    /// Reads requests, and does what `script` says with each.
    pub(crate) fn scripted(
        script: impl Fn(&Seen, &mut TcpStream) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        Self::scripted_on(TcpListener::bind("127.0.0.1:0").expect("a port"), script)
    }

    fn scripted_on(
        listener: TcpListener,
        script: impl Fn(&Seen, &mut TcpStream) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        Self::listen(listener, seen, move |stream, connection| {
            let mut reader = Reader::new(stream);
            while let Some(asked) = next(&mut reader, connection) {
                kept.lock().expect("the requests").push(asked.clone());
                if asked.end == End::Broken || script(&asked, reader.stream())? == Then::Close {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Hands over connections as they are, with their number, from 1 on.
    pub(crate) fn raw(
        handle: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").expect("a port"), Arc::default(), handle)
    }

    fn listen(
        listener: TcpListener,
        seen: Arc<Mutex<Vec<Seen>>>,
        handle: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("an address");
        let (connections, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let backend =
            Self { address, seen, connections: Arc::clone(&connections), over: Arc::clone(&over) };
        let handle = Arc::new(handle);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let handle = Arc::clone(&handle);
                stream.set_read_timeout(Some(IDLE_MAX)).expect("a time-out");
                stream.set_nodelay(true).expect("no delay");
                // That a gateway goes away in the middle is what some tests are about.
                thread::spawn(move || drop(handle(stream, number)));
            }
        });
        backend
    }

    /// Its address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address as a `Host` field.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the requests").clone()
    }

    /// How many requests there were so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("the requests").len()
    }

    /// The latest request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request")
    }

    /// Waits for a request.
    pub(crate) fn wait(&self) -> Seen {
        soon(|| self.seen().pop()).expect("a request")
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

/// Reads the next request of a connection.
fn next(reader: &mut Reader<TcpStream>, connection: usize) -> Option<Seen> {
    let head = reader.head()?;
    if head.field("expect").is_some() {
        reader.stream().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let message::Body { bytes, length, end } = reader.body(&head, false);
    let mut words = head.line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    Some(Seen { connection, method, target, fields: head.fields, body: bytes, length, end })
}
