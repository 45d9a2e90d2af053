//! The texts of secret named values, to be covered wherever the gateway says something by itself.
//!
//! Policies know by place what a secret went into, and show nothing of that. This is for what went
//! further: over a variable, a field or a part of a text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What stands where a secret was.
pub const HIDDEN: &str = "(secret)";

/// The shortest text that is looked for, in bytes: one that is shorter is a part of words that have
/// nothing to do with it.
pub const SECRET_BYTES_MIN: usize = 4;

/// What a secret begins with.
type Head = [u8; SECRET_BYTES_MIN];

/// Texts that nothing may show.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<Head, Vec<Arc<str>>>);

impl Secrets {
    /// These, but for those that are shorter than [`SECRET_BYTES_MIN`].
    pub fn new(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut all: BTreeMap<Head, Vec<Arc<str>>> = BTreeMap::new();
        for text in texts {
            let text = text.as_ref().trim();
            if let Some(head) = text.as_bytes().first_chunk() {
                all.entry(*head).or_default().push(Arc::from(text));
            }
        }
        // One may be the beginning of another.
        for alike in all.values_mut() {
            alike.sort_by_key(|text| std::cmp::Reverse(text.len()));
        }
        Self(all)
    }

    /// `text` with [`HIDDEN`] in place of every secret.
    pub fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some((mut at, mut found)) = self.next(text, 0) else { return Cow::Borrowed(text) };
        let (mut covered, mut from) = (String::with_capacity(text.len()), 0);
        loop {
            covered.push_str(text.get(from..at).unwrap_or_default());
            covered.push_str(HIDDEN);
            from = at.saturating_add(found.len());
            match self.next(text, from) {
                Some(next) => (at, found) = next,
                None => break,
            }
        }
        covered.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(covered)
    }

    /// Whether one of them is a part of `text`.
    pub fn are_in(&self, text: &str) -> bool {
        self.next(text, 0).is_some()
    }

    /// The first secret in `text` from the byte `from` on, and where it begins.
    fn next(&self, text: &str, from: usize) -> Option<(usize, &str)> {
        if self.0.is_empty() {
            return None;
        }
        let rest = text.get(from..)?;
        rest.char_indices().find_map(|(at, _)| {
            let here = rest.get(at..)?;
            let alike = self.0.get(here.as_bytes().first_chunk::<SECRET_BYTES_MIN>()?)?;
            let found = alike.iter().find(|secret| here.starts_with(&***secret))?;
            Some((from.saturating_add(at), &**found))
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_covered_and_nothing_else() {
        let secrets = Secrets::new(["hunter2", "hunter2-of-jane", " wörd \n", "abc"]);
        let cover = |text| secrets.cover(text).into_owned();
        assert_eq!(cover("as hunter2 and hunter2-of-jane"), "as (secret) and (secret)");
        assert_eq!(cover("hunter2hunter2"), "(secret)(secret)");
        assert_eq!(cover("éwörd"), "é(secret)");
        assert_eq!(cover("abc, hunte"), "abc, hunte", "too short to be told from other words");
        assert!(matches!(secrets.cover("nothing of it"), Cow::Borrowed(_)));
        assert!(secrets.are_in("a hunter2") && !secrets.are_in("a hunter"));
        assert_eq!(format!("{secrets:?}"), "Secrets");
        assert_eq!(Secrets::default().cover("hunter2"), "hunter2");
    }
}
