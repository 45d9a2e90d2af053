//! Values and fragments for policies, as they are written.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::yaml::{Block, Placed, Plain};

/// A text that may be a secret: the text itself, or where to find it.
pub type SecretValue = Plain<ValueSource>;

/// Where to find a text; one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueSource {
    /// A variable of the environment.
    pub env: Option<Placed<String>>,
    /// Path of a file: absolute, or relative to the configuration folder. A line end at its end
    /// does not count.
    pub file: Option<Placed<String>>,
    /// A secret of a store that Dapr's sidecar knows.
    pub dapr: Option<StoreSecret>,
}

/// A secret of a store that Dapr's sidecar knows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreSecret {
    /// The component that is the store.
    pub store: Placed<String>,
    /// The secret in it.
    pub name: Placed<String>,
    /// Which of its items; if not set, the one that is called like the secret, or its only one.
    pub key: Option<Placed<String>>,
}

/// Where a secret of a store is, as a configuration refers to it wherever it travels:
/// `dapr://STORE/NAME#KEY`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held<'a> {
    /// The store.
    pub store: &'a str,
    /// The secret.
    pub name: &'a str,
    /// Which of its items.
    pub key: Option<&'a str>,
}

/// How the reference to a secret of a store begins.
const HELD: &str = "dapr://";

/// A value that policies take in with `{{name}}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedValue {
    /// The name.
    pub name: Placed<String>,
    /// The text, or where to find it.
    pub value: SecretValue,
    /// Whether the text must never be shown. One from the environment, a file or a store never is.
    #[serde(default)]
    pub secret: bool,
}

impl StoreSecret {
    /// What the configuration refers to it by.
    pub fn reference(&self) -> String {
        let key = self.key.as_ref().map(|key| key.value.as_str());
        Held { store: &self.store.value, name: &self.name.value, key }.to_string()
    }
}

impl<'a> Held<'a> {
    /// The secret that `path` refers to; `None` if it is that of a file.
    pub fn of(path: &'a str) -> Option<Self> {
        let (store, rest) = path.strip_prefix(HELD)?.split_once('/')?;
        let (name, key) = rest.rsplit_once('#')?;
        Some(Self { store, name, key: Some(key).filter(|key| !key.is_empty()) })
    }
}

impl fmt::Display for Held<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, name, key } = self;
        write!(formatter, "{HELD}{store}/{name}#{}", key.unwrap_or_default())
    }
}

/// A piece of policy for `include-fragment`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fragment {
    /// Names the fragment.
    pub id: Placed<String>,
    /// The fragment: XML inline, or the path of its file.
    pub policy: Block,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_a_store_is_told_from_a_file() {
        for (path, held) in [
            ("dapr://vault/db#", Some(("vault", "db", None))),
            ("dapr://vault/a/b#password", Some(("vault", "a/b", Some("password")))),
            ("dapr://vault/db", None),
            ("secrets/db", None),
        ] {
            let found = Held::of(path);
            assert_eq!(found.map(|it| (it.store, it.name, it.key)), held, "{path}");
            assert!(found.is_none_or(|it| it.to_string() == path));
        }
    }
}
