//! The head of a response: from bytes to fields, and how its body is framed.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use httparse::{ParserConfig, Status};
use pingora::http::ResponseHeader;

use crate::caller::body::{Body, Chunks};

/// The largest head of a response, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most fields of a response.
const FIELDS_MAX: usize = 256;

/// A head as it was read.
pub(super) struct Head {
    /// Status, reason phrase and fields, names as the backend writes them; none of those that
    /// belong to the connection (RFC 9110 §7.6.1).
    pub(super) message: ResponseHeader,
    /// Which HTTP the backend speaks.
    version: Version,
    /// What it says of the connection.
    hop: Hop,
}

/// What the fields that belong to the connection say.
#[derive(Default)]
struct Hop {
    close: bool,
    keep_alive: bool,
    /// Whether it names other fields.
    nominates: bool,
    coding: Option<Coding>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Coding {
    Chunked,
    Unknown,
}

impl Hop {
    /// Reads a field that belongs to the connection; false if it is none.
    fn take(&mut self, name: &str, value: &[u8]) -> bool {
        // Told apart by their lengths, most fields are compared with nothing.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 => is("te"),
            7 => is("upgrade") || is("trailer"),
            10 if is("keep-alive") => true,
            10 if is("connection") => {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive = true;
                    } else {
                        self.nominates = true;
                    }
                }
                true
            }
            16 => is("proxy-connection"),
            17 if is("transfer-encoding") => {
                let chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                self.coding = Some(if chunked && self.coding.is_none() {
                    Coding::Chunked
                } else {
                    Coding::Unknown
                });
                true
            }
            _ => false,
        }
    }
}

/// Takes off the fields that a `Connection` field names; the framing is not for it to name.
fn take_off_nominated(head: &mut ResponseHeader, value: &[u8]) {
    for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let Ok(name) = HeaderName::from_bytes(name) else { continue };
        if name != CONTENT_LENGTH {
            head.remove_header(&name);
        }
    }
}

/// Takes a head from the beginning of `rest`; `None` if it is not whole.
pub(super) fn take(rest: &mut Bytes) -> Result<Option<Head>, &'static str> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, rest, &mut fields)
        .map_err(sentence)?;
    let Status::Complete(length) = status else {
        return if HEAD_BYTES_MAX < rest.len() { Err("its head is too large") } else { Ok(None) };
    };
    let code = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.ok_or("its status is none")?;
    let invalid = |_error| "a field of its head is invalid";
    let mut head = ResponseHeader::build(code, Some(parsed.headers.len())).map_err(invalid)?;
    // What the client gets is said again by who writes it.
    head.set_reason_phrase(parsed.reason.filter(|phrase| !phrase.is_empty())).map_err(invalid)?;
    let mut hop = Hop::default();
    for field in parsed.headers.iter() {
        if hop.take(field.name, field.value) {
            continue;
        }
        // Names and values are parts of what was read: nothing is copied.
        let name = rest.slice_ref(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(rest.slice_ref(field.value));
        let value = value.map_err(|_refused| "a field of its head is invalid")?;
        head.append_header(name, value).map_err(invalid)?;
    }
    if hop.nominates {
        let nominating = |name: &str| name.eq_ignore_ascii_case("connection");
        for field in parsed.headers.iter().filter(|field| nominating(field.name)) {
            take_off_nominated(&mut head, field.value);
        }
    }
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    drop(rest.split_to(length));
    Ok(Some(Head { message: head, version, hop }))
}

/// Gives back bytes that were not enough, to be added to.
pub(super) fn reopen(rest: &mut Bytes) -> BytesMut {
    let partial = std::mem::take(rest);
    partial.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()))
}

const fn sentence(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::TooManyHeaders => "its head has too many fields",
        httparse::Error::HeaderName => "the name of a field of its head is malformed",
        httparse::Error::HeaderValue => "the value of a field of its head is malformed",
        httparse::Error::Status => "its status is malformed",
        httparse::Error::Version => "it is not HTTP/1",
        httparse::Error::NewLine | httparse::Error::Token => "its head is malformed",
    }
}

/// How the body behind a head is framed (RFC 9112 §6.3), for a request with `method`.
pub(super) fn framing(head: &Head, method: &Method) -> Result<Body, &'static str> {
    let fields = &head.message.headers;
    let status = head.message.status;
    let length = length(fields)?;
    if *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        return Ok(Body::Done);
    }
    match head.hop.coding {
        Some(_) if head.version == Version::HTTP_10 => {
            return Err("it has a transfer coding, which HTTP/1.0 has not");
        }
        Some(Coding::Chunked) => return Ok(Body::Chunks(Chunks::default())),
        Some(Coding::Unknown) => return Err("its transfer coding is not known"),
        None => (),
    }
    Ok(match length {
        Some(0) => Body::Done,
        Some(length) => Body::Length(length),
        None => Body::UntilClose,
    })
}

/// What `Content-Length` says; several are one if they agree.
fn length(fields: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut found = None;
    for value in fields.get_all(CONTENT_LENGTH) {
        for number in value.as_bytes().split(|byte| *byte == b',') {
            let length =
                number_of(number.trim_ascii()).ok_or("its `Content-Length` is no number")?;
            if found.is_some_and(|found| found != length) {
                return Err("its `Content-Length` contradicts itself");
            }
            found = Some(length);
        }
    }
    Ok(found)
}

fn number_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit & 0x0f))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether the backend keeps the connection open behind this response.
pub(super) fn keeps(head: &Head) -> bool {
    // With both framings somebody on the way may have believed the other one (RFC 9112 §6.1).
    let doubtful = head.hop.coding.is_some() && head.message.headers.contains_key(CONTENT_LENGTH);
    let kept = if head.version == Version::HTTP_11 { !head.hop.close } else { head.hop.keep_alive };
    kept && !doubtful
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &'static str) -> Result<Head, &'static str> {
        let mut rest = Bytes::from_static(text.as_bytes());
        take(&mut rest).map(|head| head.expect("a whole head"))
    }

    fn framed(text: &'static str) -> Result<String, &'static str> {
        framing(&head(text)?, &Method::GET).map(|body| format!("{body:?}"))
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 Fine\r\nX-Name: a\r\nx-name:b \r\n\r\nbody";
        for end in 0..text.len() - 4 {
            let mut rest = Bytes::from_static(&text[..end]);
            assert!(take(&mut rest).unwrap().is_none(), "{end}");
            assert_eq!(rest.len(), end);
        }
        let mut rest = Bytes::from_static(text);
        let Head { message: head, .. } = take(&mut rest).unwrap().unwrap();
        assert_eq!(rest, "body");
        assert_eq!(head.get_reason_phrase(), Some("Fine"));
        let values: Vec<_> = head.headers.get_all("x-name").iter().collect();
        assert_eq!(values, ["a", "b"]);
        let mut wire = BytesMut::new();
        head.header_to_h1_wire(&mut wire);
        assert_eq!(wire, "X-Name: a\r\nx-name: b\r\n");
    }

    #[test]
    fn the_framing_is_what_the_head_says() {
        for (text, wanted) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "UntilClose"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "Done"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "Length(5)"),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "Done"),
        ] {
            assert_eq!(framed(text).as_deref(), Ok(wanted), "{text}");
        }
        let coded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 5\r\n\r\n";
        assert!(framed(coded).unwrap().starts_with("Chunks"));
        assert!(!keeps(&head(coded).unwrap()));
        let asked =
            framing(&head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap(), &Method::HEAD);
        assert!(asked.unwrap().is_done());
    }

    #[test]
    fn framing_that_two_readers_could_read_in_two_ways_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "SMTP ready\r\n\r\n",
        ] {
            assert!(framed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_belongs_to_the_connection_stays_on_it() {
        let text = "HTTP/1.1 200 OK\r\nConnection: X-Own, content-length\r\nContent-Length: 1\r\nX-Own: a\r\n\
                    Keep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Other: b\r\nTrailer: X\r\n\
                    Proxy-Connection: keep-alive\r\n\r\n";
        let head = head(text).unwrap().message;
        let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-length", "x-other"]);
    }

    #[test]
    fn a_head_has_bounds() {
        let long = ["HTTP/1.1 200 OK\r\nA: ", &"x".repeat(HEAD_BYTES_MAX)].concat();
        assert!(take(&mut Bytes::from(long)).is_err());
        let many = ["HTTP/1.1 200 OK\r\n", &"A: x\r\n".repeat(FIELDS_MAX + 1), "\r\n"].concat();
        assert!(take(&mut Bytes::from(many)).is_err());
    }

    #[test]
    fn a_connection_is_kept_unless_somebody_says_otherwise() {
        for (text, wanted) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(keeps(&head(text).unwrap()), wanted, "{text}");
        }
    }
}
