//! Azure's `Request-Id`, in the form that agrees with W3C Trace Context: `|trace.span.`.

use http::{HeaderMap, HeaderName};

use super::{Parent, SpanId, TraceId, only, span, trace};

/// The field.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Who sent the request; what else the field may be names no trace.
pub(super) fn parent(headers: &HeaderMap) -> Option<Parent> {
    let text = only(headers, &REQUEST_ID)?.strip_prefix('|')?;
    let mut parts = text.split('.');
    let mut part = |length: usize| parts.next().filter(|part| part.len() == length);
    let (trace_id, span_id) = (part(32)?, part(16)?);
    Some(Parent { trace: trace(trace_id)?, span: span(span_id)?, is_sampled: None })
}

/// What it says of a span.
pub(super) fn of(trace: TraceId, span: SpanId) -> String {
    format!("|{trace}.{span}.")
}
