//! Lines of the log as OTLP has them: those of exchanges, and events of the gateway itself.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::correlation::Correlation;
use crate::telemetry::local::{Entry, Urgency};
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::wire::{Message, Value};
use crate::time::Timestamp;

/// Takes lines for a collector.
#[derive(Clone, Debug)]
pub struct Logs {
    outbox: Arc<Outbox>,
}

/// Where a line belongs: trace and span, as they are sent.
pub type Within = ([u8; 16], [u8; 8]);

/// The field of a group of log records that holds them.
const RECORDS: u32 = 2;
const ATTRIBUTE: u32 = 6;
/// How much room is made for a record: most need no more.
const RECORD_BYTES: usize = 1024;

impl Logs {
    /// Lines go there.
    pub const fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox }
    }

    /// Takes a line that was told at that time.
    pub fn put(&self, entry: &Entry, at: Timestamp, within: Option<Within>) {
        let mut records = Message::with_room(RECORD_BYTES);
        records.nested(RECORDS, |record| {
            let (number, word) = severity(entry.urgency);
            let nanos = at.micros().saturating_mul(1_000);
            record.fixed_64(1, nanos);
            record.number(2, number);
            record.text(3, word);
            let message = entry.fields.get("message").and_then(Json::as_str);
            record.nested(5, |body| body.value(Value::Text(message.unwrap_or(&entry.text))));
            for (name, value) in entry.fields.iter().filter(|(name, _value)| *name != "message") {
                attribute(record, name, value);
            }
            if let Some((trace, span)) = within {
                record.raw(9, &trace);
                record.raw(10, &span);
            }
            record.fixed_64(11, nanos);
            record.text(12, entry.category);
        });
        self.outbox.put(&records.into_bytes());
    }
}

/// How much it matters: its number and its name.
const fn severity(urgency: Urgency) -> (u64, &'static str) {
    match urgency {
        Urgency::Error => (17, "ERROR"),
        Urgency::Warning => (13, "WARN"),
        Urgency::Information => (9, "INFO"),
        Urgency::Debug => (5, "DEBUG"),
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
        let Json::Object(fields) = facts else { panic!("an object") };
        let (category, text) = ("GatewayEvents", "hello status=429".to_owned());
        let entry = Entry { urgency: Urgency::Warning, category, text, fields };
        let within = Some(([1; 16], [2; 8]));
        Logs::new(Arc::clone(&outbox)).put(&entry, Timestamp::from_micros(5), within);
        let logs = ScopeLogs::decode(outbox.take().unwrap().bytes.as_slice()).unwrap();
        let [record] = logs.log_records.as_slice() else { panic!("one record") };
        assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
        assert_eq!((record.time_unix_nano, record.event_name.as_str()), (5_000, "GatewayEvents"));
        assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
        let body = record.body.clone().unwrap().value.unwrap();
        assert_eq!(body, any_value::Value::StringValue("hello".to_owned()));
        let names: Vec<&str> = record.attributes.iter().map(|pair| pair.key.as_str()).collect();
        assert_eq!(names, ["status", "ok", "list"]);
    }
}
