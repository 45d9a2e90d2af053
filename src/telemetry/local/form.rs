//! How a line is written for syslog, for the journal, and as a JSON object; none longer than its
//! readers take.
//!
//! A line that is too long is made shorter value by value, so that it stays what it is: its fields
//! end with `…` then, and one more says `truncated`.

use std::fmt::Write as _;
use std::process;

use serde_json::{Map, Value};

use super::{Entry, Facility, Form, PROGRAM};
use crate::telemetry::text::{cut, escaped};

/// The most bytes of a line for syslog: receivers are usually set up for no more.
pub const SYSLOG_BYTES_MAX: usize = 8 << 10;
/// The most bytes of a datagram otherwise: UDP takes 65507.
pub const DATAGRAM_BYTES_MAX: usize = 60 << 10;
/// To how many characters the values of a line that is too long are cut, one after the other.
const CUTS: [usize; 5] = [8192, 2048, 512, 128, 32];
/// The field that says that something was cut.
const TRUNCATED: &str = "truncated";
/// The most characters of a parameter's name (RFC 5424 §6.3.3).
const PARAMETER_CHARACTERS_MAX: usize = 32;
/// The most characters of a field's name in the journal.
const JOURNAL_NAME_CHARACTERS_MAX: usize = 64;
/// The element of structured data. The number is the one that is kept for documentation.
const ELEMENT: &str = "weir@32473";

/// The line in its form.
pub fn write(form: Form, entry: &Entry, host: &str) -> Vec<u8> {
    let bytes_max = match form {
        Form::LocalSyslog(_) | Form::Rfc5424(_) => SYSLOG_BYTES_MAX,
        Form::Journal(_) | Form::Json => DATAGRAM_BYTES_MAX,
    };
    let write = |entry: &Entry| match form {
        Form::LocalSyslog(facility) => local_syslog(entry, facility),
        Form::Rfc5424(facility) => rfc5424(entry, facility, host),
        Form::Journal(facility) => journal(entry, facility),
        Form::Json => json(entry),
    };
    let whole = write(entry);
    if whole.len() <= bytes_max {
        return whole;
    }
    for characters_max in CUTS {
        let shorter = write(&shortened(entry, characters_max));
        if shorter.len() <= bytes_max {
            return shorter;
        }
    }
    // So many fields that even their beginnings are too long.
    let known = ["timeGenerated", "category", "correlationId", "level", TRUNCATED];
    let mut rest = shortened(entry, 32);
    rest.fields.retain(|name, _value| known.contains(&name.as_str()));
    write(&rest)
}

fn shortened(entry: &Entry, characters_max: usize) -> Entry {
    let mut fields: Map<String, Value> = entry
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), shorter(value, characters_max)))
        .collect();
    fields.insert(TRUNCATED.to_owned(), Value::Bool(true));
    // The text has most values once more.
    let text = cut(&entry.text, characters_max.saturating_mul(4));
    Entry { text, fields, ..*entry }
}

fn shorter(value: &Value, characters_max: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, characters_max)),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| shorter(item, characters_max)).collect())
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, it)| (name.clone(), shorter(it, characters_max)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// `<PRI>Mmm dd hh:mm:ss TAG[PID]: TEXT`, as the C library writes to `/dev/log`.
fn local_syslog(entry: &Entry, facility: Facility) -> Vec<u8> {
    let pid = process::id();
    let head = format!("<{}>{} {PROGRAM}[{pid}]: ", priority(entry, facility), short_date(entry));
    (head + &escaped(&entry.text)).into_bytes()
}

/// `<PRI>1 TIME HOST APP PID CATEGORY [weir@32473 name="value" …] TEXT`.
fn rfc5424(entry: &Entry, facility: Facility, host: &str) -> Vec<u8> {
    let word = |text: &str| -> String {
        let graphic = text.chars().filter(char::is_ascii_graphic).take(255).collect::<String>();
        if graphic.is_empty() { "-".to_owned() } else { graphic }
    };
    let mut out = format!(
        "<{}>1 {} {} {PROGRAM} {} {} [{ELEMENT}",
        priority(entry, facility),
        word(time(entry)),
        word(host),
        process::id(),
        entry.category,
    );
    let own = ["timeGenerated", "category"];
    for (name, value) in entry.fields.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        let is_right = |c: &char| c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"');
        let name = name.chars().filter(is_right).take(PARAMETER_CHARACTERS_MAX);
        let _ = write!(out, " {}=\"", name.collect::<String>());
        for character in escaped(&shown(value)).chars() {
            if matches!(character, '"' | '\\' | ']') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    }
    out.push_str("] ");
    out.push_str(&escaped(&entry.text));
    out.into_bytes()
}

/// Fields of the journal, one after the other; each of ours begins with `WEIR_`.
fn journal(entry: &Entry, facility: Facility) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, "PRIORITY", &entry.urgency.number().to_string());
    field(&mut out, "SYSLOG_IDENTIFIER", PROGRAM);
    field(&mut out, "SYSLOG_FACILITY", &facility.number().to_string());
    field(&mut out, "MESSAGE", &entry.text);
    for (name, value) in &entry.fields {
        let mut own = "WEIR_".to_owned();
        for character in name.chars() {
            if character.is_ascii_uppercase() && !own.ends_with('_') {
                own.push('_');
            }
            let is_right = character.is_ascii_alphanumeric();
            own.push(if is_right { character.to_ascii_uppercase() } else { '_' });
        }
        own.truncate(JOURNAL_NAME_CHARACTERS_MAX);
        field(&mut out, &own, &shown(value));
    }
    out
}

/// A field whose value has a line break is written with its length.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        out.push(b'\n');
        out.extend_from_slice(&length.to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

fn json(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(&entry.fields).unwrap_or_default()
}

fn priority(entry: &Entry, facility: Facility) -> u16 {
    u16::from(facility.number()).saturating_mul(8).saturating_add(u16::from(entry.urgency.number()))
}

fn time(entry: &Entry) -> &str {
    entry.fields.get("timeGenerated").and_then(Value::as_str).unwrap_or_default()
}

/// `Feb 25 07:16:04` of `2026-02-25T07:16:04.050Z`, in UTC.
fn short_date(entry: &Entry) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = time(entry);
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<usize>().ok();
    let month = number(5, 7).and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let (month, day) = (month.copied().unwrap_or("Jan"), number(8, 10).unwrap_or(1));
    format!("{month} {day:>2} {}", time.get(11..19).unwrap_or("00:00:00"))
}

/// A value as text: lists and maps as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::local::Urgency;

    fn entry(message: &str) -> Entry {
        let fields = serde_json::json!({
            "timeGenerated": "2026-02-05T07:16:04.050Z",
            "category": "GatewayLogs",
            "correlationId": "1",
            "responseCode": 502,
            "message": message,
        });
        let Value::Object(fields) = fields else { panic!("an object") };
        let text = format!("502 {message}");
        Entry { urgency: Urgency::Error, category: "GatewayLogs", text, fields }
    }

    fn text(form: Form, message: &str) -> String {
        String::from_utf8(write(form, &entry(message), "host 1")).unwrap()
    }

    const FACILITY: Facility = Facility(3);

    #[test]
    fn lines_for_syslog_are_one_line_with_their_priority() {
        let pid = process::id();
        assert_eq!(
            text(Form::LocalSyslog(FACILITY), "a\nb"),
            format!("<27>Feb  5 07:16:04 weir[{pid}]: 502 a\\nb")
        );
        assert_eq!(
            text(Form::Rfc5424(FACILITY), "a\n\"b]"),
            format!(
                "<27>1 2026-02-05T07:16:04.050Z host1 weir {pid} GatewayLogs [weir@32473 \
                 correlationId=\"1\" responseCode=\"502\" message=\"a\\\\n\\\"b\\]\"] 502 a\\n\"b]"
            )
        );
    }

    #[test]
    fn a_field_of_the_journal_with_a_line_break_has_its_length() {
        let bytes = write(Form::Journal(FACILITY), &entry("a\nPRIORITY=0"), "");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("PRIORITY=3\nSYSLOG_IDENTIFIER=weir\nSYSLOG_FACILITY=3\n"));
        assert!(text.contains("MESSAGE\n\u{10}\0\0\0\0\0\0\x00502 a\nPRIORITY=0\n"), "{text:?}");
        assert!(text.contains("WEIR_RESPONSE_CODE=502\n"));
        assert!(text.contains("WEIR_MESSAGE\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n"), "{text:?}");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let long = "ä".repeat(100_000);
        for form in [
            Form::LocalSyslog(FACILITY),
            Form::Rfc5424(FACILITY),
            Form::Journal(FACILITY),
            Form::Json,
        ] {
            let text = text(form, &long);
            assert!(text.len() <= DATAGRAM_BYTES_MAX && text.contains('…'), "{form:?}");
            assert!(form == Form::Json || 256 < text.len());
        }
        let object: Value = serde_json::from_str(&text(Form::Json, &long)).unwrap();
        assert_eq!((&object["truncated"], &object["correlationId"]), (&true.into(), &"1".into()));
        let mut many = entry("");
        for number in 0..20_000 {
            many.fields.insert(format!("field{number}"), "value".into());
        }
        let bytes = write(Form::Json, &many, "");
        let object: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((bytes.len() < 1024, &object["truncated"]), (true, &true.into()));
    }
}
