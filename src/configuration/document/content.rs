//! What operations take and give, and the schemas of it, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::api::Representation;
use crate::configuration::yaml::Placed;

/// A document that schemas stand in: a JSON Schema, or the `components` of an `OpenAPI` document.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaDocument {
    /// Names the document here and in policies; `$ref: "id#/…"` leads into it.
    pub id: Placed<String>,
    /// The document.
    pub document: Value,
}

/// What an operation takes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OperationRequest {
    /// Header fields.
    pub headers: Vec<Parameter>,
    /// Parameters of the query.
    pub query_parameters: Vec<Parameter>,
    /// What its body may be.
    pub representations: Vec<Representation>,
}

/// A parameter of the path or the query, or a header field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: Placed<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether it has to be there; false if nothing is written.
    #[serde(default)]
    pub required: bool,
    /// What its value has to look like: a schema of JSON Schema or `OpenAPI`.
    pub schema: Option<Value>,
    /// The id of one of `schemas`, instead of `schema`.
    pub schema_id: Option<Placed<String>>,
    /// Which schema of its `components` it is; the whole document if nothing is written.
    pub type_name: Option<Placed<String>>,
}
