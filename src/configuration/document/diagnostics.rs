//! What is logged of exchanges, as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::configuration::yaml::Placed;

/// Which exchanges have a line in the log, and what stands in it. It decides instead of the setting
/// `log.access`; that of an API instead of that of all.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Diagnostic {
    /// How many of a hundred exchanges have a line; `100` if nothing is written.
    pub sampling: Option<Placed<Percentage>>,
    /// Whether exchanges that fail have one in any case; true if nothing is written.
    pub always_log_errors: Option<bool>,
    /// From which severity on what `trace` policies say is logged; `information` if nothing is
    /// written.
    #[schemars(extend("enum" = ["error", "information", "verbose"]))]
    pub verbosity: Option<Placed<String>>,
    /// Whether lines show the client's address; false if nothing is written.
    pub log_client_ip: Option<bool>,
    /// Between the client and the gateway.
    pub frontend: Option<DiagnosedSide>,
    /// Between the gateway and the backend.
    pub backend: Option<DiagnosedSide>,
}

/// What lines show of a request and its response.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DiagnosedSide {
    /// Of the request.
    pub request: Option<DiagnosedMessage>,
    /// Of the response.
    pub response: Option<DiagnosedMessage>,
}

/// What lines show of a message; nothing if nothing is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DiagnosedMessage {
    /// Names of fields. The values of those that carry secrets are covered.
    pub headers: Vec<Placed<String>>,
    /// How many bytes of its body, from its beginning.
    #[schemars(range(max = 8192))]
    pub body_bytes: Option<Placed<u64>>,
}

/// A number from 0 to 100.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Percentage(pub String);

impl JsonSchema for Percentage {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 100 })
    }
}
