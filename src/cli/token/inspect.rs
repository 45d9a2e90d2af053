//! `weir token inspect`: what a token says, and what the keys say of it. Its signature is never
//! shown.

use std::io::Write;

use serde::Serialize;

use crate::cli::check::Form;
use crate::cli::{Outcome, complain, say};
use crate::secret::Secret;
use crate::time::{Timestamp, date, words};
use crate::token::Token;
use crate::token::credential::{Expiry, State};
use crate::token::ring::Ring;

/// What is said of a token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    gateway: String,
    id: String,
    expires: String,
    seconds_left: u64,
    /// `fine`, `near` or `expired`, by its end alone.
    state: &'static str,
    /// Whether it is good; not known without the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    good: Option<bool>,
    /// Which key signed it, if it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'static str>,
    /// Why it is not good, in a word and in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Says it.
pub(super) fn inspect(
    text: &Secret,
    ring: Option<&Ring>,
    now: Timestamp,
    form: Form,
    out: &mut impl Write,
) -> Outcome {
    let token = match Token::parse(text.expose()) {
        Ok(token) => token,
        Err(malformed) => {
            complain(&format!("this is no gateway token: {malformed}\n"));
            return Outcome::Wrong;
        }
    };
    let end = Expiry::of(token.expiry().at(), now);
    let verified = ring.map(|ring| ring.verify(text.expose(), now));
    let refusal = verified.as_ref().and_then(|verified| verified.as_ref().err());
    let report = Report {
        gateway: token.gateway().to_string(),
        id: token.id().to_string(),
        expires: date(end.at),
        seconds_left: end.left.as_secs(),
        state: end.state.word(),
        good: verified.as_ref().map(Result::is_ok),
        key: verified.as_ref().and_then(|it| it.as_ref().ok()).map(|it| it.key.word()),
        reason: refusal.map(|refusal| refusal.word()),
        message: refusal.map(ToString::to_string),
    };
    match form {
        Form::Text => say(out, &lines(&report, &end, now)),
        Form::Json => {
            say(out, &serde_json::to_string_pretty(&report).unwrap_or_default());
            say(out, "\n");
        }
    }
    let is_fine = end.state != State::Expired && report.good.unwrap_or(true);
    if is_fine { Outcome::Fine } else { Outcome::Wrong }
}

fn lines(report: &Report, end: &Expiry, now: Timestamp) -> String {
    let left = match end.state {
        State::Fine => format!("in {}", words(end.left)),
        State::Near => format!("in {}: replace it soon", words(end.left)),
        State::Expired => format!("{} ago", words(now.since(end.at))),
    };
    let good = match (report.key, &report.message) {
        (Some(key), _) => format!("yes, signed with the {key} key"),
        (None, Some(message)) => format!("no, {message}"),
        (None, None) => "not known without the keys (--keys FILE)".to_owned(),
    };
    let Report { gateway, id, expires, .. } = report;
    format!("gateway  {gateway}\nid       {id}\nexpires  {expires}, {left}\ngood     {good}\n")
}
