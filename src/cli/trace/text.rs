//! What `weir trace` says to people. Names and values come from clients: what a terminal would obey is
//! not written.

use std::fmt::Write as _;

use crate::admin::inspector::{Credential, Latest};
use crate::cli::limits::table::table;
use crate::cli::trace::call::Answered;
use crate::inspector::shape::{Document, Entry};

/// The most characters of what happened in one line.
const HAPPENED_CHARACTERS_MAX: usize = 300;

/// A trace: a line for each entry.
pub(super) fn trace(trace: &Document) -> String {
    let heads = ["ELAPSED", "SECTION", "POLICY", "PLACE", "WHAT HAPPENED"];
    let line = |(section, entry): (&str, &Entry)| {
        let place = entry.data.place.as_deref().unwrap_or("-");
        vec![
            elapsed(&entry.elapsed),
            section.to_owned(),
            plain(&entry.source),
            plain(place),
            cut(&plain(&entry.data.message)),
        ]
    };
    let lines: Vec<_> = trace.trace_entries.all().map(line).collect();
    format!("trace {}\n\n{}", plain(&trace.trace_id), table(&heads, &lines))
}

/// The latest traces.
pub(super) fn list(latest: &Latest) -> String {
    let heads = ["TRACE", "WHEN", "METHOD", "PATH", "STATUS", "API"];
    let lines = latest.traces.iter().map(|it| {
        vec![
            plain(&it.trace_id),
            plain(&it.timestamp),
            plain(&it.method),
            cut(&plain(&it.path)),
            it.status.to_string(),
            plain(it.api_id.as_deref().unwrap_or("-")),
        ]
    });
    let lines: Vec<_> = lines.collect();
    let mut text = if lines.is_empty() {
        "no traces are kept; `weir trace call` makes one\n".to_owned()
    } else {
        table(&heads, &lines)
    };
    if let Some(trouble) = &latest.trouble {
        // A string takes everything.
        let _ = writeln!(text, "those of other replicas are missing: {}", plain(trouble));
    }
    text
}

/// A credential, and how it is used.
pub(super) fn credential(made: &Credential) -> String {
    let whom = if made.all_replicas { "every replica" } else { "this gateway alone" };
    format!(
        "Apim-Debug-Authorization: {}\n\nfor API `{}`, until {}, at {whom}\n",
        made.token, made.api_id, made.expires
    )
}

/// What the client got.
pub(super) fn status(answered: &Answered) -> String {
    format!("answered {} {}\n", answered.status, plain(&answered.reason))
}

/// `00:00:01.2345670` without what says nothing.
fn elapsed(text: &str) -> String {
    let mut parts = text.split(':').map(|part| part.parse::<f64>().unwrap_or_default());
    let seconds = parts.by_ref().fold(0.0, |all, part| f64::mul_add(all, 60.0, part));
    format!("{:.3} ms", seconds * 1000.0)
}

/// `text` without characters that a terminal obeys.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(HAPPENED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_nothing_moves_the_cursor() {
        assert_eq!(elapsed("00:01:01.2345670"), "61234.567 ms");
        assert_eq!(elapsed("00:00:00.0000210"), "0.021 ms");
        assert_eq!(plain("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
    }
}
