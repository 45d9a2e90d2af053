//! Loggers as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use crate::configuration::yaml::Placed;

/// Where the events of `log-to-eventhub` go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logger {
    /// Names the logger in policies.
    pub id: Placed<String>,
    /// The event hub.
    pub event_hub: Placed<EventHub>,
}

/// An event hub, spoken to over HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventHub {
    /// The name of the event hub; need not be written if the connection string has an `EntityPath`.
    pub name: Option<Placed<String>>,
    /// The namespace, such as `NAMESPACE.servicebus.windows.net`; with `identityClientId`.
    pub endpoint_address: Option<Placed<String>>,
    /// As whom events are sent where there is no connection string: the `clientId` of one of
    /// `identities`, or one that the machine knows; `SystemAssigned` for the one that is, or the
    /// machine's own.
    pub identity_client_id: Option<Placed<String>>,
    /// `Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…`;
    /// or `{{name}}`, and a named value has it.
    pub connection_string: Option<SecretValue>,
}
