//! HTTP/1.1 messages off a stream, as exact as they came: both ends of the tests read with this.

use std::io::{ErrorKind, Read};

/// What was read of a stream and not used yet.
pub(crate) struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

/// A head: the first line and the fields, names as they were written.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The first line.
    pub(crate) line: String,
    /// The fields.
    pub(crate) fields: Vec<(String, String)>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// As its head said that it would.
    Whole,
    /// The connection ended before, or nothing more came.
    Broken,
}

/// A body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Its first bytes, at most [`KEPT_MAX`].
    pub(crate) bytes: Vec<u8>,
    /// How many there were.
    pub(crate) length: usize,
    /// How it ended.
    pub(crate) end: End,
}

/// How much of a body is kept.
const KEPT_MAX: usize = 1 << 20;

impl Head {
    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }
}

/// The first field of that name.
pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

impl<S: Read> Reader<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Reads a head; `None` at the end of the stream, or if nothing comes.
    pub(crate) fn head(&mut self) -> Option<Head> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.more() {
                return None;
            }
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields =
            fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some(Head { line, fields })
    }

    /// Reads the body that `head` says there is; without a length it ends with the stream, if
    /// `until_close`.
    pub(crate) fn body(&mut self, head: &Head, until_close: bool) -> Body {
        let mut body = Body { bytes: Vec::new(), length: 0, end: End::Whole };
        let chunked = head.field("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let length = head.field("content-length").map(str::parse::<usize>);
        if chunked {
            self.chunks(&mut body);
        } else if let Some(Ok(length)) = length {
            self.exactly(length, &mut body);
        } else if until_close {
            while self.more() {
                body.take(&mut self.buffer);
            }
            body.take(&mut self.buffer);
        }
        body
    }

    fn chunks(&mut self, body: &mut Body) {
        loop {
            let Some(line) = self.line() else {
                body.end = End::Broken;
                return;
            };
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                body.end = End::Broken;
                return;
            };
            if size == 0 {
                // Trailers, if any, up to the empty line.
                while let Some(line) = self.line() {
                    if line.is_empty() {
                        return;
                    }
                }
                body.end = End::Broken;
                return;
            }
            self.exactly(size, body);
            if body.end == End::Broken || self.line().is_none() {
                body.end = End::Broken;
                return;
            }
        }
    }

    fn exactly(&mut self, mut length: usize, body: &mut Body) {
        while 0 < length {
            if self.buffer.is_empty() && !self.more() {
                body.end = End::Broken;
                return;
            }
            let taken = length.min(self.buffer.len());
            let mut piece: Vec<u8> = self.buffer.drain(..taken).collect();
            body.take(&mut piece);
            length -= taken;
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return Some(line);
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads `length` bytes, whatever they are.
    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length && self.more() {}
        let taken = length.min(self.buffer.len());
        self.buffer.drain(..taken).collect()
    }

    /// Whether the stream has ended and nothing is left; waits for it.
    pub(crate) fn is_at_end(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        let mut byte = [0_u8; 1];
        match self.stream.read(&mut byte) {
            Ok(0) => true,
            Ok(_) => {
                self.buffer.push(byte[0]);
                false
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn more(&mut self) -> bool {
        let mut piece = [0_u8; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&piece[..read]);
                true
            }
        }
    }
}

impl Body {
    fn take(&mut self, piece: &mut Vec<u8>) {
        self.length += piece.len();
        let room = KEPT_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&piece[..room.min(piece.len())]);
        piece.clear();
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
