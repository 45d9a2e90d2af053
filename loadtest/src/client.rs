//! A client for single requests: is the proxy there, does it answer what the upstream says, and
//! does it keep the connection. The load itself comes from wrk.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of a loopback proxy takes longer, unless it is stuck; valgrind makes it 50 times
/// slower than it is.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// More than any header line or body that a proxy on trial sends.
const ANSWER_BYTES: u64 = 64 * 1024;

/// What is asked for, the same on every connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The path, from `/`.
    pub(crate) path: &'a str,
    /// One more header line, `Name: value`.
    pub(crate) header: Option<&'a str>,
}

/// What came back.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body, as `Content-Length` framed it.
    pub(crate) body: String,
}

/// A kept-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        Ok(Self { stream: BufReader::with_capacity(1024, stream), address })
    }

    /// Sends one request and reads the whole answer.
    pub(crate) fn ask(&mut self, request: Request<'_>) -> io::Result<Answer> {
        let mut text = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", request.path, self.address);
        if let Some(header) = request.header {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        self.stream.get_mut().write_all(text.as_bytes())?;
        read_answer(&mut (&mut self.stream).take(ANSWER_BYTES))
    }
}

fn read_answer(reader: &mut impl BufRead) -> io::Result<Answer> {
    let wrong = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| wrong("no status line"))?;
    let mut length = None;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    // A proxy that frames the body anew would not be doing the same work as the others.
    let length = length.ok_or_else(|| wrong("an answer without Content-Length"))?;
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::{Answer, read_answer};

    #[test]
    fn an_answer_is_read_to_the_end_of_its_body_and_no_further() {
        let mut text: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyesHTTP/1.1";
        let answer = read_answer(&mut text).unwrap();
        assert_eq!(answer, Answer { status: 200, body: "yes".to_owned() });
        assert_eq!(text, b"HTTP/1.1");
    }

    #[test]
    fn an_answer_framed_otherwise_is_refused() {
        let mut text: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(read_answer(&mut text).is_err());
    }

    #[test]
    fn a_connection_closed_in_the_header_is_an_error() {
        let mut text: &[u8] = b"HTTP/1.1 200 OK\r\n";
        assert!(read_answer(&mut text).is_err());
    }
}
