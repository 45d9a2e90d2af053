//! Where Dapr's sidecar is, and what it wants to be shown.

use crate::backend::BaseUrl;
use crate::backend::sidecar::Sidecar;
use crate::secret::Secret;

/// Dapr's sidecar.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dapr {
    /// Where it is; on this machine, port 3500, if not set.
    pub endpoint: Option<BaseUrl>,
    /// Where it takes calls of gRPC; on this machine, port 50001, if not set.
    pub grpc_endpoint: Option<BaseUrl>,
    /// The token that it wants; none if not set.
    pub token: Option<Secret>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Whether the gateway is ready only when the sidecar was, if its configuration asks that.
    pub readiness: bool,
}

/// How the sidecar is spoken to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP.
    #[default]
    Http,
}

impl Dapr {
    /// The sidecar.
    pub fn sidecar(&self) -> Sidecar {
        let base = self.endpoint.clone().unwrap_or_else(Sidecar::usual_base);
        let calls = self.grpc_endpoint.clone().unwrap_or_else(Sidecar::usual_calls);
        Sidecar::new(base, calls, self.token.clone())
    }
}

/// The setting that a variable of Dapr's own means, and its text; `is_set` says whether another one
/// is there. The injector sets the ports in every container of a pod that has a sidecar.
pub(super) fn meant(
    name: &str,
    value: &str,
    is_set: impl Fn(&str) -> bool,
) -> Option<(&'static str, String)> {
    let here = || format!("http://127.0.0.1:{}", value.trim());
    match name {
        "DAPR_HTTP_ENDPOINT" => Some(("dapr.endpoint", value.to_owned())),
        "DAPR_HTTP_PORT" if !is_set("DAPR_HTTP_ENDPOINT") => Some(("dapr.endpoint", here())),
        "DAPR_GRPC_ENDPOINT" => Some(("dapr.grpcEndpoint", value.to_owned())),
        "DAPR_GRPC_PORT" if !is_set("DAPR_GRPC_ENDPOINT") => Some(("dapr.grpcEndpoint", here())),
        "DAPR_API_TOKEN" => Some(("dapr.token", value.to_owned())),
        _ => None,
    }
}
