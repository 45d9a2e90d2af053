//! Lines of the log as OTLP has them: those of exchanges, and events of the gateway itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::correlation::Correlation;
use crate::telemetry::access_log::Told;
use crate::telemetry::facts::{Facts, named, shown};
use crate::telemetry::local::{Entry, Urgency};
use crate::telemetry::otlp::outbox::Outbox;
use crate::telemetry::otlp::wire::{Message, Value};
use crate::telemetry::text::without_tokens;
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

    /// Takes a line.
    pub(in crate::telemetry) fn line<L: Told>(&self, line: &L) {
        let message = line.message();
        let head = Head {
            urgency: line.urgency(),
            category: L::CATEGORY,
            message: &without_tokens(&message),
            moment: line.moment(),
        };
        self.put(&head, |record| line.tell(&mut Attributes { record }));
    }

    /// Takes an event that happened at that time.
    pub fn event(&self, event: &Entry, at: Timestamp, within: Option<Within>) {
        let message = event.fields.get("message").and_then(Json::as_str).unwrap_or(&event.text);
        let Entry { urgency, category, .. } = *event;
        let head = Head { urgency, category, message, moment: (at, within) };
        self.put(&head, |record| {
            for (name, value) in &event.fields {
                if !SAID.contains(&name.as_str()) {
                    attribute(record, name, value);
                }
            }
        });
    }

    fn put(&self, head: &Head<'_>, attributes: impl FnOnce(&mut Message)) {
        let mut records = Message::with_room(RECORD_BYTES);
        records.nested(RECORDS, |record| {
            let (number, word) = severity(head.urgency);
            let (at, within) = head.moment;
            let nanos = at.micros().saturating_mul(1_000);
            record.fixed_64(1, nanos);
            record.number(2, number);
            record.text(3, word);
            record.nested(5, |body| body.value(Value::Text(head.message)));
            attributes(record);
            if let Some((trace, span)) = within {
                record.raw(9, &trace);
                record.raw(10, &span);
            }
            record.fixed_64(11, nanos);
            record.text(12, head.category);
        });
        self.outbox.put(&records.into_bytes());
    }
}

/// What every record says.
struct Head<'a> {
    urgency: Urgency,
    category: &'static str,
    message: &'a str,
    moment: (Timestamp, Option<Within>),
}

/// Facts as attributes of a record, those left out that it says itself.
struct Attributes<'a> {
    record: &'a mut Message,
}

/// What a record has fields of its own for.
const SAID: [&str; 5] = ["timeGenerated", "category", "traceId", "spanId", "message"];

impl Attributes<'_> {
    fn add(&mut self, name: &str, value: Value<'_>) {
        if !SAID.contains(&name) {
            self.record.attribute(ATTRIBUTE, name, value);
        }
    }
}

impl Facts for Attributes<'_> {
    fn word(&mut self, name: &'static str, word: &str) {
        self.add(name, Value::Text(word));
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.add(name, Value::Text(&without_tokens(text)));
    }

    fn number(&mut self, name: &'static str, number: u64) {
        self.add(name, Value::Number(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.add(name, Value::Flag(flag));
    }

    fn several(&mut self, name: &'static str, texts: &[String]) {
        self.add(name, Value::Text(&shown(texts).to_string()));
    }

    fn pairs(&mut self, name: &'static str, pairs: &BTreeMap<String, String>) {
        self.add(name, Value::Text(&named(pairs).to_string()));
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
        Logs::new(Arc::clone(&outbox)).event(&entry, Timestamp::from_micros(5), within);
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
