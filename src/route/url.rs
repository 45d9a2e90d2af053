//! The query of a URL as an ordered multimap that leaves alone what it is not asked about.
//!
//! A query is parameters with `&` between them; a parameter is a name, `=` and a value, or a name
//! alone, whose value is empty. On reading, `+` is a space and escapes are undone (what forms send
//! and .NET reads); an escape that is none stays as it is, and what is not UTF-8 becomes U+FFFD.
//! On writing, everything but unreserved characters is escaped, a space as `%20`. Names compare
//! without ASCII case, as they do for APIM's routing.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Everything but RFC 3986's unreserved characters.
pub(super) const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a query is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QueryFault {
    /// It is longer than [`QUERY_BYTES_MAX`]; the answer is 414 instead of 400.
    #[error("the query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// A control byte, a space or `#`.
    #[error("the byte at {at} may not stand in a query")]
    Byte {
        /// Where, in bytes.
        at: usize,
    },
    /// It is not UTF-8.
    #[error("the query is not UTF-8")]
    Encoding,
}

impl QueryFault {
    /// A short word for logs and metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::TooLong => "query_too_long",
            Self::Byte { .. } => "query_byte",
            Self::Encoding => "query_encoding",
        }
    }
}

/// The query of a request, without `?`, if it is fit to be read and forwarded as it stands.
pub fn checked(raw: &[u8]) -> Result<&str, QueryFault> {
    if QUERY_BYTES_MAX < raw.len() {
        return Err(QueryFault::TooLong);
    }
    let is_wrong = |byte: &u8| byte.is_ascii_control() || matches!(byte, b' ' | b'#');
    match raw.iter().position(is_wrong) {
        Some(at) => Err(QueryFault::Byte { at }),
        None => std::str::from_utf8(raw).map_err(|_| QueryFault::Encoding),
    }
}

/// The parameters of `query` in their order, decoded.
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    parts(query).map(|part| {
        let (name, value) = halves(part);
        (decoded(name), decoded(value))
    })
}

/// The values of the parameter `name` of `query` in their order, decoded.
pub fn values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = Cow<'q, str>> {
    parts(query).filter(move |part| is_named(part, name)).map(|part| decoded(halves(part).1))
}

/// A query that can be changed. What is not touched is printed as it was read, byte for byte.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// What stands between the `&`s, as it is written.
    parts: Vec<Box<str>>,
}

impl Query {
    /// Reads a query, without `?`. Any text is one.
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        Self { parts: text.split('&').map(Box::from).collect() }
    }

    /// Whether nothing is left to print.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parameters in their order, decoded.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.parts.iter().filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = halves(part);
            (decoded(name), decoded(value))
        })
    }

    /// The values of the parameter `name` in their order, decoded.
    pub fn values(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        let found = self.parts.iter().filter(move |part| is_named(part, name));
        found.map(|part| decoded(halves(part).1))
    }

    /// Whether the parameter `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.parts.iter().any(|part| is_named(part, name))
    }

    /// Gives the parameter `name` exactly these values, where its first one stood, or at the end.
    pub fn set<V: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = V>) {
        let at = self.parts.iter().position(|part| is_named(part, name));
        let at = at.unwrap_or(self.parts.len());
        self.remove(name);
        let new = values.into_iter().map(|value| written(name, value.as_ref()));
        self.parts.splice(at..at, new);
    }

    /// Adds a value to the parameter `name`, at the end.
    pub fn append(&mut self, name: &str, value: &str) {
        self.parts.push(written(name, value));
    }

    /// Takes out all values of the parameter `name`; says whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.parts.len();
        self.parts.retain(|part| !is_named(part, name));
        self.parts.len() < before
    }

    /// Adds the parameters of `query` that `keep` wants by their names, as they are written.
    pub fn extend(&mut self, query: &str, mut keep: impl FnMut(&str) -> bool) {
        let kept = parts(query).filter(|part| keep(&decoded(halves(part).0)));
        self.parts.extend(kept.map(Box::from));
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if 0 < index {
                formatter.write_str("&")?;
            }
            formatter.write_str(part)?;
        }
        Ok(())
    }
}

fn parts(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|part| !part.is_empty())
}

fn halves(part: &str) -> (&str, &str) {
    part.split_once('=').unwrap_or((part, ""))
}

fn is_named(part: &str, name: &str) -> bool {
    !part.is_empty() && decoded(halves(part).0).eq_ignore_ascii_case(name)
}

/// What `text`, a name or a value as it is written, says.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

fn written(name: &str, value: &str) -> Box<str> {
    let name = utf8_percent_encode(name, RESERVED);
    let value = utf8_percent_encode(value, RESERVED);
    format!("{name}={value}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(query: &Query, name: &str) -> Vec<String> {
        query.values(name).map(Cow::into_owned).collect()
    }

    #[test]
    fn values_are_decoded_in_order() {
        let query = Query::parse("a=1&B=x+y&a=%c3%a9&c&=z&a=%zz&&d=%ff");
        assert_eq!(of(&query, "a"), ["1", "é", "%zz"]);
        assert_eq!(of(&query, "b"), ["x y"]);
        assert_eq!(of(&query, "c"), [""]);
        assert_eq!(of(&query, ""), ["z"]);
        assert_eq!(of(&query, "d"), ["\u{fffd}"]);
        assert_eq!(of(&query, "e"), Vec::<String>::new());
        assert_eq!(values("x=1&%58=2", "x").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn what_is_not_touched_is_printed_as_it_was() {
        let mut query = Query::parse("a=%7e&&key=1&b=+&KEY=2&c");
        assert!(query.remove("Key"));
        assert!(!query.remove("key"));
        assert_eq!(query.to_string(), "a=%7e&&b=+&c");
        query.set("b", ["1", "ü &"]);
        query.append("n=", "\r\n");
        assert_eq!(query.to_string(), "a=%7e&&b=1&b=%C3%BC%20%26&c&n%3D=%0D%0A");
        query.set("z", ["9"]);
        query.set::<&str>("b", []);
        assert_eq!(query.to_string(), "a=%7e&&c&n%3D=%0D%0A&z=9");
    }

    #[test]
    fn parameters_are_carried_over_as_they_are_written() {
        let mut query = Query::parse("x=1");
        query.extend("a=%7E&%62=2&c", |name| name != "b");
        assert_eq!(query.to_string(), "x=1&a=%7E&c");
    }

    #[test]
    fn a_query_with_a_control_byte_is_refused() {
        assert_eq!(checked(b"a=b&c"), Ok("a=b&c"));
        assert_eq!(checked(b"a=\r\n"), Err(QueryFault::Byte { at: 2 }));
        assert_eq!(checked(b"a b"), Err(QueryFault::Byte { at: 1 }));
        assert_eq!(checked(b"a#b"), Err(QueryFault::Byte { at: 1 }));
        assert_eq!(checked(b"\xff"), Err(QueryFault::Encoding));
        assert_eq!(checked(&[b'a'; QUERY_BYTES_MAX + 1]), Err(QueryFault::TooLong));
    }

    proptest! {
        #[test]
        fn a_query_prints_as_it_was_read(text in "[a&=%+é2]{0,20}") {
            prop_assert_eq!(Query::parse(&text).to_string(), text);
        }

        #[test]
        fn what_is_set_is_found_again(
            text in "[ab&=%+]{0,12}",
            name in any::<String>(),
            value in any::<String>(),
        ) {
            let mut query = Query::parse(&text);
            query.set(&name, [&value]);
            let again = Query::parse(&query.to_string());
            prop_assert_eq!(of(&again, &name), [value]);
        }
    }
}
