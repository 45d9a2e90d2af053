//! The way of a request: Pingora's phases, each a few lines.
//!
//! | phase | what happens | where |
//! |---|---|---|
//! | `request_filter` | the head is judged, route and key are found, inbound runs | [`admit`], [`drive`] |
//! | `upstream_peer`, `upstream_request_filter` | the request goes to its backend | [`forward`] |
//! | `response_filter` | outbound runs on the head; the body streams through | [`drive`] |
//! | `fail_to_proxy` | on-error runs, or an answer takes the response's place | [`reply`] |
//! | body filters | quotas of bandwidth see what flows | [`holds`] |
//! | body filters | diagnostics copy what they show | [`watch`] |
//! | `logging` | what is left to count is counted; the record is made | [`record`], [`inspect`] |

pub mod listener;
pub mod guard;
pub mod strict;
pub mod admit;
pub mod drive;
pub mod forward;
pub mod grpc;
pub mod holds;
pub mod reply;
pub mod send;
pub mod bearer;
pub mod record;
pub mod watch;
pub mod inspect;
pub mod counted;
pub mod operators;
pub mod state;
pub mod run;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use crate::backend::BaseUrl;
use crate::cache::memory::Cache;
use crate::caller::resolve::Resolver;
use crate::caller::roots::Roots;
use crate::caller::{self, Caller};
use crate::counters::Home;
use crate::events::Events;
use crate::exchange::cached::CachedResponse;
use crate::exchange::flight::Flights;
use crate::exchange::message::Response;
use crate::exchange::trail::Trail;
use crate::expression::value::Value;
use crate::identity::Identities;
use crate::inspector::Inspector;
use crate::issuer::known::Issuers;
use crate::policy::machine::Event;
use crate::problem::Problem;
use crate::proxy::admit::{Admission, Bounds, Trust};
use crate::proxy::drive::Stop;
use crate::proxy::holds::Holds;
use crate::proxy::record::Journey;
use crate::proxy::run::Run;
use crate::proxy::state::State;
use crate::proxy::watch::Watch;
use crate::snapshot::Live;
use crate::snapshot::tally::Taken;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::otlp::outbox::Outboxes;
use crate::telemetry::otlp::span::Spans;
use crate::time::{Clock, SystemClock};

/// The data plane: one value for all requests.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What runs.
    pub live: Arc<Live>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// Where limits are counted, and who is inside of `limit-concurrency`.
    pub counters: Arc<Home>,
    /// Responses that policies stored.
    pub responses: Arc<Cache<Arc<CachedResponse>>>,
    /// Values that policies stored.
    pub values: Arc<Cache<Value>>,
    /// Values that are being made.
    pub flights: Arc<Flights>,
    /// Makes the calls that policies want to look into.
    pub caller: Arc<Caller>,
    /// Where requests of APIs go that have no backend: nowhere.
    pub nowhere: Arc<BaseUrl>,
    /// Where names lead.
    pub resolver: Arc<Resolver>,
    /// Whose certificates are trusted.
    pub roots: Arc<Roots>,
    /// How large and how slow a request may be.
    pub bounds: Bounds,
    /// Whose word about the client counts.
    pub trust: Trust,
    /// Whose tokens policies believe.
    pub issuers: Arc<Issuers>,
    /// What is on its way to event hubs.
    pub events: Arc<Events>,
    /// Who the gateway is to others.
    pub identities: Arc<Identities>,
    /// Records requests for those who may see them.
    pub inspector: Arc<Inspector>,
    /// Where records go.
    pub log: Arc<AccessLog>,
    /// Makes spans of them, if there are traces.
    pub spans: Option<Arc<Spans>>,
    /// What is recorded for a collector.
    pub outboxes: Outboxes,
    /// Whether the gateway takes requests, and how many are in flight.
    pub state: Arc<State>,
}

/// Pingora's per-request context.
#[derive(Debug)]
pub struct Context {
    snapshot: Taken,
    /// The exchange and its policies; `None` until the head was judged.
    run: Option<Box<Run>>,
    journey: Journey,
}

/// The error that makes Pingora stop forwarding because the policies have an answer of their own.
const ANSWERED: ErrorType = ErrorType::Custom("the policies answer themselves");
/// How long a client may take nothing of its response.
const CLIENT_SILENCE_MAX: Duration = Duration::from_mins(5);
/// The most informational responses (1xx) that are passed on for one request.
const INFORMATIONAL_MAX: u32 = 8;

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        let journey = Journey::begin(self.clock.now(), &self.state);
        Context { snapshot: self.live.take(), run: None, journey }
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {
        // Pingora's own compresses bodies; ours pass as they are.
    }

    async fn early_request_filter(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.journey.active = Some(counted::begin(self, session));
        let silence = if strict::is_websocket(session.req_header()) {
            // The time-out of a body would cut a WebSocket that has nothing to say.
            UPGRADED_SILENCE_MAX
        } else {
            self.bounds.body_read
        };
        let idle = if self.state.is_draining() { None } else { Some(self.bounds.idle_seconds) };
        session.set_keepalive(idle);
        session.set_read_timeout(Some(silence));
        session.set_write_timeout(Some(CLIENT_SILENCE_MAX));
        Ok(())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<bool> {
        context.journey.correlation = record::correlate(self, session, &context.journey);
        let wish = inspect::wish(&self.inspector, session);
        match admit::admit(self, session, context) {
            Admission::Refuse(problem) => {
                Box::pin(reply::refuse(session, context, &problem)).await?;
                return Ok(true);
            }
            Admission::Run(run, first) => {
                let run = context.run.insert(run);
                run.exchange.trail = Trail::of(context.journey.correlation);
                run.watch = Watch::begin(self, &run.exchange);
                if let Some(wish) = &wish {
                    inspect::begin(self, session, run, &first, wish);
                }
                match drive::begin(self, session, run, first).await {
                    Stop::Forward => return Ok(false),
                    Stop::Deliver => (),
                    Stop::Gone(error) => return Err(error),
                }
            }
        }
        reply::deliver(self, session, context).await?;
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        match &mut context.run {
            Some(run) => {
                forward::depart(self, run);
                Ok(Box::new(forward::peer(self, run).await?))
            }
            None => Error::e_explain(ErrorType::InternalError, "nothing to forward"),
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let Some(run) = &mut context.run else { return Ok(()) };
        forward::head::edit(self, (session, false), run, request)?;
        watch::streams(run, &request.headers);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        piece: &mut Option<Bytes>,
        _end: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if let Some(holds) = context.holds() {
            holds.moved(holds::bytes(session));
        }
        if let (Some(run), Some(piece)) = (&mut context.run, piece) {
            watch::request_piece(run, piece);
        }
        self.bounds.body(session)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let Some(run) = &mut context.run else {
            return Ok(());
        };
        if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
            run.informational = run.informational.saturating_add(1);
            if INFORMATIONAL_MAX < run.informational {
                return Error::e_explain(
                    ErrorType::InvalidHTTPHeader,
                    "the backend sent too many informational responses",
                );
            }
            return Ok(());
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let told = "the backend switches protocols unasked";
            return Error::e_explain(ErrorType::InvalidHTTPHeader, told);
        }
        if let Some(error) = forward::refused_by_proxy(run, head.status) {
            return Err(error);
        }
        watch::receives(run, &head.headers);
        forward::end_hop(head);
        reply::end_if_expecting(session);
        let now = self.clock.now();
        run.backend_head = Some((now, head.status));
        run.exchange.trail.arrive(Ok(head.status), now);
        forward::balance::answered(self, run, (head.status, &head.headers));
        counted::answered(self, run);
        let asked_for_head = session.req_header().method == http::Method::HEAD;
        forward::begun(session, run, (head, asked_for_head));
        if run.is_plain() {
            return Ok(());
        }
        let bodiless = forward::is_bodiless(head, asked_for_head);
        let is_looked_at = run.looks_at_response();
        let response = Response::received(head.status, &head.headers, bodiless, is_looked_at);
        let stop = drive::resume(self, session, run, Event::Responded(response)).await;
        holds::begin(self, run);
        match stop {
            Stop::Deliver if reply::is_untouched(&run.exchange, bodiless) => {
                reply::edit(head, &run.exchange)
            }
            Stop::Deliver | Stop::Forward => Error::e_explain(ANSWERED, ""),
            Stop::Gone(error) => Err(error),
        }
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        piece: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<Duration>> {
        if let (true, Some(run)) = (end, &context.run) {
            forward::ended(session, run);
        }
        watch::response_piece(context, piece.as_ref());
        if let Some(holds) = context.holds() {
            let piece = piece.as_deref().map_or(0, holds::length);
            holds.moved(holds::bytes(session).saturating_add(piece));
        }
        Ok(None)
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        context: &mut Context,
        client_reused: bool,
    ) -> Box<Error> {
        let mut error = error.more_context(format!("peer: {peer}"));
        // A kept connection that was closed meanwhile may be replaced, if nothing was promised.
        let client_reused = client_reused || forward::is_reused(context);
        error.retry.decide_reuse(client_reused && !session.as_ref().retry_buffer_truncated());
        if session.response_written().is_some() || !caller::may_repeat(&session.req_header().method)
        {
            error.set_retry(false);
        }
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        let started = session.response_written().is_some();
        if !started && error.esource() != &ErrorSource::Downstream {
            Box::pin(reply::failed(self, session, context, error)).await;
        } else {
            context.journey.broken(error);
            counted::broken_off(self, context, error);
            if !started {
                Box::pin(reply::unreadable(session, context, error)).await;
            }
        }
        let code = session.response_written().map_or(0, |head| head.status.as_u16());
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        record::finish(self, session, error, context);
        inspect::finish(self, session, error, context);
    }

    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        // The record of the exchange says it, once and with its place.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Context,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

impl Context {
    /// What the client is told where policies have no say.
    fn note_refusal(&mut self, problem: &Problem) {
        self.journey.refused(problem);
    }

    /// What the exchange holds of counters, if it holds anything.
    fn holds(&mut self) -> Option<&mut Holds> {
        self.run.as_mut()?.holds.as_deref_mut()
    }
}

/// How long a connection to a backend may be silent once it carries a WebSocket.
pub const UPGRADED_SILENCE_MAX: Duration = Duration::from_hours(1);
