//! Does what the machine asks for, until the response can be sent or Pingora must go on.

mod together;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use pingora::proxy::Session;

use crate::admission::First;
use crate::caller::Call;
use crate::exchange::cached::CacheKey;
use crate::exchange::trail::Asker;
use crate::expression::value::Value;
use crate::limit::{Charge, Counters};
use crate::policy::caching::made::{Made, Wanted};
use crate::policy::limits::tokens::MEASURED_BYTES_MAX;
use crate::policy::logging::event_hub::HubEvent;
use crate::policy::machine::{Effect, Event};
use crate::policy::send::outgoing::Outgoing;
use crate::policy::tokens::asked::Asked;
use crate::policy::{Failure, Side};
use crate::problem::Problem;
use crate::proxy::forward::call::Stopped;
use crate::proxy::{Gateway, Run, bearer, forward, holds, reply, send, watch};
use crate::time::{Clock, Timestamp};

/// Why the machine stopped.
#[derive(Debug)]
pub enum Stop {
    /// Pingora forwards the request.
    Forward,
    /// The response is final.
    Deliver,
    /// The client is gone: nobody wants a response.
    Gone(Box<pingora::Error>),
}

/// Begins a run.
pub async fn begin(gateway: &Gateway, session: &mut Session, run: &mut Run, first: First) -> Stop {
    let effect = match first {
        First::Start => run.machine.resume(Event::Start, &mut run.exchange),
        First::Interrupt(failure, place) => {
            run.machine.interrupt(*failure, place, &mut run.exchange)
        }
        First::Answered(_) => return Stop::Deliver,
    };
    follow(gateway, session, run, effect).await
}

/// Goes on with a run.
pub async fn resume(gateway: &Gateway, session: &mut Session, run: &mut Run, event: Event) -> Stop {
    // Pingora has forwarded the request meanwhile.
    wait_ends(gateway, run, true);
    let effect = run.machine.resume(event, &mut run.exchange);
    follow(gateway, session, run, effect).await
}

/// Whatever the machine asked for is there; `is_backend`: that was for a backend to give.
fn wait_ends(gateway: &Gateway, run: &mut Run, is_backend: bool) {
    let now = gateway.clock.now();
    if is_backend {
        run.tries.waited = run.tries.waited.saturating_add(now.since(run.exchange.now));
    }
    run.exchange.now = now;
}

/// Whether a backend has to do what the machine asks for.
const fn is_for_backend(effect: &Effect) -> bool {
    matches!(effect, Effect::Forward(_) | Effect::Fetch(Side::Response) | Effect::Measure)
}

async fn follow(
    gateway: &Gateway,
    session: &mut Session,
    run: &mut Run,
    mut effect: Effect,
) -> Stop {
    loop {
        let now = run.exchange.now;
        let is_backend = is_for_backend(&effect);
        let event = match effect {
            Effect::Deliver => return Stop::Deliver,
            Effect::Forward(terms) => {
                if let Err(failure) = leave(gateway, session, run).await {
                    Event::Failed(failure)
                } else {
                    if forward::needs_both_ways(run, session)
                        && !Box::pin(forward::http2::takes(gateway, run, &terms)).await
                    {
                        run.forward = Some(terms);
                        return Stop::Forward;
                    }
                    match forward::call::call(gateway, session, run, &terms).await {
                        Ok(call) => match responded(run, call) {
                            Some(event) => event,
                            None => return Stop::Deliver,
                        },
                        Err(Stopped::Failed(failure)) => Event::Failed(*failure),
                        Err(Stopped::Gone(error)) => return Stop::Gone(error),
                    }
                }
            }
            // Boxed, as all that is rare here: what a future may hold is moved with every request.
            Effect::Fetch(Side::Request) => {
                let body = Box::pin(fetch_request(session, gateway.bounds.buffered_bytes)).await;
                Event::Body(Side::Request, body.inspect(|body| watch::request_piece(run, body)))
            }
            Effect::Fetch(Side::Response) => {
                let max = gateway.bounds.buffered_bytes;
                let body = Box::pin(fetch_response(run.call.as_mut(), max)).await;
                Event::Body(Side::Response, body)
            }
            Effect::Measure => Event::Measured(Box::pin(measure(run.call.as_mut())).await),
            Effect::Charge(charges) => charge(gateway, charges, now).await,
            Effect::Add(charges) => add(gateway, &charges, now),
            Effect::Refund(charge, taken) => refund(gateway, charge, taken),
            Effect::Enter { key, max } => Event::Entered(gateway.counters.enter(key, max).await),
            Effect::LookupResponse(key) => Event::CachedResponse(gateway.responses.get(&key, now)),
            Effect::StoreResponse(key, ttl) => store(gateway, run, key, ttl),
            Effect::LookupValue(key) => Event::CachedValue(gateway.values.get(&key, now)),
            Effect::StoreValue(key, value, ttl) => store_value(gateway, key, value, ttl, now),
            Effect::WantValue(wanted) => Box::pin(want(gateway, wanted, now)).await,
            Effect::KeepValue(made) => keep_made(gateway, *made, now),
            Effect::RemoveValue(key) => remove_value(gateway, &key),
            Effect::Authenticate(asked) => authenticate(gateway, &asked, now).await,
            Effect::Together(begin) => {
                effect = Box::pin(together::together(gateway, run, begin)).await;
                continue;
            }
            Effect::Obtain(asked) => Event::Obtained(bearer::obtain(gateway, &asked, now).await),
            Effect::Emit(event) => emit(gateway, *event, now),
            Effect::Call(outgoing) => {
                let (method, base) = (&outgoing.method, &outgoing.url.base);
                let asker = run.exchange.trail.asker(method, base, now);
                Box::pin(call(gateway, &outgoing, asker, now)).await
            }
            Effect::Tell(outgoing) => tell(gateway, outgoing, run.exchange.trail.teller(), now),
            Effect::Again(pause) => again(gateway, run, pause).await,
            Effect::Sleep(span) => {
                Box::pin(tokio::time::sleep(span)).await;
                Event::Done
            }
        };
        wait_ends(gateway, run, is_backend);
        effect = run.machine.resume(event, &mut run.exchange);
    }
}

/// What the policies are told of a response; nothing, if nobody looks at it and it goes on as it is.
fn responded(run: &mut Run, call: Call) -> Option<Event> {
    let (is_plain, is_looked_at) = (run.is_plain(), run.looks_at_response());
    let call = run.call.insert(call);
    holds::listen(&mut run.exchange, call);
    (!is_plain).then(|| Event::Responded(forward::call::response_of(call, is_looked_at)))
}

/// The request is forwarded now, with the token that its backend wants to see, if it does.
async fn leave(gateway: &Gateway, session: &Session, run: &mut Run) -> Result<(), Failure> {
    depart(gateway, session, run)?;
    if bearer::is_wanted(run) {
        Box::pin(bearer::get(gateway, run)).await?;
    }
    Ok(())
}

/// The request is forwarded now, to the backend whose turn it is.
fn depart(gateway: &Gateway, session: &Session, run: &mut Run) -> Result<(), Failure> {
    holds::begin(gateway, run);
    forward::balance::choose(gateway, run)?;
    forward::sidecar::aim(session, run)?;
    run.forwards_at(run.exchange.now);
    if run.is_first_try() {
        let (name, port) = purse(run);
        gateway.state.budgets.earn(name, port);
    }
    Ok(())
}

/// Whether the request may be forwarded once more, when it has waited for that.
async fn again(gateway: &Gateway, run: &Run, pause: Duration) -> Event {
    let is_granted = spends(gateway, run);
    if is_granted && !pause.is_zero() {
        Box::pin(tokio::time::sleep(pause)).await;
    }
    Event::Again(is_granted)
}

/// Whether the request may go to its backend once more; that is counted either way.
pub fn spends(gateway: &Gateway, run: &Run) -> bool {
    let (name, port) = purse(run);
    let is_granted = gateway.state.budgets.spend(name, port, run.exchange.now);
    if !is_granted {
        gateway.state.spared.fetch_add(1, Ordering::Relaxed);
    }
    is_granted
}

/// Whose budget it is: the backend's by its name, that of each app behind a sidecar, else that of a place.
fn purse(run: &Run) -> (&str, u16) {
    let base = &run.exchange.request.base;
    match &run.exchange.backend {
        Some(backend) if backend.is_sidecar => (run.app.as_deref().unwrap_or(&base.path), 0),
        Some(backend) => (&backend.id, 0),
        None => (&base.host, base.port),
    }
}

async fn charge(gateway: &Gateway, charges: Vec<Charge>, now: Timestamp) -> Event {
    let answer = gateway.counters.charge(&charges, now).await;
    Event::Tallied(charges, answer)
}

fn add(gateway: &Gateway, charges: &[Charge], now: Timestamp) -> Event {
    gateway.counters.add(charges, now);
    Event::Done
}

fn store(gateway: &Gateway, run: &Run, key: CacheKey, ttl: Duration) -> Event {
    reply::keep::store(gateway, run, key, ttl);
    Event::Done
}

fn remove_value(gateway: &Gateway, key: &CacheKey) -> Event {
    gateway.values.remove(key);
    Event::Done
}

async fn authenticate(gateway: &Gateway, asked: &Asked, now: Timestamp) -> Event {
    Event::Authenticated(match gateway.issuers.at_once(asked, now) {
        Some(answer) => answer,
        None => Box::pin(gateway.issuers.answer(asked, now)).await,
    })
}

fn store_value(
    gateway: &Gateway,
    key: CacheKey,
    value: Value,
    ttl: Duration,
    now: Timestamp,
) -> Event {
    reply::keep::store_value(gateway, key, value, ttl, now);
    Event::Done
}

async fn want(gateway: &Gateway, wanted: Wanted, now: Timestamp) -> Event {
    Event::Wanted(reply::keep::want(gateway, wanted, now).await)
}

fn keep_made(gateway: &Gateway, made: Made, now: Timestamp) -> Event {
    reply::keep::made(gateway, made, now);
    Event::Done
}

async fn call(
    gateway: &Gateway,
    outgoing: &Outgoing,
    asker: Option<Asker>,
    now: Timestamp,
) -> Event {
    Event::Called(send::call(gateway, outgoing, asker, now).await)
}

fn emit(gateway: &Gateway, event: HubEvent, now: Timestamp) -> Event {
    gateway.events.emit(event, now);
    Event::Done
}

fn tell(gateway: &Gateway, outgoing: Box<Outgoing>, asker: Option<Asker>, now: Timestamp) -> Event {
    send::tell(gateway, outgoing, asker, now);
    Event::Done
}

fn refund(gateway: &Gateway, charge: Charge, taken: Timestamp) -> Event {
    gateway.counters.refund(&[charge], taken);
    Event::Done
}

/// Reads the body of the request, at most `bytes_max` bytes.
pub async fn fetch_request(session: &mut Session, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut body = Gathered::new("request", bytes_max);
    let broken = |error: &pingora::Error| {
        let gone = || Problem::malformed("body_unreadable", "The client is gone.");
        reply::unreadable_body(error).unwrap_or_else(gone)
    };
    invite_body(session).await.map_err(|error| broken(&error))?;
    loop {
        match session.read_request_body().await {
            Ok(Some(piece)) => body.add(piece)?,
            Ok(None) => return Ok(body.finish()),
            Err(error) => return Err(broken(&error)),
        }
    }
}

/// Tells a client that waits for it to send the body that is about to be read.
pub async fn invite_body(session: &mut Session) -> pingora::Result<()> {
    let expect = session.req_header().headers.get(http::header::EXPECT);
    if expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        session.write_continue_response().await?;
    }
    Ok(())
}

/// Reads the body of the response, at most `bytes_max` bytes.
async fn fetch_response(call: Option<&mut Call>, bytes_max: usize) -> Result<Bytes, Problem> {
    let Some(call) = call else {
        return Ok(Bytes::new());
    };
    let mut body = Gathered::new("response", bytes_max);
    loop {
        match call.next().await {
            Ok(Some(piece)) => body.add(piece)?,
            Ok(None) => return Ok(body.finish()),
            Err(_broken) => return Err(Problem::failed("backend_body_broken")),
        }
    }
}

/// Lets the meter hear the whole response before it goes on; whether that could be.
async fn measure(call: Option<&mut Call>) -> Result<bool, Problem> {
    match call {
        Some(call) => {
            let heard = call.read_ahead(MEASURED_BYTES_MAX).await;
            heard.map_err(|_broken| Problem::failed("backend_body_broken"))
        }
        None => Ok(false),
    }
}

/// A body that is read in pieces.
struct Gathered {
    what: &'static str,
    first: Option<Bytes>,
    rest: BytesMut,
    bytes_max: usize,
}

impl Gathered {
    fn new(what: &'static str, bytes_max: usize) -> Self {
        Self { what, first: None, rest: BytesMut::new(), bytes_max }
    }

    fn add(&mut self, piece: Bytes) -> Result<(), Problem> {
        let first = self.first.as_ref().map_or(0, Bytes::len);
        let total = first.saturating_add(self.rest.len()).saturating_add(piece.len());
        if self.bytes_max < total {
            let max = self.bytes_max;
            return Err(if self.what == "request" {
                let message = format!("The body of the request is larger than {max} bytes.");
                Problem::beyond(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
            } else {
                Problem::failed("backend_body_too_large")
            });
        }
        match &self.first {
            // Most bodies come in one piece: it is passed on without a copy.
            None => self.first = Some(piece),
            Some(first) => {
                if self.rest.is_empty() {
                    self.rest.extend_from_slice(first);
                    self.first = Some(Bytes::new());
                }
                self.rest.extend_from_slice(&piece);
            }
        }
        Ok(())
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first.unwrap_or_default() } else { self.rest.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one_body_within_its_bound() {
        let mut body = Gathered::new("request", 5);
        body.add(Bytes::from_static(b"ab")).unwrap();
        body.add(Bytes::from_static(b"cd")).unwrap();
        body.add(Bytes::from_static(b"e")).unwrap();
        let refused = body.add(Bytes::from_static(b"f")).unwrap_err();
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(body.finish(), "abcde");
    }
}
