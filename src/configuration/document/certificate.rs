//! Certificates as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use crate::configuration::yaml::Placed;

/// A certificate that policies name: one that the gateway shows, one whose key verifies or decrypts
/// tokens, or an authority that vouches for the certificates of clients.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedCertificate {
    /// Names the certificate in policies; case does not count.
    pub id: Placed<String>,
    /// The certificate in PEM, its issuers behind it; or in DER, as Base64 or as a file that ends in
    /// `.cer` or `.der`. This or `pfx`.
    pub certificate: Option<SecretValue>,
    /// Its private key in PEM, if the gateway is to have it.
    pub key: Option<SecretValue>,
    /// Certificate, issuers and key in PKCS #12, as Base64 or as a file that ends in `.pfx` or
    /// `.p12`.
    pub pfx: Option<SecretValue>,
    /// What opens `pfx`, or `key`.
    pub password: Option<SecretValue>,
    /// Whether it is an authority that vouches for the certificates of clients; false if nothing is
    /// written.
    pub authority: Option<bool>,
    /// Path of a file in the configuration folder, in PEM: the certificates that this authority took
    /// back.
    pub revocation_list_file: Option<Placed<String>>,
}

impl NamedCertificate {
    /// Every text in it that may be a secret.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretValue> {
        [&self.certificate, &self.key, &self.pfx, &self.password].into_iter().flatten()
    }
}
