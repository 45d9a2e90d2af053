//! `WebUtility.HtmlEncode` and `WebUtility.HtmlDecode`.

use std::fmt::Write as _;

use crate::expression::value::bounded_string;
use crate::expression::value::thrown::Thrown;

/// The longest name of an entity.
const NAME_BYTES_MAX: usize = 16;

/// The entities that are known by name, beside the five of XML.
const ENTITIES: &[(&str, char)] = &[
    ("nbsp", '\u{a0}'),
    ("iexcl", '¡'),
    ("cent", '¢'),
    ("pound", '£'),
    ("curren", '¤'),
    ("yen", '¥'),
    ("sect", '§'),
    ("copy", '©'),
    ("laquo", '«'),
    ("reg", '®'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("micro", 'µ'),
    ("para", '¶'),
    ("middot", '·'),
    ("raquo", '»'),
    ("frac12", '½'),
    ("iquest", '¿'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("auml", 'ä'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("iacute", 'í'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("ouml", 'ö'),
    ("times", '×'),
    ("uacute", 'ú'),
    ("uuml", 'ü'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
];

/// `WebUtility.HtmlEncode(text)`.
pub fn encode(text: &str) -> Result<String, Thrown> {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{a0}'..='\u{ff}' | '\u{10000}'.. => {
                // Writing to a string cannot fail.
                let _ = write!(out, "&#{};", u32::from(character));
            }
            other => out.push(other),
        }
    }
    bounded_string(out.len())?;
    Ok(out)
}

/// `WebUtility.HtmlDecode(text)`; a name that is not known stays as it is.
pub fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let inner = from.get(1..).unwrap_or_default();
        let name = inner.find(';').filter(|end| *end <= NAME_BYTES_MAX);
        let name = name.and_then(|end| inner.get(..end));
        if let Some((name, character)) = name.and_then(|name| Some((name, entity(name)?))) {
            out.push(character);
            rest = inner.get(name.len().saturating_add(1)..).unwrap_or_default();
        } else {
            out.push('&');
            rest = inner;
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(code) = name.strip_prefix('#') {
        let code = match code.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => code.parse().ok()?,
        };
        return char::from_u32(code).filter(|character| *character != '\0');
    }
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        other => {
            ENTITIES.iter().find(|(known, _)| *known == other).map(|(_, character)| *character)
        }
    }
}
