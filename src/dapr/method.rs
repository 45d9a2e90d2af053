//! The path of a method, brought into the one form that the sidecar gives it.
//!
//! A sidecar decodes a path once, takes empty steps and `.` out of it and goes up at `..`, and only
//! then looks at what it is. What it would make of the path is made here, before anybody decides
//! anything by it; but a path that goes up is refused: it leads elsewhere than it reads.

use std::fmt::Write as _;

/// The longest method, in bytes.
pub const METHOD_BYTES_MAX: usize = 8 << 10;

/// Why a text is no path of a method.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoMethod {
    /// There is nothing in it.
    #[error("the method is empty")]
    Empty,
    /// It has a step `..`.
    #[error("the method goes up: `..` stands in it")]
    Up,
    /// Characters that no path has, or a `%` without two digits behind it.
    #[error("the method has a character that no path has: `\\`, `?`, `#`, or a control character")]
    Character,
    /// Too long.
    #[error("the method has more than {METHOD_BYTES_MAX} bytes")]
    TooLong,
    /// A whole URL.
    #[error("the method is a URL; it is the path behind the app")]
    Url,
}

/// The path of the method that `text` says, without a slash in front, percent-encoded where it must
/// be.
pub fn method(text: &str) -> Result<String, NoMethod> {
    if text.contains("://") {
        return Err(NoMethod::Url);
    }
    match steps(text.trim())? {
        path if path.is_empty() => Err(NoMethod::Empty),
        path => Ok(path),
    }
}

/// The path `text` behind that of an app, with a slash in front; or nothing.
pub fn tail(text: &str) -> Result<String, NoMethod> {
    let path = steps(text)?;
    Ok(if path.is_empty() { path } else { format!("/{path}") })
}

fn steps(text: &str) -> Result<String, NoMethod> {
    if METHOD_BYTES_MAX < text.len() {
        return Err(NoMethod::TooLong);
    }
    let decoded = decoded(text)?;
    // Who decodes once more than the sidecar would find another path behind a `%`.
    if decoded.contains(['\\', '?', '#', '%']) || decoded.contains(char::is_control) {
        return Err(NoMethod::Character);
    }
    let mut path = String::with_capacity(text.len());
    for step in decoded.split('/').filter(|step| !matches!(*step, "" | ".")) {
        if step == ".." {
            return Err(NoMethod::Up);
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&encoded(step));
    }
    // A slash at the end says something to some.
    if !path.is_empty() && decoded.ends_with('/') {
        path.push('/');
    }
    Ok(path)
}

/// The text that is percent-encoded, decoded once.
fn decoded(text: &str) -> Result<String, NoMethod> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(NoMethod::Character);
            };
            bytes.extend(u8::try_from(high.saturating_mul(16).saturating_add(low)));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_no_text| NoMethod::Character)
}

/// `text` as a path has it: all but what RFC 3986 lets stand in a path is percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A string takes all.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_what_the_sidecar_would_make_of_it() {
        for (written, made) in [
            ("orders", "orders"),
            ("/api//v1/./orders/", "api/v1/orders/"),
            ("a%2Fb%2e", "a/b."),
            ("a%20b/c d/\u{e9}", "a%20b/c%20d/%C3%A9"),
            ("a/...", "a/..."),
        ] {
            assert_eq!(method(written).unwrap(), made, "{written}");
            assert_eq!(method(made).unwrap(), made, "{written}: the form is the last one");
        }
        assert_eq!(tail("").unwrap(), "");
        assert_eq!(tail("/x//y").unwrap(), "/x/y");
    }

    #[test]
    fn what_leads_elsewhere_is_no_method() {
        for (written, refused) in [
            ("", NoMethod::Empty),
            ("/", NoMethod::Empty),
            ("%2F", NoMethod::Empty),
            ("..", NoMethod::Up),
            ("a/../b", NoMethod::Up),
            ("a/%2e%2E/b", NoMethod::Up),
            ("a%2f..%2fb", NoMethod::Up),
            ("a/.%2e", NoMethod::Up),
            ("a\\b", NoMethod::Character),
            ("a%5Cb", NoMethod::Character),
            ("a?b=1", NoMethod::Character),
            ("a%3Fb", NoMethod::Character),
            ("a#b", NoMethod::Character),
            ("a%", NoMethod::Character),
            ("a%zz", NoMethod::Character),
            ("a%00", NoMethod::Character),
            // Whoever decodes it once more goes up.
            ("x%252f..%252fadmin", NoMethod::Character),
            ("a%ff", NoMethod::Character),
            ("a\r\nb", NoMethod::Character),
            ("http://169.254.169.254/x", NoMethod::Url),
        ] {
            assert_eq!(method(written), Err(refused), "{written}");
        }
        assert_eq!(method(&"a".repeat(METHOD_BYTES_MAX + 1)), Err(NoMethod::TooLong));
        assert_eq!(tail("/a/../../../secrets"), Err(NoMethod::Up));
    }
}
