//! The one spelling of a request path: what is matched is what is forwarded.
//!
//! The rule, in the order in which it is applied:
//! 1. The path begins with `/` and has at most [`PATH_BYTES_MAX`] bytes, before and after.
//! 2. Refused as they stand: control bytes, space, DEL, `\`, `?`, `#`.
//! 3. Refused as escapes: `/`, `\`, NUL and every other control byte; and any `%` that is not
//!    followed by two hexadecimal digits.
//! 4. An escape of an unreserved character (letter, digit, `-`, `.`, `_`, `~`) becomes that
//!    character (RFC 3986 6.2.2.2). It is done once: `%2561` stays `%2561`.
//! 5. Every other escape stays, its digits in upper case (RFC 3986 6.2.2.1).
//! 6. Every other byte that RFC 3986 does not allow in a path is escaped.
//! 7. Runs of `/` become one. A `/` at the end stays.
//! 8. A segment `.` or `..` that is there now is refused, also with parameters (`..;x`), because
//!    some backends cut those off first. Well-behaved clients remove dot segments themselves.
//! 9. All bytes together, escapes undone, are UTF-8. Overlong forms of `/` are not.
//!
//! Doing it twice changes nothing.

use std::borrow::Cow;
use std::cmp::Ordering;

use percent_encoding::percent_decode;

/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// Paths of the gateway's own, which never come to an API: load balancers ask there how it is, as
/// they do of API Management's gateway.
pub const OWN_PATHS: [&str; 2] = ["/status-0123456789abcdef", "/internal-status-0123456789abcdef"];

/// Why a path is refused. Offsets are in bytes of the path as it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathFault {
    /// It does not begin with `/`.
    #[error("the path does not begin with `/`")]
    Relative,
    /// It is longer than [`PATH_BYTES_MAX`]; the answer is 414 instead of 400.
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A byte that may not stand in a path.
    #[error("the byte at {at} may not stand in a path")]
    Byte {
        /// Where.
        at: usize,
    },
    /// A `%` without two hexadecimal digits after it.
    #[error("the escape at {at} is not `%` and two hexadecimal digits")]
    Escape {
        /// Where.
        at: usize,
    },
    /// An escaped slash, backslash or control byte.
    #[error("the escape at {at} hides a slash, a backslash or a control byte")]
    Hidden {
        /// Where.
        at: usize,
    },
    /// A segment `.` or `..`.
    #[error("the path has a `.` or `..` segment")]
    Dots,
    /// Not UTF-8 once the escapes are undone.
    #[error("the path is not UTF-8 once its escapes are undone")]
    Encoding,
}

impl PathFault {
    /// A short word for logs and metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Relative => "path_relative",
            Self::TooLong => "path_too_long",
            Self::Byte { .. } => "path_byte",
            Self::Escape { .. } => "path_escape",
            Self::Hidden { .. } => "path_hidden",
            Self::Dots => "path_dots",
            Self::Encoding => "path_encoding",
        }
    }
}

/// The canonical spelling of `raw`, the path of a request without its query. Borrowed, and made
/// without allocation, where `raw` is canonical already.
pub fn canonical(raw: &[u8]) -> Result<Cow<'_, str>, PathFault> {
    if raw.first() != Some(&b'/') {
        return Err(PathFault::Relative);
    }
    let (spelled, may_have_dots) = spell_noting_dots(raw)?;
    if may_have_dots && spelled.split('/').any(is_dots) {
        return Err(PathFault::Dots);
    }
    Ok(spelled)
}

/// Rules 1 to 7 and 9, for any part of a path.
pub(super) fn spell(raw: &[u8]) -> Result<Cow<'_, str>, PathFault> {
    spell_noting_dots(raw).map(|(spelled, _)| spelled)
}

/// The same; also whether a segment after a `/` may begin with a dot.
fn spell_noting_dots(raw: &[u8]) -> Result<(Cow<'_, str>, bool), PathFault> {
    if PATH_BYTES_MAX < raw.len() {
        return Err(PathFault::TooLong);
    }
    let mut may_have_dots = false;
    let mut draft = Draft { raw, written: None, taken: 0 };
    let mut at = 0;
    let mut after_slash = false;
    let mut is_wide = false;
    while let Some(&byte) = raw.get(at) {
        if is_ordinary(byte) {
            after_slash = false;
            at += 1;
            continue;
        }
        let slash = byte == b'/';
        match class(byte) {
            Class::Plain => {
                // Plain and not ordinary: a slash.
                if after_slash {
                    draft.replace(at, 1, &[]);
                }
                may_have_dots |= matches!(raw.get(at + 1), Some(b'.' | b'%'));
            }
            Class::Refused => return Err(PathFault::Byte { at }),
            Class::Raw => {
                is_wide |= !byte.is_ascii();
                draft.replace(at, 1, &escape(byte));
            }
            Class::Percent => {
                let value = unescape(raw, at).ok_or(PathFault::Escape { at })?;
                if value.is_ascii_control() || value == b'/' || value == b'\\' {
                    return Err(PathFault::Hidden { at });
                }
                is_wide |= !value.is_ascii();
                if is_unreserved(value) {
                    draft.replace(at, 3, &[value]);
                } else {
                    draft.replace(at, 3, &escape(value));
                }
                at += 2;
            }
        }
        after_slash = slash;
        at += 1;
    }
    let spelled = draft.finish().ok_or(PathFault::Encoding)?;
    if PATH_BYTES_MAX < spelled.len() {
        return Err(PathFault::TooLong);
    }
    if is_wide && percent_decode(spelled.as_bytes()).decode_utf8().is_err() {
        return Err(PathFault::Encoding);
    }
    Ok((spelled, may_have_dots))
}

/// Whether `segment`, spelled canonically, would be taken for `.` or `..` somewhere.
pub(super) fn is_dots(segment: &str) -> bool {
    if !segment.starts_with('.') {
        return false;
    }
    let name = segment.split(';').next().unwrap_or(segment);
    let name = name.split("%3B").next().unwrap_or(name);
    matches!(name, "." | "..")
}

/// What `text`, a canonical part of a path, says once its escapes are undone.
pub(super) fn decoded(text: &str) -> String {
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

/// The order of `known`, which is in lower case, and `text` in any case.
pub(super) fn compare_folded(known: &str, text: &str) -> Ordering {
    known.bytes().cmp(text.bytes().map(|byte| byte.to_ascii_lowercase()))
}

enum Class {
    Plain,
    Percent,
    Raw,
    Refused,
}

const fn class(byte: u8) -> Class {
    match byte {
        b'/' | b'!' | b'$' | b'&'..=b',' | b';' | b'=' | b':' | b'@' => Class::Plain,
        _ if is_unreserved(byte) => Class::Plain,
        b'%' => Class::Percent,
        0..=b' ' | 0x7f | b'\\' | b'?' | b'#' => Class::Refused,
        _ => Class::Raw,
    }
}

/// Whether `byte` stands for itself wherever it stands.
fn is_ordinary(byte: u8) -> bool {
    ORDINARY.get(usize::from(byte)).copied().unwrap_or_default()
}

const ORDINARY: [bool; 256] = ordinary();

#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "the compiler runs this")]
const fn ordinary() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte != b'/' && matches!(class(byte), Class::Plain);
        byte += 1;
    }
    table
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The byte that the escape at `at` stands for.
fn unescape(raw: &[u8], at: usize) -> Option<u8> {
    let digit = |offset: usize| {
        let digit = char::from(*raw.get(at + offset)?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    Some(digit(1)? * 16 + digit(2)?)
}

fn escape(byte: u8) -> [u8; 3] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
    [b'%', digit(byte / 16), digit(byte % 16)]
}

/// `raw` being copied from the first difference on.
struct Draft<'r> {
    raw: &'r [u8],
    written: Option<Vec<u8>>,
    /// How much of `raw` the written part stands for.
    taken: usize,
}

impl<'r> Draft<'r> {
    /// Writes `new` for the `length` bytes at `at`, unless they are the same.
    fn replace(&mut self, at: usize, length: usize, new: &[u8]) {
        if self.raw.get(at..at + length) == Some(new) {
            return;
        }
        let written = self.written.get_or_insert_with(|| Vec::with_capacity(self.raw.len()));
        written.extend_from_slice(self.raw.get(self.taken..at).unwrap_or_default());
        written.extend_from_slice(new);
        self.taken = at + length;
    }

    fn finish(self) -> Option<Cow<'r, str>> {
        match self.written {
            None => std::str::from_utf8(self.raw).ok().map(Cow::Borrowed),
            Some(mut written) => {
                written.extend_from_slice(self.raw.get(self.taken..).unwrap_or_default());
                String::from_utf8(written).ok().map(Cow::Owned)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spelled(raw: &str) -> Result<String, PathFault> {
        canonical(raw.as_bytes()).map(Cow::into_owned)
    }

    #[test]
    fn a_canonical_path_is_borrowed() {
        for path in ["/", "/orders/17", "/.well-known/x", "/a%20b;c=1/", "/a...b/.../$x(1)"] {
            let found = canonical(path.as_bytes()).unwrap();
            assert!(matches!(found, Cow::Borrowed(_)), "{path}");
            assert_eq!(found, path);
        }
    }

    #[test]
    fn every_disguise_of_a_path_is_taken_off_or_refused() {
        let hidden = |at| Err(PathFault::Hidden { at });
        let cases = [
            ("/%61dmin", Ok("/admin")),
            ("//admin", Ok("/admin")),
            ("/admin///x//", Ok("/admin/x/")),
            ("/admin;x=1", Ok("/admin;x=1")),
            ("/%7euser/%2d", Ok("/~user/-")),
            ("/a%2cb%c3%a9", Ok("/a%2Cb%C3%A9")),
            ("/é{x}\"", Ok("/%C3%A9%7Bx%7D%22")),
            ("/%2561dmin", Ok("/%2561dmin")),
            ("/pub/../admin", Err(PathFault::Dots)),
            ("/pub/%2e%2e/admin", Err(PathFault::Dots)),
            ("/pub/.%2E", Err(PathFault::Dots)),
            ("/./admin", Err(PathFault::Dots)),
            ("//../admin", Err(PathFault::Dots)),
            ("/a//%2e", Err(PathFault::Dots)),
            ("/pub/..;x/admin", Err(PathFault::Dots)),
            ("/pub/..%3bx/admin", Err(PathFault::Dots)),
            ("/pub/%2e%2e%2fadmin", hidden(11)),
            ("/pub%2f..%2fadmin", hidden(4)),
            ("/admin%2F", hidden(6)),
            ("/admin%00", hidden(6)),
            ("/a%0d%0ab", hidden(2)),
            ("/a%5cb", hidden(2)),
            ("/a%7f", hidden(2)),
            ("/pub\\..\\admin", Err(PathFault::Byte { at: 4 })),
            ("/a b", Err(PathFault::Byte { at: 2 })),
            ("/a\u{1}", Err(PathFault::Byte { at: 2 })),
            ("/a#b", Err(PathFault::Byte { at: 2 })),
            ("/a?b", Err(PathFault::Byte { at: 2 })),
            ("/a%zz", Err(PathFault::Escape { at: 2 })),
            ("/a%4", Err(PathFault::Escape { at: 2 })),
            ("/a%", Err(PathFault::Escape { at: 2 })),
            ("/a%+1", Err(PathFault::Escape { at: 2 })),
            ("/%c0%af", Err(PathFault::Encoding)),
            ("/%e9", Err(PathFault::Encoding)),
            ("foo", Err(PathFault::Relative)),
            ("*", Err(PathFault::Relative)),
            ("", Err(PathFault::Relative)),
        ];
        for (raw, expected) in cases {
            assert_eq!(spelled(raw), expected.map(str::to_owned), "{raw}");
        }
    }

    #[test]
    fn a_path_is_bounded_before_and_after() {
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX - 1));
        assert_eq!(spelled(&long).as_deref(), Ok(long.as_str()));
        assert_eq!(spelled(&format!("{long}a")), Err(PathFault::TooLong));
        let grows = format!("/{}", "é".repeat(PATH_BYTES_MAX / 4));
        assert_eq!(spelled(&grows), Err(PathFault::TooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_are_spelled_once_and_for_all(
            raw in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(once) = canonical(&raw) {
                prop_assert_eq!(canonical(once.as_bytes()), Ok(once.clone()));
            }
        }

        #[test]
        fn tricky_paths_are_spelled_once_and_for_all(
            raw in "/(%2[efEF5]|%[46]1|%c3%a9|[./;%aé])*",
        ) {
            if let Ok(once) = canonical(raw.as_bytes()) {
                prop_assert_eq!(canonical(once.as_bytes()), Ok(once.clone()));
                prop_assert!(!once.contains("//"));
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
