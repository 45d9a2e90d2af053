//! Requests that the gateway sends itself, and what comes back.
//!
//! While a response is awaited the client is watched too: who is gone waits for nothing, and the
//! backend is told by the end of the connection.

use std::future::pending;
use std::pin::pin;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, LOCATION};
use http::{Method, StatusCode};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::time::timeout;

use super::head::{self, Framing};
use super::{BODY_SILENCE_MAX, balance, failure, http2, is_short, sidecar, sought, switches};
use crate::backend::BaseUrl;
use crate::backend::circuit::Outcome;
use crate::backend::version::HttpVersion;
use crate::caller::destination::Destination;
use crate::caller::{Call, CallError, Sending, may_repeat, with_causes};
use crate::exchange::message::{Body, Response};
use crate::exchange::secrets::HIDDEN;
use crate::policy::Failure;
use crate::policy::routing::Forward;
use crate::problem::Problem;
use crate::proxy::{Gateway, INFORMATIONAL_MAX, Run, counted, drive, holds, inspect, watch};
use crate::time::Clock;

/// The most redirects that are followed for one request.
const REDIRECTS_MAX: usize = 10;

/// Why there is no response.
pub enum Stopped {
    /// The policies are told.
    Failed(Box<Failure>),
    /// The client cannot be told any more.
    Gone(Box<Error>),
}

/// Makes the call to the backend.
pub async fn call(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    terms: &Forward,
) -> Result<Call, Stopped> {
    let mut redirects = if terms.follow_redirects.is_some() { REDIRECTS_MAX } else { 0 };
    let kept = || terms.buffer_request_body || 0 < redirects;
    if run.exchange.request.body.is_waiting() && (kept() || is_short(&session.req_header().headers))
    {
        Box::pin(keep_request_body(gateway, session, run)).await?;
    }
    loop {
        super::depart(gateway, run);
        let attempted = attempt(gateway, session, run, terms).await;
        if let Ok(call) = &attempted {
            let now = gateway.clock.now();
            run.backend_head = Some((now, call.head.status));
            run.exchange.trail.arrive(Ok(call.head.status), now);
            balance::answered(gateway, run, (call.head.status, &call.head.headers));
        }
        counted::tried(gateway, run, attempted.as_ref());
        inspect::tried(gateway, run, attempted.as_ref().map(|call| call.head.status.as_u16()));
        let mut call = attempted.map_err(|stopped| sidecar::told(run, stopped))?;
        run.transport = None;
        watch::hears(run, &mut call);
        if let Some(refused) = sidecar::refused(run, &mut call).await {
            call.release();
            return Err(failed(refused));
        }
        if redirects == 0 || !follow_redirect(run, &call) {
            return Ok(call);
        }
        redirects = redirects.saturating_sub(1);
        call.release();
        run.tries.sent = gateway.clock.now();
    }
}

/// Reads the request's body, so that it can be sent more than once.
async fn keep_request_body(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
) -> Result<(), Stopped> {
    run.exchange.request.body = Body::Gone;
    let read = drive::fetch_request(session, gateway.bounds.buffered_bytes).await;
    let unreadable = |problem: Problem| Failure {
        source: Some("forward-request"),
        reason: "BodyUnreadable",
        message: problem.message.to_string(),
        problem,
    };
    let bytes = read.map_err(|problem| Stopped::Failed(Box::new(unreadable(problem))))?;
    watch::request_piece(run, &bytes);
    run.exchange.request.body = if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) };
    Ok(())
}

async fn attempt(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    terms: &Forward,
) -> Result<Call, Stopped> {
    let switches = switches(run, session);
    let version = if switches { HttpVersion::One } else { http2::version(run, terms) };
    // No proxy on the way sends HTTP/2 on: it is tunnelled.
    let sought = sought(run, switches || version == HttpVersion::Two);
    let there = match sought.find(&gateway.resolver, run.exchange.now).await {
        Ok(there) => there,
        Err(unresolved) => {
            run.exchange.trail.arrive(Err("name_unresolved"), gateway.clock.now());
            balance::came_to_nothing(gateway, run, Outcome::Unreached);
            return Err(failed(Failure::unreached(unresolved.to_string())));
        }
    };
    if version != HttpVersion::One {
        let spoken = gateway.caller.speaks_http2(&there, version, run.exchange.now).await;
        if spoken.map_err(|fault| told(gateway, run, &fault))? {
            return Box::pin(http2::attempt(gateway, session, run, (there, terms))).await;
        }
    }
    let body = match &run.exchange.request.body {
        Body::Waiting => {
            return Box::pin(stream_body(gateway, session, run, (there, terms))).await;
        }
        Body::Gone => return Err(failed(body_gone())),
        Body::Bytes(bytes) => bytes.clone(),
        Body::None | Body::Consumed => Bytes::new(),
    };
    let bare = matches!(run.exchange.request.method, Method::POST | Method::PUT | Method::PATCH);
    let framing = if switches {
        Framing::Switch
    } else if body.is_empty() && !bare {
        Framing::None
    } else {
        Framing::Length(body.len())
    };
    let mut request =
        head::write(gateway, session, run, &framing).map_err(|fault| told(gateway, run, &fault))?;
    if let Some(watch) = &mut run.watch {
        watch.sends(Some(&body));
        watch.sends_head(&run.exchange, &request);
    }
    request.extend_from_slice(&body);
    let mut fresh = false;
    loop {
        match send(gateway, session, run, (&there, &request, fresh, switches), terms).await {
            // A kept connection that was closed meanwhile is replaced, if the request may be sent
            // twice.
            Err(Cut::Call(CallError::Stale))
                if !fresh && may_repeat(&run.exchange.request.method) =>
            {
                fresh = true;
            }
            Ok(call) => return Ok(call),
            Err(Cut::Call(error)) => return Err(told(gateway, run, &error)),
            Err(Cut::Client(error)) => {
                run.exchange.trail.arrive(Err("client_gone"), gateway.clock.now());
                return Err(Stopped::Gone(error));
            }
        }
    }
}

/// Why an attempt came to nothing.
pub(super) enum Cut {
    /// The backend did not answer.
    Call(CallError),
    /// The client is gone, or its body cannot be read.
    Client(Box<Error>),
}

impl From<CallError> for Cut {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

async fn send(
    gateway: &Gateway,
    session: &mut Session,
    run: &Run,
    (there, request, fresh, switches): (&Destination, &[u8], bool, bool),
    terms: &Forward,
) -> Result<Call, Cut> {
    let mut sending = gateway.caller.open(there.clone(), fresh, run.exchange.now).await?;
    if switches {
        sending.switches();
    }
    sending.send(request).await?;
    receive(session, sending, &run.exchange.request.method, terms).await
}

/// Passes the request's body on while it arrives.
async fn stream_body(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    (there, terms): (Destination, &Forward),
) -> Result<Call, Stopped> {
    let length = session.req_header().headers.get(CONTENT_LENGTH).cloned();
    let framing = length.map_or(Framing::Chunked, Framing::Said);
    let request =
        head::write(gateway, session, run, &framing).map_err(|fault| told(gateway, run, &fault))?;
    let chunked = matches!(framing, Framing::Chunked);
    if let Some(watch) = &mut run.watch {
        watch.sends(None);
        watch.sends_head(&run.exchange, &request);
    }
    let now = run.exchange.now;
    let sent = async {
        let mut sending = gateway.caller.open(there.clone(), false, now).await?;
        if matches!(sending.send(&request).await, Err(CallError::Stale)) {
            sending = gateway.caller.open(there, true, now).await?;
            sending.send(&request).await?;
        }
        // From here on what is left on the wire is not the whole body.
        run.exchange.request.body = Body::Gone;
        drive::invite_body(session).await.map_err(client)?;
        while let Some(piece) = session.read_request_body().await.map_err(client)? {
            gateway.bounds.body(session).map_err(Cut::Client)?;
            if let Some(holds) = &mut run.holds {
                holds.moved(holds::bytes(session));
            }
            if let Some(watch) = &mut run.watch {
                watch.request_piece(&piece);
            }
            let late = |_elapsed| CallError::Late(terms.wait);
            if chunked && !piece.is_empty() {
                timeout(terms.wait, sending.send_chunk(&piece)).await.map_err(late)?;
            } else {
                timeout(terms.wait, sending.send_piece(&piece)).await.map_err(late)?;
            }
        }
        if chunked {
            sending.send_chunk(b"").await;
        }
        receive(session, sending, &run.exchange.request.method, terms).await
    };
    match sent.await {
        Ok(call) => Ok(call),
        Err(Cut::Call(error)) => Err(told(gateway, run, &error)),
        // What the client is told depends on what is wrong with its body.
        Err(Cut::Client(error)) => Err(failed(failure(&error))),
    }
}

pub(super) fn client(error: Box<Error>) -> Cut {
    Cut::Client(error.into_down())
}

/// Waits for the response; informational ones are passed on.
async fn receive(
    session: &mut Session,
    mut sending: Sending,
    method: &Method,
    terms: &Forward,
) -> Result<Call, Cut> {
    let mut late = pin!(tokio::time::sleep(terms.wait));
    // What a client sends behind a handshake is not ours to read.
    let watched = !sending.is_to_switch() && session.as_mut().is_body_done();
    let silence = terms.wait.max(BODY_SILENCE_MAX);
    let mut informational = 0;
    loop {
        let answered = tokio::select! {
            biased;
            answered = sending.head() => answered?,
            gone = gone(session, watched) => return Err(Cut::Client(gone)),
            () = late.as_mut() => return Err(CallError::Late(terms.wait).into()),
        };
        match answered.informational() {
            Err(answered) => return Ok(sending.answered(answered, method, silence)?),
            Ok(_) if informational == INFORMATIONAL_MAX => {
                let told = "it has too many informational responses";
                return Err(CallError::Invalid(told).into());
            }
            Ok(head) => {
                informational = informational.saturating_add(1);
                let passed = session.as_mut().write_response_header(Box::new(head)).await;
                passed.map_err(client)?;
            }
        }
    }
}

/// Resolves when the client is gone. To be asked only once its request is read to the end
/// (`watched`), since it reads from the connection.
pub async fn gone(session: &mut Session, watched: bool) -> Box<Error> {
    if watched {
        match session.as_mut().read_body_or_idle(true).await {
            // It sends the next request already. That byte is lost, so the connection ends with
            // this response, and the client sends it again (RFC 9112 §9.3.2).
            Err(error) if error.etype() == &ErrorType::ConnectError => session.set_keepalive(None),
            Err(error) => return error.into_down(),
            Ok(_) => (),
        }
    }
    pending().await
}

/// Turns the request to where the response sends it; false if it sends nowhere.
fn follow_redirect(run: &mut Run, call: &Call) -> bool {
    let status = call.head.status;
    let redirect = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = call.head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let (true, Some(location)) = (redirect, location) else {
        return false;
    };
    if run.app.is_some() {
        // A sidecar would take the path for its own.
        return false;
    }
    let request = &mut run.exchange.request;
    let (place, query) = location.split_once('?').unwrap_or((location, ""));
    let query = query.split('#').next().unwrap_or_default();
    if place.starts_with('/') && !place.starts_with("//") {
        let mut base = BaseUrl::clone(&request.base);
        base.path = String::new();
        request.base = std::sync::Arc::new(base);
        place.clone_into(&mut request.tail);
    } else if let Ok(base) = BaseUrl::parse(place) {
        // Credentials meant for one host do not go to another one.
        if base.host != request.base.host || base.port != request.base.port {
            request.headers.withhold(&AUTHORIZATION);
            request.headers.withhold(&COOKIE);
            run.exchange.backend = None;
            run.exchange.identity = None;
        }
        request.base = std::sync::Arc::new(base);
        request.tail.clear();
    } else {
        return false;
    }
    query.clone_into(&mut request.query);
    if status == StatusCode::SEE_OTHER && request.method != Method::HEAD {
        request.method = Method::GET;
        request.body = Body::None;
    }
    true
}

/// The response as policies see it.
pub fn response_of(call: &Call, is_looked_at: bool) -> Response {
    Response::received(call.head.status, &call.head.headers, call.is_done(), is_looked_at)
}

/// The failure that policies are told of; the record has it with its cause.
pub(super) fn told(gateway: &Gateway, run: &mut Run, error: &CallError) -> Stopped {
    run.exchange.trail.arrive(Err(error.kind()), gateway.clock.now());
    balance::broke(gateway, run, error);
    let told = with_causes(error);
    let way = run.exchange.way().map(|proxy| format!(" through {proxy}"));
    // A secret may be part of where it went.
    let base = if run.exchange.is_target_secret {
        HIDDEN.to_owned()
    } else {
        run.exchange.covered(run.exchange.request.base.to_string())
    };
    run.transport = Some(format!("{base}{}: {told}", way.unwrap_or_default()));
    failed(if matches!(error, CallError::Late(_) | CallError::Overdue) {
        Failure::late(error.to_string())
    } else {
        Failure::unreached(error.to_string())
    })
}

/// Why a request whose body went to a backend already is not sent again.
pub(super) fn body_gone() -> Failure {
    let message = "the request's body has been passed on while it arrived and is not there to be \
                   sent again; buffer-request-body=\"true\" of forward-request keeps it";
    Failure {
        source: Some("forward-request"),
        reason: "RequestBodyGone",
        message: message.to_owned(),
        problem: Problem::failed("request_body_gone"),
    }
}

pub(super) fn failed(failure: Failure) -> Stopped {
    Stopped::Failed(Box::new(failure))
}
