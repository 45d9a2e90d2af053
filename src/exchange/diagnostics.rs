//! What is to be known of exchanges: which of them have a line, and what of fields and bodies stands
//! in it.

use http::HeaderName;

use crate::digest::mixed;
use crate::exchange::Severity;

/// What is logged of the exchanges of an API, or of all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostics {
    /// How many of them.
    pub sampling: Sampling,
    /// Whether those that fail are logged, sampled or not.
    pub always_log_errors: bool,
    /// From which severity on what `trace` policies say is logged.
    pub verbosity: Severity,
    /// Whether the client's address is shown.
    pub log_client_ip: bool,
    /// Between the client and the gateway.
    pub frontend: Side,
    /// Between the gateway and the backend.
    pub backend: Side,
}

/// What is shown of a request and its response.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Side {
    /// Of the request.
    pub request: Shown,
    /// Of the response.
    pub response: Shown,
}

/// What is shown of a message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// These fields.
    pub headers: Vec<HeaderName>,
    /// So many bytes of its body, from its beginning; at most [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
}

/// What part of all: parts of a million.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sampling(u32);

/// The most that is shown of a body, in bytes.
pub const BODY_BYTES_MAX: usize = 8192;
/// The most fields that are shown of a message.
pub const HEADERS_MAX: usize = 64;
/// How much more of a body is kept than is shown, in bytes: what a secret begins with is covered only
/// where its end is seen, too.
const BEYOND_BYTES: usize = 512;

impl Sampling {
    /// All.
    pub const ALL: Self = Self(Self::WHOLE);
    const WHOLE: u32 = 1_000_000;

    /// So many of a hundred: `100`, `12.5`, with four decimals at most.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || 4 < part.len() {
            return None;
        }
        let parts = whole.parse::<u32>().ok()?.checked_mul(10_000)?;
        let part = format!("{part:0<4}").parse::<u32>().ok()?;
        let parts = parts.checked_add(part)?;
        (parts <= Self::WHOLE).then_some(Self(parts))
    }

    /// Whether the exchange with this id is one of them. The same id gets the same answer.
    pub fn has(self, id: u128) -> bool {
        // Ids count up in a way that is not random; mixed, each bit of them counts.
        let mixed = mixed(u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default());
        let place = (u128::from(mixed) * u128::from(Self::WHOLE)) >> 64;
        place < u128::from(self.0)
    }
}

impl Diagnostics {
    /// Whether an exchange has a line.
    pub fn wants(&self, id: u128, is_failed: bool) -> bool {
        (is_failed && self.always_log_errors) || self.sampling.has(id)
    }

    /// Whether it can have one that nobody knows of before its end.
    pub fn may_want(&self, id: u128) -> bool {
        self.wants(id, true)
    }
}

/// The beginning of a body, copied while it passes.
#[derive(Clone, Debug, Default)]
pub struct Excerpt {
    bytes: Vec<u8>,
    shown_max: usize,
}

impl Excerpt {
    /// Of a body of which so many bytes are to be shown.
    pub const fn of(shown_max: usize) -> Self {
        Self { bytes: Vec::new(), shown_max }
    }

    /// Another piece has passed.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.shown_max == 0 {
            return;
        }
        let room = self.shown_max.saturating_add(BEYOND_BYTES).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// The body begins anew.
    pub fn restart(&mut self) {
        self.bytes.clear();
    }

    /// What is to be shown, at most so many bytes, after `cover` has covered secrets in it; none if
    /// nothing has passed.
    pub fn shown(&self, shown_max: usize, cover: impl FnOnce(String) -> String) -> Option<String> {
        if self.bytes.is_empty() || shown_max == 0 {
            return None;
        }
        let text = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            // A character that was cut in two.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(self.bytes.get(..error.valid_up_to())?).unwrap_or_default()
            }
            Err(_binary) => return Some(BINARY.to_owned()),
        };
        let mut text = cover(text.to_owned());
        if shown_max < text.len() {
            text.truncate(text.floor_char_boundary(shown_max));
        }
        Some(text)
    }
}

/// What is shown of a body that is no text.
pub const BINARY: &str = "(binary)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_strictly() {
        let parse = |text| Sampling::parse(text).map(|Sampling(parts)| parts);
        assert_eq!(parse("100"), Some(1_000_000));
        assert_eq!(parse("12.5"), Some(125_000));
        assert_eq!(parse("0.0001"), Some(1));
        for wrong in ["100.1", "101", "-1", "", "1e2", "0.00001", ".5", "5.", "+5"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sampling_takes_about_as_many_as_it_says() {
        let ids =
            (0_u64..100_000).map(|number| u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let sampling = Sampling::parse("10").unwrap();
        let taken = ids.clone().filter(|id| sampling.has(*id)).count();
        assert!((9_000..11_000).contains(&taken), "{taken}");
        assert!(ids.clone().all(|id| Sampling::ALL.has(id)));
        assert!(!ids.clone().any(|id| Sampling(0).has(id)));
    }

    #[test]
    fn an_excerpt_shows_text_and_no_half_of_a_secret() {
        let mut excerpt = Excerpt::of(8);
        excerpt.feed(b"pass=hun");
        excerpt.feed(b"ter2&more");
        let cover = |text: String| text.replace("hunter2", "***");
        assert_eq!(excerpt.shown(8, cover).unwrap(), "pass=***");
        let mut cut = Excerpt::of(600);
        cut.feed("ä".repeat(1000).get(..).unwrap().as_bytes());
        assert_eq!(cut.shown(3, |text| text).unwrap(), "ä");
        let mut binary = Excerpt::of(8);
        binary.feed(&[0xff, 0xfe]);
        assert_eq!(binary.shown(8, |text| text).unwrap(), BINARY);
        assert_eq!(Excerpt::of(8).shown(8, |text| text), None);
        let mut unwanted = Excerpt::default();
        unwanted.feed(b"a");
        assert_eq!(unwanted.shown(8, |text| text), None);
    }
}
