//! Who the gateway is to other services, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use crate::configuration::yaml::Placed;

/// Somebody that the gateway is to services that take tokens: `authentication-managed-identity`
/// chooses it by its client id.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The id of the client: what `client-id` of policies names.
    pub client_id: Placed<String>,
    /// The token endpoint, such as `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`.
    pub endpoint: Placed<String>,
    /// The secret of the client; this or `tokenFile`.
    pub secret: Option<SecretValue>,
    /// Path, at the gateway, of a file with a token that the endpoint takes for a secret (a federated
    /// credential). It is read again each time.
    pub token_file: Option<Placed<String>>,
    /// Whether policies without `client-id` mean this one; at most one may be so.
    pub system_assigned: Option<Placed<bool>>,
}
