//! Values as text: `ToString()`, `ToString(format)`, `string.Format` and interpolated strings.

use std::sync::Arc;

use super::moment::{format as date, span};
use super::{json, number, text, xml};
use crate::expression::value::collection::RecordKind;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{STRING_BYTES_MAX, Value, bounded_string};

/// The widest that a value may be padded, in UTF-16 units.
pub const WIDTH_MAX: usize = 1_000_000;

/// How deep values in values are shown.
const DEPTH_MAX: usize = 32;

/// `value.ToString()`; empty for `null`, as in a concatenation.
pub fn text(value: &Value) -> Result<Arc<str>, Thrown> {
    if let Value::String(text) = value {
        return Ok(Arc::clone(text));
    }
    written(value, DEPTH_MAX).map(Arc::from)
}

fn written(value: &Value, depth: usize) -> Result<String, Thrown> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Thrown::limit("a value is nested too deep to be shown"));
    };
    let text = match value {
        Value::Null => String::new(),
        Value::Bool(flag) => bool_text(*flag).to_owned(),
        Value::Char(character) => character.to_string(),
        Value::Byte(number) => number.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::ULong(number) => number.to_string(),
        Value::Double(number) => number::double_text(*number),
        Value::Float(number) => number::float_text(*number),
        Value::Decimal(number) => number::decimal_text(*number),
        Value::String(text) => text.to_string(),
        Value::DateTime(moment) => date::text(*moment),
        Value::DateTimeOffset(moment) => date::offset_text(*moment),
        Value::TimeSpan(span) => span::text(*span),
        Value::Guid(guid) => guid_text(*guid),
        Value::Json(token) => json::text(token)?,
        Value::Token(token) => json::text(&token.json)?,
        Value::Xml(node) => xml::text(node)?,
        Value::Pair(pair) => {
            format!("[{}, {}]", written(&pair.key, depth)?, written(&pair.value, depth)?)
        }
        Value::Record(record) => match record.kind() {
            RecordKind::Tuple => {
                let parts = record.values().iter().map(|part| written(part, depth));
                format!("({})", parts.collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            RecordKind::Anonymous => {
                let fields = record
                    .fields()
                    .map(|(name, field)| Ok(format!("{name} = {}", written(field, depth)?)));
                format!("{{ {} }}", fields.collect::<Result<Vec<_>, Thrown>>()?.join(", "))
            }
        },
        Value::StringBuilder(builder) => builder.text(),
        Value::Regex(pattern) => pattern.source.to_string(),
        Value::Match(found) => found.whole().value.to_string(),
        Value::Group(group) => group.value.to_string(),
        Value::Uri(uri) => super::web::uri::shown(uri),
        Value::IpAddress(address) => address.to_string(),
        Value::Jwt(jwt) => jwt.text.to_string(),
        Value::Exception(thrown) => thrown.to_string(),
        other => other.type_name().to_owned(),
    };
    bounded_string(text.len())?;
    Ok(text)
}

/// `value.ToString(format)`; a type without formats ignores it.
pub fn formatted(value: &Value, format: &str) -> Result<Arc<str>, Thrown> {
    let written = match value {
        Value::DateTime(moment) => date::date_time(*moment, format)?,
        Value::DateTimeOffset(moment) => date::date_time_offset(*moment, format)?,
        Value::TimeSpan(span) => span::format(*span, format)?,
        Value::Guid(guid) => guid_format(*guid, format)?,
        Value::Token(token) => return formatted(&Value::Json(token.json.clone()), format),
        Value::Json(token) => match json::convert::simple(token) {
            Some(Value::String(text)) => return Ok(text),
            Some(simple) => return formatted(&simple, format),
            None => return text(value),
        },
        other => match number::format(other, format) {
            Some(text) => text?,
            None => return text(other),
        },
    };
    bounded_string(written.len())?;
    Ok(Arc::from(written))
}

/// One hole of an interpolated string or of `string.Format`: `{value,alignment:format}`.
pub fn hole(value: &Value, alignment: i32, format: Option<&str>) -> Result<String, Thrown> {
    let written = match format {
        Some(format) => formatted(value, format)?,
        None => text(value)?,
    };
    aligned(&written, alignment)
}

/// `text` padded to `alignment` UTF-16 units; to the right of a negative one's text.
fn aligned(written: &str, alignment: i32) -> Result<String, Thrown> {
    let width = usize::try_from(alignment.unsigned_abs()).unwrap_or(usize::MAX);
    if width > WIDTH_MAX {
        return Err(bad_format());
    }
    let missing = width.saturating_sub(text::length(written));
    let padding = " ".repeat(missing);
    Ok(if alignment < 0 { format!("{written}{padding}") } else { format!("{padding}{written}") })
}

/// `string.Format(format, arguments)`.
pub fn composite(format: &str, arguments: &[Value]) -> Result<Arc<str>, Thrown> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else {
            let inner = from.strip_prefix('{').ok_or_else(bad_format)?;
            let (inner, after) = inner.split_once('}').ok_or_else(bad_format)?;
            out.push_str(&argument(inner, arguments)?);
            rest = after;
        }
        bounded_string(out.len())?;
    }
    out.push_str(rest);
    bounded_string(out.len().min(STRING_BYTES_MAX.saturating_add(1)))?;
    Ok(Arc::from(out))
}

/// What stands for `index[,alignment][:format]`.
fn argument(inner: &str, arguments: &[Value]) -> Result<String, Thrown> {
    let (place, format) = match inner.split_once(':') {
        Some((place, format)) => (place, Some(format)),
        None => (inner, None),
    };
    let (index, alignment) = match place.split_once(',') {
        Some((index, alignment)) => {
            (index, alignment.trim().parse::<i32>().map_err(|_| bad_format())?)
        }
        None => (place, 0),
    };
    let index: usize = index.trim_end().parse().map_err(|_| bad_format())?;
    let value = arguments.get(index).ok_or_else(|| {
        Thrown::new(
            ExceptionKind::Format,
            "Index (zero based) must be greater than or equal to zero and less than the size of \
             the argument list.",
        )
    })?;
    hole(value, alignment, format)
}

fn bad_format() -> Thrown {
    Thrown::format()
}

/// `True` or `False`.
pub const fn bool_text(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// `guid.ToString()`.
pub fn guid_text(guid: u128) -> String {
    let digits = format!("{guid:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// `guid.ToString(format)`.
pub fn guid_format(guid: u128, format: &str) -> Result<String, Thrown> {
    Ok(match format {
        "" | "D" | "d" => guid_text(guid),
        "N" | "n" => format!("{guid:032x}"),
        "B" | "b" => format!("{{{}}}", guid_text(guid)),
        "P" | "p" => format!("({})", guid_text(guid)),
        _ => {
            return Err(Thrown::new(
                ExceptionKind::Format,
                "Format string can be only \"D\", \"d\", \"N\", \"n\", \"P\", \"p\", \"B\" or \
                 \"b\" here.",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::value::collection::{Pair, Record};
    use crate::expression::value::moment::{DateTime, TimeSpan};

    #[test]
    fn values_are_shown_as_in_dotnet() {
        let guid = Value::Guid(0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e);
        let rows: Vec<(Value, &str)> = vec![
            (Value::Null, ""),
            (true.into(), "True"),
            (false.into(), "False"),
            ('x'.into(), "x"),
            ((-5).into(), "-5"),
            (5_000_000_000_i64.into(), "5000000000"),
            (0.5.into(), "0.5"),
            (2.0.into(), "2"),
            ("text".into(), "text"),
            (guid, "0f8fad5b-d9cb-469f-a165-70867728950e"),
            (DateTime::MIN.into(), "01/01/0001 00:00:00"),
            (TimeSpan(36_000_000_000).into(), "01:00:00"),
            (Pair::new("a".into(), 1.into()).into(), "[a, 1]"),
            (Record::tuple(vec![1.into(), "b".into()]).into(), "(1, b)"),
            (Record::anonymous(vec![("a".into(), 1.into())]).into(), "{ a = 1 }"),
            (Value::list(Vec::new()), "System.Collections.Generic.List`1"),
            (
                Thrown::format().into(),
                "System.FormatException: Input string was not in a correct format.",
            ),
        ];
        for (value, expected) in rows {
            assert_eq!(&*text(&value).unwrap(), expected);
        }
    }

    #[test]
    fn composite_formats_read_as_in_dotnet() {
        let arguments: Vec<Value> = vec!["a".into(), 7.into(), 1234.5.into(), Value::Null];
        let rows = [
            ("{0}-{1}", "a-7"),
            ("{{0}} {0}", "{0} a"),
            ("{1:D3}", "007"),
            ("{2:N1}", "1,234.5"),
            ("[{0,3}]", "[  a]"),
            ("[{0,-3}]", "[a  ]"),
            ("[{1,5:D2}]", "[   07]"),
            ("<{3}>", "<>"),
            ("none", "none"),
        ];
        for (format, expected) in rows {
            assert_eq!(&*composite(format, &arguments).unwrap(), expected, "{format}");
        }
        for format in ["{", "}", "{4}", "{a}", "{0", "{-1}", "{0,999999999}"] {
            assert!(composite(format, &arguments).is_err(), "{format}");
        }
    }

    #[test]
    fn guids_have_four_formats() {
        let guid = 0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e;
        let rows = [
            ("N", "0f8fad5bd9cb469fa16570867728950e"),
            ("D", "0f8fad5b-d9cb-469f-a165-70867728950e"),
            ("B", "{0f8fad5b-d9cb-469f-a165-70867728950e}"),
            ("P", "(0f8fad5b-d9cb-469f-a165-70867728950e)"),
        ];
        for (format, expected) in rows {
            assert_eq!(guid_format(guid, format).unwrap(), expected);
        }
        assert!(guid_format(guid, "Q").is_err());
    }

    #[test]
    fn a_value_in_values_is_shown_only_so_deep() {
        let mut value = Value::Int(1);
        for _ in 0..100_000 {
            value = Pair::new(Value::Null, value).into();
        }
        assert!(text(&value).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_format_panics(format in ".{0,30}") {
            let _ = composite(&format, &[1.into(), "é".into(), 2.5.into()]);
            let _ = formatted(&Value::Guid(1), &format);
        }
    }
}
