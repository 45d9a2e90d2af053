//! The settings of Dapr's sidecar.

use super::{Row, row};
use crate::settings::value::{DAPR_PROTOCOL, Expected, calls, flag, secret, sidecar, word};

/// The settings of Dapr's sidecar.
pub(super) const ROWS: &[Row] = &[
    row!(
        "dapr.endpoint",
        "",
        "Dapr's sidecar, http://host:port or unix:///path; if not set, DAPR_HTTP_ENDPOINT, else port DAPR_HTTP_PORT of this machine, else 3500.",
        dapr.endpoint = |text| sidecar(text)
    ),
    row!(
        "dapr.grpcEndpoint",
        "",
        "Where the sidecar takes calls of gRPC, http://host:port or unix:///path; if not set, DAPR_GRPC_ENDPOINT, else port DAPR_GRPC_PORT of this machine, else 50001.",
        dapr.grpc_endpoint = |text| calls(text)
    ),
    row!(
        "dapr.token",
        "",
        "Token that it wants to be shown; if not set, DAPR_API_TOKEN. Best kept in the environment.",
        dapr.token = |text| Ok::<_, Expected>(secret(text))
    ),
    row!(
        "dapr.protocol",
        "http",
        "How it is spoken to: http, which is all for now.",
        dapr.protocol = |text| word(text, &DAPR_PROTOCOL)
    ),
    row!(
        "dapr.readiness",
        "false",
        "Whether the gateway waits with being ready until the sidecar is, if its configuration asks the sidecar for anything.",
        dapr.readiness = |text| flag(text)
    ),
];
