//! What a sidecar says when it refuses: `{"errorCode":"ERR_…","message":"…"}`.
//!
//! A sidecar passes on whatever an app answers, 500 included: only this form tells that it speaks for
//! itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::grpc::{Code, MESSAGE};

/// The longest body in which a sidecar speaks for itself, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 10;
/// The most characters of its message that are kept.
pub const MESSAGE_CHARACTERS_MAX: usize = 512;

/// What it says to a wrong token, as text.
const NO_TOKEN: &str = "invalid api token";
/// What is said of a code that is none of these.
const OTHER: &str = "DaprError";
/// How the code of a call begins.
const CALL: &str = "grpc-status";
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

/// What a call of gRPC is refused with that the sidecar could not hand on: HTTP has that code for it.
const UNCALLED: &str = "ERR_DIRECT_INVOKE";
/// How messages begin with which a sidecar refuses a call. It has no other form for that.
const OF_CALLS: [&str; 5] = [
    "failed to proxy request: ",
    "couldn't find service: ",
    "invalid app id ",
    "access control policy has denied access",
    "cannot use resiliency policies with retries on streaming RPCs",
];
/// Where the details of a status stand: that the token is wrong is only said there.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// Who says so, and of what.
const OF_TOKEN: [&[u8]; 2] = [b"dapr.io", b"api token"];

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

    /// What the sidecar itself answered to a call of gRPC with `code`, in fields behind which nothing
    /// comes; `None` where it was the app, or might have been.
    pub fn of_call(code: Code, fields: &HeaderMap) -> Option<Self> {
        let said = fields.get(MESSAGE).map_or(&b""[..], |said| said.as_bytes());
        let said = percent_decode_str(std::str::from_utf8(said).ok()?).decode_utf8_lossy();
        let is_of_token =
            || said.contains("api token") || details(fields).is_some_and(|it| is_of_token(&it));
        let (status, reason) = match code {
            Code::OK => return None,
            Code::UNAUTHENTICATED if is_of_token() => (StatusCode::UNAUTHORIZED, TOKEN),
            _ if !OF_CALLS.iter().any(|start| said.starts_with(start)) => return None,
            Code::PERMISSION_DENIED => (StatusCode::FORBIDDEN, UNCALLED),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, UNCALLED),
        };
        let code = format!("{CALL} {}", code.0);
        Some(Self { status, reason, code, message: brief(&said) })
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
        let said = match &**code {
            "" => status.as_u16().to_string(),
            code if code.starts_with(CALL) => code.to_owned(),
            code => format!("{}, {code}", status.as_u16()),
        };
        let colon = if message.is_empty() { "" } else { ": " };
        format!("the Dapr sidecar answered {said}{colon}{message}")
    }
}

/// The details of a status, if they are no longer than what a sidecar says.
fn details(fields: &HeaderMap) -> Option<Vec<u8>> {
    let text = fields.get(DETAILS)?.as_bytes();
    let end = text.iter().rposition(|byte| *byte != b'=')?.saturating_add(1);
    STANDARD_NO_PAD.decode(text.get(..end.min(BODY_BYTES_MAX))?).ok()
}

/// Whether details say that it is the token which is wrong.
fn is_of_token(details: &[u8]) -> bool {
    OF_TOKEN.iter().all(|part| details.windows(part.len()).any(|window| window == *part))
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
    fn a_call_that_the_sidecar_could_not_hand_on_is_told_from_one_that_failed() {
        let refused = |code: u32, message: &str, details: Option<&[u8]>| {
            let mut fields = HeaderMap::new();
            fields.insert(MESSAGE, crate::grpc::message(message));
            if let Some(details) = details {
                fields.insert(DETAILS, STANDARD_NO_PAD.encode(details).parse().unwrap());
            }
            Refusal::of_call(Code(code), &fields)
        };
        let absent = refused(2, "couldn't find service: 50% off", None).unwrap();
        assert_eq!(absent.reason, "ERR_DIRECT_INVOKE");
        let told = "the Dapr sidecar answered grpc-status 2: couldn't find service: 50% off";
        assert_eq!(absent.told(), told);
        let denied = "access control policy has denied access to appid: weir";
        assert_eq!(refused(7, denied, None).unwrap().status, StatusCode::FORBIDDEN);
        let details = b"\x08\x10 Unauthorized dapr.io http.error_message api token mismatch";
        assert_eq!(refused(16, "Unauthorized", Some(details)).unwrap().reason, "DaprTokenRefused");
        for (code, message, details) in [
            (0, "couldn't find service: x", None),
            (2, "out of stock", None),
            (16, "Unauthorized", None),
            (16, "who are you?", Some(&b"shop.example api token"[..])),
            (7, "denied", Some(details)),
        ] {
            assert_eq!(refused(code, message, details), None, "{code} {message}");
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
