//! `System.Char`.

use crate::expression::value::key::fold_char;

/// `char.ToUpperInvariant(character)`.
pub fn to_upper(character: char) -> char {
    fold_char(character)
}

/// `char.ToLowerInvariant(character)`.
pub fn to_lower(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// `char.IsDigit(character)`: decimal digits; of those outside ASCII the usual scripts'.
pub fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
        || matches!(
            character,
            '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' | '\u{966}'..='\u{96f}' | '\u{ff10}'..='\u{ff19}'
        )
}

/// `char.IsLetter(character)`.
pub fn is_letter(character: char) -> bool {
    character.is_alphabetic()
}

/// `char.IsLetterOrDigit(character)`.
pub fn is_letter_or_digit(character: char) -> bool {
    is_letter(character) || is_digit(character)
}

/// `char.IsNumber(character)`.
pub fn is_number(character: char) -> bool {
    character.is_numeric()
}

/// `char.IsUpper(character)`.
pub fn is_upper(character: char) -> bool {
    character.is_uppercase()
}

/// `char.IsLower(character)`.
pub fn is_lower(character: char) -> bool {
    character.is_lowercase()
}

/// `char.IsWhiteSpace(character)`.
pub fn is_white_space(character: char) -> bool {
    character.is_whitespace()
}

/// `char.IsControl(character)`.
pub fn is_control(character: char) -> bool {
    character.is_control()
}

/// `char.IsPunctuation(character)`: in ASCII, and the general punctuation outside.
pub fn is_punctuation(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_punctuation()
            && !matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(
        character,
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
    )
}

/// `char.IsSeparator(character)`: spaces, and what ends a line or a paragraph; no tab.
pub fn is_separator(character: char) -> bool {
    character.is_whitespace() && !character.is_control()
}

/// `char.IsSymbol(character)` in ASCII.
pub fn is_symbol(character: char) -> bool {
    matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
}

/// `char.GetNumericValue(character)`; -1 if it has none.
pub fn numeric_value(character: char) -> f64 {
    character.to_digit(10).map_or(-1.0, f64::from)
}
