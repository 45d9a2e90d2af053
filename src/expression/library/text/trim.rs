//! `Trim` and its like.

/// `text.Trim(characters)`; without any, white space.
pub fn trim<'t>(text: &'t str, characters: &[char]) -> &'t str {
    trim_end(trim_start(text, characters), characters)
}

/// `text.TrimStart(characters)`; without any, white space.
pub fn trim_start<'t>(text: &'t str, characters: &[char]) -> &'t str {
    if characters.is_empty() { text.trim_start() } else { text.trim_start_matches(characters) }
}

/// `text.TrimEnd(characters)`; without any, white space.
pub fn trim_end<'t>(text: &'t str, characters: &[char]) -> &'t str {
    if characters.is_empty() { text.trim_end() } else { text.trim_end_matches(characters) }
}
