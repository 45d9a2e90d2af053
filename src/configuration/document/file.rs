//! What one YAML file may say.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Api, Backend, ClientIdentity, Diagnostic, Fragment, Group, HostName, LimitHolding, Logger,
    NamedCertificate, NamedValue, Product, ProviderAuthorization, SchemaDocument, Subscription,
    User, VersionSet,
};
use crate::configuration::yaml::{Block, Placed};

/// One YAML file of a configuration folder. Any file may hold any of these keys; lists of the
/// same name are put together. Paths of files are relative to the configuration folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConfigurationFile {
    /// What the gateway calls itself; in one file only.
    pub gateway: Option<Placed<Gateway>>,
    /// The gateways that share this configuration, if it is divided among several: each gets what
    /// is associated with it, and nothing else.
    pub gateways: Vec<NamedGateway>,
    /// How limits and quotas are held whose policies do not say it themselves; in one file only.
    pub limits: Option<Placed<LimitHolding>>,
    /// What is logged of the exchanges of all APIs that do not say it themselves; in one file only.
    pub diagnostics: Option<Placed<Diagnostic>>,
    /// The policy document of all APIs: XML inline, or the path of its file; in one file only.
    /// Without one, requests are just forwarded.
    pub policy: Option<Block>,
    /// APIs, each revision and version an item of its own.
    pub apis: Vec<Api>,
    /// How the versions of an API are told apart.
    pub version_sets: Vec<VersionSet>,
    /// Products: APIs that are offered together.
    pub products: Vec<Product>,
    /// Subscriptions: keys and what they open.
    pub subscriptions: Vec<Subscription>,
    /// Users, as far as policies see them.
    pub users: Vec<User>,
    /// Groups of users. `administrators`, `developers` and `guests` always exist.
    pub groups: Vec<Group>,
    /// Values that policies take in with `{{name}}`.
    pub named_values: Vec<NamedValue>,
    /// Pieces of policy for `include-fragment`.
    pub fragments: Vec<Fragment>,
    /// Loggers for `log-to-eventhub`.
    pub loggers: Vec<Logger>,
    /// Backends for `set-backend-service backend-id="…"`.
    pub backends: Vec<Backend>,
    /// Who the gateway is to services that take tokens, for `authentication-managed-identity`.
    pub identities: Vec<ClientIdentity>,
    /// What the gateway has been allowed at other services, for `get-authorization-context`.
    pub authorizations: Vec<ProviderAuthorization>,
    /// Certificates that policies name, and authorities that vouch for those of clients.
    pub certificates: Vec<NamedCertificate>,
    /// The host names that the gateway answers at. Without any it answers at every name; with one,
    /// requests for all others are answered 404.
    pub host_names: Vec<HostName>,
    /// Documents of schemas, for operations and for `validate-content`.
    pub schemas: Vec<SchemaDocument>,
}

/// What policies see as `context.Deployment`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// `GatewayId`; `weir` if nothing is written.
    pub id: Option<Placed<String>>,
    /// `Region`; empty if nothing is written.
    pub location: Option<String>,
    /// `ServiceName`; empty if nothing is written.
    pub service_name: Option<String>,
}

/// One of the gateways that share a configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedGateway {
    /// Its name, as its token says it; what policies see as `context.Deployment.GatewayId`.
    pub id: Placed<String>,
    /// `Region`; empty if nothing is written.
    pub location: Option<String>,
    /// `ServiceName`; empty if nothing is written.
    pub service_name: Option<String>,
    /// Ids of the APIs that it serves.
    #[serde(default)]
    pub apis: Vec<Placed<String>>,
    /// The host names, of those under `hostNames`, that it answers at.
    #[serde(default)]
    pub host_names: Vec<Placed<String>>,
}
