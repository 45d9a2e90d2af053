//! Messages of Protocol Buffers as bytes, field by field (the encoding of proto3).

/// The most bytes of a text; what is longer is cut.
pub const TEXT_BYTES_MAX: usize = 4 << 10;

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED_32: u32 = 5;

/// A message that is being written.
#[derive(Debug, Default)]
pub struct Message {
    bytes: Vec<u8>,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl Message {
    /// A message that will have about so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// What is written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A text, cut where it is too long.
    pub fn text(&mut self, field: u32, text: &str) {
        self.raw(field, cut(text).as_bytes());
    }

    /// Bytes.
    pub fn raw(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, LENGTH);
        self.varint(length(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    /// Fields that are written already.
    pub fn append(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// A number of 64 bits.
    pub fn fixed_64(&mut self, field: u32, number: u64) {
        self.tag(field, FIXED_64);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// A number of 32 bits.
    pub fn fixed_32(&mut self, field: u32, number: u32) {
        self.tag(field, FIXED_32);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// A number that is mostly small.
    pub fn number(&mut self, field: u32, number: u64) {
        self.tag(field, VARINT);
        self.varint(number);
    }

    /// A message within this one.
    pub fn nested(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let from = self.bytes.len();
        write(self);
        // Its length, which stands before it, is known only now.
        let end = self.bytes.len();
        self.varint(length(end.saturating_sub(from)));
        if let Some(tail) = self.bytes.get_mut(from..) {
            let moved = tail.len().saturating_sub(end.saturating_sub(from));
            tail.rotate_right(moved);
        }
    }

    /// An attribute (`KeyValue`). Most of a message is these, so their lengths are known before they
    /// are written, and nothing is moved.
    pub fn attribute(&mut self, field: u32, name: &str, value: Value<'_>) {
        let value = value.cut();
        let (name, any) = (cut(name), value.bytes());
        self.tag(field, LENGTH);
        self.varint(length(delimited(name.len()).saturating_add(delimited(any))));
        self.raw(1, name.as_bytes());
        self.tag(2, LENGTH);
        self.varint(length(any));
        self.value(value);
    }

    /// A value (`AnyValue`).
    pub fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Text(text) => self.text(1, text),
            Value::Flag(flag) => self.number(2, u64::from(flag)),
            // Negative ones take their two's complement.
            Value::Number(number) => self.number(3, number.cast_unsigned()),
        }
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from((field << 3) | kind));
    }

    fn varint(&mut self, mut number: u64) {
        while 0x80 <= number {
            self.bytes.push(low(number) | 0x80);
            number >>= 7;
        }
        self.bytes.push(low(number));
    }
}

impl Value<'_> {
    /// The same, where it is not too long.
    fn cut(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(cut(text)),
            Self::Number(_) | Self::Flag(_) => self,
        }
    }

    /// How many bytes it has as a message.
    fn bytes(self) -> usize {
        match self {
            Self::Text(text) => delimited(text.len()),
            Self::Flag(_) => 2,
            Self::Number(number) => varint_bytes(number.cast_unsigned()).saturating_add(1),
        }
    }
}

/// How many bytes a field of so many bytes has, with its tag (of a small number) and its length.
fn delimited(bytes: usize) -> usize {
    bytes.saturating_add(varint_bytes(length(bytes))).saturating_add(1)
}

/// How many bytes a number has.
fn varint_bytes(number: u64) -> usize {
    let bits = u64::BITS.saturating_sub(number.leading_zeros()).max(1);
    usize::try_from(bits.div_ceil(7)).unwrap_or(usize::MAX)
}

/// The lowest seven bits.
fn low(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// `text`, or its beginning.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_others() {
        let long = "é".repeat(TEXT_BYTES_MAX);
        let mut message = Message::default();
        message.raw(1, &[7; 16]);
        message.text(5, &long);
        message.number(6, 3);
        message.fixed_64(7, u64::MAX);
        message.fixed_32(16, 0x301);
        message.attribute(9, "a", Value::Number(-1));
        message.attribute(9, "b", Value::Flag(true));
        message.nested(11, |event| {
            event.text(2, "event");
            event.attribute(3, "c", Value::Text(&"x".repeat(300)));
        });
        let span = Span::decode(message.into_bytes().as_slice()).unwrap();
        assert_eq!((span.trace_id, span.kind, span.flags), (vec![7; 16], 3, 0x301));
        assert_eq!((span.name.len(), span.start_time_unix_nano), (TEXT_BYTES_MAX, u64::MAX));
        let value = |at: usize| span.attributes[at].value.clone().unwrap().value.unwrap();
        assert_eq!(value(0), any_value::Value::IntValue(-1));
        assert_eq!(value(1), any_value::Value::BoolValue(true));
        let event = &span.events[0];
        assert_eq!((event.name.as_str(), event.attributes[0].key.as_str()), ("event", "c"));
    }
}
