//! Dapr's sidecar: what its addresses are made of, what of a request must not reach it, and what it
//! says when it refuses.
//!
//! A sidecar looks for the app that a request is for in a header, in `Basic` credentials, and in the
//! URL, in this order, and it takes a whole URL for an app. So a client whose fields reach a sidecar
//! chooses where its request goes, with the gateway's token. [`is_kept`] says what is held back. The
//! sidecar also decodes the path and takes `..` out of it before it knows the method: what becomes
//! part of a path is judged here first ([`method()`](method::method), [`name`]).

pub mod method;
pub mod name;
pub mod refusal;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

/// The field that shows the gateway's token to the sidecar.
pub const TOKEN: &str = "dapr-api-token";
/// The one that says which app a call of gRPC is for.
pub const APP: HeaderName = HeaderName::from_static("dapr-app-id");
/// The one that says that such a call may be a stream: its messages are not kept by the sidecar, and
/// its timeouts are not those of the whole.
pub const STREAM: HeaderName = HeaderName::from_static("dapr-stream");

/// What the path of an invocation begins with.
pub const INVOKE: &str = "/v1.0/invoke/";
/// What the path of a publication begins with.
pub const PUBLISH: &str = "/v1.0/publish/";
/// What the path of a binding begins with.
pub const BINDINGS: &str = "/v1.0/bindings/";

/// How names of fields begin that say something to the sidecar.
const FAMILY: &str = "dapr-";
/// The one that does not begin so.
const OF_OLD: &str = "destination-app-id";
/// Whose `Basic` credentials name an app instead.
const USER: &[u8] = b"dapr-app-id:";
/// How names of parameters begin that say something to the sidecar.
const PARAMETERS: &str = "metadata.";

/// Whether a field says something to the sidecar itself, so that nobody but the gateway may send it.
pub fn is_kept(name: &HeaderName, value: &HeaderValue) -> bool {
    is_kept_name(name) || (name == AUTHORIZATION && names_an_app(value))
}

/// Whether every field of that name says something to the sidecar itself.
pub fn is_kept_name(name: &HeaderName) -> bool {
    name.as_str().starts_with(FAMILY) || name.as_str() == OF_OLD
}

/// Whether a parameter of a query says something to the sidecar itself.
pub fn is_kept_parameter(name: &str) -> bool {
    name.get(..PARAMETERS.len()).is_some_and(|start| start.eq_ignore_ascii_case(PARAMETERS))
}

/// Whether `Authorization` names an app in the place of a user.
fn names_an_app(value: &HeaderValue) -> bool {
    let text = value.as_bytes().trim_ascii_start();
    let Some((scheme, rest)) = text.split_at_checked("basic".len()) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    // What no decoder reads, the sidecar does not read either; with or without padding.
    let rest = rest.trim_ascii();
    let bare = rest.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last.saturating_add(1));
    let whole = bare.saturating_sub(bare % 4);
    let start = |length: usize| rest.get(..length).and_then(|start| STANDARD.decode(start).ok());
    // The name is sixteen characters of base64 with its colon: no more need be decoded.
    start(whole.min(USER.len().div_ceil(3).saturating_mul(4)))
        .is_some_and(|decoded| decoded.starts_with(USER))
}

/// The path of `method` of an app, `method` as [`method::method`] gives it.
pub fn invocation(app: &name::App, method: &str) -> String {
    format!("{INVOKE}{app}/method/{method}")
}

/// The app in the path of an invocation, with its namespace, and the method with a slash in front; the
/// method may be empty.
pub fn invoked(path: &str) -> Option<(&str, &str)> {
    let (app, rest) = path.strip_prefix(INVOKE)?.split_once('/')?;
    Some((app, rest.strip_prefix("method")?))
        .filter(|(_app, rest)| matches!(rest.as_bytes(), [] | [b'/', ..]))
}

/// Whether a path is that of a method of gRPC which a sidecar has itself: it answers those whichever
/// app a call is for, and with all that its token allows.
pub fn is_own_method(path: &str) -> bool {
    const PACKAGES: [&str; 3] = ["dapr.proto.", "grpc.reflection.", "grpc.health."];
    path.split('/').any(|part| {
        let part = part.to_ascii_lowercase();
        PACKAGES.iter().any(|package| part.starts_with(package))
            || part.contains("taskhubsidecarservice")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_to_the_sidecar_is_kept_back() {
        let is_kept = |name: &'static str, value: &'static str| {
            is_kept(&HeaderName::from_static(name), &HeaderValue::from_static(value))
        };
        for (name, value) in [
            ("dapr-app-id", "x"),
            ("dapr-api-token", "x"),
            ("dapr-caller-app-id", "x"),
            ("dapr-callee-app-id", "x"),
            ("dapr-stream", "true"),
            ("destination-app-id", "x"),
            // dapr-app-id:orders, and dapr-app-id:http://169.254.169.254/
            ("authorization", "Basic ZGFwci1hcHAtaWQ6b3JkZXJz"),
            ("authorization", "bAsIc   ZGFwci1hcHAtaWQ6aHR0cDovLzE2OS4yNTQuMTY5LjI1NC8="),
            ("authorization", "Basic ZGFwci1hcHAtaWQ6YQ=="),
            ("authorization", "Basic ZGFwci1hcHAtaWQ6YQ"),
            ("authorization", "Basic ZGFwci1hcHAtaWQ6"),
        ] {
            assert!(is_kept(name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("x-dapr-app-id", "x"),
            ("daprs", "x"),
            ("authorization", "Bearer ZGFwci1hcHAtaWQ6b3JkZXJz"),
            // dapr-app-ids:x, jane:dapr-app-id:
            ("authorization", "Basic ZGFwci1hcHAtaWRzOng="),
            ("authorization", "Basic amFuZTpkYXByLWFwcC1pZDo="),
            ("authorization", "Basic"),
            ("authorization", "Basic !"),
        ] {
            assert!(!is_kept(name, value), "{name}: {value}");
        }
        for (path, parts) in [
            ("/v1.0/invoke/orders/method", Some(("orders", ""))),
            (
                "/v1.0/invoke/orders.prod/method/shop.Orders/Get",
                Some(("orders.prod", "/shop.Orders/Get")),
            ),
            ("/v1.0/invoke/orders/methods", None),
            ("/shop.Orders", None),
            ("", None),
        ] {
            assert_eq!(invoked(path), parts, "{path}");
        }
        for own in [
            "/dapr.proto.runtime.v1.Dapr/GetSecret",
            "/Dapr.Proto.runtime.v1.Dapr/Shutdown",
            "//dapr.proto.runtime.v1.Dapr/Shutdown",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.health.v1.Health/Check",
            "/TaskHubSidecarService/StartInstance",
        ] {
            assert!(is_own_method(own), "{own}");
        }
        assert!(!is_own_method("/shop.Orders/dapr") && !is_own_method("/shop.dapr.proto/Get"));
        assert!(is_kept_parameter("metadata.ttlInSeconds") && is_kept_parameter("Metadata.a"));
        assert!(!is_kept_parameter("metadata") && !is_kept_parameter("a.metadata.b"));
    }
}
