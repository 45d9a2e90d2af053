//! The grammar of an HTTP/1 head (RFC 9112), read strictly where parsers differ.
//!
//! A head is read line by line as it comes, each byte once, and only while it is a head: what
//! follows its empty line is a body, whose framing is Pingora's business.

use std::io::BufRead;

use crate::proxy::strict::{self, Form, Framing, HeadBounds, Refusal};

/// How far a head has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// More bytes are needed.
    Partial,
    /// It is whole, and well-formed.
    Whole,
}

/// What is known of a head so far. Offsets are in bytes of the head.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the line begins that is not whole yet.
    line: usize,
    /// Up to where there is no line feed after `line`.
    searched: usize,
    /// Where the target of the request is, once the request line is known.
    target: Option<(usize, usize)>,
    /// Where the value of `Host` is.
    host: Option<(usize, usize)>,
    is_11: bool,
    is_options: bool,
    after_empty: bool,
    fields: usize,
    framing: Framing,
}

/// The longest method, in bytes; the longest one registered has 17.
const METHOD_BYTES_MAX: usize = 32;
/// What a request line has beside its target: method, blanks, version.
const LINE_BYTES_MAX: usize = METHOD_BYTES_MAX + 2 + b"HTTP/1.1".len();

impl Scan {
    /// Reads on. `head` is all that has come of the head, and perhaps more.
    pub(super) fn read(&mut self, head: &[u8], bounds: &HeadBounds) -> Result<Progress, Refusal> {
        loop {
            let mut rest = head.get(self.searched..).unwrap_or_default();
            // Reading from memory cannot fail, and this is the fast search of the C library.
            let skipped = rest.skip_until(b'\n').unwrap_or_default();
            self.searched = self.searched.saturating_add(skipped);
            let line = head.get(self.line..self.searched).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\n") else {
                return self.wait(head, bounds);
            };
            // RFC 9112 §2.2 lets a bare line feed end a line; not all who come after agree.
            let line = line.strip_suffix(b"\r").ok_or(Refusal::Line)?;
            let start = std::mem::replace(&mut self.line, self.searched);
            if self.target.is_none() {
                self.request_line(line, start, bounds)?;
            } else if line.is_empty() {
                self.close(head)?;
                return Ok(Progress::Whole);
            } else {
                self.field(line, start, bounds)?;
            }
            if bounds.bytes_max < self.line {
                return Err(Refusal::Bytes);
            }
        }
    }

    /// The last line is not whole: is there any hope for it?
    fn wait(&self, head: &[u8], bounds: &HeadBounds) -> Result<Progress, Refusal> {
        if self.target.is_some() {
            let too_large = bounds.bytes_max < head.len();
            return if too_large { Err(Refusal::Bytes) } else { Ok(Progress::Partial) };
        }
        let line = head.get(self.line..).unwrap_or_default();
        match line.first() {
            // A TLS hello on the plain port, say, has no line feed to wait for.
            Some(first) if class(*first) & TOKEN == 0 && *first != b'\r' => Err(Refusal::Line),
            _ if bounds.target_bytes_max.saturating_add(LINE_BYTES_MAX) < line.len() => {
                Err(Refusal::TargetBytes)
            }
            _ => Ok(Progress::Partial),
        }
    }

    fn request_line(
        &mut self,
        line: &[u8],
        start: usize,
        bounds: &HeadBounds,
    ) -> Result<(), Refusal> {
        if line.is_empty() && !self.after_empty {
            // RFC 9112 §2.2: an empty line before the request is skipped, once.
            self.after_empty = true;
            return Ok(());
        }
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (Some(method), Some(target), Some(version)) =
            (words.next(), words.next(), words.next())
        else {
            return Err(Refusal::Line);
        };
        self.is_11 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Refusal::Version);
            }
            _ => return Err(Refusal::Line),
        };
        if method.is_empty() || METHOD_BYTES_MAX < method.len() || !all_are(TOKEN, method) {
            return Err(Refusal::Method);
        }
        if method == b"CONNECT" {
            return Err(Refusal::MethodRefused);
        }
        if bounds.target_bytes_max < target.len() {
            return Err(Refusal::TargetBytes);
        }
        if !all_are(TARGET, target) || !is_carried(target) {
            return Err(Refusal::Target);
        }
        self.is_options = method == b"OPTIONS";
        let from = start.saturating_add(method.len()).saturating_add(1);
        self.target = Some((from, from.saturating_add(target.len())));
        Ok(())
    }

    fn field(&mut self, line: &[u8], start: usize, bounds: &HeadBounds) -> Result<(), Refusal> {
        self.fields = self.fields.saturating_add(1);
        if bounds.fields_max < self.fields {
            return Err(Refusal::Fields);
        }
        // A line that begins with a blank would continue the one before (RFC 9112 §5.2); a blank
        // before the colon would be part of the name for some (§5.1). Both end the name too early.
        let colon = line.iter().position(|byte| class(*byte) & TOKEN == 0).unwrap_or(line.len());
        let (name, rest) = line.split_at_checked(colon).ok_or(Refusal::Field)?;
        if name.is_empty() {
            return Err(Refusal::Field);
        }
        let Some((b':', value)) = rest.split_first() else {
            let coding = name.eq_ignore_ascii_case(b"transfer-encoding");
            return Err(if coding { Refusal::Coding } else { Refusal::Field });
        };
        let clean = all_are(VALUE, value);
        let blanks = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let value = value.trim_ascii();
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.is_some() || value.is_empty() || !all_are(HOST, value) {
                    return Err(Refusal::Host);
                }
                let skipped = colon.saturating_add(1).saturating_add(blanks);
                let from = start.saturating_add(skipped);
                self.host = Some((from, from.saturating_add(value.len())));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.framing.length(value)?;
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.framing.coding(value, self.is_11)?;
            }
            _ => (),
        }
        if clean { Ok(()) } else { Err(Refusal::Field) }
    }

    /// The head is whole: do its parts go together?
    fn close(&self, head: &[u8]) -> Result<(), Refusal> {
        let slice = |(from, to): (usize, usize)| head.get(from..to).unwrap_or_default();
        if self.is_11 && self.host.is_none() {
            return Err(Refusal::Host);
        }
        let target = self.target.map(slice).unwrap_or_default();
        let method: &[u8] = if self.is_options { b"OPTIONS" } else { b"" };
        match (strict::form(method, target)?, self.host.map(slice)) {
            (Form::Absolute { authority, .. }, Some(host)) if authority != host => {
                Err(Refusal::Target)
            }
            (Form::Absolute { .. } | Form::Origin | Form::Asterisk, _) => Ok(()),
        }
    }
}

/// What may stand in a method or in a field's name (RFC 9110 §5.6.2).
const TOKEN: u8 = 1;
/// What may stand in a field's value (RFC 9110 §5.5).
const VALUE: u8 = 2;
/// What may stand in a target: what browsers leave as it is, and what Pingora carries. Other bytes
/// that no URL may have are escaped when it is routed.
const TARGET: u8 = 4;
/// What may stand in some host; what may stand where is judged with the parsed head.
const HOST: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let Some((class, others)) = rest.split_first_mut() {
        *class = class_of(byte);
        rest = others;
        byte = byte.wrapping_add(1);
    }
    classes
};

const fn class_of(byte: u8) -> u8 {
    let in_token = byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
    let in_value = byte == b'\t' || (b' ' <= byte && byte != 0x7f);
    let in_target = in_value && !matches!(byte, b'\t' | b' ' | b'#' | b'"' | b'<' | b'>');
    let in_host =
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    let mut class = 0;
    if in_token {
        class |= TOKEN;
    }
    if in_value {
        class |= VALUE;
    }
    if in_target {
        class |= TARGET;
    }
    if in_host {
        class |= HOST;
    }
    class
}

/// Whether Pingora carries `target`: UTF-8, and no grave accent in its path.
fn is_carried(target: &[u8]) -> bool {
    let path = || target.split(|byte| *byte == b'?').next().unwrap_or_default();
    std::str::from_utf8(target).is_ok() && !(target.contains(&b'`') && path().contains(&b'`'))
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

fn all_are(wanted: u8, bytes: &[u8]) -> bool {
    bytes.iter().fold(wanted, |classes, byte| classes & class(*byte)) == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(head: &[u8]) -> Result<Progress, Refusal> {
        Scan::default().read(head, &HeadBounds::default())
    }

    fn with(line: &str) -> Result<Progress, Refusal> {
        whole(format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").as_bytes())
    }

    #[test]
    fn an_ordinary_head_is_whole_with_its_empty_line() {
        let head = b"POST /a%20b?c={d}\xc3\xa9 HTTP/1.1\r\nHost: \ta.example:80 \r\nX:\r\nContent-Length: 3\r\n\r\nabc\n";
        assert_eq!(whole(head), Ok(Progress::Whole));
        assert_eq!(whole(b"GET /?` HTTP/1.0\r\n\r\n"), Ok(Progress::Whole));
        assert_eq!(whole(b"GET /\xe9 HTTP/1.0\r\n\r\n"), Err(Refusal::Target));
        assert_eq!(whole(b"\r\nGET / HTTP/1.0\r\n\r\n"), Ok(Progress::Whole));
        assert_eq!(whole(b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Ok(Progress::Whole));
        assert_eq!(whole(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), Ok(Progress::Whole));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nHost: a\r\n"), Ok(Progress::Partial));
        assert_eq!(with("Transfer-Encoding: Chunked "), Ok(Progress::Whole));
    }

    #[test]
    fn a_request_line_is_three_words() {
        for (line, refusal) in [
            ("GET  /  HTTP/1.1", Refusal::Line),
            ("GET /a b HTTP/1.1", Refusal::Line),
            ("GET / HTTP/1.1 ", Refusal::Line),
            ("GET /", Refusal::Line),
            ("GET / http/1.1", Refusal::Line),
            (" GET / HTTP/1.1", Refusal::Line),
            ("GET\t/ HTTP/1.1", Refusal::Line),
            ("G(T / HTTP/1.1", Refusal::Method),
            ("GET / HTTP/1.2", Refusal::Version),
            ("PRI * HTTP/2.0", Refusal::Version),
            ("GET /\x01a HTTP/1.1", Refusal::Target),
            ("GET /\ta HTTP/1.1", Refusal::Target),
            ("GET /a#b HTTP/1.1", Refusal::Target),
            ("GET /<a> HTTP/1.1", Refusal::Target),
            ("GET /`a HTTP/1.1", Refusal::Target),
            ("GET /?\"a HTTP/1.1", Refusal::Target),
            ("GET foo HTTP/1.1", Refusal::Target),
            ("GET * HTTP/1.1", Refusal::Target),
            ("GET http://b/ HTTP/1.1", Refusal::Target),
            ("GET file:///etc/passwd HTTP/1.1", Refusal::Target),
            ("CONNECT internal:22 HTTP/1.1", Refusal::MethodRefused),
        ] {
            let head = format!("{line}\r\nHost: a\r\n\r\n");
            assert_eq!(whole(head.as_bytes()), Err(refusal), "{line}");
        }
    }

    #[test]
    fn a_field_is_a_name_and_a_value_in_one_line() {
        for line in
            ["X : 1", " X: 1", "\tX", "X", ": 1", "a b: c", "X: a\0b", "X: a\rb", "a\u{85}: c"]
        {
            assert_eq!(with(line), Err(Refusal::Field), "{line:?}");
        }
        assert_eq!(whole(b"GET / HTTP/1.1\nHost: a\n\n"), Err(Refusal::Line));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nHost: a\n\r\n"), Err(Refusal::Line));
    }

    #[test]
    fn framing_is_said_once_and_plainly() {
        for line in [
            "Transfer-Encoding: \x0bchunked",
            "Transfer-Encoding: chunked\0",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding: gzip, chunked",
            "transfer-encoding: chunked\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(with(line), Err(Refusal::Coding), "{line:?}");
        }
        for line in [
            "Content-Length: 3\r\nContent-Length: 3",
            "content-length: 3, 3",
            "Content-Length: 3\x0b",
        ] {
            assert_eq!(with(line), Err(Refusal::Length), "{line:?}");
        }
        let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
        assert_eq!(with(both), Err(Refusal::LengthAndCoding));
        let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(whole(old), Err(Refusal::Coding));
    }

    #[test]
    fn a_host_stands_there_once() {
        for hosts in ["", "Host: a\r\nHost: a\r\n", "Host:\r\n", "Host: a b\r\n", "Host: u@a\r\n"] {
            let head = format!("GET / HTTP/1.1\r\n{hosts}\r\n");
            assert_eq!(whole(head.as_bytes()), Err(Refusal::Host), "{hosts:?}");
        }
    }

    #[test]
    fn hopeless_heads_are_not_waited_for() {
        assert_eq!(whole(b"\x16\x03\x01\x02"), Err(Refusal::Line));
        let long = format!("GET /{}", "a".repeat(8300));
        assert_eq!(whole(long.as_bytes()), Err(Refusal::TargetBytes));
        let long = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(65 * 1024));
        assert_eq!(whole(long.as_bytes()), Err(Refusal::Bytes));
        let many = format!("GET / HTTP/1.1\r\n{}", "X: 1\r\n".repeat(101));
        assert_eq!(whole(many.as_bytes()), Err(Refusal::Fields));
    }

    proptest! {
        #[test]
        fn pieces_are_judged_like_the_whole(
            lines in prop::collection::vec("[ -~\t\r\n]{0,12}|Host: a|X: 1|Content-Length: 3", 0..5),
            cuts in prop::collection::vec(1_usize..9, 1..9),
        ) {
            let head = format!("GET / HTTP/1.1\r\nHost: b\r\n{}\r\n\r\n", lines.join("\r\n"));
            let head = head.as_bytes();
            let mut scan = Scan::default();
            let mut cuts = cuts.iter().cycle();
            let mut to = 0;
            let found = loop {
                to = head.len().min(to + cuts.next().copied().unwrap_or(1));
                match scan.read(&head[..to], &HeadBounds::default()) {
                    Ok(Progress::Partial) if to < head.len() => (),
                    other => break other,
                }
            };
            prop_assert_eq!(found, whole(head));
        }

        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = whole(&head);
        }
    }
}
