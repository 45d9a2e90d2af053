//! Lines of the log as OTLP has them: those of exchanges, and events of the gateway itself.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use crate::correlation::Correlation;
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::wire::{Message, Value};
use crate::time::Timestamp;

/// Takes lines for a collector.
#[derive(Clone, Debug)]
pub struct Logs {
    outbox: Arc<Outbox>,
}

/// How much a line matters: its number and its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Severity(u64, &'static str);

/// Where a line belongs: trace and span, as they are sent.
pub type Within = ([u8; 16], [u8; 8]);

/// The field of a group of log records that holds them.
const RECORDS: u32 = 2;
const ATTRIBUTE: u32 = 6;
/// How much room is made for a record: most need no more.
const RECORD_BYTES: usize = 1024;

impl Severity {
    /// For those who look closely.
    pub const DEBUG: Self = Self(5, "DEBUG");
    /// Worth knowing.
    pub const INFO: Self = Self(9, "INFO");
    /// Somebody should look at it.
    pub const WARN: Self = Self(13, "WARN");
    /// Something went wrong.
    pub const ERROR: Self = Self(17, "ERROR");
}

impl Logs {
    /// Lines go there.
    pub const fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox }
    }

    /// A line whose fields are those of `facts`; `name` says what kind of line it is.
    pub fn put(
        &self,
        (name, severity): (&str, Severity),
        at: Timestamp,
        within: Option<Within>,
        facts: &impl Serialize,
    ) {
        let facts = serde_json::to_value(facts).unwrap_or_default();
        let mut records = Message::with_room(RECORD_BYTES);
        records.nested(RECORDS, |record| {
            let Severity(number, word) = severity;
            let nanos = at.micros().saturating_mul(1_000);
            record.fixed_64(1, nanos);
            record.number(2, number);
            record.text(3, word);
            let fields = facts.as_object();
            if let Some(message) = fields.and_then(|fields| fields.get("message")?.as_str()) {
                record.nested(5, |body| body.value(Value::Text(message)));
            }
            for (name, value) in fields.into_iter().flatten() {
                if name != "message" {
                    attribute(record, name, value);
                }
            }
            if let Some((trace, span)) = within {
                record.raw(9, &trace);
                record.raw(10, &span);
            }
            record.fixed_64(11, nanos);
            record.text(12, name);
        });
        self.outbox.put(&records.into_bytes());
    }
}

/// Where the exchange belongs that stands there in its trace.
pub const fn within(correlation: &Correlation) -> Within {
    (correlation.trace.bytes(), correlation.span.bytes())
}

fn attribute(record: &mut Message, name: &str, value: &Json) {
    match value {
        Json::Null => (),
        Json::Bool(flag) => record.attribute(ATTRIBUTE, name, Value::Flag(*flag)),
        Json::Number(number) if number.is_i64() || number.is_u64() => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            record.attribute(ATTRIBUTE, name, Value::Number(number));
        }
        Json::String(text) => record.attribute(ATTRIBUTE, name, Value::Text(text)),
        Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            record.attribute(ATTRIBUTE, name, Value::Text(&value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value;
    use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_becomes_a_record_with_its_fields() {
        let outbox = Arc::new(Outbox::default());
        let facts =
            json!({"message": "hello", "status": 429, "ok": false, "list": ["a"], "no": null});
        let within = Some(([1; 16], [2; 8]));
        let at = Timestamp::from_micros(5);
        Logs::new(Arc::clone(&outbox)).put(("exchange", Severity::WARN), at, within, &facts);
        let logs = ScopeLogs::decode(outbox.take().unwrap().bytes.as_slice()).unwrap();
        let [record] = logs.log_records.as_slice() else { panic!("one record") };
        assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
        assert_eq!((record.time_unix_nano, record.event_name.as_str()), (5_000, "exchange"));
        assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
        let body = record.body.clone().unwrap().value.unwrap();
        assert_eq!(body, any_value::Value::StringValue("hello".to_owned()));
        let names: Vec<&str> = record.attributes.iter().map(|pair| pair.key.as_str()).collect();
        assert_eq!(names, ["status", "ok", "list"]);
    }
}
