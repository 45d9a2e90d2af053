//! What the gateway answers when it refuses or fails: the one table from reason to answer.
//!
//! Where Azure API Management has a body of its own, ours is the same to the letter
//! (`{ "statusCode": 401, "message": "…" }`); elsewhere it is a problem document (RFC 9457).

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

/// A refusal or a failure, as the client is told.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The reason phrase where it is not the usual one; HTTP/1.1 only.
    pub phrase: Option<&'static str>,
    /// A stable word for logs and metrics, such as `rate-limit-exceeded`.
    pub reason: &'static str,
    /// What the client reads.
    pub message: Cow<'static, str>,
    /// Fields that belong to the answer.
    pub headers: HeaderMap,
    /// Which body the answer has.
    pub form: Form,
    /// Whether the connection ends with this answer: what follows on it cannot be trusted.
    pub close: bool,
}

/// An API or an operation is switched off.
pub const ROUTE_DISABLED: &str = "route_disabled";
/// A policy is switched off, and what comes to it is refused.
pub const POLICY_DISABLED: &str = "policy_disabled";
/// The reasons of refusals that somebody ordered: no configuration is to blame for them.
pub const SWITCHED_OFF: [&str; 2] = [ROUTE_DISABLED, POLICY_DISABLED];

/// Which body an answer of ours has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// `{ "statusCode": …, "message": "…" }`, as API Management writes it.
    Apim,
    /// The same with `activityId`, the request's id, for failures of the gateway itself.
    ApimWithActivity,
    /// `application/problem+json`, RFC 9457.
    Problem,
    /// No body at all.
    Empty,
}

impl Problem {
    fn new(
        status: StatusCode,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
        form: Form,
    ) -> Self {
        Self {
            status,
            phrase: None,
            reason,
            message: message.into(),
            headers: HeaderMap::new(),
            form,
            close: false,
        }
    }

    /// A request that cannot be read safely: 400, and the connection ends. `reason` is a stable
    /// word such as `host-invalid`.
    pub fn malformed(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, reason, message, Form::Problem);
        Self { close: true, ..problem }
    }

    /// A request that is beyond a bound: `status` is 413, 414, 417, 431 or 505.
    pub fn beyond(status: StatusCode, reason: &'static str, message: String) -> Self {
        Self { close: true, ..Self::new(status, reason, message, Form::Problem) }
    }

    /// The answer to `OPTIONS *`: nothing to say about the server as a whole, 204.
    pub fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, "server_options", "", Form::Empty)
    }

    /// Nothing is wrong, and there is nothing to say: 200 for load balancers.
    pub fn nothing() -> Self {
        Self::new(StatusCode::OK, "status", "", Form::Empty)
    }

    /// A method that the gateway never takes: 405.
    pub fn method_refused() -> Self {
        let message = "The gateway does not take this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_refused", message, Form::Problem)
    }

    /// No API or no operation matches: 404. `reason` says which.
    pub fn not_found(reason: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, "Resource not found", Form::Apim)
    }

    /// The API wants a subscription key and there is none: 401.
    pub fn key_missing(challenge: &Challenge<'_>) -> Self {
        let message = "Access denied due to missing subscription key. Make sure to include \
                       subscription key when making requests to an API.";
        Self::denied("subscription_key_missing", message, challenge)
    }

    /// The subscription key opens nothing here: 401.
    pub fn key_invalid(challenge: &Challenge<'_>) -> Self {
        let message = "Access denied due to invalid subscription key. Make sure to provide a \
                       valid key for an active subscription.";
        Self::denied("subscription_key_invalid", message, challenge)
    }

    fn denied(reason: &'static str, message: &'static str, challenge: &Challenge<'_>) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, reason, message, Form::Apim);
        problem.phrase = Some("Access Denied");
        let Challenge { host, path, header } = challenge;
        let value = format!(
            "AzureApiManagementKey realm=\"https://{host}/{path}\",name=\"{header}\",type=\"header\""
        );
        problem.set(WWW_AUTHENTICATE, &value);
        problem
    }

    /// A rate limit is exhausted: 429.
    pub fn rate_limit_exceeded(retry_after_seconds: u64) -> Self {
        let message =
            format!("Rate limit is exceeded. Try again in {retry_after_seconds} seconds.");
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "rate_limit_exceeded", message, Form::Apim)
    }

    /// Tokens of language models are exhausted: 429 for a rate, 403 for a quota.
    pub fn tokens_exceeded(is_quota: bool, retry_after_seconds: u64) -> Self {
        let (what, status, reason) = if is_quota {
            ("quota", StatusCode::FORBIDDEN, "token_quota_exceeded")
        } else {
            ("limit", StatusCode::TOO_MANY_REQUESTS, "token_limit_exceeded")
        };
        let message =
            format!("Token {what} is exceeded. Try again in {retry_after_seconds} seconds.");
        Self::new(status, reason, message, Form::Apim)
    }

    /// Too many requests run at once: 429.
    pub fn concurrency_exceeded() -> Self {
        let message = "Rate limit is exceeded. Too many requests are being processed.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "concurrency_exceeded", message, Form::Apim)
    }

    /// A call quota is exhausted: 403. `replenished_in` is `hh:mm:ss` or `d.hh:mm:ss`.
    pub fn call_quota_exceeded(replenished_in: &str, retry_after_seconds: u64) -> Self {
        Self::quota_exceeded("call volume", replenished_in, retry_after_seconds)
    }

    /// A bandwidth quota is exhausted: 403.
    pub fn bandwidth_quota_exceeded(replenished_in: &str, retry_after_seconds: u64) -> Self {
        Self::quota_exceeded("bandwidth", replenished_in, retry_after_seconds)
    }

    fn quota_exceeded(what: &str, replenished_in: &str, retry_after_seconds: u64) -> Self {
        let message =
            format!("Out of {what} quota. Quota will be replenished in {replenished_in}.");
        let mut problem = Self::new(StatusCode::FORBIDDEN, "quota_exceeded", message, Form::Apim);
        problem.set(RETRY_AFTER, &retry_after_seconds.to_string());
        problem
    }

    /// The caller's address is not welcome: 403.
    pub fn address_refused() -> Self {
        Self::new(StatusCode::FORBIDDEN, "address_refused", "Forbidden", Form::Apim)
    }

    /// A policy refuses with a status and a text of its own.
    pub fn refused(status: StatusCode, reason: &'static str, message: String) -> Self {
        Self::new(status, reason, message, Form::Apim)
    }

    /// The gateway failed at this request: 500. `reason` is a stable word such as
    /// `backend-connection-failed`.
    pub fn failed(reason: &'static str) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, reason, "Internal server error", Form::ApimWithActivity)
    }

    /// A service that the request needs refused it, or could not be used: `status` is 403, 502 or
    /// 504.
    pub fn of_service(status: StatusCode, reason: &'static str) -> Self {
        let message = status.canonical_reason().unwrap_or("Bad Gateway");
        Self::new(status, reason, message, Form::ApimWithActivity)
    }

    /// The gateway cannot serve now: 503.
    pub fn unavailable(reason: &'static str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, reason, "Service unavailable", Form::Apim)
    }

    /// Adds or replaces a field; a value that is no field value is left out.
    pub fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// The `Content-Type` of the body, if there is a body.
    pub const fn content_type(&self) -> Option<&'static str> {
        match self.form {
            Form::Apim | Form::ApimWithActivity => Some("application/json"),
            Form::Problem => Some("application/problem+json"),
            Form::Empty => None,
        }
    }

    /// The body; `activity` is the request's id.
    pub fn body(&self, activity: &str) -> String {
        let status = self.status.as_u16();
        let message = json_string(&self.message);
        match self.form {
            Form::Apim => format!("{{ \"statusCode\": {status}, \"message\": {message} }}"),
            Form::ApimWithActivity => format!(
                "{{ \"statusCode\": {status}, \"message\": {message}, \"activityId\": {} }}",
                json_string(activity)
            ),
            Form::Problem => {
                let title = self.status.canonical_reason().unwrap_or("Error");
                format!(
                    "{{\"type\":\"about:blank\",\"title\":{},\"status\":{status},\"detail\":{message},\
                     \"reason\":{}}}",
                    json_string(title),
                    json_string(self.reason)
                )
            }
            Form::Empty => String::new(),
        }
    }
}

/// What a 401 tells about the key it wants.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// The host the client called.
    pub host: &'a str,
    /// The API's path, without the leading slash.
    pub path: &'a str,
    /// The header that carries the key.
    pub header: &'a str,
}

/// `text` as a JSON string (RFC 8259), quotes included.
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_refused_with_the_very_bytes_of_api_management() {
        let challenge =
            Challenge { host: "gw.example", path: "echo", header: "Ocp-Apim-Subscription-Key" };
        let problem = Problem::key_missing(&challenge);
        assert_eq!(problem.body("").len(), 152);
        assert_eq!(
            problem.headers[WWW_AUTHENTICATE],
            "AzureApiManagementKey realm=\"https://gw.example/echo\",\
             name=\"Ocp-Apim-Subscription-Key\",type=\"header\""
        );
    }

    #[test]
    fn a_message_cannot_break_out_of_its_body() {
        let problem = Problem::malformed("host_invalid", "a\"b\\c\n");
        assert!(problem.body("").contains(r#""detail":"a\"b\\c\u000a""#));
    }
}
