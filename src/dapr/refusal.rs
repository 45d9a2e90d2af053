//! What a sidecar says when it refuses: `{"errorCode":"ERR_…","message":"…"}`.
//!
//! A sidecar passes on whatever an app answers, 500 included: only this form tells that it speaks for
//! itself.

use http::StatusCode;
use serde_json::Value;

/// The longest body in which a sidecar speaks for itself, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 10;
/// The most characters of its message that are kept.
pub const MESSAGE_CHARACTERS_MAX: usize = 512;

/// What it says to a wrong token, as text.
const NO_TOKEN: &str = "invalid api token";
/// What is said of a code that is none of these.
const OTHER: &str = "DaprError";
/// What is said of a token that the sidecar does not take.
const TOKEN: &str = "DaprTokenRefused";

/// The codes that a sidecar answers invocations with, and publications and bindings.
const CODES: [&str; 21] = [
    "ERR_DIRECT_INVOKE",
    "ERR_INVOKE_OUTPUT_BINDING",
    "ERR_MALFORMED_REQUEST",
    "ERR_MALFORMED_REQUEST_DATA",
    "ERR_PUBSUB_NOT_FOUND",
    "ERR_PUBSUB_NOT_CONFIGURED",
    "ERR_PUBSUB_EMPTY",
    "ERR_PUBSUB_FORBIDDEN",
    "ERR_PUBSUB_PUBLISH_MESSAGE",
    "ERR_PUBSUB_REQUEST_METADATA",
    "ERR_PUBSUB_CLOUD_EVENTS_SER",
    "ERR_PUBSUB_EVENTS_SER",
    "ERR_PUBSUB_PUBLISH_OUTBOX",
    "ERR_TOPIC_NAME_EMPTY",
    "ERR_INVOKE_OUTPUT_BINDING_FORBIDDEN",
    "ERR_HEALTH_NOT_READY",
    "ERR_OUTBOUND_HEALTH_NOT_READY",
    "ERR_SECRET_STORES_NOT_CONFIGURED",
    "ERR_SECRET_STORE_NOT_FOUND",
    "ERR_SECRET_GET",
    "ERR_PERMISSION_DENIED",
];

/// The statuses with which a sidecar refuses an invocation.
const OF_INVOCATIONS: [StatusCode; 4] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::INTERNAL_SERVER_ERROR,
];

/// What a sidecar refused with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// A stable word: the sidecar's code, where it is one that is known.
    pub reason: &'static str,
    /// The code as it came; empty where there is none.
    pub code: String,
    /// What it says.
    pub message: String,
}

/// Whether an invocation that is answered with `status` may have been refused by the sidecar.
pub fn may_be(status: StatusCode) -> bool {
    OF_INVOCATIONS.contains(&status)
}

impl Refusal {
    /// What a sidecar answered to a publication or a binding: with `status`, which is no success.
    pub fn of(status: StatusCode, body: &[u8]) -> Self {
        Self::read(status, body).unwrap_or_else(|| {
            let message = brief(&String::from_utf8_lossy(body));
            Self { status, reason: OTHER, code: String::new(), message }
        })
    }

    /// What the sidecar itself answered to an invocation; `None` where it was the app.
    pub fn of_invocation(status: StatusCode, body: &[u8]) -> Option<Self> {
        let read = Self::read(status, body).filter(|_read| may_be(status))?;
        (read.reason == TOKEN || read.code == "ERR_DIRECT_INVOKE").then_some(read)
    }

    fn read(status: StatusCode, body: &[u8]) -> Option<Self> {
        if BODY_BYTES_MAX < body.len() {
            return None;
        }
        if status == StatusCode::UNAUTHORIZED && body.trim_ascii() == NO_TOKEN.as_bytes() {
            let (code, message) = (String::new(), NO_TOKEN.to_owned());
            return Some(Self { status, reason: TOKEN, code, message });
        }
        let said: Value = serde_json::from_slice(body).ok()?;
        let code = said.get("errorCode")?.as_str()?;
        let message = said.get("message").and_then(Value::as_str).unwrap_or_default();
        let reason = CODES.into_iter().find(|known| *known == code).unwrap_or(OTHER);
        Some(Self { status, reason, code: brief(code), message: brief(message) })
    }

    /// A sentence for people.
    pub fn told(&self) -> String {
        let Self { status, reason, code, message } = self;
        if *reason == TOKEN {
            return "the Dapr sidecar does not take this gateway's API token; set `dapr.token` or \
                    DAPR_API_TOKEN to the sidecar's"
                .to_owned();
        }
        let code = if code.is_empty() { String::new() } else { format!(", {code}") };
        let colon = if message.is_empty() { "" } else { ": " };
        format!("the Dapr sidecar answered {}{code}{colon}{message}", status.as_u16())
    }
}

/// `text` on one line, cut where it is long.
fn brief(text: &str) -> String {
    let line = text.trim().chars().take(MESSAGE_CHARACTERS_MAX);
    line.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_and_its_sidecar_are_told_apart() {
        let refused = |status: u16, body: &str| {
            Refusal::of_invocation(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        let own = r#"{"errorCode":"ERR_DIRECT_INVOKE","message":"failed to invoke, id: a"}"#;
        assert_eq!(
            refused(500, own).unwrap().told(),
            "the Dapr sidecar answered 500, ERR_DIRECT_INVOKE: failed to invoke, id: a"
        );
        assert_eq!(refused(403, own).unwrap().reason, "ERR_DIRECT_INVOKE");
        assert_eq!(refused(401, "invalid api token").unwrap().reason, "DaprTokenRefused");
        for (status, body) in [
            (500, r#"{"error":"out of stock"}"#),
            (500, r#"{"errorCode":"E17","message":"mine"}"#),
            (500, ""),
            (401, "who are you?"),
            (409, own),
            (200, own),
        ] {
            assert_eq!(refused(status, body), None, "{status} {body}");
        }
    }

    #[test]
    fn the_newer_form_has_the_same_two_and_more() {
        let body = br#"{"errorCode":"ERR_PUBSUB_NOT_FOUND","message":"pubsub x is not found",
            "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R"}]}"#;
        let refusal = Refusal::of(StatusCode::NOT_FOUND, body);
        assert_eq!(
            (refusal.reason, &*refusal.message),
            ("ERR_PUBSUB_NOT_FOUND", "pubsub x is not found")
        );
        let other = Refusal::of(StatusCode::BAD_GATEWAY, b"<html>\r\nno</html>");
        assert_eq!(
            (other.reason, &*other.told()),
            ("DaprError", "the Dapr sidecar answered 502: <html>  no</html>")
        );
        let new = Refusal::of(StatusCode::BAD_REQUEST, br#"{"errorCode":"ERR_NEW"}"#);
        assert_eq!(new.told(), "the Dapr sidecar answered 400, ERR_NEW");
        let long = Refusal::of(StatusCode::BAD_REQUEST, &vec![b'x'; BODY_BYTES_MAX + 1]);
        assert_eq!(long.message.len(), MESSAGE_CHARACTERS_MAX);
    }
}
