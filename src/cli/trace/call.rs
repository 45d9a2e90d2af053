//! One request to a gateway, as a client makes it.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use openssl::ssl::{SslConnector, SslMethod};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long a gateway may be silent: longer than the usual time-out of a backend.
const SILENCE_MAX: Duration = Duration::from_secs(330);

/// The longest response that is read.
const RESPONSE_BYTES_MAX: u64 = 64 << 20;

/// The most fields of a response.
const FIELDS_MAX: usize = 256;

/// What somebody wants to be called.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) url: &'a str,
    pub(super) method: Option<&'a str>,
    pub(super) headers: &'a [String],
    pub(super) data: Option<&'a str>,
    pub(super) ca_file: &'a Option<PathBuf>,
}

/// A request that can be sent.
#[derive(Debug)]
pub(super) struct Request<'a> {
    host: String,
    port: u16,
    is_secure: bool,
    /// Its head without the credential and its end.
    head: String,
    body: &'a str,
    ca_file: Option<&'a PathBuf>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) reason: String,
    fields: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    /// The request; an error is a sentence for who wrote the command.
    pub(super) fn prepare(&self) -> Result<Request<'a>, String> {
        let wrong =
            || format!("`{}` is no URL of a gateway: write http://host:port/path", self.url);
        let uri: Uri = self.url.parse().map_err(|_other| wrong())?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let method = self.method.unwrap_or(if self.data.is_some() { "POST" } else { "GET" });
        let is_method = Method::from_bytes(method.as_bytes()).is_ok();
        is_method.then_some(()).ok_or_else(|| format!("`{method}` is no method"))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        let mut has = |line: &str| -> Result<(), String> {
            head.push_str(line);
            head.push_str("\r\n");
            Ok(())
        };
        let fields = self.headers.iter().map(|line| field(line));
        let fields = fields.collect::<Result<Vec<_>, String>>()?;
        for (name, value) in &fields {
            has(&format!("{name}: {value}"))?;
        }
        let body = self.data.unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let usual = [
            ("host", authority.as_str().to_owned()),
            ("user-agent", format!("weir/{version}")),
            ("accept", "*/*".to_owned()),
        ];
        for (name, value) in usual {
            if fields.iter().all(|(known, _value)| known.as_str() != name) {
                has(&format!("{name}: {value}"))?;
            }
        }
        if self.data.is_some() {
            has(&format!("content-length: {}", body.len()))?;
        }
        let ca_file = self.ca_file.as_ref();
        Ok(Request { host, port, is_secure, head, body, ca_file })
    }
}

/// Reads `NAME: VALUE`.
fn field(line: &str) -> Result<(HeaderName, &str), String> {
    let wrong = || format!("`{line}` is no header: write 'NAME: VALUE'");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let (name, value) = (name.trim(), value.trim());
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_other| wrong())?;
    HeaderValue::from_str(value).map_err(|_other| wrong())?;
    match name.as_str() {
        "connection" | "content-length" | "transfer-encoding" | "apim-debug-authorization" => {
            Err(format!("`{name}` is written by this command"))
        }
        _ => Ok((name, value)),
    }
}

impl Request<'_> {
    /// Sends it with this credential; waits for the whole response.
    pub(super) fn send(&self, credential: &str) -> io::Result<Answered> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                Ok(stream) => return self.carry(stream, credential),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn carry(&self, stream: TcpStream, credential: &str) -> io::Result<Answered> {
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        if !self.is_secure {
            return self.ask(stream, credential);
        }
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(file) = self.ca_file {
            builder.set_ca_file(file)?;
        }
        let secured = builder.build().connect(&self.host, stream).map_err(io::Error::other)?;
        self.ask(secured, credential)
    }

    fn ask(&self, mut stream: impl Read + Write, credential: &str) -> io::Result<Answered> {
        let Self { head, body, .. } = self;
        let written = format!("{head}Apim-Debug-Authorization: {credential}\r\n\r\n{body}");
        stream.write_all(written.as_bytes())?;
        let mut answer = Vec::new();
        let read = stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut answer);
        match (answered(&answer), read) {
            (Some(answered), _) => Ok(answered),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(io::Error::other("what it sends is no HTTP response")),
        }
    }
}

/// The head of the response, after those that only inform.
fn answered(mut answer: &[u8]) -> Option<Answered> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = head.parse(answer).ok()? else { return None };
        let status = head.code?;
        if (100..200).contains(&status) && status != 101 {
            answer = answer.get(length..)?;
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = head.headers.iter();
        let fields = fields.map(|it| (it.name.to_ascii_lowercase(), text(it.value))).collect();
        return Some(Answered {
            status,
            reason: head.reason.unwrap_or_default().to_owned(),
            fields,
        });
    }
}

impl Answered {
    /// The first value of the field `name`, in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(url: &str, headers: &[&str]) -> Result<String, String> {
        let headers: Vec<String> = headers.iter().map(|line| (*line).to_owned()).collect();
        let call = Call { url, method: None, headers: &headers, data: Some("{}"), ca_file: &None };
        call.prepare().map(|request| request.head)
    }

    #[test]
    fn a_request_is_written_as_a_client_does() {
        let head = prepared("http://[::1]:8080/a?b=1", &["Host: shop.example", "X: 1"]).unwrap();
        assert_eq!(
            head,
            "POST /a?b=1 HTTP/1.1\r\nConnection: close\r\nhost: shop.example\r\nx: 1\r\n\
             user-agent: weir/"
                .to_owned()
                + env!("CARGO_PKG_VERSION")
                + "\r\naccept: */*\r\ncontent-length: 2\r\n"
        );
    }

    #[test]
    fn what_is_no_request_is_said() {
        for url in ["", "gateway/a", "ftp://a/", "http://u:p@a/"] {
            assert!(prepared(url, &[]).unwrap_err().contains("http://host:port"), "{url}");
        }
        for line in ["X", ": 1", "a\nb: 1", "X: a\r\nY: b", "Content-Length: 1"] {
            assert!(prepared("http://a/", &[line]).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_response_is_read_after_those_that_inform() {
        let read =
            answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nA: b\r\n\r\nx");
        let read = read.unwrap();
        assert_eq!((read.status, read.field("a")), (404, Some("b")));
        assert!(answered(b"SSH-2.0\r\n").is_none());
    }
}
