//! Who gets a request, and what becomes of their circuits: for every try a member of the pool is
//! chosen, and what came of it is counted for that member.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use pingora::{Error, ErrorSource, ErrorType};

use crate::backend::Backend;
use crate::backend::circuit::{Outcome, Try};
use crate::backend::standing::Opened;
use crate::caller::CallError;
use crate::caller::http2::Http2Error;
use crate::exchange::choice::Callee;
use crate::exchange::message::Response;
use crate::exchange::trail::Tripped;
use crate::policy::Failure;
use crate::proxy::{Gateway, Run};
use crate::time::{Clock, Timestamp, http_date};

/// Decides who gets the request that is about to be sent, or says why nobody does.
pub fn choose(gateway: &Gateway, run: &mut Run) -> Result<(), Failure> {
    let exchange = &mut run.exchange;
    let stands = exchange.backend.as_ref().is_some_and(|it| it.standing.is_some());
    if exchange.choice.is_none() && !stands {
        return Ok(());
    }
    exchange.choose_backend(gateway.clock.now()).map_err(|why| {
        let what = match (&exchange.choice, &exchange.backend) {
            (Some(choice), _) => format!("nobody of the pool `{}`", choice.pool.id),
            (None, Some(backend)) => format!("the backend `{}`", backend.id),
            (None, None) => "the backend".to_owned(),
        };
        exchange.forget_session();
        Failure::unavailable(&what, why)
    })
}

/// The head of a response came.
pub fn answered(gateway: &Gateway, run: &mut Run, (status, fields): (StatusCode, &HeaderMap)) {
    if stands(run) {
        let now = gateway.clock.now();
        ended(run, (Outcome::Status(status), retry_after(fields, now)), now);
    }
}

/// The try that the gateway itself made came to nothing.
pub fn broke(gateway: &Gateway, run: &mut Run, error: &CallError) {
    let outcome = match error {
        CallError::Late(_) => Outcome::Late,
        // Nothing was sent, or a client of gRPC gave it too little time: no backend is to blame.
        CallError::Unsendable(_)
        | CallError::Peer(_)
        | CallError::Overdue
        | CallError::Http2(Http2Error::Crowded) => return,
        CallError::Unconnected(_)
        | CallError::Tls(_)
        | CallError::Proxy(_)
        | CallError::Stale
        | CallError::Broken(_)
        | CallError::Http2(_)
        | CallError::Invalid(_) => Outcome::Unreached,
    };
    came_to_nothing(gateway, run, outcome);
}

/// The try that Pingora made came to nothing; `is_body_done`: all of the request's body was here, so
/// that a silence was the backend's.
pub fn failed(gateway: &Gateway, run: &mut Run, error: &Error, is_body_done: bool) {
    let is_theirs =
        error.esource() == &ErrorSource::Upstream || error.etype() == &ErrorType::ConnectError;
    if is_theirs {
        let is_late = error.etype() == &ErrorType::ReadTimedout;
        if is_late && !is_body_done {
            return;
        }
        came_to_nothing(gateway, run, if is_late { Outcome::Late } else { Outcome::Unreached });
    }
}

/// The try came to nothing.
pub fn came_to_nothing(gateway: &Gateway, run: &mut Run, outcome: Outcome) {
    run.exchange.forget_session();
    if stands(run) {
        ended(run, (outcome, None), gateway.clock.now());
    }
}

/// What came of a request of a policy that was sent then, and is over now.
pub fn called(
    callee: &Callee,
    answered: &Result<Response, Failure>,
    (begun, now): (Timestamp, Timestamp),
) {
    let (outcome, retry_after) = match answered {
        Ok(it) => (Outcome::Status(it.status), retry_after(it.headers.map(), now)),
        Err(failure) if failure.reason == Failure::LATE => (Outcome::Late, None),
        Err(failure) if failure.reason == Failure::UNREACHED => (Outcome::Unreached, None),
        // What came was refused by us.
        Err(_) => return,
    };
    count(&callee.backend, &Try { outcome, retry_after, begun, ended: now });
}

/// Whether anything is counted for the backend that has the request.
fn stands(run: &Run) -> bool {
    run.exchange.backend.as_ref().is_some_and(|backend| backend.standing.is_some())
}

fn ended(run: &mut Run, (outcome, retry_after): (Outcome, Option<Duration>), now: Timestamp) {
    let Some(backend) = run.exchange.backend.clone() else { return };
    let ended = Try { outcome, retry_after, begun: run.tries.sent, ended: now };
    if let Some(opened) = count(&backend, &ended) {
        let why = word(opened.outcome);
        run.exchange.trail.tripped(Tripped { backend: Arc::clone(&backend.id), why, at: now });
    }
}

/// Counts a try for `backend`, and says it where that opened its circuit.
fn count(backend: &Backend, ended: &Try) -> Option<Opened> {
    let standing = backend.standing.as_ref()?;
    let opened = standing.count(ended)?;
    tracing::warn!(
        backend = %backend.id,
        rule = standing.rule().map_or("", |rule| &rule.name),
        seconds = opened.span.as_secs_f64(),
        because = %word(opened.outcome),
        "a circuit has opened: nothing is sent to the backend"
    );
    Some(opened)
}

/// What came of a try, in a word.
fn word(outcome: Outcome) -> Cow<'static, str> {
    match outcome {
        Outcome::Status(status) => status.as_u16().to_string().into(),
        Outcome::Late => Failure::LATE.into(),
        Outcome::Unreached => Failure::UNREACHED.into(),
    }
}

/// How long a `Retry-After` asks to wait, in seconds or until a date.
fn retry_after(fields: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    seconds.or_else(|| http_date(text).map(|then| then.since(now)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_retry_after_is_a_number_or_a_date() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let said = |text: &'static str| {
            let mut fields = HeaderMap::new();
            fields.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&fields, now)
        };
        assert_eq!(said("120"), Some(Duration::from_mins(2)));
        assert_eq!(said("Tue, 14 Nov 2023 22:13:30 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(said("Tue, 14 Nov 2023 22:13:10 GMT"), Some(Duration::ZERO));
        assert_eq!(said("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
