//! A lane of HTTP/1.1: one kept-alive connection with one request in flight.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::asking::Asking;
use super::window::Wrong;

/// A head that is longer is none.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Lane {
    address: SocketAddr,
    /// The head and the body of every request.
    request: Rc<[u8]>,
    answer_bytes: usize,
    /// Whether the same may be asked twice.
    is_idempotent: bool,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Head {
    /// Status, or method and target.
    pub(crate) first_line: String,
    /// Length of the body; none if it is not said.
    pub(crate) length: Option<usize>,
    /// Whether the other side closes the connection afterwards.
    pub(crate) closes: bool,
    /// Length of the head itself.
    pub(crate) bytes: usize,
}

impl Lane {
    /// A lane that is not connected yet.
    pub(crate) fn new(address: SocketAddr, asking: &Asking) -> Self {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", asking.method, asking.path);
        for (name, value) in &asking.fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if asking.method != "GET" {
            head.extend(["content-length: ", &asking.body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&asking.body);
        Self {
            address,
            request: request.into(),
            answer_bytes: asking.answer_bytes,
            is_idempotent: asking.method == "GET",
            stream: None,
            read: Vec::new(),
        }
    }

    /// Asks once, and once more if the connection was kept and turns out to be closed. The number
    /// says how often it was asked again.
    pub(crate) async fn ask(&mut self) -> (Result<(), Wrong>, u64) {
        let was_kept = self.stream.is_some();
        let first = self.attempt().await;
        if was_kept && self.is_idempotent && first == Err(Wrong::Broken) && self.read.is_empty() {
            return (self.attempt().await, 1);
        }
        (first, 0)
    }

    async fn attempt(&mut self) -> Result<(), Wrong> {
        self.read.clear();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().await.map_err(|_| Wrong::Broken)?,
        };
        stream.write_all(&self.request).await.map_err(|_| Wrong::Broken)?;
        let head = read_head(&mut stream, &mut self.read).await.map_err(|_| Wrong::Broken)?;
        let head = head.ok_or(Wrong::Broken)?;
        let status = head.first_line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status: u16 = status.ok_or(Wrong::Broken)?;
        // Who frames the body anew does not do the same work as the others.
        let length = head.length.ok_or(Wrong::Body)?;
        let there = self.read.len().saturating_sub(head.bytes);
        let rest = length.checked_sub(there).ok_or(Wrong::Body)?;
        skip(&mut stream, rest).await.map_err(|_| Wrong::Broken)?;
        if !head.closes {
            self.stream = Some(stream);
        }
        match status {
            200 if length == self.answer_bytes => Ok(()),
            200 => Err(Wrong::Body),
            other => Err(Wrong::Status(other)),
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Reads until `read` begins with a whole head; none if the connection ends before the first byte.
pub(crate) async fn read_head(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
) -> io::Result<Option<Head>> {
    loop {
        if let Some(head) = head_of(read) {
            return Ok(Some(head));
        }
        if HEAD_BYTES_MAX < read.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(read).await? == 0 {
            return if read.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}

/// Reads `count` bytes and forgets them.
pub(crate) async fn skip(stream: &mut TcpStream, mut count: usize) -> io::Result<()> {
    let mut piece = [0; 4096];
    let mut large = Vec::new();
    while 0 < count {
        // Nearly all answers are short, and need no memory.
        let into = if count <= piece.len() {
            piece.get_mut(..count)
        } else {
            large.resize(PIECE_BYTES, 0);
            large.get_mut(..count.min(PIECE_BYTES))
        };
        let length = stream.read(into.unwrap_or_default()).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        count = count.saturating_sub(length);
    }
    Ok(())
}

/// The head that `bytes` begin with, if it is whole.
fn head_of(bytes: &[u8]) -> Option<Head> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..end)?).unwrap_or_default();
    let mut lines = text.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let (mut length, mut closes) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some(Head { first_line, length, closes, bytes: end.saturating_add(4) })
}

#[cfg(test)]
mod tests {
    use super::{Head, head_of};

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes";
        assert_eq!(head_of(&text[..30]), None);
        let head = head_of(text).unwrap();
        let first_line = "HTTP/1.1 200 OK".to_owned();
        assert_eq!(head, Head { first_line, length: Some(3), closes: true, bytes: text.len() - 3 });
    }
}
