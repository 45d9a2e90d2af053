//! Checks of a backend's health as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::pool::StatusCodeRange;
use crate::configuration::yaml::Placed;

/// How a backend is asked whether it can serve.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked. `http`, if nothing is written: GET of `path`. `grpc`: the health of `service`, by
    /// gRPC's own protocol. `tcp`: a connection, over TLS where the backend speaks that.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["http", "grpc", "tcp"]))]
    pub kind: Option<Placed<String>>,
    /// The path on the backend's host, perhaps with a query; not below the path of its `url`. With
    /// `http`: `/`, if nothing is written.
    pub path: Option<Placed<String>>,
    /// The statuses that are well, with `http`; 200 to 299 if nothing is written.
    #[serde(default)]
    pub status_code_ranges: Vec<StatusCodeRange>,
    /// The service, with `grpc`; the server as a whole if nothing is written.
    pub service: Option<Placed<String>>,
    /// How long after one check the next begins, 1 s at least; 10 s if nothing is written.
    pub interval: Option<Placed<String>>,
    /// How long one may take, `interval` at most; 2 s if nothing is written, or `interval` where that
    /// is shorter.
    pub timeout: Option<Placed<String>>,
    /// So many in a row that fail, and it cannot serve; 3 if nothing is written. The first one of all
    /// decides by itself.
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy_after: Option<Placed<u64>>,
    /// So many in a row that do not, and it can serve again; 2 if nothing is written.
    #[schemars(range(min = 1, max = 100))]
    pub healthy_after: Option<Placed<u64>>,
}
