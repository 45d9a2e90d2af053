//! APIs as they are written.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Diagnostic;
use super::content::{OperationRequest, Parameter};
use crate::configuration::yaml::{Block, Placed};

/// One revision of one version of an API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// Names the API here and in policies. All revisions of an API share it.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
    /// What the path of every URL of the API begins with, without the version; `""` is the root.
    pub path: Placed<String>,
    /// Over what it may be called: http and https if nothing is written; ws and wss for a
    /// WebSocket API.
    #[serde(default)]
    pub protocols: Vec<Placed<Protocol>>,
    /// Where requests go unless a policy says otherwise; `dapr://APP` is an app behind Dapr's sidecar. An API without it is refused if no policy
    /// of an operation can answer its requests or say where they go.
    pub service_url: Option<Placed<String>>,
    /// Whether callers need a key; true if nothing is written.
    pub subscription_required: Option<bool>,
    /// Where callers put the key.
    pub subscription_key_parameter_names: Option<KeyParameterNames>,
    /// The revision; `1` if nothing is written.
    pub revision: Option<Placed<String>>,
    /// Whether this revision answers when a caller names none. Needed only where an API has
    /// several revisions.
    pub is_current: Option<Placed<bool>>,
    /// Whether the revision can be called at all; true if nothing is written.
    pub is_online: Option<bool>,
    /// The version that callers name; without one, the API answers callers that name none.
    pub version: Option<Placed<String>>,
    /// The version set the API belongs to.
    pub version_set_id: Option<Placed<String>>,
    /// What kind of API; http if nothing is written.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["http", "websocket", "grpc"]))]
    pub kind: Option<Placed<String>>,
    /// What is logged of its exchanges, instead of what is said of all.
    pub diagnostics: Option<Diagnostic>,
    /// The policy document of the API: XML inline, or the path of its file.
    pub policy: Option<Block>,
    /// What can be called. Nothing else of the API can.
    #[serde(default)]
    pub operations: Vec<Operation>,
}

/// What an API may be called over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// WebSocket in the clear.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

/// Where callers put the subscription key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyParameterNames {
    /// The header; `Ocp-Apim-Subscription-Key` if nothing is written.
    pub header: Option<Placed<String>>,
    /// The query parameter; `subscription-key` if nothing is written.
    pub query: Option<Placed<String>>,
}

/// One operation of an API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// Names the operation in its API.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
    /// The method, in capitals.
    pub method: Placed<String>,
    /// The path after the API's: `/orders/{id}`, `/files/{*rest}`, `/search?q={q}`. The `/` at its
    /// beginning may be left out.
    pub url_template: Placed<String>,
    /// The policy document of the operation: XML inline, or the path of its file.
    pub policy: Option<Block>,
    /// What it takes, for policies that validate.
    pub request: Option<OperationRequest>,
    /// Parameters of its URL template, for policies that validate.
    #[serde(default)]
    pub template_parameters: Vec<Parameter>,
    /// What it gives, for policies that validate, and for `mock-response`.
    #[serde(default)]
    pub responses: Vec<OperationResponse>,
}

/// A response that an operation gives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationResponse {
    /// The status.
    pub status_code: Placed<u16>,
    /// For people.
    pub description: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub headers: Vec<Parameter>,
    /// What its body may be.
    #[serde(default)]
    pub representations: Vec<Representation>,
}

/// What a body may be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Representation {
    /// Its `Content-Type`.
    pub content_type: Placed<String>,
    /// A body: a text goes out as it is, anything else as JSON.
    pub example: Option<Value>,
    /// What it has to look like: a schema of JSON Schema or `OpenAPI`.
    pub schema: Option<Value>,
    /// The id of one of `schemas`, instead of `schema`.
    pub schema_id: Option<Placed<String>>,
    /// Which schema of its `components` it is; the whole document if nothing is written.
    pub type_name: Option<Placed<String>>,
}

impl Representation {
    /// The example as it goes out.
    pub fn text(&self) -> Option<Arc<str>> {
        match self.example.as_ref()? {
            Value::String(text) => Some(Arc::from(text.as_str())),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => Some(Arc::from(value.to_string())),
        }
    }
}

/// How the versions of an API are told apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionSet {
    /// Names the set.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
    /// Where callers put the version.
    pub versioning_scheme: Placed<VersioningScheme>,
    /// The header, for the scheme `header`.
    pub version_header_name: Option<Placed<String>>,
    /// The query parameter, for the scheme `query`.
    pub version_query_name: Option<Placed<String>>,
}

/// Where callers put the version.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum VersioningScheme {
    /// In the path, right after the API's: `/orders/v2/…`.
    Segment,
    /// In a header.
    Header,
    /// In a query parameter.
    Query,
}
