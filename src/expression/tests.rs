//! What expressions give, row by row: input → what prints, or what is thrown, or what is refused.

mod request;
mod literals;
mod language;
mod texts;
mod numbers;
mod collections;
mod json;
mod context;
mod certificates;
mod forms;
mod faults;
mod bounds;
mod table;

use self::request::Request;
use super::value::Value;
use super::value::thrown::ExceptionKind;
use super::{Expected, compile};

/// What `text` gives: as it prints, `throws Kind: message`, or `refused: message`.
fn outcome(text: &str) -> String {
    outcome_on(text, &mut Request::default())
}

fn outcome_on(text: &str, request: &mut Request) -> String {
    let expression = match compile(text, Expected::Any) {
        Ok(expression) => expression,
        Err(wrongs) => return format!("refused: {}", wrongs[0].message),
    };
    match expression.evaluate(request) {
        Ok(Value::Null) => "null".to_owned(),
        Ok(value) => super::display::text(&value).unwrap().to_string(),
        Err(error) if error.kind == ExceptionKind::Limit => format!("limit: {}", error.message),
        Err(error) => format!("throws {}: {}", error.kind.name(), error.message),
    }
}

/// Checks rows of an expression and what it gives.
fn check(rows: &[(&str, &str)]) {
    let mut failed = Vec::new();
    for (text, expected) in rows {
        // A row without `@` is a value.
        let text = if text.starts_with("@(") || text.starts_with("@{") {
            (*text).to_owned()
        } else {
            format!("@({text})")
        };
        let found = outcome(&text);
        if found != *expected {
            failed.push(format!("{text}\n  gives    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}\n{} of {} rows", failed.join("\n"), failed.len(), rows.len());
}
