//! What the gateway has been allowed at other services, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use crate::configuration::yaml::Placed;

/// What somebody has allowed the gateway at another service (OAuth 2.0): `get-authorization-context`
/// names it by `provider` and `id`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderAuthorization {
    /// The provider: what `provider-id` of policies names.
    pub provider: Placed<String>,
    /// Which authorization at it: what `authorization-id` of policies names.
    pub id: Placed<String>,
    /// The token endpoint, such as `https://accounts.example/oauth2/token`.
    pub endpoint: Placed<String>,
    /// The id of the client that the gateway is there.
    pub client_id: Placed<String>,
    /// The secret of the client; this or `tokenFile`.
    pub secret: Option<SecretValue>,
    /// Path, at the gateway, of a file with a token that the endpoint takes for a secret. It is read
    /// again each time.
    pub token_file: Option<Placed<String>>,
    /// Whether the secret goes in the form and not in the field `Authorization`: some providers want it
    /// so.
    #[serde(default)]
    pub secret_in_form: bool,
    /// What to ask for, with spaces between; what the provider has on its books if nothing is written.
    pub scope: Option<Placed<String>>,
    /// What else the endpoint is told, such as `audience` or `resource`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// What a consent in a browser gave (`authorization_code`). Without it, the gateway acts for itself
    /// (`client_credentials`).
    pub refresh_token: Option<SecretValue>,
}
