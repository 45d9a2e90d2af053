//! A configuration as YAML that a person reads on: nothing in it that is not needed.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::migration::page::quoted;

/// A map as a file.
pub(super) fn yaml(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    entries(&mut out, map, 0);
    out
}

fn entries(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (nth, (name, value)) in map.iter().enumerate() {
        // The first key of an item stands behind its dash.
        let pad = if nth == 0 && out.ends_with("- ") { 0 } else { indent };
        // Writing to a string cannot fail.
        let _ = write!(out, "{:pad$}{}:", "", quoted(name));
        under(out, value, indent);
    }
}

/// A value behind its key.
fn under(out: &mut String, value: &Value, indent: usize) {
    if let Value::Object(map) = value
        && !map.is_empty()
    {
        out.push('\n');
        entries(out, map, indent + 2);
    } else if let Value::Array(list) = value
        && !list.is_empty()
    {
        out.push('\n');
        for item in list {
            let _ = write!(out, "{:pad$}- ", "", pad = indent + 2);
            if let Value::Object(map) = item {
                entries(out, map, indent + 4);
            } else {
                let _ = writeln!(out, "{}", plain(item));
            }
        }
    } else {
        let _ = writeln!(out, " {}", plain(value));
    }
}

/// A value in one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => other.to_string(),
    }
}
