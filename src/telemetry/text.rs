//! Text from outside in lines for people: on one line, without what a terminal obeys, and without
//! tokens.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::exchange::secrets::HIDDEN;

/// How every JSON Web Token begins: `{"` in base64.
const TOKEN_BEGIN: &str = "eyJ";
/// The shortest first part of one, in bytes: `{"alg":"a"}` has more.
const TOKEN_BYTES_MIN: usize = 12;

/// Adds `name=value` to a line for people.
pub fn pair(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(&plain(name));
    out.push('=');
    out.push_str(&plain(value));
}

/// `value` on one line: quoted where it has spaces, and without control characters.
pub fn plain(value: &str) -> Cow<'_, str> {
    let clean = |character: char| !is_unsafe(character) && character != ' ' && character != '"';
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if value.bytes().all(is_plain) || value.chars().all(clean) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("{value:?}"))
    }
}

/// Whether a character would end a line, or tell a terminal something.
fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// `text` with escapes in place of characters that would end a line or tell a terminal something.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            // A string takes all.
            let _ = write!(out, "{}", character.escape_debug());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// `text` with a mark in place of what looks like a JSON Web Token, or a part of one.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    // Nearly all texts are without, and this is said sooner of one byte than of three.
    if !text.as_bytes().contains(&b'J') {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(TOKEN_BEGIN) {
        let (before, found) = rest.split_at(at);
        let token = token_bytes(found);
        let (token, after) = found.split_at(token.unwrap_or(TOKEN_BEGIN.len()));
        out.push_str(before);
        out.push_str(if token.len() == TOKEN_BEGIN.len() { token } else { HIDDEN });
        rest = after;
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) }
}

/// How long the token is that `text` begins with, if it is one.
fn token_bytes(text: &str) -> Option<usize> {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let first = text.bytes().take_while(|byte| is_of_token(*byte)).count();
    if first < TOKEN_BYTES_MIN {
        return None;
    }
    Some(text.bytes().take_while(|byte| is_of_token(*byte) || *byte == b'.').count())
}

/// At most `characters_max` of `text`.
pub fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn text_stays_on_its_line() {
        assert_eq!(plain("a\nb"), r#""a\nb""#);
        assert_eq!(plain("a"), "a");
        assert_eq!(escaped("a\r\n\u{1b}[2J\u{2028}é b"), r"a\r\n\u{1b}[2J\u{2028}é b");
        assert!(matches!(escaped("as it is"), Cow::Borrowed(_)));
    }

    #[test]
    fn tokens_are_covered_whole_or_cut_off() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        assert_eq!(without_tokens(&format!("Bearer {token}, x")), "Bearer (secret), x");
        assert_eq!(without_tokens(&format!("{token} {token}")), "(secret) (secret)");
        assert_eq!(without_tokens(r#"{"a":"eyJhbGciOiJIUzI1N"}"#), r#"{"a":"(secret)"}"#);
        for other in ["eyJ", "eyJoin me.", "no token"] {
            assert_eq!(without_tokens(other), other);
        }
    }
}
