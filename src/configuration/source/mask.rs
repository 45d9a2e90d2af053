//! The YAML as faults may show it: what stands where a secret may stand is covered, character for
//! character, so that places stay what they are.

use std::borrow::Cow;
use std::ops::Range;

/// Keys whose values may be secrets.
const SECRET_KEYS: [&str; 12] = [
    "primaryKey",
    "secondaryKey",
    "value",
    "parameter",
    "password",
    "key",
    "pfx",
    "secret",
    "clientSecret",
    "refreshToken",
    "connectionString",
    "data",
];
/// Keys under `credentials` whose values say only where or how.
const PLAIN_KEYS: [&str; 7] =
    ["env", "file", "scheme", "certificateFile", "keyFile", "resource", "clientId"];
/// The key under which every value may be one.
const SECRET_BLOCK: &str = "credentials";

/// `text` with everything covered that may be a secret.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // How far the line with `credentials` is indented, while its block lasts.
    let mut block: Option<usize> = None;
    // The same of a line behind which a secret goes on, a line after the other.
    let mut text_block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len().saturating_sub(line.trim_start().len());
        if !line.trim().is_empty() && block.is_some_and(|outer| indent <= outer) {
            block = None;
        }
        if !line.trim().is_empty() && text_block.is_some_and(|outer| indent <= outer) {
            text_block = None;
        }
        if text_block.is_some() {
            out.extend(line.chars().map(covered));
            continue;
        }
        out.push_str(&cover(line, block.is_some()));
        if begins_text(line) {
            // Of an item of a list, the key stands further in than the line.
            let inner = line.trim_start().trim_start_matches("- ").len();
            text_block = Some(line.len().saturating_sub(inner));
        }
        if keys_of(line).any(|(key, _end)| key == SECRET_BLOCK) {
            block = block.or(Some(indent));
        }
    }
    out
}

/// Whether a secret begins in this line and goes on in the next ones, as a private key in PEM does.
fn begins_text(line: &str) -> bool {
    let Some((key, end)) = keys_of(line).last() else { return false };
    let rest = line.get(end..).unwrap_or_default().trim();
    SECRET_KEYS.contains(&key) && rest.starts_with(['|', '>'])
}

fn covered(character: char) -> char {
    if character.is_whitespace() { character } else { '*' }
}

/// The keys of a line, each with the byte after its colon.
fn keys_of(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices(':').filter_map(|(at, _colon)| {
        let before = line.get(..at)?;
        let plain = |character: char| character.is_alphanumeric() || "-_".contains(character);
        let key = before.trim_end_matches(['"', '\'']);
        let start = key.rfind(|character| !plain(character)).map_or(0, |found| {
            found.saturating_add(
                key.get(found..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
            )
        });
        Some((key.get(start..)?, at.saturating_add(1)))
    })
}

/// `line` with what may be a secret covered; all values of it if `whole`.
fn cover(line: &str, whole: bool) -> Cow<'_, str> {
    let mut secrets: Vec<Range<usize>> = Vec::new();
    for (key, end) in keys_of(line) {
        let rest = line.get(end..).unwrap_or_default();
        let value = end.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
        let rest = line.get(value..).unwrap_or_default();
        // References to where a secret is are none themselves.
        let reference = PLAIN_KEYS.contains(&key) || rest.starts_with('{');
        let listed = rest.starts_with('[');
        if !reference && (whole || SECRET_KEYS.contains(&key)) {
            let ends: &[char] = if listed { &[']'] } else { &[',', '}', '\n'] };
            let length = rest.find(ends).unwrap_or(rest.len());
            secrets.push(value..value.saturating_add(length));
        }
    }
    // `user:password@` in a URL.
    if let Some(scheme) = line.find("://") {
        let from = scheme.saturating_add(3);
        let rest = line.get(from..).unwrap_or_default();
        let end = rest.find(['/', ' ', '"', '\'', '\n']).unwrap_or(rest.len());
        if let Some(at) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            secrets.push(from..from.saturating_add(at));
        }
    }
    if secrets.is_empty() {
        return Cow::Borrowed(line);
    }
    let shown = line.char_indices().map(|(at, character)| {
        let is_secret = secrets.iter().any(|secret| secret.contains(&at));
        if is_secret { covered(character) } else { character }
    });
    Cow::Owned(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_covered_in_place() {
        let cases = [
            ("  primaryKey: abc\n", "  primaryKey: ***\n"),
            ("- {id: s, primaryKey: TOP, nmae: x}\n", "- {id: s, primaryKey: ***, nmae: x}\n"),
            ("  value: {env: TOKEN}\n", "  value: {env: TOKEN}\n"),
            ("url: http://user:pw@host/x\n", "url: http://*******@host/x\n"),
            (
                "credentials:\n  header:\n    X-Key: abc\nid: x\n",
                "credentials:\n  header:\n    X-Key: ***\nid: x\n",
            ),
            ("- pfx: AAAA\n  id: x\n", "- pfx: ****\n  id: x\n"),
            (
                "- id: a\n  key: |\n    --BEGIN: x--\n\n    MIIB\n  password: b\nc: d\n",
                "- id: a\n  key: *\n    ******** ***\n\n    ****\n  password: *\nc: d\n",
            ),
            ("name: plain\n", "name: plain\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }
}
