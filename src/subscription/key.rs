//! Where a request carries its subscription key.
//!
//! The header field comes first, and the query parameter counts only where the field is absent.
//! An empty one counts as absent. Nothing is guessed where a client contradicts itself: two header
//! lines, two parameters, or a field and a parameter that differ are no key.
//!
//! What goes to the backend carries neither: the parameter is removed from the query, and the
//! header lines that the client sent from the header. Policies see both until then, and a field of
//! that name which a policy has set is the policy's and goes out.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The longest key, in bytes: what APIM allows.
pub const KEY_BYTES_MAX: usize = 256;

/// How the key is called in the requests to an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyNames {
    /// The header field.
    pub header: HeaderName,
    /// The query parameter; compared without ASCII case.
    pub query: Box<str>,
}

impl Default for KeyNames {
    /// APIM's own names.
    fn default() -> Self {
        Self {
            header: HeaderName::from_static("ocp-apim-subscription-key"),
            query: "subscription-key".into(),
        }
    }
}

/// Why what was presented as a key is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRefusal {
    /// It is there more than once.
    #[error("the request carries the key more than once")]
    Repeated,
    /// It stands in the header and, otherwise, in the query.
    #[error("the header and the query carry different keys")]
    Contradiction,
    /// It is longer than [`KEY_BYTES_MAX`].
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    TooLong,
}

/// A key, none, or what is no key.
type MaybeKey<'r> = Result<Option<Cow<'r, [u8]>>, KeyRefusal>;

/// What a request carries where a key is looked for. Does not print the key.
#[derive(Clone)]
pub struct Presented<'r> {
    key: MaybeKey<'r>,
    /// Whether the header field is there, to be removed before the request is forwarded.
    pub is_in_header: bool,
    /// Whether the query parameter is there, to be removed before the request is forwarded.
    pub is_in_query: bool,
}

impl KeyNames {
    /// What a request with `headers` carries, and with these decoded values of the parameter
    /// called [`query`](Self::query), all of them, in any order.
    pub fn presented<'r>(
        &self,
        headers: &'r HeaderMap,
        query: impl IntoIterator<Item = Cow<'r, str>>,
    ) -> Presented<'r> {
        let lines = headers.get_all(&self.header).iter().map(HeaderValue::as_bytes);
        let (is_in_header, header) = only(lines.map(Cow::Borrowed));
        let (is_in_query, query) = only(query.into_iter().map(|value| match value {
            Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
            Cow::Owned(value) => Cow::Owned(value.into_bytes()),
        }));
        let key = match (header, query) {
            (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
            (Ok(Some(header)), Ok(Some(query))) if header != query => {
                Err(KeyRefusal::Contradiction)
            }
            (Ok(header), Ok(query)) => Ok(header.or(query)),
        };
        let key = match key {
            Ok(Some(key)) if KEY_BYTES_MAX < key.len() => Err(KeyRefusal::TooLong),
            key => key,
        };
        Presented { key, is_in_header, is_in_query }
    }
}

impl Presented<'_> {
    /// The key, if there is one.
    pub fn key(&self) -> Result<Option<&[u8]>, KeyRefusal> {
        match &self.key {
            Ok(key) => Ok(key.as_deref()),
            Err(refusal) => Err(*refusal),
        }
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = match &self.key {
            Ok(Some(_)) => "(withheld)",
            Ok(None) => "(none)",
            Err(_) => "(refused)",
        };
        formatter
            .debug_struct("Presented")
            .field("key", &key)
            .field("is_in_header", &self.is_in_header)
            .field("is_in_query", &self.is_in_query)
            .finish()
    }
}

/// Whether there are values, and the only one that is not empty.
fn only<'r>(values: impl IntoIterator<Item = Cow<'r, [u8]>>) -> (bool, MaybeKey<'r>) {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return (false, Ok(None)) };
    if values.next().is_some() {
        return (true, Err(KeyRefusal::Repeated));
    }
    (true, Ok(Some(first).filter(|value| !value.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Result<Option<String>, KeyRefusal>;

    fn presented(header: &[&str], query: &[&str]) -> (Found, bool, bool) {
        let names = KeyNames::default();
        let mut headers = HeaderMap::new();
        for line in header {
            headers.append("Ocp-Apim-Subscription-Key", line.parse().unwrap());
        }
        let query = query.iter().copied().map(Cow::Borrowed);
        let found = names.presented(&headers, query);
        let key = found.key().map(|key| key.map(|key| String::from_utf8(key.to_vec()).unwrap()));
        (key, found.is_in_header, found.is_in_query)
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what may be refused")]
    fn key(key: &str) -> Found {
        Ok(Some(key.to_owned()))
    }

    #[test]
    fn the_header_comes_before_the_query() {
        assert_eq!(presented(&["k"], &[]), (key("k"), true, false));
        assert_eq!(presented(&[], &["k"]), (key("k"), false, true));
        assert_eq!(presented(&["k"], &["k"]), (key("k"), true, true));
        assert_eq!(presented(&[], &[]), (Ok(None), false, false));
    }

    #[test]
    fn a_client_that_contradicts_itself_has_no_key() {
        assert_eq!(presented(&["good", "bad"], &[]).0, Err(KeyRefusal::Repeated));
        assert_eq!(presented(&[], &["a", "b"]).0, Err(KeyRefusal::Repeated));
        assert_eq!(presented(&["k"], &["a", "b"]).0, Err(KeyRefusal::Repeated));
        let (found, is_in_header, is_in_query) = presented(&["k"], &["other"]);
        assert_eq!(found, Err(KeyRefusal::Contradiction));
        assert!(is_in_header && is_in_query);
    }

    #[test]
    fn an_empty_key_is_absent_but_still_removed() {
        assert_eq!(presented(&[""], &[]), (Ok(None), true, false));
        assert_eq!(presented(&[""], &["k"]), (key("k"), true, true));
        assert_eq!(presented(&[], &[""]), (Ok(None), false, true));
    }

    #[test]
    fn a_key_has_a_bound() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        assert_eq!(presented(&[&longest], &[]).0, key(&longest));
        assert_eq!(presented(&[&format!("{longest}k")], &[]).0, Err(KeyRefusal::TooLong));
    }

    #[test]
    fn a_key_does_not_print() {
        let query = [Cow::Borrowed("sesame")];
        let headers = HeaderMap::new();
        let found = KeyNames::default().presented(&headers, query);
        assert!(!format!("{found:?}").contains("sesame"));
    }
}
