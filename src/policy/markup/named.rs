//! Named values: what `{{name}}` in a document stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::fault::nearest;

/// The longest name of a named value, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What one name stands for. Does not print a secret.
#[derive(Clone, Eq, PartialEq)]
pub struct NamedValue {
    value: Arc<str>,
    secret: bool,
}

/// The named values that documents may refer to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NamedValues {
    known: BTreeMap<Arc<str>, NamedValue>,
    assume: bool,
}

impl NamedValue {
    /// A value that anyone may see.
    pub fn plain(value: impl Into<Arc<str>>) -> Self {
        Self { value: value.into(), secret: false }
    }

    /// A value that is never shown: texts made with it say so.
    pub fn secret(value: impl Into<Arc<str>>) -> Self {
        Self { value: value.into(), secret: true }
    }

    /// The value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it must not be shown.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Debug for NamedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: &dyn fmt::Debug = if self.secret { &"(secret)" } else { &self.value };
        formatter.debug_tuple("NamedValue").field(shown).finish()
    }
}

impl NamedValues {
    /// No named values are known, and each that is asked for is taken to exist: for documents that
    /// are checked without the configuration they belong to.
    pub fn assumed() -> Self {
        Self { known: BTreeMap::new(), assume: true }
    }

    /// The same, and each that is not known is taken to exist.
    #[must_use]
    pub fn assuming(&self) -> Self {
        Self { known: self.known.clone(), assume: true }
    }

    /// Remembers what `name` stands for.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: NamedValue) {
        self.known.insert(name.into(), value);
    }

    /// What `name` stands for.
    pub fn find(&self, name: &str) -> Option<&NamedValue> {
        self.known.get(name)
    }

    /// Whether a name that is not known is taken to exist.
    pub const fn assumes(&self) -> bool {
        self.assume
    }

    /// The known name that `name` was probably meant to be.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.known.keys().map(AsRef::as_ref))
    }
}

/// The name in `text`, which starts with `{{`, if that is a reference to a named value.
pub(super) fn reference(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("{{")?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let length = rest.bytes().take(NAME_BYTES_MAX + 1).take_while(is_name).count();
    let (name, after) = rest.split_at_checked(length)?;
    (length > 0 && length <= NAME_BYTES_MAX && after.starts_with("}}")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_between_braces_is_a_reference() {
        assert_eq!(reference("{{tenant-id}} x"), Some("tenant-id"));
        assert_eq!(reference("{{a.b_C9}}"), Some("a.b_C9"));
        for other in ["{{}}", "{{ a }}", "{{a b}}", "{{a}", "{{\"a\", 1}}", "{{{a}}}", "{a}"] {
            assert_eq!(reference(other), None, "{other}");
        }
        let long = format!("{{{{{}}}}}", "n".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(reference(&long), None);
    }

    #[test]
    fn a_secret_does_not_print() {
        let mut names = NamedValues::default();
        names.insert("key", NamedValue::secret("hunter2"));
        assert!(!format!("{names:?}").contains("hunter2"));
    }
}
