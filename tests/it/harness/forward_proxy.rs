//! A forward proxy: it connects, or sends requests on, whatever they are called, with what listens
//! on this machine at their port; it remembers what it was asked.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};

use super::backend::{Backend, Seen};
use super::message::{self, Reader};
use super::relay::join;
use super::soon;

/// A proxy that listens. It ends when the value does.
pub(crate) struct ForwardProxy {
    listening: Backend,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a proxy says to a request instead of doing what it is asked; nothing where it does.
type Refuses = dyn Fn(&Seen) -> Option<Vec<u8>> + Send + Sync;

impl ForwardProxy {
    /// One that takes everybody.
    pub(crate) fn open() -> Self {
        Self::refusing(|_seen| None)
    }

    /// One that takes whoever shows this, and asks everybody else for it.
    pub(crate) fn wanting(shown: &'static str) -> Self {
        Self::refusing(move |seen| {
            let is_shown = seen.all("proxy-authorization") == [shown];
            let refused = b"HTTP/1.1 407 Whatever\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\
                            Content-Length: 0\r\n\r\n";
            (!is_shown).then(|| refused.to_vec())
        })
    }

    /// One that says what `refuses` makes.
    pub(crate) fn refusing(
        refuses: impl Fn(&Seen) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let listening = Backend::raw(move |stream, number| serve(stream, number, &kept, &refuses));
        Self { listening, seen }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.listening.url()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the requests").clone()
    }

    /// The latest request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request")
    }

    /// Waits for a request.
    pub(crate) fn wait(&self) -> Seen {
        soon(|| self.seen().pop()).expect("a request")
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    seen: &Mutex<Vec<Seen>>,
    refuses: &Refuses,
) -> io::Result<()> {
    let mut reader = Reader::new(stream);
    while let Some(head) = reader.head() {
        let message::Body { bytes, length, end } = reader.body(&head, false);
        let mut words = head.line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let fields = head.fields;
        let asked = Seen { connection, method, target, fields, body: bytes, length, end };
        seen.lock().expect("the requests").push(asked.clone());
        if let Some(said) = refuses(&asked) {
            reader.stream().write_all(&said)?;
        } else if asked.method == "CONNECT" {
            let server = dial(&asked.target)?;
            reader.stream().write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
            join(reader.stream(), &server);
            join(&server, reader.stream());
            return Ok(());
        } else {
            let answer = sent_on(&asked)?;
            reader.stream().write_all(&answer)?;
        }
    }
    Ok(())
}

/// Connects with what listens at the port of `place` on this machine.
fn dial(place: &str) -> io::Result<TcpStream> {
    let port = place.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    TcpStream::connect((Ipv4Addr::LOCALHOST, port.ok_or(io::ErrorKind::InvalidInput)?))
}

/// Sends a request on; what is answered, as bytes.
fn sent_on(asked: &Seen) -> io::Result<Vec<u8>> {
    let whole = asked.target.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
    let (place, path) = whole.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
    let mut server = dial(place)?;
    let mut head = format!("{} /{path} HTTP/1.1\r\nHost: {place}\r\n", asked.method);
    let own = ["host", "proxy-authorization", "transfer-encoding", "content-length"];
    for (name, value) in &asked.fields {
        if !own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            head.extend([name, ": ", value, "\r\n"]);
        }
    }
    let length = asked.body.len().to_string();
    head.extend(["Content-Length: ", &length, "\r\n\r\n"]);
    server.write_all(&[head.as_bytes(), &asked.body].concat())?;
    let mut reader = Reader::new(server);
    let answer = reader.head().ok_or(io::ErrorKind::UnexpectedEof)?;
    let body = reader.body(&answer, false);
    let mut said = answer.line + "\r\n";
    for (name, value) in &answer.fields {
        said.extend([name, ": ", value, "\r\n"]);
    }
    Ok([said.as_bytes(), b"\r\n", &body.bytes].concat())
}
