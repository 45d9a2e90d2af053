//! A client that writes exact bytes and reads exact answers, over one connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use openssl::ssl::SslStream;

pub(crate) use super::message::End;
use super::message::{self, Head, Reader};
use super::{PATIENCE, tls};

/// A connection of a client.
pub(crate) struct Client {
    reader: Reader<Stream>,
}

/// In the clear, or not.
enum Stream {
    Clear(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

/// A request that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The reason phrase.
    pub(crate) phrase: String,
    /// The fields, names as they came.
    pub(crate) fields: Vec<(String, String)>,
    /// The body, its first mebibyte.
    pub(crate) body: Vec<u8>,
    /// How long the body was.
    pub(crate) length: usize,
    /// How the body ended.
    pub(crate) end: End,
    /// The informational answers before it.
    pub(crate) before: Vec<Head>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: "gateway.example".to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Some(body.as_ref().to_owned()), ..Self::new("POST", target) }
    }

    pub(crate) fn host(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a subscription key in the usual field.
    pub(crate) fn key(self, key: &str) -> Self {
        self.field("Ocp-Apim-Subscription-Key", key)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { method, target, host, fields, body } = self;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in fields {
            text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        if let Some(body) = body {
            text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(body.as_deref().unwrap_or_default());
        bytes
    }
}

impl Answer {
    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        message::field(&self.fields, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the gateway listens")
    }

    /// A connection, if somebody listens.
    pub(crate) fn try_connect(address: SocketAddr) -> Option<Self> {
        Some(Self::over(Stream::Clear(tcp(address)?)))
    }

    /// Over TLS: asks for `host`, trusts `authority`, offers `protocols`.
    pub(crate) fn tls(
        address: SocketAddr,
        host: &str,
        authority: &tls::Authority,
        protocols: &[&str],
    ) -> Self {
        let stream = tcp(address).expect("the gateway listens");
        let stream = authority.connect(stream, host, protocols);
        Self::over(Stream::Tls(Box::new(stream)))
    }

    fn over(stream: Stream) -> Self {
        Self { reader: Reader::new(stream) }
    }

    /// Writes bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.stream().write_all(bytes.as_ref()).expect("the gateway reads");
    }

    /// Writes bytes that the gateway may not want any more.
    pub(crate) fn offer(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.reader.stream().write_all(bytes.as_ref()).is_ok()
    }

    /// Sends `request` and reads its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.send(request.bytes());
        self.answer_to(&request.method)
    }

    /// Reads an answer to a request with a method other than `HEAD`.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads an answer to a request with `method`.
    #[track_caller]
    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        self.try_answer_to(method).expect("an answer")
    }

    /// Reads an answer, if there is one.
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        self.try_answer_to("GET")
    }

    fn try_answer_to(&mut self, method: &str) -> Option<Answer> {
        let mut before = Vec::new();
        loop {
            let head = self.reader.head()?;
            let (status, phrase) = status(&head.line);
            if (100..200).contains(&status) && status != 101 {
                before.push(head);
                continue;
            }
            let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
            let body = if bodiless {
                message::Body { bytes: Vec::new(), length: 0, end: End::Whole }
            } else {
                self.reader.body(&head, true)
            };
            let message::Body { bytes, length, end } = body;
            let fields = head.fields;
            return Some(Answer { status, phrase, fields, body: bytes, length, end, before });
        }
    }

    /// Reads the head of the next answer, informational or not.
    pub(crate) fn head(&mut self) -> Option<Head> {
        self.reader.head()
    }

    /// Reads bytes.
    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        self.reader.raw(length)
    }

    /// Whether the gateway closed the connection, with nothing more to read; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.reader.is_at_end()
    }

    /// Another end of the connection, to write to while this one is read from.
    pub(crate) fn twin(&mut self) -> TcpStream {
        self.reader.stream().tcp().try_clone().expect("another handle")
    }

    /// Ends the direction to the gateway.
    pub(crate) fn end(&mut self) {
        // It may be closed already.
        let _ = self.reader.stream().tcp().shutdown(Shutdown::Write);
    }
}

fn tcp(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_nodelay(true).expect("no delay");
    Some(stream)
}

/// Status and phrase of a status line.
fn status(line: &str) -> (u16, String) {
    let rest = line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("`{line}`"));
    let (status, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
    (status.parse().expect("a status"), phrase.to_owned())
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
