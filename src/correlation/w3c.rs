//! `traceparent`, `tracestate` and `baggage`: W3C Trace Context (levels 1 and 2) and Baggage.

use http::{HeaderMap, HeaderName};

use super::{Parent, SpanId, TraceId, hexadecimal, only, span, trace};

/// The trace and the span of whoever sends a request.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems remember beside it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What applications pass on with a request.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// How long a `traceparent` of the version is that is known.
const KNOWN_LENGTH: usize = 55;
/// The longest of a later version.
const LENGTH_MAX: usize = 256;
/// The most members of a `tracestate` (Trace Context §3.3.1.1).
const STATE_MEMBERS_MAX: usize = 32;
/// The most bytes of one that goes on; 512 are the least that must (§3.3.1.5).
const STATE_BYTES_MAX: usize = 4 << 10;
/// The longest key or value in it.
const STATE_TEXT_MAX: usize = 256;
/// The most members of a `baggage` that goes on (Baggage §3.3.2).
const BAGGAGE_MEMBERS_MAX: usize = 180;
/// The most bytes of one.
const BAGGAGE_BYTES_MAX: usize = 8 << 10;
/// The flag of a trace that is recorded.
const SAMPLED: u128 = 1;

/// Who sent the request, as `traceparent` says it; `None` if it does not, or wrongly.
pub(super) fn parent(headers: &HeaderMap) -> Option<Parent> {
    let text = only(headers, &TRACEPARENT)?.trim_matches([' ', '\t']);
    if LENGTH_MAX < text.len() {
        return None;
    }
    let mut parts = text.splitn(5, '-');
    let mut part = |length: usize| parts.next().filter(|part| part.len() == length);
    let (version, trace_id, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let version = hexadecimal(version).filter(|version| *version != 0xff)?;
    // Later versions may add more, behind another hyphen.
    if version == 0 && text.len() != KNOWN_LENGTH {
        return None;
    }
    let is_sampled = hexadecimal(flags)? & SAMPLED == SAMPLED;
    Some(Parent { trace: trace(trace_id)?, span: span(parent)?, is_sampled: Some(is_sampled) })
}

/// What `traceparent` says of a span.
pub(super) fn traceparent(trace: TraceId, span: SpanId, is_sampled: bool) -> String {
    format!("00-{trace}-{span}-0{}", u8::from(is_sampled))
}

/// Whether what `tracestate` says is in order: it is passed on as it is, or not at all.
pub(super) fn is_state(headers: &HeaderMap) -> bool {
    let mut keys: Vec<&str> = Vec::new();
    let mut bytes = 0_usize;
    for line in headers.get_all(TRACESTATE) {
        bytes = bytes.saturating_add(line.len());
        let Some(line) = line.to_str().ok().filter(|_line| bytes <= STATE_BYTES_MAX) else {
            return false;
        };
        for member in line.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let Some((key, value)) = member.split_once('=') else { return false };
            if !is_key(key) || !is_value(value) || keys.contains(&key) {
                return false;
            }
            keys.push(key);
            if STATE_MEMBERS_MAX < keys.len() {
                return false;
            }
        }
    }
    true
}

/// Whether a key of `tracestate` is one (level 2, §3.3.1.3.1).
fn is_key(key: &str) -> bool {
    let is_of_key = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let begins =
        key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    begins && key.len() <= STATE_TEXT_MAX && key.bytes().all(is_of_key)
}

/// Whether a value of `tracestate` is one.
fn is_value(value: &str) -> bool {
    let is_of_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b',' && byte != b'=';
    !value.is_empty() && value.len() <= STATE_TEXT_MAX && value.bytes().all(is_of_value)
}

/// Whether `baggage` is as large as it may be.
pub(super) fn is_baggage(headers: &HeaderMap) -> bool {
    let (mut bytes, mut members) = (0_usize, 0_usize);
    for line in headers.get_all(BAGGAGE) {
        bytes = bytes.saturating_add(line.len());
        members = members.saturating_add(line.as_bytes().split(|byte| *byte == b',').count());
    }
    bytes <= BAGGAGE_BYTES_MAX && members <= BAGGAGE_MEMBERS_MAX
}
