//! Files of variables, as `docker run --env-file` reads them: `NAME=value`, a line each, or
//! `NAME` alone, which takes the value of the environment.

use super::finding::Level;
use super::work::{Spot, Work};

/// Whether `text` is such a file; `is_named` where its name says so.
pub fn is_env(text: &str, is_named: bool) -> bool {
    let text = super::unmarked(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| is_written(line)).collect();
    let has_pair = lines.iter().any(|line| pair(line).is_some());
    let is_all = lines.iter().all(|line| pair(line).is_some() || bare(line).is_some());
    !lines.is_empty() && (is_named || (has_pair && is_all))
}

/// Rewrites such a file.
pub fn migrate(work: &mut Work<'_>) {
    for number in 0..work.lines() {
        let line = work.text_of(number);
        let trimmed = line.trim();
        if !is_written(trimmed) {
            continue;
        }
        let begin = work.line(number);
        let Some((name, value)) = pair(trimmed) else {
            outside(work, begin, line);
            continue;
        };
        let at = begin + line.find(name).unwrap_or(0);
        let value_at = at + name.len() + 1;
        let quoted = value.len() - unquoted(value).len();
        let value_from = value_at + quoted / 2;
        let value = unquoted(value);
        let spot = Spot {
            name: at..at + name.len(),
            value: Some(value_from..value_from + value.len()),
            whole: begin..begin + line.len(),
        };
        work.setting(name, (name, Some(value)), &spot);
    }
}

/// A line without a value: a name by itself, or nothing that is known.
fn outside(work: &mut Work<'_>, begin: usize, line: &str) {
    let Some(name) = bare(line.trim()) else {
        let at = begin + (line.len() - line.trim_start().len());
        let said = ("this line is no NAME=value", "write it as one, or remove it");
        work.advise(Level::Refused, at, "line", said);
        return;
    };
    let at = begin + line.find(name).unwrap_or(0);
    let spot = Spot { name: at..at + name.len(), value: None, whole: begin..begin + line.len() };
    work.outside(name, name, &spot);
}

/// The name of a line that is nothing else: its value is that of the environment.
fn bare(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    is_name(line).then_some(line)
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.bytes().all(is_plain)
}

/// Name and value of a line; both as they are written.
pub fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    is_name(name).then_some((name, value))
}

fn is_written(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// A value without the quotes around it, which some write and docker takes as they are.
pub fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}
