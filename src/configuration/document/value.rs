//! Values and fragments for policies, as they are written.

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
}

/// A value that policies take in with `{{name}}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedValue {
    /// The name.
    pub name: Placed<String>,
    /// The text, or where to find it.
    pub value: SecretValue,
    /// Whether the text must never be shown. One from the environment or a file never is.
    #[serde(default)]
    pub secret: bool,
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
