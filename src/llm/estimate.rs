//! How many tokens a text has, about: without the vocabulary of any model, in one pass.
//!
//! A text is cut where nearly all tokenizers cut it, between letters, digits, spaces and signs,
//! and each run has so many tokens as runs of its length usually have:
//!
//! | run | tokens |
//! |---|---|
//! | letters of Latin scripts; one with a diacritic counts twice | 1 for the first 8, 1 for each 4 more |
//! | digits | 1 for each 3 |
//! | other signs | 1 for each 2 |
//! | spaces | none before a word or sign where it is one; else 1 for each run of up to 16 |
//! | Greek, Cyrillic, Hebrew, Arabic and their neighbours | 1 for each 3 characters |
//! | Chinese, Japanese, Korean, Indic and their neighbours | 1 for each character |
//! | anything else, such as emoji | 2 for each character |

/// How many letters of a word are one token ...
const WORD_LETTERS: u64 = 8;
/// ... and how many of what is longer.
const MORE_LETTERS: u64 = 4;
/// How many digits are one token.
const DIGITS: u64 = 3;
/// How many other signs are one token.
const SIGNS: u64 = 2;
/// How many spaces are one token.
const SPACES: u64 = 16;
/// How many characters of two bytes are one token, where they are no Latin ones.
const CHARACTERS: u64 = 3;

/// What a run is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Class {
    #[default]
    Nothing,
    Letters,
    Digits,
    Signs,
    Spaces,
    Others,
    Each,
    Twice,
}

/// An estimate that grows with its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Of runs that are over.
    tokens: u64,
    class: Class,
    /// How long the run is, in what its class counts.
    run: u64,
}

impl Estimate {
    /// How many tokens `text` has, about.
    pub fn of(text: &[u8]) -> u64 {
        let mut estimate = Self::default();
        estimate.feed(text);
        estimate.tokens()
    }

    /// More of the text, cut anywhere.
    pub fn feed(&mut self, text: &[u8]) {
        for byte in text {
            let (class, length) = match byte {
                b'a'..=b'z' | b'A'..=b'Z' => (Class::Letters, 1),
                b'0'..=b'9' => (Class::Digits, 1),
                b' ' | b'\t' | b'\r' | b'\n' => (Class::Spaces, 1),
                0x00..=0x7f => (Class::Signs, 1),
                // The rest of a character.
                0x80..=0xbf => continue,
                0xc0..=0xcb => (Class::Letters, 2),
                0xcc..=0xdf => (Class::Others, 1),
                0xe0..=0xef => (Class::Each, 1),
                0xf0..=0xff => (Class::Twice, 1),
            };
            if class != self.class {
                self.close(class);
                self.class = class;
            }
            self.run = self.run.saturating_add(length);
        }
    }

    /// What comes next is another text.
    pub fn cut(&mut self) {
        self.close(Class::Nothing);
        self.class = Class::Nothing;
    }

    /// So many tokens more.
    pub const fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// How many tokens it has by now.
    pub fn tokens(&self) -> u64 {
        self.tokens.saturating_add(self.of_run(Class::Nothing))
    }

    fn close(&mut self, next: Class) {
        self.tokens = self.tokens.saturating_add(self.of_run(next));
        self.run = 0;
    }

    /// The tokens of the run, which one of `next` follows.
    fn of_run(&self, next: Class) -> u64 {
        let run = self.run;
        match self.class {
            _ if run == 0 => 0,
            Class::Nothing => 0,
            Class::Letters => {
                1_u64.saturating_add(run.saturating_sub(WORD_LETTERS).div_ceil(MORE_LETTERS))
            }
            Class::Digits => run.div_ceil(DIGITS),
            Class::Signs => run.div_ceil(SIGNS),
            Class::Spaces if run == 1 && !matches!(next, Class::Digits | Class::Nothing) => 0,
            Class::Spaces => run.div_ceil(SPACES),
            Class::Others => run.div_ceil(CHARACTERS),
            Class::Each => run,
            Class::Twice => run.saturating_mul(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_have_about_as_many_tokens_as_models_count() {
        // Beside each what the vocabulary cl100k_base makes of it.
        for (text, tokens) in [
            ("", 0),
            ("Hello, world!", 4),
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("  indented\n", 3),
            ("12345", 2),
            ("日本語", 3),
        ] {
            assert_eq!(Estimate::of(text.as_bytes()), tokens, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_has_as_many_tokens_whatever_its_pieces(text in ".{0,80}", size in 1_usize..9) {
            let mut estimate = Estimate::default();
            text.as_bytes().chunks(size).for_each(|piece| estimate.feed(piece));
            prop_assert_eq!(estimate.tokens(), Estimate::of(text.as_bytes()));
        }

        #[test]
        fn an_estimate_is_never_more_than_two_for_each_character(text in ".{0,80}") {
            let characters = u64::try_from(text.chars().count()).unwrap();
            prop_assert!(Estimate::of(text.as_bytes()) <= characters * 2);
        }
    }
}
