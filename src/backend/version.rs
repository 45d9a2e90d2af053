//! Which HTTP a backend is spoken to in.

/// Which HTTP a backend is spoken to in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HttpVersion {
    /// HTTP/1.1.
    One,
    /// HTTP/2, or not at all: over TLS it must agree (ALPN), in the clear it is known to.
    Two,
    /// HTTP/2 where the backend agrees to it while TLS is set up, else HTTP/1.1.
    TwoOrOne,
}

impl HttpVersion {
    /// What is written for it.
    pub const WORDS: [&'static str; 3] = ["1", "2", "2or1"];

    /// The version of that word.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "1" => Some(Self::One),
            "2" => Some(Self::Two),
            "2or1" => Some(Self::TwoOrOne),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_version() {
        assert!(HttpVersion::WORDS.iter().all(|word| HttpVersion::of(word).is_some()));
        assert_eq!(HttpVersion::of("3"), None);
    }
}
