//! Events that are sent in one request, and how that is written.

use std::sync::Arc;

use crate::backend::event_hub::EventHub;
use crate::expression::library::json::write::{quoted, quoted_ascii};
use crate::policy::logging::event_hub::Partition;

/// The most bytes of the body of a request with several events: what the smallest tier of the
/// service takes, and room for what it adds.
pub(super) const BATCH_BYTES_MAX: usize = 240 << 10;
/// The most events in one request.
pub(super) const BATCH_EVENTS_MAX: usize = 1_000;

/// Events that are sent together: all to one partition, or all to any.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Where they go.
    pub(super) hub: Arc<EventHub>,
    /// To which partition.
    pub(super) partition: Partition,
    /// Their messages; never none.
    pub(super) texts: Vec<Arc<str>>,
    /// How often it was tried to send them.
    pub(super) tries: u32,
    /// How many bytes they take up in the queue.
    pub(super) bytes: usize,
}

impl Batch {
    /// Where in its hub it is sent to.
    pub(super) fn target(&self) -> String {
        let name = &self.hub.name;
        let part = match &self.partition {
            Partition::Number(number) => format!("/partitions/{number}"),
            Partition::Any | Partition::Key(_) => String::new(),
        };
        format!("/{name}{part}/messages?timeout=60&api-version=2014-01")
    }

    /// The fields that say what the body is, and the body. One event is its body as it is; several
    /// are a list in JSON.
    pub(super) fn written(&self) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let properties = match &self.partition {
            Partition::Key(key) => {
                let mut text = String::from("{\"PartitionKey\":");
                quoted_ascii(&mut text, key);
                text.push('}');
                Some(text)
            }
            Partition::Any | Partition::Number(_) => None,
        };
        if let [one] = self.texts.as_slice() {
            let kind = "application/atom+xml;type=entry;charset=utf-8".to_owned();
            let mut fields = vec![("Content-Type", kind)];
            fields.extend(properties.map(|text| ("BrokerProperties", text)));
            return (fields, one.as_bytes().to_vec());
        }
        let mut body = String::with_capacity(self.bytes);
        for text in &self.texts {
            body.push_str(if body.is_empty() { "[{\"Body\":" } else { ",{\"Body\":" });
            quoted(&mut body, text);
            if let Some(properties) = &properties {
                body.push_str(",\"BrokerProperties\":");
                body.push_str(properties);
            }
            body.push('}');
        }
        body.push(']');
        let kind = "application/vnd.microsoft.servicebus.json".to_owned();
        (vec![("Content-Type", kind)], body.into_bytes())
    }

    /// Both halves of it; none if it is one event.
    pub(super) fn halves(mut self) -> Option<[Self; 2]> {
        if self.texts.len() < 2 {
            return None;
        }
        let texts = self.texts.split_off(self.texts.len().div_ceil(2));
        let bytes = texts.iter().map(|text| weight(&self.partition, text)).sum();
        let second = Self {
            hub: Arc::clone(&self.hub),
            partition: self.partition.clone(),
            texts,
            tries: self.tries,
            bytes,
        };
        self.bytes = self.bytes.saturating_sub(bytes);
        Some([self, second])
    }
}

/// How many bytes an event takes up in the queue, about.
pub(super) fn weight(partition: &Partition, text: &str) -> usize {
    const OVERHEAD: usize = 64;
    let key = match partition {
        Partition::Key(key) => key.len(),
        Partition::Any | Partition::Number(_) => 0,
    };
    text.len().saturating_add(key).saturating_add(OVERHEAD)
}

/// How many bytes an event takes up in the body of a request with several.
pub(super) fn written_bytes(partition: &Partition, text: &str) -> usize {
    const AROUND: usize = r#",{"Body":"","BrokerProperties":{"PartitionKey":""}}"#.len();
    let escaped = |text: &str| {
        let of = |character: char| match character {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => 6,
            other => other.len_utf8(),
        };
        text.chars().map(of).sum::<usize>()
    };
    let key = match partition {
        // No character takes more than twelve bytes.
        Partition::Key(key) => key.chars().count().saturating_mul(12),
        Partition::Any | Partition::Number(_) => 0,
    };
    AROUND.saturating_add(escaped(text)).saturating_add(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(partition: Partition, texts: &[&str]) -> Batch {
        let text = "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k";
        let hub = Arc::new(EventHub::parse(text, Some("hub")).unwrap());
        let bytes = texts.iter().map(|text| weight(&partition, text)).sum();
        let texts = texts.iter().map(|text| Arc::from(*text)).collect();
        Batch { hub, partition, texts, tries: 0, bytes }
    }

    fn written(batch: &Batch) -> (String, String) {
        let (fields, body) = batch.written();
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        (fields.join("\n"), String::from_utf8(body).unwrap())
    }

    #[test]
    fn one_event_is_sent_as_it_is_and_several_as_a_list() {
        let kind = "Content-Type: application/atom+xml;type=entry;charset=utf-8";
        let one = batch(Partition::Any, &["{\"a\": \"é\"}"]);
        assert_eq!(written(&one), (kind.to_owned(), "{\"a\": \"é\"}".to_owned()));
        assert_eq!(one.target(), "/hub/messages?timeout=60&api-version=2014-01");
        let keyed = batch(Partition::Key(Arc::from("ü\r\n\"😀")), &["a"]);
        let fields = format!(
            "{kind}\nBrokerProperties: {{\"PartitionKey\":\"\\u00fc\\r\\n\\\"\\ud83d\\ude00\"}}"
        );
        assert_eq!(written(&keyed), (fields, "a".to_owned()));
        let several = batch(Partition::Number(7), &["a", "\"\u{1}é"]);
        let kind = "Content-Type: application/vnd.microsoft.servicebus.json".to_owned();
        let list = r#"[{"Body":"a"},{"Body":"\"\u0001é"}]"#.to_owned();
        assert_eq!(written(&several), (kind.clone(), list));
        assert_eq!(several.target(), "/hub/partitions/7/messages?timeout=60&api-version=2014-01");
        let keyed = batch(Partition::Key(Arc::from("k")), &["a", ""]);
        let list = r#"[{"Body":"a","BrokerProperties":{"PartitionKey":"k"}},{"Body":"","BrokerProperties":{"PartitionKey":"k"}}]"#;
        assert_eq!(written(&keyed), (kind, list.to_owned()));
    }

    #[test]
    fn what_is_written_is_never_longer_than_was_reckoned() {
        for partition in
            [Partition::Any, Partition::Number(3), Partition::Key(Arc::from("ü😀\"\u{1}k"))]
        {
            for text in ["", "plain", "\"\\\n\r\t", "\u{8}\u{c}\u{0}\u{1f}\u{85}\u{2028}", "é😀"]
            {
                let several = batch(partition.clone(), &[text, text]);
                let bytes = written(&several).1.len();
                assert!(bytes <= 2 * written_bytes(&partition, text) + 2, "{text:?}");
            }
        }
    }

    #[test]
    fn halves_hold_all_of_it() {
        let [first, second] = batch(Partition::Any, &["a", "bb", "ccc"]).halves().unwrap();
        assert_eq!((first.texts.len(), second.texts.len()), (2, 1));
        assert_eq!((first.bytes, second.bytes), (64 * 2 + 3, 64 + 3));
        assert!(second.halves().is_none());
    }
}
