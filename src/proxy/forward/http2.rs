//! Requests that go to their backends over HTTP/2, whatever their bodies are: both directions flow at
//! once, so that this one way is enough for all of them.

use std::pin::Pin;

use bytes::Bytes;
use h2::RecvStream;
use http::{Method, Request, Response, StatusCode};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::time::{Sleep, sleep, timeout};

use super::call::{Cut, Stopped, body_gone, failed, told};
use super::head;
use super::passing::{Passing, client};
use super::{BODY_SILENCE_MAX, failure, sidecar, sought};
use crate::backend::version::HttpVersion;
use crate::caller::destination::Destination;
use crate::caller::http2::{Awaited, Heard, Kept, Upload};
use crate::caller::{Call, CallError, may_repeat};
use crate::exchange::message::Body;
use crate::grpc;
use crate::policy::routing::Forward;
use crate::proxy::{Gateway, INFORMATIONAL_MAX, Run, UPGRADED_SILENCE_MAX, drive};
use crate::time::Clock;

/// How often a request is sent once more that no backend has taken up.
const REPEATS_MAX: usize = 3;

/// Which HTTP is wanted: what the policy says counts most, then what the backend says.
pub fn version(run: &Run, terms: &Forward) -> HttpVersion {
    if sidecar::is_asked(run) {
        return if sidecar::is_called(run) { HttpVersion::Two } else { HttpVersion::One };
    }
    let of_backend = || run.exchange.backend.as_ref().and_then(|backend| backend.http);
    let by_kind = || match &run.exchange.api {
        // Nothing else carries calls of gRPC.
        Some(api) if api.is_grpc => HttpVersion::Two,
        _ => HttpVersion::One,
    };
    terms.http.or_else(of_backend).unwrap_or_else(by_kind)
}

/// Whether a request whose body is still to come is sent this way. A backend that cannot be asked for
/// its version is one that [`attempt`] tells of.
pub async fn takes(gateway: &Gateway, run: &Run, terms: &Forward) -> bool {
    let version = version(run, terms);
    if version == HttpVersion::TwoOrOne
        && let Ok(there) = sought(run, false).find(&gateway.resolver, run.exchange.now).await
    {
        let spoken = gateway.caller.speaks_http2(&there, version, run.exchange.now).await;
        return spoken.unwrap_or(true);
    }
    version == HttpVersion::Two
}

/// What body goes with a request.
enum Sent {
    None,
    Whole(Bytes),
    /// What the client sends, while it comes.
    Passing,
}

/// Sends the request to its backend, and waits for the head of the response.
pub(super) async fn attempt(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    (there, terms): (Destination, &Forward),
) -> Result<Call, Stopped> {
    let body = match &run.exchange.request.body {
        Body::Waiting => Sent::Passing,
        Body::Gone => return Err(failed(body_gone())),
        Body::Bytes(bytes) => Sent::Whole(bytes.clone()),
        Body::None | Body::Consumed => Sent::None,
    };
    let length = match &body {
        Sent::None => head::Framing::None,
        Sent::Whole(bytes) => head::Framing::Length(bytes.len()),
        Sent::Passing => head::Framing::Chunked,
    };
    let request = head::http2::write(gateway, session, run, &length).and_then(|mut request| {
        let deadline = deadline(gateway, run, &mut request)?;
        Ok((request, deadline))
    });
    let (request, deadline) = request.map_err(|fault| told(gateway, run, &fault))?;
    if let Some(watch) = &mut run.watch {
        let none = Bytes::new();
        watch.sends(match &body {
            Sent::None => Some(&none),
            Sent::Whole(bytes) => Some(bytes),
            Sent::Passing => None,
        });
        watch.sends_fields(&run.exchange, request.headers());
    }
    match send(gateway, session, run, (&there, &request, &body, deadline), terms).await {
        Ok(call) => Ok(call),
        Err(Cut::Call(error)) => Err(told(gateway, run, &error)),
        // What a client is told depends on what is wrong with its body.
        Err(Cut::Client(error)) if matches!(body, Sent::Passing) && !is_gone(session, &error) => {
            Err(failed(failure(&error)))
        }
        Err(Cut::Client(error)) => {
            run.exchange.trail.arrive(Err("client_gone"), gateway.clock.now());
            Err(Stopped::Gone(error))
        }
    }
}

/// Whether the client has left, which is nothing that is wrong with its body.
fn is_gone(session: &mut Session, error: &Error) -> bool {
    matches!(error.etype(), ErrorType::ConnectionClosed | ErrorType::H2Error)
        || session.as_mut().is_body_done()
}

/// Sends the request, and once more where no backend has taken it up.
async fn send(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    (there, request, body, mut deadline): (&Destination, &Request<()>, &Sent, Deadline),
    terms: &Forward,
) -> Result<Call, Cut> {
    let has_body = !matches!(body, Sent::None);
    let collects = run.machine.program().collected().is_some();
    if matches!(body, Sent::Passing) {
        // From here on what is left on the wire is not the whole body.
        run.exchange.request.body = Body::Gone;
        drive::invite_body(session).await.map_err(super::call::client)?;
    }
    let mut kept: Option<Kept> = None;
    let mut repeats = 0;
    loop {
        let asked = gateway.caller.ask(there, request, has_body, run.exchange.now).await;
        let (mut awaited, mut upload) = asked?;
        match (&mut upload, body) {
            (Some(upload), Sent::Whole(bytes)) => {
                upload.give(Some(bytes.clone()));
                upload.give(None);
            }
            (Some(upload), _) => {
                if let Some(kept) = kept.take() {
                    upload.repeat(kept);
                }
            }
            (None, _) => (),
        }
        let method = request.method();
        let heard_by = (run.holds.as_deref_mut(), run.watch.as_deref_mut());
        let mut passing = Passing::of(gateway, session, heard_by);
        let sides = (&mut awaited, &mut upload, &mut deadline);
        let received = receive(session, sides, &mut passing, terms).await;
        match received {
            Ok(response) => {
                if let Some(upload) = &mut upload {
                    upload.forget();
                    while collects && !upload.is_over() {
                        // How long a client takes is bounded where it is read from.
                        let is_clients_turn = upload.is_hungry();
                        let sent = client(session, Some(upload), &mut passing);
                        if is_clients_turn {
                            sent.await.map_err(Cut::Client)?;
                            continue;
                        }
                        let sent = timeout(terms.wait, sent).await;
                        let sent = sent.map_err(|_elapsed| CallError::Late(terms.wait))?;
                        sent.map_err(Cut::Client)?;
                    }
                }
                let is_call = grpc::is_call(request.headers());
                let silence = if is_call { UPGRADED_SILENCE_MAX } else { BODY_SILENCE_MAX };
                let silence = terms.wait.max(silence);
                let mut call = Call::shared((awaited, upload), response, method, silence);
                call.ends_with(deadline);
                return Ok(call);
            }
            Err(Cut::Call(error))
                if repeats < REPEATS_MAX
                    && may_send_again(&error, (&awaited, repeats), method)
                    && drive::spends(gateway, run) =>
            {
                if let (Some(upload), Sent::Passing) = (upload, body) {
                    kept = Some(upload.into_kept().ok_or(error)?);
                }
                repeats = repeats.saturating_add(1);
            }
            Err(cut) => return Err(cut),
        }
    }
}

/// When a call must be over; resolves then.
type Deadline = Option<Pin<Box<Sleep>>>;

async fn passed(deadline: &mut Deadline) {
    match deadline {
        Some(deadline) => deadline.await,
        None => std::future::pending().await,
    }
}

/// The deadline that a client of gRPC gives its call. What is left of it is what the backend is told.
/// `timeout` of `forward-request` bounds the wait for a head only, as it does for any request: a stream
/// may last longer than that.
fn deadline(
    gateway: &Gateway,
    run: &Run,
    request: &mut Request<()>,
) -> Result<Deadline, CallError> {
    let given = Some(request.headers()).filter(|fields| grpc::is_call(fields));
    let Some(span) = given.and_then(grpc::timeout) else { return Ok(None) };
    let left = span.saturating_sub(gateway.clock.now().since(run.exchange.started));
    if left.is_zero() {
        return Err(CallError::Overdue);
    }
    request.headers_mut().insert(grpc::TIMEOUT, grpc::timeout_value(left));
    Ok(Some(Box::pin(sleep(left))))
}

/// Whether the request may go out once more: the backend surely did nothing for it, or it is as good
/// twice as once and the connection was closed while it lay idle.
fn may_send_again(
    error: &CallError,
    (awaited, repeats): (&Awaited, usize),
    method: &Method,
) -> bool {
    let CallError::Http2(error) = error else { return false };
    let is_stale = repeats == 0 && error.is_broken() && awaited.is_reused() && may_repeat(method);
    error.is_unprocessed() || is_stale
}

/// Waits for the head of the response; informational ones are passed on. There is `terms.wait` for it
/// wherever it is the backend's turn: while a client has more to send and does not, it is not.
async fn receive(
    session: &mut Session,
    (awaited, upload, deadline): (&mut Awaited, &mut Option<Upload>, &mut Deadline),
    passing: &mut Passing<'_>,
    terms: &Forward,
) -> Result<Response<RecvStream>, Cut> {
    let mut informational = 0;
    loop {
        let is_clients_turn = upload.as_ref().is_some_and(Upload::is_hungry);
        let next = tokio::select! {
            biased;
            heard = awaited.head() => heard.map_err(CallError::from)?,
            step = client(session, upload.as_mut(), passing) => {
                step.map_err(Cut::Client)?;
                continue;
            }
            () = passed(deadline) => return Err(CallError::Overdue.into()),
            () = sleep(terms.wait), if !is_clients_turn => {
                awaited.doubt();
                return Err(CallError::Late(terms.wait).into());
            }
        };
        match next {
            Heard::Response(response) => return Ok(response),
            Heard::Informational(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(CallError::Invalid("it switches protocols unasked").into());
            }
            Heard::Informational(_) if informational == INFORMATIONAL_MAX => {
                let told = "it has too many informational responses";
                return Err(CallError::Invalid(told).into());
            }
            Heard::Informational(head) => {
                informational = informational.saturating_add(1);
                let passed = session.as_mut().write_response_header(Box::new(head)).await;
                passed.map_err(super::call::client)?;
            }
        }
    }
}
