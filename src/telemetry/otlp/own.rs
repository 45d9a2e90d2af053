//! What the gateway does by itself (loads, elections, publications, fetches) as spans: out of `tracing`,
//! by way of OpenTelemetry's own SDK.
//!
//! Such spans have [`OWN_SPANS`](crate::correlation::OWN_SPANS) as their target, which tells them from the rest. There are few of them,
//! so all are recorded.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::telemetry::otlp::log::Within;
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::resource::SCOPE;
use crate::telemetry::otlp::wire::{Message, Value};

/// Writes spans of the SDK where those of exchanges are.
#[derive(Debug)]
struct Writer {
    outbox: Arc<Outbox>,
}

/// The layer that makes spans of the gateway itself.
pub fn spans<S>(outbox: Arc<Outbox>) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let provider = SdkTracerProvider::builder().with_span_processor(Writer { outbox }).build();
    let tracer: SdkTracer = provider.tracer(SCOPE);
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
}

impl SpanProcessor for Writer {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.outbox.put(&written(&span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _most: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn written(data: &SpanData) -> Vec<u8> {
    let mut spans = Message::with_room(512);
    spans.nested(2, |span| {
        span.raw(1, &data.span_context.trace_id().to_bytes());
        span.raw(2, &data.span_context.span_id().to_bytes());
        let parent = data.parent_span_id.to_bytes();
        if parent != [0; 8] {
            span.raw(4, &parent);
        }
        span.text(5, &data.name);
        span.number(6, kind(&data.span_kind));
        span.fixed_64(7, nanos(data.start_time));
        span.fixed_64(8, nanos(data.end_time));
        for pair in &data.attributes {
            attribute(span, 9, pair);
        }
        for event in data.events.iter() {
            span.nested(11, |written| {
                written.fixed_64(1, nanos(event.timestamp));
                written.text(2, &event.name);
                for pair in &event.attributes {
                    attribute(written, 3, pair);
                }
            });
        }
        if let Status::Error { description } = &data.status {
            span.nested(15, |status| {
                status.text(2, description);
                status.number(3, 2);
            });
        }
        span.fixed_32(16, 0x101);
    });
    spans.into_bytes()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is told as text")]
fn attribute(message: &mut Message, field: u32, pair: &KeyValue) {
    match &pair.value {
        opentelemetry::Value::Bool(flag) => {
            message.attribute(field, pair.key.as_str(), Value::Flag(*flag));
        }
        opentelemetry::Value::I64(number) => {
            message.attribute(field, pair.key.as_str(), Value::Number(*number));
        }
        other => message.attribute(field, pair.key.as_str(), Value::Text(&other.as_str())),
    }
}

const fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The span of the gateway itself that is under way on this thread.
pub fn here() -> Option<Within> {
    let context = Context::current();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| (context.trace_id().to_bytes(), context.span_id().to_bytes()))
}
