//! What a request may look like: the head, judged field by field before anything acts on it.
//!
//! Two places judge. [`guard`](super::guard) reads the bytes of HTTP/1 heads before Pingora does:
//! Pingora mends what is ambiguous (it drops `Content-Length` beside `Transfer-Encoding`, takes
//! bare line feeds, escapes blanks in targets), so that a filter cannot see it any more. [`check`]
//! judges the parsed head of either version; what the guard refused never comes here.

mod refusal;
mod target;

use http::header::UPGRADE;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Method, Version};
use pingora::http::RequestHeader;

pub use refusal::Refusal;
pub use target::{Form, form};

use crate::problem::Problem;
use crate::route::host::Authority;

/// The most fields of a request.
pub const FIELDS_MAX: usize = 100;
/// The most bytes of a head: names, values, separators.
pub const BYTES_MAX: usize = 64 * 1024;
/// The most bytes of a target: path and query.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// The most names in `Connection`.
const NOMINATED_MAX: usize = 10;
/// What a field costs beside its name and its value: `: ` and CR LF.
const SEPARATOR_BYTES: usize = 4;

/// How large a head may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeadBounds {
    /// The most fields.
    pub fields_max: usize,
    /// The most bytes of the head.
    pub bytes_max: usize,
    /// The most bytes of the target.
    pub target_bytes_max: usize,
}

/// What a head that is well-formed asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Head {
    /// A resource.
    Request,
    /// `OPTIONS *`: what the server as such can do. It is not forwarded; the answer is 204.
    ServerOptions,
}

/// Fields that `Connection` may name: they end at the gateway anyhow.
const NOMINABLE: [&str; 7] =
    ["close", "keep-alive", "upgrade", "te", "trailer", "http2-settings", "proxy-connection"];

/// Fields that the gateway reads or writes, where an alias with `_` would do harm: CGI-like
/// backends cannot tell the two apart (RFC 3875 §4.1.18).
const OURS: [&str; 14] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "proxy-authorization",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "true-client-ip",
    "via",
    "x-original-url",
    "x-real-ip",
];
/// Families of such fields.
const OUR_FAMILIES: [&str; 3] = ["x-forwarded-", "x-weir-", "ocp-apim-"];

impl Default for HeadBounds {
    fn default() -> Self {
        Self { fields_max: FIELDS_MAX, bytes_max: BYTES_MAX, target_bytes_max: TARGET_BYTES_MAX }
    }
}

/// Judges the head of a request.
#[allow(clippy::result_large_err, reason = "it is made once, and then the request is over")]
pub fn check(head: &RequestHeader, bounds: &HeadBounds) -> Result<Head, Problem> {
    judge(head, bounds).map_err(|refusal| refusal.problem(bounds))
}

/// The path that the target names, as it was sent; `/` where a URL has none.
pub fn path(head: &RequestHeader) -> &[u8] {
    let resource = target::resource(head.raw_path());
    match resource.split(|byte| *byte == b'?').next() {
        None | Some([]) => b"/",
        Some(path) => path,
    }
}

/// The query that the target names, as it was sent, without `?`; empty where there is none.
pub fn query(head: &RequestHeader) -> &[u8] {
    let resource = target::resource(head.raw_path());
    let mark = resource.iter().position(|byte| *byte == b'?');
    mark.and_then(|mark| resource.get(mark.saturating_add(1)..)).unwrap_or_default()
}

/// Whether the request asks for a WebSocket (RFC 6455 §4.1). Any other `Upgrade`, such as `h2c`,
/// may be ignored (RFC 9110 §7.8), and is.
pub fn is_websocket(head: &RequestHeader) -> bool {
    let asks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    head.version == Version::HTTP_11
        && head.method == Method::GET
        && head.headers.get(UPGRADE).is_some_and(asks)
}

fn judge(head: &RequestHeader, bounds: &HeadBounds) -> Result<Head, Refusal> {
    let version = head.version;
    if !matches!(version, Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2) {
        return Err(Refusal::Version);
    }
    let target = head.raw_path();
    if bounds.target_bytes_max < target.len() {
        return Err(Refusal::TargetBytes);
    }
    check_method(&head.method)?;
    let form = form(head.method.as_str().as_bytes(), target)?;
    let mut fields = Fields { version, ..Fields::default() };
    for (name, value) in &head.headers {
        fields.take(name, value, bounds)?;
    }
    if version == Version::HTTP_11 && !fields.host {
        return Err(Refusal::Host);
    }
    if version == Version::HTTP_2 {
        check_pseudo(head)?;
    }
    match form {
        Form::Origin => Ok(Head::Request),
        Form::Asterisk => Ok(Head::ServerOptions),
        // RFC 9113 §8.3.1: `:path` is a path.
        Form::Absolute { .. } if version == Version::HTTP_2 => Err(Refusal::Target),
        Form::Absolute { authority, .. } => {
            let host = head.headers.get(HOST);
            let same = host.is_none_or(|host| host.as_bytes() == authority);
            if same { Ok(Head::Request) } else { Err(Refusal::Target) }
        }
    }
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::PATCH => Ok(()),
        Method::CONNECT | Method::TRACE => Err(Refusal::MethodRefused),
        _ if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) => Err(Refusal::Method),
        _ => Ok(()),
    }
}

/// `:scheme` and `:authority`.
fn check_pseudo(head: &RequestHeader) -> Result<(), Refusal> {
    let known = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    if head.uri.scheme().is_some_and(|scheme| !known(scheme)) {
        return Err(Refusal::Scheme);
    }
    match head.uri.authority() {
        Some(authority) => host(authority.as_str().as_bytes()),
        None if head.headers.contains_key(HOST) => Ok(()),
        None => Err(Refusal::Host),
    }
}

fn host(value: &[u8]) -> Result<(), Refusal> {
    Authority::parse(value).map(|_authority| ()).map_err(|_fault| Refusal::Host)
}

/// What is known of the fields so far.
#[derive(Default)]
struct Fields {
    version: Version,
    count: usize,
    bytes: usize,
    framing: Framing,
    host: bool,
    expect: bool,
    authorization: bool,
}

/// What the fields said so far about where the body ends.
#[derive(Debug, Default)]
pub(super) struct Framing {
    length: bool,
    coding: bool,
}

impl Fields {
    fn take(
        &mut self,
        name: &HeaderName,
        value: &HeaderValue,
        bounds: &HeadBounds,
    ) -> Result<(), Refusal> {
        let text = value.as_bytes();
        self.count = self.count.saturating_add(1);
        if bounds.fields_max < self.count {
            return Err(Refusal::Fields);
        }
        let bytes = name.as_str().len().saturating_add(text.len()).saturating_add(SEPARATOR_BYTES);
        self.bytes = self.bytes.saturating_add(bytes);
        if bounds.bytes_max < self.bytes {
            return Err(Refusal::Bytes);
        }
        // RFC 9113 §8.2.1; in HTTP/1 such blanks belong to nobody and are cut off.
        if self.version == Version::HTTP_2 && text.trim_ascii().len() != text.len() {
            return Err(Refusal::Field);
        }
        if *name == HOST {
            once(&mut self.host, Refusal::Host)?;
            host(text)
        } else if *name == CONTENT_LENGTH {
            self.framing.length(text)
        } else if *name == TRANSFER_ENCODING {
            self.framing.coding(text, self.version == Version::HTTP_11)
        } else if *name == CONNECTION {
            connection(text)
        } else if *name == EXPECT {
            once(&mut self.expect, Refusal::Expect)?;
            let known = text.eq_ignore_ascii_case(b"100-continue");
            if known { Ok(()) } else { Err(Refusal::Expect) }
        } else if *name == AUTHORIZATION {
            once(&mut self.authorization, Refusal::Authorization)
        } else if is_alias(name.as_str()) {
            Err(Refusal::Alias)
        } else {
            Ok(())
        }
    }
}

impl Framing {
    /// `Content-Length`: digits, without a sign, a list or a leading zero, that parsers could take
    /// differently.
    pub(super) fn length(&mut self, text: &[u8]) -> Result<(), Refusal> {
        once(&mut self.length, Refusal::Length)?;
        let plain =
            matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
        if plain && number.is_some() { self.not_both() } else { Err(Refusal::Length) }
    }

    /// `Transfer-Encoding`: `chunked` and nothing else. Another coding would be lost on the way,
    /// and HTTP/1.0 has none (RFC 9112 §6.1).
    pub(super) fn coding(&mut self, text: &[u8], is_known: bool) -> Result<(), Refusal> {
        once(&mut self.coding, Refusal::Coding)?;
        let chunked = text.eq_ignore_ascii_case(b"chunked");
        if is_known && chunked { self.not_both() } else { Err(Refusal::Coding) }
    }

    const fn not_both(&self) -> Result<(), Refusal> {
        if self.length && self.coding { Err(Refusal::LengthAndCoding) } else { Ok(()) }
    }
}

fn once(seen: &mut bool, refusal: Refusal) -> Result<(), Refusal> {
    if std::mem::replace(seen, true) { Err(refusal) } else { Ok(()) }
}

/// `Connection`: a name that it lists is taken off before the request is forwarded, so only names
/// may stand there that end here anyhow (RFC 9110 §7.6.1).
fn connection(text: &[u8]) -> Result<(), Refusal> {
    if text.eq_ignore_ascii_case(b"keep-alive") || text.eq_ignore_ascii_case(b"close") {
        return Ok(());
    }
    let mut names = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let known = |name: &[u8]| {
        name.is_empty() || NOMINABLE.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    };
    if names.by_ref().take(NOMINATED_MAX).all(known) && names.next().is_none() {
        Ok(())
    } else {
        Err(Refusal::Connection)
    }
}

/// Whether a backend could take `name`, in lower case, for a field of the gateway.
fn is_alias(name: &str) -> bool {
    if !name.bytes().any(|byte| byte == b'_') {
        return false;
    }
    let dashed = name.replace('_', "-");
    OURS.contains(&dashed.as_str()) || OUR_FAMILIES.iter().any(|family| dashed.starts_with(family))
}

#[cfg(test)]
mod tests;
