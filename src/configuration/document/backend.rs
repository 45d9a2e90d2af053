//! Backends and host names as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use super::health::HealthCheck;
use super::pool::{CircuitBreaker, Pool};
use crate::configuration::yaml::{Entries, OneOrMore, Placed};

/// A place where requests go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backend {
    /// Names the backend in policies.
    pub id: Placed<String>,
    /// For people.
    pub title: Option<String>,
    /// `Single`, if nothing is written; `Pool`: it stands for several others.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["Single", "Pool"]))]
    pub kind: Option<Placed<String>>,
    /// `http://` or `https://`, host, port and what the path begins with; or `dapr://`, an app behind
    /// Dapr's sidecar, its namespace behind a dot, and what its methods begin with. Only a pool has
    /// none.
    pub url: Option<Placed<String>>,
    /// What each request carries for the backend.
    #[serde(default)]
    pub credentials: Credentials,
    /// How its certificate is checked.
    pub tls: Option<Tls>,
    /// By way of which forward proxy it is reached, where no policy `proxy` says otherwise.
    pub proxy: Option<Placed<Proxy>>,
    /// Which HTTP it is spoken to in: `1`, `2`, or `2or1`, which is 2 where the backend agrees to it
    /// over TLS; 1 if nothing is written.
    #[schemars(extend("enum" = ["1", "2", "2or1"]))]
    pub http_version: Option<Placed<String>>,
    /// When it is left alone.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How it is asked whether it can serve; not at all if nothing is written.
    pub health_check: Option<Placed<HealthCheck>>,
    /// For whom it stands, with `type: Pool`, and nothing else then.
    pub pool: Option<Pool>,
}

/// What each request to a backend carries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Credentials {
    /// Headers.
    pub header: Entries<OneOrMore<SecretValue>>,
    /// Query parameters.
    pub query: Entries<OneOrMore<SecretValue>>,
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// The certificate to show to the backend.
    pub certificate: Option<Certificate>,
    /// Whose token the `Authorization` header has, in the place of `authorization`.
    pub managed_identity: Option<ManagedIdentity>,
}

/// Who the gateway is to a backend that takes tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedIdentity {
    /// The id of the service that takes the token, such as `https://cognitiveservices.azure.com`.
    pub resource: Placed<String>,
    /// One of `identities`, by its client id, or else one of the machine's; without it the identity that
    /// is `systemAssigned`, or else the machine's own.
    pub client_id: Option<Placed<String>>,
}

/// A forward proxy between the gateway and a backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// `http://`, host and port.
    pub url: SecretValue,
    /// The name that it is shown.
    pub username: Option<SecretValue>,
    /// The password that it is shown.
    pub password: Option<SecretValue>,
}

impl Proxy {
    /// Every text of it that may lie elsewhere.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretValue> {
        [Some(&self.url), self.username.as_ref(), self.password.as_ref()].into_iter().flatten()
    }
}

/// An `Authorization` header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authorization {
    /// What stands first, such as `Basic`.
    pub scheme: Placed<String>,
    /// What follows.
    pub parameter: SecretValue,
}

/// A certificate and its key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Path of a PEM file: the certificate, then those of its issuers.
    pub certificate_file: Placed<String>,
    /// Path of a PEM file: the private key, without a password.
    pub key_file: Placed<String>,
}

/// How the certificate of a backend is checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Whether it must come from an issuer that is trusted; true if nothing is written.
    pub validate_certificate_chain: Option<bool>,
    /// Whether it must name the host; true if nothing is written.
    pub validate_certificate_name: Option<bool>,
    /// Who vouches for it, in the place of the machine's authorities: certificates in PEM, one behind
    /// another. One that somebody else issued counts as well.
    pub certificate_authorities: Option<SecretValue>,
    /// The host that is asked for (SNI) and that the certificate must name, in the place of that of
    /// the URL; or an address, which is only looked for in the certificate.
    pub server_name: Option<Placed<String>>,
    /// The oldest version of TLS; that of the setting `backends.tls.protocols` if nothing is written.
    #[schemars(extend("enum" = ["1.0", "1.1", "1.2", "1.3"]))]
    pub min_version: Option<Placed<String>>,
    /// The newest version of TLS; that of the setting if nothing is written.
    #[schemars(extend("enum" = ["1.0", "1.1", "1.2", "1.3"]))]
    pub max_version: Option<Placed<String>>,
    /// Names of ciphers as IANA or OpenSSL writes them; those of the setting `backends.tls.ciphers` if
    /// nothing is written.
    pub ciphers: Option<OneOrMore<Placed<String>>>,
}

impl Tls {
    /// Whether anything is written.
    pub const fn is_set(&self) -> bool {
        self.validate_certificate_chain.is_some()
            || self.validate_certificate_name.is_some()
            || self.certificate_authorities.is_some()
            || self.server_name.is_some()
            || self.min_version.is_some()
            || self.max_version.is_some()
            || self.ciphers.is_some()
    }
}

/// A host name with a certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostName {
    /// The name; `*.` in front stands for one label.
    pub host: Placed<String>,
    /// What clients that ask for the name are shown; the listener's own if nothing is written.
    pub certificate: Option<Certificate>,
}
