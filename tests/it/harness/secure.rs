//! A service over TLS: it remembers what it was asked, and answers as it is told.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use openssl::ssl::SslAcceptor;

use super::backend::{Backend, Seen};
use super::message::{self, Reader};
use super::tls::Authority;

/// A service that listens. It ends when the value does.
pub(crate) struct Secure {
    listening: Backend,
    authority: Authority,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a service says: bytes, or nothing and an end.
type Answer = dyn Fn(&Seen) -> Option<Vec<u8>> + Send + Sync;

impl Secure {
    /// Answers with what `answer` makes; without it the connection is closed.
    pub(crate) fn replying(
        answer: impl Fn(&Seen) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::named("localhost", answer)
    }

    /// The same, with a certificate for `host`.
    pub(crate) fn named(
        host: &str,
        answer: impl Fn(&Seen) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new();
        let acceptor = authority.acceptor(host);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let listening =
            Backend::raw(move |stream, number| serve(&acceptor, stream, number, &kept, &answer));
        Self { listening, authority, seen }
    }

    /// Its port, at `localhost`.
    pub(crate) fn port(&self) -> u16 {
        self.listening.port()
    }

    /// Writes the authority that it is judged by.
    pub(crate) fn certify(&self, path: &Path) {
        fs::write(path, self.authority.certificate()).expect("a file");
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the requests").clone()
    }
}

fn serve(
    acceptor: &SslAcceptor,
    stream: TcpStream,
    connection: usize,
    seen: &Mutex<Vec<Seen>>,
    answer: &Answer,
) -> io::Result<()> {
    let stream = acceptor.accept(stream).map_err(io::Error::other)?;
    let mut reader = Reader::new(stream);
    while let Some(head) = reader.head() {
        let message::Body { bytes, length, end } = reader.body(&head, false);
        let mut words = head.line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let asked =
            Seen { connection, method, target, fields: head.fields, body: bytes, length, end };
        let said = answer(&asked);
        seen.lock().expect("the requests").push(asked);
        match said {
            Some(bytes) => reader.stream().write_all(&bytes)?,
            None => break,
        }
    }
    Ok(())
}
