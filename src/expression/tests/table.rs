//! The table in `tests/corpus/expressions`: what .NET gives, row by row, with the page that says so.
//!
//! `## ` begins a citation: the type and member (or the page of the C# reference) that the rows
//! below it are about. A row is two lines: the expression as policies write it inside of `@(…)` or
//! the whole `@{…}`, and below it, four spaces in, what comes out: a C# literal that shows the type
//! (`1`, `1L`, `1u`, `1UL`, `1f`, `1d`, `1.0m`, `1b` for a byte, `'c'`, `"s"`, `true`, `null`),
//! `[…]` around items, any other value as `Type: text`, `throws Exception`, or `refused` for what
//! the C# compiler refuses. Where the gateway is known to differ, ` (here: …)` says what it gives.
//! Lines that begin with `# ` are remarks.

use std::fmt::Write as _;

use crate::expression::library::{display, sequence};
use crate::expression::tests::request::Request;
use crate::expression::value::Value;
use crate::expression::value::thrown::ExceptionKind;
use crate::expression::{Expected, compile};
use crate::fault::damage::texts;

/// The fewest rows that the table has.
const ROWS_MIN: usize = 400;

struct Row<'t> {
    expression: &'t str,
    outcome: &'t str,
}

/// The rows of one file; what is not written as a row is a fault.
fn rows(text: &str) -> Vec<Row<'_>> {
    let (mut rows, mut cited, mut pending) = (Vec::new(), false, None);
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with("# ") {
            continue;
        }
        if let Some(page) = line.strip_prefix("## ") {
            assert!(pending.is_none(), "`{page}` follows an expression that has no outcome");
            assert!(page.contains('.') || page.starts_with("C# "), "`{page}` is no page");
            cited = true;
        } else if let Some(outcome) = line.strip_prefix("    ") {
            let expression = pending.take();
            let expression = expression.unwrap_or_else(|| panic!("`{outcome}` has no expression"));
            rows.push(Row { expression, outcome });
        } else {
            assert!(cited, "`{line}` stands below no citation");
            assert!(pending.is_none(), "the expression before `{line}` has no outcome");
            pending = Some(line);
        }
    }
    assert!(pending.is_none(), "the last expression has no outcome");
    rows
}

fn outcome(text: &str) -> String {
    let whole = text.starts_with("@{");
    let text = if whole { text.to_owned() } else { format!("@({text})") };
    let expression = match compile(&text, Expected::Any) {
        Ok(expression) => expression,
        Err(wrongs) => return format!("refused: {}", wrongs[0].message),
    };
    match expression.evaluate(&mut Request::default()) {
        Ok(value) => shown(&value),
        Err(error) if error.kind == ExceptionKind::Limit => format!("limit: {}", error.message),
        Err(error) => format!("throws {}: {}", error.kind.name(), error.message),
    }
}

fn shown(value: &Value) -> String {
    let text = display::text(value).map_or_else(|thrown| thrown.message, |text| text.to_string());
    let number = |suffix: &str| match text.as_str() {
        "NaN" | "Infinity" | "-Infinity" => text.clone(),
        _ => format!("{text}{suffix}"),
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Char(character) => format!("'{}'", escaped(&character.to_string())),
        Value::String(text) => format!("\"{}\"", escaped(text)),
        Value::Byte(_) => number("b"),
        Value::Int(_) => number(""),
        Value::UInt(_) => number("u"),
        Value::Long(_) => number("L"),
        Value::ULong(_) => number("UL"),
        Value::Float(_) => number("f"),
        Value::Double(_) => number("d"),
        Value::Decimal(_) => number("m"),
        Value::Bytes(_) | Value::List(_) | Value::Set(_) => {
            let items = sequence::items(value).unwrap();
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        other => {
            let name = other.type_name();
            format!("{}: {}", name.rsplit('.').next().unwrap_or(name), escaped(&text))
        }
    }
}

/// What would break a line of the table, as C# writes it.
fn escaped(text: &str) -> String {
    let mut written = String::new();
    for character in text.chars() {
        match character {
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            control if control.is_control() => {
                _ = write!(written, "\\u{:04X}", u32::from(control));
            }
            other => written.push(other),
        }
    }
    written
}

/// Whether `found` is what the row says; messages of exceptions and faults are ours.
fn fits(found: &str, outcome: &str) -> bool {
    let outcome = match outcome.rsplit_once(" (here: ") {
        Some((_, here)) => here.strip_suffix(')').unwrap_or(here),
        None => outcome,
    };
    found == outcome
        || (outcome == "refused" && found.starts_with("refused: "))
        || (outcome.starts_with("throws ")
            && found.split_once(':').is_some_and(|(kind, _)| kind == outcome))
}

#[test]
fn every_row_of_the_table_gives_what_dotnet_gives() {
    let (mut failed, mut count) = (Vec::new(), 0_usize);
    for text in texts("tests/corpus/expressions", ".txt") {
        for row in rows(&text) {
            count += 1;
            let found = outcome(row.expression);
            if !fits(&found, row.outcome) {
                failed
                    .push(format!("{}\n  gives {found}\n  .NET  {}", row.expression, row.outcome));
            }
        }
    }
    assert!(failed.is_empty(), "{}\n{} of {count} rows", failed.join("\n"), failed.len());
    assert!(count >= ROWS_MIN, "the table has {count} rows");
}
