//! The control plane: where it is for a gateway, who that is, and how it serves gateways.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::backend::document::Url;
use crate::jwt::algorithm::Algorithm;
use crate::rpc::dial::Address;
use crate::secret::Secret;

/// The control plane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// Where it is, for a gateway; none: configurations come from the folder.
    pub endpoint: Option<Address>,
    /// The token that this gateway shows it.
    pub token: Option<Secret>,
    /// The file with that token.
    pub token_file: Option<PathBuf>,
    /// Instead: the token of our workload.
    pub workload_token: WorkloadToken,
    /// Instead: tokens that this gateway gets for itself.
    pub client_credentials: ClientCredentials,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca_file: Option<PathBuf>,
    /// How long a connection to it, and each of its answers, may take.
    pub timeout: Duration,
    /// Where it listens for gateways.
    pub listen: SocketAddr,
    /// PEM file of its certificate; set whenever `key_file` is.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key; set whenever `certificate_file` is.
    pub key_file: Option<PathBuf>,
    /// Whether it speaks without TLS.
    pub insecure: bool,
    /// The file with the keys that gateway tokens are judged by.
    pub keys_file: Option<PathBuf>,
    /// The file with the issuers whose tokens it takes.
    pub issuers_file: Option<PathBuf>,
    /// Where it keeps its generations, if it is alone; the usual place if not set.
    pub state_folder: Option<PathBuf>,
    /// Where it listens for operators.
    pub admin: Option<SocketAddr>,
}

/// The token of the workload that this gateway is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WorkloadToken {
    /// The file that whoever runs us keeps it in.
    pub file: Option<PathBuf>,
}

/// How this gateway gets tokens for itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientCredentials {
    /// Where; it does not without.
    pub endpoint: Option<Url>,
    /// The id of the client; set whenever `endpoint` is.
    pub client_id: String,
    /// The file with its secret; set if `certificate_file` is not.
    pub secret_file: Option<PathBuf>,
    /// PEM file of its certificate.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the key; set whenever `certificate_file` is.
    pub key_file: Option<PathBuf>,
    /// How the key signs; the best for the key if not set.
    pub algorithm: Option<Algorithm>,
    /// What the token is to be for.
    pub scope: String,
    /// For whom.
    pub audience: String,
    /// PEM file of the authorities that the endpoint is judged by; those of the machine if not set.
    pub ca_file: Option<PathBuf>,
}
