//! Answers: one writer for every response that does not stream through Pingora.

pub mod keep;
mod relay;
mod duplex;
mod switched;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderName, Method, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use crate::caller::Call;
use crate::exchange::message::{Body, Response, titled};
use crate::exchange::{Exchange, format_id};
use crate::grpc::Code;
use crate::policy::machine::Event;
use crate::problem::Problem;
use crate::proxy::drive::Stop;
use crate::proxy::forward::passing::Passing;
use crate::proxy::grpc::{self, Told};
use crate::proxy::reply::relay::{Unopened, opening, relay};
use crate::proxy::{ANSWERED, Context, Gateway, Run, counted, drive, forward, holds};
use crate::time::Clock;

/// Fields that belong to one connection (RFC 9110 §7.6.1): never passed on.
pub const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Answers with `problem` where policies have no say.
pub async fn refuse(
    session: &mut Session,
    context: &mut Context,
    problem: &Problem,
) -> pingora::Result<()> {
    context.note_refusal(problem);
    if grpc::is_call(session) {
        let told = Told::refusal(problem);
        context.journey.grpc = Some(told.code);
        return Box::pin(told.send(session)).await;
    }
    let body = Bytes::from(problem.body(&format_id(context.journey.id)));
    let mut head = ResponseHeader::build(problem.status, Some(problem.headers.len() + 3))?;
    if let Some(phrase) = problem.phrase {
        head.set_reason_phrase(Some(phrase))?;
    }
    for (name, value) in &problem.headers {
        head.append_header(titled(name), value.clone())?;
    }
    if let Some(kind) = problem.content_type() {
        head.insert_header(CONTENT_TYPE, kind)?;
    }
    if may_have_body(problem.status) {
        head.insert_header(CONTENT_LENGTH, body.len())?;
    }
    if problem.close {
        session.set_keepalive(None);
    }
    end_if_expecting(session);
    let silent = session.req_header().method == Method::HEAD || body.is_empty();
    session.write_response_header(Box::new(head), silent).await?;
    if !silent {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// Ends the connection with this answer if the client waited for a `100` that never came: nobody
/// can tell whether it will still send the body (RFC 9110 §10.1.1).
pub fn end_if_expecting(session: &mut Session) {
    let head = session.req_header();
    let expects = head.version == Version::HTTP_11 && head.headers.contains_key(EXPECT);
    if expects && session.as_ref().body_bytes_read() == 0 && !session.as_mut().is_body_done() {
        session.set_keepalive(None);
    }
}

/// Sends the response of the exchange, or that of its call.
pub async fn deliver(
    gateway: &Gateway,
    session: &mut Session,
    context: &mut Context,
) -> pingora::Result<()> {
    let Some(run) = &mut context.run else {
        return Ok(());
    };
    context.journey.answered(&run.exchange);
    // Some are known only now.
    holds::begin(gateway, run);
    end_if_expecting(session);
    let mut call = run.call.take();
    let mut first = None;
    let Run { exchange, holds, watch, .. } = &mut **run;
    let exchange = &*exchange;
    let (holds, watch) = (holds.as_deref_mut(), watch.as_deref_mut());
    let mut passing = Passing::of(gateway, session, (holds, watch));
    let response = exchange.response.as_ref();
    let untouched = match (&call, response) {
        (_, None) => true,
        // Of this response there is no body that policies could have touched.
        (Some(call), Some(response)) if call.is_switched() => {
            response.status == StatusCode::SWITCHING_PROTOCOLS
        }
        (Some(call), Some(_)) => is_untouched(exchange, call.is_done()),
        (None, Some(_)) => false,
    };
    if let Some(open) = &mut call
        && open.length().is_some()
        && !open.uploads()
        && !open.is_done()
        && !open.has_piece()
        && response.is_none_or(|response| response.body.is_waiting())
    {
        // Boxed, as all that is rare here.
        match Box::pin(opening(session, open)).await {
            Ok(piece) => first = piece,
            Err(Unopened::Gone(error)) => return Err(error),
            Err(Unopened::Broken(error)) => {
                context.journey.broken(&error);
                let problem = Problem::failed("backend_body_broken");
                return Box::pin(refuse(session, context, &problem)).await;
            }
        }
    }
    if grpc::is_call(session) {
        if let Some(told) = Told::of(exchange, call.as_ref(), !untouched) {
            context.journey.grpc = Some(told.code);
            return Box::pin(told.send(session)).await;
        }
        let fields = call.as_ref().map(|call| &call.head.headers);
        passing.code = fields.and_then(Code::of);
    }
    let delivered = match (call, response) {
        (Some(call), _) if untouched => pass(session, exchange, (call, first, &mut passing)).await,
        (call, Some(response)) => {
            Box::pin(answer(session, exchange, response, (call, first, &mut passing))).await
        }
        (_, None) => Error::e_explain(ErrorType::InternalError, "there is no response"),
    };
    context.journey.grpc = passing.code;
    if passing.broken.is_some() {
        context.journey.transport = passing.broken;
    }
    delivered
}

/// Sends the response of a call on as the backend made it, but for what policies changed.
async fn pass(
    session: &mut Session,
    exchange: &Exchange,
    (mut call, first, passing): (Call, Option<Bytes>, &mut Passing<'_>),
) -> pingora::Result<()> {
    if call.is_switched() {
        return Box::pin(switched::switch(session, exchange, (call, passing.holds.as_deref_mut())))
            .await;
    }
    let mut head = call.take_head();
    edit(&mut head, exchange)?;
    let silent = session.req_header().method == Method::HEAD;
    if !silent && may_have_body(head.status) {
        frame(session, &mut head, &call)?;
    } else if head.status == StatusCode::NO_CONTENT {
        head.remove_header(&CONTENT_LENGTH);
    }
    let whole = first.is_none() && call.is_done();
    let ends = silent || whole || !may_have_body(head.status);
    session.write_response_header(Box::new(head), ends).await?;
    if ends {
        call.release();
        return Ok(());
    }
    go_on(session, call, first, passing).await
}

/// Passes the body of a call on.
async fn go_on(
    session: &mut Session,
    call: Call,
    first: Option<Bytes>,
    passing: &mut Passing<'_>,
) -> pingora::Result<()> {
    if call.is_http2() || grpc::is_call(session) {
        Box::pin(duplex::relay(session, call, first, passing)).await
    } else {
        relay(session, call, first, passing.holds.as_deref_mut()).await
    }
}

/// Says how long the body is, as this client understands it.
fn frame(session: &mut Session, head: &mut ResponseHeader, call: &Call) -> pingora::Result<()> {
    if let Some(length) = call.length() {
        // A call of gRPC has trailers, and no length.
        if !head.headers.contains_key(CONTENT_LENGTH) && !grpc::is_call(session) {
            head.insert_header(CONTENT_LENGTH, length)?;
        }
        return Ok(());
    }
    head.remove_header(&CONTENT_LENGTH);
    match session.req_header().version {
        Version::HTTP_11 => head.insert_header(TRANSFER_ENCODING, "chunked"),
        Version::HTTP_2 => Ok(()),
        _ => {
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
            session.set_keepalive(None);
            Ok(())
        }
    }
}

/// Sends a response that is not, or not only, what the backend sent.
async fn answer(
    session: &mut Session,
    exchange: &Exchange,
    response: &Response,
    (call, first, passing): (Option<Call>, Option<Bytes>, &mut Passing<'_>),
) -> pingora::Result<()> {
    let silent = session.req_header().method == Method::HEAD || !may_have_body(response.status);
    let waiting = call.as_ref().filter(|_call| response.body.is_waiting());
    let mut head = head_of(response)?;
    for (name, value) in exchange.final_fields.over(response.headers.map()) {
        head.insert_header(titled(&name), value)?;
    }
    keep_session(&mut head, exchange)?;
    if let Some(call) = waiting {
        if !silent {
            frame(session, &mut head, call)?;
        }
    } else {
        let length = response.body.bytes().map_or(0, Bytes::len);
        if may_have_body(response.status) && !(silent && length == 0) {
            head.insert_header(CONTENT_LENGTH, length)?;
        }
    }
    let body = response.body.bytes().cloned().filter(|_bytes| !silent);
    let relays = waiting.is_some() && !silent;
    session.write_response_header(Box::new(head), body.is_none() && !relays).await?;
    if let Some(body) = body {
        session.write_response_body(Some(body), true).await?;
    }
    match call {
        Some(call) if relays => go_on(session, call, first, passing).await,
        Some(call) => {
            call.release();
            Ok(())
        }
        None => Ok(()),
    }
}

/// After Pingora could not forward: runs on-error, or sends what the policies answered.
pub async fn failed(
    gateway: &Gateway,
    session: &mut Session,
    context: &mut Context,
    error: &Error,
) {
    if error.etype() != &ANSWERED {
        let Some(run) = &mut context.run else {
            let problem = Problem::failed("internal");
            // The client is gone if this fails, and the record says so.
            let _ = refuse(session, context, &problem).await;
            return;
        };
        context.journey.broken(error);
        run.exchange.trail.arrive(Err(forward::kind(error)), gateway.clock.now());
        let failure = forward::failure(error);
        forward::balance::failed(gateway, run, error, session.as_mut().is_body_done());
        counted::failed(gateway, run, &failure);
        if let Stop::Gone(gone) = drive::resume(gateway, session, run, Event::Failed(failure)).await
        {
            context.journey.broken(&gone);
            return;
        }
    }
    // Of the request's body nobody knows how much is left on the connection.
    session.set_keepalive(None);
    let _ = deliver(gateway, session, context).await;
}

/// After the request itself could not be read to its end.
pub async fn unreadable(session: &mut Session, context: &mut Context, error: &Error) {
    if let Some(problem) = unreadable_body(error) {
        // The client is gone if this fails, and the record says so.
        let _ = refuse(session, context, &problem).await;
    }
}

/// What a client is told whose body cannot be read; nothing, if it is gone.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other error of Pingora's tells the client the same"
)]
pub fn unreadable_body(error: &Error) -> Option<Problem> {
    Some(match error.etype() {
        ErrorType::ReadTimedout => Problem::beyond(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "The body of the request did not come in time.".to_owned(),
        ),
        ErrorType::ConnectionClosed | ErrorType::WriteError | ErrorType::WriteTimedout => {
            return None;
        }
        ErrorType::HTTPStatus(413) => Problem::beyond(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body of the request is too large.".to_owned(),
        ),
        _ => Problem::malformed("body_unreadable", "The body of the request cannot be read."),
    })
}

/// Whether the response can go on as the backend sends it: its body is the backend's own.
pub fn is_untouched(exchange: &Exchange, bodiless: bool) -> bool {
    match &exchange.response {
        Some(response) if response.headers.is_own() => false,
        Some(response) => match response.body {
            Body::Waiting => may_have_body(response.status),
            Body::None => bodiless,
            Body::Bytes(_) | Body::Consumed | Body::Gone => false,
        },
        None => false,
    }
}

/// Applies what policies changed to the head that streams through.
pub fn edit(head: &mut ResponseHeader, exchange: &Exchange) -> pingora::Result<()> {
    keep_session(head, exchange)?;
    let Some(response) = &exchange.response else {
        return Ok(());
    };
    if head.status != response.status {
        head.set_status(response.status)?;
    }
    if let Some(phrase) = &response.phrase {
        head.set_reason_phrase(Some(phrase))?;
    }
    for name in response.headers.touched() {
        let mut values = response.headers.map().get_all(name).iter();
        match values.next() {
            Some(first) => head.insert_header(titled(name), first.clone())?,
            None => drop(head.remove_header(name)),
        }
        for value in values {
            head.append_header(titled(name), value.clone())?;
        }
    }
    for (name, value) in exchange.final_fields.over(response.headers.map()) {
        head.insert_header(titled(&name), value)?;
    }
    Ok(())
}

/// Gives the client the cookie that keeps its session with the member of a pool that it got.
fn keep_session(head: &mut ResponseHeader, exchange: &Exchange) -> pingora::Result<()> {
    if exchange.choice.is_some()
        && let Some(cookie) = exchange.session_cookie()
    {
        head.append_header(titled(&SET_COOKIE), cookie)?;
    }
    Ok(())
}

fn head_of(response: &Response) -> pingora::Result<ResponseHeader> {
    let fields = response.headers.map();
    let mut head = ResponseHeader::build(response.status, Some(fields.len().saturating_add(4)))?;
    if let Some(phrase) = &response.phrase {
        head.set_reason_phrase(Some(phrase))?;
    }
    let waiting = response.body.is_waiting();
    for (name, value) in fields {
        // A 204 has no length at all; that of a 304 is the one it would have had.
        let sized = waiting && response.status != StatusCode::NO_CONTENT;
        let framing = name == CONTENT_LENGTH && !sized;
        if !framing && !is_hop_by_hop(name) {
            head.append_header(titled(name), value.clone())?;
        }
    }
    Ok(head)
}

/// Whether the field belongs to one connection.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// Whether a response with this status may have a body (RFC 9110 §6.4.1).
pub fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}
