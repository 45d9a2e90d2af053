//! The name of a gateway, as tokens carry it.

use std::fmt;
use std::sync::Arc;

/// The longest name, in characters, as in API Management.
pub const NAME_CHARACTERS_MAX: usize = 80;

/// The name of a gateway: letters, digits, `-`, `_` and `.`, a letter or a digit first. So it has
/// one spelling in tokens, file names, logs and keys of etcd, and never an `&`, which parts the
/// token.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GatewayName(Arc<str>);

/// Why a text cannot be the name of a gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Nothing, or too much.
    #[error("a gateway's name has 1 to {NAME_CHARACTERS_MAX} characters, not {0}")]
    Length(usize),
    /// Another character than those it may have.
    #[error(
        "a gateway's name has letters (A to Z, without accents), digits, `-`, `_` and `.`, not {0:?}"
    )]
    Character(char),
    /// Another beginning.
    #[error("a gateway's name begins with a letter or a digit, not with {0:?}")]
    Beginning(char),
}

impl GatewayName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(other) = text.chars().find(|character| !is_part(character)) {
            return Err(Unfit::Character(other));
        }
        if text.is_empty() || NAME_CHARACTERS_MAX < text.len() {
            return Err(Unfit::Length(text.len()));
        }
        match text.chars().next().filter(|first| !first.is_ascii_alphanumeric()) {
            Some(first) => Err(Unfit::Beginning(first)),
            None => Ok(Self(Arc::from(text))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GatewayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_every_place_can_hold() {
        for right in ["berlin", "a", "7", "Eu-West_1.b", &"n".repeat(NAME_CHARACTERS_MAX)] {
            assert_eq!(GatewayName::parse(right).unwrap().as_str(), right);
        }
        for (text, why) in [
            ("", Unfit::Length(0)),
            (&*"n".repeat(81), Unfit::Length(81)),
            ("a&b", Unfit::Character('&')),
            ("a b", Unfit::Character(' ')),
            ("a\n", Unfit::Character('\n')),
            ("a\0", Unfit::Character('\0')),
            ("köln", Unfit::Character('ö')),
            ("a/b", Unfit::Character('/')),
            ("..", Unfit::Beginning('.')),
            ("-new", Unfit::Beginning('-')),
        ] {
            assert_eq!(GatewayName::parse(text), Err(why), "{text:?}");
        }
    }
}
