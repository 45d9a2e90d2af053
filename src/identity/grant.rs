//! What a token endpoint answers (RFC 6749, section 5): a token and what it is good for, or why there
//! is none.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::caller::fetch::Answer;
use crate::jwt;
use crate::policy::identity::asked::Token;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How many characters of a reason are told.
const TOLD_CHARACTERS_MAX: usize = 200;
/// The longest life of a token that is believed.
const LIFE_MAX: Duration = Duration::from_hours(366 * 24);

/// What is read of an answer with a token.
#[derive(Deserialize)]
struct Granted {
    #[serde(rename = "access_token")]
    text: String,
    #[serde(rename = "token_type")]
    kind: String,
    /// In seconds.
    expires_in: Option<Value>,
    /// In seconds since the epoch: endpoints of machines say this.
    expires_on: Option<Value>,
    /// What the next token is got with.
    refresh_token: Option<String>,
}

/// A token, and what comes with it.
#[derive(Debug)]
pub struct Given {
    /// The token.
    pub token: Token,
    /// How long it is good.
    pub life: Duration,
    /// What the next one is got with, if that is another thing than before.
    pub refresh: Option<Secret>,
}

/// What of an answer is nobody's but ours.
const OURS: [&str; 2] = ["access_token", "refresh_token"];

/// What is read of an answer without one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

/// Why an answer holds no token.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Nothing {
    /// Whoever answers says so.
    #[error("the status is {0}{1}")]
    Refused(u16, String),
    /// It is none that is known.
    #[error("the answer is no JSON object with `access_token` and `token_type`")]
    Form,
    /// It is of another kind.
    #[error("the token is none that is shown as `Bearer`")]
    Kind,
    /// It cannot be shown.
    #[error("the token is no text that a header can hold")]
    Text,
    /// Nobody knows how long it is good.
    #[error("nothing says when the token ends")]
    Endless,
    /// It is not.
    #[error("the token has ended already")]
    Over,
}

/// The token in `answer`, good from `now` on: as long as the answer says, or the token, or `usual` where
/// neither does. Nothing of what is `hidden` is told.
pub fn read(
    answer: &Answer,
    hidden: &[Secret],
    usual: Option<Duration>,
    now: Timestamp,
) -> Result<Given, Nothing> {
    if answer.status != StatusCode::OK {
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Err(Nothing::Refused(answer.status.as_u16(), refusal.told(hidden)));
    }
    let mut all: Map<String, Value> =
        serde_json::from_slice(&answer.body).map_err(|_other| Nothing::Form)?;
    let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_other| Nothing::Form)?;
    if !granted.kind.eq_ignore_ascii_case("bearer") {
        return Err(Nothing::Kind);
    }
    let text = Secret::new(granted.text);
    let is_text = text.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if !is_text || text.expose().is_empty() {
        return Err(Nothing::Text);
    }
    let said = granted.expires_in.as_ref().and_then(seconds).map(Duration::from_secs);
    let end = |value| seconds(value).map(|end| until(end, now));
    let said = said.or_else(|| granted.expires_on.as_ref().and_then(end));
    let own = || Some(jwt::unverified(text.expose()).ok()?.expires()?.since(now));
    let life = said.or_else(own).or(usual).ok_or(Nothing::Endless)?.min(LIFE_MAX);
    if life.is_zero() {
        return Err(Nothing::Over);
    }
    all.retain(|name, _value| !OURS.contains(&name.as_str()));
    let claims = Secret::new(Value::Object(all).to_string());
    let refresh = granted.refresh_token.filter(|it| !it.is_empty()).map(Secret::new);
    Ok(Given { token: Token { text, claims }, life, refresh })
}

/// How long it is until so many seconds after the epoch.
fn until(end: u64, now: Timestamp) -> Duration {
    Timestamp::from_micros(end.saturating_mul(1_000_000)).since(now)
}

/// Some endpoints write the number as a text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Refusal {
    /// What the endpoint says, in so far as it may be repeated.
    fn told(&self, hidden: &[Secret]) -> String {
        let is_shown = |text: &&str| !hidden.iter().any(|hidden| text.contains(hidden.expose()));
        let parts = [self.error.as_str(), self.error_description.as_str()];
        let all: Vec<&str> = parts.into_iter().filter(is_shown).collect();
        let all = all.join(" ");
        if all.trim().is_empty() {
            return String::new();
        }
        let is_plain = |character: &char| !character.is_control();
        let told: String = all.trim().chars().filter(is_plain).take(TOLD_CHARACTERS_MAX).collect();
        format!(": {told}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn reading(status: u16, body: &str) -> Result<(Secret, Duration), Nothing> {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, body: body.as_bytes().to_vec() };
        let given = read(&answer, &[Secret::new("other"), Secret::new("hunter2")], None, NOW)?;
        Ok((given.token.text, given.life))
    }

    #[test]
    fn what_comes_with_a_token_is_kept_apart_from_what_the_next_is_got_with() {
        let body =
            r#"{"access_token":"a","token_type":"Bearer","refresh_token":"r","team":{"id":7}}"#;
        let answer = Answer { status: StatusCode::OK, body: body.as_bytes().to_vec() };
        let given = read(&answer, &[], Some(Duration::from_mins(5)), NOW).unwrap();
        assert_eq!(given.life, Duration::from_mins(5));
        assert_eq!(given.refresh.unwrap().expose(), "r");
        let claims = given.token.claims.expose();
        assert_eq!(claims, r#"{"token_type":"Bearer","team":{"id":7}}"#);
    }

    #[test]
    fn a_token_lasts_as_long_as_the_endpoint_says_or_it_itself() {
        // {"alg":"none"} and {"exp":1800000060}: nobody verifies it here.
        let own = "eyJhbGciOiJub25lIn0.eyJleHAiOjE4MDAwMDAwNjB9.eA";
        for (text, more, seconds) in [
            ("abc", r#","expires_in":3599"#, 3_599),
            ("abc", r#","expires_in":"60","scope":"x""#, 60),
            (own, "", 60),
            ("abc", r#","expires_on":"1800000090""#, 90),
            ("abc", r#","expires_on":1800000090,"expires_in":"10""#, 10),
            (own, r#","expires_in":null"#, 60),
            ("abc", r#","expires_in":99999999999999"#, LIFE_MAX.as_secs()),
        ] {
            let body = format!(r#"{{"access_token":"{text}","token_type":"bearer"{more}}}"#);
            let (token, life) = reading(200, &body).unwrap();
            assert_eq!((token.expose(), life), (text, Duration::from_secs(seconds)), "{body}");
        }
        let part = |more: &str| format!(r#"{{"token_type":"Bearer",{more}}}"#);
        for (body, nothing) in [
            (String::new(), Nothing::Form),
            ("<html>".to_owned(), Nothing::Form),
            (r#"{"access_token":"a"}"#.to_owned(), Nothing::Form),
            (r#"{"access_token":"a","token_type":"mac"}"#.to_owned(), Nothing::Kind),
            (part(r#""access_token":"a b","expires_in":1"#), Nothing::Text),
            (part(r#""access_token":"","expires_in":1"#), Nothing::Text),
            (part(r#""access_token":"a"}"#).replace("}}", "}"), Nothing::Endless),
            (part(r#""access_token":"a","expires_in":-1"#), Nothing::Endless),
            (part(r#""access_token":"a","expires_in":0"#), Nothing::Over),
            (part(r#""access_token":"a","expires_on":"1799999999""#), Nothing::Over),
        ] {
            assert_eq!(reading(200, &body).unwrap_err(), nothing, "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_without_what_nobody_may_know() {
        let told = |status: u16, body: &str| reading(status, body).unwrap_err().to_string();
        let refused = r#"{"error":"invalid_client","error_description":"no\nsuch client"}"#;
        assert_eq!(told(401, refused), "the status is 401: invalid_client nosuch client");
        assert_eq!(told(500, "<html>"), "the status is 500");
        let echo = r#"{"error":"invalid_client","error_description":"not hunter2"}"#;
        assert_eq!(told(400, echo), "the status is 400: invalid_client");
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(1_000));
        assert!(told(400, &long).len() < 300);
        assert_eq!(told(302, ""), "the status is 302");
    }
}
