//! The fields of Zipkin: `b3`, or `X-B3-TraceId` and those beside it.

use http::{HeaderMap, HeaderName};

use super::{Parent, SpanId, TraceId, only, span, trace};

/// All in one.
pub(super) const B3: HeaderName = HeaderName::from_static("b3");
const TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// All of them: a client's do not go on where the gateway says it.
pub(super) const FIELDS: [HeaderName; 6] = [B3, TRACE, SPAN, PARENT, SAMPLED, FLAGS];

/// Who sent the request.
pub(super) fn parent(headers: &HeaderMap) -> Option<Parent> {
    if headers.contains_key(B3) {
        let mut parts = only(headers, &B3)?.split('-');
        let (trace_id, span_id) = (parts.next()?, parts.next()?);
        return of(trace_id, span_id, parts.next());
    }
    let is_debug = only(headers, &FLAGS) == Some("1");
    let sampled = if is_debug { Some("1") } else { only(headers, &SAMPLED) };
    of(only(headers, &TRACE)?, only(headers, &SPAN)?, sampled)
}

fn of(trace_id: &str, span_id: &str, sampled: Option<&str>) -> Option<Parent> {
    // Older ones have traces of 64 bits.
    if !matches!(trace_id.len(), 16 | 32) || span_id.len() != 16 {
        return None;
    }
    let is_sampled = match sampled {
        None => None,
        Some("1" | "d" | "true") => Some(true),
        Some("0" | "false") => Some(false),
        Some(_) => return None,
    };
    Some(Parent { trace: trace(trace_id)?, span: span(span_id)?, is_sampled })
}

/// What `b3` says of a span.
pub(super) fn single(trace: TraceId, span: SpanId, is_sampled: bool) -> String {
    format!("{trace}-{span}-{}", u8::from(is_sampled))
}
