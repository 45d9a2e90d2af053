//! Entities: the five of XML and the numeric ones.

/// The longest entity that is looked for, in bytes, with `&` and `;`.
const ENTITY_BYTES_MAX: usize = 12;

/// What an ampersand starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entity {
    /// A character, and how many bytes stand for it.
    Character(char, usize),
    /// A name that XML does not know, so many bytes long with `&` and `;`.
    Unknown(usize),
    /// Nothing: the ampersand is itself.
    None,
}

/// What the ampersand at the start of `text` starts.
pub(super) fn entity(text: &str) -> Entity {
    let window = text.as_bytes().get(1..).unwrap_or_default();
    let found = window.iter().take(ENTITY_BYTES_MAX - 1).position(|byte| *byte == b';');
    let Some((length, name)) = found.and_then(|end| Some((end + 2, text.get(1..=end)?))) else {
        return Entity::None;
    };
    let character = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(numeric),
    };
    match character {
        Some(character) => Entity::Character(character, length),
        None if is_word(name) => Entity::Unknown(length),
        None => Entity::None,
    }
}

fn numeric(digits: &str) -> Option<char> {
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (digits, 10),
    };
    // `from_str_radix` would take a sign.
    let all_digits = digits.chars().all(|digit| digit.is_digit(radix));
    let code = all_digits.then(|| u32::from_str_radix(digits, radix).ok()).flatten()?;
    let character = char::from_u32(code)?;
    let allowed = !character.is_control() || matches!(character, '\t' | '\n' | '\r');
    (allowed || code >= 0x80).then_some(character)
}

fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '#')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_and_the_numeric_ones_are_characters() {
        for (text, character, length) in [
            ("&amp;x", '&', 5),
            ("&lt;", '<', 4),
            ("&gt;", '>', 4),
            ("&quot;", '"', 6),
            ("&apos;", '\'', 6),
            ("&#34;", '"', 5),
            ("&#x1F600;", '😀', 9),
            ("&#10;", '\n', 5),
        ] {
            assert_eq!(entity(text), Entity::Character(character, length), "{text}");
        }
    }

    #[test]
    fn what_xml_does_not_know_is_told_apart_from_a_plain_ampersand() {
        assert_eq!(entity("&nbsp; x"), Entity::Unknown(6));
        assert_eq!(entity("&#0;"), Entity::Unknown(4));
        assert_eq!(entity("&#xD800;"), Entity::Unknown(8));
        assert_eq!(entity("&#+65;"), Entity::None);
        for plain in ["&", "&& b;", "&b=2", "&é;", "&;", "&averyverylongname;"] {
            assert_eq!(entity(plain), Entity::None, "{plain}");
        }
    }
}
