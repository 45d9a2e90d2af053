//! Files of variables, as `docker run --env-file` reads them: `NAME=value`, a line each.

use super::work::{Spot, Work};

/// Whether `text` is such a file.
pub fn is_env(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| is_written(line)).peekable();
    lines.peek().is_some() && lines.all(|line| pair(line).is_some())
}

/// Rewrites such a file.
pub fn migrate(work: &mut Work<'_>) {
    for number in 0..work.lines() {
        let line = work.text_of(number);
        let trimmed = line.trim();
        if !is_written(trimmed) {
            continue;
        }
        let Some((name, value)) = pair(trimmed) else { continue };
        let begin = work.line(number);
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

/// Name and value of a line; both as they are written.
pub fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_name)).then_some((name, value))
}

fn is_written(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// A value without the quotes around it, which some write and docker takes as they are.
pub fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}
